//! What is to be written.

use std::{fmt::Debug, io};

use bytes::Bytes;
use sansmb::wire::NtStatus;

/// What a [`Job::Write`](super::Job::Write) is to write.
#[derive(Debug)]
pub enum Data {
    /// A slice of the frame that it came in.
    Here(Bytes),
    /// It waits with the system. Only a driver that serves a storage which
    /// [takes it](super::Storage::takes_held) gives such data, but to all of its storages.
    Held(Box<dyn Held>),
}

/// Data that the system keeps, and that never came into the program. They can be taken once.
#[expect(clippy::len_without_is_empty, reason = "there always is something")]
pub trait Held: Debug + Send + Sync {
    /// How many bytes, whether or not they were taken.
    fn len(&self) -> usize;
    /// Brings them into memory.
    fn bring(&self) -> io::Result<Bytes>;
    /// Moves all of them to `file`, from the offset `at` on. After an error some may be there.
    #[cfg(unix)]
    fn move_to(&self, file: std::os::fd::BorrowedFd<'_>, at: u64) -> io::Result<()>;
}

impl Data {
    /// How many bytes.
    pub fn len(&self) -> usize {
        match self {
            Self::Here(bytes) => bytes.len(),
            Self::Held(held) => held.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes, wherever they are now.
    pub fn into_bytes(self) -> Result<Bytes, NtStatus> {
        match self {
            Self::Here(bytes) => Ok(bytes),
            Self::Held(held) => held.bring().map_err(|_| NtStatus::UNEXPECTED_IO_ERROR),
        }
    }
}

impl From<Bytes> for Data {
    fn from(bytes: Bytes) -> Self {
        Self::Here(bytes)
    }
}
