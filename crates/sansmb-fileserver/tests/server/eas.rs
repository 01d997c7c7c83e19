//! Extended attributes, [MS-FSA] 2.1.5.12.12 and 2.1.5.15.6.

use sansmb::wire::{fscc::*, *};

use crate::common::{Client, Response, World, requests::*};

fn list(eas: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = EntryWriter::new(usize::MAX);
    for (name, value) in eas {
        assert!(writer.push(&EaEntry { flags: EaFlags::empty(), name: name.as_bytes(), value }));
    }
    writer.finish()
}

fn set(client: &mut Client, world: &mut World, file: FileId, eas: &[(&str, &[u8])]) -> NtStatus {
    client.set_bytes(world, file, FileInfoClass::FULL_EA, &list(eas))
}

fn query(
    client: &mut Client,
    world: &mut World,
    file_id: FileId,
    flags: QueryInfoFlags,
    index: u32,
    names: &[&str],
    limit: u32,
) -> Response {
    let mut writer = EntryWriter::new(usize::MAX);
    for name in names {
        assert!(writer.push(&GetEaEntry { name: name.as_bytes() }));
    }
    let input = writer.finish();
    let request = QueryInfoRequest {
        info_type: InfoType::FILE,
        info_class: FileInfoClass::FULL_EA.0,
        output_buffer_length: limit,
        additional_information: SecurityInformation::from_bits_retain(index),
        flags,
        file_id,
        input: &input,
    };
    client.call(world, Command::QUERY_INFO, &request)
}

fn entries(response: &Response) -> Vec<(String, Vec<u8>)> {
    let body = response.body::<QueryInfoResponse<'_>>();
    let entries = EaEntries::new(body.buffer).map(|entry| entry.unwrap());
    entries.map(|ea| (String::from_utf8(ea.name.to_vec()).unwrap(), ea.value.to_vec())).collect()
}

fn pair(name: &str, value: &[u8]) -> (String, Vec<u8>) {
    (name.into(), value.to_vec())
}

const RESTART: QueryInfoFlags = QueryInfoFlags::RESTART_SCAN;

#[test]
fn attributes_are_set_listed_and_removed() {
    let mut world = World::new();
    let mut client = world.client();
    let file = client.open(&mut world, "file", ALL);
    let none = query(&mut client, &mut world, file, RESTART, 0, &[], 1000);
    assert_eq!(none.status(), NtStatus::NO_EAS_ON_FILE);
    let size = |client: &mut Client, world: &mut World| {
        FileEaInfo::decode(&client.info(world, file, FileInfoClass::EA)).unwrap().ea_size
    };
    assert_eq!(size(&mut client, &mut world), 0);
    assert_eq!(set(&mut client, &mut world, file, &[("one", b"1"), ("two", b"22")]), NtStatus::SUCCESS);
    assert_eq!(size(&mut client, &mut world), 4 + 9 + 10);
    let all = query(&mut client, &mut world, file, RESTART, 0, &[], 1000);
    assert_eq!(entries(&all), [pair("one", b"1"), pair("two", b"22")]);
    assert_eq!(set(&mut client, &mut world, file, &[("ONE", b""), ("Two", b"2")]), NtStatus::SUCCESS);
    // A stream has those of its file, and listings say how much they are.
    let stream = client.open(&mut world, "file:stream", ALL);
    let all = query(&mut client, &mut world, stream, RESTART, 0, &[], 1000);
    assert_eq!(entries(&all), [pair("two", b"2")]);
    let dir = client.open(&mut world, "", open());
    let flags = QueryDirectoryFlags::empty();
    let class = FileInfoClass::FULL_DIRECTORY;
    let response = client.query_directory(&mut world, dir, class, "file", flags, 1000);
    let body = response.body::<QueryDirectoryResponse<'_>>();
    let entry = DirEntries::new(class, body.buffer).unwrap().next().unwrap().unwrap();
    assert_eq!(entry.ea_size, 4 + 9);
}

#[test]
fn attributes_are_asked_for_by_name_index_and_one_after_the_other() {
    let mut world = World::new();
    let mut client = world.client();
    let file = client.open(&mut world, "file", ALL);
    let three: [(&str, &[u8]); 3] = [("a", b"1"), ("b", b"2"), ("c", b"3")];
    set(&mut client, &mut world, file, &three);
    let named = query(&mut client, &mut world, file, RESTART, 0, &["B", "none", "b"], 1000);
    assert_eq!(entries(&named), [pair("b", b"2"), pair("none", b"")]);
    let at = QueryInfoFlags::INDEX_SPECIFIED;
    let from = query(&mut client, &mut world, file, at, 2, &[], 1000);
    assert_eq!(entries(&from), [pair("b", b"2"), pair("c", b"3")]);
    for (index, status) in
        [(4, NtStatus::NO_MORE_EAS), (5, NtStatus::NONEXISTENT_EA_ENTRY), (0, NtStatus::NONEXISTENT_EA_ENTRY)]
    {
        let response = query(&mut client, &mut world, file, at, index, &[], 1000);
        assert_eq!(response.status(), status, "{index}");
    }
    let single = QueryInfoFlags::RETURN_SINGLE_ENTRY;
    for (flags, name) in [(single | RESTART, "a"), (single, "b"), (single, "c")] {
        let response = query(&mut client, &mut world, file, flags, 0, &[], 1000);
        assert_eq!(response.status(), NtStatus::SUCCESS);
        assert_eq!(entries(&response)[0].0, name);
    }
    let end = query(&mut client, &mut world, file, single, 0, &[], 1000);
    assert_eq!(end.status(), NtStatus::NO_MORE_EAS);
    // What does not fit comes next.
    let cut = query(&mut client, &mut world, file, RESTART, 0, &[], 23);
    assert_eq!(cut.status(), NtStatus::BUFFER_OVERFLOW);
    assert_eq!(entries(&cut), [pair("a", b"1"), pair("b", b"2")]);
    let rest = query(&mut client, &mut world, file, QueryInfoFlags::empty(), 0, &[], 1000);
    assert_eq!(entries(&rest), [pair("c", b"3")]);
}

#[test]
fn o13_lists_of_attributes_that_lie_are_refused() {
    let mut world = World::new();
    let mut client = world.client();
    let file = client.open(&mut world, "file", ALL);
    set(&mut client, &mut world, file, &[("name", b"value")]);
    for limit in [0, 1, 7, 16] {
        let small = query(&mut client, &mut world, file, RESTART, 0, &[], limit);
        assert_eq!(small.status(), NtStatus::BUFFER_TOO_SMALL, "{limit}");
    }
    let bad = query(&mut client, &mut world, file, RESTART, 0, &["a*b"], 1000);
    assert_eq!(bad.status(), NtStatus::INVALID_EA_NAME);
    // Names that point at themselves, back, or beyond the end.
    for next in [1_u32, 4, 0xFFFF_FFF8, 100] {
        let mut input = next.to_le_bytes().to_vec();
        input.extend([1, b'a', 0, 0]);
        let request = QueryInfoRequest {
            info_type: InfoType::FILE,
            info_class: FileInfoClass::FULL_EA.0,
            output_buffer_length: 1000,
            file_id: file,
            input: &input,
            ..Default::default()
        };
        let status = client.status(&mut world, Command::QUERY_INFO, &request);
        assert_eq!(status, NtStatus::EA_LIST_INCONSISTENT, "{next}");
    }
}

#[test]
fn o14_attributes_with_lengths_that_lie_are_not_set() {
    let mut world = World::new();
    let mut client = world.client();
    let file = client.open(&mut world, "file", ALL);
    let good = list(&[("name", b"value")]);
    let spoilt = |at: usize, byte: u8| {
        let mut buffer = good.clone();
        buffer[at] = byte;
        buffer
    };
    for (buffer, status) in [
        (spoilt(0, 4), NtStatus::EA_LIST_INCONSISTENT),
        (spoilt(3, 0xFF), NtStatus::EA_LIST_INCONSISTENT),
        (spoilt(5, 255), NtStatus::EA_LIST_INCONSISTENT),
        (spoilt(5, 3), NtStatus::EA_LIST_INCONSISTENT),
        (spoilt(7, 0xFF), NtStatus::EA_LIST_INCONSISTENT),
        (spoilt(4, 1), NtStatus::INVALID_EA_NAME),
        (spoilt(8, b'*'), NtStatus::INVALID_EA_NAME),
        (spoilt(8, 0), NtStatus::INVALID_EA_NAME),
        (spoilt(8, 0xE4), NtStatus::INVALID_EA_NAME),
        (list(&[("", b"x")]), NtStatus::INVALID_EA_NAME),
        (Vec::new(), NtStatus::EA_LIST_INCONSISTENT),
        (list(&[("a", &[0; 32_000]), ("b", &[0; 33_536])]), NtStatus::EA_TOO_LARGE),
    ] {
        let answer = client.set_bytes(&mut world, file, FileInfoClass::FULL_EA, &buffer);
        assert_eq!(answer, status, "{:?}", buffer.get(..16));
        let contexts = [CreateContext::EaBuffer(&buffer)];
        if !buffer.is_empty() && buffer.len() < 1000 {
            let answer = client.create_status(&mut world, "new", Create { contexts: &contexts, ..ALL });
            assert_eq!(answer, status, "{:?}", buffer.get(..16));
            assert_eq!(client.create_status(&mut world, "new", open()), NtStatus::OBJECT_NAME_NOT_FOUND);
        }
    }
    let none = query(&mut client, &mut world, file, RESTART, 0, &[], 1000);
    assert_eq!(none.status(), NtStatus::NO_EAS_ON_FILE);
}

#[test]
fn new_files_get_the_attributes_of_their_create() {
    let mut world = World::new();
    let mut client = world.client();
    for (disposition, value) in [
        (CreateDisposition::CREATE, &b"first"[..]),
        (CreateDisposition::OPEN_IF, &b"first"[..]),
        (CreateDisposition::OVERWRITE, &b"second"[..]),
    ] {
        let eas =
            list(&[("name", if disposition == CreateDisposition::OVERWRITE { b"second" } else { b"first" })]);
        let contexts = [CreateContext::EaBuffer(&eas)];
        let file = client.open(&mut world, "file", Create { contexts: &contexts, disposition, ..ALL });
        let all = query(&mut client, &mut world, file, RESTART, 0, &[], 1000);
        assert_eq!(entries(&all), [pair("name", value)], "{disposition}");
        client.close(&mut world, file);
    }
    // Who overwrites without any has none.
    let file = client.open(&mut world, "file", ALL.disposition(CreateDisposition::OVERWRITE));
    let none = query(&mut client, &mut world, file, RESTART, 0, &[], 1000);
    assert_eq!(none.status(), NtStatus::NO_EAS_ON_FILE);
}

#[test]
fn who_knows_no_attributes_opens_no_file_that_needs_them() {
    let mut world = World::new();
    let mut client = world.client();
    let file = client.open(&mut world, "file", ALL);
    let ignorant = open().options(CreateOptions::NO_EA_KNOWLEDGE);
    set(&mut client, &mut world, file, &[("may", b"x")]);
    assert_eq!(client.create_status(&mut world, "file", ignorant), NtStatus::SUCCESS);
    let mut writer = EntryWriter::new(1000);
    assert!(writer.push(&EaEntry { flags: EaFlags::NEED_EA, name: b"must", value: b"x" }));
    let needed = writer.finish();
    let status = client.set_bytes(&mut world, file, FileInfoClass::FULL_EA, &needed);
    assert_eq!(status, NtStatus::SUCCESS);
    assert_eq!(client.create_status(&mut world, "file", ignorant), NtStatus::ACCESS_DENIED);
    assert_eq!(client.create_status(&mut world, "file", open()), NtStatus::SUCCESS);
    let contexts = [CreateContext::EaBuffer(&needed)];
    let both = Create { contexts: &contexts, ..ALL.options(CreateOptions::NO_EA_KNOWLEDGE) };
    assert_eq!(client.create_status(&mut world, "new", both), NtStatus::ACCESS_DENIED);
    world.close_all();
    world.assert_empty();
}

#[test]
fn attributes_have_rights_of_their_own() {
    let mut world = World::new();
    let mut client = world.client();
    client.put(&mut world, "file", b"");
    let file = client.open(&mut world, "file", open().access(AccessMask::FILE_READ_DATA));
    let refused = query(&mut client, &mut world, file, RESTART, 0, &[], 1000);
    assert_eq!(refused.status(), NtStatus::ACCESS_DENIED);
    assert_eq!(set(&mut client, &mut world, file, &[("a", b"b")]), NtStatus::ACCESS_DENIED);
}

#[test]
fn watchers_hear_of_attributes() {
    let mut world = World::new();
    let mut client = world.client();
    let file = client.open(&mut world, "file", ALL);
    let dir = client.open(&mut world, "", open());
    let id = client.send_notify(&mut world, dir, CompletionFilter::EA, false, 4096);
    set(&mut client, &mut world, file, &[("name", b"value")]);
    let response = client.answer(&mut world, id);
    assert_eq!(changes(&response), [(NotifyAction::MODIFIED, "file".into())]);
}
