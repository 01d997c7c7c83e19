//! Finding, opening and making.

use std::{
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::Arc,
    time::Duration,
};

use rustix::{
    fs::{AtFlags, FileType, Mode, OFlags, mkdirat, openat, unlinkat},
    io::Errno,
};
use sansmb::wire::{FileAttributes, NtStatus};
use sansmb_fileserver::storage::{Assigned, Done, Existence, Job, Rights, Security, SharePath, Want};

use super::{
    Fail, Inner,
    dirnames::{Scan, lock_for},
    eas,
    errno::{parent_status, resolve_status, status},
    kept::Kept,
    meta::{self, Stat},
    names,
    node::{Node, join, split},
    reparse, security,
    streams::is_private,
};

/// A directory that a path leads to.
#[derive(Debug)]
pub(super) struct Located {
    /// Opened with O_PATH, but for the root.
    pub(super) fd: OwnedFd,
    /// Its path on disk.
    pub(super) disk: Vec<u8>,
    /// Its path on the share, in the spelling on disk.
    pub(super) share: Vec<Arc<str>>,
}

/// How to open what exists.
#[derive(Debug, Clone, Copy)]
struct How {
    want: Want,
    rights: Rights,
    no_follow: bool,
    /// How many files were made when this began.
    made: u64,
    /// Whether there is time to wait for other programs.
    may_wait: bool,
}

/// What was opened.
struct Opened {
    fd: OwnedFd,
    stat: Stat,
    path_only: bool,
}

const PATH: OFlags = OFlags::PATH;
/// Never wait for the other end of a fifo, never take a terminal.
const CALM: OFlags = OFlags::NONBLOCK.union(OFlags::NOCTTY).union(OFlags::CLOEXEC);

/// How long somebody who has a lease is waited for.
const LEASE_PAUSE: Duration = Duration::from_millis(20);
const LEASE_TRIES: u32 = 250;

impl Inner {
    /// Opens; where that fails, a reparse point may be the reason.
    pub(super) fn open(&self, job: &Job, scan: Scan) -> Result<Done, Fail> {
        let Job::Open { path: SharePath(path), no_follow, .. } = job else {
            return Err(NtStatus::INTERNAL_ERROR.into());
        };
        let failed = match self.open_plain(job, scan) {
            Err(Fail::Status(
                status @ (NtStatus::OBJECT_PATH_NOT_FOUND
                | NtStatus::NOT_A_DIRECTORY
                | NtStatus::FILE_IS_A_DIRECTORY),
            )) => status,
            other => return other,
        };
        self.stopped(path, !no_follow, scan)?.ok_or(Fail::Status(failed))
    }

    fn open_plain(&self, job: &Job, scan: Scan) -> Result<Done, Fail> {
        let Job::Open { path: SharePath(path), want, existence, rights, attributes, no_follow, creator } =
            job
        else {
            return Err(NtStatus::INTERNAL_ERROR.into());
        };
        let made = self.making.done();
        let how =
            How { want: *want, rights: *rights, no_follow: *no_follow, made, may_wait: scan == Scan::Any };
        let Some((name, parents)) = path.split_last() else {
            if *existence == Existence::MustNotExist {
                return Err(NtStatus::OBJECT_NAME_COLLISION.into());
            }
            let opened = self.open_existing(b"", how)?.ok_or(NtStatus::OBJECT_NAME_NOT_FOUND)?;
            return Ok(self.opened(opened, how, Vec::new(), Vec::new())?);
        };
        if is_private(path) {
            // Nobody finds what is kept beside the files.
            return Err(match existence {
                _ if !parents.is_empty() => NtStatus::OBJECT_PATH_NOT_FOUND,
                Existence::MustExist => NtStatus::OBJECT_NAME_NOT_FOUND,
                _ => NtStatus::ACCESS_DENIED,
            }
            .into());
        }
        let exact = names::to_disk(name)?;
        // The spelling given is mostly right: one call then finds it.
        if *existence != Existence::MustNotExist {
            let disk = join(&to_disk_path(parents)?, &exact);
            if let Some(opened) = self.open_existing(&disk, how)? {
                return Ok(self.opened(opened, how, disk, path.clone())?);
            }
        }

        let parent = self.locate(parents, scan)?;
        let cell = self.names.of(Stat::of(parent.fd.as_fd())?.node());
        let mut known = lock_for(&cell.names, scan)?;
        let fd = parent.fd.as_fd();
        if *known.reparse_point.get_or_insert_with(|| !parents.is_empty() && is_reparse_point(fd)) {
            // What is beneath it is elsewhere.
            return Err(NtStatus::OBJECT_PATH_NOT_FOUND.into());
        }
        for _ in 0..3 {
            cell.refresh(&mut known, parent.fd.as_fd(), scan)??;
            if let Some(real) = known.find(parent.fd.as_fd(), name, scan)?? {
                if *existence == Existence::MustNotExist {
                    if Stat::at(parent.fd.as_fd(), &real).is_ok() {
                        return Err(NtStatus::OBJECT_NAME_COLLISION.into());
                    }
                } else {
                    let disk = join(&parent.disk, &real);
                    if let Some(opened) = self.open_existing(&disk, how)? {
                        let share = spelled(&parent.share, &real);
                        return Ok(self.opened(opened, how, disk, share)?);
                    }
                    if Stat::at(parent.fd.as_fd(), &real).is_ok() {
                        // A symbolic link to nothing.
                        return Err(NtStatus::OBJECT_NAME_NOT_FOUND.into());
                    }
                }
                // It vanished and nobody told us.
                known.forget();
                continue;
            }
            if *existence == Existence::MustExist {
                return Err(NtStatus::OBJECT_NAME_NOT_FOUND.into());
            }
            self.check_writable()?;
            let assigned = match creator {
                Some(creator) => {
                    let parent = self.security_of_directory(parent.fd.as_fd())?;
                    Some(creator.assign(&parent, how.want == Want::Directory)?)
                }
                None => None,
            };
            let assigned = assigned.filter(|_| self.traits.security);
            let dot = self.dot(&exact);
            let made = self.making.make(|| {
                make(parent.fd.as_fd(), &exact, how)
                    .map(|fd| dress(parent.fd.as_fd(), &exact, fd, *attributes, dot, assigned.as_ref()))
            });
            match made {
                Ok(dressed) => {
                    let (opened, kept) = dressed?;
                    known.made(parent.fd.as_fd(), &exact);
                    drop(known);
                    let disk = join(&parent.disk, &exact);
                    let share = spelled(&parent.share, &exact);
                    let unix = Some(self.process.unix(&opened.stat));
                    let security = Security::assigned(assigned, unix);
                    return Ok(self.insert(opened, kept, disk, share, security, true));
                }
                Err(Errno::EXIST) if *existence == Existence::MustNotExist => {
                    known.forget();
                    return Err(NtStatus::OBJECT_NAME_COLLISION.into());
                }
                // Somebody else was quicker.
                Err(Errno::EXIST) => known.forget(),
                Err(Errno::NOENT) => return Err(NtStatus::OBJECT_PATH_NOT_FOUND.into()),
                Err(errno) => return Err(resolve_status(errno).into()),
            }
        }
        Err(NtStatus::SHARING_VIOLATION.into())
    }

    fn opened(
        &self,
        opened: Opened,
        how: How,
        disk: Vec<u8>,
        share: Vec<Arc<str>>,
    ) -> Result<Done, NtStatus> {
        let Opened { fd, stat, path_only } = &opened;
        let look = || eas::kept_beside(fd.as_fd(), *path_only);
        let link = stat.kind() == FileType::Symlink;
        let kept = || if link { None } else { self.remembered.beside(stat, look).0 };
        let mut found = kept();
        if !found.is_some_and(|kept| kept.secured) && !self.making.none_since(how.made) {
            self.making.wait();
            found = kept();
        }
        let kept = found;
        if !how.no_follow && kept.is_some_and(|kept| kept.reparse_tag != 0) {
            let node = Node::new(opened.fd, &opened.stat, opened.path_only, disk);
            return Ok(Done::Stopped { reparse: reparse::read(&node)?, unparsed: 0 });
        }
        let unix = self.process.unix(&opened.stat);
        let security = security::of(opened.fd.as_fd(), opened.path_only, kept.as_ref(), unix)?;
        Ok(self.insert(opened, kept, disk, share, security, false))
    }

    /// Who may do what in a directory that is open with O_PATH.
    pub(super) fn security_of_directory(&self, dir: BorrowedFd<'_>) -> Result<Security, NtStatus> {
        let stat = Stat::of(dir).map_err(status)?;
        security::of(dir, true, Kept::of(dir, true).as_ref(), self.process.unix(&stat))
    }

    fn insert(
        &self,
        Opened { fd, stat, path_only }: Opened,
        kept: Option<Kept>,
        disk: Vec<u8>,
        share: Vec<Arc<str>>,
        security: Security,
        created: bool,
    ) -> Done {
        let metadata = stat.metadata(kept, self.dot(split(&disk).1));
        let handle = self.keep(Node::new(fd, &stat, path_only, disk));
        Done::Opened { handle, metadata, created, path: SharePath(share), security }
    }

    /// Opens what is at a path on disk; `None` where nothing is.
    fn open_existing(&self, disk: &[u8], how: How) -> Result<Option<Opened>, Fail> {
        let mut flags = CALM;
        flags.set(OFlags::NOFOLLOW, how.no_follow);
        let access = match how.want {
            Want::Directory => OFlags::DIRECTORY,
            // Whether it is a file, and may not be written, is seen below.
            _ if self.options.read_only => OFlags::RDONLY,
            _ => access(how.rights),
        };
        let mut path_only = false;
        let mut result = if disk.is_empty() && !access.intersects(OFlags::WRONLY | OFlags::RDWR) {
            self.root.itself()
        } else {
            patiently(how.may_wait, || self.root.open(disk, flags | access, Mode::empty()))
        };
        match result {
            Err(Errno::ISDIR) => {
                if how.want == Want::File {
                    return Err(NtStatus::FILE_IS_A_DIRECTORY.into());
                }
                result = self.root.open(disk, flags | OFlags::DIRECTORY, Mode::empty());
            }
            Err(Errno::NOTDIR) if how.want == Want::Directory => {
                // Either it or something on the way to it is no directory.
                match self.root.open(disk, PATH | OFlags::NOFOLLOW, Mode::empty()) {
                    Ok(fd) if how.no_follow && is_symlink(&fd) => {
                        path_only = true;
                        result = Ok(fd);
                    }
                    Ok(_) => return Err(NtStatus::NOT_A_DIRECTORY.into()),
                    Err(errno) => result = Err(errno),
                }
            }
            Err(Errno::LOOP) if how.no_follow => {
                path_only = true;
                result = self.root.open(disk, PATH | OFlags::NOFOLLOW, Mode::empty());
            }
            Err(Errno::ACCESS | Errno::PERM) if how.rights == Rights::default() => {
                path_only = true;
                result = self.root.open(disk, PATH | (flags & OFlags::NOFOLLOW), Mode::empty());
            }
            _ => {}
        }
        let fd = match result {
            Ok(fd) => fd,
            Err(Errno::NOENT | Errno::NOTDIR) => return Ok(None),
            Err(Errno::AGAIN) if !how.may_wait => return Err(Fail::Later),
            Err(errno) => return Err(resolve_status(errno).into()),
        };
        let stat = Stat::of(fd.as_fd())?;
        match (stat.kind(), how.want) {
            (FileType::RegularFile, Want::Directory) => Err(NtStatus::NOT_A_DIRECTORY.into()),
            (FileType::Directory, Want::File) => Err(NtStatus::FILE_IS_A_DIRECTORY.into()),
            (FileType::RegularFile, _) if how.rights.write && self.options.read_only => {
                Err(NtStatus::MEDIA_WRITE_PROTECTED.into())
            }
            (FileType::RegularFile | FileType::Directory, _) => Ok(Some(Opened { fd, stat, path_only })),
            (FileType::Symlink, _) if how.no_follow => Ok(Some(Opened { fd, stat, path_only })),
            _ => Err(NtStatus::ACCESS_DENIED.into()),
        }
    }

    /// Finds a directory that is to get an entry: what is beneath a reparse point is elsewhere.
    pub(super) fn locate_to_change(&self, path: &[Arc<str>], scan: Scan) -> Result<Located, Fail> {
        let dir = self.locate(path, scan)?;
        if !path.is_empty() && is_reparse_point(dir.fd.as_fd()) {
            return Err(NtStatus::OBJECT_PATH_NOT_FOUND.into());
        }
        Ok(dir)
    }

    /// Finds a directory without regard to case.
    pub(super) fn locate(&self, path: &[Arc<str>], scan: Scan) -> Result<Located, Fail> {
        if is_private(path) {
            return Err(NtStatus::OBJECT_PATH_NOT_FOUND.into());
        }
        let exact = to_disk_path(path)?;
        match self.root.directory(&exact) {
            Ok(fd) => return Ok(Located { fd, disk: exact, share: path.to_vec() }),
            Err(Errno::NOENT) => {}
            Err(errno) => return Err(parent_status(errno).into()),
        }
        let top = self.root.itself()?;
        let mut at = Located { fd: top, disk: Vec::new(), share: Vec::new() };
        for name in path {
            let exact = names::to_disk(name)?;
            let disk = join(&at.disk, &exact);
            match self.root.directory(&disk) {
                Ok(fd) => {
                    at.share.push(Arc::clone(name));
                    at = Located { fd, disk, share: at.share };
                    continue;
                }
                Err(Errno::NOENT) => {}
                Err(errno) => return Err(parent_status(errno).into()),
            }
            let real = self.spelling(&at, name, scan)?.ok_or(NtStatus::OBJECT_PATH_NOT_FOUND)?;
            let disk = join(&at.disk, &real);
            let fd = match self.root.directory(&disk) {
                Ok(fd) => fd,
                Err(errno) => return Err(parent_status(errno).into()),
            };
            at = Located { fd, disk, share: spelled(&at.share, &real) };
        }
        Ok(at)
    }

    /// The spelling on disk of a name in a directory.
    pub(super) fn spelling(&self, dir: &Located, name: &str, scan: Scan) -> Result<Option<Vec<u8>>, Fail> {
        let fd = dir.fd.as_fd();
        let cell = self.names.of(Stat::of(fd)?.node());
        let mut known = lock_for(&cell.names, scan)?;
        for _ in 0..2 {
            cell.refresh(&mut known, fd, scan)??;
            let Some(real) = known.find(fd, name, scan)?? else { return Ok(None) };
            if Stat::at(fd, &real).is_ok() {
                return Ok(Some(real));
            }
            known.forget();
        }
        Ok(None)
    }
}

/// Opens what another program may have a lease on (F_SETLEASE): the system tells it, and says that the file is
/// not to be had yet. It has a moment to give it up, not the 45 seconds that the system would let it have.
fn patiently(may_wait: bool, open: impl Fn() -> rustix::io::Result<OwnedFd>) -> rustix::io::Result<OwnedFd> {
    for _ in 0..if may_wait { LEASE_TRIES } else { 0 } {
        match open() {
            Err(Errno::AGAIN) => std::thread::sleep(LEASE_PAUSE),
            other => return other,
        }
    }
    open()
}

/// Makes a file or directory that does not exist yet.
fn make(dir: BorrowedFd<'_>, name: &[u8], how: How) -> rustix::io::Result<OwnedFd> {
    if how.want == Want::Directory {
        mkdirat(dir, name, Mode::from_raw_mode(0o777))?;
        return openat(dir, name, OFlags::DIRECTORY | OFlags::NOFOLLOW | CALM, Mode::empty());
    }
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | CALM | access(how.rights);
    openat(dir, name, flags, Mode::from_raw_mode(0o666))
}

/// Gives what was just made its descriptor and its attributes, or removes it.
fn dress(
    dir: BorrowedFd<'_>,
    name: &[u8],
    fd: OwnedFd,
    attributes: FileAttributes,
    dot: bool,
    assigned: Option<&Assigned>,
) -> Result<(Opened, Option<Kept>), NtStatus> {
    let stat = Stat::of(fd.as_fd()).map_err(status)?;
    let (descriptor, owner) = match assigned {
        Some(Assigned::Descriptor(descriptor)) => (Some(descriptor), None),
        Some(Assigned::Owner(owner)) => (None, Some(*owner)),
        None => (None, None),
    };
    let stored = descriptor.map_or(Ok(()), |descriptor| security::store(fd.as_fd(), false, descriptor));
    let kept = stored.and_then(|()| {
        meta::set_first(fd.as_fd(), &stat, attributes, dot, descriptor.is_some(), owner).map_err(status)
    });
    // What was kept beside it changed its change time.
    let looked = kept.and_then(|kept| {
        let same = kept.is_none() && descriptor.is_none();
        let stat = if same { Ok(stat) } else { Stat::of(fd.as_fd()).map_err(status) };
        Ok((kept, stat?))
    });
    match looked {
        Ok((kept, stat)) => Ok((Opened { fd, stat, path_only: false }, kept)),
        Err(status) => {
            let directory = stat.kind() == FileType::Directory;
            let flags = if directory { AtFlags::REMOVEDIR } else { AtFlags::empty() };
            // It is ours, and nobody was told of it.
            let _ = unlinkat(dir, name, flags);
            Err(status)
        }
    }
}

pub(super) fn access(rights: Rights) -> OFlags {
    match (rights.read, rights.write) {
        (true, true) => OFlags::RDWR,
        (false, true) => OFlags::WRONLY,
        _ => OFlags::RDONLY,
    }
}

/// Whether a directory is one that a client set; it is open to find something in it, maybe with O_PATH.
fn is_reparse_point(dir: BorrowedFd<'_>) -> bool {
    Kept::of(dir, true).is_some_and(|kept| kept.reparse_tag != 0)
}

fn is_symlink(fd: &OwnedFd) -> bool {
    Stat::of(fd.as_fd()).is_ok_and(|stat| stat.kind() == FileType::Symlink)
}

fn to_disk_path(path: &[Arc<str>]) -> Result<Vec<u8>, NtStatus> {
    let mut disk = Vec::with_capacity(path.iter().map(|name| name.len() + 1).sum());
    for name in path {
        if !disk.is_empty() {
            disk.push(b'/');
        }
        disk.extend_from_slice(&names::to_disk(name)?);
    }
    Ok(disk)
}

/// A path on the share and one more component in the spelling on disk.
pub(super) fn spelled(parents: &[Arc<str>], disk: &[u8]) -> Vec<Arc<str>> {
    let mut path = parents.to_vec();
    path.push(names::to_share(disk).into());
    path
}
