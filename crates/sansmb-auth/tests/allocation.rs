//! No declared length makes either side allocate: what a token costs follows from its size.
//!
//! Alone in its file, because the count is that of the whole process.

mod support;

use std::alloc::System;

use cap::Cap;
use sansmb::auth::Mechanism;
use sansmb_auth::{NtlmClient, SpnegoClient};
use support::*;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

/// Feeds a token and checks how many bytes were allocated on the way, freed or not.
#[track_caller]
fn costs_at_most(mut side: Box<dyn Mechanism>, token: &[u8], factor: usize) {
    let before = ALLOCATOR.total_allocated();
    let result = side.step(token);
    let cost = ALLOCATOR.total_allocated() - before;
    assert!(cost <= factor * token.len() + 4096, "{cost} bytes for {}: {result:?}", token.len());
}

fn client() -> Box<dyn Mechanism> {
    let mut client = Box::new(SpnegoClient::new(alice(), params()));
    sent(client.step(b""));
    client
}

fn server() -> Box<dyn Mechanism> {
    let mut server = spnego_server(config());
    let mut client = SpnegoClient::new(alice(), params());
    sent(server.step(&sent(client.step(b""))));
    server
}

#[test]
fn cost_follows_from_the_size_of_the_token() {
    for length in [&[0x84, 0xff, 0xff, 0xff, 0xff][..], &[0x83, 0xff, 0xff, 0xff], &[0x82, 0xff, 0xff]] {
        for tag in [0x60, 0xa0, 0xa1] {
            let token = [&[tag], length, b"\x30\x84\x7f\xff\xff\xff"].concat();
            costs_at_most(Box::new(SpnegoClient::new(alice(), params())), &token, 0);
            costs_at_most(client(), &token, 0);
            costs_at_most(spnego_server(config()), &token, 0);
            costs_at_most(server(), &token, 0);
        }
    }

    // NTLM's lengths: every field says 65535.
    let mut exchange = halfway(alice(), config());
    for n in 0..6 {
        set_field(&mut exchange.authenticate, n, u16::MAX, 88);
    }
    costs_at_most(server(), &neg_token_resp(&exchange.authenticate, None), 0);
    let mut challenge = exchange.challenge.clone();
    challenge[40..42].fill(0xff);
    costs_at_most(client(), &neg_token_resp(&challenge, None), 0);

    // Long tokens of short parts. The client copies target info into its answer a few times over.
    let mechs = vec![KERBEROS; 5000];
    costs_at_most(spnego_server(config()), &neg_token_init(&mechs, None), 0);
    let pairs = [5, 0, 0, 0].repeat(15_000);
    let response = [&[0; 16][..], &[1, 1], &[0; 26], &pairs].concat();
    let user = b"x\0".repeat(100);
    let token = authenticate(0xe208_8215, [&[0; 24], &response, b"", &user, b"", &[0; 16]]);
    costs_at_most(server(), &neg_token_resp(&token, None), 0);
    let mut challenge = exchange.challenge[..56].to_vec();
    challenge[12..16].fill(0);
    challenge[40..42].copy_from_slice(&(pairs.len() as u16).to_le_bytes());
    challenge[44] = 56;
    challenge.extend(&pairs);
    let mut raw = NtlmClient::new(alice(), params());
    sent(raw.step(b""));
    costs_at_most(Box::new(raw), &challenge, 8);

    // A name of 64 KiB is upper-cased and looked up.
    let user = b"x\0".repeat(32_000);
    let response = [&[0; 16][..], &[1, 1], &[0; 30]].concat();
    let token = authenticate(0xe208_8215, [&[0; 24], &response, b"", &user, b"", &[0; 16]]);
    costs_at_most(server(), &neg_token_resp(&token, None), 16);

    // What a half-open session keeps.
    let first = sent(SpnegoClient::new(alice(), params()).step(b""));
    let config = config();
    let before = ALLOCATOR.allocated();
    let mut server = spnego_server(config);
    sent(server.step(&first));
    let kept = ALLOCATOR.allocated() - before;
    assert!(kept < 2048, "{kept} bytes");
}
