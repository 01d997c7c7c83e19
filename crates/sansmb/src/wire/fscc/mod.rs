//! Information classes of [MS-FSCC] that QUERY_INFO, SET_INFO, QUERY_DIRECTORY and CHANGE_NOTIFY
//! carry in their buffers.
//!
//! Each class is a struct that is a [`Structure`](super::Structure): one layout decodes and encodes.
//! Lists of entries that point at each other are read by [`Entries`] and [`DirEntries`], which
//! always end, and written by [`EntryWriter`] and [`DirEntryWriter`], which never exceed a bound.

mod chain;
mod classes;
mod directory;
mod ea;
mod file;
mod name;
mod notify;
mod quota;
mod stream;
mod volume;

pub use chain::{Entries, Entry, EntryWriter};
pub use classes::{FileInfo, FileInfoClass, FsInfo, FsInfoClass};
pub use directory::{DirEntries, DirEntry, DirEntryWriter};
pub use ea::{EaEntries, EaEntry, EaFlags, GetEaEntries, GetEaEntry};
pub use file::{
    DispositionFlags, FileAccessInfo, FileAlignmentInfo, FileAllocationInfo, FileAttributeTagInfo,
    FileBasicInfo, FileCompressionInfo, FileDispositionInfo, FileDispositionInfoEx, FileEaInfo,
    FileEndOfFileInfo, FileIdInfo, FileInternalInfo, FileModeInfo, FileNetworkOpenInfo, FilePipeInfo,
    FilePipeLocalInfo, FilePipeRemoteInfo, FilePositionInfo, FileStandardInfo, FileValidDataLengthInfo,
};
pub(crate) use name::name_at;
pub use name::{FileAllInfo, FileLinkInfo, FileNameInfo, FileRenameInfo, FileRenameInfoEx, RenameFlags};
pub use notify::{NotifyAction, NotifyEntries, NotifyEntry};
pub use quota::{GetQuotaEntries, GetQuotaEntry, QueryQuotaInfo, QuotaEntries, QuotaEntry};
pub use stream::{StreamEntries, StreamEntry};
pub use volume::{
    DeviceCharacteristics, DeviceType, ExtendedInfo, FsAttributeInfo, FsAttributes, FsControlFlags,
    FsControlInfo, FsDeviceInfo, FsFullSizeInfo, FsLabelInfo, FsObjectIdInfo, FsSectorSizeInfo, FsSizeInfo,
    FsVolumeInfo, SectorFlags,
};
