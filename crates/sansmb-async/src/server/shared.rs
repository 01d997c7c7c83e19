//! What the connections of a server share.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, TryLockError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::Context,
};

use sansmb::{
    server::{Channel, ConnId, Event, Order, ServerConfig, Sessions},
    time::{Instant, Now},
};
use sansmb_crypto::OsRandom;
use sansmb_fileserver::{Action, FileServer, FileServerConfig, Response, storage::Job};

use super::{
    holding::Pipes,
    inbox::{Completed, Completions, Inbox, Mail},
};
use crate::{Clock, lock::lock};

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
    /// Where large data of WRITEs wait, if a share's storage gains by that.
    pub(crate) pipes: Option<Arc<Pipes>>,
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

/// What came of a turn at the shared tables, in its order: a notice must not overtake the answer that
/// gave what it takes away. It is kept from one turn to the next for the memory that it has.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    events: VecDeque<Event>,
    /// Breaks among them are carried out already.
    actions: VecDeque<Action>,
    /// Orders, and behind how many of the actions each has its place.
    orders: VecDeque<(usize, ConnId, Order)>,
    /// How many actions were carried out.
    carried_out: usize,
    /// Something is due before the accept task would look.
    sooner: bool,
}

impl Batch {
    /// Lends reads the memory that earlier answers on `channel` have left; whether one of them goes on with what it
    /// read in part.
    pub(crate) fn lend(&mut self, channel: &mut Channel) -> bool {
        let mut goes_on = false;
        for action in &mut self.actions {
            let Action::Job { job: Job::Read { length, into, .. }, .. } = action else { continue };
            if !into.is_empty() {
                goes_on = true;
            } else if let Some(spare) = channel.spare_buffer(*length as usize) {
                *into = spare;
            }
        }
        goes_on
    }

    /// An order that has its place here.
    fn next_order(&mut self) -> Option<(ConnId, Order)> {
        if self.orders.front().is_none_or(|(behind, ..)| *behind > self.carried_out) {
            return None;
        }
        self.orders.pop_front().map(|(_, conn, order)| (conn, order))
    }

    /// The next action, when all orders before it are carried out.
    fn next_action(&mut self) -> Option<Action> {
        let action = self.actions.pop_front();
        self.carried_out = if action.is_some() { self.carried_out + 1 } else { 0 };
        action
    }
}

/// The connection that carries out a batch.
#[derive(Debug)]
pub(crate) struct Here<'c> {
    pub(crate) conn: ConnId,
    pub(crate) inbox: &'c Arc<Inbox>,
    /// Where answers go, if nothing older waits for it.
    pub(crate) channel: Option<&'c mut Channel>,
    /// What the connection has for itself.
    pub(crate) own: &'c mut VecDeque<Mail>,
}

impl Here<'_> {
    /// An answer goes out at once, unless something that is older or needs the tables does not.
    fn take(&mut self, mail: Mail) {
        match (mail, &mut self.channel) {
            (Mail::Response(response), Some(channel))
                if self.own.is_empty() && !response.needs_sessions() =>
            {
                response.deliver(channel);
            }
            (mail, _) => self.own.push_back(mail),
        }
    }
}

impl Shared {
    pub(crate) fn new(config: Arc<ServerConfig>, files: FileServerConfig, clock: Clock) -> Self {
        let holds = files.shares.iter().any(|share| share.storage.takes_held());
        let files = FileServer::new(files);
        Self {
            config,
            tables: Mutex::new(Tables { sessions: Sessions::new(), files, watched: None }),
            inboxes: Mutex::default(),
            clock,
            next_conn: AtomicU64::new(1),
            stopping: AtomicBool::new(false),
            pipes: holds.then(Arc::default),
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
        self.keeper.watch(cx);
        self.stopping()
    }

    pub(crate) fn stats(&self) -> Stats {
        let sessions = self.tables().sessions.len();
        Stats { connections: lock(&self.inboxes).len(), sessions }
    }

    pub(crate) fn register(&self) -> (ConnId, Arc<Inbox>) {
        let conn = ConnId(self.next_conn.fetch_add(1, Ordering::Relaxed));
        let inbox = Arc::new(Inbox::new(self.keeper.clone()));
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

    /// Carries out a batch for the connection `here`, or for those that are gone.
    pub(crate) fn carry_out(&self, batch: &mut Batch, mut here: Option<Here<'_>>) {
        // Every try to deliver an order is on another connection, so this ends.
        loop {
            if std::mem::take(&mut batch.sooner) {
                self.keeper.wake();
            }
            let mut lost = Vec::new();
            loop {
                let (conn, mail) = match batch.next_order() {
                    Some((conn, order)) => (conn, Mail::Order(order)),
                    None => match batch.next_action() {
                        Some(Action::Respond(response)) => (response.conn(), Mail::Response(response)),
                        Some(action) => {
                            // The connection takes in what is done; for those that are gone, the accept task.
                            submit(action, here.as_ref().map_or(&self.keeper, |here| here.inbox));
                            continue;
                        }
                        None => break,
                    },
                };
                if let Some(here) = here.as_mut().filter(|here| here.conn == conn) {
                    here.take(mail);
                } else if let Some(inbox) = lock(&self.inboxes).get(&conn) {
                    inbox.post(mail);
                } else if let Mail::Order(order) = mail {
                    lost.push((conn, order));
                }
            }
            if lost.is_empty() {
                return;
            }
            for (conn, order) in lost {
                self.undelivered(conn, [order], batch);
            }
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
        self.carry_out(&mut batch, None);
    }

    /// Takes in what was completed for connections that are gone.
    pub(crate) fn turn_orphans(&self) {
        let mut batch = Batch::default();
        loop {
            let (mut mail, mut done) = (VecDeque::new(), Completions::new());
            self.keeper.take(&mut mail, &mut done);
            if done.is_empty() {
                return;
            }
            self.tables().complete(&mut done, self.clock.now(), &mut batch);
            self.carry_out(&mut batch, None);
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
        let mut next = batch.actions.len();
        loop {
            self.files.take_actions(&mut batch.actions);
            if next == batch.actions.len() {
                break;
            }
            for action in batch.actions.range(next..) {
                note_orders(&mut self.sessions, batch.carried_out + next, &mut batch.orders);
                next += 1;
                if let Action::Break(notice) = action
                    && let Err(undelivered) = notice.deliver(&mut self.sessions)
                {
                    self.files.break_undelivered(undelivered, now);
                }
            }
        }
        note_orders(&mut self.sessions, batch.carried_out + next, &mut batch.orders);
        // If it is due only later than was watched for, that is found out then.
        let due = self.files.poll_timeout();
        if due.is_some_and(|due| self.watched.is_none_or(|watched| due < watched)) {
            self.watched = due;
            batch.sooner = true;
        }
    }
}

/// Notes what the sessions want of connections, behind so many actions.
fn note_orders(sessions: &mut Sessions, behind: usize, orders: &mut VecDeque<(usize, ConnId, Order)>) {
    while let Some((conn, order)) = sessions.poll_order() {
        orders.push_back((behind, conn, order));
    }
}

/// Has a job done, whose outcome `inbox` gets.
fn submit(action: Action, inbox: &Arc<Inbox>) {
    let inbox = inbox.clone();
    match action {
        Action::Job { storage, id, job } => {
            let done = move |outcome| inbox.complete(id, Completed::Storage(outcome));
            storage.submit(job, Box::new(done));
        }
        Action::Store { store, id, job } => {
            let done = move |outcome| inbox.complete(id, Completed::Store(outcome));
            store.submit(job, Box::new(done));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use sansmb_auth::UserTable;

    use super::*;
    use crate::server::settings;

    #[test]
    fn who_finds_others_at_the_tables_comes_back_until_it_waits() {
        let (config, files) = settings("SERVER", UserTable::new(), Vec::new());
        let shared = Shared::new(Arc::new(config), files, Clock::new());
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
