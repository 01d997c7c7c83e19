//! Byte-range locks of one file, [MS-FSA] 2.1.4.10, 2.1.5.8 and 2.1.5.9.

mod tree;

use std::collections::BTreeSet;

use tree::{LockTree, Locked};

use crate::opens::OpenId;

/// The locks of one file.
#[derive(Debug, Default)]
pub(crate) struct Locks {
    tree: LockTree,
    /// Owner, offset, length, whether it is shared, and the lock's key in the tree.
    owned: BTreeSet<(OpenId, u64, u64, bool, u64)>,
    next: u64,
    len: usize,
}

/// A range of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) offset: u64,
    pub(crate) length: u64,
}

impl Range {
    /// The range, unless it ends behind the last byte that 64 bits can name.
    pub(crate) fn checked(offset: u64, length: u64) -> Option<Self> {
        let fits = length == 0 || offset.checked_add(length - 1).is_some();
        fits.then_some(Self { offset, length })
    }

    /// The last byte. An empty range ends before it starts; at offset 0 it has no place at all.
    fn last(self) -> Option<u64> {
        if self.length == 0 { self.offset.checked_sub(1) } else { self.offset.checked_add(self.length - 1) }
    }
}

impl Locks {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether `owner` could lock `range` now.
    pub(crate) fn can_lock(&self, owner: OpenId, range: Range, exclusive: bool) -> bool {
        let Some(last) = range.last() else { return true };
        // An exclusive lock wants the range for itself, a shared one wants no exclusive one of others.
        !self.tree.overlaps(range.offset, last, !exclusive, |lock| exclusive || lock.owner != owner)
    }

    /// Whether `owner` may read (or write) `range` now.
    pub(crate) fn can_access(&self, owner: OpenId, range: Range, write: bool) -> bool {
        if self.len == 0 {
            return true;
        }
        let Some(last) = range.last() else { return true };
        // What is locked shared nobody writes.
        !self.tree.overlaps(range.offset, last, !write, |lock| !lock.exclusive || lock.owner != owner)
    }

    /// Locks `range`; the caller has asked [`Locks::can_lock`].
    pub(crate) fn lock(&mut self, owner: OpenId, range: Range, exclusive: bool) {
        let key = self.next;
        self.next += 1;
        self.len += 1;
        self.owned.insert((owner, range.offset, range.length, !exclusive, key));
        if let Some(last) = range.last() {
            self.tree.insert(Locked { start: range.offset, last, key, owner, exclusive });
        }
    }

    /// Unlocks exactly `range`, an exclusive lock before a shared one. `false` when there is none.
    pub(crate) fn unlock(&mut self, owner: OpenId, range: Range) -> bool {
        self.unlock_kind(owner, range, true) || self.unlock_kind(owner, range, false)
    }

    /// Unlocks a lock of one kind.
    pub(crate) fn unlock_kind(&mut self, owner: OpenId, range: Range, exclusive: bool) -> bool {
        let named = |key| (owner, range.offset, range.length, !exclusive, key);
        let Some(lock) = self.owned.range(named(0)..=named(u64::MAX)).next_back().copied() else {
            return false;
        };
        self.owned.remove(&lock);
        self.forget(range, lock.4);
        true
    }

    /// All that `owner` has, and which are exclusive.
    pub(crate) fn of(&self, owner: OpenId) -> impl Iterator<Item = (Range, bool)> {
        let own = self.owned.range((owner, 0, 0, false, 0)..=(owner, u64::MAX, u64::MAX, true, u64::MAX));
        own.map(|(_, offset, length, shared, _)| (Range { offset: *offset, length: *length }, !shared))
    }

    /// Unlocks all that `owner` has and says how many those were.
    pub(crate) fn release(&mut self, owner: OpenId) -> usize {
        let before = self.len;
        let own = (owner, 0, 0, false, 0)..=(owner, u64::MAX, u64::MAX, true, u64::MAX);
        let locks: Vec<_> = self.owned.range(own).copied().collect();
        for lock @ (_, offset, length, _, key) in locks {
            self.owned.remove(&lock);
            self.forget(Range { offset, length }, key);
        }
        before - self.len
    }

    fn forget(&mut self, range: Range, key: u64) {
        self.len -= 1;
        self.tree.remove(range.offset, key);
    }
}

#[cfg(test)]
mod tests;
