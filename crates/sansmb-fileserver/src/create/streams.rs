//! Opening named streams, [MS-FSA] 2.1.5.1.
//!
//! ```text
//! file looked up or made --> its stream opened or made by way of it --> judged as any other open
//! ```

use std::sync::Arc;

use sansmb::wire::{CompletionFilter, FileAttributes, NtStatus, fscc::NotifyAction};

use super::{Creating, FileServer, access::Found};
use crate::{
    opens::OpenId,
    storage::{Existence, Handle, Job, Metadata, Security, SharePath},
    task::Task,
};

/// The file whose stream is opened.
#[derive(Debug)]
pub(super) struct Base {
    handle: Handle,
    directory: bool,
    /// It was made just now.
    created: bool,
    pub(super) path: SharePath,
    /// Who may do what with it, and so with its streams.
    pub(super) security: Security,
}

impl Base {
    pub(super) fn handle(&self) -> Handle {
        self.handle
    }

    /// Whether it was made for the stream.
    pub(super) fn created(&self) -> bool {
        self.created
    }

    /// What a stream's metadata say to whoever asks for access: a directory's READONLY means
    /// nothing for data.
    pub(super) fn judged(&self, metadata: &Metadata) -> Metadata {
        let mut judged = *metadata;
        if self.directory {
            judged.attributes.remove(FileAttributes::READONLY);
        }
        judged
    }
}

impl FileServer {
    /// The file is there: its stream comes next.
    pub(super) fn open_stream(&mut self, mut creating: Box<Creating>, name: Arc<str>, found: Found) {
        let Found { handle, metadata, created, path, security } = found;
        let directory = metadata.is_directory();
        let readonly = !created && !directory && metadata.attributes.contains(FileAttributes::READONLY);
        let mut existence = creating.wish.existence;
        // A file that must not change gets no stream either.
        if readonly && existence == Existence::MustNotExist {
            return self.refuse(*creating, Some(handle), NtStatus::ACCESS_DENIED);
        }
        if readonly && existence == Existence::Either {
            existence = Existence::MustExist;
            creating.wish.when_missing = Some(NtStatus::ACCESS_DENIED);
        }
        // Whoever may not write the file makes no stream in it, [MS-FSA] 2.1.5.1.2.
        let denied = !created && !creating.may_make_stream(&security);
        if denied && existence == Existence::MustNotExist {
            return self.refuse(*creating, Some(handle), NtStatus::ACCESS_DENIED);
        }
        if denied && existence == Existence::Either {
            existence = Existence::MustExist;
            creating.wish.when_missing = Some(NtStatus::ACCESS_DENIED);
        }
        let share = creating.share.clone();
        let job = Job::OpenStream { handle, name, existence, rights: creating.rights };
        creating.base = Some(Base { handle, directory, created, path, security });
        self.job(&share, job, Task::Open(creating));
    }

    /// The handle of the file is not needed any more.
    pub(super) fn close_base(&mut self, creating: &mut Creating) -> Option<Base> {
        let base = creating.base.take()?;
        self.job(&creating.share, Job::Close { handle: base.handle }, Task::Discard);
        Some(base)
    }

    /// A stream was made, and perhaps its file with it.
    pub(super) fn report_new_stream(&mut self, id: OpenId, file_too: bool) {
        let Some(file) = self.file(id) else { return };
        let (volume, path) = (file.share.volume, file.path.clone());
        let stream = file.stream_path();
        if file_too {
            self.report_path(volume, &path, NotifyAction::ADDED, CompletionFilter::FILE_NAME);
        }
        if let Some(stream) = stream {
            self.report_path(volume, &stream, NotifyAction::ADDED_STREAM, CompletionFilter::STREAM_NAME);
        }
    }
}
