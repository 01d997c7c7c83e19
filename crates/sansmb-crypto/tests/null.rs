//! The provider that does nothing, and what counts instead of being random.
#![cfg(feature = "null")]

use sansmb::crypto::{CryptoProvider, Random};
use sansmb::wire::{Cipher, SigningAlgorithm};
use sansmb_crypto::{CounterRandom, NullCrypto};

#[test]
fn text_stays_and_tags_are_zero() {
    let signer = NullCrypto.signer(SigningAlgorithm::AES_CMAC, &[1; 16]).unwrap();
    assert_eq!(signer.sign(&[1; 12], &[b"anything"]), [0; 16]);
    let sealer = NullCrypto.sealer(Cipher::AES_256_GCM, &[1; 32]).unwrap();
    let mut text = *b"text";
    assert_eq!(sealer.seal(&[1; 12], b"aad", &mut text), [0; 16]);
    assert_eq!(&text, b"text");
    assert!(sealer.open(&[1; 12], b"aad", &mut text, &[0; 16]).is_ok());
    assert!(sealer.open(&[1; 12], b"aad", &mut text, &[1; 16]).is_err());
}

/// It refuses what real providers refuse.
#[test]
fn knows_the_algorithms() {
    assert!(NullCrypto.signer(SigningAlgorithm(9), &[1; 16]).is_none());
    assert!(NullCrypto.sealer(Cipher(9), &[1; 16]).is_none());
    assert!(NullCrypto.sealer(Cipher::AES_256_GCM, &[1; 16]).is_none());
}

#[test]
fn counter_repeats_itself_but_never_a_number() {
    let draw = |seed| {
        let (mut random, mut a, mut b) = (CounterRandom::new(seed), [0; 20], [0; 8]);
        random.fill(&mut a);
        random.fill(&mut b);
        (a, b)
    };
    assert_eq!(draw(1), draw(1));
    assert_ne!(draw(1).0, draw(2).0);
    assert_eq!(draw(0).1, 4_u64.to_le_bytes());
}

#[cfg(feature = "os-random")]
#[test]
fn operating_system_fills_everything() {
    let mut bytes = [0; 256];
    sansmb_crypto::OsRandom.fill(&mut bytes);
    assert!(bytes.chunks(32).all(|chunk| chunk.iter().any(|byte| *byte != 0)));
}
