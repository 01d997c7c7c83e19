//! Data of WRITEs that the server's driver takes from the transport and keeps.

use std::sync::Arc;

use sansmb::{
    client::{OpId, TreeRef},
    conn::Payload,
    server::{CloseReason, Event, Kept, Reply},
    wire::{FileId, NtStatus, SessionId, WriteResponse},
};
use sansmb_tests_core::{Pair, PairConfig};

const FILE: FileId = FileId { persistent: 1, volatile: 2 };
const LEN: usize = 1 << 20;
/// Prefix, header and structure before the data of a WRITE.
const HEAD: usize = 4 + 64 + 48;

fn data(len: usize, seed: u8) -> Vec<u8> {
    (0..len).map(|at| (at % 251) as u8 ^ seed).collect()
}

/// Has the client write each of `all`; what it has to send.
fn write(pair: &mut Pair, to: TreeRef, all: &[Vec<u8>]) -> (Vec<OpId>, Vec<u8>) {
    let ops =
        all.iter().map(|data| pair.client.write(to, FILE, 0, Payload::Shared(data.clone().into()), pair.now));
    let ops = ops.collect();
    let mut stream = Vec::new();
    loop {
        let mut out = [&[][..]; 64];
        let n = pair.client.poll_transmit(&mut out);
        let sent = out[..n].concat();
        if sent.is_empty() {
            return (ops, stream);
        }
        pair.client.sent(sent.len());
        stream.extend(sent);
    }
}

/// Where a test keeps data.
type Place = Arc<Vec<u8>>;

/// Gives the server `stream`, no more than `most` bytes at a time, and keeps what may be kept: all of that.
fn drive(pair: &mut Pair, mut stream: &[u8], most: usize) -> Vec<Place> {
    let (mut all, mut keeping) = (Vec::new(), Vec::new());
    while !stream.is_empty() && pair.server.channel(pair.conn).is_some() {
        if let Some(len) = pair.server.poll_aside(pair.conn) {
            let n = (len - keeping.len()).min(most).min(stream.len());
            keeping.extend(&stream[..n]);
            stream = &stream[n..];
            if keeping.len() == len {
                let place = Arc::new(std::mem::take(&mut keeping));
                all.push(place.clone());
                pair.server.took_aside(pair.conn, place, pair.now);
            }
        } else if let Some(target) = pair.server.recv_target(pair.conn) {
            let n = target.len().min(most).min(stream.len());
            target[..n].copy_from_slice(&stream[..n]);
            stream = &stream[n..];
            pair.server.received(pair.conn, n, pair.now);
        }
    }
    all
}

/// The data of the WRITEs that the server was asked for, all of which it answers.
fn written(pair: &mut Pair) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    while let Some(event) = pair.server.poll_event() {
        let Event::Write(mut request) = event else { panic!("{event:?}") };
        let bytes = match request.message.take_kept() {
            Some(kept) => kept.into_place::<Place>().expect("a place").to_vec(),
            None => request.message.data().expect("data").to_vec(),
        };
        let reply = Reply::new(&WriteResponse { count: bytes.len() as u32 });
        pair.server.respond(request.token, Ok(reply)).expect("it waits");
        all.push(bytes);
    }
    all
}

#[test]
fn long_data_are_kept_wherever_a_read_of_the_transport_ends() {
    let all: Vec<_> = (1..=4).map(|seed| data(LEN, seed)).collect();
    for most in [LEN * 8, 1 << 20, 65_537, 4096, 115] {
        let (mut pair, to) = Pair::connected(|_| {});
        let (ops, stream) = write(&mut pair, to, &all);
        let kept = drive(&mut pair, &stream, most);
        // Some of the first one comes with its head.
        assert!(kept.len() >= 3, "{} of 4 were kept, {most} bytes at a time", kept.len());
        assert_eq!(written(&mut pair), all, "{most}");
        pair.run();
        for op in ops {
            pair.result(op).expect("it was answered");
        }
    }
}

#[test]
fn what_somebody_has_to_look_at_is_not_kept() {
    for protect in [PairConfig::encrypt, PairConfig::sign] {
        let (mut pair, to) = Pair::connected(protect);
        let (_, stream) = write(&mut pair, to, &[data(LEN, 1), data(LEN, 2)]);
        assert!(drive(&mut pair, &stream, LEN).is_empty());
        assert_eq!(written(&mut pair), [data(LEN, 1), data(LEN, 2)]);
    }
}

#[test]
fn short_data_come_as_ever() {
    let (mut pair, to) = Pair::connected(|_| {});
    let all = [data(60 << 10, 1), data(LEN, 2), data(100, 3), data(LEN, 4)];
    let (_, stream) = write(&mut pair, to, &all);
    let kept = drive(&mut pair, &stream, HEAD);
    assert!(kept.iter().all(|kept| kept.len() == LEN));
    assert_eq!(kept.len(), 2);
    assert_eq!(written(&mut pair), all);
}

#[test]
fn a_driver_may_read_what_it_began_to_take() {
    let (mut pair, to) = Pair::connected(|_| {});
    let all = [data(LEN, 1), data(LEN, 2)];
    let (_, stream) = write(&mut pair, to, &all);
    let second = LEN + HEAD;
    pair.server.handle_input(pair.conn, &stream[..second + HEAD], pair.now);
    assert_eq!(pair.server.poll_aside(pair.conn), Some(LEN));
    pair.server.handle_input(pair.conn, &stream[second + HEAD..][..1000], pair.now);
    assert_eq!(pair.server.poll_aside(pair.conn), None, "some of it is here");
    pair.server.handle_input(pair.conn, &stream[second + HEAD + 1000..], pair.now);
    assert_eq!(written(&mut pair), all);
}

/// Has two WRITEs arrive, the second one with its head changed; what was kept of it.
fn changed(change: impl Fn(&mut [u8])) -> (Pair, Vec<OpId>, Vec<Place>) {
    let (mut pair, to) = Pair::connected(|_| {});
    let (ops, mut stream) = write(&mut pair, to, &[data(LEN, 1), data(LEN, 2)]);
    change(&mut stream[LEN + HEAD + 4..][..HEAD - 4]);
    let kept = drive(&mut pair, &stream, HEAD);
    let kept = kept.into_iter().skip(1).collect();
    (pair, ops, kept)
}

#[test]
fn data_that_are_not_alone_are_not_kept() {
    // DataOffset, Length, NextCommand, and a signature that nobody asked for.
    for (at, by) in [(66, 8), (68, 255), (20, 8), (16, 8)] {
        let (mut pair, _, kept) = changed(|head| head[at] ^= by);
        assert_eq!(kept.len(), 0, "the byte at {at} is changed");
        while pair.server.poll_event().is_some() {}
    }
}

#[test]
fn data_that_were_not_paid_for_are_let_go() {
    // CreditCharge.
    let (mut pair, ops, kept) = changed(|head| head[6] = 1);
    assert_eq!(written(&mut pair), [data(LEN, 1)]);
    pair.run();
    let refused = pair.result(ops[1]).expect_err("sixteen credits would have paid for them");
    assert_eq!(refused.status(), Some(NtStatus::INVALID_PARAMETER));
    assert_eq!(Arc::strong_count(&kept[0]), 1, "nobody has them any more");
}

#[test]
fn a_message_id_that_was_used_ends_the_connection() {
    let (mut pair, _, kept) = changed(|head| head[24..32].fill(0));
    let end = pair.server_closed();
    assert!(matches!(end, Some(CloseReason::Credits(_))), "{end:?}");
    assert_eq!(Arc::strong_count(&kept[0]), 1, "nobody has them any more");
}

#[test]
fn data_whose_session_goes_away_are_read_and_thrown_away() {
    let (mut pair, to) = Pair::connected(|_| {});
    let (ops, stream) = write(&mut pair, to, &[data(LEN, 1), data(LEN, 2)]);
    let (before, after) = stream.split_at(LEN + 2 * HEAD);
    pair.server.handle_input(pair.conn, before, pair.now);
    assert_eq!(written(&mut pair), [data(LEN, 1)]);
    assert_eq!(pair.server.poll_aside(pair.conn), Some(LEN));
    let session = before[44..52].try_into().expect("eight bytes");
    pair.server.end_session(SessionId(u64::from_le_bytes(session)));
    assert_eq!(pair.server.poll_aside(pair.conn), None);
    // What the driver has of them by now it still has.
    let place = Place::default();
    pair.server.took_aside(pair.conn, place.clone(), pair.now);
    assert_eq!(Arc::strong_count(&place), 1);
    pair.server.handle_input(pair.conn, after, pair.now);
    pair.run();
    assert!(written(&mut pair).is_empty());
    let refused = pair.result(ops[1]).expect_err("nobody may write");
    assert_eq!(refused.status(), Some(NtStatus::USER_SESSION_DELETED));
}

#[test]
fn an_application_that_does_not_know_of_kept_data_gets_an_error() {
    let (mut pair, _, kept) = changed(|_| {});
    assert_eq!(kept.len(), 1);
    pair.server.poll_event();
    let Some(Event::Write(mut request)) = pair.server.poll_event() else { panic!("a WRITE") };
    assert!(request.message.data().is_err());
    assert!(request.message.body().expect("it parses").data.is_empty());
    let kept = request.message.take_kept().expect("they are kept");
    assert_eq!((kept.len(), kept.is_empty()), (LEN, false));
    assert!(kept.into_place::<u8>().is_none());
    assert!(Kept::new(0, ()).is_empty());
}
