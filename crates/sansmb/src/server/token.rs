//! Names of connections and requests, and the proof that a request is owed an answer.

use core::{fmt, marker::PhantomData};

/// Names a connection of a server; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnId(pub u64);

/// Names a request of a connection; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId {
    /// The connection.
    pub conn: ConnId,
    pub(crate) serial: u64,
}

/// Proof that one request is owed exactly one answer. It cannot be cloned, and `respond` takes it
/// by value.
#[must_use = "every request must be answered"]
pub struct Token<O> {
    id: RequestId,
    op: PhantomData<fn() -> O>,
}

impl<O> Token<O> {
    pub(crate) fn new(id: RequestId) -> Self {
        Self { id, op: PhantomData }
    }

    /// Which request.
    pub fn id(&self) -> RequestId {
        self.id
    }
}

impl<O> fmt::Debug for Token<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({:?})", self.id)
    }
}

/// The request is no longer known: its connection or session went away meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the request is no longer known")]
pub struct Gone;
