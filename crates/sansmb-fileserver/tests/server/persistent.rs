//! Opens that outlive the server: persistent handles, [MS-SMB2] 3.3.5.9.10 and 3.3.5.9.12.

use std::{sync::Arc, time::Duration};

use sansmb::wire::*;
use sansmb_fileserver::{
    FileServerConfig, Limits,
    storage::{Done, Existence, Job, Rights, SharePath, Storage, Want},
};
use sansmb_storage::run;

use crate::common::{Client, Response, World, caching::*, requests::*, store::MapStore};

const GUID: Guid = Guid([9; 16]);
/// The machine of the client.
pub(crate) const ALICE: u8 = 1;

/// A server whose share is continuously available, and its store.
pub(crate) fn available() -> (World, Arc<MapStore>) {
    available_with(|config| config)
}

fn available_with(change: impl FnOnce(FileServerConfig) -> FileServerConfig) -> (World, Arc<MapStore>) {
    let store = MapStore::new();
    let mut world = World::with(|mut config| {
        config.store = Some(store.clone());
        config.shares[0].continuously_available = true;
        change(config)
    });
    world.client_capabilities |= Capabilities::PERSISTENT_HANDLES;
    (world, store)
}

pub(crate) fn persistent(timeout: u32) -> CreateContext<'static> {
    CreateContext::DurableHandleRequestV2 { timeout, flags: DurableFlags::PERSISTENT, create_guid: GUID }
}

pub(crate) fn claim(file_id: FileId) -> CreateContext<'static> {
    CreateContext::DurableHandleReconnectV2 { file_id, create_guid: GUID, flags: DurableFlags::PERSISTENT }
}

/// What an answer says of how the open lasts: whether it is persistent, and its time in milliseconds.
fn lasting(response: &Response) -> Option<(bool, u32)> {
    response.body::<CreateResponse<'_>>().contexts.iter().find_map(|context| match context {
        CreateContextReply::DurableHandleResponseV2 { timeout, flags } => {
            Some((flags.contains(DurableFlags::PERSISTENT), timeout))
        }
        _ => None,
    })
}

#[track_caller]
fn file_of(response: &Response) -> FileId {
    response.body::<CreateResponse<'_>>().file_id
}

/// Puts another file in place of one, beside the server.
fn replace(storage: &dyn Storage, name: &str) {
    let open = |existence| {
        let job = Job::Open {
            path: SharePath(vec![name.into()]),
            want: Want::File,
            existence,
            rights: Rights::default(),
            attributes: FileAttributes::empty(),
            no_follow: false,
            creator: None,
        };
        match run(storage, job) {
            Ok(Done::Opened { handle, .. }) => handle,
            other => panic!("{other:?}"),
        }
    };
    let old = open(Existence::MustExist);
    run(storage, Job::Unlink { handle: old }).unwrap();
    let new = open(Existence::MustNotExist);
    run(storage, Job::Close { handle: new }).unwrap();
}

impl Client {
    #[track_caller]
    pub(crate) fn open_persistent(&mut self, world: &mut World, name: &str, how: Create<'_>) -> FileId {
        let response = self.create(world, name, Create { contexts: &[persistent(0)], ..how });
        assert_eq!(lasting(&response), Some((true, 60_000)));
        file_of(&response)
    }

    pub(crate) fn come_back(&mut self, world: &mut World, name: &str, file: FileId) -> Response {
        self.create(world, name, Create { contexts: &[claim(file)], ..open() })
    }
}

#[test]
fn only_continuously_available_shares_say_that_they_are() {
    let caps = |world: &mut World, dialect| {
        let mut client = world.connect_as(Guid([5; 16]), dialect);
        let response = client.set_up(world, "alice", SessionId(0));
        client.session = response.header.session_id;
        let response = client.tree_connect(world, r"\\server\share");
        response.body::<TreeConnectResponse>().capabilities
    };
    let (mut world, _) = available();
    assert_eq!(caps(&mut world, Dialect::SMB3_0), ShareCapabilities::CONTINUOUS_AVAILABILITY);
    assert_eq!(caps(&mut world, Dialect::SMB2_1), ShareCapabilities::empty());
    let mut world = World::with(|mut config| {
        config.shares[0].continuously_available = true;
        config
    });
    assert_eq!(caps(&mut world, Dialect::SMB3_0), ShareCapabilities::empty(), "without a store");
}

#[test]
fn the_server_says_so_where_such_a_share_is_served() {
    let says = |config: &FileServerConfig| config.capabilities().contains(Capabilities::PERSISTENT_HANDLES);
    available_with(|mut config| {
        assert!(says(&config));
        config.shares[0].continuously_available = false;
        assert!(!says(&config));
        config
    });
}

#[test]
fn what_makes_an_open_persistent() {
    let (mut world, store) = available();
    let mut alice = world.client();
    let batch = Create { oplock: OplockLevel::BATCH, ..ALL };
    let cases =
        [("f", ALL, Some((true, 60_000))), ("f", batch, Some((true, 60_000))), ("d", directory(), None)];
    for (name, how, expected) in cases {
        let response = alice.create(&mut world, name, Create { contexts: &[persistent(0)], ..how });
        assert_eq!(lasting(&response), expected);
        assert_eq!(store.len(), usize::from(expected.is_some()));
        assert_eq!(alice.close(&mut world, file_of(&response)), NtStatus::SUCCESS);
        assert_eq!(store.len(), 0, "closed is closed");
    }
    world.client_capabilities -= Capabilities::PERSISTENT_HANDLES;
    let mut other = world.client();
    let response = other.create(&mut world, "g", Create { contexts: &[persistent(0)], ..batch });
    assert_eq!(lasting(&response), Some((false, 60_000)), "the client cannot");
    world.close_all();
    world.advance(Duration::from_secs(60));
    world.assert_empty();
}

#[test]
fn a_share_that_is_not_available_grants_durable_opens() {
    let (mut world, store) = available_with(|mut config| {
        config.shares[0].continuously_available = false;
        config
    });
    let mut alice = world.client();
    let how = Create { contexts: &[persistent(0)], oplock: OplockLevel::BATCH, ..ALL };
    assert_eq!(lasting(&alice.create(&mut world, "f", how)), Some((false, 60_000)));
    assert_eq!(store.len(), 0);
}

#[test]
fn the_time_to_come_back_is_what_was_asked_for_within_limits() {
    let (mut world, _) = available();
    for (asked, told) in [(0, 60_000), (5_000, 5_000), (u32::MAX, 300_000)] {
        let mut alice = world.client_from(ALICE, "alice");
        let response = alice.create(&mut world, "f", Create { contexts: &[persistent(asked)], ..ALL });
        assert_eq!(lasting(&response), Some((true, told)));
        world.restart();
        world.advance(Duration::from_millis(u64::from(told) - 1));
        assert_eq!(world.files.counters().disconnected, 1, "the time starts anew");
        world.advance(Duration::from_millis(1));
        world.assert_empty();
    }
}

#[test]
fn a_persistent_open_is_there_after_the_server_was_killed() {
    let (mut world, store) = available();
    let mut alice = world.client_from(ALICE, "alice");
    let file = alice.open_persistent(&mut world, "f", ALL.share(ShareAccess::empty()));
    assert_eq!(alice.write(&mut world, file, 0, b"data"), NtStatus::SUCCESS);
    world.restart();
    assert_eq!(world.files.counters().disconnected, 1);
    let mut alice = world.client_from(ALICE, "alice");
    let response = alice.come_back(&mut world, "f", file);
    let again = file_of(&response);
    assert_eq!(again.persistent, file.persistent);
    assert_ne!(again.volatile, file.volatile);
    assert_eq!(alice.read(&mut world, file, 0, 9), Err(NtStatus::FILE_CLOSED), "the old name is void");
    assert_eq!(alice.read(&mut world, again, 0, 9), Ok(b"data".to_vec()));
    let mut bob = world.client_from(2, "bob");
    assert_eq!(bob.create_status(&mut world, "f", ALL), NtStatus::SHARING_VIOLATION, "its share mode holds");
    assert_eq!(alice.close(&mut world, again), NtStatus::SUCCESS);
    assert_eq!(store.len(), 0);
    world.restart();
    world.assert_empty();
}

#[test]
fn it_survives_more_than_one_restart() {
    let (mut world, _) = available();
    let mut alice = world.client_from(ALICE, "alice");
    let mut file = alice.open_persistent(&mut world, "f", ALL);
    for _ in 0..3 {
        world.restart();
        let mut alice = world.client_from(ALICE, "alice");
        let again = file_of(&alice.come_back(&mut world, "f", file));
        let other = alice.open(&mut world, "other", ALL);
        for name in [file.persistent, file.volatile, again.volatile] {
            assert!(other.persistent != name && other.volatile != name, "numbers are not used again");
        }
        file = again;
    }
}

#[test]
fn others_wait_until_the_opens_of_the_last_run_are_there() {
    let (mut world, _) = available();
    let mut alice = world.client_from(ALICE, "alice");
    alice.open_persistent(&mut world, "f", ALL.share(ShareAccess::empty()));
    world.restart();
    // The same once more, with the jobs held back.
    world.restart_held();
    let mut bob = world.client_from(2, "bob");
    let id = bob.send_create(&mut world, "f", ALL);
    assert!(bob.maybe(&mut world, id).is_none());
    assert_eq!(world.files.counters().waiting, 1);
    world.advance(Duration::from_secs(1));
    assert!(bob.was_pended(&mut world, id), "it hears that it takes a while");
    world.hold_store = false;
    world.run_all_store();
    world.hold = false;
    world.run_all();
    assert_eq!(bob.answer(&mut world, id).status(), NtStatus::FILE_NOT_AVAILABLE);
    world.advance(Duration::from_secs(60));
    assert_eq!(bob.create_status(&mut world, "f", ALL), NtStatus::SUCCESS, "its time was up");
}

#[test]
fn o19_a_persistent_open_belongs_to_its_user_and_its_guid() {
    let (mut world, _) = available();
    let mut alice = world.client_from(ALICE, "alice");
    let file = alice.open_persistent(&mut world, "f", ALL);
    world.restart();
    let mut bob = world.client_from(ALICE, "bob");
    assert_eq!(bob.come_back(&mut world, "f", file).status(), NtStatus::ACCESS_DENIED);
    let mut alice = world.client_from(ALICE, "alice");
    let other = CreateContext::DurableHandleReconnectV2 {
        file_id: file,
        create_guid: Guid([8; 16]),
        flags: DurableFlags::PERSISTENT,
    };
    let durable = CreateContext::DurableHandleReconnectV2 {
        file_id: file,
        create_guid: GUID,
        flags: DurableFlags::empty(),
    };
    for claim in [other, durable, CreateContext::DurableHandleReconnect(file)] {
        let status = alice.create_status(&mut world, "f", Create { contexts: &[claim], ..open() });
        assert_eq!(status, NtStatus::OBJECT_NAME_NOT_FOUND, "{claim:?}");
    }
    assert_eq!(alice.come_back(&mut world, "f", file).status(), NtStatus::SUCCESS);
}

#[test]
fn locks_and_their_sequences_are_still_there() {
    let (mut world, store) = available();
    let mut alice = world.client_from(ALICE, "alice");
    let file = alice.open_persistent(&mut world, "f", ALL);
    let sequence = LockRequest::sequence(5, 7);
    let lock = |file_id, sequence, lock| LockRequest {
        lock_sequence: sequence,
        file_id,
        locks: vec![lock].leak()[..].into(),
    };
    let taken = lock(file, sequence, now(exclusive(0, 10)));
    assert_eq!(alice.status(&mut world, Command::LOCK, &taken), NtStatus::SUCCESS);
    assert_eq!(alice.lock(&mut world, file, &[now(shared(20, 5))]), NtStatus::SUCCESS);
    assert_eq!(alice.lock(&mut world, file, &[now(shared(30, 5))]), NtStatus::SUCCESS);
    assert_eq!(alice.lock(&mut world, file, &[unlock(30, 5)]), NtStatus::SUCCESS);
    let puts = store.puts();
    world.restart();
    assert_eq!(world.files.counters().locks, 2);
    let mut alice = world.client_from(ALICE, "alice");
    let again = file_of(&alice.come_back(&mut world, "f", file));
    let replay = lock(again, sequence, now(exclusive(0, 10)));
    assert_eq!(alice.status(&mut world, Command::LOCK, &replay), NtStatus::SUCCESS, "it was carried out");
    assert_eq!(world.files.counters().locks, 2);
    let mut bob = world.client_from(2, "bob");
    let theirs = bob.open(&mut world, "f", ALL);
    assert_eq!(bob.lock(&mut world, theirs, &[now(exclusive(5, 1))]), NtStatus::LOCK_NOT_GRANTED);
    assert_eq!(bob.lock(&mut world, theirs, &[now(exclusive(30, 1))]), NtStatus::SUCCESS);
    assert_eq!(alice.lock(&mut world, again, &[unlock(0, 10)]), NtStatus::SUCCESS);
    assert_eq!(alice.lock(&mut world, again, &[unlock(20, 5)]), NtStatus::SUCCESS);
    assert_eq!(store.puts(), puts + 2, "what does not change is not written");
}

#[test]
fn a_lock_is_answered_when_it_is_written_down() {
    let (mut world, _) = available();
    let mut alice = world.client();
    let file = alice.open_persistent(&mut world, "f", ALL);
    world.hold_store = true;
    let first = alice.send_lock(&mut world, file, &[now(exclusive(0, 1))]);
    let second = alice.send_lock(&mut world, file, &[now(exclusive(1, 1))]);
    assert!(alice.maybe(&mut world, first).is_none());
    assert_eq!(world.held_store.len(), 1, "one job for a record at a time");
    world.run_all_store();
    assert_eq!(alice.answer(&mut world, first).status(), NtStatus::SUCCESS);
    assert_eq!(alice.answer(&mut world, second).status(), NtStatus::SUCCESS);
}

#[test]
fn a_close_is_answered_when_its_record_is_removed() {
    let (mut world, store) = available();
    let mut alice = world.client();
    let file = alice.open_persistent(&mut world, "f", ALL);
    world.hold_store = true;
    let lock = alice.send_lock(&mut world, file, &[now(exclusive(0, 1))]);
    let close = alice.send_close(&mut world, file);
    assert!(alice.maybe(&mut world, close).is_none());
    world.run_all_store();
    assert_eq!(alice.answer(&mut world, lock).status(), NtStatus::SUCCESS);
    assert_eq!(alice.answer(&mut world, close).status(), NtStatus::SUCCESS);
    assert_eq!(store.len(), 0);
    // The end of a tree connect, too.
    world.hold_store = false;
    alice.open_persistent(&mut world, "f", ALL);
    world.hold_store = true;
    let disconnect = alice.send(&mut world, Command::TREE_DISCONNECT, &EmptyBody::default());
    assert!(alice.maybe(&mut world, disconnect).is_none());
    world.run_all_store();
    assert_eq!(alice.answer(&mut world, disconnect).status(), NtStatus::SUCCESS);
    assert_eq!(store.len(), 0);
}

#[test]
fn a_lease_is_still_there() {
    let (mut world, _) = available();
    let mut alice = world.client_from(ALICE, "alice");
    let wish = child(1, RWH, 2);
    let contexts = [persistent(0), CreateContext::RequestLeaseV2(wish)];
    let how = Create { contexts: &contexts, oplock: OplockLevel::LEASE, ..ALL };
    let response = alice.create(&mut world, "f", how);
    let (file, granted) = leased(&response);
    assert_eq!(granted.state, RWH);
    world.restart();
    let mut alice = world.client_from(ALICE, "alice");
    let contexts = [claim(file), CreateContext::RequestLeaseV2(wish)];
    let how = Create { contexts: &contexts, oplock: OplockLevel::LEASE, ..open() };
    let mut elsewhere = world.client_from(2, "alice");
    assert_eq!(elsewhere.create_status(&mut world, "f", how), NtStatus::OBJECT_NAME_NOT_FOUND);
    let response = alice.create(&mut world, "f", how);
    let (again, back) = leased(&response);
    assert_eq!(back, granted, "with key, state, epoch and parent");
    // It breaks as before.
    let mut bob = world.client_from(2, "bob");
    let id = bob.send_create(&mut world, "f", ALL);
    assert_eq!(alice.broken_lease(&mut world), (key(1), RWH, RH, true));
    assert_eq!(alice.give_up_lease(&mut world, 1, RH), NtStatus::SUCCESS);
    assert_eq!(bob.answer(&mut world, id).status(), NtStatus::SUCCESS);
    // What is left of it is what is found after the next start.
    world.restart();
    let mut alice = world.client_from(ALICE, "alice");
    let contexts = [claim(again), CreateContext::RequestLeaseV2(wish)];
    let how = Create { contexts: &contexts, oplock: OplockLevel::LEASE, ..open() };
    assert_eq!(leased(&alice.create(&mut world, "f", how)).1.state, RH);
}

#[test]
fn two_opens_of_one_lease_share_it_again() {
    let (mut world, _) = available();
    let mut alice = world.client_from(ALICE, "alice");
    let lease = CreateContext::RequestLeaseV2(lease(1, RH));
    let mut files = Vec::new();
    for n in [1, 2] {
        let request = CreateContext::DurableHandleRequestV2 {
            timeout: 0,
            flags: DurableFlags::PERSISTENT,
            create_guid: Guid([n; 16]),
        };
        let how = Create { contexts: &[request, lease], oplock: OplockLevel::LEASE, ..ALL };
        files.push((n, file_of(&alice.create(&mut world, "f", how))));
    }
    assert_eq!(world.files.counters().leases, 1);
    world.restart();
    assert_eq!((world.files.counters().leases, world.files.counters().disconnected), (1, 2));
    let mut alice = world.client_from(ALICE, "alice");
    for (n, file_id) in files {
        let claim = CreateContext::DurableHandleReconnectV2 {
            file_id,
            create_guid: Guid([n; 16]),
            flags: DurableFlags::PERSISTENT,
        };
        let how = Create { contexts: &[claim, lease], oplock: OplockLevel::LEASE, ..open() };
        assert_eq!(leased(&alice.create(&mut world, "f", how)).1.state, RH);
    }
}

#[test]
fn an_oplock_is_still_there() {
    let (mut world, _) = available();
    let mut alice = world.client_from(ALICE, "alice");
    let file = alice.open_persistent(&mut world, "f", Create { oplock: OplockLevel::BATCH, ..ALL });
    world.restart();
    let mut alice = world.client_from(ALICE, "alice");
    let response = alice.come_back(&mut world, "f", file);
    assert_eq!(response.body::<CreateResponse<'_>>().oplock_level, OplockLevel::BATCH);
}

#[test]
fn a_file_that_was_replaced_is_not_handed_out() {
    let (mut world, store) = available();
    let mut alice = world.client_from(ALICE, "alice");
    let kept = alice.open_persistent(&mut world, "f", ALL);
    assert_eq!(store.len(), 1);
    // Somebody on the machine puts another file there while the server is down.
    replace(&*world.storage(), "f");
    world.restart();
    world.assert_empty();
    assert_eq!(store.len(), 0);
    let mut alice = world.client_from(ALICE, "alice");
    assert_eq!(alice.come_back(&mut world, "f", kept).status(), NtStatus::OBJECT_NAME_NOT_FOUND);
}

#[test]
fn renamed_and_doomed_files_are_found_as_they_were() {
    let (mut world, _) = available();
    let mut alice = world.client_from(ALICE, "alice");
    let file = alice.open_persistent(&mut world, "f", ALL);
    assert_eq!(alice.rename(&mut world, file, "g", false), NtStatus::SUCCESS);
    world.restart();
    let mut alice = world.client_from(ALICE, "alice");
    let again = file_of(&alice.come_back(&mut world, "g", file));
    assert_eq!(alice.delete_pending(&mut world, again, true), NtStatus::SUCCESS);
    world.restart();
    world.advance(Duration::from_secs(60));
    world.assert_empty();
    let mut alice = world.client();
    assert_eq!(alice.create_status(&mut world, "g", open()), NtStatus::OBJECT_NAME_NOT_FOUND, "it is gone");
}

#[test]
fn a_file_that_goes_with_its_open_goes_when_its_time_is_up() {
    let (mut world, store) = available();
    let mut alice = world.client_from(ALICE, "alice");
    alice.open_persistent(&mut world, "f", ALL.options(CreateOptions::DELETE_ON_CLOSE));
    world.restart();
    let mut bob = world.client_from(2, "bob");
    assert_eq!(bob.create_status(&mut world, "f", open()), NtStatus::FILE_NOT_AVAILABLE);
    world.advance(Duration::from_secs(60));
    assert_eq!(bob.create_status(&mut world, "f", open()), NtStatus::OBJECT_NAME_NOT_FOUND);
    assert_eq!(store.len(), 0);
    world.close_all();
    world.assert_empty();
}

#[test]
fn a_named_stream_is_found_again() {
    let (mut world, _) = available();
    let mut alice = world.client_from(ALICE, "alice");
    let file = alice.open_persistent(&mut world, "f:s", ALL.share(ShareAccess::empty()));
    assert_eq!(alice.write(&mut world, file, 0, b"stream"), NtStatus::SUCCESS);
    world.restart();
    let mut alice = world.client_from(ALICE, "alice");
    let again = file_of(&alice.come_back(&mut world, "f:s", file));
    assert_eq!(alice.read(&mut world, again, 0, 9), Ok(b"stream".to_vec()));
    let status = alice.create_status(&mut world, "f", open().options(CreateOptions::DELETE_ON_CLOSE));
    assert_eq!(status, NtStatus::SHARING_VIOLATION, "and keeps its file");
}

#[test]
fn a_create_is_replayed_under_its_guid_after_a_restart() {
    let (mut world, _) = available();
    let mut alice = world.client_from(ALICE, "alice");
    let how = Create { contexts: &[persistent(0)], oplock: OplockLevel::BATCH, ..ALL };
    let file = file_of(&alice.create(&mut world, "f", how));
    world.restart();
    let mut alice = world.client_from(ALICE, "alice");
    assert_eq!(alice.create_status(&mut world, "f", how), NtStatus::DUPLICATE_OBJECTID, "it is no replay");
    alice.replay = true;
    let other = how.share(ShareAccess::READ);
    assert_eq!(alice.create_status(&mut world, "f", other), NtStatus::CONTEXT_MISMATCH);
    let mut bob = world.client_from(ALICE, "bob");
    bob.replay = true;
    assert_eq!(bob.create_status(&mut world, "f", how), NtStatus::ACCESS_DENIED);
    let response = alice.create(&mut world, "f", how);
    assert_eq!(lasting(&response), Some((true, 60_000)));
    let body = response.body::<CreateResponse<'_>>();
    assert_eq!((body.create_action, body.oplock_level), (CreateAction::CREATED, OplockLevel::BATCH));
    assert_eq!(body.file_id.persistent, file.persistent);
    assert_eq!(alice.write(&mut world, body.file_id, 0, b"x"), NtStatus::SUCCESS);
    assert_eq!(alice.create_status(&mut world, "f", how), NtStatus::FILE_NOT_AVAILABLE, "it is in use");
}

#[test]
fn a_create_is_answered_when_its_record_is_written() {
    let (mut world, store) = available();
    let mut alice = world.client_from(ALICE, "alice");
    world.hold_store = true;
    let how = Create { contexts: &[persistent(0)], ..ALL };
    let first = alice.send_create(&mut world, "f", how);
    assert!(alice.maybe(&mut world, first).is_none());
    alice.replay = true;
    let second = alice.send_create(&mut world, "f", how);
    assert_eq!(alice.answer(&mut world, second).status(), NtStatus::FILE_NOT_AVAILABLE);
    world.run_all_store();
    assert_eq!(lasting(&alice.answer(&mut world, first)), Some((true, 60_000)));
    assert_eq!(store.puts(), 1);
    // Killed before the answer goes out: the replay finds the open.
    alice.replay = false;
    let third = Create {
        contexts: &[CreateContext::DurableHandleRequestV2 {
            timeout: 0,
            flags: DurableFlags::PERSISTENT,
            create_guid: Guid([7; 16]),
        }],
        ..ALL
    };
    alice.send_create(&mut world, "g", third);
    world.write_held_records();
    world.restart();
    let mut alice = world.client_from(ALICE, "alice");
    alice.replay = true;
    let response = alice.create(&mut world, "g", third);
    assert_eq!(response.body::<CreateResponse<'_>>().create_action, CreateAction::CREATED);
}

#[test]
fn a_client_that_goes_before_its_record_is_written_leaves_nothing() {
    let (mut world, store) = available();
    let mut alice = world.client_from(ALICE, "alice");
    world.hold_store = true;
    alice.send_create(&mut world, "f", Create { contexts: &[persistent(0)], ..ALL });
    world.drop_client(&alice);
    world.run_all_store();
    assert_eq!(store.len(), 0);
    world.assert_empty();
}

#[test]
fn where_the_store_fails_an_open_is_durable() {
    let (mut world, store) = available();
    store.fails(true);
    let mut alice = world.client();
    let batch = Create { contexts: &[persistent(0)], oplock: OplockLevel::BATCH, ..ALL };
    let response = alice.create(&mut world, "f", batch);
    assert_eq!(lasting(&response), Some((false, 60_000)));
    let plain = alice.create(&mut world, "g", Create { contexts: &[persistent(0)], ..ALL });
    assert_eq!(plain.status(), NtStatus::DUPLICATE_OBJECTID);
    let mut bob = world.client();
    let plain = bob.create(&mut world, "g", Create { contexts: &[persistent(0)], ..ALL });
    assert_eq!(lasting(&plain), None, "nothing holds it");
    world.close_all();
    world.advance(Duration::from_secs(60));
    world.assert_empty();
}

#[test]
fn a_record_that_cannot_follow_its_open_is_removed() {
    let (mut world, store) = available();
    let mut alice = world.client_from(ALICE, "alice");
    let file = alice.open_persistent(&mut world, "f", ALL);
    store.fails(true);
    assert_eq!(alice.lock(&mut world, file, &[now(exclusive(0, 1))]), NtStatus::SUCCESS);
    assert_eq!(store.len(), 0, "half the truth is worse than none");
    assert_eq!(alice.lock(&mut world, file, &[now(exclusive(1, 1))]), NtStatus::SUCCESS);
    world.drop_client(&alice);
    let mut alice = world.client_from(ALICE, "alice");
    let again = file_of(&alice.come_back(&mut world, "f", file));
    assert_eq!(alice.close(&mut world, again), NtStatus::SUCCESS, "it outlives its connection");
    world.close_all();
    world.assert_empty();
}

#[test]
fn half_a_record_is_never_loaded() {
    let (mut world, store) = available();
    let mut alice = world.client_from(ALICE, "alice");
    alice.open_persistent(&mut world, "f", ALL);
    store.cut_records();
    world.restart();
    world.assert_empty();
    assert_eq!(store.len(), 0);
}

#[test]
fn only_so_many_opens_are_persistent() {
    let limits = Limits { persistent_opens: 2, ..Limits::default() };
    let (mut world, store) = available_with(|config| FileServerConfig { limits, ..config });
    let mut granted = Vec::new();
    for n in 0..3 {
        let mut client = world.client_from(n, "alice");
        let how = Create { contexts: &[persistent(0)], oplock: OplockLevel::BATCH, ..ALL };
        granted.push(lasting(&client.create(&mut world, &format!("f{n}"), how)));
    }
    assert_eq!(granted, [Some((true, 60_000)), Some((true, 60_000)), Some((false, 60_000))]);
    assert_eq!(store.len(), 2);
}

#[test]
fn a_persistent_open_has_so_many_locks() {
    let limits = Limits { locks_per_persistent_open: 2, ..Limits::default() };
    let (mut world, _) = available_with(|config| FileServerConfig { limits, ..config });
    let mut alice = world.client();
    let file = alice.open_persistent(&mut world, "f", ALL);
    for n in 0..2 {
        assert_eq!(alice.lock(&mut world, file, &[now(exclusive(n, 1))]), NtStatus::SUCCESS);
    }
    let status = alice.lock(&mut world, file, &[now(exclusive(2, 1))]);
    assert_eq!(status, NtStatus::INSUFFICIENT_RESOURCES);
}

#[test]
fn an_application_takes_a_persistent_open_along_after_a_restart() {
    let (mut world, _) = available();
    let app = CreateContext::AppInstanceId(Guid([7; 16]));
    let mut here = world.client_from(ALICE, "alice");
    let alone = ALL.share(ShareAccess::empty());
    let response = here.create(&mut world, "f", Create { contexts: &[persistent(0), app], ..alone });
    assert_eq!(lasting(&response), Some((true, 60_000)));
    world.restart();
    let mut there = world.client_from(2, "alice");
    assert_eq!(there.create_status(&mut world, "f", alone), NtStatus::FILE_NOT_AVAILABLE);
    let status = there.create_status(&mut world, "f", Create { contexts: &[app], ..alone });
    assert_eq!(status, NtStatus::SUCCESS);
    world.close_all();
    world.assert_empty();
}

#[test]
fn writes_to_an_available_share_are_on_stable_storage() {
    let (mut world, _) = available();
    let mut alice = world.client();
    let file = alice.open(&mut world, "f", ALL);
    world.hold = true;
    let id = alice.send_write(&mut world, file, 0, b"x");
    let through = world.held.iter().any(|(_, _, job)| matches!(job, Job::Write { through: true, .. }));
    assert!(through);
    world.run_all();
    assert_eq!(alice.answer(&mut world, id).status(), NtStatus::SUCCESS);
}
