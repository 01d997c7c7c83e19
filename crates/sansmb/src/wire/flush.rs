//! FLUSH, [MS-SMB2] 2.2.17. The response is an [`EmptyBody`](super::EmptyBody).

use zerocopy::little_endian::{U16, U32};

use super::header::FileIdFixed;
use super::{Body, DecodeError, FileId, Writer};

layout! {
    pub struct FlushRequestFixed [24] {
        structure_size: U16,
        reserved1: U16,
        reserved2: U32,
        file_id: FileIdFixed,
    }
}

/// FLUSH request, [MS-SMB2] 2.2.17.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FlushRequest {
    /// The open file or pipe.
    pub file_id: FileId,
}

impl<'m> Body<'m> for FlushRequest {
    const NAME: &'static str = "FLUSH request";
    const STRUCTURE_SIZE: u16 = 24;
    type Fixed = FlushRequestFixed;

    fn from_parts(f: &'m FlushRequestFixed, _msg: &'m [u8]) -> Result<Self, DecodeError> {
        Ok(Self { file_id: f.file_id.into() })
    }

    fn encode(&self, w: &mut Writer<'_>) {
        w.put(&FlushRequestFixed {
            structure_size: U16::new(Self::STRUCTURE_SIZE),
            reserved1: U16::ZERO,
            reserved2: U32::ZERO,
            file_id: self.file_id.into(),
        });
    }
}
