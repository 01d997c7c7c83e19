//! Cryptography by name: the core says which operation, a [`CryptoProvider`] supplies it.
//!
//! `sansmb-crypto` holds the providers. A provider that does nothing is for tests and fuzzers; it
//! is a provider like any other, never a build flag.

mod kdf;
mod message;
mod preauth;

pub use kdf::{SessionKeys, derive_key};
pub use message::{
    MessageMac, OpenError, open_message, seal_message, sign_message, signing_nonce, verify_message,
};
pub use preauth::PreauthHash;

use alloc::boxed::Box;
use core::fmt::Debug;

use crate::wire::{Cipher, SigningAlgorithm};

/// Makes keyed algorithms; shared by all connections.
pub trait CryptoProvider: Debug + Send + Sync {
    /// A signer for one key. Every algorithm of SMB2 signs with 16 bytes of key.
    fn signer(&self, algorithm: SigningAlgorithm, key: &[u8; 16]) -> Option<Box<dyn Signer>>;
    /// A cipher for one key of [`Cipher::key_len`] bytes.
    fn sealer(&self, cipher: Cipher, key: &[u8]) -> Option<Box<dyn Sealer>>;
    /// HMAC-SHA256 over the concatenation of `parts`.
    fn hmac_sha256(&self, key: &[u8], parts: &[&[u8]]) -> [u8; 32];
    /// SHA-512 over the concatenation of `parts`.
    fn sha512(&self, parts: &[&[u8]]) -> [u8; 64];
}

/// Signs messages with one key.
pub trait Signer: Debug + Send + Sync {
    /// The signature over the concatenation of `parts`, which are not joined. Only AES-GMAC uses
    /// `nonce`, [MS-SMB2] 3.1.4.1.
    fn sign(&self, nonce: &[u8; 12], parts: &[&[u8]]) -> [u8; 16] {
        let mut mac = self.begin(nonce);
        for part in parts {
            mac.update(part);
        }
        mac.finish()
    }

    /// The same for bytes that come one after the other and are not kept.
    fn begin(&self, nonce: &[u8; 12]) -> Box<dyn Mac>;
}

/// A signature in the making: what [`Signer::begin`] gives.
pub trait Mac: Debug + Send + Sync {
    /// Takes in the next bytes.
    fn update(&mut self, bytes: &[u8]);
    /// The signature over all bytes taken in.
    fn finish(self: Box<Self>) -> [u8; 16];
}

/// Encrypts and decrypts messages in place with one key.
pub trait Sealer: Debug + Send + Sync {
    /// Encrypts `text` and returns the tag. `nonce` has [`Cipher::nonce_len`] bytes.
    fn seal(&self, nonce: &[u8], aad: &[u8], text: &mut [u8]) -> [u8; 16];
    /// Decrypts `text`; on a bad tag its content is undefined and must not be used.
    fn open(&self, nonce: &[u8], aad: &[u8], text: &mut [u8], tag: &[u8; 16]) -> Result<(), BadTag>;
}

/// The tag does not belong to the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("authentication tag does not match")]
pub struct BadTag;

/// Whether messages are encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EncryptionPolicy {
    /// Never.
    Off,
    /// Where the peer or a share asks for it.
    #[default]
    Enabled,
    /// Always: others are refused.
    Required,
}

/// Randomness, handed in at construction so that tests and fuzzers can pass a counter.
pub trait Random: Debug + Send {
    /// Fills `out`.
    fn fill(&mut self, out: &mut [u8]);
}
