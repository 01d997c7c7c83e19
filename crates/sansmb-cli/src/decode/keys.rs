//! Keys that open encrypted messages of a capture, from a file as `testdata/captures/*.keys.json`.

use std::{fs, path::Path};

use sansmb::{
    crypto::{Sealer, open_message},
    wire::{Cipher, SessionId},
};
use serde::Deserialize;

use crate::failure::{About, Failure, Result};

/// What the file holds; other keys in it are of no interest here.
#[derive(Deserialize)]
struct KeyFile {
    sessions: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    session_id: String,
    cipher: String,
    client_to_server_key: Option<String>,
    server_to_client_key: Option<String>,
}

/// The keys of sessions.
#[derive(Default)]
pub(super) struct Keys {
    sessions: Vec<SessionKeys>,
}

struct SessionKeys {
    session: SessionId,
    cipher: Cipher,
    to_server: Box<dyn Sealer>,
    to_client: Box<dyn Sealer>,
}

impl Keys {
    pub(super) fn read(path: &Path) -> Result<Self> {
        let shown = path.display();
        let text = fs::read_to_string(path).about(&shown)?;
        let bad = |why: String| Failure::refused(&shown, why);
        let file: KeyFile = serde_json::from_str(&text).map_err(|error| bad(error.to_string()))?;
        let mut sessions = Vec::new();
        for entry in file.sessions {
            let session = entry.session_id.clone();
            match entry.keys() {
                Ok(Some(keys)) => sessions.push(keys),
                Ok(None) => {}
                Err(why) => return Err(bad(format!("session {session}: {why}"))),
            }
        }
        Ok(Self { sessions })
    }

    /// Opens an encrypted frame in place; says where the message in it stands.
    pub(super) fn open(
        &self,
        session: SessionId,
        from_server: bool,
        frame: &mut Vec<u8>,
    ) -> Option<std::ops::Range<usize>> {
        let mut known = self.sessions.iter().filter(|keys| keys.session == session);
        known.find_map(|keys| {
            let sealer = if from_server { &keys.to_client } else { &keys.to_server };
            // After a failure the content is undefined, and another entry may fit.
            let mut copy = frame.clone();
            let range = open_message(&**sealer, keys.cipher, &mut copy).ok()?;
            *frame = copy;
            Some(range)
        })
    }
}

impl Entry {
    fn keys(self) -> Result<Option<SessionKeys>, String> {
        let cipher = match self.cipher.to_ascii_uppercase().as_str() {
            "NONE" => return Ok(None),
            "AES-128-CCM" => Cipher::AES_128_CCM,
            "AES-128-GCM" => Cipher::AES_128_GCM,
            "AES-256-CCM" => Cipher::AES_256_CCM,
            "AES-256-GCM" => Cipher::AES_256_GCM,
            other => return Err(format!("unknown cipher {other:?}")),
        };
        let digits = self.session_id.trim_start_matches("0x");
        let session = u64::from_str_radix(digits, 16).map_err(|_| "the number is not hexadecimal")?;
        let provider = sansmb_crypto::default_provider();
        let sealer = |text: Option<String>| {
            let key = text.and_then(|text| unhex(&text)).ok_or("a key is missing or not hexadecimal")?;
            provider.sealer(cipher, &key).ok_or("a key has the wrong length")
        };
        let (to_server, to_client) = (sealer(self.client_to_server_key)?, sealer(self.server_to_client_key)?);
        Ok(Some(SessionKeys { session: SessionId(session), cipher, to_server, to_client }))
    }
}

/// Reads hexadecimal digits; white space, colons and a leading `0x` do not count.
pub(super) fn unhex(text: &str) -> Option<Vec<u8>> {
    let text = text.trim();
    let text = text.strip_prefix("0x").unwrap_or(text);
    let digits: Option<Vec<u8>> = text
        .chars()
        .filter(|c| !c.is_whitespace() && !matches!(c, ':' | '-' | ','))
        .map(|c| c.to_digit(16).map(|digit| digit as u8))
        .collect();
    let digits = digits.filter(|digits| digits.len().is_multiple_of(2))?;
    Some(digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}
