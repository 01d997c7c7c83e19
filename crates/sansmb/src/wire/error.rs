//! What is wrong with bytes that do not parse.

/// Bytes that are not what they claim to be: what, where and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} at offset {at}: {kind}")]
pub struct DecodeError {
    /// The structure or field, in the specification's words.
    pub what: &'static str,
    /// Offset in the message (for nested structures: in the structure's own bytes).
    pub at: usize,
    /// What is wrong with it.
    pub kind: DecodeErrorKind,
}

/// The ways in which bytes can be malformed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeErrorKind {
    /// The bytes end before the structure does.
    #[error("truncated")]
    Truncated,
    /// StructureSize is not the one that the specification gives.
    #[error("structure size {0} is not the specified one")]
    StructureSize(u16),
    /// An offset and length point outside the message.
    #[error("range points outside the message")]
    Range,
    /// The first four bytes are no protocol identifier that is expected here.
    #[error("wrong protocol identifier")]
    ProtocolId,
    /// A field has a value that the structure cannot have.
    #[error("invalid value {0:#x}")]
    Value(u64),
    /// An offset is not aligned as it must be, or a chain does not advance.
    #[error("misaligned or backward offset {0:#x}")]
    Chain(u64),
    /// A UTF-16 string has an odd number of bytes.
    #[error("odd length of a UTF-16 string")]
    OddUtf16,
}

impl DecodeError {
    pub(crate) const fn new(what: &'static str, at: usize, kind: DecodeErrorKind) -> Self {
        Self { what, at, kind }
    }

    pub(crate) const fn truncated(what: &'static str, at: usize) -> Self {
        Self::new(what, at, DecodeErrorKind::Truncated)
    }

    pub(crate) const fn value(what: &'static str, at: usize, value: u64) -> Self {
        Self::new(what, at, DecodeErrorKind::Value(value))
    }
}
