//! OPLOCK_BREAK, [MS-SMB2] 2.2.23 to 2.2.25: for oplocks and for leases.

use zerocopy::little_endian::{U16, U32, U64};

use super::header::FileIdFixed;
use super::{
    Body, DecodeError, DecodeErrorKind, FileId, HEADER_LEN, LeaseKey, LeaseState, OplockLevel, Writer,
    fixed_at,
};

layout! {
    pub struct OplockBreakFixed [24] {
        structure_size: U16,
        oplock_level: u8,
        reserved: u8,
        reserved2: U32,
        file_id: FileIdFixed,
    }
}

/// Oplock Break Notification, Acknowledgment and Response, [MS-SMB2] 2.2.23.1, 2.2.24.1 and
/// 2.2.25.1: one layout.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OplockBreak {
    /// The level that is left.
    pub oplock_level: OplockLevel,
    /// The open.
    pub file_id: FileId,
}

/// From the server: the oplock goes down to this level.
pub type OplockBreakNotification = OplockBreak;
/// From the client: agreed.
pub type OplockBreakAcknowledgment = OplockBreak;
/// From the server: done.
pub type OplockBreakResponse = OplockBreak;

impl<'m> Body<'m> for OplockBreak {
    const NAME: &'static str = "oplock break";
    const STRUCTURE_SIZE: u16 = 24;
    type Fixed = OplockBreakFixed;

    fn from_parts(f: &'m OplockBreakFixed, _msg: &'m [u8]) -> Result<Self, DecodeError> {
        Ok(Self { oplock_level: OplockLevel(f.oplock_level), file_id: f.file_id.into() })
    }

    fn encode(&self, w: &mut Writer<'_>) {
        w.put(&OplockBreakFixed {
            structure_size: U16::new(Self::STRUCTURE_SIZE),
            oplock_level: self.oplock_level.0,
            reserved: 0,
            reserved2: U32::ZERO,
            file_id: self.file_id.into(),
        });
    }
}

wire_flags! {
    /// Flags of a Lease Break Notification.
    pub struct LeaseBreakFlags: u32 {
        /// The server waits for an acknowledgment.
        const ACK_REQUIRED = 0x0000_0001;
    }
}

layout! {
    pub struct LeaseBreakNotificationFixed [44] {
        structure_size: U16,
        new_epoch: U16,
        flags: U32,
        lease_key: [u8; 16],
        current_lease_state: U32,
        new_lease_state: U32,
        break_reason: U32,
        access_mask_hint: U32,
        share_mask_hint: U32,
    }
}

/// Lease Break Notification, [MS-SMB2] 2.2.23.2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeaseBreakNotification {
    /// The lease's epoch from now on (3.x).
    pub new_epoch: u16,
    /// Whether to acknowledge it.
    pub flags: LeaseBreakFlags,
    /// The lease.
    pub lease_key: LeaseKey,
    /// What it allowed.
    pub current_lease_state: LeaseState,
    /// What it allows from now on.
    pub new_lease_state: LeaseState,
    /// Reserved: zero.
    pub break_reason: u32,
    /// Reserved: zero.
    pub access_mask_hint: u32,
    /// Reserved: zero.
    pub share_mask_hint: u32,
}

impl<'m> Body<'m> for LeaseBreakNotification {
    const NAME: &'static str = "lease break notification";
    const STRUCTURE_SIZE: u16 = 44;
    type Fixed = LeaseBreakNotificationFixed;

    fn from_parts(f: &'m LeaseBreakNotificationFixed, _msg: &'m [u8]) -> Result<Self, DecodeError> {
        Ok(Self {
            new_epoch: f.new_epoch.get(),
            flags: LeaseBreakFlags::from_bits_retain(f.flags.get()),
            lease_key: LeaseKey(f.lease_key),
            current_lease_state: LeaseState::from_bits_retain(f.current_lease_state.get()),
            new_lease_state: LeaseState::from_bits_retain(f.new_lease_state.get()),
            break_reason: f.break_reason.get(),
            access_mask_hint: f.access_mask_hint.get(),
            share_mask_hint: f.share_mask_hint.get(),
        })
    }

    fn encode(&self, w: &mut Writer<'_>) {
        w.put(&LeaseBreakNotificationFixed {
            structure_size: U16::new(Self::STRUCTURE_SIZE),
            new_epoch: U16::new(self.new_epoch),
            flags: U32::new(self.flags.bits()),
            lease_key: self.lease_key.0,
            current_lease_state: U32::new(self.current_lease_state.bits()),
            new_lease_state: U32::new(self.new_lease_state.bits()),
            break_reason: U32::new(self.break_reason),
            access_mask_hint: U32::new(self.access_mask_hint),
            share_mask_hint: U32::new(self.share_mask_hint),
        });
    }
}

layout! {
    pub struct LeaseBreakFixed [36] {
        structure_size: U16,
        reserved: U16,
        flags: U32,
        lease_key: [u8; 16],
        lease_state: U32,
        lease_duration: U64,
    }
}

/// Lease Break Acknowledgment and Response, [MS-SMB2] 2.2.24.2 and 2.2.25.2: one layout.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeaseBreak {
    /// Reserved: zero.
    pub flags: u32,
    /// The lease.
    pub lease_key: LeaseKey,
    /// What is left of it.
    pub lease_state: LeaseState,
    /// Reserved: zero.
    pub lease_duration: u64,
}

/// From the client: agreed.
pub type LeaseBreakAcknowledgment = LeaseBreak;
/// From the server: done.
pub type LeaseBreakResponse = LeaseBreak;

impl<'m> Body<'m> for LeaseBreak {
    const NAME: &'static str = "lease break acknowledgment";
    const STRUCTURE_SIZE: u16 = 36;
    type Fixed = LeaseBreakFixed;

    fn from_parts(f: &'m LeaseBreakFixed, _msg: &'m [u8]) -> Result<Self, DecodeError> {
        Ok(Self {
            flags: f.flags.get(),
            lease_key: LeaseKey(f.lease_key),
            lease_state: LeaseState::from_bits_retain(f.lease_state.get()),
            lease_duration: f.lease_duration.get(),
        })
    }

    fn encode(&self, w: &mut Writer<'_>) {
        w.put(&LeaseBreakFixed {
            structure_size: U16::new(Self::STRUCTURE_SIZE),
            reserved: U16::ZERO,
            flags: U32::new(self.flags),
            lease_key: self.lease_key.0,
            lease_state: U32::new(self.lease_state.bits()),
            lease_duration: U64::new(self.lease_duration),
        });
    }
}

fn structure_size(msg: &[u8]) -> Result<u16, DecodeError> {
    fixed_at::<U16>(msg, HEADER_LEN, "OPLOCK_BREAK").map(|size| size.get())
}

fn wrong_size(size: u16) -> DecodeError {
    DecodeError::new("OPLOCK_BREAK", HEADER_LEN, DecodeErrorKind::StructureSize(size))
}

/// A notification of either kind; StructureSize tells which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakNotification {
    /// An oplock breaks.
    Oplock(OplockBreakNotification),
    /// A lease breaks.
    Lease(LeaseBreakNotification),
}

impl BreakNotification {
    /// Parses the body of `msg`, which starts with its SMB2 header.
    pub fn decode(msg: &[u8]) -> Result<Self, DecodeError> {
        match structure_size(msg)? {
            OplockBreak::STRUCTURE_SIZE => OplockBreak::decode(msg).map(Self::Oplock),
            LeaseBreakNotification::STRUCTURE_SIZE => LeaseBreakNotification::decode(msg).map(Self::Lease),
            size => Err(wrong_size(size)),
        }
    }
}

/// An acknowledgment or response of either kind; StructureSize tells which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakAcknowledgment {
    /// Of an oplock.
    Oplock(OplockBreakAcknowledgment),
    /// Of a lease.
    Lease(LeaseBreakAcknowledgment),
}

impl BreakAcknowledgment {
    /// Parses the body of `msg`, which starts with its SMB2 header.
    pub fn decode(msg: &[u8]) -> Result<Self, DecodeError> {
        match structure_size(msg)? {
            OplockBreak::STRUCTURE_SIZE => OplockBreak::decode(msg).map(Self::Oplock),
            LeaseBreak::STRUCTURE_SIZE => LeaseBreak::decode(msg).map(Self::Lease),
            size => Err(wrong_size(size)),
        }
    }
}
