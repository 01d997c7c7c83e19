//! What the connections of a server share.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Waker},
};

use sansmb::{
    server::{Channel, ConnId, Event, Order, ServerConfig, Sessions},
    time::{Instant, Now},
};
use sansmb_crypto::OsRandom;
use sansmb_fileserver::{Action, FileServer, JobId, Response, storage::Outcome, store::StoreOutcome};

use crate::Clock;

/// One server. The lock on `core` is held for table look-ups and decisions alone: ciphers run in
/// the connection's task, I/O in the storage.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: Arc<ServerConfig>,
    core: Mutex<Core>,
    inboxes: Mutex<HashMap<ConnId, Arc<Inbox>>>,
    completions: Completions,
    pub(crate) clock: Clock,
    next_conn: AtomicU64,
    stopping: AtomicBool,
    /// The accept task.
    keeper: Arc<Mutex<Option<Waker>>>,
}

/// How a server is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stats {
    /// Connections, whether or not somebody is logged on.
    pub connections: usize,
    /// Sessions, half-open ones included.
    pub sessions: usize,
}

#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) sessions: Sessions,
    pub(crate) files: FileServer,
}

/// Outcomes of jobs that nobody has taken in yet.
type Completions = Arc<Mutex<VecDeque<(JobId, Completed)>>>;

/// The outcome of a job.
#[derive(Debug)]
enum Completed {
    Storage(Outcome),
    Store(StoreOutcome),
}

/// What other tasks have for a connection.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    queue: Mutex<VecDeque<Mail>>,
    waker: Mutex<Option<Waker>>,
    /// Nobody reads it any more.
    closed: AtomicBool,
}

#[derive(Debug)]
pub(crate) enum Mail {
    Response(Response),
    Order(Order),
}

#[derive(Debug)]
enum ToDo {
    Action(Action),
    Order(ConnId, Order),
}

/// What came of a turn at the shared tables, in its order: a notice must not overtake the answer that
/// gave what it takes away.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    todo: Vec<ToDo>,
}

impl Inbox {
    pub(crate) fn take(&self) -> VecDeque<Mail> {
        std::mem::take(&mut lock(&self.queue))
    }

    pub(crate) fn watch(&self, cx: &Context<'_>) {
        *lock(&self.waker) = Some(cx.waker().clone());
    }

    fn post(&self, mail: Mail) {
        lock(&self.queue).push_back(mail);
        self.wake();
    }

    /// After this, jobs that complete are left to the accept task.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
    }

    fn wake(&self) {
        wake(&self.waker);
    }
}

impl Shared {
    pub(crate) fn new(config: Arc<ServerConfig>, files: FileServer, clock: Clock) -> Self {
        Self {
            config,
            core: Mutex::new(Core { sessions: Sessions::new(), files }),
            inboxes: Mutex::default(),
            completions: Completions::default(),
            clock,
            next_conn: AtomicU64::new(1),
            stopping: AtomicBool::new(false),
            keeper: Arc::default(),
        }
    }

    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        let inboxes: Vec<_> = lock(&self.inboxes).values().cloned().collect();
        inboxes.iter().for_each(|inbox| inbox.wake());
        wake(&self.keeper);
    }

    pub(crate) fn stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    /// Whether the server stops; otherwise the accept task is woken when it does.
    pub(crate) fn watch_stop(&self, cx: &Context<'_>) -> bool {
        *lock(&self.keeper) = Some(cx.waker().clone());
        self.stopping()
    }

    pub(crate) fn stats(&self) -> Stats {
        let sessions = lock(&self.core).sessions.len();
        Stats { connections: lock(&self.inboxes).len(), sessions }
    }

    pub(crate) fn register(&self) -> (ConnId, Arc<Inbox>) {
        let conn = ConnId(self.next_conn.fetch_add(1, Ordering::Relaxed));
        let inbox = Arc::new(Inbox::default());
        lock(&self.inboxes).insert(conn, inbox.clone());
        (conn, inbox)
    }

    pub(crate) fn unregister(&self, conn: ConnId) {
        lock(&self.inboxes).remove(&conn);
        wake(&self.keeper);
    }

    /// Takes in what arrived on `channel`.
    pub(crate) fn admit(&self, channel: &mut Channel, now: Now) -> Batch {
        let mut events = VecDeque::new();
        let mut core = lock(&self.core);
        core.sessions.admit(channel, &mut events);
        self.handle(&mut core, events, now)
    }

    /// Delivers an answer that makes or ends sessions or trees.
    pub(crate) fn deliver(&self, response: Response, channel: &mut Channel, now: Now) -> Batch {
        let mut events = VecDeque::new();
        let mut core = lock(&self.core);
        let Core { sessions, .. } = &mut *core;
        response.deliver_with(sessions, channel, &mut events);
        self.handle(&mut core, events, now)
    }

    /// Takes in the outcomes of jobs, whoever asked for them; `None` when there are none.
    pub(crate) fn complete(&self, now: Now) -> Option<Batch> {
        let done = std::mem::take(&mut *lock(&self.completions));
        if done.is_empty() {
            return None;
        }
        let mut core = lock(&self.core);
        for (id, outcome) in done {
            match outcome {
                Completed::Storage(outcome) => core.files.complete(id, outcome, now),
                Completed::Store(outcome) => core.files.stored(id, outcome, now),
            }
        }
        Some(Self::batch(&mut core, now))
    }

    /// When the file server's next time-out is due.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        lock(&self.core).files.poll_timeout()
    }

    pub(crate) fn handle_timeout(&self, now: Now) -> Batch {
        let mut core = lock(&self.core);
        core.files.handle_timeout(now);
        Self::batch(&mut core, now)
    }

    fn handle(&self, core: &mut Core, events: VecDeque<Event>, now: Now) -> Batch {
        for event in events {
            core.files.handle(event, now, &mut OsRandom);
        }
        Self::batch(core, now)
    }

    fn batch(core: &mut Core, now: Now) -> Batch {
        let mut batch = Batch::default();
        loop {
            while let Some((conn, order)) = core.sessions.poll_order() {
                batch.todo.push(ToDo::Order(conn, order));
            }
            match core.files.poll_action() {
                Some(Action::Break(notice)) => {
                    if let Err(undelivered) = notice.deliver(&mut core.sessions) {
                        core.files.break_undelivered(undelivered, now);
                    }
                }
                Some(action) => batch.todo.push(ToDo::Action(action)),
                None => return batch,
            }
        }
    }

    /// Carries out a batch. Answers for `here` come back to the caller; others are posted.
    pub(crate) fn carry_out(
        &self,
        batch: Batch,
        here: Option<(ConnId, &Arc<Inbox>)>,
        own: &mut VecDeque<Mail>,
    ) {
        let mut lost = Vec::new();
        let mut post = |conn: ConnId, mail: Mail| {
            if here.is_some_and(|(this, _)| this == conn) {
                own.push_back(mail);
            } else if let Some(inbox) = lock(&self.inboxes).get(&conn) {
                inbox.post(mail);
            } else if let Mail::Order(order) = mail {
                lost.push((conn, order));
            }
        };
        for todo in batch.todo {
            let action = match todo {
                ToDo::Action(action) => action,
                ToDo::Order(conn, order) => {
                    post(conn, Mail::Order(order));
                    continue;
                }
            };
            match action {
                Action::Respond(response) => post(response.conn(), Mail::Response(response)),
                Action::Job { storage, id, job } => {
                    let done = self.completion(id, here.map(|(_, inbox)| inbox));
                    storage.submit(job, Box::new(|outcome| done(Completed::Storage(outcome))));
                }
                Action::Store { store, id, job } => {
                    let done = self.completion(id, here.map(|(_, inbox)| inbox));
                    store.submit(job, Box::new(|outcome| done(Completed::Store(outcome))));
                }
                _ => {}
            }
        }
        // Every try is on another connection, so this ends.
        for (conn, order) in lost {
            let batch = self.undelivered(conn, [order]);
            self.carry_out(batch, here, own);
        }
    }

    /// What brings the outcome of a job back.
    fn completion(&self, id: JobId, inbox: Option<&Arc<Inbox>>) -> impl FnOnce(Completed) + Send + 'static {
        let (completions, keeper) = (self.completions.clone(), self.keeper.clone());
        let inbox = inbox.cloned();
        move |outcome| {
            lock(&completions).push_back((id, outcome));
            // The connection takes it in; once it is gone, the accept task does.
            match inbox.filter(|inbox| !inbox.closed.load(Ordering::SeqCst)) {
                Some(inbox) => inbox.wake(),
                None => wake(&keeper),
            }
        }
    }

    /// Finds another way for orders that a connection did not carry out before it ended.
    pub(crate) fn undelivered(&self, conn: ConnId, orders: impl IntoIterator<Item = Order>) -> Batch {
        let mut core = lock(&self.core);
        for order in orders {
            core.sessions.undelivered(conn, order);
        }
        Self::batch(&mut core, self.clock.now())
    }

    /// Does what is due where no connection does it.
    pub(crate) fn expire(&self) {
        let batch = self.handle_timeout(self.clock.now());
        self.carry_out(batch, None, &mut VecDeque::new());
    }

    /// Takes in what was completed for connections that are gone.
    pub(crate) fn turn_orphans(&self) {
        let mut own = VecDeque::new();
        while let Some(batch) = self.complete(self.clock.now()) {
            self.carry_out(batch, None, &mut own);
        }
    }
}

/// Wakes a task, which may run at once: not while its lock is held.
fn wake(waker: &Mutex<Option<Waker>>) {
    let waker = lock(waker).clone();
    if let Some(waker) = waker {
        waker.wake();
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic while the lock was held is a bug of ours, but no reason to bring others down.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
