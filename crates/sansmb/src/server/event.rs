//! What a server tells its application.

use core::marker::PhantomData;

use bytes::Bytes;

use super::{
    aside::{Kept, Received, WRITE_HEAD},
    op::{self, Op},
    reply::ShareId,
    token::{ConnId, RequestId, Token},
};
use crate::wire::{Body, Capabilities, DecodeError, Dialect, FileId, Guid, SessionId, TreeId, WriteRequest};

/// Something that the application has to know or to answer.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// A leg of an authentication: answer with `respond_auth`.
    SessionSetup(Request<op::SessionSetup>),
    /// Answer with `respond_tree`.
    TreeConnect(Request<op::TreeConnect>),
    /// The tree goes away with the answer; close what is open on it first.
    TreeDisconnect(Request<op::TreeDisconnect>),
    /// The session goes away with the answer; close what is open in it first.
    Logoff(Request<op::Logoff>),
    /// Open or make a file.
    Create(Request<op::Create>),
    /// Close a file.
    Close(Request<op::Close>),
    /// Bring a file to stable storage.
    Flush(Request<op::Flush>),
    /// Read from a file or pipe.
    Read(Request<op::Read>),
    /// Write to a file or pipe.
    Write(Request<op::Write>),
    /// Lock or unlock byte ranges.
    Lock(Request<op::Lock>),
    /// A control code.
    Ioctl(Request<op::Ioctl>),
    /// List a directory.
    QueryDirectory(Request<op::QueryDirectory>),
    /// Wait for changes in a directory.
    ChangeNotify(Request<op::ChangeNotify>),
    /// Ask for metadata.
    QueryInfo(Request<op::QueryInfo>),
    /// Set metadata.
    SetInfo(Request<op::SetInfo>),
    /// The client gave an oplock up as it was told.
    OplockBreak(Request<op::OplockBreak>),
    /// The client gave a lease up as it was told.
    LeaseBreak(Request<op::LeaseBreak>),
    /// The client would like this request to end early; its token still owes one answer.
    Cancel {
        /// Which request.
        request: RequestId,
    },
    /// A session ended without LOGOFF: its last connection went away, or the client came back
    /// under a new session. Close what is open in it. No answer is due.
    SessionEnded {
        /// Which session.
        session: SessionId,
    },
    /// The connection is no more. Tokens of it that are still held answer to nobody.
    Closed {
        /// Which connection.
        conn: ConnId,
    },
}

/// Where a request comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The connection.
    pub conn: ConnId,
    /// The session.
    pub session: SessionId,
    /// The tree connect, zero for commands outside one.
    pub tree: TreeId,
    /// The share that the tree connects to.
    pub share: ShareId,
    /// The dialect of the connection.
    pub dialect: Dialect,
    /// Which client it is: ClientGuid of its NEGOTIATE, zero for those that sent none. A client may
    /// come over many connections under the same one.
    pub client_guid: Guid,
    /// What client and server agreed that both can do, [MS-SMB2] 3.3.5.4.
    pub capabilities: Capabilities,
    /// ChannelSequence of a 3.x request.
    pub channel_sequence: u16,
    /// The request is a replay (3.x).
    pub replay: bool,
    /// The request came encrypted.
    pub encrypted: bool,
    /// More members of its compound wait until it is answered: what may never end fails instead of
    /// waiting, see [MS-SMB2] 3.3.5.2.7, note 266.
    pub followed: bool,
}

/// A request of command `O` that is owed an answer.
#[derive(Debug)]
pub struct Request<O> {
    /// To be spent on the answer.
    pub token: Token<O>,
    /// Where it comes from.
    pub origin: Origin,
    /// What it says.
    pub message: Message<O>,
}

/// The bytes of a request that is known to parse.
#[derive(Debug)]
pub struct Message<O> {
    pub(super) bytes: Received,
    pub(super) file_id: FileId,
    pub(super) op: PhantomData<fn() -> O>,
}

impl<O: Op> Message<O> {
    /// The request, borrowed. It was parsed once when it was admitted, so this does not fail.
    pub fn body(&self) -> Result<O::Request<'_>, DecodeError> {
        O::Request::decode(&self.bytes)
    }

    /// The file that is meant: in a related compound the one of the member before it.
    pub fn file_id(&self) -> FileId {
        self.file_id
    }

    /// A part of the message, as [`Message::body`] borrows it, as a handle that shares its memory.
    pub fn share(&self, part: &[u8]) -> Bytes {
        self.bytes.slice_ref(part)
    }
}

impl Message<op::Write> {
    /// What to write, if the driver keeps it: see [`Channel::poll_aside`](super::Channel::poll_aside). Then [`Message::body`] has no data.
    pub fn take_kept(&mut self) -> Option<Kept> {
        self.bytes.take_kept()
    }

    /// What to write: a slice of the frame that the transport filled. An error if the driver keeps it.
    pub fn data(&self) -> Result<Bytes, DecodeError> {
        if self.bytes.kept().is_some() {
            return Err(DecodeError::truncated("WRITE request data", WRITE_HEAD));
        }
        let request = WriteRequest::decode(&self.bytes)?;
        Ok(if request.data.is_empty() { Bytes::new() } else { self.bytes.slice_ref(request.data) })
    }
}
