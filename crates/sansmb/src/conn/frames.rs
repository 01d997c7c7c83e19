//! Splitting a frame into the messages of its compound, [MS-SMB2] 3.3.5.2.7 and 3.2.5.1.9.

use alloc::vec::Vec;

use bytes::Bytes;

use crate::wire::{DecodeError, DecodeErrorKind, HEADER_LEN, Header};

/// The messages of one frame, in order.
#[derive(Debug)]
pub struct Compound {
    /// Each with its header, its bytes from the header to the next header.
    pub messages: Vec<(Header, Bytes)>,
}

/// Splits `frame`, which starts with an SMB2 header. Each message sees only its own bytes, so that no offset reaches into its neighbour. The work and
/// the memory are bounded by the frame: every message takes at least a header.
pub fn split_compound(frame: &Bytes) -> Result<Compound, DecodeError> {
    const NAME: &str = "NextCommand";
    let mut messages = Vec::new();
    let mut rest = frame.clone();
    loop {
        let header = Header::decode(&rest)?;
        let next = header.next_command as usize;
        if next == 0 {
            messages.push((header, rest));
            return Ok(Compound { messages });
        }
        if !next.is_multiple_of(8) || next < HEADER_LEN {
            let kind = DecodeErrorKind::Chain(next as u64);
            return Err(DecodeError::new(NAME, frame.len() - rest.len() + 20, kind));
        }
        if next >= rest.len() {
            return Err(DecodeError::new(NAME, frame.len() - rest.len() + 20, DecodeErrorKind::Range));
        }
        messages.push((header, rest.split_to(next)));
    }
}
