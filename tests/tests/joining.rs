//! Our client's sessions over several connections, [MS-SMB2] 3.2.4.2.3 and 3.2.5.3.3.

use std::collections::BTreeSet;

use sansmb::{
    auth::Mechanism,
    client::{Client, Event, Member, OpError, Outcome, SharedSession, TreeRef},
    crypto::EncryptionPolicy,
    op,
    server::{self, ConnId, Reply, Request},
    wire::{
        Capabilities, Cipher, Command, Dialect, Flags, Guid, Header, NtStatus, SessionId, ShareFlags,
        SigningAlgorithm, TransformHeader,
    },
};
use sansmb_async::client::{Connection, OpenOptions};
use sansmb_auth::{ClientParams, Credentials, SpnegoClient};
use sansmb_tests::{Pair, PairConfig, matrix::serve, peers::Smbd, raw, scratch::TempDir};
use sansmb_tokio::TokioRuntime;

fn config() -> PairConfig {
    let mut config = PairConfig::default();
    config.client.capabilities = Capabilities::MULTI_CHANNEL;
    config.server.capabilities = Capabilities::MULTI_CHANNEL;
    config
}

fn mechanism(user: &str) -> Box<dyn Mechanism> {
    let credentials = Credentials::password(user, "", "secret");
    Box::new(SpnegoClient::new(credentials, ClientParams { random: [5; 32], ..ClientParams::default() }))
}

/// Two connections of one client to one server; `pair` carries one of them at a time.
struct Two {
    pair: Pair,
    other: (Client, ConnId),
    tree: TreeRef,
}

impl Two {
    /// A session with a tree on the first connection, which is put aside, and what another needs to
    /// join it.
    fn new(config: PairConfig) -> (Self, SharedSession) {
        let mut pair = Pair::new(config);
        let tree = pair.connect().expect("the first connection");
        let shared = pair.client.share_session(tree.session).expect("a session to share");
        let other = pair.reconnect();
        (Self { pair, other, tree }, shared)
    }

    /// The same with the second connection bound.
    fn joined(config: PairConfig) -> Self {
        let (mut two, shared) = Self::new(config);
        two.join(shared, "tester").expect("the second connection");
        two
    }

    fn join(&mut self, shared: SharedSession, user: &str) -> Result<(), OpError> {
        let session = shared.session();
        let op = self.pair.client.join(shared, mechanism(user), self.pair.now);
        self.pair.run();
        match self.pair.result(op)? {
            Outcome::LoggedOn { session: joined, guest: false } if joined == session => Ok(()),
            other => panic!("{other:?}"),
        }
    }

    fn swap(&mut self) {
        std::mem::swap(&mut self.pair.client, &mut self.other.0);
        std::mem::swap(&mut self.pair.conn, &mut self.other.1);
    }

    /// What the server's application sees of a READ over the connection at hand, and that its answer
    /// arrives.
    fn read(&mut self) -> server::Origin {
        let op = self.pair.client.request::<op::Read>(self.tree, &raw::read(), self.pair.now);
        self.pair.run();
        let Some(server::Event::Read(Request { token, origin, .. })) = self.pair.server_events.pop_front()
        else {
            panic!("no READ; closed: {:?}", self.pair.client.close_reason())
        };
        self.pair.server.respond(token, Ok(Reply::shared(vec![7; 10].into()))).unwrap();
        self.pair.run();
        let Ok(Outcome::Response(response)) = self.pair.result(op) else { panic!("no answer") };
        assert_eq!(response.read_data().unwrap().as_ref(), &[7; 10]);
        origin
    }
}

#[test]
fn a_session_reads_over_both_its_connections() {
    let gmac = SigningAlgorithm::AES_GMAC;
    for (dialect, signing) in [
        (Dialect::SMB3_0, SigningAlgorithm::AES_CMAC),
        (Dialect::SMB3_0_2, SigningAlgorithm::AES_CMAC),
        (Dialect::SMB3_1_1, SigningAlgorithm::HMAC_SHA256),
        (Dialect::SMB3_1_1, SigningAlgorithm::AES_CMAC),
        (Dialect::SMB3_1_1, gmac),
    ] {
        for sign in [false, true] {
            let mut config = config();
            config.client.max_dialect = dialect;
            config.client.signing_algorithms = vec![signing];
            config.client.require_signing = sign;
            let mut two = Two::joined(config);
            let second = two.read();
            assert_eq!(second.conn, two.pair.conn);
            two.swap();
            let first = two.read();
            assert_ne!(first.conn, second.conn);
            assert_eq!((first.session, first.tree), (second.session, second.tree), "{dialect:?}");
            assert_eq!(two.pair.server.sessions().len(), 1);
        }
    }
}

#[test]
fn no_nonce_comes_twice_under_a_session_s_key() {
    for cipher in [Cipher::AES_128_GCM, Cipher::AES_256_CCM] {
        let mut config = config();
        config.client.encryption = EncryptionPolicy::Required;
        config.client.ciphers = vec![cipher];
        let mut two = Two::joined(config);
        for _ in 0..3 {
            assert!(two.read().encrypted);
            two.swap();
            assert!(two.read().encrypted);
        }
        for bytes in [&two.pair.c2s, &two.pair.s2c] {
            let nonces: Vec<[u8; 16]> = frames(bytes)
                .into_iter()
                .filter_map(|frame| TransformHeader::decode(frame).ok().map(|header| header.nonce))
                .collect();
            assert!(nonces.len() >= 7);
            assert_eq!(nonces.iter().collect::<BTreeSet<_>>().len(), nonces.len(), "{cipher:?}");
        }
    }
}

fn frames(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut frames = Vec::new();
    while let Some((prefix, rest)) = bytes.split_first_chunk::<4>() {
        let (frame, rest) = rest.split_at(u32::from_be_bytes(*prefix) as usize);
        frames.push(frame);
        bytes = rest;
    }
    frames
}

#[test]
fn connections_that_do_not_fit_are_not_bound() {
    type Change = fn(&mut PairConfig);
    let cases: [(Change, Change); 6] = [
        (|_| {}, |other| other.client.guid = Guid([9; 16])),
        (|_| {}, |other| other.server.guid = Guid([9; 16])),
        (|_| {}, |other| other.client.max_dialect = Dialect::SMB3_0_2),
        (|_| {}, |other| other.client.ciphers = vec![Cipher::AES_128_CCM]),
        (|_| {}, |other| other.client.signing_algorithms = vec![SigningAlgorithm::AES_CMAC]),
        (|_| {}, |other| other.server.capabilities = Capabilities::empty()),
    ];
    for (at, (first, second)) in cases.into_iter().enumerate() {
        let (mut theirs, mut ours) = (config(), config());
        first(&mut theirs);
        second(&mut ours);
        let (_, shared) = Two::new(theirs);
        let mut pair = Pair::new(ours);
        let op = pair.client.join(shared, mechanism("tester"), pair.now);
        pair.run();
        let result = pair.result(op);
        assert!(matches!(result, Err(OpError::Incompatible(_))), "case {at}: {result:?}");
        assert!(pair.server.sessions().is_empty());
    }
}

#[test]
fn only_a_session_with_a_key_and_its_first_connection_can_share_it() {
    let misuse = |result: Result<SharedSession, OpError>| assert!(matches!(result, Err(OpError::Misuse(_))));
    let mut pair = Pair::new(config());
    misuse(pair.client.share_session(SessionId(1)));
    let mut two = Two::joined(config());
    let session = two.tree.session;
    misuse(two.pair.client.share_session(session));
    misuse(two.pair.client.share_session(SessionId(77)));
    // A third and a fourth.
    for _ in 0..2 {
        two.swap();
        let shared = two.pair.client.share_session(session).unwrap();
        two.other = two.pair.reconnect();
        two.join(shared, "tester").unwrap();
        two.read();
    }
    // A guest has no key.
    let mut config = config();
    config.map_to_guest = sansmb_auth::MapToGuest::BadUser;
    config.client.allow_guest = true;
    let mut pair = Pair::new(config);
    let session = pair.log_on_as("stranger", "secret").expect("a guest");
    assert!(matches!(pair.client.share_session(session), Err(OpError::Incompatible(_))));
}

#[test]
fn another_user_does_not_bind() {
    let (mut two, shared) = Two::new(config());
    let error = two.join(shared, "other").unwrap_err();
    assert_eq!(error.status(), Some(NtStatus::ACCESS_DENIED));
    // The connection goes on without the session, and the session without the connection.
    let op = two.pair.client.echo(two.tree.session, two.pair.now);
    two.pair.run();
    let error = two.pair.result(op).unwrap_err();
    assert_eq!(error.status(), Some(NtStatus::USER_SESSION_DELETED));
    two.pair.log_on("secret").expect("a session of its own");
    two.swap();
    two.read();
}

#[test]
fn a_session_that_is_over_is_not_joined() {
    let (mut two, shared) = Two::new(config());
    two.swap();
    let op = two.pair.client.log_off(two.tree.session, two.pair.now);
    two.pair.run();
    two.pair.result(op).expect("LOGOFF");
    two.swap();
    let error = two.join(shared, "tester").unwrap_err();
    assert_eq!(error.status(), Some(NtStatus::USER_SESSION_DELETED));
}

#[test]
fn a_log_off_on_one_connection_is_felt_on_the_other() {
    let mut two = Two::joined(config());
    two.swap();
    let op = two.pair.client.log_off(two.tree.session, two.pair.now);
    two.pair.run();
    two.pair.result(op).expect("LOGOFF");
    two.swap();
    let op = two.pair.client.request::<op::Read>(two.tree, &raw::read(), two.pair.now);
    two.pair.run();
    let error = two.pair.result(op).unwrap_err();
    assert_eq!(error.status(), Some(NtStatus::USER_SESSION_DELETED));
}

/// The last answer of a binding, which has not reached the client yet.
fn last_answer(two: &mut Two, shared: SharedSession) -> (sansmb::client::OpId, Vec<u8>) {
    let op = two.pair.client.join(shared, mechanism("tester"), two.pair.now);
    loop {
        for message in two.pair.take_client() {
            two.pair.give_server(&message);
        }
        for answer in two.pair.take_server() {
            let header = Header::decode(&answer).unwrap();
            if header.command == Command::SESSION_SETUP && header.status == NtStatus::SUCCESS {
                return (op, answer);
            }
            two.pair.give_client(&answer);
        }
    }
}

#[test]
fn m9_a_binding_whose_answer_is_not_signed_with_its_key_is_not_believed() {
    type Change = fn(&mut Vec<u8>);
    let cases: [Change; 2] = [|answer| answer[16] &= !(Flags::SIGNED.bits() as u8), |answer| answer[48] ^= 1];
    for change in cases {
        let (mut two, shared) = Two::new(config());
        let (op, mut answer) = last_answer(&mut two, shared);
        change(&mut answer);
        two.pair.give_client(&answer);
        assert!(matches!(two.pair.result(op), Err(OpError::Incompatible(_))));
        let op = two.pair.client.request::<op::Read>(two.tree, &raw::read(), two.pair.now);
        assert!(two.pair.take_client().is_empty(), "a request over a connection that is not bound");
        assert_eq!(two.pair.result(op).unwrap_err().status(), Some(NtStatus::USER_SESSION_DELETED));
    }
    // What comes before the last answer is signed with the session's key.
    let (mut two, shared) = Two::new(config());
    let op = two.pair.client.join(shared, mechanism("tester"), two.pair.now);
    two.pair.step();
    let request = two.pair.take_client().remove(0);
    assert!(Header::decode(&request).unwrap().flags.contains(Flags::SIGNED));
    two.pair.give_server(&request);
    let mut answer = two.pair.take_server().remove(0);
    assert_eq!(raw::status(&answer), NtStatus::MORE_PROCESSING_REQUIRED);
    answer[16] &= !(Flags::SIGNED.bits() as u8);
    two.pair.give_client(&answer);
    assert!(matches!(two.pair.result(op), Err(OpError::Gone(_))));
}

#[test]
fn nothing_is_sent_for_a_session_before_the_connection_is_bound() {
    let (mut two, shared) = Two::new(config());
    let (joining, answer) = last_answer(&mut two, shared);
    let op = two.pair.client.request::<op::Read>(two.tree, &raw::read(), two.pair.now);
    assert!(two.pair.take_client().is_empty());
    assert_eq!(two.pair.result(op).unwrap_err().status(), Some(NtStatus::USER_SESSION_DELETED));
    two.pair.give_client(&answer);
    two.pair.result(joining).expect("bound");
    two.read();
}

#[test]
fn trees_that_came_later_are_used_when_they_are_known() {
    let mut two = Two::joined(config());
    two.swap();
    let later = two.pair.connect_in(two.tree.session).unwrap();
    two.swap();
    let asked = |two: &mut Two| {
        let op = two.pair.client.request::<op::Read>(later, &raw::read(), two.pair.now);
        (op, two.pair.take_client())
    };
    // It might want encryption.
    let (op, sent) = asked(&mut two);
    assert!(sent.is_empty());
    assert!(two.pair.result(op).is_err());
    two.pair.client.adopt_tree(later, ShareFlags::empty());
    let (_, sent) = asked(&mut two);
    assert_eq!(Header::decode(&sent[0]).unwrap().tree_id, later.tree);
    two.pair.client.adopt_tree(later, ShareFlags::ENCRYPT_DATA);
    let (_, sent) = asked(&mut two);
    assert!(TransformHeader::decode(&sent[0]).is_ok());
    two.pair.client.forget_tree(later);
    assert!(asked(&mut two).1.is_empty());
}

#[test]
fn what_is_sent_after_a_connection_was_lost_says_so() {
    let mut two = Two::joined(config());
    assert_eq!(two.read().channel_sequence, 0);
    let first = two.other.1;
    two.pair.server.eof(first);
    two.pair.run();
    two.pair.server_events.clear();
    two.pair.client.channel_lost(two.tree.session);
    let origin = two.read();
    assert_eq!((origin.channel_sequence, origin.replay), (1, false));
    // What was under way comes again.
    let member = Member::new::<op::Read>(&raw::read()).replayed();
    two.pair.client.compound(two.tree, vec![member], two.pair.now);
    two.pair.run();
    let Some(server::Event::Read(request)) = two.pair.server_events.pop_back() else { panic!("no READ") };
    assert_eq!((request.origin.channel_sequence, request.origin.replay), (1, true));
    assert!(!two.pair.client_events.iter().any(|event| matches!(event, Event::Closed(_))));
}

/// Writes over one connection of a session and reads over another.
async fn visit_twice(port: u16) -> sansmb_async::Result<()> {
    let mut config = Connection::default_config();
    config.capabilities = Capabilities::MULTI_CHANNEL;
    let connect = || Connection::connect(&TokioRuntime, "127.0.0.1", port, config.clone());
    let credentials = || Credentials::password("tester", "", "Passw0rd!");
    let (first, second) = (connect().await?, connect().await?);
    let session = first.log_on(credentials()).await?;
    let joined = second.join(&session, credentials()).await?;
    let (here, there) = (session.share("share").await?, joined.share("share").await?);
    let text = bytes::Bytes::from_static(b"over the first");
    here.write_file("file", OpenOptions::create_new(), text.clone()).await?;
    assert_eq!(there.read_file("file", 100).await?, text);
    // The session outlives its first connection.
    drop((here, session, first));
    there.remove_file("file").await?;
    Ok(())
}

#[test]
fn a_session_has_two_connections_to_our_server() {
    let dir = TempDir::new("joining");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let (server, handle, port) = runtime.block_on(serve(&TokioRuntime, dir.path()));
    let server = runtime.spawn(server.run());
    runtime.block_on(visit_twice(port)).expect("the visit");
    handle.stop();
    runtime.block_on(server).unwrap();
}

#[test]
fn a_session_has_two_connections_to_smbd() {
    let Some(smbd) = Smbd::start(&["--global", "server multi channel support = yes"]) else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let result = runtime.block_on(visit_twice(smbd.addr().port()));
    assert!(result.is_ok(), "{result:?}\n{}", smbd.log());
}
