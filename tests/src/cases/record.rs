//! What went over the wire while a case was played.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};

use super::{answer::Seen, values::show_hex};

/// Everything that went over the wire.
#[derive(Debug, Default)]
pub struct Record {
    frames: Vec<(String, Vec<u8>)>,
    names: BTreeSet<String>,
}

impl Record {
    /// A hash of it.
    pub fn hash(&self) -> String {
        let mut hash = Sha256::new();
        for (title, bytes) in &self.frames {
            hash.update(title.as_bytes());
            hash.update((bytes.len() as u64).to_le_bytes());
            hash.update(bytes);
        }
        show_hex(&hash.finalize()[..8])
    }

    pub(super) fn frame(&mut self, title: String, bytes: Vec<u8>) {
        self.frames.push((title, bytes));
    }

    pub(super) fn seen(&mut self, seen: &Seen) {
        self.names.extend(seen.iter().map(|(name, _)| name.clone()));
    }

    /// The names of all fields that answers had.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// It, in the notation of `testdata/sessions` without the fields: who speaks over which connection
    /// and what, then the bytes.
    pub fn dump(&self) -> String {
        let mut text = String::new();
        for (title, bytes) in &self.frames {
            text += &format!("{title}\n");
            for line in bytes.chunks(32) {
                text += &format!("= {}\n", show_hex(line));
            }
        }
        text
    }
}
