//! What is forbidden is refused: unsigned, wrongly signed, unencrypted and replayed messages, on
//! both sides, [MS-SMB2] 3.2.5.1 and 3.3.5.2.

use sansmb::{
    client::{self, EncryptionPolicy, OpError, TreeRef},
    op,
    server::{self, Event, Reply},
    wire::{
        Capabilities, Cipher, Dialect, FileId, Flags, HEADER_LEN, Header, NtStatus, ReadRequest,
        SecurityMode, SessionId, TreeId, Writer,
    },
};
use sansmb_tests::{Pair, PairConfig, now};

const SIGNATURE: usize = 48;

fn signing(dialect: Dialect) -> (Pair, TreeRef) {
    let mut config = PairConfig::default();
    config.client.max_dialect = dialect;
    config.server.require_signing = true;
    connected(config)
}

fn encrypting(dialect: Dialect) -> (Pair, TreeRef) {
    let mut config = PairConfig::default();
    config.client.max_dialect = dialect;
    config.server.encryption = EncryptionPolicy::Required;
    connected(config)
}

fn connected(config: PairConfig) -> (Pair, TreeRef) {
    let mut pair = Pair::new(config);
    let tree = pair.connect().expect("connect");
    (pair, tree)
}

fn read() -> ReadRequest<'static> {
    ReadRequest { length: 10, file_id: FileId { persistent: 1, volatile: 2 }, ..Default::default() }
}

/// Lets the client ask and gives what it wants to send.
fn ask(pair: &mut Pair, tree: TreeRef) -> (client::OpId, Vec<u8>) {
    let op = pair.client.request::<op::Read>(tree, &read(), pair.now);
    (op, pair.take_client().remove(0))
}

/// The server's answer to what it was asked.
fn answer(pair: &mut Pair) -> Vec<u8> {
    let Some(Event::Read(request)) = pair.server_events.pop_front() else { panic!("no READ arrived") };
    pair.server.respond(request.token, Ok(Reply::shared(vec![7; 10].into()))).unwrap();
    pair.take_server().remove(0)
}

fn status(message: &[u8]) -> NtStatus {
    Header::decode(message).expect("a message in the clear").status
}

fn change_header(message: &mut [u8], change: impl FnOnce(&mut Header)) {
    let mut header = Header::decode(message).unwrap();
    change(&mut header);
    let mut bytes = Vec::new();
    header.encode(&mut Writer::new(&mut bytes));
    message[..HEADER_LEN].copy_from_slice(&bytes);
}

fn unsign(message: &mut [u8]) {
    change_header(message, |h| {
        h.flags -= Flags::SIGNED;
        h.signature = [0; 16];
    });
}

const SIGNING_DIALECTS: [Dialect; 4] =
    [Dialect::SMB2_0_2, Dialect::SMB2_1, Dialect::SMB3_0, Dialect::SMB3_1_1];

#[test]
fn a_server_refuses_an_unsigned_request_where_signing_is_required() {
    for dialect in SIGNING_DIALECTS {
        let (mut pair, tree) = signing(dialect);
        let (_, mut message) = ask(&mut pair, tree);
        unsign(&mut message);
        pair.give_server(&message);
        assert!(pair.server_events.is_empty());
        assert_eq!(status(&pair.take_server()[0]), NtStatus::ACCESS_DENIED);
    }
}

#[test]
fn a_server_refuses_a_wrong_signature() {
    for dialect in SIGNING_DIALECTS {
        for at in [SIGNATURE, SIGNATURE + 15, HEADER_LEN + 4, 70] {
            let (mut pair, tree) = signing(dialect);
            let (_, mut message) = ask(&mut pair, tree);
            message[at] ^= 1;
            pair.give_server(&message);
            assert!(pair.server_events.is_empty(), "{dialect} accepted a change at {at}");
            assert_eq!(status(&pair.take_server()[0]), NtStatus::ACCESS_DENIED);
        }
    }
}

#[test]
fn a_client_refuses_an_unsigned_answer_where_signing_is_required() {
    for dialect in SIGNING_DIALECTS {
        let (mut pair, tree) = signing(dialect);
        let (op, message) = ask(&mut pair, tree);
        pair.give_server(&message);
        let mut reply = answer(&mut pair);
        unsign(&mut reply);
        pair.give_client(&reply);
        assert!(matches!(pair.result(op), Err(OpError::Gone(client::CloseReason::Violation(_)))));
    }
}

#[test]
fn a_client_refuses_a_wrong_signature() {
    for dialect in SIGNING_DIALECTS {
        for at in [SIGNATURE, 66, 85] {
            let (mut pair, tree) = signing(dialect);
            let (op, message) = ask(&mut pair, tree);
            pair.give_server(&message);
            let mut reply = answer(&mut pair);
            reply[at] ^= 1;
            pair.give_client(&reply);
            assert!(matches!(pair.result(op), Err(OpError::Gone(client::CloseReason::NotAuthentic(_)))));
        }
    }
}

#[test]
fn a_client_that_signs_by_choice_wants_signed_answers_too() {
    let mut config = PairConfig::default();
    config.client.require_signing = true;
    let (mut pair, tree) = connected(config);
    let (op, message) = ask(&mut pair, tree);
    assert!(Header::decode(&message).unwrap().flags.contains(Flags::SIGNED));
    pair.give_server(&message);
    let mut reply = answer(&mut pair);
    unsign(&mut reply);
    pair.give_client(&reply);
    assert!(pair.result(op).is_err());
}

/// A READ in the clear on a session that is known to encrypt.
fn clear_read(tree: TreeRef, message_id: u64) -> Vec<u8> {
    let header = Header {
        command: sansmb::wire::Command::READ,
        credit_charge: 1,
        credits: 1,
        message_id,
        tree_id: tree.tree,
        session_id: tree.session,
        ..Default::default()
    };
    let mut message = Vec::new();
    let mut writer = Writer::new(&mut message);
    header.encode(&mut writer);
    sansmb::wire::Body::encode(&read(), &mut writer);
    message
}

#[test]
fn a_server_refuses_a_request_in_the_clear_on_an_encrypted_session() {
    for dialect in [Dialect::SMB3_0, Dialect::SMB3_0_2, Dialect::SMB3_1_1] {
        let (mut pair, tree) = encrypting(dialect);
        pair.give_server(&clear_read(tree, 5));
        assert!(pair.server_events.is_empty(), "{dialect} {:?}", pair.server_events);
        let answers = pair.take_server();
        assert_eq!(answers.first().map(|a| status(a)), Some(NtStatus::ACCESS_DENIED), "{dialect}");
    }
}

#[test]
fn a_server_refuses_a_request_in_the_clear_on_an_encrypted_share() {
    let (mut pair, tree) = connected(PairConfig { encrypt_share: true, ..PairConfig::default() });
    pair.give_server(&clear_read(tree, 4));
    assert!(pair.server_events.is_empty());
    assert_eq!(status(&pair.take_server()[0]), NtStatus::ACCESS_DENIED);
}

#[test]
fn a_server_ends_a_connection_whose_encrypted_message_was_changed() {
    for dialect in [Dialect::SMB3_0, Dialect::SMB3_1_1] {
        // Tag, nonce, size, session and text.
        for at in [4, 20, 44, 52, 100] {
            let (mut pair, tree) = encrypting(dialect);
            let (_, mut message) = ask(&mut pair, tree);
            message[at] ^= 1;
            pair.give_server(&message);
            assert!(!pair.server_events.iter().any(|e| matches!(e, Event::Read(_))));
            assert!(pair.server_closed().is_some(), "{dialect} accepted a change at {at}");
            assert!(pair.take_server().is_empty(), "nothing may tell why");
        }
    }
}

#[test]
fn a_client_ends_a_connection_whose_encrypted_answer_was_changed() {
    for at in [4, 20, 44, 52, 100] {
        let (mut pair, tree) = encrypting(Dialect::SMB3_1_1);
        let (op, message) = ask(&mut pair, tree);
        pair.give_server(&message);
        let mut reply = answer(&mut pair);
        reply[at] ^= 1;
        pair.give_client(&reply);
        assert!(matches!(pair.result(op), Err(OpError::Gone(_))), "accepted a change at {at}");
    }
}

#[test]
fn a_client_refuses_an_answer_in_the_clear_to_an_encrypted_request() {
    let (mut pair, tree) = encrypting(Dialect::SMB3_1_1);
    let (op, message) = ask(&mut pair, tree);
    pair.give_server(&message);
    let _ = answer(&mut pair);
    let header = Header {
        command: sansmb::wire::Command::READ,
        flags: Flags::SERVER_TO_REDIR,
        message_id: 4,
        tree_id: tree.tree,
        session_id: tree.session,
        ..Default::default()
    };
    let mut reply = Vec::new();
    header.encode(&mut Writer::new(&mut reply));
    reply.extend_from_slice(&[17, 0, 80, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7]);
    pair.give_client(&reply);
    assert!(matches!(pair.result(op), Err(OpError::Gone(client::CloseReason::Violation(_)))));
}

#[test]
fn a_replayed_request_ends_the_connection() {
    for encrypted in [false, true] {
        let (mut pair, tree) =
            if encrypted { encrypting(Dialect::SMB3_1_1) } else { signing(Dialect::SMB3_1_1) };
        let (_, message) = ask(&mut pair, tree);
        pair.give_server(&message);
        assert_eq!(pair.server_events.len(), 1);
        pair.give_server(&message);
        assert_eq!(pair.server_events.iter().filter(|e| matches!(e, Event::Read(_))).count(), 1);
        assert!(matches!(pair.server_closed(), Some(server::CloseReason::Credits(_))));
    }
}

#[test]
fn a_replayed_answer_is_thrown_away() {
    let (mut pair, tree) = signing(Dialect::SMB3_1_1);
    let (op, message) = ask(&mut pair, tree);
    pair.give_server(&message);
    let reply = answer(&mut pair);
    pair.give_client(&reply);
    pair.result(op).expect("the first answer counts");
    pair.give_client(&reply);
    assert!(!pair.client_events.iter().any(|e| matches!(e, client::Event::Done { .. })));
    assert!(pair.client.close_reason().is_none());
}

#[test]
fn a_server_that_requires_encryption_refuses_a_client_that_cannot() {
    let mut config = PairConfig::default();
    config.server.encryption = EncryptionPolicy::Required;
    config.client.max_dialect = Dialect::SMB2_1;
    let error = Pair::new(config).log_on("secret").unwrap_err();
    assert_eq!(error.status(), Some(NtStatus::ACCESS_DENIED));
}

#[test]
fn a_client_that_requires_encryption_refuses_a_server_that_cannot() {
    let mut config = PairConfig::default();
    config.client.encryption = EncryptionPolicy::Required;
    config.server.encryption = EncryptionPolicy::Off;
    let error = Pair::new(config).log_on("secret").unwrap_err();
    assert!(matches!(error, OpError::Gone(client::CloseReason::Incompatible(_))));
}

#[test]
fn n16_an_unsigned_tree_connect_of_3_1_1_ends_the_connection() {
    let mut pair = Pair::new(PairConfig::default());
    let session = pair.log_on("secret").unwrap();
    pair.client.tree_connect(session, r"\\server\share", pair.now);
    let mut message = pair.take_client().remove(0);
    unsign(&mut message);
    pair.give_server(&message);
    assert!(matches!(pair.server_closed(), Some(server::CloseReason::Violation(_))));
}

/// Negotiates with a man in the middle who changes the request or the response.
fn tampered(
    config: PairConfig,
    mut request: impl FnMut(&mut Vec<u8>),
    mut response: impl FnMut(&mut Vec<u8>),
) -> (Pair, bool) {
    let mut pair = Pair::new(config);
    for mut message in pair.take_client() {
        request(&mut message);
        pair.give_server(&message);
    }
    for mut message in pair.take_server() {
        response(&mut message);
        pair.give_client(&message);
    }
    let connected = pair.connect().is_ok();
    (pair, connected)
}

#[test]
fn m9_a_changed_negotiate_is_noticed_with_3_1_1() {
    let (_, connected) = tampered(PairConfig::default(), |_| {}, |_| {});
    assert!(connected);
    // A byte of the salt: nobody but the hash looks at it.
    let salt = |message: &mut Vec<u8>| {
        let at = message.windows(4).position(|w| w == [2, 2, 2, 2]).expect("the client's salt");
        message[at] ^= 1;
    };
    let (_, connected) = tampered(PairConfig::default(), salt, |_| {});
    assert!(!connected);
    // The server's clock in the response.
    let (_, connected) = tampered(PairConfig::default(), |_| {}, |message| message[HEADER_LEN + 44] ^= 1);
    assert!(!connected);
}

#[test]
fn n18_a_downgrade_to_3_0_is_noticed_by_the_validation() {
    // The client offers up to 3.1.1; somebody takes the newest dialects away.
    let downgrade = |message: &mut Vec<u8>| {
        let dialects = HEADER_LEN + 36;
        // 2.0.2, 2.1, 3.0, 3.0.2, 3.1.1: three remain.
        message[HEADER_LEN + 2] = 3;
        assert_eq!(message[dialects..dialects + 2], Dialect::SMB2_0_2.0.to_le_bytes());
    };
    let (mut pair, connected) = tampered(PairConfig::default(), downgrade, |_| {});
    assert_eq!(pair.client.agreement().map(|a| a.dialect), Some(Dialect::SMB3_0));
    assert!(!connected);
    assert!(matches!(pair.server_closed(), Some(server::CloseReason::Violation(_))));
}

#[test]
fn n18_a_cleared_capability_is_noticed_by_the_validation() {
    let mut config = PairConfig::default();
    config.client.max_dialect = Dialect::SMB3_0;
    let clear = |message: &mut Vec<u8>| message[HEADER_LEN + 8] &= !(Capabilities::ENCRYPTION.bits() as u8);
    let (_, connected) = tampered(config, clear, |_| {});
    assert!(!connected);
}

#[test]
fn m9_a_dialect_or_cipher_that_was_not_offered_is_refused() {
    let mut config = PairConfig::default();
    config.client.max_dialect = Dialect::SMB3_0;
    let dialect = |message: &mut Vec<u8>| {
        message[HEADER_LEN + 4..HEADER_LEN + 6].copy_from_slice(&Dialect::SMB3_0_2.0.to_le_bytes());
    };
    let (pair, connected) = tampered(config, |_| {}, dialect);
    assert!(!connected);
    assert!(matches!(pair.client.close_reason(), Some(client::CloseReason::Incompatible(_))));

    let mut config = PairConfig::default();
    config.client.ciphers = vec![Cipher::AES_256_GCM];
    let cipher = |message: &mut Vec<u8>| {
        // ContextType 2, DataLength 4, reserved, CipherCount 1, cipher.
        let context = [2, 0, 4, 0, 0, 0, 0, 0, 1, 0, 4, 0];
        let at = message.windows(12).position(|w| w == context).expect("the encryption context");
        message[at + 10] = 1;
    };
    let (pair, connected) = tampered(config, |_| {}, cipher);
    assert!(!connected);
    assert!(matches!(pair.client.close_reason(), Some(client::CloseReason::Violation(_))));
}

#[test]
fn m9_guest_where_a_user_was_asked_for_is_refused_unless_allowed() {
    for (allow_guest, require_signing, expected) in
        [(false, false, false), (true, false, true), (true, true, false)]
    {
        let mut config =
            PairConfig { map_to_guest: sansmb_auth::MapToGuest::BadPassword, ..PairConfig::default() };
        config.client.allow_guest = allow_guest;
        config.client.require_signing = require_signing;
        let result = Pair::new(config).log_on("wrong");
        assert_eq!(result.is_ok(), expected, "{allow_guest} {require_signing} {result:?}");
    }
}

#[test]
fn a_server_that_requires_signing_lets_no_guest_in() {
    let mut config =
        PairConfig { map_to_guest: sansmb_auth::MapToGuest::BadPassword, ..PairConfig::default() };
    config.server.require_signing = true;
    config.client.allow_guest = true;
    assert!(Pair::new(config).log_on("wrong").is_err());
}

#[test]
fn f7_encrypted_for_an_unknown_session_ends_the_connection() {
    let (mut pair, tree) = encrypting(Dialect::SMB3_1_1);
    let (_, mut message) = ask(&mut pair, tree);
    message[44..52].copy_from_slice(&99u64.to_le_bytes());
    pair.give_server(&message);
    assert!(pair.server_closed().is_some());
    assert!(pair.take_server().is_empty());
}

#[test]
fn n13_requests_after_logoff_find_no_session() {
    let (mut pair, tree) = signing(Dialect::SMB3_1_1);
    let (_, message) = ask(&mut pair, tree);
    let op = pair.client.log_off(tree.session, pair.now);
    pair.run();
    pair.result(op).unwrap();
    pair.give_server(&message);
    assert!(pair.server_events.is_empty());
    assert_eq!(status(&pair.take_server()[0]), NtStatus::USER_SESSION_DELETED);
}

#[test]
fn nobody_authenticated_in_time_ends_the_connection() {
    let mut pair = Pair::new(PairConfig::default());
    pair.run();
    pair.server.handle_timeout(now(44_000));
    assert!(pair.server_closed().is_none());
    pair.server.handle_timeout(now(46_000));
    assert_eq!(pair.server_closed(), Some(server::CloseReason::Timeout));
}

#[test]
fn a_request_on_a_session_of_somebody_else_is_refused() {
    let (mut pair, tree) = signing(Dialect::SMB3_1_1);
    let stranger = TreeRef { session: SessionId(tree.session.0 + 1), tree: TreeId(1) };
    pair.give_server(&clear_read(stranger, 4));
    assert_eq!(status(&pair.take_server()[0]), NtStatus::USER_SESSION_DELETED);
}

#[test]
fn the_servers_word_on_signing_is_kept() {
    let (pair, _) = signing(Dialect::SMB3_1_1);
    assert!(pair.client.agreement().unwrap().signing_required);
    let _ = SecurityMode::SIGNING_REQUIRED;
}

/// Both sides require encryption, and say so much of the transport.
fn over_secure_transport(client: bool, server: bool, share: bool) -> PairConfig {
    let mut config = PairConfig { encrypt_share: share, ..PairConfig::default() };
    (config.client.encryption, config.server.encryption) =
        (EncryptionPolicy::Required, EncryptionPolicy::Required);
    (config.client.secure_transport, config.server.secure_transport) = (client, server);
    config
}

#[test]
fn encryption_is_left_to_the_transport_where_both_sides_say_so() {
    for (client, server, share) in
        [(true, true, false), (true, true, true), (true, false, true), (false, true, false)]
    {
        let (mut pair, tree) = connected(over_secure_transport(client, server, share));
        let (op, request) = ask(&mut pair, tree);
        let clear = request.starts_with(b"\xfeSMB");
        assert_eq!(clear, client && server, "{client} {server} {share}");
        pair.give_server(&request);
        let response = answer(&mut pair);
        assert_eq!(response.starts_with(b"\xfeSMB"), clear);
        pair.give_client(&response);
        assert!(pair.result(op).is_ok());
    }
}

#[test]
fn a_secure_transport_does_without_a_common_cipher() {
    let mut config = over_secure_transport(true, true, true);
    config.client.ciphers = vec![Cipher::AES_256_GCM];
    config.server.ciphers = vec![Cipher::AES_128_GCM];
    connected(config);
    let mut config = over_secure_transport(true, false, true);
    config.client.ciphers = vec![Cipher::AES_256_GCM];
    config.server.ciphers = vec![Cipher::AES_128_GCM];
    assert!(Pair::new(config).connect().is_err());
}

#[test]
fn a_server_cannot_talk_a_client_out_of_encryption() {
    // The client said nothing of its transport, and a dialect before 3.1.1 has no word for it.
    for (client, dialect) in [(false, Dialect::SMB3_1_1), (true, Dialect::SMB3_0_2)] {
        let mut config = over_secure_transport(client, true, false);
        config.client.max_dialect = dialect;
        let (mut pair, tree) = connected(config);
        assert!(ask(&mut pair, tree).1.starts_with(b"\xfdSMB"));
    }
}
