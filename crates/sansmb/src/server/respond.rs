//! From answers to frames: header, credits, compound, signature, compression, encryption.

use alloc::{sync::Arc, vec, vec::Vec};

use bytes::Bytes;

use super::{
    channel::{Channel, CloseReason, InFlight, Previous, Segment},
    op::Op,
    reply::{Data, Failure, Reply},
    token::{Gone, RequestId, Token},
};
use crate::{
    crypto::{Signer, seal_message, sign_message},
    wire::{
        Body, Command, Dialect, ErrorResponse, FileId, Flags, HEADER_LEN, Header, NtStatus, SessionId,
        TransformHeader, TreeId, Writer,
    },
};

/// Room for the transport prefix and the transform header in front of an encrypted message.
const SEAL_ROOM: usize = 4 + size_of::<TransformHeader>();

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
        if !self.in_flight.contains_key(&id.serial) {
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
        let request = self.in_flight.get_mut(&id.serial).filter(|_| id.conn == self.id).ok_or(Gone)?;
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
        let head = error_message(&header, &[]);
        // An interim response is not signed: the final one uses the same MessageId.
        self.emit(Segment { head, data: Data::None, sign: None, compress: false }, encrypted);
        Ok(())
    }

    /// Whether an interim response was sent for this request.
    pub fn is_pending<O: Op>(&self, token: &Token<O>) -> bool {
        self.in_flight.get(&token.id().serial).is_some_and(|r| r.async_id.is_some())
    }

    pub(super) fn fail(&mut self, id: RequestId, failure: &Failure) {
        let mut head = Vec::with_capacity(HEADER_LEN + 16 + failure.data.len());
        head.resize(HEADER_LEN, 0);
        let body = ErrorResponse { error_context_count: 0, data: &failure.data };
        body.encode(&mut Writer::resume(&mut head, 0));
        self.answer(id, failure.status, head, Data::None, None);
    }

    /// Answers `id` with a message whose header is still blank.
    pub(super) fn answer(
        &mut self,
        id: RequestId,
        status: NtStatus,
        mut head: Vec<u8>,
        data: Data,
        opened: Option<FileId>,
    ) {
        let Some(request) = self.in_flight.remove(&id.serial) else { return };
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
        write_header(&header, &mut head);
        let mut sign = self.signer(&request, status);
        if request.hash && self.dialect() == Some(Dialect::SMB3_1_1) {
            // What is hashed is what is sent: where a session is being bound it is signed.
            if let Some(signer) = sign.take() {
                sign_whole(&*signer, &mut head);
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
        let segments = core::mem::take(&mut chain.answered);
        chain.collected = 0;
        let last = segments.len().saturating_sub(1);
        let mut message = vec![0; SEAL_ROOM];
        let mut compress = false;
        for (at, segment) in segments.into_iter().enumerate() {
            if last == 0 {
                self.emit(segment, encrypted);
                return;
            }
            let start = message.len();
            compress |= segment.compress;
            message.extend_from_slice(&segment.head);
            message.extend_from_slice(segment.data.as_slice());
            // The last one, too, as smbd does; smbtorture looks for it.
            message.resize(start + (message.len() - start).next_multiple_of(8), 0);
            if at < last {
                let next = (message.len() - start) as u32;
                if let Some(field) = message.get_mut(start + 20..start + 24) {
                    field.copy_from_slice(&next.to_le_bytes());
                }
            }
            if let (Some(signer), Some(member)) = (segment.sign, message.get_mut(start..)) {
                sign_whole(&*signer, member);
            }
        }
        if compress
            && let Some(compressed) = self.compressed(message.get(SEAL_ROOM..).unwrap_or_default(), &[])
        {
            message = compressed;
        }
        if message.len() > SEAL_ROOM {
            self.emit_contiguous(message, SEAL_ROOM, encrypted);
        }
    }

    /// Sends one response that is alone in its frame.
    pub(super) fn emit(&mut self, segment: Segment, encrypted: Option<SessionId>) {
        let Segment { mut head, data, sign, compress } = segment;
        if let Some(signer) = sign {
            // The head was built here, so it holds a header.
            let _ = sign_message(&*signer, &mut head, &[data.as_slice()]);
        }
        if compress && let Some(message) = self.compressed(&head, data.as_slice()) {
            self.emit_contiguous(message, SEAL_ROOM, encrypted);
            return;
        }
        if let Data::Buffer(buffer) = data {
            // The headroom holds every head that goes before a payload.
            if let Some((message, start)) = buffer.prepend(&head) {
                self.emit_contiguous(message, start, encrypted);
            }
            return;
        }
        if encrypted.is_some() {
            let mut message = Vec::with_capacity(SEAL_ROOM + head.len() + data.as_slice().len());
            message.resize(SEAL_ROOM, 0);
            message.extend_from_slice(&head);
            message.extend_from_slice(data.as_slice());
            self.emit_contiguous(message, SEAL_ROOM, encrypted);
            return;
        }
        let total = head.len() + data.as_slice().len();
        match data {
            Data::Shared(payload) => self.tx.push_parts([Bytes::from(head), payload], total),
            _ => self.tx.push_vec(head, 0),
        }
    }

    /// The message in its compressed form, behind [`SEAL_ROOM`]; `None` where that is not worth it.
    fn compressed(&self, head: &[u8], data: &[u8]) -> Option<Vec<u8>> {
        self.compression()?.compress(head, data, SEAL_ROOM)
    }

    /// Sends the message `buf[start..]`, encrypting it in place where it must be.
    fn emit_contiguous(&mut self, mut buf: Vec<u8>, start: usize, encrypted: Option<SessionId>) {
        let Some(session_id) = encrypted else {
            self.tx.push_vec(buf, start);
            return;
        };
        let Some(session) = self.sessions.get_mut(&session_id) else { return };
        let nonce = session.take_nonce();
        let Some(ciphers) = session.ciphers.clone() else { return };
        let at = start.saturating_sub(size_of::<TransformHeader>());
        let sealed = buf.get_mut(at..).is_some_and(|frame| {
            seal_message(&*ciphers.sealer, ciphers.cipher, session_id, nonce, frame).is_ok()
        });
        if sealed {
            self.tx.push_vec(buf, at);
        } else {
            self.close_because(CloseReason::Violation("a response is too long to encrypt"));
        }
    }

    /// Counts the bytes that the answer to a request may be long.
    pub(super) fn reserve(&mut self, id: RequestId, bytes: u32) {
        if let Some(request) = self.in_flight.get_mut(&id.serial) {
            request.reserved = bytes;
            self.reserved += bytes as usize;
        }
    }

    /// The answer to a request is to be compressed, [MS-SMB2] 3.3.4.1.5.
    pub(super) fn compress_answer(&mut self, id: RequestId) {
        if let Some(request) = self.in_flight.get_mut(&id.serial) {
            request.compress = true;
        }
    }

    /// Remembers which file a request of a compound means, for the members after it.
    pub(super) fn note_file(&mut self, id: RequestId, file_id: FileId) {
        if let Some(request) = self.in_flight.get_mut(&id.serial) {
            request.file_id = file_id;
        }
    }

    /// Gives the request the ids that its answer made.
    pub(super) fn note_ids(&mut self, id: RequestId, session: Option<SessionId>, tree: Option<TreeId>) {
        if let Some(request) = self.in_flight.get_mut(&id.serial) {
            request.header.session_id = session.unwrap_or(request.header.session_id);
            request.header.tree_id = tree.unwrap_or(request.header.tree_id);
        }
    }
}

/// Signs a message that is whole. It was built here, so it holds a header.
fn sign_whole(signer: &dyn Signer, message: &mut [u8]) {
    let _ = sign_message(signer, message, &[]);
}

/// Overwrites the blank header at the start of `head`.
fn write_header(header: &Header, head: &mut [u8]) {
    let mut bytes = Vec::with_capacity(HEADER_LEN);
    header.encode(&mut Writer::new(&mut bytes));
    if let Some(blank) = head.get_mut(..HEADER_LEN) {
        blank.copy_from_slice(&bytes);
    }
}

fn error_message(header: &Header, data: &[u8]) -> Vec<u8> {
    let mut head = Vec::with_capacity(HEADER_LEN + 16);
    header.encode(&mut Writer::new(&mut head));
    let body = ErrorResponse { error_context_count: 0, data };
    body.encode(&mut Writer::resume(&mut head, 0));
    head
}
