//! What is kept of a persistent open, as bytes.
//!
//! Little-endian numbers without padding, texts and lists behind their lengths. The first byte is the
//! version; bytes of another version, and bytes that do not fit to the last, are no record.

use std::{sync::Arc, time::Duration};

use bytes::{Buf, BufMut, Bytes};
use sansmb::{
    auth::{Identity, IdentityKind},
    wire::{AccessMask, CreateAction, CreateOptions, FileTime, Guid, LeaseKey, LeaseState, ShareAccess},
};

use crate::{
    caching::{KeptCaching, KeptLease},
    durable::{AppInstance, AppVersion, LockSequences, Made},
    locks::Range,
    opens::Frozen,
    storage::{FileIdentity, SharePath},
};

const VERSION: u8 = 1;

/// A persistent open, as it is to be made anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    /// The name of the share.
    pub(crate) share: String,
    pub(crate) path: SharePath,
    /// The named stream.
    pub(crate) stream: Option<Arc<str>>,
    /// So that no other file is taken for it.
    pub(crate) identity: FileIdentity,
    pub(crate) client_guid: Guid,
    /// How it came to be.
    pub(crate) made: Made,
    pub(crate) granted: AccessMask,
    /// What FileModeInformation shows and sets.
    pub(crate) mode: CreateOptions,
    pub(crate) timeout: Duration,
    pub(crate) delete_on_close: bool,
    /// The name is to go with its last open.
    pub(crate) delete_pending: bool,
    pub(crate) frozen: Frozen,
    pub(crate) caching: KeptCaching,
    /// Its byte-range locks, and which are exclusive.
    pub(crate) locks: Vec<(Range, bool)>,
    pub(crate) lock_sequences: LockSequences,
}

impl Record {
    pub(crate) fn encode(&self) -> Bytes {
        let mut out = Vec::with_capacity(256);
        out.put_u8(VERSION);
        put_text(&mut out, &self.share);
        put_len(&mut out, self.path.0.len());
        self.path.0.iter().for_each(|name| put_text(&mut out, name));
        put_option(&mut out, self.stream.as_deref(), put_text);
        self.identity.0.iter().for_each(|part| out.put_u64_le(*part));
        out.put_slice(&self.client_guid.0);
        put_made(&mut out, &self.made);
        out.put_u32_le(self.granted.bits());
        out.put_u32_le(self.mode.bits());
        out.put_u32_le(u32::try_from(self.timeout.as_millis()).unwrap_or(u32::MAX));
        out.put_u8(self.delete_on_close.into());
        out.put_u8(self.delete_pending.into());
        for time in [self.frozen.written, self.frozen.accessed, self.frozen.changed] {
            put_option(&mut out, time, |out, time| out.put_u64_le(time.0));
        }
        put_caching(&mut out, &self.caching);
        put_len(&mut out, self.locks.len());
        for (range, exclusive) in &self.locks {
            out.put_u64_le(range.offset);
            out.put_u64_le(range.length);
            out.put_u8((*exclusive).into());
        }
        put_len(&mut out, self.lock_sequences.iter().count());
        for (index, number) in self.lock_sequences.iter() {
            out.put_u8(index);
            out.put_u8(number);
        }
        out.into()
    }

    /// The record that these bytes are, if they are one as a whole.
    pub(crate) fn decode(mut bytes: &[u8]) -> Option<Self> {
        let from = &mut bytes;
        if from.try_get_u8().ok()? != VERSION {
            return None;
        }
        let record = Self {
            share: text(from)?,
            path: SharePath(list(from, |from| Some(text(from)?.into()))?),
            stream: option(from, |from| Some(text(from)?.into()))?,
            identity: FileIdentity([number(from)?, number(from)?, number(from)?, number(from)?]),
            client_guid: Guid(array(from)?),
            made: made(from)?,
            granted: AccessMask::from_bits_retain(from.try_get_u32_le().ok()?),
            mode: CreateOptions::from_bits_retain(from.try_get_u32_le().ok()?),
            timeout: Duration::from_millis(from.try_get_u32_le().ok()?.into()),
            delete_on_close: flag(from)?,
            delete_pending: flag(from)?,
            frozen: Frozen {
                written: option(from, |from| Some(FileTime(number(from)?)))?,
                accessed: option(from, |from| Some(FileTime(number(from)?)))?,
                changed: option(from, |from| Some(FileTime(number(from)?)))?,
            },
            caching: caching(from)?,
            locks: list(from, |from| Some((Range::checked(number(from)?, number(from)?)?, flag(from)?)))?,
            lock_sequences: LockSequences::from_entries(list(from, |from| {
                Some((from.try_get_u8().ok()?, from.try_get_u8().ok()?))
            })?),
        };
        from.is_empty().then_some(record)
    }
}

fn put_made(out: &mut Vec<u8>, made: &Made) {
    put_option(out, made.owner.as_ref(), |out, owner| {
        put_text(out, &owner.user);
        put_text(out, &owner.domain);
    });
    put_option(out, made.create_guid, |out, guid| out.put_slice(&guid.0));
    put_option(out, made.action, |out, action| out.put_u32_le(action.0));
    put_option(out, made.app, |out, app| {
        out.put_slice(&app.id.0);
        put_option(out, app.version, |out, version| {
            out.put_u64_le(version.high);
            out.put_u64_le(version.low);
        });
    });
    out.put_u32_le(made.desired.bits());
    out.put_u32_le(made.sharing.bits());
    out.put_u32_le(made.options.bits());
}

fn made(from: &mut &[u8]) -> Option<Made> {
    Some(Made {
        owner: option(from, |from| {
            let (user, domain) = (text(from)?, text(from)?);
            Some(Identity { user, domain, kind: IdentityKind::User, ..Identity::default() })
        })?,
        create_guid: option(from, |from| Some(Guid(array(from)?)))?,
        action: option(from, |from| Some(CreateAction(from.try_get_u32_le().ok()?)))?,
        app: option(from, |from| {
            let id = Guid(array(from)?);
            let version = option(from, |from| Some(AppVersion { high: number(from)?, low: number(from)? }))?;
            Some(AppInstance { id, version })
        })?,
        desired: AccessMask::from_bits_retain(from.try_get_u32_le().ok()?),
        sharing: ShareAccess::from_bits_retain(from.try_get_u32_le().ok()?),
        options: CreateOptions::from_bits_retain(from.try_get_u32_le().ok()?),
        replayable: true,
    })
}

fn put_caching(out: &mut Vec<u8>, caching: &KeptCaching) {
    out.put_u32_le(caching.state.bits());
    put_option(out, caching.lease, |out, lease| {
        out.put_slice(&lease.key.0);
        put_option(out, lease.parent, |out, parent| out.put_slice(&parent.0));
        out.put_u16_le(lease.epoch);
        out.put_u8(lease.version_2.into());
        out.put_u8(lease.delete_on_close.into());
    });
    put_option(out, caching.parent, |out, parent| out.put_slice(&parent.0));
}

fn caching(from: &mut &[u8]) -> Option<KeptCaching> {
    Some(KeptCaching {
        state: LeaseState::from_bits_retain(from.try_get_u32_le().ok()?),
        lease: option(from, |from| {
            Some(KeptLease {
                key: LeaseKey(array(from)?),
                parent: option(from, |from| Some(LeaseKey(array(from)?)))?,
                epoch: from.try_get_u16_le().ok()?,
                version_2: flag(from)?,
                delete_on_close: flag(from)?,
            })
        })?,
        parent: option(from, |from| Some(LeaseKey(array(from)?)))?,
    })
}

fn put_len(out: &mut Vec<u8>, len: usize) {
    out.put_u32_le(u32::try_from(len).unwrap_or(u32::MAX));
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    put_len(out, text.len());
    out.put_slice(text.as_bytes());
}

fn put_option<T>(out: &mut Vec<u8>, value: Option<T>, put: impl FnOnce(&mut Vec<u8>, T)) {
    out.put_u8(value.is_some().into());
    if let Some(value) = value {
        put(out, value);
    }
}

fn number(from: &mut &[u8]) -> Option<u64> {
    from.try_get_u64_le().ok()
}

fn flag(from: &mut &[u8]) -> Option<bool> {
    match from.try_get_u8().ok()? {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    }
}

fn array<const N: usize>(from: &mut &[u8]) -> Option<[u8; N]> {
    let (array, rest) = from.split_first_chunk()?;
    *from = rest;
    Some(*array)
}

fn text(from: &mut &[u8]) -> Option<String> {
    let len = from.try_get_u32_le().ok()? as usize;
    let (text, rest) = from.split_at_checked(len)?;
    *from = rest;
    Some(str::from_utf8(text).ok()?.to_owned())
}

fn option<T>(from: &mut &[u8], get: impl FnOnce(&mut &[u8]) -> Option<T>) -> Option<Option<T>> {
    if flag(from)? { Some(Some(get(from)?)) } else { Some(None) }
}

/// A list; each element takes at least a byte, so that no length reserves more than there is.
fn list<T>(from: &mut &[u8], mut get: impl FnMut(&mut &[u8]) -> Option<T>) -> Option<Vec<T>> {
    let len = from.try_get_u32_le().ok()? as usize;
    if len > from.len() {
        return None;
    }
    (0..len).map(|_| get(from)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        Record {
            share: "data".into(),
            path: SharePath(vec!["dir".into(), "Ünï".into()]),
            stream: Some("s".into()),
            identity: FileIdentity([1, 2, 3, u64::MAX]),
            client_guid: Guid([1; 16]),
            made: Made {
                owner: Some(Identity { user: "alice".into(), domain: "HOME".into(), ..Default::default() }),
                create_guid: Some(Guid([2; 16])),
                action: Some(CreateAction::CREATED),
                replayable: true,
                app: Some(AppInstance { id: Guid([3; 16]), version: Some(AppVersion { high: 4, low: 5 }) }),
                desired: AccessMask::MAXIMUM_ALLOWED,
                sharing: ShareAccess::READ,
                options: CreateOptions::DELETE_ON_CLOSE,
            },
            granted: AccessMask::FILE_ALL_ACCESS,
            mode: CreateOptions::WRITE_THROUGH,
            timeout: Duration::from_secs(60),
            delete_on_close: true,
            delete_pending: false,
            frozen: Frozen { written: Some(FileTime(7)), ..Frozen::default() },
            caching: KeptCaching {
                state: LeaseState::READ_CACHING | LeaseState::HANDLE_CACHING,
                lease: Some(KeptLease {
                    key: LeaseKey([4; 16]),
                    parent: Some(LeaseKey([5; 16])),
                    epoch: 9,
                    version_2: true,
                    delete_on_close: true,
                }),
                parent: Some(LeaseKey([5; 16])),
            },
            locks: vec![(Range { offset: 1, length: 2 }, true), (Range { offset: 8, length: 0 }, false)],
            lock_sequences: LockSequences::from_entries([(1, 2), (64, 15)]),
        }
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let record = record();
        assert_eq!(Record::decode(&record.encode()), Some(record));
    }

    #[test]
    fn half_a_record_is_none_and_neither_is_one_with_something_behind() {
        let bytes = record().encode();
        for len in 0..bytes.len() {
            assert_eq!(Record::decode(&bytes[..len]), None, "{len}");
        }
        assert_eq!(Record::decode(&[&bytes[..], &[0]].concat()), None);
        let mut newer = bytes.to_vec();
        newer[0] += 1;
        assert_eq!(Record::decode(&newer), None, "another version");
    }

    #[test]
    fn lengths_that_are_not_there_reserve_nothing() {
        let mut bytes = vec![VERSION];
        bytes.extend_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(Record::decode(&bytes), None);
    }
}
