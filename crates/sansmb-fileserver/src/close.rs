//! CLOSE, [MS-SMB2] 3.3.5.10 and [MS-FSA] 2.1.5.5.
//!
//! ```text
//! asked for --> (its jobs are done) --> out of the tables --> unlinked --> times set --> looked at --> closed
//! ```
//!
//! From the first step on the FileId is gone. Locks and share modes stay until the jobs are done
//! that rely on them.

use sansmb::{
    server::{Request, Token, op},
    wire::{
        CloseFlags, CloseRequest, CloseResponse, CompletionFilter, LeaseState, NtStatus, fscc::NotifyAction,
    },
};

use crate::{
    create::shown_attributes,
    opens::{FileOpen, Object, OpenId},
    path_key::PathKey,
    server::FileServer,
    session::GroupId,
    storage::{Changes, Done, Existence, Handle, Job, Metadata, NodeId, Outcome, Rights, Want},
    task::Task,
};

/// Who waits until an open is closed.
#[derive(Debug)]
pub(crate) enum CloseReply {
    /// A CLOSE, and whether it wants the attributes.
    Request {
        token: Token<op::Close>,
        post_query: bool,
    },
    /// The end of a session or a tree connect.
    Group(GroupId),
    Nobody,
}

/// An open that is out of the tables.
#[derive(Debug)]
pub(crate) struct Closing {
    id: OpenId,
    file: Box<FileOpen>,
    reply: CloseReply,
    key: PathKey,
    stage: Stage,
    /// It took the name with it.
    deletes: bool,
    /// What has the name: the file or stream that was open, or the file that a stream belongs to.
    node: NodeId,
    directory: bool,
    /// Times that writes come to show with.
    times: Option<Changes>,
    metadata: Option<Metadata>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The name changed under the handle: a handle for the current one is needed.
    Reopen,
    Unlink,
    /// The name is removed through this handle, which is closed afterwards.
    UnlinkThrough(Handle),
    SetTimes(Changes),
    Look,
    Close,
}

impl FileServer {
    pub(crate) fn close(&mut self, request: Request<op::Close>) {
        let Request { token, origin, message } = request;
        let Ok(CloseRequest { flags, .. }) = message.body() else {
            return self.fail(token, NtStatus::INVALID_PARAMETER);
        };
        match self.lookup(&origin, &message) {
            Ok(id) => {
                let post_query = flags.contains(CloseFlags::POSTQUERY_ATTRIB);
                self.begin_close(id, CloseReply::Request { token, post_query });
            }
            Err(status) => self.fail(token, status),
        }
    }

    /// Starts to close an open. What waits on it is answered; its jobs come to their end.
    pub(crate) fn begin_close(&mut self, id: OpenId, reply: CloseReply) {
        let Some(open) = self.opens.get_mut(&id) else { return };
        if open.closing.is_some() {
            return;
        }
        // A CLOSE may come right behind directory queries, which are still answered. Nobody waits
        // for those of a session that is gone.
        self.take_from_waiting(id);
        let Some(open) = self.opens.get_mut(&id) else { return };
        let asked_for = matches!(reply, CloseReply::Request { .. });
        open.closing = Some(reply);
        let busy = open.busy;
        self.offloads.forget(id);
        if !asked_for {
            self.end_queries(id);
        }
        self.end_waits(id);
        self.end_pipe(id);
        if busy == 0 {
            self.clean_up(id);
        }
    }

    /// Ends the directory queries of an open that wait for their turn.
    pub(crate) fn end_queries(&mut self, id: OpenId) {
        let queries = self.file_mut(id).map(|file| std::mem::take(&mut file.queries)).unwrap_or_default();
        for query in queries {
            self.fail(query.token, NtStatus::FILE_CLOSED);
        }
    }

    /// Ends what waits on an open for changes, locks and others.
    pub(crate) fn end_waits(&mut self, id: OpenId) {
        self.end_watch(id, NtStatus::NOTIFY_CLEANUP);
        self.drop_lock_waiters(id);
        self.end_delays(id);
    }

    /// Takes an open on which nothing runs any more out of the tables.
    pub(crate) fn clean_up(&mut self, id: OpenId) {
        self.report_modified(id);
        let Some(open) = self.opens.remove(&id) else { return };
        if let Some(session) = self.sessions.get_mut(&open.session) {
            session.opens.remove(&id);
        }
        self.durables.forget(id, &open);
        let reply = open.closing.unwrap_or(CloseReply::Nobody);
        let Object::File(file) = open.object else {
            return self.answer_close(reply, None);
        };
        let mut key = file.key();
        let holder = self.leave_caching(id, file.node, file.caching);
        let mut deletes = false;
        let mut doomed_now = false;
        if let Some(node) = self.nodes.get_mut(file.node) {
            node.share_modes.remove(file.claim);
            node.locks.release(id);
            if let Some(link) = node.links.get_mut(&key) {
                doomed_now = file.delete_on_close && !link.delete_pending;
                link.delete_pending |= file.delete_on_close;
                deletes = link.goes_with(id);
            }
        }
        if doomed_now && file.directory {
            self.end_watches_at(&key, NtStatus::DELETE_PENDING);
        }
        let mut node = file.node;
        self.nodes.remove(node, &key, id);
        self.grant_locks(node);
        if doomed_now && !deletes {
            // Others have it open, some perhaps only because nothing told them to close it.
            self.take_away(node, LeaseState::HANDLE_CACHING, holder);
        }
        let mut times = None;
        if file.wrote {
            times = self.show_times_at_close(file.node);
            // What a directory lists of a file is brought up to date when it is closed.
            self.break_parent(file.caching.parent, &file.file_key());
        }
        if !deletes {
            self.resume(node);
        }
        if file.stream.is_some() && self.leave_file(&file, id) {
            // The stream goes with the file.
            self.nodes.forget(node, &key);
            (node, key, deletes) = (node.whole(), file.file_key(), true);
        }
        let directory = file.directory;
        let stage = Stage::Unlink;
        let closing =
            Closing { id, file, reply, key, stage, deletes, node, directory, times, metadata: None };
        self.cleaned_up(Box::new(closing));
    }

    /// Counts an open of a stream out of its file; whether the file goes with it.
    fn leave_file(&mut self, open: &FileOpen, id: OpenId) -> bool {
        let (node, key) = (open.node.whole(), open.file_key());
        let mut goes = false;
        if let Some(file) = self.nodes.get_mut(node) {
            file.stream_modes.remove(open.claim);
            goes = file.links.get_mut(&key).is_some_and(|link| link.goes_with(id));
        }
        self.nodes.remove(node, &key, id);
        goes
    }

    fn cleaned_up(&mut self, mut closing: Box<Closing>) {
        closing.stage = if !closing.deletes {
            Stage::Look
        } else if closing.node == closing.file.node
            && (closing.file.stream.is_some() || closing.file.handle_path == closing.file.path)
        {
            Stage::Unlink
        } else {
            Stage::Reopen
        };
        if closing.stage == Stage::Look { self.after_unlink(closing) } else { self.close_next(closing) }
    }

    fn after_unlink(&mut self, mut closing: Box<Closing>) {
        let look = !closing.deletes && matches!(closing.reply, CloseReply::Request { post_query: true, .. });
        closing.stage = match closing.times.take().filter(|_| !closing.deletes) {
            Some(times) => Stage::SetTimes(times),
            None if look => Stage::Look,
            None => Stage::Close,
        };
        self.close_next(closing);
    }

    /// Emits the job of the current stage.
    fn close_next(&mut self, closing: Box<Closing>) {
        let handle = closing.file.handle;
        let job = match closing.stage {
            Stage::Reopen => Job::Open {
                path: closing.file.path.clone(),
                want: Want::Any,
                existence: Existence::MustExist,
                rights: Rights::default(),
                attributes: Default::default(),
                no_follow: true,
                creator: None,
            },
            Stage::Unlink => Job::Unlink { handle },
            Stage::UnlinkThrough(other) => Job::Unlink { handle: other },
            Stage::SetTimes(changes) => Job::Change { handle, changes },
            Stage::Look => Job::Stat { handle },
            Stage::Close => Job::Close { handle },
        };
        let share = closing.file.share.clone();
        self.job(&share, job, Task::Close(closing));
    }

    /// A job of a close is done.
    pub(crate) fn close_step(&mut self, mut closing: Box<Closing>, outcome: Outcome) {
        match closing.stage {
            Stage::Reopen => match outcome {
                Ok(Done::Opened { handle, metadata, .. }) if metadata.node == closing.node => {
                    closing.directory = metadata.is_directory();
                    closing.stage = Stage::UnlinkThrough(handle);
                    self.close_next(closing);
                }
                Ok(Done::Opened { handle, .. }) => {
                    let share = closing.file.share.clone();
                    self.job(&share, Job::Close { handle }, Task::Discard);
                    self.unlinked(closing, false);
                }
                _ => self.unlinked(closing, false),
            },
            Stage::Unlink => self.unlinked(closing, outcome.is_ok()),
            Stage::UnlinkThrough(other) => {
                let share = closing.file.share.clone();
                self.job(&share, Job::Close { handle: other }, Task::Discard);
                self.unlinked(closing, outcome.is_ok());
            }
            Stage::SetTimes(_) => self.after_unlink(closing),
            Stage::Look => {
                if let Ok(Done::Metadata(metadata)) = outcome {
                    closing.metadata = Some(self.shown(metadata));
                }
                closing.stage = Stage::Close;
                self.close_next(closing);
            }
            Stage::Close => {
                self.forget_record(closing.id, closing.reply, closing.metadata);
            }
        }
    }

    /// The name is removed, or could not be: a directory, say, that got an entry meanwhile.
    fn unlinked(&mut self, mut closing: Box<Closing>, done: bool) {
        let node = closing.node;
        self.nodes.forget(node, &closing.key);
        if done {
            self.note_deleted(node);
            let stream = closing.file.stream_path().filter(|_| node.stream != 0);
            let (action, kind) = if stream.is_some() {
                (NotifyAction::REMOVED_STREAM, CompletionFilter::STREAM_NAME)
            } else if closing.directory {
                (NotifyAction::REMOVED, CompletionFilter::DIR_NAME)
            } else {
                (NotifyAction::REMOVED, CompletionFilter::FILE_NAME)
            };
            let volume = closing.file.share.volume;
            let path = stream.unwrap_or_else(|| closing.file.path.clone());
            self.report_path(volume, &path, action, kind);
            if node.stream == 0 {
                self.break_parent(closing.file.caching.parent, &closing.key);
            }
        }
        self.resume(node);
        closing.deletes = done;
        self.after_unlink(closing);
    }

    pub(crate) fn answer_close(&mut self, reply: CloseReply, metadata: Option<Metadata>) {
        match reply {
            CloseReply::Request { token, .. } => {
                let response = metadata.map_or_else(CloseResponse::default, |metadata| CloseResponse {
                    flags: CloseFlags::POSTQUERY_ATTRIB,
                    creation_time: metadata.created,
                    last_access_time: metadata.accessed,
                    last_write_time: metadata.written,
                    change_time: metadata.changed,
                    allocation_size: metadata.allocated,
                    end_of_file: metadata.length,
                    file_attributes: shown_attributes(metadata.attributes),
                });
                self.succeed(token, &response);
            }
            CloseReply::Group(group) => self.leave_group(group),
            CloseReply::Nobody => {}
        }
    }
}
