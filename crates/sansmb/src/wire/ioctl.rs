//! IOCTL, [MS-SMB2] 2.2.31 and 2.2.32.

use zerocopy::little_endian::{U16, U32};

use super::header::FileIdFixed;
use super::{Body, CtlCode, DecodeError, FileId, HEADER_LEN, Writer, span_from};

wire_flags! {
    /// Flags of an IOCTL request.
    pub struct IoctlFlags: u32 {
        /// The code is an FSCTL; the only kind that servers carry out.
        const IS_FSCTL = 0x0000_0001;
    }
}

layout! {
    pub struct IoctlRequestFixed [56] {
        structure_size: U16,
        reserved: U16,
        ctl_code: U32,
        file_id: FileIdFixed,
        input_offset: U32,
        input_count: U32,
        max_input_response: U32,
        output_offset: U32,
        output_count: U32,
        max_output_response: U32,
        flags: U32,
        reserved2: U32,
    }
}

/// IOCTL request, [MS-SMB2] 2.2.31.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IoctlRequest<'m> {
    /// What is asked for.
    pub ctl_code: CtlCode,
    /// The open file, or [`FileId::ANY`] where the code needs none.
    pub file_id: FileId,
    /// Most input bytes in the response.
    pub max_input_response: u32,
    /// Most output bytes in the response.
    pub max_output_response: u32,
    /// Whether the code is an FSCTL.
    pub flags: IoctlFlags,
    /// What the code takes.
    pub input: &'m [u8],
}

impl<'m> Body<'m> for IoctlRequest<'m> {
    const NAME: &'static str = "IOCTL request";
    const STRUCTURE_SIZE: u16 = 57;
    type Fixed = IoctlRequestFixed;

    fn from_parts(f: &'m IoctlRequestFixed, msg: &'m [u8]) -> Result<Self, DecodeError> {
        let body = HEADER_LEN + size_of::<IoctlRequestFixed>();
        let part = |at: U32, len: U32| {
            span_from(msg, "IOCTL request buffer", body, at.get() as usize, len.get() as usize)
        };
        part(f.output_offset, f.output_count)?;
        Ok(Self {
            ctl_code: CtlCode(f.ctl_code.get()),
            file_id: f.file_id.into(),
            max_input_response: f.max_input_response.get(),
            max_output_response: f.max_output_response.get(),
            flags: IoctlFlags::from_bits_retain(f.flags.get()),
            input: part(f.input_offset, f.input_count)?,
        })
    }

    fn encode(&self, w: &mut Writer<'_>) {
        let input_at = U32::new((w.position() + size_of::<IoctlRequestFixed>()) as u32);
        w.put(&IoctlRequestFixed {
            structure_size: U16::new(Self::STRUCTURE_SIZE),
            reserved: U16::ZERO,
            ctl_code: U32::new(self.ctl_code.0),
            file_id: self.file_id.into(),
            input_offset: input_at,
            input_count: U32::new(self.input.len() as u32),
            max_input_response: U32::new(self.max_input_response),
            // Zero is recommended, but every client sends the offset of the input again.
            output_offset: input_at,
            output_count: U32::ZERO,
            max_output_response: U32::new(self.max_output_response),
            flags: U32::new(self.flags.bits()),
            reserved2: U32::ZERO,
        });
        w.bytes(if self.input.is_empty() { &[0] } else { self.input });
    }
}

layout! {
    pub struct IoctlResponseFixed [48] {
        structure_size: U16,
        reserved: U16,
        ctl_code: U32,
        file_id: FileIdFixed,
        input_offset: U32,
        input_count: U32,
        output_offset: U32,
        output_count: U32,
        flags: U32,
        reserved2: U32,
    }
}

/// IOCTL response, [MS-SMB2] 2.2.32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IoctlResponse<'m> {
    /// What was done.
    pub ctl_code: CtlCode,
    /// The file it was done to.
    pub file_id: FileId,
    /// Reserved: zero.
    pub flags: u32,
    /// The input given back; empty but for pass-through codes.
    pub input: &'m [u8],
    /// What the code gives.
    pub output: &'m [u8],
}

impl<'m> Body<'m> for IoctlResponse<'m> {
    const NAME: &'static str = "IOCTL response";
    const STRUCTURE_SIZE: u16 = 49;
    type Fixed = IoctlResponseFixed;

    fn from_parts(f: &'m IoctlResponseFixed, msg: &'m [u8]) -> Result<Self, DecodeError> {
        let body = HEADER_LEN + size_of::<IoctlResponseFixed>();
        let part = |at: U32, len: U32| {
            span_from(msg, "IOCTL response buffer", body, at.get() as usize, len.get() as usize)
        };
        Ok(Self {
            ctl_code: CtlCode(f.ctl_code.get()),
            file_id: f.file_id.into(),
            flags: f.flags.get(),
            input: part(f.input_offset, f.input_count)?,
            output: part(f.output_offset, f.output_count)?,
        })
    }

    /// Writes no byte for a buffer that is not there, whatever the odd StructureSize promises: no
    /// server does.
    fn encode(&self, w: &mut Writer<'_>) {
        let input_at = w.position() + size_of::<IoctlResponseFixed>();
        let output_at = (input_at + self.input.len()).next_multiple_of(8);
        w.put(&IoctlResponseFixed {
            structure_size: U16::new(Self::STRUCTURE_SIZE),
            reserved: U16::ZERO,
            ctl_code: U32::new(self.ctl_code.0),
            file_id: self.file_id.into(),
            input_offset: U32::new(input_at as u32),
            input_count: U32::new(self.input.len() as u32),
            output_offset: U32::new(output_at as u32),
            output_count: U32::new(self.output.len() as u32),
            flags: U32::new(self.flags),
            reserved2: U32::ZERO,
        });
        w.bytes(self.input);
        if !self.output.is_empty() {
            w.align(8);
            w.bytes(self.output);
        }
    }
}
