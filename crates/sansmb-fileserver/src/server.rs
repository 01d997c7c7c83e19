//! The file server: its tables, its feeds and its drains.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use sansmb::{
    crypto::Random,
    server::{ConnId, Event, Failure, Message, Op, Origin, Reply, RequestId, Token},
    time::{Instant, Now},
    wire::{Capabilities, Guid, NtStatus, SessionId, TreeId},
};

use crate::{
    action::{Action, Answer, Answerable, JobId, Response},
    caching::{CachingTable, DelayId},
    config::FileServerConfig,
    durable::Durables,
    exchanges::Exchanges,
    nodes::Nodes,
    offloads::Offloads,
    opens::{FileOpen, Open, OpenId},
    path_key::PathKey,
    persistent::Persistence,
    security::Accounts,
    session::{Group, GroupId, Session},
    shares::{Share, Shares},
    storage::{Done, Job, NodeId, Outcome},
    store::StoreOutcome,
    task::{Step, Task},
    times::LateTimes,
};

/// So that nobody takes one half of a FileId for the other.
const FIRST_VOLATILE: u64 = 1 << 32;

/// A file server. See the [crate](crate) for how to drive it.
#[derive(Debug)]
pub struct FileServer {
    pub(crate) config: Arc<FileServerConfig>,
    pub(crate) shares: Shares,
    pub(crate) accounts: Accounts,
    pub(crate) sessions: BTreeMap<SessionId, Session>,
    pub(crate) exchanges: Exchanges,
    /// Which sessions a client has, oldest first.
    pub(crate) clients: BTreeSet<(Guid, SessionId)>,
    pub(crate) opens: BTreeMap<OpenId, Box<Open>>,
    /// CREATEs whose file is being looked up, and in which group they end when nobody wants them
    /// any more.
    pub(crate) creating: BTreeMap<OpenId, (TreeId, Option<GroupId>)>,
    pub(crate) nodes: Nodes,
    pub(crate) caching: CachingTable,
    /// Directories that are watched, and by which opens.
    pub(crate) watches: BTreeMap<PathKey, BTreeSet<OpenId>>,
    pub(crate) groups: BTreeMap<GroupId, Group>,
    /// Requests that wait for something, by connection.
    waiting: BTreeMap<ConnId, BTreeMap<RequestId, Waiting>>,
    /// Writes that do not show in the times of their files yet.
    pub(crate) late: LateTimes,
    /// Files that were deleted while lookups ran, each with the first job that came after.
    pub(crate) deleted: BTreeMap<NodeId, JobId>,
    pub(crate) offloads: Offloads,
    tasks: BTreeMap<JobId, Task>,
    /// Lookups that run.
    lookups: BTreeSet<JobId>,
    actions: VecDeque<Action>,
    /// The request that is being handled, until it is answered.
    current: Option<RequestId>,
    /// Requests that wait for jobs, and about which their clients have heard nothing yet.
    silent: BTreeSet<RequestId>,
    /// When their clients hear something, oldest first; it may name some that are answered.
    slow: VecDeque<(Instant, RequestId)>,
    next_job: u64,
    next_open: u64,
    next_volatile: u64,
    pub(crate) durables: Durables,
    pub(crate) persistence: Persistence,
    pub(crate) next_group: u64,
    pub(crate) now: Now,
}

/// Where a request that can be cancelled waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Waiting {
    /// For a byte-range lock.
    Lock(NodeId),
    /// For a change in a directory.
    Notify(OpenId),
    /// Until others have given up what they cache.
    Break(DelayId),
    /// For a message from a pipe.
    Pipe(OpenId),
}

/// How much a file server holds: all zero when every client is gone and every job completed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Sessions, half-open ones included.
    pub sessions: usize,
    /// Authentications that are under way.
    pub exchanges: usize,
    /// Opens of files, directories and pipes, those being opened or closed included.
    pub opens: usize,
    /// Files that are open.
    pub nodes: usize,
    /// Byte-range locks.
    pub locks: usize,
    /// Oplocks and leases: files of which somebody caches something, or might.
    pub cached: usize,
    /// Leases.
    pub leases: usize,
    /// Breaks that clients have not acknowledged yet.
    pub breaks: usize,
    /// Requests that wait until others give up what they cache.
    pub delayed: usize,
    /// Requests that wait for a lock or a change.
    pub waiting: usize,
    /// Directories that are watched.
    pub watches: usize,
    /// Opens without a session, whose clients may come back.
    pub disconnected: usize,
    /// Requests on opens that are not answered yet, of clients whose channels may fail.
    pub outstanding: usize,
    /// Opens whose records are kept, or on their way.
    pub records: usize,
    /// Tokens that name ranges of files.
    pub offloads: usize,
    /// Jobs that run.
    pub jobs: usize,
}

impl FileServer {
    /// What it can do that clients are told when they negotiate: for
    /// [`ServerConfig::capabilities`](sansmb::server::ServerConfig::capabilities).
    pub fn capabilities() -> Capabilities {
        Capabilities::LEASING | Capabilities::DIRECTORY_LEASING
    }

    /// A server that serves nobody yet. Where it has a store, its first action is to read it.
    pub fn new(mut config: FileServerConfig) -> Self {
        let store = config.store.take();
        let shares = Shares::new(std::mem::take(&mut config.shares), store.is_some());
        let FileServerConfig { name, machine_sid, users, administrators, .. } = &config;
        let accounts = Accounts::new(name, *machine_sid, users, administrators);
        let mut server = Self {
            accounts,
            config: Arc::new(config),
            shares,
            sessions: BTreeMap::new(),
            exchanges: Exchanges::default(),
            clients: BTreeSet::new(),
            opens: BTreeMap::new(),
            creating: BTreeMap::new(),
            nodes: Nodes::default(),
            caching: CachingTable::default(),
            watches: BTreeMap::new(),
            groups: BTreeMap::new(),
            waiting: BTreeMap::new(),
            late: LateTimes::default(),
            deleted: BTreeMap::new(),
            offloads: Offloads::default(),
            tasks: BTreeMap::new(),
            lookups: BTreeSet::new(),
            actions: VecDeque::new(),
            current: None,
            silent: BTreeSet::new(),
            slow: VecDeque::new(),
            next_job: 1,
            next_open: 1,
            next_volatile: FIRST_VOLATILE,
            durables: Durables::default(),
            persistence: Persistence::new(store),
            next_group: 1,
            now: Now::default(),
        };
        server.load_records();
        server
    }

    /// Takes an event of the server.
    pub fn handle(&mut self, event: Event, now: Now, random: &mut dyn Random) {
        self.now = now;
        self.current = may_take_long(&event);
        match event {
            Event::SessionSetup(request) => self.session_setup(request, random),
            Event::Logoff(request) => self.logoff(request),
            Event::SessionEnded { session } => self.session_ended(session),
            Event::TreeConnect(request) => self.tree_connect(request),
            Event::TreeDisconnect(request) => self.tree_disconnect(request),
            Event::Create(request) => {
                if let Some(request) = self.comes_early(request) {
                    self.create(request);
                }
            }
            Event::Close(request) => self.close(request),
            Event::Flush(request) => self.flush(request),
            Event::Read(request) => self.read(request),
            Event::Write(request) => self.write(request),
            Event::Lock(request) => self.lock(request),
            Event::Ioctl(request) => self.ioctl(request, random),
            Event::QueryDirectory(request) => self.query_directory(request),
            Event::ChangeNotify(request) => self.change_notify(request),
            Event::QueryInfo(request) => self.query_info(request),
            Event::SetInfo(request) => self.set_info(request),
            Event::OplockBreak(request) => self.oplock_break(request),
            Event::LeaseBreak(request) => self.lease_break(request),
            Event::Cancel { request } => self.cancel(request),
            Event::Closed { conn } => self.connection_closed(conn),
            _ => {}
        }
        self.save_changed();
        if let Some(request) = self.current.take()
            && self.waits(request).is_none()
        {
            self.silent.insert(request);
            self.slow.push_back((now.mono.after(self.config.limits.interim_after), request));
        }
    }

    /// Takes the outcome of a job. A name that is not known (any more) is ignored.
    pub fn complete(&mut self, job: JobId, outcome: Outcome, now: Now) {
        self.now = now;
        let Some(task) = self.tasks.remove(&job) else { return };
        self.lookups.remove(&job);
        match task {
            Task::Open(creating) => self.create_opened(creating, job, outcome),
            Task::Parent(creating, found) => self.create_parent(creating, *found, job, outcome),
            Task::Close(closing) => self.close_step(closing, outcome),
            Task::On(open, step) => {
                if step.may_change_data() {
                    self.data_changes(open);
                }
                self.step(open, step, outcome);
                self.job_done(open);
            }
            Task::Watch(open) => self.changed_beside(open, job, outcome),
            Task::Restore(restoring) => self.restore_step(restoring, outcome),
            Task::Discard | Task::Load | Task::Store(_) => {}
        }
        self.save_changed();
        self.forget_deleted();
        self.forget_answered();
    }

    /// Takes the outcome of a job of the store. A name that is not known (any more) is ignored.
    pub fn stored(&mut self, job: JobId, outcome: StoreOutcome, now: Now) {
        self.now = now;
        match self.tasks.remove(&job) {
            Some(Task::Load) => self.records_loaded(outcome),
            Some(Task::Store(open)) => self.record_stored(open, &outcome),
            _ => {}
        }
        self.save_changed();
        self.forget_answered();
    }

    /// What to do next. To be drained after every feed.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// All that is to be done next, in order, behind what is in `into`.
    pub fn take_actions(&mut self, into: &mut VecDeque<Action>) {
        if into.is_empty() {
            std::mem::swap(&mut self.actions, into);
        } else {
            into.append(&mut self.actions);
        }
    }

    /// When [`FileServer::handle_timeout`] is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let slow = self.slow.front().map(|(due, _)| *due);
        let offloads = self.offloads.next_due();
        let dues = [slow, self.caching.next_due(), self.durables.next(), self.late.timeout(), offloads];
        dues.into_iter().flatten().min()
    }

    /// Time passed.
    pub fn handle_timeout(&mut self, now: Now) {
        self.now = now;
        self.late.expire(now.mono);
        self.offloads.expire(now.mono);
        while let Some((due, request)) = self.slow.front().copied()
            && due <= now.mono
        {
            self.slow.pop_front();
            if self.silent.remove(&request) {
                self.push_answer(request, Answer::Pend(request));
            }
        }
        self.expire_breaks();
        self.scavenge();
        self.save_changed();
        self.forget_answered();
    }

    fn forget_answered(&mut self) {
        while self.slow.front().is_some_and(|(_, request)| !self.silent.contains(request)) {
            self.slow.pop_front();
        }
    }

    /// How much it holds.
    pub fn counters(&self) -> Counters {
        Counters {
            sessions: self.sessions.len(),
            exchanges: self.exchanges.len(),
            opens: self.opens.len() + self.creating.len(),
            nodes: self.nodes.len(),
            locks: self.nodes.iter().map(|node| node.locks.len()).sum(),
            cached: self.caching.places(),
            leases: self.caching.leases.len(),
            breaks: self.caching.breaking(),
            delayed: self.caching.delayed(),
            waiting: self.waiting.values().map(BTreeMap::len).sum::<usize>() + self.persistence.early(),
            watches: self.watches.len(),
            disconnected: self.durables.waiting(),
            outstanding: self.durables.outstanding.len(),
            records: self.persistence.records(),
            offloads: self.offloads.len(),
            jobs: self.tasks.len(),
        }
    }

    fn step(&mut self, open: OpenId, step: Step, outcome: Outcome) {
        match step {
            Step::Create(creating) => self.create_step(creating, outcome),
            Step::Identify(creating, metadata) => self.identified(creating, *metadata, outcome),
            Step::Reconnect { token } => self.reconnected(open, token, outcome),
            Step::Read(reading) => self.read_done(open, reading, outcome),
            Step::Write { token, length } => self.write_done(open, token, length, outcome),
            Step::AppendLength(append) => self.append_length(append, outcome),
            Step::AppendWrite { token, length } => self.append_done(open, token, length, outcome),
            Step::Flush { token } => self.flush_done(open, token, outcome),
            Step::List(query) => self.list_step(open, query, outcome),
            Step::QueryFile(query) => self.query_file_done(open, *query, outcome),
            Step::QueryFs(query) => self.query_fs_done(open, *query, outcome),
            Step::QuerySecurity(query) => self.query_security_done(open, query, outcome),
            Step::SetSecurity { token } => self.set_security_done(open, token, outcome),
            Step::SetFile(set) => self.set_file_step(open, *set, outcome),
            Step::QueryEas(query) => self.query_eas_done(open, *query, outcome),
            Step::QueryQuota(query) => self.query_quota_done(open, *query, outcome),
            Step::SetQuota(set) => self.set_quota_done(set, outcome),
            Step::RenameStream(renaming) => self.stream_rename_step(open, renaming, outcome),
            Step::Rename(renaming) => self.rename_step(open, renaming, outcome),
            Step::Copy(copying) => self.copy_step(open, copying, outcome),
            Step::Offload(offloading) => self.offload_step(open, offloading, outcome),
            Step::Range(ranging) => self.ranges_step(open, ranging, outcome),
            Step::Sparse(sparsing) => self.sparse_step(open, sparsing, outcome),
            Step::Zero { token, reply } => self.zero_done(open, token, reply, outcome),
            Step::Share(sharing) => self.share_step(open, sharing, outcome),
            Step::Reparse(reparsing) => self.reparse_step(open, reparsing, outcome),
            Step::Compress(compressing) => self.compress_step(open, *compressing, outcome),
            Step::ObjectId(identifying) => self.object_id_step(open, *identifying, outcome),
            Step::Protect(protecting) => self.integrity_step(open, *protecting, outcome),
            Step::Trim(trimming) => self.trim_step(open, trimming, outcome),
            Step::Ask(asking) => self.ask_step(open, *asking, outcome),
            // That times could not be put back undoes nothing.
            Step::Restored { request, answer } => self.push_answer(request, *answer),
        }
    }

    // What the parts have in common.

    /// Answers a request.
    pub(crate) fn respond<O: Answerable>(&mut self, token: Token<O>, result: Result<Reply<O>, Failure>) {
        self.push_answer(token.id(), O::answer(token, result));
    }

    /// Answers a request with a success.
    pub(crate) fn succeed<O: Answerable>(&mut self, token: Token<O>, response: &O::Response<'_>) {
        self.respond(token, Ok(Reply::new(response)));
    }

    /// Answers a request with a failure.
    pub(crate) fn fail<O: Answerable>(&mut self, token: Token<O>, status: NtStatus) {
        self.respond(token, Err(status.into()));
    }

    pub(crate) fn push_answer(&mut self, request: RequestId, answer: Answer) {
        if !matches!(answer, Answer::Pend(_)) {
            self.sequence_done(request);
        }
        if self.current == Some(request) {
            self.current = None;
        } else {
            self.silent.remove(&request);
        }
        self.actions.push_back(Action::Respond(Response::new(request.conn, answer)));
    }

    pub(crate) fn push_action(&mut self, action: Action) {
        self.actions.push_back(action);
    }

    /// Emits a job.
    pub(crate) fn job(&mut self, share: &Share, job: Job, task: Task) -> JobId {
        let lookup = matches!(job, Job::Open { .. }) || matches!(task, Task::Open(_));
        let id = self.start_task(task);
        if lookup {
            self.lookups.insert(id);
        }
        self.actions.push_back(Action::Job { storage: share.config.storage.clone(), id, job });
        id
    }

    /// Something is under way that goes on with `task`.
    pub(crate) fn start_task(&mut self, task: Task) -> JobId {
        let id = self.next_job();
        self.next_job += 1;
        self.tasks.insert(id, task);
        id
    }

    /// Emits a job on an open, which stays until it is done.
    pub(crate) fn job_on(&mut self, id: OpenId, job: impl FnOnce(&FileOpen) -> Job, step: Step) {
        let Some(open) = self.opens.get_mut(&id) else { return };
        let Some(file) = open.file() else { return };
        let share = file.share.clone();
        let job = job(file);
        open.busy += 1;
        if changes_data(&job) {
            self.data_changes(id);
        }
        self.job(&share, job, Task::On(id, step));
    }

    /// A job on an open is done; if it was the last one and the open is to be closed, it is now.
    fn job_done(&mut self, id: OpenId) {
        self.release(id);
    }

    /// Something that kept an open from being closed is over.
    pub(crate) fn release(&mut self, id: OpenId) {
        let Some(open) = self.opens.get_mut(&id) else { return };
        open.busy = open.busy.saturating_sub(1);
        if open.busy == 0 && open.closing.is_some() {
            self.clean_up(id);
        }
    }

    /// The name that the next job gets.
    pub(crate) fn next_job(&self) -> JobId {
        JobId(self.next_job)
    }

    pub(crate) fn new_open(&mut self) -> OpenId {
        let id = OpenId(self.next_open);
        self.next_open += 1;
        id
    }

    /// Opens get other names than those of earlier runs, whose clients may still use theirs: from
    /// `base` on, and behind `highest`.
    pub(crate) fn start_numbering(&mut self, base: u64, highest: u64) {
        self.next_open = self.next_open.max(base | 1).max(highest.saturating_add(1));
        self.next_volatile = self.next_volatile.max(base | FIRST_VOLATILE);
    }

    pub(crate) fn new_volatile(&mut self) -> u64 {
        let volatile = self.next_volatile;
        self.next_volatile += 1;
        volatile
    }

    /// A file is deleted. A lookup that found it before must look again.
    pub(crate) fn note_deleted(&mut self, node: NodeId) {
        if !self.lookups.is_empty() {
            self.deleted.insert(node, self.next_job());
        }
    }

    /// Whether a file that `lookup` found was deleted meanwhile.
    pub(crate) fn was_deleted(&self, node: NodeId, lookup: JobId) -> bool {
        self.deleted.get(&node).is_some_and(|first_after| lookup < *first_after)
    }

    fn forget_deleted(&mut self) {
        if self.deleted.is_empty() {
            return;
        }
        match self.lookups.first() {
            None => self.deleted.clear(),
            Some(oldest) => {
                let oldest = *oldest;
                self.deleted.retain(|_, first_after| oldest < *first_after);
            }
        }
    }

    /// The open that a request means.
    pub(crate) fn lookup<O: Op>(
        &mut self,
        origin: &Origin,
        message: &Message<O>,
    ) -> Result<OpenId, NtStatus> {
        let file_id = message.file_id();
        let id = OpenId::from_file_id(file_id);
        let open = self.opens.get_mut(&id).ok_or(NtStatus::FILE_CLOSED)?;
        if open.volatile != file_id.volatile || !open.belongs_to(origin) {
            return Err(NtStatus::FILE_CLOSED);
        }
        // Whoever uses it knows that its CREATE was answered.
        open.lasting.made.replayable = false;
        if let Some(session) = self.sessions.get_mut(&origin.session) {
            session.used = self.now.mono;
        }
        self.verify_sequence(id, origin, O::COMMAND)?;
        Ok(id)
    }

    /// The request that is being handled, until it is answered.
    pub(crate) fn current(&self) -> Option<RequestId> {
        self.current
    }

    /// The file or directory of an open.
    pub(crate) fn file(&self, id: OpenId) -> Option<&FileOpen> {
        self.opens.get(&id)?.file()
    }

    pub(crate) fn file_mut(&mut self, id: OpenId) -> Option<&mut FileOpen> {
        self.opens.get_mut(&id)?.file_mut()
    }

    /// The name of an open's file, as [`Nodes`] knows it.
    pub(crate) fn path_key(&self, id: OpenId) -> Option<PathKey> {
        Some(self.file(id)?.key())
    }

    /// Notes that a request waits, and tells the client, unless too many of its connection do. As with
    /// Windows, one that others of its compound wait for fails: see [`Origin::followed`].
    pub(crate) fn wait(&mut self, id: RequestId, followed: bool, waiting: Waiting) -> Result<(), NtStatus> {
        if followed {
            return Err(NtStatus::INTERNAL_ERROR);
        }
        let limit = self.config.limits.waiting_per_connection;
        if self.waiting.get(&id.conn).map_or(0, BTreeMap::len) >= limit {
            return Err(NtStatus::INSUFFICIENT_RESOURCES);
        }
        self.waiting.entry(id.conn).or_default().insert(id, waiting);
        self.push_answer(id, Answer::Pend(id));
        Ok(())
    }

    /// A request waits no longer.
    pub(crate) fn stop_waiting(&mut self, id: RequestId) {
        let Some(requests) = self.waiting.get_mut(&id.conn) else { return };
        requests.remove(&id);
        if requests.is_empty() {
            self.waiting.remove(&id.conn);
        }
    }

    fn waits(&self, id: RequestId) -> Option<Waiting> {
        self.waiting.get(&id.conn)?.get(&id).copied()
    }

    fn cancel(&mut self, request: RequestId) {
        match self.waits(request) {
            Some(Waiting::Lock(node)) => self.cancel_lock(node, request),
            Some(Waiting::Notify(open)) => self.cancel_notify(open, request),
            Some(Waiting::Break(id)) => self.end_delay(id, NtStatus::CANCELLED),
            Some(Waiting::Pipe(open)) => self.cancel_pipe(open, request),
            None => {}
        }
    }

    /// Requests of a connection that is gone answer to nobody, but where its session lives on over
    /// another connection they must not hold on to anything either.
    fn connection_closed(&mut self, conn: ConnId) {
        self.exchanges.end_conn(conn);
        for (request, waiting) in self.waiting.get(&conn).cloned().unwrap_or_default() {
            if !matches!(waiting, Waiting::Break(id) if self.outlives_connection(id)) {
                self.cancel(request);
            }
        }
    }
}

/// The outcome of a job that ends with nothing.
pub(crate) fn nothing(outcome: Outcome) -> Result<(), NtStatus> {
    outcome.map(|_: Done| ())
}

/// Whether a job changes what is in a file.
fn changes_data(job: &Job) -> bool {
    matches!(
        job,
        Job::Write { .. } | Job::SetLength { .. } | Job::Zero { .. } | Job::Copy { .. } | Job::Share { .. }
    )
}

/// The request of an event, if its client is to hear something when it takes long.
fn may_take_long(event: &Event) -> Option<RequestId> {
    Some(match event {
        Event::Create(request) => request.token.id(),
        Event::Close(request) => request.token.id(),
        Event::Flush(request) => request.token.id(),
        Event::Read(request) => request.token.id(),
        Event::Write(request) => request.token.id(),
        Event::Lock(request) => request.token.id(),
        Event::Ioctl(request) => request.token.id(),
        Event::QueryDirectory(request) => request.token.id(),
        Event::ChangeNotify(request) => request.token.id(),
        Event::QueryInfo(request) => request.token.id(),
        Event::SetInfo(request) => request.token.id(),
        _ => return None,
    })
}
