//! Oplocks.

use std::time::Duration;

use sansmb::wire::*;

use crate::common::{World, caching::opened, requests::*};

const NONE: OplockLevel = OplockLevel::NONE;
const II: OplockLevel = OplockLevel::II;
const EXCLUSIVE: OplockLevel = OplockLevel::EXCLUSIVE;
const BATCH: OplockLevel = OplockLevel::BATCH;

/// Nobody shares anything.
fn alone() -> Create<'static> {
    open().share(ShareAccess::empty())
}

#[test]
fn who_opens_first_gets_what_it_asks_for() {
    let mut world = World::new();
    let mut alice = world.client();
    for level in [NONE, II, EXCLUSIVE, BATCH] {
        let (file, granted) = alice.oplock(&mut world, "file", ALL, level);
        assert_eq!(granted, level);
        alice.close(&mut world, file);
    }
    let (directory, granted) = alice.oplock(&mut world, "dir", directory(), BATCH);
    assert_eq!(granted, NONE, "directories have leases alone");
    alice.close(&mut world, directory);
    world.close_all();
    world.assert_empty();
}

#[test]
fn a_second_open_waits_until_the_first_has_given_up_writing() {
    for level in [EXCLUSIVE, BATCH] {
        let mut world = World::new();
        let (mut alice, mut bob) = (world.client(), world.client());
        let (first, _) = alice.oplock(&mut world, "file", ALL, level);
        let second = bob.send_oplock(&mut world, "file", open(), BATCH);
        assert!(bob.was_pended(&mut world, second));
        assert!(bob.maybe(&mut world, second).is_none());
        assert_eq!(alice.broken_oplock(&mut world), (first, II));
        assert_eq!(world.files.counters().breaks, 1);
        assert_eq!(world.files.counters().delayed, 1);
        let left: OplockBreak = alice.give_up(&mut world, first, II).body();
        assert_eq!(left.oplock_level, II);
        assert_eq!(opened(&bob.answer(&mut world, second)).1, II);
        world.close_all();
        world.assert_empty();
    }
}

#[test]
fn an_overwrite_leaves_nothing_to_cache() {
    let mut world = World::new();
    let (mut alice, mut bob) = (world.client(), world.client());
    let (first, _) = alice.oplock(&mut world, "file", ALL, BATCH);
    let over = open().disposition(CreateDisposition::OVERWRITE);
    let second = bob.send_create(&mut world, "file", over);
    assert_eq!(alice.broken_oplock(&mut world), (first, NONE));
    alice.give_up(&mut world, first, NONE);
    assert_eq!(bob.answer(&mut world, second).status(), NtStatus::SUCCESS);
    world.close_all();
    world.assert_empty();
}

#[test]
fn a_batch_oplock_is_asked_before_share_modes_and_an_exclusive_one_is_not() {
    let mut world = World::new();
    let (mut alice, mut bob) = (world.client(), world.client());
    alice.put(&mut world, "file", b"");
    let (first, _) = alice.oplock(&mut world, "file", alone(), BATCH);
    let second = bob.send_create(&mut world, "file", open());
    assert_eq!(alice.broken_oplock(&mut world), (first, II));
    assert_eq!(alice.close(&mut world, first), NtStatus::SUCCESS);
    let (file, _) = opened(&bob.answer(&mut world, second));
    bob.close(&mut world, file);
    alice.oplock(&mut world, "file", alone(), EXCLUSIVE);
    assert_eq!(bob.create_status(&mut world, "file", open()), NtStatus::SHARING_VIOLATION);
    assert_eq!(alice.broken(&mut world), None);
    world.close_all();
    world.assert_empty();
}

#[test]
fn looking_at_attributes_disturbs_nobody() {
    let mut world = World::new();
    let (mut alice, mut bob) = (world.client(), world.client());
    alice.oplock(&mut world, "file", ALL, BATCH);
    let look = open().access(AccessMask::FILE_READ_ATTRIBUTES | AccessMask::SYNCHRONIZE);
    bob.open(&mut world, "file", look);
    assert_eq!(alice.broken(&mut world), None);
    world.close_all();
    world.assert_empty();
}

#[test]
fn level_two_ends_with_any_change_and_without_an_answer() {
    let mut world = World::new();
    let (mut alice, mut bob) = (world.client(), world.client());
    let lock =
        LockElement { offset: 0, length: 1, flags: LockFlags::EXCLUSIVE | LockFlags::FAIL_IMMEDIATELY };
    for change in 0..3 {
        let writer = bob.open(&mut world, "file", ALL);
        let (reader, granted) = alice.oplock(&mut world, "file", open(), II);
        assert_eq!(granted, II);
        let status = match change {
            0 => bob.write(&mut world, writer, 0, b"new"),
            1 => bob.set(&mut world, writer, &fscc::FileEndOfFileInfo { end_of_file: 7 }),
            _ => bob.lock(&mut world, writer, &[lock]),
        };
        assert_eq!(status, NtStatus::SUCCESS);
        assert_eq!(alice.broken_oplock(&mut world), (reader, NONE));
        let late = alice.give_up(&mut world, reader, NONE).status();
        assert_eq!(late, NtStatus::INVALID_OPLOCK_PROTOCOL);
        bob.close(&mut world, writer);
        alice.close(&mut world, reader);
    }
    world.close_all();
    world.assert_empty();
}

#[test]
fn an_answer_that_makes_no_sense_costs_the_oplock() {
    let mut world = World::new();
    let (mut alice, mut bob) = (world.client(), world.client());
    for (answer, status) in [
        (BATCH, NtStatus::INVALID_OPLOCK_PROTOCOL),
        (OplockLevel(0x33), NtStatus::INVALID_OPLOCK_PROTOCOL),
        (OplockLevel::LEASE, NtStatus::INVALID_PARAMETER),
    ] {
        let (first, _) = alice.oplock(&mut world, "file", ALL, EXCLUSIVE);
        assert_eq!(alice.give_up(&mut world, first, II).status(), NtStatus::INVALID_DEVICE_STATE);
        let second = bob.send_create(&mut world, "file", open());
        alice.broken_oplock(&mut world);
        assert_eq!(alice.give_up(&mut world, first, answer).status(), status);
        let (file, _) = opened(&bob.answer(&mut world, second));
        bob.close(&mut world, file);
        alice.close(&mut world, first);
    }
    world.close_all();
    world.assert_empty();
}

#[test]
fn o21_a_break_that_nobody_answers_runs_out_and_a_late_answer_is_refused() {
    let mut world = World::new();
    let (mut alice, mut bob) = (world.client(), world.client());
    let (first, _) = alice.oplock(&mut world, "file", ALL, BATCH);
    let second = bob.send_create(&mut world, "file", open());
    world.advance(Duration::from_secs(34));
    assert!(bob.maybe(&mut world, second).is_none());
    world.advance(Duration::from_secs(2));
    assert_eq!(bob.answer(&mut world, second).status(), NtStatus::SUCCESS);
    for _ in 0..3 {
        assert_eq!(alice.give_up(&mut world, first, II).status(), NtStatus::INVALID_DEVICE_STATE);
    }
    world.close_all();
    world.assert_empty();
}

#[test]
fn o21_a_storm_of_breaks_tells_each_holder_once() {
    let mut world = World::new();
    let mut readers: Vec<_> = (0..20).map(|_| world.client()).collect();
    let mut bob = world.client();
    let writer = bob.open(&mut world, "file", ALL);
    for reader in &mut readers {
        reader.oplock(&mut world, "file", open(), II);
    }
    for _ in 0..50 {
        bob.write(&mut world, writer, 0, b"again");
    }
    for reader in &mut readers {
        assert!(reader.broken(&mut world).is_some());
        assert!(reader.broken(&mut world).is_none());
    }
    world.close_all();
    world.assert_empty();
}

#[test]
fn a_create_that_waits_ends_with_cancel_logoff_or_its_connection() {
    let mut world = World::new();
    let mut alice = world.client();
    let (first, _) = alice.oplock(&mut world, "file", ALL, BATCH);
    let mut bob = world.client();
    let second = bob.send_create(&mut world, "file", open());
    bob.send_cancel(&mut world, second);
    assert_eq!(bob.answer(&mut world, second).status(), NtStatus::CANCELLED);
    let third = bob.send_create(&mut world, "file", open());
    assert_eq!(bob.status(&mut world, Command::LOGOFF, &EmptyBody::default()), NtStatus::SUCCESS);
    assert!(bob.answer(&mut world, third).status().is_error());
    let mut carol = world.client();
    carol.send_create(&mut world, "file", open());
    assert_eq!(world.files.counters().delayed, 1);
    world.drop_client(&carol);
    assert_eq!(world.files.counters().delayed, 0);
    assert_eq!(alice.give_up(&mut world, first, II).status(), NtStatus::SUCCESS);
    world.close_all();
    world.assert_empty();
}

#[test]
fn a_holder_whose_connection_is_gone_is_not_waited_for() {
    let mut world = World::new();
    let (mut alice, mut bob) = (world.client(), world.client());
    alice.oplock(&mut world, "file", ALL, BATCH);
    let second = bob.send_create(&mut world, "file", open());
    assert!(bob.maybe(&mut world, second).is_none());
    world.drop_client(&alice);
    assert_eq!(bob.answer(&mut world, second).status(), NtStatus::SUCCESS);
    world.close_all();
    world.assert_empty();
}

#[test]
fn a_file_that_its_holder_deletes_meanwhile_is_made_anew() {
    let mut world = World::new();
    let (mut alice, mut bob) = (world.client(), world.client());
    let (first, _) = alice.oplock(&mut world, "file", ALL, BATCH);
    let second = bob.send_create(&mut world, "file", ALL);
    assert_eq!(alice.delete_pending(&mut world, first, true), NtStatus::SUCCESS);
    assert_eq!(alice.close(&mut world, first), NtStatus::SUCCESS);
    let answer = bob.answer(&mut world, second);
    assert_eq!(answer.body::<CreateResponse<'_>>().create_action, CreateAction::CREATED);
    world.close_all();
    world.assert_empty();
}
