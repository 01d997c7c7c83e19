//! Splitting a frame into the messages of its compound, [MS-SMB2] 3.3.5.2.7 and 3.2.5.1.9.

use alloc::vec::Vec;
use core::{iter, slice};

use bytes::Bytes;

use crate::wire::{DecodeError, DecodeErrorKind, HEADER_LEN, Header};

/// A message of a compound: its header, and its bytes from the header to the next header.
pub type Part = (Header, Bytes);

/// The messages of one frame, in order. There is at least one, and mostly no other.
#[derive(Debug)]
pub struct Compound {
    /// The first message.
    pub first: Part,
    /// Those after it.
    pub rest: Vec<Part>,
}

impl Compound {
    /// Whether there is one message only.
    pub fn is_single(&self) -> bool {
        self.rest.is_empty()
    }

    /// The messages, borrowed.
    pub fn iter(&self) -> iter::Chain<iter::Once<&Part>, slice::Iter<'_, Part>> {
        iter::once(&self.first).chain(&self.rest)
    }
}

impl IntoIterator for Compound {
    type Item = Part;
    type IntoIter = iter::Chain<iter::Once<Part>, alloc::vec::IntoIter<Part>>;

    fn into_iter(self) -> Self::IntoIter {
        iter::once(self.first).chain(self.rest)
    }
}

impl<'a> IntoIterator for &'a Compound {
    type Item = &'a Part;
    type IntoIter = iter::Chain<iter::Once<&'a Part>, slice::Iter<'a, Part>>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Splits `frame`, which starts with an SMB2 header. Each message sees only its own bytes, so that no offset
/// reaches into its neighbour. The work and the memory are bounded by the frame: every message takes at least
/// a header.
pub fn split_compound(frame: Bytes) -> Result<Compound, DecodeError> {
    let whole = frame.len();
    let mut left = frame;
    let first = split_first(&mut left, whole)?;
    let mut rest = Vec::new();
    while !left.is_empty() {
        rest.push(split_first(&mut left, whole)?);
    }
    Ok(Compound { first, rest })
}

/// Takes the first message off `left`, the end of a frame of `whole` bytes.
fn split_first(left: &mut Bytes, whole: usize) -> Result<Part, DecodeError> {
    const NAME: &str = "NextCommand";
    let header = Header::decode(left)?;
    let next = header.next_command as usize;
    if next == 0 {
        return Ok((header, core::mem::take(left)));
    }
    let error = |kind| DecodeError::new(NAME, whole - left.len() + 20, kind);
    if !next.is_multiple_of(8) || next < HEADER_LEN {
        return Err(error(DecodeErrorKind::Chain(next as u64)));
    }
    if next >= left.len() {
        return Err(error(DecodeErrorKind::Range));
    }
    Ok((header, left.split_to(next)))
}
