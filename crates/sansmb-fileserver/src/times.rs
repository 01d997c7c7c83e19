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
    stage: Stage,
}

/// How much of what was written shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Nothing yet: the first write was at that time, and shows when it is due.
    Waiting { at: FileTime, due: Instant },
    /// Everything, to whoever looks next.
    Due { at: FileTime },
    /// Everything, as somebody saw.
    Seen,
    /// Not what was written last.
    Hidden,
}

impl LateTimes {
    fn begin(&mut self, node: NodeId, shown: Shown, now: Now) {
        let due = now.mono.after(DELAY);
        self.files.insert(node, Late { shown, stage: Stage::Waiting { at: now.wall, due } });
        self.due.insert((due, node));
    }

    /// There was another write; whether this is known of the file at all.
    fn again(&mut self, node: NodeId) -> bool {
        let Some(late) = self.files.get_mut(&node) else { return false };
        match late.stage {
            Stage::Waiting { .. } | Stage::Hidden => {}
            // What nobody looked at in time was the first write.
            Stage::Due { at } => {
                *late = Late { shown: Shown { written: at, changed: at }, stage: Stage::Hidden }
            }
            Stage::Seen => late.stage = Stage::Hidden,
        }
        true
    }

    /// Gives what was known of a file.
    fn end(&mut self, node: NodeId) -> Option<Stage> {
        let Late { stage, .. } = self.files.remove(&node)?;
        if let Stage::Waiting { due, .. } = stage {
            self.due.remove(&(due, node));
        }
        Some(stage)
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
                && let Stage::Waiting { at, .. } = late.stage
            {
                late.stage = Stage::Due { at };
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
        if frozen || self.late.again(node) {
            return;
        }
        if let Some(shown) = known {
            self.late.begin(node, shown, self.now);
        }
    }

    /// Everything that was done to a file shows.
    pub(crate) fn show_times(&mut self, node: NodeId) {
        self.late.end(node);
    }

    /// A file that was written through an open is closed. Gives the times to be set, if it was written
    /// after it last showed.
    pub(crate) fn show_times_at_close(&mut self, node: NodeId) -> Option<Changes> {
        let hidden = self.late.end(node)? == Stage::Hidden;
        let now = Some(self.now.wall);
        hidden.then(|| Changes { written: now, changed: now, ..Changes::default() })
    }

    /// What is shown of a file.
    pub(crate) fn shown(&mut self, mut metadata: Metadata) -> Metadata {
        let seen = Shown { written: metadata.written, changed: metadata.changed };
        if let Some(late) = self.late.files.get_mut(&metadata.node) {
            if matches!(late.stage, Stage::Due { .. }) {
                *late = Late { shown: seen, stage: Stage::Seen };
            }
            metadata.written = late.shown.written;
            metadata.changed = late.shown.changed;
        } else if let Some(node) = self.nodes.get_mut(metadata.node) {
            node.shown = Some(seen);
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
