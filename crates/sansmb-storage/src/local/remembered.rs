//! What the names of files' extended attributes told, for as long as the files' change times stay: to ask the
//! kernel again takes it as long as a third of an open.
//!
//! Only of file systems that note each change of an attribute in the change time, and only where that is so old
//! that another change would show in it.

use std::{
    collections::{HashMap, HashSet},
    os::fd::BorrowedFd,
    sync::{Arc, Mutex},
};

use rustix::fs::fstatfs;
use sansmb::wire::{FileAttributes, dtyp::Sid};
use sansmb_fileserver::storage::NodeId;

use super::{
    eas::Beside,
    kept::Kept,
    meta::{Stamp, Stat},
};
use crate::slab::lock;

/// tmpfs, the ext family, XFS and Btrfs.
const NOTING: [u32; 4] = [0x0102_1994, 0xef53, 0x5846_5342, 0x9123_683e];
/// Several threads look at the files of a directory at once, and seldom at the same of these.
const SHARDS: usize = 8;
/// Files of which it is known in each of them, some 50 bytes a file.
const FILES: usize = 8 * 1024;
/// Different things that were told of them.
const TOLD: usize = 256;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Remembered {
    /// The volume of whose files it can be known.
    volume: Option<u64>,
    shards: [Mutex<Files>; SHARDS],
}

/// What a name told: attributes and owner.
type Told = (FileAttributes, Option<Sid>);

/// Some of the files, by their numbers.
#[derive(Debug, Default)]
struct Files {
    files: HashMap<u64, Plain>,
    /// What was told of any of them.
    told: HashSet<Arc<Told>>,
}

/// A file that has no attributes but perhaps one whose name tells everything.
#[derive(Debug)]
struct Plain {
    stamp: Stamp,
    told: Option<Arc<Told>>,
}

impl Remembered {
    /// Of files on the volume of `root`, where its file system is one of those.
    pub(super) fn new(root: BorrowedFd<'_>, volume: u64) -> Self {
        let noting = fstatfs(root).is_ok_and(|fs| NOTING.contains(&(fs.f_type as u32)));
        Self { volume: noting.then_some(volume), ..Self::default() }
    }

    /// What is kept beside the file of `stat`, and what its attributes come to: as it is known, or as `look` finds
    /// it after `stat`.
    pub(super) fn beside(&self, stat: &Stat, look: impl FnOnce() -> Beside) -> (Option<Kept>, u32) {
        let node = stat.node();
        let Some(shard) = self.shard(node) else {
            let Beside { kept, ea_size, .. } = look();
            return (kept, ea_size);
        };
        if let Some(kept) = lock(shard).find(node.file, stat.stamp()) {
            return (kept, 0);
        }
        let settled = stat.is_settled();
        let Beside { kept, ea_size, plain } = look();
        if plain && settled {
            lock(shard).insert(node.file, stat.stamp(), kept.map(|kept| (kept.attributes, kept.owner)));
        }
        (kept, ea_size)
    }

    fn shard(&self, node: NodeId) -> Option<&Mutex<Files>> {
        let here = self.volume == Some(node.volume);
        if here { self.shards.get(node.file as usize % SHARDS) } else { None }
    }
}

impl Files {
    /// What is kept beside a file, if that is known.
    fn find(&self, number: u64, stamp: Stamp) -> Option<Option<Kept>> {
        let plain = self.files.get(&number).filter(|plain| plain.stamp == stamp)?;
        let kept = |&(attributes, owner): &Told| Kept { attributes, owner, ..Kept::default() };
        Some(plain.told.as_deref().map(kept))
    }

    fn insert(&mut self, number: u64, stamp: Stamp, told: Option<Told>) {
        if self.files.len() >= FILES || self.told.len() >= TOLD {
            *self = Self::default();
        }
        let told = told.map(|told| {
            let known = self.told.get(&told).cloned();
            known.unwrap_or_else(|| {
                let told = Arc::new(told);
                self.told.insert(Arc::clone(&told));
                told
            })
        });
        self.files.insert(number, Plain { stamp, told });
    }
}

#[cfg(test)]
mod tests {
    use std::{os::fd::AsFd, time::Duration};

    use super::*;

    const LONG_AGO: Stamp = (1_000_000_000, 5);

    fn stat() -> Stat {
        Stat::of(std::fs::File::open(".").unwrap().as_fd()).unwrap()
    }

    fn remembered() -> Remembered {
        Remembered { volume: Some(stat().node().volume), ..Remembered::default() }
    }

    fn plain(attributes: FileAttributes) -> Beside {
        let kept = Kept { attributes, owner: Some(Sid::EVERYONE), ..Kept::default() };
        Beside { kept: Some(kept), ea_size: 0, plain: true }
    }

    fn unasked() -> Beside {
        panic!("it is known")
    }

    #[test]
    fn what_was_told_holds_for_as_long_as_the_change_time_stays() {
        let (remembered, stat) = (remembered(), stat().changed_at(LONG_AGO));
        let hidden = plain(FileAttributes::HIDDEN);
        let expected = (hidden.kept, 0);
        assert_eq!(remembered.beside(&stat, || hidden), expected);
        assert_eq!(remembered.beside(&stat, unasked), expected);
        let other = stat.of_file(stat.node().file + 1);
        assert_eq!(remembered.beside(&other, || Beside { plain: true, ..Beside::default() }), (None, 0));
        assert_eq!(remembered.beside(&other, unasked), (None, 0));
        let changed = stat.changed_at((LONG_AGO.0, LONG_AGO.1 + 1));
        let system = plain(FileAttributes::SYSTEM);
        let expected = (system.kept, 0);
        assert_eq!(remembered.beside(&changed, || system), expected);
        assert_eq!(remembered.beside(&changed, unasked), expected);
    }

    #[test]
    fn what_could_change_unseen_is_asked_for_again() {
        let remembered = remembered();
        let old = stat().changed_at(LONG_AGO);
        // Of a clock that is ahead nothing is known either.
        let recent = old.changed_at((1 << 40, 0));
        let value = || Beside { plain: false, ..plain(FileAttributes::HIDDEN) };
        let nothing = || Beside { plain: true, ..Beside::default() };
        for (stat, first) in [(recent, plain(FileAttributes::HIDDEN)), (old, value())] {
            assert_ne!(remembered.beside(&stat, || first), (None, 0));
            assert_eq!(remembered.beside(&stat, || Beside { plain: false, ..nothing() }), (None, 0));
        }
        // A volume whose change times say less.
        let elsewhere = Remembered::default();
        assert_ne!(elsewhere.beside(&old, || plain(FileAttributes::HIDDEN)), (None, 0));
        assert_eq!(elsewhere.beside(&old, nothing), (None, 0));
    }

    #[test]
    fn many_files_do_not_fill_the_memory() {
        let (remembered, stat) = (remembered(), stat().changed_at(LONG_AGO));
        let shard = remembered.shard(stat.of_file(0).node()).unwrap();
        for number in 0..2 * FILES as u64 + 10 {
            remembered.beside(&stat.of_file(number * SHARDS as u64), || plain(FileAttributes::HIDDEN));
            assert!(lock(shard).files.len() <= FILES);
        }
    }

    #[test]
    fn what_many_owners_told_does_not_fill_it_either() {
        let (remembered, stat) = (remembered(), stat().changed_at(LONG_AGO));
        let shard = remembered.shard(stat.of_file(0).node()).unwrap();
        for number in 0..3 * TOLD as u64 {
            let stat = stat.of_file(number * SHARDS as u64);
            let mut beside = plain(FileAttributes::HIDDEN);
            beside.kept = beside.kept.map(|kept| Kept { owner: Sid::new(5, &[number as u32]), ..kept });
            let kept = beside.kept;
            assert_eq!(remembered.beside(&stat, || beside), (kept, 0));
            assert_eq!(remembered.beside(&stat, unasked), (kept, 0));
            assert!(lock(shard).told.len() <= TOLD);
        }
    }

    #[test]
    fn a_stamp_is_settled_once_the_clock_of_the_file_system_has_gone_on() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for mode in [0o600, 0o640, 0o600] {
            let before = Stat::of(file.as_fd()).unwrap();
            while !before.is_settled() {
                std::thread::sleep(Duration::from_millis(1));
            }
            let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
            std::fs::set_permissions(file.path(), mode).unwrap();
            let after = Stat::of(file.as_fd()).unwrap();
            assert_ne!(before.stamp(), after.stamp());
        }
    }

    #[test]
    fn whole_seconds_are_settled_with_the_second() {
        let settled = |nanos, after: u64| {
            let now = Duration::new(LONG_AGO.0 as u64, nanos) + Duration::from_millis(after);
            stat().changed_at((LONG_AGO.0, nanos)).is_settled_at(now)
        };
        assert!(!settled(0, 990) && settled(0, 1010));
        assert!(!settled(5, 0) && !settled(5, 15) && settled(5, 25));
        // A clock that was set back.
        assert!(!stat().changed_at(LONG_AGO).is_settled_at(Duration::from_secs(LONG_AGO.0 as u64 - 1)));
    }
}
