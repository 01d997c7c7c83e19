//! SET_INFO, [MS-SMB2] 2.2.39 and 2.2.40.

use zerocopy::little_endian::{U16, U32};

use super::header::FileIdFixed;
use super::{Body, DecodeError, FileId, HEADER_LEN, InfoType, SecurityInformation, Writer, span_from};

layout! {
    pub struct SetInfoRequestFixed [32] {
        structure_size: U16,
        info_type: u8,
        info_class: u8,
        buffer_length: U32,
        buffer_offset: U16,
        reserved: U16,
        additional_information: U32,
        file_id: FileIdFixed,
    }
}

/// SET_INFO request, [MS-SMB2] 2.2.39.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SetInfoRequest<'m> {
    /// The kind of information.
    pub info_type: InfoType,
    /// The class within the kind; zero for security and quotas.
    pub info_class: u8,
    /// The parts of the security descriptor that are set.
    pub additional_information: SecurityInformation,
    /// The open file.
    pub file_id: FileId,
    /// The information, in the form of its class.
    pub buffer: &'m [u8],
}

impl<'m> Body<'m> for SetInfoRequest<'m> {
    const NAME: &'static str = "SET_INFO request";
    const STRUCTURE_SIZE: u16 = 33;
    type Fixed = SetInfoRequestFixed;

    fn from_parts(f: &'m SetInfoRequestFixed, msg: &'m [u8]) -> Result<Self, DecodeError> {
        let (at, len) = (f.buffer_offset.get().into(), f.buffer_length.get() as usize);
        let body = HEADER_LEN + size_of::<SetInfoRequestFixed>();
        Ok(Self {
            info_type: InfoType(f.info_type),
            info_class: f.info_class,
            additional_information: SecurityInformation::from_bits_retain(f.additional_information.get()),
            file_id: f.file_id.into(),
            buffer: span_from(msg, "SET_INFO request buffer", body, at, len)?,
        })
    }

    fn encode(&self, w: &mut Writer<'_>) {
        let at = w.position() + size_of::<SetInfoRequestFixed>();
        w.put(&SetInfoRequestFixed {
            structure_size: U16::new(Self::STRUCTURE_SIZE),
            info_type: self.info_type.0,
            info_class: self.info_class,
            buffer_length: U32::new(self.buffer.len() as u32),
            buffer_offset: U16::new(at as u16),
            reserved: U16::ZERO,
            additional_information: U32::new(self.additional_information.bits()),
            file_id: self.file_id.into(),
        });
        w.bytes(if self.buffer.is_empty() { &[0] } else { self.buffer });
    }
}

layout! {
    pub struct SetInfoResponseFixed [2] { structure_size: U16 }
}

/// SET_INFO response, [MS-SMB2] 2.2.40: the StructureSize and nothing else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SetInfoResponse;

impl<'m> Body<'m> for SetInfoResponse {
    const NAME: &'static str = "SET_INFO response";
    const STRUCTURE_SIZE: u16 = 2;
    type Fixed = SetInfoResponseFixed;

    fn from_parts(_fixed: &'m SetInfoResponseFixed, _msg: &'m [u8]) -> Result<Self, DecodeError> {
        Ok(Self)
    }

    fn encode(&self, w: &mut Writer<'_>) {
        w.put(&SetInfoResponseFixed { structure_size: U16::new(Self::STRUCTURE_SIZE) });
    }
}
