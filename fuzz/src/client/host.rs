//! A server made by hand: honest where it is told to be, and otherwise not.

use std::collections::BTreeSet;

use arbitrary::Arbitrary;
use bytes::Bytes;
use sansmb::{
    client::{Aside, Client},
    conn::split_compound,
    crypto::{CryptoProvider, seal_message},
    time::Now,
    wire::{
        Body, Capabilities, ChangeNotifyResponse, Cipher, CloseResponse, Command, CreateResponse, CtlCode,
        Dialect, EmptyBody, ErrorResponse, FileId, Flags, Guid, HashAlgorithm, Header, IoctlRequest,
        IoctlResponse, LeaseBreakNotification, NegotiateContext, NegotiateContexts, NegotiateResponse,
        NtStatus, OplockBreak, QueryDirectoryResponse, QueryInfoResponse, ReadRequest, ReadResponse,
        SecurityMode, ServerToClientNotification, SessionFlags, SessionId, SessionSetupResponse,
        SetInfoResponse, ShareFlags, Structure, TreeConnectResponse, TreeId, U16List, WriteResponse, Writer,
        fsctl::ValidateNegotiateResponse,
    },
};
use sansmb_crypto::NullCrypto;

/// How a request is answered.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub struct Reply {
    pub status: Status,
    pub body: Content,
    pub credits: Grant,
    /// Bits: 0 not signed, 1 not sealed as the request was, 2 another session, 3 another tree,
    /// 4 another MessageId, 5 not marked as a response, 6 twice.
    pub wrong: u8,
    pub n: u16,
}

impl Reply {
    /// As it should be.
    pub const HONEST: Self =
        Self { status: Status::Success, body: Content::Proper, credits: Grant::Some(40), wrong: 0, n: 64 };
}

#[derive(Arbitrary, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Success,
    Pending,
    MoreProcessing,
    Overflow,
    Denied,
    Deleted,
    Any(u32),
}

#[derive(Arbitrary, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    Proper,
    Error,
    OfCommand(u8),
    Random,
}

#[derive(Arbitrary, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grant {
    Some(u8),
    None,
    All,
}

/// What nobody asked for.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub enum Unsolicited {
    Oplock,
    Lease,
    SessionClosed,
    Any(u8),
}

/// A request of the client.
#[derive(Debug)]
struct Asked {
    header: Header,
    message: Bytes,
    sealed: Option<SessionId>,
    answered: bool,
}

/// The other end of a client's connection.
#[derive(Debug)]
pub(crate) struct Host {
    dialect: Dialect,
    asked: Vec<Asked>,
    ids: BTreeSet<u64>,
    input: Vec<u8>,
    granted: u64,
    sessions: u64,
    trees: u32,
    encrypt: bool,
}

impl Host {
    pub(crate) fn new(dialect: Dialect, encrypt: bool) -> Self {
        Self {
            dialect,
            asked: Vec::new(),
            ids: BTreeSet::new(),
            input: Vec::new(),
            granted: 1,
            sessions: 0x40,
            trees: 0,
            encrypt,
        }
    }

    /// Takes up to `max` bytes of what the client has to say, and checks it.
    pub(crate) fn take(&mut self, client: &mut Client, max: usize) {
        let mut left = max;
        loop {
            let mut out = [&[][..]; 4];
            let n = client.poll_transmit(&mut out);
            let bytes = out[..n].concat();
            let taken = bytes.len().min(left);
            if taken == 0 {
                break;
            }
            self.input.extend_from_slice(&bytes[..taken]);
            client.sent(taken);
            left -= taken;
        }
        while let Some((&[kind, a, b, c], rest)) = self.input.split_first_chunk() {
            assert_eq!(kind, 0, "a frame of the client");
            let len = u32::from_be_bytes([0, a, b, c]) as usize;
            if rest.len() < len {
                return;
            }
            let frame = Bytes::copy_from_slice(&rest[..len]);
            self.input.drain(..4 + len);
            self.frame(&frame);
        }
    }

    fn frame(&mut self, frame: &Bytes) {
        if frame.starts_with(b"\xFFSMB") {
            let header = Header { command: Command::NEGOTIATE, ..Header::default() };
            self.asked.push(Asked { header, message: frame.clone(), sealed: None, answered: false });
            assert!(self.ids.insert(0));
            return;
        }
        let sealed = frame.starts_with(b"\xFDSMB");
        let clear = if sealed { frame.slice(52..) } else { frame.clone() };
        let compound = split_compound(clear).expect("a compound of the client");
        let session = compound.first.0.session_id;
        for (header, message) in compound {
            assert!(!header.is_response());
            if header.command == Command::CANCEL {
                continue;
            }
            let charge = u64::from(header.credit_charge.max(1));
            if header.command == Command::NEGOTIATE {
                // The second one, after SMB1's, may be sent whatever was granted.
                self.granted = self.granted.max(header.message_id + 1);
            }
            for id in header.message_id..header.message_id + charge {
                assert!(self.ids.insert(id), "MessageId {id} is used twice");
                assert!(id < self.granted, "MessageId {id} was not granted, only {}", self.granted);
            }
            self.asked.push(Asked { header, message, sealed: sealed.then_some(session), answered: false });
        }
    }

    /// Answers the `nth` of the requests that are not answered yet.
    pub(crate) fn reply(&mut self, client: &mut Client, nth: usize, how: Reply, chunk: usize, now: Now) {
        let open: Vec<usize> = (0..self.asked.len()).filter(|at| !self.asked[*at].answered).collect();
        let Some(&at) = open.get(nth % open.len().max(1)) else { return };
        self.send_reply(client, at, how, chunk, now);
        self.asked[at].answered = !matches!(how.status, Status::Pending) && how.wrong & 0x3F == 0;
    }

    /// Answers everything that was ever asked as it should be: what was answered before does no harm.
    pub(crate) fn settle(&mut self, client: &mut Client, now: Now) {
        let mut at = 0;
        while at < self.asked.len() {
            self.send_reply(client, at, Reply::HONEST, usize::MAX, now);
            self.asked[at].answered = true;
            self.take(client, usize::MAX);
            at += 1;
        }
    }

    /// The MessageId and command of the `nth` request without an answer.
    pub(crate) fn nth(&self, nth: usize) -> Option<(u64, Command)> {
        let mut open = self.asked.iter().filter(|asked| !asked.answered);
        let asked = open.nth(nth)?;
        Some((asked.header.message_id, asked.header.command))
    }

    fn send_reply(&mut self, client: &mut Client, at: usize, how: Reply, chunk: usize, now: Now) {
        let message = self.message(at, how);
        let asked = &self.asked[at];
        let sealed = asked.sealed.filter(|_| how.wrong & 2 == 0);
        for _ in 0..1 + (how.wrong >> 6 & 1) {
            feed(client, &message, sealed, chunk, now);
        }
    }

    fn message(&mut self, at: usize, how: Reply) -> Vec<u8> {
        let request = self.asked[at].header;
        let wrong = |bit: u8| how.wrong & (1 << bit) != 0;
        let mut header = Header { next_command: 0, signature: [0; 16], ..request };
        header.flags = Flags::SERVER_TO_REDIR;
        let signed = !wrong(0) && !is_bare(&request) && self.asked[at].sealed.is_none();
        header.flags.set(Flags::SIGNED, signed);
        header.status = match how.status {
            Status::Success => NtStatus::SUCCESS,
            Status::Pending => NtStatus::PENDING,
            Status::MoreProcessing => NtStatus::MORE_PROCESSING_REQUIRED,
            Status::Overflow => NtStatus::BUFFER_OVERFLOW,
            Status::Denied => NtStatus::ACCESS_DENIED,
            Status::Deleted => NtStatus::USER_SESSION_DELETED,
            Status::Any(status) => NtStatus(status),
        };
        header.credits = match how.credits {
            Grant::Some(n) => n.into(),
            Grant::None => 0,
            Grant::All => u16::MAX,
        };
        self.granted += u64::from(header.credits) * u64::from(1 + (how.wrong >> 6 & 1));
        if request.command == Command::SESSION_SETUP && request.session_id == SessionId(0) {
            self.sessions += 1;
            header.session_id = SessionId(self.sessions);
        }
        if request.command == Command::TREE_CONNECT {
            self.trees += 1;
            header.tree_id = TreeId(self.trees);
        }
        if how.status == Status::Pending {
            header.set_async_id(u64::from(how.n));
        }
        if wrong(2) {
            header.session_id = SessionId(u64::from(how.n));
        }
        if wrong(3) {
            header.tree_id = TreeId(how.n.into());
        }
        if wrong(4) {
            header.message_id = u64::from(how.n);
        }
        if wrong(5) {
            header.flags -= Flags::SERVER_TO_REDIR;
        }
        let failed = header.status.0 >> 30 == 3 && header.status != NtStatus::MORE_PROCESSING_REQUIRED;
        let body = match how.body {
            Content::Proper if failed || how.status == Status::Pending => Content::Error,
            body => body,
        };
        let mut out = Vec::new();
        let mut w = Writer::new(&mut out);
        header.encode(&mut w);
        match body {
            Content::Proper => self.body(request.command, at, how.n, &mut w),
            Content::OfCommand(command) => self.body(Command((command % 20).into()), at, how.n, &mut w),
            Content::Error => error(how.n, &mut w),
            Content::Random => w.bytes(&vec![how.n as u8; usize::from(how.n % 300)]),
        }
        out
    }

    fn body(&self, command: Command, at: usize, n: u16, w: &mut Writer<'_>) {
        let bytes = vec![0xDA; usize::from(n % 1000)];
        match command {
            Command::NEGOTIATE => self.negotiate(at, w),
            Command::SESSION_SETUP => {
                let mut session_flags = SessionFlags::empty();
                session_flags.set(SessionFlags::ENCRYPT_DATA, self.encrypt && n & 1 != 0);
                session_flags.set(SessionFlags::IS_GUEST, n & 6 == 6);
                SessionSetupResponse { session_flags, security_buffer: &bytes }.encode(w);
            }
            Command::TREE_CONNECT => {
                let mut response = TreeConnectResponse::default();
                response.share_flags.set(ShareFlags::ENCRYPT_DATA, self.encrypt && n & 2 != 0);
                response.encode(w);
            }
            Command::CREATE => {
                let file_id = FileId { persistent: 1, volatile: n.into() };
                CreateResponse { file_id, ..Default::default() }.encode(w);
            }
            Command::CLOSE => CloseResponse::default().encode(w),
            Command::READ => {
                // What may pass is long, and nothing else: the rest is kept until somebody asks for it.
                let asked = &self.asked[at];
                let passes = ReadRequest::decode(&asked.message)
                    .ok()
                    .filter(|read| read.minimum_count == MAY_PASS && is_bare(&asked.header))
                    .filter(|_| asked.sealed.is_none() && !asked.answered && n % 4 != 3);
                let long = passes.map_or(0, |read| (read.length as usize).min(LONGEST));
                let data = vec![0xDA; long.max(bytes.len())];
                ReadResponse { data: &data[..], data_remaining: 0, flags: 0 }.encode(w);
            }
            Command::WRITE => WriteResponse { count: n.into() }.encode(w),
            Command::IOCTL => self.ioctl(at, &bytes, w),
            Command::QUERY_DIRECTORY => QueryDirectoryResponse { buffer: &bytes }.encode(w),
            Command::CHANGE_NOTIFY => ChangeNotifyResponse { buffer: &bytes }.encode(w),
            Command::QUERY_INFO => QueryInfoResponse { buffer: &bytes }.encode(w),
            Command::SET_INFO => SetInfoResponse.encode(w),
            Command::OPLOCK_BREAK => OplockBreak::default().encode(w),
            _ => EmptyBody::default().encode(w),
        }
    }

    fn negotiate(&self, at: usize, w: &mut Writer<'_>) {
        let hashes = [HashAlgorithm::SHA_512];
        let ciphers = [Cipher::AES_128_GCM];
        let contexts = [
            NegotiateContext::Preauth { hash_algorithms: U16List::List(&hashes), salt: &[1; 32] },
            NegotiateContext::Encryption { ciphers: U16List::List(&ciphers) },
        ];
        // SMB1 leads to 2.0.2, or to another NEGOTIATE.
        let dialect = match self.asked[at].message.first() {
            Some(0xFF) if self.dialect != Dialect::SMB2_0_2 => Dialect::SMB2_WILDCARD,
            _ => self.dialect,
        };
        let mut response = NegotiateResponse {
            security_mode: MODE,
            dialect,
            server_guid: GUID,
            capabilities: self.capabilities(),
            max_transact_size: 1 << 20,
            max_read_size: 1 << 20,
            max_write_size: 1 << 20,
            ..Default::default()
        };
        if dialect == Dialect::SMB3_1_1 {
            response.contexts = NegotiateContexts::List(&contexts);
        }
        response.encode(w);
    }

    fn ioctl(&self, at: usize, bytes: &[u8], w: &mut Writer<'_>) {
        let request = IoctlRequest::decode(&self.asked[at].message);
        let validates =
            request.as_ref().is_ok_and(|request| request.ctl_code == CtlCode::VALIDATE_NEGOTIATE_INFO);
        let info = ValidateNegotiateResponse {
            capabilities: self.capabilities(),
            guid: GUID,
            security_mode: MODE,
            dialect: self.dialect,
        };
        let info = info.to_vec();
        let output = if validates { &info } else { bytes };
        IoctlResponse { output, ..Default::default() }.encode(w);
    }

    fn capabilities(&self) -> Capabilities {
        match self.dialect {
            Dialect::SMB2_0_2 => Capabilities::empty(),
            _ if self.encrypt => Capabilities::LARGE_MTU | Capabilities::ENCRYPTION,
            _ => Capabilities::LARGE_MTU,
        }
    }

    /// Says something on its own account.
    pub(crate) fn volunteer(&self, client: &mut Client, what: Unsolicited, session: u64, now: Now) {
        let command = match what {
            Unsolicited::Oplock | Unsolicited::Lease => Command::OPLOCK_BREAK,
            Unsolicited::SessionClosed => Command::SERVER_TO_CLIENT_NOTIFICATION,
            Unsolicited::Any(command) => Command(command.into()),
        };
        let header = Header {
            command,
            flags: Flags::SERVER_TO_REDIR,
            message_id: u64::MAX,
            session_id: SessionId(session),
            ..Header::default()
        };
        let mut out = Vec::new();
        let mut w = Writer::new(&mut out);
        header.encode(&mut w);
        match what {
            Unsolicited::Oplock => OplockBreak::default().encode(&mut w),
            Unsolicited::Lease => LeaseBreakNotification::default().encode(&mut w),
            Unsolicited::SessionClosed => ServerToClientNotification::SESSION_CLOSED.encode(&mut w),
            Unsolicited::Any(_) => EmptyBody::default().encode(&mut w),
        }
        feed(client, &out, None, usize::MAX, now);
    }
}

const GUID: Guid = Guid([8; 16]);
/// The MinimumCount of a READ whose payload may pass.
pub(super) const MAY_PASS: u32 = 1;
/// Most that such a READ gets.
const LONGEST: usize = 128 << 10;
const MODE: SecurityMode = SecurityMode::SIGNING_ENABLED;

/// A READ that nobody signed, and whose answer nobody signs.
fn is_bare(header: &Header) -> bool {
    header.command == Command::READ && !header.flags.contains(Flags::SIGNED)
}

fn error(n: u16, w: &mut Writer<'_>) {
    let data = vec![0xEE; usize::from(n % 100)];
    ErrorResponse { error_context_count: 0, data: &data }.encode(w);
}

/// Hands a message to the client in pieces of `chunk` bytes, sealed where that is wanted. A payload that may pass does so, or
/// is thrown away.
fn feed(client: &mut Client, message: &[u8], sealed: Option<SessionId>, chunk: usize, now: Now) {
    let mut frame = vec![0; if sealed.is_some() { 52 } else { 0 }];
    frame.extend_from_slice(message);
    if let Some(session) = sealed
        && let Some(sealer) = NullCrypto.sealer(Cipher::AES_128_GCM, &[0; 16])
    {
        let _ = seal_message(&*sealer, Cipher::AES_128_GCM, session, 1, &mut frame);
    }
    let mut bytes = (frame.len() as u32).to_be_bytes().to_vec();
    bytes.append(&mut frame);
    let mut left = &bytes[..];
    let mut throws = chunk % 4 == 2;
    while !left.is_empty() && client.wants_read() {
        let most = chunk.max(1).min(left.len());
        if let Some(Aside { op, left: passing, .. }) = client.poll_aside() {
            if std::mem::take(&mut throws) {
                client.throw_aside();
                continue;
            }
            let n = most.min(passing);
            left = &left[n..];
            client.moved(n, now);
            let next = client.poll_aside().filter(|next| next.op == op);
            assert_eq!(next.map_or(0, |next| next.left), passing - n);
        } else {
            let target = client.recv_target();
            let n = target.len().min(most);
            let (part, rest) = left.split_at(n);
            target[..n].copy_from_slice(part);
            left = rest;
            client.received(n, now);
        }
    }
}
