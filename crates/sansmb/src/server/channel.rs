//! One connection of a server: everything that is private to a transport.

use alloc::{
    boxed::Box,
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    vec::Vec,
};
use core::time::Duration;

use bytes::Bytes;

use super::{
    aside::{Received, WRITE_HEAD},
    config::ServerConfig,
    keys::{ChannelSession, Phase},
    negotiate::Negotiated,
    token::{ConnId, RequestId},
};
use crate::{
    conn::{
        Compression, CompressionError, CreditError, FrameError, MessageBuffer, Outstanding, Payload, Rx,
        SequenceWindow, Tx,
    },
    crypto::{BadTag, EncryptionPolicy, PreauthHash, Signer, verify_message},
    time::{Instant, Now},
    wire::{Command, DecodeError, FileId, Head, Header, NtStatus, SessionId, TreeId},
};

/// Longest message before somebody is authenticated: enough for any token, too little to hurt.
pub(super) const MAX_FRAME_BEFORE_AUTH: usize = 68 << 10;
/// What a message may be longer than its largest payload.
const FRAME_OVERHEAD: usize = 4096;
/// Above this many bytes that are being answered or that the peer does not take, we take no more
/// requests: what a client that reads nothing can make us hold. Above the same, requests that are
/// not answered yet included, nothing is read: what one can make us hold that writes too fast.
const HIGH_WATER: usize = 24 << 20;

/// A connection on which nothing arrives for so long gives back the memory that it needed before. The longer,
/// the more of those that log on one after the other and then wait have it at the same time.
const QUIET: Duration = Duration::from_millis(250);

/// Of so many sessions that are over a connection keeps the signing key.
const MAX_FORMER: usize = 16;

/// Why a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CloseReason {
    /// The transport closed.
    #[error("the peer closed the connection")]
    Eof,
    /// We closed it.
    #[error("closed on this side")]
    Local,
    /// The byte stream is no SMB transport.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// A message does not parse in a way that [MS-SMB2] answers by disconnecting.
    #[error(transparent)]
    Malformed(#[from] DecodeError),
    /// A message could not be decrypted.
    #[error("decryption failed: {0}")]
    Decrypt(#[from] BadTag),
    /// A compressed message is malformed, or in a way that was not agreed on.
    #[error(transparent)]
    Decompress(#[from] CompressionError),
    /// MessageIds or credits were not respected.
    #[error(transparent)]
    Credits(#[from] CreditError),
    /// The peer broke another rule.
    #[error("protocol violation: {0}")]
    Violation(&'static str),
    /// Nobody authenticated in time.
    #[error("no authentication within the time limit")]
    Timeout,
}

/// A request that owes an answer.
#[derive(Debug)]
pub(super) struct InFlight {
    pub(super) header: Header,
    pub(super) async_id: Option<u64>,
    /// Answer encrypted, with the keys of this session.
    pub(super) encrypted: Option<SessionId>,
    /// Request.CompressReply: answer compressed, where that is worth it.
    pub(super) compress: bool,
    /// Answer signed.
    pub(super) sign: bool,
    /// Sign a refusal with this: the key of a session that is not this connection's, for somebody who
    /// has shown to have it.
    pub(super) binder: Option<Arc<dyn Signer>>,
    /// The answer goes into the session's pre-authentication hash.
    pub(super) hash: bool,
    /// The application knows that the client would like it to end.
    pub(super) cancelled: bool,
    pub(super) chain: Option<u64>,
    pub(super) file_id: FileId,
    /// Bytes that the answer may be long.
    pub(super) reserved: u32,
    /// Bytes of the request, which the application may keep until it answers. Those of a compound
    /// are counted there.
    pub(super) held: usize,
}

/// A compound whose members are answered one after the other.
#[derive(Debug)]
pub(super) struct Chain {
    pub(super) waiting: VecDeque<(Header, Bytes)>,
    pub(super) answered: Vec<Segment>,
    pub(super) encrypted: Option<SessionId>,
    /// It came compressed.
    pub(super) compressed: bool,
    pub(super) previous: Option<Previous>,
    /// A member owes its answer.
    pub(super) owed: bool,
    /// [`Channel::advance`] is at work on it.
    pub(super) advancing: bool,
    /// Bytes of all members.
    pub(super) held: usize,
    /// Bytes of `answered`.
    pub(super) collected: usize,
}

impl Chain {
    pub(super) fn new(waiting: VecDeque<(Header, Bytes)>, way: Way) -> Self {
        let held = waiting.iter().map(|(_, message)| message.len()).sum();
        Self {
            waiting,
            answered: Vec::new(),
            encrypted: way.encrypted,
            compressed: way.compressed,
            previous: None,
            owed: false,
            advancing: false,
            held,
            collected: 0,
        }
    }
}

/// What the member before leaves to a related member.
#[derive(Debug, Clone, Copy)]
pub(super) struct Previous {
    pub(super) session: SessionId,
    pub(super) tree: TreeId,
    pub(super) file_id: Option<FileId>,
    pub(super) status: NtStatus,
}

/// What was around a message.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Way {
    /// A transform, with the keys of this session.
    pub(super) encrypted: Option<SessionId>,
    /// Compression.
    pub(super) compressed: bool,
}

/// One response, complete but for NextCommand, padding, signature, compression and encryption.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) head: Head,
    pub(super) data: Payload,
    pub(super) sign: Option<Arc<dyn Signer>>,
    /// Compress it where that is worth it.
    pub(super) compress: bool,
}

impl Segment {
    /// A message that stands by itself: no data, no signature.
    pub(super) fn bare(head: Head) -> Self {
        Self { head, data: Payload::Empty, sign: None, compress: false }
    }

    pub(super) fn len(&self) -> usize {
        self.head.len() + self.data.as_slice().len()
    }
}

/// A request that passed everything a channel can check by itself.
#[derive(Debug)]
pub(super) struct Inbound {
    pub(super) id: RequestId,
    pub(super) header: Header,
    pub(super) message: Received,
    pub(super) encrypted: bool,
    pub(super) related_file: Option<FileId>,
    pub(super) claim: Claim,
    /// More members of its compound wait for it.
    pub(super) followed: bool,
}

/// Whose session a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Claim {
    /// One of this connection, or none.
    Own,
    /// One that this connection does not have, by the word of whoever sent it.
    Said,
    /// The same, and signed with the session's key.
    Proven,
}

/// The state of one connection. See [`super::Server`] for how to use it; a driver that gives every
/// connection a task of its own holds a `Channel` there and shares `Sessions` alone.
#[derive(Debug)]
pub struct Channel {
    pub(super) id: ConnId,
    pub(super) config: Arc<ServerConfig>,
    pub(super) rx: Rx,
    pub(super) tx: Tx,
    pub(super) negotiated: Option<Negotiated>,
    /// An SMB1 NEGOTIATE was answered with the wildcard; an SMB2 one must follow.
    pub(super) wildcard_sent: bool,
    pub(super) preauth: PreauthHash,
    pub(super) window: SequenceWindow,
    /// Mostly one, for which a table makes room for eleven: hence the boxes.
    pub(super) sessions: BTreeMap<SessionId, Box<ChannelSession>>,
    /// Sessions that are no more, but whose keys some answers still need.
    ended: Vec<SessionId>,
    pub(super) in_flight: Outstanding<InFlight>,
    pub(super) pending: usize,
    /// Bytes that the answers under way may be long, all together.
    pub(super) reserved: usize,
    /// Bytes of the requests under way, all together.
    pub(super) held: usize,
    pub(super) chains: BTreeMap<u64, Chain>,
    pub(super) inbound: VecDeque<Inbound>,
    /// Requests for sessions of other connections, the keys that have to verify them, and what to say
    /// when they do not.
    pub(super) unverified: VecDeque<(Inbound, Arc<dyn Signer>, NtStatus)>,
    /// Keys of sessions that are over, the latest last: a client that has not noticed is told so with
    /// a signature that it believes.
    former: VecDeque<(SessionId, Arc<dyn Signer>)>,
    pub(super) cancels: VecDeque<RequestId>,
    next_serial: u64,
    pub(super) next_async: u64,
    pub(super) closed: Option<CloseReason>,
    pub(super) close_told: bool,
    /// A notice was sent that could go over another connection.
    pub(super) expendable: bool,
    /// When the connection was last fed.
    pub(super) fed: Now,
    deadline: Option<Instant>,
    /// When to see whether buffers can be given back.
    quiet: Option<Instant>,
}

impl Channel {
    /// A connection that was just accepted. `id` must be new.
    pub fn new(id: ConnId, config: Arc<ServerConfig>, now: Now) -> Self {
        Self {
            id,
            rx: Rx::new(MAX_FRAME_BEFORE_AUTH).heads_of(WRITE_HEAD),
            tx: Tx::default(),
            negotiated: None,
            wildcard_sent: false,
            preauth: PreauthHash::ZERO,
            window: SequenceWindow::new(config.max_credits.into()),
            sessions: BTreeMap::new(),
            ended: Vec::new(),
            in_flight: Outstanding::default(),
            pending: 0,
            reserved: 0,
            held: 0,
            chains: BTreeMap::new(),
            inbound: VecDeque::new(),
            unverified: VecDeque::new(),
            former: VecDeque::new(),
            cancels: VecDeque::new(),
            next_serial: 1,
            next_async: 1,
            closed: None,
            close_told: false,
            expendable: false,
            fed: now,
            deadline: Some(now.mono.after(config.handshake_timeout)),
            quiet: None,
            config,
        }
    }

    /// Its name.
    pub fn id(&self) -> ConnId {
        self.id
    }

    /// Where the next bytes from the transport go.
    pub fn recv_target(&mut self) -> &mut [u8] {
        self.rx.target()
    }

    /// Whether reading makes sense now: not when the connection is closed, and not while the peer
    /// does not take what it is being sent, or has more under way than is good.
    pub fn wants_read(&self) -> bool {
        let held = self.tx.queued() + self.reserved + self.held;
        self.closed.is_none() && held < HIGH_WATER && self.inbound.is_empty()
    }

    /// `n` bytes were read into [`Channel::recv_target`].
    pub fn received(&mut self, n: usize, now: Now) {
        self.rx.received(n);
        self.arrived(now);
    }

    /// Takes in what the receive buffer has.
    pub(super) fn arrived(&mut self, now: Now) {
        self.fed = now;
        self.process_frames(now);
        if self.quiet.is_none() {
            self.quiet = Some(now.mono.after(QUIET));
        }
    }

    /// Feeds bytes that lie elsewhere; the same as copying them into [`Channel::recv_target`].
    pub fn handle_input(&mut self, mut bytes: &[u8], now: Now) {
        while !bytes.is_empty() && self.closed.is_none() {
            let target = self.recv_target();
            let n = target.len().min(bytes.len());
            target[..n].copy_from_slice(&bytes[..n]);
            self.received(n, now);
            bytes = &bytes[n..];
        }
    }

    /// The transport will give no more bytes.
    pub fn eof(&mut self) {
        self.close_because(CloseReason::Eof);
    }

    /// Ends the connection.
    pub fn close(&mut self) {
        self.close_because(CloseReason::Local);
    }

    /// Why the connection ended, if it did.
    pub fn close_reason(&self) -> Option<CloseReason> {
        self.closed
    }

    /// Whether everything is said: close the transport.
    pub fn is_finished(&self) -> bool {
        self.closed.is_some() && (self.tx.queued() == 0 || self.closed == Some(CloseReason::Eof))
    }

    /// Whether requests wait for [`super::Sessions::admit`].
    pub fn has_inbound(&self) -> bool {
        (!self.inbound.is_empty() && self.has_room())
            || self.cancels.iter().any(|request| !self.is_waiting(*request))
            || (self.closed.is_some() && !self.close_told)
    }

    /// Whether the application has not heard of a request yet, for want of room.
    pub(super) fn is_waiting(&self, request: RequestId) -> bool {
        self.inbound.iter().any(|inbound| inbound.id == request)
    }

    /// Verifies requests for sessions of other connections, most of which want to be bound to one,
    /// with the keys that [`super::Sessions::admit`] looked up. Call it after every `admit`, outside
    /// any lock; when it says so, call `admit` again.
    pub fn verify_claims(&mut self) -> bool {
        let mut proven = false;
        while let Some((mut inbound, signer, refusal)) = self.unverified.pop_front() {
            if verify_message(&*signer, &inbound.message, &[]).is_err() {
                self.fail(inbound.id, &refusal.into());
                continue;
            }
            if let Some(request) = self.in_flight.get_mut(inbound.id.serial) {
                request.binder = Some(signer);
            }
            inbound.claim = Claim::Proven;
            self.inbound.push_front(inbound);
            proven = true;
        }
        proven
    }

    /// Fills `out` with what is to be sent; call [`Channel::sent`] afterwards.
    pub fn poll_transmit<'a>(&'a mut self, out: &mut [&'a [u8]]) -> usize {
        self.tx.poll_transmit(out)
    }

    /// The transport took `n` bytes of what [`Channel::poll_transmit`] offered.
    pub fn sent(&mut self, n: usize) {
        self.tx.sent(n);
    }

    /// Room for a payload of `len` bytes in memory that an earlier answer has left, where there is some:
    /// for large READs, see [`LARGE`](crate::conn::LARGE). Small ones are kept for those alone who ask for some.
    pub fn spare_buffer(&mut self, len: usize) -> Option<MessageBuffer> {
        self.tx.spares().take(len)
    }

    /// Bytes that wait to be sent.
    pub fn queued(&self) -> usize {
        self.tx.queued()
    }

    /// When [`Channel::handle_timeout`] is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.deadline.into_iter().chain(self.quiet).min().filter(|_| self.closed.is_none())
    }

    /// Time passed.
    pub fn handle_timeout(&mut self, now: Now) {
        if self.deadline.is_some_and(|deadline| deadline <= now.mono) {
            self.close_because(CloseReason::Timeout);
        }
        if self.quiet.is_some_and(|at| at <= now.mono) {
            let quiet = self.fed.mono.after(QUIET);
            self.quiet = Some(quiet).filter(|at| *at > now.mono);
            if self.quiet.is_none() {
                self.release_idle();
            }
        }
    }

    /// Requests that owe an answer.
    pub fn outstanding(&self) -> usize {
        self.in_flight.len()
    }

    /// The same without those that wait for what others do, maybe for ever: watches and locks.
    pub fn outstanding_work(&self) -> usize {
        let waits = |request: &&InFlight| {
            request.async_id.is_some()
                && matches!(request.header.command, Command::CHANGE_NOTIFY | Command::LOCK)
        };
        self.in_flight.len() - self.in_flight.values().filter(waits).count()
    }

    /// Gives back memory while nothing is happening; a channel does so by itself after a while.
    pub fn release_idle(&mut self) {
        self.rx.release_idle();
        self.tx.release_idle();
        self.inbound.shrink_to_fit();
        self.in_flight.release_idle();
    }

    /// Whether the transport's own security stands in for encryption.
    pub(super) fn transport_security(&self) -> bool {
        self.negotiated.as_ref().is_some_and(|n| n.transport_security)
    }

    /// Whether every session has to be encrypted.
    pub(super) fn must_encrypt(&self) -> bool {
        self.config.encryption == EncryptionPolicy::Required && !self.transport_security()
    }

    /// Somebody authenticated: large messages are welcome and the clock stops.
    pub(super) fn authenticated(&mut self) {
        let config = &self.config;
        let largest = config.max_read_size.max(config.max_write_size).max(config.max_transact_size);
        self.rx.set_max_frame((largest as usize).saturating_add(FRAME_OVERHEAD));
        self.deadline = None;
    }

    /// Whether nobody was ever authenticated here.
    pub(super) fn awaits_authentication(&self) -> bool {
        self.deadline.is_some()
    }

    /// Whether one more request may be worked on.
    pub(super) fn has_room(&self) -> bool {
        self.tx.queued() + self.reserved < HIGH_WATER
    }

    pub(super) fn close_because(&mut self, reason: CloseReason) {
        if self.closed.is_none() {
            self.closed = Some(reason);
            self.inbound.clear();
            self.unverified.clear();
            self.cancels.clear();
            self.chains.clear();
            self.in_flight.clear();
            self.pending = 0;
            self.reserved = 0;
            self.held = 0;
        }
    }

    /// A session is over. Requests that arrived before are still answered, signed and encrypted as
    /// they must be.
    pub(super) fn end_session(&mut self, id: SessionId) {
        if let Some(session) = self.sessions.get_mut(&id)
            && session.phase != Phase::Ended
        {
            session.phase = Phase::Ended;
            self.ended.push(id);
            self.drop_ended();
        }
    }

    /// Forgets the ended sessions that owe no answer any more.
    pub(super) fn drop_ended(&mut self) {
        if self.ended.is_empty() {
            return;
        }
        let mut ended = core::mem::take(&mut self.ended);
        ended.retain(|id| {
            let owed = self.owes(*id);
            if !owed
                && let Some(session) = self.sessions.remove(id)
                && let Some(signer) = session.signer.filter(|_| !session.keyless)
            {
                if self.former.len() >= MAX_FORMER {
                    self.former.pop_front();
                }
                self.former.push_back((*id, signer));
            }
            owed
        });
        self.ended = ended;
    }

    /// The key of a session that was this connection's.
    pub(super) fn former(&self, id: SessionId) -> Option<Arc<dyn Signer>> {
        let mut all = self.former.iter().rev();
        all.find_map(|(former, signer)| (*former == id).then(|| signer.clone()))
    }

    fn owes(&self, id: SessionId) -> bool {
        let mut requests = self.in_flight.values();
        let mut chains = self.chains.values();
        requests.any(|r| r.header.session_id == id || r.encrypted == Some(id))
            || chains.any(|c| c.encrypted == Some(id))
    }

    pub(super) fn new_request(
        &mut self,
        header: Header,
        encrypted: Option<SessionId>,
        chain: Option<u64>,
    ) -> RequestId {
        let serial = self.next_serial();
        let request = InFlight {
            header,
            async_id: None,
            encrypted,
            compress: false,
            sign: false,
            binder: None,
            hash: false,
            cancelled: false,
            chain,
            file_id: FileId::ANY,
            reserved: 0,
            held: 0,
        };
        self.in_flight.push(serial, request);
        if let Some(chain) = chain.and_then(|id| self.chains.get_mut(&id)) {
            chain.owed = true;
        }
        RequestId { conn: self.id, serial }
    }

    pub(super) fn next_serial(&mut self) -> u64 {
        let serial = self.next_serial;
        self.next_serial += 1;
        serial
    }

    /// What was agreed on about compression, if anything.
    pub(super) fn compression(&self) -> Option<&Compression> {
        self.negotiated.as_ref().map(|n| &n.compression).filter(|compression| !compression.is_none())
    }

    /// The dialect, once it is negotiated.
    pub fn dialect(&self) -> Option<crate::wire::Dialect> {
        self.negotiated.as_ref().map(|n| n.dialect)
    }
}
