//! Compressed messages of clients, [MS-SMB2] 2.2.42.

use sansmb::{
    compress::compress,
    wire::{
        ChainedPayload, ChainedPayloads, CompressedMessage, CompressionAlgorithm, HEADER_LEN, PatternV1,
        Writer,
    },
};

/// What of a WRITE stands before its data: its header and its fixed part.
const BEFORE_DATA: usize = HEADER_LEN + 48;

/// A message compressed by one algorithm, all but its header; by PATTERN_V1 a WRITE of one byte over
/// and over, which makes a chain.
pub(super) fn message(algorithm: CompressionAlgorithm, message: &[u8]) -> Result<Vec<u8>, String> {
    let mut frame = Vec::new();
    if algorithm == CompressionAlgorithm::PATTERN_V1 {
        let (plain, data) = message.split_at_checked(BEFORE_DATA).ok_or("it is no WRITE")?;
        let pattern =
            PatternV1 { pattern: *data.first().ok_or("there are no data")?, repetitions: data.len() as u32 };
        let pattern = pattern.to_bytes();
        let payload =
            |algorithm, flags, data| ChainedPayload { algorithm, flags, original_payload_size: None, data };
        let payloads = [
            payload(CompressionAlgorithm::NONE, 1, plain),
            payload(CompressionAlgorithm::PATTERN_V1, 0, &pattern),
        ];
        let payloads = ChainedPayloads::List(&payloads);
        CompressedMessage::Chained { original_size: message.len() as u32, payloads }
            .encode(&mut Writer::new(&mut frame));
        return Ok(frame);
    }
    let (plain, rest) = message.split_at_checked(HEADER_LEN).ok_or("there is no message")?;
    let mut compressed = Vec::new();
    if !compress(algorithm, rest, rest.len(), &mut compressed) {
        return Err(format!("{algorithm} makes it no shorter"));
    }
    let original_size = rest.len() as u32;
    CompressedMessage::Unchained { original_size, algorithm, plain, compressed: &compressed }
        .encode(&mut Writer::new(&mut frame));
    Ok(frame)
}

/// The algorithms of a compressed message, payload by payload.
pub(super) fn algorithms(frame: &[u8]) -> Result<Vec<CompressionAlgorithm>, String> {
    Ok(match CompressedMessage::decode(frame).map_err(|error| error.to_string())? {
        CompressedMessage::Unchained { algorithm, .. } => vec![algorithm],
        CompressedMessage::Chained { payloads, .. } => {
            payloads.iter().map(|payload| payload.algorithm).collect()
        }
    })
}
