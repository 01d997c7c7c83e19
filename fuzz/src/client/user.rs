//! An application that uses a client, and checks that every operation ends once.

use std::{collections::BTreeMap, sync::Arc};

use arbitrary::Arbitrary;
use bytes::Bytes;
use sansmb::{
    auth::{AuthError, Identity, Mechanism, Need, SessionKey, Step},
    client::{Client, ClientConfig, EncryptionPolicy, Event, Member, OpId, Outcome, Payload, TreeRef},
    conn::MessageBuffer,
    op::{self, Op},
    time::Now,
    wire::{
        ChangeNotifyRequest, CloseRequest, CreateRequest, Dialect, FileId, FlushRequest, Guid, IoctlRequest,
        LockRequest, QueryDirectoryRequest, QueryInfoRequest, ReadRequest, SessionId, SetInfoRequest,
    },
};
use sansmb_crypto::NullCrypto;

use super::host::MAY_PASS;
use crate::wire::print;

/// Something to ask the server for.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub enum Request {
    Create,
    Close,
    Flush,
    Read(u32),
    Write(u16, bool),
    Lock,
    Ioctl(u16),
    QueryDirectory(u32),
    ChangeNotify,
    QueryInfo,
    SetInfo,
    /// A READ whose payload may pass.
    ReadAside(u32),
}

/// A log-on that goes as the byte says.
#[derive(Debug)]
struct Scripted {
    way: u8,
    step: u8,
}

impl Mechanism for Scripted {
    fn step(&mut self, token: &[u8]) -> Result<Step, AuthError> {
        self.step += 1;
        let key = if self.way & 8 != 0 { Vec::new() } else { vec![1; 16] };
        let done = Step::Done {
            token: vec![3; usize::from(self.way & 1) * 10],
            identity: Identity::default(),
            session_key: SessionKey::new(key),
        };
        match (self.way % 8, self.step) {
            (7, _) => Err(AuthError::Unexpected("anything")),
            (5 | 6, 1) => {
                let message = token[..token.len().min(9)].to_vec();
                Ok(Step::Need(Need { from: "tcp://kdc:88".into(), message }))
            }
            (0 | 1, 1) | (2 | 3, 1 | 2) | (4, 1..10) | (5 | 6, 2) => Ok(Step::Send(vec![2; 20])),
            _ => Ok(done),
        }
    }
}

/// What the application knows.
#[derive(Debug, Default)]
pub(crate) struct User {
    /// Operations that were begun, and whether they are over.
    ops: BTreeMap<OpId, bool>,
    sessions: Vec<SessionId>,
    trees: Vec<TreeRef>,
    needs: Vec<OpId>,
    closed: bool,
}

/// What a client is set to.
#[derive(Arbitrary, Clone, Copy, Debug, Default)]
pub struct Settings {
    pub require_signing: bool,
    /// 0 off, 1 and 2 enabled, 3 required.
    pub encryption: u8,
    pub multi_protocol: bool,
    /// The dialect that the server picks, and whether no later one is offered.
    pub dialect: u8,
    pub no_later: bool,
    pub allow_guest: bool,
    /// The queue of requests without credits is short.
    pub short_queue: bool,
    /// The server asks for encryption where it can.
    pub host_encrypts: bool,
}

impl Settings {
    pub(crate) fn dialect(self) -> Dialect {
        Dialect::ALL[usize::from(self.dialect) % Dialect::ALL.len()]
    }

    pub(crate) fn config(self) -> ClientConfig {
        let mut config = ClientConfig::new(Guid([1; 16]), [2; 32], Arc::new(NullCrypto));
        config.require_signing = self.require_signing;
        config.encryption = match self.encryption % 4 {
            0 => EncryptionPolicy::Off,
            3 => EncryptionPolicy::Required,
            _ => EncryptionPolicy::Enabled,
        };
        if self.multi_protocol {
            config.multi_protocol = Some(vec!["SMB 2.002".into(), "SMB 2.???".into()]);
        }
        if self.no_later {
            config.max_dialect = self.dialect();
        }
        config.max_io = 256 << 10;
        config.allow_guest = self.allow_guest;
        config.max_queued = if self.short_queue { 4 } else { 64 };
        config
    }
}

impl User {
    fn began(&mut self, op: OpId) {
        assert_eq!(self.ops.insert(op, false), None, "{op:?} has been there");
    }

    pub(crate) fn log_on(&mut self, client: &mut Client, way: u8, now: Now) {
        let mechanism = Box::new(Scripted { way, step: 0 });
        let again = self.sessions.get(usize::from(way >> 5)).copied().filter(|_| way & 16 != 0);
        let op = match again {
            Some(session) => client.log_on_again(session, mechanism, now),
            None => client.log_on(mechanism, way & 16 == 0, now),
        };
        self.began(op);
    }

    fn session(&self, nth: u8) -> SessionId {
        pick(&self.sessions, nth).unwrap_or(SessionId(5))
    }

    fn tree(&self, nth: u8) -> TreeRef {
        pick(&self.trees, nth).unwrap_or(TreeRef { session: self.session(nth), tree: Default::default() })
    }

    pub(crate) fn tree_connect(&mut self, client: &mut Client, nth: u8, now: Now) {
        let op = client.tree_connect(self.session(nth), r"\\server\share", now);
        self.began(op);
    }

    pub(crate) fn tree_disconnect(&mut self, client: &mut Client, nth: u8, now: Now) {
        let op = client.tree_disconnect(self.tree(nth), now);
        self.began(op);
    }

    pub(crate) fn log_off(&mut self, client: &mut Client, nth: u8, now: Now) {
        let op = client.log_off(self.session(nth), now);
        self.began(op);
    }

    pub(crate) fn echo(&mut self, client: &mut Client, nth: u8, now: Now) {
        let op = client.echo(self.session(nth), now);
        self.began(op);
    }

    pub(crate) fn cancel(&mut self, client: &mut Client, nth: u8) {
        let open: Vec<OpId> = self.ops.iter().filter(|(_, over)| !**over).map(|(op, _)| *op).collect();
        if let Some(op) = pick(&open, nth) {
            client.cancel(op);
        }
    }

    pub(crate) fn answer_need(&mut self, client: &mut Client, nth: u8, now: Now) {
        if !self.needs.is_empty() {
            let op = self.needs.remove(usize::from(nth) % self.needs.len());
            client.answer(op, &[4; 8], now);
        }
    }

    pub(crate) fn waits_for_others(&self) -> bool {
        !self.needs.is_empty()
    }

    pub(crate) fn request(&mut self, client: &mut Client, nth: u8, what: Request, now: Now) {
        let to = self.tree(nth);
        let ops = match what {
            Request::Write(n, own) => {
                let file = FileId { persistent: 1, volatile: 1 };
                vec![client.write(to, file, 0, payload(n, own), now)]
            }
            Request::ReadAside(length) => {
                let request = ReadRequest { length, minimum_count: MAY_PASS, ..Default::default() };
                vec![client.read_aside(to, &request, now)]
            }
            _ => client.compound(to, vec![member(what)], now),
        };
        ops.into_iter().for_each(|op| self.began(op));
    }

    pub(crate) fn compound(&mut self, client: &mut Client, nth: u8, what: &[Request], now: Now) {
        let members = what.iter().take(8).map(|request| member(*request)).collect();
        let ops = client.compound(self.tree(nth), members, now);
        ops.into_iter().for_each(|op| self.began(op));
    }

    /// Takes all events there are.
    pub(crate) fn poll(&mut self, client: &mut Client) {
        while let Some(event) = client.poll_event() {
            print(&event);
            match event {
                Event::Done { op, result } => {
                    assert_eq!(self.ops.insert(op, true), Some(false), "{op:?} is not under way");
                    self.needs.retain(|need| *need != op);
                    match result {
                        Ok(outcome) => self.outcome(outcome),
                        Err(error) => print(&error.to_string()),
                    }
                }
                Event::Need { op, .. } => self.needs.push(op),
                Event::Closed(_) => {
                    assert!(!self.closed, "closed twice");
                    assert!(self.ops.values().all(|over| *over), "operations outlive the connection");
                    self.closed = true;
                }
                _ => {}
            }
        }
        assert_eq!(self.closed, client.close_reason().is_some());
        assert!(!self.closed || client.outstanding() == 0);
    }

    fn outcome(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::LoggedOn { session, .. } => self.sessions.push(session),
            Outcome::Connected { session, tree, .. } => self.trees.push(TreeRef { session, tree }),
            Outcome::Response(response) => {
                print(&response.body::<op::Create>());
                print(&response.body::<op::QueryInfo>());
                print(&response.read_data());
            }
            _ => {}
        }
    }

    /// All operations are over.
    pub(crate) fn is_done(&self) -> bool {
        self.ops.values().all(|over| *over)
    }
}

fn payload(n: u16, own: bool) -> Payload {
    let data = vec![0x5A; usize::from(n % 2000)];
    if !own {
        return Bytes::from(data).into();
    }
    let mut buffer = MessageBuffer::with_capacity(data.len());
    buffer.extend_from_slice(&data);
    buffer.into()
}

fn member(what: Request) -> Member {
    fn new<O: Op>(request: &O::Request<'_>) -> Member {
        Member::new::<O>(request)
    }
    match what {
        Request::Create => new::<op::Create>(&CreateRequest::default()),
        Request::Close => new::<op::Close>(&CloseRequest::default()),
        Request::Flush => new::<op::Flush>(&FlushRequest::default()),
        Request::Read(length) | Request::ReadAside(length) => {
            new::<op::Read>(&ReadRequest { length, ..Default::default() })
        }
        Request::Write(n, own) => {
            let payload = payload(n, own);
            let request = sansmb::wire::WriteRequest::new(FileId::ANY, 0, sansmb::wire::Bulk(payload.len()));
            Member::write(&request, payload)
        }
        Request::Lock => new::<op::Lock>(&LockRequest::default()),
        Request::Ioctl(n) => {
            let input = vec![0; usize::from(n % 500)];
            new::<op::Ioctl>(&IoctlRequest { input: &input, ..Default::default() })
        }
        Request::QueryDirectory(n) => new::<op::QueryDirectory>(&QueryDirectoryRequest {
            output_buffer_length: n,
            ..Default::default()
        }),
        Request::ChangeNotify => new::<op::ChangeNotify>(&ChangeNotifyRequest::default()),
        Request::QueryInfo => new::<op::QueryInfo>(&QueryInfoRequest::default()),
        Request::SetInfo => new::<op::SetInfo>(&SetInfoRequest::default()),
    }
}

fn pick<T: Copy>(list: &[T], nth: u8) -> Option<T> {
    list.get(usize::from(nth) % list.len().max(1)).copied()
}
