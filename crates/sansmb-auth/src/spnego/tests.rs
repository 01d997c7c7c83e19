//! Exchanges of smbclient and smbd 4.17.12, as they were on the wire.

use std::{string::String, sync::Arc, vec::Vec};

use sansmb::{
    auth::{Acceptor, AuthError, Mechanism, Step},
    wire::FileTime,
};

use super::token::{self, NTLMSSP, NegState, NegTokenResp, Token};
use crate::{
    AcceptorConfig, ClientParams, Credentials, SpnegoAcceptor, SpnegoClient, UserTable,
    ntlm::{Security, Side},
};

struct Capture {
    name: String,
    json: serde_json::Value,
}

impl Capture {
    fn all() -> Vec<Self> {
        let json = include_str!("../../../../testdata/vectors/spnego_samba.json");
        let captures: serde_json::Map<String, serde_json::Value> = serde_json::from_str(json).unwrap();
        captures.into_iter().map(|(name, json)| Self { name, json }).collect()
    }

    fn text(&self, key: &str) -> &str {
        self.json[key].as_str().unwrap()
    }

    fn bytes(&self, key: &str) -> Vec<u8> {
        hex::decode(self.text(key)).unwrap()
    }

    /// Smbd as it was in this capture.
    fn server(&self, password: &str) -> (SpnegoAcceptor, std::boxed::Box<dyn Mechanism>) {
        let mut users = UserTable::new();
        users.add_password(self.text("user"), password);
        let config = AcceptorConfig {
            dns_name: "vm".into(),
            ..AcceptorConfig::new(self.text("domain"), Arc::new(users))
        };
        let challenge = self.bytes("challenge");
        let Token::Resp(NegTokenResp { response_token: Some(ntlm), .. }) = Token::parse(&challenge).unwrap()
        else {
            panic!("{}: no challenge", self.name)
        };
        let mut random = [0; 32];
        random[..8].copy_from_slice(&ntlm[24..32]);
        let time = &ntlm[ntlm.len() - 12..ntlm.len() - 4];
        let acceptor = SpnegoAcceptor::new(config);
        let exchange = acceptor.accept(FileTime(u64::from_le_bytes(time.try_into().unwrap())), random);
        (acceptor, exchange)
    }
}

#[test]
fn our_server_speaks_like_smbd_byte_for_byte() {
    for capture in Capture::all() {
        let (acceptor, mut server) = capture.server(capture.text("password"));
        assert_eq!(acceptor.hint(), capture.bytes("hint"), "{}", capture.name);
        let Step::Send(challenge) = server.step(&capture.bytes("negotiate")).unwrap() else { panic!() };
        assert_eq!(hex::encode(challenge), capture.text("challenge"), "{}", capture.name);
        let step = server.step(&capture.bytes("authenticate")).unwrap();
        let Step::Done { token, identity, session_key } = step else { panic!() };
        assert_eq!(hex::encode(token), capture.text("accept"), "{}", capture.name);
        assert_eq!(session_key.as_bytes(), capture.bytes("session_key"), "{}", capture.name);
        assert_eq!((identity.user.as_str(), identity.domain.as_str()), ("root", "PEERS"));
    }
}

#[test]
fn a_wrong_password_fails_on_captures_too() {
    for capture in Capture::all() {
        let (_, mut server) = capture.server("pass2");
        server.step(&capture.bytes("negotiate")).unwrap();
        let error = server.step(&capture.bytes("authenticate")).unwrap_err();
        assert_eq!(error, AuthError::LogonFailure, "{}", capture.name);
    }
}

#[test]
fn every_changed_bit_of_a_captured_token_fails() {
    let capture = &Capture::all()[0];
    let authenticate = capture.bytes("authenticate");
    let key = capture.bytes("session_key");
    for bit in 0..authenticate.len() * 8 {
        let mut token = authenticate.clone();
        token[bit / 8] ^= 1 << (bit % 8);
        let (_, mut server) = capture.server(capture.text("password"));
        server.step(&capture.bytes("negotiate")).unwrap();
        // The MIC covers NTLM's message; what SPNEGO adds is either checked or of no consequence.
        if let Ok(Step::Done { session_key, .. }) = server.step(&token) {
            assert_eq!(session_key.as_bytes(), key, "bit {bit}");
            assert!(!(16..384).contains(&(bit / 8)), "byte {} is in NTLM's message", bit / 8);
        }
    }
}

#[test]
fn truncations_of_captured_tokens_fail() {
    for capture in Capture::all() {
        let negotiate = capture.bytes("negotiate");
        let authenticate = capture.bytes("authenticate");
        for n in 0..negotiate.len() {
            let (_, mut server) = capture.server(capture.text("password"));
            assert!(server.step(&negotiate[..n]).is_err(), "{n}");
        }
        for n in 0..authenticate.len() {
            let (_, mut server) = capture.server(capture.text("password"));
            server.step(&negotiate).unwrap();
            assert!(server.step(&authenticate[..n]).is_err(), "{n}");
        }
    }
}

#[test]
fn our_client_takes_what_smbd_sent() {
    for capture in Capture::all() {
        let mut client = SpnegoClient::new(
            Credentials::password("root", "PEERS", "pass1"),
            ClientParams {
                random: [7; 32],
                target_spn: Some("cifs/127.0.0.1".into()),
                ..ClientParams::default()
            },
        );
        let Step::Send(_) = client.step(&capture.bytes("hint")).unwrap() else { panic!() };
        let challenge = capture.bytes("challenge");
        for n in 0..challenge.len() {
            assert!(Token::parse(&challenge[..n]).is_err(), "{n}");
        }
        let Step::Send(token) = client.step(&challenge).unwrap() else { panic!() };
        // Smbd's first messages with our last one satisfy our server, up to the MIC: it covers our
        // own NEGOTIATE message, which differs from smbclient's.
        let Token::Resp(resp) = Token::parse(&token).unwrap() else { panic!() };
        assert!(resp.mech_list_mic.is_some());
        // The key is another one now, so smbd's MIC cannot match.
        assert_eq!(client.step(&capture.bytes("accept")).unwrap_err(), AuthError::LogonFailure);
    }
}

#[test]
fn captured_mics_verify_with_the_captured_key() {
    for capture in Capture::all() {
        let flags = crate::ntlm::NegotiateFlags::from_bits_retain(0x6208_8215);
        let security = Security::new(capture.bytes("session_key").try_into().unwrap(), flags);
        for (token, side) in [("authenticate", Side::Client), ("accept", Side::Server)] {
            let bytes = capture.bytes(token);
            let Token::Resp(resp) = Token::parse(&bytes).unwrap() else { panic!() };
            let mic = resp.mech_list_mic.unwrap();
            assert!(security.verify(side, &token::ntlm_mech_list(), mic), "{} {token}", capture.name);
        }
    }
}

#[test]
fn the_clients_first_token_parses_back() {
    let bytes = token::build_init(&token::ntlm_mech_list(), b"token");
    let Token::Init(init) = Token::parse(&bytes).unwrap() else { panic!() };
    assert_eq!(init.mech_list, token::ntlm_mech_list());
    assert_eq!(init.mech_token, Some(&b"token"[..]));
    assert_eq!(init.ntlm_position(), Ok(Some(0)));
}

#[test]
fn neg_token_resp_survives_a_round_trip() {
    for length in [0, 1, 127, 128, 255, 256, 65_535, 65_536] {
        let long = std::vec![9; length];
        let resp = NegTokenResp {
            state: Some(NegState::RequestMic),
            supported_mech: Some(NTLMSSP),
            response_token: Some(&long),
            mech_list_mic: Some(&[1; 16]),
        };
        let bytes = resp.build();
        let Token::Resp(back) = Token::parse(&bytes).unwrap() else { panic!() };
        assert_eq!(std::format!("{back:?}"), std::format!("{resp:?}"));
    }
}
