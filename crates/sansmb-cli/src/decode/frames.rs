//! Cutting the bytes of one direction into the frames of Direct TCP and NetBIOS.

use sansmb::wire::{
    COMPRESSION_PROTOCOL_ID, FramePrefix, PROTOCOL_ID, SMB1_PROTOCOL_ID, SessionPacketType,
    TRANSFORM_PROTOCOL_ID,
};

/// One frame, or why there is none.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Frame {
    /// A message, without its prefix.
    Message(Vec<u8>),
    /// Another packet of NetBIOS sessions, without its prefix.
    Netbios(SessionPacketType, Vec<u8>),
    /// Bytes that cannot be read, in a stream that is SMB otherwise.
    Skipped(u64),
    /// The stream is something else; no more frames come.
    Foreign,
}

/// Cuts one direction.
#[derive(Debug, Default)]
pub(super) struct Framer {
    buffer: Vec<u8>,
    /// How much of the buffer is used up.
    at: usize,
    kind: Kind,
    skipped: u64,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Nothing was seen yet.
    #[default]
    Unknown,
    Smb,
    /// Bytes are missing: the next beginning of a frame is looked for.
    Lost,
    Foreign,
}

impl Framer {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        if self.kind == Kind::Foreign {
            return;
        }
        if self.at > 0 && self.at * 2 >= self.buffer.len() {
            self.buffer.drain(..self.at);
            self.at = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// So many bytes are missing here.
    pub(super) fn lose(&mut self, bytes: u64) {
        if self.kind == Kind::Foreign {
            return;
        }
        self.skipped += bytes + self.left() as u64;
        self.buffer.clear();
        self.at = 0;
        // Without a beginning nobody knows what it is.
        if self.kind == Kind::Smb {
            self.kind = Kind::Lost;
        }
    }

    /// Bytes of a frame that is not complete.
    pub(super) fn left(&self) -> usize {
        if self.kind == Kind::Smb { self.buffer.len() - self.at } else { 0 }
    }

    /// The next frame that is complete.
    pub(super) fn poll(&mut self) -> Option<Frame> {
        match self.kind {
            Kind::Foreign => return None,
            Kind::Unknown => {
                let start = self.buffer.get(self.at..).unwrap_or_default();
                if !begins_well(start)? {
                    self.kind = Kind::Foreign;
                    self.buffer = Vec::new();
                    self.at = 0;
                    return Some(Frame::Foreign);
                }
                self.kind = Kind::Smb;
            }
            Kind::Lost => return self.look_for_start(),
            Kind::Smb => {}
        }
        let start = self.buffer.get(self.at..).unwrap_or_default();
        let prefix = FramePrefix::from_bytes(*start.first_chunk()?);
        let end = FramePrefix::LEN + prefix.length as usize;
        let body = start.get(FramePrefix::LEN..end)?.to_vec();
        self.at += end;
        Some(match prefix.packet_type {
            SessionPacketType::SESSION_MESSAGE => Frame::Message(body),
            other => Frame::Netbios(other, body),
        })
    }

    fn look_for_start(&mut self) -> Option<Frame> {
        let rest = self.buffer.get(self.at..).unwrap_or_default();
        let found = rest.windows(8).position(|window| begins_well(window) == Some(true) && window[0] == 0);
        let step = found.unwrap_or(rest.len().saturating_sub(7));
        self.at += step;
        self.skipped += step as u64;
        found?;
        self.kind = Kind::Smb;
        Some(Frame::Skipped(std::mem::take(&mut self.skipped)))
    }
}

/// Whether it is the beginning of a frame; `None` when it is too short to tell.
fn begins_well(bytes: &[u8]) -> Option<bool> {
    let [kind, ..] = bytes else { return None };
    match SessionPacketType(*kind) {
        SessionPacketType::SESSION_MESSAGE => {
            let id = bytes.get(FramePrefix::LEN..FramePrefix::LEN + 4)?;
            let known = [PROTOCOL_ID, SMB1_PROTOCOL_ID, TRANSFORM_PROTOCOL_ID, COMPRESSION_PROTOCOL_ID];
            Some(known.iter().any(|known| known == id))
        }
        SessionPacketType::SESSION_REQUEST
        | SessionPacketType::POSITIVE_SESSION_RESPONSE
        | SessionPacketType::NEGATIVE_SESSION_RESPONSE
        | SessionPacketType::SESSION_KEEP_ALIVE => {
            // These are short; text of another protocol does not look like it.
            Some(FramePrefix::from_bytes(*bytes.first_chunk()?).length < 256)
        }
        _ => Some(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &[u8]) -> Vec<u8> {
        let body = [&PROTOCOL_ID, text].concat();
        [&FramePrefix::message(body.len()).unwrap().to_bytes()[..], &body].concat()
    }

    #[test]
    fn any_chunking_gives_the_same_frames() {
        let bytes = [message(b"one"), vec![0x85, 0, 0, 0], message(b"three")].concat();
        for size in 1..bytes.len() {
            let mut framer = Framer::default();
            let mut frames = Vec::new();
            for chunk in bytes.chunks(size) {
                framer.push(chunk);
                frames.extend(std::iter::from_fn(|| framer.poll()));
            }
            assert_eq!(frames.len(), 3, "{size}");
            assert_eq!(frames[1], Frame::Netbios(SessionPacketType::SESSION_KEEP_ALIVE, vec![]));
            assert!(matches!(&frames[2], Frame::Message(body) if body.ends_with(b"three")));
        }
    }

    #[test]
    fn other_protocols_are_left_alone() {
        let mut framer = Framer::default();
        framer.push(b"HTTP/1.1 200 OK\r\n");
        assert_eq!(framer.poll(), Some(Frame::Foreign));
        framer.push(&message(b"x"));
        assert_eq!(framer.poll(), None);
    }

    #[test]
    fn after_a_gap_the_next_frame_is_found() {
        let mut framer = Framer::default();
        framer.push(&message(b"one"));
        assert!(matches!(framer.poll(), Some(Frame::Message(_))));
        framer.push(&message(b"two")[..5]);
        framer.lose(100);
        framer.push(b"the rest of a frame");
        assert_eq!(framer.poll(), None);
        framer.push(&message(b"three"));
        assert_eq!(framer.poll(), Some(Frame::Skipped(5 + 100 + 19)));
        assert!(matches!(framer.poll(), Some(Frame::Message(body)) if body.ends_with(b"three")));
    }
}
