//! The steps between transport and messages, in the order in which a frame takes them.

use std::{collections::BTreeSet, sync::LazyLock};

use arbitrary::{Arbitrary, Unstructured};
use bytes::Bytes;
use sansmb::{
    conn::{FrameError, Rx, SequenceWindow, split_compound},
    crypto::{
        CryptoProvider, MessageMac, Sealer, Signer, open_message, seal_message, sign_message, verify_message,
    },
    wire::{
        Cipher, HEADER_LEN, Header, PROTOCOL_ID, SessionId, SigningAlgorithm, TRANSFORM_LEN, TransformHeader,
    },
};
use sansmb_crypto::{NullCrypto, RustCrypto};

use crate::memory::Budget;

/// A piece of a byte stream.
#[derive(Arbitrary, Debug)]
enum Piece<'a> {
    Bytes(&'a [u8]),
    /// A whole message of so many times 16 bytes: longer than an input could carry itself.
    Frame(u16),
    KeepAlive,
}

#[derive(Arbitrary, Debug)]
struct Stream<'a> {
    max_frame: u32,
    chunks: [u16; 4],
    releases: bool,
    pieces: Vec<Piece<'a>>,
}

/// However a stream is cut, the same messages come out, and the memory for them is bounded.
pub fn frame(data: &[u8]) {
    let Ok(stream) = Stream::arbitrary_take_rest(Unstructured::new(data)) else { return };
    let max_frame = (stream.max_frame & 0x3_FFFF) as usize;
    let mut bytes = Vec::new();
    for piece in &stream.pieces {
        if bytes.len() > 1 << 20 {
            break;
        }
        match piece {
            Piece::Bytes(part) => bytes.extend_from_slice(part),
            Piece::Frame(len) => {
                let len = usize::from(*len) * 16;
                bytes.extend_from_slice(&(len as u32).to_be_bytes());
                bytes.resize(bytes.len() + len, 0xA5);
            }
            Piece::KeepAlive => bytes.extend_from_slice(&[0x85, 0, 0, 0]),
        }
    }
    let expected = reference(&bytes, max_frame);
    // Every message is kept until the end here, each of them perhaps with a scan buffer of its own.
    let held: usize = expected.0.iter().map(|frame| frame.len()).sum();
    let budget = Budget { base: (256 << 10) + 2 * held + max_frame, factor: 0 };
    budget.check(0, || {
        let mut rx = Rx::new(max_frame);
        let mut frames = 0;
        let mut rest = &bytes[..];
        let mut sizes = stream.chunks.iter().cycle();
        let mut end = None;
        let mut releases = if stream.releases { 16 } else { 0 };
        while !rest.is_empty() && end.is_none() {
            let target = rx.target();
            assert!(!target.is_empty(), "there is always room");
            let wanted = sizes.next().map_or(1, |n| usize::from(*n).max(1));
            let n = target.len().min(wanted).min(rest.len());
            target[..n].copy_from_slice(&rest[..n]);
            rest = &rest[n..];
            rx.received(n);
            loop {
                match rx.poll_frame() {
                    Ok(Some(frame)) => {
                        assert_eq!(expected.0.get(frames).copied(), Some(&frame[..]), "message {frames}");
                        frames += 1;
                    }
                    Ok(None) => break,
                    Err(error) => {
                        end = Some(error);
                        break;
                    }
                }
            }
            if releases > 0 {
                rx.release_idle();
                releases -= 1;
            }
        }
        assert_eq!((frames, end), (expected.0.len(), expected.1));
    });
}

/// The messages of a stream, by the plainest code there can be.
fn reference(mut bytes: &[u8], max_frame: usize) -> (Vec<&[u8]>, Option<FrameError>) {
    let mut frames = Vec::new();
    while let Some(([kind, a, b, c], rest)) = bytes.split_first_chunk() {
        let limit = match kind {
            0 => max_frame,
            0x85 => 0,
            _ => return (frames, Some(FrameError::Prefix(*kind))),
        };
        let len = u32::from_be_bytes([0, *a, *b, *c]) as usize;
        if len > limit {
            return (frames, Some(FrameError::TooLarge { len, limit }));
        }
        let Some((frame, after)) = rest.split_at_checked(len) else { break };
        if len > 0 {
            frames.push(frame);
        }
        bytes = after;
    }
    (frames, None)
}

const CIPHERS: [Cipher; 4] =
    [Cipher::AES_128_CCM, Cipher::AES_128_GCM, Cipher::AES_256_CCM, Cipher::AES_256_GCM];
const SIGNERS: [SigningAlgorithm; 3] =
    [SigningAlgorithm::HMAC_SHA256, SigningAlgorithm::AES_CMAC, SigningAlgorithm::AES_GMAC];

static SEALERS: LazyLock<Vec<(Cipher, Box<dyn Sealer>)>> = LazyLock::new(|| {
    let key = |cipher: Cipher| vec![7; cipher.key_len()];
    let make = |cipher| Some((cipher, RustCrypto.sealer(cipher, &key(cipher))?));
    CIPHERS.into_iter().filter_map(make).collect()
});

static SIGNING: LazyLock<Vec<Box<dyn Signer>>> =
    LazyLock::new(|| SIGNERS.into_iter().filter_map(|a| RustCrypto.signer(a, &[7; 16])).collect());

/// Opens what may be an encrypted message. The lowest bit of the first byte makes it one by form.
pub fn transform(data: &[u8]) {
    let Some((mode, frame)) = data.split_first() else { return };
    let mut frame = frame.to_vec();
    if mode & 1 != 0 && frame.len() > TRANSFORM_LEN {
        let size = (frame.len() - TRANSFORM_LEN) as u32;
        frame[..4].copy_from_slice(b"\xFDSMB");
        frame[36..40].copy_from_slice(&size.to_le_bytes());
        frame[42..44].copy_from_slice(&[1, 0]);
    }
    let (cipher, real) = &SEALERS[usize::from(mode >> 1) % SEALERS.len()];
    let null = NullCrypto.sealer(*cipher, &vec![0; cipher.key_len()]).expect("a known cipher");
    Budget { base: 16 << 10, factor: 16 }.check(frame.len(), || {
        let well_formed = TransformHeader::split(&frame).is_ok();
        let mut copy = frame.clone();
        if let Ok(range) = open_message(&*null, *cipher, &mut copy) {
            assert!(well_formed);
            assert_eq!(range, TRANSFORM_LEN..frame.len());
            assert_eq!(copy, frame, "nothing was encrypted");
        }
        assert!(open_message(&**real, *cipher, &mut copy).is_err(), "a forgery");

        let text = frame.get(TRANSFORM_LEN..).unwrap_or_default();
        let mut sealed = vec![0; TRANSFORM_LEN];
        sealed.extend_from_slice(text);
        let counter = u64::from(*mode);
        if seal_message(&**real, *cipher, SessionId(9), counter, &mut sealed).is_ok() {
            let range = open_message(&**real, *cipher, &mut sealed).expect("just sealed");
            assert_eq!(&sealed[range], text);
        } else {
            assert!(text.is_empty());
        }
    });
}

/// Signatures: what is signed in pieces verifies in others, and no changed bit goes unnoticed.
pub fn verify(data: &[u8]) {
    let Some(([mode, low, high], message)) = data.split_first_chunk() else { return };
    let signer = &*SIGNING[usize::from(*mode) % SIGNING.len()];
    let at = usize::from(u16::from_le_bytes([*low, *high]));
    Budget { base: 16 << 10, factor: 64 }.check(message.len(), || {
        let _ = verify_message(signer, message, &[]);
        let mut message = message.to_vec();
        let cut = (at % (message.len() + 1)).max(HEADER_LEN.min(message.len()));
        let (head, rest) = message.split_at_mut(cut);
        let parts: Vec<&[u8]> = rest.chunks(1 + at % 97).collect();
        let signed = sign_message(signer, head, &parts);
        assert_eq!(signed.is_ok(), Header::decode(head).is_ok());
        if signed.is_err() {
            return;
        }
        assert_eq!(verify_message(signer, &message, &[]), Ok(()));
        let (head, rest) = message.split_at(cut);
        let mut mac = MessageMac::begin(signer, head).expect("a header");
        rest.chunks(1 + at % 61).for_each(|part| mac.update(part));
        assert_eq!(mac.verify(), Ok(()));
        let bit = at % (message.len() * 8);
        message[bit / 8] ^= 1 << (bit % 8);
        assert!(verify_message(signer, &message, &[]).is_err(), "bit {bit} is not covered");
    });
}

/// Compounds: the messages are the frame, cut.
pub fn compound(data: &[u8]) {
    let frame = Bytes::copy_from_slice(data);
    Budget { base: 4 << 10, factor: 8 }.check(data.len(), || {
        let Ok(compound) = split_compound(frame) else { return };
        assert!(compound.iter().count() <= data.len() / HEADER_LEN);
        let mut at = 0;
        for (header, message) in &compound {
            assert_eq!(Header::decode(message).as_ref(), Ok(header));
            assert!(message.starts_with(&PROTOCOL_ID));
            assert_eq!(Some(&message[..]), data.get(at..at + message.len()));
            at += message.len();
            assert!(header.next_command == 0 || header.next_command as usize == message.len());
        }
        assert_eq!(at, data.len());
    });
}

#[derive(Arbitrary, Debug)]
enum Credit {
    /// A MessageId, counted from the lowest that is free, and a charge.
    Consume(u16, u8),
    /// Far away.
    ConsumeAt(u64, u16),
    Grant(u16),
}

/// The window of MessageIds against a set of numbers.
pub fn credits(data: &[u8]) {
    let mut input = Unstructured::new(data);
    let Ok(max) = input.int_in_range(1..=600_u32) else { return };
    Budget { base: 64 << 10, factor: 64 }.check(data.len(), || {
        let mut window = SequenceWindow::new(max);
        let mut free: BTreeSet<u64> = [0].into();
        let mut next = 1;
        while !input.is_empty() {
            let Ok(step) = input.arbitrary() else { break };
            let (id, charge) = match step {
                Credit::Consume(id, charge) => {
                    (free.first().map_or(next, |low| low + u64::from(id % 1024)), u16::from(charge))
                }
                Credit::ConsumeAt(id, charge) => (id, charge),
                Credit::Grant(wanted) => {
                    let granted = window.grant(wanted);
                    assert!(granted <= wanted.max(u16::from(free.is_empty())));
                    assert!(granted > 0 || !free.is_empty(), "the client has nothing to go on with");
                    free.extend(next..next + u64::from(granted));
                    next += u64::from(granted);
                    assert_eq!(window.available() as usize, free.len());
                    assert!(free.len() <= max as usize);
                    continue;
                }
            };
            let end = id.checked_add(charge.max(1).into());
            let allowed = end.filter(|end| (id..*end).all(|id| free.contains(&id)));
            assert_eq!(window.consume(id, charge).is_ok(), allowed.is_some(), "{id}, {charge} of {free:?}");
            if let Some(end) = allowed {
                (id..end).for_each(|id| assert!(free.remove(&id)));
            }
            assert_eq!(window.available() as usize, free.len());
        }
    });
}
