//! LOCK.

use sansmb::wire::*;
use sansmb_fileserver::Limits;

use crate::common::{Client, World, requests::*};

fn two(world: &mut World) -> (Client, FileId, Client, FileId) {
    let mut one = world.client();
    let mut two = world.client();
    one.put(world, "file", &[7; 100]);
    let a = one.open(world, "file", open());
    let b = two.open(world, "file", open());
    (one, a, two, b)
}

#[test]
fn locks_keep_others_from_the_bytes() {
    let mut world = World::new();
    let (mut one, a, mut two, b) = two(&mut world);
    assert_eq!(one.lock(&mut world, a, &[now(exclusive(10, 10))]), NtStatus::SUCCESS);
    assert_eq!(two.read(&mut world, b, 15, 1), Err(NtStatus::FILE_LOCK_CONFLICT));
    assert_eq!(two.read(&mut world, b, 0, 100), Err(NtStatus::FILE_LOCK_CONFLICT));
    assert_eq!(two.write(&mut world, b, 19, b"x"), NtStatus::FILE_LOCK_CONFLICT);
    assert_eq!(two.write(&mut world, b, 20, b"x"), NtStatus::SUCCESS);
    assert_eq!(one.write(&mut world, a, 15, b"x"), NtStatus::SUCCESS);
    assert_eq!(two.lock(&mut world, b, &[now(shared(0, 11))]), NtStatus::LOCK_NOT_GRANTED);
    assert_eq!(one.lock(&mut world, a, &[unlock(10, 9)]), NtStatus::RANGE_NOT_LOCKED);
    assert_eq!(two.lock(&mut world, b, &[unlock(10, 10)]), NtStatus::RANGE_NOT_LOCKED);
    assert_eq!(one.lock(&mut world, a, &[unlock(10, 10)]), NtStatus::SUCCESS);
    assert_eq!(two.lock(&mut world, b, &[now(shared(0, 20))]), NtStatus::SUCCESS);
    assert_eq!(one.lock(&mut world, a, &[now(shared(0, 20))]), NtStatus::SUCCESS);
    assert_eq!(one.read(&mut world, a, 0, 1), Ok(vec![7]));
    // A shared lock keeps everybody from writing, its owner too.
    assert_eq!(two.write(&mut world, b, 0, b"x"), NtStatus::FILE_LOCK_CONFLICT);
    assert_eq!(world.files.counters().locks, 2);
    one.close(&mut world, a);
    assert_eq!(world.files.counters().locks, 1);
    world.drop_client(&two);
    world.drop_client(&one);
    world.assert_empty();
}

#[test]
fn o11_arrays_that_make_no_sense_are_refused() {
    let mut world = World::new();
    let (mut one, a, mut two, b) = two(&mut world);
    let flags = |bits| LockElement { offset: 0, length: 1, flags: LockFlags::from_bits_retain(bits) };
    for (locks, status) in [
        (vec![], NtStatus::INVALID_PARAMETER),
        (vec![flags(0)], NtStatus::INVALID_PARAMETER),
        (vec![flags(3)], NtStatus::INVALID_PARAMETER),
        (vec![flags(5)], NtStatus::INVALID_PARAMETER),
        (vec![flags(0x10)], NtStatus::INVALID_PARAMETER),
        (vec![flags(0x21)], NtStatus::INVALID_PARAMETER),
        (vec![now(exclusive(u64::MAX, 2))], NtStatus::INVALID_LOCK_RANGE),
        (vec![now(exclusive(1, u64::MAX))], NtStatus::SUCCESS),
        (vec![unlock(1, u64::MAX)], NtStatus::SUCCESS),
        (vec![unlock(2, u64::MAX)], NtStatus::INVALID_LOCK_RANGE),
        (vec![now(unlock(0, 1))], NtStatus::INVALID_PARAMETER),
        (vec![exclusive(0, 1), exclusive(2, 1)], NtStatus::INVALID_PARAMETER),
        (vec![now(exclusive(0, 1)), unlock(0, 1)], NtStatus::INVALID_PARAMETER),
        (vec![now(exclusive(0, 0))], NtStatus::SUCCESS),
        (vec![unlock(0, 0)], NtStatus::SUCCESS),
        (vec![now(exclusive(u64::MAX, 1))], NtStatus::SUCCESS),
    ] {
        assert_eq!(one.lock(&mut world, a, &locks), status, "{locks:?}");
    }
    assert_eq!(world.files.counters().locks, 1);
    // LockCount that lies.
    let locks = [now(exclusive(0, 1))];
    let request = LockRequest { lock_sequence: 0, file_id: b, locks: locks.as_slice().into() };
    for count in [0_u16, 2, 65535] {
        let mut message = two.raw(Command::LOCK, &request);
        message[66..68].copy_from_slice(&count.to_le_bytes());
        two.send_frame(&mut world, &message);
        let id = two.last;
        assert_eq!(two.answer(&mut world, id).status(), NtStatus::INVALID_PARAMETER);
    }
    // A sequence number does nothing without resilience, however odd its index.
    let request = LockRequest { lock_sequence: u32::MAX, ..request };
    assert_eq!(two.status(&mut world, Command::LOCK, &request), NtStatus::SUCCESS);
}

#[test]
fn an_array_locks_all_or_nothing() {
    let mut world = World::new();
    let (mut one, a, mut two, b) = two(&mut world);
    two.lock(&mut world, b, &[now(exclusive(50, 1))]);
    let array = [now(exclusive(0, 10)), now(shared(20, 10)), now(exclusive(45, 10))];
    assert_eq!(one.lock(&mut world, a, &array), NtStatus::LOCK_NOT_GRANTED);
    assert_eq!(world.files.counters().locks, 1);
    assert_eq!(one.lock(&mut world, a, &array[..2]), NtStatus::SUCCESS);
    // Unlocks are not rolled back.
    let status = one.lock(&mut world, a, &[unlock(0, 10), unlock(1, 1), unlock(20, 10)]);
    assert_eq!(status, NtStatus::RANGE_NOT_LOCKED);
    assert_eq!(world.files.counters().locks, 2);
}

#[test]
fn a_lock_waits_until_the_range_is_free() {
    let mut world = World::new();
    let (mut one, a, mut two, b) = two(&mut world);
    one.lock(&mut world, a, &[exclusive(0, 10)]);
    let first = two.send_lock(&mut world, b, &[exclusive(5, 10)]);
    let second = two.send_lock(&mut world, b, &[shared(0, 1)]);
    assert!(two.was_pended(&mut world, first) && two.was_pended(&mut world, second));
    assert!(two.maybe(&mut world, first).is_none());
    one.lock(&mut world, a, &[unlock(0, 10)]);
    assert_eq!(two.answer(&mut world, first).status(), NtStatus::SUCCESS);
    assert_eq!(two.answer(&mut world, second).status(), NtStatus::SUCCESS);
    assert_eq!(one.read(&mut world, a, 5, 1), Err(NtStatus::FILE_LOCK_CONFLICT));
    let third = one.send_lock(&mut world, a, &[exclusive(0, 20)]);
    two.close(&mut world, b);
    assert_eq!(one.answer(&mut world, third).status(), NtStatus::SUCCESS, "closing unlocks");
    assert_eq!(world.files.counters().waiting, 0);
}

#[test]
fn a_lock_that_waits_can_be_cancelled() {
    let mut world = World::new();
    let (mut one, a, mut two, b) = two(&mut world);
    one.lock(&mut world, a, &[exclusive(0, 10)]);
    let waiting = two.send_lock(&mut world, b, &[exclusive(0, 10)]);
    two.send_cancel(&mut world, waiting);
    assert_eq!(two.answer(&mut world, waiting).status(), NtStatus::CANCELLED);
    two.send_cancel(&mut world, waiting);
    one.lock(&mut world, a, &[unlock(0, 10)]);
    assert_eq!(world.files.counters().locks, 0);
    assert_eq!(world.files.counters().waiting, 0);
}

#[test]
fn a_lock_that_waits_ends_with_its_handle() {
    let mut world = World::new();
    let (mut one, a, mut two, b) = two(&mut world);
    one.lock(&mut world, a, &[exclusive(0, 10)]);
    let waiting = two.send_lock(&mut world, b, &[exclusive(0, 10)]);
    assert_eq!(two.close(&mut world, b), NtStatus::SUCCESS);
    assert_eq!(two.answer(&mut world, waiting).status(), NtStatus::RANGE_NOT_LOCKED);
    world.drop_client(&one);
    world.drop_client(&two);
    world.assert_empty();
}

#[test]
fn c7_a_connection_has_only_so_many_locks_that_wait() {
    let limits = Limits { waiting_per_connection: 10, ..Limits::default() };
    let mut world = World::with_limits(limits);
    let (mut one, a, mut two, b) = two(&mut world);
    one.lock(&mut world, a, &[exclusive(0, 10)]);
    let waiting: Vec<u64> = (0..10).map(|_| two.send_lock(&mut world, b, &[shared(0, 10)])).collect();
    assert_eq!(two.lock(&mut world, b, &[shared(0, 10)]), NtStatus::INSUFFICIENT_RESOURCES);
    let dir = two.open(&mut world, "dir", directory());
    let notify = two.send_notify(&mut world, dir, CompletionFilter::FILE_NAME, false, 100);
    assert_eq!(two.answer(&mut world, notify).status(), NtStatus::INSUFFICIENT_RESOURCES);
    one.close(&mut world, a);
    for id in waiting {
        assert_eq!(two.answer(&mut world, id).status(), NtStatus::SUCCESS);
    }
}

#[test]
fn o22_an_open_has_only_so_many_locks() {
    let limits = Limits { locks_per_open: 10, ..Limits::default() };
    let mut world = World::with_limits(limits);
    let (mut one, a, ..) = two(&mut world);
    let array: Vec<LockElement> = (0..11).map(|n| now(exclusive(n, 1))).collect();
    assert_eq!(one.lock(&mut world, a, &array), NtStatus::INSUFFICIENT_RESOURCES);
    assert_eq!(one.lock(&mut world, a, &array[..10]), NtStatus::SUCCESS);
    assert_eq!(one.lock(&mut world, a, &array[10..]), NtStatus::INSUFFICIENT_RESOURCES);
    assert_eq!(one.lock(&mut world, a, &[unlock(0, 1)]), NtStatus::SUCCESS);
    assert_eq!(one.lock(&mut world, a, &array[10..]), NtStatus::SUCCESS);
}
