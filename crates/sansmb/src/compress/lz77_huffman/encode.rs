//! Compression, [MS-XCA] 2.1.

use alloc::vec::Vec;

use super::{
    super::{
        lz77::put_long_length,
        matches::{Budget, MIN_MATCH, Matches, Token},
    },
    BLOCK, END, SYMBOLS, TABLE_LEN,
    code::{codes, lengths},
};

/// How far matches reach: their distances have 16 bits.
const WINDOW: usize = (1 << 16) - 1;
/// Lengths of this and more do not fit into a symbol.
const LONG: usize = 15;

pub(in super::super) fn compress(input: &[u8], budget: &Budget, out: &mut Vec<u8>) -> Option<()> {
    let mut matches = Matches::new(input, WINDOW);
    let mut tokens = Vec::new();
    let mut start = 0;
    loop {
        let end = input.len().min(start + BLOCK);
        let last = end == input.len();
        // Some decoders want the end to be told. And a code of one symbol is none.
        let mut counts = [0; SYMBOLS];
        counts[END] = 1;
        tokens.clear();
        matches.each(start..end, 0, |token| {
            match token {
                Token::Literals(bytes) => bytes.iter().for_each(|byte| counts[usize::from(*byte)] += 1),
                Token::Match { distance, len } => counts[symbol(distance, len)] += 1,
            }
            tokens.push(token);
            Some(())
        })?;
        if counts.iter().filter(|count| **count > 0).count() < 2 {
            counts[0] += 1;
        }
        put_block(&tokens, counts, last, out);
        budget.check(end, out)?;
        if last {
            return Some(());
        }
        start = end;
    }
}

/// The symbol of a match: how long it is and how many bits its distance has.
fn symbol(distance: usize, len: usize) -> usize {
    256 + (len - MIN_MATCH).min(LONG) + 16 * distance.ilog2() as usize
}

fn put_block(tokens: &[Token<'_>], counts: [u32; SYMBOLS], last: bool, out: &mut Vec<u8>) {
    let lengths = lengths(counts);
    let codes = codes(&lengths);
    out.reserve(TABLE_LEN);
    out.extend(lengths.as_chunks::<2>().0.iter().map(|[even, odd]| odd << 4 | even));
    let mut bits = Bits::new(out);
    let put = |bits: &mut Bits<'_>, symbol: usize| bits.put(lengths[symbol].into(), codes[symbol].into());
    for token in tokens {
        match token {
            Token::Literals(bytes) => bytes.iter().for_each(|byte| put(&mut bits, (*byte).into())),
            Token::Match { distance, len } => {
                put(&mut bits, symbol(*distance, *len));
                if let Some(more) = (len - MIN_MATCH).checked_sub(LONG) {
                    bits.out.push(more.min(255) as u8);
                    if more >= 255 {
                        put_long_length(bits.out, len - MIN_MATCH);
                    }
                }
                let magnitude = distance.ilog2();
                bits.put(magnitude, (distance - (1 << magnitude)) as u32);
            }
        }
    }
    if last {
        put(&mut bits, END);
    }
    bits.finish();
}

/// Bits in words of 16. Bytes may come between them: those that a decoder finds next when it has read
/// two words ahead.
struct Bits<'o> {
    out: &'o mut Vec<u8>,
    word: u32,
    free: u32,
    /// Where this word and the next one go.
    words_at: [usize; 2],
}

impl<'o> Bits<'o> {
    fn new(out: &'o mut Vec<u8>) -> Self {
        let at = out.len();
        out.extend([0; 4]);
        Self { out, word: 0, free: 16, words_at: [at, at + 2] }
    }

    /// Appends the lower `n` bits, at most 16 and with nothing above them.
    fn put(&mut self, n: u32, bits: u32) {
        if let Some(free) = self.free.checked_sub(n) {
            self.free = free;
            self.word = self.word << n | bits;
            return;
        }
        let later = n - self.free;
        self.word = self.word << self.free | bits >> later;
        self.put_word();
        self.words_at = [self.words_at[1], self.out.len()];
        self.out.extend([0; 2]);
        self.free = 16 - later;
        self.word = bits & ((1 << later) - 1);
    }

    fn put_word(&mut self) {
        let at = self.words_at[0];
        self.out[at..at + 2].copy_from_slice(&(self.word as u16).to_le_bytes());
    }

    fn finish(mut self) {
        self.word <<= self.free;
        self.put_word();
    }
}
