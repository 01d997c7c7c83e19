//! AES-CMAC over pieces, RFC 4493.
//!
//! The `cmac` crate keeps the state of the chain in memory between two blocks and has half the speed;
//! the tests compare the two.

use alloc::boxed::Box;
use core::fmt;

use aes::cipher::consts::U16;
use aes::cipher::{BlockCipherEncBackend, BlockCipherEncClosure, BlockCipherEncrypt, BlockSizeUser, KeyInit};
use aes::{Aes128Enc, Block};
use sansmb::crypto::{Mac, Signer};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// AES-128-CMAC with one key, and a message in the making.
#[derive(Clone)]
pub(super) struct Cmac {
    cipher: Aes128Enc,
    subkeys: Subkeys,
    mac: Block,
    /// The end of what came in: the last block is treated unlike the others, so a full one waits
    /// here until it is known whether more follows.
    held: Block,
    held_len: usize,
}

/// K1 and K2 of RFC 4493.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
struct Subkeys {
    full: u128,
    partial: u128,
}

impl Cmac {
    pub(super) fn new(key: &[u8; 16]) -> Self {
        let cipher = Aes128Enc::new(key.into());
        let mut zero = Block::default();
        cipher.encrypt_block(&mut zero);
        let full = double(u128::from_be_bytes(zero.into()));
        zero.zeroize();
        let subkeys = Subkeys { full, partial: double(full) };
        Self { cipher, subkeys, mac: Block::default(), held: Block::default(), held_len: 0 }
    }

    fn take(&mut self, bytes: &[u8]) {
        let room = &mut self.held[self.held_len..];
        let (now, later) = bytes.split_at(bytes.len().min(room.len()));
        room[..now.len()].copy_from_slice(now);
        self.held_len += now.len();
        if later.is_empty() {
            return;
        }
        let last = later.len() - ((later.len() - 1) % 16 + 1);
        let (blocks, _) = Block::slice_as_chunks(&later[..last]);
        let first = core::slice::from_ref(&self.held);
        self.cipher.encrypt_with_backend(Chain { mac: &mut self.mac, first, blocks });
        let rest = &later[last..];
        self.held[..rest.len()].copy_from_slice(rest);
        self.held_len = rest.len();
    }

    fn tag(mut self) -> [u8; 16] {
        let mut subkey = self.subkeys.full;
        if let Some((padding, zeros)) = self.held[self.held_len..].split_first_mut() {
            *padding = 0x80;
            zeros.fill(0);
            subkey = self.subkeys.partial;
        }
        let last = xor(&self.held, &subkey.to_be_bytes().into());
        self.cipher.encrypt_with_backend(Chain { mac: &mut self.mac, first: &[last], blocks: &[] });
        self.mac.into()
    }
}

/// Multiplies by x in GF(2^128), in constant time.
fn double(x: u128) -> u128 {
    (x << 1) ^ (0x87 * (x >> 127))
}

/// Takes `first` and then `blocks` into the chain.
struct Chain<'a> {
    mac: &'a mut Block,
    first: &'a [Block],
    blocks: &'a [Block],
}

impl BlockSizeUser for Chain<'_> {
    type BlockSize = U16;
}

impl BlockCipherEncClosure for Chain<'_> {
    #[inline(always)]
    fn call<B: BlockCipherEncBackend<BlockSize = U16>>(self, backend: &B) {
        // Local, so that it stays in a register.
        let mut mac = *self.mac;
        for block in self.first.iter().chain(self.blocks) {
            mac = xor(&mac, block);
            backend.encrypt_block((&mut mac).into());
        }
        *self.mac = mac;
    }
}

#[inline(always)]
pub(super) fn xor(a: &Block, b: &Block) -> Block {
    (u128::from_ne_bytes((*a).into()) ^ u128::from_ne_bytes((*b).into())).to_ne_bytes().into()
}

impl fmt::Debug for Cmac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cmac(..)")
    }
}

impl Signer for Cmac {
    fn sign(&self, _nonce: &[u8; 12], parts: &[&[u8]]) -> [u8; 16] {
        let mut running = self.clone();
        parts.iter().for_each(|part| running.take(part));
        running.tag()
    }

    fn begin(&self, _nonce: &[u8; 12]) -> Box<dyn Mac> {
        Box::new(self.clone())
    }
}

impl Mac for Cmac {
    fn update(&mut self, bytes: &[u8]) {
        self.take(bytes);
    }

    fn finish(self: Box<Self>) -> [u8; 16] {
        self.tag()
    }
}
