//! CHANGE_NOTIFY, [MS-SMB2] 3.3.5.19 and [MS-FSA] 2.1.4.1 and 2.1.5.11.
//!
//! Changes that are made through this server are told from here, with what Windows tells of them;
//! those that are made beside it come from the storage, see [`beside`].

mod beside;
mod watch;

use sansmb::{
    server::{Reply, Request, RequestId, op},
    wire::{
        AccessMask, ChangeNotifyFlags, ChangeNotifyResponse, CompletionFilter, NtStatus, Utf16Buf,
        fscc::NotifyAction,
    },
};

pub(crate) use self::watch::Watch;
use crate::{
    opens::OpenId,
    path_key::PathKey,
    server::{FileServer, Waiting},
    shares::Volume,
    storage::SharePath,
};

/// A change on its way to the watchers.
#[derive(Debug, Clone)]
pub(crate) struct Change<'a> {
    pub(crate) path: &'a SharePath,
    pub(crate) action: NotifyAction,
}

impl FileServer {
    pub(crate) fn change_notify(&mut self, request: Request<op::ChangeNotify>) {
        let Request { token, origin, message } = request;
        let Ok(body) = message.body() else { return self.fail(token, NtStatus::INVALID_PARAMETER) };
        let id = match self.lookup(&origin, &message) {
            Ok(id) => id,
            Err(status) => return self.fail(token, status),
        };
        let Some(open) = self.opens.get(&id) else { return self.fail(token, NtStatus::FILE_CLOSED) };
        let allowed = open.may(AccessMask::FILE_LIST_DIRECTORY);
        if !open.file().is_some_and(|file| file.directory) {
            return self.fail(token, NtStatus::INVALID_PARAMETER);
        }
        if !allowed {
            return self.fail(token, NtStatus::ACCESS_DENIED);
        }
        if !open.file().is_some_and(|file| file.share.config.change_notify) {
            return self.fail(token, NtStatus::NOT_IMPLEMENTED);
        }
        let Some(key) = self.path_key(id) else { return self.fail(token, NtStatus::FILE_CLOSED) };
        if self.nodes.is_doomed(&key) {
            return self.fail(token, NtStatus::DELETE_PENDING);
        }
        let ready = self.file(id).and_then(|file| file.watch.as_ref()).is_some_and(Watch::has_news);
        if let Err(status) = self.wait(token.id(), origin.followed && !ready, Waiting::Notify(id)) {
            return self.fail(token, status);
        }
        let limit = (body.output_buffer_length as usize).min(self.config.limits.notify_buffer);
        let tree = body.flags.contains(ChangeNotifyFlags::WATCH_TREE);
        let filter = body.completion_filter;
        self.watches.entry(key.clone()).or_default().insert(id);
        let Some(file) = self.file_mut(id) else { return };
        // Filter and depth are those of the first request, [MS-FSA] 2.1.5.11. A filter without a bit
        // that is known waits for the end of the watch.
        let fresh = file.watch.is_none();
        let watch = file.watch.get_or_insert_with(|| Watch::new(key, filter, tree, limit));
        watch.waiting.push_back((token, body.output_buffer_length as usize));
        if fresh {
            self.watch_beside(id);
        }
        self.flush_watch(id);
    }

    /// Reports a change of the file that an open is on.
    pub(crate) fn report(&mut self, id: OpenId, action: NotifyAction, kind: CompletionFilter) {
        if self.watches.is_empty() {
            return;
        }
        let Some(file) = self.file(id) else { return };
        let (volume, path) = (file.share.volume, file.path.clone());
        let Some(stream) = file.stream_path() else {
            return self.report_path(volume, &path, action, kind);
        };
        // What belongs to the stream is told of the stream, the rest of its file.
        let mut own = CompletionFilter::empty();
        own.set(CompletionFilter::STREAM_SIZE, kind.contains(CompletionFilter::SIZE));
        own.set(CompletionFilter::STREAM_WRITE, kind.contains(CompletionFilter::LAST_WRITE));
        let rest = kind.difference(CompletionFilter::SIZE);
        if !own.is_empty() {
            self.report_path(volume, &stream, NotifyAction::MODIFIED_STREAM, own);
        }
        if !rest.is_empty() {
            self.report_path(volume, &path, action, rest);
        }
    }

    /// Reports a change of a path.
    pub(crate) fn report_path(
        &mut self,
        volume: Volume,
        path: &SharePath,
        action: NotifyAction,
        kind: CompletionFilter,
    ) {
        self.report_all(volume, &[Change { path, action }], kind);
    }

    /// Reports changes that belong together.
    pub(crate) fn report_all(&mut self, volume: Volume, changes: &[Change<'_>], kind: CompletionFilter) {
        if self.watches.is_empty() {
            return;
        }
        let mut touched = Vec::new();
        for change in changes {
            let mut directory = PathKey::new(volume, change.path).parent();
            let mut near = true;
            while let Some(key) = directory {
                if let Some(watchers) = self.watches.get(&key) {
                    let depth = key.depth();
                    for id in watchers.iter().copied().collect::<Vec<_>>() {
                        if self.tell(id, change, kind, near, depth) && !touched.contains(&id) {
                            touched.push(id);
                        }
                    }
                }
                near = false;
                directory = key.parent();
            }
        }
        for id in touched {
            self.flush_watch(id);
        }
    }

    fn tell(
        &mut self,
        id: OpenId,
        change: &Change<'_>,
        kind: CompletionFilter,
        near: bool,
        depth: usize,
    ) -> bool {
        let Some(watch) = self.file_mut(id).and_then(|file| file.watch.as_mut()) else { return false };
        if !watch.filter.intersects(kind) || !near && !watch.tree {
            return false;
        }
        let names = change.path.0.get(depth..).unwrap_or_default();
        watch.keep(change.action, Utf16Buf::new(&names.join("\\")));
        true
    }

    /// Gives the changes of a watch to the oldest request that waits for them.
    pub(super) fn flush_watch(&mut self, id: OpenId) {
        let Some(watch) = self.file_mut(id).and_then(|file| file.watch.as_mut()) else { return };
        if !watch.has_news() {
            return;
        }
        let Some((token, limit)) = watch.waiting.pop_front() else { return };
        let buffer = watch.take(limit);
        let reply = Reply::new(&ChangeNotifyResponse { buffer: buffer.as_deref().unwrap_or_default() });
        let reply = if buffer.is_some() { reply } else { reply.with_status(NtStatus::NOTIFY_ENUM_DIR) };
        self.stop_waiting(token.id());
        self.respond(token, Ok(reply));
    }

    /// Ends the watch of an open, with `status` for the requests that wait.
    pub(crate) fn end_watch(&mut self, id: OpenId, status: NtStatus) {
        let Some(watch) = self.file_mut(id).and_then(|file| file.watch.take()) else { return };
        self.unwatch_beside(id, &watch);
        if let Some(watchers) = self.watches.get_mut(&watch.key) {
            watchers.remove(&id);
            if watchers.is_empty() {
                self.watches.remove(&watch.key);
            }
        }
        for (token, _) in watch.waiting {
            self.stop_waiting(token.id());
            if status == NtStatus::NOTIFY_CLEANUP {
                let reply = Reply::new(&ChangeNotifyResponse { buffer: &[] });
                self.respond(token, Ok(reply.with_status(status)));
            } else {
                self.fail(token, status);
            }
        }
    }

    /// Ends all watches of a directory.
    pub(crate) fn end_watches_at(&mut self, key: &PathKey, status: NtStatus) {
        let watchers = self.watches.get(key).cloned().unwrap_or_default();
        for id in watchers {
            self.end_watch(id, status);
        }
    }

    /// The directory of an open has another name now.
    pub(crate) fn move_watch(&mut self, id: OpenId, key: PathKey) {
        let Some(watch) = self.file_mut(id).and_then(|file| file.watch.as_mut()) else { return };
        let old = std::mem::replace(&mut watch.key, key.clone());
        if let Some(watchers) = self.watches.get_mut(&old) {
            watchers.remove(&id);
            if watchers.is_empty() {
                self.watches.remove(&old);
            }
        }
        self.watches.entry(key).or_default().insert(id);
    }

    pub(crate) fn cancel_notify(&mut self, id: OpenId, request: RequestId) {
        let Some(watch) = self.file_mut(id).and_then(|file| file.watch.as_mut()) else { return };
        let Some(at) = watch.waiting.iter().position(|(token, _)| token.id() == request) else { return };
        let Some((token, _)) = watch.waiting.remove(at) else { return };
        self.stop_waiting(request);
        self.fail(token, NtStatus::CANCELLED);
    }
}
