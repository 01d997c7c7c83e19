//! When writes show in the times of a file.
//!
//! Windows defers it ([MS-FSA] 2.1.4.17 and its note), and clients know: a write shows in the write and
//! change time two seconds later. Further ones do not show before somebody closes what they went
//! through, flushes, or sets the length or a time. Storages see every write at once; until then the
//! times from before are shown instead of theirs.
//!
//! Times that a client set or froze through an open do not change by what is done through it,
//! [MS-FSA] 2.1.5.15.2: they are put back before the client hears that it is done.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use sansmb::{
    server::{Failure, Reply, Token},
    time::{Instant, Now},
    wire::FileTime,
};

use crate::{
    action::Answerable,
    opens::{Frozen, OpenId},
    server::FileServer,
    storage::{Changes, Done, Job, Metadata, NodeId, Outcome},
    task::Step,
};

/// A write shows so much later.
const DELAY: Duration = Duration::from_secs(2);

/// The two times that a write changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shown {
    written: FileTime,
    changed: FileTime,
}

/// Files whose storage knows of writes that do not show yet; all of them are open.
#[derive(Debug, Default)]
pub(crate) struct LateTimes {
    files: BTreeMap<NodeId, Late>,
    due: BTreeSet<(Instant, NodeId)>,
}

#[derive(Debug)]
struct Late {
    shown: Shown,
    /// When the first write was, and when it shows.
    first: Option<(FileTime, Instant)>,
}

impl LateTimes {
    fn begin(&mut self, node: NodeId, shown: Shown, now: Now) {
        let due = now.mono.after(DELAY);
        self.files.insert(node, Late { shown, first: Some((now.wall, due)) });
        self.due.insert((due, node));
    }

    fn end(&mut self, node: NodeId) {
        if let Some(Late { first: Some((_, due)), .. }) = self.files.remove(&node) {
            self.due.remove(&(due, node));
        }
    }

    /// When the next write shows.
    pub(crate) fn timeout(&self) -> Option<Instant> {
        self.due.first().map(|(due, _)| *due)
    }

    pub(crate) fn expire(&mut self, now: Instant) {
        while let Some((due, node)) = self.due.first().copied()
            && due <= now
        {
            self.due.pop_first();
            if let Some(late) = self.files.get_mut(&node)
                && let Some((at, _)) = late.first.take()
            {
                late.shown = Shown { written: at, changed: at };
            }
        }
    }
}

impl FileServer {
    /// Data of a file was changed through an open.
    pub(crate) fn wrote(&mut self, id: OpenId) {
        let Some(file) = self.file_mut(id) else { return };
        file.modified = true;
        file.wrote = true;
        let (node, frozen) = (file.node, file.frozen.is_set());
        let known = self.nodes.get(node).and_then(|node| node.shown);
        // Frozen times are put back at once.
        if let Some(shown) = known.filter(|_| !frozen && !self.late.files.contains_key(&node)) {
            self.late.begin(node, shown, self.now);
        }
    }

    /// Everything that was done to a file shows.
    pub(crate) fn show_times(&mut self, node: NodeId) {
        self.late.end(node);
    }

    /// What is shown of a file.
    pub(crate) fn shown(&mut self, mut metadata: Metadata) -> Metadata {
        if let Some(late) = self.late.files.get(&metadata.node) {
            metadata.written = late.shown.written;
            metadata.changed = late.shown.changed;
        } else if let Some(node) = self.nodes.get_mut(metadata.node) {
            node.shown = Some(Shown { written: metadata.written, changed: metadata.changed });
        }
        metadata
    }

    /// The same for what a storage found in a directory.
    pub(crate) fn shown_in(&mut self, outcome: Outcome) -> Outcome {
        outcome.map(|done| match done {
            Done::Metadata(metadata) => Done::Metadata(self.shown(metadata)),
            Done::Found(mut entry) => {
                entry.metadata = self.shown(entry.metadata);
                Done::Found(entry)
            }
            Done::Entries { mut entries, end } if !self.late.files.is_empty() => {
                for entry in &mut entries {
                    entry.metadata = self.shown(entry.metadata);
                }
                Done::Entries { entries, end }
            }
            other => other,
        })
    }

    /// Answers a request that changed a file, once the times that its client froze are put back.
    pub(crate) fn answer_changed<O: Answerable>(
        &mut self,
        id: OpenId,
        token: Token<O>,
        result: Result<Reply<O>, Failure>,
    ) {
        let frozen = self.file(id).map(|file| file.frozen).filter(|frozen| frozen.is_set());
        let Some(frozen) = frozen else { return self.respond(token, result) };
        let request = token.id();
        let answer = Box::new(O::answer(token, result));
        let changes = frozen.changes();
        self.job_on(
            id,
            |file| Job::Change { handle: file.handle, changes },
            Step::Restored { request, answer },
        );
    }
}

impl Frozen {
    pub(crate) fn is_set(&self) -> bool {
        *self != Self::default()
    }

    pub(crate) fn changes(&self) -> Changes {
        Changes {
            written: self.written,
            accessed: self.accessed,
            changed: self.changed,
            ..Changes::default()
        }
    }
}
