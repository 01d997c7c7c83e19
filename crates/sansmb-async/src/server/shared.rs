//! What the connections of a server share.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, TryLockError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Waker},
};

use sansmb::{
    server::{Channel, ConnId, Event, Order, ServerConfig, Sessions},
    time::{Instant, Now},
};
use sansmb_crypto::OsRandom;
use sansmb_fileserver::{
    Action, FileServer, JobId, Response,
    storage::{Job, Outcome},
    store::StoreOutcome,
};

use crate::Clock;

/// How often a task comes back for the tables before it has its thread wait for them.
const TRIES: u32 = 100;

/// One server. The lock on `tables` is held for table look-ups and decisions alone: ciphers run in
/// the connection's task, I/O in the storage.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: Arc<ServerConfig>,
    tables: Mutex<Tables>,
    inboxes: Mutex<HashMap<ConnId, Arc<Inbox>>>,
    pub(crate) clock: Clock,
    next_conn: AtomicU64,
    stopping: AtomicBool,
    /// The accept task's, which takes in what was done for connections that are gone.
    keeper: Arc<Inbox>,
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
pub(crate) struct Tables {
    pub(crate) sessions: Sessions,
    pub(crate) files: FileServer,
    /// When the accept task does what is due, or what was due when it was told. One timer for all: the
    /// connections may be many, and what is due changes with every job.
    watched: Option<Instant>,
}

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
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all of it is answers, for which a box would be memory to ask for"
)]
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
/// gave what it takes away. It is kept from one turn to the next for the memory that it has.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    events: VecDeque<Event>,
    todo: Vec<ToDo>,
    /// Something is due before the accept task would look.
    sooner: bool,
}

impl Batch {
    /// Lends reads the memory that earlier answers on `channel` have left; whether one of them goes on with what it
    /// read in part.
    pub(crate) fn lend(&mut self, channel: &mut Channel) -> bool {
        let mut goes_on = false;
        for todo in &mut self.todo {
            let ToDo::Action(Action::Job { job: Job::Read { length, into, .. }, .. }) = todo else {
                continue;
            };
            if !into.is_empty() {
                goes_on = true;
            } else if let Some(spare) = channel.spare_buffer(*length as usize) {
                *into = spare;
            }
        }
        goes_on
    }
}

impl Inbox {
    /// The task runs: what comes does not wake it before it rests.
    pub(crate) fn attend(&self, cx: &Context<'_>) {
        let mut contents = lock(&self.contents);
        contents.attended = true;
        contents.watch(cx);
    }

    /// Moves what came into `mail` and `done`, which are empty.
    pub(crate) fn take(&self, mail: &mut VecDeque<Mail>, done: &mut Completions) {
        let mut contents = lock(&self.contents);
        std::mem::swap(&mut contents.mail, mail);
        std::mem::swap(&mut contents.done, done);
    }

    /// Whether nothing came that was not taken: then the task is woken by what comes next.
    pub(crate) fn rest(&self) -> bool {
        let mut contents = lock(&self.contents);
        contents.attended = !contents.mail.is_empty() || !contents.done.is_empty();
        !contents.attended
    }

    fn post(&self, mail: Mail) {
        let mut contents = lock(&self.contents);
        contents.mail.push_back(mail);
        wake(contents);
    }

    fn complete(&self, id: JobId, outcome: Completed) {
        let mut contents = lock(&self.contents);
        match &self.heir {
            Some(heir) if contents.closed => {
                drop(contents);
                heir.complete(id, outcome);
            }
            _ => {
                contents.done.push_back((id, outcome));
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
    fn wake(&self) {
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

impl Shared {
    pub(crate) fn new(config: Arc<ServerConfig>, files: FileServer, clock: Clock) -> Self {
        Self {
            config,
            tables: Mutex::new(Tables { sessions: Sessions::new(), files, watched: None }),
            inboxes: Mutex::default(),
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
        self.keeper.wake();
    }

    pub(crate) fn stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    /// Whether the server stops; otherwise the accept task is woken when it does.
    pub(crate) fn watch_stop(&self, cx: &Context<'_>) -> bool {
        lock(&self.keeper.contents).watch(cx);
        self.stopping()
    }

    pub(crate) fn stats(&self) -> Stats {
        let sessions = self.tables().sessions.len();
        Stats { connections: lock(&self.inboxes).len(), sessions }
    }

    pub(crate) fn register(&self) -> (ConnId, Arc<Inbox>) {
        let conn = ConnId(self.next_conn.fetch_add(1, Ordering::Relaxed));
        let inbox = Arc::new(Inbox { heir: Some(self.keeper.clone()), ..Inbox::default() });
        lock(&self.inboxes).insert(conn, inbox.clone());
        (conn, inbox)
    }

    pub(crate) fn unregister(&self, conn: ConnId) {
        lock(&self.inboxes).remove(&conn);
        self.keeper.wake();
    }

    /// The tables, once nobody else is at them.
    pub(crate) fn tables(&self) -> MutexGuard<'_, Tables> {
        lock(&self.tables)
    }

    /// The tables, or nothing while somebody else is at them, which is counted in `tries`: they are at it for some
    /// microseconds, in which this thread can run the tasks of other connections. To have it sleep and be
    /// woken would take longer. Who came often in vain waits all the same.
    pub(crate) fn tables_or_later(&self, tries: &mut u32) -> Option<MutexGuard<'_, Tables>> {
        let tables = match self.tables.try_lock() {
            Ok(tables) => tables,
            Err(TryLockError::Poisoned(error)) => error.into_inner(),
            Err(TryLockError::WouldBlock) if *tries < TRIES => {
                *tries += 1;
                return None;
            }
            Err(TryLockError::WouldBlock) => self.tables(),
        };
        *tries = 0;
        Some(tables)
    }

    /// When [`Self::expire`] is due.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.tables().watched
    }

    /// Carries out a batch. Answers for `here` come back to the caller; others are posted.
    pub(crate) fn carry_out(
        &self,
        batch: &mut Batch,
        here: Option<(ConnId, &Arc<Inbox>)>,
        own: &mut VecDeque<Mail>,
    ) {
        if std::mem::take(&mut batch.sooner) {
            self.keeper.wake();
        }
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
        // The connection takes in what is done; for those that are gone, the accept task.
        let inbox = here.map_or(&self.keeper, |(_, inbox)| inbox);
        for todo in batch.todo.drain(..) {
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
                    let inbox = inbox.clone();
                    let done = move |outcome| inbox.complete(id, Completed::Storage(outcome));
                    storage.submit(job, Box::new(done));
                }
                Action::Store { store, id, job } => {
                    let inbox = inbox.clone();
                    let done = move |outcome| inbox.complete(id, Completed::Store(outcome));
                    store.submit(job, Box::new(done));
                }
                _ => {}
            }
        }
        // Every try is on another connection, so this ends.
        for (conn, order) in lost {
            self.undelivered(conn, [order], batch);
            self.carry_out(batch, here, own);
        }
    }

    /// Finds another way for orders that a connection did not carry out before it ended.
    pub(crate) fn undelivered(
        &self,
        conn: ConnId,
        orders: impl IntoIterator<Item = Order>,
        batch: &mut Batch,
    ) {
        let mut tables = self.tables();
        for order in orders {
            tables.sessions.undelivered(conn, order);
        }
        tables.drain(self.clock.now(), batch);
    }

    /// Does what is due.
    pub(crate) fn expire(&self) {
        let (now, mut batch) = (self.clock.now(), Batch::default());
        let mut tables = self.tables();
        tables.watched = None;
        tables.files.handle_timeout(now);
        tables.drain(now, &mut batch);
        drop(tables);
        self.carry_out(&mut batch, None, &mut VecDeque::new());
    }

    /// Takes in what was completed for connections that are gone.
    pub(crate) fn turn_orphans(&self) {
        let (mut batch, mut own) = (Batch::default(), VecDeque::new());
        loop {
            let (mut mail, mut done) = (VecDeque::new(), Completions::new());
            self.keeper.take(&mut mail, &mut done);
            if done.is_empty() {
                return;
            }
            self.tables().complete(&mut done, self.clock.now(), &mut batch);
            self.carry_out(&mut batch, None, &mut own);
        }
    }
}

impl Tables {
    /// Takes in what arrived on `channel`.
    pub(crate) fn admit(&mut self, channel: &mut Channel, now: Now, batch: &mut Batch) {
        self.sessions.admit(channel, &mut batch.events);
        self.handle(now, batch);
    }

    /// Delivers an answer that makes or ends sessions or trees.
    pub(crate) fn deliver(&mut self, response: Response, channel: &mut Channel, now: Now, batch: &mut Batch) {
        response.deliver_with(&mut self.sessions, channel, &mut batch.events);
        self.handle(now, batch);
    }

    /// Takes in the outcomes of jobs.
    pub(crate) fn complete(&mut self, done: &mut Completions, now: Now, batch: &mut Batch) {
        for (id, outcome) in done.drain(..) {
            match outcome {
                Completed::Storage(outcome) => self.files.complete(id, outcome, now),
                Completed::Store(outcome) => self.files.stored(id, outcome, now),
            }
        }
        self.drain(now, batch);
    }

    /// Takes what the sessions made of requests.
    fn handle(&mut self, now: Now, batch: &mut Batch) {
        for event in batch.events.drain(..) {
            self.files.handle(event, now, &mut OsRandom);
        }
        self.drain(now, batch);
    }

    fn drain(&mut self, now: Now, batch: &mut Batch) {
        loop {
            while let Some((conn, order)) = self.sessions.poll_order() {
                batch.todo.push(ToDo::Order(conn, order));
            }
            match self.files.poll_action() {
                Some(Action::Break(notice)) => {
                    if let Err(undelivered) = notice.deliver(&mut self.sessions) {
                        self.files.break_undelivered(undelivered, now);
                    }
                }
                Some(action) => batch.todo.push(ToDo::Action(action)),
                None => break,
            }
        }
        // If it is due only later than was watched for, that is found out then.
        let due = self.files.poll_timeout();
        if due.is_some_and(|due| self.watched.is_none_or(|watched| due < watched)) {
            self.watched = due;
            batch.sooner = true;
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

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic while the lock was held is a bug of ours, but no reason to bring others down.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use sansmb_auth::UserTable;

    use super::*;
    use crate::server::settings;

    #[test]
    fn who_finds_others_at_the_tables_comes_back_until_it_waits() {
        let (config, files) = settings("SERVER", UserTable::new(), Vec::new());
        let shared = Shared::new(Arc::new(config), FileServer::new(files), Clock::new());
        let mut tries = 0;
        let others = shared.tables();
        for came in 1..=TRIES {
            assert!(shared.tables_or_later(&mut tries).is_none());
            assert_eq!(tries, came);
        }
        std::thread::scope(|scope| {
            let waits = scope.spawn(|| shared.tables_or_later(&mut tries).is_some());
            drop(others);
            assert!(waits.join().unwrap());
        });
        assert_eq!(tries, 0);
    }
}
