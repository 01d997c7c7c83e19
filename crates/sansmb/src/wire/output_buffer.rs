//! The body that QUERY_DIRECTORY, CHANGE_NOTIFY and QUERY_INFO responses share: one buffer.

use zerocopy::little_endian::{U16, U32};

use super::{DecodeError, HEADER_LEN, Writer, span_from};

/// StructureSize of all three.
pub(crate) const OUTPUT_BUFFER_SIZE: u16 = 9;

layout! {
    /// An offset, a length, and then the buffer.
    pub struct OutputBufferFixed [8] {
        structure_size: U16,
        offset: U16,
        length: U32,
    }
}

impl OutputBufferFixed {
    /// The buffer in `msg`.
    pub(crate) fn buffer<'m>(&self, msg: &'m [u8], what: &'static str) -> Result<&'m [u8], DecodeError> {
        let body = HEADER_LEN + size_of::<Self>();
        span_from(msg, what, body, self.offset.get().into(), self.length.get() as usize)
    }
}

/// Writes the body. What an empty buffer looks like differs by command: QUERY_INFO has its offset
/// and nothing behind it (`None`), the others have neither offset nor length and one byte.
pub(crate) fn encode_output_buffer(w: &mut Writer<'_>, buffer: &[u8], if_empty: Option<u8>) {
    let at = w.position() + size_of::<OutputBufferFixed>();
    let placeholder = if_empty.filter(|_| buffer.is_empty());
    w.put(&OutputBufferFixed {
        structure_size: U16::new(OUTPUT_BUFFER_SIZE),
        offset: U16::new(if placeholder.is_some() { 0 } else { at as u16 }),
        length: U32::new(buffer.len() as u32),
    });
    w.bytes(buffer);
    w.bytes(placeholder.as_slice());
}
