//! The transmit half: a queue of segments that a driver hands to one vectored write.

use alloc::{collections::VecDeque, vec::Vec};

use bytes::{Buf, Bytes, BytesMut};

use super::spare::Spares;

/// A segment at least this long travels on its own; a shorter one is copied next to its header,
/// which costs less than one more entry of a vectored write.
const CHAIN_THRESHOLD: usize = 256;

/// What is waiting to be sent on one connection.
#[derive(Debug, Default)]
pub struct Tx {
    arena: BytesMut,
    queue: VecDeque<Bytes>,
    queued: usize,
    spares: Spares,
}

impl Tx {
    /// Queues one frame made of `parts`, in order, behind the 4-byte transport prefix.
    pub fn push_parts(&mut self, parts: impl IntoIterator<Item = Bytes>, total: usize) {
        self.prefix(total);
        for part in parts {
            self.append(part);
        }
    }

    /// Queues one frame whose message is `buf[start..]`. Where at least four bytes are free before
    /// `start` the transport prefix goes there, and the message is not copied.
    pub fn push_vec(&mut self, mut buf: Vec<u8>, start: usize) {
        let len = buf.len() - start;
        if let Some(at) = start.checked_sub(4).filter(|_| len >= CHAIN_THRESHOLD) {
            buf[at..start].copy_from_slice(&(len as u32).to_be_bytes());
            self.flush_arena();
            self.queued += 4 + len;
            self.queue.push_back(Bytes::from(buf).slice(at..));
        } else {
            self.prefix(len);
            self.append_slice(&buf[start..]);
        }
    }

    /// Bytes that wait to be sent.
    pub fn queued(&self) -> usize {
        self.queued
    }

    /// Fills `out` with the next segments and returns how many it filled.
    pub fn poll_transmit<'a>(&'a mut self, out: &mut [&'a [u8]]) -> usize {
        self.flush_arena();
        let mut n = 0;
        for (slot, segment) in out.iter_mut().zip(&self.queue) {
            *slot = segment;
            n += 1;
        }
        n
    }

    /// The transport took the first `n` bytes of what [`Tx::poll_transmit`] offered.
    pub fn sent(&mut self, n: usize) {
        let mut n = n.min(self.queued);
        self.queued -= n;
        while n > 0 {
            let Some(front) = self.queue.front_mut() else { return };
            let taken = n.min(front.len());
            front.advance(taken);
            n -= taken;
            if front.is_empty()
                && let Some(sent) = self.queue.pop_front()
            {
                self.spares.keep(sent);
            }
        }
    }

    /// Memory of what was sent.
    pub(crate) fn spares(&mut self) -> &mut Spares {
        &mut self.spares
    }

    fn prefix(&mut self, len: usize) {
        self.append_slice(&(len as u32).to_be_bytes());
    }

    fn append(&mut self, part: Bytes) {
        if part.len() < CHAIN_THRESHOLD {
            self.append_slice(&part);
        } else {
            self.flush_arena();
            self.queued += part.len();
            self.queue.push_back(part);
        }
    }

    fn append_slice(&mut self, bytes: &[u8]) {
        self.arena.extend_from_slice(bytes);
        self.queued += bytes.len();
    }

    fn flush_arena(&mut self) {
        if !self.arena.is_empty() {
            self.queue.push_back(self.arena.split().freeze());
        }
    }
}
