//! Encodes what was decoded and compares it with what was there.

use std::{fmt, ops::Range};

use sansmb::wire::{
    CreateRequest, CreateResponse, HEADER_LEN, Header, LockRequest, Message, NegotiateRequest,
    NegotiateResponse, Writer,
};

use super::parts::{Content, Part};

/// Where the bytes differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Difference {
    /// In the message, or in which of its buffers.
    pub(super) what: String,
    at: usize,
    was: Vec<u8>,
    is: Vec<u8>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let Self { what, at, was, is } = self;
        write!(f, "{what} differs at {at}: was {}, becomes {}", hex(was), hex(is))
    }
}

/// All differences of a message and its buffers that nothing excuses.
pub(super) fn differences(
    header: &Header,
    message: &Message<'_>,
    bytes: &[u8],
    parts: &[Part],
) -> Vec<Difference> {
    let mut was = bytes.to_vec();
    let mut is = again(header, message);
    for (_, free) in FREEDOMS {
        for range in free(message, bytes) {
            // What the standard leaves open is the same by definition.
            let (Some(was), Some(is)) = (was.get_mut(range.clone()), is.get_mut(range)) else { continue };
            was.fill(0);
            is.fill(0);
        }
    }
    let mut differences: Vec<_> = compare("message", &was, &is).into_iter().collect();
    for part in parts {
        if let Content::Known { bytes, again, .. } = &part.content {
            // A BOOLEAN is true with any value but zero, [MS-DTYP] 2.2.4.
            let same_flag = matches!((bytes.as_slice(), again.as_slice()), ([was], [1]) if *was > 0);
            if !same_flag {
                differences.extend(compare(&part.name, bytes, again));
            }
        }
    }
    differences
}

/// The bytes of a message that may be anything.
type Freedom = fn(&Message<'_>, &[u8]) -> Vec<Range<usize>>;

/// Where the standard allows several encodings, and why.
const FREEDOMS: [(&str, Freedom); 4] = [
    ("an offset whose length is zero points nowhere: InputOffset and OutputOffset of IOCTL", ioctl_offsets),
    ("an offset whose length is zero points nowhere: DataOffset of a create context", context_offsets),
    (
        "the one byte of ErrorData that StructureSize promises is not looked at when ByteCount is zero",
        error_byte,
    ),
    ("Reserved of SMB2_LOCK_ELEMENT is not looked at", lock_reserved),
];

fn ioctl_offsets(message: &Message<'_>, bytes: &[u8]) -> Vec<Range<usize>> {
    const BODY: usize = HEADER_LEN;
    let pairs = match message {
        Message::IoctlRequest(_) => [(BODY + 24, BODY + 28), (BODY + 36, BODY + 40)],
        Message::IoctlResponse(_) => [(BODY + 24, BODY + 28), (BODY + 32, BODY + 36)],
        _ => return Vec::new(),
    };
    let empty = |(_, count): &(usize, usize)| number(bytes, *count) == Some(0);
    pairs.into_iter().filter(empty).map(|(offset, _)| offset..offset + 4).collect()
}

fn context_offsets(message: &Message<'_>, bytes: &[u8]) -> Vec<Range<usize>> {
    const BODY: usize = HEADER_LEN;
    let at = match message {
        Message::CreateRequest(_) => number(bytes, BODY + 48),
        Message::CreateResponse(_) => number(bytes, BODY + 80),
        _ => None,
    };
    let mut free = Vec::new();
    let Some(mut at) = at.filter(|at| *at > 0) else { return free };
    while let (Some(next), Some(length)) = (number(bytes, at), number(bytes, at + 12)) {
        if length == 0 {
            free.push(at + 10..at + 12);
        }
        if next == 0 {
            break;
        }
        at += next;
    }
    free
}

fn error_byte(message: &Message<'_>, _: &[u8]) -> Vec<Range<usize>> {
    let empty = matches!(message, Message::Error(error) if error.data.is_empty());
    Some(HEADER_LEN + 8..HEADER_LEN + 9).filter(|_| empty).into_iter().collect()
}

fn lock_reserved(message: &Message<'_>, _: &[u8]) -> Vec<Range<usize>> {
    match message {
        Message::LockRequest(m) => {
            (0..m.locks.len()).map(|n| HEADER_LEN + 24 + 24 * n + 20).map(|at| at..at + 4).collect()
        }
        _ => Vec::new(),
    }
}

fn number(bytes: &[u8], at: usize) -> Option<usize> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?) as usize)
}

/// The message encoded anew; lists that decoding left as they were are taken apart first.
fn again(header: &Header, message: &Message<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    let w = &mut Writer::new(&mut out);
    header.encode(w);
    match *message {
        Message::NegotiateRequest(m) => {
            let contexts: Vec<_> = m.contexts.iter().collect();
            Message::NegotiateRequest(NegotiateRequest { contexts: contexts.as_slice().into(), ..m })
                .encode(w);
        }
        Message::NegotiateResponse(m) => {
            let contexts: Vec<_> = m.contexts.iter().collect();
            Message::NegotiateResponse(NegotiateResponse { contexts: contexts.as_slice().into(), ..m })
                .encode(w);
        }
        Message::CreateRequest(m) => {
            let contexts: Vec<_> = m.contexts.iter().collect();
            Message::CreateRequest(CreateRequest { contexts: contexts.as_slice().into(), ..m }).encode(w);
        }
        Message::CreateResponse(m) => {
            let contexts: Vec<_> = m.contexts.iter().collect();
            Message::CreateResponse(CreateResponse { contexts: contexts.as_slice().into(), ..m }).encode(w);
        }
        Message::LockRequest(m) => {
            let locks: Vec<_> = m.locks.iter().collect();
            Message::LockRequest(LockRequest { locks: locks.as_slice().into(), ..m }).encode(w);
        }
        message => message.encode(w),
    }
    out
}

/// Zeros behind the last field are padding: of compounds to 8 bytes, of names and lists to less.
fn compare(what: &str, was: &[u8], is: &[u8]) -> Option<Difference> {
    const PADDING: usize = 7;
    let same = was.iter().zip(is).take_while(|(was, is)| was == is).count();
    let (left, right) = (was.get(same..).unwrap_or_default(), is.get(same..).unwrap_or_default());
    if right.is_empty() && left.len() <= PADDING && left.iter().all(|byte| *byte == 0) {
        return None;
    }
    let excerpt = |bytes: &[u8]| bytes.iter().take(16).copied().collect();
    Some(Difference { what: what.to_owned(), at: same, was: excerpt(left), is: excerpt(right) })
}
