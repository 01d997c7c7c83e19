//! The headers of compressed messages, [MS-SMB2] 2.2.42. What is compressed is not looked at here.

use zerocopy::IntoBytes;
use zerocopy::little_endian::{U16, U32};

use super::parse::{Parsed, data, fixed, parse, to_the_end};
use super::{CompressionAlgorithm, DecodeError, DecodeErrorKind, Writer, fixed_at, span};

/// The first four bytes of a compressed message.
pub const COMPRESSION_PROTOCOL_ID: [u8; 4] = [0xFC, b'S', b'M', b'B'];

/// SMB2_COMPRESSION_FLAG_CHAINED
const FLAG_CHAINED: u16 = 0x0001;

layout! {
    struct UnchainedFixed [16] {
        protocol_id: [u8; 4],
        original_size: U32,
        algorithm: U16,
        flags: U16,
        offset: U32,
    }
}

layout! {
    struct ChainedFixed [8] { protocol_id: [u8; 4], original_size: U32 }
}

layout! {
    struct PayloadFixed [8] { algorithm: U16, flags: U16, length: U32 }
}

/// A compressed message, [MS-SMB2] 2.2.42.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompressedMessage<'m> {
    /// SMB2_COMPRESSION_TRANSFORM_HEADER_UNCHAINED: one compressed segment
    Unchained {
        /// Length of the segment before it was compressed. Offset does not count in.
        original_size: u32,
        /// How the segment is compressed.
        algorithm: CompressionAlgorithm,
        /// The start of the message, as it is; its length is the field Offset.
        plain: &'m [u8],
        /// The rest of the message.
        compressed: &'m [u8],
    },
    /// SMB2_COMPRESSION_TRANSFORM_HEADER_CHAINED: payloads, each in its own way
    Chained {
        /// Length of the message before it was compressed.
        original_size: u32,
        /// The payloads.
        payloads: ChainedPayloads<'m>,
    },
}

impl<'m> CompressedMessage<'m> {
    const WHAT: &'static str = "COMPRESSION_TRANSFORM_HEADER";

    /// Parses `frame`, which is exactly one compressed message.
    pub fn decode(frame: &'m [u8]) -> Result<Self, DecodeError> {
        // A chained header is shorter, but a payload header has to follow it: the same 16 bytes.
        let f: &UnchainedFixed = fixed_at(frame, 0, Self::WHAT)?;
        if f.protocol_id != COMPRESSION_PROTOCOL_ID {
            return Err(DecodeError::new(Self::WHAT, 0, DecodeErrorKind::ProtocolId));
        }
        let original_size = f.original_size.get();
        match f.flags.get() {
            0 => {
                let at = size_of::<UnchainedFixed>();
                let offset = f.offset.get() as usize;
                let plain = span(frame, "COMPRESSION_TRANSFORM_HEADER Offset", at, offset)?;
                Ok(Self::Unchained {
                    original_size,
                    algorithm: CompressionAlgorithm(f.algorithm.get()),
                    plain,
                    compressed: frame.get(at + plain.len()..).unwrap_or_default(),
                })
            }
            FLAG_CHAINED => {
                let payloads = frame.get(size_of::<ChainedFixed>()..).unwrap_or_default();
                Ok(Self::Chained { original_size, payloads: ChainedPayloads::decode(payloads)? })
            }
            flags => Err(DecodeError::value("COMPRESSION_TRANSFORM_HEADER Flags", 10, flags.into())),
        }
    }

    /// Length of the whole message before it was compressed: what has to be checked against the
    /// limit before memory is reserved.
    pub fn original_len(&self) -> u64 {
        match self {
            Self::Unchained { original_size, plain, .. } => u64::from(*original_size) + plain.len() as u64,
            Self::Chained { original_size, .. } => u64::from(*original_size),
        }
    }

    /// Appends the message.
    pub fn encode(&self, w: &mut Writer<'_>) {
        match *self {
            Self::Unchained { original_size, algorithm, plain, compressed } => {
                w.put(&UnchainedFixed {
                    protocol_id: COMPRESSION_PROTOCOL_ID,
                    original_size: U32::new(original_size),
                    algorithm: U16::new(algorithm.0),
                    flags: U16::ZERO,
                    offset: U32::new(plain.len() as u32),
                });
                w.bytes(plain);
                w.bytes(compressed);
            }
            Self::Chained { original_size, payloads } => {
                w.put(&ChainedFixed {
                    protocol_id: COMPRESSION_PROTOCOL_ID,
                    original_size: U32::new(original_size),
                });
                payloads.encode(w);
            }
        }
    }
}

/// One payload of a chain: SMB2_COMPRESSION_CHAINED_PAYLOAD_HEADER and what follows it,
/// [MS-SMB2] 2.2.42.2.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChainedPayload<'m> {
    /// How it is compressed.
    pub algorithm: CompressionAlgorithm,
    /// 1 in the first payload. In later ones senders put anything, and it has no meaning.
    pub flags: u16,
    /// Length before it was compressed. Present with LZNT1, LZ77, LZ77+Huffman and LZ4 only.
    pub original_payload_size: Option<u32>,
    /// The payload as it is transmitted.
    pub data: &'m [u8],
}

impl<'m> ChainedPayload<'m> {
    /// Length before it was compressed. A [`PatternV1`] that is no such thing has length zero.
    pub fn original_len(&self) -> u64 {
        match (self.original_payload_size, self.pattern()) {
            (Some(size), _) => size.into(),
            (None, Some(pattern)) => pattern.repetitions.into(),
            (None, None) if self.algorithm == CompressionAlgorithm::PATTERN_V1 => 0,
            (None, None) => self.data.len() as u64,
        }
    }

    /// The pattern, if the payload is one.
    pub fn pattern(&self) -> Option<PatternV1> {
        (self.algorithm == CompressionAlgorithm::PATTERN_V1).then(|| PatternV1::decode(self.data).ok())?
    }

    fn parse(input: &'m [u8]) -> Parsed<'m, Self> {
        let (input, f) = fixed::<PayloadFixed>(input)?;
        let algorithm = CompressionAlgorithm(f.algorithm.get());
        let (input, content) = data(f.length.get() as usize)(input)?;
        let (original_payload_size, data) = if has_original_size(algorithm) {
            let size: &U32 = fixed_at(content, 0, "chained payload OriginalPayloadSize")?;
            (Some(size.get()), content.get(size_of::<U32>()..).unwrap_or_default())
        } else {
            (None, content)
        };
        if algorithm == CompressionAlgorithm::PATTERN_V1 {
            PatternV1::decode(data)?;
        }
        Ok((input, Self { algorithm, flags: f.flags.get(), original_payload_size, data }))
    }

    /// Appends the payload.
    pub fn encode(&self, w: &mut Writer<'_>) {
        let size_field = self.original_payload_size.map(U32::new);
        w.put(&PayloadFixed {
            algorithm: U16::new(self.algorithm.0),
            flags: U16::new(self.flags),
            length: U32::new((self.data.len() + size_field.map_or(0, |_| size_of::<U32>())) as u32),
        });
        if let Some(size) = size_field {
            w.put(&size);
        }
        w.bytes(self.data);
    }
}

fn has_original_size(algorithm: CompressionAlgorithm) -> bool {
    matches!(
        algorithm,
        CompressionAlgorithm::LZNT1
            | CompressionAlgorithm::LZ77
            | CompressionAlgorithm::LZ77_HUFFMAN
            | CompressionAlgorithm::LZ4
    )
}

/// The payloads of a chain: a view when they were parsed, a slice when they are being built.
#[derive(Clone, Copy, Debug)]
pub enum ChainedPayloads<'m> {
    /// As they stand in a message, every one checked.
    Raw(&'m [u8]),
    /// As they are built.
    List(&'m [ChainedPayload<'m>]),
}

impl<'m> ChainedPayloads<'m> {
    fn decode(bytes: &'m [u8]) -> Result<Self, DecodeError> {
        parse("chained payload", 0, bytes, to_the_end(ChainedPayload::parse))?;
        Ok(Self::Raw(bytes))
    }

    /// The payloads in order.
    pub fn iter(&self) -> impl Iterator<Item = ChainedPayload<'m>> + Clone + use<'m> {
        let mut rest = *self;
        core::iter::from_fn(move || match &mut rest {
            Self::Raw(bytes) => {
                let (behind, payload) = ChainedPayload::parse(bytes).ok()?;
                *bytes = behind;
                Some(payload)
            }
            Self::List(list) => {
                let (payload, behind) = list.split_first()?;
                *list = behind;
                Some(*payload)
            }
        })
    }

    /// Length of all of them before they were compressed.
    pub fn original_len(&self) -> u64 {
        self.iter().map(|payload| payload.original_len()).sum()
    }

    fn encode(&self, w: &mut Writer<'_>) {
        match self {
            Self::Raw(bytes) => w.bytes(bytes),
            Self::List(list) => list.iter().for_each(|payload| payload.encode(w)),
        }
    }
}

impl PartialEq for ChainedPayloads<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for ChainedPayloads<'_> {}

layout! {
    struct PatternFixed [8] { pattern: u8, reserved1: u8, reserved2: U16, repetitions: U32 }
}

/// SMB2_COMPRESSION_PATTERN_PAYLOAD_V1, [MS-SMB2] 2.2.42.2.2: one byte, many times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PatternV1 {
    /// The byte.
    pub pattern: u8,
    /// How many times.
    pub repetitions: u32,
}

impl PatternV1 {
    /// Parses [`ChainedPayload::data`], which must be exactly this structure.
    pub fn decode(data: &[u8]) -> Result<Self, DecodeError> {
        const WHAT: &str = "PATTERN_PAYLOAD_V1";
        let f: &PatternFixed = fixed_at(data, 0, WHAT)?;
        if data.len() != size_of::<PatternFixed>() {
            return Err(DecodeError::value(WHAT, 0, data.len() as u64));
        }
        Ok(Self { pattern: f.pattern, repetitions: f.repetitions.get() })
    }

    /// The structure as it stands on the wire.
    pub fn to_bytes(self) -> [u8; 8] {
        let mut bytes = [0; 8];
        let fixed = PatternFixed {
            pattern: self.pattern,
            reserved1: 0,
            reserved2: U16::ZERO,
            repetitions: U32::new(self.repetitions),
        };
        bytes.copy_from_slice(fixed.as_bytes());
        bytes
    }
}
