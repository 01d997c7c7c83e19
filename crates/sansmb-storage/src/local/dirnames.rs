//! Which names a directory holds, without regard to case.
//!
//! A Unix directory answers quickly only for an exact name. To find another spelling, or to know
//! that there is none before a file is made, all of its names have to be read. What was read is kept
//! for a number of directories and holds as long as the directory's change time does. Changes made
//! here are entered into it, so that making many files reads the directory once and not once a file.
//!
//! A change that somebody else makes between two of ours, or within one tick of the file system's
//! clock, leaves no trace in the change time. Names that may have missed one are read again after a
//! while, as rarely as reading them is slow.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    os::fd::BorrowedFd,
    sync::{
        Arc, Mutex, MutexGuard, TryLockError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use rustix::{
    fs::{Dir, Mode, OFlags, openat},
    io::{Errno, Result},
};
use sansmb_fileserver::storage::NodeId;

use super::{
    meta::{Stamp, Stat, TICK},
    names,
};
use crate::{fold, same_name, slab::lock};

/// Directories whose names are kept.
const DIRECTORIES: usize = 256;
/// A directory file of at most so many bytes is read at once rather than on another thread.
const SMALL: u64 = 64 * 1024;

/// Whether a large directory may be read right now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scan {
    /// Only small ones; for others the job moves to a thread that may wait.
    Small,
    /// Any.
    Any,
}

/// The names of the directories that were used last.
#[derive(Debug)]
pub(super) struct DirNamesCache {
    dirs: Mutex<Lru>,
    /// Names that may be kept in all.
    budget: usize,
}

#[derive(Debug, Default)]
struct Lru {
    dirs: HashMap<NodeId, (Arc<Cell>, u64)>,
    clock: u64,
}

/// The names of one directory. Whoever makes, renames or removes an entry holds the lock.
#[derive(Debug, Default)]
pub(super) struct Cell {
    pub(super) names: Mutex<DirNames>,
    count: AtomicUsize,
}

impl DirNamesCache {
    pub(super) fn new(budget: usize) -> Self {
        Self { dirs: Mutex::default(), budget }
    }

    /// The names of directory `node`, read or yet to be read.
    pub(super) fn of(&self, node: NodeId) -> Arc<Cell> {
        let mut lru = lock(&self.dirs);
        lru.clock += 1;
        let now = lru.clock;
        if let Some((cell, used)) = lru.dirs.get_mut(&node) {
            *used = now;
            return Arc::clone(cell);
        }
        lru.make_room(self.budget);
        let names = DirNames { limit: self.budget, ..DirNames::default() };
        let cell = Arc::new(Cell { names: Mutex::new(names), count: AtomicUsize::new(0) });
        lru.dirs.insert(node, (Arc::clone(&cell), now));
        cell
    }
}

impl Lru {
    fn make_room(&mut self, budget: usize) {
        loop {
            let mut names = 0_usize;
            let mut oldest: Option<(NodeId, u64)> = None;
            for (node, (cell, used)) in self.dirs.iter() {
                names = names.saturating_add(cell.count.load(Ordering::Relaxed));
                // One that is in use now stays: two of them for a directory would know different names.
                if Arc::strong_count(cell) == 1 && oldest.is_none_or(|(_, least)| *used < least) {
                    oldest = Some((*node, *used));
                }
            }
            let Some((node, _)) = oldest else { return };
            if names <= budget && self.dirs.len() < DIRECTORIES {
                return;
            }
            self.dirs.remove(&node);
        }
    }
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct DirNames {
    /// By a hash of the folded name, because a name need not be stored twice.
    by_fold: HashMap<u64, Box<[u8]>>,
    hasher: RandomState,
    /// The directory's change time when its names were last known to be these.
    stamp: Option<Stamp>,
    /// Something may have been missed.
    doubtful: bool,
    /// Two names differ only in case, or two hashes met: removing one may uncover the other.
    shadows: bool,
    read_at: Option<Instant>,
    cost: Duration,
    /// There are more names than may be kept; they are read for every question.
    too_many: bool,
    limit: usize,
    /// Whether the directory is a reparse point, once somebody asked. Clients change that with this
    /// lock held.
    pub(super) reparse_point: Option<bool>,
}

/// A large directory would have to be read, or somebody is reading it.
#[derive(Debug)]
pub(super) struct TooSlow;

/// Locks something that is also held while a large directory is read.
pub(super) fn lock_for<T>(mutex: &Mutex<T>, scan: Scan) -> std::result::Result<MutexGuard<'_, T>, TooSlow> {
    match (scan, mutex.try_lock()) {
        (_, Ok(guard)) => Ok(guard),
        (Scan::Small, Err(TryLockError::WouldBlock)) => Err(TooSlow),
        _ => Ok(lock(mutex)),
    }
}

impl Cell {
    /// Makes sure that the names in `names`, which is this cell's lock, are those of `dir`.
    pub(super) fn refresh(
        &self,
        names: &mut DirNames,
        dir: BorrowedFd<'_>,
        scan: Scan,
    ) -> Result<std::result::Result<(), TooSlow>> {
        let stat = Stat::of(dir)?;
        if names.stamp == Some(stat.stamp()) && !names.in_doubt() {
            return Ok(Ok(()));
        }
        if scan == Scan::Small && stat.size() > SMALL {
            return Ok(Err(TooSlow));
        }
        names.read(dir, stat)?;
        self.count.store(names.by_fold.len(), Ordering::Relaxed);
        Ok(Ok(()))
    }
}

impl DirNames {
    fn in_doubt(&self) -> bool {
        let patience = TICK.max(self.cost.saturating_mul(20));
        self.doubtful && self.read_at.is_none_or(|at| now().duration_since(at) > patience)
    }

    fn read(&mut self, dir: BorrowedFd<'_>, stat: Stat) -> Result<()> {
        let started = now();
        self.by_fold.clear();
        self.shadows = false;
        self.too_many = false;
        let complete = each_name(dir, |disk| {
            let hash = self.hash(&names::to_share(disk));
            if self.by_fold.len() >= self.limit {
                return false;
            }
            // Of several spellings the first in byte order wins, whatever the order of the entries.
            let slot = self.by_fold.entry(hash);
            self.shadows |= matches!(slot, std::collections::hash_map::Entry::Occupied(_));
            slot.and_modify(|known| {
                if disk < &**known {
                    *known = disk.into();
                }
            })
            .or_insert_with(|| disk.into());
            true
        })?;
        if !complete {
            self.by_fold = HashMap::new();
            self.too_many = true;
        }
        self.stamp = Some(stat.stamp());
        self.doubtful = stat.is_recent();
        self.cost = now().duration_since(started);
        self.read_at = Some(started);
        Ok(())
    }

    /// The spelling on disk of a name; [`Cell::refresh`] comes first.
    pub(super) fn find(
        &self,
        dir: BorrowedFd<'_>,
        name: &str,
        scan: Scan,
    ) -> Result<std::result::Result<Option<Vec<u8>>, TooSlow>> {
        if !self.too_many {
            let Some(known) = self.by_fold.get(&self.hash(name)) else { return Ok(Ok(None)) };
            if same_name(&names::to_share(known), name) {
                return Ok(Ok(Some(known.to_vec())));
            }
        }
        if scan == Scan::Small {
            return Ok(Err(TooSlow));
        }
        let mut found: Option<Vec<u8>> = None;
        each_name(dir, |disk| {
            if same_name(&names::to_share(disk), name) && found.as_deref().is_none_or(|known| disk < known) {
                found = Some(disk.to_vec());
            }
            true
        })?;
        Ok(Ok(found))
    }

    /// Enters a name that was just made in `dir`.
    pub(super) fn made(&mut self, dir: BorrowedFd<'_>, disk: &[u8]) {
        if self.stamp.is_none() || self.too_many {
            return;
        }
        if self.by_fold.len() >= self.limit {
            return self.forget();
        }
        let hash = self.hash(&names::to_share(disk));
        let slot = self.by_fold.entry(hash);
        self.shadows |= matches!(slot, std::collections::hash_map::Entry::Occupied(_));
        slot.or_insert_with(|| disk.into());
        self.changed(dir);
    }

    /// Strikes out a name that was just removed from `dir`.
    pub(super) fn removed(&mut self, dir: BorrowedFd<'_>, disk: &[u8]) {
        if self.stamp.is_none() && !self.too_many {
            return;
        }
        if self.shadows {
            return self.forget();
        }
        let hash = self.hash(&names::to_share(disk));
        if self.by_fold.get(&hash).is_some_and(|known| &**known == disk) {
            self.by_fold.remove(&hash);
        }
        self.changed(dir);
    }

    /// What is known turned out to be wrong.
    pub(super) fn forget(&mut self) {
        self.stamp = None;
        self.by_fold = HashMap::new();
    }

    fn changed(&mut self, dir: BorrowedFd<'_>) {
        self.doubtful = true;
        if self.stamp.is_some() {
            self.stamp = Stat::of(dir).ok().map(|stat| stat.stamp());
        }
    }

    fn hash(&self, name: &str) -> u64 {
        self.hasher.hash_one(fold(name))
    }
}

/// Calls `each` with every name in `dir` until it says that it is enough; whether all were seen.
/// A directory that may be searched but not listed has no names that could be found.
fn each_name(dir: BorrowedFd<'_>, mut each: impl FnMut(&[u8]) -> bool) -> Result<bool> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let fd = match openat(dir, ".", flags, Mode::empty()) {
        Err(Errno::ACCESS) => return Ok(true),
        other => other?,
    };
    for entry in Dir::new(fd)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." && !each(name) {
            return Ok(false);
        }
    }
    Ok(true)
}

#[expect(clippy::disallowed_methods, reason = "the age of what was read is nothing that a caller could know")]
fn now() -> Instant {
    Instant::now()
}
