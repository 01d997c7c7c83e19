//! The one trait of the codec, and the only functions that slice at an offset. Lists are parsed by `parse`.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned, little_endian::U16};

use super::{DecodeError, DecodeErrorKind, HEADER_LEN, Writer};

/// The body of one SMB2 command, request or response. `'m` is the message that it borrows from.
///
/// [`Body::decode`] checks length and StructureSize for every command, so that none can forget.
pub trait Body<'m>: Sized {
    /// The name in messages of errors.
    const NAME: &'static str;
    /// StructureSize as [MS-SMB2] 2.2 gives it: the odd ones count one byte of the variable part.
    const STRUCTURE_SIZE: u16;
    /// The fixed part, StructureSize included.
    type Fixed: FromBytes + IntoBytes + KnownLayout + Immutable + Unaligned + 'm;

    /// Interprets the fixed part. `msg` is the whole message from its header on.
    fn from_parts(fixed: &'m Self::Fixed, msg: &'m [u8]) -> Result<Self, DecodeError>;

    /// Writes the fixed part and what follows it, but not a [`Bulk`] payload. The writer stands
    /// right behind the header.
    fn encode(&self, w: &mut Writer<'_>);

    /// Parses the body of `msg`, which starts with its SMB2 header.
    fn decode(msg: &'m [u8]) -> Result<Self, DecodeError> {
        let size: &U16 = fixed_at(msg, HEADER_LEN, Self::NAME)?;
        if size.get() != Self::STRUCTURE_SIZE {
            let kind = DecodeErrorKind::StructureSize(size.get());
            return Err(DecodeError::new(Self::NAME, HEADER_LEN, kind));
        }
        Self::from_parts(fixed_at(msg, HEADER_LEN, Self::NAME)?, msg)
    }
}

/// A structure that stands at `at` in `bytes`.
pub(crate) fn fixed_at<'m, T>(bytes: &'m [u8], at: usize, what: &'static str) -> Result<&'m T, DecodeError>
where
    T: FromBytes + KnownLayout + Immutable + Unaligned,
{
    bytes
        .get(at..)
        .and_then(|rest| T::ref_from_prefix(rest).ok())
        .map(|(fixed, _)| fixed)
        .ok_or(DecodeError::truncated(what, at))
}

/// The `len` bytes at `offset`. A length of zero is empty wherever the offset points.
pub(crate) fn span<'m>(
    msg: &'m [u8],
    what: &'static str,
    offset: usize,
    len: usize,
) -> Result<&'m [u8], DecodeError> {
    if len == 0 {
        return Ok(&[]);
    }
    offset.checked_add(len).and_then(|end| msg.get(offset..end)).ok_or(DecodeError::new(
        what,
        offset,
        DecodeErrorKind::Range,
    ))
}

/// The same for a variable part, which must not reach back before `floor`, the end of the fixed part.
pub(crate) fn span_from<'m>(
    msg: &'m [u8],
    what: &'static str,
    floor: usize,
    offset: usize,
    len: usize,
) -> Result<&'m [u8], DecodeError> {
    if len > 0 && offset < floor {
        return Err(DecodeError::new(what, offset, DecodeErrorKind::Range));
    }
    span(msg, what, offset, len)
}

/// "This many payload bytes follow, sent as a segment of their own."
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bulk(pub usize);

/// A bulk payload of a message: borrowed when it was parsed, a length when it is being built.
pub trait Payload {
    /// Length in bytes.
    fn len(&self) -> usize;
    /// The bytes that the encoder itself has to write: none for [`Bulk`].
    fn inline(&self) -> &[u8];
    /// Whether there are no bytes.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Payload for &[u8] {
    fn len(&self) -> usize {
        <[u8]>::len(self)
    }
    fn inline(&self) -> &[u8] {
        self
    }
}

impl Payload for Bulk {
    fn len(&self) -> usize {
        self.0
    }
    fn inline(&self) -> &[u8] {
        &[]
    }
}

layout! {
    /// StructureSize 4 and two reserved bytes: the body of every message that says nothing more.
    pub struct EmptyFixed [4] { structure_size: U16, reserved: U16 }
}

/// The body of LOGOFF, TREE_DISCONNECT, ECHO and CANCEL requests and of the responses to FLUSH,
/// LOCK, LOGOFF, TREE_DISCONNECT and ECHO.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EmptyBody {
    /// Kept so that a round trip is exact; zero in what we send.
    pub reserved: u16,
}

impl<'m> Body<'m> for EmptyBody {
    const NAME: &'static str = "empty body";
    const STRUCTURE_SIZE: u16 = 4;
    type Fixed = EmptyFixed;

    fn from_parts(fixed: &'m EmptyFixed, _msg: &'m [u8]) -> Result<Self, DecodeError> {
        Ok(Self { reserved: fixed.reserved.get() })
    }

    fn encode(&self, w: &mut Writer<'_>) {
        w.put(&EmptyFixed {
            structure_size: U16::new(Self::STRUCTURE_SIZE),
            reserved: U16::new(self.reserved),
        });
    }
}
