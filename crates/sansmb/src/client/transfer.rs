//! The order of the reads or writes of one file: how many are under way and which is next.

/// A piece of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Where it begins, in bytes.
    pub offset: u64,
    /// How long it is, in bytes.
    pub len: u32,
}

/// Plans the requests of one transfer: it keeps up to `depth` of them under way and takes short
/// answers into account. It sends nothing itself.
///
/// Where the end is not known a transfer starts with two requests and doubles with every answer up to `depth`,
/// so that a small file costs no more and a large one soon fills the link. Where it is known all of them may
/// be under way at once. Pieces end at multiples of their size, wherever the transfer starts.
#[derive(Debug)]
pub struct Transfer {
    next: u64,
    end: Option<u64>,
    chunk: u32,
    depth: usize,
    allowed: usize,
    under_way: usize,
    /// Rests of short answers, to be asked again first.
    again: alloc::vec::Vec<Chunk>,
}

impl Transfer {
    /// From `start` to `end` (`None`: until the data ends), in pieces of `chunk` bytes.
    pub fn new(start: u64, end: Option<u64>, chunk: u32, depth: usize) -> Self {
        let (chunk, depth) = (chunk.max(1), depth.max(1));
        Self {
            next: start,
            end,
            chunk,
            depth,
            allowed: if end.is_some() { depth } else { depth.min(2) },
            under_way: 0,
            again: alloc::vec::Vec::new(),
        }
    }

    /// The next piece to ask for now, if one more may be under way.
    pub fn poll_next(&mut self) -> Option<Chunk> {
        if self.under_way >= self.allowed {
            return None;
        }
        if let Some(chunk) = self.again.pop() {
            self.under_way += 1;
            return Some(chunk);
        }
        let left = self.end.map_or(u64::MAX, |end| end.saturating_sub(self.next));
        if left == 0 {
            return None;
        }
        let chunk = u64::from(self.chunk);
        let len = left.min(chunk - self.next % chunk) as u32;
        let chunk = Chunk { offset: self.next, len };
        self.next = self.next.saturating_add(len.into());
        self.under_way += 1;
        Some(chunk)
    }

    /// `got` bytes of `chunk` were moved. Fewer than asked for, but some, and the rest is asked
    /// for again; none means that the file ends there.
    pub fn done(&mut self, chunk: Chunk, got: u32) {
        self.under_way = self.under_way.saturating_sub(1);
        self.allowed = (self.allowed * 2).min(self.depth);
        let got = got.min(chunk.len);
        if got == 0 {
            let end = self.end.map_or(chunk.offset, |end| end.min(chunk.offset));
            self.end = Some(end);
            self.next = self.next.max(end);
            self.again.retain(|c| c.offset < end);
        } else if got < chunk.len {
            self.again.push(Chunk { offset: chunk.offset + u64::from(got), len: chunk.len - got });
        }
    }

    /// Whether every piece is done.
    pub fn is_finished(&self) -> bool {
        self.under_way == 0 && self.again.is_empty() && self.end.is_some_and(|end| self.next >= end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(transfer: &mut Transfer) -> alloc::vec::Vec<(u64, u32)> {
        core::iter::from_fn(|| transfer.poll_next()).map(|chunk| (chunk.offset, chunk.len)).collect()
    }

    #[test]
    fn what_has_a_known_end_is_asked_for_at_once() {
        let mut transfer = Transfer::new(0, Some(25), 10, 8);
        assert_eq!(asked(&mut transfer), [(0, 10), (10, 10), (20, 5)]);
        let mut transfer = Transfer::new(0, None, 10, 8);
        assert_eq!(asked(&mut transfer), [(0, 10), (10, 10)]);
        transfer.done(Chunk { offset: 0, len: 10 }, 10);
        assert_eq!(asked(&mut transfer), [(20, 10), (30, 10), (40, 10)]);
    }

    #[test]
    fn pieces_end_at_multiples_of_their_size() {
        let mut transfer = Transfer::new(13, Some(45), 10, 8);
        assert_eq!(asked(&mut transfer), [(13, 7), (20, 10), (30, 10), (40, 5)]);
    }
}
