//! Offloaded data transfer, [MS-FSCC] 2.1.11 and 2.3.41 to 2.3.44: data that is copied by a name for it.

use zerocopy::big_endian;

use super::super::structure::Field;

open_enum! {
    /// What a token is. Its own kinds are a server's own business.
    pub struct OffloadTokenType: u32 {
        /// All bytes are zero; whoever wants zeros makes it by himself.
        ZERO_DATA = 0xFFFF_0001,
    }
}

layout! {
    pub(crate) struct TokenFixed [512] {
        token_type: big_endian::U32,
        reserved: [u8; 2],
        id_length: big_endian::U16,
        id: [u8; 504],
    }
}

/// STORAGE_OFFLOAD_TOKEN: names data as they were when it was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OffloadToken {
    /// What it is.
    pub token_type: OffloadTokenType,
    /// How many bytes of `id` count.
    pub id_length: u16,
    /// What only its server understands.
    pub id: [u8; 504],
}

impl OffloadToken {
    /// Bytes of a token.
    pub const LEN: usize = size_of::<TokenFixed>();

    /// The token for zeros.
    pub const ZERO: Self = Self::new(OffloadTokenType::ZERO_DATA, [0; 504]);

    /// A token whose whole name counts.
    pub const fn new(token_type: OffloadTokenType, id: [u8; 504]) -> Self {
        Self { token_type, id_length: 504, id }
    }
}

impl Default for OffloadToken {
    fn default() -> Self {
        Self::ZERO
    }
}

impl Field for OffloadToken {
    type Raw = TokenFixed;

    fn from_raw(raw: TokenFixed) -> Self {
        Self {
            token_type: OffloadTokenType(raw.token_type.get()),
            id_length: raw.id_length.get(),
            id: raw.id,
        }
    }

    fn to_raw(self) -> TokenFixed {
        TokenFixed {
            token_type: self.token_type.0.into(),
            reserved: [0; 2],
            id_length: self.id_length.into(),
            id: self.id,
        }
    }
}

record! {
    /// FSCTL_OFFLOAD_READ_INPUT.
    pub struct OffloadRead = OffloadReadFixed [32] {
        /// Length of this structure.
        size: u32,
        /// None are defined.
        flags: u32,
        /// How long the token is wanted for, in milliseconds; zero leaves it to the server.
        time_to_live: u32,
        /// Nothing.
        filler: u32,
        /// First byte, a multiple of the sector's length.
        file_offset: u64,
        /// Bytes, as many.
        copy_length: u64,
    }
}

wire_flags! {
    /// What the server says of the data behind the token.
    pub struct OffloadReadFlags: u32 {
        /// There are only zeros.
        const ALL_ZERO_BEYOND_CURRENT_RANGE = 0x0000_0001;
    }
}

impl Field for OffloadReadFlags {
    type Raw = zerocopy::little_endian::U32;

    fn from_raw(raw: Self::Raw) -> Self {
        Self::from_bits_retain(raw.get())
    }

    fn to_raw(self) -> Self::Raw {
        self.bits().into()
    }
}

record! {
    /// FSCTL_OFFLOAD_READ_OUTPUT.
    pub struct OffloadReadOutput = OffloadReadOutputFixed [528] {
        /// Length of this structure.
        size: u32,
        /// What comes behind the data.
        flags: OffloadReadFlags,
        /// Bytes that the token names: whole sectors, perhaps fewer than were wanted.
        transfer_length: u64,
        /// The token.
        token: OffloadToken,
    }
}

record! {
    /// FSCTL_OFFLOAD_WRITE_INPUT.
    pub struct OffloadWrite = OffloadWriteFixed [544] {
        /// Length of this structure.
        size: u32,
        /// None are defined.
        flags: u32,
        /// To this offset of the file, a multiple of the sector's length.
        file_offset: u64,
        /// Bytes, as many.
        copy_length: u64,
        /// From this offset of what the token names.
        transfer_offset: u64,
        /// The token.
        token: OffloadToken,
    }
}

record! {
    /// FSCTL_OFFLOAD_WRITE_OUTPUT.
    pub struct OffloadWriteOutput = OffloadWriteOutputFixed [16] {
        /// Length of this structure.
        size: u32,
        /// None are defined.
        flags: u32,
        /// Bytes that were written: whole sectors, perhaps fewer than were wanted.
        length_written: u64,
    }
}
