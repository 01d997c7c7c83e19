//! What is known of a volume, [MS-FSA] 2.1.5.13.

use sansmb::{
    server::{Token, op},
    wire::{
        Guid, NtStatus, Structure, Utf16Buf,
        fscc::{
            DeviceCharacteristics, DeviceType, FsAttributeInfo, FsAttributes, FsControlInfo, FsDeviceInfo,
            FsFullSizeInfo, FsInfoClass, FsObjectIdInfo, FsSectorSizeInfo, FsSizeInfo, FsVolumeInfo,
            SectorFlags,
        },
    },
};

use super::fit;
use crate::{
    opens::OpenId,
    server::FileServer,
    shares::Share,
    storage::{Done, Job, Outcome, QuotaControl, QuotaJob, Space},
    task::Step,
};

/// The least room for classes that end in a name: the size of the structure in C, as Windows asks
/// for, not the offset of the name.
const VOLUME_LEN: usize = 24;
const ATTRIBUTE_LEN: usize = 16;
/// Bytes of a sector, as every volume claims.
pub(crate) const SECTOR: u32 = 512;

/// A query that needs the space on the volume.
#[derive(Debug)]
pub(crate) struct QueryFs {
    token: Token<op::QueryInfo>,
    class: FsInfoClass,
    limit: usize,
}

impl FileServer {
    pub(crate) fn query_fs(
        &mut self,
        id: OpenId,
        token: Token<op::QueryInfo>,
        class: FsInfoClass,
        limit: usize,
    ) {
        let Some(file) = self.file(id) else { return self.fail(token, NtStatus::FILE_CLOSED) };
        let traits = &file.share.traits;
        let read_only = traits.read_only || file.share.config.read_only;
        let (buffer, fixed) = match class {
            FsInfoClass::VOLUME => {
                let label = Utf16Buf::new(&traits.label);
                let info = FsVolumeInfo {
                    creation_time: traits.created,
                    serial_number: traits.serial,
                    supports_objects: true,
                    label: label.as_utf16(),
                };
                (info.to_vec(), VOLUME_LEN)
            }
            FsInfoClass::ATTRIBUTE => {
                let name = Utf16Buf::new(&traits.file_system);
                let info = FsAttributeInfo {
                    attributes: attributes(&file.share, read_only),
                    maximum_component_name_length: traits.max_name_len,
                    name: name.as_utf16(),
                };
                (info.to_vec(), ATTRIBUTE_LEN)
            }
            FsInfoClass::DEVICE => {
                let mut characteristics = DeviceCharacteristics::DEVICE_IS_MOUNTED;
                characteristics.set(DeviceCharacteristics::READ_ONLY_DEVICE, read_only);
                let info = FsDeviceInfo { device_type: DeviceType::DISK, characteristics };
                (info.to_vec(), FsDeviceInfo::FIXED_LEN)
            }
            FsInfoClass::OBJECT_ID => {
                let mut id = [0; 16];
                if let Some(head) = id.first_chunk_mut() {
                    *head = traits.serial.to_le_bytes();
                }
                let info = FsObjectIdInfo { object_id: Guid(id), ..Default::default() };
                (info.to_vec(), FsObjectIdInfo::FIXED_LEN)
            }
            FsInfoClass::CONTROL if traits.features.quotas => {
                let query = QueryFs { token, class, limit };
                let step = Step::QueryFs(Box::new(query));
                return self.job_on(id, |_| Job::Quota(QuotaJob::Control), step);
            }
            // As a volume of Windows on which nobody has turned quotas on.
            FsInfoClass::CONTROL => (control_of(&QuotaControl::default()), FsControlInfo::FIXED_LEN),
            FsInfoClass::SIZE | FsInfoClass::FULL_SIZE | FsInfoClass::SECTOR_SIZE => {
                let query = QueryFs { token, class, limit };
                let session = self.opens.get(&id).map(|open| open.session);
                let caller = session.and_then(|session| self.token_of(session));
                let caller = caller.map(|who| Box::new(who.user()));
                return self.job_on(
                    id,
                    |file| Job::Space { handle: file.handle, caller },
                    Step::QueryFs(Box::new(query)),
                );
            }
            FsInfoClass::LABEL | FsInfoClass::DRIVER_PATH | FsInfoClass::VOLUME_FLAGS => {
                return self.fail(token, NtStatus::NOT_SUPPORTED);
            }
            _ => return self.fail(token, NtStatus::INVALID_INFO_CLASS),
        };
        self.respond(token, fit(buffer, fixed, limit));
    }

    pub(crate) fn query_fs_done(&mut self, _id: OpenId, query: QueryFs, outcome: Outcome) {
        let QueryFs { token, class, limit } = query;
        let space = match outcome {
            Ok(Done::Space(space)) => space,
            Ok(Done::QuotaControl(control)) => {
                return self.respond(token, fit(control_of(&control), FsControlInfo::FIXED_LEN, limit));
            }
            outcome => return self.fail(token, outcome.err().unwrap_or(NtStatus::INTERNAL_ERROR)),
        };
        let units = Units::of(&space);
        let buffer = match class {
            FsInfoClass::SIZE => FsSizeInfo {
                total_allocation_units: space.total / units.bytes,
                available_allocation_units: space.available / units.bytes,
                sectors_per_allocation_unit: units.sectors,
                bytes_per_sector: SECTOR,
            }
            .to_vec(),
            FsInfoClass::FULL_SIZE => FsFullSizeInfo {
                total_allocation_units: space.total / units.bytes,
                caller_available_allocation_units: space.available / units.bytes,
                actual_available_allocation_units: space.free / units.bytes,
                sectors_per_allocation_unit: units.sectors,
                bytes_per_sector: SECTOR,
            }
            .to_vec(),
            _ => {
                let physical = space.block.max(SECTOR);
                FsSectorSizeInfo {
                    logical_bytes_per_sector: SECTOR,
                    physical_bytes_per_sector_for_atomicity: physical,
                    physical_bytes_per_sector_for_performance: physical,
                    effective_physical_bytes_per_sector_for_atomicity: physical,
                    flags: SectorFlags::ALIGNED_DEVICE
                        | SectorFlags::PARTITION_ALIGNED_ON_DEVICE
                        | SectorFlags::TRIM_ENABLED,
                    byte_offset_for_sector_alignment: 0,
                    byte_offset_for_partition_alignment: 0,
                }
                .to_vec()
            }
        };
        let fixed = buffer.len();
        self.respond(token, fit(buffer, fixed, limit));
    }
}

/// [MS-FSCC] 2.5.2.
fn control_of(control: &QuotaControl) -> Vec<u8> {
    FsControlInfo {
        default_quota_threshold: control.usual.threshold,
        default_quota_limit: control.usual.limit,
        flags: control.flags,
        ..Default::default()
    }
    .to_vec()
}

/// [MS-FSCC] 2.5.1.
fn attributes(share: &Share, read_only: bool) -> FsAttributes {
    let features = share.traits.features;
    let mut attributes = FsAttributes::CASE_SENSITIVE_SEARCH
        | FsAttributes::CASE_PRESERVED_NAMES
        | FsAttributes::UNICODE_ON_DISK
        | FsAttributes::PERSISTENT_ACLS
        | FsAttributes::SUPPORTS_OBJECT_IDS;
    for (attribute, has) in [
        (FsAttributes::READ_ONLY_VOLUME, read_only),
        (FsAttributes::SUPPORTS_SPARSE_FILES, features.sparse),
        (FsAttributes::SUPPORTS_BLOCK_REFCOUNTING, features.block_sharing),
        (FsAttributes::FILE_COMPRESSION, features.compression),
        (FsAttributes::VOLUME_QUOTAS, features.quotas),
        (FsAttributes::SUPPORT_INTEGRITY_STREAMS, features.integrity),
        (FsAttributes::SUPPORTS_REPARSE_POINTS, features.reparse_points),
        (FsAttributes::SUPPORTS_HARD_LINKS, features.hard_links),
        (FsAttributes::NAMED_STREAMS, share.named_streams()),
        (FsAttributes::SUPPORTS_EXTENDED_ATTRIBUTES, share.traits.extended_attributes),
    ] {
        attributes.set(attribute, has);
    }
    attributes
}

/// Allocation units of a volume.
pub(crate) struct Units {
    pub(crate) bytes: u64,
    sectors: u32,
}

impl Units {
    pub(crate) fn of(space: &Space) -> Self {
        let sectors = (space.block / SECTOR).max(1);
        Self { bytes: u64::from(sectors) * u64::from(SECTOR), sectors }
    }
}
