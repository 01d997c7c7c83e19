//! Named streams.
//!
//! A stream is a file of its own in a folder that belongs to the file that has it:
//!
//! ```text
//! .sansmb/streams/<file number>/<when the file was made>/<name of the stream>
//! ```
//!
//! Reading, writing, truncating and copying so go by an ordinary descriptor. The file keeps its
//! streams under whatever name it gets, also when another program gives it; a file that takes over
//! the number of one that is gone was made at another time, and what it finds of the old one it
//! removes. The folder is no part of the share: see [`PRIVATE`].

use std::{
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::{Arc, Mutex},
};

use rustix::{
    fs::{Access, AtFlags, Dir, FileType, Mode, OFlags, accessat, mkdirat, openat, renameat, unlinkat},
    io::{Errno, Result as IoResult},
};
use sansmb::wire::NtStatus;
use sansmb_fileserver::storage::{Done, Existence, Handle, NodeId, Outcome, Rights, StreamInfo};

use super::{
    Fail, Inner,
    beneath::{PRIVATE, Root},
    dirnames::{Scan, lock_for},
    eas,
    errno::status,
    meta::Stat,
    names,
    namespace::rename_new,
    node::{Node, StreamOf},
    open::access,
};
use crate::{same_name, slab::lock, streams::check_stream_name};

/// Streams of one file that are listed.
const LISTED: usize = 65_536;
/// Longest name on disk, in bytes.
const NAME_MAX: usize = 255;
/// How often a folder is made again that is removed at the same time.
const RETRIES: u32 = 16;

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Whether a path beneath the root leads to what the server keeps for itself.
pub(super) fn is_private(path: &[Arc<str>]) -> bool {
    path.first().is_some_and(|name| same_name(name, PRIVATE))
}

/// Where the streams of all files are.
#[derive(Debug)]
pub(super) struct Streams {
    root: OwnedFd,
    id: NodeId,
    /// The folder, once it is there: a share without streams never asks for it.
    top: Mutex<Option<Arc<OwnedFd>>>,
    possible: bool,
}

impl Streams {
    pub(super) fn new(root: &Root, read_only: bool) -> IoResult<Self> {
        let stat = Stat::of(root.fd())?;
        let fd = rustix::io::fcntl_dupfd_cloexec(root.fd(), 0)?;
        let mut streams = Self { root: fd, id: stat.node(), top: Mutex::default(), possible: false };
        // Something else under that name is left alone, and there are no streams.
        let Ok(top) = streams.top(false) else { return Ok(streams) };
        let can_make = !read_only && accessat(root.fd(), ".", Access::WRITE_OK, AtFlags::empty()).is_ok();
        streams.possible = stat.birth().is_some() && (top.is_some() || can_make);
        Ok(streams)
    }

    /// Whether files can have streams.
    pub(super) fn possible(&self) -> bool {
        self.possible
    }

    /// The folder for all streams.
    fn top(&self, make: bool) -> IoResult<Option<Arc<OwnedFd>>> {
        let mut top = lock(&self.top);
        if let Some(fd) = &*top
            && (!make || Stat::of(fd.as_fd())?.links() > 0)
        {
            return Ok(Some(Arc::clone(fd)));
        }
        let found = match folder(self.root.as_fd(), PRIVATE, make)? {
            Some(own) => folder(own.as_fd(), "streams", make)?.map(Arc::new),
            None => None,
        };
        top.clone_from(&found);
        Ok(found)
    }

    /// The folder for the streams of a file. A file system that does not say when a file was made,
    /// or that is not the share's own, has no streams.
    fn of(&self, file: &Stat, make: bool) -> Result<Option<OwnedFd>, NtStatus> {
        let (number, born) = self.place(file).ok_or(NtStatus::OBJECT_NAME_INVALID)?;
        let mut left = RETRIES;
        loop {
            match self.try_of(&number, &born, make) {
                // It was removed between two steps.
                Err(Errno::NOENT) if left > 0 => left -= 1,
                other => return other.map_err(status),
            }
        }
    }

    fn try_of(&self, number: &str, born: &str, make: bool) -> IoResult<Option<OwnedFd>> {
        let Some(top) = self.top(make)? else { return Ok(None) };
        let Some(files) = folder(top.as_fd(), number, make)? else { return Ok(None) };
        if make {
            // Streams of files that had the number before.
            for other in entries(files.as_fd())? {
                if other != born.as_bytes() {
                    remove_folder(files.as_fd(), &other);
                }
            }
        }
        folder(files.as_fd(), born, make)
    }

    fn place(&self, file: &Stat) -> Option<(String, String)> {
        let node = file.node();
        let (seconds, nanos) = file.birth().filter(|_| self.possible && node.volume == self.id.volume)?;
        Some((format!("{:x}", node.file), format!("{seconds:x}.{nanos:09}")))
    }

    /// Whether any file ever had one, as far as this share knows.
    pub(super) fn are_kept(&self) -> bool {
        lock(&self.top).is_some()
    }

    /// A file is gone: its streams go too.
    pub(super) fn forget(&self, file: &Stat) {
        let Some(top) = lock(&self.top).clone() else { return };
        let Some((number, born)) = self.place(file) else { return };
        if let Ok(Some(files)) = folder(top.as_fd(), &number, false) {
            remove_folder(files.as_fd(), born.as_bytes());
            let _ = unlinkat(&top, &number, AtFlags::REMOVEDIR);
        }
    }
}

impl Inner {
    /// Whether a name in a directory is not for clients.
    pub(super) fn keeps_back(&self, dir: &Node, name: &str) -> bool {
        self.keeps_back_some(dir) && same_name(name, PRIVATE)
    }

    /// Whether there are such names in a directory at all.
    pub(super) fn keeps_back_some(&self, dir: &Node) -> bool {
        dir.id() == self.streams.id
    }

    pub(super) fn open_stream(
        &self,
        handle: Handle,
        name: &str,
        existence: Existence,
        rights: Rights,
        scan: Scan,
    ) -> Result<Done, Fail> {
        check_stream_name(name)?;
        let exact = to_disk(name)?;
        let file = Arc::clone(self.node(handle)?.whole());
        let stat = Stat::of(file.fd())?;
        if file.is_symlink() {
            return Err(NtStatus::OBJECT_NAME_INVALID.into());
        }
        if rights.write {
            self.check_writable()?;
        }
        if let Some(folder) = self.streams.of(&stat, false)?
            && let Some((fd, real)) = self.find_stream(folder.as_fd(), &exact, rights, scan)?
        {
            if existence == Existence::MustNotExist {
                return Err(NtStatus::OBJECT_NAME_COLLISION.into());
            }
            return self.stream_opened(fd, file, real, false);
        }
        if existence == Existence::MustExist {
            return Err(NtStatus::OBJECT_NAME_NOT_FOUND.into());
        }
        self.check_writable()?;
        for _ in 0..RETRIES {
            let Some(folder) = self.streams.of(&stat, true)? else { break };
            let dir = folder.as_fd();
            let cell = self.names.of(Stat::of(dir)?.node());
            let mut known = lock_for(&cell.names, scan)?;
            cell.refresh(&mut known, dir, scan)??;
            let taken = known.find(dir, &names::to_share(&exact), scan)??;
            let flags = OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC | access(rights);
            let result = match taken {
                Some(_) => Err(Errno::EXIST),
                None => openat(dir, &exact, flags, Mode::from_raw_mode(0o600)),
            };
            match result {
                Ok(fd) => {
                    known.made(dir, &exact);
                    drop(known);
                    // Who opened the file before it was deleted must not leave a stream behind.
                    if Stat::of(file.fd())?.links() == 0 {
                        self.streams.forget(&stat);
                        return Err(NtStatus::OBJECT_NAME_NOT_FOUND.into());
                    }
                    return self.stream_opened(fd, file, exact, true);
                }
                // Somebody else was quicker.
                Err(Errno::EXIST) if existence == Existence::MustNotExist => {
                    known.forget();
                    return Err(NtStatus::OBJECT_NAME_COLLISION.into());
                }
                Err(Errno::EXIST) => {
                    drop(known);
                    if let Some((fd, real)) = self.find_stream(dir, &exact, rights, scan)? {
                        return self.stream_opened(fd, file, real, false);
                    }
                }
                // The folder was removed meanwhile.
                Err(Errno::NOENT) => known.forget(),
                Err(errno) => return Err(errno.into()),
            }
        }
        Err(NtStatus::SHARING_VIOLATION.into())
    }

    fn stream_opened(
        &self,
        fd: OwnedFd,
        file: Arc<Node>,
        disk: Vec<u8>,
        created: bool,
    ) -> Result<Done, Fail> {
        let own = Stat::of(fd.as_fd())?;
        if own.kind() != FileType::RegularFile {
            return Err(NtStatus::ACCESS_DENIED.into());
        }
        let metadata = file.metadata(self.hidden(&file), &self.remembered)?;
        let name = from_disk(&disk).ok_or(NtStatus::OBJECT_NAME_INVALID)?.into();
        let stream = Node::stream(fd, &own, file, disk);
        let metadata = stream.stream_metadata(metadata, &own);
        let handle = self.keep(stream);
        Ok(Done::OpenedStream { handle, metadata, created, name })
    }

    /// Opens a stream without regard to case.
    fn find_stream(
        &self,
        dir: BorrowedFd<'_>,
        exact: &[u8],
        rights: Rights,
        scan: Scan,
    ) -> Result<Option<(OwnedFd, Vec<u8>)>, Fail> {
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC | access(rights);
        match openat(dir, exact, flags, Mode::empty()) {
            Ok(fd) => return Ok(Some((fd, exact.to_vec()))),
            Err(Errno::NOENT) => {}
            Err(errno) => return Err(errno.into()),
        }
        let cell = self.names.of(Stat::of(dir)?.node());
        let mut known = lock_for(&cell.names, scan)?;
        cell.refresh(&mut known, dir, scan)??;
        let Some(real) = known.find(dir, &names::to_share(exact), scan)?? else { return Ok(None) };
        match openat(dir, &real, flags, Mode::empty()) {
            Ok(fd) => Ok(Some((fd, real))),
            Err(Errno::NOENT) => {
                known.forget();
                Ok(None)
            }
            Err(errno) => Err(errno.into()),
        }
    }

    pub(super) fn list_streams(&self, handle: Handle) -> Outcome {
        let file = Arc::clone(self.node(handle)?.whole());
        let mut streams = Vec::new();
        let stat = Stat::of(file.fd()).map_err(status)?;
        if file.is_file() {
            let (length, allocated) = (stat.size(), stat.allocated());
            streams.push(StreamInfo { name: Arc::default(), length, allocated });
        }
        let folder = match self.streams.of(&stat, false) {
            Ok(folder) => folder,
            Err(NtStatus::OBJECT_NAME_INVALID) => None,
            Err(status) => return Err(status),
        };
        let Some(folder) = folder else { return Ok(Done::Streams(streams)) };
        for disk in entries(folder.as_fd()).map_err(status)?.into_iter().take(LISTED) {
            // What vanished since is left out.
            let Ok(stat) = Stat::at(folder.as_fd(), &disk) else { continue };
            let Some(name) = from_disk(&disk).filter(|_| stat.kind() == FileType::RegularFile) else {
                continue;
            };
            let (length, allocated) = (stat.size(), stat.allocated());
            streams.push(StreamInfo { name: name.into(), length, allocated });
        }
        streams.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Done::Streams(streams))
    }

    /// Removes what goes when a file is overwritten.
    pub(super) fn strip(&self, handle: Handle) -> Outcome {
        self.check_writable()?;
        let file = Arc::clone(self.node(handle)?.whole());
        self.streams.forget(&Stat::of(file.fd()).map_err(status)?);
        if self.traits.extended_attributes {
            let _one = lock(&self.attributes);
            eas::clear(&file)?;
        }
        Ok(Done::Nothing)
    }

    pub(super) fn unlink_stream(&self, stream: &StreamOf, number: u64, scan: Scan) -> Result<Done, Fail> {
        let gone = NtStatus::OBJECT_NAME_NOT_FOUND;
        let stat = Stat::of(stream.file.fd())?;
        let folder = self.streams.of(&stat, false)?.ok_or(gone)?;
        let cell = self.names.of(Stat::of(folder.as_fd())?.node());
        let mut known = lock_for(&cell.names, scan)?;
        let mut disk = lock(&stream.disk);
        let name = name_of(folder.as_fd(), disk.as_deref().ok_or(gone)?, number)?.ok_or(gone)?;
        unlinkat(&folder, &name, AtFlags::empty())?;
        known.removed(folder.as_fd(), &name);
        *disk = None;
        drop(known);
        self.streams.tidy(&stat);
        Ok(Done::Nothing)
    }

    pub(super) fn rename_stream(
        &self,
        handle: Handle,
        to: &str,
        replace: bool,
        scan: Scan,
    ) -> Result<Done, Fail> {
        self.check_writable()?;
        let node = self.node(handle)?;
        let stream = node.stream_of().ok_or(NtStatus::INVALID_PARAMETER)?;
        check_stream_name(to)?;
        let new = to_disk(to)?;
        let gone = NtStatus::OBJECT_NAME_NOT_FOUND;
        let folder = self.streams.of(&Stat::of(stream.file.fd())?, false)?.ok_or(gone)?;
        let dir = folder.as_fd();
        let cell = self.names.of(Stat::of(dir)?.node());
        let mut known = lock_for(&cell.names, scan)?;
        let mut disk = lock(&stream.disk);
        let name = name_of(dir, disk.as_deref().ok_or(gone)?, node.id().stream)?.ok_or(gone)?;
        cell.refresh(&mut known, dir, scan)??;
        let taken = known.find(dir, &names::to_share(&new), scan)??.filter(|taken| *taken != name);
        if taken.is_some() && !replace {
            return Err(NtStatus::OBJECT_NAME_COLLISION.into());
        }
        if let Some(taken) = &taken {
            renameat(dir, &name, dir, taken)?;
            known.removed(dir, taken);
        }
        let from = taken.as_ref().unwrap_or(&name);
        if *from != new {
            rename_new(dir, from, dir, &new)?;
        }
        known.removed(dir, &name);
        known.made(dir, &new);
        *disk = Some(new);
        Ok(Done::Nothing)
    }
}

impl Streams {
    /// Removes the folders of a file that has no streams any more.
    fn tidy(&self, file: &Stat) {
        let Some(top) = lock(&self.top).clone() else { return };
        let Some((number, born)) = self.place(file) else { return };
        if let Ok(Some(files)) = folder(top.as_fd(), &number, false)
            && unlinkat(&files, &born, AtFlags::REMOVEDIR).is_ok()
        {
            let _ = unlinkat(&top, &number, AtFlags::REMOVEDIR);
        }
    }
}

/// A folder of ours within another; links are not followed.
fn folder(dir: BorrowedFd<'_>, name: &str, make: bool) -> IoResult<Option<OwnedFd>> {
    match openat(dir, name, FOLDER, Mode::empty()) {
        Ok(fd) => return Ok(Some(fd)),
        Err(Errno::NOENT) if make => {}
        Err(Errno::NOENT) => return Ok(None),
        Err(errno) => return Err(errno),
    }
    match mkdirat(dir, name, Mode::from_raw_mode(0o700)) {
        Ok(()) | Err(Errno::EXIST) => openat(dir, name, FOLDER, Mode::empty()).map(Some),
        Err(errno) => Err(errno),
    }
}

/// The names in a folder of ours.
fn entries(dir: BorrowedFd<'_>) -> IoResult<Vec<Vec<u8>>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(dir)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            names.push(name.to_vec());
        }
    }
    Ok(names)
}

/// The name that a stream has now: the one that it had, or another if it was renamed by way of another
/// handle.
fn name_of(dir: BorrowedFd<'_>, had: &[u8], number: u64) -> IoResult<Option<Vec<u8>>> {
    let is_it = |name: &[u8]| Stat::at(dir, name).is_ok_and(|stat| stat.node().file == number);
    if is_it(had) {
        return Ok(Some(had.to_vec()));
    }
    Ok(entries(dir)?.into_iter().find(|name| is_it(name)))
}

/// Removes a folder with streams in it.
fn remove_folder(dir: BorrowedFd<'_>, name: &[u8]) {
    if let Ok(folder) = openat(dir, name, FOLDER, Mode::empty()) {
        for stream in entries(folder.as_fd()).unwrap_or_default() {
            let _ = unlinkat(&folder, &stream, AtFlags::empty());
        }
    }
    let _ = unlinkat(dir, name, AtFlags::REMOVEDIR);
}

/// The name on disk: as it is, but that a dot at its start gets something before it.
fn to_disk(name: &str) -> Result<Vec<u8>, NtStatus> {
    let escape = if name.starts_with(['.', '%']) { "%" } else { "" };
    let disk = [escape.as_bytes(), name.as_bytes()].concat();
    if disk.len() > NAME_MAX { Err(NtStatus::OBJECT_NAME_INVALID) } else { Ok(disk) }
}

/// The stream's name; nothing for a file that is no stream.
fn from_disk(disk: &[u8]) -> Option<&str> {
    let name = str::from_utf8(disk).ok()?;
    let name = name.strip_prefix('%').unwrap_or(name);
    check_stream_name(name).is_ok().then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn o5_names_of_streams_are_one_component_on_disk() {
        for name in [".", "..", "%", ".x", "%.", "a.b", "...", "%%", "ä", "a*b?", "con", "\u{1}"] {
            let disk = to_disk(name).unwrap();
            assert!(!disk.starts_with(b"."), "{name}");
            assert_eq!(from_disk(&disk), Some(name));
        }
        assert_eq!(to_disk(&"ä".repeat(128)), Err(NtStatus::OBJECT_NAME_INVALID));
    }
}
