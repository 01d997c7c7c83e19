//! Memory of messages that were sent, to be used again.

use alloc::{collections::VecDeque, vec::Vec};

use bytes::Bytes;

use super::{MessageBuffer, buffer::HEADROOM};

/// From this length on fresh memory comes from the system, page by page, which costs as much as what
/// is copied into it.
pub const LARGE: usize = 64 << 10;
/// How much is kept: three of the largest payloads.
pub(super) const KEPT: usize = 3 * ((8 << 20) + LARGE);

/// How many buffers are kept.
const BUFFERS: usize = 64;

/// Large buffers that nobody holds any more, up to [`KEPT`] bytes; small ones too, once somebody has asked for
/// such a one.
#[derive(Debug, Default)]
pub(crate) struct Spares {
    kept: VecDeque<Vec<u8>>,
    bytes: usize,
    small: bool,
}

impl Spares {
    /// Keeps the memory of a shared segment of which nothing is left to send, if it is large and nobody else
    /// has it.
    pub(super) fn keep_shared(&mut self, sent: Bytes) {
        if sent.is_empty() {
            // Takes the memory over; of memory that others have it copies what is left, which is nothing.
            self.keep(Vec::from(sent));
        }
    }

    /// Keeps memory, if it is worth it.
    pub(super) fn keep(&mut self, memory: Vec<u8>) {
        if memory.capacity() < if self.small { HEADROOM } else { LARGE } {
            return;
        }
        self.bytes += memory.capacity();
        self.kept.push_back(memory);
        while (self.bytes > KEPT || self.kept.len() > BUFFERS)
            && let Some(oldest) = self.kept.pop_front()
        {
            self.bytes -= oldest.capacity();
        }
    }

    /// Room for a payload of `len` bytes, if some is kept that is not much larger: what was sent
    /// last, of which a processor may still have some at hand.
    pub(crate) fn take(&mut self, len: usize) -> Option<MessageBuffer> {
        self.take_memory(len).map(MessageBuffer::reuse)
    }

    /// The same, as it is.
    pub(super) fn take_memory(&mut self, len: usize) -> Option<Vec<u8>> {
        self.small |= len < LARGE;
        let fits = |memory: &Vec<u8>| (len..=2 * len).contains(&memory.capacity().saturating_sub(HEADROOM));
        let found = self.kept.iter().rposition(fits)?;
        let memory = self.kept.remove(found)?;
        self.bytes -= memory.capacity();
        Some(memory)
    }

    /// Gives all of it back.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conn::Tx;

    fn send(tx: &mut Tx, mut buffer: MessageBuffer) {
        buffer.extend_from_slice(&[9; 5000]);
        let (message, start) = buffer.prepend(&[7; 80]).unwrap();
        tx.frame(message, start);
        while tx.queued() > 0 {
            tx.sent(tx.queued().div_ceil(2));
        }
    }

    #[test]
    fn memory_that_was_sent_is_used_again() {
        let mut tx = Tx::default();
        let buffer = MessageBuffer::with_capacity(1 << 20);
        let place = buffer.payload().as_ptr();
        send(&mut tx, buffer);
        assert!(tx.spares().take(16 << 20).is_none() && tx.spares().take(100_000).is_none());
        let mut again = tx.spares().take(1 << 20).unwrap();
        assert!(again.is_empty());
        again.extend_from_slice(&[1; 1 << 20]);
        assert_eq!(again.payload().as_ptr(), place, "the same memory, and no other");
        assert!(tx.spares().take(1 << 20).is_none(), "it is lent once");
    }

    #[test]
    fn memory_that_others_hold_is_left_to_them() {
        let mut tx = Tx::default();
        let shared = Bytes::from(alloc::vec![5; 1 << 20]);
        tx.begin(shared.len());
        tx.share(shared.clone());
        tx.sent(tx.queued());
        assert!(tx.spares().take(1 << 20).is_none());
        assert_eq!(shared, [5; 1 << 20][..]);
    }

    #[test]
    fn small_memory_is_kept_for_who_asks_for_it() {
        let mut tx = Tx::default();
        send(&mut tx, MessageBuffer::with_capacity(5000));
        assert!(tx.spares().take(5000).is_none(), "nobody had asked before");
        for _ in 0..100 {
            send(&mut tx, MessageBuffer::with_capacity(5000));
        }
        assert!(tx.spares().kept.len() <= BUFFERS);
        assert!(tx.spares().take(5000).is_some_and(|buffer| buffer.is_empty()));
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut tx = Tx::default();
        for _ in 0..100 {
            send(&mut tx, MessageBuffer::with_capacity(1 << 20));
        }
        assert!(tx.spares().bytes <= KEPT);
        send(&mut tx, MessageBuffer::with_capacity(9 << 20));
        assert!(tx.spares().take(9 << 20).is_some(), "the newest stays");
        tx.spares().clear();
        assert!(tx.spares().take(1 << 20).is_none() && tx.spares().bytes == 0);
    }
}
