//! A few threads for what may wait for a disk.

use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, PoisonError},
    thread,
    time::Duration,
};

use super::{by_name::part_working_directory, lane::Lane};
use crate::slab::lock;

/// How long an idle thread stays.
const IDLE: Duration = Duration::from_secs(10);

pub(super) type Work = Box<dyn FnOnce() + Send>;

/// Threads that start when there is work for them and end when there has been none for a while.
/// The queue holds what the file server admitted, which its credits bound.
#[derive(Debug)]
pub(super) struct Pool {
    shared: Arc<Workers>,
}

/// The same, for those who do not end it.
#[derive(Debug)]
pub(super) struct Workers {
    state: Mutex<State>,
    wake: Condvar,
    threads: usize,
}

struct State {
    queue: VecDeque<Work>,
    running: usize,
    idle: usize,
    closed: bool,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} queued, {} running, {} idle", self.queue.len(), self.running, self.idle)
    }
}

impl Pool {
    pub(super) fn new(threads: usize) -> Self {
        let state = State { queue: VecDeque::new(), running: 0, idle: 0, closed: false };
        let shared = Workers { state: Mutex::new(state), wake: Condvar::new(), threads: threads.max(1) };
        Self { shared: Arc::new(shared) }
    }

    /// Does `work` on one of the threads; here and now where none can be started.
    pub(super) fn spawn(&self, work: Work) {
        self.shared.spawn(work);
    }

    /// The threads, for work that gives them more work.
    pub(super) fn workers(&self) -> &Arc<Workers> {
        &self.shared
    }

    /// [`Pool::spawn`], after what was spawned in this lane before.
    pub(super) fn spawn_in(&self, lane: &Arc<Lane>, work: Work) {
        if lane.push(work) {
            self.shared.run_lane(Arc::clone(lane));
        }
    }
}

impl Drop for Pool {
    /// What is queued is still done, and its completions are called; nobody waits for it here.
    fn drop(&mut self) {
        lock(&self.shared.state).closed = true;
        self.shared.wake.notify_all();
    }
}

impl Workers {
    /// [`Pool::spawn`].
    pub(super) fn spawn(self: &Arc<Self>, work: Work) {
        let mut state = lock(&self.state);
        state.queue.push_back(work);
        if state.idle >= state.queue.len() || state.running >= self.threads {
            drop(state);
            self.wake.notify_one();
            return;
        }
        state.running += 1;
        let first = state.running == 1;
        drop(state);
        let shared = Arc::clone(self);
        let started = thread::Builder::new().name("sansmb-storage".into()).spawn(move || {
            part_working_directory();
            shared.serve();
        });
        if started.is_err() {
            let mut state = lock(&self.state);
            state.running -= 1;
            let work = if first { state.queue.pop_back() } else { None };
            drop(state);
            if let Some(work) = work {
                work();
            }
        }
    }

    /// How many of so many processors neither are worked on nor will be at once: a thread that another one asks
    /// for help beyond them only takes turns with it.
    pub(super) fn spare(&self, processors: usize) -> usize {
        let state = lock(&self.state);
        processors.saturating_sub(state.running - state.idle + state.queue.len())
    }

    fn run_lane(self: &Arc<Self>, lane: Arc<Lane>) {
        let shared = Arc::clone(self);
        self.spawn(Box::new(move || {
            let wanted = || !lock(&shared.state).queue.is_empty();
            if lane.run(wanted) {
                shared.run_lane(lane);
            }
        }));
    }

    fn serve(&self) {
        let mut state = lock(&self.state);
        loop {
            if let Some(work) = state.queue.pop_front() {
                drop(state);
                // A job that panics must not take the thread's place in the count with it.
                let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
                state = lock(&self.state);
                continue;
            }
            if state.closed {
                break;
            }
            state.idle += 1;
            let (guard, waited) = self.wake.wait_timeout(state, IDLE).unwrap_or_else(PoisonError::into_inner);
            state = guard;
            state.idle -= 1;
            if waited.timed_out() && state.queue.is_empty() {
                break;
            }
        }
        state.running -= 1;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn everything_is_done_and_threads_are_bounded() {
        let pool = Pool::new(3);
        let (done, results) = mpsc::channel();
        for n in 0..200_u32 {
            let done = done.clone();
            pool.spawn(Box::new(move || {
                assert_ne!(n, 7, "one job panics");
                done.send(n).unwrap();
            }));
        }
        assert!(lock(&pool.shared.state).running <= 3);
        drop(pool);
        drop(done);
        let mut all: Vec<u32> = results.iter().collect();
        all.sort_unstable();
        assert_eq!(all, (0..200).filter(|n| *n != 7).collect::<Vec<_>>());
    }

    #[test]
    fn processors_are_spare_while_nothing_is_queued_or_running() {
        let pool = Pool::new(2);
        assert_eq!(pool.workers().spare(3), 3);
        let (started, starts) = mpsc::channel();
        let mut ends = Vec::new();
        for _ in 0..4 {
            let (started, (end, ended)) = (started.clone(), mpsc::channel::<()>());
            ends.push(end);
            pool.spawn(Box::new(move || {
                started.send(()).unwrap();
                let _ = ended.recv();
            }));
        }
        starts.recv().unwrap();
        starts.recv().unwrap();
        // Two run, and two wait.
        assert_eq!((pool.workers().spare(5), pool.workers().spare(3)), (1, 0));
        ends.clear();
    }
}
