//! Extended attributes, [MS-FSCC] 2.4.16.

use zerocopy::little_endian::{U16, U32};

use super::super::{DecodeError, Structure, Writer, fixed_at, span};
use super::{Entries, Entry};

wire_flags! {
    /// Flags of an extended attribute.
    pub struct EaFlags: u8 {
        /// Who does not understand the attribute must not interpret the file.
        const NEED_EA = 0x80;
    }
}

layout! {
    struct EaFixed [8] { next_entry_offset: U32, flags: u8, name_length: u8, value_length: U16 }
}

/// FILE_FULL_EA_INFORMATION: an extended attribute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EaEntry<'m> {
    /// Whether it must be understood.
    pub flags: EaFlags,
    /// The name in 8-bit characters, at most 255, without a terminator.
    pub name: &'m [u8],
    /// The value, at most 65,535 bytes; an empty one deletes the attribute.
    pub value: &'m [u8],
}

impl<'m> Structure<'m> for EaEntry<'m> {
    const NAME: &'static str = "FILE_FULL_EA_INFORMATION";
    const FIXED_LEN: usize = size_of::<EaFixed>();

    fn decode(bytes: &'m [u8]) -> Result<Self, DecodeError> {
        let f: &EaFixed = fixed_at(bytes, 0, Self::NAME)?;
        let name = terminated(bytes, Self::NAME, Self::FIXED_LEN, f.name_length)?;
        let value_at = Self::FIXED_LEN + name.len() + 1;
        Ok(Self {
            flags: EaFlags::from_bits_retain(f.flags),
            name,
            value: span(bytes, Self::NAME, value_at, f.value_length.get().into())?,
        })
    }

    fn encode(&self, w: &mut Writer<'_>) {
        w.put(&EaFixed {
            next_entry_offset: U32::ZERO,
            flags: self.flags.bits(),
            name_length: self.name.len() as u8,
            value_length: U16::new(self.value.len() as u16),
        });
        w.bytes(self.name);
        w.zeros(1);
        w.bytes(self.value);
    }
}

impl<'m> Entry<'m> for EaEntry<'m> {
    const ALIGNMENT: usize = 4;
}

/// The name of `len` bytes at `at`, which a zero byte must follow.
fn terminated<'m>(bytes: &'m [u8], what: &'static str, at: usize, len: u8) -> Result<&'m [u8], DecodeError> {
    let len = usize::from(len);
    match span(bytes, what, at, len + 1)?.split_at_checked(len) {
        Some((name, [0])) => Ok(name),
        _ => Err(DecodeError::value(what, at + len, 1)),
    }
}

layout! {
    struct GetEaFixed [5] { next_entry_offset: U32, name_length: u8 }
}

/// FILE_GET_EA_INFORMATION, [MS-FSCC] 2.4.16.1: the name of an attribute that is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GetEaEntry<'m> {
    /// The name in 8-bit characters, at most 255, without a terminator.
    pub name: &'m [u8],
}

impl<'m> Structure<'m> for GetEaEntry<'m> {
    const NAME: &'static str = "FILE_GET_EA_INFORMATION";
    const FIXED_LEN: usize = size_of::<GetEaFixed>();

    fn decode(bytes: &'m [u8]) -> Result<Self, DecodeError> {
        let f: &GetEaFixed = fixed_at(bytes, 0, Self::NAME)?;
        Ok(Self { name: terminated(bytes, Self::NAME, Self::FIXED_LEN, f.name_length)? })
    }

    fn encode(&self, w: &mut Writer<'_>) {
        w.put(&GetEaFixed { next_entry_offset: U32::ZERO, name_length: self.name.len() as u8 });
        w.bytes(self.name);
        w.zeros(1);
    }
}

impl<'m> Entry<'m> for GetEaEntry<'m> {
    const ALIGNMENT: usize = 4;
}

/// The attributes of a file.
pub type EaEntries<'m> = Entries<'m, EaEntry<'m>>;

/// The names of attributes that are asked for.
pub type GetEaEntries<'m> = Entries<'m, GetEaEntry<'m>>;
