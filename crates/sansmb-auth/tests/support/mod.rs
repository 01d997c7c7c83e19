//! What the tests of this crate share.
#![allow(dead_code, reason = "every test file uses its own part")]

use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use sansmb::{
    auth::{Acceptor, AuthError, Identity, Mechanism, SessionKey, Step},
    wire::FileTime,
};
use sansmb_auth::{
    AcceptorConfig, ClientParams, Credentials, MapToGuest, NtlmAcceptor, NtlmClient, SpnegoAcceptor,
    UserTable,
};

pub(crate) const NTLMSSP: &[u8] = &[0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x02, 0x02, 0x0a];
pub(crate) const KERBEROS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 0x01, 0x02, 0x02];
pub(crate) const SPNEGO: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x02];

/// A server that knows alice and Ünal.
pub(crate) fn config() -> AcceptorConfig {
    let mut users = UserTable::new();
    users.add_password("Alice", "secret");
    users.add_password("Ünal", "pä\u{1f600}");
    AcceptorConfig {
        netbios_domain: "GROUP".into(),
        dns_name: "server.example".into(),
        dns_domain: "example".into(),
        ..AcceptorConfig::new("SERVER", Arc::new(users))
    }
}

pub(crate) fn guests(map_to_guest: MapToGuest) -> AcceptorConfig {
    AcceptorConfig { map_to_guest, ..config() }
}

pub(crate) fn spnego_server(config: AcceptorConfig) -> Box<dyn Mechanism> {
    SpnegoAcceptor::new(config).accept(FileTime(133_000_000_000_000_000), [0x5a; 32])
}

pub(crate) fn raw_server(config: AcceptorConfig) -> Box<dyn Mechanism> {
    NtlmAcceptor::new(config).accept(FileTime(133_000_000_000_000_000), [0x5a; 32])
}

pub(crate) fn params() -> ClientParams {
    ClientParams {
        now: FileTime(132_000_000_000_000_000),
        random: core::array::from_fn(|i| i as u8),
        workstation: "CLIENT".into(),
        target_spn: Some("cifs/server.example".into()),
    }
}

pub(crate) fn alice() -> Credentials {
    Credentials::password("alice", "ANY", "secret")
}

/// How an exchange ended on one side.
pub(crate) type Outcome = Result<(Identity, SessionKey), AuthError>;

/// Runs both sides to their ends; the client speaks first. An error on one side is the end.
pub(crate) fn run(client: &mut dyn Mechanism, server: &mut dyn Mechanism, hint: &[u8]) -> (Outcome, Outcome) {
    let unfinished = AuthError::Unexpected("not finished");
    let mut to_client = Some(hint.to_vec());
    let (mut client_end, mut server_end) = (None, None);
    for _ in 0..8 {
        let mut to_server = None;
        if let (Some(token), None) = (to_client.take(), &client_end) {
            match client.step(&token) {
                Ok(Step::Send(token)) => to_server = Some(token),
                Ok(Step::Done { token, identity, session_key }) => {
                    client_end = Some(Ok((identity, session_key)));
                    to_server = Some(token).filter(|token| !token.is_empty());
                }
                Ok(other) => panic!("{other:?}"),
                Err(error) => client_end = Some(Err(error)),
            }
        }
        let (Some(token), None) = (to_server, &server_end) else { break };
        match server.step(&token) {
            Ok(Step::Send(token)) => to_client = Some(token),
            Ok(Step::Done { token, identity, session_key }) => {
                server_end = Some(Ok((identity, session_key)));
                to_client = Some(token);
            }
            Ok(other) => panic!("{other:?}"),
            Err(error) => server_end = Some(Err(error)),
        }
    }
    (client_end.unwrap_or(Err(unfinished)), server_end.unwrap_or(Err(unfinished)))
}

pub(crate) fn sent(step: Result<Step, AuthError>) -> Vec<u8> {
    match step {
        Ok(Step::Send(token)) => token,
        other => panic!("expected a token: {other:?}"),
    }
}

pub(crate) fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length = content.len();
    let mut out = vec![tag];
    match length {
        0..0x80 => out.push(length as u8),
        0x80..0x100 => out.extend([0x81, length as u8]),
        _ => out.extend([0x82, (length >> 8) as u8, length as u8]),
    }
    out.extend(content);
    out
}

pub(crate) fn mech_list(mechs: &[&[u8]]) -> Vec<u8> {
    let oids: Vec<_> = mechs.iter().map(|mech| tlv(6, &[mech])).collect();
    tlv(0x30, &[&oids.concat()])
}

pub(crate) fn neg_token_init(mechs: &[&[u8]], mech_token: Option<&[u8]>) -> Vec<u8> {
    let list = tlv(0xa0, &[&mech_list(mechs)]);
    let token = mech_token.map(|token| tlv(0xa2, &[&tlv(4, &[token])])).unwrap_or_default();
    tlv(0x60, &[&tlv(6, &[SPNEGO]), &tlv(0xa0, &[&tlv(0x30, &[&list, &token])])])
}

pub(crate) fn neg_token_resp(token: &[u8], mic: Option<&[u8]>) -> Vec<u8> {
    let token = tlv(0xa2, &[&tlv(4, &[token])]);
    let mic = mic.map(|mic| tlv(0xa3, &[&tlv(4, &[mic])])).unwrap_or_default();
    tlv(0xa1, &[&tlv(0x30, &[&token, &mic])])
}

/// From the first NTLM message in `token` to the end.
pub(crate) fn ntlm_in(token: &[u8]) -> &[u8] {
    let at = token.windows(8).position(|window| window == b"NTLMSSP\0").expect("an NTLM message");
    &token[at..]
}

pub(crate) fn contains(token: &[u8], part: &[u8]) -> bool {
    token.windows(part.len()).any(|window| window == part)
}

/// An AUTHENTICATE message from a payload of six fields in the order of the fixed part.
pub(crate) fn authenticate(flags: u32, fields: [&[u8]; 6]) -> Vec<u8> {
    let mut out = b"NTLMSSP\0\x03\0\0\0".to_vec();
    out.resize(88, 0);
    out[60..64].copy_from_slice(&flags.to_le_bytes());
    for (n, field) in fields.into_iter().enumerate() {
        let offset = out.len() as u32;
        set_field(&mut out, n, field.len() as u16, offset);
        out.extend(field);
    }
    out
}

/// Overwrites length and offset of the `n`th field of an AUTHENTICATE message.
pub(crate) fn set_field(message: &mut [u8], n: usize, length: u16, offset: u32) {
    let at = 12 + 8 * n;
    message[at..at + 2].copy_from_slice(&length.to_le_bytes());
    message[at + 2..at + 4].copy_from_slice(&length.to_le_bytes());
    message[at + 4..at + 8].copy_from_slice(&offset.to_le_bytes());
}

/// Offset and length of the `n`th field.
pub(crate) fn field(message: &[u8], n: usize) -> (usize, usize) {
    let at = 12 + 8 * n;
    let length = u16::from_le_bytes([message[at], message[at + 1]]);
    let offset = u32::from_le_bytes(message[at + 4..at + 8].try_into().unwrap());
    (offset as usize, length.into())
}

/// Makes the MIC of an AUTHENTICATE message right again after a change.
pub(crate) fn resign(negotiate: &[u8], challenge: &[u8], message: &mut [u8], key: &[u8]) {
    message[72..88].fill(0);
    let mut mac = <Hmac<md5::Md5> as KeyInit>::new_from_slice(key).unwrap();
    mac.update(negotiate);
    mac.update(challenge);
    mac.update(message);
    message[72..88].copy_from_slice(&mac.finalize().into_bytes());
}

/// A bare exchange up to the point where the client's last message would go out.
pub(crate) struct Halfway {
    pub(crate) server: Box<dyn Mechanism>,
    pub(crate) negotiate: Vec<u8>,
    pub(crate) challenge: Vec<u8>,
    pub(crate) authenticate: Vec<u8>,
    pub(crate) key: SessionKey,
}

pub(crate) fn halfway(credentials: Credentials, config: AcceptorConfig) -> Halfway {
    let mut client = NtlmClient::new(credentials, params());
    let mut server = raw_server(config);
    let negotiate = sent(client.step(b""));
    let challenge = sent(server.step(&negotiate));
    let Ok(Step::Done { token, session_key, .. }) = client.step(&challenge) else { panic!() };
    Halfway { server, negotiate, challenge, authenticate: token, key: session_key }
}

impl Halfway {
    pub(crate) fn resign(&mut self) {
        resign(&self.negotiate, &self.challenge, &mut self.authenticate, self.key.as_bytes());
    }

    pub(crate) fn finish(&mut self) -> Result<Step, AuthError> {
        self.server.step(&self.authenticate)
    }
}
