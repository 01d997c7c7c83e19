//! Keeping records in step with their opens.

use bytes::Bytes;
use sansmb::{
    server::{Failure, Reply, Token},
    wire::{Capabilities, CreateAction},
};

use super::{Kept, Life, Phase, Waiter, record::Record};
use crate::{
    action::{Action, Answerable},
    caching::KeptCaching,
    close::CloseReply,
    create::Creating,
    durable::Made,
    opens::OpenId,
    server::FileServer,
    storage::{Done, FileIdentity, Job, Metadata, Outcome},
    store::{RecordId, StoreJob, StoreOutcome},
    task::{Step, Task},
};

impl FileServer {
    /// Whether an open that is about to be answered is to get a record, [MS-SMB2] 3.3.5.9.10.
    pub(crate) fn wants_record(&self, creating: &Creating) -> bool {
        creating.asked.persistent()
            && creating.share.continuously_available
            && creating.origin.capabilities.contains(Capabilities::PERSISTENT_HANDLES)
            && self.persistence.phase == Phase::Ready
            && self.persistence.records() < self.config.limits.persistent_opens
            && self.opens.get(&creating.id).is_some_and(|open| {
                open.lasting.made.owner.is_some() && open.file().is_some_and(|file| !file.directory)
            })
    }

    /// Asks which file it is for good.
    pub(crate) fn identify(&mut self, creating: Box<Creating>, metadata: Metadata) {
        self.job_on(
            creating.id,
            |file| Job::Identify { handle: file.handle },
            Step::Identify(creating, Box::new(metadata)),
        );
    }

    /// The file is known: the record is written before the CREATE is answered.
    pub(crate) fn identified(&mut self, creating: Box<Creating>, metadata: Metadata, outcome: Outcome) {
        let id = creating.id;
        let Some(node) = self.file(id).map(|file| file.node) else {
            return self.create_recorded(creating, &metadata, false);
        };
        // Where files cannot be told apart for good, nobody can be promised the same one again.
        let Ok(Done::Identified(identity)) = outcome else {
            return self.create_recorded(creating, &metadata, false);
        };
        let caching = self.foreseen_caching(id, &creating.wish);
        let Some(record) = self.record(id, identity, caching, creating.action) else {
            return self.create_recorded(creating, &metadata, false);
        };
        let record = Record { timeout: creating.asked.timeout(), ..record }.encode();
        let kept = Kept {
            node,
            identity,
            record: record.clone(),
            running: true,
            waiting: vec![Waiter::Create(creating, metadata)],
            behind: Vec::new(),
            life: Life::Kept,
        };
        self.persistence.add(id, kept);
        self.put_record(id, record);
    }

    /// What the record of an open says now.
    fn record(
        &self,
        id: OpenId,
        identity: FileIdentity,
        caching: KeptCaching,
        action: CreateAction,
    ) -> Option<Record> {
        let open = self.opens.get(&id)?;
        let file = open.file()?;
        let node = self.nodes.get(file.node)?;
        let made = &open.lasting.made;
        Some(Record {
            share: file.share.config.name.clone(),
            path: file.path.clone(),
            stream: file.stream.clone(),
            identity,
            client_guid: open.client_guid,
            made: Made { action: made.action.or(Some(action)), replayable: true, ..made.clone() },
            granted: open.granted,
            mode: file.mode,
            timeout: open.lasting.timeout,
            delete_on_close: file.delete_on_close,
            delete_pending: node.links.get(&file.key()).is_some_and(|link| link.delete_pending),
            frozen: file.frozen,
            caching,
            locks: node.locks.of(id).collect(),
            lock_sequences: open.lasting.lock_sequences.clone(),
        })
    }

    /// Answers a request that changed an open, once the record of the open says so.
    pub(crate) fn respond_kept<O: Answerable>(
        &mut self,
        id: OpenId,
        token: Token<O>,
        result: Result<Reply<O>, Failure>,
    ) {
        match self.persistence.kept.get_mut(&id).filter(|kept| kept.life == Life::Kept) {
            Some(kept) => {
                kept.behind.push(Waiter::Answer(token.id(), O::answer(token, result)));
                self.persistence.changed.insert(id);
            }
            None => self.respond(token, result),
        }
    }

    /// An open is closed altogether. Who closed it hears of that once its record is removed: a server that
    /// ended before would make the open anew.
    pub(crate) fn forget_record(&mut self, id: OpenId, reply: CloseReply, metadata: Option<Metadata>) {
        let Some(kept) = self.persistence.kept.get_mut(&id) else {
            return self.answer_close(reply, metadata);
        };
        kept.life = Life::Gone;
        kept.behind.push(Waiter::Close(reply, metadata));
        self.persistence.changed.insert(id);
    }

    /// Brings records up to date: the last step of every feed.
    pub(crate) fn save_changed(&mut self) {
        while let Some(node) = self.caching.poll_touched() {
            self.persistence.touch_node(node);
        }
        while let Some(id) = self.persistence.changed.pop_first() {
            let Some(kept) = self.persistence.kept.get(&id).filter(|kept| !kept.running) else { continue };
            if kept.life != Life::Kept {
                self.remove_record(id);
                continue;
            }
            let (identity, old) = (kept.identity, kept.record.clone());
            let caching = self.kept_caching(id);
            let new = self.record(id, identity, caching, CreateAction::OPENED).map(|record| record.encode());
            let new = new.filter(|new| *new != old);
            let Some(kept) = self.persistence.kept.get_mut(&id) else { continue };
            let waiters = std::mem::take(&mut kept.behind);
            let Some(new) = new else {
                self.go_on(waiters, true);
                continue;
            };
            kept.running = true;
            kept.waiting = waiters;
            kept.record = new.clone();
            self.put_record(id, new);
        }
    }

    fn put_record(&mut self, id: OpenId, record: Bytes) {
        self.store_job(StoreJob::Put { id: RecordId(id.0), record }, Task::Store(id));
    }

    fn remove_record(&mut self, id: OpenId) {
        let Some(kept) = self.persistence.kept.get_mut(&id) else { return };
        // A record that the store has forgotten already has no bytes.
        if kept.life == Life::Lost && kept.record.is_empty() {
            let waiters = std::mem::take(&mut kept.behind);
            return self.go_on(waiters, false);
        }
        kept.running = true;
        kept.record = Bytes::new();
        kept.waiting = std::mem::take(&mut kept.behind);
        self.store_job(StoreJob::Remove { id: RecordId(id.0) }, Task::Store(id));
    }

    /// Emits a job of the store.
    pub(super) fn store_job(&mut self, job: StoreJob, task: Task) {
        let Some(store) = self.persistence.store.clone() else { return };
        let id = self.start_task(task);
        self.push_action(Action::Store { store, id, job });
    }

    /// A job on a record is done.
    pub(crate) fn record_stored(&mut self, id: OpenId, outcome: &StoreOutcome) {
        let Some(kept) = self.persistence.kept.get_mut(&id) else { return };
        kept.running = false;
        let waiters = std::mem::take(&mut kept.waiting);
        let removed = kept.record.is_empty();
        if !removed && outcome.is_err() && kept.life == Life::Kept {
            kept.life = Life::Lost;
        }
        if removed && kept.life == Life::Gone {
            self.persistence.forget(id);
        } else {
            self.persistence.changed.insert(id);
        }
        self.go_on(waiters, outcome.is_ok() && !removed);
    }

    fn go_on(&mut self, waiters: Vec<Waiter>, kept: bool) {
        for waiter in waiters {
            match waiter {
                Waiter::Create(creating, metadata) => self.create_recorded(creating, &metadata, kept),
                Waiter::Answer(request, answer) => self.push_answer(request, answer),
                Waiter::Close(reply, metadata) => self.answer_close(reply, metadata),
            }
        }
    }
}
