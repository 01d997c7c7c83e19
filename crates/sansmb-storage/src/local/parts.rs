//! Looking at many entries of a directory on several threads.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use sansmb::wire::NtStatus;
use sansmb_fileserver::storage::Entry;

use super::{
    Inner,
    by_name::Names,
    node::Node,
    pool::Workers,
    processors::{Elsewhere, Processor},
};
use crate::slab::lock;

/// Entries that a thread looks at before it takes others: so many take as long as to wake a thread.
const PART: usize = 32;

/// What the entries of a directory are, in their order, without those that are gone.
pub(super) fn look(
    inner: &Arc<Inner>,
    workers: &Arc<Workers>,
    dir: &Arc<Node>,
    names: Vec<Box<[u8]>>,
    security: bool,
) -> Result<Vec<Entry>, NtStatus> {
    let state = State { dir: Some(Arc::clone(dir)), helping: 0, done: BTreeMap::new() };
    let (state, next) = (Mutex::new(state), AtomicUsize::new(0));
    let from = Processor::current();
    let parts = Arc::new(Parts { names, security, from, next, state, changed: Condvar::new() });
    // This thread is one of those that are at work.
    let spare = workers.spare(inner.processors);
    let helpers = spare.min(parts.count().saturating_sub(1));
    for _ in 0..helpers {
        let (inner, parts) = (Arc::clone(inner), Arc::clone(&parts));
        workers.spawn(Box::new(move || parts.help(&inner)));
    }
    if helpers > 0 {
        // Whoever was woken on this processor goes to another one first.
        std::thread::yield_now();
    }
    parts.work(inner, dir);
    let mut state = lock(&parts.state);
    // Whoever comes too late finds nothing to do, and whoever helps lets go of the directory before it is closed.
    state.dir = None;
    while state.helping > 0 {
        state = parts.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
    }
    let mut entries = Vec::with_capacity(parts.names.len());
    for part in std::mem::take(&mut state.done).into_values() {
        entries.extend(part?);
    }
    Ok(entries)
}

/// Entries that several threads look at, part by part.
struct Parts {
    names: Vec<Box<[u8]>>,
    security: bool,
    /// Where the thread was that asks for help.
    from: Processor,
    next: AtomicUsize,
    state: Mutex<State>,
    /// A thread helps no longer.
    changed: Condvar,
}

struct State {
    /// The directory, for as long as there is something to do.
    dir: Option<Arc<Node>>,
    helping: usize,
    /// What came of each part that is done.
    done: BTreeMap<usize, Result<Vec<Entry>, NtStatus>>,
}

/// A thread that helps, until it does not.
struct Helping<'p>(&'p Parts);

impl Drop for Helping<'_> {
    fn drop(&mut self) {
        lock(&self.0.state).helping -= 1;
        self.0.changed.notify_one();
    }
}

impl Parts {
    fn count(&self) -> usize {
        self.names.len().div_ceil(PART)
    }

    fn help(&self, inner: &Inner) {
        if lock(&self.state).dir.is_none() {
            return;
        }
        // Nobody waits for it until it is there.
        let _elsewhere = Elsewhere::than(self.from);
        let mut state = lock(&self.state);
        let Some(dir) = state.dir.clone() else { return };
        state.helping += 1;
        drop(state);
        let _helping = Helping(self);
        // Moved there, so that it is let go of first.
        self.work(inner, &{ dir });
    }

    /// Looks at parts until there are no more.
    fn work(&self, inner: &Inner, dir: &Arc<Node>) {
        let names = Names::enter(dir.fd());
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(these) = self.names.chunks(PART).nth(number) else { return };
            // What it comes to if this thread does not come back.
            lock(&self.state).done.insert(number, Err(NtStatus::INTERNAL_ERROR));
            let entries = self.entries(inner, dir, &names, these);
            lock(&self.state).done.insert(number, entries);
        }
    }

    fn entries(
        &self,
        inner: &Inner,
        dir: &Node,
        names: &Names<'_>,
        these: &[Box<[u8]>],
    ) -> Result<Vec<Entry>, NtStatus> {
        let mut entries = Vec::with_capacity(these.len());
        for name in these {
            entries.extend(inner.entry(dir, names, name, self.security)?);
        }
        Ok(entries)
    }
}
