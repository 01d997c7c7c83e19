//! Known answers, with every provider. What the fields mean: `testdata/vectors/README.md`.
#![cfg(feature = "rustcrypto")]

mod common;

use std::sync::Arc;

use common::{Session, hex, providers, sessions};
use sansmb::crypto::{
    CryptoProvider, PreauthHash, Sealer, SessionKeys, Signer, derive_key, open_message, seal_message,
    sign_message, verify_message,
};
use sansmb::wire::{
    Cipher, Command, Dialect, Header, NtStatus, SessionId, SigningAlgorithm, TransformHeader,
};
use serde_json::Value;

#[test]
fn primitives() {
    let file: Value =
        serde_json::from_str(include_str!("../../../testdata/vectors/primitives.json")).unwrap();
    let cases = |kind: &str| file[kind].as_array().unwrap().clone();
    for crypto in providers() {
        for case in cases("cmac") {
            let signer = crypto.signer(SigningAlgorithm::AES_CMAC, &hex(&case["key"]).try_into().unwrap());
            let mac = signer.unwrap().sign(&[0; 12], &[&hex(&case["message"])]);
            assert_eq!(mac.as_slice(), hex(&case["mac"]), "{crypto:?} {case}");
        }
        for case in cases("kdf") {
            let [key, label, context] = ["key", "label", "context"].map(|field| hex(&case[field]));
            assert_eq!(derive_key(&*crypto, &key, &label, &context, 16), hex(&case["out"]), "{crypto:?}");
        }
        for case in cases("gcm") {
            let key = hex(&case["key"]);
            let cipher = if key.len() == 32 { Cipher::AES_256_GCM } else { Cipher::AES_128_GCM };
            let sealer = crypto.sealer(cipher, &key).unwrap();
            let [nonce, aad, plain] = ["nonce", "aad", "plain"].map(|field| hex(&case[field]));
            let mut text = plain.clone();
            let tag = sealer.seal(&nonce, &aad, &mut text);
            assert_eq!(text, hex(&case["sealed"]), "{crypto:?} {case}");
            assert_eq!(tag.as_slice(), hex(&case["tag"]), "{crypto:?} {case}");
            sealer.open(&nonce, &aad, &mut text, &tag).unwrap();
            assert_eq!(text, plain);
        }
    }
}

/// GMAC is GCM without text.
#[test]
fn gmac_is_gcm_of_nothing() {
    for crypto in providers() {
        let (key, nonce, aad) = ([7; 16], [9; 12], [3; 77]);
        let tag = crypto.sealer(Cipher::AES_128_GCM, &key).unwrap().seal(&nonce, &aad, &mut []);
        assert_eq!(crypto.signer(SigningAlgorithm::AES_GMAC, &key).unwrap().sign(&nonce, &[&aad]), tag);
    }
}

#[test]
fn preauth_hash() {
    let mut steps = 0;
    for (crypto, session) in every_session() {
        let Some(expected) = session.preauth else { continue };
        let mut hash = PreauthHash::ZERO;
        for (n, message) in session.packets.iter().filter(|p| p.goes_into_preauth()).enumerate() {
            hash.update(&*crypto, &message.wire);
            if let Some(step) = session.preauth_steps.get(n) {
                assert_eq!(hash.value(), step, "{crypto:?} {} step {n}", session.name);
                steps += 1;
            }
        }
        assert_eq!(hash.value(), &expected, "{crypto:?} {}", session.name);
    }
    assert_eq!(steps, 20 * providers().len());
}

#[test]
fn key_derivation() {
    for (crypto, session) in every_session() {
        let derived = session.derive(&*crypto);
        let mut compared = 0;
        for (name, ours) in [
            ("signing", &derived.signing[..]),
            ("client_to_server", &derived.client_to_server),
            ("server_to_client", &derived.server_to_client),
            ("application", &derived.application),
        ] {
            let Some(theirs) = session.keys.get(name) else { continue };
            assert_eq!(ours, theirs, "{crypto:?} {} {name}", session.name);
            compared += 1;
        }
        assert_eq!(compared, session.keys.len());
    }
}

#[test]
fn signatures_verify_and_are_made_again() {
    for (crypto, session) in every_session() {
        let keys = session.derive(&*crypto);
        let signer = crypto.signer(session.signing, &keys.signing).unwrap();
        let binding = session.binding_key.map(|key| crypto.signer(session.signing, &key).unwrap());
        let mut signed = 0;
        for message in session.packets.iter().flat_map(|p| p.messages()) {
            let header = Header::decode(message).unwrap();
            if !header.flags.contains(sansmb::wire::Flags::SIGNED) {
                continue;
            }
            let last = header.is_response() && header.status == NtStatus::SUCCESS;
            let signer = match &binding {
                Some(binding) if header.command == Command::SESSION_SETUP && !last => &**binding,
                _ => &*signer,
            };
            check_signature(signer, message, &format!("{crypto:?} {} {header:?}", session.name));
            signed += 1;
        }
        assert_eq!(signed, session.signed, "{}", session.name);
    }
}

fn check_signature(signer: &dyn Signer, message: &[u8], what: &str) {
    verify_message(signer, message, &[]).unwrap_or_else(|_| panic!("{what}"));
    let (head, rest) = message.split_at(64);
    verify_message(signer, head, &[&rest[..1], &[], &rest[1..]]).unwrap_or_else(|_| panic!("{what}"));
    let mut again = head.to_vec();
    again[16] &= !8;
    again[48..].fill(0xEE);
    sign_message(signer, &mut again, &[rest]).unwrap();
    assert_eq!(again, head, "{what}");
    for flip in [0, 20, 63, message.len() - 1] {
        let mut wrong = message.to_vec();
        wrong[flip] ^= 1;
        assert!(verify_message(signer, &wrong, &[]).is_err(), "{what}: bit at {flip}");
    }
}

#[test]
fn encrypted_packets_open_and_are_sealed_again() {
    for (crypto, session) in every_session() {
        let Some(cipher) = session.cipher else { continue };
        let keys = session.derive(&*crypto);
        let to_server = crypto.sealer(cipher, &keys.client_to_server).unwrap();
        let to_client = crypto.sealer(cipher, &keys.server_to_client).unwrap();
        let mut sealed = 0;
        for packet in &session.packets {
            let Some(plain) = &packet.plain else { continue };
            let sealer = if packet.by_client { &to_server } else { &to_client };
            check_sealed(&**sealer, cipher, &packet.wire, plain);
            sealed += 1;
        }
        assert_eq!(sealed, session.sealed, "{}", session.name);
    }
}

fn check_sealed(sealer: &dyn Sealer, cipher: Cipher, wire: &[u8], plain: &[u8]) {
    let mut frame = wire.to_vec();
    let at = open_message(sealer, cipher, &mut frame).unwrap();
    assert_eq!(&frame[at], plain);

    let header = TransformHeader::decode(wire).unwrap();
    let nonce = &header.nonce[..cipher.nonce_len()];
    let mut text = plain.to_vec();
    let tag = sealer.seal(nonce, &wire[20..52], &mut text);
    assert_eq!((text.as_slice(), tag), (&wire[52..], header.signature));

    // The whole frame, where the sender's nonce is a 64-bit counter as ours is.
    let (counter, rest) = header.nonce.split_first_chunk().unwrap();
    if *rest == [0; 8] {
        let mut frame = vec![0xEE; 52];
        frame.extend_from_slice(plain);
        let session_id = SessionId(header.session_id.get());
        seal_message(sealer, cipher, session_id, u64::from_le_bytes(*counter), &mut frame).unwrap();
        assert_eq!(frame, wire);
    }
    for flip in [4, 20, 45, 52, wire.len() - 1] {
        let mut wrong = wire.to_vec();
        wrong[flip] ^= 1;
        assert!(open_message(sealer, cipher, &mut wrong).is_err(), "bit at {flip}");
    }
}

/// AES-256 keys come from the whole session key, all others from its first 16 bytes.
#[test]
fn n19_aes_256_keys_come_from_the_full_session_key() {
    for crypto in providers() {
        let long: Vec<u8> = (0..32).collect();
        let derive = |cipher, key: &[u8]| {
            SessionKeys::derive(&*crypto, Dialect::SMB3_1_1, Some(cipher), key, &[1; 64])
        };
        let (short_128, long_128) =
            (derive(Cipher::AES_128_GCM, &long[..16]), derive(Cipher::AES_128_GCM, &long));
        let (short_256, long_256) =
            (derive(Cipher::AES_256_GCM, &long[..16]), derive(Cipher::AES_256_GCM, &long));
        assert_eq!(short_128.client_to_server, long_128.client_to_server);
        assert_ne!(short_256.client_to_server, long_256.client_to_server);
        assert_eq!(short_256.signing, long_256.signing);
        assert_eq!(short_256.application, long_256.application);
        assert_eq!(long_256.server_to_client.len(), 32);
    }
}

fn every_session() -> impl Iterator<Item = (Arc<dyn CryptoProvider>, Session)> {
    providers()
        .into_iter()
        .flat_map(|crypto| sessions().into_iter().map(move |session| (Arc::clone(&crypto), session)))
}
