//! Requests that come twice: CREATE under its GUID, [MS-SMB2] 3.3.5.9, channel sequences, 3.3.5.2.10, and
//! lock sequences, 3.3.5.14.

use sansmb::wire::*;

use crate::common::{Client, World, requests::*};

const V2: CreateContext<'static> = CreateContext::DurableHandleRequestV2 {
    timeout: 0,
    flags: DurableFlags::empty(),
    create_guid: Guid([9; 16]),
};
const HOW: Create<'static> = Create { contexts: &[V2], oplock: OplockLevel::BATCH, ..ALL };

fn lock_in(
    client: &mut Client,
    world: &mut World,
    file_id: FileId,
    sequence: u32,
    lock: LockElement,
) -> NtStatus {
    let locks = [lock];
    let request = LockRequest { lock_sequence: sequence, file_id, locks: locks.as_slice().into() };
    client.status(world, Command::LOCK, &request)
}

#[test]
fn a_create_that_is_replayed_is_answered_as_before() {
    let mut world = World::new();
    let mut alice = world.client();
    let first = alice.create(&mut world, "f", HOW);
    alice.replay = true;
    let second = alice.create(&mut world, "f", HOW);
    let (first, second) = (first.body::<CreateResponse<'_>>(), second.body::<CreateResponse<'_>>());
    assert_eq!(second.file_id, first.file_id);
    assert_eq!((second.create_action, second.oplock_level), (CreateAction::CREATED, OplockLevel::BATCH));
    assert_eq!(world.files.counters().opens, 1);
    alice.replay = false;
    assert_eq!(alice.create_status(&mut world, "f", HOW), NtStatus::DUPLICATE_OBJECTID);
}

#[test]
fn a_replay_that_asks_to_keep_nothing_hears_of_nothing_that_lasts() {
    let mut world = World::new();
    let mut alice = world.client();
    alice.open(&mut world, "f", HOW);
    alice.replay = true;
    let again = alice.create(&mut world, "f", Create { oplock: OplockLevel::NONE, ..HOW });
    assert_eq!(again.body::<CreateResponse<'_>>().contexts.iter().count(), 0);
}

#[test]
fn who_has_used_an_open_does_not_replay_its_create() {
    let mut world = World::new();
    let mut alice = world.client();
    let file = alice.open(&mut world, "f", HOW);
    assert_eq!(alice.write(&mut world, file, 0, b"x"), NtStatus::SUCCESS);
    let shared = Create { oplock: OplockLevel::NONE, ..HOW };
    alice.replay = true;
    let id = alice.send_create(&mut world, "g", shared);
    let other = alice.answer(&mut world, id).body::<CreateResponse<'_>>().file_id;
    assert_ne!(other, file, "it is a new one");
}

#[test]
fn a_create_that_is_not_answered_yet_cannot_be_replayed() {
    let mut world = World::new();
    let mut alice = world.client();
    world.hold = true;
    let first = alice.send_create(&mut world, "f", HOW);
    alice.replay = true;
    let second = alice.send_create(&mut world, "f", HOW);
    assert_eq!(alice.answer(&mut world, second).status(), NtStatus::FILE_NOT_AVAILABLE);
    world.run_all();
    assert_eq!(alice.answer(&mut world, first).status(), NtStatus::SUCCESS);
    world.hold = false;
    world.close_all();
    world.advance(std::time::Duration::from_secs(600));
    world.assert_empty();
}

#[test]
fn a_create_guid_belongs_to_one_machine_and_one_user() {
    let mut world = World::new();
    let mut alice = world.client_from(1, "alice");
    let file = alice.open(&mut world, "f", HOW);
    let mut bob = world.client_from(1, "bob");
    bob.replay = true;
    assert_eq!(bob.create_status(&mut world, "f", HOW), NtStatus::ACCESS_DENIED);
    let mut again = world.client_from(1, "alice");
    again.replay = true;
    assert_eq!(again.create_status(&mut world, "f", HOW), NtStatus::DUPLICATE_OBJECTID, "another session");
    let mut elsewhere = world.client_from(2, "alice");
    elsewhere.replay = true;
    let other = elsewhere.open(&mut world, "g", HOW);
    assert_ne!(other.persistent, file.persistent);
}

#[test]
fn a_write_of_a_channel_that_failed_is_late() {
    let mut world = World::new();
    let mut alice = world.client();
    let file = alice.open(&mut world, "f", ALL);
    alice.sequence = 1;
    assert_eq!(alice.write(&mut world, file, 0, b"new"), NtStatus::SUCCESS);
    alice.sequence = 0;
    assert_eq!(alice.write(&mut world, file, 0, b"old"), NtStatus::FILE_NOT_AVAILABLE);
    assert_eq!(alice.read(&mut world, file, 0, 3), Ok(b"new".to_vec()), "reading does no harm");
}

#[test]
fn a_write_is_replayed_once_its_first_coming_is_over() {
    let mut world = World::new();
    let mut alice = world.client();
    let file = alice.open(&mut world, "f", ALL);
    world.hold = true;
    let first = alice.send_write(&mut world, file, 0, b"data");
    (alice.sequence, alice.replay) = (1, true);
    let second = alice.send_write(&mut world, file, 0, b"data");
    assert_eq!(alice.answer(&mut world, second).status(), NtStatus::FILE_NOT_AVAILABLE);
    world.run_all();
    assert_eq!(alice.answer(&mut world, first).status(), NtStatus::SUCCESS);
    let third = alice.send_write(&mut world, file, 0, b"data");
    world.run_all();
    assert_eq!(alice.answer(&mut world, third).status(), NtStatus::SUCCESS);
    assert_eq!(world.files.counters().outstanding, 0);
}

#[test]
fn a_lock_that_comes_twice_is_taken_once() {
    let mut world = World::new();
    let mut alice = world.client();
    let file = alice.open(&mut world, "f", ALL);
    let lock = now(exclusive(0, 10));
    let sequence = LockRequest::sequence(5, 64);
    assert_eq!(lock_in(&mut alice, &mut world, file, sequence, lock), NtStatus::SUCCESS);
    assert_eq!(lock_in(&mut alice, &mut world, file, sequence, lock), NtStatus::SUCCESS, "it is the same");
    assert_eq!(world.files.counters().locks, 1);
    let next = LockRequest::sequence(6, 64);
    assert_eq!(lock_in(&mut alice, &mut world, file, next, lock), NtStatus::LOCK_NOT_GRANTED);
    for outside in [LockRequest::sequence(5, 0), LockRequest::sequence(5, 65)] {
        let other = now(exclusive(20, 1));
        assert_eq!(lock_in(&mut alice, &mut world, file, outside, other), NtStatus::SUCCESS);
        assert_eq!(lock_in(&mut alice, &mut world, file, outside, other), NtStatus::LOCK_NOT_GRANTED);
        assert_eq!(alice.lock(&mut world, file, &[unlock(20, 1)]), NtStatus::SUCCESS);
    }
}
