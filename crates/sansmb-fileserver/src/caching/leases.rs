//! Leases by client and key, [MS-SMB2] 3.3.1.11 and 3.3.1.12.

use std::collections::{BTreeMap, BTreeSet};

use sansmb::wire::{Guid, LeaseKey};

use crate::{opens::OpenId, storage::NodeId};

/// Names a lease; never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LeaseId(u64);

#[cfg(test)]
impl LeaseId {
    pub(super) fn test(n: u64) -> Self {
        Self(n)
    }
}

/// How a client names a lease: no two clients share one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LeaseName {
    pub(crate) client: Guid,
    pub(crate) key: LeaseKey,
}

/// A lease, which lives as long as its opens. What it allows stands with the file.
#[derive(Debug)]
pub(crate) struct Lease {
    pub(crate) name: LeaseName,
    pub(crate) node: NodeId,
    pub(crate) opens: BTreeSet<OpenId>,
    /// Those of them that count for others, see [`super::is_stat_open`].
    pub(crate) counting: usize,
    pub(crate) parent: Option<LeaseKey>,
    pub(crate) epoch: u16,
    pub(crate) version_2: bool,
    /// One of its opens deletes the file: the key may name another one by now.
    pub(crate) delete_on_close: bool,
}

/// All leases.
#[derive(Debug, Default)]
pub(crate) struct Leases {
    leases: BTreeMap<LeaseId, Lease>,
    /// More than one of a name only while the older ones are of files that are to be deleted.
    names: BTreeSet<(LeaseName, LeaseId)>,
    next: u64,
}

impl Leases {
    pub(crate) fn len(&self) -> usize {
        self.leases.len()
    }

    pub(crate) fn get(&self, id: LeaseId) -> Option<&Lease> {
        self.leases.get(&id)
    }

    pub(crate) fn get_mut(&mut self, id: LeaseId) -> Option<&mut Lease> {
        self.leases.get_mut(&id)
    }

    /// The lease of that name, the newest of several.
    pub(crate) fn find(&self, name: &LeaseName) -> Option<LeaseId> {
        let all = (*name, LeaseId(0))..=(*name, LeaseId(u64::MAX));
        self.names.range(all).next_back().map(|(_, id)| *id)
    }

    /// Adds a lease. Its name means this one from now on.
    pub(crate) fn add(&mut self, lease: Lease) -> LeaseId {
        self.next += 1;
        let id = LeaseId(self.next);
        self.names.insert((lease.name, id));
        self.leases.insert(id, lease);
        id
    }

    /// An open of the lease is gone. Gives whether the lease is gone with it.
    pub(crate) fn leave(&mut self, id: LeaseId, open: OpenId, counts: bool) -> bool {
        let Some(lease) = self.leases.get_mut(&id) else { return false };
        lease.opens.remove(&open);
        lease.counting -= usize::from(counts && lease.counting > 0);
        if !lease.opens.is_empty() {
            return false;
        }
        self.names.remove(&(lease.name, id));
        self.leases.remove(&id);
        true
    }
}
