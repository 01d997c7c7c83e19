//! What others have for the task of a connection.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Waker},
};

use sansmb::server::Order;
use sansmb_fileserver::{JobId, Response, storage::Outcome, store::StoreOutcome};

use crate::lock::lock;

/// The outcome of a job.
#[derive(Debug)]
pub(crate) enum Completed {
    Storage(Outcome),
    Store(StoreOutcome),
}

/// Outcomes of jobs that nobody has taken in yet.
pub(crate) type Completions = VecDeque<(JobId, Completed)>;

/// What others have for a task, and the jobs that were done for it.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    contents: Mutex<Contents>,
    /// There may be something in it, which is to be looked for with the lock. It may be seen late, but not by who
    /// asks [`Inbox::rest`] before.
    full: AtomicBool,
    /// Gets what is done once nobody reads this one any more.
    heir: Option<Arc<Self>>,
}

#[derive(Debug, Default)]
struct Contents {
    mail: VecDeque<Mail>,
    done: Completions,
    waker: Option<Waker>,
    /// The task runs and looks once more before it rests: a job that is done while it is submitted,
    /// as most are, wakes nobody.
    attended: bool,
    closed: bool,
}

#[derive(Debug)]
pub(crate) enum Mail {
    Response(Response),
    Order(Order),
}

impl Inbox {
    /// One that leaves what is done to `heir` in the end.
    pub(crate) fn new(heir: Arc<Self>) -> Self {
        Self { heir: Some(heir), ..Self::default() }
    }

    /// The task of `cx` is woken from now on.
    pub(crate) fn watch(&self, cx: &Context<'_>) {
        lock(&self.contents).watch(cx);
    }

    /// The task runs: what comes does not wake it before it rests.
    pub(crate) fn attend(&self, cx: &Context<'_>) {
        let mut contents = lock(&self.contents);
        contents.attended = true;
        contents.watch(cx);
    }

    /// Moves what came into `mail` and `done`, which are empty.
    pub(crate) fn take(&self, mail: &mut VecDeque<Mail>, done: &mut Completions) {
        if !self.full.load(Ordering::Acquire) {
            return;
        }
        let mut contents = lock(&self.contents);
        self.full.store(false, Ordering::Relaxed);
        std::mem::swap(&mut contents.mail, mail);
        std::mem::swap(&mut contents.done, done);
    }

    /// Whether nothing came that was not taken: then the task is woken by what comes next.
    pub(crate) fn rest(&self) -> bool {
        let mut contents = lock(&self.contents);
        contents.attended = !contents.mail.is_empty() || !contents.done.is_empty();
        !contents.attended
    }

    pub(crate) fn post(&self, mail: Mail) {
        let mut contents = lock(&self.contents);
        contents.mail.push_back(mail);
        self.full.store(true, Ordering::Release);
        wake(contents);
    }

    pub(crate) fn complete(&self, id: JobId, outcome: Completed) {
        let mut contents = lock(&self.contents);
        match &self.heir {
            Some(heir) if contents.closed => {
                drop(contents);
                heir.complete(id, outcome);
            }
            _ => {
                contents.done.push_back((id, outcome));
                self.full.store(true, Ordering::Release);
                wake(contents);
            }
        }
    }

    /// After this, what is done is left to the accept task.
    pub(crate) fn close(&self) {
        let mut contents = lock(&self.contents);
        contents.closed = true;
        let done = std::mem::take(&mut contents.done);
        drop(contents);
        if let Some(heir) = self.heir.as_ref().filter(|_| !done.is_empty()) {
            let mut contents = lock(&heir.contents);
            contents.done.extend(done);
            heir.full.store(true, Ordering::Release);
            wake(contents);
        }
    }

    /// Gives back the memory of what came, when nothing did.
    pub(crate) fn release_idle(&self) {
        let mut contents = lock(&self.contents);
        contents.mail.shrink_to_fit();
        contents.done.shrink_to_fit();
    }

    /// Wakes the task, or has it run once more.
    pub(crate) fn wake(&self) {
        let waker = lock(&self.contents).waker.clone();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Contents {
    fn watch(&mut self, cx: &Context<'_>) {
        match &mut self.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            None => self.waker = Some(cx.waker().clone()),
        }
    }
}

/// Wakes the task of an inbox unless it runs. It may run at once: not while its lock is held.
fn wake(contents: MutexGuard<'_, Contents>) {
    let waker = if contents.attended { None } else { contents.waker.clone() };
    drop(contents);
    if let Some(waker) = waker {
        waker.wake();
    }
}
