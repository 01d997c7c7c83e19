//! Renaming, linking and removing.

use std::{
    os::fd::{AsFd, BorrowedFd},
    sync::Arc,
};

use rustix::{
    fs::{AtFlags, CWD, FileType, Mode, OFlags, RenameFlags, linkat, renameat, renameat_with, unlinkat},
    io::Errno,
};
use sansmb::wire::NtStatus;
use sansmb_fileserver::storage::{Creator, Done, Handle, SharePath};

use super::{
    Fail, Inner,
    dirnames::{Scan, lock_for},
    errno::{parent_status, status},
    kept::descriptor,
    meta::Stat,
    names,
    node::{Node, join, split},
    parents::Parent,
    streams::is_private,
};

/// The name under which something is open, found again.
struct Name {
    dir: Arc<Parent>,
    name: Vec<u8>,
    /// What the name itself is: a link that the file was opened through, or the kind of the node.
    kind: FileType,
}

impl Inner {
    /// Whether somebody may put something into a directory, which is open with O_PATH.
    fn check_addable(
        &self,
        dir: BorrowedFd<'_>,
        by: Option<&Creator>,
        directory: bool,
    ) -> Result<(), NtStatus> {
        let Some(by) = by else { return Ok(()) };
        by.may_add(&self.security_of_directory(dir)?, directory)
    }

    pub(super) fn unlink(&self, handle: Handle, scan: Scan) -> Result<Done, Fail> {
        self.check_writable()?;
        let node = self.node(handle)?;
        if let Some(stream) = node.stream_of() {
            return self.unlink_stream(stream, node.id().stream, scan);
        }
        let found = self.name_of(&node)?;
        let dir = found.dir.fd();
        let cell = self.names.of(found.dir.id());
        let mut known = lock_for(&cell.names, scan)?;
        let flags = match found.kind {
            FileType::Directory => AtFlags::REMOVEDIR,
            _ => AtFlags::empty(),
        };
        match unlinkat(dir, &found.name, flags) {
            Ok(()) => {
                known.removed(dir, &found.name);
                drop(known);
                if node.is_directory() {
                    self.parents.gone(node.id());
                }
                self.parents.removed_from(&found.dir);
                if self.streams.are_kept()
                    && let Ok(stat) = Stat::of(node.fd())
                    && stat.links() == 0
                {
                    self.streams.forget(&stat);
                }
                Ok(Done::Nothing)
            }
            // POSIX lets a directory that is not empty say so.
            Err(Errno::EXIST) => Err(NtStatus::DIRECTORY_NOT_EMPTY.into()),
            Err(errno) => Err(errno.into()),
        }
    }

    pub(super) fn rename(
        &self,
        handle: Handle,
        SharePath(to): &SharePath,
        replace: bool,
        by: Option<&Creator>,
        scan: Scan,
    ) -> Result<Done, Fail> {
        self.check_writable()?;
        let node = self.node(handle)?;
        let (name, parents) = target(&node, to)?;
        if node.path().is_empty() {
            return Err(NtStatus::ACCESS_DENIED.into());
        }
        let new = names::to_disk(name)?;
        let parent = self.locate_to_change(parents, scan)?;
        self.check_addable(parent.fd.as_fd(), by, node.is_directory())?;
        let to_dir = parent.fd.as_fd();

        // Two directories are locked only by whoever holds this, so no two wait for each other.
        let _renaming = lock_for(&self.renaming, scan)?;
        let from = self.name_of(&node)?;
        let from_dir = from.dir.fd();
        let (from_id, to_id) = (from.dir.id(), Stat::of(to_dir)?.node());
        let from_cell = self.names.of(from_id);
        let to_cell = self.names.of(to_id);
        let mut to_known = lock_for(&to_cell.names, scan)?;
        let mut from_known = if from_id == to_id { None } else { Some(lock_for(&from_cell.names, scan)?) };

        to_cell.refresh(&mut to_known, to_dir, scan)??;
        let taken = to_known.find(to_dir, name, scan)??;
        let taken = match taken {
            // The file itself under another spelling makes room by moving.
            Some(taken) if from_id == to_id && taken == from.name => None,
            Some(taken) => Stat::at(to_dir, &taken).ok().map(|stat| (taken, stat)),
            None => None,
        };
        let moved = match &taken {
            Some((taken, stat)) => {
                let same = stat.node() == node.id();
                if !same && !replace {
                    return Err(NtStatus::OBJECT_NAME_COLLISION.into());
                }
                // Directories are never replaced, nor replace anything.
                if !same && [stat.kind(), from.kind].contains(&FileType::Directory) {
                    return Err(NtStatus::ACCESS_DENIED.into());
                }
                if same && from.kind == FileType::Symlink && !node.is_symlink() {
                    // Opened through a link that is renamed to its own target: the target stays.
                    unlinkat(from_dir, &from.name, AtFlags::empty())
                } else {
                    replace_name(from_dir, &from.name, to_dir, taken, &new, same)
                }
            }
            None if from_id == to_id && from.name == *new => return Ok(Done::Nothing),
            None => rename_new(from_dir, &from.name, to_dir, &new),
        };
        moved.map_err(|errno| match errno {
            Errno::NOENT => NtStatus::OBJECT_PATH_NOT_FOUND,
            // A file in place of a directory or the other way round.
            Errno::NOTDIR | Errno::ISDIR => NtStatus::ACCESS_DENIED,
            other => status(other),
        })?;
        match &mut from_known {
            Some(known) => known.removed(from_dir, &from.name),
            None => to_known.removed(to_dir, &from.name),
        }
        if let Some((taken, stat)) = &taken {
            to_known.removed(to_dir, taken);
            if stat.node() != node.id() {
                self.lost_a_name(stat);
            }
        }
        to_known.made(to_dir, &new);
        let path = join(&parent.disk, &new);
        if node.is_directory() {
            self.watches.renamed(&node.path(), &path);
        }
        node.moved(&path);
        Ok(Done::Nothing)
    }

    pub(super) fn link(
        &self,
        handle: Handle,
        SharePath(to): &SharePath,
        replace: bool,
        by: Option<&Creator>,
        scan: Scan,
    ) -> Result<Done, Fail> {
        self.check_writable()?;
        let node = self.node(handle)?;
        if node.is_directory() {
            return Err(NtStatus::FILE_IS_A_DIRECTORY.into());
        }
        let (name, parents) = target(&node, to)?;
        let new = names::to_disk(name)?;
        let parent = self.locate_to_change(parents, scan)?;
        self.check_addable(parent.fd.as_fd(), by, node.is_directory())?;
        // What has lost its last name gets no new one.
        self.name_of(&node)?;
        let dir = parent.fd.as_fd();
        let cell = self.names.of(Stat::of(dir)?.node());
        let mut known = lock_for(&cell.names, scan)?;
        cell.refresh(&mut known, dir, scan)??;
        let taken = known.find(dir, name, scan)??;
        let taken = taken.and_then(|taken| Stat::at(dir, &taken).ok().map(|stat| (taken, stat)));
        let Some((taken, stat)) = taken else {
            self.link_at(&node, dir, &new)?;
            known.made(dir, &new);
            return Ok(Done::Nothing);
        };
        if !replace {
            return Err(NtStatus::OBJECT_NAME_COLLISION.into());
        }
        if stat.kind() == FileType::Directory {
            return Err(NtStatus::ACCESS_DENIED.into());
        }
        if stat.node() != node.id() {
            // The old file is there until the new one is.
            let aside = self.link_aside(&node, dir)?;
            if let Err(errno) = replace_name(dir, &aside, dir, &taken, &new, false) {
                let _ = unlinkat(dir, &aside, AtFlags::empty());
                return Err(errno.into());
            }
            known.removed(dir, &taken);
            known.made(dir, &new);
            self.lost_a_name(&stat);
        }
        Ok(Done::Nothing)
    }

    /// A file that was like `before` has one name less: its streams go with the last.
    fn lost_a_name(&self, before: &Stat) {
        if before.links() == 1 {
            self.streams.forget(before);
        }
    }

    /// Links under a name that nobody has.
    fn link_aside(&self, node: &Node, dir: BorrowedFd<'_>) -> Result<Vec<u8>, Fail> {
        let mut left = 8;
        loop {
            let name = format!(".sansmb-{:x}-{left}", node.id().file).into_bytes();
            match self.link_at(node, dir, &name) {
                Err(Fail::Status(NtStatus::OBJECT_NAME_COLLISION)) if left > 0 => left -= 1,
                result => return result.map(|()| name),
            }
        }
    }

    /// Links the very file that is open, where `/proc` can say so; otherwise the one under its name,
    /// which was just found to be it.
    fn link_at(&self, node: &Node, dir: BorrowedFd<'_>, name: &[u8]) -> Result<(), Fail> {
        if !node.is_symlink() {
            match linkat(CWD, descriptor(node.fd()), dir, name, AtFlags::SYMLINK_FOLLOW) {
                Err(Errno::NOENT) if self.name_of(node).is_ok() => {}
                other => return Ok(other?),
            }
        }
        let from = self.name_of(node)?;
        Ok(linkat(from.dir.fd(), &from.name, dir, name, AtFlags::empty())?)
    }

    /// Finds the name of an open file: under the path that it had, or under the one that the kernel
    /// says it has. What is there is compared with what is open, so that no other file is touched.
    fn name_of(&self, node: &Node) -> Result<Name, NtStatus> {
        let path = node.path();
        if path.is_empty() {
            // The root has no name here.
            return Err(NtStatus::ACCESS_DENIED);
        }
        match self.name_at(node, &path) {
            Ok(Some(name)) => return Ok(name),
            Ok(None) | Err(Errno::NOENT | Errno::NOTDIR | Errno::XDEV | Errno::LOOP) => {}
            Err(errno) => return Err(parent_status(errno)),
        }
        let gone = NtStatus::OBJECT_NAME_NOT_FOUND;
        let path = self.path_now(node).ok_or(gone)?;
        let name = match self.name_at(node, &path) {
            Ok(name) => name.ok_or(gone)?,
            Err(Errno::NOENT | Errno::NOTDIR) => return Err(gone),
            Err(errno) => return Err(parent_status(errno)),
        };
        node.moved(&path);
        Ok(name)
    }

    fn name_at(&self, node: &Node, path: &[u8]) -> rustix::io::Result<Option<Name>> {
        let (parent, name) = split(path);
        if let Some(dir) = self.parents.find(parent)
            && let Ok(stat) = Stat::at(dir.fd(), name)
            && stat.node() == node.id()
        {
            return Ok(Some(Name { dir, name: name.to_vec(), kind: stat.kind() }));
        }
        let dir = Arc::new(Parent::new(self.root.directory(parent)?, parent)?);
        let stat = Stat::at(dir.fd(), name)?;
        let mut is_it = stat.node() == node.id();
        if !is_it && stat.kind() == FileType::Symlink {
            let target = self.root.open(path, OFlags::PATH, Mode::empty())?;
            is_it = Stat::of(target.as_fd())?.node() == node.id();
        }
        Ok(is_it.then(|| Name { dir, name: name.to_vec(), kind: stat.kind() }))
    }

    /// Where an open file is now, beneath the root.
    pub(super) fn path_now(&self, node: &Node) -> Option<Vec<u8>> {
        self.root.path_of(node.fd()).filter(|path| !path.is_empty())
    }
}

/// The name and the directories of a path that something that is open is to have.
fn target<'p>(node: &Node, path: &'p [Arc<str>]) -> Result<(&'p Arc<str>, &'p [Arc<str>]), NtStatus> {
    if node.stream_of().is_some() {
        return Err(NtStatus::INVALID_PARAMETER);
    }
    if is_private(path) {
        return Err(NtStatus::ACCESS_DENIED);
    }
    path.split_last().ok_or(NtStatus::ACCESS_DENIED)
}

/// Renames to a name that must not be taken.
pub(super) fn rename_new(
    from: BorrowedFd<'_>,
    name: &[u8],
    to: BorrowedFd<'_>,
    new: &[u8],
) -> rustix::io::Result<()> {
    match renameat_with(from, name, to, new, RenameFlags::NOREPLACE) {
        // The file system does not know the flag.
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => match Stat::at(to, new) {
            Ok(_) => Err(Errno::EXIST),
            Err(Errno::NOENT) => renameat(from, name, to, new),
            Err(errno) => Err(errno),
        },
        other => other,
    }
}

/// Renames over `taken`, which then has the spelling `new`. `same` says that it is a name of the same
/// file: rename(2) would leave both as they are.
fn replace_name(
    from: BorrowedFd<'_>,
    name: &[u8],
    to: BorrowedFd<'_>,
    taken: &[u8],
    new: &[u8],
    same: bool,
) -> rustix::io::Result<()> {
    if same {
        unlinkat(to, taken, AtFlags::empty())?;
        return rename_new(from, name, to, new);
    }
    renameat(from, name, to, taken)?;
    if taken != new { rename_new(to, taken, to, new) } else { Ok(()) }
}
