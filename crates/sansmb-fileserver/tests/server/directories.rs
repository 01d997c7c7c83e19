//! QUERY_DIRECTORY.

use sansmb::wire::{fscc::*, *};

use crate::common::{Client, World, requests::*};

const NONE: QueryDirectoryFlags = QueryDirectoryFlags::empty();

fn filled(world: &mut World, names: &[&str]) -> (Client, FileId) {
    let mut client = world.client();
    let dir = client.open(world, "dir", directory());
    for name in names {
        client.put(world, &format!("dir\\{name}"), name.as_bytes());
    }
    (client, dir)
}

#[test]
fn all_classes_list_the_same_entries() {
    let mut world = World::new();
    let (mut client, dir) = filled(&mut world, &["one", "two.txt"]);
    for class in [
        FileInfoClass::DIRECTORY,
        FileInfoClass::FULL_DIRECTORY,
        FileInfoClass::BOTH_DIRECTORY,
        FileInfoClass::NAMES,
        FileInfoClass::ID_BOTH_DIRECTORY,
        FileInfoClass::ID_FULL_DIRECTORY,
        FileInfoClass::ID_EXTD_DIRECTORY,
        FileInfoClass::ID_64_EXTD_DIRECTORY,
        FileInfoClass::ID_64_EXTD_BOTH_DIRECTORY,
    ] {
        let response =
            client.query_directory(&mut world, dir, class, "*", QueryDirectoryFlags::REOPEN, 65536);
        let body = response.body::<QueryDirectoryResponse<'_>>();
        let entries: Vec<DirEntry<'_>> =
            DirEntries::new(class, body.buffer).unwrap().collect::<Result<_, _>>().unwrap();
        let mut names: Vec<String> = entries.iter().map(|e| e.name.to_text().unwrap()).collect();
        names.sort();
        assert_eq!(names, [".", "..", "one", "two.txt"], "{class:?}");
        if class != FileInfoClass::NAMES {
            let two = entries.iter().find(|e| e.name.to_text().unwrap() == "two.txt").unwrap();
            assert_eq!((two.end_of_file, two.attributes), (7, FileAttributes::ARCHIVE));
        }
    }
    let bad = client.query_directory(&mut world, dir, FileInfoClass::BASIC, "*", NONE, 1000);
    assert_eq!(bad.status(), NtStatus::INVALID_INFO_CLASS);
}

#[test]
fn patterns_choose_and_stay() {
    let mut world = World::new();
    let (mut client, dir) = filled(&mut world, &["a.txt", "b.txt", "c.doc", "noext"]);
    let mut list = |world: &mut World, pattern: &str, flags| {
        let mut names = client.list(world, dir, pattern, flags, 65536)?;
        names.sort();
        Ok::<_, NtStatus>(names.join(" "))
    };
    let reopen = QueryDirectoryFlags::REOPEN;
    let restart = QueryDirectoryFlags::RESTART_SCANS;
    assert_eq!(list(&mut world, "*.TXT", NONE).unwrap(), "a.txt b.txt");
    assert_eq!(list(&mut world, "*.doc", NONE), Err(NtStatus::NO_MORE_FILES), "the first pattern stays");
    assert_eq!(list(&mut world, "", restart).unwrap(), "a.txt b.txt");
    assert_eq!(list(&mut world, "*.doc", restart).unwrap(), "c.doc");
    assert_eq!(list(&mut world, "B.TXT", reopen).unwrap(), "b.txt");
    assert_eq!(list(&mut world, "B.TXT", NONE), Err(NtStatus::NO_MORE_FILES));
    assert_eq!(list(&mut world, "missing", reopen), Err(NtStatus::NO_SUCH_FILE));
    assert_eq!(list(&mut world, "*.zip", reopen), Err(NtStatus::NO_SUCH_FILE));
    assert_eq!(list(&mut world, "<.txt", reopen).unwrap(), "a.txt b.txt");
    assert_eq!(list(&mut world, "?.???", reopen).unwrap(), "a.txt b.txt c.doc");
    assert_eq!(list(&mut world, "*.*", reopen).unwrap(), ". .. a.txt b.txt c.doc noext");
    assert_eq!(list(&mut world, "..", reopen).unwrap(), "..");
}

#[test]
fn entries_come_one_at_a_time_where_asked() {
    let mut world = World::new();
    let (mut client, dir) = filled(&mut world, &["a", "b"]);
    let single = QueryDirectoryFlags::RETURN_SINGLE_ENTRY;
    let mut names = Vec::new();
    loop {
        match client.list(&mut world, dir, "*", single, 65536) {
            Ok(mut one) => names.append(&mut one),
            Err(status) => {
                assert_eq!(status, NtStatus::NO_MORE_FILES);
                break;
            }
        }
    }
    assert_eq!(names.len(), 4);
}

#[test]
fn o12_buffers_that_hold_nothing_are_refused() {
    let mut world = World::new();
    let (mut client, dir) = filled(&mut world, &["a rather long name.txt"]);
    for length in [0, 1, 103] {
        let status = client.list(&mut world, dir, "*", NONE, length);
        assert_eq!(status, Err(NtStatus::INFO_LENGTH_MISMATCH), "{length}");
    }
    let reopen = QueryDirectoryFlags::REOPEN;
    assert_eq!(client.list(&mut world, dir, "a*", reopen, 110), Err(NtStatus::BUFFER_OVERFLOW));
    assert_eq!(client.list(&mut world, dir, "a*", NONE, 200).unwrap().len(), 1, "the entry is not lost");
    assert_eq!(
        client.list(&mut world, dir, &"?".repeat(300), reopen, 1000),
        Err(NtStatus::OBJECT_NAME_INVALID)
    );
    assert_eq!(client.list(&mut world, dir, &"*".repeat(4096), reopen, 1000).unwrap().len(), 3);
    assert_eq!(client.list(&mut world, dir, r"a\b", reopen, 1000), Err(NtStatus::OBJECT_NAME_INVALID));
    client.close(&mut world, dir);
    let restart = QueryDirectoryFlags::RESTART_SCANS;
    assert_eq!(client.list(&mut world, dir, "*", restart, 1000), Err(NtStatus::FILE_CLOSED));
}

#[test]
fn files_and_blind_handles_are_not_listed() {
    let mut world = World::new();
    let (mut client, _) = filled(&mut world, &["a"]);
    let file = client.open(&mut world, r"dir\a", open());
    assert_eq!(client.list(&mut world, file, "*", NONE, 1000), Err(NtStatus::INVALID_PARAMETER));
    let blind = client.open(&mut world, "dir", open().access(AccessMask::FILE_READ_ATTRIBUTES));
    assert_eq!(client.list(&mut world, blind, "*", NONE, 1000), Err(NtStatus::ACCESS_DENIED));
}

#[test]
fn large_directories_come_in_pieces_and_each_entry_once() {
    let mut world = World::new();
    let names: Vec<String> = (0..1500).map(|n| format!("file number {n:05}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let (mut client, dir) = filled(&mut world, &names);
    let mut found = Vec::new();
    while let Ok(mut more) = client.list(&mut world, dir, "file*", NONE, 8192) {
        assert!(more.len() < 80);
        found.append(&mut more);
    }
    found.sort();
    assert_eq!(found, names);
    world.drop_client(&client);
    world.assert_empty();
}

#[test]
fn queries_of_one_handle_take_turns() {
    let mut world = World::new();
    let (mut client, dir) = filled(&mut world, &["a", "b"]);
    world.hold = true;
    let pattern = Utf16Buf::new("*");
    let request = QueryDirectoryRequest {
        information_class: FileInfoClass::NAMES,
        file_id: dir,
        pattern: pattern.as_utf16(),
        output_buffer_length: 1000,
        ..Default::default()
    };
    let first = client.send(&mut world, Command::QUERY_DIRECTORY, &request);
    let second = client.send(&mut world, Command::QUERY_DIRECTORY, &request);
    let third = client.send(&mut world, Command::QUERY_DIRECTORY, &request);
    assert_eq!(world.held_names(), ["Stat"]);
    // A CLOSE right behind them does not take their answers away.
    let close = client.send_close(&mut world, dir);
    world.run_all();
    assert_eq!(client.answer(&mut world, first).status(), NtStatus::SUCCESS);
    for id in [second, third] {
        assert_eq!(client.answer(&mut world, id).status(), NtStatus::NO_MORE_FILES);
    }
    assert_eq!(client.answer(&mut world, close).status(), NtStatus::SUCCESS);
    world.hold = false;
    let dir = client.open(&mut world, "dir", open());
    world.hold = true;
    let request = QueryDirectoryRequest { file_id: dir, ..request };
    let first = client.send(&mut world, Command::QUERY_DIRECTORY, &request);
    let second = client.send(&mut world, Command::QUERY_DIRECTORY, &request);
    world.run_all();
    assert_eq!(client.answer(&mut world, first).status(), NtStatus::SUCCESS);
    assert_eq!(client.answer(&mut world, second).status(), NtStatus::NO_MORE_FILES);
}
