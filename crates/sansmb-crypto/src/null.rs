//! Cryptography that does nothing, so that tests can read packets and fuzzers can make them.

use alloc::boxed::Box;

use sansmb::crypto::{BadTag, CryptoProvider, Mac, Random, Sealer, Signer};
use sansmb::wire::{Cipher, SigningAlgorithm};

/// **Insecure.** Every signature, tag, hash and derived key is zero, and encryption leaves the text
/// as it is. A signature or tag that is not zero is refused, so the paths of refusal can be reached.
#[derive(Clone, Copy, Debug, Default)]
pub struct NullCrypto;

impl CryptoProvider for NullCrypto {
    fn signer(&self, algorithm: SigningAlgorithm, _key: &[u8; 16]) -> Option<Box<dyn Signer>> {
        algorithm.name().map(|_| Box::new(Self) as Box<dyn Signer>)
    }

    fn sealer(&self, cipher: Cipher, key: &[u8]) -> Option<Box<dyn Sealer>> {
        cipher.name().filter(|_| key.len() == cipher.key_len()).map(|_| Box::new(Self) as Box<dyn Sealer>)
    }

    fn hmac_sha256(&self, _key: &[u8], _parts: &[&[u8]]) -> [u8; 32] {
        [0; 32]
    }

    fn sha512(&self, _parts: &[&[u8]]) -> [u8; 64] {
        [0; 64]
    }
}

impl Signer for NullCrypto {
    fn begin(&self, _nonce: &[u8; 12]) -> Box<dyn Mac> {
        Box::new(Self)
    }
}

impl Mac for NullCrypto {
    fn update(&mut self, _bytes: &[u8]) {}

    fn finish(self: Box<Self>) -> [u8; 16] {
        [0; 16]
    }
}

impl Sealer for NullCrypto {
    fn seal(&self, _nonce: &[u8], _aad: &[u8], _text: &mut [u8]) -> [u8; 16] {
        [0; 16]
    }

    fn open(&self, _nonce: &[u8], _aad: &[u8], _text: &mut [u8], tag: &[u8; 16]) -> Result<(), BadTag> {
        if *tag == [0; 16] { Ok(()) } else { Err(BadTag) }
    }
}

/// **Insecure.** Counts: every eight bytes are the next number. Two of the same seed give the same.
#[derive(Clone, Copy, Debug, Default)]
pub struct CounterRandom(u64);

impl CounterRandom {
    /// Starts to count after `seed`.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }
}

impl Random for CounterRandom {
    fn fill(&mut self, out: &mut [u8]) {
        for chunk in out.chunks_mut(8) {
            self.0 = self.0.wrapping_add(1);
            chunk.copy_from_slice(&self.0.to_le_bytes()[..chunk.len()]);
        }
    }
}
