//! The client's state machine: one connection, its sessions and tree connects.
//!
//! Methods come in four kinds, as everywhere in this crate:
//!
//! | kind | names | rule |
//! |---|---|---|
//! | look | getters, [`Client::recv_target`], [`Client::wants_read`] | any time |
//! | feed | [`Client::received`], [`Client::moved`], [`Client::handle_timeout`], [`Client::eof`] | never fails: what a bad peer does ends the connection |
//! | command | [`Client::log_on`], [`Client::tree_connect`], [`Client::request`], .. | gives an [`OpId`]; how it ends comes as [`Event::Done`] |
//! | drain | [`Client::poll_event`], [`Client::poll_transmit`], [`Client::poll_aside`], [`Client::poll_timeout`] | after every feed and command |

mod aside;
mod binding;
mod config;
mod event;
mod negotiate;
mod receive;
mod send;
mod session;
mod state;
mod transfer;

pub use crate::{conn::Payload, crypto::EncryptionPolicy};
pub use aside::Aside;
pub use binding::SharedSession;
pub use config::{ClientConfig, CompressionPolicy};
pub use event::{Agreement, CloseReason, Event, OpError, OpId, Outcome, Response};
pub use transfer::{Chunk, Transfer};

use alloc::{
    collections::{BTreeMap, VecDeque},
    vec::Vec,
};

use self::aside::Passing;
use self::state::{Frame, Kind, LogOn, Pending, Queued, Session};
use crate::{
    conn::{MessageBuffer, Outstanding, Rx, Tx},
    crypto::PreauthHash,
    op::{self, Op},
    time::{Instant, Now},
    wire::{
        Body, Bulk, Command, CtlCode, FileId, Flags, Head, Header, IoctlFlags, IoctlRequest, SessionId,
        TreeConnectRequest, TreeId, Utf16Buf, WriteRequest,
    },
};

/// What a message may be longer than its largest payload.
const FRAME_OVERHEAD: usize = 4096;
/// Longest message before NEGOTIATE has said what to expect.
const MAX_FRAME_BEFORE_NEGOTIATE: usize = 68 << 10;

/// One connection to a server.
#[derive(Debug)]
pub struct Client {
    config: ClientConfig,
    rx: Rx,
    tx: Tx,
    agreement: Option<Agreement>,
    hint: Vec<u8>,
    preauth: PreauthHash,
    sent_smb1: bool,
    saw_wildcard: bool,
    validated: bool,
    unvalidated: Vec<(OpId, Outcome)>,
    sessions: BTreeMap<SessionId, Session>,
    log_ons: Vec<LogOn>,
    /// A payload that the driver takes from the transport.
    passing: Option<Passing>,
    /// The driver knows of such payloads.
    lets_pass: bool,
    queue: VecDeque<Frame>,
    /// By MessageId.
    pending: Outstanding<Pending>,
    next_message_id: u64,
    credits: u32,
    next_op: u64,
    events: VecDeque<Event>,
    closed: Option<CloseReason>,
    opened: Instant,
    /// When the server was last heard, or a first request sent.
    heard: Instant,
    probing: bool,
    now: Now,
}

/// Where a request is sent: a tree of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TreeRef {
    /// The session.
    pub session: SessionId,
    /// The tree in it.
    pub tree: TreeId,
}

/// A request of a compound that is being put together, see [`Client::compound`].
#[derive(Debug)]
pub struct Member {
    command: Command,
    head: Head,
    charge: u16,
    payload: Payload,
    asked: u32,
    replay: bool,
}

impl Member {
    /// Encodes a request. In members after the first a file id of [`FileId::ANY`] means the file
    /// that the member before opened or used.
    pub fn new<O: Op>(request: &O::Request<'_>) -> Self {
        let mut head = Head::blank();
        request.encode(&mut head.body());
        let charge = charge(O::payload(request));
        let (payload, asked) = (Payload::Empty, O::asked(request));
        Self { command: O::COMMAND, head, charge, payload, asked, replay: false }
    }

    /// A WRITE whose data is not copied.
    pub fn write(request: &WriteRequest<'_, Bulk>, data: Payload) -> Self {
        let mut head = Head::blank();
        request.encode_head(&mut head.body());
        let charge = charge(data.len() as u32);
        Self { command: Command::WRITE, head, charge, payload: data, asked: 0, replay: false }
    }

    /// The request was sent before, over a connection that is gone, and may have been carried out,
    /// [MS-SMB2] 3.2.7.1.
    #[must_use]
    pub fn replayed(self) -> Self {
        Self { replay: true, ..self }
    }
}

/// CreditCharge of a payload, [MS-SMB2] 3.1.5.2.
fn charge(payload: u32) -> u16 {
    (payload.max(1).div_ceil(65536)).min(u16::MAX.into()) as u16
}

impl Client {
    /// A connection whose transport was just opened; NEGOTIATE waits to be sent.
    pub fn new(config: ClientConfig, now: Now) -> Self {
        let mut client = Self {
            rx: Rx::new(MAX_FRAME_BEFORE_NEGOTIATE),
            tx: Tx::default(),
            agreement: None,
            hint: Vec::new(),
            preauth: PreauthHash::ZERO,
            sent_smb1: false,
            saw_wildcard: false,
            validated: false,
            unvalidated: Vec::new(),
            sessions: BTreeMap::new(),
            log_ons: Vec::new(),
            passing: None,
            lets_pass: false,
            queue: VecDeque::new(),
            pending: Outstanding::default(),
            next_message_id: 0,
            credits: 1,
            next_op: 1,
            events: VecDeque::new(),
            closed: None,
            opened: now.mono,
            heard: now.mono,
            probing: false,
            now,
            config,
        };
        client.begin(now);
        client
    }

    /// What NEGOTIATE led to, once it is done.
    pub fn agreement(&self) -> Option<&Agreement> {
        self.agreement.as_ref()
    }

    /// Credits at hand, in units of 64 KiB.
    pub fn credits(&self) -> u32 {
        self.credits
    }

    /// Requests that have no answer yet, waiting ones included.
    pub fn outstanding(&self) -> usize {
        self.pending.len() + self.queue.len()
    }

    /// Where the next bytes from the transport go.
    pub fn recv_target(&mut self) -> &mut [u8] {
        self.rx.target()
    }

    /// Whether reading makes sense now.
    pub fn wants_read(&self) -> bool {
        self.closed.is_none()
    }

    /// `n` bytes were read into [`Client::recv_target`].
    pub fn received(&mut self, n: usize, now: Now) {
        if self.passing.is_some() {
            self.throw_aside();
            return self.moved(n, now);
        }
        self.rx.received(n);
        self.process_frames(now);
    }

    /// Feeds bytes that lie elsewhere.
    pub fn handle_input(&mut self, mut bytes: &[u8], now: Now) {
        while !bytes.is_empty() && self.closed.is_none() {
            let target = self.recv_target();
            let n = target.len().min(bytes.len());
            target[..n].copy_from_slice(&bytes[..n]);
            self.received(n, now);
            bytes = &bytes[n..];
        }
    }

    /// The transport gives no more bytes.
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
        self.closed.is_some_and(|reason| reason != CloseReason::Local || self.tx.queued() == 0)
    }

    /// Fills `out` with what is to be sent; call [`Client::sent`] afterwards.
    pub fn poll_transmit<'a>(&'a mut self, out: &mut [&'a [u8]]) -> usize {
        self.tx.poll_transmit(out)
    }

    /// The transport took `n` bytes.
    pub fn sent(&mut self, n: usize) {
        self.tx.sent(n);
    }

    /// Room for a payload of `len` bytes, in memory that an earlier one has left where there is some.
    pub fn buffer(&mut self, len: usize) -> MessageBuffer {
        self.tx.spares().take(len).unwrap_or_else(|| MessageBuffer::with_capacity(len))
    }

    /// Bytes that wait to be sent.
    pub fn queued(&self) -> usize {
        self.tx.queued()
    }

    /// What happened.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When [`Client::handle_timeout`] is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.closed.is_some() {
            return None;
        }
        if self.agreement.is_none() {
            return Some(self.opened.after(self.config.handshake_timeout));
        }
        (!self.pending.is_empty()).then(|| self.heard.after(self.patience()))
    }

    /// Time passed. While an answer is owed and nothing is heard, an ECHO asks whether the server
    /// is there: a deadline alone cannot tell slow from dead.
    pub fn handle_timeout(&mut self, now: Now) {
        if self.poll_timeout().is_none_or(|due| due > now.mono) {
            return;
        }
        if self.agreement.is_none() || self.probing || self.sessions.is_empty() {
            self.close_because(CloseReason::Timeout);
            return;
        }
        self.probing = true;
        self.heard = now.mono;
        let op = self.new_op();
        let session = self.sessions.keys().next().copied().unwrap_or_default();
        let member = Member::new::<op::Echo>(&Default::default());
        let mut queued = self.queued_member(TreeRef { session, tree: TreeId(0) }, member, op);
        queued.kind = Kind::Probe;
        self.submit(queued.into(), now);
    }

    fn patience(&self) -> core::time::Duration {
        if self.log_ons.is_empty() { self.config.silence_timeout } else { self.config.handshake_timeout }
    }

    /// Connects to a share, named `\\server\share`. Ends with [`Outcome::Connected`].
    pub fn tree_connect(&mut self, session: SessionId, path: &str, now: Now) -> OpId {
        let path = Utf16Buf::new(path);
        let request = TreeConnectRequest { path: path.as_utf16(), ..Default::default() };
        self.request::<op::TreeConnect>(TreeRef { session, tree: TreeId(0) }, &request, now)
    }

    /// Lets go of a tree.
    pub fn tree_disconnect(&mut self, tree: TreeRef, now: Now) -> OpId {
        self.request::<op::TreeDisconnect>(tree, &Default::default(), now)
    }

    /// Ends a session.
    pub fn log_off(&mut self, session: SessionId, now: Now) -> OpId {
        self.request::<op::Logoff>(TreeRef { session, tree: TreeId(0) }, &Default::default(), now)
    }

    /// Asks whether the server is there.
    pub fn echo(&mut self, session: SessionId, now: Now) -> OpId {
        self.request::<op::Echo>(TreeRef { session, tree: TreeId(0) }, &Default::default(), now)
    }

    /// Sends one request.
    pub fn request<O: Op>(&mut self, to: TreeRef, request: &O::Request<'_>, now: Now) -> OpId {
        let op = self.new_op();
        let member = self.queued_member(to, Member::new::<O>(request), op);
        self.submit(member.into(), now);
        op
    }

    /// Writes `data`, which is sent from where it lies.
    pub fn write(&mut self, to: TreeRef, file_id: FileId, offset: u64, data: Payload, now: Now) -> OpId {
        let op = self.new_op();
        let request = WriteRequest::new(file_id, offset, Bulk(data.len()));
        let member = self.queued_member(to, Member::write(&request, data), op);
        self.submit(member.into(), now);
        op
    }

    /// Sends several requests in one frame, each after the first working on what the one before
    /// opened, [MS-SMB2] 3.2.4.1.4. One operation each, in order.
    pub fn compound(&mut self, to: TreeRef, members: Vec<Member>, now: Now) -> Vec<OpId> {
        let ops: Vec<OpId> = members.iter().map(|_| self.new_op()).collect();
        let mut queued =
            members.into_iter().zip(&ops).map(|(member, op)| self.queued_member(to, member, *op));
        if let Some(first) = queued.next() {
            let mut rest: Vec<Queued> = queued.collect();
            rest.iter_mut().for_each(|member| member.header.flags |= Flags::RELATED_OPERATIONS);
            self.submit(Frame { first, rest }, now);
        }
        ops
    }

    /// Asks the server to give up on an operation, which still ends with its own [`Event::Done`].
    /// One that was not sent yet ends at once.
    pub fn cancel(&mut self, op: OpId) {
        if let Some(at) = self.queue.iter().position(|m| m.iter().any(|q| q.op == op)) {
            for member in self.queue.remove(at).into_iter().flat_map(Frame::into_members) {
                let status = crate::wire::NtStatus::CANCELLED;
                self.refuse(&member, OpError::Status { status, data: Default::default() });
            }
            return;
        }
        let Some((message_id, pending)) = self.pending.iter_mut().find(|(_, p)| p.op == op) else { return };
        let mut header = Header {
            command: Command::CANCEL,
            message_id,
            tree_id: pending.tree,
            session_id: pending.session,
            ..Header::default()
        };
        if let Some(async_id) = pending.async_id {
            header.set_async_id(async_id);
        }
        let encrypted = pending.encrypted;
        self.send_cancel(header, encrypted);
    }

    fn queued_member(&self, to: TreeRef, member: Member, op: OpId) -> Queued {
        let mut header =
            Header { command: member.command, tree_id: to.tree, session_id: to.session, ..Header::default() };
        header.flags.set(Flags::REPLAY_OPERATION, member.replay);
        let multi_credit = self.agreement.as_ref().is_some_and(|a| self.multi_credit(a));
        let charge = if multi_credit { member.charge } else { 1 };
        let Member { head, payload, asked, .. } = member;
        Queued { op, header, charge, head, payload, kind: Kind::Plain, asked, aside: false }
    }

    fn send_validation(&mut self, op: OpId, session: SessionId, tree: TreeId) {
        let input = self.validation_input();
        let request = IoctlRequest {
            ctl_code: CtlCode::VALIDATE_NEGOTIATE_INFO,
            file_id: FileId::ANY,
            max_output_response: 24,
            flags: IoctlFlags::IS_FSCTL,
            input: &input,
            ..Default::default()
        };
        let mut member =
            self.queued_member(TreeRef { session, tree }, Member::new::<op::Ioctl>(&request), op);
        member.kind = Kind::Validate;
        let now = self.now;
        self.submit(member.into(), now);
    }

    fn new_op(&mut self) -> OpId {
        let op = OpId(self.next_op);
        self.next_op += 1;
        op
    }

    fn fail(&mut self, op: OpId, error: OpError) {
        self.events.push_back(Event::Done { op, result: Err(error) });
    }

    fn close_because(&mut self, reason: CloseReason) {
        if self.closed.is_some() {
            return;
        }
        self.closed = Some(reason);
        self.passing = None;
        let mut pending = core::mem::take(&mut self.pending);
        let queue = core::mem::take(&mut self.queue);
        let waiting = core::mem::take(&mut self.unvalidated);
        let log_ons = core::mem::take(&mut self.log_ons);
        let mut ops: Vec<OpId> = log_ons.into_iter().map(|l| l.op).collect();
        ops.extend(pending.drain().filter(|p| p.kind == Kind::Plain).map(|p| p.op));
        let unsent = queue.into_iter().flat_map(Frame::into_members);
        ops.extend(unsent.filter(|q| q.kind == Kind::Plain).map(|q| q.op));
        ops.extend(waiting.into_iter().map(|(op, _)| op));
        for op in ops {
            self.fail(op, OpError::Gone(reason));
        }
        self.events.push_back(Event::Closed(reason));
    }
}
