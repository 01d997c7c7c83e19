//! Oplocks and leases: what clients may cache, [MS-SMB2] 3.3.1.10 to 3.3.1.12 and [MS-FSA] 2.1.1.10.
//!
//! ```text
//! CREATE --> looked up --> makes way --> entered --> ... --> granted --> answered
//!                             |
//!                             +--> others are told, and it waits --> looks up again
//! ```
//!
//! [`holders`] is the state machine of one file, [`leases`] who shares what, [`table`] both for all
//! files with what waits and until when.

mod acknowledge;
mod breaks;
mod delays;
mod grant;
mod holders;
mod leases;
mod restore;
mod table;
#[cfg(test)]
mod tests;

pub(crate) use breaks::Obstacle;
pub use breaks::{BreakOrder, Undelivered};
pub(crate) use grant::{LeaseWish, OpenCaching};
pub(crate) use holders::Holder;
pub(crate) use leases::LeaseId;
pub(crate) use restore::{KeptCaching, KeptLease};
pub(crate) use table::{CachingTable, DelayId};

use holders::{HANDLE, READ, WRITE};
use sansmb::wire::{AccessMask, CreateContextReply, LeaseKey, LeaseState, OplockLevel};

use crate::{opens::OpenId, server::FileServer};

/// What an open may cache.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Held {
    /// [`OplockLevel::LEASE`] where a lease says more.
    pub(crate) level: OplockLevel,
    pub(crate) lease: Option<HeldLease>,
}

/// The lease of an open, which other opens may share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HeldLease {
    pub(crate) key: LeaseKey,
    pub(crate) state: LeaseState,
    /// Its holder was told to give something up and has not done so yet.
    pub(crate) breaking: bool,
    /// Counts changes of the state (version 2).
    pub(crate) epoch: u16,
    /// The lease on the directory, if the client said so.
    pub(crate) parent: Option<LeaseKey>,
    /// It came with the context of 3.x.
    pub(crate) version_2: bool,
}

impl Held {
    /// Whether the client may keep the handle longer than its application does: what a durable
    /// handle needs, [MS-SMB2] 3.3.5.9.6.
    pub(crate) fn keeps_handle(&self) -> bool {
        match self.lease {
            Some(lease) => lease.state.contains(LeaseState::HANDLE_CACHING),
            None => self.level == OplockLevel::BATCH,
        }
    }
}

/// Whether an open touches nothing that others cache, [MS-FSA] 2.1.4.12.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stat {
    Yes,
    /// But for the security descriptor, which only oplocks protect.
    WithSecurity,
    No,
}

impl Stat {
    pub(crate) fn of(access: AccessMask) -> Self {
        let attributes =
            AccessMask::FILE_READ_ATTRIBUTES | AccessMask::FILE_WRITE_ATTRIBUTES | AccessMask::SYNCHRONIZE;
        if attributes.contains(access) {
            Self::Yes
        } else if (attributes | AccessMask::READ_CONTROL).contains(access) {
            Self::WithSecurity
        } else {
            Self::No
        }
    }
}

/// What an oplock allows.
fn oplock_state(level: OplockLevel) -> LeaseState {
    match level {
        OplockLevel::II => READ,
        OplockLevel::EXCLUSIVE => READ | WRITE,
        OplockLevel::BATCH => READ | WRITE | HANDLE,
        _ => LeaseState::empty(),
    }
}

/// What an oplock that allows this is called.
fn oplock_level(state: LeaseState) -> OplockLevel {
    if state.contains(WRITE | HANDLE) {
        OplockLevel::BATCH
    } else if state.contains(WRITE) {
        OplockLevel::EXCLUSIVE
    } else if state.contains(READ) {
        OplockLevel::II
    } else {
        OplockLevel::NONE
    }
}

impl FileServer {
    /// What an open may cache right now.
    pub(crate) fn held(&self, id: OpenId) -> Held {
        let Some(file) = self.file(id) else { return Held::default() };
        let holder = self.holder_of(id);
        let grip = self.caching.holders(file.node).and_then(|holders| holders.get(holder));
        let state = grip.map_or(LeaseState::empty(), |grip| grip.state);
        let lease = file.caching.lease.and_then(|id| self.caching.leases.get(id));
        match lease {
            None => Held { level: oplock_level(state), lease: None },
            Some(lease) => Held {
                level: OplockLevel::LEASE,
                lease: Some(HeldLease {
                    key: lease.name.key,
                    state,
                    breaking: grip.is_some_and(|grip| grip.told().is_some()),
                    epoch: lease.epoch,
                    parent: lease.parent,
                    version_2: lease.version_2,
                }),
            },
        }
    }

    /// The lease of an open, as its client is told of it once more.
    pub(crate) fn lease_reply(&self, id: OpenId) -> Option<CreateContextReply<'static>> {
        self.held(id).lease.map(|lease| grant::lease_reply(&lease))
    }

    /// In whose name an open caches: its lease's or its own.
    pub(crate) fn holder_of(&self, id: OpenId) -> Holder {
        self.file(id).and_then(|file| file.caching.lease).map_or(Holder::Open(id), Holder::Lease)
    }

    /// An open is out of the tables: what it held alone is free. Gives in whose name it held it.
    pub(crate) fn leave_caching(
        &mut self,
        id: OpenId,
        node: crate::storage::NodeId,
        caching: OpenCaching,
    ) -> Holder {
        let gone = match caching.lease {
            None => Some(Holder::Open(id)),
            Some(lease) => {
                let last = self.caching.leases.leave(lease, id, caching.counts);
                last.then_some(Holder::Lease(lease))
            }
        };
        self.caching.leave(node, gone, caching.counts);
        caching.lease.map_or(Holder::Open(id), Holder::Lease)
    }
}
