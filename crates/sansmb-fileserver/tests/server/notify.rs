//! CHANGE_NOTIFY.

use sansmb::wire::{fscc::*, *};
use sansmb_fileserver::Limits;

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
    let root = client.open(&mut world, "", open());
    for (id, filter, status) in [
        (file, NAMES, NtStatus::INVALID_PARAMETER),
        (blind, NAMES, NtStatus::ACCESS_DENIED),
        (root, CompletionFilter::empty(), NtStatus::INVALID_PARAMETER),
    ] {
        let id = client.send_notify(&mut world, id, filter, false, 1000);
        assert_eq!(client.answer(&mut world, id).status(), status);
    }
    assert_eq!(world.files.counters().waiting, 0);
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
