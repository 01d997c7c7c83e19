//! What holds for every message, with every provider, and against the crates that do the same.
#![cfg(feature = "rustcrypto")]

#[expect(dead_code, reason = "other tests use the sessions")]
mod common;

use aes::{Aes128, Aes256};
use aes_gcm::aead::array::typenum::Unsigned;
use aes_gcm::aead::consts::{U11, U16};
use aes_gcm::aead::{AeadInOut, KeyInit};
use aes_gcm::{Aes128Gcm, Aes256Gcm};
use ccm::Ccm;
use cmac::{Cmac, Mac as _};
use common::providers;
use proptest::collection::vec;
use proptest::prelude::*;
use sansmb::wire::{Cipher, SigningAlgorithm};

const SIGNING: [SigningAlgorithm; 3] =
    [SigningAlgorithm::HMAC_SHA256, SigningAlgorithm::AES_CMAC, SigningAlgorithm::AES_GMAC];
const CIPHERS: [Cipher; 4] =
    [Cipher::AES_128_CCM, Cipher::AES_128_GCM, Cipher::AES_256_CCM, Cipher::AES_256_GCM];

/// Mostly short, sometimes longer than what a cipher takes at once.
fn message() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![4 => vec(any::<u8>(), 0..200), 1 => vec(any::<u8>(), 0..5000)]
}

/// Cuts `bytes` at the places given, in any order, repeated or past the end.
fn cut<'a>(bytes: &'a [u8], at: &[usize]) -> Vec<&'a [u8]> {
    let mut at: Vec<usize> = at.iter().map(|at| (*at).min(bytes.len())).collect();
    at.push(bytes.len());
    at.sort_unstable();
    let mut from = 0;
    at.into_iter().map(|to| &bytes[std::mem::replace(&mut from, to)..to]).collect()
}

proptest! {
    #[test]
    fn pieces_do_not_matter_and_providers_agree(
        key: [u8; 16], nonce: [u8; 12], bytes in message(), at in vec(0..5000_usize, 0..12),
    ) {
        let pieces = cut(&bytes, &at);
        for algorithm in SIGNING {
            let mut signatures = Vec::new();
            for crypto in providers() {
                let signer = crypto.signer(algorithm, &key).unwrap();
                signatures.push(signer.sign(&nonce, &[&bytes]));
                signatures.push(signer.sign(&nonce, &pieces));
                let mut mac = signer.begin(&nonce);
                pieces.iter().for_each(|piece| mac.update(piece));
                signatures.push(mac.finish());
            }
            prop_assert!(signatures.windows(2).all(|two| two[0] == two[1]), "{algorithm} {signatures:?}");
        }
    }

    #[test]
    fn opens_to_what_was_sealed(
        key: [u8; 32], nonce: [u8; 12], aad in vec(any::<u8>(), 1..80), text in message(), flip: usize,
    ) {
        for cipher in CIPHERS {
            let (key, nonce) = (&key[..cipher.key_len()], &nonce[..cipher.nonce_len()]);
            let mut results = Vec::new();
            for crypto in providers() {
                let sealer = crypto.sealer(cipher, key).unwrap();
                let mut sealed = text.clone();
                let tag = sealer.seal(nonce, &aad, &mut sealed);
                results.push((sealed.clone(), tag));

                let mut opened = sealed.clone();
                prop_assert!(sealer.open(nonce, &aad, &mut opened, &tag).is_ok());
                prop_assert_eq!(&opened, &text);

                let mut all = [&sealed[..], &tag, &aad, nonce].concat();
                let at = flip % (all.len() * 8);
                all[at / 8] ^= 1 << (at % 8);
                let (sealed, rest) = all.split_at_mut(text.len());
                let (tag, rest) = rest.split_first_chunk().unwrap();
                let (aad, nonce) = rest.split_at(aad.len());
                prop_assert!(sealer.open(nonce, aad, sealed, tag).is_err(), "{} bit {}", cipher, at);
            }
            prop_assert!(results.windows(2).all(|two| two[0] == two[1]), "{cipher}");
        }
    }

    #[test]
    fn agrees_with_the_crates_of_one_algorithm(
        key: [u8; 32], nonce: [u8; 12], aad in vec(any::<u8>(), 1..80), text in message(),
    ) {
        for crypto in providers() {
            let signer = crypto.signer(SigningAlgorithm::AES_CMAC, key.first_chunk().unwrap()).unwrap();
            let mut cmac = Cmac::<Aes128>::new_from_slice(&key[..16]).unwrap();
            cmac.update(&text);
            let theirs: [u8; 16] = cmac.finalize().into_bytes().into();
            prop_assert_eq!(signer.sign(&nonce, &[&text]), theirs);
            for cipher in CIPHERS {
                let key = &key[..cipher.key_len()];
                let mut sealed = text.clone();
                let tag = crypto.sealer(cipher, key).unwrap().seal(&nonce[..cipher.nonce_len()], &aad, &mut sealed);
                let theirs = match cipher {
                    Cipher::AES_128_CCM => seal::<Ccm<Aes128, U16, U11>>(key, &nonce, &aad, &text),
                    Cipher::AES_256_CCM => seal::<Ccm<Aes256, U16, U11>>(key, &nonce, &aad, &text),
                    Cipher::AES_128_GCM => seal::<Aes128Gcm>(key, &nonce, &aad, &text),
                    _ => seal::<Aes256Gcm>(key, &nonce, &aad, &text),
                };
                prop_assert_eq!((sealed, tag), theirs, "{}", cipher);
            }
        }
    }
}

fn seal<A>(key: &[u8], nonce: &[u8; 12], aad: &[u8], text: &[u8]) -> (Vec<u8>, [u8; 16])
where
    A: AeadInOut<TagSize = U16> + KeyInit,
{
    let mut text = text.to_vec();
    let nonce = (&nonce[..A::NonceSize::USIZE]).try_into().unwrap();
    let tag = A::new_from_slice(key).unwrap().encrypt_inout_detached(nonce, aad, text.as_mut_slice().into());
    (text, tag.unwrap().into())
}

/// The short form of the length of associated data ends at 0xFEFF.
#[test]
fn ccm_takes_long_associated_data() {
    for len in [0xFEFF, 0xFF00, 0x10000, 0x10003] {
        let aad = vec![5; len];
        let theirs = seal::<Ccm<Aes128, U16, U11>>(&[1; 16], &[2; 12], &aad, b"text");
        for crypto in providers() {
            let mut text = *b"text";
            let tag = crypto.sealer(Cipher::AES_128_CCM, &[1; 16]).unwrap().seal(&[2; 11], &aad, &mut text);
            assert_eq!((text.to_vec(), tag), theirs);
        }
    }
}

#[test]
fn refuses_what_it_does_not_know() {
    for crypto in providers() {
        assert!(crypto.signer(SigningAlgorithm(3), &[0; 16]).is_none());
        assert!(crypto.sealer(Cipher(5), &[0; 16]).is_none());
        assert!(crypto.sealer(Cipher::AES_256_GCM, &[0; 16]).is_none());
        assert!(crypto.sealer(Cipher::AES_128_GCM, &[0; 32]).is_none());
        assert!(crypto.sealer(Cipher::AES_128_CCM, &[]).is_none());
        let sealer = crypto.sealer(Cipher::AES_128_GCM, &[0; 16]).unwrap();
        assert!(sealer.open(&[0; 11], &[], &mut [], &[0; 16]).is_err(), "a nonce of the wrong length");
    }
}

/// N17: keys never get into a log.
#[test]
fn n17_nothing_secret_is_printed() {
    for crypto in providers() {
        for algorithm in SIGNING {
            let signer = crypto.signer(algorithm, &[0xAB; 16]).unwrap();
            let printed = format!("{signer:?} {:?}", signer.begin(&[0; 12])).to_lowercase();
            assert!(!printed.contains("171") && !printed.contains("ab, "), "{printed}");
        }
        for cipher in CIPHERS {
            let sealer = crypto.sealer(cipher, &[0xAB; 32][..cipher.key_len()]).unwrap();
            let printed = format!("{sealer:?}").to_lowercase();
            assert!(!printed.contains("171") && !printed.contains("ab, "), "{printed}");
        }
    }
}
