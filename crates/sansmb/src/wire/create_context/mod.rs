//! Contexts of CREATE, [MS-SMB2] 2.2.13.2 and 2.2.14.2.

mod lease;
mod list;
mod reply;
mod request;

pub use lease::{Lease, LeaseFlags, LeaseKey, LeaseState, LeaseV2};
pub use list::{ContextIter, ContextList, NamedContext};
pub use reply::{CreateContextReplies, CreateContextReply};
pub use request::{CreateContext, CreateContexts};

use super::{DecodeError, fixed_at};

/// Names of create contexts, as they stand on the wire.
pub mod context_name {
    /// SMB2_CREATE_EA_BUFFER
    pub const EA_BUFFER: &[u8] = b"ExtA";
    /// SMB2_CREATE_SD_BUFFER
    pub const SD_BUFFER: &[u8] = b"SecD";
    /// SMB2_CREATE_DURABLE_HANDLE_REQUEST
    pub const DURABLE_HANDLE_REQUEST: &[u8] = b"DHnQ";
    /// SMB2_CREATE_DURABLE_HANDLE_RECONNECT
    pub const DURABLE_HANDLE_RECONNECT: &[u8] = b"DHnC";
    /// SMB2_CREATE_ALLOCATION_SIZE
    pub const ALLOCATION_SIZE: &[u8] = b"AlSi";
    /// SMB2_CREATE_QUERY_MAXIMAL_ACCESS_REQUEST
    pub const QUERY_MAXIMAL_ACCESS: &[u8] = b"MxAc";
    /// SMB2_CREATE_TIMEWARP_TOKEN
    pub const TIMEWARP_TOKEN: &[u8] = b"TWrp";
    /// SMB2_CREATE_QUERY_ON_DISK_ID
    pub const QUERY_ON_DISK_ID: &[u8] = b"QFid";
    /// SMB2_CREATE_REQUEST_LEASE and SMB2_CREATE_REQUEST_LEASE_V2
    pub const REQUEST_LEASE: &[u8] = b"RqLs";
    /// SMB2_CREATE_DURABLE_HANDLE_REQUEST_V2
    pub const DURABLE_HANDLE_REQUEST_V2: &[u8] = b"DH2Q";
    /// SMB2_CREATE_DURABLE_HANDLE_RECONNECT_V2
    pub const DURABLE_HANDLE_RECONNECT_V2: &[u8] = b"DH2C";
    /// SMB2_CREATE_APP_INSTANCE_ID
    pub const APP_INSTANCE_ID: &[u8] = &0x45BC_A66A_EFA7_F74A_9008_FA46_2E14_4D74_u128.to_be_bytes();
    /// SMB2_CREATE_APP_INSTANCE_VERSION
    pub const APP_INSTANCE_VERSION: &[u8] = &0xB982_D0B7_3B56_074F_A07B_524A_8116_A010_u128.to_be_bytes();
    /// SVHDX_OPEN_DEVICE_CONTEXT
    pub const SVHDX_OPEN_DEVICE: &[u8] = &0x9CCB_CF9E_04C1_E643_980E_158D_A1F6_EC83_u128.to_be_bytes();
    /// The extensions of Apple's clients
    pub const AAPL: &[u8] = b"AAPL";
}

wire_flags! {
    /// Flags of durable handles, version 2.
    pub struct DurableFlags: u32 {
        /// The handle is persistent.
        const PERSISTENT = 0x0000_0002;
    }
}

/// Data that must be exactly a `T`, [MS-SMB2] 3.3.5.9 "Create Context Validation".
fn exactly<'m, T>(data: &'m [u8], what: &'static str) -> Result<&'m T, DecodeError>
where
    T: zerocopy::FromBytes + zerocopy::KnownLayout + zerocopy::Immutable + zerocopy::Unaligned,
{
    if data.len() > size_of::<T>() {
        return Err(DecodeError::value(what, 0, data.len() as u64));
    }
    fixed_at(data, 0, what)
}
