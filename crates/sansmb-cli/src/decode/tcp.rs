//! Putting the segments of one direction of a TCP connection in order.

use std::collections::BTreeMap;

/// What arrives early is kept up to this many bytes; then what is missing is taken for lost.
const MAX_EARLY: usize = 8 << 20;
/// The same as a number of segments.
const MAX_EARLY_SEGMENTS: usize = 8192;

/// One direction of a connection.
#[derive(Debug, Default)]
pub(super) struct Reassembly {
    /// The sequence number that comes next, once anything was seen.
    next: Option<u32>,
    /// How many bytes were in order so far.
    passed: u64,
    /// Segments that came early, by their position.
    early: BTreeMap<u64, Vec<u8>>,
    early_bytes: usize,
}

/// What a segment made readable.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// The next bytes.
    Data(Vec<u8>),
    /// So many bytes were not captured.
    Lost(u64),
}

impl Reassembly {
    /// Takes in a segment. Bytes that came before are left out; bytes that come early are kept.
    pub(super) fn push(&mut self, sequence: u32, syn: bool, payload: &[u8]) -> Vec<Piece> {
        let mut pieces = Vec::new();
        let sequence = sequence.wrapping_add(u32::from(syn));
        if payload.is_empty() {
            if syn {
                self.next = Some(sequence);
            }
            return pieces;
        }
        let next = *self.next.get_or_insert(sequence);
        let ahead = sequence.wrapping_sub(next).cast_signed();
        if ahead > 0 {
            self.keep(self.passed + u64::from(ahead.unsigned_abs()), payload);
            while self.early_bytes > MAX_EARLY || self.early.len() > MAX_EARLY_SEGMENTS {
                self.give_up(&mut pieces);
            }
            return pieces;
        }
        let seen = ahead.unsigned_abs() as usize;
        if let Some(new) = payload.get(seen..).filter(|new| !new.is_empty()) {
            self.pass(new.to_vec(), &mut pieces);
        }
        pieces
    }

    /// The connection is over: what is still kept comes out.
    pub(super) fn finish(&mut self) -> Vec<Piece> {
        let mut pieces = Vec::new();
        while !self.early.is_empty() {
            self.give_up(&mut pieces);
        }
        pieces
    }

    fn keep(&mut self, at: u64, payload: &[u8]) {
        let longer = self.early.get(&at).is_none_or(|known| known.len() < payload.len());
        if longer {
            self.early_bytes += payload.len();
            if let Some(known) = self.early.insert(at, payload.to_vec()) {
                self.early_bytes -= known.len();
            }
        }
    }

    /// Hands out bytes that are in order, and what follows from them.
    fn pass(&mut self, bytes: Vec<u8>, pieces: &mut Vec<Piece>) {
        self.advance(bytes.len() as u64);
        pieces.push(Piece::Data(bytes));
        while let Some(first) = self.early.first_entry().filter(|first| *first.key() <= self.passed) {
            let (at, mut bytes) = first.remove_entry();
            self.early_bytes -= bytes.len();
            let seen = usize::try_from(self.passed - at).unwrap_or(usize::MAX);
            if seen < bytes.len() {
                bytes.drain(..seen);
                self.advance(bytes.len() as u64);
                pieces.push(Piece::Data(bytes));
            }
        }
    }

    /// Takes the bytes before the first early segment for lost.
    fn give_up(&mut self, pieces: &mut Vec<Piece>) {
        if let Some((at, bytes)) = self.early.pop_first() {
            self.early_bytes -= bytes.len();
            let lost = at.saturating_sub(self.passed);
            self.advance(lost);
            pieces.push(Piece::Lost(lost));
            self.pass(bytes, pieces);
        }
    }

    fn advance(&mut self, by: u64) {
        self.passed += by;
        // Sequence numbers wrap around; positions do not.
        self.next = self.next.map(|next| next.wrapping_add(by as u32));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(pieces: Vec<Piece>) -> String {
        pieces
            .into_iter()
            .map(|piece| match piece {
                Piece::Data(bytes) => String::from_utf8(bytes).unwrap(),
                Piece::Lost(lost) => format!("<{lost}>"),
            })
            .collect()
    }

    #[test]
    fn in_order_and_again() {
        let mut stream = Reassembly::default();
        assert_eq!(text(stream.push(99, true, b"")), "");
        assert_eq!(text(stream.push(100, false, b"abc")), "abc");
        assert_eq!(text(stream.push(100, false, b"abc")), "");
        assert_eq!(text(stream.push(101, false, b"bcde")), "de");
    }

    #[test]
    fn early_segments_wait() {
        let mut stream = Reassembly::default();
        stream.push(0, true, b"");
        assert_eq!(text(stream.push(7, false, b"ghi")), "");
        assert_eq!(text(stream.push(4, false, b"defg")), "");
        assert_eq!(text(stream.push(1, false, b"abc")), "abcdefghi");
    }

    #[test]
    fn sequence_numbers_wrap() {
        let mut stream = Reassembly::default();
        stream.push(u32::MAX - 2, true, b"");
        assert_eq!(text(stream.push(1, false, b"de")), "");
        assert_eq!(text(stream.push(u32::MAX - 1, false, b"abc")), "abcde");
    }

    #[test]
    fn what_never_comes_is_lost() {
        let mut stream = Reassembly::default();
        stream.push(0, true, b"");
        stream.push(4, false, b"def");
        assert_eq!(text(stream.finish()), "<3>def");
        assert_eq!(text(stream.push(7, false, b"g")), "g");
    }

    #[test]
    fn early_segments_are_bounded() {
        let mut stream = Reassembly::default();
        stream.push(0, true, b"");
        let block = vec![0; 1 << 20];
        let mut pieces = 0;
        for n in 0..20_u32 {
            pieces += stream.push(10 + n * (1 << 20), false, &block).len();
        }
        assert!(pieces > 0 && stream.early_bytes <= MAX_EARLY);
    }
}
