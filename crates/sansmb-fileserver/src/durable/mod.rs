//! Opens that outlive their session, and requests that come twice.
//!
//! ```text
//! CREATE --> a session has it --> the session ends --> it waits --+--> reconnected: a session has it
//!                                                                 +--> its time is up: closed
//!                                                                 +--> in somebody's way: closed
//! ```

mod app_instance;
mod asked;
mod disconnect;
mod lock_sequence;
mod reconnect;
mod replay;
mod resilient;
mod sequence;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

pub(crate) use app_instance::{AppInstance, AppVersion};
pub(crate) use asked::{Asked, Claimed};
pub(crate) use lock_sequence::{LockSequence, LockSequences};
pub(crate) use sequence::{ChannelSequence, Outstanding};

use sansmb::{
    auth::Identity,
    server::Origin,
    time::Instant,
    wire::{AccessMask, CreateAction, CreateOptions, Guid, LeaseKey, ShareAccess},
};

use crate::{
    opens::{Open, OpenId},
    server::FileServer,
    storage::NodeId,
};

/// How an open stands towards the end of its session, [MS-SMB2] 3.3.1.10.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Level {
    /// It is closed.
    #[default]
    Fleeting,
    /// IsDurable: it waits while it holds a batch oplock or a lease with handle caching.
    Durable,
    /// IsResilient: it waits, whatever it holds.
    Resilient,
    /// IsPersistent: the same, and the end of the server does not end it either.
    Persistent,
}

/// What of an open may outlive its session.
#[derive(Debug, Default)]
pub(crate) struct Lasting {
    pub(crate) level: Level,
    /// How long it waits.
    pub(crate) timeout: Duration,
    /// No session has it; then it is closed.
    pub(crate) until: Option<Instant>,
    pub(crate) made: Made,
    pub(crate) sequence: ChannelSequence,
    pub(crate) lock_sequences: LockSequences,
}

/// How an open came to be: what its client has to know to come back to it, or to ask for it twice.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Made {
    /// DurableOwner; nobody for guests, who are all the same to the server.
    pub(crate) owner: Option<Identity>,
    pub(crate) create_guid: Option<Guid>,
    /// What its CREATE was answered, once it was.
    pub(crate) action: Option<CreateAction>,
    /// IsReplayEligible
    pub(crate) replayable: bool,
    pub(crate) app: Option<AppInstance>,
    pub(crate) desired: AccessMask,
    pub(crate) sharing: ShareAccess,
    pub(crate) options: CreateOptions,
}

impl Made {
    /// Whether `identity` is the user who made it.
    pub(crate) fn is_by(&self, identity: Option<&Identity>) -> bool {
        match (&self.owner, identity) {
            (Some(owner), Some(identity)) => owner.is_same_account(identity),
            _ => false,
        }
    }
}

/// What is known of opens beside the table of all of them.
#[derive(Debug, Default)]
pub(crate) struct Durables {
    /// Opens that no session has, by when they are closed.
    due: BTreeSet<(Instant, OpenId)>,
    /// The same by file.
    on: BTreeMap<NodeId, BTreeSet<OpenId>>,
    /// By ClientGuid and CreateGuid, those being made included.
    by_guid: BTreeMap<(Guid, Guid), OpenId>,
    /// By AppInstanceId.
    instances: BTreeMap<Guid, BTreeSet<OpenId>>,
    pub(crate) outstanding: Outstanding,
}

impl Durables {
    /// Opens that no session has.
    pub(crate) fn waiting(&self) -> usize {
        self.due.len()
    }

    /// When the next of them is closed.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.due.first().map(|(at, _)| *at)
    }

    /// The open that a client made under this GUID.
    fn by_guid(&self, origin: &Origin, guid: Guid) -> Option<OpenId> {
        self.by_guid.get(&(origin.client_guid, guid)).copied()
    }

    /// An open of an earlier run of the server is there again.
    pub(crate) fn enter(&mut self, id: OpenId, open: &Open) {
        let made = &open.lasting.made;
        if let Some(guid) = made.create_guid {
            self.by_guid.insert((open.client_guid, guid), id);
        }
        if let Some(app) = made.app {
            self.instances.entry(app.id).or_default().insert(id);
        }
    }

    /// An open is gone.
    pub(crate) fn forget(&mut self, id: OpenId, open: &Open) {
        let lasting = &open.lasting;
        let made = &lasting.made;
        if let Some(guid) = made.create_guid {
            self.forget_guid(open.client_guid, guid, id);
        }
        if let Some(app) = made.app
            && let Some(opens) = self.instances.get_mut(&app.id)
        {
            opens.remove(&id);
            if opens.is_empty() {
                self.instances.remove(&app.id);
            }
        }
    }

    fn add_waiting(&mut self, id: OpenId, node: NodeId, until: Instant) {
        self.due.insert((until, id));
        self.on.entry(node).or_default().insert(id);
    }

    fn remove_waiting(&mut self, id: OpenId, node: NodeId, until: Instant) {
        self.due.remove(&(until, id));
        if let Some(opens) = self.on.get_mut(&node) {
            opens.remove(&id);
            if opens.is_empty() {
                self.on.remove(&node);
            }
        }
    }

    fn forget_guid(&mut self, client: Guid, guid: Guid, id: OpenId) {
        if self.by_guid.get(&(client, guid)) == Some(&id) {
            self.by_guid.remove(&(client, guid));
        }
    }
}

impl FileServer {
    /// Whether an open holds what lets its client keep it when it is not connected.
    pub(crate) fn holds_handle(&self, id: OpenId) -> bool {
        self.held(id).keeps_handle()
    }

    /// Whether its client was asked to give some of it up and has not answered: Open.OplockState is Breaking.
    pub(crate) fn is_asked(&self, id: OpenId) -> bool {
        let node = self.file(id).map(|file| file.node);
        let holders = node.and_then(|node| self.caching.holders(node));
        holders.and_then(|holders| holders.get(self.holder_of(id))).is_some_and(|grip| grip.told().is_some())
    }

    /// The key of its lease.
    pub(crate) fn lease_key(&self, id: OpenId) -> Option<LeaseKey> {
        self.held(id).lease.map(|lease| lease.key)
    }
}
