//! What a CREATE response answers, [MS-SMB2] 2.2.14.2.
//!
//! A structure that is longer than the specification says is read as far as it is known.

use zerocopy::little_endian::{U32, U64};

use super::lease::{LeaseFixed, LeaseV2Fixed};
use super::{ContextList, DurableFlags, Lease, LeaseV2, NamedContext, context_name as name};
use crate::wire::{AccessMask, DecodeError, NtStatus, Writer, fixed_at};

/// A create context of a response, [MS-SMB2] 2.2.14.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CreateContextReply<'m> {
    /// `DHnQ`: the open is durable
    DurableHandleResponse {
        /// Reserved: zero.
        reserved: u64,
    },
    /// `MxAc`: what the user may do
    QueryMaximalAccess {
        /// Whether that could be found out.
        query_status: NtStatus,
        /// Valid only with STATUS_SUCCESS.
        maximal_access: AccessMask,
    },
    /// `QFid`: which file on which volume it is
    QueryOnDiskId {
        /// Names the file on the volume.
        disk_file_id: u64,
        /// Names the volume.
        volume_id: u64,
        /// Reserved: zero.
        reserved: [u8; 16],
    },
    /// `RqLs`: the lease that was granted (2.1 and later)
    ResponseLease(Lease),
    /// `RqLs`: the lease that was granted (3.x)
    ResponseLeaseV2(LeaseV2),
    /// `DH2Q`: the open is durable or persistent (3.x)
    DurableHandleResponseV2 {
        /// Milliseconds that the server waits for a reconnect.
        timeout: u32,
        /// Whether it is persistent.
        flags: DurableFlags,
    },
    /// A shared virtual disk, [MS-RSVD] 2.2.4.31 and 2.2.4.33, not interpreted
    SvhdxOpenDevice(&'m [u8]),
    /// `AAPL`: Apple's extensions, not interpreted
    Aapl(&'m [u8]),
    /// Any other name: to be ignored
    Unknown {
        /// Four bytes or more.
        name: &'m [u8],
        /// Data
        data: &'m [u8],
    },
}

/// The create contexts of a response.
pub type CreateContextReplies<'m> = ContextList<'m, CreateContextReply<'m>>;

layout! {
    struct MaximalAccessFixed [8] { query_status: U32, maximal_access: U32 }
}

layout! {
    struct OnDiskIdFixed [32] { disk_file_id: U64, volume_id: U64, reserved: [u8; 16] }
}

layout! {
    struct DurableV2Fixed [8] { timeout: U32, flags: U32 }
}

impl<'m> NamedContext<'m> for CreateContextReply<'m> {
    fn from_data(name: &'m [u8], data: &'m [u8]) -> Result<Self, DecodeError> {
        Ok(match name {
            name::DURABLE_HANDLE_REQUEST => {
                let reserved: &U64 = fixed_at(data, 0, "DURABLE_HANDLE_RESPONSE")?;
                Self::DurableHandleResponse { reserved: reserved.get() }
            }
            name::QUERY_MAXIMAL_ACCESS => {
                let f: &MaximalAccessFixed = fixed_at(data, 0, "QUERY_MAXIMAL_ACCESS_RESPONSE")?;
                Self::QueryMaximalAccess {
                    query_status: NtStatus(f.query_status.get()),
                    maximal_access: AccessMask::from_bits_retain(f.maximal_access.get()),
                }
            }
            name::QUERY_ON_DISK_ID => {
                let f: &OnDiskIdFixed = fixed_at(data, 0, "QUERY_ON_DISK_ID")?;
                Self::QueryOnDiskId {
                    disk_file_id: f.disk_file_id.get(),
                    volume_id: f.volume_id.get(),
                    reserved: f.reserved,
                }
            }
            name::REQUEST_LEASE if data.len() < size_of::<LeaseV2Fixed>() => {
                Self::ResponseLease(fixed_at::<LeaseFixed>(data, 0, "RESPONSE_LEASE")?.into())
            }
            name::REQUEST_LEASE => {
                Self::ResponseLeaseV2(fixed_at::<LeaseV2Fixed>(data, 0, "RESPONSE_LEASE_V2")?.into())
            }
            name::DURABLE_HANDLE_REQUEST_V2 => {
                let f: &DurableV2Fixed = fixed_at(data, 0, "DURABLE_HANDLE_RESPONSE_V2")?;
                Self::DurableHandleResponseV2 {
                    timeout: f.timeout.get(),
                    flags: DurableFlags::from_bits_retain(f.flags.get()),
                }
            }
            name::SVHDX_OPEN_DEVICE => Self::SvhdxOpenDevice(data),
            name::AAPL => Self::Aapl(data),
            _ => Self::Unknown { name, data },
        })
    }

    fn name(&self) -> &[u8] {
        match self {
            Self::DurableHandleResponse { .. } => name::DURABLE_HANDLE_REQUEST,
            Self::QueryMaximalAccess { .. } => name::QUERY_MAXIMAL_ACCESS,
            Self::QueryOnDiskId { .. } => name::QUERY_ON_DISK_ID,
            Self::ResponseLease(_) | Self::ResponseLeaseV2(_) => name::REQUEST_LEASE,
            Self::DurableHandleResponseV2 { .. } => name::DURABLE_HANDLE_REQUEST_V2,
            Self::SvhdxOpenDevice(_) => name::SVHDX_OPEN_DEVICE,
            Self::Aapl(_) => name::AAPL,
            Self::Unknown { name, .. } => name,
        }
    }

    fn encode_data(&self, w: &mut Writer<'_>) {
        match self {
            Self::DurableHandleResponse { reserved } => w.put(&U64::new(*reserved)),
            Self::QueryMaximalAccess { query_status, maximal_access } => w.put(&MaximalAccessFixed {
                query_status: U32::new(query_status.0),
                maximal_access: U32::new(maximal_access.bits()),
            }),
            Self::QueryOnDiskId { disk_file_id, volume_id, reserved } => w.put(&OnDiskIdFixed {
                disk_file_id: U64::new(*disk_file_id),
                volume_id: U64::new(*volume_id),
                reserved: *reserved,
            }),
            Self::ResponseLease(lease) => w.put(&LeaseFixed::from(lease)),
            Self::ResponseLeaseV2(lease) => w.put(&LeaseV2Fixed::from(lease)),
            Self::DurableHandleResponseV2 { timeout, flags } => {
                w.put(&DurableV2Fixed { timeout: U32::new(*timeout), flags: U32::new(flags.bits()) });
            }
            Self::SvhdxOpenDevice(data) | Self::Aapl(data) | Self::Unknown { data, .. } => w.bytes(data),
        }
    }
}
