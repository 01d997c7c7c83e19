//! Packets of the commands on directories, information and changes.

use crate::commands::structure;
use crate::packet::{exact, hex, packet};
use sansmb::wire::dtyp::{Ace, AceFlags, AceType, SecurityDescriptor, SecurityDescriptorControl, Sid};
use sansmb::wire::fscc::{
    DeviceType, DirEntries, DirEntry, DirEntryWriter, EaEntries, EaEntry, EaFlags, EntryWriter,
    FileAccessInfo, FileAllInfo, FileBasicInfo, FileDispositionInfo, FileEndOfFileInfo, FileInfoClass,
    FileLinkInfo, FileNameInfo, FilePositionInfo, FileRenameInfo, FsAttributeInfo, FsAttributes,
    FsDeviceInfo, FsInfoClass, FsSizeInfo, FsVolumeInfo, NotifyAction, NotifyEntries, StreamEntries,
};
use sansmb::wire::{
    AccessMask, ChangeNotifyFlags, ChangeNotifyRequest, ChangeNotifyResponse, CompletionFilter,
    FileAttributes, InfoType, NtStatus, QueryDirectoryFlags, QueryDirectoryRequest, QueryDirectoryResponse,
    QueryInfoRequest, QueryInfoResponse, SecurityInformation, SetInfoRequest, SetInfoResponse, Utf16,
};

fn text(name: Utf16<'_>) -> String {
    name.to_text().unwrap()
}

#[test]
fn query_directory_requests_of_samba() {
    let msg = packet("query_directory/request_id_both");
    let (_, request) = exact::<QueryDirectoryRequest<'_>>(&msg);
    assert_eq!(request.information_class, FileInfoClass::ID_BOTH_DIRECTORY);
    assert_eq!((text(request.pattern).as_str(), request.file_index), ("*", 0));
    let msg = packet("query_directory/request_names");
    let (_, request) = exact::<QueryDirectoryRequest<'_>>(&msg);
    assert_eq!(request.information_class, FileInfoClass::NAMES);
    assert!(QueryDirectoryFlags::REOPEN.contains(request.flags));
}

/// The entries in a response, if they are encoded to the same bytes.
fn entries<'m>(class: FileInfoClass, msg: &'m [u8]) -> Vec<DirEntry<'m>> {
    let (_, response) = exact::<QueryDirectoryResponse<'_>>(msg);
    let entries: Vec<_> = DirEntries::new(class, response.buffer).unwrap().map(Result::unwrap).collect();
    let mut writer = DirEntryWriter::new(class, response.buffer.len()).unwrap();
    assert!(entries.iter().all(|entry| writer.push(entry)));
    assert_eq!(hex(&writer.finish()), hex(response.buffer));
    entries
}

#[test]
fn directory_of_smbd() {
    let msg = packet("query_directory/response_id_both");
    let list = entries(FileInfoClass::ID_BOTH_DIRECTORY, &msg);
    assert_eq!((text(list[0].name).as_str(), text(list[1].name).as_str()), (".", ".."));
    assert!(list[..2].iter().all(|entry| entry.attributes == FileAttributes::DIRECTORY));
    assert!(list[..2].iter().all(|entry| !entry.has_plain_name()));
    assert!(list[2..].iter().all(|entry| entry.has_plain_name() && entry.file_id != 0));
    let msg = packet("query_directory/response_names");
    let names: Vec<_> = entries(FileInfoClass::NAMES, &msg).iter().map(|entry| text(entry.name)).collect();
    assert_eq!(names, [".", "..", "creator.txt"]);
}

#[test]
fn changes_of_samba() {
    let msg = packet("change_notify/request");
    let (_, request) = exact::<ChangeNotifyRequest>(&msg);
    assert_eq!(request.completion_filter, CompletionFilter::from_bits_retain(0xFFF));
    let msg = packet("change_notify/request_tree");
    let (_, request) = exact::<ChangeNotifyRequest>(&msg);
    assert_eq!(request.flags, ChangeNotifyFlags::WATCH_TREE);
    let msg = packet("change_notify/response");
    let (_, response) = exact::<ChangeNotifyResponse<'_>>(&msg);
    let list: Vec<_> = NotifyEntries::new(response.buffer)
        .map(|entry| entry.map(|entry| (entry.action, text(entry.name))).unwrap())
        .collect();
    let expected = [
        (NotifyAction::RENAMED_OLD_NAME, "n.txt".to_owned()),
        (NotifyAction::RENAMED_NEW_NAME, "o.txt".to_owned()),
    ];
    assert_eq!(list, expected);
    let msg = packet("change_notify/response_cleanup");
    let (header, response) = exact::<ChangeNotifyResponse<'_>>(&msg);
    assert_eq!((header.status, response.buffer), (NtStatus::NOTIFY_CLEANUP, &[][..]));
}

fn query(name: &str) -> (InfoType, u8, SecurityInformation) {
    let msg = packet(name);
    let (_, request) = exact::<QueryInfoRequest<'_>>(&msg);
    assert!(request.input.is_empty() && request.output_buffer_length > 0);
    (request.info_type, request.info_class, request.additional_information)
}

fn info(name: &str) -> Vec<u8> {
    let msg = packet(&format!("query_info/response_{name}"));
    exact::<QueryInfoResponse<'_>>(&msg).1.buffer.to_vec()
}

#[test]
fn information_about_files_of_samba() {
    let (info_type, class, _) = query("query_info/request_all");
    assert_eq!((info_type, class), (InfoType::FILE, FileInfoClass::ALL.0));
    let buffer = info("all");
    let all: FileAllInfo<'_> = structure(&buffer);
    assert!(text(all.name).starts_with('\\') && !all.standard.directory);
    assert_eq!(all.basic.attributes, FileAttributes::ARCHIVE);
    let access: FileAccessInfo = structure(&info("access"));
    assert!(AccessMask::FILE_ALL_ACCESS.contains(access.access_flags));
    assert_eq!(structure::<FilePositionInfo>(&info("position")).current_byte_offset, 0);
    let buffer = info("alternate_name");
    assert_eq!(text(structure::<FileNameInfo<'_>>(&buffer).name), "hello.txt");
    let buffer = info("normalized_name");
    assert!(structure::<FileNameInfo<'_>>(&buffer).name.is_empty());
    let buffer = info("streams");
    let streams: Vec<_> = StreamEntries::new(&buffer).map(Result::unwrap).collect();
    assert_eq!(streams.iter().map(|stream| text(stream.name)).collect::<Vec<_>>(), [":foo:$DATA", "::$DATA"]);
    assert_eq!((streams[1].size, streams[1].allocation_size), (0, 4096));
    let mut writer = EntryWriter::new(buffer.len());
    assert!(streams.iter().all(|stream| writer.push(stream)));
    assert_eq!(writer.finish(), buffer);
    assert_eq!(StreamEntries::new(&info("streams_none")).count(), 0);
    let (info_type, class, _) = query("query_info/request_ea");
    assert_eq!((info_type, class), (InfoType::FILE, FileInfoClass::FULL_EA.0));
    let buffer = info("ea");
    let attributes: Vec<_> = EaEntries::new(&buffer).map(Result::unwrap).collect();
    assert_eq!(attributes, [EaEntry { flags: EaFlags::empty(), name: b"void", value: b"testme" }]);
}

#[test]
fn information_about_volumes_of_smbd() {
    let buffer = info("fs_volume");
    let volume: FsVolumeInfo<'_> = structure(&buffer);
    assert_eq!(text(volume.label), "share");
    let size: FsSizeInfo = structure(&info("fs_size"));
    assert!(size.available_allocation_units <= size.total_allocation_units);
    assert_eq!(size.bytes_per_sector, 512);
    assert_eq!(structure::<FsDeviceInfo>(&info("fs_device")).device_type, DeviceType::DISK);
    let buffer = info("fs_attribute");
    let attributes: FsAttributeInfo<'_> = structure(&buffer);
    assert_eq!((text(attributes.name).as_str(), attributes.maximum_component_name_length), ("NTFS", 255));
    assert!(attributes.attributes.contains(FsAttributes::UNICODE_ON_DISK | FsAttributes::NAMED_STREAMS));
    assert_eq!(FsInfoClass::ATTRIBUTE.0, 5);
}

#[test]
fn security_descriptors_of_samba() {
    let (info_type, class, parts) = query("query_info/request_security");
    assert_eq!((info_type, class), (InfoType::SECURITY, 0));
    assert!(parts.contains(SecurityInformation::DACL));
    let buffer = info("security");
    let sd: SecurityDescriptor<'_> = structure(&buffer);
    assert!(sd.control.contains(SecurityDescriptorControl::SELF_RELATIVE) && !sd.has_null_dacl());
    let aces: Vec<_> = sd.dacl.unwrap().aces.iter().collect();
    assert!(aces.iter().any(|ace| ace.sid() == Some(&Sid::EVERYONE)));
    let msg = packet("set_info/request_security");
    let (_, set) = exact::<SetInfoRequest<'_>>(&msg);
    let sd: SecurityDescriptor<'_> = structure(set.buffer);
    let aces: Vec<Ace<'_>> = sd.dacl.unwrap().aces.iter().collect();
    assert!(!aces.is_empty() && aces.iter().all(|ace| ace.ace_type == AceType::ACCESS_ALLOWED));
    assert!(aces.iter().all(|ace| ace.flags == AceFlags::empty()));
}

fn set(name: &str, class: FileInfoClass) -> Vec<u8> {
    let msg = packet(&format!("set_info/request_{name}"));
    let (_, request) = exact::<SetInfoRequest<'_>>(&msg);
    assert_eq!((request.info_type, request.info_class), (InfoType::FILE, class.0));
    request.buffer.to_vec()
}

#[test]
fn set_info_of_samba() {
    let basic: FileBasicInfo = structure(&set("basic", FileInfoClass::BASIC));
    assert_ne!(basic, FileBasicInfo::default());
    let buffer = set("rename", FileInfoClass::RENAME);
    let rename: FileRenameInfo<'_> = structure(&buffer);
    assert_eq!((rename.root_directory, rename.replace_if_exists), (0, false));
    assert!(!rename.name.is_empty());
    let buffer = set("link", FileInfoClass::LINK);
    let link: FileLinkInfo<'_> = structure(&buffer);
    assert!(!link.name.is_empty() && !link.replace_if_exists);
    assert!(structure::<FileDispositionInfo>(&set("disposition", FileInfoClass::DISPOSITION)).delete_pending);
    let end: FileEndOfFileInfo = structure(&set("end_of_file", FileInfoClass::END_OF_FILE));
    assert!(end.end_of_file < 1 << 32);
    let buffer = set("full_ea", FileInfoClass::FULL_EA);
    assert_eq!(EaEntries::new(&buffer).map(Result::unwrap).count(), 1);
    exact::<SetInfoResponse>(&packet("set_info/response"));
}
