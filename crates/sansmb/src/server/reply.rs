//! What an application answers.

use alloc::vec::Vec;
use core::marker::PhantomData;

use bytes::Bytes;

use super::op::{self, Op};
use crate::{
    auth::{Identity, SessionKey},
    conn::{MessageBuffer, Payload},
    wire::{
        AccessMask, Body, Bulk, DecodeError, FileId, Head, NtStatus, ReadResponse, ShareCapabilities,
        ShareFlags, ShareType,
    },
};

/// A success of command `O`, already encoded: the message with its header still blank.
#[derive(Debug)]
pub struct Reply<O> {
    pub(super) head: Head,
    pub(super) data: Payload,
    pub(super) status: NtStatus,
    pub(super) opened: Option<FileId>,
    op: PhantomData<fn() -> O>,
}

impl<O: Op> Reply<O> {
    /// Encodes `response`.
    pub fn new(response: &O::Response<'_>) -> Self {
        let mut reply = Self::headless(O::opened(response));
        response.encode(&mut reply.head.body());
        reply
    }

    /// Gives the reply another status than SUCCESS: BUFFER_OVERFLOW, NOTIFY_ENUM_DIR and the like.
    #[must_use]
    pub fn with_status(mut self, status: NtStatus) -> Self {
        self.status = status;
        self
    }

    fn headless(opened: Option<FileId>) -> Self {
        let head = Head::blank();
        Self { head, data: Payload::Empty, status: NtStatus::SUCCESS, opened, op: PhantomData }
    }
}

impl Reply<op::Read> {
    /// Data that somebody else holds too: it is sent from where it lies.
    pub fn shared(data: Bytes) -> Self {
        let mut reply = Self::bulk(data.len());
        reply.data = Payload::Shared(data);
        reply
    }

    /// Data in memory of its own: the headers are written in front of it.
    pub fn buffer(data: MessageBuffer) -> Self {
        let mut reply = Self::bulk(data.len());
        reply.data = Payload::Buffer(data);
        reply
    }

    fn bulk(len: usize) -> Self {
        let mut reply = Self::headless(None);
        let response = ReadResponse { data: Bulk(len), data_remaining: 0, flags: 0 };
        let mut body = reply.head.body();
        response.encode_head(&mut body);
        if len == 0 {
            body.zeros(1);
        }
        reply
    }
}

/// A failure: a status and, for the few that have it, error data, [MS-SMB2] 2.2.2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What went wrong.
    pub status: NtStatus,
    /// ErrorData, already encoded for a dialect before 3.1.1; empty for most.
    pub data: Vec<u8>,
}

impl From<NtStatus> for Failure {
    fn from(status: NtStatus) -> Self {
        Self { status, data: Vec::new() }
    }
}

impl From<DecodeError> for Failure {
    fn from(_: DecodeError) -> Self {
        NtStatus::INVALID_PARAMETER.into()
    }
}

/// The answer to one leg of SESSION_SETUP.
#[derive(Debug)]
pub enum AuthReply {
    /// Another leg is due.
    Continue {
        /// The token for the client.
        token: Vec<u8>,
    },
    /// The client is who it says it is.
    Done {
        /// A last token for the client.
        token: Vec<u8>,
        /// Who it is.
        identity: Identity,
        /// The key that the authentication gave.
        session_key: SessionKey,
    },
}

/// The answer to TREE_CONNECT. The core makes the TreeId.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TreeConnectReply {
    /// The application's own name for the share; comes back with every request on the tree.
    pub share: ShareId,
    /// What it holds.
    pub share_type: ShareType,
    /// Caching and the like; ENCRYPT_DATA and COMPRESS_DATA are set by `encrypt` and `compress`.
    pub share_flags: ShareFlags,
    /// What it can do.
    pub capabilities: ShareCapabilities,
    /// What this user may do at most.
    pub maximal_access: AccessMask,
    /// Only encrypted requests are taken.
    pub encrypt: bool,
    /// What is read and written is compressed, where both sides can: COMPRESS_DATA.
    pub compress: bool,
}

/// An application's name for one of its shares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShareId(pub u32);
