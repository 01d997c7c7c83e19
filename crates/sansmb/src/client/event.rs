//! What a client tells its application.

use bytes::Bytes;

use crate::{
    auth::{AuthError, Need},
    conn::{Compression, CompressionError, FrameError},
    crypto::BadTag,
    op::Op,
    wire::{
        Body, Cipher, DecodeError, Dialect, Guid, Header, LeaseBreakNotification, NtStatus, OplockBreak,
        ReadResponse, SessionId, SigningAlgorithm, TreeId,
    },
};

/// Names an operation of a client; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OpId(pub(super) u64);

/// Something that the application has to know.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// Client and server agree on a dialect.
    Negotiated(Agreement),
    /// An operation is over.
    Done {
        /// Which.
        op: OpId,
        /// How.
        result: Result<Outcome, OpError>,
    },
    /// The authentication of `op` needs an answer from somebody else; give it to `answer`.
    Need {
        /// The log-on.
        op: OpId,
        /// Whom to ask what.
        need: Need,
    },
    /// The server wants an oplock back.
    OplockBreak(OplockBreak),
    /// The server wants a lease back.
    LeaseBreak(LeaseBreakNotification),
    /// The server closed this session.
    SessionClosed(SessionId),
    /// The connection is no more; every operation has ended with [`OpError::Gone`] before.
    Closed(CloseReason),
}

/// What NEGOTIATE led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreement {
    /// The dialect.
    pub dialect: Dialect,
    /// The cipher, where both sides can encrypt.
    pub cipher: Option<Cipher>,
    /// Both sides rely on the security of the transport: nothing has to be encrypted.
    pub transport_security: bool,
    /// The signing algorithm.
    pub signing: SigningAlgorithm,
    /// What is compressed, and how.
    pub compression: Compression,
    /// The server requires signing.
    pub signing_required: bool,
    /// The server's GUID.
    pub server_guid: Guid,
    /// What the server says it can do.
    pub capabilities: crate::wire::Capabilities,
    /// The server's clock.
    pub system_time: crate::wire::FileTime,
    /// When the server started; zero from most.
    pub server_start_time: crate::wire::FileTime,
    /// Largest READ in bytes.
    pub max_read_size: u32,
    /// Largest WRITE in bytes.
    pub max_write_size: u32,
    /// Largest of all other buffers in bytes.
    pub max_transact_size: u32,
}

/// What an operation that succeeded gives.
#[derive(Debug)]
#[non_exhaustive]
pub enum Outcome {
    /// A session is established.
    LoggedOn {
        /// Its name.
        session: SessionId,
        /// We were let in as guest.
        guest: bool,
    },
    /// A tree is connected.
    Connected {
        /// The session.
        session: SessionId,
        /// The tree.
        tree: TreeId,
        /// The response.
        response: Response,
    },
    /// A READ whose payload the driver took from the transport, see
    /// [`Client::read_aside`](super::Client::read_aside).
    Aside {
        /// Bytes of the payload.
        len: u32,
        /// Nothing of it was thrown away.
        whole: bool,
    },
    /// Any other command.
    Response(Response),
}

/// A response as it came.
#[derive(Debug, Clone)]
pub struct Response {
    pub(super) header: Header,
    pub(super) message: Bytes,
}

impl Response {
    /// SUCCESS, or a status that comes with a body such as BUFFER_OVERFLOW.
    pub fn status(&self) -> NtStatus {
        self.header.status
    }

    /// Which command it answers.
    pub fn command(&self) -> crate::wire::Command {
        self.header.command
    }

    /// The body, borrowed.
    pub fn body<O: Op>(&self) -> Result<O::Response<'_>, DecodeError> {
        O::Response::decode(&self.message)
    }

    /// The data of a READ response as a handle that shares the receive buffer.
    pub fn read_data(&self) -> Result<Bytes, DecodeError> {
        let response = ReadResponse::decode(&self.message)?;
        Ok(if response.data.is_empty() { Bytes::new() } else { self.message.slice_ref(response.data) })
    }
}

/// Why an operation failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpError {
    /// The server said no.
    #[error("{status}")]
    Status {
        /// What it said.
        status: NtStatus,
        /// ErrorData of the response, e.g. a symbolic link's target.
        data: Bytes,
    },
    /// The authentication failed on our side.
    #[error(transparent)]
    Auth(#[from] AuthError),
    /// The server cannot or will not do what we are set to require.
    #[error("{0}")]
    Incompatible(&'static str),
    /// The connection went away.
    #[error("the connection is gone: {0}")]
    Gone(CloseReason),
    /// The caller gave something that cannot be asked: too many queued, a payload over the limit.
    #[error("{0}")]
    Misuse(&'static str),
}

impl OpError {
    /// The server's status, if it said one.
    pub fn status(&self) -> Option<NtStatus> {
        match self {
            Self::Status { status, .. } => Some(*status),
            _ => None,
        }
    }
}

/// Why a client's connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CloseReason {
    /// The transport closed.
    #[error("the server closed the connection")]
    Eof,
    /// We closed it.
    #[error("closed on this side")]
    Local,
    /// The byte stream is no SMB transport.
    #[error("this is no SMB server: {0}")]
    Frame(#[from] FrameError),
    /// A message does not parse.
    #[error("the server sent a malformed message: {0}")]
    Malformed(#[from] DecodeError),
    /// A message could not be decrypted, or its signature is wrong.
    #[error("a message of the server is not authentic: {0}")]
    NotAuthentic(#[from] BadTag),
    /// A compressed message is malformed, or in a way that was not agreed on.
    #[error("the server sent a message that cannot be decompressed: {0}")]
    Decompress(#[from] CompressionError),
    /// The server broke another rule.
    #[error("the server broke the protocol: {0}")]
    Violation(&'static str),
    /// The server and we have nothing in common.
    #[error("{0}")]
    Incompatible(&'static str),
    /// NEGOTIATE was refused.
    #[error("the server refused to negotiate: {0}")]
    Refused(NtStatus),
    /// No answer in time.
    #[error("the server does not answer")]
    Timeout,
}
