//! CREATEs that are refused after they made something.

use std::time::Duration;

use sansmb::wire::*;

use crate::common::{Client, World, caching::*, requests::*};

/// Whether there is something of this name.
fn there(client: &mut Client, world: &mut World, name: &str) -> bool {
    match client.create_status(world, name, open()) {
        NtStatus::SUCCESS => true,
        NtStatus::OBJECT_NAME_NOT_FOUND => false,
        status => panic!("{status:?}"),
    }
}

#[test]
fn a_file_whose_stream_cannot_be_made_is_not_made() {
    let mut world = World::new();
    let mut client = world.client();
    world.hold = true;
    let id = client.send_create(&mut world, "file:stream", ALL);
    world.run_held(0);
    assert_eq!(world.held_names(), ["OpenStream"]);
    world.fail_held(0, NtStatus::DISK_FULL);
    assert!(client.maybe(&mut world, id).is_none(), "the answer comes when it is gone");
    world.hold = false;
    world.run_all();
    assert_eq!(client.answer(&mut world, id).status(), NtStatus::DISK_FULL);
    assert!(!there(&mut client, &mut world, "file"));
    // A file that was there stays.
    client.put(&mut world, "file", b"data");
    world.hold = true;
    let id = client.send_create(&mut world, "file:stream", ALL);
    world.run_held(0);
    world.fail_held(0, NtStatus::DISK_FULL);
    world.hold = false;
    world.run_all();
    assert_eq!(client.answer(&mut world, id).status(), NtStatus::DISK_FULL);
    assert_eq!(client.get(&mut world, "file"), b"data");
    world.close_all();
    world.assert_empty();
}

/// Its lease gets another file while it is looked up.
#[test]
fn a_file_whose_lease_belongs_to_another_one_is_not_made() {
    let mut world = World::new();
    let mut client = world.client();
    client.put(&mut world, "old", b"data");
    for (name, made) in [("new", true), ("old", false), ("old:stream", true), ("both:stream", true)] {
        world.hold = true;
        let id = client.send_lease(&mut world, name, ALL, lease(1, RH));
        let other = client.send_lease(&mut world, "other", ALL, lease(1, RH));
        // The later one is faster.
        world.run_held(1);
        let (file, _) = leased(&client.answer(&mut world, other));
        world.hold = false;
        world.run_all();
        assert_eq!(client.answer(&mut world, id).status(), NtStatus::INVALID_PARAMETER);
        assert_eq!(there(&mut client, &mut world, name), !made, "{name}");
        client.close(&mut world, file);
    }
    assert!(there(&mut client, &mut world, "old") && !there(&mut client, &mut world, "both"));
    world.close_all();
    world.assert_empty();
}

#[test]
fn what_somebody_else_found_meanwhile_stays() {
    let mut world = World::new();
    let (mut client, mut bob) = (world.client(), world.client());
    world.hold = true;
    let id = client.send_create(&mut world, "file:stream", ALL);
    world.run_held(0);
    assert_eq!(world.held_names(), ["OpenStream"]);
    let theirs = bob.send_create(&mut world, "file", ALL);
    world.run_held(1);
    let file = opened(&bob.answer(&mut world, theirs)).0;
    world.fail_held(0, NtStatus::DISK_FULL);
    world.hold = false;
    world.run_all();
    assert_eq!(client.answer(&mut world, id).status(), NtStatus::DISK_FULL);
    assert_eq!(bob.write(&mut world, file, 0, b"bob's"), NtStatus::SUCCESS);
    assert_eq!(bob.close(&mut world, file), NtStatus::SUCCESS);
    assert_eq!(bob.get(&mut world, "file"), b"bob's");
    world.close_all();
    world.assert_empty();
}

#[test]
fn whoever_finds_what_is_going_again_makes_it_anew() {
    let mut world = World::new();
    let (mut client, mut bob) = (world.client(), world.client());
    world.hold = true;
    let id = client.send_create(&mut world, "file:stream", ALL);
    world.run_held(0);
    let theirs = bob.send_create(&mut world, "file", ALL);
    // The failure, then bob's lookup, then the end of the file.
    world.fail_held(0, NtStatus::DISK_FULL);
    assert_eq!(world.held_names(), ["Open", "Unlink"]);
    world.run_held(1);
    world.hold = false;
    world.run_all();
    assert_eq!(client.answer(&mut world, id).status(), NtStatus::DISK_FULL);
    let file = opened(&bob.answer(&mut world, theirs)).0;
    assert_eq!(bob.write(&mut world, file, 0, b"bob's"), NtStatus::SUCCESS);
    bob.close(&mut world, file);
    assert_eq!(bob.get(&mut world, "file"), b"bob's");
    world.close_all();
    world.assert_empty();
}

#[test]
fn nothing_is_left_of_a_create_whose_client_is_gone() {
    let mut world = World::new();
    let (mut client, mut bob) = (world.client(), world.client());
    for name in ["file", "file:stream"] {
        world.hold = true;
        client.send_create(&mut world, name, ALL);
        world.drop_client(&client);
        world.hold = false;
        world.run_all();
        assert!(!there(&mut bob, &mut world, "file"), "{name}");
        client = world.client();
    }
    world.hold = true;
    client.send_create(&mut world, "dir", directory());
    let end = client.send(&mut world, Command::TREE_DISCONNECT, &EmptyBody::default());
    world.run_held(0);
    assert!(client.maybe(&mut world, end).is_none(), "its tree waits for it");
    world.hold = false;
    world.run_all();
    assert_eq!(client.answer(&mut world, end).status(), NtStatus::SUCCESS);
    assert!(!there(&mut bob, &mut world, "dir"));
    world.close_all();
    world.advance(Duration::from_secs(1));
    world.assert_empty();
}

#[test]
fn a_file_without_room_is_not_made() {
    let mut world = World::new();
    let mut client = world.client();
    world.hold = true;
    let contexts = [CreateContext::AllocationSize(1 << 20)];
    let id = client.send_create(&mut world, "file", Create { contexts: &contexts, ..ALL });
    world.run_held(0);
    assert_eq!(world.held_names(), ["Allocate"]);
    world.fail_held(0, NtStatus::DISK_FULL);
    world.hold = false;
    world.run_all();
    assert_eq!(client.answer(&mut world, id).status(), NtStatus::DISK_FULL);
    assert!(!there(&mut client, &mut world, "file"));
    world.close_all();
    world.assert_empty();
}
