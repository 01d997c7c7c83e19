//! LZNT1, [MS-XCA] 2.5.

use alloc::vec::Vec;

use super::{
    DecompressError, Input, Output,
    matches::{Budget, MIN_MATCH, Matches, Token},
};

/// What a chunk holds at most.
const CHUNK: usize = 4096;
/// The chunk is compressed.
const COMPRESSED: u16 = 0x8000;
/// The three bits that every header has.
const SIGNATURE: u16 = 0x3000;

pub(super) fn decompress(mut input: Input<'_>, out: &mut Output<'_>) -> Result<(), DecompressError> {
    while !input.is_empty() {
        let header = input.u16()?;
        if header == 0 {
            return Ok(());
        }
        if header & 0x7000 != SIGNATURE {
            return Err(DecompressError::Malformed("a chunk of LZNT1 has another signature"));
        }
        let data = input.take(usize::from(header & 0x0FFF) + 1)?;
        out.restart();
        if header & COMPRESSED == 0 {
            out.literals(data)?;
        } else {
            decompress_chunk(Input::new(data), out)?;
        }
        if out.reach() > CHUNK {
            return Err(DecompressError::Malformed("a chunk of LZNT1 is too long"));
        }
    }
    Ok(())
}

fn decompress_chunk(mut data: Input<'_>, out: &mut Output<'_>) -> Result<(), DecompressError> {
    while !data.is_empty() {
        let flags = data.u8()?;
        for bit in 0..8 {
            if data.is_empty() {
                break;
            }
            if flags >> bit & 1 == 0 {
                out.literal(data.u8()?)?;
            } else {
                let word = data.u16()?;
                let bits = distance_bits(out.reach());
                let len = u64::from(word & (u16::MAX >> bits)) + MIN_MATCH as u64;
                out.copy(usize::from(word >> (16 - bits)) + 1, len)?;
            }
        }
    }
    Ok(())
}

/// How many of a match's 16 bits are its distance, after `done` bytes of the chunk.
fn distance_bits(done: usize) -> u32 {
    (usize::BITS - done.saturating_sub(1).leading_zeros()).clamp(4, 12)
}

pub(super) fn compress(input: &[u8], budget: &Budget, out: &mut Vec<u8>) -> Option<()> {
    let mut matches = Matches::new(input, CHUNK);
    for start in (0..input.len()).step_by(CHUNK) {
        let end = input.len().min(start + CHUNK);
        let header_at = out.len();
        out.extend([0; 2]);
        let mut encoder = Encoder { out, done: 0, flags_at: 0, count: 8 };
        matches.each(start..end, start, |token| {
            match token {
                Token::Literals(bytes) => bytes.iter().for_each(|byte| encoder.literal(*byte)),
                Token::Match { distance, len } => encoder.repeat(&input[start..], distance, len),
            }
            Some(())
        })?;
        let mut flags = COMPRESSED;
        if out.len() - header_at - 2 >= end - start {
            out.truncate(header_at + 2);
            out.extend_from_slice(&input[start..end]);
            flags = 0;
        }
        let len = out.len() - header_at - 2;
        let header = SIGNATURE | flags | (len - 1) as u16;
        out[header_at..header_at + 2].copy_from_slice(&header.to_le_bytes());
        budget.check(end, out)?;
    }
    Some(())
}

struct Encoder<'o> {
    out: &'o mut Vec<u8>,
    /// Bytes of the chunk that are in it.
    done: usize,
    flags_at: usize,
    count: u8,
}

impl Encoder<'_> {
    fn literal(&mut self, byte: u8) {
        self.flag(false);
        self.out.push(byte);
        self.done += 1;
    }

    /// `len` bytes of the chunk that follow those which are done.
    fn repeat(&mut self, chunk: &[u8], distance: usize, mut len: usize) {
        while len >= MIN_MATCH {
            let bits = distance_bits(self.done);
            let now = len.min(usize::from(u16::MAX >> bits) + MIN_MATCH);
            let word = ((distance - 1) << (16 - bits)) | (now - MIN_MATCH);
            self.flag(true);
            self.out.extend((word as u16).to_le_bytes());
            self.done += now;
            len -= now;
        }
        for byte in chunk.iter().skip(self.done).take(len) {
            self.literal(*byte);
        }
    }

    fn flag(&mut self, is_match: bool) {
        if self.count == 8 {
            self.flags_at = self.out.len();
            self.out.push(0);
            self.count = 0;
        }
        self.out[self.flags_at] |= u8::from(is_match) << self.count;
        self.count += 1;
    }
}
