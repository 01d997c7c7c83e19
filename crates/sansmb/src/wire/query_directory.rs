//! QUERY_DIRECTORY, [MS-SMB2] 2.2.33 and 2.2.34.

use zerocopy::little_endian::{U16, U32};

use super::fscc::FileInfoClass;
use super::header::FileIdFixed;
use super::output_buffer::{OUTPUT_BUFFER_SIZE, OutputBufferFixed, encode_output_buffer};
use super::{Body, DecodeError, FileId, HEADER_LEN, Utf16, Writer, span_from};

wire_flags! {
    /// Flags of a QUERY_DIRECTORY request.
    pub struct QueryDirectoryFlags: u8 {
        /// Start again from the first entry.
        const RESTART_SCANS = 0x01;
        /// One entry is enough.
        const RETURN_SINGLE_ENTRY = 0x02;
        /// Go on from FileIndex.
        const INDEX_SPECIFIED = 0x04;
        /// Start again, with this pattern.
        const REOPEN = 0x10;
    }
}

layout! {
    pub struct QueryDirectoryRequestFixed [32] {
        structure_size: U16,
        information_class: u8,
        flags: u8,
        file_index: U32,
        file_id: FileIdFixed,
        file_name_offset: U16,
        file_name_length: U16,
        output_buffer_length: U32,
    }
}

/// QUERY_DIRECTORY request, [MS-SMB2] 2.2.33.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueryDirectoryRequest<'m> {
    /// The form of the entries.
    pub information_class: FileInfoClass,
    /// Where to start and how much to give.
    pub flags: QueryDirectoryFlags,
    /// Where to go on, see [`QueryDirectoryFlags::INDEX_SPECIFIED`].
    pub file_index: u32,
    /// The open directory.
    pub file_id: FileId,
    /// The names that are wanted, with wildcards.
    pub pattern: Utf16<'m>,
    /// Most bytes in the response.
    pub output_buffer_length: u32,
}

impl<'m> Body<'m> for QueryDirectoryRequest<'m> {
    const NAME: &'static str = "QUERY_DIRECTORY request";
    const STRUCTURE_SIZE: u16 = 33;
    type Fixed = QueryDirectoryRequestFixed;

    fn from_parts(f: &'m QueryDirectoryRequestFixed, msg: &'m [u8]) -> Result<Self, DecodeError> {
        const WHAT: &str = "QUERY_DIRECTORY request pattern";
        let (at, len) = (f.file_name_offset.get().into(), f.file_name_length.get().into());
        let body = HEADER_LEN + size_of::<QueryDirectoryRequestFixed>();
        Ok(Self {
            information_class: FileInfoClass(f.information_class),
            flags: QueryDirectoryFlags::from_bits_retain(f.flags),
            file_index: f.file_index.get(),
            file_id: f.file_id.into(),
            pattern: Utf16::new(span_from(msg, WHAT, body, at, len)?, WHAT, at)?,
            output_buffer_length: f.output_buffer_length.get(),
        })
    }

    fn encode(&self, w: &mut Writer<'_>) {
        let at = w.position() + size_of::<QueryDirectoryRequestFixed>();
        let pattern = self.pattern.as_bytes();
        w.put(&QueryDirectoryRequestFixed {
            structure_size: U16::new(Self::STRUCTURE_SIZE),
            information_class: self.information_class.0,
            flags: self.flags.bits(),
            file_index: U32::new(self.file_index),
            file_id: self.file_id.into(),
            file_name_offset: U16::new(if pattern.is_empty() { 0 } else { at as u16 }),
            file_name_length: U16::new(pattern.len() as u16),
            output_buffer_length: U32::new(self.output_buffer_length),
        });
        w.bytes(if pattern.is_empty() { &[0] } else { pattern });
    }
}

/// QUERY_DIRECTORY response, [MS-SMB2] 2.2.34.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueryDirectoryResponse<'m> {
    /// The entries, see [`DirEntries`](super::fscc::DirEntries).
    pub buffer: &'m [u8],
}

impl<'m> Body<'m> for QueryDirectoryResponse<'m> {
    const NAME: &'static str = "QUERY_DIRECTORY response";
    const STRUCTURE_SIZE: u16 = OUTPUT_BUFFER_SIZE;
    type Fixed = OutputBufferFixed;

    fn from_parts(f: &'m OutputBufferFixed, msg: &'m [u8]) -> Result<Self, DecodeError> {
        Ok(Self { buffer: f.buffer(msg, "QUERY_DIRECTORY response buffer")? })
    }

    fn encode(&self, w: &mut Writer<'_>) {
        encode_output_buffer(w, self.buffer, Some(0));
    }
}
