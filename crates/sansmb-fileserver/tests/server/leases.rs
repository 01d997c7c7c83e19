//! Leases.

use std::time::Duration;

use sansmb::wire::*;

use crate::common::{World, caching::*, requests::*};

const NONE: LeaseState = LeaseState::empty();

/// A directory, to be listed and no more.
fn listing() -> Create<'static> {
    directory().access(AccessMask::FILE_GENERIC_READ)
}

#[test]
fn a_lease_is_shared_by_the_opens_of_its_key() {
    let mut world = World::new();
    let mut alice = world.client();
    let (first, got) = alice.lease(&mut world, "file", ALL, lease(1, RWH));
    assert_eq!((got.state, got.epoch), (RWH, 0x11));
    let (second, got) = alice.lease(&mut world, "file", ALL, lease(1, R));
    assert_eq!((got.state, got.epoch), (RWH, 0x11), "asking for less takes nothing away");
    assert_eq!(alice.broken(&mut world), None);
    assert_eq!(world.files.counters().leases, 1);
    alice.write(&mut world, second, 0, b"own");
    assert_eq!(alice.broken(&mut world), None);
    alice.close(&mut world, first);
    assert_eq!(world.files.counters().leases, 1);
    alice.close(&mut world, second);
    assert_eq!(world.files.counters().leases, 0);
    world.close_all();
    world.assert_empty();
}

#[test]
fn leases_hold_over_all_connections_of_a_client_and_of_no_other() {
    let mut world = World::new();
    let guid = Guid([9; 16]);
    let (mut here, mut there) = (world.client_with(guid), world.client_with(guid));
    let mut bob = world.client();
    here.lease(&mut world, "file", ALL, lease(1, RWH));
    let (_, got) = there.lease(&mut world, "file", ALL, lease(1, RWH));
    assert_eq!(got.state, RWH);
    let other = bob.send_lease(&mut world, "file", ALL, lease(1, RWH));
    assert_eq!(here.broken_lease(&mut world), (key(1), RWH, RH, true), "over the oldest connection");
    assert_eq!(there.broken(&mut world), None);
    assert_eq!(bob.give_up_lease(&mut world, 1, RH), NtStatus::OBJECT_NAME_NOT_FOUND, "it is not bob's");
    assert_eq!(there.give_up_lease(&mut world, 1, RH), NtStatus::SUCCESS);
    assert_eq!(leased(&bob.answer(&mut world, other)).1.state, RH);
    world.close_all();
    world.assert_empty();
}

#[test]
fn o20_a_lease_key_belongs_to_one_file() {
    let mut world = World::new();
    let mut alice = world.client();
    let (first, _) = alice.lease(&mut world, "one", ALL, lease(1, RH));
    alice.put(&mut world, "two", b"");
    for how in [ALL, open()] {
        let id = alice.send_lease(&mut world, "two", how, lease(1, RH));
        assert_eq!(alice.answer(&mut world, id).status(), NtStatus::INVALID_PARAMETER);
    }
    let id = alice.send_lease(&mut world, "three", ALL, lease(1, RH));
    assert_eq!(alice.answer(&mut world, id).status(), NtStatus::INVALID_PARAMETER);
    assert_eq!(alice.create_status(&mut world, "three", open()), NtStatus::OBJECT_NAME_NOT_FOUND);
    alice.close(&mut world, first);
    let (_, got) = alice.lease(&mut world, "two", open(), lease(1, RH));
    assert_eq!(got.state, RH);
    world.close_all();
    world.assert_empty();
}

#[test]
fn a_key_names_the_older_lease_again_when_the_newer_one_is_gone() {
    let mut world = World::new();
    let (mut alice, mut bob) = (world.client(), world.client());
    alice.put(&mut world, "two", b"");
    let going = ALL.options(CreateOptions::DELETE_ON_CLOSE);
    alice.lease(&mut world, "one", going, lease(1, RWH));
    let (second, _) = alice.lease(&mut world, "two", open(), lease(1, RWH));
    assert_eq!(world.files.counters().leases, 2, "the first is of a file that is to be deleted");
    alice.close(&mut world, second);
    let other = bob.send_create(&mut world, "one", open());
    assert_eq!(alice.broken_lease(&mut world), (key(1), RWH, RH, true));
    assert_eq!(alice.give_up_lease(&mut world, 1, RH), NtStatus::SUCCESS);
    assert_eq!(bob.answer(&mut world, other).status(), NtStatus::SUCCESS);
    world.close_all();
    world.assert_empty();
}

#[test]
fn o20_acknowledgements_of_what_is_not_breaking_or_of_too_much_are_refused() {
    let mut world = World::new();
    let (mut alice, mut bob) = (world.client(), world.client());
    alice.lease(&mut world, "file", ALL, lease(1, RWH));
    assert_eq!(alice.give_up_lease(&mut world, 7, R), NtStatus::OBJECT_NAME_NOT_FOUND);
    assert_eq!(alice.give_up_lease(&mut world, 1, R), NtStatus::UNSUCCESSFUL);
    let other = bob.send_create(&mut world, "file", open());
    assert_eq!(alice.broken_lease(&mut world), (key(1), RWH, RH, true));
    assert_eq!(alice.give_up_lease(&mut world, 1, RWH), NtStatus::REQUEST_NOT_ACCEPTED);
    assert_eq!(
        alice.give_up_lease(&mut world, 1, LeaseState::from_bits_retain(0x80)),
        NtStatus::REQUEST_NOT_ACCEPTED
    );
    assert!(bob.maybe(&mut world, other).is_none());
    assert_eq!(alice.give_up_lease(&mut world, 1, R), NtStatus::SUCCESS);
    assert_eq!(alice.give_up_lease(&mut world, 1, R), NtStatus::UNSUCCESSFUL);
    assert_eq!(bob.answer(&mut world, other).status(), NtStatus::SUCCESS);
    world.close_all();
    world.assert_empty();
}

#[test]
fn o21_a_lease_break_that_runs_out_leaves_nothing_to_acknowledge() {
    let mut world = World::new();
    let (mut alice, mut bob) = (world.client(), world.client());
    alice.lease(&mut world, "file", ALL, lease(1, RWH));
    let other = bob.send_create(&mut world, "file", open());
    alice.broken_lease(&mut world);
    world.advance(Duration::from_secs(36));
    assert_eq!(bob.answer(&mut world, other).status(), NtStatus::SUCCESS);
    assert_eq!(alice.give_up_lease(&mut world, 1, RH), NtStatus::UNSUCCESSFUL);
    let (_, got) = alice.lease(&mut world, "file", open(), lease(1, R));
    assert_eq!(got.state, R, "and may be asked for anew");
    world.close_all();
    world.assert_empty();
}

#[test]
fn while_it_breaks_a_lease_is_not_promoted_and_says_so() {
    let mut world = World::new();
    let (mut alice, mut bob) = (world.client(), world.client());
    alice.lease(&mut world, "file", ALL, lease(1, RWH));
    bob.send_create(&mut world, "file", open());
    let (_, got) = alice.lease(&mut world, "file", open(), lease(1, RWH));
    assert_eq!(got.state, RWH);
    assert!(got.flags.contains(LeaseFlags::BREAK_IN_PROGRESS));
    world.close_all();
    world.assert_empty();
}

#[test]
fn a_kept_handle_goes_when_share_modes_meet_it() {
    let mut world = World::new();
    let (mut alice, mut bob) = (world.client(), world.client());
    alice.put(&mut world, "file", b"");
    let alone = open().share(ShareAccess::empty());
    let (kept, got) = alice.lease(&mut world, "file", alone, lease(1, RH));
    assert_eq!(got.state, RH);
    let other = bob.send_create(&mut world, "file", open());
    assert_eq!(alice.broken_lease(&mut world), (key(1), RH, R, true));
    alice.close(&mut world, kept);
    assert_eq!(bob.answer(&mut world, other).status(), NtStatus::SUCCESS);
    // One that is in use stays, and so the other is refused in the end.
    let read = open().access(AccessMask::FILE_READ_DATA).share(ShareAccess::READ);
    let (_, got) = alice.lease(&mut world, "file", open(), lease(2, RH));
    assert_eq!(got.state, RH);
    let third = bob.send_create(&mut world, "file", read);
    alice.broken_lease(&mut world);
    assert!(bob.maybe(&mut world, third).is_none());
    assert_eq!(alice.give_up_lease(&mut world, 2, R), NtStatus::SUCCESS);
    assert_eq!(bob.answer(&mut world, third).status(), NtStatus::SHARING_VIOLATION);
    world.close_all();
    world.assert_empty();
}

#[test]
fn what_waits_for_its_own_client_is_not_done_when_that_goes() {
    let mut world = World::new();
    let (mut alice, mut bob) = (world.client(), world.client());
    let (file, _) = alice.lease(&mut world, "file", ALL.share(ShareAccess::empty()), lease(1, RWH));
    let id = alice.send_create(&mut world, "file", ALL);
    assert_eq!(alice.broken_lease(&mut world), (key(1), RWH, RW, true));
    assert_eq!(alice.rename(&mut world, file, "other", false), NtStatus::SUCCESS);
    assert!(alice.maybe(&mut world, id).is_none(), "the name that it waits for is gone");
    world.drop_client(&alice);
    assert_eq!(bob.create_status(&mut world, "file", open()), NtStatus::OBJECT_NAME_NOT_FOUND);
    world.close_all();
    world.assert_empty();
}

#[test]
fn o20_what_waited_while_its_key_got_another_file_makes_none() {
    let mut world = World::new();
    let (mut alice, mut bob) = (world.client(), world.client());
    let (file, _) = alice.lease(&mut world, "file", ALL, lease(1, RWH));
    let id = bob.send_lease(&mut world, "file", ALL, lease(2, RWH));
    assert_eq!(alice.broken_lease(&mut world), (key(1), RWH, RH, true));
    bob.lease(&mut world, "other", ALL, lease(2, RWH));
    assert_eq!(alice.rename(&mut world, file, "away", false), NtStatus::SUCCESS);
    assert_eq!(alice.give_up_lease(&mut world, 1, RH), NtStatus::SUCCESS);
    assert_eq!(bob.answer(&mut world, id).status(), NtStatus::INVALID_PARAMETER);
    assert_eq!(bob.create_status(&mut world, "file", open()), NtStatus::OBJECT_NAME_NOT_FOUND);
    world.close_all();
    world.assert_empty();
}

#[test]
fn renaming_and_deleting_wait_for_kept_handles() {
    let mut world = World::new();
    let (mut alice, mut bob) = (world.client(), world.client());
    for rename in [true, false] {
        let file = bob.open(&mut world, "file", ALL);
        let (kept, _) = alice.lease(&mut world, "file", open(), lease(1, RH));
        let id = if rename {
            bob.send_rename(&mut world, file, "other", false)
        } else {
            bob.send_set(&mut world, file, &fscc::FileDispositionInfo { delete_pending: true })
        };
        assert!(bob.was_pended(&mut world, id));
        assert_eq!(alice.broken_lease(&mut world), (key(1), RH, R, true));
        assert!(bob.maybe(&mut world, id).is_none());
        assert_eq!(alice.give_up_lease(&mut world, 1, R), NtStatus::SUCCESS);
        assert_eq!(bob.answer(&mut world, id).status(), NtStatus::SUCCESS);
        alice.close(&mut world, kept);
        bob.close(&mut world, file);
    }
    world.close_all();
    world.assert_empty();
}

#[test]
fn a_rename_that_waits_ends_with_its_handle() {
    let mut world = World::new();
    let (mut alice, mut bob) = (world.client(), world.client());
    let file = bob.open(&mut world, "file", ALL);
    alice.lease(&mut world, "file", open(), lease(1, RH));
    let id = bob.send_rename(&mut world, file, "other", false);
    assert_eq!(bob.close(&mut world, file), NtStatus::SUCCESS);
    assert_eq!(bob.answer(&mut world, id).status(), NtStatus::FILE_CLOSED);
    world.close_all();
    world.assert_empty();
}

#[test]
fn a_directory_with_kept_handles_in_it_is_renamed_when_they_are_closed() {
    let mut world = World::new();
    let (mut alice, mut bob) = (world.client(), world.client());
    let folder = bob.open(&mut world, "dir", directory());
    let (kept, _) = alice.lease(&mut world, r"dir\file", ALL, lease(1, RH));
    let id = bob.send_rename(&mut world, folder, "moved", false);
    assert_eq!(alice.broken_lease(&mut world), (key(1), RH, R, true));
    alice.close(&mut world, kept);
    assert_eq!(bob.answer(&mut world, id).status(), NtStatus::SUCCESS);
    world.close_all();
    world.assert_empty();
}

#[test]
fn new_data_end_the_leases_of_others() {
    let mut world = World::new();
    let (mut alice, mut bob) = (world.client(), world.client());
    let file = bob.open(&mut world, "file", ALL);
    let (_, got) = alice.lease(&mut world, "file", open(), lease(1, RWH));
    assert_eq!(got.state, RH, "bob has it open too");
    assert_eq!(bob.write(&mut world, file, 0, b"new"), NtStatus::SUCCESS);
    assert_eq!(alice.broken_lease(&mut world), (key(1), RH, NONE, true));
    assert_eq!(bob.write(&mut world, file, 0, b"newer"), NtStatus::SUCCESS);
    assert_eq!(alice.broken(&mut world), None);
    assert_eq!(alice.give_up_lease(&mut world, 1, NONE), NtStatus::SUCCESS);
    world.close_all();
    world.assert_empty();
}

#[test]
fn what_the_negotiation_leaves_out_is_not_granted() {
    let mut world = World::new();
    let mut old = world.client_of_dialect(Dialect::SMB2_0_2);
    let id = old.send_lease(&mut world, "file", ALL, lease(1, RWH));
    let (_, level) = opened(&old.answer(&mut world, id));
    assert_eq!(level, OplockLevel::NONE);
    let mut without = world.client();
    let (_, level) = without.oplock(&mut world, "other", ALL, OplockLevel::LEASE);
    assert_eq!(level, OplockLevel::NONE, "a lease without its context");
    world.close_all();
    world.assert_empty();
}

#[test]
fn a_directory_lease_ends_when_what_it_lists_changes() {
    let mut world = World::new();
    let (mut alice, mut bob) = (world.client(), world.client());
    let (_, got) = alice.lease(&mut world, "dir", listing(), lease(1, RWH));
    assert_eq!(got.state, RH, "there is nothing to write");
    let mut expect = |world: &mut World, what: &str| {
        let told = alice.broken(world).unwrap_or_else(|| panic!("{what} tells nobody"));
        let BreakNotification::Lease(told) = told else { panic!("{told:?}") };
        assert_eq!((told.current_lease_state, told.new_lease_state), (RH, NONE), "{what}");
        assert_eq!(alice.give_up_lease(world, 1, NONE), NtStatus::SUCCESS);
        let (_, got) = alice.lease(world, "dir", listing(), lease(1, RH));
        assert_eq!(got.state, RH);
    };
    let file = bob.open(&mut world, r"dir\file", ALL);
    expect(&mut world, "a new file");
    assert_eq!(bob.write(&mut world, file, 0, b"data"), NtStatus::SUCCESS);
    bob.close(&mut world, file);
    expect(&mut world, "closing a file that was written");
    let file = bob.open(&mut world, r"dir\file", open());
    bob.set(&mut world, file, &fscc::FileEndOfFileInfo { end_of_file: 1 });
    expect(&mut world, "another length");
    assert_eq!(bob.rename(&mut world, file, r"dir\other", false), NtStatus::SUCCESS);
    expect(&mut world, "another name");
    assert_eq!(bob.delete_pending(&mut world, file, true), NtStatus::SUCCESS);
    bob.close(&mut world, file);
    expect(&mut world, "a deletion");
    world.close_all();
    world.assert_empty();
}

#[test]
fn a_directory_lease_survives_what_its_own_client_does() {
    let mut world = World::new();
    let (mut alice, mut bob) = (world.client(), world.client());
    alice.lease(&mut world, "dir", listing(), lease(1, RH));
    let (file, got) = alice.lease(&mut world, r"dir\file", ALL, child(2, RWH, 1));
    assert_eq!((got.state, got.parent_key), (RWH, key(1)));
    assert!(got.flags.contains(LeaseFlags::PARENT_LEASE_KEY_SET));
    assert_eq!(alice.broken(&mut world), None);
    assert_eq!(alice.rename(&mut world, file, r"dir\other", false), NtStatus::SUCCESS);
    assert_eq!(alice.broken(&mut world), None);
    // The key of another client means nothing.
    let (_, got) = bob.lease(&mut world, r"dir\third", ALL, child(2, RWH, 1));
    assert_eq!(got.state, RWH);
    assert_eq!(alice.broken_lease(&mut world), (key(1), RH, NONE, true));
    world.close_all();
    world.assert_empty();
}

#[test]
fn a_stream_and_its_file_are_cached_apart() {
    let mut world = World::new();
    let (mut alice, mut bob) = (world.client(), world.client());
    let (_, file) = alice.lease(&mut world, "file", ALL, lease(1, RWH));
    let (stream_id, stream) = bob.lease(&mut world, "file:stream", ALL, lease(2, RWH));
    assert_eq!((file.state, stream.state), (RWH, RWH));
    assert_eq!(bob.write(&mut world, stream_id, 0, b"data"), NtStatus::SUCCESS);
    bob.close(&mut world, stream_id);
    assert_eq!(alice.broken(&mut world), None);
    world.close_all();
    world.assert_empty();
}

/// [MS-FSA] 2.1.4.12, SET_SECURITY.
#[test]
fn a_new_descriptor_waits_for_those_who_only_keep_a_handle() {
    let mut world = World::new();
    let (mut alice, mut bob) = (world.client(), world.client());
    alice.lease(&mut world, "file", ALL, lease(1, RH));
    let access = AccessMask::WRITE_DAC | AccessMask::READ_CONTROL;
    let file_id = bob.open(&mut world, "file", open().access(access));
    let dacl = SecurityInformation::DACL;
    let request = QueryInfoRequest {
        info_type: InfoType::SECURITY,
        additional_information: dacl,
        output_buffer_length: 4096,
        file_id,
        ..Default::default()
    };
    let response = bob.call(&mut world, Command::QUERY_INFO, &request);
    let request = SetInfoRequest {
        info_type: InfoType::SECURITY,
        additional_information: dacl,
        buffer: response.body::<QueryInfoResponse<'_>>().buffer,
        file_id,
        ..Default::default()
    };
    let waits = bob.send(&mut world, Command::SET_INFO, &request);
    assert_eq!(alice.broken_lease(&mut world), (key(1), RH, R, true));
    assert!(bob.maybe(&mut world, waits).is_none());
    assert_eq!(alice.give_up_lease(&mut world, 1, R), NtStatus::SUCCESS);
    assert_eq!(bob.answer(&mut world, waits).status(), NtStatus::SUCCESS);
    world.close_all();
    world.assert_empty();
}

#[test]
fn a_storm_of_opens_ends_with_nothing_kept() {
    let mut world = World::new();
    let mut clients: Vec<_> = (0..6).map(|_| world.client()).collect();
    let states = [R, RH, RW, RWH];
    for round in 0..60_usize {
        let at = round % clients.len();
        let name = ["a", "b"][round / 3 % 2];
        let n = (round / 3 % 2) as u8 + 1;
        let state = states[round / 5 % 4];
        clients[at].send_lease(&mut world, name, ALL, lease(n, state));
        for client in &mut clients {
            while let Some(BreakNotification::Lease(told)) = client.broken(&mut world) {
                if told.flags.contains(LeaseBreakFlags::ACK_REQUIRED) && round % 7 != 0 {
                    let body = LeaseBreak {
                        lease_key: told.lease_key,
                        lease_state: told.new_lease_state,
                        ..Default::default()
                    };
                    client.send(&mut world, Command::OPLOCK_BREAK, &body);
                }
            }
        }
        if round % 10 == 9 {
            world.advance(Duration::from_secs(36));
        }
    }
    world.close_all();
    world.assert_empty();
}
