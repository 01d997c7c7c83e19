//! Codes about ranges of files, [MS-FSCC] 2.3: sparse files, block clones, trim.

use zerocopy::little_endian::{U32, U64};

use super::super::header::FileIdFixed;
use super::super::list::{Element, List};
use super::super::structure::Field;
use super::super::{DecodeError, FileId, Structure, Writer, fixed_at};

layout! {
    /// FILE_ALLOCATED_RANGE_BUFFER and FILE_LEVEL_TRIM_RANGE as they stand in messages.
    pub struct FileRangeFixed [16] { offset: U64, length: U64 }
}

/// A range of a file: the input of QUERY_ALLOCATED_RANGES, and an element of its output and of
/// FILE_LEVEL_TRIM.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileRange {
    /// First byte.
    pub offset: u64,
    /// Bytes.
    pub length: u64,
}

impl Element for FileRange {
    type Fixed = FileRangeFixed;

    fn from_fixed(f: &FileRangeFixed) -> Self {
        Self { offset: f.offset.get(), length: f.length.get() }
    }

    fn to_fixed(&self) -> FileRangeFixed {
        FileRangeFixed { offset: U64::new(self.offset), length: U64::new(self.length) }
    }
}

impl<'m> Structure<'m> for FileRange {
    const NAME: &'static str = "FILE_ALLOCATED_RANGE_BUFFER";
    const FIXED_LEN: usize = size_of::<FileRangeFixed>();

    fn decode(bytes: &'m [u8]) -> Result<Self, DecodeError> {
        fixed_at(bytes, 0, Self::NAME).map(Self::from_fixed)
    }

    fn encode(&self, w: &mut Writer<'_>) {
        w.put(&self.to_fixed());
    }
}

/// The output of QUERY_ALLOCATED_RANGES, [MS-FSCC] 2.3.52: ranges that hold data, in order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileRanges<'m>(
    /// The ranges.
    pub List<'m, FileRange>,
);

impl<'m> Structure<'m> for FileRanges<'m> {
    const NAME: &'static str = "allocated ranges";
    const FIXED_LEN: usize = 0;

    fn decode(bytes: &'m [u8]) -> Result<Self, DecodeError> {
        List::parse_all(bytes, Self::NAME).map(Self)
    }

    fn encode(&self, w: &mut Writer<'_>) {
        self.0.encode(w);
    }
}

record! {
    /// FILE_ZERO_DATA_INFORMATION, the input of SET_ZERO_DATA, [MS-FSCC] 2.3.85.
    pub struct ZeroData = ZeroDataFixed [16] {
        /// First byte to become zero.
        file_offset: u64,
        /// First byte behind those.
        beyond_final_zero: u64,
    }
}

/// FILE_SET_SPARSE_BUFFER, the input of SET_SPARSE, [MS-FSCC] 2.3.83.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SetSparse {
    /// Whether the file becomes sparse.
    pub set_sparse: bool,
}

impl<'m> Structure<'m> for SetSparse {
    const NAME: &'static str = "FILE_SET_SPARSE_BUFFER";
    const FIXED_LEN: usize = 0;

    /// An empty buffer means "sparse".
    fn decode(bytes: &'m [u8]) -> Result<Self, DecodeError> {
        Ok(Self { set_sparse: bytes.first().is_none_or(|&byte| byte != 0) })
    }

    fn encode(&self, w: &mut Writer<'_>) {
        w.put(&u8::from(self.set_sparse));
    }
}

impl Field for FileId {
    type Raw = FileIdFixed;
    fn from_raw(raw: FileIdFixed) -> Self {
        raw.into()
    }
    fn to_raw(self) -> FileIdFixed {
        self.into()
    }
}

record! {
    /// SMB2_DUPLICATE_EXTENTS_DATA, the input of DUPLICATE_EXTENTS_TO_FILE, [MS-FSCC] 2.3.7.2.
    pub struct DuplicateExtents = DuplicateExtentsFixed [40] {
        /// The source.
        source_file_id: FileId,
        /// From this offset.
        source_file_offset: u64,
        /// To this offset of the file of the IOCTL.
        target_file_offset: u64,
        /// Bytes.
        byte_count: u64,
    }
}

wire_flags! {
    /// How to clone, [MS-FSCC] 2.3.9.2.
    pub struct DuplicateExtentsFlags: u32 {
        /// All or nothing.
        const SOURCE_ATOMIC = 0x0000_0001;
    }
}

layout! {
    struct DuplicateExtentsExFixed [56] {
        structure_size: U64,
        extents: DuplicateExtentsFixed,
        flags: U32,
        reserved: U32,
    }
}

/// SMB2_DUPLICATE_EXTENTS_DATA_EX, the input of DUPLICATE_EXTENTS_TO_FILE_EX, [MS-FSCC] 2.3.9.2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DuplicateExtentsEx {
    /// What to clone.
    pub extents: DuplicateExtents,
    /// How to clone it.
    pub flags: DuplicateExtentsFlags,
}

impl DuplicateExtentsEx {
    /// StructureSize, which is not the length of the structure.
    const STRUCTURE_SIZE: u64 = 0x30;
}

impl<'m> Structure<'m> for DuplicateExtentsEx {
    const NAME: &'static str = "SMB2_DUPLICATE_EXTENTS_DATA_EX";
    const FIXED_LEN: usize = size_of::<DuplicateExtentsExFixed>();

    fn decode(bytes: &'m [u8]) -> Result<Self, DecodeError> {
        let f: &DuplicateExtentsExFixed = fixed_at(bytes, 0, Self::NAME)?;
        if f.structure_size.get() != Self::STRUCTURE_SIZE {
            return Err(DecodeError::value(Self::NAME, 0, f.structure_size.get()));
        }
        Ok(Self {
            extents: DuplicateExtents::from_fixed(&f.extents),
            flags: DuplicateExtentsFlags::from_bits_retain(f.flags.get()),
        })
    }

    fn encode(&self, w: &mut Writer<'_>) {
        w.put(&DuplicateExtentsExFixed {
            structure_size: U64::new(Self::STRUCTURE_SIZE),
            extents: self.extents.to_fixed(),
            flags: U32::new(self.flags.bits()),
            reserved: U32::ZERO,
        });
    }
}

layout! {
    struct TrimFixed [8] { key: U32, count: U32 }
}

/// FILE_LEVEL_TRIM, [MS-FSCC] 2.3.13.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileLevelTrim<'m> {
    /// Key for byte-range locks: zero.
    pub key: u32,
    /// What is no longer needed.
    pub ranges: List<'m, FileRange>,
}

impl<'m> Structure<'m> for FileLevelTrim<'m> {
    const NAME: &'static str = "FILE_LEVEL_TRIM";
    const FIXED_LEN: usize = size_of::<TrimFixed>();

    fn decode(bytes: &'m [u8]) -> Result<Self, DecodeError> {
        let f: &TrimFixed = fixed_at(bytes, 0, Self::NAME)?;
        let ranges = bytes.get(Self::FIXED_LEN..).unwrap_or_default();
        let ranges = List::parse(ranges, f.count.get() as usize, Self::NAME)?;
        Ok(Self { key: f.key.get(), ranges })
    }

    fn encode(&self, w: &mut Writer<'_>) {
        w.put(&TrimFixed { key: U32::new(self.key), count: U32::new(self.ranges.len() as u32) });
        self.ranges.encode(w);
    }
}

record! {
    /// FILE_LEVEL_TRIM_OUTPUT, [MS-FSCC] 2.3.14.
    pub struct FileLevelTrimOutput = FileLevelTrimOutputFixed [4] {
        /// Ranges that were trimmed.
        num_ranges_processed: u32,
    }
}
