//! Files and directories as every client uses them.

use crate::common::{World, requests::*};
use sansmb::wire::{fscc::FileInfoClass, *};

#[test]
fn what_is_written_is_read() {
    let mut world = World::new();
    let mut client = world.client();
    let file = client.open(&mut world, "hello.txt", ALL);
    assert_eq!(client.write(&mut world, file, 0, b"hello, world"), NtStatus::SUCCESS);
    assert_eq!(client.read(&mut world, file, 7, 100), Ok(b"world".to_vec()));
    assert_eq!(client.read(&mut world, file, 12, 1), Err(NtStatus::END_OF_FILE));
    assert_eq!(client.flush(&mut world, file), NtStatus::SUCCESS);
    assert_eq!(client.standard(&mut world, file).end_of_file, 12);
    assert_eq!(client.close(&mut world, file), NtStatus::SUCCESS);
    assert_eq!(client.close(&mut world, file), NtStatus::FILE_CLOSED);
    assert_eq!(client.get(&mut world, "HELLO.TXT"), b"hello, world");
    world.drop_client(&client);
    world.assert_empty();
}

#[test]
fn directories_are_made_listed_and_removed() {
    let mut world = World::new();
    let mut client = world.client();
    let dir = client.open(&mut world, "dir", directory());
    client.put(&mut world, r"dir\b.txt", b"b");
    client.put(&mut world, r"dir\a.doc", b"a");
    let all = client.list(&mut world, dir, "*", QueryDirectoryFlags::empty(), 65536).unwrap();
    assert_eq!(all[..2], [".", ".."]);
    let mut names = all[2..].to_vec();
    names.sort();
    assert_eq!(names, ["a.doc", "b.txt"]);
    let again = client.list(&mut world, dir, "*", QueryDirectoryFlags::empty(), 65536);
    assert_eq!(again, Err(NtStatus::NO_MORE_FILES));
    assert_eq!(client.delete_pending(&mut world, dir, true), NtStatus::DIRECTORY_NOT_EMPTY);
    for name in [r"dir\a.doc", r"dir\b.txt"] {
        let file = client.open(&mut world, name, open());
        assert_eq!(client.delete_pending(&mut world, file, true), NtStatus::SUCCESS);
        assert_eq!(client.create_status(&mut world, name, open()), NtStatus::DELETE_PENDING);
        client.close(&mut world, file);
        assert_eq!(client.create_status(&mut world, name, open()), NtStatus::OBJECT_NAME_NOT_FOUND);
    }
    assert_eq!(client.delete_pending(&mut world, dir, true), NtStatus::SUCCESS);
    client.close(&mut world, dir);
    assert_eq!(client.create_status(&mut world, "dir", open()), NtStatus::OBJECT_NAME_NOT_FOUND);
    world.drop_client(&client);
    world.assert_empty();
}

#[test]
fn a_compound_opens_reads_and_closes() {
    let mut world = World::new();
    let mut client = world.client();
    client.put(&mut world, "file", b"content");
    let name = Utf16Buf::new("file");
    client.add(Command::CREATE, false, &create_request(&name, open()));
    client.add(Command::READ, true, &ReadRequest { file_id: FileId::ANY, length: 100, ..Default::default() });
    client.add(
        Command::CLOSE,
        true,
        &CloseRequest { flags: CloseFlags::POSTQUERY_ATTRIB, file_id: FileId::ANY },
    );
    let answers = client.compound(&mut world);
    let statuses: Vec<NtStatus> = answers.iter().map(|a| a.status()).collect();
    assert_eq!(statuses, [NtStatus::SUCCESS; 3]);
    assert_eq!(answers[1].body::<ReadResponse<&[u8]>>().data, b"content");
    assert_eq!(answers[2].body::<CloseResponse>().end_of_file, 7);
    world.drop_client(&client);
    world.assert_empty();
}

#[test]
fn all_information_has_the_full_path() {
    let mut world = World::new();
    let mut client = world.client();
    let dir = client.open(&mut world, "Dir", directory());
    client.put(&mut world, r"Dir\File", b"12345");
    let file = client.open(&mut world, r"dir\FILE", open());
    let all = client.info(&mut world, file, FileInfoClass::ALL);
    let all = fscc::FileAllInfo::decode(&all).unwrap();
    assert_eq!(all.name.to_text().unwrap(), r"\Dir\File");
    assert_eq!(all.standard.end_of_file, 5);
    assert_eq!(all.access.access_flags, AccessMask::FILE_ALL_ACCESS);
    client.close(&mut world, file);
    client.close(&mut world, dir);
    world.drop_client(&client);
    world.assert_empty();
}
