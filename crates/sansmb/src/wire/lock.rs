//! LOCK, [MS-SMB2] 2.2.26. The response is an [`EmptyBody`](super::EmptyBody).

use zerocopy::little_endian::{U16, U32, U64};

use super::header::FileIdFixed;
use super::list::{Element, List};
use super::{Body, DecodeError, FileId, HEADER_LEN, Writer};

wire_flags! {
    /// What to do with a range, [MS-SMB2] 2.2.26.1.
    pub struct LockFlags: u32 {
        /// Lock it so that nobody can write to it.
        const SHARED = 0x0000_0001;
        /// Lock it so that nobody else can touch it.
        const EXCLUSIVE = 0x0000_0002;
        /// Give up a lock of exactly this range.
        const UNLOCK = 0x0000_0004;
        /// Fail rather than wait.
        const FAIL_IMMEDIATELY = 0x0000_0010;
    }
}

impl LockFlags {
    /// Whether it is one of the five combinations that [MS-SMB2] 2.2.26.1 allows.
    pub fn is_valid(self) -> bool {
        matches!(self.bits(), 0x01 | 0x02 | 0x04 | 0x11 | 0x12)
    }
}

layout! {
    /// SMB2_LOCK_ELEMENT as it stands in messages.
    pub struct LockElementFixed [24] { offset: U64, length: U64, flags: U32, reserved: U32 }
}

/// One range of a file, [MS-SMB2] 2.2.26.1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LockElement {
    /// First byte of the range.
    pub offset: u64,
    /// Bytes in the range; zero is allowed.
    pub length: u64,
    /// What to do with it.
    pub flags: LockFlags,
}

impl Element for LockElement {
    type Fixed = LockElementFixed;

    fn from_fixed(f: &LockElementFixed) -> Self {
        let flags = LockFlags::from_bits_retain(f.flags.get());
        Self { offset: f.offset.get(), length: f.length.get(), flags }
    }

    fn to_fixed(&self) -> LockElementFixed {
        LockElementFixed {
            offset: U64::new(self.offset),
            length: U64::new(self.length),
            flags: U32::new(self.flags.bits()),
            reserved: U32::ZERO,
        }
    }
}

layout! {
    pub struct LockRequestFixed [24] {
        structure_size: U16,
        lock_count: U16,
        lock_sequence: U32,
        file_id: FileIdFixed,
    }
}

/// LOCK request, [MS-SMB2] 2.2.26.
///
/// An empty list of locks parses, so that the server can answer it as [MS-SMB2] 3.3.5.14 says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LockRequest<'m> {
    /// LockSequenceNumber and LockSequenceIndex, see [`Self::sequence_number`]. Zero in 2.0.2.
    pub lock_sequence: u32,
    /// The open file.
    pub file_id: FileId,
    /// The ranges: all are locked, or all are unlocked. At most 65,535.
    pub locks: List<'m, LockElement>,
}

impl LockRequest<'_> {
    /// LockSequenceNumber, 0 to 15.
    pub fn sequence_number(&self) -> u8 {
        (self.lock_sequence & 0xF) as u8
    }

    /// LockSequenceIndex: 1 to 64 is valid, 0 means "no replay detection".
    pub fn sequence_index(&self) -> u32 {
        self.lock_sequence >> 4
    }

    /// The field of a sequence number (its low four bits count) and an index.
    pub fn sequence(number: u8, index: u32) -> u32 {
        index << 4 | u32::from(number & 0xF)
    }
}

impl<'m> Body<'m> for LockRequest<'m> {
    const NAME: &'static str = "LOCK request";
    const STRUCTURE_SIZE: u16 = 48;
    type Fixed = LockRequestFixed;

    fn from_parts(f: &'m LockRequestFixed, msg: &'m [u8]) -> Result<Self, DecodeError> {
        let elements = msg.get(HEADER_LEN + size_of::<LockRequestFixed>()..).unwrap_or_default();
        Ok(Self {
            lock_sequence: f.lock_sequence.get(),
            file_id: f.file_id.into(),
            locks: List::parse(elements, f.lock_count.get().into(), "LOCK request elements")?,
        })
    }

    fn encode(&self, w: &mut Writer<'_>) {
        w.put(&LockRequestFixed {
            structure_size: U16::new(Self::STRUCTURE_SIZE),
            lock_count: U16::new(self.locks.len() as u16),
            lock_sequence: U32::new(self.lock_sequence),
            file_id: self.file_id.into(),
        });
        self.locks.encode(w);
    }
}
