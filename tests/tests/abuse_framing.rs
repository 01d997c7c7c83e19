//! Malformed frames and transforms: rows F of docs/abuse.md, at the level of the state machines.

use sansmb::{
    client::TreeRef,
    op,
    server::CloseReason,
    wire::{Command, Dialect, EmptyBody, Flags, HEADER_LEN, NtStatus, SessionId, TRANSFORM_LEN},
};
use sansmb_tests::{Pair, PairConfig, framed, raw};

fn connected() -> (Pair, TreeRef) {
    let mut pair = Pair::new(PairConfig::default());
    let tree = pair.connect().expect("connect");
    (pair, tree)
}

/// A connection whose keys the test knows, with encryption.
fn encrypted() -> (Pair, TreeRef) {
    let mut config = PairConfig { encrypt_share: true, ..PairConfig::default() };
    let mechanism = raw::scripted(&mut config);
    let mut pair = Pair::new(config);
    let session = pair.log_on_with(Box::new(mechanism)).expect("log on");
    let tree = pair.connect_in(session).expect("connect");
    (pair, tree)
}

fn feed(pair: &mut Pair, bytes: &[u8]) {
    pair.server.handle_input(pair.conn, bytes, pair.now);
    while let Some(event) = pair.server.poll_event() {
        pair.server_events.push_back(event);
    }
}

#[test]
fn f1_empty_frames_are_skipped() {
    let mut pair = Pair::new(PairConfig::default());
    let hello = raw::negotiate(0, &[Dialect::SMB2_1], &[]);
    let mut bytes = vec![0; 4 * 10_000];
    bytes.extend(framed(&hello));
    bytes.extend([0; 7]);
    feed(&mut pair, &bytes);
    assert_eq!(raw::status(&pair.take_server()[0]), NtStatus::SUCCESS);
    assert_eq!(pair.server_closed(), None);
}

#[test]
fn f2_a_long_frame_before_authentication_ends_the_connection_before_it_is_read() {
    // Over the limit by a little, 16 MiB, and the longest there is.
    for len in [(68 << 10) + 1u32, 16 << 20, 0x00FF_FFFF] {
        let mut pair = Pair::new(PairConfig::default());
        feed(&mut pair, &len.min(0x00FF_FFFF).to_be_bytes());
        assert!(matches!(pair.ended_silently(), CloseReason::Frame(_)), "{len}");
    }
}

#[test]
fn f2_a_frame_longer_than_any_request_ends_the_connection() {
    let (mut pair, _) = connected();
    feed(&mut pair, &[0, 0x81, 0, 0]);
    assert!(matches!(pair.ended_silently(), CloseReason::Frame(_)));
    // What was negotiated is let in: it waits for the rest.
    let (mut pair, _) = connected();
    feed(&mut pair, &[0, 0x80, 0, 0x70]);
    assert_eq!(pair.server_closed(), None);
}

#[test]
fn f2_a_frame_that_is_no_session_message_ends_the_connection() {
    for kind in 1..=255u8 {
        let mut pair = Pair::new(PairConfig::default());
        feed(&mut pair, &[kind, 0, 0, 0]);
        // A NetBIOS keep-alive is no offence.
        if kind != 0x85 {
            assert_eq!(pair.ended_silently(), CloseReason::Frame(sansmb::conn::FrameError::Prefix(kind)));
        }
    }
}

#[test]
fn f3_the_end_in_the_middle_of_a_frame_leaves_nothing() {
    let hello = framed(&raw::negotiate(0, &[Dialect::SMB2_1], &[]));
    for len in 0..hello.len() {
        let mut pair = Pair::new(PairConfig::default());
        for byte in &hello[..len] {
            feed(&mut pair, &[*byte]);
        }
        pair.server.eof(pair.conn);
        while let Some(event) = pair.server.poll_event() {
            pair.server_events.push_back(event);
        }
        assert_eq!(pair.ended_silently(), CloseReason::Eof);
    }
    let (mut pair, tree) = connected();
    let read = framed(&raw::request::<op::Read>(tree, raw::FREE_ID, &raw::read()));
    feed(&mut pair, &read[..read.len() - 1]);
    pair.server.eof(pair.conn);
    while let Some(event) = pair.server.poll_event() {
        pair.server_events.push_back(event);
    }
    assert_eq!(pair.ended_silently(), CloseReason::Eof);
}

#[test]
fn f4_a_wrong_protocol_id_ends_the_connection() {
    let ids: [&[u8; 4]; 6] = [b"\xFESMC", b"\xFBSMB", b"SMB2", b"GET ", b"\0\0\0\0", b"\xFE\xFE\xFE\xFE"];
    for id in ids {
        for authenticated in [false, true] {
            let mut pair = if authenticated { connected().0 } else { Pair::new(PairConfig::default()) };
            let mut message = raw::negotiate(0, &[Dialect::SMB2_1], &[]);
            message[..4].copy_from_slice(id);
            pair.give_server(&message);
            assert!(matches!(pair.ended_silently(), CloseReason::Malformed(_)), "{id:?}");
        }
    }
}

#[test]
fn f5_a_message_shorter_than_its_header_ends_the_connection() {
    for len in 1..HEADER_LEN {
        for authenticated in [false, true] {
            let mut pair = if authenticated { connected().0 } else { Pair::new(PairConfig::default()) };
            pair.give_server(&raw::negotiate(0, &[Dialect::SMB2_1], &[])[..len]);
            assert!(matches!(pair.ended_silently(), CloseReason::Malformed(_)), "{len}");
        }
    }
}

#[test]
fn f5_a_body_that_is_cut_is_an_invalid_parameter() {
    for command in (1..=18).map(Command).filter(|c| *c != Command::CANCEL) {
        for body in [&[][..], &[57], &[57, 0], &[0xFF, 0xFF, 0, 0], &[0; 200]] {
            // With 3.1.1 an unsigned TREE_CONNECT is a worse offence.
            let mut config = PairConfig::default();
            config.server.max_dialect = Dialect::SMB3_0;
            let mut pair = Pair::new(config);
            let tree = pair.connect().expect("connect");
            let mut message = raw::message(&raw::header(command, tree, raw::FREE_ID), &EmptyBody::default());
            message.truncate(HEADER_LEN);
            message.extend_from_slice(body);
            let answers = pair.ask(&message);
            let said: Vec<_> = answers.iter().map(|a| raw::status(a)).collect();
            assert_eq!(said, [NtStatus::INVALID_PARAMETER], "{command} {body:?}");
            assert!(pair.server_events.is_empty(), "{command} {body:?}");
            assert_eq!(pair.server_closed(), None);
        }
    }
}

#[test]
fn f5_a_negotiate_that_is_cut_is_an_invalid_parameter() {
    let whole = raw::negotiate(0, &[Dialect::SMB2_1, Dialect::SMB3_1_1], &[raw::preauth_context()]);
    for len in HEADER_LEN..whole.len() {
        let mut pair = Pair::new(PairConfig::default());
        let answers = pair.ask(&whole[..len]);
        assert_eq!(raw::status(&answers[0]), NtStatus::INVALID_PARAMETER, "{len}");
        assert!(pair.server_events.is_empty());
    }
}

#[test]
fn f6_a_transform_that_is_cut_or_lies_about_its_size_ends_the_connection() {
    let (_, tree) = encrypted();
    let read = raw::request::<op::Read>(tree, raw::FREE_ID, &raw::read());
    let good = raw::sealed(tree.session, 900, &read);
    for len in 4..=TRANSFORM_LEN {
        let (mut pair, _) = encrypted();
        pair.give_server(&good[..len]);
        pair.ended_silently();
    }
    for size in [0, 1, 63, good.len() as u32, u32::MAX] {
        let (mut pair, _) = encrypted();
        let mut frame = good.clone();
        frame[36..40].copy_from_slice(&size.to_le_bytes());
        pair.give_server(&frame);
        pair.ended_silently();
    }
    // Flags other than "encrypted".
    for flags in [0, 2, 0x100] {
        let (mut pair, _) = encrypted();
        let mut frame = good.clone();
        frame[42..44].copy_from_slice(&u16::to_le_bytes(flags));
        pair.give_server(&frame);
        pair.ended_silently();
    }
    // The same message as it is meant is fine.
    let (mut pair, _) = encrypted();
    pair.give_server(&good);
    assert_eq!(pair.server_events.len(), 1);
}

#[test]
fn f6_an_encrypted_message_shorter_than_a_header_ends_the_connection() {
    let (_, tree) = encrypted();
    let read = raw::request::<op::Read>(tree, raw::FREE_ID, &raw::read());
    for len in [1, 4, 63] {
        let (mut pair, _) = encrypted();
        pair.give_server(&raw::sealed(tree.session, 900, &read[..len]));
        pair.ended_silently();
    }
}

#[test]
fn f7_encrypted_for_a_session_that_does_not_encrypt_ends_the_connection() {
    // No session at all, before and after NEGOTIATE.
    for negotiated in [false, true] {
        let mut pair = Pair::new(PairConfig::default());
        if negotiated {
            pair.run();
        }
        pair.give_server(&raw::sealed(SessionId(1), 1, &[0; 80]));
        assert!(matches!(pair.ended_silently(), CloseReason::Violation(_)));
    }
    // A session of a dialect that cannot encrypt.
    let mut config = PairConfig::default();
    config.client.max_dialect = Dialect::SMB2_1;
    let mut pair = Pair::new(config);
    let session = pair.log_on("secret").expect("log on");
    pair.give_server(&raw::sealed(session, 1, &[0; 80]));
    assert!(matches!(pair.ended_silently(), CloseReason::Violation(_)));
}

#[test]
fn f7_encrypted_for_a_session_that_is_not_established_ends_the_connection() {
    let mut pair = Pair::new(PairConfig::default());
    pair.ask(&raw::negotiate(0, &[Dialect::SMB3_0], &[]));
    pair.hold = true;
    pair.give_server(&raw::session_setup(1, SessionId(0), b"hello"));
    let Some(sansmb::server::Event::SessionSetup(setup)) = pair.server_events.pop_front() else {
        panic!("no SESSION_SETUP")
    };
    pair.give_server(&raw::sealed(setup.origin.session, 1, &[0; 80]));
    pair.ended_silently();
}

#[test]
fn f8_another_session_inside_than_outside_ends_the_connection() {
    let (mut pair, tree) = encrypted();
    let other = TreeRef { session: SessionId(tree.session.0 + 2), ..tree };
    let read = raw::request::<op::Read>(other, raw::FREE_ID, &raw::read());
    pair.give_server(&raw::sealed(tree.session, 900, &read));
    assert!(matches!(pair.ended_silently(), CloseReason::Violation(_)));
    // The same for a later member that is not related.
    let (mut pair, tree) = encrypted();
    let first = raw::request::<op::Read>(tree, raw::FREE_ID, &raw::read());
    let second = raw::request::<op::Read>(other, raw::FREE_ID + 1, &raw::read());
    pair.give_server(&raw::sealed(tree.session, 900, &raw::compound(&[first, second], false)));
    assert!(matches!(pair.ended_silently(), CloseReason::Violation(_)));
}

#[test]
fn f8_an_encrypted_first_message_that_claims_to_be_related_ends_the_connection() {
    // [MS-SMB2] 3.3.5.2.1.1.
    let (mut pair, tree) = encrypted();
    let mut read = raw::request::<op::Read>(tree, raw::FREE_ID, &raw::read());
    raw::change_header(&mut read, |h| h.flags |= Flags::RELATED_OPERATIONS);
    pair.give_server(&raw::sealed(tree.session, 900, &read));
    assert!(matches!(pair.ended_silently(), CloseReason::Violation(_)));
}

#[test]
fn f9_a_transform_inside_a_transform_ends_the_connection() {
    let (mut pair, tree) = encrypted();
    let read = raw::request::<op::Read>(tree, raw::FREE_ID, &raw::read());
    let mut nested = read;
    for depth in 0..3 {
        nested = raw::sealed(tree.session, 900 + depth, &nested);
    }
    pair.give_server(&nested);
    assert!(matches!(pair.ended_silently(), CloseReason::Violation(_)));
}

#[test]
fn a_response_from_a_client_ends_the_connection() {
    let (mut pair, tree) = connected();
    let mut read = raw::request::<op::Read>(tree, raw::FREE_ID, &raw::read());
    raw::change_header(&mut read, |h| h.flags |= Flags::SERVER_TO_REDIR);
    pair.give_server(&read);
    pair.ended_silently();
}

#[test]
fn an_unknown_command_ends_the_connection() {
    for command in [19, 20, 0x100, 0xFFFF] {
        let (mut pair, tree) = connected();
        let header = raw::header(Command(command), tree, raw::FREE_ID);
        pair.give_server(&raw::message(&header, &EmptyBody::default()));
        pair.ended_silently();
    }
}
