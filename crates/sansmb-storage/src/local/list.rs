//! Directories: listing, and looking at one name.

use std::{os::fd::AsFd, sync::Arc};

use rustix::{
    fs::{Dir, FileType, Mode, OFlags, openat},
    io::Errno,
};
use sansmb::wire::NtStatus;
use sansmb_fileserver::storage::{Done, Entry, Handle, Metadata, Outcome};

use super::{
    Fail, Inner,
    by_name::Names,
    dirnames::{Scan, lock_for},
    eas::{self, Beside},
    errno::status,
    meta::Stat,
    names,
    node::{Listing, Node, has_attributes, join},
    parts,
    pool::Workers,
    security,
};
use crate::slab::lock;

/// Entries in one batch, whatever is asked for.
const BATCH: usize = 4096;

impl Inner {
    /// Lists; other threads of the pool help with what takes time, which is to look at each entry.
    pub(super) fn list(
        self: &Arc<Self>,
        workers: &Arc<Workers>,
        handle: Handle,
        restart: bool,
        limit: usize,
        security: bool,
    ) -> Outcome {
        let node = self.directory(handle)?;
        let mut listing = lock(&node.listing);
        if restart {
            *listing = Listing::Fresh;
        }
        if matches!(*listing, Listing::Fresh) {
            *listing = Listing::Open(open_dir(&node)?);
        }
        let Listing::Open(dir) = &mut *listing else {
            return Ok(Done::Entries { entries: Vec::new(), end: true });
        };
        let limit = limit.clamp(1, BATCH);
        let (entries, end) = loop {
            let names = self.next_names(&node, dir, limit)?;
            let end = names.len() < limit;
            let entries = parts::look(self, workers, &node, names, security)?;
            // What vanished since is left out, maybe all of it.
            if end || !entries.is_empty() {
                break (entries, end);
            }
        };
        if end {
            *listing = Listing::Ended;
        }
        Ok(Done::Entries { entries, end })
    }

    /// As many names as are asked for, fewer at the end.
    fn next_names(&self, node: &Node, dir: &mut Dir, limit: usize) -> Result<Vec<Box<[u8]>>, NtStatus> {
        let mut names = Vec::new();
        let some = self.keeps_back_some(node);
        while names.len() < limit {
            let next = match dir.read() {
                None => break,
                Some(Ok(next)) => next,
                // The directory itself was removed meanwhile.
                Some(Err(Errno::NOENT)) => continue,
                Some(Err(errno)) => return Err(status(errno)),
            };
            let name = next.file_name().to_bytes();
            if name != b"." && name != b".." && !(some && self.keeps_back(node, &names::to_share(name))) {
                names.push(name.into());
            }
        }
        Ok(names)
    }

    pub(super) fn find(&self, handle: Handle, name: &str, security: bool, scan: Scan) -> Result<Done, Fail> {
        let node = self.directory(handle)?;
        if self.keeps_back(&node, name) {
            return Err(NtStatus::NO_SUCH_FILE.into());
        }
        let exact = names::to_disk(name).map_err(|_| NtStatus::NO_SUCH_FILE)?;
        let names = Names::of(node.fd());
        if let Some(entry) = self.entry(&node, &names, &exact, security)? {
            return Ok(Done::Found(entry));
        }
        let cell = self.names.of(node.id());
        let mut known = lock_for(&cell.names, scan)?;
        for _ in 0..2 {
            cell.refresh(&mut known, node.fd(), scan)??;
            let Some(real) = known.find(node.fd(), name, scan)?? else { break };
            if let Some(entry) = self.entry(&node, &names, &real, security)? {
                return Ok(Done::Found(entry));
            }
            known.forget();
        }
        Err(NtStatus::NO_SUCH_FILE.into())
    }

    /// An entry of a directory, with who may do what if `secure` asks for it; `None` where it is no
    /// longer there.
    pub(super) fn entry(
        &self,
        dir: &Node,
        names: &Names<'_>,
        disk: &[u8],
        secure: bool,
    ) -> Result<Option<Entry>, NtStatus> {
        let name = || names::to_share(disk).into();
        let stat = match Stat::at(dir.fd(), disk) {
            Ok(stat) => stat,
            Err(Errno::NOENT | Errno::NOTDIR | Errno::NAMETOOLONG) => return Ok(None),
            Err(errno) => return Err(status(errno)),
        };
        if stat.kind() == FileType::Symlink {
            // Links are resolved from the root, as an open does.
            let path = join(&dir.path(), disk);
            let open = |path: &[u8]| self.root.open(path, OFlags::PATH, Mode::empty());
            let again = || self.path_now(dir).and_then(|dir| open(&join(&dir, disk)).ok());
            if let Some(fd) = open(&path).ok().or_else(again)
                && let Ok(target) = Stat::of(fd.as_fd())
            {
                let beside = || eas::beside(fd.as_fd(), true, secure);
                let Beside { kept, ea_size, .. } =
                    if has_attributes(target.kind()) { beside() } else { Beside::default() };
                let unix = self.process.unix(&target);
                let security =
                    if secure { Some(security::of(fd.as_fd(), true, kept.as_ref(), unix)?) } else { None };
                let metadata = Metadata { ea_size, ..target.metadata(kept, self.dot(disk)) };
                return Ok(Some(Entry { name: name(), metadata, security }));
            }
        }
        let (kept, ea_size) = if has_attributes(stat.kind()) {
            self.remembered.beside(&stat, || eas::beside_at(&names.path(disk)))
        } else {
            (None, 0)
        };
        let unix = self.process.unix(&stat);
        let security =
            if secure { Some(security::at(&names.path(disk), kept.as_ref(), unix)?) } else { None };
        let metadata = Metadata { ea_size, ..stat.metadata(kept, self.dot(disk)) };
        Ok(Some(Entry { name: name(), metadata, security }))
    }

    pub(super) fn is_empty(&self, handle: Handle) -> Outcome {
        let node = self.directory(handle)?;
        let mut dir = open_dir(&node)?;
        while let Some(entry) = dir.read() {
            let entry = entry.map_err(status)?;
            if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
                return Ok(Done::Empty(false));
            }
        }
        Ok(Done::Empty(true))
    }
}

/// Reads a directory with a position of its own.
fn open_dir(node: &Node) -> Result<Dir, NtStatus> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    openat(node.fd(), ".", flags, Mode::empty()).and_then(Dir::new).map_err(status)
}
