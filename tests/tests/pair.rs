//! Client against server in memory: every dialect, signer and cipher.

use sansmb::{
    client::{EncryptionPolicy, Outcome, Payload},
    op,
    server::{Event, Reply},
    time::Now,
    wire::{Cipher, Dialect, FileId, NtStatus, ReadRequest, SigningAlgorithm},
};
use sansmb_tests::{Pair, PairConfig, now};

fn read_round_trip(pair: &mut Pair) {
    let tree = pair.connect().expect("connect");
    let request =
        ReadRequest { length: 100_000, file_id: FileId { persistent: 1, volatile: 2 }, ..Default::default() };
    let length = if pair.client.agreement().unwrap().dialect == Dialect::SMB2_0_2 { 60_000 } else { 100_000 };
    let op = pair.client.request::<op::Read>(tree, &ReadRequest { length, ..request }, pair.now);
    pair.run();
    let Some(Event::Read(read)) = pair.server_events.pop_front() else { panic!("no READ arrived") };
    let data: Vec<u8> = (0..length).map(|i| i as u8).collect();
    pair.server.respond(read.token, Ok(Reply::shared(data.clone().into()))).unwrap();
    pair.run();
    let Outcome::Response(response) = pair.result(op).expect("READ") else { panic!("wrong outcome") };
    assert_eq!(response.read_data().unwrap(), data);
    let op = pair.client.log_off(tree.session, pair.now);
    pair.run();
    pair.result(op).expect("LOGOFF");
    assert!(pair.server.sessions().is_empty());
}

#[test]
fn every_dialect_reads_unsigned_signed_and_encrypted() {
    for dialect in Dialect::ALL {
        for (sign, encrypt) in [(false, false), (true, false), (true, true)] {
            if encrypt && !dialect.is_smb3() {
                continue;
            }
            let mut config = PairConfig::default();
            config.server.max_dialect = dialect;
            config.client.require_signing = sign;
            if encrypt {
                config.client.encryption = EncryptionPolicy::Required;
            }
            let mut pair = Pair::new(config);
            read_round_trip(&mut pair);
            assert_eq!(pair.client.agreement().unwrap().dialect, dialect);
        }
    }
}

#[test]
fn every_cipher_and_signer_of_3_1_1_works() {
    for cipher in [Cipher::AES_128_CCM, Cipher::AES_128_GCM, Cipher::AES_256_CCM, Cipher::AES_256_GCM] {
        for signer in [SigningAlgorithm::HMAC_SHA256, SigningAlgorithm::AES_CMAC, SigningAlgorithm::AES_GMAC]
        {
            for encrypt in [false, true] {
                let mut config = PairConfig::default();
                config.client.ciphers = vec![cipher];
                config.client.signing_algorithms = vec![signer];
                config.client.require_signing = true;
                config.encrypt_share = encrypt;
                let mut pair = Pair::new(config);
                read_round_trip(&mut pair);
                let agreement = pair.client.agreement().unwrap();
                assert_eq!((agreement.cipher, agreement.signing), (Some(cipher), signer));
            }
        }
    }
}

#[test]
fn a_multi_protocol_negotiate_leads_to_every_dialect() {
    for dialect in Dialect::ALL {
        let mut config = PairConfig::default();
        config.server.max_dialect = dialect;
        config.client.multi_protocol =
            Some(["NT LM 0.12", "SMB 2.002", "SMB 2.???"].map(String::from).to_vec());
        let mut pair = Pair::new(config);
        read_round_trip(&mut pair);
        assert_eq!(pair.client.agreement().unwrap().dialect, dialect);
    }
}

#[test]
fn any_chunking_equals_one_chunk() {
    for chunk in [1, 2, 3, 7, 63, 64, 65, 1000] {
        let mut pair = Pair::new(PairConfig::default());
        pair.chunks = vec![chunk];
        read_round_trip(&mut pair);
    }
}

#[test]
fn a_quiet_connection_gives_back_the_room_that_a_busy_one_takes() {
    let mut pair = Pair::new(PairConfig::default());
    let tree = pair.connect().expect("connect");
    let room = |pair: &mut Pair| pair.server.recv_target(pair.conn).map_or(0, |room| room.len());
    assert!(room(&mut pair) <= 4096, "little came so far");
    for at in [0, 20_000, 40_000] {
        let data = Payload::from(bytes::Bytes::from(vec![7; 20_000]));
        pair.client.write(tree, FileId { persistent: 1, volatile: 2 }, at, data, pair.now);
    }
    pair.run();
    assert_eq!(pair.server_events.len(), 3);
    assert!(room(&mut pair) > 4096, "much came at once");
    pair.advance(now(200));
    let echo = pair.client.echo(tree.session, pair.now);
    pair.run();
    pair.result(echo).expect("ECHO");
    let due = pair.server.poll_timeout().expect("it will be quiet some time");
    pair.advance(Now { mono: due, ..pair.now });
    assert!(room(&mut pair) > 4096, "it was not quiet for long");
    let due = pair.server.poll_timeout().expect("it may be quiet now");
    pair.advance(Now { mono: due, ..pair.now });
    assert_eq!(room(&mut pair), 4096);
    assert_eq!(pair.server.poll_timeout(), None);
}

#[test]
fn a_wrong_password_is_a_logon_failure() {
    let mut pair = Pair::new(PairConfig::default());
    let error = pair.log_on("wrong").unwrap_err();
    assert_eq!(error.status(), Some(NtStatus::LOGON_FAILURE));
    assert!(pair.server.sessions().is_empty());
}
