//! Sessions and tree connects, and what is left of them: nothing.

use std::sync::Arc;

use sansmb::wire::*;
use sansmb_fileserver::{Access, Limits, ShareConfig};

use crate::common::{World, memory, requests::*};

#[test]
fn a_wrong_password_is_refused_and_leaves_nothing() {
    let mut world = World::new();
    let mut client = world.connect();
    assert_eq!(client.set_up(&mut world, "mallory", SessionId(0)).status(), NtStatus::LOGON_FAILURE);
    assert_eq!(client.set_up(&mut world, "", SessionId(0)).status(), NtStatus::INVALID_PARAMETER);
    assert_eq!(world.files.counters().sessions, 0);
}

#[test]
fn authentication_may_take_several_legs() {
    let mut world = World::new();
    let mut client = world.connect();
    let response = client.set_up(&mut world, "hello", SessionId(0));
    assert_eq!(response.status(), NtStatus::MORE_PROCESSING_REQUIRED);
    let body = SessionSetupResponse::decode(&response.bytes).unwrap();
    assert_eq!(body.security_buffer, b"who is it?");
    client.session = response.header.session_id;
    assert_eq!(client.set_up(&mut world, "alice", SessionId(0)).status(), NtStatus::SUCCESS);
    assert_eq!(client.tree_connect(&mut world, r"\\x\share").status(), NtStatus::SUCCESS);
    // Half-open sessions go with their connection.
    let mut other = world.connect();
    other.set_up(&mut world, "hello", SessionId(0));
    assert_eq!(world.files.counters().sessions, 2);
    world.drop_client(&other);
    world.drop_client(&client);
    world.assert_empty();
}

#[test]
fn a_failed_second_authentication_ends_the_session() {
    let mut world = World::new();
    let mut client = world.client();
    client.open(&mut world, "file", ALL);
    assert_eq!(client.set_up(&mut world, "alice", SessionId(0)).status(), NtStatus::SUCCESS);
    assert_eq!(client.set_up(&mut world, "mallory", SessionId(0)).status(), NtStatus::LOGON_FAILURE);
    world.assert_empty();
}

#[test]
fn shares_are_found_by_name_and_kept_from_those_who_may_not() {
    let mut world = World::with(|config| {
        let share = |name: &str, access| ShareConfig { access, ..ShareConfig::new(name, memory()) };
        config
            .with_share(share("open", Access::Guests))
            .with_share(share("Bobs", Access::List(vec!["bob".into()])))
    });
    let mut alice = world.log_on("alice");
    let mut guest = world.log_on("guest");
    let mut bob = world.log_on("BOB");
    for (path, status) in [
        (r"\\server\SHARE", NtStatus::SUCCESS),
        (r"\\any\open", NtStatus::SUCCESS),
        (r"\\any\ipc$", NtStatus::SUCCESS),
        (r"\\server\bobs", NtStatus::ACCESS_DENIED),
        (r"\\server\missing", NtStatus::BAD_NETWORK_NAME),
    ] {
        assert_eq!(alice.tree_connect(&mut world, path).status(), status, "{path}");
    }
    assert_eq!(bob.tree_connect(&mut world, r"\\server\bobs").status(), NtStatus::SUCCESS);
    assert_eq!(guest.tree_connect(&mut world, r"\\server\open").status(), NtStatus::SUCCESS);
    assert_eq!(guest.tree_connect(&mut world, r"\\server\share").status(), NtStatus::ACCESS_DENIED);
    assert_eq!(guest.tree_connect(&mut world, r"\\server\bobs").status(), NtStatus::ACCESS_DENIED);
}

#[test]
fn o1_paths_without_a_share_are_refused() {
    let mut world = World::new();
    let mut client = world.log_on("alice");
    let long = format!(r"\\server\{}", "x".repeat(81));
    for path in ["", r"\", r"\\", r"\\server", r"\\server\", r"\server\share", r"share", &long, r"\\\share"] {
        assert_eq!(client.tree_connect(&mut world, path).status(), NtStatus::BAD_NETWORK_NAME, "{path}");
    }
    let mut nul = client.tree_connect(&mut world, "\\\\server\\share\0").status();
    assert_eq!(nul, NtStatus::BAD_NETWORK_NAME);
    nul = client.tree_connect(&mut world, r"\\server\share\deeper").status();
    assert_eq!(nul, NtStatus::BAD_NETWORK_NAME);
    // Offsets and lengths that lie are found before any of this.
    let path = Utf16Buf::new(r"\\server\share");
    let request = TreeConnectRequest { path: path.as_utf16(), ..Default::default() };
    for (at, value) in [(68, 0xFFF0_u16), (70, 0xFFFF), (70, 27), (68, 8)] {
        let mut message = client.raw(Command::TREE_CONNECT, &request);
        message[at..at + 2].copy_from_slice(&value.to_le_bytes());
        client.send_frame(&mut world, &message);
        let id = client.last;
        assert_eq!(client.answer(&mut world, id).status(), NtStatus::INVALID_PARAMETER, "{at} {value}");
    }
}

#[test]
fn maximal_access_says_what_a_share_allows() {
    let mut world = World::with(|config| {
        let read_only = ShareConfig { read_only: true, ..ShareConfig::new("ro", memory()) };
        config.with_share(read_only)
    });
    let mut client = world.log_on("alice");
    let all = client.tree_connect(&mut world, r"\\server\share").body::<TreeConnectResponse>();
    assert_eq!(all.maximal_access, AccessMask::FILE_ALL_ACCESS);
    assert_eq!(all.share_type, ShareType::DISK);
    let some = client.tree_connect(&mut world, r"\\server\ro").body::<TreeConnectResponse>();
    assert_eq!(some.maximal_access, AccessMask::FILE_GENERIC_READ | AccessMask::FILE_GENERIC_EXECUTE);
    let pipes = client.tree_connect(&mut world, r"\\server\IPC$").body::<TreeConnectResponse>();
    assert_eq!(pipes.share_type, ShareType::PIPE);
}

#[test]
fn a_share_that_wants_encryption_is_closed_to_those_who_cannot() {
    let mut world = World::with(|config| {
        config.with_share(ShareConfig { encrypt: true, ..ShareConfig::new("secret", memory()) })
    });
    let mut client = world.log_on("alice");
    let status = client.tree_connect(&mut world, r"\\server\secret").status();
    assert_eq!(status, NtStatus::ACCESS_DENIED);
}

#[test]
fn n13_logoff_ends_everything_that_waits_and_frees_all() {
    let mut world = World::new();
    let mut client = world.client();
    let mut other = world.client();
    let file = client.open(&mut world, "file", ALL);
    let dir = client.open(&mut world, "dir", directory());
    let theirs = other.open(&mut world, "file", ALL);
    assert_eq!(other.lock(&mut world, theirs, &[exclusive(0, 10)]), NtStatus::SUCCESS);
    let lock = client.send_lock(&mut world, file, &[exclusive(0, 10)]);
    let notify = client.send_notify(&mut world, dir, CompletionFilter::FILE_NAME, false, 1000);
    assert!(client.was_pended(&mut world, lock));
    assert!(client.was_pended(&mut world, notify));
    world.hold = true;
    let read = client.send_read(&mut world, file, 20, 10);
    let logoff = client.send(&mut world, Command::LOGOFF, &EmptyBody::default());
    assert_eq!(client.answer(&mut world, lock).status(), NtStatus::RANGE_NOT_LOCKED);
    assert_eq!(client.answer(&mut world, notify).status(), NtStatus::NOTIFY_CLEANUP);
    assert!(client.maybe(&mut world, logoff).is_none(), "the read still runs");
    // Nothing new comes in meanwhile.
    assert_eq!(client.read(&mut world, file, 0, 1), Err(NtStatus::FILE_CLOSED));
    assert_eq!(client.create_status(&mut world, "new", ALL), NtStatus::USER_SESSION_DELETED);
    world.run_all();
    assert_eq!(read_result(&client.answer(&mut world, read)), Err(NtStatus::END_OF_FILE));
    assert_eq!(client.answer(&mut world, logoff).status(), NtStatus::SUCCESS);
    world.hold = false;
    assert_eq!(client.create_status(&mut world, "new", ALL), NtStatus::USER_SESSION_DELETED);
    world.drop_client(&other);
    world.drop_client(&client);
    world.assert_empty();
}

#[test]
fn n13_a_session_that_ends_closes_files_when_their_jobs_are_done() {
    let mut world = World::new();
    let mut client = world.client();
    let file = client.open(&mut world, "doomed", ALL.options(CreateOptions::DELETE_ON_CLOSE));
    world.hold = true;
    client.send_write(&mut world, file, 0, b"late");
    client.send_create(&mut world, "later", ALL);
    world.server.eof(client.conn);
    world.settle();
    assert_eq!(world.held_names(), ["Write", "Open"]);
    world.run_held(1);
    assert_eq!(world.held_names(), ["Write", "Unlink"], "what nobody wants is not made");
    world.run_held(0);
    assert_eq!(world.held_names(), ["Unlink", "Unlink"]);
    world.run_all();
    world.assert_empty();
    world.hold = false;
    let mut other = world.client();
    for name in ["doomed", "later"] {
        assert_eq!(other.create_status(&mut world, name, open()), NtStatus::OBJECT_NAME_NOT_FOUND);
    }
}

#[test]
fn a_lost_connection_closes_all_its_files_and_honours_delete_on_close() {
    let mut world = World::new();
    let mut client = world.client();
    client.open(&mut world, "keep", ALL);
    client.open(&mut world, "drop", ALL.options(CreateOptions::DELETE_ON_CLOSE));
    let dir = client.open(&mut world, "dir", directory());
    client.send_notify(&mut world, dir, CompletionFilter::FILE_NAME, true, 1000);
    world.drop_client(&client);
    world.assert_empty();
    let mut other = world.client();
    assert_eq!(other.create_status(&mut world, "keep", open()), NtStatus::SUCCESS);
    assert_eq!(other.create_status(&mut world, "drop", open()), NtStatus::OBJECT_NAME_NOT_FOUND);
}

#[test]
fn tree_disconnect_closes_the_files_of_its_tree_alone() {
    let mut world = World::new();
    let mut client = world.client();
    let first = client.tree;
    let one = client.open(&mut world, "one", ALL.share(ShareAccess::empty()));
    client.tree = client.tree_connect(&mut world, r"\\server\share").header.tree_id;
    let two = client.open(&mut world, "two", ALL);
    // A FileId is good on its own tree only.
    assert_eq!(client.close(&mut world, one), NtStatus::FILE_CLOSED);
    let second = std::mem::replace(&mut client.tree, first);
    assert_eq!(client.tree_disconnect(&mut world), NtStatus::SUCCESS);
    assert_eq!(client.create_status(&mut world, "one", open()), NtStatus::NETWORK_NAME_DELETED);
    client.tree = second;
    assert_eq!(client.write(&mut world, two, 0, b"x"), NtStatus::SUCCESS);
    assert_eq!(client.create_status(&mut world, "one", open()), NtStatus::SUCCESS);
    assert_eq!(client.logoff(&mut world), NtStatus::SUCCESS);
    world.assert_empty();
}

#[test]
fn a_create_that_a_tree_disconnect_overtakes_is_undone() {
    let mut world = World::new();
    let mut client = world.client();
    world.hold = true;
    let create = client.send_create(&mut world, "file", ALL);
    let disconnect = client.send(&mut world, Command::TREE_DISCONNECT, &EmptyBody::default());
    assert!(client.maybe(&mut world, disconnect).is_none());
    world.run_held(0);
    assert_eq!(world.held_names(), ["Unlink"]);
    world.run_held(0);
    assert!(client.maybe(&mut world, disconnect).is_none());
    assert_eq!(world.held_names(), ["Close"]);
    world.run_all();
    assert_eq!(client.answer(&mut world, create).status(), NtStatus::FILE_CLOSED);
    assert_eq!(client.answer(&mut world, disconnect).status(), NtStatus::SUCCESS);
    assert_eq!(world.files.counters().opens, 0);
}

#[test]
fn file_ids_of_another_session_are_not_known() {
    let mut world = World::new();
    let mut alice = world.client();
    let mut eve = world.client_of("eve", "share");
    let file = alice.open(&mut world, "file", ALL);
    assert_eq!(eve.read(&mut world, file, 0, 1), Err(NtStatus::FILE_CLOSED));
    assert_eq!(eve.write(&mut world, file, 0, b"x"), NtStatus::FILE_CLOSED);
    assert_eq!(eve.close(&mut world, file), NtStatus::FILE_CLOSED);
    let half = FileId { persistent: file.persistent + 1, ..file };
    assert_eq!(alice.close(&mut world, half), NtStatus::FILE_CLOSED);
    assert_eq!(alice.close(&mut world, file), NtStatus::SUCCESS);
}

#[test]
fn a_client_that_comes_back_ends_its_previous_session() {
    let mut world = World::new();
    let mut old = world.client();
    old.open(&mut world, "file", ALL.share(ShareAccess::empty()));
    let mut new = world.connect();
    let response = new.set_up(&mut world, "alice", old.session);
    new.session = response.header.session_id;
    new.tree = new.tree_connect(&mut world, r"\\server\share").header.tree_id;
    assert_eq!(new.create_status(&mut world, "file", open()), NtStatus::SUCCESS);
    assert_eq!(world.files.counters().sessions, 1);
}

#[test]
fn o22_opens_have_a_limit_for_each_session_and_for_all() {
    let limits = Limits { opens_per_session: 3, opens: 5, ..Limits::default() };
    let mut world = World::with_limits(limits);
    let mut one = world.client();
    let mut two = world.client();
    let fill = |client: &mut crate::common::Client, world: &mut World, n: usize| {
        (0..n).map(|i| client.create_status(world, &format!("f{i}"), ALL)).collect::<Vec<_>>()
    };
    let full = NtStatus::INSUFFICIENT_RESOURCES;
    assert_eq!(
        fill(&mut one, &mut world, 4),
        [NtStatus::SUCCESS, NtStatus::SUCCESS, NtStatus::SUCCESS, full]
    );
    assert_eq!(fill(&mut two, &mut world, 3), [NtStatus::SUCCESS, NtStatus::SUCCESS, full]);
    world.drop_client(&one);
    assert_eq!(two.create_status(&mut world, "f9", ALL), NtStatus::SUCCESS);
    world.drop_client(&two);
    world.assert_empty();
}

#[test]
fn o22_trees_have_a_limit_for_each_session() {
    let mut world = World::new();
    let mut client = world.log_on("alice");
    let mut connected = 0;
    let refusal = loop {
        let response = client.tree_connect(&mut world, r"\\server\share");
        if response.status() != NtStatus::SUCCESS {
            break response.status();
        }
        connected += 1;
        assert!(connected <= 10_000, "without end");
        client.tree = response.header.tree_id;
    };
    assert_eq!(refusal, NtStatus::INSUFFICIENT_RESOURCES);
    assert_eq!(client.tree_disconnect(&mut world), NtStatus::SUCCESS);
    assert_eq!(client.tree_connect(&mut world, r"\\server\share").status(), NtStatus::SUCCESS);
    let mut other = world.log_on("bob");
    assert_eq!(other.tree_connect(&mut world, r"\\server\share").status(), NtStatus::SUCCESS);
    world.close_all();
    world.assert_empty();
}

#[test]
fn shares_of_one_storage_keep_their_share_modes_together() {
    let mut world = World::with(|mut config| {
        let storage = config.shares[0].storage.clone();
        config.shares.push(ShareConfig::new("alias", Arc::clone(&storage)));
        config
    });
    let mut one = world.client();
    let mut two = world.client_of("bob", "alias");
    one.open(&mut world, "file", ALL.share(ShareAccess::empty()));
    assert_eq!(two.create_status(&mut world, "FILE", open()), NtStatus::SHARING_VIOLATION);
}
