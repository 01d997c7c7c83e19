//! Opens, breaks and closes files while ten thousand, a hundred thousand and a million others are
//! open with leases: what one costs must not depend on how many there are.
//!
//!     cargo run --release -p sansmb-fileserver --example many_open [COUNT...]

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
use sansmb_fileserver::{Action, FileServer, FileServerConfig, Limits, ShareConfig};
use sansmb_storage::{Memory, MemoryOptions};

/// How many are measured.
const ROUNDS: usize = 2_000;

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

struct World {
    server: Server,
    files: FileServer,
    random: CounterRandom,
    now: Now,
}

/// One client.
struct Client {
    conn: ConnId,
    session: SessionId,
    tree: TreeId,
    next: u64,
}

impl World {
    fn new() -> Self {
        let mut protocol = ServerConfig::new(Guid([3; 16]), Arc::new(NullCrypto));
        protocol.max_dialect = Dialect::SMB3_0_2;
        protocol.capabilities = FileServer::capabilities();
        let mut options = MemoryOptions::default();
        options.capacity = 1 << 40;
        let storage = Memory::new(options);
        let mut config = FileServerConfig::new("SERVER", Arc::new(Anybody))
            .with_share(ShareConfig::new("share", Arc::new(storage)));
        config.limits = Limits { opens: 4 << 20, opens_per_session: 4 << 20, ..config.limits };
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
    fn client(&mut self, n: u8) -> Client {
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
    fn call<'m>(&mut self, world: &mut World, command: Command, body: &impl Body<'m>) -> (Header, Vec<u8>) {
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
    fn receive(&mut self, world: &mut World) -> Option<(Header, Vec<u8>)> {
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

    fn create(&mut self, world: &mut World, name: &str, key: u64) -> (Header, Vec<u8>) {
        let name = Utf16Buf::new(name);
        let mut lease_key = [0; 16];
        lease_key[..8].copy_from_slice(&key.to_le_bytes());
        let state = LeaseState::READ_CACHING | LeaseState::WRITE_CACHING | LeaseState::HANDLE_CACHING;
        let lease = LeaseV2 { key: LeaseKey(lease_key), state, ..Default::default() };
        let contexts = [CreateContext::RequestLeaseV2(lease)];
        let request = CreateRequest {
            requested_oplock_level: OplockLevel::LEASE,
            impersonation_level: ImpersonationLevel::IMPERSONATION,
            desired_access: AccessMask::FILE_ALL_ACCESS,
            share_access: ShareAccess::READ | ShareAccess::WRITE | ShareAccess::DELETE,
            create_disposition: CreateDisposition::OPEN_IF,
            name: name.as_utf16(),
            contexts: contexts.as_slice().into(),
            ..Default::default()
        };
        self.call(world, Command::CREATE, &request)
    }
}

#[expect(clippy::disallowed_methods, reason = "a program that measures has to ask what time it is")]
fn clock() -> Clock {
    Clock::now()
}

fn file_id(answer: &(Header, Vec<u8>)) -> FileId {
    assert_eq!(answer.0.status, NtStatus::SUCCESS);
    CreateResponse::decode(&answer.1).expect("an open").file_id
}

fn close(client: &mut Client, world: &mut World, file_id: FileId) {
    let (header, _) =
        client.call(world, Command::CLOSE, &CloseRequest { flags: CloseFlags::empty(), file_id });
    assert_eq!(header.status, NtStatus::SUCCESS);
}

fn main() {
    let counts: Vec<usize> = std::env::args().skip(1).filter_map(|n| n.parse().ok()).collect();
    let counts = if counts.is_empty() { vec![10_000, 100_000, 1_000_000] } else { counts };
    println!("{:>10} {:>18} {:>22}", "open files", "open+close, us", "open+break+close, us");
    let mut world = World::new();
    let (mut alice, mut bob) = (world.client(1), world.client(2));
    let mut open = 0;
    for count in counts {
        while open < count {
            let answer = alice.create(&mut world, &format!("file{open}"), open as u64 + 1);
            file_id(&answer);
            open += 1;
        }
        assert_eq!(world.files.counters().leases, open);
        let start = clock();
        for _ in 0..ROUNDS {
            let answer = bob.create(&mut world, "own", u64::MAX);
            close(&mut bob, &mut world, file_id(&answer));
        }
        let plain = start.elapsed();
        let start = clock();
        for round in 0..ROUNDS {
            // Of the newest, whose leases are still whole.
            let at = open - 1 - round;
            bob.create(&mut world, &format!("file{at}"), u64::MAX - 1);
            let mut lease_key = [0; 16];
            lease_key[..8].copy_from_slice(&(at as u64 + 1).to_le_bytes());
            let body = LeaseBreak {
                lease_key: LeaseKey(lease_key),
                lease_state: LeaseState::READ_CACHING | LeaseState::HANDLE_CACHING,
                ..Default::default()
            };
            alice.receive(&mut world);
            alice.call(&mut world, Command::OPLOCK_BREAK, &body);
            let answer = bob.receive(&mut world).expect("the open goes on");
            close(&mut bob, &mut world, file_id(&answer));
        }
        let broken = start.elapsed();
        let each = |total: std::time::Duration| total.as_secs_f64() * 1e6 / ROUNDS as f64;
        println!("{count:>10} {:>18.1} {:>22.1}", each(plain), each(broken));
    }
}
