//! Classes of constant length that describe a file or a pipe, [MS-FSCC] 2.4.

use super::super::structure::Field;
use super::super::{AccessMask, FileAttributes, FileTime};
use super::{FileInfo, FileInfoClass};

record! {
    /// FileBasicInformation, [MS-FSCC] 2.4.7. When set, a time of zero means "leave it", and all ones
    /// "leave it, and do not update it for this handle any more".
    pub struct FileBasicInfo = FileBasicFixed [40] {
        /// When the file was made.
        creation_time: FileTime,
        /// When it was last read.
        last_access_time: FileTime,
        /// When its data last changed.
        last_write_time: FileTime,
        /// When its metadata last changed.
        change_time: FileTime,
        /// [MS-FSCC] 2.6 attributes. When set, zero means "leave them".
        attributes: FileAttributes,
    } reserved 4
}

record! {
    /// FileStandardInformation, [MS-FSCC] 2.4.47.
    pub struct FileStandardInfo = FileStandardFixed [24] {
        /// Bytes allocated.
        allocation_size: u64,
        /// Bytes in the file.
        end_of_file: u64,
        /// Hard links.
        number_of_links: u32,
        /// Whether the file goes away with its last handle.
        delete_pending: bool,
        /// Whether it is a directory.
        directory: bool,
    } reserved 2
}

record! {
    /// FileInternalInformation, [MS-FSCC] 2.4.27.
    pub struct FileInternalInfo = FileInternalFixed [8] {
        /// File ID of 64 bits.
        index_number: u64,
    }
}

record! {
    /// FileEaInformation, [MS-FSCC] 2.4.13.
    pub struct FileEaInfo = FileEaFixed [4] {
        /// Size of the extended attributes in bytes.
        ea_size: u32,
    }
}

record! {
    /// FileAccessInformation, [MS-FSCC] 2.4.1.
    pub struct FileAccessInfo = FileAccessFixed [4] {
        /// Access that was granted at the open, [MS-SMB2] 2.2.13.1.
        access_flags: AccessMask,
    }
}

record! {
    /// FilePositionInformation, [MS-FSCC] 2.4.40.
    pub struct FilePositionInfo = FilePositionFixed [8] {
        /// Position of the handle in the file.
        current_byte_offset: u64,
    }
}

record! {
    /// FileModeInformation, [MS-FSCC] 2.4.31.
    pub struct FileModeInfo = FileModeFixed [4] {
        /// Create options that are still in force.
        mode: u32,
    }
}

record! {
    /// FileAlignmentInformation, [MS-FSCC] 2.4.3.
    pub struct FileAlignmentInfo = FileAlignmentFixed [4] {
        /// Alignment of buffers less one.
        alignment_requirement: u32,
    }
}

record! {
    /// FileNetworkOpenInformation, [MS-FSCC] 2.4.34.
    pub struct FileNetworkOpenInfo = FileNetworkOpenFixed [56] {
        /// When the file was made.
        creation_time: FileTime,
        /// When it was last read.
        last_access_time: FileTime,
        /// When its data last changed.
        last_write_time: FileTime,
        /// When its metadata last changed.
        change_time: FileTime,
        /// Bytes allocated.
        allocation_size: u64,
        /// Bytes in the file.
        end_of_file: u64,
        /// [MS-FSCC] 2.6 attributes.
        attributes: FileAttributes,
    } reserved 4
}

record! {
    /// FileAttributeTagInformation, [MS-FSCC] 2.4.6.
    pub struct FileAttributeTagInfo = FileAttributeTagFixed [8] {
        /// [MS-FSCC] 2.6 attributes.
        attributes: FileAttributes,
        /// Tag of a reparse point, [MS-FSCC] 2.1.2.1.
        reparse_tag: u32,
    }
}

record! {
    /// FileCompressionInformation, [MS-FSCC] 2.4.9.
    pub struct FileCompressionInfo = FileCompressionFixed [16] {
        /// Bytes that the compressed file takes.
        compressed_file_size: u64,
        /// 0 for none, 2 for LZNT1.
        compression_format: u16,
        /// Logarithm of the bytes in a unit that is compressed.
        compression_unit_shift: u8,
        /// Logarithm of the bytes in a chunk.
        chunk_shift: u8,
        /// Logarithm of the bytes in a cluster.
        cluster_shift: u8,
    } reserved 3
}

record! {
    /// FileIdInformation, [MS-FSCC] 2.4.26.
    pub struct FileIdInfo = FileIdInfoFixed [24] {
        /// Serial number of the volume.
        volume_serial_number: u64,
        /// File ID of 128 bits.
        file_id: u128,
    }
}

record! {
    /// FileDispositionInformation, [MS-FSCC] 2.4.11.
    pub struct FileDispositionInfo = FileDispositionFixed [1] {
        /// Whether the file goes away with its last handle.
        delete_pending: bool,
    }
}

wire_flags! {
    /// How to delete, [MS-FSCC] 2.4.12.
    pub struct DispositionFlags: u32 {
        /// Delete the file; without it the mark is taken away.
        const DELETE = 0x0000_0001;
        /// The name goes away with this handle, even if others are open.
        const POSIX_SEMANTICS = 0x0000_0002;
        /// Fail if the file is mapped as an image.
        const FORCE_IMAGE_SECTION_CHECK = 0x0000_0004;
        /// Change the delete-on-close state of the handle.
        const ON_CLOSE = 0x0000_0008;
        /// Delete read-only files too.
        const IGNORE_READONLY_ATTRIBUTE = 0x0000_0010;
    }
}

impl Field for DispositionFlags {
    type Raw = <u32 as Field>::Raw;
    fn from_raw(raw: Self::Raw) -> Self {
        Self::from_bits_retain(raw.get())
    }
    fn to_raw(self) -> Self::Raw {
        self.bits().to_raw()
    }
}

record! {
    /// FileDispositionInformationEx, [MS-FSCC] 2.4.12.
    pub struct FileDispositionInfoEx = FileDispositionExFixed [4] {
        /// Whether and how to delete.
        flags: DispositionFlags,
    }
}

record! {
    /// FileEndOfFileInformation, [MS-FSCC] 2.4.14.
    pub struct FileEndOfFileInfo = FileEndOfFileFixed [8] {
        /// The new length of the file.
        end_of_file: u64,
    }
}

record! {
    /// FileAllocationInformation, [MS-FSCC] 2.4.4.
    pub struct FileAllocationInfo = FileAllocationFixed [8] {
        /// The new allocation; less than the length truncates.
        allocation_size: u64,
    }
}

record! {
    /// FileValidDataLengthInformation, [MS-FSCC] 2.4.50.
    pub struct FileValidDataLengthInfo = FileValidDataLengthFixed [8] {
        /// The new length of the valid data.
        valid_data_length: u64,
    }
}

record! {
    /// FilePipeInformation, [MS-FSCC] 2.4.37.
    pub struct FilePipeInfo = FilePipeFixed [8] {
        /// 0: read bytes; 1: read messages.
        read_mode: u32,
        /// 0: operations wait; 1: they complete at once.
        completion_mode: u32,
    }
}

record! {
    /// FilePipeLocalInformation, [MS-FSCC] 2.4.38.
    pub struct FilePipeLocalInfo = FilePipeLocalFixed [40] {
        /// 0: bytes; 1: messages.
        named_pipe_type: u32,
        /// 0: to the server only; 1: to the client only; 2: both ways.
        named_pipe_configuration: u32,
        /// Most instances.
        maximum_instances: u32,
        /// Instances now.
        current_instances: u32,
        /// Bytes in the buffer to the pipe.
        inbound_quota: u32,
        /// Bytes that can be read.
        read_data_available: u32,
        /// Bytes in the buffer from the pipe.
        outbound_quota: u32,
        /// Bytes that can be written.
        write_quota_available: u32,
        /// 1 disconnected, 2 listening, 3 connected, 4 closing.
        named_pipe_state: u32,
        /// 0: the client's end; 1: the server's.
        named_pipe_end: u32,
    }
}

record! {
    /// FilePipeRemoteInformation, [MS-FSCC] 2.4.39.
    pub struct FilePipeRemoteInfo = FilePipeRemoteFixed [12] {
        /// Longest time before data is sent, in 100 ns.
        collect_data_time: u64,
        /// Most bytes collected before they are sent.
        maximum_collection_count: u32,
    }
}

macro_rules! classes {
    ($($info:ty => $class:ident;)*) => {
        $(impl FileInfo<'_> for $info {
            const CLASS: FileInfoClass = FileInfoClass::$class;
        })*
    };
}

classes! {
    FileBasicInfo => BASIC;
    FileStandardInfo => STANDARD;
    FileInternalInfo => INTERNAL;
    FileEaInfo => EA;
    FileAccessInfo => ACCESS;
    FilePositionInfo => POSITION;
    FileModeInfo => MODE;
    FileAlignmentInfo => ALIGNMENT;
    FileNetworkOpenInfo => NETWORK_OPEN;
    FileAttributeTagInfo => ATTRIBUTE_TAG;
    FileCompressionInfo => COMPRESSION;
    FileIdInfo => ID;
    FileDispositionInfo => DISPOSITION;
    FileDispositionInfoEx => DISPOSITION_EX;
    FileEndOfFileInfo => END_OF_FILE;
    FileAllocationInfo => ALLOCATION;
    FileValidDataLengthInfo => VALID_DATA_LENGTH;
    FilePipeInfo => PIPE;
    FilePipeLocalInfo => PIPE_LOCAL;
    FilePipeRemoteInfo => PIPE_REMOTE;
}
