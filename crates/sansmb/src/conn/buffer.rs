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
    bytes: Vec<u8>,
}

impl MessageBuffer {
    /// An empty payload that can grow to `capacity` bytes without moving.
    pub fn with_capacity(capacity: usize) -> Self {
        let mut bytes = Vec::with_capacity(HEADROOM + capacity);
        bytes.resize(HEADROOM, 0);
        Self { bytes }
    }

    /// An empty payload in memory that held another one.
    pub(super) fn reuse(mut memory: Vec<u8>) -> Self {
        memory.clear();
        memory.resize(HEADROOM, 0);
        Self { bytes: memory }
    }

    /// The payload.
    pub fn payload(&self) -> &[u8] {
        &self.bytes[HEADROOM..]
    }

    /// The payload, to be changed in place.
    pub fn payload_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[HEADROOM..]
    }

    /// Length of the payload.
    pub fn len(&self) -> usize {
        self.bytes.len() - HEADROOM
    }

    /// Whether there is no payload.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends to the payload.
    pub fn extend_from_slice(&mut self, more: &[u8]) {
        self.bytes.extend_from_slice(more);
    }

    /// Shortens the payload to `len` bytes; does nothing when it is shorter already.
    pub fn truncate(&mut self, len: usize) {
        self.bytes.truncate(HEADROOM.saturating_add(len));
    }

    /// Lets `fill` append to the vector that holds headroom and payload: for system calls that
    /// read into spare capacity. What `fill` does to the headroom is undone.
    pub fn fill_with<R>(&mut self, fill: impl FnOnce(&mut Vec<u8>) -> R) -> R {
        let result = fill(&mut self.bytes);
        if self.bytes.len() < HEADROOM {
            self.bytes.resize(HEADROOM, 0);
        }
        result
    }

    /// The payload as a shared handle, without a copy.
    pub fn into_bytes(self) -> Bytes {
        Bytes::from(self.bytes).slice(HEADROOM..)
    }

    /// The whole vector, and where the payload starts in it.
    pub(crate) fn into_parts(self) -> (Vec<u8>, usize) {
        (self.bytes, HEADROOM)
    }

    /// The whole vector and where `head` now starts in it; `head` is written right before the
    /// payload. `None` (never for heads that SMB2 has) when it is longer than the headroom.
    pub(crate) fn prepend(mut self, head: &[u8]) -> Option<(Vec<u8>, usize)> {
        let at = HEADROOM.checked_sub(head.len())?;
        self.bytes[at..HEADROOM].copy_from_slice(head);
        Some((self.bytes, at))
    }
}
