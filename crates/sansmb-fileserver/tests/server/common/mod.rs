//! A file server in memory, and clients that send it what a test makes up.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, mpsc},
    time::Duration,
};

use sansmb::{
    auth::{Acceptor, AuthError, Identity, IdentityKind, Mechanism, SessionKey, Step},
    server::{ConnId, EncryptionPolicy, Event, Server, ServerConfig},
    time::{Instant, Now},
    wire::*,
};
use sansmb_crypto::{CounterRandom, NullCrypto};
use sansmb_fileserver::{
    Action, FileServer, FileServerConfig, JobId, Limits, ShareConfig,
    storage::{Job, Outcome, Storage},
    store::{OpenStore, StoreJob, StoreOutcome},
};
use sansmb_storage::{Memory, MemoryOptions};

pub(crate) mod caching;
pub(crate) mod requests;
pub(crate) mod store;

/// Lets everybody in under the name that the token is; `guest` is a guest, `nobody` anonymous, and
/// `mallory` does not know the password.
#[derive(Debug)]
struct Names;

impl Acceptor for Names {
    fn hint(&self) -> Vec<u8> {
        Vec::new()
    }

    fn accept(&self, _now: FileTime, _random: [u8; 32]) -> Box<dyn Mechanism> {
        Box::new(Name)
    }
}

#[derive(Debug)]
struct Name;

impl Mechanism for Name {
    fn step(&mut self, token: &[u8]) -> Result<Step, AuthError> {
        let user = String::from_utf8_lossy(token).into_owned();
        let kind = match user.as_str() {
            "mallory" => return Err(AuthError::LogonFailure),
            "" => return Err(AuthError::Malformed("name", 0)),
            "hello" => return Ok(Step::Send(b"who is it?".to_vec())),
            "guest" => IdentityKind::Guest,
            "nobody" => IdentityKind::Anonymous,
            _ => IdentityKind::User,
        };
        let identity = Identity { user, domain: String::new(), kind, expires: None };
        Ok(Step::Done { token: Vec::new(), identity, session_key: SessionKey::new(vec![7; 16]) })
    }
}

/// A server, its storage and the packets between it and its clients.
pub(crate) struct World {
    pub(crate) server: Server,
    pub(crate) files: FileServer,
    /// Jobs wait in `held` until somebody runs them.
    pub(crate) hold: bool,
    pub(crate) held: VecDeque<(Arc<dyn Storage>, JobId, Job)>,
    /// The same for jobs of the store.
    pub(crate) hold_store: bool,
    pub(crate) held_store: VecDeque<(Arc<dyn OpenStore>, JobId, StoreJob)>,
    inbox: BTreeMap<ConnId, VecDeque<Response>>,
    partial: BTreeMap<ConnId, Vec<u8>>,
    pub(crate) now: Now,
    /// What clients say that they can do.
    pub(crate) client_capabilities: Capabilities,
    /// Whether clients ask for opens that outlive the server.
    pub(crate) lasting: bool,
    /// What the server was started with.
    config: FileServerConfig,
    /// What happened, to be played again.
    pub(crate) tape: Vec<Recorded>,
    /// Requests that the file server has not answered.
    pub(crate) owed: usize,
}

/// Something that happened to the server.
#[derive(Debug, Clone)]
pub(crate) enum Recorded {
    /// A client said this; its line was opened when it said its first word.
    Frame(ConnId, Vec<u8>),
    Gone(ConnId),
    Passed(Duration),
}

/// One message from the server.
#[derive(Debug, Clone)]
pub(crate) struct Response {
    pub(crate) header: Header,
    pub(crate) bytes: Vec<u8>,
}

impl Response {
    pub(crate) fn status(&self) -> NtStatus {
        self.header.status
    }

    #[track_caller]
    pub(crate) fn body<'m, B: Body<'m>>(&'m self) -> B {
        assert!(!self.header.status.is_error(), "{:?}", self.header.status);
        B::decode(&self.bytes).unwrap()
    }
}

pub(crate) fn memory() -> Arc<dyn Storage> {
    Arc::new(Memory::new(MemoryOptions::default()))
}

impl World {
    /// A server with a share `share` in memory.
    pub(crate) fn new() -> Self {
        Self::with(|config| config)
    }

    pub(crate) fn with(change: impl FnOnce(FileServerConfig) -> FileServerConfig) -> Self {
        let share = ShareConfig::new("share", memory());
        let config = FileServerConfig::new("SERVER", Arc::new(Names)).with_share(share);
        Self::from_config(change(config))
    }

    pub(crate) fn with_limits(limits: Limits) -> Self {
        Self::with(|config| FileServerConfig { limits, ..config })
    }

    fn from_config(config: FileServerConfig) -> Self {
        let mut protocol = ServerConfig::new(Guid([3; 16]), Arc::new(NullCrypto));
        protocol.max_dialect = Dialect::SMB3_1_1;
        protocol.encryption = EncryptionPolicy::Enabled;
        protocol.capabilities = config.capabilities() | Capabilities::MULTI_CHANNEL;
        Self {
            server: Server::new(Arc::new(protocol)),
            files: FileServer::new(config.clone()),
            config,
            lasting: false,
            hold: false,
            held: VecDeque::new(),
            hold_store: false,
            held_store: VecDeque::new(),
            inbox: BTreeMap::new(),
            partial: BTreeMap::new(),
            client_capabilities: Capabilities::LARGE_MTU | Capabilities::DIRECTORY_LEASING,
            now: Now { mono: Instant::ORIGIN, wall: FileTime(0x01D0_0000_0000_0000) },
            tape: Vec::new(),
            owed: 0,
        }
    }

    /// The server ends as if it were killed, and another one starts with the same settings.
    pub(crate) fn restart(&mut self) {
        self.restart_holding(false);
    }

    /// The same, with all jobs held back.
    pub(crate) fn restart_held(&mut self) {
        self.restart_holding(true);
    }

    fn restart_holding(&mut self, hold: bool) {
        let (now, client_capabilities, lasting) = (self.now, self.client_capabilities, self.lasting);
        let fresh = Self::from_config(self.config.clone());
        *self = Self { now, client_capabilities, lasting, hold, hold_store: hold, ..fresh };
        self.settle();
    }

    /// The storage of the first share.
    pub(crate) fn storage(&self) -> Arc<dyn Storage> {
        self.config.shares[0].storage.clone()
    }

    /// Does everything that can be done without a client.
    pub(crate) fn settle(&mut self) {
        let mut random = CounterRandom::default();
        loop {
            if let Some(event) = self.server.poll_event() {
                let asks = !matches!(
                    event,
                    Event::Cancel { .. } | Event::SessionEnded { .. } | Event::Closed { .. }
                );
                self.owed += usize::from(asks);
                self.files.handle(event, self.now, &mut random);
            } else if let Some(action) = self.files.poll_action() {
                match action {
                    Action::Job { storage, id, job } if self.hold => self.held.push_back((storage, id, job)),
                    Action::Job { storage, id, job } => self.run(&storage, id, job),
                    Action::Store { store, id, job } if self.hold_store => {
                        self.held_store.push_back((store, id, job));
                    }
                    Action::Store { store, id, job } => self.run_store(&store, id, job),
                    Action::Respond(response) => {
                        self.owed -= usize::from(response.is_final());
                        response.deliver_to(&mut self.server);
                    }
                    Action::Break(notice) => {
                        if let Err(undelivered) = notice.deliver_to(&mut self.server) {
                            self.files.break_undelivered(undelivered, self.now);
                        }
                    }
                    other => panic!("{other:?}"),
                }
            } else {
                break;
            }
        }
        self.receive();
    }

    fn run(&mut self, storage: &Arc<dyn Storage>, id: JobId, job: Job) {
        let (done, outcome) = mpsc::channel::<Outcome>();
        storage.submit(job, Box::new(move |outcome| done.send(outcome).unwrap()));
        let outcome = outcome.recv().unwrap();
        self.files.complete(id, outcome, self.now);
    }

    fn run_store(&mut self, store: &Arc<dyn OpenStore>, id: JobId, job: StoreJob) {
        let (done, outcome) = mpsc::channel::<StoreOutcome>();
        store.submit(job, Box::new(move |outcome| done.send(outcome).unwrap()));
        self.files.stored(id, outcome.recv().unwrap(), self.now);
    }

    /// Runs one job of the store that is held, if there is one.
    pub(crate) fn run_held_store(&mut self) {
        if let Some((store, id, job)) = self.held_store.pop_front() {
            self.run_store(&store, id, job);
            self.settle();
        }
    }

    /// Runs jobs of the store that are held, and those that they lead to.
    pub(crate) fn run_all_store(&mut self) {
        while let Some((store, id, job)) = self.held_store.pop_front() {
            self.run_store(&store, id, job);
            self.settle();
        }
    }

    /// The store does what is held, and is not there any more to say so.
    pub(crate) fn write_held_records(&mut self) {
        for (store, _, job) in self.held_store.drain(..) {
            store.submit(job, Box::new(|_| {}));
        }
    }

    /// Lets time pass.
    pub(crate) fn advance(&mut self, by: Duration) {
        self.tape.push(Recorded::Passed(by));
        self.now.mono = self.now.mono.after(by);
        self.files.handle_timeout(self.now);
        self.settle();
    }

    /// Runs one job that is held.
    pub(crate) fn run_held(&mut self, at: usize) {
        let (storage, id, job) = self.held.remove(at).expect("a held job");
        self.run(&storage, id, job);
        self.settle();
    }

    /// Ends one job that is held with a failure.
    pub(crate) fn fail_held(&mut self, at: usize, status: NtStatus) {
        self.end_held(at, Err(status));
    }

    /// Ends one job that is held in a way of its own.
    pub(crate) fn end_held(&mut self, at: usize, outcome: Outcome) {
        let (_, id, _) = self.held.remove(at).expect("a held job");
        self.files.complete(id, outcome, self.now);
        self.settle();
    }

    /// Runs held jobs, and those that they lead to, until there are none.
    pub(crate) fn run_all(&mut self) {
        while !self.held.is_empty() {
            self.run_held(0);
        }
    }

    pub(crate) fn held_names(&self) -> Vec<String> {
        let name =
            |job: &Job| format!("{job:?}").split([' ', '{', '(']).next().unwrap_or_default().to_owned();
        self.held.iter().map(|(_, _, job)| name(job)).collect()
    }

    fn receive(&mut self) {
        let conns: Vec<ConnId> = self.partial.keys().copied().collect();
        for conn in conns {
            loop {
                let mut pieces = [&[][..]; 16];
                let n = self.server.poll_transmit(conn, &mut pieces);
                let bytes = pieces.iter().take(n).copied().collect::<Vec<_>>().concat();
                if bytes.is_empty() {
                    break;
                }
                self.server.sent(conn, bytes.len());
                self.partial.get_mut(&conn).unwrap().extend(bytes);
            }
            let partial = self.partial.get_mut(&conn).unwrap();
            while partial.len() >= 4 {
                let len = u32::from_be_bytes(partial[..4].try_into().unwrap()) as usize;
                if partial.len() < 4 + len {
                    break;
                }
                let frame: Vec<u8> = partial.drain(..4 + len).skip(4).collect();
                let mut rest = &frame[..];
                while !rest.is_empty() {
                    let header = Header::decode(rest).unwrap();
                    let next = header.next_command as usize;
                    let end = if next == 0 { rest.len() } else { next };
                    let response = Response { header, bytes: rest[..end].to_vec() };
                    self.inbox.entry(conn).or_default().push_back(response);
                    rest = &rest[end..];
                }
            }
        }
    }

    /// A connection on which the dialect is agreed.
    pub(crate) fn connect(&mut self) -> Client {
        let mut guid = [1; 16];
        guid[..8].copy_from_slice(&(self.partial.len() as u64).to_le_bytes());
        self.connect_as(Guid(guid), Dialect::SMB3_0_2)
    }

    /// The same for a client that may have other connections.
    pub(crate) fn connect_as(&mut self, client_guid: Guid, dialect: Dialect) -> Client {
        let conn = self.server.open(self.now);
        self.partial.insert(conn, Vec::new());
        let mut client = Client {
            conn,
            session: SessionId(0),
            tree: TreeId(0),
            next: 0,
            chain: Vec::new(),
            last: 0,
            sequence: 0,
            replay: false,
            signs: dialect == Dialect::SMB3_1_1,
        };
        let dialects = [dialect];
        let hash_algorithms = [HashAlgorithm::SHA_512];
        let contexts = [NegotiateContext::Preauth {
            hash_algorithms: hash_algorithms.as_slice().into(),
            salt: &[5; 32],
        }];
        let contexts = if dialect == Dialect::SMB3_1_1 { contexts.as_slice() } else { &[] };
        let request = NegotiateRequest {
            contexts: contexts.into(),
            security_mode: SecurityMode::SIGNING_ENABLED,
            capabilities: self.client_capabilities,
            client_guid,
            dialects: dialects.as_slice().into(),
            ..Default::default()
        };
        let response = client.call(self, Command::NEGOTIATE, &request);
        assert_eq!(response.status(), NtStatus::SUCCESS);
        client
    }

    /// A connection with a session of `user`.
    pub(crate) fn log_on(&mut self, user: &str) -> Client {
        let client = self.connect();
        self.log_on_over(client, user)
    }

    fn log_on_over(&mut self, mut client: Client, user: &str) -> Client {
        let response = client.set_up(self, user, SessionId(0));
        assert_eq!(response.status(), NtStatus::SUCCESS);
        client.session = response.header.session_id;
        client
    }

    /// A connection with a session and a tree connect to `share`.
    pub(crate) fn client(&mut self) -> Client {
        self.client_of("alice", "share")
    }

    pub(crate) fn client_of(&mut self, user: &str, share: &str) -> Client {
        let client = self.log_on(user);
        self.in_share(client, share)
    }

    /// A connection of this client, with a session and a tree connect.
    pub(crate) fn client_with(&mut self, guid: Guid) -> Client {
        let client = self.connect_as(guid, Dialect::SMB3_0_2);
        let client = self.log_on_over(client, "alice");
        self.in_share(client, "share")
    }

    /// The same in an older dialect.
    pub(crate) fn client_of_dialect(&mut self, dialect: Dialect) -> Client {
        let client = self.connect_as(Guid([2; 16]), dialect);
        let client = self.log_on_over(client, "alice");
        self.in_share(client, "share")
    }

    fn in_share(&mut self, mut client: Client, share: &str) -> Client {
        let response = client.tree_connect(self, &format!(r"\\server\{share}"));
        assert_eq!(response.status(), NtStatus::SUCCESS, "{share}");
        client.tree = response.header.tree_id;
        client
    }

    /// The same from the machine that calls itself `guid`.
    pub(crate) fn client_from(&mut self, guid: u8, user: &str) -> Client {
        let mut client = self.connect_as(Guid([guid; 16]), Dialect::SMB3_0_2);
        let response = client.set_up(self, user, SessionId(0));
        assert_eq!(response.status(), NtStatus::SUCCESS);
        client.session = response.header.session_id;
        let response = client.tree_connect(self, r"\\server\share");
        assert_eq!(response.status(), NtStatus::SUCCESS);
        client.tree = response.header.tree_id;
        client
    }

    /// Closes all transports.
    pub(crate) fn close_all(&mut self) {
        let conns: Vec<ConnId> = self.partial.keys().copied().collect();
        for conn in conns {
            self.server.eof(conn);
            self.settle();
        }
    }

    /// Closes a client's transport.
    pub(crate) fn drop_client(&mut self, client: &Client) {
        self.cut(client.conn);
    }

    /// Closes a transport.
    pub(crate) fn cut(&mut self, conn: ConnId) {
        self.tape.push(Recorded::Gone(conn));
        self.server.eof(conn);
        self.settle();
        self.server.remove(conn);
        self.settle();
    }

    /// Connections that were opened.
    pub(crate) fn conns(&self) -> Vec<ConnId> {
        self.partial.keys().copied().collect()
    }

    /// Bytes come from a client.
    pub(crate) fn input(&mut self, conn: ConnId, bytes: Vec<u8>) {
        self.server.handle_input(conn, &bytes, self.now);
        self.tape.push(Recorded::Frame(conn, bytes));
        self.settle();
    }

    /// Lets something happen that was recorded.
    pub(crate) fn play(&mut self, recorded: &Recorded) {
        match recorded {
            Recorded::Frame(conn, bytes) => {
                if !self.partial.contains_key(conn) {
                    assert_eq!(self.server.open(self.now), *conn);
                    self.partial.insert(*conn, Vec::new());
                }
                self.input(*conn, bytes.clone());
            }
            Recorded::Gone(conn) => self.cut(*conn),
            Recorded::Passed(by) => self.advance(*by),
        }
    }

    /// Checks that nothing is left once all clients are gone.
    #[track_caller]
    pub(crate) fn assert_empty(&mut self) {
        let counters = self.files.counters();
        assert_eq!(counters, Default::default(), "something leaks");
    }
}

/// A client of one connection, with at most one session and one tree.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) conn: ConnId,
    pub(crate) session: SessionId,
    pub(crate) tree: TreeId,
    next: u64,
    /// Members of a compound that is being put together.
    chain: Vec<Vec<u8>>,
    /// MessageId of the last request.
    pub(crate) last: u64,
    /// ChannelSequence of its requests.
    pub(crate) sequence: u16,
    /// Its requests are replays.
    pub(crate) replay: bool,
    /// Its requests are signed once it has a session: 3.1.1 wants that of TREE_CONNECT.
    signs: bool,
}

impl Client {
    fn message<'m>(&mut self, command: Command, flags: Flags, body: &impl Body<'m>) -> Vec<u8> {
        let charge = 16;
        let signed = self.signs && self.session != SessionId(0);
        let flags = if signed { flags | Flags::SIGNED } else { flags };
        let header = Header {
            credit_charge: if self.next == 0 { 0 } else { charge },
            command,
            credits: 128,
            flags: if self.replay { flags | Flags::REPLAY_OPERATION } else { flags },
            status: NtStatus(self.sequence.into()),
            message_id: self.next,
            tree_id: self.tree,
            session_id: self.session,
            ..Default::default()
        };
        self.last = self.next;
        self.next += if self.next == 0 { 1 } else { u64::from(charge) };
        let mut message = Vec::new();
        let mut writer = Writer::new(&mut message);
        header.encode(&mut writer);
        body.encode(&mut writer);
        message
    }

    /// Sends a request.
    pub(crate) fn send<'m>(&mut self, world: &mut World, command: Command, body: &impl Body<'m>) -> u64 {
        let message = self.message(command, Flags::empty(), body);
        self.send_frame(world, &message);
        self.last
    }

    pub(crate) fn send_frame(&mut self, world: &mut World, message: &[u8]) {
        let mut frame = (message.len() as u32).to_be_bytes().to_vec();
        frame.extend_from_slice(message);
        world.input(self.conn, frame);
    }

    /// A request's message, to be spoilt and sent by [`Client::send_frame`].
    pub(crate) fn raw<'m>(&mut self, command: Command, body: &impl Body<'m>) -> Vec<u8> {
        self.message(command, Flags::empty(), body)
    }

    /// Adds a member to a compound, related to the one before it or not.
    pub(crate) fn add<'m>(&mut self, command: Command, related: bool, body: &impl Body<'m>) {
        let flags = if related { Flags::RELATED_OPERATIONS } else { Flags::empty() };
        let message = self.message(command, flags, body);
        self.chain.push(message);
    }

    /// Sends the compound and gives all its answers.
    pub(crate) fn compound(&mut self, world: &mut World) -> Vec<Response> {
        let mut frame = Vec::new();
        let members = std::mem::take(&mut self.chain);
        let count = members.len();
        for (at, mut member) in members.into_iter().enumerate() {
            if at + 1 < count {
                member.resize(member.len().next_multiple_of(8), 0);
                let next = member.len() as u32;
                member[20..24].copy_from_slice(&next.to_le_bytes());
            }
            frame.extend(member);
        }
        self.send_frame(world, &frame);
        std::iter::from_fn(|| self.poll(world)).collect()
    }

    /// The next message for this client, if there is one.
    pub(crate) fn poll(&mut self, world: &mut World) -> Option<Response> {
        world.inbox.get_mut(&self.conn)?.pop_front()
    }

    /// The final answer to a request.
    #[track_caller]
    pub(crate) fn answer(&mut self, world: &mut World, message_id: u64) -> Response {
        self.maybe(world, message_id).unwrap_or_else(|| panic!("no answer; held: {:?}", world.held_names()))
    }

    /// The final answer to a request, if it is there; its interim response is skipped.
    pub(crate) fn maybe(&mut self, world: &mut World, message_id: u64) -> Option<Response> {
        let inbox = world.inbox.get_mut(&self.conn)?;
        let at = inbox
            .iter()
            .position(|r| r.header.message_id == message_id && r.header.status != NtStatus::PENDING)?;
        inbox.remove(at)
    }

    /// Whether an interim response came for a request; it is taken.
    pub(crate) fn was_pended(&mut self, world: &mut World, message_id: u64) -> bool {
        let Some(inbox) = world.inbox.get_mut(&self.conn) else { return false };
        let at = inbox
            .iter()
            .position(|r| r.header.message_id == message_id && r.header.status == NtStatus::PENDING);
        at.and_then(|at| inbox.remove(at)).is_some()
    }

    /// Sends a request and gives its answer.
    #[track_caller]
    pub(crate) fn call<'m>(&mut self, world: &mut World, command: Command, body: &impl Body<'m>) -> Response {
        let id = self.send(world, command, body);
        self.answer(world, id)
    }

    /// Sends a request of an [`Op`] and gives its status.
    #[track_caller]
    pub(crate) fn status<'m>(
        &mut self,
        world: &mut World,
        command: Command,
        body: &impl Body<'m>,
    ) -> NtStatus {
        self.call(world, command, body).status()
    }
}
