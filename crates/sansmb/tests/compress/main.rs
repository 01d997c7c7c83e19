//! The algorithms of compression: known answers, what goes in and out, and hostile data.

mod hostile;
#[path = "../wire/packet.rs"]
#[expect(dead_code, reason = "only the reading of files is wanted")]
mod packet;
mod roundtrip;
mod vectors;

use sansmb::{
    compress::{DecompressError, compress, decompress},
    wire::CompressionAlgorithm,
};

/// Those that have data of their own.
const ALGORITHMS: [CompressionAlgorithm; 4] = [
    CompressionAlgorithm::LZNT1,
    CompressionAlgorithm::LZ77,
    CompressionAlgorithm::LZ77_HUFFMAN,
    CompressionAlgorithm::LZ4,
];

fn unpacked(algorithm: CompressionAlgorithm, input: &[u8], len: usize) -> Result<Vec<u8>, DecompressError> {
    // Behind something else, which matches must not reach.
    let mut out = b"before".to_vec();
    decompress(algorithm, input, len, &mut out)?;
    assert!(out.starts_with(b"before"));
    Ok(out.split_off(6))
}

fn packed(algorithm: CompressionAlgorithm, input: &[u8], limit: usize) -> Option<Vec<u8>> {
    let mut out = b"before".to_vec();
    let done = compress(algorithm, input, limit, &mut out);
    assert!(out.starts_with(b"before") && (done || out.len() == 6));
    done.then(|| out.split_off(6))
}
