//! NTLM and SPNEGO, both sides.

use std::sync::{Arc, LazyLock};

use sansmb::{
    auth::{Acceptor, IdentityKind, Mechanism, Step},
    wire::FileTime,
};
use sansmb_auth::{
    AcceptorConfig, ClientParams, Credentials, MapToGuest, NtlmAcceptor, NtlmClient, SpnegoAcceptor,
    SpnegoClient, UserTable,
};

use crate::memory::Budget;

/// Time and randomness of all exchanges: seeds that were recorded with them verify.
pub const NOW: FileTime = FileTime(0x01DA_0000_0000_0000);
/// What the server draws.
pub const SERVER_RANDOM: [u8; 32] = [9; 32];
/// What the client draws.
pub const CLIENT_RANDOM: [u8; 32] = [7; 32];
/// The one user.
pub const USER: &str = "tester";
/// The user's password.
pub const PASSWORD: &str = "secret";

static USERS: LazyLock<Arc<UserTable>> = LazyLock::new(|| {
    let mut users = UserTable::new();
    users.add_password(USER, PASSWORD);
    Arc::new(users)
});

/// What servers are set to, as the first byte of an input says.
pub fn acceptor_config(mode: u8) -> AcceptorConfig {
    let mut config = AcceptorConfig::new("SERVER", USERS.clone());
    config.allow_anonymous = mode & 1 != 0;
    config.map_to_guest = match mode >> 1 & 3 {
        0 => MapToGuest::Never,
        1 => MapToGuest::BadUser,
        _ => MapToGuest::BadPassword,
    };
    config
}

/// Who clients are, as the first byte of an input says.
pub fn client(mode: u8) -> (Credentials, ClientParams) {
    let credentials = match mode % 4 {
        0 | 1 => Credentials::password(USER, "", PASSWORD),
        2 => Credentials::guest(),
        _ => Credentials::anonymous(),
    };
    (credentials, ClientParams { now: NOW, random: CLIENT_RANDOM, ..ClientParams::default() })
}

/// Tokens as they stand in an input: each behind its length in two bytes.
pub fn join(mode: u8, tokens: &[Vec<u8>]) -> Vec<u8> {
    let mut out = vec![mode];
    for token in tokens {
        out.extend_from_slice(&(token.len() as u16).to_le_bytes());
        out.extend_from_slice(token);
    }
    out
}

fn exchange(data: &[u8], make: impl FnOnce(u8) -> Box<dyn Mechanism>) {
    let Some((mode, mut rest)) = data.split_first() else { return };
    LazyLock::force(&USERS);
    Budget { base: 32 << 10, factor: 64 }.check(data.len(), || {
        let mut mechanism = make(*mode);
        let mut over = false;
        while let Some((len, after)) = rest.split_first_chunk() {
            let (token, after) = after.split_at(usize::from(u16::from_le_bytes(*len)).min(after.len()));
            rest = after;
            let step = mechanism.step(token);
            assert!(!over || step.is_err(), "it goes on after the end: {step:?}");
            over = !matches!(step, Ok(Step::Send(_)));
            if let Ok(Step::Done { identity, session_key, .. }) = step {
                let expected = if identity.kind == IdentityKind::User { 16 } else { 0 };
                assert_eq!(session_key.as_bytes().len(), expected, "{identity:?}");
                assert!(identity.kind != IdentityKind::User || identity.user == USER || mode % 4 == 2);
            }
        }
    });
}

/// Tokens of a client for a bare NTLM server.
pub fn ntlm_server(data: &[u8]) {
    exchange(data, |mode| NtlmAcceptor::new(acceptor_config(mode)).accept(NOW, SERVER_RANDOM));
}

/// Tokens of a server for a bare NTLM client.
pub fn ntlm_client(data: &[u8]) {
    exchange(data, |mode| {
        let (credentials, params) = client(mode);
        Box::new(NtlmClient::new(credentials, params))
    });
}

/// Tokens of a client for a server.
pub fn spnego_server(data: &[u8]) {
    exchange(data, |mode| SpnegoAcceptor::new(acceptor_config(mode)).accept(NOW, SERVER_RANDOM));
}

/// Tokens of a server for a client.
pub fn spnego_client(data: &[u8]) {
    exchange(data, |mode| {
        let (credentials, params) = client(mode);
        Box::new(SpnegoClient::new(credentials, params))
    });
}
