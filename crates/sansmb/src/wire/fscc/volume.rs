//! Classes that describe a volume, [MS-FSCC] 2.5.

use zerocopy::little_endian::{U32, U64};

use super::super::structure::Field;
use super::super::{DecodeError, FileTime, Guid, Structure, Utf16, Writer, fixed_at};
use super::name::name_at;
use super::{FsInfo, FsInfoClass};

layout! {
    struct FsVolumeFixed [18] {
        volume_creation_time: U64,
        volume_serial_number: U32,
        volume_label_length: U32,
        supports_objects: u8,
        reserved: u8,
    }
}

/// FileFsVolumeInformation, [MS-FSCC] 2.5.9.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FsVolumeInfo<'m> {
    /// When the volume was made.
    pub creation_time: FileTime,
    /// Serial number.
    pub serial_number: u32,
    /// Whether it can hold objects of an object-oriented file system.
    pub supports_objects: bool,
    /// The label.
    pub label: Utf16<'m>,
}

impl<'m> Structure<'m> for FsVolumeInfo<'m> {
    const NAME: &'static str = "FileFsVolumeInformation";
    const FIXED_LEN: usize = size_of::<FsVolumeFixed>();

    fn decode(bytes: &'m [u8]) -> Result<Self, DecodeError> {
        let f: &FsVolumeFixed = fixed_at(bytes, 0, Self::NAME)?;
        Ok(Self {
            creation_time: FileTime(f.volume_creation_time.get()),
            serial_number: f.volume_serial_number.get(),
            supports_objects: f.supports_objects != 0,
            label: name_at(bytes, Self::NAME, Self::FIXED_LEN, f.volume_label_length)?,
        })
    }

    fn encode(&self, w: &mut Writer<'_>) {
        w.put(&FsVolumeFixed {
            volume_creation_time: U64::new(self.creation_time.0),
            volume_serial_number: U32::new(self.serial_number),
            volume_label_length: U32::new(self.label.len() as u32),
            supports_objects: self.supports_objects.into(),
            reserved: 0,
        });
        w.bytes(self.label.as_bytes());
    }
}

/// FileFsLabelInformation, [MS-FSCC] 2.5.5.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FsLabelInfo<'m> {
    /// The label.
    pub label: Utf16<'m>,
}

impl<'m> Structure<'m> for FsLabelInfo<'m> {
    const NAME: &'static str = "FileFsLabelInformation";
    const FIXED_LEN: usize = 4;

    fn decode(bytes: &'m [u8]) -> Result<Self, DecodeError> {
        let len: &U32 = fixed_at(bytes, 0, Self::NAME)?;
        Ok(Self { label: name_at(bytes, Self::NAME, Self::FIXED_LEN, *len)? })
    }

    fn encode(&self, w: &mut Writer<'_>) {
        w.put(&U32::new(self.label.len() as u32));
        w.bytes(self.label.as_bytes());
    }
}

record! {
    /// FileFsSizeInformation, [MS-FSCC] 2.5.8.
    pub struct FsSizeInfo = FsSizeFixed [24] {
        /// Units that the user could use in all.
        total_allocation_units: u64,
        /// Units that the user can still use.
        available_allocation_units: u64,
        /// Sectors in a unit.
        sectors_per_allocation_unit: u32,
        /// Bytes in a sector.
        bytes_per_sector: u32,
    }
}

record! {
    /// FileFsFullSizeInformation, [MS-FSCC] 2.5.4.
    pub struct FsFullSizeInfo = FsFullSizeFixed [32] {
        /// Units that the user could use in all.
        total_allocation_units: u64,
        /// Units that the user can still use.
        caller_available_allocation_units: u64,
        /// Units that are free.
        actual_available_allocation_units: u64,
        /// Sectors in a unit.
        sectors_per_allocation_unit: u32,
        /// Bytes in a sector.
        bytes_per_sector: u32,
    }
}

open_enum! {
    /// Kind of device, [MS-FSCC] 2.5.10.
    pub struct DeviceType: u32 {
        /// CD-ROM
        CD_ROM = 0x02,
        /// Disk
        DISK = 0x07,
        /// Named pipe
        NAMED_PIPE = 0x11,
    }
}

wire_flags! {
    /// Properties of a device, [MS-FSCC] 2.5.10.
    pub struct DeviceCharacteristics: u32 {
        /// The medium can be taken out.
        const REMOVABLE_MEDIA = 0x0000_0001;
        /// The device cannot be written to.
        const READ_ONLY_DEVICE = 0x0000_0002;
        /// A floppy disk.
        const FLOPPY_DISKETTE = 0x0000_0004;
        /// The medium can be written to once.
        const WRITE_ONCE_MEDIA = 0x0000_0008;
        /// The volume is elsewhere.
        const REMOTE_DEVICE = 0x0000_0010;
        /// A file system is mounted.
        const DEVICE_IS_MOUNTED = 0x0000_0020;
        /// The volume is not on storage of its own.
        const VIRTUAL_VOLUME = 0x0000_0040;
        /// The access list of the volume counts too.
        const DEVICE_SECURE_OPEN = 0x0000_0100;
        /// A terminal services device.
        const TS_DEVICE = 0x0000_1000;
        /// A WebDAV file system.
        const WEBDAV_DEVICE = 0x0000_2000;
        /// The device itself can be taken out.
        const PORTABLE_DEVICE = 0x0000_4000;
        /// Application containers may traverse it.
        const ALLOW_APPCONTAINER_TRAVERSAL = 0x0002_0000;
    }
}

wire_flags! {
    /// What a file system can do, [MS-FSCC] 2.5.1.
    pub struct FsAttributes: u32 {
        /// Names can be looked up by case.
        const CASE_SENSITIVE_SEARCH = 0x0000_0001;
        /// The case of names is kept.
        const CASE_PRESERVED_NAMES = 0x0000_0002;
        /// Names are Unicode.
        const UNICODE_ON_DISK = 0x0000_0004;
        /// Access lists are kept and enforced.
        const PERSISTENT_ACLS = 0x0000_0008;
        /// Single files can be compressed.
        const FILE_COMPRESSION = 0x0000_0010;
        /// There are quotas.
        const VOLUME_QUOTAS = 0x0000_0020;
        /// Files can be sparse.
        const SUPPORTS_SPARSE_FILES = 0x0000_0040;
        /// There are reparse points.
        const SUPPORTS_REPARSE_POINTS = 0x0000_0080;
        /// Files can be on remote storage.
        const SUPPORTS_REMOTE_STORAGE = 0x0000_0100;
        /// A cleanup says what it did.
        const RETURNS_CLEANUP_RESULT_INFO = 0x0000_0200;
        /// Delete and rename can follow POSIX.
        const SUPPORTS_POSIX_UNLINK_RENAME = 0x0000_0400;
        /// The whole volume is compressed.
        const VOLUME_IS_COMPRESSED = 0x0000_8000;
        /// Files can have object IDs.
        const SUPPORTS_OBJECT_IDS = 0x0001_0000;
        /// Files can be encrypted.
        const SUPPORTS_ENCRYPTION = 0x0002_0000;
        /// Files can have named streams.
        const NAMED_STREAMS = 0x0004_0000;
        /// The volume is read-only.
        const READ_ONLY_VOLUME = 0x0008_0000;
        /// The volume can be written to once.
        const SEQUENTIAL_WRITE_ONCE = 0x0010_0000;
        /// There are transactions.
        const SUPPORTS_TRANSACTIONS = 0x0020_0000;
        /// There are hard links.
        const SUPPORTS_HARD_LINKS = 0x0040_0000;
        /// There are extended attributes.
        const SUPPORTS_EXTENDED_ATTRIBUTES = 0x0080_0000;
        /// Files can be opened by their ID.
        const SUPPORTS_OPEN_BY_FILE_ID = 0x0100_0000;
        /// There is a change journal.
        const SUPPORTS_USN_JOURNAL = 0x0200_0000;
        /// Streams can have checksums.
        const SUPPORT_INTEGRITY_STREAMS = 0x0400_0000;
        /// Files can share clusters.
        const SUPPORTS_BLOCK_REFCOUNTING = 0x0800_0000;
        /// It is known of each cluster whether it holds valid data.
        const SUPPORTS_SPARSE_VDL = 0x1000_0000;
    }
}

wire_flags! {
    /// Quota control of a volume, [MS-FSCC] 2.5.2.
    pub struct FsControlFlags: u32 {
        /// Usage is tracked but not limited.
        const QUOTA_TRACK = 0x0000_0001;
        /// Usage is limited.
        const QUOTA_ENFORCE = 0x0000_0002;
        /// Contents are not indexed.
        const CONTENT_INDEX_DISABLED = 0x0000_0008;
        /// Log who exceeds the threshold.
        const LOG_QUOTA_THRESHOLD = 0x0000_0010;
        /// Log who exceeds the limit.
        const LOG_QUOTA_LIMIT = 0x0000_0020;
        /// Log when the volume's threshold is exceeded.
        const LOG_VOLUME_THRESHOLD = 0x0000_0040;
        /// Log when the volume's limit is exceeded.
        const LOG_VOLUME_LIMIT = 0x0000_0080;
        /// The quota information is not complete.
        const QUOTAS_INCOMPLETE = 0x0000_0100;
        /// The quota information is being made anew.
        const QUOTAS_REBUILDING = 0x0000_0200;
    }
}

wire_flags! {
    /// Facts about sectors, [MS-FSCC] 2.5.7.
    pub struct SectorFlags: u32 {
        /// The first physical sector is aligned with the first logical one.
        const ALIGNED_DEVICE = 0x0000_0001;
        /// The partition is aligned with physical sectors.
        const PARTITION_ALIGNED_ON_DEVICE = 0x0000_0002;
        /// Seeking costs nothing.
        const NO_SEEK_PENALTY = 0x0000_0004;
        /// The device can be told which sectors are free.
        const TRIM_ENABLED = 0x0000_0008;
    }
}

/// 48 bytes beside the object ID of a volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExtendedInfo(pub [u8; 48]);

impl Default for ExtendedInfo {
    fn default() -> Self {
        Self([0; 48])
    }
}

impl Field for ExtendedInfo {
    type Raw = [u8; 48];
    fn from_raw(raw: Self::Raw) -> Self {
        Self(raw)
    }
    fn to_raw(self) -> Self::Raw {
        self.0
    }
}

impl Field for DeviceType {
    type Raw = U32;
    fn from_raw(raw: U32) -> Self {
        Self(raw.get())
    }
    fn to_raw(self) -> U32 {
        U32::new(self.0)
    }
}

macro_rules! flag_fields {
    ($($flags:ty),*) => {
        $(impl Field for $flags {
            type Raw = U32;
            fn from_raw(raw: U32) -> Self {
                Self::from_bits_retain(raw.get())
            }
            fn to_raw(self) -> U32 {
                U32::new(self.bits())
            }
        })*
    };
}

flag_fields!(DeviceCharacteristics, FsControlFlags, SectorFlags);

record! {
    /// FileFsDeviceInformation, [MS-FSCC] 2.5.10.
    pub struct FsDeviceInfo = FsDeviceFixed [8] {
        /// Kind of device.
        device_type: DeviceType,
        /// Its properties.
        characteristics: DeviceCharacteristics,
    }
}

layout! {
    struct FsAttributeFixed [12] {
        file_system_attributes: U32,
        maximum_component_name_length: U32,
        file_system_name_length: U32,
    }
}

/// FileFsAttributeInformation, [MS-FSCC] 2.5.1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FsAttributeInfo<'m> {
    /// What the file system can do.
    pub attributes: FsAttributes,
    /// Most characters in a component of a path.
    pub maximum_component_name_length: u32,
    /// Name of the file system, such as `NTFS`.
    pub name: Utf16<'m>,
}

impl<'m> Structure<'m> for FsAttributeInfo<'m> {
    const NAME: &'static str = "FileFsAttributeInformation";
    const FIXED_LEN: usize = size_of::<FsAttributeFixed>();

    fn decode(bytes: &'m [u8]) -> Result<Self, DecodeError> {
        let f: &FsAttributeFixed = fixed_at(bytes, 0, Self::NAME)?;
        Ok(Self {
            attributes: FsAttributes::from_bits_retain(f.file_system_attributes.get()),
            maximum_component_name_length: f.maximum_component_name_length.get(),
            name: name_at(bytes, Self::NAME, Self::FIXED_LEN, f.file_system_name_length)?,
        })
    }

    fn encode(&self, w: &mut Writer<'_>) {
        w.put(&FsAttributeFixed {
            file_system_attributes: U32::new(self.attributes.bits()),
            maximum_component_name_length: U32::new(self.maximum_component_name_length),
            file_system_name_length: U32::new(self.name.len() as u32),
        });
        w.bytes(self.name.as_bytes());
    }
}

record! {
    /// FileFsControlInformation, [MS-FSCC] 2.5.2.
    pub struct FsControlInfo = FsControlFixed [48] {
        /// For content indexing: zero.
        free_space_start_filtering: u64,
        /// For content indexing: zero.
        free_space_threshold: u64,
        /// For content indexing: zero.
        free_space_stop_filtering: u64,
        /// Bytes at which to warn; all ones for none.
        default_quota_threshold: u64,
        /// Most bytes; all ones for no limit.
        default_quota_limit: u64,
        /// How quotas are used.
        flags: FsControlFlags,
    } reserved 4
}

record! {
    /// FileFsObjectIdInformation, [MS-FSCC] 2.5.6.
    pub struct FsObjectIdInfo = FsObjectIdFixed [64] {
        /// Object ID of the volume.
        object_id: Guid,
        /// More about the volume.
        extended_info: ExtendedInfo,
    }
}

record! {
    /// FileFsSectorSizeInformation, [MS-FSCC] 2.5.7.
    pub struct FsSectorSizeInfo = FsSectorSizeFixed [28] {
        /// Bytes in a logical sector.
        logical_bytes_per_sector: u32,
        /// Bytes that the device writes at once.
        physical_bytes_per_sector_for_atomicity: u32,
        /// Bytes that it writes best.
        physical_bytes_per_sector_for_performance: u32,
        /// Bytes that the file system takes for the unit of writing.
        effective_physical_bytes_per_sector_for_atomicity: u32,
        /// Alignment and speed.
        flags: SectorFlags,
        /// Offset of the first logical sector in the first physical one; all ones if unknown.
        byte_offset_for_sector_alignment: u32,
        /// Offset of the partition from a physical sector; all ones if unknown.
        byte_offset_for_partition_alignment: u32,
    }
}

macro_rules! classes {
    ($($info:ty => $class:ident;)*) => {
        $(impl<'m> FsInfo<'m> for $info {
            const CLASS: FsInfoClass = FsInfoClass::$class;
        })*
    };
}

classes! {
    FsVolumeInfo<'m> => VOLUME;
    FsLabelInfo<'m> => LABEL;
    FsSizeInfo => SIZE;
    FsDeviceInfo => DEVICE;
    FsAttributeInfo<'m> => ATTRIBUTE;
    FsControlInfo => CONTROL;
    FsFullSizeInfo => FULL_SIZE;
    FsObjectIdInfo => OBJECT_ID;
    FsSectorSizeInfo => SECTOR_SIZE;
}
