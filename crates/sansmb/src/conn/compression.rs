//! Compressed messages, [MS-SMB2] 3.1.4.4 and 3.1.5.3: what both sides agreed on, and what they make of it.

use alloc::vec::Vec;

use bytes::Bytes;

use crate::{
    compress::{self, DecompressError},
    wire::{
        ChainedPayload, ChainedPayloads, CompressedMessage, CompressionAlgorithm, DecodeError, HEADER_LEN,
        PROTOCOL_ID, PatternV1, Writer,
    },
};

/// Shorter messages go out as they are: they fit into one packet anyway.
const MIN_MESSAGE: usize = 1400;
/// A chained payload that is no longer is not worth an algorithm.
const MIN_PAYLOAD: usize = 1024;
/// A shorter run is no pattern.
const MIN_PATTERN: usize = 64;
/// Compression has to save one part in so many, or it was for nothing.
const SAVES: usize = 16;

/// Why a compressed message ends its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CompressionError {
    /// The header does not parse.
    #[error(transparent)]
    Malformed(#[from] DecodeError),
    /// This way to compress was not agreed on.
    #[error("{0} was not negotiated for this")]
    Algorithm(CompressionAlgorithm),
    /// Payloads are chained although that was not agreed on.
    #[error("chained compression was not negotiated")]
    Chained,
    /// The message would be longer than this connection allows at this point.
    #[error("compressed message of {len} bytes is over the limit of {limit}")]
    TooLarge {
        /// What it says that it would be long.
        len: u64,
        /// What is allowed now.
        limit: usize,
    },
    /// The data are not what they should be.
    #[error("decompression failed: {0}")]
    Data(#[from] DecompressError),
    /// Something other than an SMB2 message was compressed.
    #[error("a compressed message holds no SMB2 message")]
    Content,
}

/// What a connection agreed on: Connection.CompressionIds and Connection.SupportsChainedCompression.
/// By default nothing, and what is compressed is refused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Compression {
    algorithms: Vec<CompressionAlgorithm>,
    chained: bool,
}

impl Compression {
    /// The algorithms that `offered` and `ours` have in common, in the order of `offered`. Patterns are
    /// nothing without chaining.
    pub fn agree(
        offered: impl Iterator<Item = CompressionAlgorithm>,
        ours: &[CompressionAlgorithm],
        chained: bool,
    ) -> Self {
        let mut algorithms = Vec::new();
        for algorithm in offered {
            let known = match algorithm {
                CompressionAlgorithm::NONE => false,
                CompressionAlgorithm::PATTERN_V1 => chained && ours.contains(&algorithm),
                _ => ours.contains(&algorithm),
            };
            if known && algorithms.len() < ours.len() && !algorithms.contains(&algorithm) {
                algorithms.push(algorithm);
            }
        }
        let chained = chained && !algorithms.is_empty();
        Self { algorithms, chained }
    }

    /// Whether nothing is compressed.
    pub fn is_none(&self) -> bool {
        self.algorithms.is_empty()
    }

    /// Connection.CompressionIds: the algorithms, the most preferred first.
    pub fn algorithms(&self) -> &[CompressionAlgorithm] {
        &self.algorithms
    }

    /// Connection.SupportsChainedCompression
    pub fn chained(&self) -> bool {
        self.chained
    }

    /// The SMB2 message (or compound) in a compressed `frame`, [MS-SMB2] 3.3.5.2.1.2 and 3.2.5.1.1.2.
    /// It is at most `limit` bytes long, and memory is taken only for what really is there. What is
    /// inside is not looked into for more layers.
    pub fn decompress(&self, frame: &[u8], limit: usize) -> Result<Bytes, CompressionError> {
        let compressed = CompressedMessage::decode(frame)?;
        let len = compressed.original_len();
        let total = usize::try_from(len).ok().filter(|total| *total <= limit);
        let total = total.ok_or(CompressionError::TooLarge { len, limit })?;
        let mut message = Vec::new();
        match compressed {
            CompressedMessage::Unchained { original_size, algorithm, plain, compressed } => {
                if algorithm == CompressionAlgorithm::PATTERN_V1 {
                    return Err(CompressionError::Algorithm(algorithm));
                }
                self.check(algorithm)?;
                message.extend_from_slice(plain);
                compress::decompress(algorithm, compressed, original_size as usize, &mut message)?;
            }
            CompressedMessage::Chained { payloads, .. } => {
                if !self.chained {
                    return Err(CompressionError::Chained);
                }
                for payload in payloads.iter() {
                    self.append(&payload, total, &mut message)?;
                }
                if message.len() < total {
                    return Err(DecompressError::TooShort.into());
                }
            }
        }
        message.shrink_to_fit();
        if !message.starts_with(&PROTOCOL_ID) {
            return Err(CompressionError::Content);
        }
        Ok(Bytes::from(message))
    }

    /// Appends one payload of a chain to the message, which is `total` bytes long in the end.
    fn append(
        &self,
        payload: &ChainedPayload<'_>,
        total: usize,
        message: &mut Vec<u8>,
    ) -> Result<(), CompressionError> {
        let algorithm = payload.algorithm;
        if algorithm != CompressionAlgorithm::NONE {
            self.check(algorithm)?;
        }
        let len = usize::try_from(payload.original_len()).unwrap_or(usize::MAX);
        if len > total.saturating_sub(message.len()) {
            return Err(DecompressError::TooLong.into());
        }
        if let Some(pattern) = payload.pattern() {
            message.resize(message.len() + len, pattern.pattern);
        } else if algorithm == CompressionAlgorithm::NONE {
            message.extend_from_slice(payload.data);
        } else {
            compress::decompress(algorithm, payload.data, len, message)?;
        }
        Ok(())
    }

    fn check(&self, algorithm: CompressionAlgorithm) -> Result<(), CompressionError> {
        let agreed = self.algorithms.contains(&algorithm);
        agreed.then_some(()).ok_or(CompressionError::Algorithm(algorithm))
    }

    /// The message `head` and `payload` together, compressed, behind `room` free bytes. `None` when that
    /// was not agreed on or saves too little. The head, with the SMB2 header at its start, stays as it is
    /// where there is a payload; otherwise only the header does.
    pub(crate) fn compress(&self, head: &[u8], payload: &[u8], room: usize) -> Option<Vec<u8>> {
        let total = head.len() + payload.len();
        if self.is_none() || total < MIN_MESSAGE {
            return None;
        }
        let (plain, rest) =
            if payload.is_empty() { head.split_at_checked(HEADER_LEN)? } else { (head, payload) };
        let limit = total - total / SAVES;
        let mut message = alloc::vec![0; room];
        if self.chained {
            self.compress_chained(plain, rest, limit, &mut message)?;
        } else {
            self.compress_unchained(plain, rest, limit, &mut message)?;
        }
        (message.len() - room <= limit).then_some(message)
    }

    /// The algorithm that the other side likes best.
    fn preferred(&self) -> Option<CompressionAlgorithm> {
        self.algorithms.iter().copied().find(|algorithm| *algorithm != CompressionAlgorithm::PATTERN_V1)
    }

    fn compress_unchained(&self, plain: &[u8], rest: &[u8], limit: usize, out: &mut Vec<u8>) -> Option<()> {
        let algorithm = self.preferred()?;
        let message = CompressedMessage::Unchained {
            original_size: u32::try_from(rest.len()).ok()?,
            algorithm,
            plain,
            compressed: &[],
        };
        message.encode(&mut Writer::new(out));
        let limit = limit.checked_sub(plain.len())?;
        compress::compress(algorithm, rest, limit, out).then_some(())
    }

    /// A pattern at the start, whatever is between, and a pattern at the end.
    fn compress_chained(&self, plain: &[u8], rest: &[u8], limit: usize, out: &mut Vec<u8>) -> Option<()> {
        let original_size = u32::try_from(plain.len() + rest.len()).ok()?;
        let run = |run: usize| if run < MIN_PATTERN { 0 } else { run };
        let (mut before, mut after) = (0, 0);
        if self.algorithms.contains(&CompressionAlgorithm::PATTERN_V1) {
            before = run(compress::run_at_start(rest));
            after = run(compress::run_at_end(rest.get(before..)?));
        }
        let between = rest.get(before..rest.len() - after)?;
        let pattern = |bytes: &[u8], repetitions: usize| {
            let pattern = PatternV1 { pattern: *bytes.first()?, repetitions: repetitions as u32 };
            Some(pattern.to_bytes())
        };
        let (first, last) = (pattern(rest, before)?, pattern(rest.get(rest.len() - 1..)?, after)?);
        let chained =
            |algorithm, data| ChainedPayload { algorithm, flags: 0, original_payload_size: None, data };
        let mut packed = Vec::new();
        let mut payloads = Vec::with_capacity(4);
        payloads.push(ChainedPayload { flags: 1, ..chained(CompressionAlgorithm::NONE, plain) });
        if before > 0 {
            payloads.push(chained(CompressionAlgorithm::PATTERN_V1, &first));
        }
        if !between.is_empty() {
            let mut payload = chained(CompressionAlgorithm::NONE, between);
            let algorithm = self.preferred().filter(|_| between.len() > MIN_PAYLOAD);
            if let Some(algorithm) = algorithm
                && compress::compress(algorithm, between, between.len() - between.len() / SAVES, &mut packed)
            {
                payload.algorithm = algorithm;
                payload.original_payload_size = Some(between.len() as u32);
                payload.data = &packed;
            }
            payloads.push(payload);
        }
        if after > 0 {
            payloads.push(chained(CompressionAlgorithm::PATTERN_V1, &last));
        }
        let len: usize = payloads.iter().map(|payload| payload.data.len()).sum();
        if len > limit {
            return None;
        }
        out.reserve_exact(len + 64);
        let message =
            CompressedMessage::Chained { original_size, payloads: ChainedPayloads::List(&payloads) };
        message.encode(&mut Writer::new(out));
        Some(())
    }
}
