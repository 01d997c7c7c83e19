//! Whole messages, [MS-SMB2] 3.1.4.1, 3.1.4.3 and 3.1.5.1: the helpers of `sansmb::crypto`.
#![cfg(feature = "rustcrypto")]

#[expect(dead_code, reason = "other tests use the sessions")]
mod common;

use std::sync::Arc;

use common::providers;
use sansmb::crypto::{
    BadTag, CryptoProvider, MessageMac, OpenError, Sealer, Signer, open_message, seal_message, sign_message,
    signing_nonce, verify_message,
};
use sansmb::wire::{
    Cipher, Command, Flags, Header, SessionId, SigningAlgorithm, TRANSFORM_LEN, TransformHeader, Writer,
};

fn message(command: Command, flags: Flags, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut w = Writer::new(&mut out);
    Header { command, flags, message_id: 0x0102_0304_0506_0708, ..Header::default() }.encode(&mut w);
    w.bytes(body);
    out
}

fn gmac() -> impl Iterator<Item = Box<dyn Signer>> {
    providers().into_iter().map(|crypto| crypto.signer(SigningAlgorithm::AES_GMAC, &[1; 16]).unwrap())
}

fn gcm(crypto: &Arc<dyn CryptoProvider>) -> Box<dyn Sealer> {
    crypto.sealer(Cipher::AES_128_GCM, &[1; 16]).unwrap()
}

#[test]
fn nonce_tells_the_sender_and_cancel() {
    let bits = |command, flags| {
        let nonce = signing_nonce(&Header::decode(&message(command, flags, &[])).unwrap());
        assert_eq!(nonce[..8], [8, 7, 6, 5, 4, 3, 2, 1]);
        nonce[8..].to_vec()
    };
    assert_eq!(bits(Command::READ, Flags::SIGNED), [0, 0, 0, 0]);
    assert_eq!(bits(Command::READ, Flags::SERVER_TO_REDIR), [1, 0, 0, 0]);
    assert_eq!(bits(Command::CANCEL, Flags::ASYNC_COMMAND), [2, 0, 0, 0]);
}

#[test]
fn signs_in_place_and_sets_the_flag() {
    for signer in gmac() {
        let mut head = message(Command::WRITE, Flags::empty(), b"fixed part");
        let pieces: Vec<&[u8]> = b"payload in many pieces".chunks(2).collect();
        sign_message(&*signer, &mut head, &pieces).unwrap();
        let header = Header::decode(&head).unwrap();
        assert_eq!(header.flags, Flags::SIGNED);
        assert_ne!(header.signature, [0; 16]);
        verify_message(&*signer, &head, &[b"payload in ", b"many pieces"]).unwrap();
        assert_eq!(verify_message(&*signer, &head, &[b"payload in ", b"some pieces"]), Err(BadTag));

        let mut mac = MessageMac::begin(&*signer, &head).unwrap();
        pieces.iter().for_each(|piece| mac.update(piece));
        mac.verify().unwrap();
        assert_eq!(MessageMac::begin(&*signer, &head).unwrap().verify(), Err(BadTag));
    }
}

#[test]
fn a_message_without_a_header_has_no_signature() {
    for signer in gmac() {
        let whole = message(Command::ECHO, Flags::SIGNED, &[]);
        for len in [0, 1, 48, 63] {
            assert!(sign_message(&*signer, &mut whole[..len].to_vec(), &[&whole[len..]]).is_err());
            assert!(verify_message(&*signer, &whole[..len], &[&whole[len..]]).is_err());
            assert!(MessageMac::begin(&*signer, &whole[..len]).is_err());
        }
        let mut other = whole;
        other[0] = 0xFD;
        assert!(sign_message(&*signer, &mut other.clone(), &[]).is_err());
        assert!(verify_message(&*signer, &other, &[]).is_err());
    }
}

#[test]
fn frame_is_sealed_in_its_headroom() {
    for crypto in providers() {
        for cipher in [Cipher::AES_128_CCM, Cipher::AES_128_GCM, Cipher::AES_256_CCM, Cipher::AES_256_GCM] {
            let sealer = crypto.sealer(cipher, &[3; 32][..cipher.key_len()]).unwrap();
            let mut frame = vec![0xEE; TRANSFORM_LEN];
            frame.extend_from_slice(b"message");
            seal_message(&*sealer, cipher, SessionId(0xABCD), 0x77, &mut frame).unwrap();
            let header = TransformHeader::decode(&frame).unwrap();
            assert_eq!(header.session_id.get(), 0xABCD);
            assert_eq!(header.original_message_size.get(), 7);
            assert_eq!(header.nonce, [0x77, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
            assert_eq!(header.reserved.get(), 0);
            assert_ne!(&frame[TRANSFORM_LEN..], b"message");
            let at = open_message(&*sealer, cipher, &mut frame).unwrap();
            assert_eq!(&frame[at], b"message");
        }
    }
}

#[test]
fn no_frame_without_a_message_is_sealed() {
    for crypto in providers() {
        for len in [0, 51, TRANSFORM_LEN] {
            let mut frame = vec![0; len];
            assert!(seal_message(&*gcm(&crypto), Cipher::AES_128_GCM, SessionId(1), 1, &mut frame).is_err());
        }
    }
}

/// F6: a TRANSFORM_HEADER that is cut off, empty behind, or lies about the size is refused before
/// anything is decrypted.
#[test]
fn f6_transform_header_that_lies() {
    for crypto in providers() {
        let sealer = gcm(&crypto);
        let mut good = [[0; TRANSFORM_LEN].as_slice(), &[7; 100]].concat();
        seal_message(&*sealer, Cipher::AES_128_GCM, SessionId(1), 1, &mut good).unwrap();
        let malformed = |frame: &[u8]| {
            let mut frame = frame.to_vec();
            let result = open_message(&*sealer, Cipher::AES_128_GCM, &mut frame);
            assert!(matches!(result, Err(OpenError::Malformed(_))), "{result:?}");
            assert_eq!(frame.get(TRANSFORM_LEN..), good.get(TRANSFORM_LEN..frame.len()));
        };
        for len in 0..good.len() {
            malformed(&good[..len]);
        }
        for size in [0, 1, 63, 99, 101, 0x7FFF_FFFF, u32::MAX] {
            let mut frame = good.clone();
            frame[36..40].copy_from_slice(&size.to_le_bytes());
            malformed(&frame);
        }
        for flags in [0, 2, 0x100_u16] {
            let mut frame = good.clone();
            frame[42..44].copy_from_slice(&flags.to_le_bytes());
            malformed(&frame);
        }
        let mut frame = good.clone();
        frame[0] = 0xFE;
        malformed(&frame);
    }
}

/// Everything but ProtocolId is protected: by the tag, or by being checked. Bytes of the nonce that the
/// cipher does not use are still associated data.
#[test]
fn every_bit_of_a_sealed_frame_counts() {
    for crypto in providers() {
        let sealer = gcm(&crypto);
        let mut good = [[0; TRANSFORM_LEN].as_slice(), b"text"].concat();
        seal_message(&*sealer, Cipher::AES_128_GCM, SessionId(1), 1, &mut good).unwrap();
        for bit in 0..good.len() * 8 {
            let mut frame = good.clone();
            frame[bit / 8] ^= 1 << (bit % 8);
            assert!(open_message(&*sealer, Cipher::AES_128_GCM, &mut frame).is_err(), "bit {bit}");
        }
    }
}
