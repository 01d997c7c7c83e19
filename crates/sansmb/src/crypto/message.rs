//! Signatures and encryption of whole messages, [MS-SMB2] 3.1.4.1, 3.1.4.3 and 3.1.5.1.

use alloc::{boxed::Box, vec::Vec};
use core::{fmt, ops::Range};

use subtle::ConstantTimeEq;
use zerocopy::{IntoBytes, little_endian as le};

use super::{BadTag, Mac, Sealer, Signer};
use crate::wire::{
    Cipher, Command, DecodeError, Flags, HEADER_LEN, Header, SessionId, TRANSFORM_LEN, TRANSFORM_PROTOCOL_ID,
    TransformHeader,
};

/// Where Signature stands in the SMB2 header; it ends the header.
const SIGNATURE_AT: usize = 48;
/// Where Flags stands in the SMB2 header.
const FLAGS: Range<usize> = 16..20;
/// What the cipher authenticates besides the message: all but ProtocolId and Signature.
const TRANSFORM_AAD: Range<usize> = 20..TRANSFORM_LEN;

/// The nonce of AES-GMAC: MessageId, then who sends it and whether it is a CANCEL.
pub fn signing_nonce(header: &Header) -> [u8; 12] {
    let mut bits = u32::from(header.is_response());
    if header.command == Command::CANCEL {
        bits |= 2;
    }
    let mut nonce = [0; 12];
    nonce[..8].copy_from_slice(&header.message_id.to_le_bytes());
    nonce[8..].copy_from_slice(&bits.to_le_bytes());
    nonce
}

/// Signs one message of a compound: sets [`Flags::SIGNED`] and Signature in its header.
///
/// `head` starts with the header; `rest` is what follows it on the wire, padding up to the next
/// message of the compound included. Fails when `head` does not hold a header.
pub fn sign_message(signer: &dyn Signer, head: &mut [u8], rest: &[&[u8]]) -> Result<(), DecodeError> {
    let truncated = DecodeError::truncated("SMB2 header", head.len());
    let (header, body) = head.split_first_chunk_mut::<HEADER_LEN>().ok_or(truncated)?;
    let nonce = signing_nonce(&Header::decode(header)?);
    header[FLAGS.start] |= Flags::SIGNED.bits() as u8;
    header[SIGNATURE_AT..].fill(0);
    let signature = with_parts([header.as_slice(), &*body], rest, |parts| signer.sign(&nonce, parts));
    header[SIGNATURE_AT..].copy_from_slice(&signature);
    Ok(())
}

/// Whether the signature in the header of one message of a compound is right.
///
/// `head` starts with the header; `rest` is what follows it, padding up to the next message
/// included. Takes the same time wherever the signatures differ.
pub fn verify_message(signer: &dyn Signer, head: &[u8], rest: &[&[u8]]) -> Result<(), BadTag> {
    let (header, body) = head.split_first_chunk::<HEADER_LEN>().ok_or(BadTag)?;
    let parsed = Header::decode(header).map_err(|_| BadTag)?;
    let header = unsigned(header);
    let nonce = signing_nonce(&parsed);
    let signature = with_parts([&header, body], rest, |parts| signer.sign(&nonce, parts));
    compare(&signature, &parsed.signature)
}

/// Verifies a message whose bytes come one after the other and are not kept.
pub struct MessageMac {
    mac: Box<dyn Mac>,
    expected: [u8; 16],
}

impl MessageMac {
    /// `head` starts with the header. Fails when it does not hold one.
    pub fn begin(signer: &dyn Signer, head: &[u8]) -> Result<Self, DecodeError> {
        let truncated = DecodeError::truncated("SMB2 header", head.len());
        let (header, body) = head.split_first_chunk::<HEADER_LEN>().ok_or(truncated)?;
        let parsed = Header::decode(header)?;
        let mut mac = signer.begin(&signing_nonce(&parsed));
        mac.update(&unsigned(header));
        mac.update(body);
        Ok(Self { mac, expected: parsed.signature })
    }

    /// Takes in the bytes that follow.
    pub fn update(&mut self, bytes: &[u8]) {
        self.mac.update(bytes);
    }

    /// Whether the signature is right, all bytes having been taken in.
    pub fn verify(self) -> Result<(), BadTag> {
        compare(&self.mac.finish(), &self.expected)
    }
}

impl fmt::Debug for MessageMac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MessageMac(..)")
    }
}

/// The header as it is hashed: Signature is zero.
fn unsigned(header: &[u8; HEADER_LEN]) -> [u8; HEADER_LEN] {
    let mut header = *header;
    header[SIGNATURE_AT..].fill(0);
    header
}

fn compare(a: &[u8; 16], b: &[u8; 16]) -> Result<(), BadTag> {
    if bool::from(a.ct_eq(b)) { Ok(()) } else { Err(BadTag) }
}

/// Lists `first` and `rest` in one slice; the list needs memory of its own only when it is long.
fn with_parts<R>(first: [&[u8]; 2], rest: &[&[u8]], then: impl FnOnce(&[&[u8]]) -> R) -> R {
    const INLINE: usize = 8;
    let len = first.len() + rest.len();
    if len > INLINE {
        let parts: Vec<&[u8]> = first.into_iter().chain(rest.iter().copied()).collect();
        return then(&parts);
    }
    let mut parts: [&[u8]; INLINE] = [&[]; INLINE];
    parts[..2].copy_from_slice(&first);
    parts[2..len].copy_from_slice(rest);
    then(&parts[..len])
}

/// Why an encrypted message cannot be opened. Both end the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The TRANSFORM_HEADER is not one, or does not fit the frame.
    #[error(transparent)]
    Malformed(#[from] DecodeError),
    /// The message is not the one that was encrypted.
    #[error(transparent)]
    BadTag(#[from] BadTag),
}

/// Encrypts a message, or a whole compound, in place.
///
/// `frame` has [`TRANSFORM_LEN`] bytes for the TRANSFORM_HEADER in front of the message; nothing is
/// appended. `nonce_counter` must never have been used with this key before: keys belong to the
/// session, so all its channels draw from one counter. Fails when `frame` holds no message.
pub fn seal_message(
    sealer: &dyn Sealer,
    cipher: Cipher,
    session_id: SessionId,
    nonce_counter: u64,
    frame: &mut [u8],
) -> Result<(), DecodeError> {
    const NAME: &str = "message to encrypt";
    let len = frame.len();
    let (head, text) = frame
        .split_first_chunk_mut::<TRANSFORM_LEN>()
        .filter(|(_, text)| !text.is_empty())
        .ok_or(DecodeError::truncated(NAME, len))?;
    let size = u32::try_from(text.len()).map_err(|_| DecodeError::value(NAME, 0, text.len() as u64))?;
    let mut nonce = [0; 16];
    nonce[..8].copy_from_slice(&nonce_counter.to_le_bytes());
    let mut header = TransformHeader {
        protocol_id: TRANSFORM_PROTOCOL_ID,
        signature: [0; 16],
        nonce,
        original_message_size: le::U32::new(size),
        reserved: le::U16::ZERO,
        flags: le::U16::new(TransformHeader::ENCRYPTED),
        session_id: le::U64::new(session_id.0),
    };
    header.signature = sealer.seal(&nonce[..cipher.nonce_len()], &header.as_bytes()[TRANSFORM_AAD], text);
    head.copy_from_slice(header.as_bytes());
    Ok(())
}

/// Decrypts a frame in place and says where in it the message stands.
///
/// Which session, and so which `sealer`, the caller finds with [`TransformHeader::decode`]. After an
/// error the frame's content is undefined.
pub fn open_message(
    sealer: &dyn Sealer,
    cipher: Cipher,
    frame: &mut [u8],
) -> Result<Range<usize>, OpenError> {
    const SIZE_AT: usize = 36;
    let len = frame.len();
    let header = *TransformHeader::decode(frame)?;
    let text = frame.get_mut(TRANSFORM_LEN..).unwrap_or_default();
    if text.is_empty() {
        return Err(DecodeError::truncated("encrypted message", TRANSFORM_LEN).into());
    }
    let size = header.original_message_size.get();
    if usize::try_from(size) != Ok(text.len()) {
        return Err(DecodeError::value("OriginalMessageSize", SIZE_AT, size.into()).into());
    }
    let nonce = &header.nonce[..cipher.nonce_len()];
    sealer.open(nonce, &header.as_bytes()[TRANSFORM_AAD], text, &header.signature)?;
    Ok(TRANSFORM_LEN..len)
}
