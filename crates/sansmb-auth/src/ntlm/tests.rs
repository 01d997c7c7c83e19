//! The numbers of [MS-NLMP] 4.2 that touch NTLMv2.

use std::{string::String, vec::Vec};

use super::{
    av,
    flags::NegotiateFlags,
    keys::{self, Security, Side},
    message::{self, Authenticate, Challenge},
};
use crate::{hash, nt_hash, text};

struct Vectors(serde_json::Value);

impl Vectors {
    fn load() -> Self {
        let json = include_str!("../../../../testdata/vectors/ntlm.json");
        Self(serde_json::from_str(json).unwrap())
    }

    fn get(&self, table: &str, name: &str) -> Vec<u8> {
        hex::decode(self.0[table][name].as_str().unwrap()).unwrap()
    }

    fn value(&self, name: &str) -> Vec<u8> {
        self.get("values", name)
    }
}

const SERVER_CHALLENGE: [u8; 8] = [0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef];
const CLIENT_CHALLENGE: [u8; 8] = [0xaa; 8];
const RANDOM_SESSION_KEY: [u8; 16] = [0x55; 16];

fn v2_key() -> [u8; 16] {
    keys::response_key(&nt_hash("Password"), &text::utf16le("User"), &text::utf16le("Domain"))
}

fn v2_proof(vectors: &Vectors) -> [u8; 16] {
    keys::nt_proof(&v2_key(), &SERVER_CHALLENGE, &vectors.value("temp"))
}

#[test]
fn nt_hash_of_4_2_2_1_2() {
    assert_eq!(nt_hash("Password")[..], Vectors::load().value("NTOWFv1"));
}

#[test]
fn ntowfv2_of_4_2_4_1_1() {
    assert_eq!(v2_key()[..], Vectors::load().value("NTOWFv2"));
}

#[test]
fn temp_of_4_2_4_1_3() {
    let mut pairs = Vec::new();
    av::push(&mut pairs, av::NB_DOMAIN_NAME, &text::utf16le("Domain")).unwrap();
    av::push(&mut pairs, av::NB_COMPUTER_NAME, &text::utf16le("Server")).unwrap();
    av::end(&mut pairs);
    let temp = keys::client_challenge(&[0; 8], &CLIENT_CHALLENGE, &pairs);
    assert_eq!(temp, Vectors::load().value("temp"));
}

#[test]
fn responses_and_base_key_of_4_2_4() {
    let vectors = Vectors::load();
    let proof = v2_proof(&vectors);
    assert_eq!(proof[..], vectors.value("v2 NTProofStr"));
    assert_eq!(keys::session_base_key(&v2_key(), &proof)[..], vectors.value("v2 SessionBaseKey"));
    let lm = keys::lm_response(&v2_key(), &SERVER_CHALLENGE, &CLIENT_CHALLENGE);
    assert_eq!(lm[..], vectors.value("v2 LMv2Response"));
}

#[test]
fn encrypted_session_key_of_4_2_4_2_3() {
    let vectors = Vectors::load();
    let mut key = RANDOM_SESSION_KEY;
    hash::rc4k(&keys::session_base_key(&v2_key(), &v2_proof(&vectors)), &mut key);
    assert_eq!(key[..], vectors.value("v2 EncryptedRandomSessionKey"));
}

#[test]
fn session_security_of_4_2_4_4() {
    let vectors = Vectors::load();
    let security = Security::new(RANDOM_SESSION_KEY, NegotiateFlags::from_bits_retain(0xe28a_8233));
    assert_eq!(security.sealing_key(Side::Client)[..], vectors.value("v2 SealKey"));
    assert_eq!(security.signing_key(Side::Client)[..], vectors.value("v2 SignKey"));
    let plain = text::utf16le("Plaintext");
    let mac = hash::hmac_md5(&security.signing_key(Side::Client), &[&[0; 4], &plain]);
    assert_eq!(mac[..8], vectors.value("v2 checksum"));
    // GSS_WrapEx encrypts the message before the checksum; a MIC alone starts with the checksum.
    let mut sealed = plain;
    sealed.extend_from_slice(&mac[..8]);
    hash::rc4k(&security.sealing_key(Side::Client), &mut sealed);
    let expected = [vectors.value("v2 sealed data"), vectors.value("v2 checksum RC4")].concat();
    assert_eq!(sealed, expected);
}

#[test]
fn sealing_key_of_56_bits_of_4_2_3_4() {
    // Extended session security is one thing for NTLMv1 and NTLMv2; here the exported session key
    // is the KeyExchangeKey.
    let vectors = Vectors::load();
    let exported: [u8; 16] = vectors.value("v1-ESS KeyExchangeKey").try_into().unwrap();
    let flags = NegotiateFlags::from_bits_retain(0x820a_8233);
    let security = Security::new(exported, flags);
    assert_eq!(security.sealing_key(Side::Client)[..], vectors.value("v1-ESS SealKey(56)"));
    assert_eq!(security.signing_key(Side::Client)[..], vectors.value("v1-ESS SignKey"));
    let plain = text::utf16le("Plaintext");
    // Without key exchange the checksum goes in the clear.
    let signature = security.sign(Side::Client, &plain).unwrap();
    assert_eq!(signature[4..12], vectors.value("v1-ESS checksum"));
    assert_eq!(signature[..4], [1, 0, 0, 0]);
    assert_eq!(signature[12..], [0; 4]);
}

#[test]
fn challenge_of_4_2_4_3_parses() {
    let bytes = Vectors::load().get("messages", "v2_CHALLENGE");
    let challenge = Challenge::parse(&bytes).unwrap();
    assert_eq!(challenge.flags.bits(), 0xe28a_8233);
    assert_eq!(challenge.server_challenge, SERVER_CHALLENGE);
    assert_eq!(challenge.target_name, text::utf16le("Server"));
    let pairs = av::Pairs::parse(challenge.target_info, challenge.target_info_at).unwrap();
    let (domain, server) = (text::utf16le("Domain"), text::utf16le("Server"));
    assert_eq!(
        pairs.iter().collect::<Vec<_>>(),
        [(av::NB_DOMAIN_NAME, &domain[..]), (av::NB_COMPUTER_NAME, &server)]
    );
}

#[test]
fn authenticate_of_4_2_4_3_parses() {
    let vectors = Vectors::load();
    let bytes = vectors.get("messages", "v2_AUTHENTICATE");
    let message = Authenticate::parse(&bytes).unwrap();
    assert_eq!(message.user, text::utf16le("User"));
    assert_eq!(message.domain, text::utf16le("Domain"));
    assert_eq!(message.workstation, text::utf16le("COMPUTER"));
    assert_eq!(message.lm_response, vectors.value("v2 LMv2Response"));
    assert_eq!(message.nt_response, [v2_proof(&vectors).to_vec(), vectors.value("temp")].concat());
    assert_eq!(message.encrypted_session_key, vectors.value("v2 EncryptedRandomSessionKey"));
    assert!(!message.has_mic_field, "this old message has its payload where the MIC would be");
}

/// A log-on between two Windows machines, with the numbers that Microsoft published for it.
#[test]
fn a_log_on_of_windows_gives_the_keys_that_were_published() {
    let vectors = Vectors::load();
    let value = |name: &str| vectors.get("windows", name);
    let hash = nt_hash("Password01!");
    assert_eq!(hash[..], value("NtHash"));
    let key = keys::response_key(&hash, &text::utf16le("ADMINISTRATOR"), &text::utf16le("SUT311"));
    assert_eq!(key[..], value("NTOWFv2"));
    let (negotiate, challenge, sent) = (value("negotiate"), value("challenge"), value("authenticate"));
    let server_challenge = Challenge::parse(&challenge).unwrap().server_challenge;
    assert_eq!(server_challenge[..], value("ServerChallenge"));
    let message = Authenticate::parse(&sent).unwrap();
    let (said, temp) = message.nt_response.split_at(16);
    let proof = keys::nt_proof(&key, &server_challenge, temp);
    assert_eq!((&proof[..], said), (&value("NTProofStr")[..], &proof[..]));
    let exchange = keys::session_base_key(&key, &proof);
    assert_eq!(exchange[..], value("KeyExchangeKey"));
    assert_eq!(message.encrypted_session_key, value("EncryptedRandomSessionKey"));
    let mut exported: [u8; 16] = message.encrypted_session_key.try_into().unwrap();
    hash::rc4k(&exchange, &mut exported);
    assert_eq!(exported[..], value("ExportedSessionKey"));
    let security = Security::new(exported, message.flags);
    assert_eq!(security.signing_key(Side::Client)[..], value("ClientSigningKey"));
    assert_eq!(security.signing_key(Side::Server)[..], value("ServerSigningKey"));
    assert_eq!(security.sealing_key(Side::Client)[..], value("ClientSealingKey"));
    assert_eq!(security.sealing_key(Side::Server)[..], value("ServerSealingKey"));
    assert_eq!(
        keys::mic(&exported, &negotiate, &challenge, &[&sent[..72], &[0; 16], &sent[88..]])[..],
        value("MIC")
    );
    assert_eq!(sent[72..88], value("MIC"));
}

#[test]
fn every_truncation_of_a_message_is_an_error_or_keeps_within_it() {
    let vectors = Vectors::load();
    let challenge = vectors.get("messages", "v2_CHALLENGE");
    let authenticate = vectors.get("messages", "v2_AUTHENTICATE");
    for n in 0..challenge.len() {
        assert!(Challenge::parse(&challenge[..n]).is_err(), "{n}");
    }
    for n in 0..authenticate.len() {
        assert!(Authenticate::parse(&authenticate[..n]).is_err(), "{n}");
    }
    let negotiate = message::build_negotiate();
    for n in 0..16 {
        assert!(message::parse_negotiate(&negotiate[..n]).is_err(), "{n}");
    }
}

#[test]
fn messages_survive_a_round_trip() {
    let (user, domain) = (text::utf16le("ü\u{1f600}"), text::utf16le("D"));
    let message = Authenticate {
        flags: NegotiateFlags::CLIENT,
        lm_response: &[1; 24],
        nt_response: &[2; 60],
        nt_response_at: 0,
        domain: &domain,
        user: &user,
        workstation: &[],
        encrypted_session_key: &[3; 16],
        has_mic_field: true,
    };
    let bytes = message.build().unwrap();
    let back = Authenticate::parse(&bytes).unwrap();
    assert_eq!(bytes[back.nt_response_at..][..60], [2; 60]);
    assert_eq!(std::format!("{:?}", Authenticate { nt_response_at: 0, ..back }), std::format!("{message:?}"));
}

#[test]
fn upper_casing_maps_one_unit_to_one_unit() {
    let up = |text: &str| {
        let bytes = text::upcase_utf16le(&text::utf16le(text));
        let units = bytes.chunks(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
        char::decode_utf16(units).map(Result::unwrap).collect::<String>()
    };
    assert_eq!(up("aZ9é"), "AZ9É");
    assert_eq!(up("straße"), "STRAßE", "one unit stays one unit");
    assert_eq!(up("ŉ"), "ŉ");
    assert_eq!(up("я\u{10428}"), "Я\u{10428}", "surrogates have no case");
    assert_eq!(text::upcase_utf16le(&[0x00, 0xd8]), [0x00, 0xd8], "a lone surrogate stays");
}
