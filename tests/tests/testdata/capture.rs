//! Reads the captures of `testdata/captures`: the frames of Direct TCP, in order, and the keys beside them.

use std::collections::BTreeMap;
use std::path::Path;

use sansmb::wire::{Cipher, SessionId, SigningAlgorithm};
use serde_json::Value;

use super::hex;

/// What one side sent at once, without the length prefix.
pub(crate) struct Frame {
    pub(crate) from_server: bool,
    pub(crate) bytes: Vec<u8>,
}

/// One entry of the key file.
pub(crate) struct Keys {
    pub(crate) session_id: SessionId,
    pub(crate) signing: (SigningAlgorithm, [u8; 16]),
    /// Cipher, client to server, server to client.
    pub(crate) sealing: Option<(Cipher, Vec<u8>, Vec<u8>)>,
}

pub(crate) struct Capture {
    pub(crate) frames: Vec<Frame>,
    pub(crate) keys: Vec<Keys>,
}

impl Capture {
    pub(crate) fn read(path: &Path) -> Self {
        let keys = path.to_str().unwrap().replace(".pcapng", ".keys.json");
        let known: Value = serde_json::from_slice(&std::fs::read(keys).unwrap()).unwrap();
        let port = known["port"].as_u64().unwrap() as u16;
        Self {
            frames: frames(&std::fs::read(path).unwrap(), port),
            keys: known["sessions"].as_array().unwrap().iter().map(keys_of).collect(),
        }
    }
}

fn keys_of(entry: &Value) -> Keys {
    let text = |name: &str| entry[name].as_str().unwrap();
    let signing = match text("signing") {
        "HMAC-SHA256" => SigningAlgorithm::HMAC_SHA256,
        "AES-128-CMAC" => SigningAlgorithm::AES_CMAC,
        "AES-128-GMAC" => SigningAlgorithm::AES_GMAC,
        other => panic!("{other}"),
    };
    let cipher = match text("cipher") {
        "AES-128-CCM" => Some(Cipher::AES_128_CCM),
        "AES-128-GCM" => Some(Cipher::AES_128_GCM),
        "AES-256-CCM" => Some(Cipher::AES_256_CCM),
        "AES-256-GCM" => Some(Cipher::AES_256_GCM),
        "none" => None,
        other => panic!("{other}"),
    };
    Keys {
        session_id: SessionId(u64::from_str_radix(&text("session_id")[2..], 16).unwrap()),
        signing: (signing, hex(text("signing_key")).try_into().unwrap()),
        sealing: cipher.map(|c| (c, hex(text("client_to_server_key")), hex(text("server_to_client_key")))),
    }
}

fn number(bytes: &[u8], at: usize, len: usize) -> usize {
    bytes[at..at + len].iter().rev().fold(0, |sum, byte| sum << 8 | usize::from(*byte))
}

fn big(bytes: &[u8], at: usize, len: usize) -> usize {
    bytes[at..at + len].iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte))
}

/// The enhanced packet blocks of a little-endian pcapng file of Ethernet, as `record.sh` writes it, put together
/// to the streams of TCP and cut at the length prefixes.
fn frames(file: &[u8], port: u16) -> Vec<Frame> {
    const ENHANCED_PACKET: usize = 6;
    let mut streams: BTreeMap<(usize, bool), Stream> = BTreeMap::new();
    let (mut frames, mut at) = (Vec::new(), 0);
    while at < file.len() {
        let (kind, len) = (number(file, at, 4), number(file, at + 4, 4));
        if kind == ENHANCED_PACKET {
            let captured = number(file, at + 20, 4);
            let ip = &file[at + 28..at + 28 + captured][14..];
            let tcp = &ip[usize::from(ip[0] & 15) * 4..big(ip, 2, 2)];
            let payload = &tcp[usize::from(tcp[12] >> 4) * 4..];
            let (from, to) = (big(tcp, 0, 2), big(tcp, 2, 2));
            let from_server = from == usize::from(port);
            // Client ports are used once in a capture.
            let stream = streams.entry((if from_server { to } else { from }, from_server)).or_default();
            let data = stream.take(big(tcp, 4, 4), payload);
            frames.extend(data.into_iter().map(|bytes| Frame { from_server, bytes }));
        }
        at += len;
    }
    frames
}

#[derive(Default)]
struct Stream {
    next: Option<usize>,
    data: Vec<u8>,
}

impl Stream {
    /// Takes in a segment and gives the frames that are complete by now.
    fn take(&mut self, sequence: usize, payload: &[u8]) -> Vec<Vec<u8>> {
        if payload.is_empty() || self.next.is_some_and(|next| next != sequence) {
            assert!(payload.is_empty() || self.next > Some(sequence), "a segment is missing");
            return Vec::new();
        }
        self.next = Some((sequence + payload.len()) & 0xFFFF_FFFF);
        self.data.extend_from_slice(payload);
        let mut frames = Vec::new();
        while self.data.len() >= 4 && self.data.len() >= 4 + big(&self.data, 1, 3) {
            let rest = self.data.split_off(4 + big(&self.data, 1, 3));
            frames.push(std::mem::replace(&mut self.data, rest).split_off(4));
        }
        frames
    }
}
