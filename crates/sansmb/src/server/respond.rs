//! From answers to frames: header, credits, compound, signature, compression, encryption.

use alloc::{sync::Arc, vec::Vec};

use super::{
    channel::{Channel, CloseReason, InFlight, Previous, Segment},
    op::Op,
    reply::{Failure, Reply},
    token::{Gone, RequestId, Token},
};
use crate::{
    conn::Payload,
    crypto::{Signer, sign_message},
    wire::{
        Body, Command, Dialect, ErrorResponse, FileId, Flags, Head, Header, NtStatus, SessionId,
        TRANSFORM_LEN, TreeId,
    },
};

/// Room for the transport prefix and the transform header in front of an encrypted message.
const SEAL_ROOM: usize = 4 + TRANSFORM_LEN;
/// Members of a compound are padded to this.
const ALIGNMENT: usize = 8;

/// A connection that cannot encrypt what it has to ends.
const UNSEALED: CloseReason = CloseReason::Violation("a response is too long to encrypt");

/// When the answers to the members of a compound are longer than this, they go out before the rest is
/// answered: a frame has room for 16 MiB, and what is collected is memory.
const MAX_COMPOUND: usize = 256 << 10;

/// Why a request cannot be made asynchronous.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PendError {
    /// The request is no longer known.
    #[error(transparent)]
    Gone(#[from] Gone),
    /// The connection has as many pending requests as it may: answer INSUFFICIENT_RESOURCES.
    #[error("too many requests are pending")]
    TooMany,
}

impl Channel {
    /// Answers one request. `Err(Gone)` only says that nobody waits for the answer any more.
    ///
    /// For SESSION_SETUP and TREE_CONNECT use [`super::Sessions`], which makes the ids.
    pub fn respond<O: Op>(&mut self, token: Token<O>, result: Result<Reply<O>, Failure>) -> Result<(), Gone> {
        let id = token.id();
        if self.in_flight.get(id.serial).is_none() {
            return Err(Gone);
        }
        match result {
            Ok(reply) => self.answer(id, reply.status, reply.head, reply.data, reply.opened),
            Err(failure) => self.fail(id, &failure),
        }
        Ok(())
    }

    /// Tells the client that the answer takes a while, [MS-SMB2] 3.3.4.2. The token stays owed.
    /// Doing it twice does nothing the second time.
    pub fn pend<O: Op>(&mut self, token: &Token<O>) -> Result<(), PendError> {
        self.pend_request(token.id())
    }

    /// The same for whoever knows the request only by name, because its token is kept elsewhere.
    pub fn pend_request(&mut self, id: RequestId) -> Result<(), PendError> {
        let request = self.in_flight.get_mut(id.serial).filter(|_| id.conn == self.id).ok_or(Gone)?;
        if request.async_id.is_some() {
            return Ok(());
        }
        if self.pending >= self.config.max_async {
            return Err(PendError::TooMany);
        }
        let async_id = self.next_async;
        self.next_async += 1;
        request.async_id = Some(async_id);
        self.pending += 1;
        if request.header.command == Command::CHANGE_NOTIFY {
            // A watch holds no memory until something happens. What is slow does.
            self.reserved -= core::mem::take(&mut request.reserved) as usize;
        }
        let (chain, encrypted) = (request.chain, request.encrypted);
        let mut header = request.header;
        if let Some(chain) = chain {
            self.flush_chain(chain);
        }
        header.status = NtStatus::PENDING;
        self.complete_header(&mut header, Some(async_id), true);
        let mut head = error_message(&[]);
        head.set_header(&header);
        // An interim response is not signed: the final one uses the same MessageId.
        self.emit(Segment::bare(head), encrypted);
        Ok(())
    }

    /// Whether an interim response was sent for this request.
    pub fn is_pending<O: Op>(&self, token: &Token<O>) -> bool {
        self.in_flight.get(token.id().serial).is_some_and(|r| r.async_id.is_some())
    }

    pub(super) fn fail(&mut self, id: RequestId, failure: &Failure) {
        self.answer(id, failure.status, error_message(&failure.data), Payload::Empty, None);
    }

    /// Answers `id` with a message whose header is still blank.
    pub(super) fn answer(
        &mut self,
        id: RequestId,
        status: NtStatus,
        mut head: Head,
        data: Payload,
        opened: Option<FileId>,
    ) {
        let Some(request) = self.in_flight.remove(id.serial) else { return };
        if request.async_id.is_some() {
            self.pending -= 1;
        }
        self.reserved -= request.reserved as usize;
        self.held -= request.held;
        let mut header = request.header;
        header.status = status;
        let related = request.chain.is_some() && header.flags.contains(Flags::RELATED_OPERATIONS);
        self.complete_header(&mut header, request.async_id, request.async_id.is_none());
        if related {
            header.flags |= Flags::RELATED_OPERATIONS;
        }
        head.set_header(&header);
        let mut sign = self.signer(&request, status);
        if request.hash && self.dialect() == Some(Dialect::SMB3_1_1) {
            // What is hashed is what is sent: where a session is being bound it is signed.
            if let Some(signer) = sign.take() {
                // The head was built here, so it holds a header.
                let _ = sign_message(&*signer, &mut head, &[]);
            }
            let crypto = self.config.crypto.clone();
            if let Some(session) = self.sessions.get_mut(&header.session_id) {
                session.preauth.update(&*crypto, &head);
            }
        }
        let segment = Segment { head, data, sign, compress: request.compress };
        if let Some(chain) = request.chain {
            self.answer_member(chain, &request, &header, segment, opened);
        } else {
            self.emit(segment, request.encrypted);
        }
        self.drop_ended();
    }

    fn answer_member(
        &mut self,
        chain_id: u64,
        request: &InFlight,
        header: &Header,
        segment: Segment,
        opened: Option<FileId>,
    ) {
        let Some(chain) = self.chains.get_mut(&chain_id) else { return };
        let file_id = opened.or_else(|| (request.file_id != FileId::ANY).then_some(request.file_id));
        // A CREATE that failed must not leave the file of an earlier one to those behind it.
        let goes_on = header.flags.contains(Flags::RELATED_OPERATIONS) && header.command != Command::CREATE;
        let inherited = chain.previous.filter(|_| goes_on).and_then(|p| p.file_id);
        // A session that is not there is none to go on with.
        let lost = header.status == NtStatus::USER_SESSION_DELETED;
        chain.previous = Some(Previous {
            session: if lost { SessionId(0) } else { header.session_id },
            tree: if request.async_id.is_some() { request.header.tree_id } else { header.tree_id },
            file_id: file_id.or(inherited),
            status: header.status,
        });
        chain.collected += segment.len();
        chain.answered.push(segment);
        chain.owed = false;
        let advancing = chain.advancing;
        if chain.collected > MAX_COMPOUND {
            self.flush_chain(chain_id);
        }
        if !advancing {
            self.advance(chain_id);
        }
    }

    /// [MS-SMB2] 3.3.4.1.1: what was signed is answered signed.
    fn signer(&self, request: &InFlight, status: NtStatus) -> Option<Arc<dyn Signer>> {
        if request.encrypted.is_some() || status == NtStatus::PENDING {
            return None;
        }
        if let Some(binder) = request.binder.as_ref().filter(|_| status != NtStatus::SUCCESS) {
            return Some(binder.clone());
        }
        let session = self.sessions.get(&request.header.session_id)?;
        if session.keyless || !(request.sign || session.signing_required) {
            return None;
        }
        let unfinished = request.header.command == Command::SESSION_SETUP && status != NtStatus::SUCCESS;
        if unfinished { session.session_signer.clone() } else { session.signer.clone() }
    }

    /// Turns a request's header into that of a response. Credits go with the first response to a
    /// request, be it interim or final.
    pub(super) fn complete_header(&mut self, header: &mut Header, async_id: Option<u64>, grants: bool) {
        let priority = header.flags & Flags::PRIORITY_MASK;
        header.flags = Flags::SERVER_TO_REDIR | priority;
        header.next_command = 0;
        header.signature = [0; 16];
        let (held, charge) = (self.window.available(), header.credit_charge);
        let wanted = self.config.credit_policy.grant(header.credits, held, charge);
        header.credits = if grants { self.window.grant(wanted) } else { 0 };
        if let Some(id) = async_id {
            header.set_async_id(id);
        }
    }

    /// All members are answered: one frame for the answers that have not gone out yet.
    pub(super) fn finish_chain(&mut self, chain_id: u64) {
        self.flush_chain(chain_id);
        if let Some(chain) = self.chains.remove(&chain_id) {
            self.held -= chain.held;
        }
    }

    fn flush_chain(&mut self, chain_id: u64) {
        let Some(chain) = self.chains.get_mut(&chain_id) else { return };
        let encrypted = chain.encrypted;
        let mut segments = core::mem::take(&mut chain.answered);
        chain.collected = 0;
        if segments.len() < 2 {
            if let Some(segment) = segments.pop() {
                self.emit(segment, encrypted);
            }
            return;
        }
        let last = segments.len() - 1;
        let mut total = 0;
        let mut compress = false;
        for (at, segment) in segments.iter_mut().enumerate() {
            let len = segment.len();
            // The last one is padded, too, as smbd does; smbtorture looks for it.
            let padded = len.next_multiple_of(ALIGNMENT);
            total += padded;
            compress |= segment.compress;
            if at < last {
                segment.head.set_next_command(padded as u32);
            }
            if let Some(signer) = &segment.sign {
                let padding = [0; ALIGNMENT];
                let parts = [segment.data.as_slice(), &padding[..padded - len]];
                // The head was built here, so it holds a header.
                let _ = sign_message(&**signer, &mut segment.head, &parts);
            }
        }
        let gather = |out: &mut Vec<u8>| {
            for segment in &segments {
                let start = out.len();
                out.extend_from_slice(&segment.head);
                out.extend_from_slice(segment.data.as_slice());
                out.resize(start + (out.len() - start).next_multiple_of(ALIGNMENT), 0);
            }
        };
        if compress {
            let mut message = Vec::with_capacity(total);
            gather(&mut message);
            if let Some(compressed) = self.compressed(&message, &[]) {
                return self.emit_contiguous(compressed, SEAL_ROOM, encrypted);
            }
        }
        if encrypted.is_some() {
            return self.emit_gathered(total, gather, encrypted);
        }
        self.tx.begin(total);
        for segment in segments {
            let len = segment.len();
            self.tx.append(&segment.head, segment.data);
            self.tx.copy(&[0; ALIGNMENT][..len.next_multiple_of(ALIGNMENT) - len]);
        }
    }

    /// Sends one response that is alone in its frame.
    pub(super) fn emit(&mut self, mut segment: Segment, encrypted: Option<SessionId>) {
        if let Some(signer) = segment.sign.take() {
            // The head was built here, so it holds a header.
            let _ = sign_message(&*signer, &mut segment.head, &[segment.data.as_slice()]);
        }
        if segment.compress
            && let Some(message) = self.compressed(&segment.head, segment.data.as_slice())
        {
            return self.emit_contiguous(message, SEAL_ROOM, encrypted);
        }
        let len = segment.len();
        let head = &segment.head;
        match segment.data {
            Payload::Buffer(buffer) => {
                // The headroom holds every head that goes before a payload.
                if let Some((message, start)) = buffer.prepend(head) {
                    self.emit_contiguous(message, start, encrypted);
                }
            }
            data if encrypted.is_some() => {
                let write = |out: &mut Vec<u8>| {
                    out.extend_from_slice(head);
                    out.extend_from_slice(data.as_slice());
                };
                self.emit_gathered(len, write, encrypted);
            }
            data => {
                self.tx.begin(len);
                self.tx.append(head, data);
            }
        }
    }

    /// The message in its compressed form, behind [`SEAL_ROOM`]; `None` where that is not worth it.
    fn compressed(&self, head: &[u8], data: &[u8]) -> Option<Vec<u8>> {
        self.compression()?.compress(head, data, SEAL_ROOM)
    }

    /// Sends the message `buf[start..]`, encrypting it in place where it must be.
    fn emit_contiguous(&mut self, mut buf: Vec<u8>, start: usize, encrypted: Option<SessionId>) {
        let Some(session_id) = encrypted else {
            self.tx.frame(buf, start);
            return;
        };
        let at = start.saturating_sub(TRANSFORM_LEN);
        let Some(session) = self.sessions.get_mut(&session_id) else { return };
        if buf.get_mut(at..).is_some_and(|frame| session.seal(session_id, frame)) {
            self.tx.frame(buf, at);
        } else {
            self.close_because(UNSEALED);
        }
    }

    /// Sends the message of `len` bytes that `write` appends, encrypting it where it was put together.
    fn emit_gathered(&mut self, len: usize, write: impl FnOnce(&mut Vec<u8>), encrypted: Option<SessionId>) {
        let Some(id) = encrypted else { return };
        let Some(session) = self.sessions.get_mut(&id) else { return };
        if !self.tx.gather(TRANSFORM_LEN, len, write, |frame| session.seal(id, frame)) {
            self.close_because(UNSEALED);
        }
    }

    /// Counts the bytes that the answer to a request may be long.
    pub(super) fn reserve(&mut self, id: RequestId, bytes: u32) {
        if let Some(request) = self.in_flight.get_mut(id.serial) {
            request.reserved = bytes;
            self.reserved += bytes as usize;
        }
    }

    /// The answer to a request is to be compressed, [MS-SMB2] 3.3.4.1.5.
    pub(super) fn compress_answer(&mut self, id: RequestId) {
        if let Some(request) = self.in_flight.get_mut(id.serial) {
            request.compress = true;
        }
    }

    /// Remembers which file a request of a compound means, for the members after it.
    pub(super) fn note_file(&mut self, id: RequestId, file_id: FileId) {
        if let Some(request) = self.in_flight.get_mut(id.serial) {
            request.file_id = file_id;
        }
    }

    /// Gives the request the ids that its answer made.
    pub(super) fn note_ids(&mut self, id: RequestId, session: Option<SessionId>, tree: Option<TreeId>) {
        if let Some(request) = self.in_flight.get_mut(id.serial) {
            request.header.session_id = session.unwrap_or(request.header.session_id);
            request.header.tree_id = tree.unwrap_or(request.header.tree_id);
        }
    }
}

/// An ERROR response whose header is still blank.
fn error_message(data: &[u8]) -> Head {
    let mut head = Head::blank();
    ErrorResponse { error_context_count: 0, data }.encode(&mut head.body());
    head
}
