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

/// For code that stands on `std::io`.
impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        let kind = match &error {
            Error::Io(_) | Error::Rpc(_) => io::ErrorKind::Other,
            Error::Malformed(_) | Error::Unexpected(_) => io::ErrorKind::InvalidData,
            Error::Smb(OpError::Gone(_)) => io::ErrorKind::ConnectionAborted,
            Error::Smb(_) => match error.status() {
                Some(
                    NtStatus::OBJECT_NAME_NOT_FOUND
                    | NtStatus::OBJECT_PATH_NOT_FOUND
                    | NtStatus::NO_SUCH_FILE
                    | NtStatus::BAD_NETWORK_NAME,
                ) => io::ErrorKind::NotFound,
                Some(NtStatus::OBJECT_NAME_COLLISION) => io::ErrorKind::AlreadyExists,
                Some(NtStatus::ACCESS_DENIED | NtStatus::LOGON_FAILURE | NtStatus::MEDIA_WRITE_PROTECTED) => {
                    io::ErrorKind::PermissionDenied
                }
                Some(NtStatus::DIRECTORY_NOT_EMPTY) => io::ErrorKind::DirectoryNotEmpty,
                Some(NtStatus::NOT_A_DIRECTORY) => io::ErrorKind::NotADirectory,
                Some(NtStatus::FILE_IS_A_DIRECTORY) => io::ErrorKind::IsADirectory,
                Some(NtStatus::DISK_FULL) => io::ErrorKind::StorageFull,
                Some(NtStatus::SHARING_VIOLATION | NtStatus::FILE_LOCK_CONFLICT) => {
                    io::ErrorKind::ResourceBusy
                }
                Some(NtStatus::NOT_SUPPORTED) => io::ErrorKind::Unsupported,
                _ => io::ErrorKind::Other,
            },
        };
        match error {
            Error::Io(error) => error,
            error => Self::new(kind, error),
        }
    }
}

/// A result of the facade.
pub type Result<T, E = Error> = std::result::Result<T, E>;
