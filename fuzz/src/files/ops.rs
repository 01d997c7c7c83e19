//! Clients, file server and storage, each doing what the input says.

use std::{sync::Arc, time::Duration};

use arbitrary::{Arbitrary, Unstructured};
use sansmb::{
    auth::{Acceptor, AuthError, Identity, IdentityKind, Mechanism, SessionKey, Step as AuthStep},
    server::{ConnId, Server},
    time::{Instant, Now},
    wire::{Dialect, FileTime, NtStatus},
};
use sansmb_crypto::CounterRandom;
use sansmb_fileserver::{Access, Action, FileServer, FileServerConfig, Limits, ShareConfig};
use sansmb_storage::{Memory, MemoryOptions};

use super::{
    requests::{Create, FileAsk, FileRequest},
    store::Store,
};
use crate::{
    memory::Budget,
    server::{Ask, Kind, Peer, Settings},
    wire::show,
};

/// Something that one of the sides does.
#[derive(Arbitrary, Debug)]
pub enum Step {
    Open {
        dialect: u8,
    },
    LogOn {
        peer: u8,
        way: u8,
    },
    Send {
        peer: u8,
        sealed: bool,
        asks: Vec<FileAsk>,
    },
    Cancel {
        peer: u8,
        nth: u8,
    },
    /// Jobs are done at once, or when they are told.
    Hold(bool),
    Run {
        nth: u8,
    },
    Fail {
        nth: u8,
        how: u8,
    },
    Deliver {
        nth: u8,
    },
    Wait {
        centiseconds: u8,
    },
    Eof {
        peer: u8,
    },
    Remove {
        peer: u8,
    },
}

/// A file server's life.
#[derive(Arbitrary, Debug, Default)]
pub struct Script {
    pub settings: Settings,
    /// Bytes that the storage holds, in KiB.
    pub capacity: u8,
    pub steps: Vec<Step>,
}

const MAX_PEERS: usize = 3;
const ADMINISTRATOR: &str = "root";

/// Lets everybody in, as the first byte of the token says.
#[derive(Debug)]
struct Everybody;

impl Acceptor for Everybody {
    fn hint(&self) -> Vec<u8> {
        Vec::new()
    }

    fn accept(&self, _now: FileTime, _random: [u8; 32]) -> Box<dyn Mechanism> {
        Box::new(Self)
    }
}

impl Mechanism for Everybody {
    fn step(&mut self, token: &[u8]) -> Result<AuthStep, AuthError> {
        let (kind, key) = match token.len() % 8 {
            5 => (IdentityKind::Guest, Vec::new()),
            6 => (IdentityKind::Anonymous, Vec::new()),
            7 => return Err(AuthError::LogonFailure),
            4 => return Ok(AuthStep::Send(vec![1])),
            _ => (IdentityKind::User, vec![1; 16]),
        };
        let user = if token.len() % 8 == 3 { ADMINISTRATOR } else { "tester" };
        let identity = Identity { user: user.into(), domain: String::new(), kind, expires: None };
        Ok(AuthStep::Done { token: Vec::new(), identity, session_key: SessionKey::new(key) })
    }
}

struct World {
    server: Server,
    files: FileServer,
    store: Store,
    hold: bool,
    /// Only sealed requests are taken.
    sealed: bool,
    peers: Vec<Peer>,
    random: CounterRandom,
    now: Now,
}

/// Steps of all sides in any order; at the end every request is answered, every table empty and
/// every handle closed.
pub fn fileserver_ops(data: &[u8]) {
    let Ok(script) = Script::arbitrary_take_rest(Unstructured::new(data)) else { return };
    show(&script);
    // The files themselves take up to 256 KiB for each share.
    Budget { base: 6 << 20, factor: 2 << 10 }.check(data.len(), || script.play());
}

fn clock() -> FileTime {
    FileTime(0x01D0_0000_0000_0000)
}

impl Script {
    /// Plays it.
    pub fn play(self) {
        let memory = || {
            let mut options = MemoryOptions::default();
            options.capacity = u64::from(self.capacity) << 10;
            options.clock = clock;
            Arc::new(Memory::new(options))
        };
        let mut config = FileServerConfig::new("SERVER", Arc::new(Everybody));
        config.administrators = vec![ADMINISTRATOR.into()];
        config.limits = Limits {
            opens_per_session: 12,
            opens: 20,
            locks_per_open: 5,
            waiting_per_connection: 6,
            notify_buffer: 2 << 10,
            pipe_buffer: 4 << 10,
            ..Limits::default()
        };
        config.shares.push(ShareConfig::new("share", memory()));
        let guests = ShareConfig { access: Access::Guests, ..ShareConfig::new("other", memory()) };
        config.shares.push(guests);
        let mut world = World {
            server: Server::new(self.settings.config()),
            files: FileServer::new(config),
            store: Store::default(),
            hold: false,
            sealed: self.settings.encryption % 4 == 3,
            peers: Vec::new(),
            random: CounterRandom::new(1),
            now: Now { mono: Instant::ORIGIN, wall: clock() },
        };
        for step in self.steps {
            world.step(step);
            world.settle();
        }
        world.end();
    }
}

impl World {
    fn step(&mut self, step: Step) {
        match step {
            Step::Open { dialect } => self.open(dialect),
            Step::LogOn { peer, way } => {
                let ask = Ask { n: u16::from(way % 8), ..Ask::new(Kind::SessionSetup) };
                self.send(peer, &[ask], false);
            }
            Step::Send { peer, sealed, asks } => {
                let asks: Vec<Ask> = asks.into_iter().map(FileAsk::ask).collect();
                self.send(peer, &asks, sealed);
            }
            Step::Cancel { peer, nth } => {
                if let Some(at) = self.peer(peer) {
                    self.peers[at].cancel(&mut self.server, nth, true, self.now);
                }
            }
            Step::Hold(hold) => self.hold = hold,
            Step::Run { nth } => self.store.run(nth.into()),
            Step::Fail { nth, how } => {
                const STATUS: [NtStatus; 4] = [
                    NtStatus::DISK_FULL,
                    NtStatus::UNEXPECTED_IO_ERROR,
                    NtStatus::OBJECT_NAME_NOT_FOUND,
                    NtStatus::NOT_SUPPORTED,
                ];
                self.store.fail(nth.into(), STATUS[usize::from(how) % STATUS.len()]);
            }
            Step::Deliver { nth } => self.deliver(nth.into()),
            Step::Wait { centiseconds } => {
                self.now.mono = self.now.mono.after(Duration::from_millis(10 * u64::from(centiseconds)));
                self.server.handle_timeout(self.now);
                self.files.handle_timeout(self.now);
            }
            Step::Eof { peer } => {
                if let Some(at) = self.peer(peer) {
                    self.server.eof(self.peers[at].conn);
                }
            }
            Step::Remove { peer } => {
                if let Some(at) = self.peer(peer) {
                    self.server.remove(self.peers[at].conn);
                }
            }
        }
    }

    fn peer(&self, nth: u8) -> Option<usize> {
        (!self.peers.is_empty()).then(|| usize::from(nth) % self.peers.len())
    }

    fn send(&mut self, peer: u8, asks: &[Ask], sealed: bool) {
        if self.peers.is_empty() {
            self.open(3);
        }
        if let Some(at) = self.peer(peer) {
            self.peers[at].receive(&mut self.server, usize::MAX);
            self.peers[at].send(&mut self.server, asks, sealed, usize::MAX, self.now);
        }
    }

    /// Connects, logs on and connects to a share.
    fn open(&mut self, dialect: u8) {
        if self.peers.len() == MAX_PEERS {
            return;
        }
        let conn = self.server.open(self.now);
        let dialect = Dialect::ALL[usize::from(dialect) % Dialect::ALL.len()];
        let settings = Settings::default();
        self.peers.push(Peer::new(conn, dialect, settings.config().max_credits));
        let last = (self.peers.len() - 1) as u8;
        let tree = FileRequest::TreeConnect { share: 0 };
        let file = FileRequest::Create(Create::plain(0, false));
        let directory = FileRequest::Create(Create::plain(3, true));
        let files = [tree, file, directory].map(Kind::File);
        for kind in [Kind::Negotiate, Kind::SessionSetup].into_iter().chain(files) {
            let ask = Ask { n: 0, credits: 30, ..Ask::new(kind) };
            self.send(last, &[ask], self.sealed && matches!(kind, Kind::File(_)));
            self.settle();
        }
        self.peers[usize::from(last)].receive(&mut self.server, usize::MAX);
    }

    fn deliver(&mut self, nth: usize) {
        if let Some((id, outcome)) = self.store.outcome(nth) {
            self.files.complete(id, outcome, self.now);
        }
    }

    /// Carries events, answers and jobs until nothing moves.
    fn settle(&mut self) {
        loop {
            while let Some(event) = self.server.poll_event() {
                self.files.handle(event, self.now, &mut self.random);
                self.actions();
            }
            self.actions();
            if self.hold || self.store.is_idle() {
                return;
            }
            self.store.run(0);
            self.deliver(0);
            self.actions();
        }
    }

    fn actions(&mut self) {
        while let Some(action) = self.files.poll_action() {
            match action {
                Action::Job { storage, id, job } => self.store.push(storage, id, job),
                Action::Respond(response) => response.deliver_to(&mut self.server),
                Action::Break(notice) => {
                    if let Err(undelivered) = notice.deliver_to(&mut self.server) {
                        self.files.break_undelivered(undelivered, self.now);
                    }
                }
                other => panic!("unexpected {other:?}"),
            }
        }
    }

    fn end(mut self) {
        self.hold = false;
        self.settle();
        for at in 0..self.peers.len() {
            // What waits for a lock or a change ends with its session.
            let mut all = true;
            for ask in self.peers[at].log_offs() {
                all &= self.peers[at].can_ask(&mut self.server);
                if all {
                    self.peers[at].send(&mut self.server, &[ask], self.sealed, usize::MAX, self.now);
                    self.settle();
                }
            }
            self.peers[at].receive(&mut self.server, usize::MAX);
            if all {
                self.peers[at].check_end(&mut self.server);
            }
        }
        let conns: Vec<ConnId> = self.peers.iter().map(|peer| peer.conn).collect();
        for conn in conns {
            self.server.eof(conn);
            self.settle();
            self.server.remove(conn);
            self.settle();
        }
        assert!(self.server.sessions().is_empty(), "sessions without a connection");
        assert_eq!(self.files.counters(), Default::default(), "something is left");
        self.store.check_end();
    }
}
