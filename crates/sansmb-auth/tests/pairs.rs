//! Our client against our server, in every flavour.

mod support;

use sansmb::{
    auth::{Acceptor, AuthError, IdentityKind, Mechanism, SessionKey, Step},
    wire::FileTime,
};
use sansmb_auth::{Credentials, MapToGuest, NtlmClient, Secret, SpnegoAcceptor, SpnegoClient, nt_hash};
use support::*;

fn spnego(credentials: Credentials, config: sansmb_auth::AcceptorConfig) -> (Outcome, Outcome) {
    let hint = SpnegoAcceptor::new(config.clone()).hint();
    run(&mut SpnegoClient::new(credentials, params()), &mut *spnego_server(config), &hint)
}

fn both_agree(ends: (Outcome, Outcome), user: &str) {
    let (client, server) = (ends.0.unwrap(), ends.1.unwrap());
    assert_eq!(client.1, server.1);
    assert_eq!(client.1.as_bytes().len(), 16);
    assert_eq!((server.0.user.as_str(), server.0.domain.as_str()), (user, "GROUP"));
    assert_eq!((client.0.kind, server.0.kind), (IdentityKind::User, IdentityKind::User));
}

#[test]
fn password_in_spnego() {
    both_agree(spnego(alice(), config()), "Alice");
}

#[test]
fn the_session_key_is_the_one_the_client_drew() {
    let (client, _) = spnego(alice(), config());
    assert_eq!(client.unwrap().1.as_bytes(), &params().random[8..24]);
}

#[test]
fn nt_hash_in_spnego() {
    both_agree(spnego(Credentials::nt_hash("ALICE", "", nt_hash("secret")), config()), "Alice");
}

#[test]
fn names_and_passwords_beyond_ascii() {
    both_agree(spnego(Credentials::password("üNAL", "dömäne", "pä\u{1f600}"), config()), "Ünal");
}

#[test]
fn without_hint() {
    let ends = run(&mut SpnegoClient::new(alice(), params()), &mut *spnego_server(config()), b"");
    both_agree(ends, "Alice");
}

#[test]
fn bare_ntlm_against_bare_ntlm() {
    let ends = run(&mut NtlmClient::new(alice(), params()), &mut *raw_server(config()), b"");
    both_agree(ends, "Alice");
}

#[test]
fn bare_ntlm_against_spnego_is_answered_bare() {
    let mut client = NtlmClient::new(alice(), params());
    let mut server = spnego_server(config());
    let challenge = sent(server.step(&sent(client.step(b""))));
    assert!(challenge.starts_with(b"NTLMSSP\0\x02"));
    let Step::Done { token, session_key, .. } = client.step(&challenge).unwrap() else { panic!() };
    let Step::Done { token: last, session_key: theirs, .. } = server.step(&token).unwrap() else { panic!() };
    assert_eq!(last, b"");
    assert_eq!(session_key, theirs);
}

#[test]
fn both_sides_send_a_mech_list_mic() {
    let (mut client, mut server) = (SpnegoClient::new(alice(), params()), spnego_server(config()));
    let challenge = sent(server.step(&sent(client.step(b""))));
    let token = sent(client.step(&challenge));
    assert!(contains(&token, &[0xa3, 0x12, 0x04, 0x10, 1, 0, 0, 0]));
    let Step::Done { token, .. } = server.step(&token).unwrap() else { panic!() };
    assert!(contains(&token, &[0xa3, 0x12, 0x04, 0x10, 1, 0, 0, 0]));
    assert!(matches!(client.step(&token), Ok(Step::Done { .. })));
}

#[test]
fn nothing_happens_after_the_end() {
    let (mut client, mut server) = (SpnegoClient::new(alice(), params()), spnego_server(config()));
    run(&mut client, &mut *server, b"").0.unwrap();
    assert!(matches!(client.step(b""), Err(AuthError::Unexpected(_))));
    assert!(matches!(server.step(b""), Err(AuthError::Unexpected(_))));
    let mut server = raw_server(config());
    let mut client = NtlmClient::new(alice(), params());
    run(&mut client, &mut *server, b"").0.unwrap();
    assert!(matches!(client.step(b""), Err(AuthError::Unexpected(_))));
    assert!(matches!(server.step(b""), Err(AuthError::Unexpected(_))));
}

#[test]
fn wrong_password_and_unknown_user_look_the_same() {
    for credentials in [
        Credentials::password("alice", "", "Secret"),
        Credentials::password("alice", "", ""),
        Credentials::password("bob", "", "secret"),
        Credentials::nt_hash("alice", "", [0; 16]),
        // What stands in for the hash of a user who does not exist opens no door.
        Credentials::nt_hash("bob", "", [0x5a; 16]),
    ] {
        let (client, server) = spnego(credentials, config());
        assert_eq!(server.unwrap_err(), AuthError::LogonFailure);
        assert!(client.is_err());
    }
}

#[test]
fn map_to_guest() {
    let wrong = || Credentials::password("alice", "", "wrong");
    let cases = [
        (MapToGuest::Never, Credentials::guest(), false),
        (MapToGuest::Never, wrong(), false),
        (MapToGuest::BadUser, Credentials::guest(), true),
        (MapToGuest::BadUser, Credentials::password("bob", "", "any"), true),
        (MapToGuest::BadUser, wrong(), false),
        (MapToGuest::BadPassword, Credentials::guest(), true),
        (MapToGuest::BadPassword, wrong(), true),
    ];
    for (map, credentials, is_guest) in cases {
        let (client, server) = spnego(credentials, guests(map));
        if is_guest {
            let (identity, key) = server.unwrap();
            assert_eq!((identity.kind, identity.user.as_str()), (IdentityKind::Guest, ""));
            assert_eq!(key, SessionKey::default(), "no key is shared");
            client.expect("the client takes a server without mechListMIC");
        } else {
            assert_eq!(server.unwrap_err(), AuthError::LogonFailure, "{map:?}");
        }
    }
    for map in [MapToGuest::Never, MapToGuest::BadUser, MapToGuest::BadPassword] {
        both_agree(spnego(alice(), guests(map)), "Alice");
    }
}

#[test]
fn map_to_guest_without_spnego() {
    let mut client = NtlmClient::new(Credentials::guest(), params());
    let (_, server) = run(&mut client, &mut *raw_server(guests(MapToGuest::BadUser)), b"");
    assert_eq!(server.unwrap().0.kind, IdentityKind::Guest);
}

#[test]
fn anonymous() {
    let allowed = || sansmb_auth::AcceptorConfig { allow_anonymous: true, ..config() };
    let (client, server) = spnego(Credentials::anonymous(), allowed());
    for end in [client, server] {
        let (identity, key) = end.unwrap();
        assert_eq!(identity.kind, IdentityKind::Anonymous);
        assert_eq!((identity.user.as_str(), key), ("", SessionKey::default()));
    }
    let mut client = NtlmClient::new(Credentials::anonymous(), params());
    let (client, server) = run(&mut client, &mut *raw_server(allowed()), b"");
    assert_eq!(client.unwrap().0.kind, IdentityKind::Anonymous);
    assert_eq!(server.unwrap().0.kind, IdentityKind::Anonymous);

    let (_, server) = spnego(Credentials::anonymous(), config());
    assert_eq!(server.unwrap_err(), AuthError::LogonFailure);
    let (_, server) = spnego(Credentials::anonymous(), guests(MapToGuest::BadPassword));
    assert_eq!(server.unwrap_err(), AuthError::LogonFailure, "a null session is no guest");
}

#[test]
fn anonymous_with_an_empty_lm_response() {
    let mut server = spnego_server(sansmb_auth::AcceptorConfig { allow_anonymous: true, ..config() });
    let mut client = NtlmClient::new(Credentials::anonymous(), params());
    sent(server.step(&sent(client.step(b""))));
    // Without key exchange as well.
    let token = authenticate(0x0208_8a15, [&[]; 6]);
    let Step::Done { identity, .. } = server.step(&token).unwrap() else { panic!() };
    assert_eq!(identity.kind, IdentityKind::Anonymous);
}

/// The NTLM messages of a client that offers `mechs` and sends `first` as optimistic token.
fn mixed_offer(mechs: &[&[u8]], first: Option<&[u8]>) -> (Box<dyn Mechanism>, NtlmClient, Vec<u8>, Vec<u8>) {
    let mut client = NtlmClient::new(alice(), params());
    let negotiate = sent(client.step(b""));
    let mut server = spnego_server(config());
    let reply = sent(server.step(&neg_token_init(mechs, first)));
    (server, client, negotiate, reply)
}

#[test]
fn kerberos_first_is_answered_with_request_mic() {
    for first in [None, Some(&b"a Kerberos token"[..]), Some(b"")] {
        let (mut server, mut client, negotiate, reply) = mixed_offer(&[KERBEROS, NTLMSSP], first);
        let state = tlv(0xa0, &[&[0x0a, 1, 3]]);
        let expected = tlv(0xa1, &[&tlv(0x30, &[&state, &tlv(0xa1, &[&tlv(6, &[NTLMSSP])])])]);
        assert_eq!(reply, expected);
        let challenge = sent(server.step(&neg_token_resp(&negotiate, None)));
        assert!(!contains(&challenge, NTLMSSP), "supportedMech is in the first reply alone");
        let Step::Done { token, .. } = client.step(ntlm_in(&challenge)).unwrap() else { panic!() };
        // Nobody vouches for the list of mechanisms.
        let error = server.step(&neg_token_resp(&token, None)).unwrap_err();
        assert_eq!(error, AuthError::LogonFailure);
    }
}

#[test]
fn ntlm_token_in_an_offer_that_prefers_kerberos() {
    let mut probe = NtlmClient::new(alice(), params());
    let negotiate = sent(probe.step(b""));
    let (_, _, _, reply) = mixed_offer(&[KERBEROS, NTLMSSP], Some(&negotiate));
    assert!(contains(&reply, &[0x0a, 1, 3]));
    assert!(ntlm_in(&reply).starts_with(b"NTLMSSP\0\x02"));
}

#[test]
fn ntlm_first_needs_no_token_and_no_mic() {
    let (mut server, mut client, negotiate, reply) = mixed_offer(&[NTLMSSP, KERBEROS], None);
    assert!(contains(&reply, &[0x0a, 1, 1]));
    let challenge = sent(server.step(&neg_token_resp(&negotiate, None)));
    let Step::Done { token, session_key, .. } = client.step(ntlm_in(&challenge)).unwrap() else { panic!() };
    let step = server.step(&neg_token_resp(&token, None)).unwrap();
    let Step::Done { token, session_key: theirs, .. } = step else { panic!() };
    assert_eq!(token, tlv(0xa1, &[&tlv(0x30, &[&tlv(0xa0, &[&[0x0a, 1, 0]])])]));
    assert_eq!(session_key, theirs);
}

#[test]
fn the_client_takes_an_empty_last_token() {
    let (mut client, mut server) = (SpnegoClient::new(alice(), params()), spnego_server(config()));
    let challenge = sent(server.step(&sent(client.step(b""))));
    sent(client.step(&challenge));
    assert!(matches!(client.step(b""), Ok(Step::Done { .. })));
}

#[test]
fn the_client_refuses_what_it_did_not_offer() {
    let mut client = SpnegoClient::new(alice(), params());
    let hint = neg_token_init(&[KERBEROS], None);
    assert_eq!(client.step(&hint).unwrap_err(), AuthError::NoMechanism);

    let mut client = SpnegoClient::new(alice(), params());
    sent(client.step(b""));
    let chosen = tlv(0xa1, &[&tlv(0x30, &[&tlv(0xa1, &[&tlv(6, &[KERBEROS])])])]);
    assert_eq!(client.step(&chosen).unwrap_err(), AuthError::NoMechanism);

    for state in [0, 2] {
        let mut client = SpnegoClient::new(alice(), params());
        sent(client.step(b""));
        let token = tlv(0xa1, &[&tlv(0x30, &[&tlv(0xa0, &[&[0x0a, 1, state]])])]);
        assert!(client.step(&token).is_err(), "negState {state}");
    }
}

#[test]
fn a_client_that_leaves_the_domain_out_of_the_hash() {
    let mut exchange = halfway(Credentials::password("alice", "", "secret"), config());
    // Claim a domain that was not hashed.
    let offset = exchange.authenticate.len() as u32;
    exchange.authenticate.extend(b"W\0");
    set_field(&mut exchange.authenticate, 2, 2, offset);
    exchange.resign();
    let Step::Done { session_key, .. } = exchange.finish().unwrap() else { panic!() };
    assert_eq!(session_key, exchange.key);
}

#[test]
fn each_exchange_has_its_own_challenge() {
    let acceptor = SpnegoAcceptor::new(config());
    let mut client = SpnegoClient::new(alice(), params());
    let negotiate = sent(client.step(b""));
    let mut first = acceptor.accept(FileTime(1), [1; 32]);
    let mut second = acceptor.accept(FileTime(1), [2; 32]);
    let challenge = sent(first.step(&negotiate));
    assert_ne!(challenge, sent(second.step(&negotiate)));
    // An answer to one challenge does not open another exchange.
    let answer = sent(client.step(&challenge));
    assert_eq!(second.step(&answer).unwrap_err(), AuthError::LogonFailure);
    assert!(first.step(&answer).is_ok());
}

#[test]
fn debug_output_shows_no_secret() {
    let hash = nt_hash("xyzzy");
    let mut client = SpnegoClient::new(Credentials::password("alice", "", "xyzzy"), params());
    let mut server = spnego_server(config());
    let mut shown = format!("{client:?} {server:?} {:?}", Secret::NtHash(hash));
    let challenge = sent(server.step(&sent(client.step(b""))));
    shown += &format!("{client:?} {server:?}");
    sent(client.step(&challenge));
    shown += &format!("{client:?} {server:?} {:?}", params());
    assert!(!shown.contains("xyzzy"), "{shown}");
    assert!(!shown.contains(&format!("{:?}", hash)[1..20]), "{shown}");
    assert!(!shown.contains("8, 9, 10, 11, 12, 13, 14, 15"), "the exported session key: {shown}");
    assert!(!shown.contains("90, 90, 90, 90, 90, 90, 90, 90, 90"), "{shown}");
}

#[test]
fn the_client_finds_ntlm_among_the_mechanisms_that_windows_offers() {
    const NEGOEX: &[u8] = &[0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x02, 0x02, 0x1e];
    const MS_KERBEROS: &[u8] = &[0x2a, 0x86, 0x48, 0x82, 0xf7, 0x12, 0x01, 0x02, 0x02];
    const USER_TO_USER: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 0x01, 0x02, 0x02, 0x03];
    let hint = neg_token_init(&[NEGOEX, MS_KERBEROS, KERBEROS, USER_TO_USER, NTLMSSP], None);
    let first = sent(SpnegoClient::new(alice(), params()).step(&hint));
    assert!(!contains(&first, KERBEROS), "NTLM alone is offered, so its token is the optimistic one");
    sent(spnego_server(config()).step(&first));
}

#[test]
fn the_client_answers_with_the_pairs_of_the_server_and_its_own() {
    let exchange = halfway(alice(), config());
    let (offset, length) = field(&exchange.authenticate, 1);
    let response = &exchange.authenticate[offset..offset + length];
    let info_length: usize = u16::from_le_bytes([exchange.challenge[40], exchange.challenge[41]]).into();
    let info = &exchange.challenge[exchange.challenge.len() - info_length..];
    let theirs = &info[..info.len() - 4];
    assert_eq!(response[44..44 + theirs.len()], *theirs);
    let spn: Vec<u8> = "cifs/server.example".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let own = [
        &[6, 0, 4, 0, 2, 0, 0, 0][..],
        &[10, 0, 16, 0],
        &[0; 16],
        &[9, 0, spn.len() as u8, 0],
        &spn,
        // MsvAvEOL, and the four zeros that close `temp`.
        &[0; 8],
    ];
    assert_eq!(response[44 + theirs.len()..], own.concat());
    // With the server's time there is no LMv2 response.
    let (offset, length) = field(&exchange.authenticate, 0);
    assert_eq!(exchange.authenticate[offset..offset + length], [0; 24]);
}
