//! MessageIds, credits, pending requests and CANCEL: rows C6 to C8 of docs/abuse.md.

use sansmb::{
    client::{Outcome, TreeRef},
    op,
    server::{CloseReason, Event, PendError, Reply, Request},
    wire::{
        ChangeNotifyRequest, Command, Dialect, EmptyBody, Flags, Header, IoctlRequest, LockRequest, NtStatus,
        QueryDirectoryRequest, ReadRequest, WriteRequest,
    },
};
use sansmb_tests::{Pair, PairConfig, raw};

const ID: u64 = raw::FREE_ID;

fn connected_with(config: PairConfig) -> (Pair, TreeRef) {
    let mut pair = Pair::new(config);
    let tree = pair.connect().expect("connect");
    (pair, tree)
}

fn connected() -> (Pair, TreeRef) {
    connected_with(PairConfig::default())
}

fn old_dialect() -> (Pair, TreeRef) {
    let mut config = PairConfig::default();
    config.client.max_dialect = Dialect::SMB2_0_2;
    connected_with(config)
}

fn read(tree: TreeRef, id: u64, charge: u16, length: u32) -> Vec<u8> {
    let mut message = raw::request::<op::Read>(tree, id, &ReadRequest { length, ..raw::read() });
    raw::change_header(&mut message, |h| h.credit_charge = charge);
    message
}

fn taken(pair: &mut Pair) -> Request<op::Read> {
    let Some(Event::Read(request)) = pair.server_events.pop_front() else { panic!("no READ arrived") };
    request
}

fn cancel(tree: TreeRef, id: u64) -> Vec<u8> {
    let header = Header { credit_charge: 0, credits: 0, ..raw::header(Command::CANCEL, tree, id) };
    raw::message(&header, &EmptyBody::default())
}

/// A READ that the server works on.
fn under_way(pair: &mut Pair, tree: TreeRef) -> Request<op::Read> {
    assert!(pair.ask(&read(tree, ID, 1, 10)).is_empty());
    taken(pair)
}

#[test]
fn c6_a_message_id_is_taken_once() {
    let (mut pair, tree) = connected();
    let request = under_way(&mut pair, tree);
    pair.give_server(&read(tree, ID, 1, 10));
    assert!(matches!(pair.ended_silently(), CloseReason::Credits(_)));
    assert!(pair.server.respond(request.token, Ok(Reply::shared(vec![0; 10].into()))).is_err());
    // Also one that was answered long ago.
    for id in 0..4 {
        let (mut pair, tree) = connected();
        pair.give_server(&read(tree, id, 1, 10));
        assert!(matches!(pair.ended_silently(), CloseReason::Credits(_)));
    }
}

#[test]
fn c6_a_message_id_outside_of_the_window_ends_the_connection() {
    for id in [1 << 16, 1 << 32, 1 << 63, u64::MAX - 1, u64::MAX] {
        let (mut pair, tree) = connected();
        pair.give_server(&read(tree, id, 1, 10));
        assert!(matches!(pair.ended_silently(), CloseReason::Credits(_)), "{id:#x}");
    }
    // Before anything was granted there is but 0.
    let mut pair = Pair::new(PairConfig::default());
    pair.give_server(&raw::negotiate(1, &[Dialect::SMB2_1], &[]));
    assert!(matches!(pair.ended_silently(), CloseReason::Credits(_)));
}

#[test]
fn c6_message_ids_out_of_order_are_fine() {
    let (mut pair, tree) = connected();
    for id in [ID + 3, ID, ID + 2, ID + 1] {
        assert!(pair.ask(&read(tree, id, 1, 10)).is_empty());
    }
    assert_eq!(pair.server_events.len(), 4);
}

#[test]
fn c6_a_payload_must_be_paid_for() {
    // 64 KiB a credit, and no charge at all pays for one.
    for (charge, length, fine) in [
        (0, 65536, true),
        (0, 65537, false),
        (0, 1 << 20, false),
        (1, 65536, true),
        (1, 65537, false),
        (15, 1 << 20, false),
        (16, 1 << 20, true),
        (16, u32::MAX, false),
        (128, 8 << 20, true),
        (129, (8 << 20) + 1, false),
    ] {
        let (mut pair, tree) = connected();
        let answers = pair.ask(&read(tree, ID, charge, length));
        let statuses: Vec<_> = answers.iter().map(|a| raw::status(a)).collect();
        let expected = if fine { vec![] } else { vec![NtStatus::INVALID_PARAMETER] };
        assert_eq!(statuses, expected, "{charge} for {length}");
        assert_eq!(pair.server_events.len(), usize::from(fine), "{charge} for {length}");
        assert_eq!(pair.server_closed(), None);
    }
}

#[test]
fn c6_every_command_with_a_payload_must_pay_for_it() {
    let (mut pair, tree) = connected();
    let big = vec![0; 70_000];
    let write = WriteRequest::new(raw::FILE, 0, &big[..]);
    let ioctl = IoctlRequest { max_output_response: 70_000, file_id: raw::FILE, ..Default::default() };
    let sum = IoctlRequest { max_output_response: 40_000, max_input_response: 40_000, ..ioctl };
    let list = QueryDirectoryRequest { output_buffer_length: 70_000, ..Default::default() };
    let notify = ChangeNotifyRequest { output_buffer_length: 70_000, ..Default::default() };
    let messages = [
        raw::request::<op::Write>(tree, ID, &write),
        raw::request::<op::Ioctl>(tree, ID + 1, &ioctl),
        raw::request::<op::Ioctl>(tree, ID + 2, &sum),
        raw::request::<op::QueryDirectory>(tree, ID + 3, &list),
        raw::request::<op::ChangeNotify>(tree, ID + 4, &notify),
    ];
    for message in messages {
        assert_eq!(raw::status(&pair.ask(&message)[0]), NtStatus::INVALID_PARAMETER);
    }
    assert!(pair.server_events.is_empty());
}

#[test]
fn c6_a_charge_of_more_than_was_granted_ends_the_connection() {
    for (id, charge) in [(ID, 8000), (ID, u16::MAX), (ID, 600)] {
        let (mut pair, tree) = connected();
        pair.give_server(&read(tree, id, charge, 10));
        assert!(matches!(pair.ended_silently(), CloseReason::Credits(_)), "{charge}");
    }
}

#[test]
fn c6_a_charge_takes_all_its_message_ids() {
    let (mut pair, tree) = connected();
    assert!(pair.ask(&read(tree, ID, 16, 1 << 20)).is_empty());
    let _ = taken(&mut pair);
    assert!(pair.ask(&read(tree, ID + 16, 1, 10)).is_empty(), "the next one is free");
    let _ = taken(&mut pair);
    pair.give_server(&read(tree, ID + 15, 1, 10));
    assert!(matches!(pair.ended_silently(), CloseReason::Credits(_)));
}

#[test]
fn c6_without_multi_credit_the_charge_means_nothing() {
    let (mut pair, tree) = old_dialect();
    assert!(pair.ask(&read(tree, ID, u16::MAX, 65536)).is_empty());
    let _ = taken(&mut pair);
    assert!(pair.ask(&read(tree, ID + 1, 0, 10)).is_empty());
    let _ = taken(&mut pair);
    assert_eq!(raw::status(&pair.ask(&read(tree, ID + 2, 2, 65537))[0]), NtStatus::INVALID_PARAMETER);
    assert!(pair.server_events.is_empty());
}

#[test]
fn c6_without_multi_credit_a_long_request_ends_the_connection() {
    let (mut pair, tree) = old_dialect();
    let mut message = read(tree, ID, 1, 10);
    message.resize((68 << 10) + 1, 0);
    pair.give_server(&message);
    pair.ended_silently();
    // With it, only commands that carry bulk may be long.
    let (mut pair, tree) = connected();
    let mut lock =
        raw::request::<op::Lock>(tree, ID, &LockRequest { file_id: raw::FILE, ..Default::default() });
    lock.resize((68 << 10) + 1, 0);
    pair.give_server(&lock);
    pair.ended_silently();
}

#[test]
fn c6_nobody_gets_more_credits_than_are_allowed() {
    let mut config = PairConfig::default();
    config.server.max_credits = 100;
    let (mut pair, tree) = connected_with(config);
    // Drink what the handshake gave and ask for all there is, every time.
    let mut held = i64::from(pair.client.credits());
    for next in 4..1004 {
        let mut echo = raw::request::<op::Echo>(tree, next, &EmptyBody::default());
        raw::change_header(&mut echo, |h| h.credits = u16::MAX);
        let answer = pair.ask(&echo).remove(0);
        held += i64::from(Header::decode(&answer).unwrap().credits) - 1;
        assert!(held <= 100, "{held}");
    }
}

#[test]
fn c6_the_last_credit_comes_back_even_if_none_is_asked_for() {
    let mut pair = Pair::new(PairConfig::default());
    let mut hello = raw::negotiate(0, &[Dialect::SMB2_1], &[]);
    raw::change_header(&mut hello, |h| h.credits = 0);
    let answer = pair.ask(&hello).remove(0);
    assert_eq!(Header::decode(&answer).unwrap().credits, 1);
    for id in 1..20 {
        let mut setup = raw::session_setup(id, sansmb::wire::SessionId(99), b"");
        raw::change_header(&mut setup, |h| h.credits = 0);
        let answer = Header::decode(&pair.ask(&setup)[0]).unwrap();
        assert_eq!((answer.credits, answer.status), (1, NtStatus::USER_SESSION_DELETED));
    }
}

#[test]
fn c6_a_hole_in_the_window_may_stay_for_long() {
    let mut config = PairConfig::default();
    config.server.max_credits = 64;
    let (mut pair, tree) = connected_with(config);
    let conn = pair.conn;
    // The client never uses one of its ids; all others it does.
    let op = pair.client.request::<op::Read>(tree, &raw::read(), pair.now);
    let hole = pair.take_client().remove(0);
    let mut rounds = 0;
    loop {
        let op = pair.client.echo(tree.session, pair.now);
        if pair.client.queued() == 0 {
            break;
        }
        pair.run();
        assert!(pair.result(op).is_ok());
        rounds += 1;
        assert!(rounds < 1000, "the window grew without end");
    }
    assert!(pair.server.channel(conn).unwrap().close_reason().is_none());
    // The hole is filled at last, and everything goes on.
    pair.give_server(&hole);
    let request = taken(&mut pair);
    pair.server.respond(request.token, Ok(Reply::shared(vec![0; 10].into()))).unwrap();
    pair.run();
    assert!(matches!(pair.result(op), Ok(Outcome::Response(_))));
    let op = pair.client.echo(tree.session, pair.now);
    pair.run();
    assert!(pair.result(op).is_ok());
}

#[test]
fn c7_no_more_requests_are_pending_than_are_allowed() {
    let mut config = PairConfig::default();
    config.server.max_async = 4;
    let (mut pair, tree) = connected_with(config);
    let mut pending = Vec::new();
    for n in 0..5 {
        assert!(pair.ask(&read(tree, ID + n, 1, 10)).is_empty());
        let request = taken(&mut pair);
        let pended = pair.server.pend(&request.token);
        if n < 4 {
            assert_eq!(pended, Ok(()));
            assert_eq!(raw::status(&pair.take_server()[0]), NtStatus::PENDING);
            pending.push(request);
        } else {
            assert_eq!(pended, Err(PendError::TooMany));
            let refusal = Err(NtStatus::INSUFFICIENT_RESOURCES.into());
            pair.server.respond(request.token, refusal).unwrap();
            assert_eq!(raw::status(&pair.take_server()[0]), NtStatus::INSUFFICIENT_RESOURCES);
        }
    }
    // One that ends makes room for another.
    let first = pending.remove(0);
    pair.server.respond(first.token, Ok(Reply::shared(vec![0; 10].into()))).unwrap();
    pair.take_server();
    assert!(pair.ask(&read(tree, ID + 5, 1, 10)).is_empty());
    let request = taken(&mut pair);
    assert_eq!(pair.server.pend(&request.token), Ok(()));
    pending.push(request);
    pair.take_server();
    // And the connection's end leaves nothing.
    pair.server.eof(pair.conn);
    for request in pending {
        assert_eq!(pair.server.pend(&request.token), Err(PendError::Gone(sansmb::server::Gone)));
        assert!(pair.server.respond(request.token, Err(NtStatus::CANCELLED.into())).is_err());
    }
    pair.give_server(&[]);
    assert_eq!(pair.ended_silently(), CloseReason::Eof);
}

#[test]
fn c7_credits_of_a_pending_request_come_at_once_and_only_once() {
    let (mut pair, tree) = connected();
    let op = pair.client.request::<op::Read>(tree, &raw::read(), pair.now);
    let before = pair.client.credits();
    pair.run();
    let request = taken(&mut pair);
    pair.server.pend(&request.token).unwrap();
    pair.run();
    let between = pair.client.credits();
    assert!(between > before);
    pair.server.respond(request.token, Ok(Reply::shared(vec![0; 10].into()))).unwrap();
    pair.run();
    assert_eq!(pair.client.credits(), between);
    assert!(pair.result(op).is_ok());
}

#[test]
fn c8_cancel_of_nothing_is_not_answered() {
    let (mut pair, tree) = connected();
    let request = under_way(&mut pair, tree);
    pair.server.pend(&request.token).unwrap();
    let interim = Header::decode(&pair.take_server()[0]).unwrap();
    pair.server.respond(request.token, Err(NtStatus::CANCELLED.into())).unwrap();
    assert_eq!(raw::status(&pair.take_server()[0]), NtStatus::CANCELLED);
    // By the MessageId of what is over, one that never was, and by AsyncId likewise.
    for id in [ID, ID + 1, 0, u64::MAX] {
        assert!(pair.ask(&cancel(tree, id)).is_empty());
    }
    for async_id in [interim.async_id().unwrap(), 0, 77, u64::MAX] {
        let mut message = cancel(tree, ID);
        raw::change_header(&mut message, |h| h.set_async_id(async_id));
        assert!(pair.ask(&message).is_empty());
    }
    assert!(pair.server_events.is_empty());
    assert_eq!(pair.server_closed(), None);
}

#[test]
fn c8_cancel_finds_its_request_by_either_id_and_takes_none() {
    for by_async_id in [false, true] {
        let (mut pair, tree) = connected();
        let request = under_way(&mut pair, tree);
        let mut message = cancel(tree, ID);
        if by_async_id {
            pair.server.pend(&request.token).unwrap();
            let interim = Header::decode(&pair.take_server()[0]).unwrap();
            raw::change_header(&mut message, |h| h.set_async_id(interim.async_id().unwrap()));
        }
        // A flood of them is one wish.
        for _ in 0..100 {
            assert!(pair.ask(&message).is_empty());
        }
        let events: Vec<_> = pair.server_events.drain(..).collect();
        assert!(matches!(&events[..], [Event::Cancel { request: r }] if *r == request.token.id()));
        pair.server.respond(request.token, Err(NtStatus::CANCELLED.into())).unwrap();
        let answers = pair.take_server();
        let last = Header::decode(&answers[0]).unwrap();
        assert_eq!((answers.len(), last.status, last.message_id), (1, NtStatus::CANCELLED, ID));
        // The id of the CANCEL was not consumed a second time.
        assert!(pair.ask(&read(tree, ID + 1, 1, 10)).is_empty());
        assert_eq!(pair.server_events.len(), 1);
    }
}

#[test]
fn c8_cancel_of_a_request_of_another_session_is_ignored() {
    let (mut pair, tree) = connected();
    let request = under_way(&mut pair, tree);
    let second = pair.log_on_as("other", "secret").expect("log on");
    let theirs = TreeRef { session: second, ..tree };
    assert!(pair.ask(&cancel(theirs, ID)).is_empty());
    assert!(pair.ask(&cancel(TreeRef { session: sansmb::wire::SessionId(0), ..tree }, ID)).is_empty());
    assert!(pair.server_events.is_empty());
    drop(request);
}

#[test]
fn c8_cancel_must_be_signed_where_all_else_must() {
    let mut config = PairConfig::default();
    config.server.require_signing = true;
    let (mut pair, tree) = connected_with(config);
    let op = pair.client.request::<op::Read>(tree, &raw::read(), pair.now);
    pair.run();
    let request = taken(&mut pair);
    pair.client.cancel(op);
    let good = pair.take_client().remove(0);
    let header = Header::decode(&good).unwrap();
    assert_eq!((header.command, header.credits), (Command::CANCEL, 0));
    assert!(header.flags.contains(Flags::SIGNED));
    let mut unsigned = good.clone();
    raw::change_header(&mut unsigned, |h| {
        h.flags -= Flags::SIGNED;
        h.signature = [0; 16];
    });
    let mut wrong = good.clone();
    wrong[50] ^= 1;
    for bad in [unsigned, wrong] {
        assert!(pair.ask(&bad).is_empty());
        assert!(pair.server_events.is_empty());
    }
    assert!(pair.ask(&good).is_empty());
    assert!(matches!(pair.server_events.pop_front(), Some(Event::Cancel { .. })));
    pair.server.respond(request.token, Err(NtStatus::CANCELLED.into())).unwrap();
    pair.run();
    let error = pair.result(op).unwrap_err();
    assert_eq!(error.status(), Some(NtStatus::CANCELLED));
}

#[test]
fn c8_a_pending_request_is_cancelled_by_the_client() {
    let (mut pair, tree) = connected();
    let op = pair.client.request::<op::Read>(tree, &raw::read(), pair.now);
    pair.run();
    let request = taken(&mut pair);
    pair.server.pend(&request.token).unwrap();
    pair.run();
    pair.client.cancel(op);
    pair.run();
    assert!(matches!(pair.server_events.pop_front(), Some(Event::Cancel { .. })));
    // The server may have finished meanwhile.
    pair.server.respond(request.token, Ok(Reply::shared(vec![3; 10].into()))).unwrap();
    pair.run();
    assert!(matches!(pair.result(op), Ok(Outcome::Response(_))));
}

#[test]
fn c8_cancel_before_negotiate_ends_the_connection() {
    let mut pair = Pair::new(PairConfig::default());
    let nowhere = TreeRef { session: Default::default(), tree: Default::default() };
    pair.give_server(&cancel(nowhere, 0));
    assert!(matches!(pair.ended_silently(), CloseReason::Violation(_)));
}
