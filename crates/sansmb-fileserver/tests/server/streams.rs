//! Named streams, [MS-FSA] 2.1.5.1 and onwards.

use sansmb::wire::{fscc::*, *};
use sansmb_fileserver::ShareConfig;

use crate::common::{Client, World, requests::*};

/// The streams of an open, with their sizes.
fn streams(client: &mut Client, world: &mut World, file: FileId) -> Vec<(String, u64)> {
    let buffer = client.info(world, file, FileInfoClass::STREAM);
    let entries = StreamEntries::new(&buffer).map(|entry| entry.unwrap());
    entries.map(|entry| (entry.name.to_text().unwrap(), entry.size)).collect()
}

fn names(client: &mut Client, world: &mut World, name: &str) -> Vec<String> {
    let file = client.open(world, name, open().access(AccessMask::FILE_READ_ATTRIBUTES));
    let names = streams(client, world, file).into_iter().map(|(name, _)| name).collect();
    client.close(world, file);
    names
}

#[test]
fn streams_have_data_of_their_own() {
    let mut world = World::new();
    let mut client = world.client();
    client.put(&mut world, "file", b"main");
    client.put(&mut world, "file:stream", b"a stream");
    client.put(&mut world, "FILE:Other:$DATA", b"x");
    assert_eq!(client.get(&mut world, "file"), b"main");
    assert_eq!(client.get(&mut world, "file:STREAM:$data"), b"a stream");
    assert_eq!(client.get(&mut world, "file::$DATA"), b"main");
    let file = client.open(&mut world, "file", ALL);
    let stream = client.open(&mut world, "file:stream", ALL);
    let listed = streams(&mut client, &mut world, file);
    assert_eq!(listed, [("::$DATA".into(), 4), (":Other:$DATA".into(), 1), (":stream:$DATA".into(), 8)]);
    assert_eq!(streams(&mut client, &mut world, stream), listed);
    assert_eq!(client.standard(&mut world, stream).end_of_file, 8);
    assert!(!client.standard(&mut world, stream).directory);
    client.close(&mut world, file);
    client.close(&mut world, stream);
    // A stream of a file that is not there makes the file.
    client.put(&mut world, "new:stream", b"data");
    assert_eq!(client.get(&mut world, "new"), b"");
    world.close_all();
    world.assert_empty();
}

#[test]
fn o5_names_of_streams_have_the_statuses_of_windows() {
    let mut world = World::new();
    let mut client = world.client();
    client.put(&mut world, "file", b"");
    let dir = client.open(&mut world, "dir", directory());
    client.close(&mut world, dir);
    let file = NtStatus::SUCCESS;
    let invalid = NtStatus::OBJECT_NAME_INVALID;
    for (name, how, status) in [
        ("file:stream", open(), NtStatus::OBJECT_NAME_NOT_FOUND),
        ("file:stream", directory(), NtStatus::NOT_A_DIRECTORY),
        ("missing:stream", open(), NtStatus::OBJECT_NAME_NOT_FOUND),
        (r"missing\file:stream", ALL, NtStatus::OBJECT_PATH_NOT_FOUND),
        ("file:stream:$DATA:x", ALL, invalid),
        ("file:stream:$BITMAP", ALL, invalid),
        ("file:stream:", ALL, invalid),
        ("file:", ALL, invalid),
        ("file::", ALL, invalid),
        ("file:a/b", ALL, invalid),
        (r"file:a\b", ALL, invalid),
        ("file:a\0", ALL, invalid),
        ("file:x:$INDEX_ALLOCATION", ALL, NtStatus::INVALID_PARAMETER),
        ("file::$INDEX_ALLOCATION", open(), NtStatus::NOT_A_DIRECTORY),
        ("dir:$I30:$INDEX_ALLOCATION", open(), file),
        (r"dir::$INDEX_ALLOCATION\in", ALL, file),
        ("dir::$DATA", open(), NtStatus::FILE_IS_A_DIRECTORY),
        ("dir:stream", ALL, file),
        ("dir:stream", ALL.options(CreateOptions::NON_DIRECTORY_FILE), file),
        (":stream", ALL, file),
        ("::$DATA", open(), NtStatus::FILE_IS_A_DIRECTORY),
        ("::$INDEX_ALLOCATION", open(), file),
        ("file:a*b?\"<>|\u{1}", ALL, file),
        ("file:.", ALL, file),
    ] {
        assert_eq!(client.create_status(&mut world, name, how), status, "{name:?} {how:?}");
    }
    let long = format!("file:{}", "x".repeat(256));
    assert_eq!(client.create_status(&mut world, &long, ALL), invalid);
    assert_eq!(names(&mut client, &mut world, "dir"), [":stream:$DATA"]);
    assert_eq!(names(&mut client, &mut world, ""), [":stream:$DATA"]);
}

#[test]
fn dispositions_concern_the_stream_and_not_its_file() {
    let mut world = World::new();
    let mut client = world.client();
    client.put(&mut world, "file", b"main");
    for (disposition, missing, existing, kept) in [
        (CreateDisposition::SUPERSEDE, Ok(CreateAction::CREATED), Ok(CreateAction::SUPERSEDED), false),
        (CreateDisposition::OPEN, Err(NtStatus::OBJECT_NAME_NOT_FOUND), Ok(CreateAction::OPENED), true),
        (CreateDisposition::CREATE, Ok(CreateAction::CREATED), Err(NtStatus::OBJECT_NAME_COLLISION), true),
        (CreateDisposition::OPEN_IF, Ok(CreateAction::CREATED), Ok(CreateAction::OPENED), true),
        (
            CreateDisposition::OVERWRITE,
            Err(NtStatus::OBJECT_NAME_NOT_FOUND),
            Ok(CreateAction::OVERWRITTEN),
            false,
        ),
        (CreateDisposition::OVERWRITE_IF, Ok(CreateAction::CREATED), Ok(CreateAction::OVERWRITTEN), false),
    ] {
        let mut act = |world: &mut World, name: &str| {
            let response = client.create(world, name, ALL.disposition(disposition));
            if response.status() != NtStatus::SUCCESS {
                return Err(response.status());
            }
            let body = response.body::<CreateResponse<'_>>();
            client.close(world, body.file_id);
            Ok(body.create_action)
        };
        assert_eq!(act(&mut world, &format!("file:new{disposition}")), missing, "{disposition}");
        let mut other = world.client();
        other.put(&mut world, "file:old", b"data");
        assert_eq!(act(&mut world, "file:old"), existing, "{disposition}");
        assert_eq!(!other.get(&mut world, "file:old").is_empty(), kept, "{disposition}");
        assert_eq!(other.get(&mut world, "file"), b"main");
    }
}

#[test]
fn overwriting_a_file_takes_its_streams() {
    let mut world = World::new();
    let mut client = world.client();
    for disposition in
        [CreateDisposition::OVERWRITE, CreateDisposition::OVERWRITE_IF, CreateDisposition::SUPERSEDE]
    {
        client.put(&mut world, "file", b"main");
        client.put(&mut world, "file:stream", b"data");
        let file = client.open(&mut world, "file", ALL.disposition(disposition));
        assert_eq!(streams(&mut client, &mut world, file), [("::$DATA".into(), 0)]);
        client.close(&mut world, file);
    }
}

#[test]
fn times_and_attributes_belong_to_the_file() {
    let mut world = World::new();
    let mut client = world.client();
    client.put(&mut world, "file", b"");
    let stream = client.open(&mut world, "file:stream", ALL);
    let file = client.open(&mut world, "file", ALL);
    let info = FileBasicInfo {
        creation_time: FileTime(0x01D0_0000_0000_0000),
        attributes: FileAttributes::HIDDEN,
        ..Default::default()
    };
    assert_eq!(client.set(&mut world, stream, &info), NtStatus::SUCCESS);
    let of_file = client.basic(&mut world, file);
    assert_eq!(of_file, client.basic(&mut world, stream));
    assert_eq!(of_file.creation_time, info.creation_time);
    assert!(of_file.attributes.contains(FileAttributes::HIDDEN));
    // To overwrite the stream it takes no attributes, and they stay.
    let overwrite = ALL.disposition(CreateDisposition::OVERWRITE);
    assert_eq!(client.create_status(&mut world, "file:stream", overwrite), NtStatus::SUCCESS);
    assert!(client.basic(&mut world, file).attributes.contains(FileAttributes::HIDDEN));
}

#[test]
fn a_read_only_file_keeps_its_streams_as_they_are() {
    let mut world = World::new();
    let mut client = world.client();
    client.put(&mut world, "file:stream", b"data");
    let file = client.open(&mut world, "file", ALL);
    let info = FileBasicInfo { attributes: FileAttributes::READONLY, ..Default::default() };
    assert_eq!(client.set(&mut world, file, &info), NtStatus::SUCCESS);
    let reading = AccessMask::FILE_READ_DATA;
    for (name, how, status) in [
        ("file:stream", open(), NtStatus::ACCESS_DENIED),
        ("file:stream", open().access(reading), NtStatus::SUCCESS),
        ("file:new", ALL.access(reading), NtStatus::ACCESS_DENIED),
        ("file:new", ALL.access(reading).disposition(CreateDisposition::CREATE), NtStatus::ACCESS_DENIED),
        ("file:new", open().access(reading), NtStatus::OBJECT_NAME_NOT_FOUND),
    ] {
        assert_eq!(client.create_status(&mut world, name, how), status, "{name} {how:?}");
    }
}

#[test]
fn share_modes_are_those_of_the_stream_and_deletion_that_of_the_file() {
    let mut world = World::new();
    let mut client = world.client();
    client.put(&mut world, "file", b"");
    client.put(&mut world, "file:one", b"");
    client.put(&mut world, "file:two", b"");
    let nothing_shared = open().share(ShareAccess::empty());
    let reading = AccessMask::FILE_READ_DATA;
    let one = client.open(&mut world, "file:one", nothing_shared.access(reading));
    let shared = SHARE_ALL;
    for (name, access, share, status) in [
        ("file:one", reading, shared, NtStatus::SHARING_VIOLATION),
        ("file:two", reading, ShareAccess::empty(), NtStatus::SUCCESS),
        ("file", reading, ShareAccess::empty(), NtStatus::SUCCESS),
        // Who deletes the file deletes the stream, which nobody may.
        ("file", AccessMask::DELETE, shared, NtStatus::SHARING_VIOLATION),
        ("file:two", AccessMask::DELETE, shared, NtStatus::SUCCESS),
    ] {
        let response = client.create(&mut world, name, open().access(access).share(share));
        assert_eq!(response.status(), status, "{name} {access:?}");
        if status == NtStatus::SUCCESS {
            client.close(&mut world, response.body::<CreateResponse<'_>>().file_id);
        }
    }
    client.close(&mut world, one);
    let deleter = client.open(&mut world, "file", open().access(AccessMask::DELETE));
    let exclusive = open().access(reading).share(ShareAccess::READ);
    assert_eq!(client.create_status(&mut world, "file:one", exclusive), NtStatus::SHARING_VIOLATION);
    assert_eq!(client.create_status(&mut world, "file:one", open().access(reading)), NtStatus::SUCCESS);
    client.close(&mut world, deleter);
    world.close_all();
    world.assert_empty();
}

#[test]
fn locks_are_those_of_the_stream() {
    let mut world = World::new();
    let mut client = world.client();
    let mut other = world.client();
    client.put(&mut world, "file", b"data");
    let file = client.open(&mut world, "file", ALL);
    let stream = client.open(&mut world, "file:stream", ALL);
    assert_eq!(client.lock(&mut world, file, &[now(exclusive(0, 10))]), NtStatus::SUCCESS);
    let theirs = other.open(&mut world, "file:stream", ALL);
    assert_eq!(other.write(&mut world, theirs, 0, b"free"), NtStatus::SUCCESS);
    assert_eq!(client.lock(&mut world, stream, &[now(exclusive(0, 10))]), NtStatus::SUCCESS);
    assert_eq!(other.write(&mut world, theirs, 0, b"held"), NtStatus::FILE_LOCK_CONFLICT);
}

#[test]
fn a_stream_is_deleted_without_its_file() {
    let mut world = World::new();
    let mut client = world.client();
    client.put(&mut world, "file", b"main");
    for on_close in [true, false] {
        client.put(&mut world, "file:stream", b"data");
        let options = if on_close { CreateOptions::DELETE_ON_CLOSE } else { CreateOptions::empty() };
        let stream = client.open(&mut world, "file:stream", open().options(options));
        let second = client.open(&mut world, "file:stream", open());
        if !on_close {
            assert_eq!(client.delete_pending(&mut world, stream, true), NtStatus::SUCCESS);
            assert!(client.standard(&mut world, second).delete_pending);
        }
        client.close(&mut world, stream);
        let gone = client.create_status(&mut world, "file:stream", ALL);
        assert_eq!(gone, NtStatus::DELETE_PENDING);
        assert_eq!(client.create_status(&mut world, "file:other", ALL), NtStatus::SUCCESS);
        client.close(&mut world, second);
        let gone = client.create_status(&mut world, "file:stream", open());
        assert_eq!(gone, NtStatus::OBJECT_NAME_NOT_FOUND);
        assert_eq!(client.get(&mut world, "file"), b"main");
    }
    world.close_all();
    world.assert_empty();
}

#[test]
fn a_deleted_file_goes_with_the_last_open_of_its_streams() {
    let mut world = World::new();
    let mut client = world.client();
    client.put(&mut world, "file", b"main");
    let stream = client.open(&mut world, "file:stream", ALL);
    let file = client.open(&mut world, "file", ALL);
    assert_eq!(client.delete_pending(&mut world, file, true), NtStatus::SUCCESS);
    client.close(&mut world, file);
    for name in ["file", "file:stream", "file:other"] {
        assert_eq!(client.create_status(&mut world, name, ALL), NtStatus::DELETE_PENDING, "{name}");
    }
    assert_eq!(client.write(&mut world, stream, 0, b"still there"), NtStatus::SUCCESS);
    client.close(&mut world, stream);
    assert_eq!(client.create_status(&mut world, "file", open()), NtStatus::OBJECT_NAME_NOT_FOUND);
    client.put(&mut world, "file", b"");
    assert_eq!(names(&mut client, &mut world, "file"), ["::$DATA"]);
    world.close_all();
    world.assert_empty();
}

#[test]
fn open_streams_follow_their_file_to_another_name() {
    let mut world = World::new();
    let mut client = world.client_of_dialect(Dialect::SMB3_1_1);
    client.put(&mut world, "file", b"main");
    let stream = client.open(&mut world, "file:stream", ALL);
    let file = client.open(&mut world, "file", ALL);
    assert_eq!(client.rename(&mut world, file, "other", false), NtStatus::SUCCESS);
    client.close(&mut world, file);
    assert_eq!(client.write(&mut world, stream, 0, b"data"), NtStatus::SUCCESS);
    assert_eq!(client.get(&mut world, "other:stream"), b"data");
    let name = client.info(&mut world, stream, FileInfoClass::NORMALIZED_NAME);
    assert_eq!(FileNameInfo::decode(&name).unwrap().name.to_text().unwrap(), "other:stream");
    let file = client.open(&mut world, "other", ALL);
    assert_eq!(client.delete_pending(&mut world, file, true), NtStatus::SUCCESS);
    client.close(&mut world, file);
    client.close(&mut world, stream);
    assert_eq!(client.create_status(&mut world, "other", open()), NtStatus::OBJECT_NAME_NOT_FOUND);
    // Nobody takes the place of a file whose stream is open.
    client.put(&mut world, "target:stream", b"");
    client.put(&mut world, "source", b"");
    let stream = client.open(&mut world, "target:stream", ALL);
    let source = client.open(&mut world, "source", ALL);
    assert_eq!(client.rename(&mut world, source, "target", true), NtStatus::ACCESS_DENIED);
    client.close(&mut world, stream);
    assert_eq!(client.rename(&mut world, source, "target", true), NtStatus::SUCCESS);
    assert_eq!(names(&mut client, &mut world, "target"), ["::$DATA"]);
    world.close_all();
    world.assert_empty();
}

#[test]
fn streams_are_renamed() {
    let mut world = World::new();
    let mut client = world.client();
    client.put(&mut world, "file:full", b"full");
    client.put(&mut world, "file:empty", b"");
    let stream = client.open(&mut world, "file:stream", ALL);
    let second = client.open(&mut world, "file:stream", ALL);
    assert_eq!(client.write(&mut world, stream, 0, b"data"), NtStatus::SUCCESS);
    for (to, replace, status) in [
        (":full", false, NtStatus::OBJECT_NAME_COLLISION),
        (":full", true, NtStatus::INVALID_PARAMETER),
        (":a:b:c", true, NtStatus::INVALID_PARAMETER),
        (":", true, NtStatus::INVALID_PARAMETER),
        (":new:$BITMAP", true, NtStatus::OBJECT_TYPE_MISMATCH),
        ("elsewhere", true, NtStatus::INVALID_PARAMETER),
        ("file:elsewhere", true, NtStatus::OBJECT_NAME_INVALID),
        (":STREAM:$DATA", false, NtStatus::SUCCESS),
        (":stream", false, NtStatus::SUCCESS),
        (":new:$DATA", false, NtStatus::SUCCESS),
        (":empty", true, NtStatus::SUCCESS),
    ] {
        assert_eq!(client.rename(&mut world, stream, to, replace), status, "{to} {replace}");
    }
    assert_eq!(names(&mut client, &mut world, "file"), ["::$DATA", ":empty:$DATA", ":full:$DATA"]);
    assert_eq!(client.get(&mut world, "file:empty"), b"data");
    // All its handles have the new name, and what is deleted is what it has.
    client.close(&mut world, stream);
    client.put(&mut world, "file:stream", b"another");
    assert_eq!(client.delete_pending(&mut world, second, true), NtStatus::SUCCESS);
    client.close(&mut world, second);
    assert_eq!(names(&mut client, &mut world, "file"), ["::$DATA", ":full:$DATA", ":stream:$DATA"]);
    world.close_all();
    world.assert_empty();
}

#[test]
fn watchers_hear_of_streams_apart_from_files() {
    let mut world = World::new();
    let mut client = world.client();
    client.put(&mut world, "file", b"");
    let dir = client.open(&mut world, "", open());
    let kinds =
        CompletionFilter::STREAM_NAME | CompletionFilter::STREAM_SIZE | CompletionFilter::STREAM_WRITE;
    let mut heard = |world: &mut World, act: &mut dyn FnMut(&mut World)| {
        let id = client.send_notify(world, dir, kinds, false, 4096);
        act(world);
        let response = client.answer(world, id);
        changes(&response)
    };
    let mut other = world.client();
    let name = || "file:stream".to_owned();
    let told = heard(&mut world, &mut |world| {
        let stream = other.open(world, "file:stream", ALL);
        other.close(world, stream);
    });
    assert_eq!(told, [(NotifyAction::ADDED_STREAM, name())]);
    let told = heard(&mut world, &mut |world| other.put(world, "file:stream", b"data"));
    assert_eq!(told, [(NotifyAction::MODIFIED_STREAM, name())]);
    let told = heard(&mut world, &mut |world| {
        other.put(world, "file", b"not heard");
        let stream = other.open(world, "file:stream", open().options(CreateOptions::DELETE_ON_CLOSE));
        other.close(world, stream);
    });
    assert_eq!(told, [(NotifyAction::REMOVED_STREAM, name())]);
}

#[test]
fn a_share_can_do_without_streams() {
    let mut world = World::with(|mut config| {
        let storage = config.shares[0].storage.clone();
        config.shares.push(ShareConfig { named_streams: false, ..ShareConfig::new("plain", storage) });
        config
    });
    let mut client = world.client();
    client.put(&mut world, "file:stream", b"data");
    let mut plain = world.client_of("alice", "plain");
    for name in ["file:stream", "file::$DATA", "::$INDEX_ALLOCATION"] {
        assert_eq!(plain.create_status(&mut world, name, ALL), NtStatus::OBJECT_NAME_INVALID, "{name}");
    }
    assert_eq!(names(&mut plain, &mut world, "file"), ["::$DATA"]);
    for (client, has) in [(&mut client, true), (&mut plain, false)] {
        let root = client.open(&mut world, "", open());
        let response = client.query(&mut world, root, InfoType::FILESYSTEM, FsInfoClass::ATTRIBUTE.0, 1000);
        let info = FsAttributeInfo::decode(response.body::<QueryInfoResponse<'_>>().buffer).unwrap();
        assert_eq!(info.attributes.contains(FsAttributes::NAMED_STREAMS), has);
    }
}

#[test]
fn a_stream_that_is_being_opened_does_not_outlive_its_file() {
    let mut world = World::new();
    let mut client = world.client();
    let mut other = world.client();
    client.put(&mut world, "file:stream", b"data");
    world.hold = true;
    let id = client.send_create(&mut world, "file:stream", open());
    // The file is found; before its stream is, somebody deletes the file.
    world.run_held(0);
    let on_close = open().options(CreateOptions::DELETE_ON_CLOSE);
    let deleting = other.send_create(&mut world, "file", on_close);
    while other.maybe(&mut world, deleting).is_none() {
        let last = world.held.len() - 1;
        world.run_held(last);
    }
    world.run_all();
    let response = client.answer(&mut world, id);
    assert_eq!(response.status(), NtStatus::SUCCESS, "nobody closed the deleting handle yet");
    world.close_all();
    world.run_all();
    world.assert_empty();
}
