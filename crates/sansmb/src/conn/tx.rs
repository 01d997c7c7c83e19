//! The transmit half: a queue of segments that a driver hands to one vectored write.

use alloc::{collections::VecDeque, vec::Vec};

use bytes::{Buf, Bytes};

use super::{Payload, spare::Spares};

/// A segment at least this long travels on its own; a shorter one is copied next to its header,
/// which costs less than one more entry of a vectored write.
const CHAIN_THRESHOLD: usize = 256;
/// What the arena may keep while there is nothing in it.
const ARENA: usize = 64 << 10;
/// Longer messages that have to be in one piece get memory of their own.
const GATHERED: usize = 16 << 10;

const PREFIX_LEN: usize = 4;

/// What is waiting to be sent on one connection.
///
/// Heads and short payloads lie one behind the other in the arena, which is used again and again: what
/// was sent is taken out of it once that is more than what is left.
#[derive(Debug, Default)]
pub struct Tx {
    arena: Vec<u8>,
    /// Bytes at the start of the arena that were sent.
    sent: usize,
    queue: VecDeque<Segment>,
    queued: usize,
    spares: Spares,
}

#[derive(Debug)]
enum Segment {
    /// The next so many bytes of the arena.
    Arena(usize),
    Shared(Bytes),
    /// From `at` on.
    Buffer {
        bytes: Vec<u8>,
        at: usize,
    },
}

impl Tx {
    /// Begins a frame whose message will be `len` bytes long; append it.
    pub fn begin(&mut self, len: usize) {
        self.copy(&(len as u32).to_be_bytes());
    }

    /// Appends bytes that are copied.
    pub fn copy(&mut self, bytes: &[u8]) {
        self.arena.extend_from_slice(bytes);
        self.in_arena(bytes.len());
    }

    /// Appends bytes that are sent from where they lie, unless they are few.
    pub fn share(&mut self, bytes: Bytes) {
        if bytes.len() < CHAIN_THRESHOLD {
            self.copy(&bytes);
        } else {
            self.queued += bytes.len();
            self.queue.push_back(Segment::Shared(bytes));
        }
    }

    /// Appends `bytes[at..]`, which are sent from where they lie, unless they are few.
    pub fn buffer(&mut self, bytes: Vec<u8>, at: usize) {
        let len = bytes.len().saturating_sub(at);
        if len < CHAIN_THRESHOLD {
            self.copy(bytes.get(at..).unwrap_or_default());
            self.spares.keep(bytes);
        } else {
            self.queued += len;
            self.queue.push_back(Segment::Buffer { bytes, at });
        }
    }

    /// Appends a message to the frame that was begun: where its payload lies it stays.
    pub fn append(&mut self, head: &[u8], payload: Payload) {
        self.copy(head);
        match payload {
            Payload::Empty => {}
            Payload::Shared(bytes) => self.share(bytes),
            Payload::Buffer(buffer) => {
                let (bytes, at) = buffer.into_parts();
                self.buffer(bytes, at);
            }
        }
    }

    /// Queues one frame whose message is `bytes[at..]`. Where at least four bytes are free before
    /// it the transport prefix goes there, and the message is not copied.
    pub fn frame(&mut self, mut bytes: Vec<u8>, at: usize) {
        let len = bytes.len().saturating_sub(at);
        if let Some(start) = at.checked_sub(PREFIX_LEN).filter(|_| len >= CHAIN_THRESHOLD)
            && let Some(prefix) = bytes.get_mut(start..at)
        {
            prefix.copy_from_slice(&(len as u32).to_be_bytes());
            self.buffer(bytes, start);
        } else {
            self.begin(len);
            self.buffer(bytes, at);
        }
    }

    /// Queues one frame whose message is what `write` appends behind `room` zeros, and what `seal` then
    /// makes of it in place. `len` is how long it will be about. `false` where `seal` says so:
    /// then nothing is queued.
    pub fn gather(
        &mut self,
        room: usize,
        len: usize,
        write: impl FnOnce(&mut Vec<u8>),
        seal: impl FnOnce(&mut [u8]) -> bool,
    ) -> bool {
        if len > GATHERED {
            let mut bytes = self.spares.take_memory(PREFIX_LEN + room + len).unwrap_or_default();
            bytes.clear();
            bytes.reserve_exact(PREFIX_LEN + room + len);
            bytes.resize(PREFIX_LEN + room, 0);
            write(&mut bytes);
            let sealed = bytes.get_mut(PREFIX_LEN..).is_some_and(seal);
            if sealed {
                self.frame(bytes, PREFIX_LEN);
            }
            return sealed;
        }
        let start = self.arena.len();
        self.arena.resize(start + PREFIX_LEN + room, 0);
        write(&mut self.arena);
        let len = self.arena.len() - start - PREFIX_LEN;
        let sealed = self.arena.get_mut(start..).and_then(|frame| frame.split_at_mut_checked(PREFIX_LEN));
        let sealed = sealed.is_some_and(|(prefix, message)| {
            prefix.copy_from_slice(&(len as u32).to_be_bytes());
            seal(message)
        });
        if sealed {
            self.in_arena(PREFIX_LEN + len);
        } else {
            self.arena.truncate(start);
        }
        sealed
    }

    /// Bytes that wait to be sent.
    pub fn queued(&self) -> usize {
        self.queued
    }

    /// Fills `out` with the next segments and returns how many it filled.
    pub fn poll_transmit<'a>(&'a mut self, out: &mut [&'a [u8]]) -> usize {
        let mut arena = self.arena.get(self.sent..).unwrap_or_default();
        let mut n = 0;
        for (slot, segment) in out.iter_mut().zip(&self.queue) {
            *slot = match segment {
                Segment::Arena(len) => {
                    let (bytes, rest) = arena.split_at_checked(*len).unwrap_or_default();
                    arena = rest;
                    bytes
                }
                Segment::Shared(bytes) => bytes,
                Segment::Buffer { bytes, at } => bytes.get(*at..).unwrap_or_default(),
            };
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
            let left = match front {
                Segment::Arena(len) => *len,
                Segment::Shared(bytes) => bytes.len(),
                Segment::Buffer { bytes, at } => bytes.len() - *at,
            };
            let taken = n.min(left);
            match front {
                Segment::Arena(len) => {
                    *len -= taken;
                    self.sent += taken;
                }
                Segment::Shared(bytes) => bytes.advance(taken),
                Segment::Buffer { at, .. } => *at += taken,
            }
            n -= taken;
            if taken == left {
                match self.queue.pop_front() {
                    Some(Segment::Buffer { bytes, .. }) => self.spares.keep(bytes),
                    Some(Segment::Shared(bytes)) => self.spares.keep_shared(bytes),
                    _ => {}
                }
            }
        }
        self.tidy();
    }

    /// Memory of what was sent.
    pub(crate) fn spares(&mut self) -> &mut Spares {
        &mut self.spares
    }

    /// Gives back what nothing is in.
    pub fn release_idle(&mut self) {
        self.spares.clear();
        if self.queue.is_empty() {
            self.arena = Vec::new();
            self.queue = VecDeque::new();
        }
    }

    fn in_arena(&mut self, len: usize) {
        self.queued += len;
        match self.queue.back_mut() {
            Some(Segment::Arena(last)) => *last += len,
            _ if len > 0 => self.queue.push_back(Segment::Arena(len)),
            _ => {}
        }
    }

    fn tidy(&mut self) {
        if self.sent == self.arena.len() {
            self.arena.clear();
            self.arena.shrink_to(ARENA);
            self.sent = 0;
        } else if self.sent > ARENA && self.sent > self.arena.len() / 2 {
            self.arena.drain(..self.sent);
            self.sent = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offered(tx: &mut Tx) -> Vec<u8> {
        let mut out = [&[][..]; 64];
        let n = tx.poll_transmit(&mut out);
        out[..n].concat()
    }

    /// Frames of all kinds come out as they went in, however the transport takes them.
    #[test]
    fn partial_writes_lose_nothing() {
        for step in [1, 3, 100, 299, 5000] {
            let (mut tx, mut expected, mut got) = (Tx::default(), Vec::new(), Vec::new());
            for round in 0..300_usize {
                let payload = alloc::vec![round as u8; [0, 10, 255, 256, 700][round % 5]];
                match round % 3 {
                    0 => {
                        tx.begin(8 + payload.len());
                        tx.copy(&[1; 8]);
                        tx.share(payload.clone().into());
                        expected.extend(((8 + payload.len()) as u32).to_be_bytes());
                        expected.extend([1; 8]);
                    }
                    1 => {
                        tx.frame([&[0; 4][..], &payload].concat(), 4);
                        expected.extend((payload.len() as u32).to_be_bytes());
                    }
                    _ => {
                        let write = |out: &mut Vec<u8>| out.extend_from_slice(&payload);
                        assert!(tx.gather(2, payload.len(), write, |message| {
                            message[..2].fill(7);
                            true
                        }));
                        expected.extend(((2 + payload.len()) as u32).to_be_bytes());
                        expected.extend([7; 2]);
                    }
                }
                expected.extend(payload);
                while tx.queued() > 2000 {
                    let bytes = offered(&mut tx);
                    let n = step.min(bytes.len());
                    got.extend_from_slice(&bytes[..n]);
                    tx.sent(n);
                }
            }
            let rest = offered(&mut tx);
            assert_eq!(rest.len(), tx.queued());
            got.extend_from_slice(&rest);
            tx.sent(rest.len());
            assert_eq!(got, expected, "in steps of {step}");
            assert_eq!((tx.queued(), tx.arena.len()), (0, 0));
        }
    }

    #[test]
    fn what_cannot_be_sealed_leaves_nothing_behind() {
        for len in [10, GATHERED + 1] {
            let mut tx = Tx::default();
            assert!(!tx.gather(4, len, |out| out.resize(out.len() + len, 1), |_| false));
            assert_eq!((tx.queued(), offered(&mut tx).len()), (0, 0));
        }
    }

    #[test]
    fn an_arena_that_is_never_empty_stays_small() {
        let mut tx = Tx::default();
        tx.copy(&[0; 100]);
        for _ in 0..100_000 {
            tx.copy(&[1; 100]);
            tx.sent(100);
        }
        assert!(tx.arena.len() <= 2 * ARENA + 200, "{}", tx.arena.len());
    }
}
