//! Whatever a peer sends, both sides answer with a value.

mod support;

use proptest::{collection::vec, prelude::*};
use sansmb::auth::{Acceptor, Mechanism, Step};
use sansmb_auth::{AcceptorConfig, MapToGuest, NtlmClient, SpnegoAcceptor, SpnegoClient};
use support::*;

fn lenient() -> AcceptorConfig {
    AcceptorConfig { allow_anonymous: true, ..guests(MapToGuest::BadUser) }
}

/// Every mechanism at every stage, ready for a peer's token.
fn stages() -> Vec<Box<dyn Mechanism>> {
    let started = |mut client: Box<dyn Mechanism>| {
        sent(client.step(b""));
        client
    };
    let challenged = |mut server: Box<dyn Mechanism>, first: &[u8]| {
        sent(server.step(first));
        server
    };
    let mut spnego = SpnegoClient::new(alice(), params());
    let spnego_first = sent(spnego.step(b""));
    let raw_first = sent(NtlmClient::new(alice(), params()).step(b""));
    let mut waiting = spnego_server(lenient());
    sent(spnego.step(&sent(waiting.step(&spnego_first))));
    vec![
        Box::new(SpnegoClient::new(alice(), params())),
        started(Box::new(SpnegoClient::new(alice(), params()))),
        Box::new(spnego),
        started(Box::new(NtlmClient::new(alice(), params()))),
        spnego_server(lenient()),
        challenged(spnego_server(lenient()), &spnego_first),
        challenged(spnego_server(lenient()), &neg_token_init(&[KERBEROS, NTLMSSP], None)),
        challenged(spnego_server(lenient()), &raw_first),
        raw_server(lenient()),
        challenged(raw_server(lenient()), &raw_first),
    ]
}

/// One good exchange, as the tokens that went over the wire.
fn transcript() -> Vec<Vec<u8>> {
    let acceptor = SpnegoAcceptor::new(lenient());
    let mut client = SpnegoClient::new(alice(), params());
    let mut server = spnego_server(lenient());
    let first = sent(client.step(&acceptor.hint()));
    let challenge = sent(server.step(&first));
    let authenticate = sent(client.step(&challenge));
    let Ok(Step::Done { token, .. }) = server.step(&authenticate) else { panic!() };
    vec![acceptor.hint(), first, challenge, authenticate, token]
}

fn feed_all(token: &[u8]) {
    for mut stage in stages() {
        let first = stage.step(token);
        if let Ok(Step::Send(answer)) = first {
            assert!(answer.len() < 3 * token.len() + 4096);
        }
        let _ = stage.step(token);
        let _ = stage.step(b"");
    }
}

/// A byte string that looks like DER more often than chance allows.
fn der() -> impl Strategy<Value = Vec<u8>> {
    let tag = prop::sample::select(vec![4_u8, 6, 0x0a, 0x1b, 0x30, 0x60, 0xa0, 0xa1, 0xa2, 0xa3, 0xbf]);
    let leaf = prop_oneof![
        Just(NTLMSSP.to_vec()),
        Just(SPNEGO.to_vec()),
        Just(KERBEROS.to_vec()),
        Just(b"NTLMSSP\0\x01\0\0\0\x15\x82\x08\xe2".to_vec()),
        vec(any::<u8>(), 0..20),
    ];
    let leaf = (tag.clone(), leaf).prop_map(|(tag, content)| tlv(tag, &[&content]));
    leaf.prop_recursive(6, 40, 4, move |inner| {
        (tag.clone(), vec(inner, 0..4)).prop_map(|(tag, parts)| tlv(tag, &[&parts.concat()]))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn no_byte_string_panics(token in vec(any::<u8>(), 0..300)) {
        feed_all(&token);
    }

    #[test]
    fn no_der_panics(token in der()) {
        feed_all(&token);
    }

    #[test]
    fn no_ntlm_message_panics(kind in 0_u8..5, rest in vec(prop_oneof![3 => Just(0), 1 => any::<u8>()], 0..200)) {
        let message = [&b"NTLMSSP\0"[..], &[kind, 0, 0, 0], &rest].concat();
        feed_all(&message);
        feed_all(&neg_token_init(&[NTLMSSP], Some(&message)));
        feed_all(&neg_token_resp(&message, Some(&[1; 16])));
    }

    #[test]
    fn no_changed_token_panics(
        which in 0_usize..5,
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<Option<prop::sample::Index>>(),
    ) {
        let mut token = transcript().swap_remove(which);
        for (at, byte) in changes {
            let at = at.index(token.len());
            token[at] = byte;
        }
        if let Some(cut) = cut {
            token.truncate(cut.index(token.len()));
        }
        feed_all(&token);
    }
}

#[test]
fn every_truncation_of_a_good_token_is_taken_calmly() {
    for token in transcript() {
        for n in 0..token.len() {
            for mut stage in stages() {
                let done = matches!(stage.step(&token[..n]), Ok(Step::Done { .. }));
                // The last token to a client may be empty.
                assert!(!done || n == 0, "{n} bytes of {}", token.len());
            }
        }
    }
}
