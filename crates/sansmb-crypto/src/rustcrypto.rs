//! The provider in pure Rust.

mod aead;
mod gmac;

use alloc::boxed::Box;
use core::fmt;

use cmac::Cmac;
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
            SigningAlgorithm::HMAC_SHA256 => Box::new(Keyed(Hmac::<Sha256>::new_from_slice(key).ok()?)),
            SigningAlgorithm::AES_CMAC => Box::new(Keyed(Cmac::<aes::Aes128Enc>::new(key.into()))),
            SigningAlgorithm::AES_GMAC => Box::new(gmac::Gmac::new(key)),
            _ => return None,
        })
    }

    fn sealer(&self, cipher: Cipher, key: &[u8]) -> Option<Box<dyn Sealer>> {
        aead::sealer(cipher, key)
    }

    fn hmac_sha256(&self, key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
        let mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key);
        let mut mac = mac.unwrap_or_else(|_| unreachable!("HMAC takes keys of any length"));
        parts.iter().for_each(|part| mac.update(part));
        mac.finalize().into_bytes().into()
    }

    fn sha512(&self, parts: &[&[u8]]) -> [u8; 64] {
        let mut hash = Sha512::new();
        parts.iter().for_each(|part| hash.update(part));
        hash.finalize().into()
    }
}

/// A keyed MAC that takes no nonce; every message starts from a clone of it.
#[derive(Clone)]
struct Keyed<M>(M);

impl<M> fmt::Debug for Keyed<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keyed(..)")
    }
}

impl<M: hmac::Mac + Clone + Send + Sync + 'static> Signer for Keyed<M> {
    fn sign(&self, _nonce: &[u8; 12], parts: &[&[u8]]) -> [u8; 16] {
        let mut mac = self.0.clone();
        parts.iter().for_each(|part| mac.update(part));
        first16(mac)
    }

    fn begin(&self, _nonce: &[u8; 12]) -> Box<dyn Mac> {
        Box::new(self.clone())
    }
}

impl<M: hmac::Mac + Send + Sync + 'static> Mac for Keyed<M> {
    fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(self: Box<Self>) -> [u8; 16] {
        first16(self.0)
    }
}

/// A signature is the first 16 bytes, whatever the algorithm gives.
fn first16<M: hmac::Mac>(mac: M) -> [u8; 16] {
    let full = mac.finalize().into_bytes();
    let mut signature = [0; 16];
    signature.iter_mut().zip(&full).for_each(|(to, from)| *to = *from);
    signature
}
