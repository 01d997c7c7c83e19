//! Changes that are made beside this server, by programs on the machine of a storage that can tell.
//!
//! The first request of a watch gives the storage a job that ends when something happens; the next one
//! follows at once, whether or not a request waits for what came. A storage that cannot tell says so
//! the first time and is not asked again for that watch.

use sansmb::wire::Utf16Buf;

use super::Watch;
use crate::{
    action::JobId,
    opens::OpenId,
    server::FileServer,
    storage::{Done, Job, Outcome},
    task::Task,
};

impl FileServer {
    /// Asks the storage to tell of what happens in the directory of an open.
    pub(super) fn watch_beside(&mut self, id: OpenId) {
        let Some(file) = self.file(id) else { return };
        let Some(tree) = file.watch.as_ref().map(|watch| watch.tree) else { return };
        let (share, handle) = (file.share.clone(), file.handle);
        // It must not keep the open from being closed: closing ends it.
        let job = self.job(&share, Job::Watch { handle, tree }, Task::Watch(id));
        if let Some(watch) = self.file_mut(id).and_then(|file| file.watch.as_mut()) {
            watch.beside = Some(job);
        }
    }

    /// A watch that is over needs nothing from the storage any more.
    pub(super) fn unwatch_beside(&mut self, id: OpenId, watch: &Watch) {
        let Some(file) = self.file(id).filter(|_| watch.beside.is_some()) else { return };
        let (share, handle) = (file.share.clone(), file.handle);
        self.job(&share, Job::Unwatch { handle }, Task::Discard);
    }

    /// The storage has something to tell, or cannot.
    pub(crate) fn changed_beside(&mut self, id: OpenId, job: JobId, outcome: Outcome) {
        let Some(watch) = self.file_mut(id).and_then(|file| file.watch.as_mut()) else { return };
        if watch.beside != Some(job) {
            return;
        }
        watch.beside = None;
        let Ok(Done::Changed { changes, lost }) = outcome else { return };
        if lost {
            watch.overflow();
        }
        for change in changes {
            if watch.filter.intersects(change.kind) {
                watch.keep(change.action, Utf16Buf::new(&change.path.0.join("\\")));
            }
        }
        self.watch_beside(id);
        self.flush_watch(id);
    }
}
