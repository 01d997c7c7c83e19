//! NDR32 in little-endian order, C706 chapter 14: what the services here need.

mod account;

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

    /// The next bytes, wherever they are.
    pub fn bytes<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let at = self.at;
        self.take(N)?.try_into().map_err(|_| DecodeError::truncated(WHAT, at))
    }

    /// An unsigned short, aligned to 2: enumerations are such, too.
    pub fn u16(&mut self) -> Result<u16, DecodeError> {
        self.at = self.at.next_multiple_of(2);
        self.bytes().map(u16::from_le_bytes)
    }

    /// An unsigned long, aligned to 4.
    pub fn u32(&mut self) -> Result<u32, DecodeError> {
        self.at = self.at.next_multiple_of(4);
        self.bytes().map(u32::from_le_bytes)
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

    /// A conformant array of `len` elements, each with `element` bytes or more that come first
    /// (`fixed`), and with what its pointers lead to, which comes after all of those (`deferred`).
    pub fn array<F, T>(
        &mut self,
        len: u32,
        element: usize,
        mut fixed: impl FnMut(&mut Self) -> Result<F, DecodeError>,
        mut deferred: impl FnMut(&mut Self, F) -> Result<T, DecodeError>,
    ) -> Result<Vec<T>, DecodeError> {
        let len = self.conformance(len, element)?;
        let mut rows = Vec::with_capacity(len);
        for _ in 0..len {
            rows.push(fixed(self)?);
        }
        let mut elements = Vec::with_capacity(len);
        for row in rows {
            elements.push(deferred(self, row)?);
        }
        Ok(elements)
    }

    /// A conformant array of `len` bytes.
    pub fn octets(&mut self, len: u32) -> Result<&'m [u8], DecodeError> {
        let len = self.conformance(len, 1)?;
        self.take(len)
    }

    /// A count and a pointer to an array of so many, which comes later. Nothing is there of no pointer.
    pub fn counted(&mut self) -> Result<Option<u32>, DecodeError> {
        let at = self.at;
        let count = self.u32()?;
        match self.pointer()? {
            true => Ok(Some(count)),
            false if count == 0 => Ok(None),
            false => Err(DecodeError::value(WHAT, at, count.into())),
        }
    }

    /// 16-bit units of a conformant varying array.
    fn units(&mut self) -> Result<&'m [u8], DecodeError> {
        let at = self.at.next_multiple_of(4);
        let (max_count, offset, count) = (self.u32()?, self.u32()?, self.u32()?);
        if offset != 0 || count > max_count {
            return Err(DecodeError::value(WHAT, at, count.into()));
        }
        self.take((count as usize).saturating_mul(2))
    }

    /// A conformant varying string of 16-bit units, without the NUL that ends it.
    pub fn string(&mut self) -> Result<Utf16<'m>, DecodeError> {
        let at = self.at.next_multiple_of(4);
        let bytes = self.units()?;
        // Some clients leave the NUL out.
        Utf16::new(bytes.strip_suffix(&[0, 0]).unwrap_or(bytes), WHAT, at)
    }

    /// A string if a pointer that was read before is none to nowhere; an empty one otherwise.
    pub fn string_if(&mut self, present: bool) -> Result<Utf16<'m>, DecodeError> {
        if present { self.string() } else { Ok(Utf16::default()) }
    }

    /// A unique pointer to a number, which follows at once.
    pub fn unique_u32(&mut self) -> Result<Option<u32>, DecodeError> {
        if self.pointer()? { self.u32().map(Some) } else { Ok(None) }
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

    fn align(&mut self, to: usize) {
        self.out.resize(self.out.len().next_multiple_of(to), 0);
    }

    /// Bytes, wherever they come to lie.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// An unsigned short, aligned to 2: enumerations are such, too.
    pub fn u16(&mut self, value: u16) {
        self.align(2);
        self.bytes(&value.to_le_bytes());
    }

    /// An unsigned long, aligned to 4.
    pub fn u32(&mut self, value: u32) {
        self.align(4);
        self.bytes(&value.to_le_bytes());
    }

    /// A pointer, null unless `present`. What it points at comes later.
    pub fn pointer(&mut self, present: bool) {
        let referent = 0x0002_0000 + self.referents * 4;
        self.referents += u32::from(present);
        self.u32(if present { referent } else { 0 });
    }

    /// A conformant array: what is fixed of all elements, then what their pointers lead to.
    pub fn array<T>(
        &mut self,
        elements: &[T],
        mut fixed: impl FnMut(&mut Self, &T),
        mut deferred: impl FnMut(&mut Self, &T),
    ) {
        self.u32(elements.len() as u32);
        elements.iter().for_each(|element| fixed(self, element));
        elements.iter().for_each(|element| deferred(self, element));
    }

    /// A conformant array of bytes.
    pub fn octets(&mut self, bytes: &[u8]) {
        self.u32(bytes.len() as u32);
        self.bytes(bytes);
    }

    /// A count and a pointer to an array of so many, which comes later.
    pub fn counted<T>(&mut self, elements: Option<&[T]>) {
        self.u32(elements.map_or(0, <[T]>::len) as u32);
        self.pointer(elements.is_some());
    }

    /// A unique pointer to a number, and the number.
    pub fn unique_u32(&mut self, number: Option<u32>) {
        self.pointer(number.is_some());
        if let Some(number) = number {
            self.u32(number);
        }
    }

    /// A conformant varying string; a NUL is added.
    pub fn string(&mut self, text: Utf16<'_>) {
        let units = text.len() as u32 / 2 + 1;
        [units, 0, units].into_iter().for_each(|number| self.u32(number));
        self.bytes(text.as_bytes());
        self.bytes(&[0, 0]);
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
