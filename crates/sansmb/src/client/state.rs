//! What a client remembers of sessions, trees and requests.

use alloc::{boxed::Box, collections::BTreeMap, sync::Arc, vec::Vec};
use core::iter;

use super::{OpId, Payload, SharedSession};
use crate::{
    auth::{Mechanism, SessionKey},
    crypto::{PreauthHash, Sealer, Signer, seal_message},
    wire::{Cipher, Command, Head, Header, SessionId, TreeId},
};

/// A request that waits for its credits.
#[derive(Debug)]
pub(super) struct Queued {
    pub(super) op: OpId,
    pub(super) header: Header,
    pub(super) charge: u16,
    /// Header still blank.
    pub(super) head: Head,
    pub(super) payload: Payload,
    pub(super) kind: Kind,
    /// The most bytes that the answer may carry.
    pub(super) asked: u32,
    /// The driver may take the payload of the answer from the transport.
    pub(super) aside: bool,
}

/// The members of one frame. There is at least one, and mostly no other.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) first: Queued,
    pub(super) rest: Vec<Queued>,
}

impl From<Queued> for Frame {
    fn from(first: Queued) -> Self {
        Self { first, rest: Vec::new() }
    }
}

impl Frame {
    /// The members, borrowed.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Queued> {
        iter::once(&self.first).chain(&self.rest)
    }

    /// The members, to be changed.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Queued> {
        iter::once(&mut self.first).chain(&mut self.rest)
    }

    /// The members.
    pub(super) fn into_members(self) -> impl Iterator<Item = Queued> {
        iter::once(self.first).chain(self.rest)
    }
}

/// What a response means beyond its command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Something that the application asked for.
    Plain,
    /// A leg of a log-on.
    LogOn,
    /// FSCTL_VALIDATE_NEGOTIATE_INFO: the tree connect of this operation waits for it.
    Validate,
    /// An ECHO of our own, to see whether the server lives.
    Probe,
}

/// A request that waits for its response.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) op: OpId,
    pub(super) kind: Kind,
    pub(super) command: Command,
    pub(super) session: SessionId,
    pub(super) tree: TreeId,
    pub(super) async_id: Option<u64>,
    pub(super) asked: u32,
    pub(super) signed: bool,
    pub(super) encrypted: bool,
    /// The driver may take the payload of the answer from the transport.
    pub(super) aside: bool,
}

/// A log-on under way.
#[derive(Debug)]
pub(super) struct LogOn {
    pub(super) op: OpId,
    pub(super) mechanism: Box<dyn Mechanism>,
    pub(super) session: SessionId,
    pub(super) preauth: PreauthHash,
    /// The mechanism has finished and only the server's word is missing.
    pub(super) key: Option<SessionKey>,
    /// The session exists already and is authenticated anew.
    pub(super) again: bool,
    /// Whether the user asked for an account (and not for guest or anonymous).
    pub(super) wants_user: bool,
    /// The session of another connection that this one is to be bound to.
    pub(super) joins: Option<Box<SharedSession>>,
}

/// A session.
#[derive(Debug, Default)]
pub(super) struct Session {
    /// Signs on this connection.
    pub(super) signer: Option<Arc<dyn Signer>>,
    /// Signs SESSION_SETUP: the same where the session was established.
    pub(super) session_signer: Option<Arc<dyn Signer>>,
    pub(super) ciphers: Option<Arc<Ciphers>>,
    /// Sign all that is sent, and take nothing that is neither signed nor encrypted.
    pub(super) signs: bool,
    /// Encrypt all that is sent and take nothing else.
    pub(super) encrypt: bool,
    /// It is over; only answers that are under way still need it.
    pub(super) ended: bool,
    /// It was established on another connection, and this one was bound to it.
    pub(super) bound: bool,
    /// This connection is being bound to it, and sends nothing else yet.
    pub(super) joining: bool,
    /// How often it was shared with other connections.
    pub(super) channels: u16,
    pub(super) channel_sequence: u16,
    pub(super) next_nonce: u64,
    pub(super) trees: BTreeMap<TreeId, Tree>,
}

impl Session {
    /// Encrypts the message in `frame`, which has room for its transform header in front. `false` where that
    /// cannot be done.
    pub(super) fn seal(&mut self, id: SessionId, frame: &mut [u8]) -> bool {
        let nonce = self.next_nonce;
        self.next_nonce += 1;
        let Some(ciphers) = &self.ciphers else { return false };
        seal_message(&*ciphers.sealer, ciphers.cipher, id, nonce, frame).is_ok()
    }
}

/// A tree connect.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tree {
    pub(super) encrypt: bool,
    /// TreeConnect.CompressData
    pub(super) compress: bool,
}

/// Both directions of a session's encryption.
#[derive(Debug)]
pub(super) struct Ciphers {
    pub(super) cipher: Cipher,
    pub(super) opener: Box<dyn Sealer>,
    pub(super) sealer: Box<dyn Sealer>,
}
