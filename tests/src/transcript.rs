//! Reads the transcripts of `testdata/sessions`; `testdata/README.md` has the notation.

use std::path::Path;

/// One message of a conversation.
#[derive(Debug)]
pub struct Message {
    /// `C: ...` or `S: ...`
    pub title: String,
    /// Name, type and value in the order of the wire.
    pub fields: Vec<(String, String, String)>,
    /// The bytes as they stand in the file.
    pub bytes: Vec<u8>,
}

impl Message {
    /// Whether the client sends it.
    pub fn is_request(&self) -> bool {
        self.title.starts_with("C:")
    }

    /// The bytes that follow from the fields.
    pub fn built(&self) -> Vec<u8> {
        self.fields.iter().flat_map(|(_, kind, value)| encoded(kind, value)).collect()
    }

    /// The value of a field that holds a number.
    pub fn number(&self, name: &str) -> u64 {
        let (_, _, value) =
            self.fields.iter().find(|(n, ..)| n == name).unwrap_or_else(|| panic!("no {name}"));
        number(value)
    }
}

/// The messages of a transcript.
pub fn read(path: &Path) -> Vec<Message> {
    let mut messages: Vec<Message> = Vec::new();
    for line in std::fs::read_to_string(path).unwrap().lines() {
        if line.starts_with("C: ") || line.starts_with("S: ") {
            messages.push(Message { title: line.to_owned(), fields: Vec::new(), bytes: Vec::new() });
        } else if let Some(field) = line.strip_prefix("  ") {
            let (name, rest) = field.split_once(' ').unwrap();
            let (kind, value) = rest.trim_start().split_once(' ').unwrap();
            let value = value.trim_start();
            let value = match value.strip_prefix('"') {
                Some(text) => text.split_once('"').unwrap().0,
                None => value.split_once(' ').map_or(value, |(value, _)| value),
            };
            messages.last_mut().unwrap().fields.push((name.to_owned(), kind.to_owned(), value.to_owned()));
        } else if let Some(bytes) = line.strip_prefix("= ") {
            let bytes = bytes.strip_prefix("filler ").map_or_else(|| hex(bytes), filler);
            messages.last_mut().unwrap().bytes.extend(bytes);
        } else {
            assert!(line.is_empty() || line.starts_with('#'), "{}: {line}", path.display());
        }
    }
    messages
}

fn encoded(kind: &str, value: &str) -> Vec<u8> {
    match kind {
        "u8" => number(value).to_le_bytes()[..1].to_vec(),
        "u16" => number(value).to_le_bytes()[..2].to_vec(),
        "u32" => number(value).to_le_bytes()[..4].to_vec(),
        "u64" => number(value).to_le_bytes().to_vec(),
        "guid" => guid(value),
        "utf16" => value.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        "ascii" => value.as_bytes().to_vec(),
        "hex" => hex(value),
        "zero" => vec![0; number(value) as usize],
        "filler" => filler(value),
        kind => panic!("unknown type {kind}"),
    }
}

fn number(text: &str) -> u64 {
    text.strip_prefix("0x").map_or_else(|| text.parse(), |digits| u64::from_str_radix(digits, 16)).unwrap()
}

fn filler(len: &str) -> Vec<u8> {
    let len = number(len);
    (0..len).map(|i| (7 * i + len) as u8).collect()
}

fn guid(text: &str) -> Vec<u8> {
    let mut bytes = hex(&text.replace('-', ""));
    for little_endian in [0..4, 4..6, 6..8] {
        bytes[little_endian].reverse();
    }
    bytes
}

/// The bytes of a string of hexadecimal digits.
pub fn hex(digits: &str) -> Vec<u8> {
    assert!(digits.len().is_multiple_of(2), "half a byte: {digits}");
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
}
