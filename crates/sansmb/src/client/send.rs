//! From commands to frames: credits, MessageIds, signature, compression, encryption.

use alloc::vec::Vec;

use bytes::Bytes;

use super::{
    Client, CloseReason, CompressionPolicy, OpError,
    state::{Frame, Kind, Pending, Queued},
};
use crate::{
    conn::{Compression, Payload},
    crypto::sign_message,
    time::Now,
    wire::{
        Body, Command, Dialect, EmptyBody, Flags, FramePrefix, Head, Header, NtStatus, ReadRequest,
        SessionId, TRANSFORM_LEN, TreeId,
    },
};

/// Room for the transport prefix and the transform header in front of an encrypted message.
const SEAL_ROOM: usize = 4 + TRANSFORM_LEN;
/// Members of a compound start at multiples of this.
const ALIGNMENT: usize = 8;
/// A connection that cannot encrypt what it has to ends.
const UNSEALED: CloseReason = CloseReason::Violation("a request is too long to encrypt");

impl Client {
    /// Takes the members of one frame and sends them when there are credits for all of them.
    pub(super) fn submit(&mut self, frame: Frame, now: Now) {
        let len: usize = frame.iter().map(|m| m.len().next_multiple_of(ALIGNMENT)).sum();
        let error = if let Some(reason) = self.closed {
            OpError::Gone(reason)
        } else if SEAL_ROOM + len > FramePrefix::MAX_LENGTH as usize {
            OpError::Misuse("the request is too long for the transport")
        } else if self.queue.len() >= self.config.max_queued {
            OpError::Misuse("too many requests wait for credits")
        } else {
            self.queue.push_back(frame);
            self.pump_queue(now);
            return;
        };
        self.refuse_all(&frame, &error);
    }

    fn refuse_all(&mut self, frame: &Frame, error: &OpError) {
        for member in frame.iter() {
            self.refuse(member, error.clone());
        }
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
        while let Some(frame) = self.queue.front() {
            let ready =
                self.agreement.is_some() || frame.iter().all(|m| m.header.command == Command::NEGOTIATE);
            let charge: u32 = frame.iter().map(|m| u32::from(m.charge)).sum();
            // Something that costs more than all we ever hold must not wait for ever: with nothing
            // outstanding no further credit can come.
            let (sends, hopeless) = (ready && charge <= self.credits, ready && self.pending.is_empty());
            if !sends && !hopeless {
                return;
            }
            let Some(frame) = self.queue.pop_front() else { return };
            if !sends {
                self.refuse_all(&frame, &OpError::Incompatible("the server grants too few credits"));
            } else if frame.iter().all(|m| self.may_send(m)) {
                self.transmit(frame, now);
            } else {
                let status = NtStatus::USER_SESSION_DELETED;
                self.refuse_all(&frame, &OpError::Status { status, data: Bytes::new() });
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

    fn transmit(&mut self, mut frame: Frame, now: Now) {
        let encrypted = self.encrypts(&frame.first);
        let multi_credit = self.agreement.as_ref().is_some_and(|a| self.multi_credit(a));
        for member in frame.iter_mut() {
            member.header.message_id = self.next_message_id;
            self.next_message_id += u64::from(member.charge);
            self.credits -= u32::from(member.charge);
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
            member.head.set_header(&member.header);
            if member.header.command == Command::READ && self.compresses(member) {
                ReadRequest::request_compressed(&mut member.head);
            }
        }
        if frame.rest.is_empty() {
            self.transmit_one(frame.first, encrypted, now);
        } else {
            self.transmit_compound(frame, encrypted, now);
        }
    }

    fn transmit_compound(&mut self, mut frame: Frame, encrypted: bool, now: Now) {
        let session_id = frame.first.header.session_id;
        let last = frame.rest.len();
        let compress = frame.iter().any(|member| self.compresses(member));
        let mut total = 0;
        for (at, member) in frame.iter_mut().enumerate() {
            let mut padding = member.len().next_multiple_of(ALIGNMENT) - member.len();
            if at == last {
                padding = 0;
            } else {
                member.header.next_command = (member.len() + padding) as u32;
                member.head.set_next_command(member.header.next_command);
            }
            total += member.len() + padding;
            let signs = member.header.flags.contains(Flags::SIGNED);
            let session = self.sessions.get(&session_id).filter(|_| signs);
            if let Some(signer) = session.and_then(|session| session.signer.as_ref()) {
                let parts = [member.payload.as_slice(), &[0; ALIGNMENT][..padding]];
                let _ = sign_message(&**signer, &mut member.head, &parts);
            }
            self.expect(member, encrypted, now);
        }
        let gather = |out: &mut Vec<u8>| {
            let start = out.len();
            for member in frame.iter() {
                out.resize(start + (out.len() - start).next_multiple_of(ALIGNMENT), 0);
                out.extend_from_slice(&member.head);
                out.extend_from_slice(member.payload.as_slice());
            }
        };
        if compress {
            let mut message = Vec::with_capacity(total);
            gather(&mut message);
            if let Some(compressed) = self.compressed(&message, &[]) {
                return self.send_contiguous(compressed, SEAL_ROOM, encrypted.then_some(session_id));
            }
        }
        if encrypted {
            return self.send_gathered(total, gather, session_id);
        }
        self.tx.begin(total);
        for member in frame.into_members() {
            let padded = member.header.next_command as usize;
            let padding = padded.saturating_sub(member.len());
            self.tx.append(&member.head, member.payload);
            self.tx.copy(&[0; ALIGNMENT][..padding]);
        }
    }

    fn transmit_one(&mut self, mut member: Queued, encrypted: bool, now: Now) {
        let compress = self.compresses(&member);
        let signs = member.header.flags.contains(Flags::SIGNED);
        let session = self.sessions.get(&member.header.session_id).filter(|_| signs);
        let signer = session.and_then(|session| match member.kind {
            // [MS-SMB2] 3.2.4.1.1.
            Kind::LogOn => session.session_signer.as_ref(),
            _ => session.signer.as_ref(),
        });
        if let Some(signer) = signer {
            let _ = sign_message(&**signer, &mut member.head, &[member.payload.as_slice()]);
        }
        // With its signature: binding is signed.
        self.hash_request(member.op, member.kind, &member.head);
        self.expect(&member, encrypted, now);
        let len = member.len();
        let Queued { header, ref head, payload, .. } = member;
        let session = encrypted.then_some(header.session_id);
        if compress && let Some(message) = self.compressed(head, payload.as_slice()) {
            self.send_contiguous(message, SEAL_ROOM, session);
            return;
        }
        match payload {
            Payload::Buffer(buffer) => {
                if let Some((message, start)) = buffer.prepend(head) {
                    self.send_contiguous(message, start, session);
                }
            }
            payload if encrypted => {
                let write = |out: &mut Vec<u8>| {
                    out.extend_from_slice(head);
                    out.extend_from_slice(payload.as_slice());
                };
                self.send_gathered(len, write, header.session_id);
            }
            payload => {
                self.tx.begin(len);
                self.tx.append(head, payload);
            }
        }
    }

    /// A CANCEL costs no credit and gets no answer, [MS-SMB2] 3.2.4.24.
    pub(super) fn send_cancel(&mut self, mut header: Header, encrypted: bool) {
        let mut head = Head::blank();
        EmptyBody::default().encode(&mut head.body());
        let session = self.sessions.get(&header.session_id);
        let signer = session.filter(|s| s.signs && !encrypted).and_then(|s| s.signer.as_ref());
        if signer.is_some() {
            header.flags |= Flags::SIGNED;
        }
        header.status = self.channel_sequence(header.session_id);
        head.set_header(&header);
        if let Some(signer) = signer {
            let _ = sign_message(&**signer, &mut head, &[]);
        }
        if encrypted {
            self.send_gathered(head.len(), |out| out.extend_from_slice(&head), header.session_id);
        } else {
            self.tx.begin(head.len());
            self.tx.copy(&head);
        }
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

    /// Sends the message `buf[start..]`, encrypting it in place where it must be.
    fn send_contiguous(&mut self, mut buf: Vec<u8>, start: usize, encrypted: Option<SessionId>) {
        let Some(id) = encrypted else {
            self.tx.frame(buf, start);
            return;
        };
        let at = start.saturating_sub(TRANSFORM_LEN);
        let Some(session) = self.sessions.get_mut(&id) else { return };
        if buf.get_mut(at..).is_some_and(|frame| session.seal(id, frame)) {
            self.tx.frame(buf, at);
        } else {
            self.close_because(UNSEALED);
        }
    }

    /// Sends the message of `len` bytes that `write` appends, encrypting it where it was put together.
    fn send_gathered(&mut self, len: usize, write: impl FnOnce(&mut Vec<u8>), id: SessionId) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        if !self.tx.gather(TRANSFORM_LEN, len, write, |frame| session.seal(id, frame)) {
            self.close_because(UNSEALED);
        }
    }

    fn expect(&mut self, member: &Queued, encrypted: bool, now: Now) {
        let Queued { op, kind, asked, aside, ref header, .. } = *member;
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
            aside,
        };
        if self.pending.is_empty() {
            self.heard = now.mono;
        }
        self.pending.push(header.message_id, pending);
    }
}

impl Queued {
    /// Bytes of the message.
    pub(super) fn len(&self) -> usize {
        self.head.len() + self.payload.len()
    }
}
