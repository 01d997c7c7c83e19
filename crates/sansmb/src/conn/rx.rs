//! The receive half: says where the next socket read lands, and gives whole messages.

use alloc::collections::VecDeque;

use bytes::{Bytes, BytesMut};

use super::spare::KEPT;

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
/// What is read first after a large message, which mostly is the head of another one: the less of that
/// message comes with it, the less has to be copied to where the rest of it goes.
const HEAD_LEN: usize = 512;
/// Large buffers that wait for their last reader, to be used again without clearing them.
const RECYCLED: usize = 16;

#[derive(Debug)]
enum Stage {
    /// Small messages: several may lie in the scan buffer.
    Scan,
    /// A message longer than the scan buffer is read straight into a buffer of its own.
    Exact { buf: BytesMut, filled: usize },
}

/// Receive buffers and framing of one connection.
///
/// Memory is bounded by the scan buffer plus one message of at most `max_frame` bytes.
#[derive(Debug)]
pub struct Rx {
    scan: BytesMut,
    filled: usize,
    /// Length of the next scan buffer.
    scan_len: usize,
    stage: Stage,
    max_frame: usize,
    /// The last message was a large one.
    bulk: bool,
    recycled: VecDeque<Bytes>,
}

impl Rx {
    /// Accepts messages of at most `max_frame` bytes.
    pub fn new(max_frame: usize) -> Self {
        Self {
            scan: BytesMut::new(),
            filled: 0,
            scan_len: SCAN_LEN_AT_FIRST,
            stage: Stage::Scan,
            max_frame,
            bulk: false,
            recycled: VecDeque::new(),
        }
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
    pub fn target(&mut self) -> &mut [u8] {
        // An idle connection holds no buffer: it is made when bytes are asked for.
        if matches!(self.stage, Stage::Scan)
            && (self.scan.len() == self.filled || self.scan.len() < PREFIX_LEN)
        {
            self.refill(self.scan_len);
        }
        match &mut self.stage {
            Stage::Exact { buf, filled } => &mut buf[*filled..],
            Stage::Scan => {
                let end = if self.bulk && self.filled < HEAD_LEN { HEAD_LEN } else { usize::MAX };
                let end = end.min(self.scan.len()).max(self.filled + 1);
                &mut self.scan[self.filled..end]
            }
        }
    }

    /// `n` bytes were read into [`Rx::target`]. More than it had room for count as that room.
    pub fn received(&mut self, n: usize) {
        match &mut self.stage {
            Stage::Exact { buf, filled } => *filled = filled.saturating_add(n).min(buf.len()),
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
            self.scan_len = SCAN_LEN_AT_FIRST;
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
                self.bulk = false;
                let mut frame = self.scan.split_to(total);
                self.filled -= total;
                if len == 0 {
                    continue;
                }
                let _ = frame.split_to(PREFIX_LEN);
                return Ok(Some(frame));
            }
            if total > SCAN_LEN {
                self.begin_exact(len);
            } else if total > self.scan.len() {
                if total > self.scan_len {
                    self.scan_len = SCAN_LEN;
                }
                self.refill(self.scan_len);
            }
            return Ok(None);
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
        let _ = self.scan.split_to(PREFIX_LEN);
        let early = self.filled - PREFIX_LEN;
        let mut buf = self.exact_buffer(len);
        buf[..early].copy_from_slice(&self.scan[..early]);
        let _ = self.scan.split_to(early);
        self.filled = 0;
        self.stage = Stage::Exact { buf, filled: early };
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

    fn refill(&mut self, len: usize) {
        let mut fresh = BytesMut::zeroed(len);
        fresh[..self.filled].copy_from_slice(&self.scan[..self.filled]);
        self.scan = fresh;
    }
}
