//! A malicious or broken server: rows M1 to M14 of docs/abuse.md, against the whole client.

use sansmb::{
    client::{Client, CloseReason, Event, OpError, OpId, Outcome, TreeRef},
    op::{self, Op},
    wire::{
        Capabilities, Cipher, Command, CreateRequest, CreateResponse, Dialect, EmptyBody, Flags, Guid,
        HEADER_LEN, HashAlgorithm, Header, IoctlRequest, NegotiateContext, NegotiateContexts,
        NegotiateResponse, NtStatus, QueryDirectoryRequest, QueryInfoRequest, ReadRequest, SecurityMode,
        ServerToClientNotification, SessionFlags, SessionId, SessionSetupResponse, SigningAlgorithm, TreeId,
        U16List, WriteResponse,
    },
};
use sansmb_tests::{Pair, PairConfig, framed, now, raw};

fn connected_with(config: PairConfig) -> (Pair, TreeRef) {
    let mut pair = Pair::new(config);
    let tree = pair.connect().expect("connect");
    (pair, tree)
}

fn connected() -> (Pair, TreeRef) {
    connected_with(PairConfig::default())
}

/// A client that waits for an answer to `O`, and the request it sent.
fn asking<O: Op>(request: &O::Request<'_>) -> (Pair, OpId, Header) {
    let (mut pair, tree) = connected();
    let op = pair.client.request::<O>(tree, request, pair.now);
    let sent = pair.take_client().remove(0);
    let header = Header::decode(&sent).unwrap();
    (pair, op, header)
}

fn reading() -> (Pair, OpId, Header) {
    asking::<op::Read>(&raw::read())
}

/// The header of an answer to `request`.
fn answer(request: &Header, status: NtStatus) -> Header {
    Header { status, flags: Flags::SERVER_TO_REDIR, credits: 1, signature: [0; 16], ..*request }
}

/// A READ answer with `data`.
fn read_answer(request: &Header, data: &[u8]) -> Vec<u8> {
    let body = sansmb::wire::ReadResponse { data, data_remaining: 0, flags: 0 };
    raw::message(&answer(request, NtStatus::SUCCESS), &body)
}

fn interim(request: &Header) -> Vec<u8> {
    let mut header = answer(request, NtStatus::PENDING);
    header.set_async_id(5);
    let mut message = raw::message(&header, &EmptyBody::default());
    message.truncate(HEADER_LEN);
    message.extend_from_slice(&[9, 0, 0, 0, 0, 0, 0, 0, 0]);
    message
}

#[track_caller]
fn closed(pair: &mut Pair, op: OpId) -> CloseReason {
    let reason = pair.client.close_reason().expect("the client goes on");
    assert!(matches!(pair.result(op), Err(OpError::Gone(r)) if r == reason));
    assert!(matches!(pair.client_events.pop_back(), Some(Event::Closed(_))));
    assert!(!pair.client_events.iter().any(|e| matches!(e, Event::Done { .. })), "{:?}", pair.client_events);
    assert_eq!(pair.client.outstanding(), 0);
    assert!(pair.client.is_finished());
    assert_eq!(pair.client.poll_timeout(), None);
    reason
}

/// A client that has sent NEGOTIATE and hears `message`.
fn greeted(config: PairConfig, message: &[u8]) -> (Pair, OpId) {
    let mut pair = Pair::new(config);
    let op = pair.client.log_on(Box::new(raw::Script::new(vec![], "nobody", &[])), true, pair.now);
    pair.take_client();
    pair.give_client(message);
    (pair, op)
}

fn hello(dialect: Dialect, contexts: &[NegotiateContext<'_>]) -> Vec<u8> {
    hello_with(dialect, contexts, |_| {})
}

fn hello_with(
    dialect: Dialect,
    contexts: &[NegotiateContext<'_>],
    change: impl FnOnce(&mut NegotiateResponse<'_>),
) -> Vec<u8> {
    let mut body = NegotiateResponse {
        security_mode: SecurityMode::SIGNING_ENABLED,
        dialect,
        server_guid: Guid([4; 16]),
        capabilities: Capabilities::LARGE_MTU,
        max_transact_size: 1 << 20,
        max_read_size: 1 << 20,
        max_write_size: 1 << 20,
        contexts: NegotiateContexts::List(contexts),
        ..Default::default()
    };
    change(&mut body);
    let header = Header { flags: Flags::SERVER_TO_REDIR, credits: 10, ..Header::default() };
    raw::message(&header, &body)
}

#[test]
fn m1_a_malformed_negotiate_answer_ends_the_connection() {
    let good = hello(Dialect::SMB3_1_1, &[raw::preauth_context()]);
    for len in HEADER_LEN..good.len() - 2 {
        let (mut pair, op) = greeted(PairConfig::default(), &good[..len]);
        let reason = closed(&mut pair, op);
        assert!(matches!(reason, CloseReason::Malformed(_)), "{len} {reason:?}");
    }
    // SecurityBufferOffset and -Length, NegotiateContextOffset, NegotiateContextCount.
    for (at, bytes) in [
        (56, [64, 0, 1, 0]),
        (56, [0xFF, 0xFF, 1, 0]),
        (56, [128, 0, 0xFF, 0xFF]),
        (60, [0xFF; 4]),
        (60, [4, 0, 0, 0]),
        (60, [129, 0, 0, 0]),
    ] {
        let mut message = good.clone();
        message[HEADER_LEN + at..HEADER_LEN + at + 4].copy_from_slice(&bytes);
        let (mut pair, op) = greeted(PairConfig::default(), &message);
        assert!(matches!(closed(&mut pair, op), CloseReason::Malformed(_)), "{at} {bytes:?}");
    }
    let mut message = good;
    message[HEADER_LEN + 6..HEADER_LEN + 8].copy_from_slice(&[0xFF, 0xFF]);
    let (mut pair, op) = greeted(PairConfig::default(), &message);
    closed(&mut pair, op);
}

#[test]
fn m1_a_token_that_is_garbage_fails_the_log_on_alone() {
    let mut pair = Pair::new(PairConfig::default());
    pair.run();
    let mechanism =
        raw::Script::new(vec![(None, b"a".to_vec()), (Some(b"b".to_vec()), b"c".to_vec())], "u", &[]);
    let op = pair.client.log_on(Box::new(mechanism), true, pair.now);
    let request = Header::decode(&pair.take_client()[0]).unwrap();
    let body = SessionSetupResponse { session_flags: SessionFlags::empty(), security_buffer: b"garbage" };
    let header = Header { session_id: SessionId(9), ..answer(&request, NtStatus::MORE_PROCESSING_REQUIRED) };
    pair.give_client(&raw::message(&header, &body));
    assert!(matches!(pair.result(op), Err(OpError::Auth(_))));
    assert_eq!(pair.client.close_reason(), None);
    // Another attempt may be made.
    let mechanism = raw::Script::new(vec![(None, b"a".to_vec()); 2], "u", &[]);
    pair.client.log_on(Box::new(mechanism), true, pair.now);
    assert_eq!(pair.take_client().len(), 1);
}

#[test]
fn m1_a_malformed_session_setup_answer_ends_the_connection() {
    for (at, bytes) in [(4, [0u8, 0]), (4, [63, 0]), (4, [0xFF, 0xFF]), (6, [0xFF, 0xFF]), (6, [8, 0])] {
        let mut pair = Pair::new(PairConfig::default());
        pair.run();
        let mechanism = raw::Script::new(vec![(None, b"a".to_vec()); 3], "u", &[]);
        let op = pair.client.log_on(Box::new(mechanism), true, pair.now);
        let request = Header::decode(&pair.take_client()[0]).unwrap();
        let body = SessionSetupResponse { session_flags: SessionFlags::empty(), security_buffer: b"garbage" };
        let header =
            Header { session_id: SessionId(9), ..answer(&request, NtStatus::MORE_PROCESSING_REQUIRED) };
        let mut message = raw::message(&header, &body);
        message[HEADER_LEN + at..HEADER_LEN + at + 2].copy_from_slice(&bytes);
        pair.give_client(&message);
        assert!(matches!(closed(&mut pair, op), CloseReason::Malformed(_)), "{at} {bytes:?}");
    }
}

#[test]
fn m1_session_ids_that_cannot_be() {
    // None given, one that exists already, and one that changes in the middle.
    let body = SessionSetupResponse { session_flags: SessionFlags::empty(), security_buffer: b"b" };
    let status = NtStatus::MORE_PROCESSING_REQUIRED;
    for case in 0..3 {
        let (mut pair, tree) = connected();
        let mechanism = raw::Script::new(vec![(None, b"a".to_vec()); 9], "u", &[]);
        let op = pair.client.log_on(Box::new(mechanism), true, pair.now);
        let request = Header::decode(&pair.take_client()[0]).unwrap();
        let first = [SessionId(0), tree.session, SessionId(77)][case];
        let header = Header { session_id: first, ..answer(&request, status) };
        pair.give_client(&raw::message(&header, &body));
        if case == 2 {
            let request = Header::decode(&pair.take_client()[0]).unwrap();
            let header = Header { session_id: SessionId(78), ..answer(&request, status) };
            pair.give_client(&raw::message(&header, &body));
        }
        assert!(matches!(closed(&mut pair, op), CloseReason::Violation(_)), "{case}");
    }
}

#[test]
fn m1_a_server_that_never_has_enough_ends_with_the_mechanism() {
    let mut pair = Pair::new(PairConfig::default());
    pair.run();
    let mechanism = raw::Script::new(vec![(None, b"a".to_vec()); 5], "u", &[]);
    let op = pair.client.log_on(Box::new(mechanism), true, pair.now);
    let body = SessionSetupResponse { session_flags: SessionFlags::empty(), security_buffer: b"more" };
    for _ in 0..5 {
        let request = Header::decode(&pair.take_client()[0]).unwrap();
        let header =
            Header { session_id: SessionId(9), ..answer(&request, NtStatus::MORE_PROCESSING_REQUIRED) };
        pair.give_client(&raw::message(&header, &body));
    }
    assert!(matches!(closed(&mut pair, op), CloseReason::Violation(_)));
}

#[test]
fn m2_a_read_answer_with_more_than_was_asked_for_ends_the_connection() {
    for (len, fine) in [(0, true), (9, true), (10, true), (11, false), (5000, false)] {
        let (mut pair, op, request) = reading();
        pair.give_client(&read_answer(&request, &vec![1; len]));
        if fine {
            let Ok(Outcome::Response(response)) = pair.result(op) else { panic!("{len}") };
            assert_eq!(response.read_data().unwrap().len(), len);
        } else {
            assert!(matches!(closed(&mut pair, op), CloseReason::Violation(_)), "{len}");
        }
    }
}

#[test]
fn m2_a_read_answer_whose_data_is_elsewhere_ends_the_connection() {
    for (offset, len) in
        [(0u8, 10u32), (63, 10), (64, 10), (79, 10), (81, 10), (255, 1), (80, u32::MAX), (80, 11)]
    {
        let (mut pair, op, request) = reading();
        let mut message = read_answer(&request, &[1; 10]);
        message[HEADER_LEN + 2] = offset;
        message[HEADER_LEN + 4..HEADER_LEN + 8].copy_from_slice(&len.to_le_bytes());
        pair.give_client(&message);
        assert!(matches!(closed(&mut pair, op), CloseReason::Malformed(_)), "{offset} {len}");
    }
}

/// Answers of which a length at `at` is made a lie.
fn lying_buffer<O: Op>(request: &O::Request<'_>, good: &[u8], at: usize) {
    for lie in [good.len() as u32 + 1, 1 << 16, u32::MAX - 71, u32::MAX] {
        let (mut pair, op, header) = asking::<O>(request);
        let mut message = raw::message(&answer(&header, NtStatus::SUCCESS), &EmptyBody::default());
        message.truncate(HEADER_LEN);
        message.extend_from_slice(good);
        message[HEADER_LEN + at..HEADER_LEN + at + 4].copy_from_slice(&lie.to_le_bytes());
        pair.give_client(&message);
        assert!(matches!(closed(&mut pair, op), CloseReason::Malformed(_)), "{} {lie}", O::COMMAND);
    }
}

#[test]
fn m3_m4_m14_buffers_beyond_the_frame_end_the_connection() {
    let listing = QueryDirectoryRequest { output_buffer_length: 1000, ..Default::default() };
    let buffer = [&[9, 0, 72, 0, 8, 0, 0, 0][..], &[0; 8]].concat();
    lying_buffer::<op::QueryDirectory>(&listing, &buffer, 4);
    let info = QueryInfoRequest { output_buffer_length: 1000, ..Default::default() };
    lying_buffer::<op::QueryInfo>(&info, &buffer, 4);
    let ioctl = IoctlRequest { max_output_response: 1000, ..Default::default() };
    let mut answer = vec![0; 56];
    answer[0] = 49;
    answer[24] = 112;
    answer[32] = 112;
    answer[36] = 8;
    lying_buffer::<op::Ioctl>(&ioctl, &answer, 36);
    lying_buffer::<op::Ioctl>(&ioctl, &answer, 28);
}

#[test]
fn m3_m4_m14_buffers_longer_than_asked_for_end_the_connection() {
    let (mut pair, op, request) =
        asking::<op::QueryInfo>(&QueryInfoRequest { output_buffer_length: 7, ..Default::default() });
    let mut message = raw::message(&answer(&request, NtStatus::SUCCESS), &EmptyBody::default());
    message.truncate(HEADER_LEN);
    message.extend_from_slice(&[9, 0, 72, 0, 8, 0, 0, 0]);
    message.extend_from_slice(&[0; 8]);
    pair.give_client(&message);
    assert!(matches!(closed(&mut pair, op), CloseReason::Violation(_)));
}

#[test]
fn m5_create_contexts_beyond_the_frame_end_the_connection() {
    for (offset, len) in [(152u32, 8u32), (152, u32::MAX), (u32::MAX, 16), (64, 24), (8, 80)] {
        let (mut pair, op, request) = asking::<op::Create>(&CreateRequest::default());
        let good = CreateResponse { file_id: raw::FILE, ..Default::default() };
        let mut message = raw::message(&answer(&request, NtStatus::SUCCESS), &good);
        message.resize(HEADER_LEN + 96, 0);
        message[HEADER_LEN + 80..HEADER_LEN + 84].copy_from_slice(&offset.to_le_bytes());
        message[HEADER_LEN + 84..HEADER_LEN + 88].copy_from_slice(&len.to_le_bytes());
        pair.give_client(&message);
        assert!(matches!(closed(&mut pair, op), CloseReason::Malformed(_)), "{offset} {len}");
    }
}

#[test]
fn m9_contexts_that_the_server_may_not_answer_end_the_connection() {
    let hashes = [HashAlgorithm::SHA_512, HashAlgorithm(2)];
    let preauth =
        |n| NegotiateContext::Preauth { hash_algorithms: U16List::List(&hashes[..n]), salt: &[1; 8] };
    let other = NegotiateContext::Preauth { hash_algorithms: U16List::List(&hashes[1..]), salt: &[] };
    let two = [Cipher::AES_128_GCM, Cipher::AES_128_CCM];
    let ciphers = |n| NegotiateContext::Encryption { ciphers: U16List::List(&two[..n]) };
    let algorithms = [SigningAlgorithm::AES_CMAC, SigningAlgorithm::AES_GMAC];
    let signing = |n| NegotiateContext::Signing { algorithms: U16List::List(&algorithms[..n]) };
    let strange = [SigningAlgorithm(9)];
    let strange = NegotiateContext::Signing { algorithms: U16List::List(&strange) };
    for (at, contexts) in [
        vec![],
        vec![preauth(0)],
        vec![preauth(2)],
        vec![other],
        vec![preauth(1), preauth(1)],
        vec![preauth(1), ciphers(0)],
        vec![preauth(1), ciphers(2)],
        vec![preauth(1), ciphers(1), ciphers(1)],
        vec![preauth(1), signing(0)],
        vec![preauth(1), signing(2)],
        vec![preauth(1), signing(1), signing(1)],
        vec![preauth(1), strange],
    ]
    .into_iter()
    .enumerate()
    {
        let (mut pair, op) = greeted(PairConfig::default(), &hello(Dialect::SMB3_1_1, &contexts));
        assert!(matches!(closed(&mut pair, op), CloseReason::Violation(_)), "{at}");
    }
    let (pair, _) =
        greeted(PairConfig::default(), &hello(Dialect::SMB3_1_1, &[signing(1), preauth(1), ciphers(1)]));
    assert_eq!(pair.client.agreement().unwrap().cipher, Some(Cipher::AES_128_GCM));
}

#[test]
fn m9_dialects_that_were_not_offered_end_the_connection() {
    for dialect in
        [Dialect(0), Dialect::SMB3_1_1, Dialect(0x0300 + 1), Dialect::SMB2_WILDCARD, Dialect(0xFFFF)]
    {
        let mut config = PairConfig::default();
        config.client.max_dialect = Dialect::SMB3_0_2;
        let (mut pair, op) = greeted(config, &hello(dialect, &[raw::preauth_context()]));
        assert!(matches!(closed(&mut pair, op), CloseReason::Incompatible(_)), "{dialect}");
    }
    // The wildcard twice, and 2.1 straight after SMB1.
    for dialect in [Dialect::SMB2_WILDCARD, Dialect::SMB2_1] {
        let mut config = PairConfig::default();
        config.client.multi_protocol = Some(vec!["SMB 2.002".into(), "SMB 2.???".into()]);
        let (mut pair, op) = greeted(config, &hello(dialect, &[]));
        if dialect == Dialect::SMB2_WILDCARD {
            let mut second = hello(dialect, &[]);
            raw::change_header(&mut second, |h| h.message_id = 1);
            pair.give_client(&second);
        }
        assert!(matches!(closed(&mut pair, op), CloseReason::Incompatible(_)), "{dialect}");
    }
}

#[test]
fn m9_a_refusal_to_negotiate_is_passed_on() {
    let header =
        Header { status: NtStatus::NOT_SUPPORTED, flags: Flags::SERVER_TO_REDIR, ..Header::default() };
    let mut message = raw::message(&header, &EmptyBody::default());
    message.truncate(HEADER_LEN);
    message.extend_from_slice(&[9, 0, 0, 0, 0, 0, 0, 0, 0]);
    let (mut pair, op) = greeted(PairConfig::default(), &message);
    assert_eq!(closed(&mut pair, op), CloseReason::Refused(NtStatus::NOT_SUPPORTED));
}

#[test]
fn m9_the_last_answer_of_a_log_on_must_be_signed_with_3_1_1() {
    for change in [0, 1] {
        let mut pair = Pair::new(PairConfig::default());
        let mechanism = sansmb_auth::SpnegoClient::new(
            sansmb_auth::Credentials::password("tester", "", "secret"),
            sansmb_auth::ClientParams { now: now(0).wall, random: [7; 32], ..Default::default() },
        );
        let op = pair.client.log_on(Box::new(mechanism), true, pair.now);
        for _ in 0..4 {
            for message in pair.take_client() {
                for mut answer in pair.ask(&message) {
                    let header = Header::decode(&answer).unwrap();
                    let last = header.command == Command::SESSION_SETUP && header.status == NtStatus::SUCCESS;
                    if last && change == 0 {
                        raw::change_header(&mut answer, |h| h.flags -= Flags::SIGNED);
                    } else if last {
                        answer[55] ^= 1;
                    }
                    pair.give_client(&answer);
                }
            }
        }
        assert!(matches!(pair.result(op), Err(OpError::Incompatible(_))), "{change}");
    }
}

#[test]
fn m10_answers_to_nothing_are_thrown_away() {
    let (mut pair, op, request) = reading();
    let before = pair.client.credits();
    for id in [request.message_id + 1, 0, 1, 1 << 40, u64::MAX - 1] {
        let stray = Header { message_id: id, credits: 1000, ..request };
        pair.give_client(&read_answer(&stray, &[1; 10]));
        pair.give_client(&interim(&stray));
    }
    assert_eq!((pair.client.close_reason(), pair.client.credits()), (None, before));
    assert!(pair.client_events.iter().all(|e| matches!(e, Event::Negotiated(_))));
    // The right one is still awaited, and counts once.
    let good = read_answer(&request, &[1; 10]);
    for _ in 0..3 {
        pair.give_client(&good);
    }
    assert!(pair.result(op).is_ok());
    assert_eq!(pair.client.credits(), before + 1);
    assert!(!pair.client_events.iter().any(|e| matches!(e, Event::Done { .. })));
    // An interim answer comes too late.
    pair.give_client(&interim(&request));
    assert_eq!((pair.client.close_reason(), pair.client.outstanding()), (None, 0));
}

#[test]
fn m10_interim_answers_grant_once() {
    let (mut pair, op, request) = reading();
    let before = pair.client.credits();
    for _ in 0..10 {
        pair.give_client(&interim(&request));
    }
    assert_eq!(pair.client.credits(), before + 1);
    // PENDING without an AsyncId means nothing.
    let mut plain = interim(&request);
    raw::change_header(&mut plain, |h| h.flags -= Flags::ASYNC_COMMAND);
    pair.give_client(&plain);
    assert_eq!(pair.client.credits(), before + 1);
    pair.give_client(&read_answer(&Header { credits: 0, ..request }, &[1; 10]));
    assert!(pair.result(op).is_ok());
}

#[test]
fn m10_an_answer_to_another_command_ends_the_connection() {
    for command in [Command::WRITE, Command::NEGOTIATE, Command::SESSION_SETUP, Command::CANCEL, Command(99)]
    {
        let (mut pair, op, request) = reading();
        let header = Header { command, ..answer(&request, NtStatus::SUCCESS) };
        pair.give_client(&raw::message(&header, &WriteResponse::default()));
        assert!(matches!(closed(&mut pair, op), CloseReason::Violation(_)), "{command}");
    }
}

#[test]
fn m10_a_request_from_the_server_ends_the_connection() {
    let (mut pair, op, request) = reading();
    pair.give_client(&raw::message(&request, &raw::read()));
    assert!(matches!(closed(&mut pair, op), CloseReason::Violation(_)));
}

#[test]
fn m10_unsolicited_messages_other_than_breaks_are_thrown_away() {
    for command in (0..18).map(Command) {
        let (mut pair, op, request) = reading();
        let stray = Header { message_id: u64::MAX, command, ..answer(&request, NtStatus::SUCCESS) };
        pair.give_client(&raw::message(&stray, &EmptyBody::default()));
        assert_eq!(pair.client.close_reason(), None, "{command}");
        pair.give_client(&read_answer(&request, &[1; 10]));
        assert!(pair.result(op).is_ok());
    }
}

#[test]
fn m10_breaks_are_told_and_malformed_ones_end_the_connection() {
    let mut body = vec![24, 0, 1, 0, 0, 0, 0, 0];
    body.extend_from_slice(&[5; 16]);
    for (len, fine) in [(24, true), (23, false), (4, false), (1, false)] {
        let (mut pair, op, request) = reading();
        let stray = Header { message_id: u64::MAX, command: Command::OPLOCK_BREAK, ..request };
        let mut message = raw::message(&answer(&stray, NtStatus::SUCCESS), &EmptyBody::default());
        message.truncate(HEADER_LEN);
        message.extend_from_slice(&body[..len]);
        pair.give_client(&message);
        if fine {
            assert!(matches!(pair.client_events.pop_back(), Some(Event::OplockBreak(_))));
        } else {
            assert!(matches!(closed(&mut pair, op), CloseReason::Malformed(_)));
        }
    }
}

fn session_closed(session: SessionId, message_id: u64) -> Vec<u8> {
    let header = Header {
        command: Command::SERVER_TO_CLIENT_NOTIFICATION,
        flags: Flags::SERVER_TO_REDIR,
        message_id,
        session_id: session,
        ..Header::default()
    };
    raw::message(&header, &ServerToClientNotification::SESSION_CLOSED)
}

#[test]
fn m10_only_a_notification_as_safe_as_its_session_closes_it() {
    for (sign, encrypt) in [(false, false), (true, false), (false, true)] {
        let mut config = PairConfig { encrypt_share: false, ..PairConfig::default() };
        let mechanism = raw::scripted(&mut config);
        config.server.require_signing = sign;
        if encrypt {
            config.server.encryption = sansmb::client::EncryptionPolicy::Required;
        }
        let mut pair = Pair::new(config);
        let session = pair.log_on_with(Box::new(mechanism)).expect("log on");
        // The encrypted one is refused for its lack of a tree only after it was decrypted.
        pair.give_client(&session_closed(session, u64::MAX));
        let closed = matches!(pair.client_events.pop_back(), Some(Event::SessionClosed(s)) if s == session);
        assert_eq!(closed, !sign && !encrypt, "{sign} {encrypt}");
        assert_eq!(pair.client.close_reason(), None);
        if encrypt {
            let sealed = raw::server_sealed(session, 900, &session_closed(session, u64::MAX));
            pair.give_client(&sealed);
            let said = pair.client_events.pop_back();
            assert!(matches!(said, Some(Event::SessionClosed(s)) if s == session));
        }
        // Of a session that is not there nobody hears.
        pair.give_client(&session_closed(SessionId(5), u64::MAX));
        assert!(!matches!(pair.client_events.back(), Some(Event::SessionClosed(_))));
    }
}

#[test]
fn m10_nothing_is_sent_in_the_clear_once_an_encrypted_session_is_over() {
    let mut config = PairConfig { encrypt_share: true, ..PairConfig::default() };
    let mechanism = raw::scripted(&mut config);
    let mut pair = Pair::new(config);
    let session = pair.log_on_with(Box::new(mechanism)).expect("log on");
    let tree = pair.connect_in(session).expect("connect");
    let first = pair.client.request::<op::Read>(tree, &raw::read(), pair.now);
    pair.take_client();
    pair.give_client(&raw::server_sealed(session, 900, &session_closed(session, u64::MAX)));
    assert!(matches!(pair.client_events.pop_back(), Some(Event::SessionClosed(_))));
    let secret = bytes::Bytes::from_static(b"for your eyes only");
    let second = pair.client.write(tree, raw::FILE, 0, secret.into(), pair.now);
    assert!(pair.take_client().is_empty());
    assert_eq!(pair.result(second).unwrap_err().status(), Some(NtStatus::USER_SESSION_DELETED));
    // What was asked before may still be answered, encrypted as ever.
    let request = raw::header(Command::READ, tree, 5);
    let message = (4..7).map(|id| read_answer(&Header { message_id: id, ..request }, &[1; 10]));
    for (nonce, message) in message.enumerate() {
        pair.give_client(&raw::server_sealed(session, 901 + nonce as u64, &message));
    }
    assert!(pair.result(first).is_ok());
}

#[test]
fn m10_another_session_inside_an_encrypted_answer_ends_the_connection() {
    let mut config = PairConfig { encrypt_share: true, ..PairConfig::default() };
    let mechanism = raw::scripted(&mut config);
    let mut pair = Pair::new(config);
    let session = pair.log_on_with(Box::new(mechanism)).expect("log on");
    let tree = pair.connect_in(session).expect("connect");
    let op = pair.client.request::<op::Read>(tree, &raw::read(), pair.now);
    let other = raw::header(Command::READ, TreeRef { session: SessionId(3), ..tree }, 5);
    pair.give_client(&raw::server_sealed(session, 900, &read_answer(&other, &[1; 10])));
    assert!(matches!(closed(&mut pair, op), CloseReason::Violation(_)));
}

#[test]
fn m10_a_tree_of_a_session_that_ended_meanwhile_fails() {
    let (mut pair, tree) = connected();
    let connect = pair.client.tree_connect(tree.session, r"\\server\share", pair.now);
    let request = Header::decode(&pair.take_client()[0]).unwrap();
    pair.give_client(&session_closed(tree.session, u64::MAX));
    let body = sansmb::wire::TreeConnectResponse::default();
    let header = Header { tree_id: TreeId(5), ..answer(&request, NtStatus::SUCCESS) };
    pair.give_client(&raw::message(&header, &body));
    // TREE_CONNECT of 3.1.1 is signed: what is not ends the connection, and either way the
    // operation has ended.
    assert!(pair.result(connect).is_err());
}

#[test]
fn m10_an_answer_to_what_was_cancelled_counts() {
    let (mut pair, op, request) = reading();
    pair.client.cancel(op);
    pair.client.cancel(op);
    assert_eq!(pair.take_client().len(), 2);
    pair.give_client(&read_answer(&request, &[1; 10]));
    assert!(pair.result(op).is_ok());
    pair.client.cancel(op);
    assert!(pair.take_client().is_empty(), "there is nothing left to cancel");
}

#[test]
fn m11_a_server_that_grants_nothing_fails_what_waits() {
    // From the beginning: NEGOTIATE is answered with no credit at all.
    let mut message = hello(Dialect::SMB2_1, &[]);
    raw::change_header(&mut message, |h| h.credits = 0);
    let (mut pair, op) = greeted_with_token(&message);
    assert!(matches!(pair.result(op), Err(OpError::Incompatible(_))));
    assert_eq!(pair.client.outstanding(), 0);
    // Nothing is ended twice when the connection goes.
    pair.client.eof();
    assert!(pair.client.poll_event().is_some_and(|e| matches!(e, Event::Closed(_))));
    assert!(pair.client.poll_event().is_none());
}

fn greeted_with_token(message: &[u8]) -> (Pair, OpId) {
    let mut pair = Pair::new(PairConfig::default());
    let mechanism = raw::Script::new(vec![(None, b"a".to_vec()); 3], "u", &[]);
    let op = pair.client.log_on(Box::new(mechanism), true, pair.now);
    pair.take_client();
    pair.give_client(message);
    (pair, op)
}

#[test]
fn m11_a_server_that_stops_granting_fails_what_waits() {
    let mut config = PairConfig::default();
    config.client.credits = 4;
    let (mut pair, tree) = connected_with(config);
    let mut rounds = 0;
    while pair.client.credits() > 0 {
        let op = pair.client.request::<op::Read>(tree, &raw::read(), pair.now);
        let request = Header::decode(&pair.take_client()[0]).unwrap();
        let mut message = read_answer(&request, &[1; 10]);
        raw::change_header(&mut message, |h| h.credits = 0);
        pair.give_client(&message);
        assert!(pair.result(op).is_ok());
        rounds += 1;
    }
    assert!(rounds > 0);
    let op = pair.client.request::<op::Read>(tree, &raw::read(), pair.now);
    pair.run();
    assert!(matches!(pair.result(op), Err(OpError::Incompatible(_))));
}

#[test]
fn m11_a_request_that_waits_for_credits_behind_silence_ends_by_the_clock() {
    let mut config = PairConfig::default();
    config.client.credits = 1;
    let (mut pair, tree) = connected_with(config);
    while pair.client.credits() > 1 {
        let _ = pair.client.request::<op::Read>(tree, &raw::read(), pair.now);
    }
    let first = pair.client.request::<op::Read>(tree, &raw::read(), pair.now);
    let second = pair.client.request::<op::Read>(tree, &raw::read(), pair.now);
    let request = Header::decode(pair.take_client().last().unwrap()).unwrap();
    let mut message = interim(&request);
    raw::change_header(&mut message, |h| h.credits = 0);
    pair.give_client(&message);
    // The ECHO finds no credit either.
    pair.advance(now(60_001));
    assert_eq!(pair.client.close_reason(), None);
    pair.advance(now(120_002));
    assert_eq!(pair.client.close_reason(), Some(CloseReason::Timeout));
    for op in [first, second] {
        assert!(matches!(pair.result(op), Err(OpError::Gone(CloseReason::Timeout))));
    }
}

#[test]
fn m11_credits_without_end_are_taken_calmly() {
    let (mut pair, tree) = connected();
    for _ in 0..100 {
        let op = pair.client.request::<op::Read>(tree, &raw::read(), pair.now);
        let request = Header::decode(&pair.take_client()[0]).unwrap();
        let mut message = read_answer(&request, &[1; 10]);
        raw::change_header(&mut message, |h| h.credits = u16::MAX);
        pair.give_client(&message);
        assert!(pair.result(op).is_ok());
    }
    assert!(pair.client.credits() <= 1 << 20);
}

#[test]
fn m11_sizes_that_no_server_may_offer() {
    type Change = fn(&mut NegotiateResponse<'_>, u32);
    let fields: [Change; 3] =
        [|r, n| r.max_read_size = n, |r, n| r.max_write_size = n, |r, n| r.max_transact_size = n];
    for change in fields {
        for size in [0, 1, 65535] {
            let message = hello_with(Dialect::SMB2_1, &[], |r| change(r, size));
            let (mut pair, op) = greeted(PairConfig::default(), &message);
            assert!(matches!(closed(&mut pair, op), CloseReason::Incompatible(_)), "{size}");
        }
        // The most there is: we stay within what we are set to.
        let message = hello_with(Dialect::SMB2_1, &[], |r| change(r, u32::MAX));
        let (mut pair, _) = greeted_with_token(&message);
        let agreement = pair.client.agreement().unwrap();
        let largest = agreement.max_read_size.max(agreement.max_write_size).max(agreement.max_transact_size);
        assert_eq!(largest, 8 << 20);
        // And no frame is taken that is much longer.
        pair.client.handle_input(&[0, 0x90, 0, 0], pair.now);
        assert!(matches!(pair.client.close_reason(), Some(CloseReason::Frame(_))));
    }
}

#[test]
fn m11_a_long_frame_before_negotiate_ends_the_connection_before_it_is_read() {
    let mut pair = Pair::new(PairConfig::default());
    pair.client.handle_input(&[0, 0xFF, 0xFF, 0xFF], pair.now);
    assert!(matches!(pair.client.close_reason(), Some(CloseReason::Frame(_))));
}

#[test]
fn silence_is_asked_once_and_then_ends_the_connection() {
    let (mut pair, op, request) = reading();
    assert_eq!(pair.client.poll_timeout(), Some(now(60_000).mono));
    pair.advance(now(59_999));
    assert!(pair.take_client().is_empty());
    pair.advance(now(60_000));
    let probe = Header::decode(&pair.take_client()[0]).unwrap();
    assert_eq!(probe.command, Command::ECHO);
    assert_eq!(pair.client.poll_timeout(), Some(now(120_000).mono));
    pair.advance(now(119_999));
    assert_eq!(pair.client.close_reason(), None);
    pair.advance(now(120_000));
    assert_eq!(closed(&mut pair, op), CloseReason::Timeout);
    let _ = request;
}

#[test]
fn a_slow_server_that_answers_echo_is_waited_for() {
    let (mut pair, op, request) = reading();
    let mut time = 0;
    for _ in 0..10 {
        time += 60_000;
        pair.advance(now(time));
        let probe = Header::decode(&pair.take_client()[0]).unwrap();
        assert_eq!(probe.command, Command::ECHO);
        pair.give_client(&raw::message(&answer(&probe, NtStatus::SUCCESS), &EmptyBody::default()));
    }
    pair.give_client(&read_answer(&request, &[1; 10]));
    assert!(pair.result(op).is_ok());
    // Nothing is owed: no time-out is due, however long it lasts.
    assert_eq!(pair.client.poll_timeout(), None);
    pair.advance(now(1 << 40));
    assert_eq!(pair.client.close_reason(), None);
    assert!(pair.take_client().is_empty());
}

#[test]
fn silence_during_the_handshake_ends_the_connection() {
    let mut pair = Pair::new(PairConfig::default());
    let mechanism = raw::Script::new(vec![(None, b"a".to_vec())], "u", &[]);
    let op = pair.client.log_on(Box::new(mechanism), true, pair.now);
    pair.take_client();
    // Bytes that are no message do not count as an answer.
    pair.client.handle_input(&[0, 0, 0, 0], pair.now);
    pair.advance(now(29_999));
    assert_eq!(pair.client.close_reason(), None);
    pair.advance(now(30_000));
    assert_eq!(closed(&mut pair, op), CloseReason::Timeout);
    // The same in the middle of a log-on.
    let mut pair = Pair::new(PairConfig::default());
    pair.run();
    let mechanism = raw::Script::new(vec![(None, b"a".to_vec())], "u", &[]);
    let op = pair.client.log_on(Box::new(mechanism), true, pair.now);
    pair.take_client();
    pair.advance(now(30_001));
    assert_eq!(closed(&mut pair, op), CloseReason::Timeout);
}

#[test]
fn m13_a_compound_of_answers_that_does_not_chain_ends_the_connection() {
    for next in [1u32, 63, 65, 8, 0xFFFF_FFF8] {
        let (mut pair, op, request) = reading();
        let mut message = read_answer(&request, &[1; 10]);
        message[20..24].copy_from_slice(&next.to_le_bytes());
        pair.give_client(&message);
        assert!(matches!(closed(&mut pair, op), CloseReason::Malformed(_)), "{next}");
    }
}

#[test]
fn f1_empty_frames_from_a_server_are_skipped() {
    let mut pair = Pair::new(PairConfig::default());
    let mut bytes = vec![0; 4000];
    bytes.extend(framed(&hello(Dialect::SMB2_1, &[])));
    pair.client.handle_input(&bytes, pair.now);
    assert_eq!(pair.client.agreement().map(|a| a.dialect), Some(Dialect::SMB2_1));
    let _: &Client = &pair.client;
}

#[test]
fn a_read_longer_than_the_server_takes_is_refused_there() {
    // What the application asks is its own affair; the answer shows that nothing hangs.
    let (mut pair, tree) = connected();
    let request = ReadRequest { length: 64 << 20, ..raw::read() };
    let op = pair.client.request::<op::Read>(tree, &request, pair.now);
    pair.run();
    let error = pair.result(op).unwrap_err();
    assert!(error.status() == Some(NtStatus::INVALID_PARAMETER) || matches!(error, OpError::Incompatible(_)));
}
