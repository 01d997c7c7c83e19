//! CREATE: dispositions, options, access, share modes, contexts.

use sansmb::wire::*;
use sansmb_fileserver::ShareConfig;

use crate::common::{World, requests::*};

fn read_only_world() -> World {
    World::with(|mut config| {
        let storage = config.shares[0].storage.clone();
        config.shares.push(ShareConfig { read_only: true, ..ShareConfig::new("ro", storage) });
        config
    })
}

#[test]
fn dispositions_do_what_they_say() {
    let mut world = World::new();
    let mut client = world.client();
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
        assert_eq!(act(&mut world, &format!("new{disposition}")), missing, "{disposition}");
        let mut other = world.client();
        other.put(&mut world, "old", b"data");
        assert_eq!(act(&mut world, "old"), existing, "{disposition}");
        assert_eq!(!other.get(&mut world, "old").is_empty(), kept, "{disposition}");
    }
    assert_eq!(
        client.create_status(&mut world, "x", ALL.disposition(CreateDisposition(6))),
        NtStatus::INVALID_PARAMETER
    );
}

#[test]
fn kinds_of_things_are_told_apart() {
    let mut world = World::new();
    let mut client = world.client();
    client.put(&mut world, "file", b"");
    let dir = client.open(&mut world, "dir", directory());
    client.close(&mut world, dir);
    let non_directory = open().options(CreateOptions::NON_DIRECTORY_FILE);
    let only_directory = open().options(CreateOptions::DIRECTORY_FILE);
    let both = CreateOptions::DIRECTORY_FILE | CreateOptions::NON_DIRECTORY_FILE;
    for (name, how, status) in [
        ("dir", non_directory, NtStatus::FILE_IS_A_DIRECTORY),
        ("file", only_directory, NtStatus::NOT_A_DIRECTORY),
        ("dir", only_directory, NtStatus::SUCCESS),
        ("dir", open(), NtStatus::SUCCESS),
        ("", open(), NtStatus::SUCCESS),
        ("file", non_directory, NtStatus::SUCCESS),
        ("file", open().options(both), NtStatus::INVALID_PARAMETER),
        (r"file\x", open(), NtStatus::OBJECT_PATH_NOT_FOUND),
        (r"missing\x", ALL, NtStatus::OBJECT_PATH_NOT_FOUND),
        (r"dir\", open(), NtStatus::SUCCESS),
        (r"file\", open(), NtStatus::OBJECT_NAME_INVALID),
        (r"new\", ALL, NtStatus::OBJECT_NAME_INVALID),
        (r"dir\", non_directory, NtStatus::OBJECT_NAME_INVALID),
        (r"new\", directory(), NtStatus::SUCCESS),
        ("file", directory().disposition(CreateDisposition::CREATE), NtStatus::OBJECT_NAME_COLLISION),
        ("dir", ALL.disposition(CreateDisposition::OVERWRITE), NtStatus::OBJECT_NAME_COLLISION),
        ("", ALL.disposition(CreateDisposition::OVERWRITE_IF), NtStatus::ACCESS_DENIED),
        ("dir", directory().disposition(CreateDisposition::SUPERSEDE), NtStatus::INVALID_PARAMETER),
        ("file::$DATA", open(), NtStatus::SUCCESS),
        ("dir::$DATA", open(), NtStatus::FILE_IS_A_DIRECTORY),
        ("file::$DATA", only_directory, NtStatus::NOT_A_DIRECTORY),
        ("dir::$INDEX_ALLOCATION", open(), NtStatus::SUCCESS),
    ] {
        assert_eq!(client.create_status(&mut world, name, how), status, "{name} {how:?}");
    }
}

#[test]
fn o17_options_that_exclude_each_other_or_are_unknown_are_refused() {
    let mut world = World::new();
    let mut client = world.client();
    for (options, status) in [
        (CreateOptions::OPEN_BY_FILE_ID, NtStatus::NOT_SUPPORTED),
        (CreateOptions::RESERVE_OPFILTER, NtStatus::NOT_SUPPORTED),
        (CreateOptions::from_bits_retain(0x0100_0000), NtStatus::INVALID_PARAMETER),
        (CreateOptions::DIRECTORY_FILE | CreateOptions::NON_DIRECTORY_FILE, NtStatus::INVALID_PARAMETER),
        (CreateOptions::SYNCHRONOUS_IO_ALERT | CreateOptions::SYNCHRONOUS_IO_NONALERT, NtStatus::SUCCESS),
        (CreateOptions::COMPLETE_IF_OPLOCKED, NtStatus::SUCCESS),
        (CreateOptions::NO_EA_KNOWLEDGE, NtStatus::SUCCESS),
    ] {
        assert_eq!(client.create_status(&mut world, "file", ALL.options(options)), status, "{options:?}");
    }
    let name = Utf16Buf::new("file");
    let mut bad = create_request(&name, ALL);
    bad.impersonation_level = ImpersonationLevel(4);
    assert_eq!(client.status(&mut world, Command::CREATE, &bad), NtStatus::BAD_IMPERSONATION_LEVEL);
    let share = ALL.share(ShareAccess::from_bits_retain(8));
    assert_eq!(client.create_status(&mut world, "file", share), NtStatus::INVALID_PARAMETER);
    let attributes = ALL.attributes(FileAttributes::from_bits_retain(0x40));
    assert_eq!(client.create_status(&mut world, "file", attributes), NtStatus::INVALID_PARAMETER);
}

#[test]
fn access_that_means_nothing_is_denied() {
    let mut world = World::new();
    let mut client = world.client();
    for (access, status) in [
        (0, NtStatus::ACCESS_DENIED),
        (0x0400_0000, NtStatus::ACCESS_DENIED),
        (0x0000_0200, NtStatus::ACCESS_DENIED),
        (0x0100_0000, NtStatus::ACCESS_DENIED),
        (0x0200_0000, NtStatus::SUCCESS),
        (0x8000_0000, NtStatus::SUCCESS),
        (0x1000_0000, NtStatus::SUCCESS),
        (0x0012_019F, NtStatus::SUCCESS),
    ] {
        let how = ALL.access(AccessMask::from_bits_retain(access));
        assert_eq!(client.create_status(&mut world, "file", how), status, "{access:#x}");
    }
}

#[test]
fn granted_access_is_what_was_asked_for() {
    let mut world = World::new();
    let mut client = world.client();
    client.put(&mut world, "file", b"data");
    let granted = |world: &mut World, client: &mut crate::common::Client, access| {
        let file = client.open(world, "file", open().access(access));
        let info = client.info(world, file, fscc::FileInfoClass::ACCESS);
        client.close(world, file);
        fscc::FileAccessInfo::decode(&info).unwrap().access_flags
    };
    let read = granted(&mut world, &mut client, AccessMask::GENERIC_READ);
    assert_eq!(read, AccessMask::FILE_GENERIC_READ);
    let all = granted(&mut world, &mut client, AccessMask::MAXIMUM_ALLOWED);
    assert_eq!(all, AccessMask::FILE_ALL_ACCESS);
}

#[test]
fn handles_do_only_what_they_were_opened_for() {
    let mut world = World::new();
    let mut client = world.client();
    client.put(&mut world, "file", b"data");
    let reader = client.open(&mut world, "file", open().access(AccessMask::FILE_READ_DATA));
    let writer = client.open(&mut world, "file", open().access(AccessMask::FILE_WRITE_DATA));
    let stat = client.open(&mut world, "file", open().access(AccessMask::FILE_READ_ATTRIBUTES));
    assert_eq!(client.write(&mut world, reader, 0, b"x"), NtStatus::ACCESS_DENIED);
    assert_eq!(client.flush(&mut world, reader), NtStatus::ACCESS_DENIED);
    assert_eq!(client.read(&mut world, writer, 0, 1), Err(NtStatus::ACCESS_DENIED));
    assert_eq!(client.read(&mut world, stat, 0, 1), Err(NtStatus::ACCESS_DENIED));
    assert_eq!(client.lock(&mut world, stat, &[exclusive(0, 1)]), NtStatus::ACCESS_DENIED);
    assert_eq!(client.delete_pending(&mut world, reader, true), NtStatus::ACCESS_DENIED);
    assert_eq!(client.rename(&mut world, reader, "other", false), NtStatus::ACCESS_DENIED);
    let info = client.query(&mut world, reader, InfoType::FILE, fscc::FileInfoClass::BASIC.0, 100);
    assert_eq!(info.status(), NtStatus::ACCESS_DENIED);
    let executor = client.open(&mut world, "file", open().access(AccessMask::FILE_EXECUTE));
    assert_eq!(client.read(&mut world, executor, 0, 4), Ok(b"data".to_vec()));
}

#[test]
fn share_modes_keep_others_out() {
    let mut world = World::new();
    let mut client = world.client();
    let mut other = world.client();
    client.put(&mut world, "file", b"data");
    let (read, write) = (AccessMask::FILE_READ_DATA, AccessMask::FILE_WRITE_DATA);
    let (delete, stat) = (AccessMask::DELETE, AccessMask::FILE_READ_ATTRIBUTES);
    let none = ShareAccess::empty();
    for (access, share, then, with, status) in [
        (read, SHARE_ALL, read, SHARE_ALL, NtStatus::SUCCESS),
        (read, none, read, SHARE_ALL, NtStatus::SHARING_VIOLATION),
        (read, none, stat, none, NtStatus::SUCCESS),
        (stat, none, write, none, NtStatus::SUCCESS),
        (read, ShareAccess::READ, write, SHARE_ALL, NtStatus::SHARING_VIOLATION),
        (write, SHARE_ALL, read, ShareAccess::READ, NtStatus::SHARING_VIOLATION),
        (write, SHARE_ALL, read, ShareAccess::READ | ShareAccess::WRITE, NtStatus::SUCCESS),
        (read, ShareAccess::READ, delete, SHARE_ALL, NtStatus::SHARING_VIOLATION),
        (delete, SHARE_ALL, read, ShareAccess::READ, NtStatus::SHARING_VIOLATION),
        (delete, SHARE_ALL, read, ShareAccess::DELETE, NtStatus::SUCCESS),
        (AccessMask::FILE_EXECUTE, ShareAccess::WRITE, read, SHARE_ALL, NtStatus::SHARING_VIOLATION),
        (AccessMask::FILE_APPEND_DATA, ShareAccess::READ, write, SHARE_ALL, NtStatus::SHARING_VIOLATION),
    ] {
        let first = client.open(&mut world, "file", open().access(access).share(share));
        let second = other.create(&mut world, "FILE", open().access(then).share(with));
        assert_eq!(second.status(), status, "{access:?} {share:?} {then:?} {with:?}");
        if status == NtStatus::SUCCESS {
            let id = second.body::<CreateResponse<'_>>().file_id;
            other.close(&mut world, id);
        }
        client.close(&mut world, first);
        let after = other.open(&mut world, "file", open().access(then).share(with));
        other.close(&mut world, after);
    }
    world.drop_client(&client);
    world.drop_client(&other);
    world.assert_empty();
}

#[test]
fn whoever_may_not_have_a_file_does_not_truncate_it() {
    let mut world = World::new();
    let mut client = world.client();
    let mut other = world.client();
    client.put(&mut world, "file", b"data");
    let file = client.open(&mut world, "file", open().share(ShareAccess::READ));
    for disposition in
        [CreateDisposition::OVERWRITE, CreateDisposition::SUPERSEDE, CreateDisposition::OVERWRITE_IF]
    {
        // The access that was asked for would do: what overwriting needs does not.
        let how = ALL.disposition(disposition).access(AccessMask::FILE_READ_ATTRIBUTES);
        assert_eq!(
            other.create_status(&mut world, "file", how),
            NtStatus::SHARING_VIOLATION,
            "{disposition}"
        );
    }
    assert_eq!(client.read(&mut world, file, 0, 10), Ok(b"data".to_vec()));
    client.close(&mut world, file);
    let how = ALL.disposition(CreateDisposition::OVERWRITE).access(AccessMask::FILE_READ_ATTRIBUTES);
    let file = other.open(&mut world, "file", how);
    assert_eq!(other.standard(&mut world, file).end_of_file, 0);
    assert_eq!(other.write(&mut world, file, 0, b"x"), NtStatus::ACCESS_DENIED, "it is no right to write");
}

#[test]
fn o8_a_read_only_share_cannot_be_changed() {
    let mut world = read_only_world();
    let mut client = world.client();
    client.put(&mut world, "file", b"data");
    let dir = client.open(&mut world, "dir", directory());
    client.close(&mut world, dir);
    let mut reader = world.client_of("bob", "ro");
    let read = open().access(AccessMask::GENERIC_READ);
    for (name, how) in [
        ("file", open().access(AccessMask::GENERIC_WRITE)),
        ("file", open().access(AccessMask::FILE_APPEND_DATA)),
        ("file", open().access(AccessMask::DELETE)),
        ("file", open().access(AccessMask::FILE_WRITE_ATTRIBUTES)),
        ("file", read.disposition(CreateDisposition::OVERWRITE)),
        ("file", read.disposition(CreateDisposition::OVERWRITE_IF)),
        ("file", read.disposition(CreateDisposition::SUPERSEDE)),
        ("new", read.disposition(CreateDisposition::CREATE)),
        ("new", read.disposition(CreateDisposition::OPEN_IF)),
        ("new", read.disposition(CreateDisposition::SUPERSEDE)),
        ("new", read.disposition(CreateDisposition::OPEN_IF).options(CreateOptions::DIRECTORY_FILE)),
        ("file", read.access(AccessMask::MAXIMUM_ALLOWED).options(CreateOptions::DELETE_ON_CLOSE)),
    ] {
        assert_eq!(reader.create_status(&mut world, name, how), NtStatus::ACCESS_DENIED, "{name} {how:?}");
    }
    let file = reader.open(&mut world, "file", open().access(AccessMask::MAXIMUM_ALLOWED));
    assert_eq!(reader.read(&mut world, file, 0, 10), Ok(b"data".to_vec()));
    assert_eq!(reader.write(&mut world, file, 0, b"x"), NtStatus::ACCESS_DENIED);
    let existing = reader.open(&mut world, "file", read.disposition(CreateDisposition::OPEN_IF));
    assert_eq!(reader.read(&mut world, existing, 0, 10), Ok(b"data".to_vec()));
    let name = Utf16Buf::new("link");
    let link = fscc::FileLinkInfo { replace_if_exists: false, root_directory: 0, name: name.as_utf16() };
    assert_eq!(reader.set(&mut world, file, &link), NtStatus::ACCESS_DENIED);
    assert_eq!(client.create_status(&mut world, "new", open()), NtStatus::OBJECT_NAME_NOT_FOUND);
    assert_eq!(client.get(&mut world, "file"), b"data");
}

#[test]
fn read_only_files_are_neither_written_nor_deleted() {
    let mut world = World::new();
    let mut client = world.client();
    let made = client.open(&mut world, "ro", ALL.attributes(FileAttributes::READONLY));
    assert_eq!(client.write(&mut world, made, 0, b"data"), NtStatus::SUCCESS, "its maker may still write");
    assert_eq!(client.delete_pending(&mut world, made, true), NtStatus::CANNOT_DELETE);
    client.close(&mut world, made);
    let delete = open().access(AccessMask::DELETE).options(CreateOptions::DELETE_ON_CLOSE);
    for (how, status) in [
        (open().access(AccessMask::FILE_WRITE_DATA), NtStatus::ACCESS_DENIED),
        (open().access(AccessMask::FILE_APPEND_DATA), NtStatus::ACCESS_DENIED),
        (open().disposition(CreateDisposition::OVERWRITE), NtStatus::ACCESS_DENIED),
        (delete, NtStatus::CANNOT_DELETE),
        (open().access(AccessMask::FILE_WRITE_ATTRIBUTES), NtStatus::SUCCESS),
        (open().access(AccessMask::FILE_READ_DATA), NtStatus::SUCCESS),
    ] {
        assert_eq!(client.create_status(&mut world, "ro", how), status, "{how:?}");
    }
    let maximal = client.open(&mut world, "ro", open().access(AccessMask::MAXIMUM_ALLOWED));
    assert_eq!(client.write(&mut world, maximal, 0, b"x"), NtStatus::ACCESS_DENIED);
    let both = ALL.attributes(FileAttributes::READONLY).options(CreateOptions::DELETE_ON_CLOSE);
    assert_eq!(client.create_status(&mut world, "new", both), NtStatus::CANNOT_DELETE);
}

#[test]
fn hidden_files_are_overwritten_only_by_those_who_know() {
    let mut world = World::new();
    let mut client = world.client();
    let file =
        client.open(&mut world, "file", ALL.attributes(FileAttributes::HIDDEN | FileAttributes::SYSTEM));
    client.close(&mut world, file);
    let overwrite = ALL.disposition(CreateDisposition::OVERWRITE);
    assert_eq!(client.create_status(&mut world, "file", overwrite), NtStatus::ACCESS_DENIED);
    let hidden = overwrite.attributes(FileAttributes::HIDDEN);
    assert_eq!(client.create_status(&mut world, "file", hidden), NtStatus::ACCESS_DENIED);
    let known = overwrite.attributes(FileAttributes::HIDDEN | FileAttributes::SYSTEM);
    let file = client.open(&mut world, "file", known);
    let attributes = client.basic(&mut world, file).attributes;
    assert_eq!(attributes, FileAttributes::HIDDEN | FileAttributes::SYSTEM | FileAttributes::ARCHIVE);
}

#[test]
fn delete_on_close_deletes_with_the_last_open() {
    let mut world = World::new();
    let mut client = world.client();
    let mut other = world.client();
    let doc = ALL.options(CreateOptions::DELETE_ON_CLOSE);
    let first = client.open(&mut world, "file", doc);
    let second = other.open(&mut world, "file", open());
    assert!(!client.standard(&mut world, first).delete_pending);
    client.close(&mut world, first);
    assert!(other.standard(&mut world, second).delete_pending, "the first close marks it");
    assert_eq!(client.create_status(&mut world, "file", open()), NtStatus::DELETE_PENDING);
    assert_eq!(client.create_status(&mut world, "file", ALL), NtStatus::DELETE_PENDING);
    other.close(&mut world, second);
    assert_eq!(client.create_status(&mut world, "file", open()), NtStatus::OBJECT_NAME_NOT_FOUND);
    let needs_delete = open().access(AccessMask::FILE_READ_DATA).options(CreateOptions::DELETE_ON_CLOSE);
    assert_eq!(client.create_status(&mut world, "file", needs_delete), NtStatus::INVALID_PARAMETER);
    world.drop_client(&client);
    world.drop_client(&other);
    world.assert_empty();
}

#[test]
fn delete_on_close_leaves_a_directory_that_is_not_empty() {
    let mut world = World::new();
    let mut client = world.client();
    let dir = client.open(
        &mut world,
        "dir",
        directory().options(CreateOptions::DIRECTORY_FILE | CreateOptions::DELETE_ON_CLOSE),
    );
    client.put(&mut world, r"dir\file", b"");
    client.close(&mut world, dir);
    assert_eq!(client.create_status(&mut world, r"dir\file", open()), NtStatus::SUCCESS);
}

#[test]
fn a_deletion_can_be_called_off() {
    let mut world = World::new();
    let mut client = world.client();
    let file = client.open(&mut world, "file", ALL);
    assert_eq!(client.delete_pending(&mut world, file, true), NtStatus::SUCCESS);
    assert!(client.standard(&mut world, file).delete_pending);
    assert_eq!(client.standard(&mut world, file).number_of_links, 0);
    assert_eq!(client.delete_pending(&mut world, file, false), NtStatus::SUCCESS);
    client.close(&mut world, file);
    assert_eq!(client.create_status(&mut world, "file", open()), NtStatus::SUCCESS);
    let root = client.open(&mut world, "", open());
    assert_eq!(client.delete_pending(&mut world, root, true), NtStatus::CANNOT_DELETE);
}

#[test]
fn nothing_is_made_in_a_directory_that_goes_away() {
    let mut world = World::new();
    let mut client = world.client();
    let dir = client.open(&mut world, "dir", directory());
    assert_eq!(client.delete_pending(&mut world, dir, true), NtStatus::SUCCESS);
    assert_eq!(client.create_status(&mut world, r"DIR\file", ALL), NtStatus::DELETE_PENDING);
    client.close(&mut world, dir);
    assert_eq!(client.create_status(&mut world, "dir", open()), NtStatus::OBJECT_NAME_NOT_FOUND);
}

#[test]
fn contexts_are_answered_or_refused() {
    let mut world = World::new();
    let mut client = world.client();
    let ask = [
        CreateContext::QueryMaximalAccess(None),
        CreateContext::QueryOnDiskId,
        CreateContext::AllocationSize(65536),
        CreateContext::RequestLease(Lease::default()),
        CreateContext::DurableHandleRequest { reserved: [0; 16] },
        CreateContext::TimewarpToken(FileTime(0)),
        CreateContext::Unknown { name: b"what", data: b"?" },
    ];
    let response = client.create(&mut world, "file", Create { contexts: &ask, ..ALL });
    let body = response.body::<CreateResponse<'_>>();
    assert_eq!(body.oplock_level, OplockLevel::NONE);
    let replies: Vec<_> = body.contexts.iter().collect();
    assert_eq!(replies.len(), 2);
    assert_eq!(
        replies[0],
        CreateContextReply::QueryMaximalAccess {
            query_status: NtStatus::SUCCESS,
            maximal_access: AccessMask::FILE_ALL_ACCESS
        }
    );
    assert!(matches!(replies[1], CreateContextReply::QueryOnDiskId { .. }));
    let unchanged = [CreateContext::QueryMaximalAccess(Some(body.last_write_time))];
    let response = client.create(&mut world, "file", Create { contexts: &unchanged, ..ALL });
    let replies: Vec<_> = response.body::<CreateResponse<'_>>().contexts.iter().collect();
    assert!(matches!(
        replies[0],
        CreateContextReply::QueryMaximalAccess { query_status: NtStatus::NONE_MAPPED, .. }
    ));
    for (context, status) in [
        (CreateContext::TimewarpToken(FileTime(1)), NtStatus::OBJECT_NAME_NOT_FOUND),
        (CreateContext::EaBuffer(&[0; 12]), NtStatus::INVALID_EA_NAME),
        (CreateContext::DurableHandleReconnect(FileId::default()), NtStatus::OBJECT_NAME_NOT_FOUND),
    ] {
        let contexts = [context];
        assert_eq!(client.create_status(&mut world, "file", Create { contexts: &contexts, ..ALL }), status);
    }
}

#[test]
fn o5_names_that_could_lead_elsewhere_are_refused() {
    let mut world = World::new();
    let mut client = world.client();
    for (name, status) in [
        (r"..", NtStatus::OBJECT_PATH_SYNTAX_BAD),
        (r"..\..\etc\passwd", NtStatus::OBJECT_PATH_SYNTAX_BAD),
        (r"a\..\..\b", NtStatus::OBJECT_PATH_SYNTAX_BAD),
        (r"\file", NtStatus::INVALID_PARAMETER),
        ("a\0b", NtStatus::OBJECT_NAME_INVALID),
        ("a/b", NtStatus::OBJECT_NAME_INVALID),
    ] {
        assert_eq!(client.create_status(&mut world, name, ALL), status, "{name:?}");
        let file = client.open(&mut world, "source", ALL);
        assert_ne!(client.rename(&mut world, file, name, true), NtStatus::SUCCESS, "{name:?}");
        client.close(&mut world, file);
    }
    let name = Utf16Buf::new("file");
    let request = create_request(&name, ALL);
    for (at, value) in [(110, 7_u16), (110, 0xFFFE), (108, 0xFFFF), (108, 64)] {
        let mut message = client.raw(Command::CREATE, &request);
        message[at..at + 2].copy_from_slice(&value.to_le_bytes());
        client.send_frame(&mut world, &message);
        let id = client.last;
        assert_eq!(client.answer(&mut world, id).status(), NtStatus::INVALID_PARAMETER, "{at} {value}");
    }
}

#[test]
fn c4_members_after_a_failed_create_fail_alike() {
    let mut world = World::new();
    let mut client = world.client();
    let name = Utf16Buf::new("missing");
    client.add(Command::CREATE, false, &create_request(&name, open()));
    client.add(Command::READ, true, &ReadRequest { file_id: FileId::ANY, length: 1, ..Default::default() });
    client.add(Command::CLOSE, true, &CloseRequest { flags: CloseFlags::empty(), file_id: FileId::ANY });
    let statuses: Vec<NtStatus> = client.compound(&mut world).iter().map(|a| a.status()).collect();
    assert_eq!(statuses, [NtStatus::OBJECT_NAME_NOT_FOUND; 3]);
    // Outside a compound nothing has that name.
    assert_eq!(client.close(&mut world, FileId::ANY), NtStatus::FILE_CLOSED);
    // A related member without one before it.
    let name = Utf16Buf::new("file");
    client.add(Command::CREATE, true, &create_request(&name, ALL));
    client.add(Command::CLOSE, true, &CloseRequest { flags: CloseFlags::empty(), file_id: FileId::ANY });
    assert!(client.compound(&mut world).iter().all(|a| a.status() == NtStatus::INVALID_PARAMETER));
    world.drop_client(&client);
    world.assert_empty();
}

#[test]
fn attributes_and_times_come_with_the_answer() {
    let mut world = World::new();
    let mut client = world.client();
    let response = client.create(&mut world, "file", ALL.attributes(FileAttributes::HIDDEN));
    let body = response.body::<CreateResponse<'_>>();
    assert_eq!(body.create_action, CreateAction::CREATED);
    assert_eq!(body.file_attributes, FileAttributes::HIDDEN | FileAttributes::ARCHIVE);
    assert!(body.creation_time.0 > 0 && body.last_write_time >= body.creation_time);
    let response = client.create(&mut world, "dir", directory());
    let body = response.body::<CreateResponse<'_>>();
    assert_eq!(body.file_attributes, FileAttributes::DIRECTORY);
    let temporary = directory().attributes(FileAttributes::TEMPORARY);
    assert_eq!(client.create_status(&mut world, "dir2", temporary), NtStatus::INVALID_PARAMETER);
}
