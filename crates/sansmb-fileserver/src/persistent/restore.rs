//! Making the opens of the last run anew when the server starts.

use std::sync::Arc;

use sansmb::{
    server::{Request, op},
    wire::{CreateOptions, FileAttributes, NtStatus, SessionId, TreeId},
};

use super::{Kept, Life, Phase, record::Record};
use crate::{
    create::checks::rights_for,
    durable::{ChannelSequence, Lasting, Level},
    opens::{FileOpen, Object, Open, OpenId},
    path_key::PathKey,
    server::FileServer,
    share_modes::Claim,
    shares::{IPC, Share},
    storage::{Done, Existence, Handle, Job, NodeId, Outcome, SharePath, Want},
    store::{RecordId, StoreDone, StoreJob, StoreOutcome},
    task::Task,
};

/// In what is numbered in one run of the server.
const RUN_BITS: u32 = 40;

/// An open that is being made anew.
#[derive(Debug)]
pub(crate) struct Restoring {
    id: OpenId,
    record: Record,
    share: Arc<Share>,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// The file is being opened.
    Open,
    /// Its stream is, by way of it.
    Stream(Handle),
    /// It is compared with what the record says.
    Identify { handle: Handle, node: NodeId, path: SharePath },
}

impl FileServer {
    /// Reads the records of the last run.
    pub(crate) fn load_records(&mut self) {
        if self.shares.iter().any(|share| share.continuously_available) {
            self.persistence.phase = Phase::Loading;
            self.store_job(StoreJob::Load, Task::Load);
        }
    }

    /// Whether a CREATE has to wait until the opens of the last run are there; it is kept then.
    pub(crate) fn comes_early(&mut self, request: Request<op::Create>) -> Option<Request<op::Create>> {
        let early = matches!(self.persistence.phase, Phase::Loading | Phase::Restoring(_));
        if !early || request.origin.share == IPC {
            return Some(request);
        }
        if self.persistence.early.len() >= self.config.limits.opens {
            self.fail(request.token, NtStatus::INSUFFICIENT_RESOURCES);
        } else {
            self.persistence.early.push_back(request);
        }
        None
    }

    /// The records are read, or could not be: then nothing is promised in this run.
    pub(crate) fn records_loaded(&mut self, outcome: StoreOutcome) {
        let Ok(StoreDone::Loaded { generation, records }) = outcome else {
            self.persistence.phase = Phase::Nothing;
            return self.let_in();
        };
        let highest = records.iter().map(|(id, _)| id.0).max().unwrap_or(0);
        self.start_numbering(generation.wrapping_shl(RUN_BITS), highest);
        let mut left = 0;
        self.persistence.phase = Phase::Restoring(0);
        for (id, bytes) in records {
            let record = Record::decode(&bytes).filter(|_| left < self.config.limits.persistent_opens);
            let share = record.as_ref().and_then(|record| self.shares.find(&record.share));
            let share = share.map(|(_, share)| share).filter(|share| share.continuously_available);
            let (Some(record), Some(share)) = (record, share) else {
                self.drop_record(OpenId(id.0));
                continue;
            };
            left += 1;
            self.restore_next(Box::new(Restoring { id: OpenId(id.0), record, share, stage: Stage::Open }));
        }
        self.persistence.phase = Phase::Restoring(left);
        self.let_in();
    }

    /// Nobody comes back to it.
    fn drop_record(&mut self, id: OpenId) {
        self.store_job(StoreJob::Remove { id: RecordId(id.0) }, Task::Store(id));
    }

    fn restore_next(&mut self, restoring: Box<Restoring>) {
        let record = &restoring.record;
        let rights = rights_for(record.granted);
        let job = match restoring.stage {
            Stage::Open => Job::Open {
                path: record.path.clone(),
                want: Want::Any,
                existence: Existence::MustExist,
                rights: if record.stream.is_some() { Default::default() } else { rights },
                attributes: FileAttributes::empty(),
                no_follow: record.made.options.contains(CreateOptions::OPEN_REPARSE_POINT),
                creator: None,
            },
            Stage::Stream(handle) => {
                let name = record.stream.clone().unwrap_or_default();
                Job::OpenStream { handle, name, existence: Existence::MustExist, rights }
            }
            Stage::Identify { handle, .. } => Job::Identify { handle },
        };
        let share = Arc::clone(&restoring.share);
        self.job(&share, job, Task::Restore(restoring));
    }

    /// A job on a file that is opened again is done.
    pub(crate) fn restore_step(&mut self, restoring: Box<Restoring>, outcome: Outcome) {
        let Restoring { id, record, share, stage } = *restoring;
        let stage = match (stage, outcome) {
            (Stage::Open, Ok(Done::Opened { handle, .. })) if record.stream.is_some() => {
                Stage::Stream(handle)
            }
            (Stage::Open, Ok(Done::Opened { handle, metadata, path, .. })) if !metadata.is_directory() => {
                Stage::Identify { handle, node: metadata.node, path }
            }
            (Stage::Stream(file), Ok(Done::OpenedStream { handle, metadata, .. })) => {
                self.job(&share, Job::Close { handle: file }, Task::Discard);
                Stage::Identify { handle, node: metadata.node, path: record.path.clone() }
            }
            (Stage::Identify { handle, node, path }, Ok(Done::Identified(identity)))
                if identity == record.identity =>
            {
                self.enter_again(id, record, &share, handle, node, path);
                return self.restored_one();
            }
            (stage, outcome) => {
                let handle = match (stage, outcome) {
                    (Stage::Open, Ok(Done::Opened { handle, .. })) => Some(handle),
                    (Stage::Stream(handle) | Stage::Identify { handle, .. }, _) => Some(handle),
                    _ => None,
                };
                if let Some(handle) = handle {
                    self.job(&share, Job::Close { handle }, Task::Discard);
                }
                self.drop_record(id);
                return self.restored_one();
            }
        };
        self.restore_next(Box::new(Restoring { id, record, share, stage }));
    }

    /// Puts an open of the last run into the tables, where it waits for its client.
    fn enter_again(
        &mut self,
        id: OpenId,
        record: Record,
        share: &Arc<Share>,
        handle: Handle,
        node: NodeId,
        path: SharePath,
    ) {
        let bytes = record.encode();
        let claim = Claim::new(record.granted, record.made.sharing);
        let key = PathKey::new(share.volume, &path);
        let mut file = FileOpen::new(Arc::clone(share), handle, node, path, key, claim);
        file.stream.clone_from(&record.stream);
        file.delete_on_close = record.delete_on_close;
        file.mode = record.mode;
        file.frozen = record.frozen;
        let key = file.key();
        if file.stream.is_some() {
            self.nodes.add(node.whole(), file.file_key(), id).stream_modes.add(claim);
        }
        let entry = self.nodes.add(node, key.clone(), id);
        entry.share_modes.add(claim);
        if let Some(link) = entry.links.get_mut(&key) {
            link.delete_pending |= record.delete_pending;
        }
        for (range, exclusive) in record.locks {
            if entry.locks.can_lock(id, range, exclusive) {
                entry.locks.lock(id, range, exclusive);
                file.locks += 1;
            }
        }
        let lasting = Lasting {
            level: Level::Persistent,
            timeout: record.timeout,
            made: record.made,
            sequence: ChannelSequence::default(),
            lock_sequences: record.lock_sequences,
            ..Lasting::default()
        };
        let open = Open {
            session: SessionId(0),
            tree: TreeId(0),
            client_guid: record.client_guid,
            volatile: self.new_volatile(),
            granted: record.granted,
            object: Object::File(Box::new(file)),
            busy: 0,
            closing: None,
            lasting,
        };
        self.durables.enter(id, &open);
        self.opens.insert(id, Box::new(open));
        self.restore_caching(id, &record.caching);
        let kept = Kept {
            node,
            identity: record.identity,
            record: bytes,
            running: false,
            waiting: Vec::new(),
            behind: Vec::new(),
            life: Life::Kept,
        };
        self.persistence.add(id, kept);
        self.persistence.touch(id);
        self.start_waiting(id);
    }

    fn restored_one(&mut self) {
        if let Phase::Restoring(left) = &mut self.persistence.phase {
            *left = left.saturating_sub(1);
        }
        self.let_in();
    }

    /// Lets CREATEs in that came early, once every open is there.
    fn let_in(&mut self) {
        match self.persistence.phase {
            Phase::Restoring(0) => self.persistence.phase = Phase::Ready,
            Phase::Nothing => {}
            _ => return,
        }
        for request in std::mem::take(&mut self.persistence.early) {
            self.create(request);
        }
    }
}
