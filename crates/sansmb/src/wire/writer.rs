//! Appends one message to a buffer and knows where its header started.

use alloc::vec::Vec;

use zerocopy::{Immutable, IntoBytes};

/// Where a message is written. Positions count from its SMB2 header, as its offsets do.
#[derive(Debug)]
pub struct Writer<'a> {
    out: &'a mut Vec<u8>,
    start: usize,
}

impl<'a> Writer<'a> {
    /// A message that starts, with its header, at the present end of `out`.
    pub fn new(out: &'a mut Vec<u8>) -> Self {
        let start = out.len();
        Self { out, start }
    }

    /// A message whose header already stands in `out` at `start`.
    pub fn resume(out: &'a mut Vec<u8>, start: usize) -> Self {
        Self { out, start }
    }

    /// Bytes written since the message's first one: the offset of what comes next.
    pub fn position(&self) -> usize {
        self.out.len() - self.start
    }

    /// Appends a fixed part.
    pub fn put<T: IntoBytes + Immutable>(&mut self, fixed: &T) {
        self.out.extend_from_slice(fixed.as_bytes());
    }

    /// Appends bytes.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// Appends zeros until the position is a multiple of `alignment` (a power of two).
    pub fn align(&mut self, alignment: usize) {
        let at = self.position().next_multiple_of(alignment);
        self.zeros(at - self.position());
    }

    /// Appends `n` zero bytes.
    pub fn zeros(&mut self, n: usize) {
        self.out.resize(self.out.len() + n, 0);
    }

    /// Takes back what was written behind position `at`.
    pub(crate) fn truncate(&mut self, at: usize) {
        self.out.truncate(self.start + at);
    }

    /// Overwrites a little-endian number at `at`, which must have been written before.
    pub fn patch_u16(&mut self, at: usize, value: u16) {
        let at = self.start + at;
        self.out[at..at + 2].copy_from_slice(&value.to_le_bytes());
    }

    /// Overwrites a little-endian number at `at`, which must have been written before.
    pub fn patch_u32(&mut self, at: usize, value: u32) {
        let at = self.start + at;
        self.out[at..at + 4].copy_from_slice(&value.to_le_bytes());
    }
}
