//! Compressed messages that lie: rows F9 to F15 of docs/abuse.md, at the level of the state machines. Streams
//! of the algorithms themselves are in `crates/sansmb/tests/compress`.

use sansmb::{
    client::{self, CompressionPolicy, TreeRef},
    conn::CompressionError,
    crypto::{CryptoProvider, EncryptionPolicy, PreauthHash, SessionKeys, seal_message},
    op,
    server::CloseReason,
    wire::{Cipher, CompressionAlgorithm, Dialect, SessionId, TRANSFORM_LEN},
};
use sansmb_crypto::RustCrypto;
use sansmb_tests::{Pair, PairConfig, raw};

/// What a message may be long after log-on: 8 MiB and what stands around them.
const LIMIT: u32 = (8 << 20) + 4096;

/// An unchained COMPRESSION_TRANSFORM_HEADER and what follows it.
fn compressed(size: u32, algorithm: u16, flags: u16, offset: u32, data: &[u8]) -> Vec<u8> {
    let mut frame = b"\xFCSMB".to_vec();
    frame.extend(size.to_le_bytes());
    frame.extend(algorithm.to_le_bytes());
    frame.extend(flags.to_le_bytes());
    frame.extend(offset.to_le_bytes());
    frame.extend(data);
    frame
}

/// A message in a chain of payloads, each an algorithm and what follows its header.
fn chained(size: u32, payloads: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let mut frame = b"\xFCSMB".to_vec();
    frame.extend(size.to_le_bytes());
    for (at, (algorithm, data)) in payloads.iter().enumerate() {
        frame.extend(algorithm.to_le_bytes());
        frame.extend(u16::from(at == 0).to_le_bytes());
        frame.extend((data.len() as u32).to_le_bytes());
        frame.extend(data);
    }
    frame
}

fn pattern(byte: u8, repetitions: u32) -> Vec<u8> {
    [&[byte, 0, 0, 0][..], &repetitions.to_le_bytes()].concat()
}

/// OriginalPayloadSize and data.
fn sized(size: u32, data: &[u8]) -> Vec<u8> {
    [&size.to_le_bytes()[..], data].concat()
}

/// What ends any connection, whatever it negotiated.
fn compression_attacks() -> Vec<(&'static str, Vec<u8>)> {
    let read = [b"\xFESMB".as_slice(), &[0; 80]].concat();
    let none = |data: &[u8]| (0, data.to_vec());
    // LZ77: the letter and a match that says to be very long.
    let bomb = [0xFF, 0xFF, 0xFF, 0x7F, b'a', 7, 0, 0x0F, 0xFF, 0, 0, 0xFF, 0xFF, 0xFF, 0x7F];
    let mut attacks = vec![
        ("f10 an algorithm that is none", compressed(84, 6, 0, 84, &read)),
        ("f10 no algorithm", compressed(84, 0, 0, 84, &read)),
        ("f10 a pattern without a chain", compressed(84, 4, 0, 84, &[&read[..], &pattern(1, 84)].concat())),
        ("f10 unknown flags", compressed(84, 2, 2, 84, &read)),
        ("f10 an unknown algorithm in a chain", chained(84, &[none(&read), (6, vec![0; 8])])),
        ("f11 offset that overflows", compressed(16, 1, 0, 0xFFFF_FF00, &[0; 20])),
        ("f11 sum that overflows", compressed(0xFFFF_FFF0, 1, 0, 0x20, &[0; 48])),
        ("f11 offset behind the frame", compressed(16, 1, 0, 21, &[0; 20])),
        ("f12 memory bomb", compressed(u32::MAX - 1, 2, 0, 0, &[0; 20])),
        ("f12 one byte over the limit", compressed(LIMIT + 1, 2, 0, 0, &bomb)),
        ("f12 one byte over the limit with its head", compressed(LIMIT + 1 - 84, 2, 0, 84, &read)),
        ("f12 a bomb of another kind of content", compressed(LIMIT, 2, 0, 0, &bomb)),
        ("f12 a chain over the limit", chained(LIMIT + 1, &[none(&read), (4, pattern(0, LIMIT - 83))])),
        ("f13 short output", compressed(4096, 2, 0, 0, &[0, 0, 0, 0, 1])),
        ("f13 a short chain", chained(85, &[none(&read)])),
        ("f13 no chain", compressed(84, 0, 1, 0, &[])),
        ("f14 payload longer than the rest", compressed(84, 0, 1, u32::MAX, &[0; 8])),
        ("f14 repetitions without end", chained(84, &[(4, pattern(0x41, u32::MAX))])),
        ("f14 one repetition too many", chained(94, &[none(&read), (4, pattern(0x41, 11))])),
        ("f14 a size without end", chained(94, &[none(&read), (2, sized(u32::MAX, &[0; 8]))])),
        ("f14 a size that is too large", chained(94, &[none(&read), (2, sized(11, &[0; 16]))])),
        ("f14 a size that is cut off", chained(94, &[none(&read), (2, vec![0; 3])])),
        ("f14 a pattern that is cut off", chained(94, &[none(&read), (4, vec![0; 7])])),
        ("f14 a pattern with more behind it", chained(94, &[none(&read), (4, vec![0; 9])])),
        ("f14 more than was promised", chained(83, &[none(&read)])),
        ("f14 sizes that sum up to nothing", chained(0, &[none(&read)])),
        ("f14 empty payloads", compressed(84, 0, 1, 0, &[0; 8 * 64])),
        ("f14 half a header at the end", [chained(84, &[none(&read)]), vec![0; 7]].concat()),
        ("f15 match before the start", compressed(84, 2, 0, 0, &[0xFF; 64])),
        ("f15 match before a payload", chained(94, &[none(&read), (2, sized(10, &[0xFF; 64]))])),
        ("f15 table over-subscribed", compressed(84, 3, 0, 0, &[0x11; 300])),
        ("f15 chunk with another signature", compressed(84, 1, 0, 0, &[0xFF; 64])),
        ("f15 an offset of zero", compressed(84, 5, 0, 0, &[0x10, 1, 0, 0, 0])),
        ("f9 compression inside compression", chained(20, &[none(&compressed(1, 1, 0, 0, &[0; 4]))])),
        ("f9 a transform inside compression", chained(84, &[none(&[b"\xFDSMB", &read[4..]].concat())])),
        ("f9 SMB1 inside compression", chained(84, &[none(&[b"\xFFSMB", &read[4..]].concat())])),
        ("f9 nothing inside compression", chained(0, &[none(&[])])),
    ];
    for len in 4..16 {
        attacks.push(("f11 a header that is cut off", compressed(84, 2, 0, 0, &[])[..len].to_vec()));
    }
    attacks
}

/// The same READ, whole and in every form.
fn good_frames(message: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let (head, tail) = message.split_at(100);
    let len = message.len() as u32;
    let literals = |data: &[u8]| {
        let groups = data.chunks(32).map(|chunk| match chunk.len() {
            32 => [&[0; 4][..], chunk].concat(),
            n => [&(u32::MAX >> n).to_le_bytes()[..], chunk].concat(),
        });
        groups.collect::<Vec<_>>().concat()
    };
    let zero = message.last() == Some(&0);
    assert!(zero, "a READ ends with a byte for nothing");
    vec![
        ("a chain of one", chained(len, &[(0, message.to_vec())])),
        ("a chain of two", chained(len, &[(0, head.to_vec()), (0, tail.to_vec())])),
        ("unchained", compressed(tail.len() as u32, 2, 0, 100, &[head, &literals(tail)].concat())),
        ("without a plain part", compressed(len, 2, 0, 0, &literals(message))),
        (
            "a pattern, nothing, and data between",
            chained(
                len,
                &[
                    (0, head.to_vec()),
                    (4, pattern(9, 0)),
                    (2, sized(tail.len() as u32 - 1, &literals(&tail[..tail.len() - 1]))),
                    (0, vec![]),
                    (4, pattern(0, 1)),
                ],
            ),
        ),
    ]
}

fn config() -> PairConfig {
    let mut config = PairConfig::default();
    config.client.compression = CompressionPolicy::Always;
    config
}

fn connected(config: PairConfig) -> (Pair, TreeRef) {
    let mut pair = Pair::new(config);
    let tree = pair.connect().expect("connect");
    (pair, tree)
}

/// A connection whose encryption keys the test knows, with compression.
fn encrypted() -> (Pair, TreeRef, SessionKeys) {
    let mut config = config();
    let mechanism = raw::scripted(&mut config);
    config.client.max_dialect = Dialect::SMB3_1_1;
    config.client.encryption = EncryptionPolicy::Required;
    let mut pair = Pair::new(config);
    let session = pair.log_on_with(Box::new(mechanism)).expect("log on");
    // NEGOTIATE both ways and the one SESSION_SETUP request.
    let mut hash = PreauthHash::ZERO;
    let (asked, said) = (messages(&pair.c2s), messages(&pair.s2c));
    for message in [&asked[0], &said[0], &asked[1]] {
        hash.update(&RustCrypto, message);
    }
    let cipher = pair.client.agreement().unwrap().cipher;
    let keys = SessionKeys::derive(&RustCrypto, Dialect::SMB3_1_1, cipher, &raw::SCRIPT_KEY, hash.value());
    let tree = pair.connect_in(session).expect("connect");
    (pair, tree, keys)
}

fn messages(mut stream: &[u8]) -> Vec<&[u8]> {
    let mut messages = Vec::new();
    while let Some((prefix, rest)) = stream.split_first_chunk::<4>() {
        let (message, rest) = rest.split_at(u32::from_be_bytes(*prefix) as usize);
        messages.push(message);
        stream = rest;
    }
    messages
}

fn sealed(key: &[u8], session: SessionId, text: &[u8]) -> Vec<u8> {
    let mut frame = vec![0; TRANSFORM_LEN];
    frame.extend_from_slice(text);
    let sealer = RustCrypto.sealer(Cipher::AES_128_GCM, key).expect("the cipher");
    seal_message(&*sealer, Cipher::AES_128_GCM, session, 900, &mut frame).expect("a message");
    frame
}

#[test]
fn f10_to_f15_compression_that_was_not_negotiated_ends_the_connection() {
    let well_formed = chained(68, &[(0, b"\xFESMB".to_vec()), (4, pattern(0, 64))]);
    for (name, frame) in compression_attacks().into_iter().chain([("well formed", well_formed)]) {
        let mut pair = Pair::new(PairConfig::default());
        pair.give_server(&frame);
        assert!(matches!(pair.ended_silently(), CloseReason::Violation(_)), "{name}");
        let (mut pair, tree) = connected(PairConfig::default());
        pair.give_server(&frame);
        assert!(matches!(pair.ended_silently(), CloseReason::Violation(_)), "{name}");
        let (mut pair, _) = connected(PairConfig::default());
        let op = pair.client.request::<op::Read>(tree, &raw::read(), pair.now);
        pair.give_client(&frame);
        let error = pair.result(op).expect_err(name);
        assert!(matches!(error, client::OpError::Gone(client::CloseReason::Violation(_))), "{name}");
    }
}

#[test]
fn f9_to_f15_hostile_compression_ends_the_connection() {
    for (name, frame) in compression_attacks() {
        let (mut pair, tree) = connected(config());
        pair.give_server(&frame);
        assert!(matches!(pair.ended_silently(), CloseReason::Decompress(_)), "{name}");
        let (mut pair, _) = connected(config());
        let op = pair.client.request::<op::Read>(tree, &raw::read(), pair.now);
        pair.give_client(&frame);
        let error = pair.result(op).expect_err(name);
        assert!(
            matches!(error, client::OpError::Gone(client::CloseReason::Decompress(_))),
            "{name}: {error}"
        );
    }
}

#[test]
fn f9_to_f15_hostile_compression_inside_a_transform_ends_the_connection() {
    for (name, frame) in compression_attacks() {
        let (mut pair, tree, keys) = encrypted();
        pair.give_server(&sealed(&keys.client_to_server, tree.session, &frame));
        assert!(matches!(pair.ended_silently(), CloseReason::Decompress(_)), "{name}");
        let (mut pair, tree, keys) = encrypted();
        let op = pair.client.request::<op::Read>(tree, &raw::read(), pair.now);
        pair.give_client(&sealed(&keys.server_to_client, tree.session, &frame));
        let error = pair.result(op).expect_err(name);
        assert!(
            matches!(error, client::OpError::Gone(client::CloseReason::Decompress(_))),
            "{name}: {error}"
        );
    }
}

/// The control: the same ways, and no lies.
#[test]
fn f9_to_f15_what_is_well_formed_goes_on() {
    let (pair, tree) = connected(config());
    drop(pair);
    let read = raw::request::<op::Read>(tree, raw::FREE_ID, &raw::read());
    for (name, frame) in good_frames(&read) {
        let (mut pair, _) = connected(config());
        pair.give_server(&frame);
        assert_eq!(pair.server_events.len(), 1, "{name}: {:?}", pair.server_closed());
        let (mut pair, tree, keys) = encrypted();
        pair.give_server(&sealed(&keys.client_to_server, tree.session, &frame));
        assert_eq!(pair.server_events.len(), 1, "{name}: {:?}", pair.server_closed());
    }
}

#[test]
fn f10_only_what_was_negotiated_is_taken() {
    let message = [b"\xFESMB".as_slice(), &[0; 96]].concat();
    let mut huffman = message.clone();
    huffman.extend([0; 300]);
    for chained_too in [false, true] {
        let mut config = config();
        config.client.compression_algorithms = vec![CompressionAlgorithm::LZ77];
        config.client.chained_compression = chained_too;
        let frames = [
            ("another algorithm", compressed(10, 3, 0, 100, &huffman)),
            (
                "another algorithm in a chain",
                chained(110, &[(0, message.clone()), (3, sized(10, &[0; 300]))]),
            ),
            ("a pattern", chained(110, &[(0, message.clone()), (4, pattern(0, 10))])),
        ];
        for (name, frame) in frames {
            let (mut pair, _) = connected(PairConfig { client: config.client.clone(), ..self::config() });
            pair.give_server(&frame);
            let reason = pair.ended_silently();
            let refused = matches!(
                reason,
                CloseReason::Decompress(CompressionError::Algorithm(_) | CompressionError::Chained)
            );
            assert!(refused, "{name}: {reason}");
        }
        let (mut pair, tree) = connected(PairConfig { client: config.client, ..self::config() });
        let read = raw::request::<op::Read>(tree, raw::FREE_ID, &raw::read());
        pair.give_server(&chained(read.len() as u32, &[(0, read)]));
        assert_eq!(pair.server_closed().is_none(), chained_too, "a chain of nothing compressed");
    }
}

#[test]
fn f12_before_log_on_messages_are_short_compressed_or_not() {
    let setup = raw::session_setup(1, SessionId(0), &[0; 100]);
    for (more, fine) in
        [((68 << 10) - setup.len() as u32, true), ((68 << 10) - setup.len() as u32 + 1, false)]
    {
        let mut pair = Pair::new(config());
        pair.run();
        let frame = chained(setup.len() as u32 + more, &[(0, setup.clone()), (4, pattern(0, more))]);
        pair.hold = true;
        pair.give_server(&frame);
        if fine {
            assert_eq!(pair.server_closed(), None);
            continue;
        }
        let reason = pair.ended_silently();
        assert!(matches!(reason, CloseReason::Decompress(CompressionError::TooLarge { .. })), "{reason}");
    }
}
