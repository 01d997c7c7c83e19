//! Oplocks and leases: what clients may cache, [MS-SMB2] 3.3.1.10 to 3.3.1.12 and [MS-FSA] 2.1.1.10.

use sansmb::wire::{LeaseKey, LeaseState, OplockLevel};

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
    #[expect(dead_code, reason = "durable handles ask it")]
    pub(crate) fn keeps_handle(&self) -> bool {
        match self.lease {
            Some(lease) => lease.state.contains(LeaseState::HANDLE_CACHING),
            None => self.level == OplockLevel::BATCH,
        }
    }
}

impl FileServer {
    /// What an open may cache right now.
    pub(crate) fn held(&self, id: OpenId) -> Held {
        self.file(id).map(|file| file.held).unwrap_or_default()
    }
}
