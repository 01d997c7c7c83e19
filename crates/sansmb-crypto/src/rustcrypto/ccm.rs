//! AES-CCM with a nonce of 11 bytes and a tag of 16, RFC 3610, in one pass over the text.
//!
//! The `ccm` crate goes over the text twice and enters the cipher anew for every block, at a third
//! of this speed; the tests compare the two.

use aes::Block;
use aes::cipher::consts::U16;
use aes::cipher::typenum::Unsigned;
use aes::cipher::{
    BlockCipherEncBackend, BlockCipherEncClosure, BlockCipherEncrypt, BlockSizeUser, ParBlocks,
};

use super::cmac::xor;

/// Length of the nonce; the length field takes the other four bytes of a block.
pub(super) const NONCE_LEN: usize = 11;

/// Encrypts `text` and returns the tag.
pub(super) fn seal(
    cipher: &impl BlockCipherEncrypt<BlockSize = U16>,
    nonce: &[u8; NONCE_LEN],
    aad: &[u8],
    text: &mut [u8],
) -> [u8; 16] {
    run::<true>(cipher, nonce, aad, text)
}

/// Decrypts `text` and returns the tag that it should have.
pub(super) fn open(
    cipher: &impl BlockCipherEncrypt<BlockSize = U16>,
    nonce: &[u8; NONCE_LEN],
    aad: &[u8],
    text: &mut [u8],
) -> [u8; 16] {
    run::<false>(cipher, nonce, aad, text)
}

fn run<const SEAL: bool>(
    cipher: &impl BlockCipherEncrypt<BlockSize = U16>,
    nonce: &[u8; NONCE_LEN],
    aad: &[u8],
    text: &mut [u8],
) -> [u8; 16] {
    // Flags of the first block: associated data present, a tag of 16 bytes, a length of 4 bytes.
    let first = block(0x40 | (((16 - 2) / 2) << 3) | 3, nonce, text.len() as u32);
    let mut mac = Block::default();
    let pass = Pass::<SEAL> { mac: &mut mac, first, counter: block(3, nonce, 0), aad, text };
    cipher.encrypt_with_backend(pass);
    mac.into()
}

/// A block of CCM's own: flags, nonce and a number.
fn block(flags: u8, nonce: &[u8; NONCE_LEN], number: u32) -> Block {
    let mut block = Block::default();
    block[0] = flags;
    block[1..12].copy_from_slice(nonce);
    block[12..].copy_from_slice(&number.to_be_bytes());
    block
}

/// What is to be done with one message, once the cipher knows which instructions it can use.
struct Pass<'a, const SEAL: bool> {
    mac: &'a mut Block,
    first: Block,
    counter: Block,
    aad: &'a [u8],
    text: &'a mut [u8],
}

impl<const SEAL: bool> BlockSizeUser for Pass<'_, SEAL> {
    type BlockSize = U16;
}

impl<const SEAL: bool> BlockCipherEncClosure for Pass<'_, SEAL> {
    #[inline(always)]
    fn call<B: BlockCipherEncBackend<BlockSize = U16>>(self, backend: &B) {
        // Local, so that it stays in a register: the chain of MAC blocks sets the pace.
        let mut mac = self.first;
        backend.encrypt_block((&mut mac).into());
        mac_aad(backend, &mut mac, self.aad);

        let mut number = 1_u32;
        for piece in self.text.chunks_mut(16 * B::ParBlocksSize::USIZE) {
            let mut stream = ParBlocks::<B>::default();
            for key in &mut stream {
                *key = numbered(self.counter, number);
                number = number.wrapping_add(1);
            }
            backend.encrypt_par_blocks((&mut stream).into());
            let (blocks, rest) = Block::slice_as_chunks_mut(piece);
            let (whole, partial) = stream.split_at(blocks.len());
            for (text, key) in blocks.iter_mut().zip(whole) {
                let other = xor(text, key);
                mac = xor(&mac, if SEAL { text } else { &other });
                *text = other;
                backend.encrypt_block((&mut mac).into());
            }
            if let Some(key) = partial.first().filter(|_| !rest.is_empty()) {
                let mut text = Block::default();
                text[..rest.len()].copy_from_slice(rest);
                let mut other = xor(&text, key);
                other[rest.len()..].fill(0);
                mac = xor(&mac, if SEAL { &text } else { &other });
                rest.copy_from_slice(&other[..rest.len()]);
                backend.encrypt_block((&mut mac).into());
            }
        }

        let mut mask = self.counter;
        backend.encrypt_block((&mut mask).into());
        *self.mac = xor(&mac, &mask);
    }
}

/// Takes the associated data, which is never empty here, with its length in front into the MAC.
#[inline(always)]
fn mac_aad<B: BlockCipherEncBackend<BlockSize = U16>>(backend: &B, mac: &mut Block, aad: &[u8]) {
    let mut head = Block::default();
    let at = match u16::try_from(aad.len()) {
        Ok(len) if len < 0xFF00 => {
            head[..2].copy_from_slice(&len.to_be_bytes());
            2
        }
        _ => {
            head[..2].copy_from_slice(&[0xFF, 0xFE]);
            head[2..6].copy_from_slice(&(aad.len() as u32).to_be_bytes());
            6
        }
    };
    let (start, rest) = aad.split_at(aad.len().min(16 - at));
    head[at..at + start.len()].copy_from_slice(start);
    *mac = xor(mac, &head);
    backend.encrypt_block(mac.into());
    for piece in rest.chunks(16) {
        let mut block = Block::default();
        block[..piece.len()].copy_from_slice(piece);
        *mac = xor(mac, &block);
        backend.encrypt_block(mac.into());
    }
}

#[inline(always)]
fn numbered(mut counter: Block, number: u32) -> Block {
    counter[12..].copy_from_slice(&number.to_be_bytes());
    counter
}
