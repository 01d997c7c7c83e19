//! Compressed messages and the algorithms in them.

use sansmb::{
    compress,
    conn::Compression,
    wire::{CompressedMessage, CompressionAlgorithm, PROTOCOL_ID},
};

use crate::{
    memory::Budget,
    wire::{print, written},
};

/// What messages and data may be long here.
const LIMIT: usize = 256 << 10;

/// For what becomes `LIMIT` long at most: vectors grow to twice what is in them, and one stays while
/// the next is filled. The encoders keep what they found of a block.
const BUDGET: Budget = Budget { base: 12 * LIMIT, factor: 64 };

/// Headers, then the content by all rules, then the bytes as data of every algorithm.
pub fn compression(data: &[u8]) {
    headers(data);
    BUDGET.check(data.len(), || message(data));
    for algorithm in CompressionAlgorithm::ALL {
        BUDGET.check(data.len(), || unpack(algorithm, data));
        BUDGET.check(data.len(), || there_and_back(algorithm, data));
    }
}

fn headers(data: &[u8]) {
    Budget::PARSER.check(data.len(), || {
        let Ok(message) = CompressedMessage::decode(data) else { return };
        print(&message);
        let again = written(|w| message.encode(w));
        assert_eq!(CompressedMessage::decode(&again), Ok(message));
        if let CompressedMessage::Chained { payloads, .. } = message {
            let all: Vec<_> = payloads.iter().take(data.len()).collect();
            assert!(all.len() <= data.len() / 8);
            assert_eq!(
                payloads.original_len(),
                all.iter().map(|payload| payload.original_len()).sum::<u64>()
            );
            for payload in all {
                let pattern = payload.algorithm == CompressionAlgorithm::PATTERN_V1;
                assert_eq!(payload.pattern().is_some(), pattern);
            }
        }
        let _ = message.original_len();
    });
}

/// As a connection does that agreed on everything.
fn message(data: &[u8]) {
    let all = CompressionAlgorithm::ALL;
    let agreed = Compression::agree(all.into_iter(), &all, true);
    let Ok(message) = agreed.decompress(data, LIMIT) else { return };
    assert!(message.len() <= LIMIT && message.starts_with(&PROTOCOL_ID));
    let said = CompressedMessage::decode(data).map(|compressed| compressed.original_len());
    assert_eq!(said, Ok(message.len() as u64));
    // One byte less is too little, and what was not agreed on is not looked into.
    assert!(agreed.decompress(data, message.len() - 1).is_err());
    assert!(Compression::default().decompress(data, LIMIT).is_err());
}

fn unpack(algorithm: CompressionAlgorithm, data: &[u8]) {
    let Some((len, data)) = data.split_first_chunk::<3>() else { return };
    let [low, middle, high] = *len;
    let len = (u32::from_le_bytes([low, middle, high, 0]) as usize) % LIMIT;
    let mut out = Vec::new();
    let result = compress::decompress(algorithm, data, len, &mut out);
    assert!(out.len() <= len);
    if result.is_ok() {
        assert_eq!(out.len(), len);
        // What comes out can be packed again by ourselves.
        there_and_back(algorithm, &out);
    }
}

fn there_and_back(algorithm: CompressionAlgorithm, data: &[u8]) {
    let mut packed = Vec::new();
    if !compress::compress(algorithm, data, usize::MAX, &mut packed) {
        assert_eq!(algorithm, CompressionAlgorithm::PATTERN_V1);
        return;
    }
    let mut again = Vec::new();
    assert_eq!(compress::decompress(algorithm, &packed, data.len(), &mut again), Ok(()));
    assert!(again == data);
}
