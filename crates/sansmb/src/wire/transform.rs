//! TRANSFORM_HEADER, [MS-SMB2] 2.2.41: what stands before an encrypted message.

use zerocopy::IntoBytes;
use zerocopy::little_endian::{U16, U32, U64};

use super::{DecodeError, DecodeErrorKind, fixed_at};

/// Length of the TRANSFORM_HEADER in bytes.
pub const TRANSFORM_LEN: usize = 52;

/// The first four bytes of an encrypted message.
pub const TRANSFORM_PROTOCOL_ID: [u8; 4] = [0xFD, b'S', b'M', b'B'];

layout! {
    /// TRANSFORM_HEADER as it stands on the wire.
    pub struct TransformHeader [52] {
        /// [`TRANSFORM_PROTOCOL_ID`]
        pub protocol_id: [u8; 4],
        /// The tag of the cipher.
        pub signature: [u8; 16],
        /// The nonce of the cipher in the first 11 (CCM) or 12 (GCM) bytes, then zeros.
        pub nonce: [u8; 16],
        /// Length of the message inside, in bytes.
        pub original_message_size: U32,
        /// Zero.
        pub reserved: U16,
        /// [`TransformHeader::ENCRYPTED`]. Before 3.1.1 the field is called EncryptionAlgorithm and
        /// has the same value.
        pub flags: U16,
        /// The session whose keys are used.
        pub session_id: U64,
    }
}

impl TransformHeader {
    /// The only value of `flags` that there is.
    pub const ENCRYPTED: u16 = 1;

    /// The header that `frame` starts with, its protocol identifier and flags checked.
    pub fn decode(frame: &[u8]) -> Result<&Self, DecodeError> {
        const NAME: &str = "TRANSFORM_HEADER";
        let header: &Self = fixed_at(frame, 0, NAME)?;
        if header.protocol_id != TRANSFORM_PROTOCOL_ID {
            return Err(DecodeError::new(NAME, 0, DecodeErrorKind::ProtocolId));
        }
        if header.flags.get() != Self::ENCRYPTED {
            return Err(DecodeError::value("TRANSFORM_HEADER flags", 42, header.flags.get().into()));
        }
        Ok(header)
    }
    /// The header of `frame` and the sealed message behind it, whose length must be the one that
    /// the header promises, [MS-SMB2] 3.3.5.2.1.1.
    pub fn split(frame: &[u8]) -> Result<(&Self, &[u8]), DecodeError> {
        const NAME: &str = "TRANSFORM_HEADER OriginalMessageSize";
        let header = Self::decode(frame)?;
        let message = frame.get(TRANSFORM_LEN..).unwrap_or_default();
        if message.is_empty() {
            return Err(DecodeError::truncated(NAME, TRANSFORM_LEN));
        }
        if message.len() != header.original_message_size.get() as usize {
            return Err(DecodeError::value(NAME, 36, header.original_message_size.get().into()));
        }
        Ok((header, message))
    }

    /// What the cipher authenticates beside the message: everything from the nonce on.
    pub fn aad(&self) -> &[u8] {
        &self.as_bytes()[20..]
    }
}
