//! CHANGE_NOTIFY.

use sansmb::wire::{fscc::*, *};
use sansmb_fileserver::{
    Limits,
    storage::{Changed, Done, SharePath},
};

use crate::common::{Client, World, requests::*};

const NAMES: CompletionFilter = CompletionFilter::FILE_NAME.union(CompletionFilter::DIR_NAME);

fn watcher(world: &mut World) -> (Client, FileId, Client) {
    let mut client = world.client();
    let dir = client.open(world, "dir", directory().access(AccessMask::FILE_GENERIC_READ));
    (client, dir, world.client())
}

#[test]
fn a_watch_tells_of_files_that_come_and_go() {
    let mut world = World::new();
    let (mut client, dir, mut other) = watcher(&mut world);
    let id = client.send_notify(&mut world, dir, NAMES, false, 1000);
    assert!(client.was_pended(&mut world, id));
    let file = other.open(&mut world, r"dir\new", ALL);
    assert_eq!(changes(&client.answer(&mut world, id)), [(NotifyAction::ADDED, "new".into())]);
    // What happens between two requests is kept.
    other.rename(&mut world, file, r"dir\newer", false);
    other.delete_pending(&mut world, file, true);
    other.close(&mut world, file);
    let id = client.send_notify(&mut world, dir, NAMES, false, 1000);
    let expected = [
        (NotifyAction::RENAMED_OLD_NAME, "new".to_owned()),
        (NotifyAction::RENAMED_NEW_NAME, "newer".to_owned()),
        (NotifyAction::REMOVED, "newer".to_owned()),
    ];
    assert_eq!(changes(&client.answer(&mut world, id)), expected);
    assert_eq!(world.files.counters().waiting, 0);
    world.drop_client(&client);
    world.drop_client(&other);
    world.assert_empty();
}

#[test]
fn filters_and_depth_decide_what_is_told() {
    let mut world = World::new();
    let (mut client, dir, mut other) = watcher(&mut world);
    let sub = other.open(&mut world, r"dir\sub", directory());
    other.close(&mut world, sub);
    let tree = client.open(&mut world, "", open().access(AccessMask::FILE_GENERIC_READ));
    let shallow = client.send_notify(&mut world, dir, CompletionFilter::FILE_NAME, false, 1000);
    let deep = client.send_notify(&mut world, tree, NAMES, true, 1000);
    let sub = other.open(&mut world, r"dir\sub2", directory());
    assert_eq!(changes(&client.answer(&mut world, deep)), [(NotifyAction::ADDED, r"dir\sub2".into())]);
    other.put(&mut world, r"dir\sub\file", b"");
    assert!(client.maybe(&mut world, shallow).is_none(), "too deep, and a directory");
    other.rename(&mut world, sub, "sub3", false);
    assert!(client.maybe(&mut world, shallow).is_none());
    let deep = client.send_notify(&mut world, tree, NAMES, true, 1000);
    let expected = [
        (NotifyAction::ADDED, r"dir\sub\file".to_owned()),
        (NotifyAction::REMOVED, r"dir\sub2".to_owned()),
        (NotifyAction::ADDED, "sub3".to_owned()),
    ];
    assert_eq!(changes(&client.answer(&mut world, deep)), expected);
}

#[test]
fn writes_and_attributes_are_told_to_those_who_ask() {
    let mut world = World::new();
    let (mut client, dir, mut other) = watcher(&mut world);
    let file = other.open(&mut world, r"dir\file", ALL);
    let filter = CompletionFilter::SIZE | CompletionFilter::ATTRIBUTES;
    let id = client.send_notify(&mut world, dir, filter, false, 1000);
    other.write(&mut world, file, 0, b"data");
    assert!(client.maybe(&mut world, id).is_none(), "told when it is flushed or closed");
    other.flush(&mut world, file);
    let modified = [(NotifyAction::MODIFIED, "file".to_owned())];
    assert_eq!(changes(&client.answer(&mut world, id)), modified);
    for step in 0..3 {
        let id = client.send_notify(&mut world, dir, filter, false, 1000);
        let status = match step {
            0 => other.set(&mut world, file, &FileEndOfFileInfo { end_of_file: 1 }),
            1 => {
                let attributes = FileAttributes::HIDDEN;
                other.set(&mut world, file, &FileBasicInfo { attributes, ..Default::default() })
            }
            _ => {
                other.write(&mut world, file, 0, b"data");
                other.close(&mut world, file)
            }
        };
        assert_eq!(status, NtStatus::SUCCESS);
        assert_eq!(changes(&client.answer(&mut world, id)), modified, "{step}");
    }
}

#[test]
fn a_renamed_file_changes_its_attributes_when_it_is_closed() {
    let mut world = World::new();
    let (mut client, dir, mut other) = watcher(&mut world);
    let file = other.open(&mut world, r"dir\file", ALL);
    let id = client.send_notify(&mut world, dir, CompletionFilter::ATTRIBUTES, false, 1000);
    other.rename(&mut world, file, r"dir\other", false);
    assert!(client.maybe(&mut world, id).is_none());
    other.close(&mut world, file);
    assert_eq!(changes(&client.answer(&mut world, id)), [(NotifyAction::MODIFIED, "other".into())]);
}

#[test]
fn too_much_for_the_buffer_means_look_again() {
    let mut world = World::new();
    let (mut client, dir, mut other) = watcher(&mut world);
    let id = client.send_notify(&mut world, dir, NAMES, false, 16);
    other.put(&mut world, r"dir\long name", b"");
    let answer = client.answer(&mut world, id);
    assert_eq!(answer.status(), NtStatus::NOTIFY_ENUM_DIR);
    assert!(changes(&answer).is_empty());
    let id = client.send_notify(&mut world, dir, NAMES, false, 1000);
    other.put(&mut world, r"dir\x", b"");
    assert_eq!(changes(&client.answer(&mut world, id)).len(), 1, "and then it goes on");
}

#[test]
fn o22_changes_that_nobody_takes_are_bounded() {
    let limits = Limits { notify_buffer: 500, ..Limits::default() };
    let mut world = World::with_limits(limits);
    let (mut client, dir, mut other) = watcher(&mut world);
    let id = client.send_notify(&mut world, dir, NAMES, false, 65536);
    for n in 0..100 {
        other.put(&mut world, &format!(r"dir\file{n}"), b"");
    }
    assert_eq!(changes(&client.answer(&mut world, id)).len(), 1);
    let id = client.send_notify(&mut world, dir, NAMES, false, 65536);
    assert_eq!(client.answer(&mut world, id).status(), NtStatus::NOTIFY_ENUM_DIR);
}

#[test]
fn a_watch_ends_with_cancel_close_or_deletion() {
    let mut world = World::new();
    let (mut client, dir, mut other) = watcher(&mut world);
    let id = client.send_notify(&mut world, dir, NAMES, false, 1000);
    client.send_cancel(&mut world, id);
    assert_eq!(client.answer(&mut world, id).status(), NtStatus::CANCELLED);
    let id = client.send_notify(&mut world, dir, NAMES, false, 1000);
    let mine = other.open(&mut world, "dir", open());
    assert_eq!(other.delete_pending(&mut world, mine, true), NtStatus::SUCCESS);
    assert_eq!(client.answer(&mut world, id).status(), NtStatus::DELETE_PENDING);
    let id = client.send_notify(&mut world, dir, NAMES, false, 1000);
    assert_eq!(client.answer(&mut world, id).status(), NtStatus::DELETE_PENDING);
    other.delete_pending(&mut world, mine, false);
    let id = client.send_notify(&mut world, dir, NAMES, false, 1000);
    client.close(&mut world, dir);
    assert_eq!(client.answer(&mut world, id).status(), NtStatus::NOTIFY_CLEANUP);
    let dir = client.open(&mut world, "dir", open());
    let id = client.send_notify(&mut world, dir, NAMES, false, 1000);
    assert_eq!(client.tree_disconnect(&mut world), NtStatus::SUCCESS);
    assert_eq!(client.answer(&mut world, id).status(), NtStatus::NOTIFY_CLEANUP);
    assert_eq!(world.files.counters().watches, 0);
}

#[test]
fn only_directories_that_may_be_listed_are_watched() {
    let mut world = World::new();
    let mut client = world.client();
    let file = client.open(&mut world, "file", ALL);
    let blind = client.open(&mut world, "", open().access(AccessMask::FILE_READ_ATTRIBUTES));
    for (id, filter, status) in
        [(file, NAMES, NtStatus::INVALID_PARAMETER), (blind, NAMES, NtStatus::ACCESS_DENIED)]
    {
        let id = client.send_notify(&mut world, id, filter, false, 1000);
        assert_eq!(client.answer(&mut world, id).status(), status);
    }
    assert_eq!(world.files.counters().waiting, 0);
}

#[test]
fn a_filter_without_a_known_bit_waits_for_the_end() {
    let mut world = World::new();
    let (mut client, dir, mut other) = watcher(&mut world);
    for filter in [CompletionFilter::empty(), CompletionFilter::from_bits_retain(0x8000_0000)] {
        let id = client.send_notify(&mut world, dir, filter, true, 1000);
        assert!(client.was_pended(&mut world, id));
        other.put(&mut world, r"dir\file", b"data");
        assert!(client.maybe(&mut world, id).is_none());
        client.send_cancel(&mut world, id);
        assert_eq!(client.answer(&mut world, id).status(), NtStatus::CANCELLED);
    }
}

#[test]
fn a_share_may_have_no_watches() {
    let mut world = World::with(|mut config| {
        config.shares[0].change_notify = false;
        config
    });
    let (mut client, dir, _) = watcher(&mut world);
    let id = client.send_notify(&mut world, dir, NAMES, false, 1000);
    assert_eq!(client.answer(&mut world, id).status(), NtStatus::NOT_IMPLEMENTED);
}

#[test]
fn a_watch_or_lock_that_would_keep_a_compound_waiting_fails() {
    let mut world = World::new();
    let (mut client, dir, mut other) = watcher(&mut world);
    let file = other.open(&mut world, r"dir\file", ALL);
    let locks = [LockElement { offset: 0, length: 1, flags: LockFlags::EXCLUSIVE }];
    assert_eq!(other.lock(&mut world, file, &locks), NtStatus::SUCCESS);
    let mine = client.open(&mut world, r"dir\file", ALL);
    let notify = ChangeNotifyRequest {
        file_id: dir,
        completion_filter: NAMES,
        output_buffer_length: 100,
        ..Default::default()
    };
    let lock = LockRequest { file_id: mine, locks: locks.as_slice().into(), ..Default::default() };
    client.add(Command::CHANGE_NOTIFY, false, &notify);
    client.add(Command::LOCK, false, &lock);
    client.add(Command::CHANGE_NOTIFY, false, &notify);
    let answers: Vec<_> = client.compound(&mut world).iter().map(|a| a.status()).collect();
    let (failed, pending) = (NtStatus::INTERNAL_ERROR, NtStatus::PENDING);
    assert_eq!(answers, [failed, failed, pending], "the last one may wait");
    assert_eq!(world.files.counters().waiting, 1);
    world.drop_client(&client);
    world.drop_client(&other);
    world.assert_empty();
}

fn beside(action: NotifyAction, names: &[&str], kind: CompletionFilter) -> Changed {
    let path = SharePath(names.iter().map(|name| (*name).into()).collect());
    Changed { path, action, kind }
}

#[test]
fn changes_beside_the_server_are_told_as_well() {
    let mut world = World::new();
    let (mut client, dir, mut other) = watcher(&mut world);
    world.hold = true;
    let id = client.send_notify(&mut world, dir, NAMES, true, 1000);
    assert_eq!(world.held_names(), ["Watch"]);
    let changes_of = |changes| Ok(Done::Changed { changes, lost: false });
    let quiet = beside(NotifyAction::MODIFIED, &["a"], CompletionFilter::SIZE);
    world.end_held(0, changes_of(vec![quiet]));
    assert!(client.maybe(&mut world, id).is_none(), "nobody asked for that");
    assert_eq!(world.held_names(), ["Watch"], "and it goes on");
    let added = beside(NotifyAction::ADDED, &["sub", "b"], CompletionFilter::FILE_NAME);
    world.end_held(0, changes_of(vec![added]));
    let expected = [(NotifyAction::ADDED, r"sub\b".to_owned())];
    assert_eq!(changes(&client.answer(&mut world, id)), expected);
    // Between two requests, both kinds are kept in order; what is lost makes the client look itself.
    let removed = beside(NotifyAction::REMOVED, &["c"], CompletionFilter::DIR_NAME);
    world.end_held(0, changes_of(vec![removed]));
    let id = client.send_notify(&mut world, dir, NAMES, true, 1000);
    assert_eq!(changes(&client.answer(&mut world, id)), [(NotifyAction::REMOVED, "c".to_owned())]);
    world.end_held(0, Ok(Done::Changed { changes: Vec::new(), lost: true }));
    let id = client.send_notify(&mut world, dir, NAMES, true, 1000);
    assert_eq!(client.answer(&mut world, id).status(), NtStatus::NOTIFY_ENUM_DIR);
    // Closing does not wait for the storage's watch, it ends it.
    let id = client.send_notify(&mut world, dir, NAMES, true, 1000);
    client.send(&mut world, Command::CLOSE, &CloseRequest { file_id: dir, ..Default::default() });
    assert_eq!(client.answer(&mut world, id).status(), NtStatus::NOTIFY_CLEANUP);
    assert_eq!(world.held_names(), ["Watch", "Unwatch", "Close"]);
    world.fail_held(0, NtStatus::CANCELLED);
    world.run_all();
    world.hold = false;
    other.put(&mut world, r"dir\file", b"");
    world.drop_client(&client);
    world.drop_client(&other);
    world.assert_empty();
}

#[test]
fn a_watch_follows_its_directory_to_another_name() {
    let mut world = World::new();
    let (mut client, dir, mut other) = watcher(&mut world);
    let id = client.send_notify(&mut world, dir, NAMES, false, 1000);
    let mover = other.open(&mut world, "dir", open());
    assert_eq!(other.rename(&mut world, mover, "elsewhere", false), NtStatus::SUCCESS);
    other.put(&mut world, r"elsewhere\file", b"");
    assert_eq!(changes(&client.answer(&mut world, id)), [(NotifyAction::ADDED, "file".into())]);
}
