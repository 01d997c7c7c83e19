//! Names: which directory holds what.

use std::{
    collections::{BTreeMap, HashMap},
    ops::Bound,
    sync::{Arc, atomic::Ordering},
};

use sansmb::wire::{FileTime, NtStatus};
use sansmb_fileserver::storage::{Done, Security};

use super::inode::{Inode, Link, Position};
use crate::{fold, slab::lock};

/// Number of the root directory.
pub(super) const ROOT: u64 = 1;
/// Number of the quota file, which no directory has.
pub(super) const QUOTA: u64 = u64::MAX;
/// Longest name, in UTF-16 units.
const NAME_MAX: usize = 255;

/// All directories, under one lock: what is done here is short.
#[derive(Debug)]
pub(super) struct Names {
    dirs: HashMap<u64, Dir>,
    next: u64,
}

#[derive(Debug)]
struct Dir {
    inode: Arc<Inode>,
    entries: BTreeMap<Arc<str>, Child>,
}

/// An entry of a directory.
#[derive(Debug, Clone)]
pub(super) struct Child {
    pub(super) name: Arc<str>,
    pub(super) inode: Arc<Inode>,
    pub(super) link: Arc<Link>,
}

/// Fails for what cannot be a name.
pub(super) fn check_name(name: &str) -> Result<(), NtStatus> {
    let bad = matches!(name, "" | "." | "..")
        || name.contains(['/', '\0'])
        || name.encode_utf16().count() > NAME_MAX;
    if bad { Err(NtStatus::OBJECT_NAME_INVALID) } else { Ok(()) }
}

impl Names {
    pub(super) fn new(root: Arc<Inode>) -> Self {
        let root = Dir { inode: root, entries: BTreeMap::new() };
        Self { dirs: HashMap::from([(ROOT, root)]), next: ROOT }
    }

    pub(super) fn next_number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// The inode of a directory.
    pub(super) fn inode(&self, dir: u64) -> Option<Arc<Inode>> {
        self.dirs.get(&dir).map(|dir| Arc::clone(&dir.inode))
    }

    /// Who may do what in a directory.
    pub(super) fn security(&self, dir: u64) -> Result<Security, NtStatus> {
        let dir = self.dirs.get(&dir).ok_or(NtStatus::OBJECT_PATH_NOT_FOUND)?;
        Ok(dir.inode.security())
    }

    /// Finds a directory: the numbers of all on the way, the root first, and their spelling.
    pub(super) fn locate(&self, path: &[Arc<str>]) -> Result<(Vec<u64>, Vec<Arc<str>>), NtStatus> {
        let (mut way, mut spelled) = (vec![ROOT], Vec::new());
        let mut at = ROOT;
        path.iter().try_for_each(|name| check_name(name))?;
        for name in path {
            let child = self.get(at, &fold(name));
            // What is beneath a reparse point is elsewhere.
            let child = child.filter(|child| child.inode.directory && child.inode.reparse().is_none());
            let child = child.ok_or(NtStatus::OBJECT_PATH_NOT_FOUND)?;
            at = child.inode.number;
            way.push(at);
            spelled.push(Arc::clone(&child.name));
        }
        Ok((way, spelled))
    }

    /// The first reparse point on the way along `parents` to a path of `depth` components.
    pub(super) fn stopped(&self, parents: &[Arc<str>], depth: usize) -> Option<Done> {
        let mut at = ROOT;
        for (passed, name) in parents.iter().enumerate() {
            let child = self.get(at, &fold(name))?;
            if let Some(reparse) = child.inode.reparse() {
                return Some(Done::Stopped { reparse, unparsed: depth - passed - 1 });
            }
            at = child.inode.number;
        }
        None
    }

    pub(super) fn get(&self, dir: u64, folded: &str) -> Option<&Child> {
        self.dirs.get(&dir)?.entries.get(folded)
    }

    /// Enters a name, which must not be there.
    pub(super) fn insert(&mut self, dir: u64, child: Child, now: FileTime) {
        let folded: Arc<str> = fold(&child.name).into();
        if child.inode.directory && !self.dirs.contains_key(&child.inode.number) {
            let made = Dir { inode: Arc::clone(&child.inode), entries: BTreeMap::new() };
            self.dirs.insert(child.inode.number, made);
        }
        let Some(dir_entry) = self.dirs.get_mut(&dir) else { return };
        *lock(&child.link.place) = Some((dir, Arc::clone(&folded)));
        dir_entry.entries.insert(folded, child);
        dir_entry.inode.written(now);
    }

    /// Takes a name out; what it named stays.
    pub(super) fn take(&mut self, dir: u64, folded: &str, now: FileTime) -> Option<Child> {
        let dir = self.dirs.get_mut(&dir)?;
        let child = dir.entries.remove(folded)?;
        *lock(&child.link.place) = None;
        dir.inode.written(now);
        Some(child)
    }

    /// Removes a name; a directory must be empty.
    pub(super) fn remove(&mut self, dir: u64, folded: &str, now: FileTime) -> Result<(), NtStatus> {
        let child = self.get(dir, folded).ok_or(NtStatus::OBJECT_NAME_NOT_FOUND)?;
        let number = child.inode.number;
        if child.inode.directory {
            if !self.is_empty(number) {
                return Err(NtStatus::DIRECTORY_NOT_EMPTY);
            }
            self.dirs.remove(&number);
        }
        if let Some(child) = self.take(dir, folded, now) {
            child.inode.links.fetch_sub(1, Ordering::Relaxed);
        }
        Ok(())
    }

    pub(super) fn is_empty(&self, dir: u64) -> bool {
        self.dirs.get(&dir).is_none_or(|dir| dir.entries.is_empty())
    }

    /// The next entries after a position, which moves along; whether these are the last.
    pub(super) fn list(&self, dir: u64, position: &mut Position, limit: usize) -> (Vec<Child>, bool) {
        let after = match position {
            Position::Start => Bound::Unbounded,
            Position::After(name) => Bound::Excluded(Arc::clone(name)),
            Position::End => return (Vec::new(), true),
        };
        let Some(dir) = self.dirs.get(&dir) else { return (Vec::new(), true) };
        let mut rest = dir.entries.range((after, Bound::Unbounded));
        let mut children = Vec::new();
        for (folded, child) in rest.by_ref().take(limit) {
            *position = Position::After(Arc::clone(folded));
            children.push(child.clone());
        }
        let end = rest.next().is_none();
        if end {
            *position = Position::End;
        }
        (children, end)
    }
}
