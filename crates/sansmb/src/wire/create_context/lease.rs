//! Leases in create contexts, [MS-SMB2] 2.2.13.2.8, 2.2.13.2.10, 2.2.14.2.10 and 2.2.14.2.11.

use zerocopy::little_endian::{U16, U32, U64};

use core::fmt;

/// LeaseKey: the client's name for the owner of a lease.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeaseKey(pub [u8; 16]);

impl fmt::Debug for LeaseKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

wire_flags! {
    /// What the holder of a lease may cache.
    pub struct LeaseState: u32 {
        /// Data that was read.
        const READ_CACHING = 0x0000_0001;
        /// The handle: closing may be delayed.
        const HANDLE_CACHING = 0x0000_0002;
        /// Data that was written.
        const WRITE_CACHING = 0x0000_0004;
    }
}

wire_flags! {
    /// Flags of a lease.
    pub struct LeaseFlags: u32 {
        /// The lease is being broken (responses).
        const BREAK_IN_PROGRESS = 0x0000_0002;
        /// ParentLeaseKey is set (version 2).
        const PARENT_LEASE_KEY_SET = 0x0000_0004;
    }
}

layout! {
    pub(super) struct LeaseFixed [32] {
        key: [u8; 16],
        state: U32,
        flags: U32,
        duration: U64,
    }
}

layout! {
    pub(super) struct LeaseV2Fixed [52] {
        lease: LeaseFixed,
        parent_key: [u8; 16],
        epoch: U16,
        reserved: U16,
    }
}

/// SMB2_CREATE_REQUEST_LEASE and SMB2_CREATE_RESPONSE_LEASE: a lease of 2.1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lease {
    /// Names the lease.
    pub key: LeaseKey,
    /// What is asked for or granted.
    pub state: LeaseState,
    /// More about it.
    pub flags: LeaseFlags,
    /// Reserved: zero.
    pub duration: u64,
}

/// SMB2_CREATE_REQUEST_LEASE_V2 and SMB2_CREATE_RESPONSE_LEASE_V2: a lease of 3.x.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeaseV2 {
    /// Names the lease.
    pub key: LeaseKey,
    /// What is asked for or granted.
    pub state: LeaseState,
    /// More about it.
    pub flags: LeaseFlags,
    /// Reserved: zero.
    pub duration: u64,
    /// The lease on the parent directory; see [`LeaseFlags::PARENT_LEASE_KEY_SET`].
    pub parent_key: LeaseKey,
    /// Counts changes of the lease's state.
    pub epoch: u16,
    /// Reserved; some servers set it.
    pub reserved: u16,
}

impl From<&LeaseFixed> for Lease {
    fn from(f: &LeaseFixed) -> Self {
        Self {
            key: LeaseKey(f.key),
            state: LeaseState::from_bits_retain(f.state.get()),
            flags: LeaseFlags::from_bits_retain(f.flags.get()),
            duration: f.duration.get(),
        }
    }
}

impl From<&Lease> for LeaseFixed {
    fn from(lease: &Lease) -> Self {
        Self {
            key: lease.key.0,
            state: U32::new(lease.state.bits()),
            flags: U32::new(lease.flags.bits()),
            duration: U64::new(lease.duration),
        }
    }
}

impl From<&LeaseV2Fixed> for LeaseV2 {
    fn from(f: &LeaseV2Fixed) -> Self {
        let Lease { key, state, flags, duration } = (&f.lease).into();
        Self {
            key,
            state,
            flags,
            duration,
            parent_key: LeaseKey(f.parent_key),
            epoch: f.epoch.get(),
            reserved: f.reserved.get(),
        }
    }
}

impl From<&LeaseV2> for LeaseV2Fixed {
    fn from(lease: &LeaseV2) -> Self {
        let &LeaseV2 { key, state, flags, duration, .. } = lease;
        Self {
            lease: (&Lease { key, state, flags, duration }).into(),
            parent_key: lease.parent_key.0,
            epoch: U16::new(lease.epoch),
            reserved: U16::new(lease.reserved),
        }
    }
}
