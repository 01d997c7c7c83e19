//! Jobs between a file server and its storage: who may do what with which handle.

use std::{
    collections::BTreeSet,
    sync::{Arc, mpsc},
};

use sansmb::wire::NtStatus;
use sansmb_fileserver::{
    JobId,
    storage::{Done, Handle, Job, Outcome, Storage},
};

/// A job that was asked for and is not done.
#[derive(Debug)]
struct Waiting {
    storage: Arc<dyn Storage>,
    id: JobId,
    job: Job,
}

/// Which handles a storage gave out, by the address of the storage.
type Owner = (usize, Handle);

/// Jobs, outcomes and handles.
#[derive(Debug, Default)]
pub(crate) struct Store {
    waiting: Vec<Waiting>,
    done: Vec<(JobId, Outcome)>,
    open: BTreeSet<Owner>,
}

impl Store {
    pub(crate) fn push(&mut self, storage: Arc<dyn Storage>, id: JobId, job: Job) {
        let address = address(&storage);
        for handle in handles(&job) {
            assert!(self.open.contains(&(address, handle)), "{job:?} on a handle that is closed");
            // Closing ends a watch, and may overtake its end.
            let used = |w: &Waiting| {
                let same = self::address(&w.storage) == address && handles(&w.job).contains(&handle);
                same && !matches!(w.job, Job::Watch { .. } | Job::Unwatch { .. })
            };
            let user = self.waiting.iter().find(|w| used(w)).filter(|_| matches!(job, Job::Close { .. }));
            assert!(user.is_none(), "{job:?} while it is in use: {user:?}");
        }
        if let Job::Close { handle } = job {
            self.open.remove(&(address, handle));
        }
        self.waiting.push(Waiting { storage, id, job });
    }

    /// Does the `nth` job that waits.
    pub(crate) fn run(&mut self, nth: usize) {
        if self.waiting.is_empty() {
            return;
        }
        let Waiting { storage, id, job } = self.waiting.remove(nth % self.waiting.len());
        let address = address(&storage);
        let (send, outcome) = mpsc::sync_channel(1);
        storage.submit(
            job,
            Box::new(move |outcome| {
                let _ = send.send(outcome);
            }),
        );
        let outcome = outcome.try_recv().expect("memory answers at once");
        if let Ok(Done::Opened { handle, .. } | Done::OpenedStream { handle, .. }) = &outcome {
            assert!(self.open.insert((address, *handle)), "{handle:?} is given out twice");
        }
        self.done.push((id, outcome));
    }

    /// Lets the `nth` job that waits fail without doing it.
    pub(crate) fn fail(&mut self, nth: usize, status: NtStatus) {
        if !self.waiting.is_empty() {
            let waiting = self.waiting.remove(nth % self.waiting.len());
            if matches!(waiting.job, Job::Close { .. }) {
                // A handle is given back in any case: the storage must not keep it.
                self.waiting.push(waiting);
                self.run(self.waiting.len() - 1);
                return;
            }
            self.done.push((waiting.id, Err(status)));
        }
    }

    /// The `nth` outcome that the file server has not heard of.
    pub(crate) fn outcome(&mut self, nth: usize) -> Option<(JobId, Outcome)> {
        if self.done.is_empty() { None } else { Some(self.done.remove(nth % self.done.len())) }
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.done.is_empty()
    }

    /// Every job is done and every handle was given back.
    pub(crate) fn check_end(&self) {
        assert!(self.is_idle());
        assert!(self.open.is_empty(), "{} handles are never closed", self.open.len());
    }
}

fn address(storage: &Arc<dyn Storage>) -> usize {
    Arc::as_ptr(storage).cast::<()>() as usize
}

/// The handles that a job is about.
fn handles(job: &Job) -> Vec<Handle> {
    match job {
        Job::Open { .. } => Vec::new(),
        Job::Copy { from, to, .. } | Job::Share { from, to, .. } => vec![*from, *to],
        Job::Close { handle }
        | Job::OpenStream { handle, .. }
        | Job::Streams { handle, .. }
        | Job::RenameStream { handle, .. }
        | Job::Strip { handle, .. }
        | Job::ExtendedAttributes { handle, .. }
        | Job::SetExtendedAttributes { handle, .. }
        | Job::Security { handle, .. }
        | Job::ChangeSecurity { handle, .. }
        | Job::GetReparse { handle, .. }
        | Job::SetReparse { handle, .. }
        | Job::Watch { handle, .. }
        | Job::Unwatch { handle, .. }
        | Job::Read { handle, .. }
        | Job::Write { handle, .. }
        | Job::Flush { handle }
        | Job::Stat { handle }
        | Job::Find { handle, .. }
        | Job::List { handle, .. }
        | Job::Change { handle, .. }
        | Job::SetLength { handle, .. }
        | Job::Allocate { handle, .. }
        | Job::Rename { handle, .. }
        | Job::Link { handle, .. }
        | Job::Unlink { handle }
        | Job::IsEmpty { handle }
        | Job::ObjectId { handle, .. }
        | Job::Integrity { handle }
        | Job::SetIntegrity { handle, .. }
        | Job::Space { handle, .. }
        | Job::Zero { handle, .. }
        | Job::Ranges { handle, .. } => vec![*handle],
        _ => Vec::new(),
    }
}
