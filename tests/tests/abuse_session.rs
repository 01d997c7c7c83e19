//! Sessions and authentication: rows N5 to N19 of docs/abuse.md, at the level of the state machines.

use std::sync::Arc;

use sansmb::{
    auth::{Identity, IdentityKind, Mechanism, Step},
    client::{EncryptionPolicy, TreeRef},
    op,
    server::{CloseReason, Event, Reply, Request},
    wire::{
        Cipher, Command, Dialect, EmptyBody, Flags, HEADER_LEN, Header, NtStatus, SessionId,
        SessionSetupFlags, SessionSetupRequest, TreeId,
    },
};
use sansmb_auth::{ClientParams, Credentials, MapToGuest, SpnegoClient};
use sansmb_tests::{Pair, PairConfig, now, raw};

const ID: u64 = raw::FREE_ID;

fn connected() -> (Pair, TreeRef) {
    connected_with(PairConfig::default())
}

fn connected_with(config: PairConfig) -> (Pair, TreeRef) {
    let mut pair = Pair::new(config);
    let tree = pair.connect().expect("connect");
    (pair, tree)
}

fn at_dialect(dialect: Dialect) -> PairConfig {
    let mut config = PairConfig::default();
    config.client.max_dialect = dialect;
    config
}

/// A server that has agreed on `dialect` with somebody, by hand.
fn negotiated(config: PairConfig, dialect: Dialect) -> Pair {
    let mut pair = Pair::new(config);
    pair.ask(&raw::negotiate(0, &[dialect], &[raw::preauth_context()]));
    pair
}

fn read(tree: TreeRef, id: u64) -> Vec<u8> {
    raw::request::<op::Read>(tree, id, &raw::read())
}

fn taken(pair: &mut Pair) -> Request<op::Read> {
    let Some(Event::Read(request)) = pair.server_events.pop_front() else { panic!("no READ arrived") };
    request
}

fn setup_taken(pair: &mut Pair) -> Request<op::SessionSetup> {
    let Some(Event::SessionSetup(request)) = pair.server_events.pop_front() else { panic!("no SETUP") };
    request
}

fn data() -> Reply<op::Read> {
    Reply::shared(vec![7; 10].into())
}

fn spnego(user: &str, password: &str) -> Box<SpnegoClient> {
    let params = ClientParams { now: now(0).wall, random: [7; 32], ..ClientParams::default() };
    Box::new(SpnegoClient::new(Credentials::password(user, "", password), params))
}

/// A first token, after which the server wants another.
fn first_token() -> Vec<u8> {
    match spnego("tester", "secret").step(&[]) {
        Ok(Step::Send(token)) => token,
        other => panic!("{other:?}"),
    }
}

#[test]
fn n5_half_open_sessions_are_bounded() {
    let mut pair = negotiated(PairConfig::default(), Dialect::SMB3_1_1);
    let limit = 64;
    for n in 0..limit + 10 {
        let answer = pair.ask(&raw::session_setup(1 + n, SessionId(0), &first_token())).remove(0);
        let expected =
            if n < limit { NtStatus::MORE_PROCESSING_REQUIRED } else { NtStatus::INSUFFICIENT_RESOURCES };
        assert_eq!(raw::status(&answer), expected, "{n}");
    }
    assert_eq!(pair.server.sessions().len(), limit as usize);
    // They go with the connection, and the application hears of each.
    pair.server_events.clear();
    pair.server.eof(pair.conn);
    pair.give_server(&[]);
    assert_eq!(pair.server_events.len(), limit as usize + 1);
    assert_eq!(pair.ended_silently(), CloseReason::Eof);
}

#[test]
fn n5_half_open_sessions_do_not_last() {
    let mut pair = negotiated(PairConfig::default(), Dialect::SMB3_1_1);
    pair.ask(&raw::session_setup(1, SessionId(0), &first_token()));
    assert_eq!(pair.server.sessions().len(), 1);
    pair.advance(now(46_000));
    assert_eq!(pair.ended_silently(), CloseReason::Timeout);
}

#[test]
fn n5_sessions_that_fail_leave_room() {
    let mut pair = negotiated(PairConfig::default(), Dialect::SMB3_1_1);
    for n in 0..1000 {
        let answer = pair.ask(&raw::session_setup(1 + n, SessionId(0), b"no token")).remove(0);
        assert_eq!(raw::status(&answer), NtStatus::LOGON_FAILURE);
    }
    assert!(pair.server_events.is_empty());
    pair.nothing_left();
    assert_eq!(pair.server_closed(), None);
}

#[test]
fn n6_a_security_buffer_that_is_not_in_the_message_is_an_invalid_parameter() {
    for (offset, len) in [(0u16, 5u16), (63, 5), (64, 5), (87, 5), (88, 6), (89, 5), (90, 65535), (65535, 1)]
    {
        let mut pair = negotiated(PairConfig::default(), Dialect::SMB3_1_1);
        let mut message = raw::session_setup(1, SessionId(0), b"token");
        message[HEADER_LEN + 12..HEADER_LEN + 14].copy_from_slice(&offset.to_le_bytes());
        message[HEADER_LEN + 14..HEADER_LEN + 16].copy_from_slice(&len.to_le_bytes());
        let answer = pair.ask(&message).remove(0);
        assert_eq!(raw::status(&answer), NtStatus::INVALID_PARAMETER, "{offset} {len}");
        assert!(pair.server_events.is_empty());
        pair.nothing_left();
    }
}

#[test]
fn n6_an_empty_security_buffer_may_stand_anywhere() {
    let mut pair = negotiated(PairConfig::default(), Dialect::SMB3_1_1);
    let mut message = raw::session_setup(1, SessionId(0), b"");
    message[HEADER_LEN + 12..HEADER_LEN + 14].copy_from_slice(&u16::MAX.to_le_bytes());
    let answer = pair.ask(&message).remove(0);
    // It is for the mechanism to say what an empty token is worth: ours has no use for it.
    assert_eq!(raw::status(&answer), NtStatus::LOGON_FAILURE);
    pair.nothing_left();
}

#[test]
fn n7_to_n9_a_token_that_was_tampered_with_is_a_logon_failure() {
    // NTLM's own rows are tested where NTLM is; here any change of the last token must end the
    // session that was half open, whatever the change meant.
    for at in [40, 60, 100, 150, 200] {
        let mut pair = Pair::new(PairConfig::default());
        let op = pair.client.log_on(spnego("tester", "secret"), true, pair.now);
        let mut frames = Vec::new();
        while frames.is_empty() {
            for message in pair.take_client() {
                let header = Header::decode(&message).unwrap();
                if (header.command, header.message_id) == (Command::SESSION_SETUP, 2) {
                    frames.push(message);
                } else {
                    for answer in pair.ask(&message) {
                        pair.give_client(&answer);
                    }
                }
            }
        }
        let mut last = frames.remove(0);
        let n = last.len();
        last[n - at] ^= 1;
        let answer = pair.ask(&last).remove(0);
        assert_eq!(raw::status(&answer), NtStatus::LOGON_FAILURE, "{at} from the end");
        pair.nothing_left();
        pair.give_client(&answer);
        assert_eq!(pair.result(op).unwrap_err().status(), Some(NtStatus::LOGON_FAILURE));
    }
}

/// A SESSION_SETUP that asks to bind `session` to this connection.
fn binding(id: u64, session: SessionId) -> Vec<u8> {
    let body = SessionSetupRequest { flags: SessionSetupFlags::BINDING, ..Default::default() };
    raw::message(&raw::header(Command::SESSION_SETUP, TreeRef { session, tree: TreeId(0) }, id), &body)
}

#[test]
fn n11_no_session_is_bound_to_a_second_connection() {
    for dialect in [Dialect::SMB2_1, Dialect::SMB3_0, Dialect::SMB3_1_1] {
        let (mut pair, tree) = connected_with(at_dialect(dialect));
        let (_, first) = pair.reconnect();
        pair.ask(&raw::negotiate(0, &[dialect], &[raw::preauth_context()]));
        for (n, session) in [tree.session, SessionId(77), SessionId(0)].into_iter().enumerate() {
            for signed in [false, true] {
                let mut message = binding(1 + 2 * n as u64 + u64::from(signed), session);
                if signed {
                    raw::change_header(&mut message, |h| {
                        h.flags |= Flags::SIGNED;
                        h.signature = [3; 16];
                    });
                }
                let status = raw::status(&pair.ask(&message)[0]);
                let unknown = signed && status == NtStatus::USER_SESSION_DELETED;
                assert!(
                    unknown || status == NtStatus::REQUEST_NOT_ACCEPTED,
                    "{dialect} {session:?} {status}"
                );
            }
        }
        assert!(pair.server_events.is_empty());
        // The session is what it was, and of no use here.
        let stolen = pair.ask(&read(tree, 10)).remove(0);
        assert_eq!(raw::status(&stolen), NtStatus::USER_SESSION_DELETED);
        pair.conn = first;
        assert!(pair.ask(&read(tree, ID)).is_empty());
        assert_eq!(taken(&mut pair).origin.session, tree.session);
    }
}

/// A log-on by hand of `user` that names `previous`; the answers.
fn log_on_after(pair: &mut Pair, user: &str, previous: SessionId) -> (SessionId, NtStatus) {
    let client = pair.client.log_on(spnego(user, "secret"), true, pair.now);
    loop {
        for mut message in pair.take_client() {
            if Header::decode(&message).unwrap().command == Command::SESSION_SETUP {
                message[HEADER_LEN + 16..HEADER_LEN + 24].copy_from_slice(&previous.0.to_le_bytes());
            }
            for answer in pair.ask(&message) {
                let header = Header::decode(&answer).unwrap();
                if header.command == Command::SESSION_SETUP
                    && header.status != NtStatus::MORE_PROCESSING_REQUIRED
                {
                    let _ = client;
                    return (header.session_id, header.status);
                }
                pair.give_client(&answer);
            }
        }
    }
}

#[test]
fn n12_the_previous_session_of_the_same_user_ends() {
    // On another connection, and on the same one.
    for same_connection in [false, true] {
        let (mut pair, tree) = connected_with(at_dialect(Dialect::SMB3_0));
        assert!(pair.ask(&read(tree, ID)).is_empty());
        let under_way = taken(&mut pair);
        let first = pair.conn;
        if !same_connection {
            pair.reconnect();
        }
        let (second, status) = log_on_after(&mut pair, "tester", tree.session);
        assert_eq!(status, NtStatus::SUCCESS);
        let ended: Vec<_> = pair.server_events.drain(..).collect();
        assert!(
            matches!(&ended[..], [Event::SessionEnded { session }] if *session == tree.session),
            "{ended:?}"
        );
        assert_eq!(pair.server.sessions().len(), 1);
        assert!(pair.server.sessions().identity(second).is_some());
        pair.conn = first;
        // What was under way is still answered; what comes now is not.
        pair.server.respond(under_way.token, Ok(data())).unwrap();
        assert_eq!(raw::status(&pair.take_server()[0]), NtStatus::SUCCESS);
        assert_eq!(raw::status(&pair.ask(&read(tree, ID + 1))[0]), NtStatus::USER_SESSION_DELETED);
    }
}

#[test]
fn n12_the_previous_session_of_another_user_stays() {
    let (mut pair, tree) = connected_with(at_dialect(Dialect::SMB3_0));
    let first = pair.conn;
    pair.reconnect();
    let (_, status) = log_on_after(&mut pair, "other", tree.session);
    assert_eq!(status, NtStatus::SUCCESS);
    assert!(pair.server_events.is_empty());
    assert_eq!(pair.server.sessions().len(), 2);
    pair.conn = first;
    assert!(pair.ask(&read(tree, ID)).is_empty());
    let _ = taken(&mut pair);
}

#[test]
fn n12_previous_sessions_that_are_none_are_ignored() {
    for previous in [SessionId(1), SessionId(u64::MAX)] {
        let mut pair = Pair::new(at_dialect(Dialect::SMB3_0));
        let (_, status) = log_on_after(&mut pair, "tester", previous);
        assert_eq!(status, NtStatus::SUCCESS);
        assert!(pair.server_events.is_empty());
    }
    // Its own: the id that the server gives is the next one.
    let mut pair = Pair::new(at_dialect(Dialect::SMB3_0));
    let first = pair.log_on("secret").unwrap();
    let own = SessionId(first.0 + 1);
    let (second, status) = log_on_after(&mut pair, "tester", own);
    assert_eq!((second, status), (own, NtStatus::SUCCESS));
    assert_eq!(pair.server.sessions().len(), 2);
}

#[test]
fn n12_a_half_open_session_cannot_be_taken_over() {
    let mut pair = negotiated(at_dialect(Dialect::SMB3_0), Dialect::SMB3_0);
    let half = Header::decode(&pair.ask(&raw::session_setup(1, SessionId(0), &first_token()))[0])
        .unwrap()
        .session_id;
    pair.reconnect();
    let (_, status) = log_on_after(&mut pair, "tester", half);
    assert_eq!(status, NtStatus::SUCCESS);
    assert!(pair.server_events.is_empty());
    assert_eq!(pair.server.sessions().len(), 2);
}

#[test]
fn n13_requests_under_way_at_logoff_are_answered_as_they_were_asked() {
    for (sign, encrypt) in [(false, false), (true, false), (false, true)] {
        for dialect in [Dialect::SMB2_1, Dialect::SMB3_0, Dialect::SMB3_1_1] {
            if encrypt && dialect == Dialect::SMB2_1 {
                continue;
            }
            let mut config = at_dialect(dialect);
            config.server.require_signing = sign;
            if encrypt {
                config.server.encryption = EncryptionPolicy::Required;
            }
            let (mut pair, tree) = connected_with(config);
            let quick = pair.client.request::<op::Read>(tree, &raw::read(), pair.now);
            let slow = pair.client.request::<op::Read>(tree, &raw::read(), pair.now);
            pair.run();
            let (first, second) = (taken(&mut pair), taken(&mut pair));
            pair.server.pend(&second.token).unwrap();
            let logoff = pair.client.log_off(tree.session, pair.now);
            pair.run();
            assert!(pair.result(logoff).is_ok());
            assert!(pair.server.sessions().is_empty());
            pair.server.respond(first.token, Ok(data())).unwrap();
            let answers = pair.take_server();
            let protocol = if encrypt { b"\xFDSMB" } else { b"\xFESMB" };
            assert_eq!((answers.len(), &answers[0][..4]), (1, &protocol[..]));
            if !encrypt {
                let header = Header::decode(&answers[0]).unwrap();
                assert_eq!(header.flags.contains(Flags::SIGNED), sign);
                pair.give_client(&answers[0]);
                assert!(pair.result(quick).is_ok());
            }
            pair.server.respond(second.token, Err(NtStatus::CANCELLED.into())).unwrap();
            assert_eq!(pair.take_server().len(), 1);
            let _ = slow;
            // Now the keys are gone too.
            pair.nothing_left();
            let sealed = raw::sealed(tree.session, 900, &[0; 80]);
            pair.give_server(&sealed);
            assert!(matches!(pair.server_closed(), Some(CloseReason::Violation(_))));
        }
    }
}

#[test]
fn n13_nothing_works_after_logoff() {
    let (mut pair, tree) = connected_with(at_dialect(Dialect::SMB3_0));
    pair.hold = true;
    let logoff = |id| raw::request::<op::Logoff>(tree, id, &EmptyBody::default());
    assert!(pair.ask(&logoff(ID)).is_empty());
    assert!(pair.ask(&logoff(ID + 1)).is_empty());
    let held: Vec<_> = pair.server_events.drain(..).collect();
    for (at, event) in held.into_iter().enumerate() {
        let Event::Logoff(request) = event else { panic!("{event:?}") };
        pair.server.respond_logoff(request.token).expect("the connection lives");
        assert_eq!(raw::status(&pair.take_server()[0]), NtStatus::SUCCESS, "{at}");
    }
    for (n, command) in (1..=18).map(Command).enumerate() {
        if matches!(command, Command::CANCEL | Command::SESSION_SETUP) {
            continue;
        }
        let message = raw::message(&raw::header(command, tree, ID + 2 + n as u64), &EmptyBody::default());
        let said = raw::status(&pair.ask(&message)[0]);
        assert_eq!(said, NtStatus::USER_SESSION_DELETED, "{command}");
    }
    let setup = raw::session_setup(ID + 30, tree.session, b"again");
    assert_eq!(raw::status(&pair.ask(&setup)[0]), NtStatus::USER_SESSION_DELETED);
    assert!(pair.server_events.is_empty());
    pair.nothing_left();
}

#[test]
fn n13_echo_without_any_session_ends_the_connection() {
    let mut pair = negotiated(PairConfig::default(), Dialect::SMB3_0);
    let nowhere = TreeRef { session: SessionId(0), tree: TreeId(0) };
    pair.give_server(&raw::request::<op::Echo>(nowhere, 1, &EmptyBody::default()));
    assert!(matches!(pair.ended_silently(), CloseReason::Violation(_)));
}

#[test]
fn n13_echo_is_still_answered_after_a_log_off() {
    let (mut pair, tree) = connected_with(at_dialect(Dialect::SMB3_0));
    let logoff = pair.client.log_off(tree.session, pair.now);
    pair.run();
    assert!(pair.result(logoff).is_ok());
    let nowhere = TreeRef { session: SessionId(0), tree: TreeId(0) };
    let echo = raw::request::<op::Echo>(nowhere, ID, &EmptyBody::default());
    assert_eq!(raw::status(&pair.ask(&echo)[0]), NtStatus::SUCCESS);
}

#[test]
fn n13_trees_go_with_their_session() {
    let (mut pair, tree) = connected_with(at_dialect(Dialect::SMB3_0));
    let logoff = pair.client.log_off(tree.session, pair.now);
    pair.run();
    assert!(pair.result(logoff).is_ok());
    let session = pair.log_on("secret").unwrap();
    let old = TreeRef { session, tree: tree.tree };
    assert_eq!(raw::status(&pair.ask(&read(old, ID))[0]), NtStatus::NETWORK_NAME_DELETED);
    assert!(pair.server_events.is_empty());
}

#[test]
fn n14_one_leg_at_a_time() {
    for dialect in [Dialect::SMB2_1, Dialect::SMB3_1_1] {
        let mut pair = Pair::new(at_dialect(dialect));
        let op = pair.client.log_on(spnego("tester", "secret"), true, pair.now);
        // Up to the server's challenge.
        for _ in 0..2 {
            for message in pair.take_client() {
                for answer in pair.ask(&message) {
                    pair.give_client(&answer);
                }
            }
        }
        pair.hold = true;
        let last = pair.take_client().remove(0);
        let session = Header::decode(&last).unwrap().session_id;
        assert!(pair.ask(&last).is_empty());
        // While the application thinks, another leg of the same session comes, and one that does not parse.
        for id in 0..3 {
            let answer = pair.ask(&raw::session_setup(ID + id, session, b"me too")).remove(0);
            assert_eq!(raw::status(&answer), NtStatus::REQUEST_NOT_ACCEPTED);
        }
        assert_eq!(pair.server_events.len(), 1, "the application sees one");
        let event = pair.server_events.pop_front().unwrap();
        pair.answer(event);
        pair.hold = false;
        // The hash of 3.1.1 did not suffer: the client believes the answer.
        let answer = pair.take_server().remove(0);
        pair.give_client(&answer);
        assert!(pair.result(op).is_ok(), "{dialect}");
        let tree = pair.connect_in(session).expect("both have the same keys");
        assert_eq!(tree.session, session);
    }
}

#[test]
fn n14_a_session_that_ends_during_its_setup_stays_ended() {
    let mut pair = negotiated(at_dialect(Dialect::SMB3_0), Dialect::SMB3_0);
    pair.hold = true;
    assert!(pair.ask(&raw::session_setup(1, SessionId(0), b"hello")).is_empty());
    let setup = setup_taken(&mut pair);
    let session = setup.origin.session;
    let tree = TreeRef { session, tree: TreeId(0) };
    // All else is refused while the session is half open.
    assert_eq!(raw::status(&pair.ask(&read(tree, 2))[0]), NtStatus::ACCESS_DENIED);
    assert!(pair.server_events.is_empty());
    pair.give_server(&raw::request::<op::Logoff>(tree, 3, &EmptyBody::default()));
    let Some(Event::Logoff(logoff)) = pair.server_events.pop_front() else { panic!("no LOGOFF") };
    pair.server.respond_logoff(logoff.token).unwrap();
    pair.take_server();
    let done = sansmb::server::AuthReply::Done {
        token: Vec::new(),
        identity: Identity { user: "tester".into(), ..Identity::default() },
        session_key: sansmb::auth::SessionKey::new(vec![1; 16]),
    };
    pair.server.respond_auth(setup.token, &setup.message, Ok(done)).unwrap();
    assert_eq!(raw::status(&pair.take_server()[0]), NtStatus::USER_SESSION_DELETED);
    assert_eq!(raw::status(&pair.ask(&read(tree, 4))[0]), NtStatus::USER_SESSION_DELETED);
    pair.nothing_left();
    // Nobody has authenticated: the clock still runs.
    pair.hold = false;
    pair.advance(now(46_000));
    assert_eq!(pair.server_closed(), Some(CloseReason::Timeout));
}

#[test]
fn n14_an_answer_after_the_end_of_the_connection_is_gone() {
    let mut pair = negotiated(PairConfig::default(), Dialect::SMB3_0);
    pair.hold = true;
    pair.give_server(&raw::session_setup(1, SessionId(0), b"hello"));
    let setup = setup_taken(&mut pair);
    pair.server.eof(pair.conn);
    let refusal = Err(NtStatus::LOGON_FAILURE.into());
    assert!(pair.server.respond_auth(setup.token, &setup.message, refusal).is_err());
    pair.give_server(&[]);
    assert_eq!(pair.ended_silently(), CloseReason::Eof);
    let conn = pair.conn;
    pair.server.remove(conn);
    assert!(pair.server.is_finished(conn));
}

#[test]
fn n15_reauthentication_as_another_user_changes_who_it_is() {
    for dialect in [Dialect::SMB2_1, Dialect::SMB3_0, Dialect::SMB3_1_1] {
        let mut config = at_dialect(dialect);
        config.server.require_signing = true;
        let (mut pair, tree) = connected_with(config);
        let who = |pair: &Pair| pair.server.sessions().identity(tree.session).unwrap().user.clone();
        assert_eq!(who(&pair), "tester");
        let op = pair.client.log_on_again(tree.session, spnego("other", "secret"), pair.now);
        pair.run();
        assert!(pair.result(op).is_ok());
        assert_eq!(who(&pair), "other");
        // Keys and trees are kept.
        let op = pair.client.request::<op::Read>(tree, &raw::read(), pair.now);
        pair.run();
        let request = taken(&mut pair);
        pair.server.respond(request.token, Ok(data())).unwrap();
        pair.run();
        assert!(pair.result(op).is_ok());
        assert!(pair.server_events.is_empty());
    }
}

#[test]
fn n15_a_reauthentication_that_fails_ends_the_session() {
    let (mut pair, tree) = connected();
    let op = pair.client.log_on_again(tree.session, spnego("tester", "wrong"), pair.now);
    pair.run();
    assert_eq!(pair.result(op).unwrap_err().status(), Some(NtStatus::LOGON_FAILURE));
    let ended: Vec<_> = pair.server_events.drain(..).collect();
    assert!(matches!(&ended[..], [Event::SessionEnded { session }] if *session == tree.session));
    assert_eq!(raw::status(&pair.ask(&read(tree, ID))[0]), NtStatus::USER_SESSION_DELETED);
    pair.nothing_left();
}

#[test]
fn n15_a_user_cannot_become_a_guest_where_signing_is_required() {
    let mut config = PairConfig { map_to_guest: MapToGuest::BadUser, ..PairConfig::default() };
    config.server.require_signing = true;
    config.client.allow_guest = true;
    let (mut pair, tree) = connected_with(config);
    let op = pair.client.log_on_again(tree.session, spnego("stranger", "secret"), pair.now);
    pair.run();
    assert_eq!(pair.result(op).unwrap_err().status(), Some(NtStatus::ACCESS_DENIED));
    let ended: Vec<_> = pair.server_events.drain(..).collect();
    assert!(matches!(&ended[..], [Event::SessionEnded { session }] if *session == tree.session));
    pair.nothing_left();
}

#[test]
fn n15_a_user_that_becomes_a_guest_keeps_the_duties_of_the_session() {
    let mut config = PairConfig { map_to_guest: MapToGuest::BadUser, ..PairConfig::default() };
    config.client.require_signing = true;
    config.client.allow_guest = true;
    let (mut pair, tree) = connected_with(config);
    // By hand, since our own client would not have a guest here.
    let op = pair.client.log_on_again(tree.session, spnego("stranger", "secret"), pair.now);
    pair.run();
    assert!(pair.result(op).is_err());
    let who = pair.server.sessions().identity(tree.session).unwrap();
    assert_eq!(who.kind, IdentityKind::Guest);
    assert_eq!(raw::status(&pair.ask(&read(tree, ID))[0]), NtStatus::ACCESS_DENIED, "unsigned");
    let path = sansmb::wire::Utf16Buf::new(r"\\server\share");
    let path = sansmb::wire::TreeConnectRequest { path: path.as_utf16(), ..Default::default() };
    let connect = raw::request::<op::TreeConnect>(tree, ID + 1, &path);
    let answers = pair.ask(&connect);
    assert_eq!(answers.first().map(|a| raw::status(a)), Some(NtStatus::ACCESS_DENIED));
    assert!(pair.server_events.is_empty());
}

#[test]
fn n16_every_command_must_be_signed_where_signing_is_required() {
    for command in (1..=18).map(Command) {
        let mut config = at_dialect(Dialect::SMB3_0);
        config.server.require_signing = true;
        let (mut pair, tree) = connected_with(config);
        let message = raw::message(&raw::header(command, tree, ID), &EmptyBody::default());
        let answers = pair.ask(&message);
        let said: Vec<_> = answers.iter().map(|a| raw::status(a)).collect();
        let expected = if command == Command::CANCEL { vec![] } else { vec![NtStatus::ACCESS_DENIED] };
        assert_eq!(said, expected, "{command}");
        assert!(pair.server_events.is_empty());
    }
}

#[test]
fn n16_a_signature_without_a_key_is_not_supported() {
    let mut config = PairConfig { map_to_guest: MapToGuest::BadUser, ..PairConfig::default() };
    config.client.allow_guest = true;
    let mut pair = Pair::new(config);
    let session = pair.log_on_as("stranger", "").expect("a guest");
    let tree = pair.connect_in(session).expect("connect");
    let mut message = read(tree, ID);
    raw::change_header(&mut message, |h| h.flags |= Flags::SIGNED);
    assert_eq!(raw::status(&pair.ask(&message)[0]), NtStatus::NOT_SUPPORTED);
    assert!(pair.server_events.is_empty());
}

#[test]
fn n17_no_key_is_printed() {
    let mut config = PairConfig { encrypt_share: true, ..PairConfig::default() };
    let mechanism = raw::scripted(&mut config);
    let mut pair = Pair::new(config);
    let session = pair.log_on_with(Box::new(mechanism)).expect("log on");
    pair.connect_in(session).expect("connect");
    let keys = raw::script_keys();
    let printed = format!("{:?} {:?}", pair.client, pair.server);
    for key in [&raw::SCRIPT_KEY[..], &keys.signing, &keys.client_to_server, &keys.server_to_client] {
        let bytes: Vec<_> = key.iter().map(u8::to_string).collect();
        assert!(!printed.contains(&bytes.join(", ")));
        let hex: String = key.iter().map(|b| format!("{b:02x}")).collect();
        assert!(!printed.to_lowercase().contains(&hex));
    }
}

#[test]
fn n19_keys_of_256_bits_come_from_the_whole_session_key() {
    let long = |last: u8| {
        let mut key = vec![9; 32];
        key[31] = last;
        key
    };
    for cipher in [Cipher::AES_256_CCM, Cipher::AES_256_GCM] {
        for (ours, theirs, fine) in [(1, 1, true), (1, 2, false)] {
            let mut config = PairConfig { encrypt_share: true, ..PairConfig::default() };
            config.client.ciphers = vec![cipher];
            let server = raw::Script::new(vec![(None, Vec::new())], "kerberos", &long(theirs));
            config.acceptor = Some(Arc::new(raw::ScriptAcceptor::new(server, b"")));
            let steps = vec![(None, b"ticket".to_vec()), (None, Vec::new())];
            let client = raw::Script::new(steps, "kerberos", &long(ours));
            let mut pair = Pair::new(config);
            // Signing keys come from the first 16 bytes, which are the same.
            let session = pair.log_on_with(Box::new(client)).expect("log on");
            let tree = pair.connect_in(session).expect("connect");
            let op = pair.client.request::<op::Read>(tree, &raw::read(), pair.now);
            pair.run();
            if fine {
                let request = taken(&mut pair);
                pair.server.respond(request.token, Ok(data())).unwrap();
                pair.run();
                assert!(pair.result(op).is_ok());
            } else {
                assert!(matches!(pair.server_closed(), Some(CloseReason::Decrypt(_))));
            }
        }
    }
}
