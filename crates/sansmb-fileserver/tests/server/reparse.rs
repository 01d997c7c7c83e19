//! Reparse points and symbolic links.

use sansmb::wire::{fscc::*, fsctl::*, *};

use crate::common::{Client, World, requests::*};

fn symlink(target: &str) -> Vec<u8> {
    let name = Utf16Buf::new(target);
    let (substitute_name, print_name) = (name.as_utf16(), name.as_utf16());
    ReparseData::Symlink { substitute_name, print_name, flags: SymlinkFlags::RELATIVE }.to_vec()
}

fn raw(tag: u32, data: &[u8]) -> Vec<u8> {
    ReparseData::Raw { tag: ReparseTag(tag), data }.to_vec()
}

fn with_guid(guid: u8, data: &[u8]) -> Vec<u8> {
    ReparseData::Guid { tag: ReparseTag(0x0000_1234), guid: Guid([guid; 16]), data }.to_vec()
}

fn itself() -> Create<'static> {
    open().options(CreateOptions::OPEN_REPARSE_POINT)
}

fn set(client: &mut Client, world: &mut World, file: FileId, data: &[u8]) -> NtStatus {
    client.ioctl(world, file, CtlCode::SET_REPARSE_POINT, data, 0).status()
}

fn get(client: &mut Client, world: &mut World, file: FileId, limit: u32) -> (NtStatus, Vec<u8>) {
    let response = client.ioctl(world, file, CtlCode::GET_REPARSE_POINT, &[], limit);
    let output = IoctlResponse::decode(&response.bytes).map(|body| body.output.to_vec());
    (response.status(), output.unwrap_or_default())
}

fn delete(client: &mut Client, world: &mut World, file: FileId, data: &[u8]) -> NtStatus {
    client.ioctl(world, file, CtlCode::DELETE_REPARSE_POINT, data, 0).status()
}

#[test]
fn a_symbolic_link_stops_opens_and_says_where_it_leads() {
    let mut world = World::new();
    let mut client = world.client();
    let dir = client.open(&mut world, "dir", directory());
    client.close(&mut world, dir);
    let link = client.open(&mut world, r"dir\link", directory());
    assert_eq!(set(&mut client, &mut world, link, &symlink(r"..\target")), NtStatus::SUCCESS);
    client.close(&mut world, link);
    for (name, unparsed) in
        [(r"dir\link", 0), (r"DIR\Link", 0), (r"dir\link\a", 4), (r"dir\link\a\größe", 16)]
    {
        for how in [open(), ALL, open().options(CreateOptions::DIRECTORY_FILE)] {
            let response = client.create(&mut world, name, how);
            assert_eq!(response.status(), NtStatus::STOPPED_ON_SYMLINK, "{name}");
            let error = ErrorResponse::decode(&response.bytes).unwrap();
            let told = SymbolicLinkErrorResponse::decode(error.error_data()).unwrap();
            assert_eq!(told.substitute_name.to_text().unwrap(), r"..\target");
            assert_eq!(told.unparsed_path_length, unparsed, "{name}");
            assert_eq!(told.flags, SymlinkFlags::RELATIVE);
        }
    }
    let link = client.open(&mut world, r"dir\link", itself());
    let basic = client.basic(&mut world, link);
    assert_eq!(basic.attributes, FileAttributes::DIRECTORY | FileAttributes::REPARSE_POINT);
    let tag = client.info(&mut world, link, FileInfoClass::ATTRIBUTE_TAG);
    assert_eq!(FileAttributeTagInfo::decode(&tag).unwrap().reparse_tag, ReparseTag::SYMLINK.0);
    assert_eq!(get(&mut client, &mut world, link, 1000), (NtStatus::SUCCESS, symlink(r"..\target")));
    // It goes away like any other directory.
    assert_eq!(client.delete_pending(&mut world, link, true), NtStatus::SUCCESS);
    client.close(&mut world, link);
    assert_eq!(client.create_status(&mut world, r"dir\link", itself()), NtStatus::OBJECT_NAME_NOT_FOUND);
    world.drop_client(&client);
    world.assert_empty();
}

#[test]
fn other_tags_are_for_others() {
    let mut world = World::new();
    let mut client = world.client();
    let file = client.open(&mut world, "file", ALL);
    assert_eq!(set(&mut client, &mut world, file, &raw(0x8000_0014, &[7; 20])), NtStatus::SUCCESS);
    assert_eq!(client.create_status(&mut world, "file", open()), NtStatus::IO_REPARSE_TAG_NOT_HANDLED);
    assert_eq!(client.create_status(&mut world, r"file\x", open()), NtStatus::IO_REPARSE_TAG_NOT_HANDLED);
    assert_eq!(client.create_status(&mut world, "file", itself()), NtStatus::SUCCESS);
    let (status, cut) = get(&mut client, &mut world, file, 10);
    assert_eq!((status, cut.len()), (NtStatus::BUFFER_OVERFLOW, 10));
    assert_eq!(get(&mut client, &mut world, file, 7).0, NtStatus::BUFFER_TOO_SMALL);
    // The same tag may get other data.
    assert_eq!(set(&mut client, &mut world, file, &raw(0x8000_0014, &[8; 9])), NtStatus::SUCCESS);
    assert_eq!(get(&mut client, &mut world, file, 100).1, raw(0x8000_0014, &[8; 9]));
    assert_eq!(delete(&mut client, &mut world, file, &raw(0x8000_0014, &[])), NtStatus::SUCCESS);
    assert_eq!(delete(&mut client, &mut world, file, &raw(0x8000_0014, &[])), NtStatus::NOT_A_REPARSE_POINT);
    assert_eq!(get(&mut client, &mut world, file, 100).0, NtStatus::NOT_A_REPARSE_POINT);
    assert_eq!(client.create_status(&mut world, "file", open()), NtStatus::SUCCESS);
}

#[test]
fn o18_reparse_points_need_the_right_to_write() {
    let mut world = World::new();
    let mut client = world.client();
    client.put(&mut world, "file", b"");
    let reader = client.open(&mut world, "file", open().access(AccessMask::FILE_GENERIC_READ));
    assert_eq!(set(&mut client, &mut world, reader, &symlink("x")), NtStatus::ACCESS_DENIED);
    assert_eq!(delete(&mut client, &mut world, reader, &raw(0xA000_000C, &[])), NtStatus::ACCESS_DENIED);
    let writer = client.open(&mut world, "file", open().access(AccessMask::FILE_WRITE_ATTRIBUTES));
    assert_eq!(set(&mut client, &mut world, writer, &symlink("x")), NtStatus::SUCCESS);
    assert_eq!(get(&mut client, &mut world, reader, 100).0, NtStatus::SUCCESS, "looking is free");
}

#[test]
fn o18_reparse_data_that_lies_is_refused() {
    let mut world = World::new();
    let mut client = world.client();
    let file = client.open(&mut world, "file", ALL);
    let mut long = raw(0x8000_0014, &[]);
    long.resize(16_385, 0);
    long[4..6].copy_from_slice(&16_377_u16.to_le_bytes());
    let mut outside = symlink("target");
    outside[8] = 200;
    let mut short = raw(0x8000_0014, &[1, 2, 3]);
    short[4] = 2;
    for (data, status) in [
        (vec![], NtStatus::IO_REPARSE_DATA_INVALID),
        (raw(0x8000_0014, &[])[..7].to_vec(), NtStatus::IO_REPARSE_DATA_INVALID),
        (long, NtStatus::IO_REPARSE_DATA_INVALID),
        (short, NtStatus::IO_REPARSE_DATA_INVALID),
        (outside, NtStatus::IO_REPARSE_DATA_INVALID),
        (raw(0xA000_000C, &[0; 4]), NtStatus::IO_REPARSE_DATA_INVALID),
        (raw(0x8000_0014, &[0; 4]), NtStatus::IO_REPARSE_DATA_INVALID),
        (with_guid(1, b"x")[..8].to_vec(), NtStatus::IO_REPARSE_DATA_INVALID),
        (vec![0; 24], NtStatus::IO_REPARSE_TAG_INVALID),
        ([vec![1], vec![0; 23]].concat(), NtStatus::IO_REPARSE_TAG_INVALID),
        (raw(0xA000_0003, &[0; 8]), NtStatus::NOT_A_DIRECTORY),
    ] {
        assert_eq!(set(&mut client, &mut world, file, &data), status, "{data:02x?}");
    }
    assert_eq!(client.create_status(&mut world, "file", open()), NtStatus::SUCCESS);
    for (data, status) in [
        (vec![], NtStatus::IO_REPARSE_DATA_INVALID),
        (symlink("x"), NtStatus::IO_REPARSE_DATA_INVALID),
        (vec![0; 24], NtStatus::IO_REPARSE_TAG_INVALID),
        (raw(0xA000_000C, &[]), NtStatus::NOT_A_REPARSE_POINT),
    ] {
        assert_eq!(delete(&mut client, &mut world, file, &data), status, "{data:02x?}");
    }
    // A file with something in it is no link, and a directory with entries neither.
    client.write(&mut world, file, 0, b"data");
    assert_eq!(set(&mut client, &mut world, file, &symlink("x")), NtStatus::IO_REPARSE_DATA_INVALID);
    let dir = client.open(&mut world, "dir", directory());
    client.put(&mut world, r"dir\file", b"");
    assert_eq!(set(&mut client, &mut world, dir, &symlink("x")), NtStatus::DIRECTORY_NOT_EMPTY);
}

#[test]
fn o18_tags_and_guids_have_to_match() {
    let mut world = World::new();
    let mut client = world.client();
    let file = client.open(&mut world, "file", ALL);
    assert_eq!(set(&mut client, &mut world, file, &with_guid(1, b"data")), NtStatus::SUCCESS);
    assert_eq!(set(&mut client, &mut world, file, &symlink("x")), NtStatus::IO_REPARSE_TAG_MISMATCH);
    let conflict = NtStatus::REPARSE_ATTRIBUTE_CONFLICT;
    assert_eq!(set(&mut client, &mut world, file, &with_guid(2, b"data")), conflict);
    assert_eq!(set(&mut client, &mut world, file, &with_guid(1, b"more")), NtStatus::SUCCESS);
    assert_eq!(get(&mut client, &mut world, file, 23).0, NtStatus::BUFFER_TOO_SMALL);
    assert_eq!(get(&mut client, &mut world, file, 100).1, with_guid(1, b"more"));
    let mismatch = delete(&mut client, &mut world, file, &raw(0xA000_000C, &[]));
    assert_eq!(mismatch, NtStatus::IO_REPARSE_TAG_MISMATCH);
    assert_eq!(delete(&mut client, &mut world, file, &with_guid(2, &[])), conflict);
    assert_eq!(delete(&mut client, &mut world, file, &with_guid(1, &[])), NtStatus::SUCCESS);
    world.drop_client(&client);
    world.assert_empty();
}

#[test]
fn nothing_is_put_beneath_a_link() {
    let mut world = World::new();
    let mut client = world.client();
    let link = client.open(&mut world, "link", directory());
    assert_eq!(set(&mut client, &mut world, link, &symlink("elsewhere")), NtStatus::SUCCESS);
    client.close(&mut world, link);
    client.put(&mut world, "file", b"");
    let file = client.open(&mut world, "file", open());
    for replace in [false, true] {
        let status = client.rename(&mut world, file, r"link\file", replace);
        assert_eq!(status, NtStatus::OBJECT_PATH_NOT_FOUND);
    }
    let made = client.create_status(&mut world, r"link\new", ALL.disposition(CreateDisposition::CREATE));
    assert_eq!(made, NtStatus::STOPPED_ON_SYMLINK);
}
