//! The receive half: says where the next socket read lands, and gives whole messages.

use alloc::collections::VecDeque;

use bytes::{Buf, Bytes, BytesMut};

use super::spare::KEPT;
use crate::wire::HEADER_LEN;

/// Why a byte stream is no SMB transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// The first byte is no Direct TCP or NetBIOS session message, [MS-SMB2] 2.1.
    #[error("transport prefix {0:#04x} is not that of a session message")]
    Prefix(u8),
    /// The message is longer than this connection allows at this point.
    #[error("message of {len} bytes is over the limit of {limit}")]
    TooLarge {
        /// Announced length.
        len: usize,
        /// What is allowed now.
        limit: usize,
    },
}

const PREFIX_LEN: usize = 4;
/// One NetBIOS session keep-alive, [RFC1002] 4.3.6.
const NETBIOS_KEEPALIVE: u8 = 0x85;
const SCAN_LEN: usize = 64 << 10;
/// Length of the scan buffer until a read fills it: what a connection holds on which little happens.
const SCAN_LEN_AT_FIRST: usize = 4 << 10;
/// After a message of at least this length, prefix included, the next one is read in two steps: see
/// [`Rx::target`].
const BULK_LEN: usize = 32 << 10;
/// The first of these steps, unless [said otherwise](Rx::heads_of): the headers before the payload of a READ response.
const READ_HEAD: usize = HEADER_LEN + 16;
/// Scan buffers whose messages are still being worked on, to be used again without asking for memory.
const RETIRED: usize = 4;
/// Large buffers that wait for their last reader, to be used again without clearing them.
const RECYCLED: usize = 16;

#[derive(Debug)]
enum Stage {
    /// Small messages: several may lie in the scan buffer.
    Scan,
    /// A message longer than the scan buffer is read straight into a buffer of its own.
    Exact { buf: BytesMut, filled: usize },
    /// So much of a message is still to come, and goes elsewhere.
    Aside { left: usize },
}

/// Receive buffers and framing of one connection.
///
/// Memory is bounded by the scan buffer plus one message of at most `max_frame` bytes.
#[derive(Debug)]
pub struct Rx {
    scan: BytesMut,
    filled: usize,
    /// Length of the scan buffer whose end `scan` is; zero when there is none.
    whole: usize,
    /// Length of the next scan buffer.
    scan_len: usize,
    stage: Stage,
    max_frame: usize,
    /// Prefix and headers before the payload of a long message.
    bulk_head: usize,
    /// The message before was a long one.
    bulk: bool,
    /// What is left of scan buffers: nothing but the memory.
    retired: VecDeque<BytesMut>,
    recycled: VecDeque<Bytes>,
}

impl Rx {
    /// Accepts messages of at most `max_frame` bytes.
    pub fn new(max_frame: usize) -> Self {
        Self {
            scan: BytesMut::new(),
            filled: 0,
            whole: 0,
            scan_len: SCAN_LEN_AT_FIRST,
            stage: Stage::Scan,
            max_frame,
            bulk_head: PREFIX_LEN + READ_HEAD,
            bulk: false,
            retired: VecDeque::new(),
            recycled: VecDeque::new(),
        }
    }

    /// Long messages mostly have `head` bytes of headers before their payload.
    pub(crate) fn heads_of(mut self, head: usize) -> Self {
        self.bulk_head = PREFIX_LEN + head;
        self
    }

    /// Changes the limit for messages that have not begun to arrive.
    pub fn set_max_frame(&mut self, max_frame: usize) {
        self.max_frame = max_frame;
    }

    /// How long messages may be that have not begun to arrive.
    pub fn max_frame(&self) -> usize {
        self.max_frame
    }

    /// Where the next bytes go; never empty.
    ///
    /// Mostly that is all that is left of the scan buffer, so that one read takes in many messages. Where long
    /// ones come one behind the other, the beginning of the next one would be read with the end of this one, and
    /// then have to be moved. So the headers are read first, and the payload straight to where it stays.
    pub fn target(&mut self) -> &mut [u8] {
        if let Some(len) = self.long().filter(|_| !self.bulk || self.filled >= self.bulk_head) {
            self.begin_exact(len);
        }
        // An idle connection holds no buffer: it is made when bytes are asked for.
        if !matches!(self.stage, Stage::Exact { .. })
            && (self.scan.len() == self.filled || self.scan.len() < PREFIX_LEN)
        {
            self.refill();
        }
        let end = match self.announced() {
            _ if !self.bulk => usize::MAX,
            // Where more than this is there already the rest of the message comes next.
            Some(total) if self.filled >= self.bulk_head => total,
            _ => self.bulk_head,
        };
        match &mut self.stage {
            Stage::Exact { buf, filled } => &mut buf[*filled..],
            Stage::Aside { left } => {
                let end = self.scan.len().min(*left);
                &mut self.scan[..end]
            }
            Stage::Scan => {
                let end = end.max(self.filled + 1).min(self.scan.len());
                &mut self.scan[self.filled..end]
            }
        }
    }

    /// Length of the message that is arriving in the scan buffer, prefix included.
    fn announced(&self) -> Option<usize> {
        let [_, a, b, c] = *self.scan.get(..self.filled)?.first_chunk()?;
        Some(PREFIX_LEN + u32::from_be_bytes([0, a, b, c]) as usize)
    }

    /// `n` bytes were read into [`Rx::target`]. More than it had room for count as that room.
    pub fn received(&mut self, n: usize) {
        match &mut self.stage {
            Stage::Exact { buf, filled } => *filled = filled.saturating_add(n).min(buf.len()),
            Stage::Aside { left } => {
                *left = left.saturating_sub(n);
                if *left == 0 {
                    self.stage = Stage::Scan;
                    self.bulk = true;
                }
            }
            Stage::Scan => {
                self.filled = self.filled.saturating_add(n).min(self.scan.len());
                // There may be more; at the end of a buffer that says little.
                if self.filled == self.scan.len() && n >= SCAN_LEN_AT_FIRST / 2 {
                    self.scan_len = SCAN_LEN;
                }
            }
        }
    }

    /// Gives back the buffers when nothing is in them: what an idle connection costs.
    pub fn release_idle(&mut self) {
        if self.filled == 0 && matches!(self.stage, Stage::Scan) {
            self.scan = BytesMut::new();
            self.whole = 0;
            self.scan_len = SCAN_LEN_AT_FIRST;
            self.retired.clear();
            self.recycled.clear();
        }
    }

    /// The next whole message, without its transport prefix. Empty messages and keep-alives are
    /// skipped.
    pub fn poll_frame(&mut self) -> Result<Option<BytesMut>, FrameError> {
        if let Stage::Exact { buf, filled } = &mut self.stage {
            if *filled < buf.len() {
                return Ok(None);
            }
            let whole = core::mem::take(buf);
            self.stage = Stage::Scan;
            self.bulk = true;
            return Ok(Some(whole));
        }
        if matches!(self.stage, Stage::Aside { .. }) {
            return Ok(None);
        }
        loop {
            if self.filled < PREFIX_LEN {
                return Ok(None);
            }
            let kind = self.scan[0];
            if kind != 0 && kind != NETBIOS_KEEPALIVE {
                return Err(FrameError::Prefix(kind));
            }
            let len = u32::from_be_bytes([0, self.scan[1], self.scan[2], self.scan[3]]) as usize;
            let limit = if kind == NETBIOS_KEEPALIVE { 0 } else { self.max_frame };
            if len > limit {
                return Err(FrameError::TooLarge { len, limit });
            }
            let total = PREFIX_LEN + len;
            if self.filled >= total {
                self.bulk = total >= BULK_LEN;
                let mut frame = self.scan.split_to(total);
                self.filled -= total;
                if len == 0 {
                    continue;
                }
                frame.advance(PREFIX_LEN);
                return Ok(Some(frame));
            }
            // A longer one gets a buffer once there is more of it to read.
            if total <= SCAN_LEN && total > self.scan.len() {
                if total > self.scan_len {
                    self.scan_len = SCAN_LEN;
                }
                self.refill();
            }
            return Ok(None);
        }
    }

    /// Length of the message that has begun to arrive in the scan buffer and is longer than that, without its
    /// transport prefix.
    fn long(&self) -> Option<usize> {
        let total = self.announced()?;
        let long = total > SCAN_LEN && total - PREFIX_LEN <= self.max_frame;
        let scanned = matches!(self.stage, Stage::Scan) && self.scan.first() == Some(&0);
        (long && scanned).then_some(total - PREFIX_LEN)
    }

    /// The start of a message that is longer than the scan buffer and has only begun to arrive, and its length
    /// without the transport prefix.
    pub(crate) fn arriving<const HEAD: usize>(&self) -> Option<(&[u8; HEAD], usize)> {
        let len = self.long()?;
        Some((self.scan.get(PREFIX_LEN..self.filled)?.first_chunk()?, len))
    }

    /// Of [the message that is arriving](Self::arriving) nothing behind its first `HEAD` bytes is here yet.
    pub(crate) fn just_arrived<const HEAD: usize>(&self) -> Option<(&[u8; HEAD], usize)> {
        self.arriving().filter(|_| self.filled == PREFIX_LEN + HEAD)
    }

    /// What is behind the head of the message that [just arrived](Self::just_arrived) went elsewhere, all of it.
    pub(crate) fn went_aside(&mut self) {
        self.leave_scan(Stage::Scan);
        self.bulk = true;
    }

    /// What is behind the first `head` bytes of [the message that is arriving](Self::arriving) goes elsewhere; what of it
    /// was received already.
    pub(crate) fn set_aside(&mut self, head: usize) -> Bytes {
        let left = self.announced().unwrap_or_default().saturating_sub(self.filled);
        let early = self.scan.get(PREFIX_LEN + head..self.filled).unwrap_or_default();
        let early = Bytes::copy_from_slice(early);
        self.leave_scan(Stage::Aside { left });
        early
    }

    /// Bytes that are still to come of what goes elsewhere.
    pub(crate) fn aside(&self) -> usize {
        match self.stage {
            Stage::Aside { left } => left,
            _ => 0,
        }
    }

    /// Lends a large message's buffer for reuse; it is taken once nobody else holds it.
    pub(crate) fn recycle(&mut self, frame: &Bytes) {
        if frame.len() > SCAN_LEN {
            self.recycled.push_back(frame.clone());
            let mut held: usize = self.recycled.iter().map(Bytes::len).sum();
            while (self.recycled.len() > RECYCLED || held > KEPT)
                && let Some(oldest) = self.recycled.pop_front()
            {
                held -= oldest.len();
            }
        }
    }

    fn begin_exact(&mut self, len: usize) {
        self.scan.advance(PREFIX_LEN);
        let early = self.filled - PREFIX_LEN;
        let mut buf = self.exact_buffer(len);
        buf[..early].copy_from_slice(&self.scan[..early]);
        self.leave_scan(Stage::Exact { buf, filled: early });
    }

    /// What the scan buffer has of a long message is taken care of.
    fn leave_scan(&mut self, stage: Stage) {
        self.scan.clear();
        // Where there are long messages, another may come behind short ones, and what is read of it into the scan buffer
        // has to be moved: let that be little.
        self.scan_len = SCAN_LEN_AT_FIRST;
        self.filled = 0;
        self.stage = stage;
    }

    /// A buffer of `len` initialised bytes: a used one where there is one, since clearing a fresh
    /// one costs a pass over the memory.
    fn exact_buffer(&mut self, len: usize) -> BytesMut {
        let reusable =
            self.recycled.iter().position(|b| b.len() >= len && b.len() / 2 <= len && b.is_unique());
        if let Some(found) = reusable.and_then(|at| self.recycled.remove(at))
            && let Ok(mut buf) = found.try_into_mut()
        {
            buf.truncate(len);
            return buf;
        }
        BytesMut::zeroed(len)
    }

    /// Makes the scan buffer a whole one again, with what is there of a message at its start.
    fn refill(&mut self) {
        let len = self.scan_len;
        let same = core::mem::replace(&mut self.whole, len) == len;
        self.scan.truncate(self.filled);
        if same && reclaim(&mut self.scan, len) {
            return;
        }
        let spare = self.retired.iter_mut().position(|buffer| reclaim(buffer, len));
        let spare = spare.and_then(|at| self.retired.remove(at));
        let mut fresh = spare.unwrap_or_else(|| BytesMut::zeroed(len));
        fresh[..self.filled].copy_from_slice(&self.scan);
        let mut old = core::mem::replace(&mut self.scan, fresh);
        if !same {
            self.retired.clear();
        } else if self.retired.len() < RETIRED {
            old.clear();
            self.retired.push_back(old);
        }
    }
}

/// Makes a buffer of `len` bytes of what is left of one, if nobody holds any other part of it.
fn reclaim(buffer: &mut BytesMut, len: usize) -> bool {
    let whole = buffer.try_reclaim(len.saturating_sub(buffer.len()));
    if whole {
        buffer.resize(len, 0);
    }
    whole
}

#[cfg(test)]
mod tests {
    use alloc::{vec, vec::Vec};

    use super::*;

    /// Gives `rx` what of `bytes` fits into its next target; how much that was, and where it lies.
    fn feed(rx: &mut Rx, bytes: &mut &[u8]) -> core::ops::Range<*const u8> {
        let target = rx.target();
        let (now, later) = bytes.split_at(target.len().min(bytes.len()));
        let at = &mut target[..now.len()];
        at.copy_from_slice(now);
        let at = at.as_ptr_range();
        rx.received(now.len());
        *bytes = later;
        at
    }

    fn message(len: usize) -> Vec<u8> {
        [&(len as u32).to_be_bytes()[..], &vec![7; len]].concat()
    }

    #[test]
    fn a_long_message_behind_another_stays_where_it_was_read() {
        for len in [BULK_LEN, 40 << 10, 64 << 10, 1 << 20] {
            let mut rx = Rx::new(1 << 20);
            let stream = message(len).repeat(6);
            let (mut left, mut held, mut moved) = (&stream[..], Vec::new(), 0);
            let mut reads = Vec::new();
            while !left.is_empty() {
                reads.push(feed(&mut rx, &mut left));
                while let Some(frame) = rx.poll_frame().expect("a stream of messages") {
                    // The first one came with whatever was there.
                    let payload = frame[HEADER_LEN + 16..].as_ptr_range();
                    let stayed = reads.iter().any(|at| at.start <= payload.start && payload.end <= at.end);
                    moved += usize::from(!stayed);
                    held.push(frame.freeze());
                    reads.clear();
                }
            }
            assert_eq!(held.len(), 6);
            assert!(moved <= 2, "{moved} of 6 messages of {len} bytes were moved");
        }
    }

    /// As when many clients read and write blocks of 64 KiB.
    #[test]
    fn little_of_a_long_message_behind_short_ones_is_moved() {
        let mut rx = Rx::new(1 << 20);
        let (short, long) = (message(113), message((64 << 10) + 112));
        let mut moved = 0;
        for n in 0..100 {
            let bytes = if n % 3 == 0 { &long } else { &short };
            let (mut left, mut read) = (&bytes[..], 0);
            while !left.is_empty() {
                let before = left.len();
                feed(&mut rx, &mut left);
                if rx.poll_frame().expect("a stream of messages").is_none() && n > 0 {
                    read += before - left.len();
                }
            }
            moved += read;
        }
        assert!(moved <= 33 * SCAN_LEN_AT_FIRST, "{moved} bytes of 33 messages");
    }

    /// Whoever keeps messages keeps their memory, and nobody writes over it.
    #[test]
    fn scan_buffers_are_used_again_once_their_messages_are_gone() {
        let mut rx = Rx::new(1 << 20);
        let (mut held, mut seen) = (VecDeque::new(), Vec::new());
        for n in 0..2000_u32 {
            let body = vec![n as u8; 1000];
            let bytes = [&1000_u32.to_be_bytes()[..], &body].concat();
            let mut left = &bytes[..];
            while !left.is_empty() {
                let buffer = feed(&mut rx, &mut left).start as usize / SCAN_LEN;
                if !seen.contains(&buffer) {
                    seen.push(buffer);
                }
            }
            held.push_back((n, rx.poll_frame().expect("a message").expect("all of it").freeze()));
            if held.len() > 100 {
                let (n, frame) = held.pop_front().expect("it is long");
                assert!(frame.iter().all(|byte| *byte == n as u8), "message {n} was written over");
            }
        }
        // A buffer that is not aligned counts twice.
        assert!(seen.len() <= 8, "{} buffers for 2 MB", seen.len());
    }
}
