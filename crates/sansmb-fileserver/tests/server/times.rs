//! Times: when writes show in them, and which stay as they are.

use std::time::Duration;

use sansmb::wire::{fscc::*, *};

use crate::common::{Client, World, requests::*};

const EARLY: FileTime = FileTime(126_227_808_000_000_000);

fn written(client: &mut Client, world: &mut World, file: FileId) -> FileTime {
    client.basic(world, file).last_write_time
}

fn pass(world: &mut World, seconds: u64) {
    world.now.wall.0 += seconds * 10_000_000;
    world.advance(Duration::from_secs(seconds));
}

/// A file that was last written in 2001, and an open of it.
fn old_file(world: &mut World, client: &mut Client) -> FileId {
    client.put(world, "file", b"old");
    let file = client.open(world, "file", open());
    let info = FileBasicInfo { last_write_time: EARLY, change_time: EARLY, ..Default::default() };
    assert_eq!(client.set(world, file, &info), NtStatus::SUCCESS);
    client.close(world, file);
    client.open(world, "file", open())
}

#[test]
fn a_write_shows_after_two_seconds_and_further_ones_at_the_end() {
    let mut world = World::new();
    let mut client = world.client();
    let file = old_file(&mut world, &mut client);
    assert_eq!(client.write(&mut world, file, 0, b"new"), NtStatus::SUCCESS);
    let due = world.files.poll_timeout().expect("somebody has to come back");
    assert_eq!(due, world.now.mono.after(Duration::from_secs(2)));
    let mut other = world.client_of("bob", "share");
    let theirs = other.open(&mut world, "file", open().access(AccessMask::FILE_READ_ATTRIBUTES));
    for _ in 0..2 {
        let now = client.basic(&mut world, file);
        assert_eq!((now.last_write_time, now.change_time), (EARLY, EARLY));
        assert_eq!(written(&mut other, &mut world, theirs), EARLY);
        pass(&mut world, 1);
    }
    let first = written(&mut client, &mut world, file);
    assert!(first > EARLY);
    assert_eq!(written(&mut other, &mut world, theirs), first);
    assert_eq!(world.files.poll_timeout(), None);
    client.write(&mut world, file, 0, b"newer");
    pass(&mut world, 10);
    assert_eq!(written(&mut client, &mut world, file), first);
    let request = CloseRequest { flags: CloseFlags::POSTQUERY_ATTRIB, file_id: file };
    let response = client.call(&mut world, Command::CLOSE, &request);
    let closed = response.body::<CloseResponse>();
    assert_eq!(closed.last_write_time, world.now.wall, "what was hidden happened at the close");
    assert_eq!(written(&mut other, &mut world, theirs), closed.last_write_time);
    world.drop_client(&client);
    world.drop_client(&other);
    world.assert_empty();
}

/// Where nothing was written after it showed, the close changes nothing: clients compare.
#[test]
fn a_write_that_was_shown_stays_what_it_was() {
    let mut world = World::new();
    let mut client = world.client();
    for looks in [true, false] {
        let file = old_file(&mut world, &mut client);
        client.write(&mut world, file, 0, b"new");
        pass(&mut world, 3);
        let first = if looks { Some(written(&mut client, &mut world, file)) } else { None };
        pass(&mut world, 3);
        let request = CloseRequest { flags: CloseFlags::POSTQUERY_ATTRIB, file_id: file };
        let response = client.call(&mut world, Command::CLOSE, &request);
        let closed = response.body::<CloseResponse>().last_write_time;
        assert_ne!(closed, world.now.wall);
        assert_eq!(closed, first.unwrap_or(closed));
    }
    // Nobody looked before it was written again: what shows is the first write.
    let file = old_file(&mut world, &mut client);
    client.write(&mut world, file, 0, b"new");
    let first = world.now.wall;
    pass(&mut world, 3);
    client.write(&mut world, file, 0, b"newer");
    pass(&mut world, 3);
    assert_eq!(written(&mut client, &mut world, file), first);
    client.close(&mut world, file);
    let file = client.open(&mut world, "file", open());
    assert_eq!(written(&mut client, &mut world, file), world.now.wall);
    world.drop_client(&client);
    world.assert_empty();
}

#[test]
fn whoever_flushes_or_sets_something_sees_what_was_written() {
    let mut world = World::new();
    let mut client = world.client();
    for how in 0..4 {
        let file = old_file(&mut world, &mut client);
        client.write(&mut world, file, 0, b"new");
        assert_eq!(written(&mut client, &mut world, file), EARLY);
        let done = match how {
            0 => client.flush(&mut world, file),
            1 => client.set(&mut world, file, &FileEndOfFileInfo { end_of_file: 2 }),
            2 => client.set(&mut world, file, &FileAllocationInfo { allocation_size: 4096 }),
            _ => client.set(&mut world, file, &FileBasicInfo::default()),
        };
        assert_eq!(done, NtStatus::SUCCESS);
        assert!(written(&mut client, &mut world, file) > EARLY, "{how}");
        assert_eq!(world.files.poll_timeout(), None);
        client.close(&mut world, file);
    }
}

#[test]
fn directories_show_the_same_times() {
    let mut world = World::new();
    let mut client = world.client();
    let file = old_file(&mut world, &mut client);
    let root = client.open(&mut world, "", open());
    let mut listed = |world: &mut World| {
        let flags = QueryDirectoryFlags::RESTART_SCANS;
        let class = FileInfoClass::DIRECTORY;
        let response = client.query_directory(world, root, class, "file", flags, 4096);
        let body = response.body::<QueryDirectoryResponse<'_>>();
        DirEntries::new(class, body.buffer).unwrap().next().unwrap().unwrap().last_write_time
    };
    assert_eq!(listed(&mut world), EARLY);
    let mut writer = world.client_of("bob", "share");
    let theirs = writer.open(&mut world, "file", open());
    writer.write(&mut world, theirs, 0, b"new");
    assert_eq!(listed(&mut world), EARLY);
    writer.close(&mut world, theirs);
    assert!(listed(&mut world) > EARLY);
    client.close(&mut world, file);
}

#[test]
fn times_that_were_set_stay_through_this_open_only() {
    let mut world = World::new();
    let mut client = world.client();
    client.put(&mut world, "file", b"old");
    let file = client.open(&mut world, "file", open());
    let info = FileBasicInfo { last_write_time: EARLY, change_time: EARLY, ..Default::default() };
    assert_eq!(client.set(&mut world, file, &info), NtStatus::SUCCESS);
    let check = |world: &mut World, client: &mut Client| {
        let now = client.basic(world, file);
        assert_eq!((now.last_write_time, now.change_time), (EARLY, EARLY));
    };
    client.write(&mut world, file, 0, b"new");
    check(&mut world, &mut client);
    assert_eq!(world.files.poll_timeout(), None);
    client.set(&mut world, file, &FileEndOfFileInfo { end_of_file: 100 });
    check(&mut world, &mut client);
    client.set(&mut world, file, &FileAllocationInfo { allocation_size: 50 });
    check(&mut world, &mut client);
    let hidden = FileBasicInfo { attributes: FileAttributes::HIDDEN, ..Default::default() };
    client.set(&mut world, file, &hidden);
    check(&mut world, &mut client);
    let zero = fsctl::ZeroData { file_offset: 0, beyond_final_zero: 10 }.to_vec();
    client.ioctl(&mut world, file, CtlCode::SET_ZERO_DATA, &zero, 0);
    check(&mut world, &mut client);
    client.ioctl(&mut world, file, CtlCode::SET_SPARSE, &[], 0);
    check(&mut world, &mut client);
    client.flush(&mut world, file);
    check(&mut world, &mut client);
    // Another open is free to change them, and this one does not undo it when it is closed.
    let other = client.open(&mut world, "file", open());
    client.write(&mut world, other, 0, b"newer");
    client.close(&mut world, other);
    client.close(&mut world, file);
    let file = client.open(&mut world, "file", open());
    assert!(written(&mut client, &mut world, file) > EARLY);
}

#[test]
fn frozen_times_do_not_move_until_they_are_thawed() {
    let mut world = World::new();
    let mut client = world.client();
    let file = old_file(&mut world, &mut client);
    let both = |time| FileBasicInfo {
        last_write_time: FileTime(time),
        change_time: FileTime(time),
        creation_time: FileTime(time),
        ..Default::default()
    };
    let before = client.basic(&mut world, file);
    assert_eq!(client.set(&mut world, file, &both(u64::MAX)), NtStatus::SUCCESS);
    assert_eq!(client.basic(&mut world, file), before);
    client.write(&mut world, file, 0, b"new");
    assert_eq!(client.basic(&mut world, file), before);
    assert_eq!(client.set(&mut world, file, &both(u64::MAX - 1)), NtStatus::SUCCESS);
    assert_eq!(client.basic(&mut world, file), before, "to thaw changes nothing by itself");
    client.write(&mut world, file, 0, b"newer");
    client.flush(&mut world, file);
    assert!(written(&mut client, &mut world, file) > EARLY);
}
