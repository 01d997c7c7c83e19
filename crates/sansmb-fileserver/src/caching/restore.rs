//! What an open caches, as its record says it.

use sansmb::wire::{LeaseKey, LeaseState};

use super::{Holder, Stat, leases::LeaseName};
use crate::{create::checks::Wish, opens::OpenId, server::FileServer};

/// What a record says of caching.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct KeptCaching {
    /// What its oplock or lease allows.
    pub(crate) state: LeaseState,
    pub(crate) lease: Option<KeptLease>,
    /// The lease that its client has on the directory.
    pub(crate) parent: Option<LeaseKey>,
}

/// A lease as it is kept with each of its opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct KeptLease {
    pub(crate) key: LeaseKey,
    pub(crate) parent: Option<LeaseKey>,
    pub(crate) epoch: u16,
    pub(crate) version_2: bool,
    pub(crate) delete_on_close: bool,
}

impl FileServer {
    /// What an open caches now.
    pub(crate) fn kept_caching(&self, id: OpenId) -> KeptCaching {
        let Some(file) = self.file(id) else { return KeptCaching::default() };
        let holders = self.caching.holders(file.node);
        // What nobody could be told of must not come back with the next run.
        let untold = self.caching.untold(file.node, self.holder_of(id));
        let state = holders.map_or(LeaseState::empty(), |holders| holders.state(self.holder_of(id)));
        let lease = file.caching.lease.and_then(|lease| self.caching.leases.get(lease));
        KeptCaching {
            state: untold.unwrap_or(state),
            lease: lease.map(|lease| KeptLease {
                key: lease.name.key,
                parent: lease.parent,
                epoch: lease.epoch,
                version_2: lease.version_2,
                delete_on_close: lease.delete_on_close,
            }),
            parent: file.caching.parent.map(|parent| parent.key),
        }
    }

    /// What it will cache when its CREATE is answered, if nothing comes between.
    pub(crate) fn foreseen_caching(&self, id: OpenId, wish: &Wish) -> KeptCaching {
        let mut kept = self.kept_caching(id);
        if let Some(grant) = self.foresee(id, wish)
            && grant.granted != kept.state
        {
            kept.state = grant.granted;
            if let Some(lease) = kept.lease.as_mut().filter(|lease| lease.version_2) {
                lease.epoch = lease.epoch.wrapping_add(1);
            }
        }
        kept
    }

    /// Gives an open of the last run what it cached then. Of opens with one lease, the last change may
    /// have reached the records of some only: the lease gets what all of them say.
    pub(crate) fn restore_caching(&mut self, id: OpenId, kept: &KeptCaching) {
        let Some(open) = self.opens.get_mut(&id) else { return };
        let (client, counts) = (open.client_guid, Stat::of(open.granted) == Stat::No);
        let Some(file) = open.file_mut() else { return };
        let node = file.node;
        file.caching.counts = counts;
        file.caching.parent = kept.parent.map(|key| LeaseName { client, key });
        self.caching.enter(node, counts);
        let Some(lease) = &kept.lease else {
            return self.caching.grant(node, Holder::Open(id), kept.state);
        };
        let Some(lease_id) = self.join_lease(id, lease) else { return };
        let Some(entry) = self.caching.leases.get_mut(lease_id) else { return };
        let mut state = kept.state;
        if entry.opens.len() > 1 {
            let before = self.caching.holders(node).map(|holders| holders.state(Holder::Lease(lease_id)));
            state &= before.unwrap_or_default();
        }
        // The epoch that came last: it wraps.
        if let Some(entry) = self.caching.leases.get_mut(lease_id)
            && entry.epoch.wrapping_sub(lease.epoch) > 0x7FFF
        {
            entry.epoch = lease.epoch;
        }
        self.caching.grant(node, Holder::Lease(lease_id), state);
    }
}
