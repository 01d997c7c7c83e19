//! QUERY_INFO and SET_INFO.

use sansmb::wire::{dtyp::SecurityDescriptor, fscc::*, *};

use crate::common::{World, requests::*};

#[test]
fn o13_buffers_hold_the_fixed_part_or_are_refused() {
    let mut world = World::new();
    let mut client = world.client_of_dialect(Dialect::SMB3_1_1);
    client.put(&mut world, "name.txt", b"data");
    let file = client.open(&mut world, "name.txt", open());
    for (class, fixed) in [
        (FileInfoClass::BASIC, 40),
        (FileInfoClass::STANDARD, 24),
        (FileInfoClass::INTERNAL, 8),
        (FileInfoClass::EA, 4),
        (FileInfoClass::ACCESS, 4),
        (FileInfoClass::POSITION, 8),
        (FileInfoClass::MODE, 4),
        (FileInfoClass::ALIGNMENT, 4),
        (FileInfoClass::NETWORK_OPEN, 56),
        (FileInfoClass::ATTRIBUTE_TAG, 8),
        (FileInfoClass::COMPRESSION, 16),
        (FileInfoClass::ID, 24),
    ] {
        assert_eq!(client.info(&mut world, file, class).len(), fixed, "{class:?}");
        let short = client.query(&mut world, file, InfoType::FILE, class.0, fixed as u32 - 1);
        assert_eq!(short.status(), NtStatus::INFO_LENGTH_MISMATCH, "{class:?}");
    }
    for (class, fixed, whole) in
        [(FileInfoClass::ALL, 104, 100 + 18), (FileInfoClass::NORMALIZED_NAME, 8, 4 + 16)]
    {
        assert_eq!(client.info(&mut world, file, class).len(), whole, "{class:?}");
        let short = client.query(&mut world, file, InfoType::FILE, class.0, fixed - 1);
        assert_eq!(short.status(), NtStatus::INFO_LENGTH_MISMATCH, "{class:?}");
        let cut = client.query(&mut world, file, InfoType::FILE, class.0, fixed + 2);
        assert_eq!(cut.status(), NtStatus::BUFFER_OVERFLOW, "{class:?}");
        assert_eq!(cut.body::<QueryInfoResponse<'_>>().buffer.len(), fixed as usize + 2);
    }
    // Of streams there are whole entries only.
    let stream = FileInfoClass::STREAM;
    assert_eq!(client.info(&mut world, file, stream).len(), 24 + 14);
    let short = client.query(&mut world, file, InfoType::FILE, stream.0, 31);
    assert_eq!(short.status(), NtStatus::INFO_LENGTH_MISMATCH);
    let cut = client.query(&mut world, file, InfoType::FILE, stream.0, 34);
    assert_eq!(cut.status(), NtStatus::BUFFER_OVERFLOW);
    assert!(cut.body::<QueryInfoResponse<'_>>().buffer.is_empty());
}

/// [MS-SMB2] 3.3.5.20.1.
#[test]
fn normalized_names_are_for_3_1_1() {
    let mut world = World::new();
    for dialect in [Dialect::SMB2_1, Dialect::SMB3_0, Dialect::SMB3_0_2] {
        let mut client = world.client_of_dialect(dialect);
        let file = client.open(&mut world, "file", ALL);
        let name = FileInfoClass::NORMALIZED_NAME.0;
        let status = client.query(&mut world, file, InfoType::FILE, name, 100).status();
        assert_eq!(status, NtStatus::NOT_SUPPORTED, "{dialect:?}");
        world.drop_client(&client);
    }
    world.assert_empty();
}

#[test]
fn classes_that_files_do_not_have_are_refused() {
    let mut world = World::new();
    let mut client = world.client();
    let file = client.open(&mut world, "file", ALL);
    for (info_type, class, status) in [
        (InfoType::FILE, FileInfoClass::ALTERNATE_NAME.0, NtStatus::OBJECT_NAME_NOT_FOUND),
        (InfoType::FILE, FileInfoClass::FULL_EA.0, NtStatus::NO_EAS_ON_FILE),
        (InfoType::FILE, FileInfoClass::PIPE_LOCAL.0, NtStatus::INVALID_PARAMETER),
        (InfoType::FILE, FileInfoClass::RENAME.0, NtStatus::INVALID_INFO_CLASS),
        (InfoType::FILE, FileInfoClass::NAMES.0, NtStatus::INVALID_INFO_CLASS),
        (InfoType::FILE, FileInfoClass::QUOTA.0, NtStatus::INVALID_PARAMETER),
        (InfoType::FILE, FileInfoClass::NAME.0, NtStatus::NOT_SUPPORTED),
        (InfoType::FILE, FileInfoClass::OBJECT_ID.0, NtStatus::NOT_SUPPORTED),
        (InfoType::FILE, FileInfoClass::HARD_LINK.0, NtStatus::NOT_SUPPORTED),
        (InfoType::FILE, FileInfoClass::STANDARD_LINK.0, NtStatus::NOT_SUPPORTED),
        (InfoType::FILE, FileInfoClass::REPARSE_POINT.0, NtStatus::NOT_SUPPORTED),
        (InfoType::FILESYSTEM, FsInfoClass::LABEL.0, NtStatus::NOT_SUPPORTED),
        (InfoType::FILESYSTEM, FsInfoClass::DRIVER_PATH.0, NtStatus::NOT_SUPPORTED),
        (InfoType::FILE, 200, NtStatus::INVALID_INFO_CLASS),
        (InfoType::FILESYSTEM, 99, NtStatus::INVALID_INFO_CLASS),
        (InfoType::QUOTA, 0, NtStatus::INVALID_PARAMETER),
        (InfoType(9), 0, NtStatus::INVALID_PARAMETER),
    ] {
        let response = client.query(&mut world, file, info_type, class, 1000);
        assert_eq!(response.status(), status, "{info_type:?} {class}");
    }
    assert_eq!(
        client.set_bytes(&mut world, file, FileInfoClass::FULL_EA, &[0; 16]),
        NtStatus::INVALID_EA_NAME
    );
    assert_eq!(
        client.set_bytes(&mut world, file, FileInfoClass::ALL, &[0; 200]),
        NtStatus::INVALID_INFO_CLASS
    );
    let short = Utf16Buf::new("SHORT~1");
    let short = FileNameInfo { name: short.as_utf16() }.to_vec();
    for (class, buffer, status) in [
        (FileInfoClass::SHORT_NAME, &short[..], NtStatus::SHORT_NAMES_NOT_ENABLED_ON_VOLUME),
        (FileInfoClass::SHORT_NAME, &short[..3], NtStatus::INFO_LENGTH_MISMATCH),
        (FileInfoClass::QUOTA, &[0; 100], NtStatus::INVALID_PARAMETER),
        (FileInfoClass::OBJECT_ID, &[0; 100], NtStatus::NOT_SUPPORTED),
        (FileInfoClass::PIPE, &[0; 100], NtStatus::INVALID_PARAMETER),
        (FileInfoClass::STANDARD, &[0; 100], NtStatus::INVALID_INFO_CLASS),
    ] {
        assert_eq!(client.set_bytes(&mut world, file, class, buffer), status, "{class:?}");
    }
}

#[test]
fn volumes_describe_themselves() {
    let mut world = World::new();
    let mut client = world.client();
    let root = client.open(&mut world, "", open());
    let mut fs = |world: &mut World, class: FsInfoClass, length| {
        let response = client.query(world, root, InfoType::FILESYSTEM, class.0, length);
        let status = response.status();
        (
            status,
            if status.is_error() { vec![] } else { response.body::<QueryInfoResponse<'_>>().buffer.to_vec() },
        )
    };
    let (_, volume) = fs(&mut world, FsInfoClass::VOLUME, 1000);
    assert_eq!(FsVolumeInfo::decode(&volume).unwrap().label.to_text().unwrap(), "memory");
    let (_, attribute) = fs(&mut world, FsInfoClass::ATTRIBUTE, 1000);
    let attribute = FsAttributeInfo::decode(&attribute).unwrap();
    assert_eq!(attribute.name.to_text().unwrap(), "NTFS");
    assert_eq!(attribute.maximum_component_name_length, 255);
    let (_, size) = fs(&mut world, FsInfoClass::FULL_SIZE, 1000);
    let size = FsFullSizeInfo::decode(&size).unwrap();
    let unit = u64::from(size.sectors_per_allocation_unit * size.bytes_per_sector);
    assert_eq!(size.total_allocation_units * unit, 1 << 30);
    for (class, fixed) in [
        (FsInfoClass::VOLUME, 24),
        (FsInfoClass::SIZE, 24),
        (FsInfoClass::DEVICE, 8),
        (FsInfoClass::ATTRIBUTE, 16),
        (FsInfoClass::CONTROL, 48),
        (FsInfoClass::FULL_SIZE, 32),
        (FsInfoClass::OBJECT_ID, 64),
        (FsInfoClass::SECTOR_SIZE, 28),
    ] {
        assert_eq!(fs(&mut world, class, fixed - 1).0, NtStatus::INFO_LENGTH_MISMATCH, "{class:?}");
        assert!(!fs(&mut world, class, fixed).0.is_error(), "{class:?}");
    }
}

#[test]
fn basic_information_sets_what_it_names() {
    let mut world = World::new();
    let mut client = world.client();
    let file = client.open(&mut world, "file", ALL);
    let before = client.basic(&mut world, file);
    let set = FileBasicInfo {
        creation_time: FileTime(1000),
        last_write_time: FileTime(2000),
        attributes: FileAttributes::HIDDEN,
        ..Default::default()
    };
    assert_eq!(client.set(&mut world, file, &set), NtStatus::SUCCESS);
    let after = client.basic(&mut world, file);
    assert_eq!((after.creation_time, after.last_write_time), (FileTime(1000), FileTime(2000)));
    assert_eq!(after.last_access_time, before.last_access_time);
    assert_eq!(after.attributes, FileAttributes::HIDDEN);
    let normal = FileBasicInfo { attributes: FileAttributes::NORMAL, ..Default::default() };
    assert_eq!(client.set(&mut world, file, &normal), NtStatus::SUCCESS);
    assert_eq!(client.basic(&mut world, file).attributes, FileAttributes::NORMAL);
    // A time that was set stays, whatever is written through the same handle.
    assert_eq!(client.write(&mut world, file, 0, b"data"), NtStatus::SUCCESS);
    client.close(&mut world, file);
    let file = client.open(&mut world, "file", open());
    assert_eq!(client.basic(&mut world, file).last_write_time, FileTime(2000));
    // Frozen as it is, and thawed again.
    let time = |time| FileBasicInfo { last_write_time: FileTime(time), ..Default::default() };
    assert_eq!(client.set(&mut world, file, &time(u64::MAX)), NtStatus::SUCCESS);
    client.write(&mut world, file, 0, b"more");
    client.close(&mut world, file);
    let file = client.open(&mut world, "file", open());
    assert_eq!(client.basic(&mut world, file).last_write_time, FileTime(2000));
    client.set(&mut world, file, &time(u64::MAX));
    client.set(&mut world, file, &time(u64::MAX - 1));
    client.write(&mut world, file, 0, b"more");
    client.close(&mut world, file);
    let file = client.open(&mut world, "file", open());
    assert!(client.basic(&mut world, file).last_write_time > FileTime(2000));
    for bad in [
        time(u64::MAX - 2),
        time(1 << 63),
        FileBasicInfo { attributes: FileAttributes::DIRECTORY, ..Default::default() },
    ] {
        assert_eq!(client.set(&mut world, file, &bad), NtStatus::INVALID_PARAMETER, "{bad:?}");
    }
    let short = client.set_bytes(&mut world, file, FileInfoClass::BASIC, &[0; 39]);
    assert_eq!(short, NtStatus::INFO_LENGTH_MISMATCH);
}

#[test]
fn lengths_are_set_and_space_is_reserved() {
    let mut world = World::new();
    let mut client = world.client();
    client.put(&mut world, "file", b"0123456789");
    let file = client.open(&mut world, "file", open());
    assert_eq!(client.set(&mut world, file, &FileEndOfFileInfo { end_of_file: 4 }), NtStatus::SUCCESS);
    assert_eq!(client.read(&mut world, file, 0, 100), Ok(b"0123".to_vec()));
    assert_eq!(client.set(&mut world, file, &FileEndOfFileInfo { end_of_file: 6 }), NtStatus::SUCCESS);
    assert_eq!(client.read(&mut world, file, 0, 100), Ok(b"0123\0\0".to_vec()));
    assert_eq!(
        client.set(&mut world, file, &FileAllocationInfo { allocation_size: 65536 }),
        NtStatus::SUCCESS
    );
    assert_eq!(client.standard(&mut world, file).end_of_file, 6);
    assert_eq!(client.set(&mut world, file, &FileAllocationInfo { allocation_size: 2 }), NtStatus::SUCCESS);
    assert_eq!(client.read(&mut world, file, 0, 100), Ok(b"01".to_vec()));
    let too_long = FileEndOfFileInfo { end_of_file: 1 << 63 };
    assert_eq!(client.set(&mut world, file, &too_long), NtStatus::INVALID_PARAMETER);
    let vdl = |valid_data_length| FileValidDataLengthInfo { valid_data_length };
    assert_eq!(client.set(&mut world, file, &vdl(2)), NtStatus::SUCCESS);
    assert_eq!(client.set(&mut world, file, &vdl(3)), NtStatus::INVALID_PARAMETER);
    let position = FilePositionInfo { current_byte_offset: 77 };
    assert_eq!(client.set(&mut world, file, &position), NtStatus::SUCCESS);
    let got = client.info(&mut world, file, FileInfoClass::POSITION);
    assert_eq!(FilePositionInfo::decode(&got).unwrap(), position);
    assert_eq!(client.set(&mut world, file, &FileModeInfo { mode: 2 }), NtStatus::SUCCESS);
    assert_eq!(client.set(&mut world, file, &FileModeInfo { mode: 0x30 }), NtStatus::INVALID_PARAMETER);
    assert_eq!(client.set(&mut world, file, &FileModeInfo { mode: 0x1000 }), NtStatus::INVALID_PARAMETER);
    let dir = client.open(&mut world, "dir", directory());
    let eof = FileEndOfFileInfo { end_of_file: 1 };
    assert_eq!(client.set(&mut world, dir, &eof), NtStatus::INVALID_PARAMETER);
}

#[test]
fn renames_move_files_and_directories() {
    let mut world = World::new();
    let mut client = world.client_of_dialect(Dialect::SMB3_1_1);
    client.put(&mut world, "file", b"data");
    let dir = client.open(&mut world, "dir", directory().access(AccessMask::FILE_GENERIC_READ));
    let file = client.open(&mut world, "file", open());
    let twin = client.open(&mut world, "file", open());
    assert_eq!(client.rename(&mut world, file, r"dir\moved", false), NtStatus::SUCCESS);
    let name = client.info(&mut world, twin, FileInfoClass::NORMALIZED_NAME);
    assert_eq!(FileNameInfo::decode(&name).unwrap().name.to_text().unwrap(), r"dir\moved");
    client.close(&mut world, dir);
    let dir = client.open(&mut world, "dir", open());
    assert_eq!(
        client.rename(&mut world, dir, "folder", false),
        NtStatus::ACCESS_DENIED,
        "not empty of opens"
    );
    client.close(&mut world, file);
    // The other handle still finds what to delete.
    assert_eq!(client.delete_pending(&mut world, twin, true), NtStatus::SUCCESS);
    client.close(&mut world, twin);
    assert_eq!(client.create_status(&mut world, r"dir\moved", open()), NtStatus::OBJECT_NAME_NOT_FOUND);
    assert_eq!(client.create_status(&mut world, "file", open()), NtStatus::OBJECT_NAME_NOT_FOUND);
    assert_eq!(client.rename(&mut world, dir, "folder", false), NtStatus::SUCCESS);
    assert_eq!(client.rename(&mut world, dir, r"folder\in\itself", false), NtStatus::ACCESS_DENIED);
    assert_eq!(client.rename(&mut world, dir, "FOLDER", false), NtStatus::SUCCESS);
    assert_eq!(client.rename(&mut world, dir, "FOLDER", false), NtStatus::SUCCESS);
    let name = client.info(&mut world, dir, FileInfoClass::NORMALIZED_NAME);
    assert_eq!(FileNameInfo::decode(&name).unwrap().name.to_text().unwrap(), "FOLDER");
    world.drop_client(&client);
    world.assert_empty();
}

#[test]
fn renames_replace_only_what_may_go() {
    let mut world = World::new();
    let mut client = world.client();
    for name in ["one", "two", "three", "ro"] {
        client.put(&mut world, name, name.as_bytes());
    }
    let dir = client.open(&mut world, "dir", directory());
    client.close(&mut world, dir);
    let ro = client.open(&mut world, "ro", open());
    let readonly = FileBasicInfo { attributes: FileAttributes::READONLY, ..Default::default() };
    client.set(&mut world, ro, &readonly);
    client.close(&mut world, ro);
    let one = client.open(&mut world, "one", open());
    let three = client.open(&mut world, "three", open());
    for (to, replace, status) in [
        ("two", false, NtStatus::OBJECT_NAME_COLLISION),
        ("three", true, NtStatus::ACCESS_DENIED),
        ("dir", true, NtStatus::ACCESS_DENIED),
        ("ro", true, NtStatus::ACCESS_DENIED),
        (r"missing\x", true, NtStatus::OBJECT_PATH_NOT_FOUND),
        ("two", true, NtStatus::SUCCESS),
    ] {
        assert_eq!(client.rename(&mut world, one, to, replace), status, "{to} {replace}");
    }
    client.delete_pending(&mut world, three, true);
    assert_eq!(client.rename(&mut world, one, "three", true), NtStatus::DELETE_PENDING);
    client.close(&mut world, one);
    assert_eq!(client.get(&mut world, "two"), b"one");
    assert_eq!(client.create_status(&mut world, "one", open()), NtStatus::OBJECT_NAME_NOT_FOUND);
    let name = Utf16Buf::new("ro");
    let two = client.open(&mut world, "two", open());
    let flags = RenameFlags::REPLACE_IF_EXISTS | RenameFlags::IGNORE_READONLY_ATTRIBUTE;
    let info = FileRenameInfoEx { flags, root_directory: 0, name: name.as_utf16() };
    assert_eq!(client.set(&mut world, two, &info), NtStatus::SUCCESS);
}

#[test]
fn a_directory_that_is_open_for_deletion_takes_no_files() {
    let mut world = World::new();
    let mut client = world.client();
    let dir = client.open(&mut world, "dir", directory().access(AccessMask::DELETE));
    client.put(&mut world, "file", b"");
    let file = client.open(&mut world, "file", open());
    assert_eq!(client.rename(&mut world, file, r"dir\file", false), NtStatus::SHARING_VIOLATION);
    let sub = client.open(&mut world, "sub", directory());
    assert_eq!(client.rename(&mut world, sub, r"dir\sub", false), NtStatus::SUCCESS, "but directories");
    client.close(&mut world, dir);
    assert_eq!(client.rename(&mut world, file, r"dir\file", false), NtStatus::SUCCESS);
}

#[test]
fn o14_renames_that_lie_are_refused() {
    let mut world = World::new();
    let mut client = world.client();
    let file = client.open(&mut world, "file", ALL);
    let name = Utf16Buf::new("other");
    let good = FileRenameInfo { replace_if_exists: false, root_directory: 0, name: name.as_utf16() }.to_vec();
    let mut set = |world: &mut World, change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = good.clone();
        change(&mut bytes);
        client.set_bytes(world, file, FileInfoClass::RENAME, &bytes)
    };
    assert_eq!(set(&mut world, &|b| b[16] = 200), NtStatus::INVALID_PARAMETER);
    assert_eq!(set(&mut world, &|b| b[16..20].fill(0xFF)), NtStatus::INVALID_PARAMETER);
    assert_eq!(set(&mut world, &|b| b[16] = 9), NtStatus::INVALID_PARAMETER);
    assert_eq!(set(&mut world, &|b| b[16] = 0), NtStatus::INVALID_PARAMETER);
    assert_eq!(set(&mut world, &|b| b[8] = 1), NtStatus::INVALID_PARAMETER);
    assert_eq!(set(&mut world, &|b| b.truncate(19)), NtStatus::INFO_LENGTH_MISMATCH);
    assert_eq!(set(&mut world, &|b| b.clear()), NtStatus::INFO_LENGTH_MISMATCH);
    // Padding behind the name is nobody's business.
    assert_eq!(set(&mut world, &|b| b.extend([0xFF; 40])), NtStatus::SUCCESS);
}

#[test]
fn hard_links_are_names_of_their_own() {
    let mut world = World::new();
    let mut client = world.client();
    client.put(&mut world, "one", b"data");
    let one = client.open(&mut world, "one", open());
    let name = Utf16Buf::new("two");
    let link = FileLinkInfo { replace_if_exists: false, root_directory: 0, name: name.as_utf16() };
    assert_eq!(client.set(&mut world, one, &link), NtStatus::SUCCESS);
    assert_eq!(client.set(&mut world, one, &link), NtStatus::OBJECT_NAME_COLLISION);
    assert_eq!(client.standard(&mut world, one).number_of_links, 2);
    client.delete_pending(&mut world, one, true);
    let two = client.open(&mut world, "two", open());
    assert_eq!(client.create_status(&mut world, "one", open()), NtStatus::DELETE_PENDING);
    client.close(&mut world, one);
    assert_eq!(client.create_status(&mut world, "one", open()), NtStatus::OBJECT_NAME_NOT_FOUND);
    assert_eq!(client.read(&mut world, two, 0, 10), Ok(b"data".to_vec()));
    world.drop_client(&client);
    world.assert_empty();
}

/// [MS-FSA] 2.1.5.15.7; smbclient makes its links so.
#[test]
fn a_backslash_in_front_of_a_link_is_the_root() {
    let mut world = World::new();
    let mut client = world.client();
    client.put(&mut world, "one", b"data");
    let one = client.open(&mut world, "one", ALL);
    let two = Utf16Buf::new(r"\two");
    let link = FileLinkInfo { replace_if_exists: false, root_directory: 0, name: two.as_utf16() };
    assert_eq!(client.set(&mut world, one, &link), NtStatus::SUCCESS);
    assert_eq!(client.create_status(&mut world, "two", open()), NtStatus::SUCCESS);
    let twice = Utf16Buf::new(r"\\four");
    let link = FileLinkInfo { replace_if_exists: false, root_directory: 0, name: twice.as_utf16() };
    assert_eq!(client.set(&mut world, one, &link), NtStatus::INVALID_PARAMETER);
}

#[test]
fn extended_dispositions_are_understood() {
    let mut world = World::new();
    let mut client = world.client();
    let file = client.open(&mut world, "file", ALL.attributes(FileAttributes::READONLY));
    let ex = |flags| FileDispositionInfoEx { flags };
    assert_eq!(client.set(&mut world, file, &ex(DispositionFlags::DELETE)), NtStatus::CANNOT_DELETE);
    let ignore = DispositionFlags::DELETE | DispositionFlags::IGNORE_READONLY_ATTRIBUTE;
    assert_eq!(client.set(&mut world, file, &ex(ignore)), NtStatus::SUCCESS);
    assert_eq!(client.set(&mut world, file, &ex(DispositionFlags::empty())), NtStatus::SUCCESS);
    let on_close = DispositionFlags::ON_CLOSE;
    assert_eq!(client.set(&mut world, file, &ex(on_close)), NtStatus::NOT_SUPPORTED);
    let doc = client.open(&mut world, "doc", ALL.options(CreateOptions::DELETE_ON_CLOSE));
    assert_eq!(client.set(&mut world, doc, &ex(on_close)), NtStatus::SUCCESS);
    client.close(&mut world, doc);
    assert_eq!(client.create_status(&mut world, "doc", open()), NtStatus::SUCCESS);
}

#[test]
fn security_descriptors_are_shown_in_parts() {
    let mut world = World::new();
    let mut client = world.client();
    let file = client.open(&mut world, "file", ALL);
    let query = |additional_information, output_buffer_length| QueryInfoRequest {
        info_type: InfoType::SECURITY,
        additional_information,
        output_buffer_length,
        file_id: file,
        ..Default::default()
    };
    let all = SecurityInformation::OWNER | SecurityInformation::GROUP | SecurityInformation::DACL;
    let response = client.call(&mut world, Command::QUERY_INFO, &query(all, 1000));
    let buffer = response.body::<QueryInfoResponse<'_>>().buffer.to_vec();
    let descriptor = SecurityDescriptor::decode(&buffer).unwrap();
    assert!(descriptor.owner.is_some() && descriptor.group.is_some());
    let aces: Vec<_> = descriptor.dacl.unwrap().aces.iter().collect();
    assert_eq!(aces[0].mask(), Some(AccessMask::FILE_ALL_ACCESS));
    let response = client.call(&mut world, Command::QUERY_INFO, &query(SecurityInformation::OWNER, 1000));
    let owner = response.body::<QueryInfoResponse<'_>>();
    let owner = SecurityDescriptor::decode(owner.buffer).unwrap();
    assert!(owner.owner.is_some() && owner.group.is_none() && owner.dacl.is_none());
    let short = client.call(&mut world, Command::QUERY_INFO, &query(all, 10));
    assert_eq!(short.status(), NtStatus::BUFFER_TOO_SMALL);
    let error = ErrorResponse::decode(&short.bytes).unwrap();
    assert_eq!(error.required_length(), Some(buffer.len() as u32));
    let sacl = client.call(&mut world, Command::QUERY_INFO, &query(SecurityInformation::SACL, 1000));
    assert_eq!(sacl.status(), NtStatus::ACCESS_DENIED);
    let mut set = |world: &mut World, which, buffer: &[u8]| {
        let request = SetInfoRequest {
            info_type: InfoType::SECURITY,
            additional_information: which,
            file_id: file,
            buffer,
            ..Default::default()
        };
        client.status(world, Command::SET_INFO, &request)
    };
    assert_eq!(set(&mut world, all, &buffer), NtStatus::SUCCESS);
    assert_eq!(set(&mut world, all, &buffer[..10]), NtStatus::INVALID_SECURITY_DESCR);
    assert_eq!(set(&mut world, SecurityInformation::SACL, &buffer), NtStatus::ACCESS_DENIED);
}
