//! What becomes of files whose clients are away, and were promised to find them again: [MS-SMB2] 3.3.4.7 and 3.3.5.9.

use std::time::Duration;

use sansmb::wire::*;

use crate::{
    common::{caching::*, requests::*},
    persistent::{ALICE, available, claim, persistent},
};

#[test]
fn a_file_whose_client_is_away_is_not_available() {
    let (mut world, _) = available();
    let mut alice = world.client_from(ALICE, "alice");
    let file = alice.open_persistent(&mut world, "f", ALL);
    world.drop_client(&alice);
    let mut bob = world.client_from(2, "bob");
    assert_eq!(bob.create_status(&mut world, "f", ALL), NtStatus::FILE_NOT_AVAILABLE);
    let mut alice = world.client_from(ALICE, "alice");
    assert_eq!(alice.create_status(&mut world, "F", open()), NtStatus::FILE_NOT_AVAILABLE, "nor for itself");
    assert_eq!(alice.come_back(&mut world, "f", file).status(), NtStatus::SUCCESS);
    assert_eq!(bob.create_status(&mut world, "f", ALL), NtStatus::SUCCESS);
}

/// [MS-SMB2] 3.3.5.9 has FILE_NOT_AVAILABLE for 3.x only.
#[test]
fn an_older_client_meets_the_share_modes_of_a_client_that_is_away() {
    let (mut world, _) = available();
    let mut alice = world.client_from(ALICE, "alice");
    let wish = child(1, RWH, 2);
    let contexts = [persistent(0), CreateContext::RequestLeaseV2(wish)];
    let how = Create { contexts: &contexts, oplock: OplockLevel::LEASE, ..ALL };
    let (file, granted) = leased(&alice.create(&mut world, "f", how));
    assert_eq!(granted.state, RWH);
    let contexts = [CreateContext::DurableHandleRequestV2 {
        timeout: 0,
        flags: DurableFlags::PERSISTENT,
        create_guid: Guid([8; 16]),
    }];
    let alone = Create { contexts: &contexts, ..ALL.share(ShareAccess::empty()) };
    alice.open(&mut world, "alone", alone);
    world.drop_client(&alice);
    let mut old = world.client_of_dialect(Dialect::SMB2_1);
    assert_eq!(old.create_status(&mut world, "alone", ALL), NtStatus::SHARING_VIOLATION);
    // What the client caches it may still have to write, and it hears of that when it is back.
    let theirs = old.send_create(&mut world, "f", ALL);
    world.advance(Duration::from_secs(30));
    assert!(old.maybe(&mut world, theirs).is_none());
    let mut alice = world.client_from(ALICE, "alice");
    let contexts = [claim(file), CreateContext::RequestLeaseV2(wish)];
    let how = Create { contexts: &contexts, oplock: OplockLevel::LEASE, ..ALL };
    let (again, lease) = leased(&alice.create(&mut world, "f", how));
    assert_eq!((lease.state, lease.epoch), (RWH, granted.epoch + 1));
    assert_eq!(alice.broken_lease(&mut world), (key(1), RWH, RH, true));
    world.advance(Duration::from_secs(30));
    assert_eq!(alice.write(&mut world, again, 0, b"late"), NtStatus::SUCCESS);
    assert!(old.maybe(&mut world, theirs).is_none(), "it has its whole time");
    assert_eq!(alice.give_up_lease(&mut world, 1, RH), NtStatus::SUCCESS);
    assert_eq!(old.answer(&mut world, theirs).status(), NtStatus::SUCCESS);
    // Who does not come back in time has lost it.
    world.drop_client(&old);
    world.drop_client(&alice);
    world.advance(Duration::from_secs(1));
    let mut old = world.client_of_dialect(Dialect::SMB2_1);
    old.open(&mut world, "f", ALL);
    world.close_all();
    world.advance(Duration::from_secs(600));
    world.assert_empty();
}

#[test]
fn what_a_client_that_is_away_caches_is_lost_when_the_time_of_the_break_is_up() {
    let (mut world, _) = available();
    let mut alice = world.client_from(ALICE, "alice");
    let wish = lease(1, RWH);
    let contexts = [persistent(300_000), CreateContext::RequestLeaseV2(wish)];
    let how = Create { contexts: &contexts, oplock: OplockLevel::LEASE, ..ALL };
    let (file, granted) = leased(&alice.create(&mut world, "f", how));
    world.drop_client(&alice);
    let mut old = world.client_of_dialect(Dialect::SMB2_1);
    let theirs = old.send_create(&mut world, "f", ALL);
    world.advance(Duration::from_secs(35));
    assert_eq!(old.answer(&mut world, theirs).status(), NtStatus::SUCCESS);
    let mut alice = world.client_from(ALICE, "alice");
    let contexts = [claim(file), CreateContext::RequestLeaseV2(wish)];
    let how = Create { contexts: &contexts, oplock: OplockLevel::LEASE, ..ALL };
    let (_, lease) = leased(&alice.create(&mut world, "f", how));
    assert_eq!((lease.state, lease.epoch), (LeaseState::empty(), granted.epoch + 1));
    assert_eq!(alice.broken(&mut world), None);
}

#[test]
fn a_promised_open_stays_when_what_it_caches_is_taken_away() {
    let (mut world, _) = available();
    let mut bob = world.client_from(2, "bob");
    let theirs = bob.open(&mut world, "f", ALL);
    let mut alice = world.client_from(ALICE, "alice");
    let wish = CreateContext::RequestLeaseV2(lease(1, RH));
    let how = Create { contexts: &[persistent(0), wish], oplock: OplockLevel::LEASE, ..ALL };
    let (file, granted) = leased(&alice.create(&mut world, "f", how));
    assert_eq!(granted.state, RH);
    world.drop_client(&alice);
    assert_eq!(bob.write(&mut world, theirs, 0, b"x"), NtStatus::SUCCESS);
    let how = Create { contexts: &[claim(file), wish], oplock: OplockLevel::LEASE, ..open() };
    world.restart();
    let mut alice = world.client_from(ALICE, "alice");
    let (again, left) = leased(&alice.create(&mut world, "f", how));
    assert_eq!(left.state, LeaseState::empty(), "it learns of it when it comes back");
    assert_eq!(alice.read(&mut world, again, 0, 9), Ok(b"x".to_vec()));
}
