//! QUERY_INFO, [MS-SMB2] 2.2.37 and 2.2.38.

use zerocopy::little_endian::{U16, U32};

use super::header::FileIdFixed;
use super::output_buffer::{OUTPUT_BUFFER_SIZE, OutputBufferFixed, encode_output_buffer};
use super::{Body, DecodeError, FileId, HEADER_LEN, Writer, span_from};

open_enum! {
    /// The kinds of information that QUERY_INFO and SET_INFO carry, [MS-SMB2] 2.2.37.
    pub struct InfoType: u8 {
        /// Of a file, by [`FileInfoClass`](super::fscc::FileInfoClass).
        FILE = 0x01,
        /// Of a volume, by [`FsInfoClass`](super::fscc::FsInfoClass).
        FILESYSTEM = 0x02,
        /// A security descriptor.
        SECURITY = 0x03,
        /// Quotas.
        QUOTA = 0x04,
    }
}

wire_flags! {
    /// The parts of a security descriptor that are asked for or set, [MS-SMB2] 2.2.37.
    ///
    /// For a query of extended attributes the same field is an index: use `bits()`.
    pub struct SecurityInformation: u32 {
        /// The owner.
        const OWNER = 0x0000_0001;
        /// The primary group.
        const GROUP = 0x0000_0002;
        /// The access list.
        const DACL = 0x0000_0004;
        /// The audit list.
        const SACL = 0x0000_0008;
        /// The integrity label.
        const LABEL = 0x0000_0010;
        /// The resource attributes.
        const ATTRIBUTE = 0x0000_0020;
        /// The central access policy.
        const SCOPE = 0x0000_0040;
        /// What a backup needs.
        const BACKUP = 0x0001_0000;
        /// The audit list inherits, [MS-DTYP] 2.4.7.
        const UNPROTECTED_SACL = 0x1000_0000;
        /// The access list inherits.
        const UNPROTECTED_DACL = 0x2000_0000;
        /// The audit list inherits nothing.
        const PROTECTED_SACL = 0x4000_0000;
        /// The access list inherits nothing.
        const PROTECTED_DACL = 0x8000_0000;
    }
}

wire_flags! {
    /// Flags of a QUERY_INFO request for extended attributes.
    pub struct QueryInfoFlags: u32 {
        /// Start again from the first attribute.
        const RESTART_SCAN = 0x0000_0001;
        /// One attribute is enough.
        const RETURN_SINGLE_ENTRY = 0x0000_0002;
        /// The additional information is an index to start at.
        const INDEX_SPECIFIED = 0x0000_0004;
    }
}

layout! {
    pub struct QueryInfoRequestFixed [40] {
        structure_size: U16,
        info_type: u8,
        info_class: u8,
        output_buffer_length: U32,
        input_buffer_offset: U16,
        reserved: U16,
        input_buffer_length: U32,
        additional_information: U32,
        flags: U32,
        file_id: FileIdFixed,
    }
}

/// QUERY_INFO request, [MS-SMB2] 2.2.37.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueryInfoRequest<'m> {
    /// The kind of information.
    pub info_type: InfoType,
    /// The class within the kind; zero for security and quotas.
    pub info_class: u8,
    /// Most bytes in the response.
    pub output_buffer_length: u32,
    /// The parts of the security descriptor, or the index of an extended attribute.
    pub additional_information: SecurityInformation,
    /// How to list extended attributes.
    pub flags: QueryInfoFlags,
    /// The open file.
    pub file_id: FileId,
    /// The attributes or the quotas that are wanted.
    pub input: &'m [u8],
}

impl<'m> Body<'m> for QueryInfoRequest<'m> {
    const NAME: &'static str = "QUERY_INFO request";
    const STRUCTURE_SIZE: u16 = 41;
    type Fixed = QueryInfoRequestFixed;

    fn from_parts(f: &'m QueryInfoRequestFixed, msg: &'m [u8]) -> Result<Self, DecodeError> {
        let (at, len) = (f.input_buffer_offset.get().into(), f.input_buffer_length.get() as usize);
        let body = HEADER_LEN + size_of::<QueryInfoRequestFixed>();
        Ok(Self {
            info_type: InfoType(f.info_type),
            info_class: f.info_class,
            output_buffer_length: f.output_buffer_length.get(),
            additional_information: SecurityInformation::from_bits_retain(f.additional_information.get()),
            flags: QueryInfoFlags::from_bits_retain(f.flags.get()),
            file_id: f.file_id.into(),
            input: span_from(msg, "QUERY_INFO request input", body, at, len)?,
        })
    }

    fn encode(&self, w: &mut Writer<'_>) {
        let at = w.position() + size_of::<QueryInfoRequestFixed>();
        w.put(&QueryInfoRequestFixed {
            structure_size: U16::new(Self::STRUCTURE_SIZE),
            info_type: self.info_type.0,
            info_class: self.info_class,
            output_buffer_length: U32::new(self.output_buffer_length),
            input_buffer_offset: U16::new(if self.input.is_empty() { 0 } else { at as u16 }),
            reserved: U16::ZERO,
            input_buffer_length: U32::new(self.input.len() as u32),
            additional_information: U32::new(self.additional_information.bits()),
            flags: U32::new(self.flags.bits()),
            file_id: self.file_id.into(),
        });
        w.bytes(if self.input.is_empty() { &[0] } else { self.input });
    }
}

/// QUERY_INFO response, [MS-SMB2] 2.2.38.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueryInfoResponse<'m> {
    /// The information, in the form of its class.
    pub buffer: &'m [u8],
}

impl<'m> Body<'m> for QueryInfoResponse<'m> {
    const NAME: &'static str = "QUERY_INFO response";
    const STRUCTURE_SIZE: u16 = OUTPUT_BUFFER_SIZE;
    type Fixed = OutputBufferFixed;

    fn from_parts(f: &'m OutputBufferFixed, msg: &'m [u8]) -> Result<Self, DecodeError> {
        Ok(Self { buffer: f.buffer(msg, "QUERY_INFO response buffer")? })
    }

    fn encode(&self, w: &mut Writer<'_>) {
        encode_output_buffer(w, self.buffer, None);
    }
}
