//! Decompression, [MS-XCA] 2.2.

use alloc::{vec, vec::Vec};

use super::{
    super::{DecompressError, Input, Output, matches::MIN_MATCH},
    BLOCK, MAX_BITS, TABLE_LEN,
};

/// The end of the data is where enough of them are: what follows is a symbol that not every encoder
/// writes, and padding.
pub(in super::super) fn decompress(
    mut input: Input<'_>,
    out: &mut Output<'_>,
) -> Result<(), DecompressError> {
    let mut table = vec![0; 1 << MAX_BITS];
    let mut done = 0;
    while !out.is_full() {
        let lengths = input.take(TABLE_LEN)?;
        fill(&mut table, lengths)?;
        let mut bits = Bits::new(input)?;
        let block_end = done + BLOCK;
        while !out.is_full() && done < block_end {
            let symbol = bits.symbol(&table)?;
            if let Ok(byte) = u8::try_from(symbol) {
                out.literal(byte)?;
                done += 1;
            } else {
                let len = bits.length(symbol & 15)?;
                let distance = bits.distance(u32::from(symbol >> 4 & 15))?;
                out.copy(distance, len)?;
                // It fit into the output, so it is no longer than that.
                done += len as usize;
            }
        }
        input = bits.input;
    }
    Ok(())
}

/// A symbol and the length of its code for all that the next 15 bits can be.
fn fill(table: &mut Vec<u16>, lengths: &[u8]) -> Result<(), DecompressError> {
    let mut rest = table.as_mut_slice();
    for bits in 1..=MAX_BITS as u8 {
        let lengths = lengths.iter().flat_map(|both| [both & 15, both >> 4]);
        for (symbol, _) in lengths.enumerate().filter(|(_, length)| *length == bits) {
            let (these, others) = rest
                .split_at_mut_checked(1 << (MAX_BITS as u8 - bits))
                .ok_or(DecompressError::Malformed("there are too many codes"))?;
            these.fill((symbol as u16) << 4 | u16::from(bits));
            rest = others;
        }
    }
    if rest.is_empty() { Ok(()) } else { Err(DecompressError::Malformed("there are too few codes")) }
}

/// Bits in words of 16, two of which are read ahead. The bytes of long lengths come between them.
struct Bits<'a> {
    input: Input<'a>,
    /// What was read ahead, from the top.
    next: u32,
    /// Bits of it above 16.
    extra: i32,
    /// It ends with a word that is not there.
    over: bool,
}

impl<'a> Bits<'a> {
    fn new(mut input: Input<'a>) -> Result<Self, DecompressError> {
        let (first, second) = (input.u16()?, input.u16()?);
        Ok(Self { input, next: u32::from(first) << 16 | u32::from(second), extra: 16, over: false })
    }

    /// Drops `n` bits, at most 15, and reads what has to follow.
    fn skip(&mut self, n: u32) -> Result<(), DecompressError> {
        self.next <<= n;
        self.extra -= n as i32;
        if self.extra < 0 {
            let word = match self.input.u16() {
                Ok(word) => word,
                // The last bits need nothing behind them.
                Err(_) if !core::mem::replace(&mut self.over, true) => 0,
                Err(error) => return Err(error),
            };
            self.next |= u32::from(word) << -self.extra;
            self.extra += 16;
        }
        Ok(())
    }

    fn symbol(&mut self, table: &[u16]) -> Result<u16, DecompressError> {
        let entry = table.get((self.next >> (32 - MAX_BITS)) as usize).copied().unwrap_or_default();
        self.skip(u32::from(entry & 15))?;
        Ok(entry >> 4)
    }

    fn length(&mut self, short: u16) -> Result<u64, DecompressError> {
        let length = match short {
            15 => match self.input.u8()? {
                255 => match self.input.long_length()? {
                    0..15 => return Err(DecompressError::Malformed("a length that is long and short")),
                    length => length.into(),
                },
                length => u64::from(length) + 15,
            },
            short => short.into(),
        };
        Ok(length + MIN_MATCH as u64)
    }

    fn distance(&mut self, bits: u32) -> Result<usize, DecompressError> {
        // In two steps: of zero bits nothing is left.
        let low = self.next >> 1 >> (31 - bits);
        self.skip(bits)?;
        Ok((1 << bits) + low as usize)
    }
}
