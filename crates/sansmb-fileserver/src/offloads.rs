//! Tokens that name ranges of open files, for offloaded data transfer.
//!
//! A token lives as long as the open it was asked for through, as the data it names, and as its time. Whoever
//! shows one must know a secret of sixteen bytes.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use sansmb::{
    time::Instant,
    wire::{
        FileTime,
        fsctl::{OffloadToken, OffloadTokenType},
    },
};

use crate::{config::Limits, opens::OpenId, storage::Metadata};

/// Tokens of one open: the oldest one goes for another one.
const PER_OPEN: u64 = 64;
/// Our tokens are of this type.
const OURS: OffloadTokenType = OffloadTokenType(1);

/// What nobody can guess.
pub(crate) type Secret = [u8; 16];

/// What a token names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) offset: u64,
    /// Whole sectors, the last of which may go on behind the end of the file.
    pub(crate) length: u64,
    /// Which version of the data.
    pub(crate) version: u64,
    /// The file as it was: what changes beside the server shows in it.
    pub(crate) file_length: u64,
    pub(crate) written: FileTime,
}

impl Named {
    /// Whether the file looks as it did when the token was made.
    pub(crate) fn is_still(&self, metadata: &Metadata) -> bool {
        metadata.length == self.file_length && metadata.written == self.written
    }
}

/// The open, and a number among its tokens.
type Key = (OpenId, u64);

#[derive(Debug)]
struct Entry {
    secret: Secret,
    named: Named,
    due: Instant,
}

/// All tokens of a server.
#[derive(Debug, Default)]
pub(crate) struct Offloads {
    tokens: BTreeMap<Key, Entry>,
    due: BTreeSet<(Instant, Key)>,
    next: u64,
}

impl Offloads {
    pub(crate) fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Makes a token for a range of what `open` is on, for `wanted` milliseconds or what is usual.
    pub(crate) fn insert(
        &mut self,
        open: OpenId,
        named: Named,
        secret: Secret,
        wanted: u32,
        limits: &Limits,
        now: Instant,
    ) -> OffloadToken {
        let life = match wanted {
            0 => limits.offload_time,
            wanted => Duration::from_millis(wanted.into()).min(limits.offload_time),
        };
        let number = self.next;
        self.next += 1;
        let oldest = self.of(open).next();
        if let Some(oldest) = oldest.filter(|_| self.of(open).count() as u64 >= PER_OPEN) {
            self.remove(oldest);
        }
        while self.tokens.len() >= limits.offload_tokens.max(1)
            && let Some((_, key)) = self.due.first().copied()
        {
            self.remove(key);
        }
        let (key, due) = ((open, number), now.after(life));
        self.tokens.insert(key, Entry { secret, named, due });
        self.due.insert((due, key));
        let mut id = [0; 504];
        let bytes = secret.into_iter().chain(open.0.to_le_bytes()).chain(number.to_le_bytes());
        id.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
        OffloadToken::new(OURS, id)
    }

    /// What a token names, and the open through which it was asked for.
    pub(crate) fn find(&self, token: &OffloadToken, now: Instant) -> Option<(OpenId, Named)> {
        let (secret, rest) = token.id.split_first_chunk::<16>()?;
        let (open, rest) = rest.split_first_chunk()?;
        let key = (OpenId(u64::from_le_bytes(*open)), u64::from_le_bytes(*rest.first_chunk()?));
        let entry = self.tokens.get(&key)?;
        let good = token.token_type == OURS && entry.secret == *secret && entry.due > now;
        good.then_some((key.0, entry.named))
    }

    /// An open is closed.
    pub(crate) fn forget(&mut self, open: OpenId) {
        let keys: Vec<Key> = self.of(open).collect();
        keys.into_iter().for_each(|key| self.remove(key));
    }

    /// When the next one's time is up.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.due.first().map(|(due, _)| *due)
    }

    /// Drops those whose time is up.
    pub(crate) fn expire(&mut self, now: Instant) {
        while let Some((due, key)) = self.due.first().copied()
            && due <= now
        {
            self.remove(key);
        }
    }

    fn of(&self, open: OpenId) -> impl Iterator<Item = Key> {
        self.tokens.range((open, 0)..=(open, u64::MAX)).map(|(key, _)| *key)
    }

    fn remove(&mut self, key: Key) {
        if let Some(entry) = self.tokens.remove(&key) {
            self.due.remove(&(entry.due, key));
        }
    }
}
