//! Plain LZ77, [MS-XCA] 2.3 and 2.4.

use alloc::vec::Vec;

use super::{
    DecompressError, Input, Output,
    matches::{Budget, MIN_MATCH, Matches, Token},
};

/// How far matches reach: distances have 13 bits.
const WINDOW: usize = 1 << 13;

pub(super) fn decompress(mut input: Input<'_>, out: &mut Output<'_>) -> Result<(), DecompressError> {
    // Lengths of four bits come in pairs; this is the second of one.
    let mut half = None;
    while !input.is_empty() {
        let mut flags = input.u32()?;
        let mut left = u32::BITS;
        while left > 0 {
            let literals = flags.leading_zeros().min(left);
            out.literals(input.take((literals as usize).min(input.len()))?)?;
            // Flags that are left over mean nothing; encoders set them.
            if input.is_empty() {
                break;
            }
            left -= literals;
            if left > 0 {
                let token = input.u16()?;
                let len = match token & 7 {
                    7 => length(&mut input, &mut half)?,
                    len => len.into(),
                };
                out.copy(usize::from(token >> 3) + 1, len + MIN_MATCH as u64)?;
                left -= 1;
                flags = flags.checked_shl(literals + 1).unwrap_or_default();
            }
        }
    }
    Ok(())
}

/// A length that does not fit into three bits, without the three that every match has.
fn length(input: &mut Input<'_>, half: &mut Option<u8>) -> Result<u64, DecompressError> {
    let nibble = match half.take() {
        Some(high) => high,
        None => {
            let both = input.u8()?;
            *half = Some(both >> 4);
            both & 15
        }
    };
    if nibble < 15 {
        return Ok(u64::from(nibble) + 7);
    }
    match input.u8()? {
        255 => match input.long_length()? {
            0..22 => Err(DecompressError::Malformed("a length of LZ77 that is long and short")),
            length => Ok(length.into()),
        },
        length => Ok(u64::from(length) + 15 + 7),
    }
}

pub(super) fn compress(input: &[u8], budget: &Budget, out: &mut Vec<u8>) -> Option<()> {
    let mut encoder = Encoder::new(out);
    let mut read = 0;
    Matches::new(input, WINDOW).each(0..input.len(), 0, |token| {
        match token {
            Token::Literals(bytes) => {
                read += bytes.len();
                encoder.literals(bytes);
            }
            Token::Match { distance, len } => {
                read += len;
                encoder.repeat(distance, len);
            }
        }
        budget.check(read, encoder.out)
    })?;
    encoder.finish();
    Some(())
}

struct Encoder<'o> {
    out: &'o mut Vec<u8>,
    /// Where the flags go when there are 32 of them.
    flags_at: usize,
    flags: u32,
    count: u32,
    /// A byte whose upper half is free for a length.
    half_at: Option<usize>,
}

impl<'o> Encoder<'o> {
    fn new(out: &'o mut Vec<u8>) -> Self {
        let flags_at = out.len();
        out.extend([0; 4]);
        Self { out, flags_at, flags: 0, count: 0, half_at: None }
    }

    fn literals(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let n = bytes.len().min((u32::BITS - self.count) as usize);
            let (now, later) = bytes.split_at(n);
            self.out.extend_from_slice(now);
            self.flag(false, n as u32);
            bytes = later;
        }
    }

    fn repeat(&mut self, distance: usize, len: usize) {
        let len = len - MIN_MATCH;
        let token = ((distance - 1) << 3) | len.min(7);
        self.out.extend((token as u16).to_le_bytes());
        if len >= 7 {
            let nibble = (len - 7).min(15) as u8;
            match self.half_at.take() {
                Some(at) => self.out[at] |= nibble << 4,
                None => {
                    self.half_at = Some(self.out.len());
                    self.out.push(nibble);
                }
            }
        }
        if let Some(more) = len.checked_sub(7 + 15) {
            self.out.push(more.min(255) as u8);
            if more >= 255 {
                put_long_length(self.out, len);
            }
        }
        self.flag(true, 1);
    }

    /// Says `n` times, no more than are free, whether it is a match.
    fn flag(&mut self, is_match: bool, n: u32) {
        self.flags = self.flags.checked_shl(n).unwrap_or_default() | u32::from(is_match);
        self.count += n;
        if self.count == u32::BITS {
            self.put_flags();
            self.flags_at = self.out.len();
            self.out.extend([0; 4]);
            (self.flags, self.count) = (0, 0);
        }
    }

    fn put_flags(&mut self) {
        self.out[self.flags_at..self.flags_at + 4].copy_from_slice(&self.flags.to_le_bytes());
    }

    fn finish(mut self) {
        let free = u32::BITS - self.count;
        let ones = u32::MAX.checked_shr(self.count).unwrap_or_default();
        self.flags = self.flags.checked_shl(free).unwrap_or_default() | ones;
        self.put_flags();
    }
}

/// A length in two bytes, or zero and four bytes.
pub(super) fn put_long_length(out: &mut Vec<u8>, length: usize) {
    match u16::try_from(length) {
        Ok(length) => out.extend(length.to_le_bytes()),
        Err(_) => {
            out.extend([0; 2]);
            out.extend((length as u32).to_le_bytes());
        }
    }
}
