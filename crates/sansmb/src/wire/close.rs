//! CLOSE, [MS-SMB2] 2.2.15 and 2.2.16.

use zerocopy::little_endian::{U16, U32, U64};

use super::header::FileIdFixed;
use super::{Body, DecodeError, FileAttributes, FileId, FileTime, Writer};

wire_flags! {
    /// Flags of CLOSE.
    pub struct CloseFlags: u16 {
        /// The attributes after the close are wanted (request) or present (response).
        const POSTQUERY_ATTRIB = 0x0001;
    }
}

layout! {
    pub struct CloseRequestFixed [24] {
        structure_size: U16,
        flags: U16,
        reserved: U32,
        file_id: FileIdFixed,
    }
}

/// CLOSE request, [MS-SMB2] 2.2.15.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CloseRequest {
    /// Whether attributes are wanted in the response.
    pub flags: CloseFlags,
    /// The open file.
    pub file_id: FileId,
}

impl<'m> Body<'m> for CloseRequest {
    const NAME: &'static str = "CLOSE request";
    const STRUCTURE_SIZE: u16 = 24;
    type Fixed = CloseRequestFixed;

    fn from_parts(f: &'m CloseRequestFixed, _msg: &'m [u8]) -> Result<Self, DecodeError> {
        Ok(Self { flags: CloseFlags::from_bits_retain(f.flags.get()), file_id: f.file_id.into() })
    }

    fn encode(&self, w: &mut Writer<'_>) {
        w.put(&CloseRequestFixed {
            structure_size: U16::new(Self::STRUCTURE_SIZE),
            flags: U16::new(self.flags.bits()),
            reserved: U32::ZERO,
            file_id: self.file_id.into(),
        });
    }
}

layout! {
    pub struct CloseResponseFixed [60] {
        structure_size: U16,
        flags: U16,
        reserved: U32,
        creation_time: U64,
        last_access_time: U64,
        last_write_time: U64,
        change_time: U64,
        allocation_size: U64,
        end_of_file: U64,
        file_attributes: U32,
    }
}

/// CLOSE response, [MS-SMB2] 2.2.16. All but `flags` is zero unless attributes were asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CloseResponse {
    /// Whether the attributes are present.
    pub flags: CloseFlags,
    /// When the file was made.
    pub creation_time: FileTime,
    /// When it was last read.
    pub last_access_time: FileTime,
    /// When its data last changed.
    pub last_write_time: FileTime,
    /// When its metadata last changed.
    pub change_time: FileTime,
    /// Bytes allocated.
    pub allocation_size: u64,
    /// Bytes in the file.
    pub end_of_file: u64,
    /// The file's attributes.
    pub file_attributes: FileAttributes,
}

impl<'m> Body<'m> for CloseResponse {
    const NAME: &'static str = "CLOSE response";
    const STRUCTURE_SIZE: u16 = 60;
    type Fixed = CloseResponseFixed;

    fn from_parts(f: &'m CloseResponseFixed, _msg: &'m [u8]) -> Result<Self, DecodeError> {
        Ok(Self {
            flags: CloseFlags::from_bits_retain(f.flags.get()),
            creation_time: FileTime(f.creation_time.get()),
            last_access_time: FileTime(f.last_access_time.get()),
            last_write_time: FileTime(f.last_write_time.get()),
            change_time: FileTime(f.change_time.get()),
            allocation_size: f.allocation_size.get(),
            end_of_file: f.end_of_file.get(),
            file_attributes: FileAttributes::from_bits_retain(f.file_attributes.get()),
        })
    }

    fn encode(&self, w: &mut Writer<'_>) {
        w.put(&CloseResponseFixed {
            structure_size: U16::new(Self::STRUCTURE_SIZE),
            flags: U16::new(self.flags.bits()),
            reserved: U32::ZERO,
            creation_time: U64::new(self.creation_time.0),
            last_access_time: U64::new(self.last_access_time.0),
            last_write_time: U64::new(self.last_write_time.0),
            change_time: U64::new(self.change_time.0),
            allocation_size: U64::new(self.allocation_size),
            end_of_file: U64::new(self.end_of_file),
            file_attributes: U32::new(self.file_attributes.bits()),
        });
    }
}
