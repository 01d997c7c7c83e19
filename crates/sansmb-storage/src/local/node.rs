//! Something that is open.

use std::{
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicU8, Ordering},
    },
};

use rustix::fs::{Dir, FileType};
use sansmb::wire::{FileAttributes, NtStatus};
use sansmb_fileserver::storage::{Changes, FileIdentity, Metadata, NodeId, Security};

use super::{
    eas::{self, Beside},
    errno::status,
    kept::Kept,
    lane::Lane,
    meta::{self, Stat},
    remembered::Remembered,
    security::{self, Process},
};
use crate::{attributes::shown, slab::lock};

/// A file, a directory or a symbolic link that is open, and the name under which it was opened.
#[derive(Debug)]
pub(super) struct Node {
    fd: OwnedFd,
    kind: FileType,
    id: NodeId,
    /// Opened with O_PATH: to look at, not to read.
    path_only: bool,
    /// Path on disk beneath the root, without a leading slash. A hint: others may rename.
    path: Mutex<Arc<[u8]>>,
    /// How far a listing has come.
    pub(super) listing: Mutex<Listing>,
    /// A [`Cache`].
    cache: AtomicU8,
    /// Large writes.
    writes: OnceLock<Arc<Lane>>,
    /// For a named stream.
    stream: Option<StreamOf>,
}

/// What a stream belongs to.
#[derive(Debug)]
pub(super) struct StreamOf {
    pub(super) file: Arc<Node>,
    /// Its name in the file's folder of streams; nothing once it is removed.
    pub(super) disk: Mutex<Option<Vec<u8>>>,
}

/// What is known of the cache that a file's data are read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cache {
    /// The file system says for each read whether it has to wait.
    Asked = 0,
    /// Everything is in memory.
    Everything = 1,
    /// Each read may have to wait.
    Unknown = 2,
}

#[derive(Debug, Default)]
pub(super) enum Listing {
    #[default]
    Fresh,
    Open(Dir),
    Ended,
}

impl Node {
    /// Where its large writes wait for their turn. It is not kept in the node, which it would keep open for a
    /// moment after the last of them.
    pub(super) fn writes(&self) -> &Arc<Lane> {
        self.writes.get_or_init(Arc::default)
    }

    pub(super) fn new(fd: OwnedFd, stat: &Stat, path_only: bool, path: Vec<u8>) -> Self {
        Self {
            fd,
            kind: stat.kind(),
            id: stat.node(),
            path_only,
            path: Mutex::new(path.into()),
            listing: Mutex::default(),
            cache: AtomicU8::new(Cache::Asked as u8),
            writes: OnceLock::new(),
            stream: None,
        }
    }

    /// A named stream of `file`: its data are in a file of their own.
    pub(super) fn stream(fd: OwnedFd, stat: &Stat, file: Arc<Self>, disk: Vec<u8>) -> Self {
        let id = NodeId { stream: stat.node().file, ..file.id };
        let stream = Some(StreamOf { file, disk: Mutex::new(Some(disk)) });
        Self { id, stream, ..Self::new(fd, stat, false, Vec::new()) }
    }

    pub(super) fn stream_of(&self) -> Option<&StreamOf> {
        self.stream.as_ref()
    }

    /// The file that a stream belongs to, or the file itself.
    pub(super) fn whole(self: &Arc<Self>) -> &Arc<Self> {
        self.stream.as_ref().map_or(self, |stream| &stream.file)
    }

    pub(super) fn path_only(&self) -> bool {
        self.path_only
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    pub(super) fn id(&self) -> NodeId {
        self.id
    }

    pub(super) fn is_file(&self) -> bool {
        self.kind == FileType::RegularFile
    }

    pub(super) fn is_directory(&self) -> bool {
        self.kind == FileType::Directory
    }

    pub(super) fn is_symlink(&self) -> bool {
        self.kind == FileType::Symlink
    }

    pub(super) fn path(&self) -> Arc<[u8]> {
        Arc::clone(&lock(&self.path))
    }

    pub(super) fn moved(&self, path: &[u8]) {
        *lock(&self.path) = path.into();
    }

    pub(super) fn cache(&self) -> Cache {
        match self.cache.load(Ordering::Relaxed) {
            0 => Cache::Asked,
            1 => Cache::Everything,
            _ => Cache::Unknown,
        }
    }

    pub(super) fn set_cache(&self, cache: Cache) {
        self.cache.store(cache as u8, Ordering::Relaxed);
    }

    pub(super) fn metadata(&self, hidden: bool, remembered: &Remembered) -> Result<Metadata, NtStatus> {
        if let Some(StreamOf { file, .. }) = &self.stream {
            let own = Stat::of(self.fd()).map_err(status)?;
            return Ok(self.stream_metadata(file.metadata(hidden, remembered)?, &own));
        }
        let stat = Stat::of(self.fd()).map_err(status)?;
        let (kept, ea_size) = remembered.beside(&stat, || {
            if has_attributes(self.kind) {
                eas::beside(self.fd(), self.path_only, true)
            } else {
                Beside::default()
            }
        });
        Ok(Metadata { ea_size, ..stat.metadata(kept, hidden) })
    }

    /// Which file it is for good: file number and time of birth, of a stream those of its file too. The
    /// number of the device is left out, which may change when the machine starts again.
    pub(super) fn identity(&self) -> Result<FileIdentity, NtStatus> {
        let one = |node: &Self| {
            let stat = Stat::of(node.fd()).map_err(status)?;
            let (seconds, nanos) = stat.birth().ok_or(NtStatus::NOT_SUPPORTED)?;
            let born = seconds.wrapping_mul(1_000_000_000).wrapping_add(nanos.into());
            Ok((stat.node().file, born.cast_unsigned()))
        };
        let (number, born) = one(self)?;
        let (file, file_born) = match &self.stream {
            Some(StreamOf { file, .. }) => one(file)?,
            None => (0, 0),
        };
        Ok(FileIdentity([number, born, file, file_born]))
    }

    /// Who may do what with it.
    pub(super) fn security(&self, process: &Process) -> Result<Security, NtStatus> {
        let stat = Stat::of(self.fd()).map_err(status)?;
        let kept = if self.is_symlink() { None } else { Kept::of(self.fd(), self.path_only) };
        security::of(self.fd(), self.path_only, kept.as_ref(), process.unix(&stat))
    }

    /// Keeps a descriptor with it.
    pub(super) fn set_security(&self, hidden: bool, descriptor: &[u8]) -> Result<(), NtStatus> {
        if self.is_symlink() {
            // The kernel gives symbolic links no attributes of users.
            return Err(NtStatus::INVALID_DEVICE_REQUEST);
        }
        security::store(self.fd(), self.path_only, descriptor)?;
        meta::note_secured(self.fd(), self.path_only, hidden).map_err(status)
    }

    /// The file's metadata with what belongs to this stream of it.
    pub(super) fn stream_metadata(&self, file: Metadata, own: &Stat) -> Metadata {
        let attributes = file.attributes.difference(FileAttributes::NORMAL);
        Metadata {
            node: self.id,
            length: own.size(),
            allocated: own.allocated(),
            attributes: shown(attributes, false, false),
            ..file
        }
    }

    /// Data were changed: what is written to a stream is written to its file.
    pub(super) fn written(&self) {
        if let Some(StreamOf { file, .. }) = &self.stream {
            // The data are there; that a time is not is no reason to say otherwise.
            let _ = meta::touch(file.fd(), file.path_only);
        }
    }

    pub(super) fn change(&self, hidden: bool, changes: &Changes) -> Result<(), NtStatus> {
        if let Some(StreamOf { file, .. }) = &self.stream {
            return file.change(hidden, changes);
        }
        if self.is_symlink() {
            // What belongs to the link itself has no place; its target is not concerned.
            return Ok(());
        }
        meta::change(self.fd(), self.path_only, hidden, changes).map_err(status)
    }
}

/// The kernel gives `user.` attributes to files and directories only.
pub(super) fn has_attributes(kind: FileType) -> bool {
    matches!(kind, FileType::RegularFile | FileType::Directory)
}

/// Directory and name of a path on disk.
pub(super) fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|b| *b == b'/') {
        Some(at) => (&path[..at], &path[at + 1..]),
        None => (&[], path),
    }
}

/// A path on disk and one more component.
pub(super) fn join(dir: &[u8], name: &[u8]) -> Vec<u8> {
    let mut path = Vec::with_capacity(dir.len() + 1 + name.len());
    path.extend_from_slice(dir);
    if !dir.is_empty() {
        path.push(b'/');
    }
    path.extend_from_slice(name);
    path
}
