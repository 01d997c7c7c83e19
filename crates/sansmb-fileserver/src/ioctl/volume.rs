//! Control codes that tell of a file's regions and its volume.

use sansmb::{
    server::{Token, op},
    wire::{
        CtlCode, NtStatus, Structure, Utf16,
        fsctl::{FileRegion, FileRegionInput, FileRegionOutput, NtfsVolumeData, RegionUsage, SnapshotArray},
    },
};

use super::{Echo, MAX_OFFSET};
use crate::{
    info::{SECTOR, Units},
    opens::OpenId,
    server::FileServer,
    storage::{Done, Job, Outcome},
    task::Step,
};

/// Bytes of a record of the master file table, as NTFS has it.
const FILE_RECORD: u32 = 1024;

/// A question about a file or its volume that is under way.
#[derive(Debug)]
pub(crate) struct Asking {
    token: Token<op::Ioctl>,
    echo: Echo,
    region: FileRegionInput,
}

impl FileServer {
    /// [MS-SMB2] 3.3.5.15.1: there are no earlier versions. Windows then puts two zero bytes where
    /// their names would be.
    pub(super) fn enumerate_snapshots(&mut self, token: Token<op::Ioctl>, echo: Echo) {
        if echo.limit < 16 {
            return self.fail(token, NtStatus::INVALID_PARAMETER);
        }
        let names = Utf16::new(&[0, 0], "snapshots", 0).unwrap_or_default();
        let array = SnapshotArray { number: 0, returned: 0, array_size: 2, names };
        self.respond(token, echo.reply(&array.to_vec()));
    }

    /// [MS-FSA] 2.1.5.10.24.
    pub(super) fn file_regions(&mut self, id: OpenId, token: Token<op::Ioctl>, input: &[u8], echo: Echo) {
        match self.check_regions(id, input, &echo) {
            Ok(region) => {
                let step = Step::Ask(Box::new(Asking { token, echo, region }));
                self.job_on(id, |file| Job::Stat { handle: file.handle }, step);
            }
            Err(status) => self.fail(token, status),
        }
    }

    fn check_regions(&self, id: OpenId, input: &[u8], echo: &Echo) -> Result<FileRegionInput, NtStatus> {
        let file = self.file(id).ok_or(NtStatus::FILE_CLOSED)?;
        if file.directory {
            return Err(NtStatus::INVALID_PARAMETER);
        }
        let region = if input.is_empty() {
            FileRegionInput {
                file_offset: 0,
                length: MAX_OFFSET,
                desired_usage: RegionUsage::VALID_CACHED_DATA,
            }
        } else {
            FileRegionInput::decode(input).map_err(|_| NtStatus::BUFFER_TOO_SMALL)?
        };
        let end = region.file_offset.checked_add(region.length).filter(|end| *end <= MAX_OFFSET);
        if region.length == 0
            || end.is_none()
            || !region.desired_usage.contains(RegionUsage::VALID_CACHED_DATA)
        {
            return Err(NtStatus::INVALID_PARAMETER);
        }
        if echo.limit < FileRegionOutput::ONE_LEN {
            return Err(NtStatus::BUFFER_TOO_SMALL);
        }
        Ok(region)
    }

    /// [MS-FSA] 2.1.5.10.11. What only NTFS has is told as if it were at the start of the volume.
    pub(super) fn ntfs_volume_data(&mut self, id: OpenId, token: Token<op::Ioctl>, echo: Echo) {
        if echo.limit < NtfsVolumeData::FIXED_LEN {
            return self.fail(token, NtStatus::BUFFER_TOO_SMALL);
        }
        let step = Step::Ask(Box::new(Asking { token, echo, region: FileRegionInput::default() }));
        self.job_on(id, |file| Job::Space { handle: file.handle, caller: None }, step);
    }

    pub(crate) fn ask_step(&mut self, id: OpenId, asking: Asking, outcome: Outcome) {
        let Asking { token, echo, region } = asking;
        let output = match outcome {
            Ok(Done::Metadata(metadata)) => regions(&region, metadata.length),
            Ok(Done::Space(space)) => {
                let units = Units::of(&space);
                let serial = self.file(id).map_or(0, |file| file.share.traits.serial);
                NtfsVolumeData {
                    volume_serial_number: serial.into(),
                    number_sectors: space.total / u64::from(SECTOR),
                    total_clusters: space.total / units.bytes,
                    free_clusters: space.free / units.bytes,
                    total_reserved: 0,
                    bytes_per_sector: SECTOR,
                    bytes_per_cluster: u32::try_from(units.bytes).unwrap_or(u32::MAX),
                    bytes_per_file_record_segment: FILE_RECORD,
                    ..Default::default()
                }
                .to_vec()
            }
            Ok(_) => return self.fail(token, NtStatus::INTERNAL_ERROR),
            Err(status) => return self.fail(token, status),
        };
        debug_assert!(matches!(echo.ctl_code, CtlCode::QUERY_FILE_REGIONS | CtlCode::GET_NTFS_VOLUME_DATA));
        self.respond(token, echo.reply(&output));
    }
}

/// All of a file is valid: what is not written reads as zeros. Nothing is said of what lies behind it.
fn regions(asked: &FileRegionInput, length: u64) -> Vec<u8> {
    let FileRegionInput { file_offset, length: wanted, desired_usage } = *asked;
    if file_offset > length || file_offset == length && length > 0 {
        return Vec::new();
    }
    let region = FileRegion {
        offset: file_offset,
        length: wanted.min(length - file_offset),
        usage: if length == 0 { RegionUsage::empty() } else { desired_usage },
    };
    FileRegionOutput { total: 1, regions: [region].as_slice().into() }.to_vec()
}
