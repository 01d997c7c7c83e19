//! The provider in pure Rust.

mod aead;
mod ccm;
mod cmac;
mod gmac;

use alloc::boxed::Box;
use core::fmt;

use hmac::{Hmac, KeyInit, Mac as _};
use sansmb::crypto::{CryptoProvider, Mac, Sealer, Signer};
use sansmb::wire::{Cipher, SigningAlgorithm};
use sha2::{Digest, Sha256, Sha512};

/// The crates of the RustCrypto project. They use the processor's AES, carry-less multiplication and
/// SHA instructions where it has them, and run everywhere.
#[derive(Clone, Copy, Debug, Default)]
pub struct RustCrypto;

impl CryptoProvider for RustCrypto {
    fn signer(&self, algorithm: SigningAlgorithm, key: &[u8; 16]) -> Option<Box<dyn Signer>> {
        Some(match algorithm {
            SigningAlgorithm::HMAC_SHA256 => Box::new(HmacSha256(Hmac::new_from_slice(key).ok()?)),
            SigningAlgorithm::AES_CMAC => Box::new(cmac::Cmac::new(key)),
            SigningAlgorithm::AES_GMAC => Box::new(gmac::Gmac::new(key)),
            _ => return None,
        })
    }

    fn sealer(&self, cipher: Cipher, key: &[u8]) -> Option<Box<dyn Sealer>> {
        aead::sealer(cipher, key)
    }

    fn hmac_sha256(&self, key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
        let mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key);
        let mut mac = mac.expect("HMAC takes keys of any length");
        parts.iter().for_each(|part| mac.update(part));
        mac.finalize().into_bytes().into()
    }

    fn sha512(&self, parts: &[&[u8]]) -> [u8; 64] {
        let mut hash = Sha512::new();
        parts.iter().for_each(|part| hash.update(part));
        hash.finalize().into()
    }
}

/// HMAC with one key, and a message in the making.
#[derive(Clone)]
struct HmacSha256(Hmac<Sha256>);

impl fmt::Debug for HmacSha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HmacSha256(..)")
    }
}

impl Signer for HmacSha256 {
    fn sign(&self, _nonce: &[u8; 12], parts: &[&[u8]]) -> [u8; 16] {
        let mut mac = self.clone();
        parts.iter().for_each(|part| mac.0.update(part));
        mac.tag()
    }

    fn begin(&self, _nonce: &[u8; 12]) -> Box<dyn Mac> {
        Box::new(self.clone())
    }
}

impl Mac for HmacSha256 {
    fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(self: Box<Self>) -> [u8; 16] {
        self.tag()
    }
}

impl HmacSha256 {
    /// A signature is the first half of the HMAC.
    fn tag(self) -> [u8; 16] {
        let full: [u8; 32] = self.0.finalize().into_bytes().into();
        *full.first_chunk().expect("32 bytes start with 16")
    }
}
