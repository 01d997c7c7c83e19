//! Attacks on the exchange. The names begin with the rows of the project's list of attacks.

mod support;

use sansmb::auth::{AuthError, IdentityKind, Mechanism, Step};
use sansmb_auth::{Credentials, MapToGuest, NtlmClient, SpnegoClient};
use support::*;

const FLAGS: u32 = 0xe208_8215;

/// A server that has sent its challenge in SPNEGO.
fn challenged() -> (Box<dyn Mechanism>, Vec<u8>) {
    let mut client = SpnegoClient::new(alice(), params());
    let mut server = spnego_server(config());
    let challenge = sent(server.step(&sent(client.step(b""))));
    (server, sent(client.step(&challenge)))
}

/// What a client makes of a challenge with this target info.
fn client_on(target_info: &[u8]) -> Result<Step, AuthError> {
    let mut challenge = b"NTLMSSP\0\x02\0\0\0".to_vec();
    challenge.resize(56, 0);
    challenge[20..24].copy_from_slice(&0xe28a_8215_u32.to_le_bytes());
    challenge[40..42].copy_from_slice(&(target_info.len() as u16).to_le_bytes());
    challenge[44] = 56;
    challenge.extend(target_info);
    client_on_challenge(&challenge)
}

fn client_on_challenge(challenge: &[u8]) -> Result<Step, AuthError> {
    let mut client = NtlmClient::new(alice(), params());
    sent(client.step(b""));
    client.step(challenge)
}

#[track_caller]
fn malformed(result: Result<Step, AuthError>) {
    assert!(matches!(result, Err(AuthError::Malformed(..))), "{result:?}");
}

#[test]
fn n6_empty_security_buffer() {
    malformed(spnego_server(config()).step(b""));
    malformed(raw_server(config()).step(b""));
    malformed(challenged().0.step(b""));
}

#[test]
fn n6_empty_mech_token_asks_for_one_and_an_empty_response_token_fails() {
    let mut server = spnego_server(config());
    let reply = sent(server.step(&neg_token_init(&[NTLMSSP], Some(b""))));
    assert!(contains(&reply, NTLMSSP) && !contains(&reply, b"NTLMSSP"));
    assert!(matches!(server.step(&neg_token_resp(b"", None)), Err(AuthError::Unexpected(_))));
}

#[test]
fn n6_mech_token_longer_than_the_buffer() {
    let mut token = neg_token_init(&[NTLMSSP], Some(b"NTLMSSP\0\x01\0\0\0"));
    let at = token.len() - 13;
    assert_eq!(token[at..at + 2], [12, b'N']);
    for length in [13, 0x7f] {
        token[at] = length;
        malformed(spnego_server(config()).step(&token));
    }
}

#[test]
fn n7_encrypted_session_key_of_any_length_but_16() {
    for length in [0_usize, 1, 15, 17, 255, 4096, 65_535] {
        let mut exchange = halfway(alice(), config());
        let offset = exchange.authenticate.len() as u32;
        exchange.authenticate.extend(vec![0; length]);
        set_field(&mut exchange.authenticate, 5, length as u16, offset);
        malformed(exchange.finish());
    }
    for length in [17_usize, 255, 65_535] {
        // Not even the null session or a guest gets by.
        let key = vec![0; length];
        let config = sansmb_auth::AcceptorConfig { allow_anonymous: true, ..guests(MapToGuest::BadUser) };
        for user in [&b""[..], b"B\0"] {
            let mut exchange = halfway(alice(), config.clone());
            exchange.authenticate = authenticate(FLAGS, [b"", b"", b"", user, b"", &key]);
            malformed(exchange.finish());
        }
    }
}

#[test]
fn n8_short_nt_responses() {
    for length in (1..44).filter(|length| *length != 24) {
        let mut exchange = halfway(alice(), config());
        let (offset, _) = field(&exchange.authenticate, 1);
        set_field(&mut exchange.authenticate, 1, length, offset as u32);
        malformed(exchange.finish());
    }
}

#[test]
fn n8_offsets_that_wrap_or_run_past_the_end() {
    for n in 0..6 {
        for (length, offset) in [
            (1, u32::MAX),
            (u16::MAX, u32::MAX),
            (16, 0xffff_fff0),
            (1, 0x8000_0000),
            (u16::MAX, 88),
            (2, 1 << 16),
        ] {
            let mut exchange = halfway(alice(), config());
            set_field(&mut exchange.authenticate, n, length, offset);
            malformed(exchange.finish());
        }
    }
}

#[test]
fn n8_an_empty_field_may_point_anywhere() {
    let mut exchange = halfway(alice(), config());
    set_field(&mut exchange.authenticate, 4, 0, u32::MAX);
    exchange.resign();
    assert!(exchange.finish().is_ok());
}

#[test]
fn n8_odd_names() {
    for n in 2..5 {
        let mut exchange = halfway(alice(), config());
        let (offset, _) = field(&exchange.authenticate, n);
        set_field(&mut exchange.authenticate, n, 3, offset as u32);
        malformed(exchange.finish());
    }
}

#[test]
fn n8_overlapping_fields() {
    // All six fields over the same bytes, over the header, and over the whole message.
    for (length, offset) in [(24, 88), (64, 0), (0x60, 88), (16, 72), (44, 12)] {
        let mut exchange = halfway(alice(), config());
        for n in 0..5 {
            set_field(&mut exchange.authenticate, n, length, offset);
        }
        assert!(exchange.finish().is_err());
    }
    // Fields that share bytes harm nobody as long as the proof and the MIC are right.
    let mut exchange = halfway(Credentials::password("alice", "alice", "secret"), config());
    let (offset, length) = field(&exchange.authenticate, 3);
    set_field(&mut exchange.authenticate, 2, length as u16, offset as u32);
    exchange.resign();
    assert!(exchange.finish().is_ok());
}

#[test]
fn n8_lm_and_ntlmv1_responses_never_verify() {
    for nt in [&[0x5a; 24][..], b""] {
        for lm in [&[0x5a; 24][..], b"", b"\0"] {
            let fields = |user| [lm, nt, b"", user, b"", &[1; 16][..]];
            let mut exchange = halfway(alice(), config());
            exchange.authenticate = authenticate(FLAGS, fields(b"A\0l\0i\0c\0e\0"));
            assert_eq!(exchange.finish().unwrap_err(), AuthError::LogonFailure);
        }
    }
}

#[test]
fn n9_wrong_mic() {
    for byte in 72..88 {
        let mut exchange = halfway(alice(), config());
        exchange.authenticate[byte] ^= 1;
        assert_eq!(exchange.finish().unwrap_err(), AuthError::LogonFailure);
    }
    let mut exchange = halfway(alice(), config());
    exchange.authenticate[72..88].fill(0);
    assert_eq!(exchange.finish().unwrap_err(), AuthError::LogonFailure);
}

#[test]
fn n9_wrong_mic_makes_no_guest() {
    let mut exchange = halfway(alice(), guests(MapToGuest::BadPassword));
    exchange.authenticate[72] ^= 1;
    assert_eq!(exchange.finish().unwrap_err(), AuthError::LogonFailure);
}

#[test]
fn n9_mic_dropped_although_the_flag_promises_one() {
    let mut exchange = halfway(alice(), config());
    // Cut the 16 bytes out and move every field down, as a relay does that wants to change flags.
    exchange.authenticate.drain(72..88);
    for n in 0..6 {
        let (offset, length) = field(&exchange.authenticate, n);
        set_field(&mut exchange.authenticate, n, length as u16, offset as u32 - 16);
    }
    assert_eq!(exchange.finish().unwrap_err(), AuthError::LogonFailure);
}

#[test]
fn n9_promise_of_a_mic_cannot_be_taken_back() {
    let mut exchange = halfway(alice(), config());
    let (offset, length) = field(&exchange.authenticate, 1);
    let response = &mut exchange.authenticate[offset..offset + length];
    let at = response.windows(8).position(|window| window == [6, 0, 4, 0, 2, 0, 0, 0]).unwrap();
    response[at + 4] = 0;
    assert_eq!(exchange.finish().unwrap_err(), AuthError::LogonFailure);
}

#[test]
fn n9_flags_changed_on_the_way() {
    // In the client's first message.
    let mut client = NtlmClient::new(alice(), params());
    let mut server = raw_server(config());
    let mut negotiate = sent(client.step(b""));
    negotiate[12] &= !0x10;
    let challenge = sent(server.step(&negotiate));
    let Ok(Step::Done { token, .. }) = client.step(&challenge) else { panic!() };
    assert_eq!(server.step(&token).unwrap_err(), AuthError::LogonFailure);

    // In the server's answer: the client then exchanges no key.
    let mut client = NtlmClient::new(alice(), params());
    let mut server = raw_server(config());
    let mut challenge = sent(server.step(&sent(client.step(b""))));
    challenge[23] &= !0x40;
    let Ok(Step::Done { token, .. }) = client.step(&challenge) else { panic!() };
    assert_eq!(server.step(&token).unwrap_err(), AuthError::LogonFailure);
}

#[test]
fn n9_wrong_mech_list_mic() {
    let (mut server, mut token) = challenged();
    let last = token.len() - 5;
    token[last] ^= 1;
    assert_eq!(server.step(&token).unwrap_err(), AuthError::LogonFailure);

    // Too short, too long, empty.
    let (_, token) = challenged();
    let at = token.len() - 16;
    let ntlm_end = at - 4;
    let ntlm = ntlm_in(&token);
    let ntlm = &ntlm[..ntlm.len() - (token.len() - ntlm_end)];
    for mic in [&token[at..token.len() - 1], b"", &[&token[at..], b"\0"].concat()] {
        let (mut server, _) = challenged();
        let error = server.step(&neg_token_resp(ntlm, Some(mic))).unwrap_err();
        assert_eq!(error, AuthError::LogonFailure);
    }
    let (mut server, _) = challenged();
    assert!(server.step(&neg_token_resp(ntlm, Some(&token[at..]))).is_ok());
}

#[test]
fn n9_mech_list_mic_downgrade() {
    // The client offered NTLM alone; on the way Kerberos was put before it, and the other way round.
    let mut client = SpnegoClient::new(alice(), params());
    let mut server = spnego_server(config());
    let first = sent(client.step(b""));
    let changed = neg_token_init(&[KERBEROS, NTLMSSP], Some(ntlm_in(&first)));
    let token = sent(client.step(&sent(server.step(&changed))));
    assert_eq!(server.step(&token).unwrap_err(), AuthError::LogonFailure);

    let mut client = SpnegoClient::new(alice(), params());
    let mut server = spnego_server(config());
    let first = sent(client.step(b""));
    let changed = neg_token_init(&[NTLMSSP, KERBEROS], Some(ntlm_in(&first)));
    let token = sent(client.step(&sent(server.step(&changed))));
    assert_eq!(server.step(&token).unwrap_err(), AuthError::LogonFailure);
}

#[test]
fn n9_the_client_checks_the_servers_mech_list_mic() {
    for change in 0..16 {
        let mut client = SpnegoClient::new(alice(), params());
        let mut server = spnego_server(config());
        let challenge = sent(server.step(&sent(client.step(b""))));
        let Ok(Step::Done { mut token, .. }) = server.step(&sent(client.step(&challenge))) else { panic!() };
        let at = token.len() - 16 + change;
        token[at] ^= 0x40;
        assert_eq!(client.step(&token).unwrap_err(), AuthError::LogonFailure);
    }
}

#[test]
fn m1_negotiate_hint_without_mechanisms() {
    for hint in [
        tlv(0x60, &[&tlv(6, &[SPNEGO]), &tlv(0xa0, &[&tlv(0x30, &[])])]),
        neg_token_init(&[], None),
        neg_token_init(&[KERBEROS], None),
    ] {
        let mut client = SpnegoClient::new(alice(), params());
        assert_eq!(client.step(&hint).unwrap_err(), AuthError::NoMechanism);
        assert_eq!(spnego_server(config()).step(&hint).unwrap_err(), AuthError::NoMechanism);
    }
    malformed(SpnegoClient::new(alice(), params()).step(&tlv(0x60, &[])));
    malformed(SpnegoClient::new(alice(), params()).step(&tlv(0xa0, &[])));
}

#[test]
fn m1_challenge_offsets_overflow() {
    let mut exchange = halfway(alice(), config());
    for at in [12, 40] {
        for (length, offset) in
            [(1_u16, u32::MAX), (u16::MAX, u32::MAX - 8), (16, 0xffff_fff8), (u16::MAX, 56)]
        {
            let mut challenge = exchange.challenge.clone();
            challenge[at..at + 2].copy_from_slice(&length.to_le_bytes());
            challenge[at + 4..at + 8].copy_from_slice(&offset.to_le_bytes());
            malformed(client_on_challenge(&challenge));
        }
    }
    assert!(exchange.finish().is_ok());
}

#[test]
fn m1_av_pair_runs_off() {
    for info in [
        &[1, 0, 1, 0][..],
        &[1],
        &[1, 0],
        &[0, 0, 0],
        &[1, 0, 0xff, 0xff, 0, 0],
        &[7, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        &[2, 0, 2, 0, b'D', 0, 1, 0, 4, 0, b'S', 0],
    ] {
        malformed(client_on(info));
    }
    // A list that just ends, an empty one, and a timestamp of the wrong size.
    for info in [&[2, 0, 2, 0, b'D', 0][..], &[], &[0, 0, 0, 0], &[7, 0, 1, 0, 9, 0, 0, 0, 0]] {
        assert!(client_on(info).is_ok(), "{info:?}");
    }
}

#[test]
fn m1_target_info_that_leaves_no_room_for_the_answer() {
    let mut info = vec![0; 65_532];
    info[..4].copy_from_slice(&[2, 0, 0xf0, 0xff]);
    assert!(client_on(&info).is_err());
    // Thousands of empty pairs cost what they weigh.
    let info = [5, 0, 0, 0].repeat(8000);
    assert!(client_on(&info).is_ok());
}

#[test]
fn m1_av_flag_of_a_mic_without_a_timestamp() {
    let info = [6, 0, 4, 0, 2, 0, 0, 0, 0, 0, 0, 0];
    let Ok(Step::Done { token, .. }) = client_on(&info) else { panic!() };
    assert_eq!(token[72..88], [0; 16]);
    assert!(!contains(&token, &[6, 0, 4, 0, 2, 0, 0, 0]), "the client promises what it does not give");
}

#[test]
fn m1_messages_of_the_wrong_kind() {
    let exchange = halfway(alice(), config());
    for token in [&exchange.negotiate, &exchange.authenticate] {
        assert!(matches!(client_on_challenge(token), Err(AuthError::Unexpected(_))));
    }
    for token in [&exchange.challenge, &exchange.authenticate] {
        assert!(matches!(raw_server(config()).step(token), Err(AuthError::Unexpected(_))));
        assert!(matches!(spnego_server(config()).step(token), Err(AuthError::Unexpected(_))));
    }
    let (mut server, _) = challenged();
    assert!(
        matches!(server.step(&exchange.authenticate), Err(AuthError::Unexpected(_))),
        "bare inside SPNEGO"
    );
}

#[test]
fn m13_indefinite_and_huge_lengths() {
    let good = neg_token_init(&[NTLMSSP], None);
    let inner = &good[2..];
    for length in [
        &[0x80][..],
        &[0x84, 0xff, 0xff, 0xff, 0xff],
        &[0x84, 0x7f, 0xff, 0xff, 0xff],
        &[0x83, 0xff, 0xff, 0xff],
        &[0x85, 0, 0, 0, 0, inner.len() as u8],
        &[0x88, 0, 0, 0, 0, 0, 0, 0, inner.len() as u8],
        &[0x88, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        &[0xff],
    ] {
        let token = [&[0x60], length, inner, &[0, 0]].concat();
        malformed(spnego_server(config()).step(&token));
        malformed(SpnegoClient::new(alice(), params()).step(&token));
        let mut client = SpnegoClient::new(alice(), params());
        sent(client.step(b""));
        malformed(client.step(&[&[0xa1], length, b"\x30\x00"].concat()));
    }
}

#[test]
fn m13_deep_nesting() {
    for tag in [0x30, 0xa0, 0x60, 0xa1] {
        let mut token = Vec::new();
        for _ in 0..5000 {
            token = match token.len() {
                length @ 0..0x1_0000 => {
                    [&[tag, 0x83, 0, (length >> 8) as u8, length as u8], &token[..]].concat()
                }
                _ => break,
            };
        }
        assert!(spnego_server(config()).step(&token).is_err());
        assert!(SpnegoClient::new(alice(), params()).step(&token).is_err());
        let offer = neg_token_init(&[NTLMSSP], Some(&token));
        assert!(spnego_server(config()).step(&offer).is_err());
    }
}

#[test]
fn m13_tags_of_many_bytes() {
    malformed(spnego_server(config()).step(&[0x7f, 0x81, 0x01, 0x00]));
    malformed(spnego_server(config()).step(&[0xbf, 0x01, 0x00]));
}

#[test]
fn m13_padded_lengths_are_taken() {
    // Some servers write every length with four digits.
    let wide =
        |tag: u8, content: &[u8]| [&[tag, 0x84][..], &(content.len() as u32).to_be_bytes(), content].concat();
    let list = wide(0xa0, &wide(0x30, &wide(6, NTLMSSP)));
    let hint = wide(0x60, &[wide(6, SPNEGO), wide(0xa0, &wide(0x30, &list))].concat());
    sent(SpnegoClient::new(alice(), params()).step(&hint));
    sent(spnego_server(config()).step(&hint));
}

#[test]
fn m13_unknown_fields_and_trailing_bytes_are_skipped() {
    let list = tlv(0xa0, &[&mech_list(&[NTLMSSP])]);
    // reqFlags, a MIC in the first token, and something from the future.
    let flags = tlv(0xa1, &[&[3, 2, 1, 6]]);
    let mic = tlv(0xa3, &[&tlv(4, &[b"mic"])]);
    let future = tlv(0xa9, &[&[5, 0]]);
    let init = tlv(0xa0, &[&tlv(0x30, &[&list, &flags, &mic, &future])]);
    for token in [tlv(0x60, &[&tlv(6, &[SPNEGO]), &init, &[0, 0]]), [&init[..], &[0; 7]].concat()] {
        sent(SpnegoClient::new(alice(), params()).step(&token));
        sent(spnego_server(config()).step(&token));
    }
}

#[test]
fn half_open_sessions_keep_little() {
    let long = [&b"NTLMSSP\0\x01\0\0\0\x15\x82\x08\xe2"[..], &[0; 60_000]].concat();
    malformed(raw_server(config()).step(&long));
    malformed(spnego_server(config()).step(&neg_token_init(&[NTLMSSP], Some(&long))));
    let mechs = [KERBEROS; 1000];
    malformed(spnego_server(config()).step(&neg_token_init(&mechs, None)));
}

#[test]
fn a_failed_exchange_stays_failed() {
    let mut exchange = halfway(alice(), config());
    let good = exchange.authenticate.clone();
    exchange.authenticate[72] ^= 1;
    assert_eq!(exchange.finish().unwrap_err(), AuthError::LogonFailure);
    assert!(matches!(exchange.server.step(&good), Err(AuthError::Unexpected(_))));

    let (mut server, token) = challenged();
    assert!(server.step(b"nonsense").is_err());
    assert!(matches!(server.step(&token), Err(AuthError::Unexpected(_))));
}

#[test]
fn a_claim_to_be_nobody_with_a_response_is_no_null_session() {
    let config = sansmb_auth::AcceptorConfig { allow_anonymous: true, ..config() };
    for (lm, nt) in [(&[0; 24][..], &b""[..]), (b"", &[0; 24]), (b"\x01", b""), (b"\0\0", b"")] {
        let mut exchange = halfway(alice(), config.clone());
        exchange.authenticate = authenticate(FLAGS, [lm, nt, b"", b"", b"", &[0; 16]]);
        let result = exchange.finish();
        assert!(
            !matches!(&result, Ok(Step::Done { identity, .. }) if identity.kind == IdentityKind::Anonymous)
        );
        assert!(result.is_err());
    }
}
