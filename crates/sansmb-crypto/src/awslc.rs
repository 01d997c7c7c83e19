//! The fast provider: AWS-LC, and RustCrypto where AWS-LC is no better.

mod gmac;

use alloc::boxed::Box;
use core::fmt;

use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::{digest, hmac};
use sansmb::crypto::{BadTag, CryptoProvider, Mac, Sealer, Signer};
use sansmb::wire::{Cipher, SigningAlgorithm};

/// AWS-LC for AES-GCM, AES-GMAC and the hashes; AES-CMAC and AES-CCM are [`RustCrypto`](crate::RustCrypto)'s,
/// which are faster. The figures are in `docs/crypto-providers.md`.
#[derive(Clone, Copy, Debug, Default)]
pub struct AwsLc;

impl CryptoProvider for AwsLc {
    fn signer(&self, algorithm: SigningAlgorithm, key: &[u8; 16]) -> Option<Box<dyn Signer>> {
        Some(match algorithm {
            SigningAlgorithm::HMAC_SHA256 => {
                Box::new(Hmac(hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key))))
            }
            SigningAlgorithm::AES_GMAC => Box::new(gmac::Gmac::new(key)?),
            _ => return crate::RustCrypto.signer(algorithm, key),
        })
    }

    fn sealer(&self, cipher: Cipher, key: &[u8]) -> Option<Box<dyn Sealer>> {
        let algorithm = match cipher {
            Cipher::AES_128_GCM => &AES_128_GCM,
            Cipher::AES_256_GCM => &AES_256_GCM,
            _ => return crate::RustCrypto.sealer(cipher, key),
        };
        Some(Box::new(Gcm(LessSafeKey::new(UnboundKey::new(algorithm, key).ok()?))))
    }

    fn hmac_sha256(&self, key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key));
        parts.iter().for_each(|part| mac.update(part));
        first(mac.sign().as_ref())
    }

    fn sha512(&self, parts: &[&[u8]]) -> [u8; 64] {
        let mut hash = digest::Context::new(&digest::SHA512);
        parts.iter().for_each(|part| hash.update(part));
        first(hash.finish().as_ref())
    }
}

fn first<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut out = [0; N];
    out.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    out
}

#[derive(Clone)]
struct Hmac(hmac::Context);

impl Signer for Hmac {
    fn sign(&self, _nonce: &[u8; 12], parts: &[&[u8]]) -> [u8; 16] {
        let mut mac = self.0.clone();
        parts.iter().for_each(|part| mac.update(part));
        first(mac.sign().as_ref())
    }

    fn begin(&self, _nonce: &[u8; 12]) -> Box<dyn Mac> {
        Box::new(self.clone())
    }
}

impl Mac for Hmac {
    fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(self: Box<Self>) -> [u8; 16] {
        first(self.0.sign().as_ref())
    }
}

struct Gcm(LessSafeKey);

impl Sealer for Gcm {
    fn seal(&self, nonce: &[u8], aad: &[u8], text: &mut [u8]) -> [u8; 16] {
        let nonce = Nonce::try_assume_unique_for_key(nonce).expect("a nonce of 12 bytes");
        let tag = self.0.seal_in_place_separate_tag(nonce, Aad::from(aad), text).expect(FAILED);
        first(tag.as_ref())
    }

    fn open(&self, nonce: &[u8], aad: &[u8], text: &mut [u8], tag: &[u8; 16]) -> Result<(), BadTag> {
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| BadTag)?;
        let opened = self.0.open_in_place_separate_tag(nonce, Aad::from(aad), tag, text);
        opened.map(|_| ()).map_err(|_| BadTag)
    }
}

/// What AWS-LC can fail with where its inputs are right by construction: there is no memory.
const FAILED: &str = "AWS-LC fails only without memory";

macro_rules! opaque {
    ($($name:ident),*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        }
    )*};
}
opaque!(Hmac, Gcm);
