//! Decompression, [MS-XCA] 2.2.

use super::{
    super::{DecompressError, Input, Output, matches::MIN_MATCH},
    BLOCK, MAX_BITS, SYMBOLS, TABLE_LEN,
};

/// Codes of so many bits are looked up at once. More would cost more than they save: a table is made for
/// every block, and a block may be short.
const FAST_BITS: u32 = 10;

/// The end of the data is where enough of them are: what follows is a symbol that not every encoder
/// writes, and padding.
pub(in super::super) fn decompress(
    mut input: Input<'_>,
    out: &mut Output<'_>,
) -> Result<(), DecompressError> {
    let mut done = 0;
    while !out.is_full() {
        let code = Code::new(input.take(TABLE_LEN)?)?;
        let mut bits = Bits::new(input)?;
        let block_end = done + BLOCK;
        while !out.is_full() && done < block_end {
            let symbol = bits.symbol(&code)?;
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

/// The symbols of a canonical code, found by the next bits.
struct Code {
    /// Symbol and length for all that the next [`FAST_BITS`] can be; zero where they do not suffice.
    fast: [u16; 1 << FAST_BITS],
    /// All symbols, by length and then by value.
    symbols: [u16; SYMBOLS],
    /// For every length: the code behind its last one, with zeros up to [`MAX_BITS`], and how many symbols
    /// are no longer.
    ends: [(u32, usize); MAX_BITS as usize + 1],
}

impl Code {
    /// `lengths` are those of all symbols, two to a byte.
    fn new(lengths: &[u8]) -> Result<Self, DecompressError> {
        let lengths = || lengths.iter().flat_map(|both| [both & 15, both >> 4]);
        let mut counts = [0; MAX_BITS as usize + 1];
        lengths().for_each(|length| counts[usize::from(length)] += 1);
        let mut code = Self { fast: [0; 1 << FAST_BITS], symbols: [0; SYMBOLS], ends: Default::default() };
        let mut next = [0; MAX_BITS as usize + 1];
        let (mut end, mut symbols) = (0, 0);
        for bits in 1..=MAX_BITS as usize {
            next[bits] = symbols;
            symbols += counts[bits];
            end += (counts[bits] as u32) << (MAX_BITS as usize - bits);
            code.ends[bits] = (end, symbols);
        }
        match end.cmp(&(1 << MAX_BITS)) {
            core::cmp::Ordering::Less => return Err(DecompressError::Malformed("there are too few codes")),
            core::cmp::Ordering::Equal => {}
            core::cmp::Ordering::Greater => {
                return Err(DecompressError::Malformed("there are too many codes"));
            }
        }
        for (symbol, length) in lengths().enumerate().filter(|(_, length)| *length > 0) {
            let at = &mut next[usize::from(length)];
            code.symbols[*at] = symbol as u16;
            *at += 1;
        }
        let mut rest = code.fast.as_mut_slice();
        let mut begin = 0;
        for bits in 1..=FAST_BITS as usize {
            let (_, end) = code.ends[bits];
            for symbol in code.symbols.get(begin..end).unwrap_or_default() {
                let these = rest.split_off_mut(..1 << (FAST_BITS as usize - bits)).unwrap_or_default();
                these.fill(symbol << 4 | bits as u16);
            }
            begin = end;
        }
        Ok(code)
    }

    /// The symbol that the next [`MAX_BITS`] begin with, and how many of them it is.
    fn find(&self, next: u32) -> (u16, u32) {
        let fast = self.fast.get((next >> (MAX_BITS - FAST_BITS)) as usize).copied().unwrap_or_default();
        if fast != 0 {
            return (fast >> 4, u32::from(fast & 15));
        }
        // The code is complete, so every value lies before the end of some length.
        let longer = (FAST_BITS + 1..).zip(self.ends.iter().skip(FAST_BITS as usize + 1));
        let found = longer.into_iter().find(|(_, (end, _))| next < *end);
        let (bits, (end, symbols)) = found.unwrap_or((MAX_BITS, &(0, 0)));
        let from_the_end = (end.wrapping_sub(next + 1) >> (MAX_BITS - bits)) as usize + 1;
        let at = symbols.saturating_sub(from_the_end);
        (self.symbols.get(at).copied().unwrap_or_default(), bits)
    }
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

    fn symbol(&mut self, code: &Code) -> Result<u16, DecompressError> {
        let (symbol, bits) = code.find(self.next >> (32 - MAX_BITS));
        self.skip(bits)?;
        Ok(symbol)
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
