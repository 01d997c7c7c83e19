//! Finding what repeats: the part that [MS-XCA]'s three formats have in common.

use alloc::{vec, vec::Vec};
use core::ops::Range;

/// The shortest match that any of the formats can say.
pub(super) const MIN_MATCH: usize = 3;
/// So much of the input tells what the rest will be like.
pub(super) const PROBE: usize = 16 << 10;
/// Bits of the table's index at most.
const MAX_BITS: u32 = 14;
/// So many places within a match are remembered.
const INSERTED: usize = 16;
/// After each of so many places without a match, one more is skipped at a time.
const PATIENCE: usize = 64;
/// So many places are skipped at a time at most.
const MAX_STEP: usize = 64;

/// What compressed data may be long.
#[derive(Debug, Clone, Copy)]
pub(super) struct Budget {
    input: usize,
    /// Where they begin in the vector.
    start: usize,
    limit: usize,
}

impl Budget {
    pub(super) fn new(input: usize, start: usize, limit: usize) -> Self {
        Self { input, start, limit }
    }

    /// `None` when `read` bytes of input have become so much that it is not worth going on.
    pub(super) fn check(&self, read: usize, out: &[u8]) -> Option<()> {
        let written = out.len() - self.start;
        let pace = |read: usize, written: usize| {
            written as u128 * self.input as u128 > read as u128 * self.limit as u128
        };
        let lost = written > self.limit || read >= PROBE && pace(read, written);
        (!lost).then_some(())
    }

    /// The same for a part of the input, compressed by itself.
    pub(super) fn check_sample(&self, read: usize, written: usize) -> Option<()> {
        let lost = written as u128 * self.input as u128 > read as u128 * self.limit as u128;
        (!lost).then_some(())
    }
}

/// A piece of the input.
#[derive(Debug, Clone, Copy)]
pub(super) enum Token<'a> {
    /// Bytes as they are; not empty.
    Literals(&'a [u8]),
    /// `len` bytes from `distance` bytes ago; at least [`MIN_MATCH`].
    Match { distance: usize, len: usize },
}

/// Remembers where in the input three bytes stood last.
#[derive(Debug)]
pub(super) struct Matches<'a> {
    input: &'a [u8],
    window: usize,
    /// One more than the place; zero: none.
    table: Vec<u32>,
    shift: u32,
}

impl<'a> Matches<'a> {
    /// Matches are at most `window` bytes away. `input` is shorter than 4 GiB.
    pub(super) fn new(input: &'a [u8], window: usize) -> Self {
        let bits = (usize::BITS - input.len().leading_zeros()).clamp(8, MAX_BITS);
        Self { input, window, table: vec![0; 1 << bits], shift: 32 - bits }
    }

    /// Cuts `range` of the input into pieces. Matches begin at `floor` at the earliest and end within
    /// the range. Ends when `each` gives `None`.
    pub(super) fn each(
        &mut self,
        range: Range<usize>,
        floor: usize,
        mut each: impl FnMut(Token<'a>) -> Option<()>,
    ) -> Option<()> {
        let input = self.input.get(..range.end)?;
        // Where the literals begin that were not given yet.
        let mut plain = range.start;
        let mut at = range.start;
        let mut misses = 0;
        while at + MIN_MATCH <= input.len() {
            match self.find(input, at, floor) {
                Some((distance, len)) => {
                    if plain < at {
                        each(Token::Literals(&input[plain..at]))?;
                    }
                    each(Token::Match { distance, len })?;
                    let end = at + len;
                    for inner in (at + 1..end).take(INSERTED).filter(|at| at + MIN_MATCH <= input.len()) {
                        let slot = self.slot(input, inner);
                        self.table[slot] = inner as u32 + 1;
                    }
                    (at, plain, misses) = (end, end, 0);
                }
                None => {
                    misses += 1;
                    at += 1 + (misses / PATIENCE).min(MAX_STEP);
                    // So that somebody can lose patience.
                    if at - plain >= PROBE && at < input.len() {
                        each(Token::Literals(&input[plain..at]))?;
                        plain = at;
                    }
                }
            }
        }
        if plain < input.len() {
            each(Token::Literals(&input[plain..]))?;
        }
        Some(())
    }

    fn find(&mut self, input: &[u8], at: usize, floor: usize) -> Option<(usize, usize)> {
        let slot = self.slot(input, at);
        let candidate = core::mem::replace(&mut self.table[slot], at as u32 + 1);
        let candidate = (candidate as usize).checked_sub(1)?;
        let distance = at - candidate;
        if candidate < floor || distance > self.window {
            return None;
        }
        let len = common(&input[candidate..], &input[at..]);
        (len >= MIN_MATCH).then_some((distance, len))
    }

    /// `at` and two more bytes are in the input.
    fn slot(&self, input: &[u8], at: usize) -> usize {
        let key = u32::from_le_bytes([input[at], input[at + 1], input[at + 2], 0]);
        (key.wrapping_mul(0x9E37_79B1) >> self.shift) as usize
    }
}

/// How many bytes two slices begin with in common.
pub(super) fn common(a: &[u8], b: &[u8]) -> usize {
    let mut same = 0;
    for (x, y) in a.as_chunks::<8>().0.iter().zip(b.as_chunks::<8>().0) {
        let differs = u64::from_le_bytes(*x) ^ u64::from_le_bytes(*y);
        if differs != 0 {
            return same + (differs.trailing_zeros() / 8) as usize;
        }
        same += 8;
    }
    same + a[same..].iter().zip(&b[same..]).take_while(|(x, y)| x == y).count()
}
