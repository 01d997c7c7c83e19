//! What can go wrong for a user of the facade.

use std::io;

use sansmb::{
    client::{CloseReason, OpError},
    rpc::RpcError,
    wire::{DecodeError, NtStatus},
};

/// Why an operation on a server failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The server said no, the log-on failed, or the connection went away.
    #[error(transparent)]
    Smb(#[from] OpError),
    /// The transport failed.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The server's answer does not parse.
    #[error("the server sent a malformed answer: {0}")]
    Malformed(#[from] DecodeError),
    /// A remote procedure call failed.
    #[error("{0}")]
    Rpc(#[from] RpcError),
    /// The server's answer parses but makes no sense.
    #[error("the server's answer makes no sense: {0}")]
    Unexpected(&'static str),
}

impl Error {
    /// The server's status, if the server said one.
    pub fn status(&self) -> Option<NtStatus> {
        match self {
            Self::Smb(error) => error.status(),
            _ => None,
        }
    }
}

impl From<CloseReason> for Error {
    fn from(reason: CloseReason) -> Self {
        Self::Smb(OpError::Gone(reason))
    }
}

/// A result of the facade.
pub type Result<T, E = Error> = std::result::Result<T, E>;
