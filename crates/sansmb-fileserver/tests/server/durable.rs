//! Opens that outlive their session: durable and resilient handles, [MS-SMB2] 3.3.5.9.6, .7, .10, .12 and
//! 3.3.5.15.9.

use std::time::Duration;

use sansmb::wire::{fsctl::ResiliencyRequest, *};
use sansmb_fileserver::Limits;

use crate::common::{Client, Response, World, caching::opened, requests::*};

const V1: CreateContext<'static> = CreateContext::DurableHandleRequest { reserved: [0; 16] };
const GUID: Guid = Guid([9; 16]);

fn v2(timeout: u32) -> CreateContext<'static> {
    CreateContext::DurableHandleRequestV2 { timeout, flags: DurableFlags::empty(), create_guid: GUID }
}

fn back_v2(file_id: FileId, create_guid: Guid) -> CreateContext<'static> {
    CreateContext::DurableHandleReconnectV2 { file_id, create_guid, flags: DurableFlags::empty() }
}

fn lease(key: u8) -> CreateContext<'static> {
    CreateContext::RequestLease(Lease {
        key: LeaseKey([key; 16]),
        state: LeaseState::from_bits_retain(7),
        ..Default::default()
    })
}

const ALONE: Create<'static> = Create { oplock: OplockLevel::BATCH, ..ALL };
const LEASED: Create<'static> = Create { oplock: OplockLevel::LEASE, ..ALL };

fn durable(response: &Response) -> bool {
    response.body::<CreateResponse<'_>>().contexts.iter().any(|context| {
        matches!(
            context,
            CreateContextReply::DurableHandleResponse { .. }
                | CreateContextReply::DurableHandleResponseV2 { .. }
        )
    })
}

#[track_caller]
fn file_of(response: &Response) -> FileId {
    response.body::<CreateResponse<'_>>().file_id
}

impl Client {
    #[track_caller]
    fn open_durable(&mut self, world: &mut World, name: &str) -> FileId {
        let response = self.create(world, name, Create { contexts: &[V1], ..ALONE });
        assert!(durable(&response));
        file_of(&response)
    }

    fn reconnect(&mut self, world: &mut World, name: &str, contexts: &[CreateContext<'_>]) -> Response {
        self.create(world, name, Create { contexts, ..open() })
    }
}

#[test]
fn a_durable_open_is_there_when_its_client_comes_back() {
    let mut world = World::new();
    let mut alice = world.client();
    let file = alice.open_durable(&mut world, "f");
    assert_ne!(file.persistent, file.volatile);
    assert_eq!(alice.write(&mut world, file, 0, b"data"), NtStatus::SUCCESS);
    assert_eq!(alice.lock(&mut world, file, &[exclusive(0, 2)]), NtStatus::SUCCESS);
    world.drop_client(&alice);
    assert_eq!(world.files.counters().disconnected, 1);
    let mut alice = world.client();
    let response = alice.reconnect(&mut world, "f", &[CreateContext::DurableHandleReconnect(file)]);
    let body = response.body::<CreateResponse<'_>>();
    assert_eq!((body.oplock_level, body.end_of_file), (OplockLevel::BATCH, 4));
    let again = body.file_id;
    assert_eq!(again.persistent, file.persistent);
    assert_ne!(again.volatile, file.volatile, "the old name is void");
    assert_eq!(alice.read(&mut world, file, 0, 9), Err(NtStatus::FILE_CLOSED));
    assert_eq!(alice.read(&mut world, again, 0, 9), Ok(b"data".to_vec()));
    assert_eq!(alice.lock(&mut world, again, &[unlock(0, 2)]), NtStatus::SUCCESS, "its locks are kept");
    assert_eq!(alice.close(&mut world, again), NtStatus::SUCCESS);
    world.close_all();
    world.assert_empty();
}

/// [MS-SMB2] 3.3.7.1: Open.OplockState has to be Held. Nobody waits for an answer that cannot come.
#[test]
fn an_open_that_is_asked_to_give_something_up_does_not_outlive_its_session() {
    let mut world = World::new();
    for how in [Create { contexts: &[V1], ..ALONE }, Create { contexts: &[V1, lease(1)], ..LEASED }] {
        let mut alice = world.client();
        assert!(durable(&alice.create(&mut world, "f", how)));
        let mut bob = world.client_of("bob", "share");
        let waits = bob.send_oplock(&mut world, "f", ALL, OplockLevel::BATCH);
        assert!(bob.maybe(&mut world, waits).is_none(), "alice was asked");
        world.drop_client(&alice);
        assert_eq!(opened(&bob.answer(&mut world, waits)).1, OplockLevel::BATCH);
        assert_eq!(world.files.counters().disconnected, 0);
        world.drop_client(&bob);
    }
    world.assert_empty();
}

#[test]
fn what_makes_an_open_durable() {
    let mut world = World::new();
    let mut alice = world.client();
    let cases: [(Create<'_>, bool); 6] = [
        (Create { contexts: &[V1], ..ALL }, false),
        (Create { contexts: &[V1], oplock: OplockLevel::EXCLUSIVE, ..ALL }, false),
        (Create { contexts: &[V1], ..ALONE }, true),
        (Create { contexts: &[v2(0)], ..ALONE }, true),
        (Create { contexts: &[V1, lease(1)], ..LEASED }, true),
        (Create { contexts: &[V1], oplock: OplockLevel::BATCH, ..directory() }, false),
    ];
    for (at, (how, expected)) in cases.into_iter().enumerate() {
        let response = alice.create(&mut world, &format!("f{at}"), how);
        assert_eq!(durable(&response), expected, "{at}");
        assert_eq!(alice.close(&mut world, file_of(&response)), NtStatus::SUCCESS);
    }
    let mut guest = world.client_from(1, "alice");
    assert_eq!(
        guest.create_status(&mut world, "g", Create { contexts: &[V1, v2(0)], ..ALONE }),
        NtStatus::INVALID_PARAMETER,
        "either the one or the other"
    );
}

#[test]
fn contexts_of_both_versions_do_not_go_together_in_any_dialect() {
    let mut world = World::new();
    for dialect in [Dialect::SMB2_0_2, Dialect::SMB2_1, Dialect::SMB3_0_2] {
        let mut alice = world.client_of_dialect(dialect);
        for other in [v2(0), back_v2(FileId::default(), GUID)] {
            for first in [V1, CreateContext::DurableHandleReconnect(FileId::default())] {
                let status =
                    alice.create_status(&mut world, "f", Create { contexts: &[first, other], ..ALONE });
                assert_eq!(status, NtStatus::INVALID_PARAMETER, "{dialect}: {first:?} and {other:?}");
            }
        }
        world.drop_client(&alice);
    }
    world.assert_empty();
}

#[test]
fn the_time_to_come_back_is_what_was_agreed_and_no_more() {
    let mut world = World::new();
    for (asked, told) in [(0, 60_000), (5_000, 5_000), (u32::MAX, 300_000)] {
        let mut alice = world.client();
        let response = alice.create(&mut world, "f", Create { contexts: &[v2(asked)], ..ALONE });
        let contexts = response.body::<CreateResponse<'_>>().contexts;
        let context = contexts.iter().next();
        let flags = DurableFlags::empty();
        assert_eq!(context, Some(CreateContextReply::DurableHandleResponseV2 { timeout: told, flags }));
        world.drop_client(&alice);
        world.advance(Duration::from_millis(u64::from(told) - 1));
        assert_eq!(world.files.counters().disconnected, 1);
        assert!(world.files.poll_timeout().is_some());
        world.advance(Duration::from_millis(1));
        world.assert_empty();
        let file = file_of(&response);
        let mut alice = world.client();
        let status = alice.reconnect(&mut world, "f", &[back_v2(file, GUID)]).status();
        assert_eq!(status, NtStatus::OBJECT_NAME_NOT_FOUND);
        world.drop_client(&alice);
    }
}

#[test]
fn logoff_keeps_durable_opens_and_tree_disconnect_closes_them() {
    let mut world = World::new();
    let mut alice = world.client();
    let file = alice.open_durable(&mut world, "f");
    assert_eq!(alice.logoff(&mut world), NtStatus::SUCCESS);
    let mut alice = world.client();
    let response = alice.reconnect(&mut world, "f", &[CreateContext::DurableHandleReconnect(file)]);
    assert_eq!(response.status(), NtStatus::SUCCESS);
    assert_eq!(alice.tree_disconnect(&mut world), NtStatus::SUCCESS);
    world.drop_client(&alice);
    world.assert_empty();
}

#[test]
fn somebody_elses_open_ends_one_that_waits() {
    let mut world = World::new();
    let mut alice = world.client();
    let alone = Create { share: ShareAccess::empty(), contexts: &[V1], ..ALONE };
    let file = file_of(&alice.create(&mut world, "f", alone));
    world.drop_client(&alice);
    let mut bob = world.client_from(2, "bob");
    let theirs = bob.open(&mut world, "f", ALL.share(ShareAccess::empty()));
    assert_eq!(world.files.counters().disconnected, 0);
    let mut alice = world.client();
    let status = alice.reconnect(&mut world, "f", &[CreateContext::DurableHandleReconnect(file)]).status();
    assert_eq!(status, NtStatus::OBJECT_NAME_NOT_FOUND);
    assert_eq!(bob.close(&mut world, theirs), NtStatus::SUCCESS);
    world.close_all();
    world.assert_empty();
}

#[test]
fn a_file_that_goes_with_its_open_is_gone_when_others_come() {
    let mut world = World::new();
    let mut alice = world.client();
    let how = Create { contexts: &[V1], options: CreateOptions::DELETE_ON_CLOSE, ..ALONE };
    alice.create(&mut world, "f", how);
    world.drop_client(&alice);
    let mut bob = world.client_from(2, "bob");
    let response = bob.create(&mut world, "f", ALL);
    assert_eq!(response.body::<CreateResponse<'_>>().create_action, CreateAction::CREATED);
    world.close_all();
    world.assert_empty();
}

#[test]
fn only_so_many_opens_wait() {
    let mut world = World::with_limits(Limits { waiting_opens: 3, ..Limits::default() });
    let mut alice = world.client();
    let files: Vec<FileId> = (0..5).map(|n| alice.open_durable(&mut world, &format!("f{n}"))).collect();
    world.drop_client(&alice);
    assert_eq!(world.files.counters().disconnected, 3);
    let mut alice = world.client();
    let there: Vec<bool> = files
        .iter()
        .enumerate()
        .map(|(n, file)| {
            let context = [CreateContext::DurableHandleReconnect(*file)];
            alice.reconnect(&mut world, &format!("f{n}"), &context).status() == NtStatus::SUCCESS
        })
        .collect();
    assert_eq!(there, [false, false, true, true, true]);
    world.close_all();
    world.advance(Duration::from_secs(600));
    world.assert_empty();
}

#[test]
fn what_waits_and_deletes_its_file_is_gone_before_somebody_looks_at_its_descriptor() {
    let mut world = World::new();
    let mut alice = world.client_from(1, "alice");
    let going = ALONE.options(CreateOptions::DELETE_ON_CLOSE);
    let response = alice.create(&mut world, "f", Create { contexts: &[V1], ..going });
    assert!(durable(&response));
    world.drop_client(&alice);
    let mut bob = world.client_from(2, "bob");
    // Nobody is there to be told that the oplock breaks: the open ends, and takes its file with it.
    let response = bob.create(&mut world, "f", ALL.access(AccessMask::READ_CONTROL));
    assert_eq!(response.body::<CreateResponse<'_>>().create_action, CreateAction::CREATED);
    assert_eq!(world.files.counters().nodes, 1);
    let file = bob.open(&mut world, "f", open());
    assert_eq!(bob.write(&mut world, file, 0, b"there"), NtStatus::SUCCESS);
    world.close_all();
    world.assert_empty();
}

#[test]
fn a_resilient_open_waits_without_an_oplock() {
    let mut world = World::new();
    let mut alice = world.client();
    let file = alice.open(&mut world, "f", ALL.share(ShareAccess::empty()));
    let code = CtlCode::LMR_REQUEST_RESILIENCY;
    let ask = |timeout| ResiliencyRequest { timeout }.to_vec();
    let too_long = alice.ioctl(&mut world, file, code, &ask(300_001), 0);
    assert_eq!(too_long.status(), NtStatus::INVALID_PARAMETER);
    assert_eq!(alice.ioctl(&mut world, file, code, &[0; 7], 0).status(), NtStatus::INVALID_PARAMETER);
    assert_eq!(alice.ioctl(&mut world, file, code, &ask(10_000), 0).status(), NtStatus::SUCCESS);
    world.drop_client(&alice);
    let mut bob = world.client_from(2, "bob");
    assert_eq!(bob.create_status(&mut world, "f", ALL), NtStatus::SHARING_VIOLATION, "it holds its place");
    let mut alice = world.client();
    let response = alice.reconnect(&mut world, "f", &[CreateContext::DurableHandleReconnect(file)]);
    assert_eq!(response.status(), NtStatus::SUCCESS);
    world.drop_client(&alice);
    world.advance(Duration::from_secs(10));
    assert_eq!(bob.create_status(&mut world, "f", ALL), NtStatus::SUCCESS);
    world.close_all();
    world.assert_empty();
}

#[test]
fn an_application_takes_its_files_along_to_another_machine() {
    let mut world = World::new();
    let app = [CreateContext::AppInstanceId(Guid([7; 16]))];
    let how = Create { contexts: &app, share: ShareAccess::empty(), ..ALL };
    let (mut here, mut there) = (world.client_from(1, "alice"), world.client_from(2, "alice"));
    let first = here.open(&mut world, "f", how);
    assert_eq!(here.create_status(&mut world, "f", how), NtStatus::SHARING_VIOLATION, "not from one machine");
    let other = [CreateContext::AppInstanceId(Guid([8; 16]))];
    let status = there.create_status(&mut world, "f", Create { contexts: &other, ..how });
    assert_eq!(status, NtStatus::SHARING_VIOLATION, "nor another application");
    assert_eq!(there.create_status(&mut world, "f", how), NtStatus::SUCCESS);
    assert_eq!(here.read(&mut world, first, 0, 1), Err(NtStatus::FILE_CLOSED));
    world.close_all();
    world.assert_empty();
}

#[test]
fn o19_another_user_cannot_reconnect() {
    let mut world = World::new();
    let mut alice = world.client();
    let file = alice.open_durable(&mut world, "f");
    world.drop_client(&alice);
    let claim = [CreateContext::DurableHandleReconnect(file)];
    for user in ["bob", "guest", "nobody"] {
        let mut other = world.log_on(user);
        let response = other.tree_connect(&mut world, r"\\server\share");
        if response.status() != NtStatus::SUCCESS {
            continue;
        }
        other.tree = response.header.tree_id;
        assert_eq!(other.reconnect(&mut world, "f", &claim).status(), NtStatus::ACCESS_DENIED, "{user}");
    }
    let mut alice = world.client();
    assert_eq!(alice.reconnect(&mut world, "f", &claim).status(), NtStatus::SUCCESS);
}

#[test]
fn o19_who_comes_too_late_finds_nothing_and_nobody_comes_twice() {
    let mut world = World::new();
    let mut alice = world.client();
    let file = alice.open_durable(&mut world, "f");
    let claim = [CreateContext::DurableHandleReconnect(file)];
    let missing = NtStatus::OBJECT_NAME_NOT_FOUND;
    assert_eq!(alice.reconnect(&mut world, "f", &claim).status(), missing, "it does not wait yet");
    world.drop_client(&alice);
    world.advance(Duration::from_secs(119));
    let mut alice = world.client();
    assert_eq!(alice.reconnect(&mut world, "f", &claim).status(), NtStatus::SUCCESS);
    assert_eq!(alice.reconnect(&mut world, "f", &claim).status(), missing, "it has it already");
    world.drop_client(&alice);
    world.advance(Duration::from_secs(120));
    let mut alice = world.client();
    assert_eq!(alice.reconnect(&mut world, "f", &claim).status(), missing);
    world.close_all();
    world.assert_empty();
}

#[test]
fn o19_a_lease_is_reconnected_under_its_key_from_its_machine() {
    let mut world = World::new();
    let mut alice = world.client_from(1, "alice");
    let response = alice.create(&mut world, "f", Create { contexts: &[V1, lease(1)], ..LEASED });
    assert!(durable(&response));
    let claim = CreateContext::DurableHandleReconnect(file_of(&response));
    world.drop_client(&alice);
    let missing = NtStatus::OBJECT_NAME_NOT_FOUND;
    let mut elsewhere = world.client_from(2, "alice");
    assert_eq!(elsewhere.reconnect(&mut world, "f", &[claim, lease(1)]).status(), missing);
    let mut alice = world.client_from(1, "alice");
    assert_eq!(alice.reconnect(&mut world, "f", &[claim]).status(), missing);
    assert_eq!(alice.reconnect(&mut world, "f", &[claim, lease(2)]).status(), missing);
    let other_name = alice.reconnect(&mut world, "g", &[claim, lease(1)]).status();
    assert_eq!(other_name, NtStatus::INVALID_PARAMETER);
    assert_eq!(alice.reconnect(&mut world, "f", &[claim, lease(1)]).status(), NtStatus::SUCCESS);
}

#[test]
fn o19_the_create_guid_has_to_be_known() {
    let mut world = World::new();
    let mut alice = world.client();
    let file = file_of(&alice.create(&mut world, "f", Create { contexts: &[v2(0)], ..ALONE }));
    world.drop_client(&alice);
    let mut alice = world.client();
    let wrong = alice.reconnect(&mut world, "f", &[back_v2(file, Guid([1; 16]))]).status();
    assert_eq!(wrong, NtStatus::OBJECT_NAME_NOT_FOUND);
    let persistent = CreateContext::DurableHandleReconnectV2 {
        file_id: file,
        create_guid: GUID,
        flags: DurableFlags::PERSISTENT,
    };
    assert_eq!(alice.reconnect(&mut world, "f", &[persistent]).status(), NtStatus::INVALID_PARAMETER);
    assert_eq!(alice.reconnect(&mut world, "f", &[back_v2(file, GUID)]).status(), NtStatus::SUCCESS);
}

#[test]
fn o19_of_two_that_reconnect_at_once_one_succeeds() {
    let mut world = World::new();
    let mut alice = world.client();
    let file = alice.open_durable(&mut world, "f");
    world.drop_client(&alice);
    let (mut one, mut two) = (world.client(), world.client());
    world.hold = true;
    let claim = [CreateContext::DurableHandleReconnect(file)];
    let how = Create { contexts: &claim, ..open() };
    let first = one.send_create(&mut world, "f", how);
    let second = two.send_create(&mut world, "f", how);
    assert_eq!(two.answer(&mut world, second).status(), NtStatus::OBJECT_NAME_NOT_FOUND);
    world.run_all();
    assert_eq!(one.answer(&mut world, first).status(), NtStatus::SUCCESS);
    let third = two.send_create(&mut world, "f", how);
    assert_eq!(two.answer(&mut world, third).status(), NtStatus::OBJECT_NAME_NOT_FOUND, "it is not lost");
    world.hold = false;
    world.close_all();
    world.advance(Duration::from_secs(600));
    world.assert_empty();
}

#[test]
fn o19_what_never_was_durable_cannot_be_claimed() {
    let mut world = World::new();
    let mut alice = world.client();
    let file = alice.open(&mut world, "f", ALL);
    world.drop_client(&alice);
    world.assert_empty();
    let mut alice = world.client();
    let all = [file, FileId::ANY, FileId { persistent: 0, volatile: 0 }];
    for claimed in all {
        let status =
            alice.reconnect(&mut world, "f", &[CreateContext::DurableHandleReconnect(claimed)]).status();
        assert_eq!(status, NtStatus::OBJECT_NAME_NOT_FOUND);
    }
}

#[test]
fn a_leased_stream_is_reconnected_under_its_own_name() {
    let mut world = World::new();
    let mut alice = world.client_from(1, "alice");
    let response = alice.create(&mut world, "f:s", Create { contexts: &[V1, lease(1)], ..LEASED });
    assert!(durable(&response));
    let claim = [CreateContext::DurableHandleReconnect(file_of(&response)), lease(1)];
    world.drop_client(&alice);
    let mut alice = world.client_from(1, "alice");
    for other in ["f", "f:t", "g:s"] {
        assert_eq!(alice.reconnect(&mut world, other, &claim).status(), NtStatus::INVALID_PARAMETER);
    }
    assert_eq!(alice.reconnect(&mut world, "F:S", &claim).status(), NtStatus::SUCCESS);
}

#[test]
fn a_write_that_does_not_show_yet_does_not_show_at_the_reconnect() {
    let mut world = World::new();
    let mut alice = world.client();
    alice.put(&mut world, "f", b"old");
    let early = FileTime(126_227_808_000_000_000);
    let file = alice.open(&mut world, "f", open());
    let info = fscc::FileBasicInfo { last_write_time: early, ..Default::default() };
    assert_eq!(alice.set(&mut world, file, &info), NtStatus::SUCCESS);
    alice.close(&mut world, file);
    let file = alice.open_durable(&mut world, "f");
    assert_eq!(alice.write(&mut world, file, 0, b"new"), NtStatus::SUCCESS);
    world.drop_client(&alice);
    let mut alice = world.client();
    let response = alice.reconnect(&mut world, "f", &[CreateContext::DurableHandleReconnect(file)]);
    assert_eq!(response.body::<CreateResponse<'_>>().last_write_time, early);
}

#[test]
fn an_open_that_waits_ends_when_what_it_caches_is_taken_away() {
    let mut world = World::new();
    let mut bob = world.client_from(2, "bob");
    let theirs = bob.open(&mut world, "f", ALL);
    let mut alice = world.client_from(1, "alice");
    let response = alice.create(&mut world, "f", Create { contexts: &[V1, lease(1)], ..LEASED });
    assert!(durable(&response));
    world.drop_client(&alice);
    assert_eq!(bob.read(&mut world, theirs, 0, 1), Err(NtStatus::END_OF_FILE));
    assert_eq!(world.files.counters().disconnected, 1, "reading takes nothing away");
    assert_eq!(bob.write(&mut world, theirs, 0, b"x"), NtStatus::SUCCESS);
    assert_eq!(world.files.counters().disconnected, 0);
    let mut alice = world.client_from(1, "alice");
    let claim = [CreateContext::DurableHandleReconnect(file_of(&response)), lease(1)];
    assert_eq!(alice.reconnect(&mut world, "f", &claim).status(), NtStatus::OBJECT_NAME_NOT_FOUND);
    world.close_all();
    world.assert_empty();
}
