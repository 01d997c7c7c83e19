//! NDR32 in little-endian order, C706 chapter 14: what the server service needs.

use alloc::vec::Vec;

use crate::wire::{DecodeError, DecodeErrorKind, Utf16};

const WHAT: &str = "NDR";

/// Reads a stub. Alignment counts from its first byte.
#[derive(Clone, Debug)]
pub struct NdrReader<'m> {
    stub: &'m [u8],
    at: usize,
}

impl<'m> NdrReader<'m> {
    /// At the start of `stub`.
    pub fn new(stub: &'m [u8]) -> Self {
        Self { stub, at: 0 }
    }

    /// Bytes that are left.
    pub fn remaining(&self) -> usize {
        self.stub.len().saturating_sub(self.at)
    }

    fn take(&mut self, len: usize) -> Result<&'m [u8], DecodeError> {
        let end = self.at.checked_add(len);
        let bytes =
            end.and_then(|end| self.stub.get(self.at..end)).ok_or(DecodeError::truncated(WHAT, self.at))?;
        self.at += len;
        Ok(bytes)
    }

    /// An unsigned long, aligned to 4.
    pub fn u32(&mut self) -> Result<u32, DecodeError> {
        self.at = self.at.next_multiple_of(4);
        let bytes = self.take(4)?;
        Ok(bytes.iter().rev().fold(0, |number, &byte| number << 8 | u32::from(byte)))
    }

    /// A pointer: whether there is something that it points at. What that is comes later.
    pub fn pointer(&mut self) -> Result<bool, DecodeError> {
        Ok(self.u32()? != 0)
    }

    /// The size of a conformant array of `len` elements, each of which takes `element` bytes or more.
    /// Fails unless the size is `len` and that many elements can be left, so that a caller may
    /// reserve room for them.
    pub fn conformance(&mut self, len: u32, element: usize) -> Result<usize, DecodeError> {
        let at = self.at;
        let max_count = self.u32()?;
        let fits = (len as usize).checked_mul(element).is_some_and(|bytes| bytes <= self.remaining());
        if max_count != len || !fits {
            return Err(DecodeError::value(WHAT, at, max_count.into()));
        }
        Ok(len as usize)
    }

    /// A conformant varying string of 16-bit units, without the NUL that ends it.
    pub fn string(&mut self) -> Result<Utf16<'m>, DecodeError> {
        let at = self.at.next_multiple_of(4);
        let (max_count, offset, count) = (self.u32()?, self.u32()?, self.u32()?);
        if offset != 0 || count > max_count {
            return Err(DecodeError::value(WHAT, at, count.into()));
        }
        let bytes = self.take((count as usize).saturating_mul(2))?;
        // Some clients leave the NUL out.
        Utf16::new(bytes.strip_suffix(&[0, 0]).unwrap_or(bytes), WHAT, at)
    }

    /// A unique pointer to a string, which follows at once.
    pub fn unique_string(&mut self) -> Result<Option<Utf16<'m>>, DecodeError> {
        if self.pointer()? { self.string().map(Some) } else { Ok(None) }
    }

    /// A number that must be `expected`.
    pub fn expect(&mut self, expected: u32) -> Result<(), DecodeError> {
        let at = self.at;
        match self.u32()? {
            value if value == expected => Ok(()),
            value => Err(DecodeError::new(WHAT, at, DecodeErrorKind::Value(value.into()))),
        }
    }
}

/// Writes a stub.
#[derive(Clone, Debug, Default)]
pub struct NdrWriter {
    out: Vec<u8>,
    referents: u32,
}

impl NdrWriter {
    /// An empty stub.
    pub fn new() -> Self {
        Self::default()
    }

    /// An unsigned long, aligned to 4.
    pub fn u32(&mut self, value: u32) {
        self.out.resize(self.out.len().next_multiple_of(4), 0);
        self.out.extend_from_slice(&value.to_le_bytes());
    }

    /// A pointer, null unless `present`. What it points at comes later.
    pub fn pointer(&mut self, present: bool) {
        let referent = 0x0002_0000 + self.referents * 4;
        self.referents += u32::from(present);
        self.u32(if present { referent } else { 0 });
    }

    /// A conformant varying string; a NUL is added.
    pub fn string(&mut self, text: Utf16<'_>) {
        let units = text.len() as u32 / 2 + 1;
        [units, 0, units].into_iter().for_each(|number| self.u32(number));
        self.out.extend_from_slice(text.as_bytes());
        self.out.extend_from_slice(&[0, 0]);
    }

    /// A unique pointer to a string, and the string.
    pub fn unique_string(&mut self, text: Option<Utf16<'_>>) {
        self.pointer(text.is_some());
        if let Some(text) = text {
            self.string(text);
        }
    }

    /// The stub.
    pub fn finish(self) -> Vec<u8> {
        self.out
    }
}
