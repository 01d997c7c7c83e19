//! Classes of a file that end in a name, [MS-FSCC] 2.4.

use zerocopy::little_endian::{U32, U64};

use super::super::{DecodeError, Structure, Utf16, Writer, fixed_at, span};
use super::file::{
    FileAccessFixed, FileAlignmentFixed, FileBasicFixed, FileEaFixed, FileInternalFixed, FileModeFixed,
    FilePositionFixed, FileStandardFixed,
};
use super::{
    FileAccessInfo, FileAlignmentInfo, FileBasicInfo, FileEaInfo, FileInfo, FileInfoClass, FileInternalInfo,
    FileModeInfo, FilePositionInfo, FileStandardInfo,
};

/// The name of `len` bytes at `at`.
pub(crate) fn name_at<'m>(
    bytes: &'m [u8],
    what: &'static str,
    at: usize,
    len: U32,
) -> Result<Utf16<'m>, DecodeError> {
    Utf16::new(span(bytes, what, at, len.get() as usize)?, what, at)
}

/// FILE_NAME_INFORMATION, [MS-FSCC] 2.1.7: the structure of FileNameInformation,
/// FileAlternateNameInformation, FileNormalizedNameInformation and FileShortNameInformation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileNameInfo<'m> {
    /// The name.
    pub name: Utf16<'m>,
}

impl<'m> Structure<'m> for FileNameInfo<'m> {
    const NAME: &'static str = "FileNameInformation";
    const FIXED_LEN: usize = 4;

    fn decode(bytes: &'m [u8]) -> Result<Self, DecodeError> {
        let len: &U32 = fixed_at(bytes, 0, Self::NAME)?;
        Ok(Self { name: name_at(bytes, Self::NAME, Self::FIXED_LEN, *len)? })
    }

    fn encode(&self, w: &mut Writer<'_>) {
        w.put(&U32::new(self.name.len() as u32));
        w.bytes(self.name.as_bytes());
    }
}

layout! {
    struct FileAllFixed [100] {
        basic: FileBasicFixed,
        standard: FileStandardFixed,
        internal: FileInternalFixed,
        ea: FileEaFixed,
        access: FileAccessFixed,
        position: FilePositionFixed,
        mode: FileModeFixed,
        alignment: FileAlignmentFixed,
        file_name_length: U32,
    }
}

/// FileAllInformation, [MS-FSCC] 2.4.2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileAllInfo<'m> {
    /// Times and attributes.
    pub basic: FileBasicInfo,
    /// Sizes and links.
    pub standard: FileStandardInfo,
    /// File ID.
    pub internal: FileInternalInfo,
    /// Size of the extended attributes.
    pub ea: FileEaInfo,
    /// Granted access.
    pub access: FileAccessInfo,
    /// Position of the handle.
    pub position: FilePositionInfo,
    /// Mode of the handle.
    pub mode: FileModeInfo,
    /// Alignment that the device wants.
    pub alignment: FileAlignmentInfo,
    /// The name, from the root of the share, with a leading backslash.
    pub name: Utf16<'m>,
}

impl<'m> Structure<'m> for FileAllInfo<'m> {
    const NAME: &'static str = "FileAllInformation";
    const FIXED_LEN: usize = size_of::<FileAllFixed>();

    fn decode(bytes: &'m [u8]) -> Result<Self, DecodeError> {
        let f: &FileAllFixed = fixed_at(bytes, 0, Self::NAME)?;
        Ok(Self {
            basic: FileBasicInfo::from_fixed(&f.basic),
            standard: FileStandardInfo::from_fixed(&f.standard),
            internal: FileInternalInfo::from_fixed(&f.internal),
            ea: FileEaInfo::from_fixed(&f.ea),
            access: FileAccessInfo::from_fixed(&f.access),
            position: FilePositionInfo::from_fixed(&f.position),
            mode: FileModeInfo::from_fixed(&f.mode),
            alignment: FileAlignmentInfo::from_fixed(&f.alignment),
            name: name_at(bytes, Self::NAME, Self::FIXED_LEN, f.file_name_length)?,
        })
    }

    fn encode(&self, w: &mut Writer<'_>) {
        w.put(&FileAllFixed {
            basic: self.basic.to_fixed(),
            standard: self.standard.to_fixed(),
            internal: self.internal.to_fixed(),
            ea: self.ea.to_fixed(),
            access: self.access.to_fixed(),
            position: self.position.to_fixed(),
            mode: self.mode.to_fixed(),
            alignment: self.alignment.to_fixed(),
            file_name_length: U32::new(self.name.len() as u32),
        });
        w.bytes(self.name.as_bytes());
    }
}

impl<'m> FileInfo<'m> for FileAllInfo<'m> {
    const CLASS: FileInfoClass = FileInfoClass::ALL;
}

layout! {
    /// FILE_RENAME_INFORMATION_TYPE_2, FILE_LINK_INFORMATION_TYPE_2, FILE_RENAME_INFORMATION_EX.
    struct RenameFixed [20] { flags: U32, reserved: U32, root_directory: U64, file_name_length: U32 }
}

impl RenameFixed {
    /// The shortest that a rename may be: a short name is padded up to it.
    const MIN: usize = 24;

    fn encode(flags: u32, root_directory: u64, name: Utf16<'_>, w: &mut Writer<'_>) {
        w.put(&Self {
            flags: U32::new(flags),
            reserved: U32::ZERO,
            root_directory: U64::new(root_directory),
            file_name_length: U32::new(name.len() as u32),
        });
        w.bytes(name.as_bytes());
        w.zeros(Self::MIN.saturating_sub(size_of::<Self>() + name.len()));
    }
}

/// FileRenameInformation as SMB2 carries it, [MS-FSCC] 2.4.42.2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileRenameInfo<'m> {
    /// Whether a file that has the name already goes away.
    pub replace_if_exists: bool,
    /// Zero: names are relative to the root of the share.
    pub root_directory: u64,
    /// The new name, from the root of the share.
    pub name: Utf16<'m>,
}

impl<'m> Structure<'m> for FileRenameInfo<'m> {
    const NAME: &'static str = "FileRenameInformation";
    const FIXED_LEN: usize = size_of::<RenameFixed>();

    fn decode(bytes: &'m [u8]) -> Result<Self, DecodeError> {
        let f: &RenameFixed = fixed_at(bytes, 0, Self::NAME)?;
        Ok(Self {
            // Only the first byte counts; the other three are reserved.
            replace_if_exists: f.flags.get() & 0xFF != 0,
            root_directory: f.root_directory.get(),
            name: name_at(bytes, Self::NAME, Self::FIXED_LEN, f.file_name_length)?,
        })
    }

    fn encode(&self, w: &mut Writer<'_>) {
        RenameFixed::encode(self.replace_if_exists.into(), self.root_directory, self.name, w);
    }
}

impl<'m> FileInfo<'m> for FileRenameInfo<'m> {
    const CLASS: FileInfoClass = FileInfoClass::RENAME;
}

/// FileLinkInformation as SMB2 carries it, [MS-FSCC] 2.4.28.2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileLinkInfo<'m> {
    /// Whether a file that has the name already goes away.
    pub replace_if_exists: bool,
    /// Zero: names are relative to the root of the share.
    pub root_directory: u64,
    /// The name of the link, from the root of the share.
    pub name: Utf16<'m>,
}

impl<'m> Structure<'m> for FileLinkInfo<'m> {
    const NAME: &'static str = "FileLinkInformation";
    const FIXED_LEN: usize = size_of::<RenameFixed>();

    fn decode(bytes: &'m [u8]) -> Result<Self, DecodeError> {
        let FileRenameInfo { replace_if_exists, root_directory, name } =
            FileRenameInfo::decode(bytes).map_err(|error| DecodeError { what: Self::NAME, ..error })?;
        Ok(Self { replace_if_exists, root_directory, name })
    }

    fn encode(&self, w: &mut Writer<'_>) {
        RenameFixed::encode(self.replace_if_exists.into(), self.root_directory, self.name, w);
    }
}

impl<'m> FileInfo<'m> for FileLinkInfo<'m> {
    const CLASS: FileInfoClass = FileInfoClass::LINK;
}

wire_flags! {
    /// How to rename, [MS-FSCC] 2.4.43.
    pub struct RenameFlags: u32 {
        /// A file that has the name already goes away.
        const REPLACE_IF_EXISTS = 0x0000_0001;
        /// Handles of the replaced file stay valid.
        const POSIX_SEMANTICS = 0x0000_0002;
        /// Do not inherit the pin state of the new directory.
        const SUPPRESS_PIN_STATE_INHERITANCE = 0x0000_0004;
        /// Do not inherit the storage reserve of the new directory.
        const SUPPRESS_STORAGE_RESERVE_INHERITANCE = 0x0000_0008;
        /// Do not let the available space grow.
        const NO_INCREASE_AVAILABLE_SPACE = 0x0000_0010;
        /// Do not let the available space shrink.
        const NO_DECREASE_AVAILABLE_SPACE = 0x0000_0020;
        /// Replace a read-only file too.
        const IGNORE_READONLY_ATTRIBUTE = 0x0000_0040;
        /// Grow the target's storage reserve.
        const FORCE_RESIZE_TARGET_SR = 0x0000_0080;
        /// Shrink the source's storage reserve.
        const FORCE_RESIZE_SOURCE_SR = 0x0000_0100;
    }
}

/// FileRenameInformationEx, [MS-FSCC] 2.4.43.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileRenameInfoEx<'m> {
    /// How to rename.
    pub flags: RenameFlags,
    /// Zero: names are relative to the root of the share.
    pub root_directory: u64,
    /// The new name, from the root of the share.
    pub name: Utf16<'m>,
}

impl<'m> Structure<'m> for FileRenameInfoEx<'m> {
    const NAME: &'static str = "FileRenameInformationEx";
    const FIXED_LEN: usize = size_of::<RenameFixed>();

    fn decode(bytes: &'m [u8]) -> Result<Self, DecodeError> {
        let f: &RenameFixed = fixed_at(bytes, 0, Self::NAME)?;
        Ok(Self {
            flags: RenameFlags::from_bits_retain(f.flags.get()),
            root_directory: f.root_directory.get(),
            name: name_at(bytes, Self::NAME, Self::FIXED_LEN, f.file_name_length)?,
        })
    }

    fn encode(&self, w: &mut Writer<'_>) {
        RenameFixed::encode(self.flags.bits(), self.root_directory, self.name, w);
    }
}

impl<'m> FileInfo<'m> for FileRenameInfoEx<'m> {
    const CLASS: FileInfoClass = FileInfoClass::RENAME_EX;
}
