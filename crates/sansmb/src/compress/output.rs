//! Decompressed data as they grow, up to a length and not beyond.

use alloc::vec::Vec;

use super::DecompressError;

/// The least that memory grows by.
const STEP: usize = 4096;

/// What was decompressed so far, behind something else in the same vector.
#[derive(Debug)]
pub(super) struct Output<'a> {
    bytes: &'a mut Vec<u8>,
    /// Matches begin here at the earliest.
    start: usize,
    /// Where `bytes` must end.
    end: usize,
}

impl<'a> Output<'a> {
    /// `bytes` grows to `end`. `compressed` bytes are what it comes from: few of them are no reason to
    /// take much memory yet.
    pub(super) fn new(bytes: &'a mut Vec<u8>, end: usize, compressed: usize) -> Self {
        let start = bytes.len();
        let mut output = Self { bytes, start, end };
        output.grow(compressed.saturating_mul(4).min(output.left()));
        output
    }

    /// Bytes that are missing.
    fn left(&self) -> usize {
        self.end.saturating_sub(self.bytes.len())
    }

    pub(super) fn is_full(&self) -> bool {
        self.left() == 0
    }

    /// Bytes that matches can reach.
    pub(super) fn reach(&self) -> usize {
        self.bytes.len() - self.start
    }

    /// Matches do not reach behind this place any more.
    pub(super) fn restart(&mut self) {
        self.start = self.bytes.len();
    }

    pub(super) fn literal(&mut self, byte: u8) -> Result<(), DecompressError> {
        self.make_room(1)?;
        self.bytes.push(byte);
        Ok(())
    }

    pub(super) fn literals(&mut self, bytes: &[u8]) -> Result<(), DecompressError> {
        self.make_room(bytes.len())?;
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    /// Repeats `len` bytes from `distance` bytes ago, which may be some that this itself appends.
    pub(super) fn copy(&mut self, distance: usize, len: u64) -> Result<(), DecompressError> {
        if distance == 0 || distance > self.reach() {
            return Err(DecompressError::Distance);
        }
        let mut left = usize::try_from(len).map_err(|_| DecompressError::TooLong)?;
        self.make_room(left)?;
        let from = self.bytes.len() - distance;
        // What is there repeats itself, so every turn can copy twice as much as the one before.
        while left > 0 {
            let n = left.min(self.bytes.len() - from);
            self.bytes.extend_from_within(from..from + n);
            left -= n;
        }
        Ok(())
    }

    fn make_room(&mut self, n: usize) -> Result<(), DecompressError> {
        if n > self.left() {
            return Err(DecompressError::TooLong);
        }
        if n > self.bytes.capacity() - self.bytes.len() {
            self.grow(n.max(STEP).min(self.left()));
        }
        Ok(())
    }

    /// By half of what is there at least, so that many small payloads behind each other cost no more than
    /// one large one.
    fn grow(&mut self, n: usize) {
        self.bytes.reserve(n);
    }
}
