//! An application that answers whatever it is told to answer, and checks that it is asked properly.

use std::collections::{BTreeMap, BTreeSet};

use arbitrary::Arbitrary;
use bytes::Bytes;
use sansmb::{
    auth::{Identity, IdentityKind, SessionKey},
    conn::MessageBuffer,
    op::Op,
    server::{
        AuthReply, ConnId, Event, Failure, Gone, PendError, Reply, Request, RequestId, Server, ShareId,
        TreeConnectReply, op,
    },
    wire::{
        AccessMask, ChangeNotifyResponse, CloseResponse, CreateResponse, EmptyBody, FileId, IoctlResponse,
        LeaseBreakResponse, NtStatus, OplockBreak, QueryDirectoryResponse, QueryInfoResponse, SessionId,
        SetInfoResponse, ShareCapabilities, ShareFlags, ShareType, WriteResponse,
    },
};

/// How a request is answered.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub struct Answer {
    pub kind: u8,
    pub n: u16,
}

impl Answer {
    /// The friendliest.
    pub const YES: Self = Self { kind: 0, n: 64 };

    fn failure(self) -> Option<Failure> {
        const STATUS: [NtStatus; 6] = [
            NtStatus::ACCESS_DENIED,
            NtStatus::BUFFER_OVERFLOW,
            NtStatus::CANCELLED,
            NtStatus::NO_MORE_FILES,
            NtStatus::USER_SESSION_DELETED,
            NtStatus::MORE_PROCESSING_REQUIRED,
        ];
        let status = STATUS[usize::from(self.n) % STATUS.len()];
        match self.kind % 8 {
            6 => Some(status.into()),
            7 => Some(Failure { status, data: vec![0xEE; usize::from(self.n % 300)] }),
            _ => None,
        }
    }

    fn bytes(self) -> Vec<u8> {
        vec![0xDA; usize::from(self.n % 4096)]
    }
}

/// What the application holds.
#[derive(Debug, Default)]
pub(crate) struct App {
    /// Requests that wait for their answer.
    pub(crate) owed: Vec<Event>,
    seen: BTreeSet<RequestId>,
    pending: BTreeSet<RequestId>,
    closed: BTreeSet<ConnId>,
    /// Sessions that were heard of, and whether they are over.
    sessions: BTreeMap<SessionId, bool>,
    files: u64,
}

/// Does the same for the request of any event that has one.
macro_rules! with_request {
    ($event:expr, $request:ident => $then:expr, else $other:expr) => {
        match $event {
            Event::SessionSetup($request) => $then,
            Event::TreeConnect($request) => $then,
            Event::TreeDisconnect($request) => $then,
            Event::Logoff($request) => $then,
            Event::Create($request) => $then,
            Event::Close($request) => $then,
            Event::Flush($request) => $then,
            Event::Read($request) => $then,
            Event::Write($request) => $then,
            Event::Lock($request) => $then,
            Event::Ioctl($request) => $then,
            Event::QueryDirectory($request) => $then,
            Event::ChangeNotify($request) => $then,
            Event::QueryInfo($request) => $then,
            Event::SetInfo($request) => $then,
            Event::OplockBreak($request) => $then,
            Event::LeaseBreak($request) => $then,
            _ => $other,
        }
    };
}

impl App {
    /// Takes all events there are.
    pub(crate) fn poll(&mut self, server: &mut Server) {
        while let Some(event) = server.poll_event() {
            self.take(event);
        }
    }

    fn take(&mut self, event: Event) {
        match &event {
            Event::Cancel { request } => {
                let id = *request;
                assert!(self.is_owed(id), "CANCEL of {id:?}, which is not asked or answered already");
                return;
            }
            Event::SessionEnded { session } => {
                let over = self.sessions.insert(*session, true);
                assert_eq!(over, Some(false), "{session:?} ends, but is not there");
                return;
            }
            Event::Closed { conn } => {
                assert!(self.closed.insert(*conn), "{conn:?} closes twice");
                return;
            }
            Event::SessionSetup(request) => {
                let over = *self.sessions.entry(request.origin.session).or_insert(false);
                assert!(!over, "{:?} is over", request.origin.session);
            }
            _ => {}
        }
        with_request!(&event, request => self.check(request), else panic!("unexpected {event:?}"));
        self.owed.push(event);
    }

    fn check<O: Op>(&mut self, request: &Request<O>) {
        let id = request.token.id();
        assert!(self.seen.insert(id), "{id:?} comes twice");
        assert!(!self.closed.contains(&id.conn), "{id:?} comes after the end of its connection");
        assert!(request.message.body().is_ok());
        assert_eq!(request.origin.conn, id.conn);
        let over = self.sessions.get(&request.origin.session);
        assert_eq!(over, Some(&false), "{:?} of a request", request.origin.session);
    }

    fn is_owed(&self, id: RequestId) -> bool {
        self.owed.iter().any(|event| request_id(event) == Some(id))
    }

    /// The application itself ended a session.
    pub(crate) fn ended(&mut self, session: SessionId) {
        self.sessions.insert(session, true);
    }

    /// Every session that was heard of is over.
    pub(crate) fn check_end(&self) {
        assert!(self.owed.is_empty());
        assert!(
            self.sessions.values().all(|over| *over),
            "sessions whose end is not told: {:?}",
            self.sessions
        );
    }

    /// The `nth` session that was heard of.
    pub(crate) fn session(&self, nth: usize) -> Option<SessionId> {
        self.sessions.keys().nth(nth % self.sessions.len().max(1)).copied()
    }

    /// Says that the `nth` answer takes a while. Each connection may have so many such requests.
    pub(crate) fn pend(&mut self, server: &mut Server, nth: usize, max_async: usize) {
        let Some(event) = self.owed.get(nth % self.owed.len().max(1)) else { return };
        let (id, result) =
            with_request!(event, request => (request.token.id(), server.pend(&request.token)), else return);
        let alive = server.channel(id.conn).is_some_and(|channel| channel.close_reason().is_none());
        match result {
            Ok(()) => {
                assert!(alive);
                self.pending.insert(id);
            }
            Err(PendError::Gone(Gone)) => assert!(!alive),
            Err(PendError::TooMany) => {}
        }
        let pending = self.pending.iter().filter(|p| p.conn == id.conn).count();
        assert!(pending <= max_async, "{pending} requests are pending");
    }

    /// Answers the `nth` request that waits for it.
    pub(crate) fn answer(&mut self, server: &mut Server, nth: usize, how: Answer) {
        if self.owed.is_empty() {
            return;
        }
        let event = self.owed.remove(nth % self.owed.len());
        let Some(id) = request_id(&event) else { return };
        self.pending.remove(&id);
        let alive = server.channel(id.conn).is_some_and(|channel| channel.close_reason().is_none());
        if let Event::Logoff(request) = &event
            && alive
        {
            self.sessions.insert(request.origin.session, true);
        }
        let result = self.respond(server, event, how);
        assert_eq!(result.is_ok(), alive, "an answer is taken as long as the connection is there");
    }

    fn respond(&mut self, server: &mut Server, event: Event, how: Answer) -> Result<(), Gone> {
        macro_rules! reply {
            ($request:expr, $reply:expr) => {
                match how.failure() {
                    Some(failure) => server.respond($request.token, Err(failure)),
                    None => server.respond($request.token, Ok($reply)),
                }
            };
        }
        match event {
            Event::SessionSetup(request) => self.authenticate(server, request, how),
            Event::TreeConnect(request) => {
                let reply = TreeConnectReply {
                    share: ShareId(1),
                    share_type: ShareType::DISK,
                    share_flags: ShareFlags::empty(),
                    capabilities: ShareCapabilities::empty(),
                    maximal_access: AccessMask::from_bits_retain(0x001F_01FF),
                    encrypt: how.kind % 8 == 3,
                    compress: false,
                };
                server.respond_tree(request.token, how.failure().map_or(Ok(reply), Err))
            }
            Event::TreeDisconnect(request) => server.respond_tree_disconnect(request.token),
            Event::Logoff(request) => server.respond_logoff(request.token),
            Event::Create(request) => {
                self.files += 1;
                let file_id = FileId { persistent: self.files, volatile: self.files };
                reply!(request, Reply::new(&CreateResponse { file_id, ..Default::default() }))
            }
            Event::Close(request) => reply!(request, Reply::new(&CloseResponse::default())),
            Event::Flush(request) => reply!(request, Reply::new(&EmptyBody::default())),
            Event::Read(request) => reply!(request, read_reply(how)),
            Event::Write(mut request) => {
                let count = match request.message.take_kept() {
                    Some(kept) => {
                        let len = kept.len();
                        let data: Vec<u8> = kept.into_place().expect("a peer kept them");
                        assert!(data.len() == len && data.iter().all(|byte| *byte == data[0]));
                        len as u32
                    }
                    None => request.message.data().map_or(0, |data| data.len() as u32),
                };
                reply!(request, Reply::new(&WriteResponse { count }))
            }
            Event::Lock(request) => reply!(request, Reply::new(&EmptyBody::default())),
            Event::Ioctl(request) => {
                let output = how.bytes();
                reply!(request, Reply::new(&IoctlResponse { output: &output, ..Default::default() }))
            }
            Event::QueryDirectory(request) => {
                let buffer = how.bytes();
                reply!(request, Reply::new(&QueryDirectoryResponse { buffer: &buffer }))
            }
            Event::ChangeNotify(request) => {
                let buffer = how.bytes();
                let reply = Reply::new(&ChangeNotifyResponse { buffer: &buffer });
                reply!(request, reply.with_status(NtStatus::NOTIFY_ENUM_DIR))
            }
            Event::QueryInfo(request) => {
                let buffer = how.bytes();
                let reply = Reply::new(&QueryInfoResponse { buffer: &buffer });
                reply!(request, reply.with_status(NtStatus::BUFFER_OVERFLOW))
            }
            Event::SetInfo(request) => reply!(request, Reply::new(&SetInfoResponse)),
            Event::OplockBreak(request) => reply!(request, Reply::new(&OplockBreak::default())),
            Event::LeaseBreak(request) => reply!(request, Reply::new(&LeaseBreakResponse::default())),
            other => panic!("unexpected {other:?}"),
        }
    }

    fn authenticate(
        &mut self,
        server: &mut Server,
        request: Request<op::SessionSetup>,
        how: Answer,
    ) -> Result<(), Gone> {
        let token = how.bytes();
        let user = |kind| Identity { user: "tester".into(), domain: String::new(), kind, expires: None };
        let (kind, key) = match how.kind % 8 {
            3 => (IdentityKind::Guest, Vec::new()),
            4 => (IdentityKind::Anonymous, Vec::new()),
            _ => (IdentityKind::User, vec![1; 16]),
        };
        let result = match (how.kind % 8, how.failure()) {
            (_, Some(failure)) => Err(failure),
            (5, _) => Ok(AuthReply::Continue { token }),
            _ => Ok(AuthReply::Done { token, identity: user(kind), session_key: SessionKey::new(key) }),
        };
        let session = request.origin.session;
        let failed = result.is_err();
        let known = server.sessions().identity(session).is_some();
        let result = server.respond_auth(request.token, &request.message, result);
        // That a half-open session ends with the failure is not told: we said so ourselves.
        if failed && !known {
            self.sessions.insert(session, true);
        }
        result
    }
}

fn read_reply(how: Answer) -> Reply<op::Read> {
    let data = how.bytes();
    match how.kind % 3 {
        0 => Reply::shared(Bytes::from(data)),
        1 => Reply::shared(Bytes::from_static(&[7; 300])),
        _ => {
            let mut buffer = MessageBuffer::with_capacity(data.len());
            buffer.extend_from_slice(&data);
            Reply::buffer(buffer)
        }
    }
}

/// The request of an event, if it has one.
pub(crate) fn request_id(event: &Event) -> Option<RequestId> {
    with_request!(event, request => Some(request.token.id()), else None)
}
