//! Streams of a file, [MS-FSCC] 2.4.49.

use zerocopy::little_endian::{U32, U64};

use super::super::{DecodeError, Structure, Utf16, Writer, fixed_at};
use super::name::name_at;
use super::{Entries, Entry};

layout! {
    struct StreamFixed [24] {
        next_entry_offset: U32,
        stream_name_length: U32,
        stream_size: U64,
        stream_allocation_size: U64,
    }
}

/// FILE_STREAM_INFORMATION: one stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamEntry<'m> {
    /// Bytes in the stream.
    pub size: u64,
    /// Bytes allocated.
    pub allocation_size: u64,
    /// The name with its type: `::$DATA` for the data of the file itself, `:name:$DATA` for others.
    pub name: Utf16<'m>,
}

impl<'m> Structure<'m> for StreamEntry<'m> {
    const NAME: &'static str = "FILE_STREAM_INFORMATION";
    const FIXED_LEN: usize = size_of::<StreamFixed>();

    fn decode(bytes: &'m [u8]) -> Result<Self, DecodeError> {
        let f: &StreamFixed = fixed_at(bytes, 0, Self::NAME)?;
        Ok(Self {
            size: f.stream_size.get(),
            allocation_size: f.stream_allocation_size.get(),
            name: name_at(bytes, Self::NAME, Self::FIXED_LEN, f.stream_name_length)?,
        })
    }

    fn encode(&self, w: &mut Writer<'_>) {
        w.put(&StreamFixed {
            next_entry_offset: U32::ZERO,
            stream_name_length: U32::new(self.name.len() as u32),
            stream_size: U64::new(self.size),
            stream_allocation_size: U64::new(self.allocation_size),
        });
        w.bytes(self.name.as_bytes());
    }
}

impl<'m> Entry<'m> for StreamEntry<'m> {
    const ALIGNMENT: usize = 8;
}

/// The streams of a file.
pub type StreamEntries<'m> = Entries<'m, StreamEntry<'m>>;
