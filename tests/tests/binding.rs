//! Sessions over several connections, [MS-SMB2] 3.3.5.5 and 3.3.7.1: row N11 of docs/abuse.md and the
//! rules around it.

use std::sync::Arc;

use sansmb::{
    client::TreeRef,
    crypto::Signer,
    op,
    server::{BreakNotice, Event, Reply, Request},
    wire::{
        Body, Capabilities, Cipher, Command, Dialect, EmptyBody, FileId, Guid, Header, NtStatus,
        OplockBreakNotification, SessionId, SessionSetupFlags, SigningAlgorithm,
    },
};
use sansmb_tests::{
    Pair, PairConfig,
    hand::{Believer, Hand, HandSession, Offer, is_signed_by},
    raw,
};

fn config() -> PairConfig {
    let mut config = PairConfig { acceptor: Some(Arc::new(Believer)), ..PairConfig::default() };
    config.server.capabilities = Capabilities::MULTI_CHANNEL | Capabilities::NOTIFICATIONS;
    config
}

/// A session of `user` on a connection, and a second connection of the same client.
fn two(offer: Offer) -> (Pair, Hand, HandSession, Hand) {
    let mut pair = Pair::new(config());
    let mut first = Hand::connect(&mut pair, offer);
    let session = first.log_on(&mut pair, "user/1");
    let second = Hand::connect(&mut pair, offer);
    (pair, first, session, second)
}

fn read(hand: &mut Hand, pair: &mut Pair, tree: TreeRef, signer: &dyn Signer) -> Vec<Vec<u8>> {
    let message = hand.request::<op::Read>(tree, Some(signer), &raw::read());
    hand.ask(pair, &message)
}

fn taken(pair: &mut Pair) -> Request<op::Read> {
    let Some(Event::Read(request)) = pair.server_events.pop_front() else { panic!("no READ arrived") };
    request
}

fn data() -> Reply<op::Read> {
    Reply::shared(vec![7; 10].into())
}

#[test]
fn a_bound_connection_uses_trees_of_the_first_and_signs_with_its_own_key() {
    for (dialect, signing) in [
        (Dialect::SMB3_0, SigningAlgorithm::AES_CMAC),
        (Dialect::SMB3_0_2, SigningAlgorithm::AES_CMAC),
        (Dialect::SMB3_1_1, SigningAlgorithm::AES_CMAC),
        (Dialect::SMB3_1_1, SigningAlgorithm::AES_GMAC),
        (Dialect::SMB3_1_1, SigningAlgorithm::HMAC_SHA256),
    ] {
        let (mut pair, mut first, session, mut second) = two(Offer { dialect, signing, ..Offer::default() });
        let tree = first.tree(&mut pair, &session);
        let bound = second.bind(&mut pair, &session, "user/2").expect("bound");
        for (hand, signer) in [(&mut first, &session.signer), (&mut second, &bound.signer)] {
            assert!(read(hand, &mut pair, tree, &**signer).is_empty(), "{dialect}");
            let request = taken(&mut pair);
            assert_eq!((request.origin.session, request.origin.conn), (session.id, hand.conn));
            pair.server.respond(request.token, Ok(data())).unwrap();
            assert!(is_signed_by(&hand.hear(&mut pair)[0], &**signer));
        }
        // The keys are not each other's.
        let crossed = read(&mut second, &mut pair, tree, &*session.signer);
        assert_eq!(raw::status(&crossed[0]), NtStatus::ACCESS_DENIED);
        assert_eq!(pair.server.sessions().len(), 1);
    }
}

#[test]
fn a_session_lives_for_as_long_as_one_of_its_connections() {
    for dead in [0, 1] {
        let (mut pair, mut first, session, mut second) = two(Offer::default());
        let tree = first.tree(&mut pair, &session);
        let bound = second.bind(&mut pair, &session, "user/2").expect("bound");
        let mut sides = [(first, session.signer.clone()), (second, bound.signer)];
        let under_way = read(&mut sides[dead].0, &mut pair, tree, &*sides[dead].1.clone());
        assert!(under_way.is_empty());
        let orphan = taken(&mut pair);
        pair.conn = sides[dead].0.conn;
        pair.server.eof(pair.conn);
        pair.give_server(&[]);
        let gone = pair.conn;
        assert!(matches!(pair.server_events.pop_front(), Some(Event::Closed { conn }) if conn == gone));
        assert!(pair.server_events.is_empty(), "the session goes on");
        assert!(pair.server.respond(orphan.token, Ok(data())).is_err(), "what was under way there is over");
        let (live, signer) = &mut sides[1 - dead];
        assert!(read(live, &mut pair, tree, &**signer).is_empty());
        let request = taken(&mut pair);
        pair.server.respond(request.token, Ok(data())).unwrap();
        assert_eq!(raw::status(&live.hear(&mut pair)[0]), NtStatus::SUCCESS);
        pair.server.eof(live.conn);
        pair.give_server(&[]);
        assert!(pair.server_events.iter().any(|e| matches!(e, Event::SessionEnded { .. })));
        assert!(pair.server.sessions().is_empty());
    }
}

#[test]
fn a_log_off_on_one_connection_ends_the_session_on_all() {
    let (mut pair, mut first, session, mut second) = two(Offer::default());
    let tree = first.tree(&mut pair, &session);
    let bound = second.bind(&mut pair, &session, "user/2").expect("bound");
    assert!(read(&mut second, &mut pair, tree, &*bound.signer).is_empty());
    let slow = taken(&mut pair);
    let logoff = first.request::<op::Logoff>(session.bare(), Some(&*session.signer), &EmptyBody::default());
    assert_eq!(raw::status(&first.ask(&mut pair, &logoff)[0]), NtStatus::SUCCESS);
    // What was under way on the other one is still answered as it was asked, and nothing after it.
    pair.server.respond(slow.token, Ok(data())).unwrap();
    assert!(is_signed_by(&second.hear(&mut pair)[0], &*bound.signer));
    let late = read(&mut second, &mut pair, tree, &*bound.signer);
    assert_eq!(raw::status(&late[0]), NtStatus::USER_SESSION_DELETED);
    assert!(pair.server.sessions().is_empty());
}

#[test]
fn n11_a_binding_must_be_signed_with_the_sessions_key() {
    let (mut pair, mut first, session, mut second) = two(Offer::default());
    let stranger = Hand::connect(&mut pair, Offer::default()).log_on(&mut pair, "user/9");
    let bind = SessionSetupFlags::BINDING;
    let unsigned = second.setup(&mut pair, session.id, bind, None, b"hello");
    assert_eq!(raw::status(&unsigned), NtStatus::INVALID_PARAMETER);
    let forged = second.setup(&mut pair, session.id, bind, Some(&*stranger.signer), b"hello");
    assert_eq!(raw::status(&forged), NtStatus::ACCESS_DENIED);
    for answer in [&unsigned, &forged] {
        // Nothing is signed for somebody who has not shown the key.
        assert_eq!(Header::decode(answer).unwrap().signature, [0; 16]);
    }
    let unknown = second.setup(&mut pair, SessionId(77), bind, Some(&*session.signer), b"hello");
    assert_eq!(raw::status(&unknown), NtStatus::USER_SESSION_DELETED);
    let nothing = second.setup(&mut pair, SessionId(0), bind, Some(&*session.signer), b"hello");
    assert_eq!(raw::status(&nothing), NtStatus::USER_SESSION_DELETED);
    // A leg in the middle that is not signed, or not a binding, gets nowhere either.
    let begun = second.setup(&mut pair, session.id, bind, Some(&*session.signer), b"hello");
    assert_eq!(raw::status(&begun), NtStatus::MORE_PROCESSING_REQUIRED);
    let unsigned = second.setup(&mut pair, session.id, bind, None, b"user/2");
    assert_eq!(raw::status(&unsigned), NtStatus::ACCESS_DENIED);
    let plain =
        second.setup(&mut pair, session.id, SessionSetupFlags::empty(), Some(&*session.signer), b"user/2");
    assert_eq!(raw::status(&plain), NtStatus::USER_SESSION_DELETED);
    let tree = first.tree(&mut pair, &session);
    let early = read(&mut second, &mut pair, tree, &*session.signer);
    assert_eq!(raw::status(&early[0]), NtStatus::USER_SESSION_DELETED);
    assert!(pair.server_events.is_empty());
}

#[test]
fn n11_a_binding_on_a_connection_that_agreed_on_something_else_is_refused() {
    let gmac = SigningAlgorithm::AES_GMAC;
    let normal = Offer::default();
    let cases = [
        (normal, Offer { dialect: Dialect::SMB3_0_2, ..normal }, NtStatus::INVALID_PARAMETER),
        (Offer { dialect: Dialect::SMB3_0, ..normal }, normal, NtStatus::INVALID_PARAMETER),
        (Offer { dialect: Dialect::SMB2_1, ..normal }, normal, NtStatus::INVALID_PARAMETER),
        (normal, Offer { dialect: Dialect::SMB2_1, ..normal }, NtStatus::REQUEST_NOT_ACCEPTED),
        (normal, Offer { dialect: Dialect::SMB2_0_2, ..normal }, NtStatus::REQUEST_NOT_ACCEPTED),
        (normal, Offer { cipher: Cipher::AES_128_CCM, ..normal }, NtStatus::INVALID_PARAMETER),
        (normal, Offer { signing: gmac, ..normal }, NtStatus::NOT_SUPPORTED),
        (
            Offer { dialect: Dialect::SMB3_0, ..normal },
            Offer { signing: gmac, ..normal },
            NtStatus::NOT_SUPPORTED,
        ),
        (Offer { signing: gmac, ..normal }, normal, NtStatus::REQUEST_OUT_OF_SEQUENCE),
        (
            Offer { signing: gmac, ..normal },
            Offer { dialect: Dialect::SMB2_1, ..normal },
            NtStatus::REQUEST_OUT_OF_SEQUENCE,
        ),
        (normal, Offer { guid: Guid([9; 16]), ..normal }, NtStatus::USER_SESSION_DELETED),
        (
            normal,
            Offer { capabilities: normal.capabilities | Capabilities::NOTIFICATIONS, ..normal },
            NtStatus::INVALID_PARAMETER,
        ),
    ];
    for (theirs, ours, expected) in cases {
        let mut pair = Pair::new(config());
        let mut first = Hand::connect(&mut pair, theirs);
        let session = first.log_on(&mut pair, "user/1");
        let mut second = Hand::connect(&mut pair, ours);
        let bind = SessionSetupFlags::BINDING;
        let answer = second.setup(&mut pair, session.id, bind, Some(&*session.signer), b"hello");
        assert_eq!(raw::status(&answer), expected, "{theirs:?} {ours:?}");
        assert!(is_signed_by(&answer, &*session.signer), "{theirs:?} {ours:?}");
        // It stays what it was.
        let plain = second.setup(&mut pair, session.id, SessionSetupFlags::empty(), None, b"hello");
        assert_eq!(raw::status(&plain), NtStatus::USER_SESSION_DELETED);
        first.tree(&mut pair, &session);
    }
    // Ways to sign that are not AES-GMAC go together.
    let mut pair = Pair::new(config());
    let mut first = Hand::connect(&mut pair, normal);
    let session = first.log_on(&mut pair, "user/1");
    let mut second = Hand::connect(&mut pair, Offer { signing: SigningAlgorithm::HMAC_SHA256, ..normal });
    second.bind(&mut pair, &session, "user/2").expect("bound");
}

#[test]
fn n11_only_the_same_user_binds_and_a_binding_that_fails_hurts_nobody() {
    let (mut pair, mut first, session, mut second) = two(Offer::default());
    for (token, expected) in [
        ("other/2", NtStatus::ACCESS_DENIED),
        ("guest", NtStatus::ACCESS_DENIED),
        ("nobody", NtStatus::ACCESS_DENIED),
        ("wrong", NtStatus::LOGON_FAILURE),
    ] {
        let (status, answer, _) = second.authenticate(&mut pair, session.id, Some(&*session.signer), token);
        assert_eq!(status, expected, "{token}");
        assert!(is_signed_by(&answer, &*session.signer), "{token}");
        assert!(pair.server_events.is_empty(), "{token}");
        first.tree(&mut pair, &session);
    }
    second.bind(&mut pair, &session, "USER/2").expect("names have no case");
    assert_eq!(pair.server.sessions().identity(session.id).unwrap().user, "user");
}

#[test]
fn n11_guests_and_half_open_sessions_are_not_bound() {
    let mut pair = Pair::new(config());
    let mut first = Hand::connect(&mut pair, Offer { signs: false, ..Offer::default() });
    let (_, _, guest) = first.authenticate(&mut pair, SessionId(0), None, "guest");
    let (guest, bind) = (guest.unwrap(), SessionSetupFlags::BINDING);
    let half = first.setup(&mut pair, SessionId(0), SessionSetupFlags::empty(), None, b"hello");
    let half = Header::decode(&half).unwrap().session_id;
    let mut second = Hand::connect(&mut pair, Offer::default());
    for (session, expected) in [(guest.id, NtStatus::NOT_SUPPORTED), (half, NtStatus::REQUEST_NOT_ACCEPTED)] {
        let answer = second.setup(&mut pair, session, bind, Some(&*guest.signer), b"hello");
        assert_eq!(raw::status(&answer), expected);
        let here = first.setup(&mut pair, session, bind, None, b"hello");
        assert_eq!(raw::status(&here), NtStatus::REQUEST_NOT_ACCEPTED, "it is of this connection");
    }
}

#[test]
fn n11_a_session_that_is_bound_already_is_not_bound_again() {
    let (mut pair, mut first, session, mut second) = two(Offer::default());
    let bound = second.bind(&mut pair, &session, "user/2").expect("bound");
    let bind = SessionSetupFlags::BINDING;
    for (hand, signer) in [(&mut first, &session.signer), (&mut second, &bound.signer)] {
        let answer = hand.setup(&mut pair, session.id, bind, Some(&**signer), b"hello");
        assert_eq!(raw::status(&answer), NtStatus::REQUEST_NOT_ACCEPTED);
    }
    let by_session_key = second.setup(&mut pair, session.id, bind, Some(&*session.signer), b"hello");
    assert_eq!(raw::status(&by_session_key), NtStatus::ACCESS_DENIED);
}

#[test]
fn n11_channels_of_a_session_are_bounded() {
    let (mut pair, _first, session, second) = two(Offer::default());
    let mut hands = vec![second];
    for n in 1..32 {
        let hand = hands.last_mut().unwrap();
        if n < 20 {
            hand.bind(&mut pair, &session, &format!("user/{n}")).expect("bound");
        } else {
            // One that does not get further than the first leg counts as well.
            let bind = SessionSetupFlags::BINDING;
            let begun = hand.setup(&mut pair, session.id, bind, Some(&*session.signer), b"hello");
            assert_eq!(raw::status(&begun), NtStatus::MORE_PROCESSING_REQUIRED, "{n}");
        }
        hands.push(Hand::connect(&mut pair, Offer::default()));
    }
    let mut last = hands.pop().unwrap();
    assert_eq!(last.bind(&mut pair, &session, "user/x").err(), Some(NtStatus::INSUFFICIENT_RESOURCES));
    // One leaves in the middle of it, and another one has room.
    let half = hands.pop().unwrap();
    pair.server.eof(half.conn);
    pair.conn = half.conn;
    pair.give_server(&[]);
    last.bind(&mut pair, &session, "user/x").expect("bound");
}

#[test]
fn n13_a_session_that_ends_while_a_connection_binds_stays_ended() {
    for in_application in [false, true] {
        let (mut pair, mut first, session, mut second) = two(Offer::default());
        let bind = SessionSetupFlags::BINDING;
        pair.hold = in_application;
        let hello = || (session.id, bind, Some(&*session.signer as &dyn Signer));
        let (id, flags, signer) = hello();
        let held = if in_application {
            let body =
                sansmb::wire::SessionSetupRequest { flags, security_buffer: b"hello", ..Default::default() };
            let message = second.request::<op::SessionSetup>(session.bare(), signer, &body);
            assert!(second.ask(&mut pair, &message).is_empty());
            pair.server_events.pop_front()
        } else {
            let begun = second.setup(&mut pair, id, flags, signer, b"hello");
            assert_eq!(raw::status(&begun), NtStatus::MORE_PROCESSING_REQUIRED);
            None
        };
        pair.hold = false;
        let logoff =
            first.request::<op::Logoff>(session.bare(), Some(&*session.signer), &EmptyBody::default());
        assert_eq!(raw::status(&first.ask(&mut pair, &logoff)[0]), NtStatus::SUCCESS);
        let status = match held {
            Some(event) => {
                pair.answer(event);
                raw::status(&second.hear(&mut pair)[0])
            }
            None => {
                let last = second.setup(&mut pair, session.id, bind, Some(&*session.signer), b"user/2");
                raw::status(&last)
            }
        };
        assert_eq!(status, NtStatus::USER_SESSION_DELETED);
        assert!(pair.server.sessions().is_empty());
        pair.conn = second.conn;
        pair.nothing_left();
    }
}

#[test]
fn n14_a_binding_and_a_reauthentication_do_not_mix() {
    let (mut pair, mut first, session, mut second) = two(Offer::default());
    let bind = SessionSetupFlags::BINDING;
    let signer: &dyn Signer = &*session.signer;
    let begun = second.setup(&mut pair, session.id, bind, Some(signer), b"hello");
    assert_eq!(raw::status(&begun), NtStatus::MORE_PROCESSING_REQUIRED);
    // The first connection authenticates again, and again as somebody else, in between.
    for token in ["user/3", "other/3"] {
        let again = SessionSetupFlags::empty();
        first.setup(&mut pair, session.id, again, Some(signer), b"hello");
        let done = first.setup(&mut pair, session.id, again, Some(signer), token.as_bytes());
        assert_eq!(raw::status(&done), NtStatus::SUCCESS);
        assert!(is_signed_by(&done, signer), "the keys stay");
    }
    let last = second.setup(&mut pair, session.id, bind, Some(signer), b"user/2");
    assert_eq!(raw::status(&last), NtStatus::ACCESS_DENIED, "the session is another user's by now");
    second.bind(&mut pair, &session, "other/2").expect("bound");
}

#[test]
fn n15_a_reauthentication_that_fails_on_a_bound_connection_ends_the_session_on_all() {
    let (mut pair, mut first, session, mut second) = two(Offer::default());
    let tree = first.tree(&mut pair, &session);
    let bound = second.bind(&mut pair, &session, "user/2").expect("bound");
    let again = SessionSetupFlags::empty();
    let more = second.setup(&mut pair, session.id, again, Some(&*bound.signer), b"hello");
    assert!(is_signed_by(&more, &*session.signer), "[MS-SMB2] 3.3.4.1.1");
    let failed = second.setup(&mut pair, session.id, again, Some(&*bound.signer), b"wrong");
    assert_eq!(raw::status(&failed), NtStatus::LOGON_FAILURE);
    let late = read(&mut first, &mut pair, tree, &*session.signer);
    assert_eq!(raw::status(&late[0]), NtStatus::USER_SESSION_DELETED);
    assert!(matches!(pair.server_events.pop_front(), Some(Event::SessionEnded { .. })));
}

#[test]
fn an_expired_session_is_not_bound() {
    let mut pair = Pair::new(config());
    let seconds = pair.now.wall.0 / 10_000_000;
    let mut first = Hand::connect(&mut pair, Offer::default());
    let session = first.log_on(&mut pair, &format!("user/until {}", seconds + 10));
    let mut second = Hand::connect(&mut pair, Offer::default());
    pair.now.wall.0 += 10 * 10_000_000;
    let bound = second.bind(&mut pair, &session, "user/2");
    assert_eq!(bound.err(), Some(NtStatus::NETWORK_SESSION_EXPIRED));
}

#[test]
fn whoever_has_the_key_of_a_session_is_refused_with_its_signature_where_it_is_not_bound() {
    let (mut pair, mut first, session, mut second) = two(Offer::default());
    let tree = first.tree(&mut pair, &session);
    let stranger = Hand::connect(&mut pair, Offer::default()).log_on(&mut pair, "user/9");
    for (signer, signed) in [(Some(&session.signer), true), (Some(&stranger.signer), false), (None, false)] {
        let message = second.request::<op::Read>(tree, signer.map(|s| &**s), &raw::read());
        let answer = second.ask(&mut pair, &message).remove(0);
        assert_eq!(raw::status(&answer), NtStatus::USER_SESSION_DELETED);
        assert_eq!(is_signed_by(&answer, &*session.signer), signed);
        assert!(!is_signed_by(&answer, &*stranger.signer));
    }
    assert!(pair.server_events.is_empty());
    pair.conn = second.conn;
    assert_eq!(pair.server.channel(second.conn).map(|c| c.outstanding()), Some(0));
}

#[test]
fn a_break_goes_over_another_connection_when_the_first_one_is_closed() {
    let (mut pair, first, session, mut second) = two(Offer::default());
    second.bind(&mut pair, &session, "user/2").expect("bound");
    let notice = BreakNotice::Oplock(OplockBreakNotification { file_id: raw::FILE, ..Default::default() });
    assert!(pair.server.notify_break(session.id, notice, false));
    assert_eq!((first.hear(&mut pair).len(), second.hear(&mut pair).len()), (1, 0), "the oldest first");
    // Closed, and the table does not know it yet.
    pair.server.channel(first.conn).unwrap().close();
    assert!(pair.server.notify_break(session.id, notice, false));
    let heard = second.hear(&mut pair);
    assert_eq!(Header::decode(&heard[0]).unwrap().command, Command::OPLOCK_BREAK);
    // Nobody is left to be told.
    pair.server.channel(second.conn).unwrap().close();
    pair.server.notify_break(session.id, notice, false);
    assert!(second.hear(&mut pair).is_empty());
}

#[test]
fn a_break_that_was_sent_goes_over_another_connection_until_it_is_acknowledged() {
    let (mut pair, mut first, session, mut second) = two(Offer::default());
    let bound = second.bind(&mut pair, &session, "user/2").expect("bound");
    let tree = first.tree(&mut pair, &session);
    let files = [1, 2].map(|volatile| FileId { persistent: 1, volatile });
    for file_id in files {
        let notice = BreakNotice::Oplock(OplockBreakNotification { file_id, ..Default::default() });
        assert!(pair.server.notify_break(session.id, notice, false));
    }
    assert_eq!((first.hear(&mut pair).len(), second.hear(&mut pair).len()), (2, 0));
    let spare =
        |pair: &mut Pair, hand: &Hand| pair.server.channel(hand.conn).is_some_and(|c| c.is_expendable());
    assert!(spare(&mut pair, &first) && !spare(&mut pair, &second));
    let acknowledgment = OplockBreakNotification { file_id: files[0], ..Default::default() };
    let message = second.request::<op::OplockBreak>(tree, Some(&*bound.signer), &acknowledgment);
    assert!(second.ask(&mut pair, &message).is_empty());
    // Both were sent, and only one is known to have come.
    pair.server.eof(first.conn);
    let heard = second.hear(&mut pair);
    assert_eq!(heard.len(), 1);
    assert_eq!(OplockBreakNotification::decode(&heard[0]).unwrap().file_id, files[1]);
    assert!(!spare(&mut pair, &second), "there is no other one left");
}
