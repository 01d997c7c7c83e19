//! Granting oplocks and leases: the "Oplock Acquisition" of [MS-SMB2] 3.3.5.9, 3.3.5.9.8 and 3.3.5.9.11.

use std::collections::BTreeSet;

use sansmb::{
    server::Origin,
    wire::{
        Capabilities, CreateContextReply, CreateOptions, Lease as LeaseV1, LeaseFlags, LeaseKey, LeaseState,
        LeaseV2, NtStatus, OplockLevel,
    },
};

use super::{
    HeldLease, Holder, KeptLease, LeaseId, Stat,
    holders::{HANDLE, READ, WRITE},
    leases::{Lease, LeaseName},
    oplock_state,
};
use crate::{create::checks::Wish, opens::OpenId, path_key::PathKey, server::FileServer, storage::NodeId};

/// A lease that a CREATE asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LeaseWish {
    key: LeaseKey,
    state: LeaseState,
    parent: Option<LeaseKey>,
    epoch: u16,
    version_2: bool,
}

/// What an open has to do with caching.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct OpenCaching {
    pub(crate) lease: Option<LeaseId>,
    /// The lease that its client has on the directory.
    pub(crate) parent: Option<LeaseName>,
    /// It is in the way of others that want the file for themselves.
    pub(crate) counts: bool,
    /// The client was told that level II is gone, which needs no acknowledgement.
    pub(crate) told: bool,
}

impl From<LeaseV1> for LeaseWish {
    fn from(lease: LeaseV1) -> Self {
        Self { key: lease.key, state: lease.state, parent: None, epoch: 0, version_2: false }
    }
}

impl From<LeaseV2> for LeaseWish {
    fn from(lease: LeaseV2) -> Self {
        let parent = lease.flags.contains(LeaseFlags::PARENT_LEASE_KEY_SET).then_some(lease.parent_key);
        Self { key: lease.key, state: lease.state, parent, epoch: lease.epoch, version_2: true }
    }
}

impl FileServer {
    /// The lease that a CREATE asks for, where one can be had at all.
    pub(crate) fn wished_lease(&self, wish: &Wish, origin: &Origin) -> Option<(LeaseWish, LeaseName)> {
        let lease = wish.contexts.lease.filter(|_| wish.oplock == OplockLevel::LEASE)?;
        let possible = origin.capabilities.contains(Capabilities::LEASING)
            && (!lease.version_2 || origin.dialect.is_smb3());
        possible.then_some((lease, LeaseName { client: origin.client_guid, key: lease.key }))
    }

    /// Whether the lease's key is free for a name: a key belongs to one file.
    pub(crate) fn check_lease_name(
        &self,
        wish: &Wish,
        origin: &Origin,
        key: &PathKey,
    ) -> Result<(), NtStatus> {
        let Some((_, name)) = self.wished_lease(wish, origin) else { return Ok(()) };
        let lease = self.caching.leases.find(&name).and_then(|id| self.caching.leases.get(id));
        let Some(lease) = lease.filter(|lease| !lease.delete_on_close) else { return Ok(()) };
        let current = lease.opens.first().and_then(|open| self.path_key(*open));
        if current.is_none_or(|current| current == *key) { Ok(()) } else { Err(NtStatus::INVALID_PARAMETER) }
    }

    /// In whose name a CREATE asks others to make way. Fails when its lease belongs to another file.
    pub(crate) fn asking(
        &self,
        id: OpenId,
        wish: &Wish,
        origin: &Origin,
        node: NodeId,
    ) -> Result<Holder, NtStatus> {
        let found = self.wished_lease(wish, origin).and_then(|(_, name)| self.caching.leases.find(&name));
        let Some((lease_id, lease)) = found.and_then(|id| Some((id, self.caching.leases.get(id)?))) else {
            return Ok(Holder::Open(id));
        };
        if lease.node == node {
            Ok(Holder::Lease(lease_id))
        } else if lease.delete_on_close {
            Ok(Holder::Open(id))
        } else {
            Err(NtStatus::INVALID_PARAMETER)
        }
    }

    /// The open joins the table of what is cached, and a lease if it asks for one.
    pub(crate) fn enter_caching(&mut self, id: OpenId, wish: &Wish, origin: &Origin) {
        let wished = self.wished_lease(wish, origin);
        let Some(open) = self.opens.get_mut(&id) else { return };
        let counts = Stat::of(open.granted) == Stat::No;
        let Some(file) = open.file_mut() else { return };
        let (node, directory) = (file.node, file.directory);
        file.caching.counts = counts;
        file.caching.parent = wished
            .and_then(|(lease, _)| lease.parent)
            .map(|key| LeaseName { client: origin.client_guid, key });
        self.caching.enter(node, counts);
        let Some((lease, name)) = wished else { return };
        let directories = origin.capabilities.contains(Capabilities::DIRECTORY_LEASING);
        if directory && !(lease.version_2 && directories) {
            return;
        }
        let kept = KeptLease {
            key: name.key,
            parent: lease.parent,
            epoch: lease.epoch,
            version_2: lease.version_2,
            delete_on_close: wish.options.contains(CreateOptions::DELETE_ON_CLOSE),
        };
        self.join_lease(id, &kept);
    }

    /// An open joins the lease of its client with this key on its file, which is made if need be.
    pub(super) fn join_lease(&mut self, id: OpenId, lease: &KeptLease) -> Option<LeaseId> {
        let open = self.opens.get(&id)?;
        let name = LeaseName { client: open.client_guid, key: lease.key };
        let (node, counts) = (open.file()?.node, open.file()?.caching.counts);
        let found = self.caching.leases.find(&name);
        let found = found.filter(|id| self.caching.leases.get(*id).is_some_and(|lease| lease.node == node));
        let lease_id = found.unwrap_or_else(|| {
            self.caching.leases.add(Lease {
                name,
                node,
                opens: BTreeSet::new(),
                counting: 0,
                parent: lease.parent,
                epoch: lease.epoch,
                version_2: lease.version_2,
                delete_on_close: false,
            })
        });
        if let Some(entry) = self.caching.leases.get_mut(lease_id) {
            entry.opens.insert(id);
            entry.counting += usize::from(counts);
            entry.delete_on_close |= lease.delete_on_close;
        }
        self.file_mut(id)?.caching.lease = Some(lease_id);
        Some(lease_id)
    }

    /// Grants what can be granted of what a CREATE asks for, and says so in its context.
    pub(crate) fn grant_caching(&mut self, id: OpenId, wish: &Wish) -> Option<CreateContextReply<'static>> {
        let Grant { node, holder, before, granted } = self.foresee(id, wish)?;
        if granted != before {
            self.caching.grant(node, holder, granted);
            if let Holder::Lease(lease) = holder
                && let Some(lease) = self.caching.leases.get_mut(lease)
                && lease.version_2
            {
                lease.epoch = lease.epoch.wrapping_add(1);
            }
        }
        self.held(id).lease.map(|lease| lease_reply(&lease))
    }

    /// What can be granted of what a CREATE asks for.
    pub(super) fn foresee(&self, id: OpenId, wish: &Wish) -> Option<Grant> {
        let holder = self.holder_of(id);
        let file = self.file(id)?;
        let (node, directory) = (file.node, file.directory);
        let key = file.key();
        let asked = match holder {
            Holder::Nobody => LeaseState::empty(),
            Holder::Open(_) if directory => LeaseState::empty(),
            Holder::Open(_) => oplock_state(wish.oplock),
            Holder::Lease(_) => wish.contexts.lease.map(|lease| lease.state).unwrap_or_default(),
        };
        let mut wanted = if is_legal(asked) { asked } else { LeaseState::empty() };
        if directory {
            wanted.remove(WRITE);
        }
        // Nobody keeps the handle of a file that is to go.
        if self.nodes.is_doomed(&key) {
            wanted.remove(HANDLE);
        }
        let own = match holder {
            Holder::Open(_) | Holder::Nobody => usize::from(file.caching.counts),
            Holder::Lease(id) => self.caching.leases.get(id).map_or(0, |lease| lease.counting),
        };
        let alone = self.caching.counting(node) <= own;
        let locked = self.nodes.get(node).is_some_and(|node| !node.locks.is_empty());
        let before = self.caching.holders(node).map_or(LeaseState::empty(), |holders| holders.state(holder));
        let granted = match self.caching.holders(node) {
            Some(holders) => holders.grantable(holder, wanted, alone, locked),
            None => super::holders::Holders::default().grantable(holder, wanted, alone, locked),
        };
        Some(Grant { node, holder, before, granted })
    }
}

/// What a holder gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Grant {
    node: NodeId,
    holder: Holder,
    before: LeaseState,
    pub(super) granted: LeaseState,
}

/// Whether this is one of the sets that mean something, [MS-SMB2] 3.3.1.12.
fn is_legal(state: LeaseState) -> bool {
    (READ | WRITE | HANDLE).contains(state) && state.contains(READ)
}

/// The context that says so: of the version that the lease has, whichever was asked for.
pub(crate) fn lease_reply(lease: &HeldLease) -> CreateContextReply<'static> {
    let mut flags = LeaseFlags::empty();
    flags.set(LeaseFlags::BREAK_IN_PROGRESS, lease.breaking);
    let (key, state) = (lease.key, lease.state);
    if !lease.version_2 {
        return CreateContextReply::ResponseLease(LeaseV1 { key, state, flags, duration: 0 });
    }
    flags.set(LeaseFlags::PARENT_LEASE_KEY_SET, lease.parent.is_some());
    CreateContextReply::ResponseLeaseV2(LeaseV2 {
        key,
        state,
        flags,
        parent_key: lease.parent.unwrap_or_default(),
        epoch: lease.epoch,
        ..Default::default()
    })
}
