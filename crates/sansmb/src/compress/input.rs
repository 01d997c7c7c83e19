//! Compressed data as they are read.

use super::DecompressError;

/// What was not read yet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Input<'a> {
    rest: &'a [u8],
}

impl<'a> Input<'a> {
    pub(super) fn new(rest: &'a [u8]) -> Self {
        Self { rest }
    }

    pub(super) fn len(&self) -> usize {
        self.rest.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn take(&mut self, n: usize) -> Result<&'a [u8], DecompressError> {
        let (taken, rest) = self.rest.split_at_checked(n).ok_or(DecompressError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecompressError> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(DecompressError::Truncated)?;
        self.rest = rest;
        Ok(*taken)
    }

    pub(super) fn u8(&mut self) -> Result<u8, DecompressError> {
        self.array().map(u8::from_le_bytes)
    }

    pub(super) fn u16(&mut self) -> Result<u16, DecompressError> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, DecompressError> {
        self.array().map(u32::from_le_bytes)
    }

    /// The length of a match that did not fit into a byte: two bytes, or zero and four bytes.
    pub(super) fn long_length(&mut self) -> Result<u32, DecompressError> {
        match self.u16()? {
            0 => self.u32(),
            length => Ok(length.into()),
        }
    }
}
