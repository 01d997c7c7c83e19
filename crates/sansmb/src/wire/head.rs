//! A message without its payload, mostly short: it lies in place and costs no allocation.

use alloc::vec::Vec;
use core::ops::{Deref, DerefMut};

use super::{HEADER_LEN, Header, Writer};

/// Enough for every fixed part, and for a CREATE response with a context or none: answers are passed around by value.
const SHORT: usize = 184;
/// Where NextCommand stands in the header.
const NEXT_COMMAND: usize = 20;

/// A message under construction: its header, which is blank at first, and its body.
#[derive(Clone, Debug)]
pub(crate) struct Head(Store);

#[derive(Clone, Debug)]
enum Store {
    Short { len: u8, bytes: [u8; SHORT] },
    Long(Vec<u8>),
}

impl Head {
    /// A message with a blank header and nothing behind it.
    pub(crate) fn blank() -> Self {
        Self(Store::Short { len: HEADER_LEN as u8, bytes: [0; SHORT] })
    }

    /// A message with `header`.
    pub(crate) fn with_header(header: &Header) -> Self {
        let mut head = Self::blank();
        head.set_header(header);
        head
    }

    /// What writes the body.
    pub(crate) fn body(&mut self) -> Writer<'_> {
        Writer::behind(self)
    }

    /// Overwrites the header.
    pub(crate) fn set_header(&mut self, header: &Header) {
        if let Some(blank) = self.first_chunk_mut() {
            *blank = header.to_bytes();
        }
    }

    /// Sets NextCommand in the header.
    pub(crate) fn set_next_command(&mut self, next: u32) {
        if let Some(field) = self.get_mut(NEXT_COMMAND..NEXT_COMMAND + 4) {
            field.copy_from_slice(&next.to_le_bytes());
        }
    }

    pub(super) fn extend_from_slice(&mut self, more: &[u8]) {
        let long = match &mut self.0 {
            Store::Short { len, bytes } => {
                let at = usize::from(*len);
                if let Some(room) = bytes.get_mut(at..at.saturating_add(more.len())) {
                    room.copy_from_slice(more);
                    *len += more.len() as u8;
                    return;
                }
                self.spill(more.len())
            }
            Store::Long(long) => long,
        };
        long.extend_from_slice(more);
    }

    pub(super) fn zeros(&mut self, n: usize) {
        let len = self.len() + n;
        match &mut self.0 {
            // What was never written is zero, and what was taken back is made so again.
            Store::Short { len: short, .. } if len <= SHORT => *short = len as u8,
            Store::Short { .. } => self.spill(n).resize(len, 0),
            Store::Long(long) => long.resize(len, 0),
        }
    }

    pub(super) fn truncate(&mut self, at: usize) {
        match &mut self.0 {
            Store::Short { len, bytes } if at < usize::from(*len) => {
                bytes[at..usize::from(*len)].fill(0);
                *len = at as u8;
            }
            Store::Short { .. } => {}
            Store::Long(long) => long.truncate(at),
        }
    }

    /// Moves to memory of its own with room for `more` bytes.
    fn spill(&mut self, more: usize) -> &mut Vec<u8> {
        if let Store::Short { .. } = self.0 {
            let mut long = Vec::with_capacity((self.len() + more).max(2 * SHORT));
            long.extend_from_slice(self);
            self.0 = Store::Long(long);
        }
        match &mut self.0 {
            Store::Long(long) => long,
            Store::Short { .. } => unreachable!("it was just moved"),
        }
    }
}

impl Deref for Head {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Store::Short { len, bytes } => &bytes[..usize::from(*len)],
            Store::Long(long) => long,
        }
    }
}

impl DerefMut for Head {
    fn deref_mut(&mut self) -> &mut [u8] {
        match &mut self.0 {
            Store::Short { len, bytes } => &mut bytes[..usize::from(*len)],
            Store::Long(long) => long,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever is done to it, a head holds what a vector would.
    #[test]
    fn a_head_is_like_a_vector_however_long() {
        for len in [0, 1, SHORT - HEADER_LEN - 1, SHORT - HEADER_LEN, SHORT - HEADER_LEN + 1, 1000] {
            let mut head = Head::blank();
            let mut expected = alloc::vec![0; HEADER_LEN];
            let bytes: Vec<u8> = (0..len).map(|n| n as u8 | 1).collect();
            for part in [&bytes[..len / 2], &bytes[len / 2..]] {
                head.body().bytes(part);
                expected.extend_from_slice(part);
                assert_eq!(&*head, expected);
            }
            let end = expected.len();
            head.body().truncate(end - len / 3);
            head.body().zeros(len / 2 + 3);
            expected.truncate(end - len / 3);
            expected.resize(expected.len() + len / 2 + 3, 0);
            assert_eq!(&*head, expected, "{len} bytes");
            head.body().align(8);
            head.body().patch_u32(HEADER_LEN, 0x0403_0201);
            assert_eq!(head.len() % 8, 0);
            assert_eq!(head[HEADER_LEN..HEADER_LEN + 3], [1, 2, 3]);
        }
    }
}
