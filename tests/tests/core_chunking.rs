//! However a byte stream is cut into pieces, both sides see and say the same.

use proptest::prelude::*;
use sansmb::{
    client::{EncryptionPolicy, Member, Outcome, Payload, TreeRef},
    op,
    server::{Event, Reply},
    wire::{
        ChangeNotifyRequest, CloseRequest, CreateRequest, CreateResponse, Dialect, FileId, NtStatus,
        ReadRequest, Utf16Buf, WriteResponse,
    },
};
use sansmb_tests::{Pair, PairConfig, raw};

#[derive(Debug, Clone, Copy)]
enum Kind {
    Plain(Dialect),
    Signed(Dialect),
    Encrypted(Dialect),
}

const KINDS: [Kind; 6] = [
    Kind::Plain(Dialect::SMB2_0_2),
    Kind::Plain(Dialect::SMB3_1_1),
    Kind::Signed(Dialect::SMB2_1),
    Kind::Signed(Dialect::SMB3_1_1),
    Kind::Encrypted(Dialect::SMB3_0),
    Kind::Encrypted(Dialect::SMB3_1_1),
];

/// Everything that was said and seen.
#[derive(Debug, PartialEq, Eq)]
struct Record {
    c2s: Vec<u8>,
    s2c: Vec<u8>,
    server_saw: Vec<String>,
    client_saw: Vec<String>,
}

/// A session with small and large messages both ways, pipelined, compounded, pending and cancelled.
fn session(kind: Kind, chunks: Vec<usize>) -> Record {
    let mut config = PairConfig::default();
    let (Kind::Plain(dialect) | Kind::Signed(dialect) | Kind::Encrypted(dialect)) = kind;
    config.client.max_dialect = dialect;
    config.client.require_signing = matches!(kind, Kind::Signed(_));
    if matches!(kind, Kind::Encrypted(_)) {
        config.server.encryption = EncryptionPolicy::Required;
    }
    let mut pair = Pair::new(config);
    pair.chunks = chunks;
    let tree = pair.connect().expect("connect");
    let bulk = if dialect == Dialect::SMB2_0_2 { 60_000 } else { 300_000 };
    let mut record =
        Record { c2s: Vec::new(), s2c: Vec::new(), server_saw: Vec::new(), client_saw: Vec::new() };
    for round in 0..2 {
        ask(&mut pair, tree, bulk >> round);
        settle(&mut pair, &mut record);
    }
    let notify = ChangeNotifyRequest { output_buffer_length: 100, file_id: raw::FILE, ..Default::default() };
    let op = pair.client.request::<op::ChangeNotify>(tree, &notify, pair.now);
    settle(&mut pair, &mut record);
    pair.client.cancel(op);
    settle(&mut pair, &mut record);
    pair.client.log_off(tree.session, pair.now);
    settle(&mut pair, &mut record);
    assert!(pair.server.sessions().is_empty());
    assert_eq!(pair.client.outstanding(), 0);
    record.c2s = pair.c2s;
    record.s2c = pair.s2c;
    record
}

fn ask(pair: &mut Pair, tree: TreeRef, bulk: u32) {
    let Pair { client, now, .. } = pair;
    for length in [1, 200, bulk, 255, 70_000.min(bulk)] {
        client.request::<op::Read>(tree, &ReadRequest { length, ..raw::read() }, *now);
    }
    for len in [1, bulk as usize, 300] {
        let data: Vec<u8> = (0..len).map(|i| (i * 7) as u8).collect();
        client.write(tree, raw::FILE, 5, Payload::Shared(data.into()), *now);
    }
    let name = Utf16Buf::new("name");
    let members = vec![
        Member::new::<op::Create>(&CreateRequest { name: name.as_utf16(), ..Default::default() }),
        Member::new::<op::Read>(&ReadRequest { length: 3, file_id: FileId::ANY, ..Default::default() }),
        Member::new::<op::Close>(&CloseRequest { file_id: FileId::ANY, ..Default::default() }),
    ];
    client.compound(tree, members, *now);
    client.echo(tree.session, *now);
}

/// Lets everything happen, and writes down what either side is told.
fn settle(pair: &mut Pair, record: &mut Record) {
    let mut pending = Vec::new();
    loop {
        let mut moved = pair.step();
        while let Some(event) = pair.server_events.pop_front() {
            moved = true;
            record.server_saw.push(format!("{event:?}"));
            let server = &mut pair.server;
            match event {
                Event::Read(request) => {
                    let length = request.message.body().unwrap().length as usize;
                    let data: Vec<u8> = (0..length).map(|i| (i * 3) as u8).collect();
                    server.respond(request.token, Ok(Reply::shared(data.into()))).unwrap();
                }
                Event::Write(request) => {
                    let count = request.message.data().unwrap().len() as u32;
                    server.respond(request.token, Ok(Reply::new(&WriteResponse { count }))).unwrap();
                }
                Event::Create(request) => {
                    let response = CreateResponse { file_id: raw::FILE, ..Default::default() };
                    server.respond(request.token, Ok(Reply::new(&response))).unwrap();
                }
                Event::Close(request) => {
                    server.respond(request.token, Ok(Reply::new(&Default::default()))).unwrap();
                }
                Event::ChangeNotify(request) => {
                    server.pend(&request.token).unwrap();
                    pending.push(request.token);
                }
                Event::Cancel { .. } => {}
                other => panic!("{other:?}"),
            }
        }
        if !moved {
            break;
        }
    }
    for token in pending {
        // Answered in the next round, as if nothing had happened until the CANCEL came.
        pair.server.respond(token, Err(NtStatus::CANCELLED.into())).unwrap();
    }
    while let Some(event) = pair.client_events.pop_front() {
        if let sansmb::client::Event::Done { result: Ok(Outcome::Response(response)), .. } = &event {
            assert_eq!(response.status(), NtStatus::SUCCESS);
        }
        record.client_saw.push(format!("{event:?}"));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn any_chunking_equals_one_chunk(
        kind in prop::sample::select(&KINDS[..]),
        chunks in prop::collection::vec(
            prop_oneof![3 => 1..8usize, 3 => 8..200usize, 2 => 200..5000usize, 1 => 5000..100_000usize],
            1..12,
        ),
    ) {
        let whole = session(kind, Vec::new());
        let cut = session(kind, chunks);
        prop_assert!(!whole.server_saw.is_empty() && !whole.client_saw.is_empty());
        prop_assert_eq!(whole.server_saw, cut.server_saw);
        prop_assert_eq!(whole.client_saw, cut.client_saw);
        prop_assert!(whole.c2s == cut.c2s, "the client said something else");
        prop_assert!(whole.s2c == cut.s2c, "the server said something else");
    }
}

/// The edges that chance may miss: one byte at a time, and cuts around prefix, header and transform.
#[test]
fn chunks_at_the_edges_equal_one_chunk() {
    for kind in KINDS {
        let whole = session(kind, Vec::new());
        for chunks in [vec![3, 1], vec![4, 64], vec![68, 1], vec![56, 64], vec![65_536], vec![65_535, 1]] {
            assert!(whole == session(kind, chunks.clone()), "{kind:?} {chunks:?}");
        }
    }
}
