//! The providers under test and the sessions of `testdata/vectors`.

use std::collections::BTreeMap;
use std::sync::Arc;

use sansmb::crypto::{CryptoProvider, SessionKeys};
use sansmb::wire::{Cipher, Command, Dialect, Header, NtStatus, PROTOCOL_ID, SigningAlgorithm};
use serde_json::Value;

/// All providers that are compiled in, but not the null one.
pub(crate) fn providers() -> Vec<Arc<dyn CryptoProvider>> {
    vec![
        Arc::new(sansmb_crypto::RustCrypto),
        #[cfg(feature = "aws-lc")]
        Arc::new(sansmb_crypto::AwsLc),
    ]
}

/// The bytes of a hex string.
pub(crate) fn hex(value: &Value) -> Vec<u8> {
    let digit = |c: u8| (c as char).to_digit(16).unwrap() as u8;
    value.as_str().unwrap().as_bytes().chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

pub(crate) struct Packet {
    pub(crate) by_client: bool,
    pub(crate) wire: Vec<u8>,
    pub(crate) plain: Option<Vec<u8>>,
}

impl Packet {
    /// The messages of a frame that is not encrypted.
    pub(crate) fn messages(&self) -> Vec<&[u8]> {
        let mut messages = Vec::new();
        let mut rest = &self.wire[..];
        while rest.starts_with(&PROTOCOL_ID) {
            let next = Header::decode(rest).unwrap().next_command as usize;
            let (message, later) = rest.split_at(if next == 0 { rest.len() } else { next });
            messages.push(message);
            rest = later;
        }
        messages
    }

    /// NEGOTIATE and SESSION_SETUP, but not the answer to an SMB1 NEGOTIATE and not the last
    /// SESSION_SETUP response.
    pub(crate) fn goes_into_preauth(&self) -> bool {
        let Ok(header) = Header::decode(&self.wire) else { return false };
        let wildcard = self.wire.get(68..70) == Some(&[0xFF, 2]);
        match header.command {
            Command::NEGOTIATE => !(header.is_response() && wildcard),
            Command::SESSION_SETUP => !header.is_response() || header.status != NtStatus::SUCCESS,
            _ => false,
        }
    }
}

pub(crate) struct Session {
    pub(crate) name: String,
    pub(crate) dialect: Dialect,
    pub(crate) cipher: Option<Cipher>,
    pub(crate) signing: SigningAlgorithm,
    pub(crate) session_key: Vec<u8>,
    pub(crate) preauth: Option<[u8; 64]>,
    pub(crate) preauth_steps: Vec<[u8; 64]>,
    pub(crate) keys: BTreeMap<String, Vec<u8>>,
    pub(crate) binding_key: Option<[u8; 16]>,
    pub(crate) signed: usize,
    pub(crate) sealed: usize,
    pub(crate) packets: Vec<Packet>,
}

impl Session {
    pub(crate) fn derive(&self, crypto: &dyn CryptoProvider) -> SessionKeys {
        let preauth = self.preauth.unwrap_or([0; 64]);
        SessionKeys::derive(crypto, self.dialect, self.cipher, &self.session_key, &preauth)
    }

    fn parse(v: &Value) -> Self {
        let number = |field: &str| v[field].as_u64().unwrap();
        let array = |value: &Value| value.as_array().unwrap().clone();
        let hash = |value: &Value| hex(value).try_into().unwrap();
        let packet = |value: &Value| Packet {
            by_client: value[0] == "C",
            wire: hex(&value[1]),
            plain: value.get(2).map(hex),
        };
        Self {
            name: v["name"].as_str().unwrap().to_owned(),
            dialect: Dialect(number("dialect") as u16),
            cipher: v["cipher"].as_u64().map(|cipher| Cipher(cipher as u16)),
            signing: SigningAlgorithm(number("signing") as u16),
            session_key: hex(&v["session_key"]),
            preauth: v["preauth"].is_string().then(|| hash(&v["preauth"])),
            preauth_steps: array(&v["preauth_steps"]).iter().map(hash).collect(),
            keys: v["keys"].as_object().unwrap().iter().map(|(name, key)| (name.clone(), hex(key))).collect(),
            binding_key: v.get("binding_key").map(|key| hex(key).try_into().unwrap()),
            signed: number("signed") as usize,
            sealed: number("sealed") as usize,
            packets: array(&v["packets"]).iter().map(packet).collect(),
        }
    }
}

/// All sessions of `testdata/vectors`.
pub(crate) fn sessions() -> Vec<Session> {
    let files = [
        include_str!("../../../../testdata/vectors/sessions.json"),
        include_str!("../../../../testdata/vectors/sessions_samba.json"),
    ];
    let parse = |file| serde_json::from_str::<Vec<Value>>(file).unwrap();
    files.into_iter().flat_map(parse).map(|value| Session::parse(&value)).collect()
}
