//! Compounds: rows C1 to C5 of docs/abuse.md and N10, at the level of the state machines.

use sansmb::{
    client::TreeRef,
    op,
    server::{CloseReason, Event, Reply},
    wire::{
        ChangeNotifyRequest, CloseRequest, CloseResponse, Command, CreateRequest, CreateResponse, Dialect,
        EmptyBody, FileId, Flags, HEADER_LEN, Header, NtStatus, ReadRequest, SessionId, TreeConnectRequest,
        TreeId, Utf16Buf, WriteRequest,
    },
};
use sansmb_tests::{Pair, PairConfig, raw};

fn connected() -> (Pair, TreeRef) {
    connected_at(Dialect::SMB3_0)
}

fn connected_at(dialect: Dialect) -> (Pair, TreeRef) {
    let mut config = PairConfig::default();
    config.client.max_dialect = dialect;
    let mut pair = Pair::new(config);
    let tree = pair.connect().expect("connect");
    (pair, tree)
}

fn create(to: TreeRef, id: u64) -> Vec<u8> {
    let name = Utf16Buf::new("file");
    raw::request::<op::Create>(to, id, &CreateRequest { name: name.as_utf16(), ..Default::default() })
}

fn read(to: TreeRef, id: u64, file_id: FileId) -> Vec<u8> {
    raw::request::<op::Read>(to, id, &ReadRequest { file_id, ..raw::read() })
}

fn close(to: TreeRef, id: u64, file_id: FileId) -> Vec<u8> {
    raw::request::<op::Close>(to, id, &CloseRequest { file_id, ..Default::default() })
}

fn echo(to: TreeRef, id: u64) -> Vec<u8> {
    raw::request::<op::Echo>(to, id, &EmptyBody::default())
}

const NOWHERE: TreeRef = TreeRef { session: SessionId(u64::MAX), tree: TreeId(u32::MAX) };
const ID: u64 = raw::FREE_ID;

/// The one frame that the server answers.
#[track_caller]
fn only(frames: Vec<Vec<u8>>) -> Vec<u8> {
    let [frame] = frames.try_into().expect("one frame");
    frame
}

fn opened(file_id: FileId) -> Reply<op::Create> {
    Reply::new(&CreateResponse { file_id, ..Default::default() })
}

#[test]
fn c1_next_command_that_is_no_offset_of_a_message_ends_the_connection() {
    let (_, tree) = connected();
    let frame = raw::compound(&[read(tree, ID, raw::FILE), read(tree, ID + 1, raw::FILE)], false);
    let len = frame.len() as u32;
    for next in [1, 4, 8, 56, 63, 65, 100, 115, len, len + 8, 0x7FFF_FFF8, 0xFFFF_FFF8, u32::MAX] {
        let (mut pair, _) = connected();
        let mut frame = frame.clone();
        frame[20..24].copy_from_slice(&next.to_le_bytes());
        pair.give_server(&frame);
        assert!(matches!(pair.ended_silently(), CloseReason::Malformed(_)), "{next:#x}");
    }
}

#[test]
fn c1_a_member_without_a_whole_header_ends_the_connection() {
    let (_, tree) = connected();
    let frame = raw::compound(&[read(tree, ID, raw::FILE), read(tree, ID + 1, raw::FILE)], false);
    let second = u32::from_le_bytes(frame[20..24].try_into().unwrap()) as usize;
    for len in second + 1..second + HEADER_LEN {
        let (mut pair, _) = connected();
        pair.give_server(&frame[..len]);
        assert!(matches!(pair.ended_silently(), CloseReason::Malformed(_)), "{len}");
    }
}

#[test]
fn c1_next_command_back_into_a_message_finds_no_header_there() {
    // 64 is the least that is allowed: what stands there is the body of the first message.
    let (mut pair, tree) = connected();
    let mut frame = read(tree, ID, raw::FILE);
    frame.resize(200, 0);
    frame[20..24].copy_from_slice(&64u32.to_le_bytes());
    pair.give_server(&frame);
    assert!(matches!(pair.ended_silently(), CloseReason::Malformed(_)));
}

#[test]
fn c2_related_after_echo_without_session_or_tree_is_an_invalid_parameter() {
    let none = TreeRef { session: SessionId(0), tree: TreeId(0) };
    let (mut pair, tree) = connected();
    let members = [echo(none, ID), create(tree, ID + 1), read(tree, ID + 2, raw::FILE)];
    let answer = only(pair.ask(&raw::compound(&members, true)));
    let expected = [NtStatus::SUCCESS, NtStatus::INVALID_PARAMETER, NtStatus::INVALID_PARAMETER];
    assert_eq!(raw::statuses(&answer), expected);
    assert!(pair.server_events.is_empty());
    // With a session but no tree.
    let members = [echo(TreeRef { tree: TreeId(0), ..tree }, ID + 3), create(tree, ID + 4)];
    let answer = only(pair.ask(&raw::compound(&members, true)));
    assert_eq!(raw::statuses(&answer), [NtStatus::SUCCESS, NtStatus::INVALID_PARAMETER]);
    assert!(pair.server_events.is_empty());
}

#[test]
fn c2_every_member_needs_its_session_and_tree() {
    for related in [false, true] {
        let (mut pair, tree) = connected();
        let members = [create(NOWHERE, ID), create(NOWHERE, ID + 1), read(tree, ID + 2, raw::FILE)];
        let answer = only(pair.ask(&raw::compound(&members[..2], related)));
        let second = if related { NtStatus::INVALID_PARAMETER } else { NtStatus::USER_SESSION_DELETED };
        assert_eq!(raw::statuses(&answer), [NtStatus::USER_SESSION_DELETED, second]);
        assert!(pair.server_events.is_empty());
        let lost = TreeRef { tree: TreeId(99), ..tree };
        let members = [create(lost, ID + 3), create(lost, ID + 4)];
        let answer = only(pair.ask(&raw::compound(&members, related)));
        assert_eq!(raw::statuses(&answer), [NtStatus::NETWORK_NAME_DELETED; 2]);
        assert!(pair.server_events.is_empty());
    }
}

#[test]
fn c2_negotiate_in_a_compound_ends_the_connection() {
    for first in [false, true] {
        for negotiated in [false, true] {
            let (mut pair, tree) = connected();
            if !negotiated {
                pair = Pair::new(PairConfig::default());
            }
            let id = if negotiated { ID } else { 0 };
            let mut members = vec![raw::negotiate(id, &[Dialect::SMB2_1], &[]), echo(tree, id + 1)];
            if !first {
                members.reverse();
            }
            pair.give_server(&raw::compound(&members, true));
            assert!(matches!(pair.ended_silently(), CloseReason::Violation(_)));
        }
    }
}

#[test]
fn c3_a_related_member_works_in_the_session_and_tree_of_the_one_before() {
    let (mut pair, tree) = connected();
    let path = Utf16Buf::new(r"\\server\share");
    let path = TreeConnectRequest { path: path.as_utf16(), ..Default::default() };
    let connect = raw::request::<op::TreeConnect>(TreeRef { tree: TreeId(0), ..tree }, ID, &path);
    // What the later members say of themselves counts for nothing.
    let members =
        [connect, create(NOWHERE, ID + 1), read(NOWHERE, ID + 2, FileId { persistent: 7, volatile: 7 })];
    pair.give_server(&raw::compound(&members, true));
    let Some(Event::Create(request)) = pair.server_events.pop_front() else { panic!("no CREATE") };
    let second = TreeId(tree.tree.0 + 1);
    assert_eq!((request.origin.session, request.origin.tree), (tree.session, second));
    pair.server.respond(request.token, Ok(opened(raw::FILE))).unwrap();
    pair.give_server(&[]);
    let Some(Event::Read(request)) = pair.server_events.pop_front() else { panic!("no READ") };
    assert_eq!((request.origin.session, request.origin.tree), (tree.session, second));
    assert_eq!(request.message.file_id(), raw::FILE);
    pair.server.respond(request.token, Ok(Reply::shared(vec![1; 10].into()))).unwrap();
    let answer = only(pair.take_server());
    assert_eq!(raw::statuses(&answer), [NtStatus::SUCCESS; 3]);
    for (at, message) in raw::split(&answer).iter().enumerate() {
        let header = Header::decode(message).unwrap();
        assert_eq!((header.session_id, header.tree_id), (tree.session, second));
        assert_eq!(header.flags.contains(Flags::RELATED_OPERATIONS), at > 0);
    }
}

#[test]
fn c3_an_unrelated_member_is_held_to_what_it_says() {
    let (mut pair, tree) = connected();
    let other = TreeRef { session: SessionId(tree.session.0 + 4), ..tree };
    let lost = TreeRef { tree: TreeId(77), ..tree };
    let members = [echo(tree, ID), create(other, ID + 1), create(lost, ID + 2)];
    let answer = only(pair.ask(&raw::compound(&members, false)));
    let expected = [NtStatus::SUCCESS, NtStatus::USER_SESSION_DELETED, NtStatus::NETWORK_NAME_DELETED];
    assert_eq!(raw::statuses(&answer), expected);
    assert!(pair.server_events.is_empty());
}

#[test]
fn c4_the_related_flag_on_the_first_member_fails_all() {
    for count in 1..=3 {
        let (mut pair, tree) = connected();
        let mut members: Vec<_> = (0..count).map(|n| create(tree, ID + n)).collect();
        raw::change_header(&mut members[0], |h| h.flags |= Flags::RELATED_OPERATIONS);
        let answer = only(pair.ask(&raw::compound(&members, true)));
        assert_eq!(raw::statuses(&answer), vec![NtStatus::INVALID_PARAMETER; count as usize]);
        assert!(pair.server_events.is_empty());
        assert_eq!(pair.server_closed(), None);
    }
}

#[test]
fn c4_what_follows_a_failed_create_fails_likewise() {
    let (mut pair, tree) = connected();
    let members = [
        create(tree, ID),
        read(tree, ID + 1, FileId::ANY),
        close(tree, ID + 2, FileId::ANY),
        echo(tree, ID + 3),
    ];
    pair.give_server(&raw::compound(&members, true));
    let Some(Event::Create(request)) = pair.server_events.pop_front() else { panic!("no CREATE") };
    assert!(pair.server_events.is_empty(), "one after the other");
    pair.server.respond(request.token, Err(NtStatus::OBJECT_NAME_NOT_FOUND.into())).unwrap();
    let answer = only(pair.take_server());
    let not_found = NtStatus::OBJECT_NAME_NOT_FOUND;
    assert_eq!(raw::statuses(&answer), [not_found, not_found, not_found, NtStatus::SUCCESS]);
    assert!(pair.server_events.is_empty());
    assert_eq!(pair.server.channel(pair.conn).unwrap().outstanding(), 0);
}

#[test]
fn c4_what_follows_another_failure_goes_on_with_the_file() {
    let (mut pair, tree) = connected();
    let members = [
        create(tree, ID),
        read(tree, ID + 1, FileId::ANY),
        create(tree, ID + 2),
        close(tree, ID + 3, FileId::ANY),
    ];
    pair.give_server(&raw::compound(&members, true));
    let Some(Event::Create(request)) = pair.server_events.pop_front() else { panic!("no CREATE") };
    pair.server.respond(request.token, Ok(opened(raw::FILE))).unwrap();
    pair.give_server(&[]);
    let Some(Event::Read(request)) = pair.server_events.pop_front() else { panic!("no READ") };
    assert_eq!(request.message.file_id(), raw::FILE);
    pair.server.respond(request.token, Err(NtStatus::ACCESS_DENIED.into())).unwrap();
    pair.give_server(&[]);
    let Some(Event::Create(request)) = pair.server_events.pop_front() else { panic!("no second CREATE") };
    pair.server.respond(request.token, Err(NtStatus::OBJECT_NAME_NOT_FOUND.into())).unwrap();
    // The CLOSE means the file of the second CREATE, and never that of the first.
    let answer = only(pair.take_server());
    let (denied, not_found) = (NtStatus::ACCESS_DENIED, NtStatus::OBJECT_NAME_NOT_FOUND);
    assert_eq!(raw::statuses(&answer), [NtStatus::SUCCESS, denied, not_found, not_found]);
    assert!(pair.server_events.is_empty());
}

#[test]
fn c4_a_warning_is_no_failure() {
    let (mut pair, tree) = connected();
    let members = [read(tree, ID, raw::FILE), close(tree, ID + 1, FileId::ANY)];
    pair.give_server(&raw::compound(&members, true));
    let Some(Event::Read(request)) = pair.server_events.pop_front() else { panic!("no READ") };
    let reply = Reply::shared(vec![1; 4].into()).with_status(NtStatus::BUFFER_OVERFLOW);
    pair.server.respond(request.token, Ok(reply)).unwrap();
    pair.give_server(&[]);
    let Some(Event::Close(request)) = pair.server_events.pop_front() else { panic!("no CLOSE") };
    assert_eq!(request.message.file_id(), raw::FILE);
}

#[test]
fn c4_a_related_member_that_needs_a_file_where_there_is_none_has_an_invalid_handle() {
    let (mut pair, tree) = connected();
    let members = [echo(tree, ID), read(tree, ID + 1, raw::FILE), close(tree, ID + 2, raw::FILE)];
    let answer = only(pair.ask(&raw::compound(&members, true)));
    let invalid = NtStatus::INVALID_HANDLE;
    assert_eq!(raw::statuses(&answer), [NtStatus::SUCCESS, invalid, invalid]);
    assert!(pair.server_events.is_empty());
}

#[test]
fn c4_an_unrelated_member_in_the_middle_starts_anew() {
    // [MS-SMB2] forbids the mixture; Windows takes it, and so do we.
    let (mut pair, tree) = connected();
    let mut members = [create(tree, ID), close(tree, ID + 1, FileId::ANY), read(tree, ID + 2, raw::FILE)];
    raw::change_header(&mut members[1], |h| h.flags |= Flags::RELATED_OPERATIONS);
    pair.give_server(&raw::compound(&members, false));
    let Some(Event::Create(request)) = pair.server_events.pop_front() else { panic!("no CREATE") };
    pair.server.respond(request.token, Err(NtStatus::ACCESS_DENIED.into())).unwrap();
    pair.give_server(&[]);
    let Some(Event::Read(request)) = pair.server_events.pop_front() else { panic!("no READ") };
    assert_eq!(request.message.file_id(), raw::FILE);
}

#[test]
fn c5_no_range_of_a_member_reaches_into_the_next() {
    let (mut pair, tree) = connected();
    let data = [7; 16];
    let body = WriteRequest::new(raw::FILE, 0, &data[..]);
    let mut write = raw::request::<op::Write>(tree, ID, &body);
    // Length says more than there is: it would be the header of the READ.
    write[HEADER_LEN + 4..HEADER_LEN + 8].copy_from_slice(&32u32.to_le_bytes());
    let mut create = create(tree, ID + 1);
    // NameLength likewise.
    create[HEADER_LEN + 46..HEADER_LEN + 48].copy_from_slice(&64u16.to_le_bytes());
    let members = [write, create, read(tree, ID + 2, raw::FILE)];
    let frame = raw::compound(&members, false);
    pair.give_server(&frame);
    let Some(Event::Read(request)) = pair.server_events.pop_front() else { panic!("no READ") };
    assert!(pair.server_events.is_empty());
    pair.server.respond(request.token, Ok(Reply::shared(vec![1; 3].into()))).unwrap();
    let answer = only(pair.take_server());
    let invalid = NtStatus::INVALID_PARAMETER;
    assert_eq!(raw::statuses(&answer), [invalid, invalid, NtStatus::SUCCESS]);
}

#[test]
fn c5_padding_between_answers_is_zero() {
    let (mut pair, tree) = connected();
    let members = [read(tree, ID, raw::FILE), echo(tree, ID + 1)];
    pair.give_server(&raw::compound(&members, true));
    let Some(Event::Read(request)) = pair.server_events.pop_front() else { panic!("no READ") };
    pair.server.respond(request.token, Ok(Reply::shared(vec![0xAA; 3].into()))).unwrap();
    let answer = only(pair.take_server());
    let first = &raw::split(&answer)[0];
    assert_eq!(first.len(), 88);
    assert_eq!(first[80..], [0xAA, 0xAA, 0xAA, 0, 0, 0, 0, 0]);
    // Behind the last one as well.
    let members = [echo(tree, ID + 2), read(tree, ID + 3, raw::FILE)];
    pair.give_server(&raw::compound(&members, false));
    let Some(Event::Read(request)) = pair.server_events.pop_front() else { panic!("no READ") };
    pair.server.respond(request.token, Ok(Reply::shared(vec![0xAA; 3].into()))).unwrap();
    let answer = only(pair.take_server());
    let last = &raw::split(&answer)[1];
    assert_eq!(last[80..], [0xAA, 0xAA, 0xAA, 0, 0, 0, 0, 0]);
}

#[test]
fn c5_a_connection_that_dies_in_the_middle_of_a_compound_leaves_nothing() {
    let (mut pair, tree) = connected();
    let members = [create(tree, ID), read(tree, ID + 1, FileId::ANY), close(tree, ID + 2, FileId::ANY)];
    pair.give_server(&raw::compound(&members, true));
    let Some(Event::Create(request)) = pair.server_events.pop_front() else { panic!("no CREATE") };
    pair.server.eof(pair.conn);
    assert!(pair.server.respond(request.token, Ok(opened(raw::FILE))).is_err());
    pair.give_server(&[]);
    assert_eq!(pair.ended_silently(), CloseReason::Eof);
}

#[test]
fn a_member_that_is_pending_is_told_of_at_once_and_the_rest_follows() {
    let (mut pair, tree) = connected();
    let notify =
        ChangeNotifyRequest { output_buffer_length: 100, file_id: FileId::ANY, ..Default::default() };
    let notify = raw::request::<op::ChangeNotify>(tree, ID + 1, &notify);
    let members = [create(tree, ID), notify, close(tree, ID + 2, FileId::ANY)];
    pair.give_server(&raw::compound(&members, true));
    let Some(Event::Create(request)) = pair.server_events.pop_front() else { panic!("no CREATE") };
    pair.server.respond(request.token, Ok(opened(raw::FILE))).unwrap();
    pair.give_server(&[]);
    let Some(Event::ChangeNotify(request)) = pair.server_events.pop_front() else { panic!("no NOTIFY") };
    pair.server.pend(&request.token).unwrap();
    pair.server.pend(&request.token).expect("a second time does nothing");
    let frames = pair.take_server();
    let told: Vec<_> = frames.iter().map(|f| raw::statuses(f)).collect();
    assert_eq!(told, [[NtStatus::SUCCESS], [NtStatus::PENDING]]);
    let interim = Header::decode(&frames[1]).unwrap();
    pair.server.respond(request.token, Err(NtStatus::CANCELLED.into())).unwrap();
    pair.give_server(&[]);
    let Some(Event::Close(request)) = pair.server_events.pop_front() else { panic!("no CLOSE") };
    assert_eq!(request.message.file_id(), raw::FILE, "what failed was not the CREATE");
    pair.server.respond(request.token, Ok(Reply::new(&CloseResponse::default()))).unwrap();
    let answer = only(pair.take_server());
    assert_eq!(raw::statuses(&answer), [NtStatus::CANCELLED, NtStatus::SUCCESS]);
    let last = Header::decode(&answer).unwrap();
    assert_eq!((last.async_id(), last.message_id), (interim.async_id(), ID + 1));
    assert_eq!((interim.credits > 0, last.credits), (true, 0), "credits come with the interim answer");
}

#[test]
fn n10_session_setup_in_a_compound_is_an_invalid_parameter() {
    for related in [false, true] {
        let (mut pair, tree) = connected();
        let setup = raw::session_setup(ID + 1, SessionId(0), b"token");
        let members = [echo(tree, ID), setup, echo(tree, ID + 2)];
        let answer = only(pair.ask(&raw::compound(&members, related)));
        assert_eq!(raw::statuses(&answer)[..2], [NtStatus::SUCCESS, NtStatus::INVALID_PARAMETER]);
        assert!(pair.server_events.is_empty());
        assert_eq!(pair.server.sessions().len(), 1);
    }
}

#[test]
fn c8_cancel_in_a_compound_is_obeyed_and_not_answered() {
    let (mut pair, tree) = connected();
    pair.give_server(&read(tree, ID, raw::FILE));
    let Some(Event::Read(request)) = pair.server_events.pop_front() else { panic!("no READ") };
    let cancel = raw::message(&raw::header(Command::CANCEL, tree, ID), &EmptyBody::default());
    for related in [false, true] {
        let members = [cancel.clone(), cancel.clone(), cancel.clone()];
        assert!(pair.ask(&raw::compound(&members, related)).is_empty());
    }
    assert!(
        matches!(pair.server_events.pop_front(), Some(Event::Cancel { request: r }) if r == request.token.id())
    );
    assert!(pair.server_events.is_empty(), "once is enough");
    let answer = only(pair.ask(&raw::compound(&[echo(tree, ID + 1), cancel, echo(tree, ID + 2)], false)));
    assert_eq!(raw::statuses(&answer), [NtStatus::SUCCESS; 2]);
}

#[test]
fn c2_a_compound_of_a_thousand_members_is_not_a_thousand_calls_deep() {
    // Before authentication, in the smallest stack that Rust gives a thread in practice.
    let long = || {
        let mut pair = Pair::new(PairConfig::default());
        let mut hello = raw::negotiate(0, &[Dialect::SMB2_1], &[]);
        raw::change_header(&mut hello, |h| h.credits = 8192);
        pair.ask(&hello);
        let members: Vec<_> = (1..900).map(|id| create(NOWHERE, id)).map(|m| m[..72].to_vec()).collect();
        let answer = only(pair.ask(&raw::compound(&members, false)));
        assert_eq!(raw::statuses(&answer), [NtStatus::USER_SESSION_DELETED; 899]);
        // CANCEL costs no credit: as many as a frame takes.
        let cancel = raw::message(&raw::header(Command::CANCEL, NOWHERE, 1), &EmptyBody::default());
        assert!(pair.ask(&raw::compound(&vec![cancel; 900], false)).is_empty());
        assert_eq!(pair.server_closed(), None);
    };
    let thread = std::thread::Builder::new().stack_size(256 << 10);
    thread.spawn(long).expect("a thread").join().expect("no overflow");
}

#[test]
fn n13_what_follows_a_logoff_in_a_compound_finds_no_session() {
    let logoff = |tree, id| raw::request::<op::Logoff>(tree, id, &EmptyBody::default());
    for related in [false, true] {
        let (mut pair, tree) = connected();
        let members = [logoff(tree, ID), create(tree, ID + 1), create(tree, ID + 2)];
        let answer = only(pair.ask(&raw::compound(&members, related)));
        let deleted = NtStatus::USER_SESSION_DELETED;
        let last = if related { NtStatus::INVALID_PARAMETER } else { deleted };
        assert_eq!(raw::statuses(&answer), [NtStatus::SUCCESS, deleted, last]);
        assert!(pair.server_events.is_empty());
        pair.nothing_left();
    }
    // Encrypted, the answer still goes out encrypted.
    let mut config = PairConfig { encrypt_share: true, ..PairConfig::default() };
    let mechanism = raw::scripted(&mut config);
    let mut pair = Pair::new(config);
    let session = pair.log_on_with(Box::new(mechanism)).expect("log on");
    let tree = pair.connect_in(session).expect("connect");
    let frame = raw::compound(&[logoff(tree, ID), create(tree, ID + 1)], true);
    let answer = only(pair.ask(&raw::sealed(session, 900, &frame)));
    assert_eq!(answer[..4], *b"\xFDSMB");
    pair.nothing_left();
}
