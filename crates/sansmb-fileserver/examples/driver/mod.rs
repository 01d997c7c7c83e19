//! A file server and clients in memory, for programs that measure.

use std::{
    sync::{Arc, mpsc},
    time::Instant as Clock,
};

use sansmb::{
    auth::{Acceptor, AuthError, Identity, IdentityKind, Mechanism, SessionKey, Step},
    server::{ConnId, Server, ServerConfig},
    time::{Instant, Now},
    wire::*,
};
use sansmb_crypto::{CounterRandom, NullCrypto};
use sansmb_fileserver::{Action, FileServer, FileServerConfig, Limits, ShareConfig, storage::Storage};

/// Lets everybody in.
#[derive(Debug)]
struct Anybody;

impl Acceptor for Anybody {
    fn hint(&self) -> Vec<u8> {
        Vec::new()
    }

    fn accept(&self, _now: FileTime, _random: [u8; 32]) -> Box<dyn Mechanism> {
        Box::new(Self)
    }
}

impl Mechanism for Anybody {
    fn step(&mut self, _token: &[u8]) -> Result<Step, AuthError> {
        let identity =
            Identity { user: "user".into(), domain: String::new(), kind: IdentityKind::User, expires: None };
        Ok(Step::Done { token: Vec::new(), identity, session_key: SessionKey::new(vec![7; 16]) })
    }
}

pub(crate) struct World {
    server: Server,
    pub(crate) files: FileServer,
    random: CounterRandom,
    now: Now,
}

/// One client.
pub(crate) struct Client {
    conn: ConnId,
    session: SessionId,
    tree: TreeId,
    next: u64,
}

impl World {
    /// A server with a share `share`, and limits that are not met.
    pub(crate) fn new(storage: Arc<dyn Storage>) -> Self {
        let mut protocol = ServerConfig::new(Guid([3; 16]), Arc::new(NullCrypto));
        protocol.max_dialect = Dialect::SMB3_0_2;
        protocol.capabilities = FileServer::capabilities();
        let mut config =
            FileServerConfig::new("SERVER", Arc::new(Anybody)).with_share(ShareConfig::new("share", storage));
        config.limits =
            Limits { opens: 4 << 20, opens_per_session: 4 << 20, locks_per_open: 4 << 20, ..config.limits };
        Self {
            server: Server::new(Arc::new(protocol)),
            files: FileServer::new(config),
            random: CounterRandom::default(),
            now: Now { mono: Instant::ORIGIN, wall: FileTime(0x01D0_0000_0000_0000) },
        }
    }

    fn settle(&mut self) {
        loop {
            if let Some(event) = self.server.poll_event() {
                self.files.handle(event, self.now, &mut self.random);
                continue;
            }
            match self.files.poll_action() {
                Some(Action::Job { storage, id, job }) => {
                    let (done, outcome) = mpsc::channel();
                    storage.submit(job, Box::new(move |outcome| drop(done.send(outcome))));
                    if let Ok(outcome) = outcome.recv() {
                        self.files.complete(id, outcome, self.now);
                    }
                }
                Some(Action::Respond(response)) => response.deliver_to(&mut self.server),
                Some(Action::Break(notice)) => {
                    if let Err(undelivered) = notice.deliver_to(&mut self.server) {
                        self.files.break_undelivered(undelivered, self.now);
                    }
                }
                Some(_) => {}
                None => return,
            }
        }
    }

    /// A client with a session and a tree.
    pub(crate) fn client(&mut self, n: u8) -> Client {
        let conn = self.server.open(self.now);
        let mut client = Client { conn, session: SessionId(0), tree: TreeId(0), next: 0 };
        let dialects = [Dialect::SMB3_0_2];
        let negotiate = NegotiateRequest {
            security_mode: SecurityMode::SIGNING_ENABLED,
            capabilities: Capabilities::LARGE_MTU,
            client_guid: Guid([n; 16]),
            dialects: dialects.as_slice().into(),
            ..Default::default()
        };
        client.call(self, Command::NEGOTIATE, &negotiate);
        let setup = SessionSetupRequest { security_buffer: b"user", ..Default::default() };
        let (header, _) = client.call(self, Command::SESSION_SETUP, &setup);
        client.session = header.session_id;
        let path = Utf16Buf::new(r"\\server\share");
        let connect = TreeConnectRequest { path: path.as_utf16(), ..Default::default() };
        client.tree = client.call(self, Command::TREE_CONNECT, &connect).0.tree_id;
        client
    }
}

impl Client {
    /// Sends a request and gives the last message that came of it, with its header.
    pub(crate) fn call<'m>(
        &mut self,
        world: &mut World,
        command: Command,
        body: &impl Body<'m>,
    ) -> (Header, Vec<u8>) {
        let header = Header {
            credit_charge: u16::from(self.next > 0),
            command,
            credits: 64,
            message_id: self.next,
            tree_id: self.tree,
            session_id: self.session,
            ..Default::default()
        };
        self.next += 1;
        let mut message = Vec::new();
        let mut writer = Writer::new(&mut message);
        header.encode(&mut writer);
        body.encode(&mut writer);
        let mut frame = (message.len() as u32).to_be_bytes().to_vec();
        frame.extend_from_slice(&message);
        world.server.handle_input(self.conn, &frame, world.now);
        world.settle();
        self.receive(world).unwrap_or_default()
    }

    /// What the server has to say; the last of its messages.
    pub(crate) fn receive(&mut self, world: &mut World) -> Option<(Header, Vec<u8>)> {
        let mut bytes = Vec::new();
        loop {
            let mut pieces = [&[][..]; 16];
            let n = world.server.poll_transmit(self.conn, &mut pieces);
            let start = bytes.len();
            pieces.iter().take(n).for_each(|piece| bytes.extend_from_slice(piece));
            let taken = bytes.len() - start;
            if taken == 0 {
                break;
            }
            world.server.sent(self.conn, taken);
        }
        let mut last = None;
        let mut rest = &bytes[..];
        while let Some((prefix, more)) = rest.split_first_chunk::<4>() {
            let (frame, after) = more.split_at(u32::from_be_bytes(*prefix) as usize);
            last = Some((Header::decode(frame).expect("a message"), frame.to_vec()));
            rest = after;
        }
        last
    }
}

#[expect(clippy::disallowed_methods, reason = "a program that measures has to ask what time it is")]
pub(crate) fn clock() -> Clock {
    Clock::now()
}

/// The file of an answer to CREATE.
pub(crate) fn file_id(answer: &(Header, Vec<u8>)) -> FileId {
    assert_eq!(answer.0.status, NtStatus::SUCCESS);
    CreateResponse::decode(&answer.1).expect("an open").file_id
}

/// Microseconds for each of `rounds`.
pub(crate) fn each(total: std::time::Duration, rounds: usize) -> f64 {
    total.as_secs_f64() * 1e6 / rounds as f64
}

/// What opens everything that is there or is made.
pub(crate) fn open_if(name: &Utf16Buf) -> CreateRequest<'_> {
    CreateRequest {
        impersonation_level: ImpersonationLevel::IMPERSONATION,
        desired_access: AccessMask::FILE_ALL_ACCESS,
        share_access: ShareAccess::READ | ShareAccess::WRITE | ShareAccess::DELETE,
        create_disposition: CreateDisposition::OPEN_IF,
        name: name.as_utf16(),
        ..Default::default()
    }
}
