//! PIPE_WAIT and PIPE_PEEK, [MS-FSCC] 2.3.46 and 2.3.49.

use zerocopy::little_endian::{U32, U64};

use super::super::fscc::name_at;
use super::super::{DecodeError, Structure, Utf16, Writer, fixed_at};

layout! {
    struct PipeWaitFixed [14] { timeout: U64, name_length: U32, timeout_specified: u8, padding: u8 }
}

/// PIPE_WAIT request: wait until a pipe has a free instance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PipeWait<'m> {
    /// How long to wait; `None` for ever. In units of 100 milliseconds by [MS-FSCC], though Windows
    /// sends negative numbers of 100 nanoseconds: kept as it stands.
    pub timeout: Option<u64>,
    /// Name of the pipe, without `\pipe\`.
    pub name: Utf16<'m>,
}

impl<'m> Structure<'m> for PipeWait<'m> {
    const NAME: &'static str = "PIPE_WAIT request";
    const FIXED_LEN: usize = size_of::<PipeWaitFixed>();

    fn decode(bytes: &'m [u8]) -> Result<Self, DecodeError> {
        let f: &PipeWaitFixed = fixed_at(bytes, 0, Self::NAME)?;
        Ok(Self {
            timeout: (f.timeout_specified != 0).then_some(f.timeout.get()),
            name: name_at(bytes, Self::NAME, Self::FIXED_LEN, f.name_length)?,
        })
    }

    fn encode(&self, w: &mut Writer<'_>) {
        w.put(&PipeWaitFixed {
            timeout: U64::new(self.timeout.unwrap_or_default()),
            name_length: U32::new(self.name.len() as u32),
            timeout_specified: self.timeout.is_some().into(),
            padding: 0,
        });
        w.bytes(self.name.as_bytes());
    }
}

layout! {
    struct PipePeekFixed [16] {
        named_pipe_state: U32,
        read_data_available: U32,
        number_of_messages: U32,
        message_length: U32,
    }
}

/// PIPE_PEEK response.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PipePeek<'m> {
    /// 3 connected, 4 closing.
    pub named_pipe_state: u32,
    /// Bytes that can be read.
    pub read_data_available: u32,
    /// Messages that can be read, zero for a pipe of bytes.
    pub number_of_messages: u32,
    /// Length of the first message, zero for a pipe of bytes.
    pub message_length: u32,
    /// The first of the bytes, as many as there was room for.
    pub data: &'m [u8],
}

impl<'m> Structure<'m> for PipePeek<'m> {
    const NAME: &'static str = "PIPE_PEEK response";
    const FIXED_LEN: usize = size_of::<PipePeekFixed>();

    fn decode(bytes: &'m [u8]) -> Result<Self, DecodeError> {
        let f: &PipePeekFixed = fixed_at(bytes, 0, Self::NAME)?;
        Ok(Self {
            named_pipe_state: f.named_pipe_state.get(),
            read_data_available: f.read_data_available.get(),
            number_of_messages: f.number_of_messages.get(),
            message_length: f.message_length.get(),
            data: bytes.get(Self::FIXED_LEN..).unwrap_or_default(),
        })
    }

    fn encode(&self, w: &mut Writer<'_>) {
        w.put(&PipePeekFixed {
            named_pipe_state: U32::new(self.named_pipe_state),
            read_data_available: U32::new(self.read_data_available),
            number_of_messages: U32::new(self.number_of_messages),
            message_length: U32::new(self.message_length),
        });
        w.bytes(self.data);
    }
}
