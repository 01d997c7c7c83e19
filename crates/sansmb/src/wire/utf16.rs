//! UTF-16LE strings: views into a message until somebody asks for text.

use alloc::{string::String, vec::Vec};
use core::fmt;

use super::{DecodeError, DecodeErrorKind};

/// A UTF-16LE string inside a message, not necessarily well-formed and without a terminator.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Utf16<'m>(&'m [u8]);

impl<'m> Utf16<'m> {
    /// Fails when the number of bytes is odd. `what` and `at` go into the error.
    pub fn new(bytes: &'m [u8], what: &'static str, at: usize) -> Result<Self, DecodeError> {
        if !bytes.len().is_multiple_of(2) {
            return Err(DecodeError::new(what, at, DecodeErrorKind::OddUtf16));
        }
        Ok(Self(bytes))
    }

    /// The bytes on the wire.
    pub fn as_bytes(self) -> &'m [u8] {
        self.0
    }

    /// Length in bytes.
    pub fn len(self) -> usize {
        self.0.len()
    }

    /// Whether there is nothing in it.
    pub fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// The 16-bit units.
    pub fn units(self) -> impl Iterator<Item = u16> + Clone + 'm {
        self.0.chunks_exact(2).map(|c| u16::from_le_bytes([c[0], c[1]]))
    }

    /// The text, or `None` when a surrogate has no partner.
    pub fn to_text(self) -> Option<String> {
        char::decode_utf16(self.units()).collect::<Result<_, _>>().ok()
    }

    /// The text, lone surrogates replaced by U+FFFD.
    pub fn to_text_lossy(self) -> String {
        char::decode_utf16(self.units()).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
    }
}

impl fmt::Debug for Utf16<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.to_text_lossy(), f)
    }
}

/// Text encoded for a message.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Utf16Buf(Vec<u8>);

impl Utf16Buf {
    /// Encodes `text`.
    pub fn new(text: &str) -> Self {
        Self(text.encode_utf16().flat_map(u16::to_le_bytes).collect())
    }

    /// A view of it.
    pub fn as_utf16(&self) -> Utf16<'_> {
        Utf16(&self.0)
    }
}

impl From<&str> for Utf16Buf {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<Utf16<'_>> for Utf16Buf {
    fn from(view: Utf16<'_>) -> Self {
        Self(view.0.to_vec())
    }
}
