//! Appends one message to a buffer and knows where its header started.

use alloc::vec::Vec;

use zerocopy::{Immutable, IntoBytes};

use super::head::Head;

/// Where a message is written. Positions count from its SMB2 header, as its offsets do.
#[derive(Debug)]
pub struct Writer<'a> {
    out: Out<'a>,
    start: usize,
}

#[derive(Debug)]
enum Out<'a> {
    Buffer(&'a mut Vec<u8>),
    Head(&'a mut Head),
}

impl<'a> Writer<'a> {
    /// A message that starts, with its header, at the present end of `out`.
    pub fn new(out: &'a mut Vec<u8>) -> Self {
        let start = out.len();
        Self::resume(out, start)
    }

    /// A message whose header already stands in `out` at `start`.
    pub fn resume(out: &'a mut Vec<u8>, start: usize) -> Self {
        Self { out: Out::Buffer(out), start }
    }

    /// The message that `head` holds, to be gone on with.
    pub(super) fn behind(head: &'a mut Head) -> Self {
        Self { out: Out::Head(head), start: 0 }
    }

    /// Bytes written since the message's first one: the offset of what comes next.
    pub fn position(&self) -> usize {
        let len = match &self.out {
            Out::Buffer(out) => out.len(),
            Out::Head(head) => head.len(),
        };
        len - self.start
    }

    /// Appends a fixed part.
    pub fn put<T: IntoBytes + Immutable>(&mut self, fixed: &T) {
        self.bytes(fixed.as_bytes());
    }

    /// Appends bytes.
    pub fn bytes(&mut self, bytes: &[u8]) {
        match &mut self.out {
            Out::Buffer(out) => out.extend_from_slice(bytes),
            Out::Head(head) => head.extend_from_slice(bytes),
        }
    }

    /// Appends zeros until the position is a multiple of `alignment` (a power of two).
    pub fn align(&mut self, alignment: usize) {
        let at = self.position().next_multiple_of(alignment);
        self.zeros(at - self.position());
    }

    /// Appends `n` zero bytes.
    pub fn zeros(&mut self, n: usize) {
        match &mut self.out {
            Out::Buffer(out) => out.resize(out.len() + n, 0),
            Out::Head(head) => head.zeros(n),
        }
    }

    /// Takes back what was written behind position `at`.
    pub(crate) fn truncate(&mut self, at: usize) {
        match &mut self.out {
            Out::Buffer(out) => out.truncate(self.start + at),
            Out::Head(head) => head.truncate(self.start + at),
        }
    }

    /// Overwrites a little-endian number at `at`, which must have been written before.
    pub fn patch_u16(&mut self, at: usize, value: u16) {
        self.patch(at, &value.to_le_bytes());
    }

    /// Overwrites a little-endian number at `at`, which must have been written before.
    pub fn patch_u32(&mut self, at: usize, value: u32) {
        self.patch(at, &value.to_le_bytes());
    }

    fn patch(&mut self, at: usize, value: &[u8]) {
        let at = self.start + at;
        let written: &mut [u8] = match &mut self.out {
            Out::Buffer(out) => out,
            Out::Head(head) => head,
        };
        written[at..at + value.len()].copy_from_slice(value);
    }
}
