//! The server of a case: protocol core, file server and storage in memory, with a clock that only the
//! case moves.

use std::{
    cell::Cell,
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{Arc, mpsc},
    time::Duration,
};

use sansmb::{
    crypto::EncryptionPolicy,
    server::{ConnId, Server, ServerConfig},
    time::{Instant, Now},
    wire::{
        Capabilities, Cipher, Dialect, FileTime, Guid, SigningAlgorithm,
        fsctl::{InterfaceCapability, NetworkInterfaceInfo, SocketAddress},
    },
};
use sansmb_auth::{AcceptorConfig, SpnegoAcceptor, UserTable};
use sansmb_crypto::{CounterRandom, RustCrypto};
use sansmb_fileserver::{
    Action, Counters, FileServer, FileServerConfig, ShareConfig, storage::Outcome, store::StoreOutcome,
};
use sansmb_storage::{Memory, MemoryOptions};

use super::{
    fields::{Given, Names, parse},
    records::Records,
};
use crate::framed;

/// When every case begins: 2023-11-14 22:13:20 UTC.
pub(super) const START: FileTime = FileTime(133_444_736_000_000_000);

thread_local! {
    /// The clock of the storage, which is given as a function.
    static CLOCK: Cell<FileTime> = const { Cell::new(START) };
}

/// The users of every server.
const USERS: [&str; 3] = ["alice", "bob", "admin"];

/// The password of them all.
pub(super) const PASSWORD: &str = "Passw0rd";

/// How long the server may take to become quiet after everybody is gone: more than any time-out.
const AFTERMATH: Duration = Duration::from_secs(3600);

/// A server.
#[derive(Debug)]
pub(super) struct Stage {
    protocol: Arc<ServerConfig>,
    config: FileServerConfig,
    server: Server,
    files: FileServer,
    random: CounterRandom,
    now: Now,
    unread: BTreeMap<ConnId, Vec<u8>>,
}

impl Stage {
    /// A server as the lines `server ...` and `share ...` want it; without the latter there is one share,
    /// named `share`.
    pub(super) fn new(server: &[String], shares: &[String]) -> Result<Self, String> {
        CLOCK.set(START);
        let mut users = UserTable::new();
        for user in USERS {
            users.add_password(user, PASSWORD);
        }
        let acceptor = Arc::new(SpnegoAcceptor::new(AcceptorConfig::new("SERVER", Arc::new(users))));
        let mut files = FileServerConfig::new("SERVER", acceptor.clone());
        files.administrators = vec!["admin".into()];
        let usual = ["share".to_owned()];
        for line in if shares.is_empty() { &usual[..] } else { shares } {
            files.shares.push(share(line)?);
        }
        let mut protocol = ServerConfig::new(Guid([3; 16]), Arc::new(RustCrypto));
        protocol.auth_hint = sansmb::auth::Acceptor::hint(&*acceptor);
        if files.shares.iter().any(|share| share.continuously_available) {
            files.store = Some(Arc::new(Records::default()));
        }
        protocol.capabilities = files.capabilities() | Capabilities::MULTI_CHANNEL;
        for line in server {
            settings(line, &mut protocol, &mut files)?;
        }
        let protocol = Arc::new(protocol);
        let mut stage = Self {
            server: Server::new(protocol.clone()),
            files: FileServer::new(files.clone()),
            protocol,
            config: files,
            random: CounterRandom::default(),
            now: Now { mono: Instant::ORIGIN, wall: START },
            unread: BTreeMap::new(),
        };
        stage.settle();
        Ok(stage)
    }

    /// The server ends as if it were killed, and another one starts with the same settings and files.
    pub(super) fn restart(&mut self) {
        self.server = Server::new(self.protocol.clone());
        self.files = FileServer::new(self.config.clone());
        self.unread.clear();
        self.settle();
    }

    /// What time it is.
    pub(super) fn now(&self) -> FileTime {
        self.now.wall
    }

    /// A transport is accepted.
    pub(super) fn open(&mut self) -> ConnId {
        let conn = self.server.open(self.now);
        self.unread.insert(conn, Vec::new());
        conn
    }

    /// A message arrives.
    pub(super) fn feed(&mut self, conn: ConnId, message: &[u8]) {
        self.server.handle_input(conn, &framed(message), self.now);
        self.settle();
    }

    /// The client closed its transport.
    pub(super) fn drop(&mut self, conn: ConnId) {
        self.server.eof(conn);
        self.settle();
        self.server.remove(conn);
        self.settle();
    }

    /// Whether the server has closed the transport.
    pub(super) fn is_closed(&self, conn: ConnId) -> bool {
        self.server.is_finished(conn)
    }

    /// The next message on a connection, without its prefix.
    pub(super) fn take(&mut self, conn: ConnId) -> Option<Vec<u8>> {
        let unread = self.unread.get_mut(&conn)?;
        let len = u32::from_be_bytes(*unread.first_chunk()?) as usize;
        let frame = unread.get(4..4 + len)?.to_vec();
        unread.drain(..4 + len);
        Some(frame)
    }

    /// Lets time pass; what is due meanwhile is done when it is due.
    pub(super) fn wait(&mut self, by: Duration) {
        let until = self.now.mono.after(by);
        loop {
            let due = [self.server.poll_timeout(), self.files.poll_timeout()];
            let next = due.into_iter().flatten().min().filter(|due| *due <= until);
            let to = next.unwrap_or(until).max(self.now.mono);
            let passed = to.since(self.now.mono);
            self.now.wall.0 += passed.as_nanos() as u64 / 100;
            self.now.mono = to;
            CLOCK.set(self.now.wall);
            self.files.handle_timeout(self.now);
            self.server.handle_timeout(self.now);
            self.settle();
            if next.is_none() {
                return;
            }
        }
    }

    /// Ends all connections and lets all time-outs pass: what is left then is a leak.
    pub(super) fn aftermath(&mut self) -> Counters {
        let conns: Vec<ConnId> = self.unread.keys().copied().collect();
        for conn in conns {
            self.drop(conn);
        }
        self.wait(AFTERMATH);
        self.files.counters()
    }

    /// Does everything that can be done without a client.
    fn settle(&mut self) {
        loop {
            if let Some(event) = self.server.poll_event() {
                self.files.handle(event, self.now, &mut self.random);
            } else if let Some(action) = self.files.poll_action() {
                self.act(action);
            } else {
                break;
            }
        }
        for (conn, unread) in &mut self.unread {
            loop {
                let mut pieces = [&[][..]; 16];
                let count = self.server.poll_transmit(*conn, &mut pieces);
                let bytes = pieces[..count].concat();
                if bytes.is_empty() {
                    break;
                }
                self.server.sent(*conn, bytes.len());
                unread.extend(bytes);
            }
        }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Job { storage, id, job } => {
                let (done, outcome) = mpsc::channel::<Outcome>();
                storage.submit(job, Box::new(move |outcome| drop(done.send(outcome))));
                let outcome = outcome.recv().expect("a storage in memory ends its jobs at once");
                self.files.complete(id, outcome, self.now);
            }
            Action::Store { store, id, job } => {
                let (done, outcome) = mpsc::channel::<StoreOutcome>();
                store.submit(job, Box::new(move |outcome| drop(done.send(outcome))));
                let outcome = outcome.recv().expect("a store in memory ends its jobs at once");
                self.files.stored(id, outcome, self.now);
            }
            Action::Respond(response) => response.deliver_to(&mut self.server),
            Action::Break(order) => {
                if let Err(undelivered) = order.deliver_to(&mut self.server) {
                    self.files.break_undelivered(undelivered, self.now);
                }
            }
            other => panic!("{other:?}"),
        }
    }
}

fn share(line: &str) -> Result<ShareConfig, String> {
    let (name, rest) = line.split_once(' ').unwrap_or((line, ""));
    let mut given = Given::new(&parse(rest)?, &Names::default())?;
    let mut options = MemoryOptions::default();
    options.clock = || CLOCK.get();
    let mut share = ShareConfig::new(name, Arc::new(Memory::new(options)));
    share.encrypt = given.flag("encrypt");
    share.read_only = given.flag("read_only");
    share.continuously_available = given.flag("available");
    given.finish()?;
    Ok(share)
}

fn settings(line: &str, protocol: &mut ServerConfig, files: &mut FileServerConfig) -> Result<(), String> {
    let mut given = Given::new(&parse(line)?, &Names::default())?;
    protocol.min_dialect = given.or("min", Dialect::SMB2_0_2)?;
    protocol.max_dialect = given.or("max", Dialect::SMB3_1_1)?;
    protocol.require_signing = given.flag("sign");
    protocol.secure_transport = given.flag("secure");
    if let Some(policy) = given.text("encryption") {
        protocol.encryption = match policy.as_str() {
            "off" => EncryptionPolicy::Off,
            "required" => EncryptionPolicy::Required,
            other => return Err(format!("encryption={other} means nothing")),
        };
    }
    if let Some(ciphers) = given.list::<Cipher>("ciphers")? {
        protocol.ciphers = ciphers;
    }
    if let Some(algorithms) = given.list::<SigningAlgorithm>("signing")? {
        protocol.signing_algorithms = algorithms;
    }
    protocol.capabilities = given.or("capabilities", protocol.capabilities)?;
    if let Some(interfaces) = given.list::<String>("interfaces")? {
        for (at, address) in interfaces.iter().enumerate() {
            let address: Ipv4Addr = address.parse().map_err(|_| format!("{address} is no address"))?;
            files.interfaces.push(NetworkInterfaceInfo {
                if_index: at as u32 + 1,
                capability: InterfaceCapability::RSS_CAPABLE,
                link_speed: 10_000_000_000,
                address: SocketAddress::Ip(SocketAddr::new(IpAddr::V4(address), 0)),
            });
        }
    }
    given.finish()
}
