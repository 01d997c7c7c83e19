//! A payload with room in front of it.

use alloc::vec::Vec;

use bytes::Bytes;

/// Bytes kept free in front of a payload: 4 of framing, 52 of transform header, 64 of SMB2 header
/// and the largest fixed part that carries a payload, rounded up.
pub const HEADROOM: usize = 192;

/// A payload that is read from storage (or a local file) into memory with room in front, so that
/// its headers are written before it in place, and a cipher finds one contiguous message.
#[derive(Debug, Clone)]
pub struct MessageBuffer {
    /// Headroom, payload, and bytes of no meaning up to where memory was initialised once.
    bytes: Vec<u8>,
    /// Where the payload ends.
    end: usize,
}

impl MessageBuffer {
    /// An empty payload that can grow to `capacity` bytes without moving.
    pub fn with_capacity(capacity: usize) -> Self {
        let mut bytes = Vec::with_capacity(HEADROOM + capacity);
        bytes.resize(HEADROOM, 0);
        Self { bytes, end: HEADROOM }
    }

    /// An empty payload in memory that held another one.
    pub(super) fn reuse(mut memory: Vec<u8>) -> Self {
        if memory.len() < HEADROOM {
            memory.resize(HEADROOM, 0);
        }
        Self { bytes: memory, end: HEADROOM }
    }

    /// The payload.
    pub fn payload(&self) -> &[u8] {
        &self.bytes[HEADROOM..self.end]
    }

    /// The payload, to be changed in place.
    pub fn payload_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[HEADROOM..self.end]
    }

    /// Length of the payload.
    pub fn len(&self) -> usize {
        self.end - HEADROOM
    }

    /// Whether there is no payload.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends to the payload.
    pub fn extend_from_slice(&mut self, more: &[u8]) {
        self.fill_with(|bytes| bytes.extend_from_slice(more));
    }

    /// Shortens the payload to `len` bytes; does nothing when it is shorter already.
    pub fn truncate(&mut self, len: usize) {
        self.end = self.end.min(HEADROOM.saturating_add(len));
    }

    /// Lets `fill` write what comes next, up to `len` bytes, and say how much of it that is. What lies there before has no
    /// meaning; it was there already if the memory was used before, so that nothing has to be cleared.
    pub fn append_with(&mut self, len: usize, fill: impl FnOnce(&mut [u8]) -> usize) {
        let end = self.end.saturating_add(len);
        if self.bytes.len() < end {
            self.bytes.resize(end, 0);
        }
        let filled = fill(&mut self.bytes[self.end..end]);
        self.end += filled.min(len);
    }

    /// How many bytes [`Self::append_with`] has at hand without clearing any.
    pub fn at_hand(&self) -> usize {
        self.bytes.len() - self.end
    }

    /// Makes room for `more` bytes after the payload, so that they are appended without moving it.
    pub fn reserve(&mut self, more: usize) {
        let needed = self.end.saturating_add(more).saturating_sub(self.bytes.len());
        self.bytes.reserve_exact(needed);
    }

    /// Lets `fill` append to the vector that holds headroom and payload: for system calls that
    /// read into spare capacity. What `fill` does to the headroom is undone.
    pub fn fill_with<R>(&mut self, fill: impl FnOnce(&mut Vec<u8>) -> R) -> R {
        self.bytes.truncate(self.end);
        let result = fill(&mut self.bytes);
        if self.bytes.len() < HEADROOM {
            self.bytes.resize(HEADROOM, 0);
        }
        self.end = self.bytes.len();
        result
    }

    /// The payload as a shared handle, without a copy.
    pub fn into_bytes(self) -> Bytes {
        let (bytes, start) = self.into_parts();
        Bytes::from(bytes).slice(start..)
    }

    /// The whole vector, and where the payload starts in it.
    pub(crate) fn into_parts(mut self) -> (Vec<u8>, usize) {
        self.bytes.truncate(self.end);
        (self.bytes, HEADROOM)
    }

    /// The whole vector and where `head` now starts in it; `head` is written right before the
    /// payload. `None` (never for heads that SMB2 has) when it is longer than the headroom.
    pub(crate) fn prepend(mut self, head: &[u8]) -> Option<(Vec<u8>, usize)> {
        let at = HEADROOM.checked_sub(head.len())?;
        self.bytes[at..HEADROOM].copy_from_slice(head);
        let (bytes, _) = self.into_parts();
        Some((bytes, at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_that_was_used_needs_no_clearing_and_shows_nothing() {
        let mut first = MessageBuffer::with_capacity(100);
        first.extend_from_slice(&[7; 100]);
        let mut again = MessageBuffer::reuse(first.into_parts().0);
        assert!(again.is_empty() && again.payload().is_empty());
        assert_eq!(again.at_hand(), 100);
        again.append_with(10, |room| {
            assert_eq!(room, [7; 10], "as it was left");
            room[..4].fill(1);
            4
        });
        assert_eq!(again.payload(), [1; 4]);
        again.extend_from_slice(&[2; 3]);
        assert_eq!(again.payload(), [1, 1, 1, 1, 2, 2, 2]);
        assert_eq!(again.clone().into_bytes(), again.payload());
        let (message, start) = again.prepend(&[9; 4]).unwrap();
        assert_eq!(message[start..], [9, 9, 9, 9, 1, 1, 1, 1, 2, 2, 2]);
    }

    #[test]
    fn what_is_appended_in_parts_stays_where_it_is() {
        let mut buffer = MessageBuffer::with_capacity(0);
        buffer.reserve(1000);
        let place = buffer.payload().as_ptr();
        for part in 0..10_u8 {
            buffer.append_with(100, |room| {
                room.fill(part);
                room.len()
            });
            // More than there was room for is not believed.
            buffer.append_with(0, |room| room.len() + 5);
        }
        assert_eq!((buffer.len(), buffer.payload().as_ptr()), (1000, place));
        assert!((0..1000).all(|at| buffer.payload()[at] == (at / 100) as u8));
        buffer.truncate(50);
        buffer.truncate(70);
        assert_eq!(buffer.payload(), [0; 50]);
    }
}
