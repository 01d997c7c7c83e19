//! A client and a server joined in memory.

use std::{collections::VecDeque, sync::Arc};

use sansmb::{
    auth::{Acceptor, Mechanism, Step},
    client::{self, Client, ClientConfig, OpId},
    crypto::CryptoProvider,
    server::{self, AuthReply, ConnId, Event, Failure, Server, ServerConfig, ShareId, TreeConnectReply},
    time::{Instant, Now},
    wire::{
        AccessMask, Cipher, FileTime, Guid, NtStatus, SessionId, ShareCapabilities, ShareFlags, ShareType,
    },
};
use sansmb_auth::{
    AcceptorConfig, ClientParams, Credentials, MapToGuest, SpnegoAcceptor, SpnegoClient, UserTable,
};
use sansmb_crypto::RustCrypto;

/// A moment `ms` milliseconds after the start of a test.
pub fn now(ms: u64) -> Now {
    Now { mono: Instant::from_micros(ms * 1000), wall: FileTime::from_unix(1_700_000_000, 0) }
}

/// How a pair is set up; change what a test is about.
#[derive(Debug)]
pub struct PairConfig {
    /// The client's settings.
    pub client: ClientConfig,
    /// The server's settings.
    pub server: ServerConfig,
    /// Whether strangers become guests.
    pub map_to_guest: MapToGuest,
    /// The share asks for encryption.
    pub encrypt_share: bool,
    /// The share asks for compression.
    pub compress_share: bool,
    /// Who answers SESSION_SETUP, in place of SPNEGO with the user `tester`.
    pub acceptor: Option<Arc<dyn Acceptor>>,
}

impl PairConfig {
    /// Has the client encrypt.
    pub fn encrypt(&mut self) {
        self.client.encryption = client::EncryptionPolicy::Required;
        self.client.ciphers = vec![Cipher::AES_128_GCM];
    }

    /// Has the client sign.
    pub fn sign(&mut self) {
        self.client.require_signing = true;
    }
}

impl Default for PairConfig {
    fn default() -> Self {
        let crypto: Arc<dyn CryptoProvider> = Arc::new(RustCrypto);
        Self {
            client: ClientConfig::new(Guid([1; 16]), [2; 32], crypto.clone()),
            server: ServerConfig::new(Guid([3; 16]), crypto),
            map_to_guest: MapToGuest::Never,
            encrypt_share: false,
            compress_share: false,
            acceptor: None,
        }
    }
}

/// A client and a server, user `tester` with password `secret`, and a share `share`.
///
/// The server's side answers authentication and tree connects by itself; other events are kept in
/// [`Pair::server_events`] for the test to answer.
#[derive(Debug)]
pub struct Pair {
    /// The client.
    pub client: Client,
    /// The server.
    pub server: Server,
    /// The server's end of the connection.
    pub conn: ConnId,
    /// The clock.
    pub now: Now,
    /// What the client said.
    pub client_events: VecDeque<client::Event>,
    /// What the server asks.
    pub server_events: VecDeque<Event>,
    /// Bytes are carried in pieces of these lengths, over and over; empty: in one piece.
    pub chunks: Vec<usize>,
    next_chunk: usize,
    /// Everything that the client sent.
    pub c2s: Vec<u8>,
    /// Everything that the server sent.
    pub s2c: Vec<u8>,
    /// The server's side answers nothing by itself.
    pub hold: bool,
    client_config: ClientConfig,
    acceptor: Arc<dyn Acceptor>,
    exchanges: Vec<(SessionId, ConnId, Box<dyn Mechanism>)>,
    encrypt_share: bool,
    compress_share: bool,
}

impl Pair {
    /// Sets both up; nothing is exchanged yet.
    pub fn new(mut config: PairConfig) -> Self {
        let acceptor = config.acceptor.take().unwrap_or_else(|| {
            let mut users = UserTable::new();
            users.add_password("tester", "secret");
            users.add_password("other", "secret");
            let mut accept = AcceptorConfig::new("SERVER", Arc::new(users));
            accept.map_to_guest = config.map_to_guest;
            accept.allow_anonymous = true;
            Arc::new(SpnegoAcceptor::new(accept))
        });
        config.server.auth_hint = acceptor.hint();
        let start = now(0);
        let mut server = Server::new(Arc::new(config.server));
        let conn = server.open(start);
        Self {
            client: Client::new(config.client.clone(), start),
            server,
            conn,
            now: start,
            client_events: VecDeque::new(),
            server_events: VecDeque::new(),
            chunks: Vec::new(),
            next_chunk: 0,
            c2s: Vec::new(),
            s2c: Vec::new(),
            hold: false,
            client_config: config.client,
            acceptor,
            exchanges: Vec::new(),
            encrypt_share: config.encrypt_share,
            compress_share: config.compress_share,
        }
    }

    /// Opens another connection to the same server with another client of the same settings; both
    /// ends of the one before are returned.
    pub fn reconnect(&mut self) -> (Client, ConnId) {
        let client = core::mem::replace(&mut self.client, Client::new(self.client_config.clone(), self.now));
        let conn = core::mem::replace(&mut self.conn, self.server.open(self.now));
        (client, conn)
    }

    /// Moves the clock and lets both sides know.
    pub fn advance(&mut self, to: Now) {
        self.now = to;
        self.client.handle_timeout(to);
        self.server.handle_timeout(to);
        self.collect();
    }

    /// Carries bytes both ways until nothing moves any more.
    pub fn run(&mut self) {
        while self.step() {}
    }

    /// Carries what is there once; whether anything moved.
    pub fn step(&mut self) -> bool {
        let mut moved = false;
        let sent = drain(|out| self.client.poll_transmit(out));
        self.client.sent(sent.len());
        for piece in self.pieces(&sent) {
            self.server.handle_input(self.conn, piece, self.now);
            moved = true;
        }
        self.c2s.extend(sent);
        while let Some(event) = self.server.poll_event() {
            self.serve(event);
            moved = true;
        }
        let conn = self.conn;
        let sent = drain(|out| self.server.poll_transmit(conn, out));
        self.server.sent(conn, sent.len());
        for piece in self.pieces(&sent) {
            self.client.handle_input(piece, self.now);
            moved = true;
        }
        self.s2c.extend(sent);
        if self.server.is_finished(conn) && self.client.close_reason().is_none() {
            self.client.eof();
            moved = true;
        }
        self.collect();
        moved
    }

    fn pieces<'a>(&mut self, mut bytes: &'a [u8]) -> Vec<&'a [u8]> {
        let mut pieces = Vec::new();
        while !bytes.is_empty() {
            let len = match self.chunks.as_slice() {
                [] => bytes.len(),
                lengths => lengths[self.next_chunk % lengths.len()].clamp(1, bytes.len()),
            };
            self.next_chunk += 1;
            let (piece, rest) = bytes.split_at(len);
            pieces.push(piece);
            bytes = rest;
        }
        pieces
    }

    fn collect(&mut self) {
        while let Some(event) = self.server.poll_event() {
            self.serve(event);
        }
        while let Some(event) = self.client.poll_event() {
            self.client_events.push_back(event);
        }
    }

    /// Takes what the client wants to send: one message (without its prefix) an element.
    pub fn take_client(&mut self) -> Vec<Vec<u8>> {
        let sent = drain(|out| self.client.poll_transmit(out));
        self.client.sent(sent.len());
        frames(&sent)
    }

    /// Takes what the server wants to send.
    pub fn take_server(&mut self) -> Vec<Vec<u8>> {
        let conn = self.conn;
        let sent = drain(|out| self.server.poll_transmit(conn, out));
        self.server.sent(conn, sent.len());
        frames(&sent)
    }

    /// Gives the server one message and lets it handle its events.
    pub fn give_server(&mut self, message: &[u8]) {
        self.server.handle_input(self.conn, &framed(message), self.now);
        while let Some(event) = self.server.poll_event() {
            self.serve(event);
        }
    }

    /// Gives the client one message.
    pub fn give_client(&mut self, message: &[u8]) {
        self.client.handle_input(&framed(message), self.now);
        while let Some(event) = self.client.poll_event() {
            self.client_events.push_back(event);
        }
    }

    /// Gives the server one message and takes what it answers.
    pub fn ask(&mut self, message: &[u8]) -> Vec<Vec<u8>> {
        self.give_server(message);
        self.take_server()
    }

    /// Checks that the server ended the connection without a word, that its application heard of
    /// nothing but that end, and that nothing is left in the server's tables; gives the reason.
    #[track_caller]
    pub fn ended_silently(&mut self) -> server::CloseReason {
        let reason = self.server_closed().expect("the server goes on");
        assert_eq!(self.take_server(), Vec::<Vec<u8>>::new(), "a word of goodbye");
        for event in &self.server_events {
            let end = matches!(event, Event::SessionEnded { .. } | Event::Closed { .. });
            assert!(end, "the application saw {event:?}");
        }
        self.nothing_left();
        reason
    }

    /// Checks that the server's tables are empty.
    #[track_caller]
    pub fn nothing_left(&mut self) {
        assert!(self.server.sessions().is_empty(), "a session is left");
        let conn = self.conn;
        assert_eq!(self.server.channel(conn).map_or(0, |c| c.outstanding()), 0, "a request is left");
    }

    /// Why the server closed the connection, if it did.
    pub fn server_closed(&mut self) -> Option<server::CloseReason> {
        let conn = self.conn;
        self.server.channel(conn).and_then(|c| c.close_reason())
    }

    /// Logs `tester` on with `password`.
    pub fn log_on(&mut self, password: &str) -> Result<SessionId, client::OpError> {
        self.log_on_as("tester", password)
    }

    /// Logs on.
    pub fn log_on_as(&mut self, user: &str, password: &str) -> Result<SessionId, client::OpError> {
        let credentials = Credentials::password(user, "", password);
        let params = ClientParams { now: self.now.wall, random: [7; 32], ..ClientParams::default() };
        self.log_on_with(Box::new(SpnegoClient::new(credentials, params)))
    }

    /// Logs on with a mechanism.
    pub fn log_on_with(&mut self, mechanism: Box<dyn Mechanism>) -> Result<SessionId, client::OpError> {
        let op = self.client.log_on(mechanism, true, self.now);
        self.run();
        match self.result(op)? {
            client::Outcome::LoggedOn { session, .. } => Ok(session),
            other => panic!("unexpected outcome {other:?}"),
        }
    }

    /// One that is set up as `change` says, and connected to the share.
    pub fn connected(change: impl FnOnce(&mut PairConfig)) -> (Self, client::TreeRef) {
        let mut config = PairConfig::default();
        change(&mut config);
        let mut pair = Self::new(config);
        let to = pair.connect().expect("the pair connects");
        (pair, to)
    }

    /// Logs on and connects to the share.
    pub fn connect(&mut self) -> Result<client::TreeRef, client::OpError> {
        let session = self.log_on("secret")?;
        self.connect_in(session)
    }

    /// Connects to the share.
    pub fn connect_in(&mut self, session: SessionId) -> Result<client::TreeRef, client::OpError> {
        let op = self.client.tree_connect(session, r"\\server\share", self.now);
        self.run();
        match self.result(op)? {
            client::Outcome::Connected { session, tree, .. } => Ok(client::TreeRef { session, tree }),
            other => panic!("unexpected outcome {other:?}"),
        }
    }

    /// How `op` ended; panics when it has not.
    pub fn result(&mut self, op: OpId) -> Result<client::Outcome, client::OpError> {
        self.collect();
        let at = self
            .client_events
            .iter()
            .position(|e| matches!(e, client::Event::Done { op: done, .. } if *done == op))
            .unwrap_or_else(|| panic!("{op:?} has not ended; closed: {:?}", self.client.close_reason()));
        match self.client_events.remove(at) {
            Some(client::Event::Done { result, .. }) => result,
            _ => unreachable!("just found"),
        }
    }

    fn serve(&mut self, event: Event) {
        if self.hold {
            self.server_events.push_back(event);
        } else {
            self.answer(event);
        }
    }

    /// Answers an event as a server with one share does; what it cannot answer it keeps.
    pub fn answer(&mut self, event: Event) {
        match event {
            Event::SessionSetup(request) => self.authenticate(request),
            Event::TreeConnect(request) => {
                let reply = TreeConnectReply {
                    share: ShareId(1),
                    share_type: ShareType::DISK,
                    share_flags: ShareFlags::empty(),
                    capabilities: ShareCapabilities::empty(),
                    maximal_access: AccessMask::from_bits_retain(0x001F_01FF),
                    encrypt: self.encrypt_share,
                    compress: self.compress_share,
                };
                let _ = self.server.respond_tree(request.token, Ok(reply));
            }
            Event::TreeDisconnect(request) => {
                let _ = self.server.respond_tree_disconnect(request.token);
            }
            Event::Logoff(request) => {
                let _ = self.server.respond_logoff(request.token);
            }
            Event::Ioctl(request) => {
                let _ = self.server.respond(request.token, Err(NtStatus::FILE_CLOSED.into()));
            }
            other => self.server_events.push_back(other),
        }
    }

    fn authenticate(&mut self, request: server::Request<server::op::SessionSetup>) {
        let (session, conn) = (request.origin.session, request.origin.conn);
        let at =
            self.exchanges.iter().position(|(s, c, _)| (*s, *c) == (session, conn)).unwrap_or_else(|| {
                let exchange = self.acceptor.accept(self.now.wall, [9; 32]);
                self.exchanges.push((session, conn, exchange));
                self.exchanges.len() - 1
            });
        let blob = request.message.body().map(|b| b.security_buffer.to_vec()).unwrap_or_default();
        let result = match self.exchanges[at].2.step(&blob) {
            Ok(Step::Send(token)) => Ok(AuthReply::Continue { token }),
            Ok(Step::Done { token, identity, session_key }) => {
                Ok(AuthReply::Done { token, identity, session_key })
            }
            _ => Err(Failure::from(NtStatus::LOGON_FAILURE)),
        };
        if !matches!(result, Ok(AuthReply::Continue { .. })) {
            self.exchanges.remove(at);
        }
        let _ = self.server.respond_auth(request.token, &request.message, result);
    }
}

/// A message behind the prefix of Direct TCP.
pub fn framed(message: &[u8]) -> Vec<u8> {
    let mut frame = (message.len() as u32).to_be_bytes().to_vec();
    frame.extend_from_slice(message);
    frame
}

/// The messages in what one side sent.
pub fn frames(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    while let Some((prefix, rest)) = bytes.split_first_chunk::<4>() {
        let (frame, rest) = rest.split_at(u32::from_be_bytes(*prefix) as usize);
        frames.push(frame.to_vec());
        bytes = rest;
    }
    frames
}

fn drain<'a>(poll: impl FnOnce(&mut [&'a [u8]]) -> usize) -> Vec<u8> {
    let mut out = [&[][..]; 64];
    let n = poll(&mut out);
    out[..n].concat()
}
