//! From commands to frames: credits, MessageIds, signature, compression, encryption.

use alloc::{vec, vec::Vec};

use bytes::Bytes;

use super::{
    Client, CompressionPolicy, OpError, OpId,
    state::{Kind, Pending, Queued},
};
use crate::{
    conn::{Compression, MessageBuffer},
    crypto::{seal_message, sign_message},
    time::Now,
    wire::{
        Body, Command, Dialect, EmptyBody, Flags, FramePrefix, HEADER_LEN, Header, NtStatus, ReadRequest,
        TransformHeader, TreeId, Writer,
    },
};

const SEAL_ROOM: usize = 4 + size_of::<TransformHeader>();

/// A bulk payload that a client sends.
#[derive(Debug, Clone)]
pub enum Payload {
    /// None.
    Empty,
    /// Bytes that somebody else holds too: sent from where they lie.
    Shared(Bytes),
    /// Memory of its own with room in front: headers and ciphers work in place.
    Buffer(MessageBuffer),
}

impl Payload {
    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        match self {
            Self::Empty => &[],
            Self::Shared(bytes) => bytes,
            Self::Buffer(buffer) => buffer.payload(),
        }
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.as_slice().len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl From<Bytes> for Payload {
    fn from(bytes: Bytes) -> Self {
        Self::Shared(bytes)
    }
}

impl From<MessageBuffer> for Payload {
    fn from(buffer: MessageBuffer) -> Self {
        Self::Buffer(buffer)
    }
}

impl Client {
    /// Takes the members of one frame and sends them when there are credits for all of them.
    pub(super) fn submit(&mut self, members: Vec<Queued>, now: Now) {
        if self.closed.is_some() {
            let reason = self.closed.unwrap_or(super::CloseReason::Local);
            for member in members {
                self.refuse(&member, OpError::Gone(reason));
            }
            return;
        }
        let len: usize = members.iter().map(|m| (m.head.len() + m.payload.len()).next_multiple_of(8)).sum();
        if SEAL_ROOM + len > FramePrefix::MAX_LENGTH as usize {
            for member in members {
                self.refuse(&member, OpError::Misuse("the request is too long for the transport"));
            }
            return;
        }
        if self.queue.len() >= self.config.max_queued {
            for member in members {
                self.refuse(&member, OpError::Misuse("too many requests wait for credits"));
            }
            return;
        }
        self.queue.push_back(members);
        self.pump_queue(now);
    }

    /// Ends the operation of a request that is not sent after all.
    pub(super) fn refuse(&mut self, member: &Queued, error: OpError) {
        match member.kind {
            Kind::Plain => self.fail(member.op, error),
            Kind::LogOn => self.end_log_on(member.op, Err(error)),
            Kind::Validate => {
                // What it would have validated must not be used.
                self.unvalidated.retain(|(op, _)| *op != member.op);
                self.fail(member.op, error);
            }
            Kind::Probe => {}
        }
    }

    /// Sends what the credits allow, in order.
    pub(super) fn pump_queue(&mut self, now: Now) {
        while let Some(members) = self.queue.front() {
            let ready =
                self.agreement.is_some() || members.iter().all(|m| m.header.command == Command::NEGOTIATE);
            let charge: u32 = members.iter().map(|m| u32::from(m.charge)).sum();
            // Something that costs more than all we ever hold must not wait for ever: with nothing
            // outstanding no further credit can come.
            if !ready || charge > self.credits {
                if ready && self.pending.is_empty() {
                    if let Some(members) = self.queue.pop_front() {
                        for member in members {
                            let error = OpError::Incompatible("the server grants too few credits");
                            self.refuse(&member, error);
                        }
                    }
                    continue;
                }
                return;
            }
            let members = self.queue.pop_front().unwrap_or_default();
            if members.iter().all(|m| self.may_send(m)) {
                self.transmit(members, now);
                continue;
            }
            let status = NtStatus::USER_SESSION_DELETED;
            for member in &members {
                self.refuse(member, OpError::Status { status, data: Bytes::new() });
            }
        }
    }

    /// How many credits to ask for.
    pub(super) fn missing_credits(&self) -> u16 {
        u32::from(self.config.credits).saturating_sub(self.credits).min(8192) as u16
    }

    /// Without its session a request would go out unsigned and in the clear.
    fn may_send(&self, member: &Queued) -> bool {
        let session = self.sessions.get(&member.header.session_id);
        let tree = member.header.tree_id;
        member.kind == Kind::LogOn
            || session.is_some_and(|s| {
                // A tree of another connection that nobody told us of might want encryption.
                let unknown = s.bound && tree != TreeId(0) && !s.trees.contains_key(&tree);
                !s.ended && !s.joining && !unknown
            })
    }

    fn transmit(&mut self, mut members: Vec<Queued>, now: Now) {
        let single = members.len() == 1;
        let encrypted = members.first().is_some_and(|m| self.encrypts(m));
        for member in &mut members {
            member.header.message_id = self.next_message_id;
            self.next_message_id += u64::from(member.charge);
            self.credits -= u32::from(member.charge);
            let multi_credit = self.agreement.as_ref().is_some_and(|a| self.multi_credit(a));
            member.header.credit_charge = if multi_credit { member.charge } else { 0 };
            member.header.credits = self.missing_credits().max(member.charge);
            member.header.status = self.channel_sequence(member.header.session_id);
            if let Some(session) = self.sessions.get(&member.header.session_id) {
                // With 3.1.1 the first TREE_CONNECT proves that nobody changed the negotiation, and
                // before it the validation does, [MS-SMB2] 3.2.4.1.1.
                let connect = member.header.command == Command::TREE_CONNECT;
                let newest = self.agreement.as_ref().is_some_and(|a| a.dialect == Dialect::SMB3_1_1);
                let proof = connect && newest || member.kind == Kind::Validate;
                if !encrypted && session.signer.is_some() && (session.signs || proof) {
                    member.header.flags |= Flags::SIGNED;
                }
            }
            write_header(&member.header, &mut member.head);
            if member.header.command == Command::READ && self.compresses(member) {
                ReadRequest::request_compressed(&mut member.head);
            }
        }
        if single {
            if let Some(member) = members.pop() {
                self.transmit_one(member, encrypted, now);
            }
            return;
        }
        let last = members.len() - 1;
        let session = members.first().map(|m| m.header.session_id).unwrap_or_default();
        let compress = members.iter().any(|member| self.compresses(member));
        let mut message = vec![0; SEAL_ROOM];
        for (at, mut member) in members.into_iter().enumerate() {
            let start = message.len();
            if at < last {
                let len = (member.head.len() + member.payload.len()).next_multiple_of(8);
                member.header.next_command = len as u32;
                write_header(&member.header, &mut member.head);
            }
            message.extend_from_slice(&member.head);
            message.extend_from_slice(member.payload.as_slice());
            if at < last {
                message.resize(start + member.header.next_command as usize, 0);
            }
            if member.header.flags.contains(Flags::SIGNED)
                && let (Some(signer), Some(part)) =
                    (self.sessions.get(&session).and_then(|s| s.signer.as_ref()), message.get_mut(start..))
            {
                let _ = sign_message(&**signer, part, &[]);
            }
            self.expect(&member.header, member.op, member.kind, member.asked, encrypted, now);
        }
        if compress
            && let Some(compressed) = self.compressed(message.get(SEAL_ROOM..).unwrap_or_default(), &[])
        {
            message = compressed;
        }
        self.send_contiguous(message, SEAL_ROOM, encrypted.then_some(session));
    }

    fn transmit_one(&mut self, member: Queued, encrypted: bool, now: Now) {
        let compress = self.compresses(&member);
        let Queued { header, mut head, payload, op, kind, asked, .. } = member;
        let session = self.sessions.get(&header.session_id).filter(|_| header.flags.contains(Flags::SIGNED));
        let signer = session.and_then(|session| match kind {
            // [MS-SMB2] 3.2.4.1.1.
            Kind::LogOn => session.session_signer.as_ref(),
            _ => session.signer.as_ref(),
        });
        if let Some(signer) = signer {
            let _ = sign_message(&**signer, &mut head, &[payload.as_slice()]);
        }
        // With its signature: binding is signed.
        self.hash_request(op, kind, &head);
        self.expect(&header, op, kind, asked, encrypted, now);
        let session = encrypted.then_some(header.session_id);
        if compress && let Some(message) = self.compressed(&head, payload.as_slice()) {
            self.send_contiguous(message, SEAL_ROOM, session);
            return;
        }
        match payload {
            Payload::Buffer(buffer) => {
                if let Some((message, start)) = buffer.prepend(&head) {
                    self.send_contiguous(message, start, session);
                }
            }
            payload if encrypted => {
                let mut message = Vec::with_capacity(SEAL_ROOM + head.len() + payload.len());
                message.resize(SEAL_ROOM, 0);
                message.extend_from_slice(&head);
                message.extend_from_slice(payload.as_slice());
                self.send_contiguous(message, SEAL_ROOM, session);
            }
            Payload::Shared(bytes) => {
                let total = head.len() + bytes.len();
                self.tx.push_parts([Bytes::from(head), bytes], total);
            }
            Payload::Empty => self.tx.push_vec(head, 0),
        }
    }

    /// A CANCEL costs no credit and gets no answer, [MS-SMB2] 3.2.4.24.
    pub(super) fn send_cancel(&mut self, mut header: Header, encrypted: bool) {
        let mut head = blank_head();
        EmptyBody::default().encode(&mut Writer::resume(&mut head, 0));
        let session = self.sessions.get(&header.session_id);
        let signer = session.filter(|s| s.signs && !encrypted).and_then(|s| s.signer.as_ref());
        if signer.is_some() {
            header.flags |= Flags::SIGNED;
        }
        header.status = self.channel_sequence(header.session_id);
        write_header(&header, &mut head);
        if let Some(signer) = signer {
            let _ = sign_message(&**signer, &mut head, &[]);
        }
        let mut message = vec![0; SEAL_ROOM];
        message.extend_from_slice(&head);
        self.send_contiguous(message, SEAL_ROOM, encrypted.then_some(header.session_id));
    }

    /// Whether a request goes out encrypted: its session or its tree says so, and SESSION_SETUP never.
    fn encrypts(&self, member: &Queued) -> bool {
        let Some(session) = self.sessions.get(&member.header.session_id) else { return false };
        let tree = session.trees.get(&member.header.tree_id).is_some_and(|t| t.encrypt);
        session.ciphers.is_some()
            && !self.transport_security()
            && (session.encrypt || tree)
            && !matches!(member.header.command, Command::SESSION_SETUP | Command::NEGOTIATE)
    }

    /// Whether the transport's own security stands in for encryption.
    pub(super) fn transport_security(&self) -> bool {
        self.agreement.as_ref().is_some_and(|agreed| agreed.transport_security)
    }

    /// What was agreed on about compression, if anything.
    pub(super) fn compression(&self) -> Option<&Compression> {
        self.agreement.as_ref().map(|agreed| &agreed.compression).filter(|agreed| !agreed.is_none())
    }

    /// Whether a request, or the answer to a READ, is to be compressed where that is worth it,
    /// [MS-SMB2] 3.2.4.1.9, 3.2.4.6 and 3.2.4.7.
    fn compresses(&self, member: &Queued) -> bool {
        let Header { command, session_id, tree_id, .. } = member.header;
        let tree = || self.sessions.get(&session_id).and_then(|session| session.trees.get(&tree_id));
        member.kind == Kind::Plain
            && command != Command::OPLOCK_BREAK
            && match self.config.compression {
                CompressionPolicy::Off => false,
                CompressionPolicy::Shares => {
                    matches!(command, Command::READ | Command::WRITE)
                        && tree().is_some_and(|tree| tree.compress)
                }
                CompressionPolicy::Always => true,
            }
            && self.compression().is_some()
    }

    /// The message in its compressed form, behind [`SEAL_ROOM`]; `None` where that is not worth it.
    fn compressed(&self, head: &[u8], payload: &[u8]) -> Option<Vec<u8>> {
        self.compression()?.compress(head, payload, SEAL_ROOM)
    }

    pub(super) fn send_contiguous(
        &mut self,
        mut buf: Vec<u8>,
        start: usize,
        encrypted: Option<crate::wire::SessionId>,
    ) {
        let Some(id) = encrypted else {
            self.tx.push_vec(buf, start);
            return;
        };
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let nonce = session.next_nonce;
        session.next_nonce += 1;
        let Some(ciphers) = &session.ciphers else { return };
        let at = start.saturating_sub(size_of::<TransformHeader>());
        let sealed = buf
            .get_mut(at..)
            .is_some_and(|frame| seal_message(&*ciphers.sealer, ciphers.cipher, id, nonce, frame).is_ok());
        if sealed {
            self.tx.push_vec(buf, at);
        } else {
            self.close_because(super::CloseReason::Violation("a request is too long to encrypt"));
        }
    }

    fn expect(&mut self, header: &Header, op: OpId, kind: Kind, asked: u32, encrypted: bool, now: Now) {
        let pending = Pending {
            op,
            kind,
            command: header.command,
            session: header.session_id,
            tree: header.tree_id,
            async_id: None,
            asked,
            signed: header.flags.contains(Flags::SIGNED),
            encrypted,
        };
        if self.pending.is_empty() {
            self.heard = now.mono;
        }
        self.pending.insert(header.message_id, pending);
    }
}

/// A message with a blank header, ready for `encode`.
pub(super) fn blank_head() -> Vec<u8> {
    let mut head = Vec::with_capacity(HEADER_LEN + 128);
    head.resize(HEADER_LEN, 0);
    head
}

pub(super) fn write_header(header: &Header, head: &mut [u8]) {
    let mut bytes = Vec::with_capacity(HEADER_LEN);
    header.encode(&mut Writer::new(&mut bytes));
    if let Some(blank) = head.get_mut(..HEADER_LEN) {
        blank.copy_from_slice(&bytes);
    }
}
