//! Opens: what a FileId names.

use std::{collections::VecDeque, sync::Arc};

use sansmb::{
    server::{Origin, Request, op},
    wire::{AccessMask, CreateOptions, FileId, FileTime, Guid, SessionId, TreeId, dtyp::Sid},
};

use crate::{
    caching::OpenCaching,
    close::CloseReply,
    directory::Listing,
    durable::Lasting,
    notify::Watch,
    path_key::PathKey,
    pipes::Pipe,
    share_modes::Claim,
    shares::Share,
    storage::{Handle, NodeId, SharePath},
};

/// Names an open, by the persistent half of its FileId; never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct OpenId(pub(crate) u64);

impl OpenId {
    /// The open that a client means. Whether it means what it is now the volatile half says.
    pub(crate) fn from_file_id(id: FileId) -> Self {
        Self(id.persistent)
    }
}

/// An open of a file, a directory or a pipe.
#[derive(Debug)]
pub(crate) struct Open {
    pub(crate) session: SessionId,
    pub(crate) tree: TreeId,
    /// Which client has it: the same over all its connections.
    pub(crate) client_guid: Guid,
    /// The half of its FileId that changes when its client comes back to it.
    pub(crate) volatile: u64,
    /// What it may do.
    pub(crate) granted: AccessMask,
    pub(crate) object: Object,
    /// Jobs that run on it.
    pub(crate) busy: usize,
    /// It is being closed, and answers nobody any more.
    pub(crate) closing: Option<CloseReply>,
    pub(crate) lasting: Lasting,
}

/// What is open.
#[derive(Debug)]
pub(crate) enum Object {
    File(Box<FileOpen>),
    Pipe(Box<Pipe>),
}

/// An open of a file or directory.
#[derive(Debug)]
pub(crate) struct FileOpen {
    pub(crate) share: Arc<Share>,
    pub(crate) handle: Handle,
    pub(crate) node: NodeId,
    pub(crate) directory: bool,
    /// The named stream that it is on.
    pub(crate) stream: Option<Arc<str>>,
    /// Its name, which changes when somebody renames it: see [`Self::moved`].
    pub(crate) path: SharePath,
    /// The same as [`crate::nodes::Nodes`] knows it.
    file_key: PathKey,
    /// The name that the storage's handle goes by: not the same once another open renamed the file.
    pub(crate) handle_path: SharePath,
    pub(crate) claim: Claim,
    pub(crate) caching: OpenCaching,
    pub(crate) delete_on_close: bool,
    pub(crate) position: u64,
    /// The extended attribute that a query gives next.
    pub(crate) next_ea: usize,
    /// The last user whose quota a query told.
    pub(crate) last_quota: Option<Box<Sid>>,
    pub(crate) mode: CreateOptions,
    pub(crate) locks: usize,
    pub(crate) listing: Option<Listing>,
    /// Directory queries that wait until the one before them is answered.
    pub(crate) queries: VecDeque<Request<op::QueryDirectory>>,
    pub(crate) watch: Option<Watch>,
    /// Data was written since the last report of it.
    pub(crate) modified: bool,
    /// It got another name since the last report of changes.
    pub(crate) renamed: bool,
    /// Data was written at all.
    pub(crate) wrote: bool,
    /// Times that the client froze: they do not change by themselves through this open.
    pub(crate) frozen: Frozen,
}

/// Times to be put back when the open is closed, [MS-FSA] 2.1.5.15.2.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Frozen {
    pub(crate) written: Option<FileTime>,
    pub(crate) accessed: Option<FileTime>,
    pub(crate) changed: Option<FileTime>,
}

impl FileOpen {
    /// A file that was just opened, with nothing done to it yet; `file_key` is its `path`.
    pub(crate) fn new(
        share: Arc<Share>,
        handle: Handle,
        node: NodeId,
        path: SharePath,
        file_key: PathKey,
        claim: Claim,
    ) -> Self {
        Self {
            share,
            handle,
            node,
            directory: false,
            stream: None,
            handle_path: path.clone(),
            path,
            file_key,
            claim,
            caching: OpenCaching::default(),
            delete_on_close: false,
            position: 0,
            next_ea: 0,
            last_quota: None,
            mode: CreateOptions::empty(),
            locks: 0,
            listing: None,
            queries: VecDeque::new(),
            watch: None,
            modified: false,
            renamed: false,
            wrote: false,
            frozen: Frozen::default(),
        }
    }

    /// The name of its file, as [`crate::nodes::Nodes`] knows it.
    pub(crate) fn file_key(&self) -> PathKey {
        self.file_key.clone()
    }

    /// Its file has another name now.
    pub(crate) fn moved(&mut self, path: SharePath, file_key: PathKey) {
        (self.path, self.file_key) = (path, file_key);
    }

    /// The name of what it is on: the file, or its stream.
    pub(crate) fn key(&self) -> PathKey {
        match &self.stream {
            Some(stream) => self.file_key().of_stream(stream),
            None => self.file_key(),
        }
    }

    /// The path of its stream, as watchers hear it.
    pub(crate) fn stream_path(&self) -> Option<SharePath> {
        let stream = self.stream.as_ref()?;
        let mut path = self.path.clone();
        let file = path.0.pop().unwrap_or_default();
        path.0.push(format!("{file}:{stream}").into());
        Some(path)
    }
}

impl Open {
    /// Whether a request from `origin` may use it.
    pub(crate) fn belongs_to(&self, origin: &Origin) -> bool {
        self.session == origin.session && self.tree == origin.tree && self.closing.is_none()
    }

    /// How clients name it.
    pub(crate) fn file_id(&self, id: OpenId) -> FileId {
        FileId { persistent: id.0, volatile: self.volatile }
    }

    pub(crate) fn file(&self) -> Option<&FileOpen> {
        match &self.object {
            Object::File(file) => Some(file),
            Object::Pipe(_) => None,
        }
    }

    pub(crate) fn file_mut(&mut self) -> Option<&mut FileOpen> {
        match &mut self.object {
            Object::File(file) => Some(file),
            Object::Pipe(_) => None,
        }
    }

    /// Whether it may do one of these.
    pub(crate) fn may(&self, access: AccessMask) -> bool {
        self.granted.intersects(access)
    }
}
