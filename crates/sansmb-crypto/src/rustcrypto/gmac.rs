//! AES-GMAC over pieces: GHASH is fed whole blocks, and what is left of a piece waits for the next.

use alloc::boxed::Box;
use core::fmt;

use aes::cipher::BlockCipherEncrypt;
use aes::{Aes128Enc, Block};
use ghash::universal_hash::UniversalHash;
use ghash::{GHash, Key};
use hmac::KeyInit;
use sansmb::crypto::{Mac, Signer};
use zeroize::Zeroize;

/// AES-128-GMAC, RFC 4543, with one key.
pub(super) struct Gmac {
    cipher: Aes128Enc,
    hash: GHash,
}

impl Gmac {
    pub(super) fn new(key: &[u8; 16]) -> Self {
        let cipher = Aes128Enc::new(key.into());
        let mut subkey = Key::default();
        cipher.encrypt_block(&mut subkey);
        let hash = GHash::new(&subkey);
        subkey.zeroize();
        Self { cipher, hash }
    }

    fn start(&self, nonce: &[u8; 12]) -> Running {
        let mut mask = Block::default();
        mask[..12].copy_from_slice(nonce);
        mask[15] = 1;
        self.cipher.encrypt_block(&mut mask);
        Running { hash: self.hash.clone(), mask, held: Block::default(), len: 0 }
    }
}

impl fmt::Debug for Gmac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Gmac(..)")
    }
}

impl Signer for Gmac {
    fn sign(&self, nonce: &[u8; 12], parts: &[&[u8]]) -> [u8; 16] {
        let mut running = self.start(nonce);
        parts.iter().for_each(|part| running.take(part));
        running.tag()
    }

    fn begin(&self, nonce: &[u8; 12]) -> Box<dyn Mac> {
        Box::new(self.start(nonce))
    }
}

/// GMAC of one message in the making.
struct Running {
    hash: GHash,
    /// Encrypted first counter block; the tag is the hash XOR this.
    mask: Block,
    /// The first `len % 16` bytes are the end of the input that makes no whole block yet.
    held: Block,
    /// Bytes taken in.
    len: u64,
}

impl Running {
    fn take(&mut self, mut bytes: &[u8]) {
        let held = (self.len % 16) as usize;
        self.len += bytes.len() as u64;
        if held > 0 {
            let room = &mut self.held[held..];
            let (now, later) = bytes.split_at(bytes.len().min(room.len()));
            room[..now.len()].copy_from_slice(now);
            if now.len() < room.len() {
                return;
            }
            self.hash.update(core::slice::from_ref(&self.held));
            bytes = later;
        }
        let (blocks, rest) = Block::slice_as_chunks(bytes);
        self.hash.update(blocks);
        self.held[..rest.len()].copy_from_slice(rest);
    }

    fn tag(mut self) -> [u8; 16] {
        let held = (self.len % 16) as usize;
        if held > 0 {
            self.held[held..].fill(0);
            self.hash.update(core::slice::from_ref(&self.held));
        }
        // All input is associated data: the length of the text is zero.
        let mut lengths = Block::default();
        lengths[..8].copy_from_slice(&(self.len * 8).to_be_bytes());
        self.hash.update(&[lengths]);
        let mut tag: [u8; 16] = self.hash.finalize().into();
        tag.iter_mut().zip(&self.mask).for_each(|(t, m)| *t ^= m);
        tag
    }
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Gmac(..)")
    }
}

impl Mac for Running {
    fn update(&mut self, bytes: &[u8]) {
        self.take(bytes);
    }

    fn finish(self: Box<Self>) -> [u8; 16] {
        self.tag()
    }
}
