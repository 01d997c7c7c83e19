//! Sessions that expire, and sessions that the server ends: [MS-SMB2] 3.3.5.2.9, 3.3.6.3 and 4.11.

use std::sync::Arc;

use sansmb::{
    client::{EncryptionPolicy, TreeRef},
    op,
    server::Event,
    wire::{
        Body, Capabilities, Command, CtlCode, EmptyBody, Flags, Header, IoctlRequest, NtStatus, PROTOCOL_ID,
        ServerToClientNotification, SessionId, SessionSetupFlags, TransformHeader, TreeId,
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

/// A session that expires ten seconds from now, with a tree.
fn expiring() -> (Pair, Hand, HandSession, TreeRef) {
    let mut pair = Pair::new(config());
    let until = pair.now.wall.0 / 10_000_000 + 10;
    let mut hand = Hand::connect(&mut pair, Offer::default());
    let session = hand.log_on(&mut pair, &format!("user/until {until}"));
    let tree = hand.tree(&mut pair, &session);
    (pair, hand, session, tree)
}

fn pass(pair: &mut Pair, seconds: u64) {
    pair.now.wall.0 += seconds * 10_000_000;
}

#[test]
fn an_expired_session_may_still_give_things_up_and_nothing_else() {
    for command in (1..=18).map(Command) {
        let (mut pair, hand, session, tree) = expiring();
        pair.hold = true;
        pass(&mut pair, 10);
        let mut message = raw::message(&raw::header(command, tree, hand.next), &EmptyBody::default());
        sansmb::crypto::sign_message(&*session.signer, &mut message, &[]).unwrap();
        let answers = hand.ask(&mut pair, &message);
        let said = answers.first().map(|answer| raw::status(answer));
        match command {
            Command::CANCEL => assert_eq!(said, None),
            Command::LOGOFF => assert!(matches!(pair.server_events.pop_front(), Some(Event::Logoff(_)))),
            // The body is none of theirs, but the session did not stand in the way.
            Command::CLOSE | Command::LOCK | Command::SESSION_SETUP => {
                assert_eq!(said, Some(NtStatus::INVALID_PARAMETER), "{command}");
            }
            // These look at their body first.
            Command::IOCTL => {
                let body = IoctlRequest { ctl_code: CtlCode::VALIDATE_NEGOTIATE_INFO, ..Default::default() };
                let mut message = raw::request::<op::Ioctl>(tree, hand.next + 1, &body);
                sansmb::crypto::sign_message(&*session.signer, &mut message, &[]).unwrap();
                let said = raw::status(&hand.ask(&mut pair, &message)[0]);
                assert_eq!(said, NtStatus::NETWORK_SESSION_EXPIRED);
                assert_eq!(pair.server_closed(), None);
            }
            _ => assert_eq!(said, Some(NtStatus::NETWORK_SESSION_EXPIRED), "{command}"),
        }
        assert!(pair.server_events.is_empty(), "{command}");
    }
}

#[test]
fn a_session_holds_until_the_moment_it_expires_and_again_after_a_reauthentication() {
    let (mut pair, mut hand, session, tree) = expiring();
    let read = |hand: &mut Hand, pair: &mut Pair| {
        let message = hand.request::<op::Read>(tree, Some(&*session.signer), &raw::read());
        hand.ask(pair, &message).first().map(|answer| raw::status(answer))
    };
    pass(&mut pair, 9);
    assert_eq!(read(&mut hand, &mut pair), None);
    pass(&mut pair, 1);
    assert_eq!(read(&mut hand, &mut pair), Some(NtStatus::NETWORK_SESSION_EXPIRED));
    let until = pair.now.wall.0 / 10_000_000 + 5;
    for token in ["hello", &format!("user/until {until}")] {
        assert_eq!(read(&mut hand, &mut pair), Some(NtStatus::NETWORK_SESSION_EXPIRED));
        let flags = SessionSetupFlags::empty();
        hand.setup(&mut pair, session.id, flags, Some(&*session.signer), token.as_bytes());
    }
    assert_eq!(read(&mut hand, &mut pair), None);
    pass(&mut pair, 5);
    assert_eq!(read(&mut hand, &mut pair), Some(NtStatus::NETWORK_SESSION_EXPIRED));
}

#[test]
fn an_echo_needs_no_session_once_somebody_was_logged_on() {
    let mut pair = Pair::new(config());
    let mut hand = Hand::connect(&mut pair, Offer::default());
    let session = hand.log_on(&mut pair, "user/1");
    let logoff = hand.request::<op::Logoff>(session.bare(), Some(&*session.signer), &EmptyBody::default());
    hand.ask(&mut pair, &logoff);
    let nowhere = TreeRef { session: SessionId(0), tree: TreeId(0) };
    let echo = hand.request::<op::Echo>(nowhere, None, &EmptyBody::default());
    assert_eq!(raw::status(&hand.ask(&mut pair, &echo)[0]), NtStatus::SUCCESS);
}

#[test]
fn a_client_that_asked_for_it_hears_on_every_connection_that_its_session_was_closed() {
    for (signs, notices) in [(true, true), (false, true), (true, false)] {
        let mut pair = Pair::new(config());
        let mut offer = Offer { signs, ..Offer::default() };
        if notices {
            offer.capabilities |= Capabilities::NOTIFICATIONS;
        }
        let mut first = Hand::connect(&mut pair, offer);
        let session = first.log_on(&mut pair, "user/1");
        let mut second = Hand::connect(&mut pair, offer);
        let bound = second.bind(&mut pair, &session, "user/2").expect("bound");
        pair.server.end_session(session.id);
        for (hand, signer) in [(&first, &session.signer), (&second, &bound.signer)] {
            let said = hand.hear(&mut pair);
            assert_eq!(said.len(), usize::from(notices));
            for notice in said {
                let header = Header::decode(&notice).unwrap();
                assert_eq!(header.command, Command::SERVER_TO_CLIENT_NOTIFICATION);
                assert_eq!((header.message_id, header.session_id), (u64::MAX, session.id));
                assert_eq!((header.credits, header.flags.contains(Flags::SERVER_TO_REDIR)), (0, true));
                assert_eq!(is_signed_by(&notice, &**signer), signs);
                let body = ServerToClientNotification::decode(&notice).unwrap();
                assert_eq!(body, ServerToClientNotification::SESSION_CLOSED);
            }
        }
        let late = first.request::<op::Logoff>(session.bare(), Some(&*session.signer), &EmptyBody::default());
        assert_eq!(raw::status(&first.ask(&mut pair, &late)[0]), NtStatus::USER_SESSION_DELETED);
        assert!(pair.server.sessions().is_empty());
    }
}

#[test]
fn connections_of_a_session_encrypt_with_nonces_of_their_own() {
    let mut config = config();
    config.server.encryption = EncryptionPolicy::Required;
    let mut pair = Pair::new(config);
    let offer = Offer {
        capabilities: Offer::default().capabilities | Capabilities::NOTIFICATIONS,
        ..Offer::default()
    };
    let mut first = Hand::connect(&mut pair, offer);
    let session = first.log_on(&mut pair, "user/1");
    let mut hands = vec![first];
    for n in 0..3 {
        let mut hand = Hand::connect(&mut pair, offer);
        hand.bind(&mut pair, &session, &format!("user/{n}")).expect("bound");
        hands.push(hand);
    }
    // What the server says by itself is encrypted where the session is.
    pair.server.end_session(session.id);
    let mut nonces = Vec::new();
    for hand in &hands {
        let said = hand.hear(&mut pair).remove(0);
        assert_ne!(said.first_chunk(), Some(&PROTOCOL_ID));
        nonces.push(TransformHeader::decode(&said).unwrap().nonce);
    }
    nonces.sort_unstable();
    nonces.dedup();
    assert_eq!(nonces.len(), hands.len());
}
