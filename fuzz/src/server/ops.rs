//! A server, several clients and an application, each doing what the input says.

use std::sync::Arc;

use arbitrary::{Arbitrary, Unstructured};
use sansmb::{
    server::{ConnId, EncryptionPolicy, Server, ServerConfig},
    time::{Instant, Now},
    wire::{Dialect, FileTime, Guid},
};
use sansmb_crypto::NullCrypto;

use super::{
    app::{Answer, App},
    peer::Peer,
    requests::{Ask, Kind},
};
use crate::{memory::Budget, wire::show};

/// Something that one of the sides does.
#[derive(Arbitrary, Debug)]
pub enum Step<'a> {
    /// A connection with as many sessions and trees as that.
    Open {
        dialect: u8,
        sessions: u8,
        answer: Answer,
    },
    Send {
        peer: u8,
        sealed: bool,
        chunk: u8,
        asks: Vec<Ask>,
    },
    Cancel {
        peer: u8,
        nth: u8,
        signed: bool,
    },
    Raw {
        peer: u8,
        framed: bool,
        chunk: u8,
        bytes: &'a [u8],
    },
    Answer {
        nth: u8,
        how: Answer,
    },
    Pend {
        nth: u8,
    },
    Take {
        peer: u8,
        bytes: u16,
    },
    Wait {
        seconds: u8,
    },
    Eof {
        peer: u8,
    },
    Close {
        peer: u8,
    },
    Remove {
        peer: u8,
    },
    EndSession {
        nth: u8,
    },
}

const MAX_PEERS: usize = 4;
const MAX_CREDITS: u16 = 40;
const MAX_ASYNC: usize = 10;
const MAX_IO: u32 = 256 << 10;

/// What the server is set to.
#[derive(Arbitrary, Clone, Copy, Debug, Default)]
pub struct Settings {
    pub require_signing: bool,
    /// 0 off, 1 and 2 enabled, 3 required.
    pub encryption: u8,
}

impl Settings {
    pub(crate) fn config(self) -> Arc<ServerConfig> {
        let mut config = ServerConfig::new(Guid([3; 16]), Arc::new(NullCrypto));
        config.max_credits = MAX_CREDITS;
        config.max_async = MAX_ASYNC;
        config.max_sessions = 3;
        config.max_trees = 3;
        config.max_read_size = MAX_IO;
        config.max_write_size = MAX_IO;
        config.max_transact_size = MAX_IO;
        config.auth_hint = vec![0x60; 20];
        config.require_signing = self.require_signing;
        config.encryption = match self.encryption % 4 {
            0 => EncryptionPolicy::Off,
            3 => EncryptionPolicy::Required,
            _ => EncryptionPolicy::Enabled,
        };
        Arc::new(config)
    }
}

/// A server's life.
#[derive(Arbitrary, Debug, Default)]
pub struct Script<'a> {
    pub settings: Settings,
    pub steps: Vec<Step<'a>>,
}

struct World {
    server: Server,
    app: App,
    peers: Vec<Peer>,
    now: Now,
}

/// Steps of all sides in any order; at the end everything is answered and every table empty.
pub fn server_ops(data: &[u8]) {
    let Ok(script) = Script::arbitrary_take_rest(Unstructured::new(data)) else { return };
    show(&script);
    // A connection costs a scan buffer; a request may hold one, and its answer be 4 KiB long. Long WRITEs cost
    // two credits of 40 on each of four connections.
    Budget { base: 16 << 20, factor: 1 << 10 }.check(data.len(), || script.play());
}

impl Script<'_> {
    /// Plays it.
    pub fn play(self) {
        let now = Now { mono: Instant::ORIGIN, wall: FileTime(1) };
        let server = Server::new(self.settings.config());
        let mut world = World { server, app: App::default(), peers: Vec::new(), now };
        for step in self.steps {
            world.step(step);
            world.app.poll(&mut world.server);
            world.check();
        }
        world.end();
    }
}

impl World {
    fn step(&mut self, step: Step<'_>) {
        match step {
            Step::Open { dialect, sessions, answer } => self.open(dialect, sessions, answer),
            Step::Send { peer, sealed, chunk, asks } => {
                self.with_peer(peer, |peer, server, now| {
                    peer.send(server, &asks, sealed, cut(chunk), now);
                });
            }
            Step::Cancel { peer, nth, signed } => {
                self.with_peer(peer, |peer, server, now| peer.cancel(server, nth, signed, now));
            }
            Step::Raw { peer, framed, chunk, bytes } => {
                self.with_peer(peer, |peer, server, now| peer.raw(server, bytes, framed, cut(chunk), now));
            }
            Step::Answer { nth, how } => self.app.answer(&mut self.server, nth.into(), how),
            Step::Pend { nth } => self.app.pend(&mut self.server, nth.into(), MAX_ASYNC),
            Step::Take { peer, bytes } => {
                self.with_peer(peer, |peer, server, _| peer.receive(server, bytes.into()));
            }
            Step::Wait { seconds } => {
                self.now.mono = self.now.mono.after(std::time::Duration::from_secs(seconds.into()));
                self.server.handle_timeout(self.now);
            }
            Step::Eof { peer } => self.with_peer(peer, |peer, server, _| server.eof(peer.conn)),
            Step::Close { peer } => self.with_peer(peer, |peer, server, _| server.close(peer.conn)),
            Step::Remove { peer } => self.with_peer(peer, |peer, server, _| server.remove(peer.conn)),
            Step::EndSession { nth } => {
                if let Some(session) = self.app.session(nth.into()) {
                    self.server.end_session(session);
                    self.app.ended(session);
                }
            }
        }
    }

    fn with_peer(&mut self, nth: u8, then: impl FnOnce(&mut Peer, &mut Server, Now)) {
        if self.peers.is_empty() {
            self.open(0, 1, Answer::YES);
        }
        let nth = usize::from(nth) % self.peers.len();
        then(&mut self.peers[nth], &mut self.server, self.now);
    }

    /// Connects, and brings a few sessions up so that inputs need not.
    fn open(&mut self, dialect: u8, sessions: u8, answer: Answer) {
        if self.peers.len() == MAX_PEERS {
            return;
        }
        let conn = self.server.open(self.now);
        let dialect = Dialect::ALL[usize::from(dialect) % Dialect::ALL.len()];
        self.peers.push(Peer::new(conn, dialect, MAX_CREDITS));
        let last = self.peers.len() - 1;
        if sessions % 8 == 7 {
            return;
        }
        self.ask(last, Kind::Negotiate, answer);
        for _ in 0..sessions % 3 {
            self.ask(last, Kind::SessionSetup, answer);
            self.ask(last, Kind::TreeConnect, answer);
        }
    }

    fn ask(&mut self, peer: usize, kind: Kind, answer: Answer) {
        let peer = &mut self.peers[peer];
        let ask = Ask { session: if kind == Kind::SessionSetup { 0 } else { 253 }, ..Ask::new(kind) };
        let before = self.app.owed.len();
        peer.send(&mut self.server, &[ask], false, usize::MAX, self.now);
        self.app.poll(&mut self.server);
        if self.app.owed.len() > before {
            self.app.answer(&mut self.server, before, answer);
            self.app.poll(&mut self.server);
        }
        peer.receive(&mut self.server, usize::MAX);
    }

    fn check(&mut self) {
        for peer in &self.peers {
            let Some(channel) = self.server.channel(peer.conn) else { continue };
            let limit = usize::from(MAX_CREDITS) + MAX_ASYNC;
            assert!(channel.outstanding() <= limit, "{} requests are under way", channel.outstanding());
        }
        assert!(self.server.sessions().len() <= MAX_PEERS * 3, "{} sessions", self.server.sessions().len());
    }

    fn end(mut self) {
        // An answer may let the next member of its compound go, never more than were sent.
        while !self.app.owed.is_empty() {
            self.app.answer(&mut self.server, 0, Answer::YES);
            self.app.poll(&mut self.server);
        }
        for peer in &mut self.peers {
            peer.receive(&mut self.server, usize::MAX);
            peer.check_end(&mut self.server);
        }
        let conns: Vec<ConnId> = self.peers.iter().map(|peer| peer.conn).collect();
        for conn in conns {
            self.server.eof(conn);
            assert!(self.server.is_finished(conn));
            self.app.poll(&mut self.server);
            self.server.remove(conn);
            self.app.poll(&mut self.server);
        }
        self.app.check_end();
        assert!(self.server.sessions().is_empty(), "sessions without a connection");
        assert_eq!(self.server.poll_timeout(), None);
    }
}

/// How long the pieces are in which bytes arrive.
fn cut(chunk: u8) -> usize {
    if chunk < 128 { usize::MAX } else { usize::from(chunk - 127) }
}
