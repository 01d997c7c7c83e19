//! What the names of files' extended attributes told, for as long as the files' change times stay: to ask the
//! kernel again takes it as long as a third of an open.
//!
//! Only of file systems that note each change of an attribute in the change time, and only where that is so old
//! that another change would show in it.

use std::{collections::HashMap, os::fd::BorrowedFd, sync::Mutex};

use rustix::fs::fstatfs;
use sansmb::wire::{FileAttributes, dtyp::Sid};

use super::{
    eas::Beside,
    kept::Kept,
    meta::{Stamp, Stat},
};
use crate::slab::lock;

/// tmpfs, the ext family, XFS and Btrfs.
const NOTING: [u32; 4] = [0x0102_1994, 0xef53, 0x5846_5342, 0x9123_683e];
/// Files of which it is known, some 150 bytes each.
const FILES: usize = 16 * 1024;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Remembered {
    /// The volume of whose files it can be known.
    volume: Option<u64>,
    files: Mutex<HashMap<u64, Plain>>,
}

/// A file that has no attributes but perhaps one whose name tells everything.
#[derive(Debug, Clone, Copy)]
struct Plain {
    stamp: Stamp,
    told: Option<(FileAttributes, Option<Sid>)>,
}

impl Remembered {
    /// Of files on the volume of `root`, where its file system is one of those.
    pub(super) fn new(root: BorrowedFd<'_>, volume: u64) -> Self {
        let noting = fstatfs(root).is_ok_and(|fs| NOTING.contains(&(fs.f_type as u32)));
        Self { volume: noting.then_some(volume), files: Mutex::default() }
    }

    /// What is kept beside the file of `stat`, and what its attributes come to: as it is known, or as `look` finds
    /// it after `stat`.
    pub(super) fn beside(&self, stat: &Stat, look: impl FnOnce() -> Beside) -> (Option<Kept>, u32) {
        let node = stat.node();
        if self.volume != Some(node.volume) {
            let Beside { kept, ea_size, .. } = look();
            return (kept, ea_size);
        }
        let known = lock(&self.files).get(&node.file).filter(|plain| plain.stamp == stat.stamp()).copied();
        if let Some(plain) = known {
            return (plain.kept(), 0);
        }
        let Beside { kept, ea_size, plain } = look();
        if plain && !stat.is_recent() {
            let told = kept.map(|kept| (kept.attributes, kept.owner));
            let mut files = lock(&self.files);
            if files.len() >= FILES {
                files.clear();
            }
            files.insert(node.file, Plain { stamp: stat.stamp(), told });
        }
        (kept, ea_size)
    }
}

impl Plain {
    fn kept(self) -> Option<Kept> {
        self.told.map(|(attributes, owner)| Kept { attributes, owner, ..Kept::default() })
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;

    const LONG_AGO: Stamp = (1_000_000_000, 5);

    fn stat() -> Stat {
        Stat::of(std::fs::File::open(".").unwrap().as_fd()).unwrap()
    }

    fn remembered() -> Remembered {
        Remembered { volume: Some(stat().node().volume), files: Mutex::default() }
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
        for number in 0..2 * FILES as u64 + 10 {
            remembered.beside(&stat.of_file(number), || plain(FileAttributes::HIDDEN));
            assert!(lock(&remembered.files).len() <= FILES);
        }
    }
}
