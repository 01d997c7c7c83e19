//! The numbers of the classes, [MS-FSCC] 2.4 and 2.5.

use super::super::Structure;

open_enum! {
    /// A class of information about a file, [MS-FSCC] 2.4.
    pub struct FileInfoClass: u8 {
        /// Entries of a directory, [MS-FSCC] 2.4.10
        DIRECTORY = 1,
        /// Entries of a directory, [MS-FSCC] 2.4.15
        FULL_DIRECTORY = 2,
        /// Entries of a directory, [MS-FSCC] 2.4.8
        BOTH_DIRECTORY = 3,
        /// Times and attributes, [MS-FSCC] 2.4.7
        BASIC = 4,
        /// Sizes, links, delete pending, [MS-FSCC] 2.4.47
        STANDARD = 5,
        /// File ID of 64 bits, [MS-FSCC] 2.4.27
        INTERNAL = 6,
        /// Size of the extended attributes, [MS-FSCC] 2.4.13
        EA = 7,
        /// Granted access, [MS-FSCC] 2.4.1
        ACCESS = 8,
        /// Name; local only, [MS-FSCC] 2.4.32
        NAME = 9,
        /// Rename, [MS-FSCC] 2.4.42
        RENAME = 10,
        /// Make a hard link, [MS-FSCC] 2.4.28
        LINK = 11,
        /// Entries of a directory, names only, [MS-FSCC] 2.4.33
        NAMES = 12,
        /// Delete on close, [MS-FSCC] 2.4.11
        DISPOSITION = 13,
        /// Position of the handle, [MS-FSCC] 2.4.40
        POSITION = 14,
        /// Extended attributes, [MS-FSCC] 2.4.16
        FULL_EA = 15,
        /// Mode of the handle, [MS-FSCC] 2.4.31
        MODE = 16,
        /// Alignment that the device wants, [MS-FSCC] 2.4.3
        ALIGNMENT = 17,
        /// Nine classes in one, [MS-FSCC] 2.4.2
        ALL = 18,
        /// Set the allocation, [MS-FSCC] 2.4.4
        ALLOCATION = 19,
        /// Set the length, [MS-FSCC] 2.4.14
        END_OF_FILE = 20,
        /// Short name, [MS-FSCC] 2.4.5
        ALTERNATE_NAME = 21,
        /// Streams, [MS-FSCC] 2.4.49
        STREAM = 22,
        /// Modes of a pipe, [MS-FSCC] 2.4.37
        PIPE = 23,
        /// State of a pipe, [MS-FSCC] 2.4.38
        PIPE_LOCAL = 24,
        /// Collection of a pipe, [MS-FSCC] 2.4.39
        PIPE_REMOTE = 25,
        /// Local only, [MS-FSCC] 2.4.29
        MAILSLOT_QUERY = 26,
        /// Local only, [MS-FSCC] 2.4.30
        MAILSLOT_SET = 27,
        /// Compressed size, [MS-FSCC] 2.4.9
        COMPRESSION = 28,
        /// Local only, [MS-FSCC] 2.4.36
        OBJECT_ID = 29,
        /// Not used
        MOVE_CLUSTER = 31,
        /// Quotas, [MS-FSCC] 2.4.41
        QUOTA = 32,
        /// Local only, [MS-FSCC] 2.4.44
        REPARSE_POINT = 33,
        /// What an open needs, [MS-FSCC] 2.4.34
        NETWORK_OPEN = 34,
        /// Attributes and reparse tag, [MS-FSCC] 2.4.6
        ATTRIBUTE_TAG = 35,
        /// Local only
        TRACKING = 36,
        /// Entries of a directory, [MS-FSCC] 2.4.22
        ID_BOTH_DIRECTORY = 37,
        /// Entries of a directory, [MS-FSCC] 2.4.24
        ID_FULL_DIRECTORY = 38,
        /// Set the length of the valid data, [MS-FSCC] 2.4.50
        VALID_DATA_LENGTH = 39,
        /// Set the short name, [MS-FSCC] 2.4.46
        SHORT_NAME = 40,
        /// Local only, [MS-FSCC] 2.4.45
        SFIO_RESERVE = 44,
        /// Not used
        SFIO_VOLUME = 45,
        /// Local only, [MS-FSCC] 2.4.17
        HARD_LINK = 46,
        /// Name from the root of the share, [MS-FSCC] 2.4.35
        NORMALIZED_NAME = 48,
        /// Local only, [MS-FSCC] 2.4.25
        ID_GLOBAL_TX_DIRECTORY = 50,
        /// Local only, [MS-FSCC] 2.4.48
        STANDARD_LINK = 54,
        /// Volume serial number and file ID of 128 bits, [MS-FSCC] 2.4.26
        ID = 59,
        /// Entries of a directory, [MS-FSCC] 2.4.23
        ID_EXTD_DIRECTORY = 60,
        /// Delete with flags, [MS-FSCC] 2.4.12
        DISPOSITION_EX = 64,
        /// Rename with flags, [MS-FSCC] 2.4.43
        RENAME_EX = 65,
        /// Entries of a directory, [MS-FSCC] 2.4.19
        ID_64_EXTD_DIRECTORY = 78,
        /// Entries of a directory, [MS-FSCC] 2.4.18
        ID_64_EXTD_BOTH_DIRECTORY = 79,
        /// Entries of a directory, [MS-FSCC] 2.4.21
        ID_ALL_EXTD_DIRECTORY = 80,
        /// Entries of a directory, [MS-FSCC] 2.4.20
        ID_ALL_EXTD_BOTH_DIRECTORY = 81,
    }
}

open_enum! {
    /// A class of information about a volume, [MS-FSCC] 2.5.
    pub struct FsInfoClass: u8 {
        /// Label, serial number, time of creation, [MS-FSCC] 2.5.9
        VOLUME = 1,
        /// Set the label; local only, [MS-FSCC] 2.5.5
        LABEL = 2,
        /// Total and free space, [MS-FSCC] 2.5.8
        SIZE = 3,
        /// Kind of device, [MS-FSCC] 2.5.10
        DEVICE = 4,
        /// What the file system can do, [MS-FSCC] 2.5.1
        ATTRIBUTE = 5,
        /// Quota control, [MS-FSCC] 2.5.2
        CONTROL = 6,
        /// Total and free space, quotas apart, [MS-FSCC] 2.5.4
        FULL_SIZE = 7,
        /// Object ID of the volume, [MS-FSCC] 2.5.6
        OBJECT_ID = 8,
        /// Local only, [MS-FSCC] 2.5.3
        DRIVER_PATH = 9,
        /// Local only
        VOLUME_FLAGS = 10,
        /// Sizes and alignment of sectors, [MS-FSCC] 2.5.7
        SECTOR_SIZE = 11,
    }
}

/// The structure of one [`FileInfoClass`].
pub trait FileInfo<'m>: Structure<'m> {
    /// The class.
    const CLASS: FileInfoClass;
}

/// The structure of one [`FsInfoClass`].
pub trait FsInfo<'m>: Structure<'m> {
    /// The class.
    const CLASS: FsInfoClass;
}
