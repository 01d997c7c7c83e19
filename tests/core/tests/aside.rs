//! Payloads that the driver takes from the transport, and that never come into the program.

use sansmb::{
    client::{Client, Event as ClientEvent, OpId, Outcome, TreeRef},
    server::{Event, Reply},
    wire::{FileId, NtStatus, ReadRequest},
};
use sansmb_tests_core::{Pair, PairConfig};

const FILE: FileId = FileId { persistent: 1, volatile: 2 };
const LEN: usize = 1 << 20;

fn data(seed: u8) -> Vec<u8> {
    (0..LEN).map(|at| (at % 251) as u8 ^ seed).collect()
}

/// Asks for as many bytes as each of `answers` has, aside, and has the server give them; what the server then has to send.
fn ask(pair: &mut Pair, to: TreeRef, answers: &[Result<Vec<u8>, NtStatus>]) -> (Vec<OpId>, Vec<u8>) {
    let ops = answers.iter().map(|_| {
        let read = ReadRequest { length: LEN as u32, file_id: FILE, ..Default::default() };
        pair.client.read_aside(to, &read, pair.now)
    });
    let ops = ops.collect();
    let mut out = [&[][..]; 64];
    let n = pair.client.poll_transmit(&mut out);
    let bytes = out[..n].concat();
    pair.client.sent(bytes.len());
    pair.server.handle_input(pair.conn, &bytes, pair.now);
    for answer in answers {
        let Some(Event::Read(request)) = pair.server.poll_event() else { panic!("a READ") };
        let reply = answer.clone().map(|data| Reply::shared(data.into())).map_err(Into::into);
        pair.server.respond(request.token, reply).expect("it waits");
    }
    let mut bytes = Vec::new();
    loop {
        let mut out = [&[][..]; 64];
        let n = pair.server.poll_transmit(pair.conn, &mut out);
        let sent = out[..n].concat();
        if sent.is_empty() {
            return (ops, bytes);
        }
        pair.server.sent(pair.conn, sent.len());
        bytes.extend(sent);
    }
}

/// Gives the client `stream`, no more than `most` bytes at a time, and takes from it what is to be taken aside;
/// what that was, in the order of the operations.
fn drive(
    client: &mut Client,
    mut stream: &[u8],
    most: usize,
    now: sansmb::time::Now,
) -> Vec<(OpId, Vec<u8>)> {
    let mut taken: Vec<(OpId, Vec<u8>)> = Vec::new();
    while !stream.is_empty() {
        if let Some(aside) = client.poll_aside() {
            if taken.last().is_none_or(|(op, _)| *op != aside.op) {
                taken.push((aside.op, Vec::new()));
            }
            let (_, bytes) = taken.last_mut().expect("it was pushed");
            bytes.extend(&aside.early);
            let n = aside.left.min(most).min(stream.len());
            bytes.extend(&stream[..n]);
            stream = &stream[n..];
            client.moved(n, now);
        } else {
            let target = client.recv_target();
            let n = target.len().min(most).min(stream.len());
            target[..n].copy_from_slice(&stream[..n]);
            stream = &stream[n..];
            client.received(n, now);
        }
    }
    taken
}

fn ends(client: &mut Client) -> Vec<(OpId, Result<Outcome, sansmb::client::OpError>)> {
    std::iter::from_fn(|| client.poll_event())
        .map(|event| match event {
            ClientEvent::Done { op, result } => (op, result),
            other => panic!("{other:?}"),
        })
        .collect()
}

#[test]
fn long_payloads_are_taken_from_the_transport_wherever_a_read_of_it_ends() {
    let answers: Vec<_> = (1..=4).map(data).collect();
    for most in [LEN * 8, 1 << 20, 65_537, 4096, 83] {
        let (mut pair, to) = Pair::connected(|_| {});
        let (ops, stream) = ask(&mut pair, to, &answers.iter().cloned().map(Ok).collect::<Vec<_>>());
        let taken = drive(&mut pair.client, &stream, most, pair.now);
        let mut done = Vec::new();
        for (op, result) in ends(&mut pair.client) {
            match result {
                Ok(Outcome::Aside { len, whole: true }) => {
                    assert_eq!(len as usize, LEN);
                    done.push((op, taken.iter().find(|(of, _)| *of == op).expect("it was taken").1.clone()));
                }
                // One whose head came in pieces is read like any other.
                Ok(Outcome::Response(response)) => {
                    done.push((op, response.read_data().expect("data").to_vec()));
                }
                other => panic!("{other:?}"),
            }
        }
        assert!(taken.len() >= 3, "{} of 4 were taken, {most} bytes at a time", taken.len());
        assert_eq!(done, ops.into_iter().zip(answers.iter().cloned()).collect::<Vec<_>>(), "{most}");
    }
}

#[test]
fn what_somebody_has_to_look_at_is_not_taken() {
    for protect in [PairConfig::encrypt, PairConfig::sign] {
        let (mut pair, to) = Pair::connected(protect);
        let (ops, stream) = ask(&mut pair, to, &[Ok(data(1)), Ok(data(2))]);
        assert!(drive(&mut pair.client, &stream, LEN, pair.now).is_empty());
        let ends = ends(&mut pair.client);
        assert_eq!(ends.iter().map(|(op, _)| *op).collect::<Vec<_>>(), ops);
        assert!(ends.iter().all(|(_, end)| matches!(end, Ok(Outcome::Response(_)))));
    }
}

#[test]
fn short_payloads_and_refusals_come_as_ever() {
    let (mut pair, to) = Pair::connected(|_| {});
    let answers = [Ok(vec![7; 60 << 10]), Err(NtStatus::FILE_LOCK_CONFLICT), Ok(data(1)), Ok(vec![8; 100])];
    let (_, stream) = ask(&mut pair, to, &answers);
    let taken = drive(&mut pair.client, &stream, LEN, pair.now);
    let ends = ends(&mut pair.client);
    assert_eq!(taken.len(), 1);
    assert!(
        matches!(&ends[0].1, Ok(Outcome::Response(response)) if response.read_data().expect("data").len() == 60 << 10)
    );
    assert!(matches!(&ends[1].1, Err(error) if error.status() == Some(NtStatus::FILE_LOCK_CONFLICT)));
    assert!(matches!(&ends[2].1, Ok(Outcome::Aside { whole: true, .. })));
    assert!(matches!(&ends[3].1, Ok(Outcome::Response(_))));
}

#[test]
fn what_nobody_takes_is_thrown_away_and_said_to_be() {
    let (mut pair, to) = Pair::connected(|_| {});
    let (ops, stream) = ask(&mut pair, to, &[Ok(data(1)), Ok(data(2)), Ok(data(3))]);
    // The driver does not know of such payloads at first; then it takes a part and gives up.
    pair.client.handle_input(&stream[..LEN + LEN / 2], pair.now);
    if let Some(aside) = pair.client.poll_aside() {
        panic!("{} bytes are thrown away already", aside.left);
    }
    let mut left = &stream[LEN + LEN / 2..];
    pair.client.handle_input(&left[..LEN], pair.now);
    left = &left[LEN..];
    pair.client.throw_aside();
    pair.client.handle_input(left, pair.now);
    let ends = ends(&mut pair.client);
    assert_eq!(ends.iter().map(|(op, _)| *op).collect::<Vec<_>>(), ops);
    assert!(ends.iter().all(|(_, end)| matches!(end, Ok(Outcome::Aside { whole: false, .. }))), "{ends:?}");
}
