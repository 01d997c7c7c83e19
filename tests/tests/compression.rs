//! Compression on both sides, in memory: what is agreed on, what is compressed and what not.

use bytes::Bytes;
use sansmb::{
    client::{CompressionPolicy, EncryptionPolicy, Member, Outcome, Payload, TreeRef},
    conn::{Compression, MessageBuffer},
    op,
    server::{Event, Reply},
    wire::{
        Body, CompressionAlgorithm, CompressionFlags, Dialect, FileId, HEADER_LEN, NegotiateContext,
        NegotiateResponse, NtStatus, QueryDirectoryRequest, QueryDirectoryResponse, ReadFlags, ReadRequest,
        U16List, WriteRequest, WriteResponse,
    },
};
use sansmb_tests::{Pair, PairConfig, raw, scratch::noise};

const LEN: usize = 100_000;

/// Repetitions between two runs.
fn text() -> Vec<u8> {
    let line = include_str!("../../docs/abuse.md").as_bytes();
    let mut text = vec![b'-'; 500];
    text.extend(line.iter().cycle().take(LEN - 1500));
    text.resize(LEN, 0);
    text
}

fn config(policy: CompressionPolicy) -> PairConfig {
    let mut config = PairConfig::default();
    config.client.compression = policy;
    config
}

fn pair(config: PairConfig) -> (Pair, TreeRef) {
    let mut pair = Pair::new(config);
    let tree = pair.connect().expect("connect");
    (pair.c2s, pair.s2c) = (Vec::new(), Vec::new());
    (pair, tree)
}

fn read_request() -> ReadRequest<'static> {
    ReadRequest { length: LEN as u32, file_id: raw::FILE, ..Default::default() }
}

/// Reads `data` and says how many bytes the server sent for them.
fn read(pair: &mut Pair, tree: TreeRef, data: &[u8]) -> usize {
    let before = pair.s2c.len();
    let op = pair.client.request::<op::Read>(tree, &read_request(), pair.now);
    pair.run();
    let Some(Event::Read(read)) = pair.server_events.pop_front() else { panic!("no READ arrived") };
    pair.server.respond(read.token, Ok(Reply::shared(data.to_vec().into()))).unwrap();
    pair.run();
    let Outcome::Response(response) = pair.result(op).expect("READ") else { panic!("wrong outcome") };
    assert!(response.read_data().unwrap() == data, "the data changed");
    pair.s2c.len() - before
}

/// Writes `data` and says how many bytes the client sent for them.
fn write(pair: &mut Pair, tree: TreeRef, data: Payload) -> usize {
    let before = pair.c2s.len();
    let op = pair.client.write(tree, raw::FILE, 0, data.clone(), pair.now);
    pair.run();
    let Some(Event::Write(write)) = pair.server_events.pop_front() else { panic!("no WRITE arrived") };
    assert!(write.message.body().unwrap().data == data.as_slice(), "the data changed");
    let count = data.len() as u32;
    pair.server.respond(write.token, Ok(Reply::new(&WriteResponse { count }))).unwrap();
    pair.run();
    pair.result(op).expect("WRITE");
    pair.c2s.len() - before
}

#[test]
fn every_algorithm_carries_reads_and_writes() {
    let text = text();
    for algorithm in CompressionAlgorithm::ALL {
        for chained in [false, true] {
            for (sign, encryption) in [
                (false, EncryptionPolicy::Off),
                (true, EncryptionPolicy::Off),
                (true, EncryptionPolicy::Required),
            ] {
                let mut config = config(CompressionPolicy::Always);
                config.client.compression_algorithms = vec![algorithm, CompressionAlgorithm::PATTERN_V1];
                config.client.compression_algorithms.dedup();
                config.client.chained_compression = chained;
                config.client.require_signing = sign;
                config.client.encryption = encryption;
                let (mut pair, tree) = pair(config);
                let agreed = pair.client.agreement().unwrap().compression.clone();
                let pattern = algorithm == CompressionAlgorithm::PATTERN_V1;
                assert_eq!(agreed.is_none(), pattern && !chained);
                assert_eq!(agreed.chained(), chained);
                let small = if pattern { LEN + 500 } else { LEN * 7 / 10 };
                assert!(read(&mut pair, tree, &text) < small, "{algorithm} {chained}");
                assert!(write(&mut pair, tree, Bytes::from(text.clone()).into()) < small);
                let mut buffer = MessageBuffer::with_capacity(LEN);
                buffer.extend_from_slice(&text);
                assert!(write(&mut pair, tree, buffer.into()) < small);
                // Runs alone are patterns, or short for any algorithm.
                let run = vec![7; LEN];
                let most = if agreed.is_none() { LEN + 500 } else { 2000 };
                assert!(read(&mut pair, tree, &run) < most, "{algorithm} {chained}");
                assert!(write(&mut pair, tree, Bytes::from(run).into()) < most);
            }
        }
    }
}

#[test]
fn what_does_not_shrink_goes_as_it_is() {
    let (mut pair, tree) = pair(config(CompressionPolicy::Always));
    for data in [noise(LEN, 1), text()[..1000].to_vec()] {
        for sent in [read(&mut pair, tree, &data), write(&mut pair, tree, Bytes::from(data.clone()).into())] {
            assert!((data.len()..data.len() + 200).contains(&sent), "{sent}");
        }
    }
    assert!(!pair.s2c.windows(4).any(|id| id == b"\xFCSMB"));
    assert!(!pair.c2s.windows(4).any(|id| id == b"\xFCSMB"));
}

/// A pattern in noise: the noise goes as it is, and the pattern in a few bytes.
#[test]
fn a_run_beside_noise_is_cut_off() {
    let (mut pair, tree) = pair(config(CompressionPolicy::Always));
    let noise = noise(LEN / 2, 1);
    let run = vec![0; LEN / 2];
    for data in [[&noise[..], &run[..]].concat(), [&run[..], &noise[..]].concat()] {
        assert!(read(&mut pair, tree, &data) < LEN / 2 + 300);
        assert!(write(&mut pair, tree, Bytes::from(data).into()) < LEN / 2 + 300);
    }
}

#[test]
fn a_client_that_does_not_want_it_gets_none() {
    let mut config = config(CompressionPolicy::Off);
    config.compress_share = true;
    let (mut pair, tree) = pair(config);
    assert!(pair.client.agreement().unwrap().compression.is_none());
    assert!(read(&mut pair, tree, &text()) > LEN);
    assert!(write(&mut pair, tree, Bytes::from(text()).into()) > LEN);
}

#[test]
fn older_dialects_have_none() {
    for dialect in [Dialect::SMB2_1, Dialect::SMB3_0, Dialect::SMB3_0_2] {
        let mut config = config(CompressionPolicy::Always);
        config.compress_share = true;
        config.server.max_dialect = dialect;
        let (mut pair, tree) = pair(config);
        assert!(pair.client.agreement().unwrap().compression.is_none());
        assert!(read(&mut pair, tree, &text()) > LEN);
    }
}

/// TreeConnect.CompressData, [MS-SMB2] 3.2.5.5.
#[test]
fn a_share_says_what_is_compressed() {
    for compress_share in [false, true] {
        let mut config = config(CompressionPolicy::Shares);
        config.compress_share = compress_share;
        let (mut pair, tree) = pair(config);
        assert!(!pair.client.agreement().unwrap().compression.is_none());
        assert_eq!(read(&mut pair, tree, &text()) < LEN, compress_share);
        assert_eq!(write(&mut pair, tree, Bytes::from(text()).into()) < LEN, compress_share);
    }
}

/// [MS-SMB2] 3.3.5.12: a READ without the flag is answered as it is, on a share that does not care. What
/// came compressed is answered so, 3.3.5.2.
#[test]
fn answers_are_compressed_where_the_client_asks() {
    for (flags, compressed) in [(ReadFlags::empty(), false), (ReadFlags::REQUEST_COMPRESSED, true)] {
        let (mut pair, tree) = pair(config(CompressionPolicy::Shares));
        let request = ReadRequest { flags, ..read_request() };
        pair.client.request::<op::Read>(tree, &request, pair.now);
        pair.run();
        let Some(Event::Read(read)) = pair.server_events.pop_front() else { panic!("no READ") };
        pair.server.respond(read.token, Ok(Reply::shared(text().into()))).unwrap();
        assert_eq!(pair.take_server()[0].starts_with(b"\xFCSMB"), compressed, "{flags:?}");
    }
    // A chain of one payload, which is the request as it is.
    let (mut pair, tree) = pair(config(CompressionPolicy::Shares));
    let request = ReadRequest { length: 60_000, ..read_request() };
    let request = raw::request::<op::Read>(tree, raw::FREE_ID, &request);
    let mut frame = b"\xFCSMB".to_vec();
    frame.extend((request.len() as u32).to_le_bytes());
    frame.extend([0, 0, 1, 0]);
    frame.extend((request.len() as u32).to_le_bytes());
    frame.extend(&request);
    pair.give_server(&frame);
    let Some(Event::Read(read)) = pair.server_events.pop_front() else { panic!("no READ") };
    pair.server.respond(read.token, Ok(Reply::shared(text()[..60_000].to_vec().into()))).unwrap();
    let answer = pair.take_server().remove(0);
    let agreed = pair.client.agreement().unwrap().compression.clone();
    let message = agreed.decompress(&answer, 2 * LEN).unwrap();
    assert!(message.ends_with(&text()[..60_000]));
}

#[test]
fn compounds_and_answers_without_a_payload_of_their_own_are_compressed() {
    for encryption in [EncryptionPolicy::Off, EncryptionPolicy::Required] {
        let mut config = config(CompressionPolicy::Always);
        config.compress_share = true;
        config.client.encryption = encryption;
        let (mut pair, tree) = pair(config);
        let data = text();
        let file_id = FileId::ANY;
        let request = WriteRequest::new(raw::FILE, 0, sansmb::wire::Bulk(data.len()));
        let listing = QueryDirectoryRequest { output_buffer_length: 65536, file_id, ..Default::default() };
        let members = vec![
            Member::write(&request, Bytes::from(data.clone()).into()),
            Member::new::<op::Read>(&ReadRequest { file_id, ..read_request() }),
            Member::new::<op::QueryDirectory>(&listing),
        ];
        let ops = pair.client.compound(tree, members, pair.now);
        pair.run();
        while let Some(event) = pair.server_events.pop_front() {
            match event {
                Event::Write(write) => {
                    assert!(write.message.body().unwrap().data == data);
                    pair.server.respond(write.token, Ok(Reply::new(&WriteResponse::default()))).unwrap();
                }
                Event::Read(read) => {
                    pair.server.respond(read.token, Ok(Reply::shared(data.clone().into()))).unwrap();
                }
                Event::QueryDirectory(query) => {
                    let reply = Reply::new(&QueryDirectoryResponse { buffer: &data[..60_000] });
                    pair.server.respond(query.token, Ok(reply)).unwrap();
                }
                other => panic!("{other:?}"),
            }
            pair.run();
        }
        for op in &ops[..2] {
            pair.result(*op).unwrap();
        }
        let Outcome::Response(listing) = pair.result(ops[2]).unwrap() else { panic!("wrong outcome") };
        assert!(listing.body::<op::QueryDirectory>().unwrap().buffer == &data[..60_000]);
        assert!(pair.c2s.len() < LEN * 6 / 10, "{}", pair.c2s.len());
        assert!(pair.s2c.len() < (LEN + 60_000) * 6 / 10, "{}", pair.s2c.len());

        let op = pair.client.request::<op::QueryDirectory>(
            tree,
            &QueryDirectoryRequest { file_id: raw::FILE, output_buffer_length: 65536, ..Default::default() },
            pair.now,
        );
        let before = pair.s2c.len();
        pair.run();
        let Some(Event::QueryDirectory(query)) = pair.server_events.pop_front() else { panic!("none") };
        let reply = Reply::new(&QueryDirectoryResponse { buffer: &data[..60_000] });
        pair.server.respond(query.token, Ok(reply)).unwrap();
        pair.run();
        pair.result(op).unwrap();
        assert!(pair.s2c.len() - before < 40_000);
    }
}

/// The contexts that a server answers to `offered`.
fn negotiated(
    ours: &[CompressionAlgorithm],
    flags: CompressionFlags,
    offered: &[CompressionAlgorithm],
) -> Option<(CompressionFlags, Vec<CompressionAlgorithm>)> {
    let mut config = PairConfig::default();
    config.server.compression_algorithms = ours.to_vec();
    let mut pair = Pair::new(config);
    let context = NegotiateContext::Compression { flags, algorithms: U16List::List(offered) };
    let answer =
        pair.ask(&raw::negotiate(0, &[Dialect::SMB3_1_1], &[raw::preauth_context(), context])).remove(0);
    assert_eq!(raw::status(&answer), NtStatus::SUCCESS);
    let answer = NegotiateResponse::decode(&answer).unwrap();
    let contexts: Vec<_> = answer.contexts.iter().collect();
    contexts.into_iter().find_map(|context| match context {
        NegotiateContext::Compression { flags, algorithms } => Some((flags, algorithms.iter().collect())),
        _ => None,
    })
}

/// [MS-SMB2] 3.3.5.4
#[test]
fn a_server_takes_what_both_know_in_the_order_of_the_client() {
    use CompressionAlgorithm as A;
    let all = A::ALL;
    let (none, chained) = (CompressionFlags::empty(), CompressionFlags::CHAINED);
    let offered = [A::LZNT1, A(77), A::PATTERN_V1, A::LZ77, A::LZNT1];
    assert_eq!(negotiated(&all, chained, &offered), Some((chained, vec![A::LZNT1, A::PATTERN_V1, A::LZ77])));
    assert_eq!(negotiated(&all, none, &offered), Some((none, vec![A::LZNT1, A::LZ77])));
    assert_eq!(negotiated(&[A::LZ77], chained, &offered), Some((chained, vec![A::LZ77])));
    assert_eq!(negotiated(&[A::LZ4], none, &offered), Some((none, vec![A::NONE])));
    assert_eq!(negotiated(&all, none, &[A::NONE]), Some((none, vec![A::NONE])));
    assert_eq!(negotiated(&[], chained, &offered), None, "it does not compress");
    let many: Vec<A> = (0..30_000).map(A).collect();
    assert_eq!(negotiated(&all, none, &many).unwrap().1, [A::LZNT1, A::LZ77, A::LZ77_HUFFMAN, A::LZ4]);
}

/// Whole messages of Windows.
#[test]
fn messages_of_windows_are_understood() {
    use sha2::{Digest, Sha256};
    let agreed = Compression::agree(CompressionAlgorithm::ALL.into_iter(), &CompressionAlgorithm::ALL, true);
    for (name, len, hash) in [
        (
            "unchained_lz77_windows",
            131_152,
            "0262ecb3fbc01d4d7db26a9b6c14d2e8e1e9855b2335b1ba79da0bbcd837fb00",
        ),
        (
            "chained_none_pattern_windows",
            368,
            "0d08c0cf5e0e1219ce396798e581235ca17b907a229bab4e3c1496bc8137de85",
        ),
        (
            "chained_none_lz4_pattern_windows",
            4176,
            "17315c8106cc47ceea44fc5257d95e358a03aaa37647ec9937d48d4145871e42",
        ),
    ] {
        let path = format!("{}/../testdata/packets/compression/{name}.hex", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(path).unwrap();
        let digits: String = text.lines().filter(|line| !line.starts_with('#')).collect();
        let bytes = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
        let frame: Vec<u8> = (0..digits.len()).step_by(2).map(bytes).collect();
        let message = agreed.decompress(&frame, 200_000).unwrap();
        assert_eq!(message.len(), len, "{name}");
        let found: String = Sha256::digest(&message).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(found, hash, "{name}");
        assert!(message.len() >= HEADER_LEN);
        assert!(agreed.decompress(&frame, len - 1).is_err(), "{name}: over the limit");
    }
}
