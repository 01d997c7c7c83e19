//! Lists whose entries start with the distance to the next one.

use alloc::vec::Vec;
use core::marker::PhantomData;

use super::super::parse::{link, parse};
use super::super::{DecodeError, DecodeErrorKind, Structure, Writer};

/// An entry of a list. It starts with NextEntryOffset, which its encoder leaves zero.
pub trait Entry<'m>: Structure<'m> {
    /// Entries start at multiples of this.
    const ALIGNMENT: usize;
}

/// Cuts a list into the bytes of its entries.
///
/// Every step goes forward by at least the fixed part of an entry, so the number of steps is
/// bounded by the length of the list. After an error it ends.
#[derive(Clone, Debug)]
pub(crate) struct Chain<'m> {
    rest: Option<&'m [u8]>,
    at: usize,
    what: &'static str,
    min: usize,
}

impl<'m> Chain<'m> {
    /// Entries of at least `min` bytes (4 or more), none if `bytes` is empty.
    pub(crate) fn new(bytes: &'m [u8], what: &'static str, min: usize) -> Self {
        Self { rest: Some(bytes).filter(|bytes| !bytes.is_empty()), at: 0, what, min: min.max(4) }
    }

    /// Ends the iteration.
    pub(crate) fn stop(&mut self) {
        self.rest = None;
    }

    fn step(&mut self, bytes: &'m [u8]) -> Result<&'m [u8], DecodeError> {
        let entry = link(self.min, 1, DecodeErrorKind::Chain);
        let (rest, (entry, more)) = parse(self.what, self.at, bytes, entry)?;
        self.rest = more.then_some(rest);
        self.at += entry.len();
        Ok(entry)
    }
}

impl<'m> Iterator for Chain<'m> {
    type Item = Result<&'m [u8], DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        let bytes = self.rest.take()?;
        Some(self.step(bytes))
    }
}

/// The entries of a list. It always ends, whatever the offsets say; after an error it ends at once.
#[derive(Clone, Debug)]
pub struct Entries<'m, E> {
    chain: Chain<'m>,
    entry: PhantomData<E>,
}

impl<'m, E: Entry<'m>> Entries<'m, E> {
    /// The entries in `bytes`; none if it is empty.
    pub fn new(bytes: &'m [u8]) -> Self {
        Self { chain: Chain::new(bytes, E::NAME, E::FIXED_LEN), entry: PhantomData }
    }
}

impl<'m, E: Entry<'m>> Iterator for Entries<'m, E> {
    type Item = Result<E, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        let entry = self.chain.next()?.and_then(E::decode);
        if entry.is_err() {
            self.chain.stop();
        }
        Some(entry)
    }
}

/// Writes a list of entries that does not exceed a length.
#[derive(Debug)]
pub struct EntryWriter {
    out: Vec<u8>,
    limit: usize,
    last: Option<usize>,
}

impl EntryWriter {
    /// An empty list that may become `limit` bytes long.
    pub fn new(limit: usize) -> Self {
        Self { out: Vec::new(), limit, last: None }
    }

    /// Appends an entry, or says `false` and changes nothing if it does not fit.
    #[must_use = "an entry that does not fit is not written"]
    pub fn push<'e, E: Entry<'e>>(&mut self, entry: &E) -> bool {
        self.push_with(E::ALIGNMENT, |w| entry.encode(w))
    }

    pub(crate) fn push_with(&mut self, alignment: usize, encode: impl FnOnce(&mut Writer<'_>)) -> bool {
        let end = self.out.len();
        let start = end.next_multiple_of(alignment);
        if start > self.limit {
            return false;
        }
        self.out.resize(start, 0);
        encode(&mut Writer::resume(&mut self.out, start));
        if self.out.len() > self.limit {
            self.out.truncate(end);
            return false;
        }
        if let Some(last) = self.last {
            Writer::resume(&mut self.out, last).patch_u32(0, (start - last) as u32);
        }
        self.last = Some(start);
        true
    }

    /// Bytes written so far.
    pub fn len(&self) -> usize {
        self.out.len()
    }

    /// Whether there is no entry yet.
    pub fn is_empty(&self) -> bool {
        self.out.is_empty()
    }

    /// The list.
    pub fn finish(self) -> Vec<u8> {
        self.out
    }
}
