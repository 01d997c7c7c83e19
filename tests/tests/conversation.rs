//! The conversations of [MS-SMB2] chapter 4: our client emits their requests and our server their
//! responses, byte for byte, given the same GUIDs, times, tokens and ids.

use std::{collections::VecDeque, path::Path, sync::Arc};

use sansmb::{
    auth::Mechanism,
    client::{Event, Member, OpId, Outcome, Payload, TreeRef},
    crypto::{CryptoProvider, Mac, Sealer, Signer},
    op::{self, Op},
    server::{self, CreditPolicy, Reply, Request, ShareId, TreeConnectReply},
    time::{Instant, Now},
    wire::{
        Body, Capabilities, Cipher, Command, Dialect, FileTime, Flags, HEADER_LEN, Header, IoctlRequest,
        NegotiateContext, NegotiateContexts, NegotiateRequest, NegotiateResponse, NtStatus, ReadResponse,
        SMB1_PROTOCOL_ID, SessionId, SessionSetupRequest, SessionSetupResponse, SigningAlgorithm,
        Smb1NegotiateRequest, TreeConnectRequest, TreeConnectResponse, WriteRequest,
    },
};
use sansmb_auth::{ClientParams, Credentials, SpnegoClient};
use sansmb_crypto::RustCrypto;
use sansmb_tests::{
    Pair, PairConfig,
    raw::{Script, ScriptAcceptor},
    transcript::{self, Message},
};

fn conversation(name: &str) -> Vec<Message> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/sessions").join(name);
    transcript::read(&path)
}

/// Signs everything like the print, which gives but the length of signatures.
#[derive(Debug)]
struct PrintedSignatures(RustCrypto);

#[derive(Debug)]
struct Printed;

impl Mac for Printed {
    fn update(&mut self, _: &[u8]) {}
    fn finish(self: Box<Self>) -> [u8; 16] {
        core::array::from_fn(|i| (7 * i + 16) as u8)
    }
}

impl Signer for Printed {
    fn begin(&self, _: &[u8; 12]) -> Box<dyn Mac> {
        Box::new(Self)
    }
}

impl CryptoProvider for PrintedSignatures {
    fn signer(&self, _: SigningAlgorithm, _: &[u8; 16]) -> Option<Box<dyn Signer>> {
        Some(Box::new(Printed))
    }
    fn sealer(&self, cipher: Cipher, key: &[u8]) -> Option<Box<dyn Sealer>> {
        self.0.sealer(cipher, key)
    }
    fn hmac_sha256(&self, key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
        self.0.hmac_sha256(key, parts)
    }
    fn sha512(&self, parts: &[&[u8]]) -> [u8; 64] {
        self.0.sha512(parts)
    }
}

fn header(message: &[u8]) -> Header {
    Header::decode(message).expect("an SMB2 message")
}

/// What both sides are set to, as far as a conversation tells.
fn settings(messages: &[Message]) -> PairConfig {
    let crypto: Arc<dyn CryptoProvider> = Arc::new(PrintedSignatures(RustCrypto));
    let mut config = PairConfig::default();
    config.client.crypto = crypto.clone();
    config.server.crypto = crypto;
    let of = |request: bool, command| {
        messages.iter().filter(move |m| {
            m.is_request() == request
                && !m.bytes.starts_with(&SMB1_PROTOCOL_ID)
                && header(&m.bytes).command == command
        })
    };
    if let Some(first) = messages.first().filter(|m| m.bytes.starts_with(&SMB1_PROTOCOL_ID)) {
        let request = Smb1NegotiateRequest::decode(&first.bytes).expect("SMB1 NEGOTIATE");
        let names = request.dialects.iter().map(|d| String::from_utf8(d.to_vec()).expect("a name"));
        config.client.multi_protocol = Some(names.collect());
    }
    if let Some(m) = of(true, Command::NEGOTIATE).next() {
        let request = NegotiateRequest::decode(&m.bytes).expect("NEGOTIATE");
        config.client.guid = request.client_guid;
        config.client.capabilities =
            request.capabilities - Capabilities::LARGE_MTU - Capabilities::ENCRYPTION;
        config.client.max_dialect = request.dialects.iter().max().expect("a dialect");
    }
    if let Some(m) = of(false, Command::NEGOTIATE).next_back() {
        let response = NegotiateResponse::decode(&m.bytes).expect("NEGOTIATE");
        config.server.guid = response.server_guid;
        config.server.capabilities =
            response.capabilities - Capabilities::LARGE_MTU - Capabilities::ENCRYPTION;
        config.server.multi_credit = response.capabilities.contains(Capabilities::LARGE_MTU);
        config.server.max_transact_size = response.max_transact_size;
        config.server.max_read_size = response.max_read_size;
        config.server.max_write_size = response.max_write_size;
        config.server.start_time = response.server_start_time;
        config.server.max_dialect = response.dialect;
        config.client.max_dialect = config.client.max_dialect.min(response.dialect);
    }
    if let Some(m) = of(true, Command::SESSION_SETUP).next() {
        let request = SessionSetupRequest::decode(&m.bytes).expect("SESSION_SETUP");
        config.client.capabilities |= request.capabilities;
    }
    if let Some(id) = of(false, Command::SESSION_SETUP).map(|m| header(&m.bytes).session_id.0).next() {
        config.server.session_id_base = id - 1;
    }
    let (_, acceptor) = mechanisms(messages);
    config.acceptor = Some(Arc::new(acceptor));
    config
}

/// The tokens of a conversation, for its two sides.
fn mechanisms(messages: &[Message]) -> (Script, ScriptAcceptor) {
    let mut hint = Vec::new();
    let (mut said, mut heard) = (Vec::new(), Vec::new());
    for message in messages.iter().filter(|m| !m.bytes.starts_with(&SMB1_PROTOCOL_ID)) {
        match (header(&message.bytes).command, message.is_request()) {
            (Command::NEGOTIATE, false) => {
                hint = NegotiateResponse::decode(&message.bytes).unwrap().security_buffer.to_vec();
            }
            (Command::SESSION_SETUP, true) => {
                said.push(SessionSetupRequest::decode(&message.bytes).unwrap().security_buffer.to_vec());
            }
            (Command::SESSION_SETUP, false) => {
                heard.push(SessionSetupResponse::decode(&message.bytes).unwrap().security_buffer.to_vec());
            }
            _ => {}
        }
    }
    // Each side wants to hear exactly what the other says.
    let known = |tokens: &[Vec<u8>]| tokens.iter().cloned().map(Some).collect::<Vec<_>>();
    let mut client_hears = known(&heard);
    client_hears.insert(0, Some(hint.clone()));
    let mut client_says = said.clone();
    client_says.push(Vec::new());
    let client = Script::new(client_hears.into_iter().zip(client_says).collect(), "user", &[7; 16]);
    let server = Script::new(known(&said).into_iter().zip(heard).collect(), "user", &[7; 16]);
    (client, ScriptAcceptor::new(server, &hint))
}

/// The one request that means the same and has other bytes: the print has zero for the offsets of
/// buffers that are empty, ours point behind the fixed part, where one byte follows.
const EMPTY_IOCTL: &str = "C: IOCTL for the server's network interfaces";

/// A pair in which both sides play a conversation against its text, not against each other.
struct Stage {
    pair: Pair,
    messages: VecDeque<Message>,
    /// Requests of ours may differ from the print in these bytes, with a reason.
    ignored: &'static [(usize, usize)],
    /// The same of our responses.
    ignored_of_server: &'static [(usize, usize)],
    log_on: Option<OpId>,
    last: Option<OpId>,
}

impl Stage {
    fn new(messages: Vec<Message>, config: PairConfig) -> Self {
        let (mechanism, _) = mechanisms(&messages);
        let mut pair = Pair::new(config);
        let wall =
            messages.iter().find(|m| !m.is_request() && header(&m.bytes).command == Command::NEGOTIATE);
        let wall = wall.map(|m| NegotiateResponse::decode(&m.bytes).unwrap().system_time);
        pair.now = Now { mono: Instant::ORIGIN, wall: wall.unwrap_or(FileTime(0)) };
        pair.hold = true;
        let log_on = messages.iter().any(|m| m.title.contains("SESSION_SETUP"));
        let mechanism: Box<dyn Mechanism> = Box::new(mechanism);
        let log_on = log_on.then(|| pair.client.log_on(mechanism, true, pair.now));
        Self { pair, messages: messages.into(), ignored: &[], ignored_of_server: &[], log_on, last: None }
    }

    /// The same with a pair that is some way into a connection.
    fn at(pair: Pair, messages: Vec<Message>) -> Self {
        Self {
            pair,
            messages: messages.into(),
            ignored: &[],
            ignored_of_server: &[],
            log_on: None,
            last: None,
        }
    }

    /// Plays everything.
    fn play(&mut self) {
        while let Some(message) = self.messages.pop_front() {
            if message.is_request() {
                self.request(&message);
            } else {
                self.response(&message);
            }
        }
    }

    /// The client emits the request; then the server is given the one of the text.
    fn request(&mut self, message: &Message) {
        let sent = match self.pair.take_client() {
            sent if sent.is_empty() => {
                self.command(&message.bytes);
                self.pair.take_client()
            }
            sent => sent,
        };
        let [mut sent] = <[Vec<u8>; 1]>::try_from(sent).expect("one request");
        for (from, to) in self.ignored {
            sent[*from..*to].copy_from_slice(&message.bytes[*from..*to]);
        }
        if message.title == EMPTY_IOCTL {
            assert_eq!(sent[..HEADER_LEN], message.bytes[..HEADER_LEN]);
            assert_eq!(IoctlRequest::decode(&sent), IoctlRequest::decode(&message.bytes));
        } else {
            assert_eq!(Dump(&sent), Dump(&message.bytes), "{}", message.title);
        }
        self.pair.give_server(&message.bytes);
    }

    /// The server emits the response; then the client is given the one of the text.
    fn response(&mut self, message: &Message) {
        while let Some(event) = self.pair.server_events.pop_front() {
            self.answer(event, &message.bytes);
        }
        let [mut sent] = <[Vec<u8>; 1]>::try_from(self.pair.take_server()).expect("one response");
        for (from, to) in self.ignored_of_server {
            sent[*from..*to].copy_from_slice(&message.bytes[*from..*to]);
        }
        assert_eq!(Dump(&sent), Dump(&message.bytes), "{}", message.title);
        self.pair.give_client(&message.bytes);
        assert_eq!(self.pair.client.close_reason(), None, "{}", message.title);
        // A tree connect is over when what was negotiated is validated.
        if self.pair.client.queued() > 0 {
            return;
        }
        if let Some(op) = self.last.take() {
            let result = self.pair.result(op).expect("success");
            let (Outcome::Response(response) | Outcome::Connected { response, .. }) = result else {
                panic!("{}: unexpected outcome", message.title)
            };
            assert_eq!(response.status(), NtStatus::SUCCESS);
        }
    }

    /// Lets the client ask for what `message` asks for.
    fn command(&mut self, message: &[u8]) {
        let header = header(message);
        let to = TreeRef { session: header.session_id, tree: header.tree_id };
        let Pair { client, now, .. } = &mut self.pair;
        let op = match header.command {
            Command::TREE_CONNECT => {
                let path = TreeConnectRequest::decode(message).unwrap().path.to_text_lossy();
                client.tree_connect(to.session, &path, *now)
            }
            Command::TREE_DISCONNECT => client.tree_disconnect(to, *now),
            Command::LOGOFF => client.log_off(to.session, *now),
            Command::WRITE => {
                let request = WriteRequest::decode(message).unwrap();
                let data = Payload::Shared(request.data.to_vec().into());
                client.write(to, request.file_id, request.offset, data, *now)
            }
            Command::CREATE => again::<op::Create>(client, to, message, *now),
            Command::CLOSE => again::<op::Close>(client, to, message, *now),
            Command::READ => again::<op::Read>(client, to, message, *now),
            Command::IOCTL => again::<op::Ioctl>(client, to, message, *now),
            Command::SET_INFO => again::<op::SetInfo>(client, to, message, *now),
            other => panic!("{other} is not asked for by itself"),
        };
        self.last = Some(op);
    }

    /// Lets the application answer what `message` answers.
    fn answer(&mut self, event: server::Event, message: &[u8]) {
        let server = &mut self.pair.server;
        match event {
            server::Event::TreeConnect(request) => {
                let response = TreeConnectResponse::decode(message).unwrap();
                let reply = TreeConnectReply {
                    share: ShareId(1),
                    share_type: response.share_type,
                    share_flags: response.share_flags,
                    capabilities: response.capabilities,
                    maximal_access: response.maximal_access,
                    encrypt: false,
                    compress: false,
                };
                server.respond_tree(request.token, Ok(reply)).unwrap();
            }
            server::Event::Read(request) => {
                let data = ReadResponse::decode(message).unwrap().data.to_vec();
                server.respond(request.token, Ok(Reply::shared(data.into()))).unwrap();
            }
            server::Event::Create(request) => answered(server, request, message),
            server::Event::Close(request) => answered(server, request, message),
            server::Event::Write(request) => answered(server, request, message),
            server::Event::Ioctl(request) => answered(server, request, message),
            server::Event::SetInfo(request) => answered(server, request, message),
            other => self.pair.answer(other),
        }
    }

    /// The log-on has led to `session`.
    fn logged_on(&mut self, session: SessionId) {
        let op = self.log_on.take().expect("a log-on");
        let result = self.pair.result(op).expect("success");
        assert!(matches!(result, Outcome::LoggedOn { session: s, guest: false } if s == session));
    }
}

/// Sends the request of `message` once more.
fn again<O: Op>(client: &mut sansmb::client::Client, to: TreeRef, message: &[u8], now: Now) -> OpId {
    let member = Member::new::<O>(&O::Request::decode(message).expect("a request"));
    let replay = header(message).flags.contains(Flags::REPLAY_OPERATION);
    let member = if replay { member.replayed() } else { member };
    client.compound(to, vec![member], now).remove(0)
}

/// Answers with the body of `message`.
fn answered<O: Op>(server: &mut server::Server, request: Request<O>, message: &[u8]) {
    let reply = Reply::<O>::new(&O::Response::decode(message).expect("a response"));
    server.respond(request.token, Ok(reply)).unwrap();
}

/// Bytes that print sixteen to a line, so that a difference can be seen.
#[derive(PartialEq, Eq)]
struct Dump<'a>(&'a [u8]);

impl std::fmt::Debug for Dump<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (at, line) in self.0.chunks(16).take(64).enumerate() {
            write!(f, "\n{:04x} {line:02x?}", at * 16)?;
        }
        Ok(())
    }
}

/// The pace at which credits grow in the print: what the client holds doubles, and it asks for what
/// it lacks of 126.
fn growing(config: &mut PairConfig) {
    config.client.credits = 126;
    config.server.credit_policy = CreditPolicy::Doubling;
}

#[test]
fn connecting_by_a_multi_protocol_negotiate() {
    let messages = conversation("4.1-multi-protocol-negotiate.txt");
    let mut config = settings(&messages);
    growing(&mut config);
    let mut stage = Stage::new(messages, config);
    stage.play();
    stage.logged_on(SessionId(0x0400_0000_0009));
    assert_eq!(stage.pair.client.agreement().unwrap().dialect, Dialect::SMB2_0_2);
    assert_eq!(stage.pair.client.credits(), 8);
}

#[test]
fn a_multi_protocol_negotiate_that_leads_to_2_1() {
    let messages = conversation("4.2-multi-protocol-2.1.txt");
    let mut config = settings(&messages);
    // It asks for none, and gets the one that it must be given.
    config.client.credits = 0;
    config.server.credit_policy = CreditPolicy::Doubling;
    let mut stage = Stage::new(messages, config);
    // Reserved2: the print has four letters of the dialect strings there; [MS-SMB2] 2.2.4 lets us
    // send anything.
    stage.ignored_of_server = &[(124, 128)];
    stage.play();
    assert_eq!(stage.pair.client.agreement().unwrap().dialect, Dialect::SMB2_1);
}

#[test]
fn connecting_by_an_smb2_negotiate() {
    let messages = conversation("4.3-smb2-negotiate.txt");
    let mut config = settings(&messages);
    growing(&mut config);
    let mut stage = Stage::new(messages, config);
    stage.play();
    stage.logged_on(SessionId(0x0400_0000_0009));
    assert_eq!(stage.pair.client.credits(), 8);
}

/// Uses up MessageIds.
fn idle(pair: &mut Pair, session: SessionId, times: u64) {
    for _ in 0..times {
        let op = pair.client.echo(session, pair.now);
        pair.run();
        pair.result(op).expect("ECHO");
    }
}

/// A conversation that begins in the middle of a connection of dialect 2.0.2: plays what must have
/// come before, with 18 credits in the client's hands.
fn resumed(name: &str) -> Stage {
    let messages = conversation(name);
    let first = header(&messages[0].bytes);
    let mut config = PairConfig::default();
    config.client.max_dialect = Dialect::SMB2_0_2;
    config.client.credits = 128;
    config.server.max_credits = 18;
    config.server.session_id_base = first.session_id.0 - 1;
    let accept = Script::new(vec![(None, Vec::new())], "user", &[7; 16]);
    config.acceptor = Some(Arc::new(ScriptAcceptor::new(accept, &[])));
    let mut pair = Pair::new(config);
    let mechanism = Script::new(vec![(None, vec![1]), (None, Vec::new())], "user", &[7; 16]);
    let session = pair.log_on_with(Box::new(mechanism)).expect("log on");
    let mut used = 2;
    for _ in 0..first.tree_id.0 {
        pair.connect_in(session).expect("connect");
        used += 1;
    }
    idle(&mut pair, session, first.message_id - used);
    pair.hold = true;
    Stage::at(pair, messages)
}

#[test]
fn executing_an_operation_on_a_named_pipe() {
    resumed("4.4-named-pipe.txt").play();
}

#[test]
fn reading_from_a_remote_file() {
    resumed("4.5-read.txt").play();
}

#[test]
fn writing_to_a_remote_file() {
    resumed("4.6-write.txt").play();
}

#[test]
fn disconnecting_and_logging_off() {
    let mut stage = resumed("4.7-disconnect-logoff.txt");
    stage.play();
    assert!(stage.pair.server.sessions().is_empty());
}

#[test]
fn establishing_an_alternate_channel() {
    let mut messages = conversation("4.8-alternate-channel.txt");
    let mut rest = messages.split_off(12);
    let mut config = settings(&messages);
    config.client.credits = 10;
    config.server.max_credits = 1;
    let mut stage = Stage::new(messages, config);
    // CreditCharge: the print has 0 before the first IOCTL; [MS-SMB2] 3.2.4.1.5 wants 1.
    // Reserved: the print has 0xFEFF and 13; [MS-SMB2] 2.2.1.2 wants 0 and lets us ignore it.
    stage.ignored = &[(6, 8), (32, 36)];
    stage.play();
    let session = SessionId(0x0004_0401_0400_0001);
    stage.logged_on(session);
    // Capabilities: the print's second connection does not offer to encrypt and its first does; ours have
    // to be alike.
    let [request, response, ..] = rest.as_mut_slice() else { panic!("a second connection") };
    (request.bytes[72], response.bytes[88]) = (0x7F, 0x7F);
    stage.pair.now.wall = NegotiateResponse::decode(&response.bytes).unwrap().system_time;
    let shared = stage.pair.client.share_session(session).expect("a session to share");
    stage.pair.reconnect();
    let (mechanism, _) = mechanisms(&rest);
    stage.log_on = Some(stage.pair.client.join(shared, Box::new(mechanism), stage.pair.now));
    stage.messages = rest.into();
    stage.play();
    stage.logged_on(session);
    assert_eq!(stage.pair.server.sessions().len(), 1);
}

#[test]
fn replaying_a_create_on_an_alternate_channel() {
    let mut messages = conversation("4.9-replay-create.txt");
    let first = header(&messages[0].bytes);
    // MessageId: the print answers request 6 as 3.
    messages[2].bytes[24] = first.message_id as u8;
    let mut config = PairConfig::default();
    (config.client.max_dialect, config.server.multi_credit) = (Dialect::SMB3_0, false);
    (config.client.credits, config.server.max_credits) = (10, 1);
    config.client.capabilities = Capabilities::MULTI_CHANNEL;
    config.server.capabilities = Capabilities::MULTI_CHANNEL;
    config.server.session_id_base = first.session_id.0 - 1;
    let mut pair = Pair::new(config);
    let tree = pair.connect().expect("a tree");
    assert_eq!((tree.session, tree.tree), (first.session_id, first.tree_id));
    idle(&mut pair, tree.session, 1);
    let shared = pair.client.share_session(tree.session).expect("a session to share");
    let mut other = pair.reconnect();
    let params = ClientParams { random: [7; 32], ..ClientParams::default() };
    let mechanism = SpnegoClient::new(Credentials::password("tester", "", "secret"), params);
    let op = pair.client.join(shared, Box::new(mechanism), pair.now);
    pair.run();
    pair.result(op).expect("a second channel");
    idle(&mut pair, tree.session, 3);
    let mut swap = |pair: &mut Pair| {
        std::mem::swap(&mut pair.client, &mut other.0);
        std::mem::swap(&mut pair.conn, &mut other.1);
    };
    swap(&mut pair);
    pair.hold = true;
    let replay = messages.split_off(1);
    let mut stage = Stage::at(pair, messages);
    // Reserved: the print has 13.
    stage.ignored = &[(32, 36)];
    // Reserved and credits; the flag of the replay, which [MS-SMB2] 2.2.1.2 has in requests only.
    stage.ignored_of_server = &[(14, 16), (16, 20), (32, 36)];
    stage.play();
    swap(&mut stage.pair);
    stage.messages = replay.into();
    stage.play();
}

/// The salt of a NEGOTIATE.
fn salt<'m>(contexts: NegotiateContexts<'m>) -> &'m [u8] {
    let salt = contexts.iter().find_map(|context| match context {
        NegotiateContext::Preauth { salt, .. } => Some(salt),
        _ => None,
    });
    salt.expect("a salt")
}

#[test]
fn negotiating_encryption_by_the_transport() {
    let messages = conversation("4.10-transport-encryption.txt");
    let mut config = settings(&messages);
    config.client.credits = 1;
    (config.client.secure_transport, config.server.secure_transport) = (true, true);
    config.client.ciphers = vec![Cipher::AES_128_GCM];
    config.client.signing_algorithms = vec![SigningAlgorithm::AES_GMAC];
    let request = NegotiateRequest::decode(&messages[0].bytes).expect("NEGOTIATE");
    config.client.salt = salt(request.contexts).try_into().expect("32 bytes");
    config.server.require_signing = true;
    // In print it stands although 3.1.1 has a context for it.
    config.server.capabilities |= Capabilities::ENCRYPTION;
    let response = NegotiateResponse::decode(&messages[1].bytes).expect("NEGOTIATE");
    config.acceptor = Some(Arc::new(ScriptAcceptor::new(
        Script::new(Vec::new(), "user", &[7; 16]),
        response.security_buffer,
    )));
    let mut stage = Stage::new(conversation("4.10-transport-encryption.txt"), config);
    // The server's salt is its own; it stands behind the token and the head of the context.
    let salt = salt(response.contexts);
    let at = messages[1].bytes.windows(salt.len()).position(|bytes| bytes == salt);
    assert_eq!(at, Some(248 + 8 + 6));
    stage.ignored_of_server = &[(262, 294)];
    stage.play();
    assert!(matches!(
        stage.pair.client_events.front(),
        Some(Event::Negotiated(agreed)) if agreed.transport_security && agreed.cipher.is_some()
    ));
}

#[test]
fn the_notification_of_a_closed_session() {
    let [message] = <[Message; 1]>::try_from(conversation("4.11-session-closed.txt")).ok().unwrap();
    let mut config = PairConfig::default();
    config.server.session_id_base = header(&message.bytes).session_id.0 - 1;
    let mut pair = Pair::new(config);
    let session = pair.log_on("secret").expect("log on");
    pair.give_client(&message.bytes);
    assert!(matches!(pair.client_events.pop_back(), Some(Event::SessionClosed(s)) if s == session));
    assert_eq!(message.bytes.len(), HEADER_LEN + 12);
}
