//! QUERY_FILE_REGIONS, [MS-FSCC] 2.3.55 and 2.3.56, and GET_NTFS_VOLUME_DATA, 2.3.22.

use zerocopy::little_endian::{U32, U64};

use super::super::list::{Element, List};
use super::super::structure::Field;
use super::super::{DecodeError, Structure, Writer, fixed_at};

wire_flags! {
    /// What a region of a file is good for.
    pub struct RegionUsage: u32 {
        /// It holds data, in the cache or on disk.
        const VALID_CACHED_DATA = 0x0000_0001;
        /// It holds data on disk.
        const VALID_NONCACHED_DATA = 0x0000_0002;
    }
}

impl Field for RegionUsage {
    type Raw = U32;
    fn from_raw(raw: U32) -> Self {
        Self::from_bits_retain(raw.get())
    }
    fn to_raw(self) -> U32 {
        U32::new(self.bits())
    }
}

record! {
    /// FILE_REGION_INPUT.
    pub struct FileRegionInput = FileRegionInputFixed [24] {
        /// FileOffset
        file_offset: u64,
        /// Length
        length: u64,
        /// DesiredUsage
        desired_usage: RegionUsage,
    } reserved 4
}

layout! {
    /// Layout of a FILE_REGION_INFO.
    pub struct FileRegionFixed [24] { offset: U64, length: U64, usage: U32, reserved: U32 }
}

/// FILE_REGION_INFO, [MS-FSCC] 2.3.56.1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileRegion {
    /// FileOffset
    pub offset: u64,
    /// Length
    pub length: u64,
    /// Usage
    pub usage: RegionUsage,
}

impl Element for FileRegion {
    type Fixed = FileRegionFixed;

    fn from_fixed(f: &FileRegionFixed) -> Self {
        Self {
            offset: f.offset.get(),
            length: f.length.get(),
            usage: RegionUsage::from_bits_retain(f.usage.get()),
        }
    }

    fn to_fixed(&self) -> FileRegionFixed {
        FileRegionFixed {
            offset: U64::new(self.offset),
            length: U64::new(self.length),
            usage: U32::new(self.usage.bits()),
            reserved: U32::ZERO,
        }
    }
}

layout! {
    struct RegionsFixed [16] { flags: U32, total: U32, count: U32, reserved: U32 }
}

/// FILE_REGION_OUTPUT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileRegionOutput<'m> {
    /// TotalRegionEntryCount: how many there are, whether or not all of them are told.
    pub total: u32,
    /// Region
    pub regions: List<'m, FileRegion>,
}

impl FileRegionOutput<'_> {
    /// Length with one region in bytes: less room is refused.
    pub const ONE_LEN: usize = size_of::<RegionsFixed>() + size_of::<FileRegionFixed>();
}

impl<'m> Structure<'m> for FileRegionOutput<'m> {
    const NAME: &'static str = "FILE_REGION_OUTPUT";
    const FIXED_LEN: usize = size_of::<RegionsFixed>();

    fn decode(bytes: &'m [u8]) -> Result<Self, DecodeError> {
        let f: &RegionsFixed = fixed_at(bytes, 0, Self::NAME)?;
        let regions = bytes.get(Self::FIXED_LEN..).unwrap_or_default();
        let regions = List::parse(regions, f.count.get() as usize, Self::NAME)?;
        Ok(Self { total: f.total.get(), regions })
    }

    fn encode(&self, w: &mut Writer<'_>) {
        w.put(&RegionsFixed {
            flags: U32::ZERO,
            total: U32::new(self.total),
            count: U32::new(self.regions.len() as u32),
            reserved: U32::ZERO,
        });
        self.regions.encode(w);
    }
}

record! {
    /// NTFS_VOLUME_DATA_BUFFER, [MS-FSCC] 2.3.22.
    pub struct NtfsVolumeData = NtfsVolumeDataFixed [96] {
        /// VolumeSerialNumber
        volume_serial_number: u64,
        /// NumberSectors
        number_sectors: u64,
        /// TotalClusters
        total_clusters: u64,
        /// FreeClusters
        free_clusters: u64,
        /// TotalReserved, in clusters
        total_reserved: u64,
        /// BytesPerSector
        bytes_per_sector: u32,
        /// BytesPerCluster
        bytes_per_cluster: u32,
        /// BytesPerFileRecordSegment
        bytes_per_file_record_segment: u32,
        /// ClustersPerFileRecordSegment
        clusters_per_file_record_segment: u32,
        /// MftValidDataLength
        mft_valid_data_length: u64,
        /// MftStartLcn
        mft_start_lcn: u64,
        /// Mft2StartLcn
        mft2_start_lcn: u64,
        /// MftZoneStart
        mft_zone_start: u64,
        /// MftZoneEnd
        mft_zone_end: u64,
    }
}
