//! CHANGE_NOTIFY, [MS-SMB2] 2.2.35 and 2.2.36.

use zerocopy::little_endian::{U16, U32};

use super::header::FileIdFixed;
use super::output_buffer::{OUTPUT_BUFFER_SIZE, OutputBufferFixed, encode_output_buffer};
use super::{Body, DecodeError, FileId, Writer};

wire_flags! {
    /// Flags of a CHANGE_NOTIFY request.
    pub struct ChangeNotifyFlags: u16 {
        /// Watch everything beneath the directory, not only what is in it.
        const WATCH_TREE = 0x0001;
    }
}

wire_flags! {
    /// The changes that a client wants to hear of, [MS-SMB2] 2.2.35.
    pub struct CompletionFilter: u32 {
        /// A file was made, removed or renamed.
        const FILE_NAME = 0x0000_0001;
        /// A directory was made, removed or renamed.
        const DIR_NAME = 0x0000_0002;
        /// Attributes changed.
        const ATTRIBUTES = 0x0000_0004;
        /// A size changed.
        const SIZE = 0x0000_0008;
        /// A time of last write changed.
        const LAST_WRITE = 0x0000_0010;
        /// A time of last access changed.
        const LAST_ACCESS = 0x0000_0020;
        /// A time of creation changed.
        const CREATION = 0x0000_0040;
        /// Extended attributes changed.
        const EA = 0x0000_0080;
        /// A security descriptor changed.
        const SECURITY = 0x0000_0100;
        /// A named stream was made, removed or renamed.
        const STREAM_NAME = 0x0000_0200;
        /// The size of a named stream changed.
        const STREAM_SIZE = 0x0000_0400;
        /// A named stream was written to.
        const STREAM_WRITE = 0x0000_0800;
    }
}

layout! {
    pub struct ChangeNotifyRequestFixed [32] {
        structure_size: U16,
        flags: U16,
        output_buffer_length: U32,
        file_id: FileIdFixed,
        completion_filter: U32,
        reserved: U32,
    }
}

/// CHANGE_NOTIFY request, [MS-SMB2] 2.2.35.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChangeNotifyRequest {
    /// Whether to watch the whole tree.
    pub flags: ChangeNotifyFlags,
    /// Most bytes in the response.
    pub output_buffer_length: u32,
    /// The open directory.
    pub file_id: FileId,
    /// What to watch for.
    pub completion_filter: CompletionFilter,
}

impl<'m> Body<'m> for ChangeNotifyRequest {
    const NAME: &'static str = "CHANGE_NOTIFY request";
    const STRUCTURE_SIZE: u16 = 32;
    type Fixed = ChangeNotifyRequestFixed;

    fn from_parts(f: &'m ChangeNotifyRequestFixed, _msg: &'m [u8]) -> Result<Self, DecodeError> {
        Ok(Self {
            flags: ChangeNotifyFlags::from_bits_retain(f.flags.get()),
            output_buffer_length: f.output_buffer_length.get(),
            file_id: f.file_id.into(),
            completion_filter: CompletionFilter::from_bits_retain(f.completion_filter.get()),
        })
    }

    fn encode(&self, w: &mut Writer<'_>) {
        w.put(&ChangeNotifyRequestFixed {
            structure_size: U16::new(Self::STRUCTURE_SIZE),
            flags: U16::new(self.flags.bits()),
            output_buffer_length: U32::new(self.output_buffer_length),
            file_id: self.file_id.into(),
            completion_filter: U32::new(self.completion_filter.bits()),
            reserved: U32::ZERO,
        });
    }
}

/// CHANGE_NOTIFY response, [MS-SMB2] 2.2.36.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChangeNotifyResponse<'m> {
    /// The changes, see [`NotifyEntries`](super::fscc::NotifyEntries).
    pub buffer: &'m [u8],
}

impl<'m> Body<'m> for ChangeNotifyResponse<'m> {
    const NAME: &'static str = "CHANGE_NOTIFY response";
    const STRUCTURE_SIZE: u16 = OUTPUT_BUFFER_SIZE;
    type Fixed = OutputBufferFixed;

    fn from_parts(f: &'m OutputBufferFixed, msg: &'m [u8]) -> Result<Self, DecodeError> {
        Ok(Self { buffer: f.buffer(msg, "CHANGE_NOTIFY response buffer")? })
    }

    fn encode(&self, w: &mut Writer<'_>) {
        encode_output_buffer(w, self.buffer, Some(0));
    }
}
