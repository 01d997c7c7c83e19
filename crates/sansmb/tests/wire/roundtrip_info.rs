//! Every command on files, every information class and every list is decoded to what was encoded.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use crate::packet::encode;
use crate::values::*;
use sansmb::wire::fscc::*;
use sansmb::wire::{
    AccessMask, Body, ChangeNotifyFlags, ChangeNotifyRequest, ChangeNotifyResponse, CompletionFilter,
    CtlCode, FileAttributes, FileTime, FlushRequest, Guid, Header, InfoType, IoctlFlags, IoctlRequest,
    IoctlResponse, List, LockElement, LockFlags, LockRequest, QueryDirectoryFlags, QueryDirectoryRequest,
    QueryDirectoryResponse, QueryInfoFlags, QueryInfoRequest, QueryInfoResponse, SecurityInformation,
    SetInfoRequest, SetInfoResponse, Structure, Utf16,
};

/// `decode(encode(value)) == value`, and what was decoded is encoded to the same bytes.
macro_rules! body {
    ($body:ty, $value:expr) => {{
        let value = $value;
        let msg = encode(&Header::default(), &value);
        let decoded = <$body as Body<'_>>::decode(&msg).unwrap();
        prop_assert_eq!(&decoded, &value);
        prop_assert_eq!(encode(&Header::default(), &decoded), msg);
    }};
}

/// The same for what stands in a buffer. A structure is never shorter than its fixed part says.
macro_rules! structure {
    ($($structure:ty: $value:expr;)*) => {$({
        let value = $value;
        let bytes = value.to_vec();
        prop_assert!(bytes.len() >= <$structure>::FIXED_LEN);
        let decoded = <$structure>::decode(&bytes).unwrap();
        prop_assert_eq!(&decoded, &value);
        prop_assert_eq!(decoded.to_vec(), bytes);
        let short = value.to_vec();
        if let Some(cut) = <$structure>::FIXED_LEN.checked_sub(1) {
            prop_assert!(<$structure>::decode(&short[..cut]).is_err());
        }
    })*};
}

/// The same for a list, and one byte less room leaves out the last entry.
macro_rules! list {
    ($entry:ty, $values:expr) => {{
        let values: Vec<$entry> = $values;
        let mut writer = EntryWriter::new(usize::MAX);
        prop_assert!(values.iter().all(|value| writer.push(value)));
        let bytes = writer.finish();
        let decoded: Vec<$entry> = Entries::new(&bytes).map(Result::unwrap).collect();
        prop_assert_eq!(&decoded, &values);
        if let Some(limit) = bytes.len().checked_sub(1) {
            let mut writer = EntryWriter::new(limit);
            let fitting = values.iter().take_while(|value| writer.push(*value)).count();
            prop_assert_eq!(fitting, values.len() - 1);
            prop_assert!(writer.len() <= limit);
            let short = writer.finish();
            prop_assert_eq!(Entries::<'_, $entry>::new(&short).map(Result::unwrap).count(), fitting);
        }
    }};
}

fn time() -> impl Strategy<Value = FileTime> {
    any::<u64>().prop_map(FileTime)
}

fn short_name() -> impl Strategy<Value = Utf16<'static>> {
    vec(any::<[u8; 2]>(), 0..=12)
        .prop_map(|units| Utf16::new(units.concat().leak(), "random", 0).expect("even length"))
}

proptest! {
    #[test]
    fn locks(
        lock_sequence: u32,
        file_id in file_id(),
        elements in vec(any::<(u64, u64, u32)>(), 0..5),
    ) {
        let elements: Vec<_> = elements.into_iter().map(|(offset, length, flags)| {
            LockElement { offset, length, flags: LockFlags::from_bits_retain(flags) }
        }).collect();
        body!(LockRequest<'_>, LockRequest { lock_sequence, file_id, locks: List::Values(&elements) });
        body!(FlushRequest, FlushRequest { file_id });
    }

    #[test]
    fn ioctl(numbers in any::<[u32; 4]>(), file_id in file_id(), input in bytes(30), output in bytes(30)) {
        let [code, max_input_response, max_output_response, flags] = numbers;
        body!(IoctlRequest<'_>, IoctlRequest {
            ctl_code: CtlCode(code),
            file_id,
            max_input_response,
            max_output_response,
            flags: IoctlFlags::from_bits_retain(flags),
            input,
        });
        body!(IoctlResponse<'_>, IoctlResponse { ctl_code: CtlCode(code), file_id, flags, input, output });
    }

    #[test]
    fn directory_and_changes(
        numbers in any::<(u8, u8, u16, u32, u32, u32)>(),
        file_id in file_id(),
        pattern in utf16(),
        buffer in bytes(30),
    ) {
        let (class, flags, watch, file_index, output_buffer_length, filter) = numbers;
        body!(QueryDirectoryRequest<'_>, QueryDirectoryRequest {
            information_class: FileInfoClass(class),
            flags: QueryDirectoryFlags::from_bits_retain(flags),
            file_index,
            file_id,
            pattern,
            output_buffer_length,
        });
        body!(QueryDirectoryResponse<'_>, QueryDirectoryResponse { buffer });
        body!(ChangeNotifyRequest, ChangeNotifyRequest {
            flags: ChangeNotifyFlags::from_bits_retain(watch),
            output_buffer_length,
            file_id,
            completion_filter: CompletionFilter::from_bits_retain(filter),
        });
        body!(ChangeNotifyResponse<'_>, ChangeNotifyResponse { buffer });
    }

    #[test]
    fn info(numbers in any::<(u8, u8, u32, u32, u32)>(), file_id in file_id(), buffer in bytes(30)) {
        let (info_type, info_class, output_buffer_length, additional, flags) = numbers;
        let info_type = InfoType(info_type);
        let additional_information = SecurityInformation::from_bits_retain(additional);
        body!(QueryInfoRequest<'_>, QueryInfoRequest {
            info_type,
            info_class,
            output_buffer_length,
            additional_information,
            flags: QueryInfoFlags::from_bits_retain(flags),
            file_id,
            input: buffer,
        });
        body!(QueryInfoResponse<'_>, QueryInfoResponse { buffer });
        body!(SetInfoRequest<'_>, SetInfoRequest { info_type, info_class, additional_information, file_id, buffer });
        body!(SetInfoResponse, SetInfoResponse);
    }

    #[test]
    fn fixed_classes(a: u64, b: u64, c: u128, n in any::<[u32; 10]>(), x: bool, y: bool, t in any::<[u64; 4]>()) {
        let [creation_time, last_access_time, last_write_time, change_time] = t.map(FileTime);
        let attributes = FileAttributes::from_bits_retain(n[0]);
        structure! {
            FileBasicInfo: FileBasicInfo {
                creation_time, last_access_time, last_write_time, change_time, attributes,
            };
            FileNetworkOpenInfo: FileNetworkOpenInfo {
                creation_time, last_access_time, last_write_time, change_time, attributes,
                allocation_size: a, end_of_file: b,
            };
            FileStandardInfo: FileStandardInfo {
                allocation_size: a, end_of_file: b, number_of_links: n[1], delete_pending: x, directory: y,
            };
            FileInternalInfo: FileInternalInfo { index_number: a };
            FileEaInfo: FileEaInfo { ea_size: n[1] };
            FileAccessInfo: FileAccessInfo { access_flags: AccessMask::from_bits_retain(n[1]) };
            FilePositionInfo: FilePositionInfo { current_byte_offset: a };
            FileModeInfo: FileModeInfo { mode: n[1] };
            FileAlignmentInfo: FileAlignmentInfo { alignment_requirement: n[1] };
            FileAttributeTagInfo: FileAttributeTagInfo { attributes, reparse_tag: n[1] };
            FileCompressionInfo: FileCompressionInfo {
                compressed_file_size: a, compression_format: n[1] as u16, compression_unit_shift: n[2] as u8,
                chunk_shift: n[3] as u8, cluster_shift: n[4] as u8,
            };
            FileIdInfo: FileIdInfo { volume_serial_number: a, file_id: c };
            FileDispositionInfo: FileDispositionInfo { delete_pending: x };
            FileDispositionInfoEx: FileDispositionInfoEx { flags: DispositionFlags::from_bits_retain(n[1]) };
            FileEndOfFileInfo: FileEndOfFileInfo { end_of_file: a };
            FileAllocationInfo: FileAllocationInfo { allocation_size: a };
            FileValidDataLengthInfo: FileValidDataLengthInfo { valid_data_length: a };
            FilePipeInfo: FilePipeInfo { read_mode: n[0], completion_mode: n[1] };
            FilePipeLocalInfo: FilePipeLocalInfo {
                named_pipe_type: n[0], named_pipe_configuration: n[1], maximum_instances: n[2],
                current_instances: n[3], inbound_quota: n[4], read_data_available: n[5], outbound_quota: n[6],
                write_quota_available: n[7], named_pipe_state: n[8], named_pipe_end: n[9],
            };
            FilePipeRemoteInfo: FilePipeRemoteInfo { collect_data_time: a, maximum_collection_count: n[0] };
            FsSizeInfo: FsSizeInfo {
                total_allocation_units: a, available_allocation_units: b,
                sectors_per_allocation_unit: n[0], bytes_per_sector: n[1],
            };
            FsFullSizeInfo: FsFullSizeInfo {
                total_allocation_units: a, caller_available_allocation_units: b,
                actual_available_allocation_units: t[0], sectors_per_allocation_unit: n[0], bytes_per_sector: n[1],
            };
            FsDeviceInfo: FsDeviceInfo {
                device_type: DeviceType(n[0]), characteristics: DeviceCharacteristics::from_bits_retain(n[1]),
            };
            FsControlInfo: FsControlInfo {
                free_space_start_filtering: a, free_space_threshold: b, free_space_stop_filtering: t[0],
                default_quota_threshold: t[1], default_quota_limit: t[2],
                flags: FsControlFlags::from_bits_retain(n[0]),
            };
            FsObjectIdInfo: FsObjectIdInfo {
                object_id: Guid(c.to_le_bytes()), extended_info: ExtendedInfo([n[0] as u8; 48]),
            };
            FsSectorSizeInfo: FsSectorSizeInfo {
                logical_bytes_per_sector: n[0], physical_bytes_per_sector_for_atomicity: n[1],
                physical_bytes_per_sector_for_performance: n[2],
                effective_physical_bytes_per_sector_for_atomicity: n[3],
                flags: SectorFlags::from_bits_retain(n[4]), byte_offset_for_sector_alignment: n[5],
                byte_offset_for_partition_alignment: n[6],
            };
        }
    }

    #[test]
    fn named_classes(name in utf16(), root_directory: u64, n: u32, x: bool, sids in [bytes(20), bytes(20)]) {
        let basic = FileBasicInfo { creation_time: FileTime(root_directory), ..FileBasicInfo::default() };
        structure! {
            FileNameInfo<'_>: FileNameInfo { name };
            FileAllInfo<'_>: FileAllInfo { basic, ea: FileEaInfo { ea_size: n }, name, ..FileAllInfo::default() };
            FileRenameInfo<'_>: FileRenameInfo { replace_if_exists: x, root_directory, name };
            FileLinkInfo<'_>: FileLinkInfo { replace_if_exists: x, root_directory, name };
            FileRenameInfoEx<'_>: FileRenameInfoEx { flags: RenameFlags::from_bits_retain(n), root_directory, name };
            FsVolumeInfo<'_>: FsVolumeInfo {
                creation_time: FileTime(root_directory), serial_number: n, supports_objects: x, label: name,
            };
            FsLabelInfo<'_>: FsLabelInfo { label: name };
            FsAttributeInfo<'_>: FsAttributeInfo {
                attributes: FsAttributes::from_bits_retain(n), maximum_component_name_length: 255, name,
            };
            QueryQuotaInfo<'_>: QueryQuotaInfo {
                return_single: x, restart_scan: !x, sid_list: sids[0], start_sid: sids[1],
            };
        }
    }

    #[test]
    fn lists(
        names in vec((utf16(), any::<u32>(), any::<u64>()), 0..5),
        attributes in vec((any::<u8>(), bytes(255), bytes(30)), 0..5),
        sids in vec((bytes(30), time(), any::<[u64; 3]>()), 0..5),
    ) {
        list!(NotifyEntry<'_>, names.iter()
            .map(|&(name, action, _)| NotifyEntry { action: NotifyAction(action), name }).collect());
        list!(StreamEntry<'_>, names.iter()
            .map(|&(name, a, size)| StreamEntry { size, allocation_size: a.into(), name }).collect());
        list!(EaEntry<'_>, attributes.iter()
            .map(|&(flags, name, value)| EaEntry { flags: EaFlags::from_bits_retain(flags), name, value }).collect());
        list!(GetEaEntry<'_>, attributes.iter().map(|&(_, name, _)| GetEaEntry { name }).collect());
        list!(QuotaEntry<'_>, sids.iter()
            .map(|&(sid, change_time, [used, threshold, limit])| {
                QuotaEntry { change_time, used, threshold, limit, sid }
            }).collect());
        list!(GetQuotaEntry<'_>, sids.iter().map(|&(sid, ..)| GetQuotaEntry { sid }).collect());
    }

    #[test]
    fn directories(
        class in prop::sample::select(&[1_u8, 2, 3, 12, 37, 38, 60, 78, 79][..]),
        entries in vec((utf16(), short_name(), any::<[u64; 6]>(), any::<[u32; 4]>(), any::<u128>()), 1..6),
    ) {
        let class = FileInfoClass(class);
        let [with_head, with_ea] = [class != FileInfoClass::NAMES, !matches!(class.0, 1 | 12)];
        let (with_short, with_tag) = (matches!(class.0, 3 | 37 | 79), matches!(class.0, 60 | 78 | 79));
        let id_mask = match class.0 {
            60 => u128::MAX,
            37 | 38 | 78 | 79 => u64::MAX.into(),
            _ => 0,
        };
        let entries: Vec<_> = entries.into_iter().map(|(name, short_name, t, n, id)| {
            let head = DirEntry {
                creation_time: FileTime(t[0]),
                last_access_time: FileTime(t[1]),
                last_write_time: FileTime(t[2]),
                change_time: FileTime(t[3]),
                end_of_file: t[4],
                allocation_size: t[5],
                attributes: FileAttributes::from_bits_retain(n[0]),
                ..DirEntry::default()
            };
            DirEntry {
                file_index: n[1],
                name,
                ea_size: if with_ea { n[2] } else { 0 },
                reparse_tag: if with_tag { n[3] } else { 0 },
                short_name: if with_short { short_name } else { Utf16::default() },
                file_id: id & id_mask,
                ..if with_head { head } else { DirEntry::default() }
            }
        }).collect();
        let mut writer = DirEntryWriter::new(class, usize::MAX).unwrap();
        prop_assert!(entries.iter().all(|entry| writer.push(entry)));
        let bytes = writer.finish();
        let decoded: Vec<_> = DirEntries::new(class, &bytes).unwrap().map(Result::unwrap).collect();
        prop_assert_eq!(&decoded, &entries);
        // One byte less room leaves out the last entry and nothing else.
        let mut writer = DirEntryWriter::new(class, bytes.len() - 1).unwrap();
        let fitting = entries.iter().take_while(|entry| writer.push(entry)).count();
        prop_assert_eq!(fitting, entries.len() - 1);
        let short = writer.finish();
        let again: Vec<_> = DirEntries::new(class, &short).unwrap().map(Result::unwrap).collect();
        prop_assert_eq!(&again[..], &entries[..fitting]);
    }

    #[test]
    fn lists_of_garbage_end(class: u8, bytes in vec(any::<u8>(), 0..400), small in option::of(0..64_u8)) {
        // Small offsets lead into the list more often than random ones.
        let mut bytes = bytes;
        if let Some(small) = small {
            bytes.chunks_exact_mut(4).for_each(|chunk| chunk.copy_from_slice(&[chunk[0] % (small + 1), 0, 0, 0]));
        }
        let bound = bytes.len() / 4 + 1;
        prop_assert!(EaEntries::new(&bytes).count() <= bound);
        prop_assert!(GetEaEntries::new(&bytes).count() <= bound);
        prop_assert!(NotifyEntries::new(&bytes).count() <= bound);
        prop_assert!(StreamEntries::new(&bytes).count() <= bound);
        prop_assert!(QuotaEntries::new(&bytes).count() <= bound);
        prop_assert!(DirEntries::new(FileInfoClass(class), &bytes).into_iter().flatten().count() <= bound);
        for class in 0..=90 {
            if let Some(entries) = DirEntries::new(FileInfoClass(class), &bytes) {
                prop_assert!(entries.count() <= bound);
            }
        }
    }
}
