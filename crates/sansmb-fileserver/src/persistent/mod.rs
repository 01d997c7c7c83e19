//! Persistent opens: those that the end of the server does not end, [MS-SMB2] 3.3.1.10.
//!
//! ```text
//! CREATE --> ... --> identified --> recorded --> answered --> (changed --> recorded)* --> closed --> forgotten
//!
//! start --> loaded --> each file opened again --+--> it waits for its client
//!                                               +--> gone or another one: forgotten
//! ```
//!
//! A record never has two jobs of the store at once. What changes meanwhile goes with the next one, and
//! so do the answers that wait for it.

mod record;
mod restore;
mod save;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use bytes::Bytes;
use sansmb::server::{Request, RequestId, op};

pub(crate) use restore::Restoring;

use crate::{
    action::Answer,
    close::CloseReply,
    create::Creating,
    opens::OpenId,
    storage::{FileIdentity, Metadata, NodeId},
    store::OpenStore,
};

/// What is known of records.
#[derive(Debug, Default)]
pub(crate) struct Persistence {
    store: Option<Arc<dyn OpenStore>>,
    phase: Phase,
    /// CREATEs that came before the opens of the last run were there again: they would take their files.
    early: VecDeque<Request<op::Create>>,
    kept: BTreeMap<OpenId, Kept>,
    /// The same by file.
    on: BTreeMap<NodeId, BTreeSet<OpenId>>,
    /// Opens on which something may have changed since their records were looked at.
    changed: BTreeSet<OpenId>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Phase {
    /// Nothing is kept: there is no store, or it failed when it was to be read.
    #[default]
    Nothing,
    /// The records are being read.
    Loading,
    /// So many opens are being made anew.
    Restoring(usize),
    Ready,
}

/// One record.
#[derive(Debug)]
struct Kept {
    node: NodeId,
    identity: FileIdentity,
    /// What the store has, once the job under way is done.
    record: Bytes,
    /// A job of the store is under way.
    running: bool,
    /// Who waits for that job.
    waiting: Vec<Waiter>,
    /// Who waits for what changed since it began.
    behind: Vec<Waiter>,
    life: Life,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Life {
    /// It follows its open.
    Kept,
    /// The store failed: it is removed, since half the truth is worse than none. The open goes on.
    Lost,
    /// The open is gone.
    Gone,
}

/// What goes on when a record is kept, or removed.
#[derive(Debug)]
enum Waiter {
    Create(Box<Creating>, Metadata),
    Answer(RequestId, Answer),
    Close(CloseReply, Option<Metadata>),
}

impl Persistence {
    pub(crate) fn new(store: Option<Arc<dyn OpenStore>>) -> Self {
        Self { store, ..Self::default() }
    }

    /// Records that there are, or that are on their way.
    pub(crate) fn records(&self) -> usize {
        self.kept.len()
    }

    /// CREATEs that wait until the opens of the last run are there.
    pub(crate) fn early(&self) -> usize {
        self.early.len()
    }

    /// Something changed that the record of an open says, if it has one.
    pub(crate) fn touch(&mut self, id: OpenId) {
        if self.kept.contains_key(&id) {
            self.changed.insert(id);
        }
    }

    /// The same for all opens of a file.
    pub(crate) fn touch_node(&mut self, node: NodeId) {
        if let Some(opens) = self.on.get(&node) {
            self.changed.extend(opens);
        }
    }

    fn add(&mut self, id: OpenId, kept: Kept) {
        self.on.entry(kept.node).or_default().insert(id);
        self.kept.insert(id, kept);
    }

    fn forget(&mut self, id: OpenId) {
        let Some(kept) = self.kept.remove(&id) else { return };
        if let Some(opens) = self.on.get_mut(&kept.node) {
            opens.remove(&id);
            if opens.is_empty() {
                self.on.remove(&kept.node);
            }
        }
    }
}
