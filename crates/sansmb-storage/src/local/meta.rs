//! Metadata of files: what the file system says, and what is kept beside it.

use std::{
    os::fd::BorrowedFd,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rustix::{
    fs::{
        AtFlags, FileType, Statx, StatxFlags, StatxTimestamp, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT,
        futimens, statx,
    },
    io::Result,
    time::{ClockId, clock_gettime},
};
use sansmb::wire::{FileAttributes, FileTime, dtyp::Sid, fsctl::ReparseTag};
use sansmb_fileserver::storage::{Changes, Metadata, NodeId};

use super::kept::{Instead, Kept, descriptor};
use crate::attributes::{settable, shown};

/// The change time may be ahead of what was written down of it by so much (20 ms): to write it down
/// changes it.
const SLACK: u64 = 200_000;
/// Tries to write down the change time within that.
const TRIES: u32 = 5;

/// Change times coarser than this are unheard of among file systems that matter here.
pub(super) const TICK: Duration = Duration::from_secs(1);
/// Two of the longest ticks of the clock that file systems with finer ones read.
const FINE_TICKS: Duration = Duration::from_millis(20);

/// A change time: seconds and nanoseconds.
pub(super) type Stamp = (i64, u32);

/// What `statx` said.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stat(Statx);

impl Stat {
    pub(super) fn of(fd: BorrowedFd<'_>) -> Result<Self> {
        statx(fd, "", AtFlags::EMPTY_PATH, wanted()).map(Self)
    }

    /// Of a name itself, not of what it may point to.
    pub(super) fn at(dir: BorrowedFd<'_>, name: &[u8]) -> Result<Self> {
        statx(dir, name, AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT, wanted()).map(Self)
    }

    pub(super) fn node(&self) -> NodeId {
        let volume = u64::from(self.0.stx_dev_major) << 32 | u64::from(self.0.stx_dev_minor);
        NodeId { volume, file: self.0.stx_ino, stream: 0 }
    }

    pub(super) fn kind(&self) -> FileType {
        FileType::from_raw_mode(u32::from(self.0.stx_mode))
    }

    pub(super) fn uid(&self) -> u32 {
        self.0.stx_uid
    }

    pub(super) fn gid(&self) -> u32 {
        self.0.stx_gid
    }

    pub(super) fn mode(&self) -> u32 {
        self.0.stx_mode.into()
    }

    pub(super) fn size(&self) -> u64 {
        self.0.stx_size
    }

    /// When it was made, as the file system says; with the file number it names a file for good.
    pub(super) fn birth(&self) -> Option<(i64, u32)> {
        let known = self.0.stx_mask & StatxFlags::BTIME.bits() != 0;
        known.then_some((self.0.stx_btime.tv_sec, self.0.stx_btime.tv_nsec))
    }

    pub(super) fn links(&self) -> u32 {
        self.0.stx_nlink
    }

    pub(super) fn allocated(&self) -> u64 {
        self.0.stx_blocks.saturating_mul(512)
    }

    /// Changes whenever an entry of the directory or an attribute of the file does; nobody can set it back.
    pub(super) fn stamp(&self) -> Stamp {
        (self.0.stx_ctime.tv_sec, self.0.stx_ctime.tv_nsec)
    }

    /// Whether a change right now could get the same stamp.
    #[expect(clippy::disallowed_methods, reason = "compared with what the file system's clock said")]
    pub(super) fn is_recent(&self) -> bool {
        let (seconds, nanos) = self.stamp();
        let Ok(now) = SystemTime::now().duration_since(UNIX_EPOCH) else { return true };
        let Ok(seconds) = u64::try_from(seconds) else { return false };
        now.checked_sub(Duration::new(seconds, nanos)).is_none_or(|age| age < TICK)
    }

    /// Whether every change from now on gets another stamp, where the file system takes it from the system's coarse
    /// clock. What is asked after this and holds for this stamp holds for as long as the stamp does.
    pub(super) fn is_settled(&self) -> bool {
        Duration::try_from(clock_gettime(ClockId::RealtimeCoarse)).is_ok_and(|now| self.is_settled_at(now))
    }

    /// The same where that clock says `now`.
    pub(super) fn is_settled_at(&self, now: Duration) -> bool {
        let (seconds, nanos) = self.stamp();
        let Ok(seconds) = u64::try_from(seconds) else { return false };
        // Whole seconds may be all that the file system has room for.
        let tick = if nanos == 0 { TICK } else { FINE_TICKS };
        now.checked_sub(Duration::new(seconds, nanos)).is_some_and(|age| age > tick)
    }

    /// The same of a file that was changed at another time.
    #[cfg(test)]
    pub(super) fn changed_at(mut self, (seconds, nanos): Stamp) -> Self {
        (self.0.stx_ctime.tv_sec, self.0.stx_ctime.tv_nsec) = (seconds, nanos);
        self
    }

    /// The same of another file.
    #[cfg(test)]
    pub(super) fn of_file(mut self, number: u64) -> Self {
        self.0.stx_ino = number;
        self
    }

    pub(super) fn defaults(&self, dot: bool) -> Kept {
        let mut attributes = FileAttributes::empty();
        if self.kind() != FileType::Directory {
            attributes |= FileAttributes::ARCHIVE;
            attributes.set(FileAttributes::READONLY, self.0.stx_mode & 0o222 == 0);
        }
        attributes.set(FileAttributes::HIDDEN, dot);
        Kept { attributes, ..Kept::default() }
    }

    fn born(&self) -> FileTime {
        if self.0.stx_mask & StatxFlags::BTIME.bits() != 0 {
            time(self.0.stx_btime)
        } else {
            time(self.0.stx_mtime).min(time(self.0.stx_ctime))
        }
    }

    /// Metadata with `kept` from the extended attribute, or its absence. `dot` says that the name
    /// makes the file hidden.
    pub(super) fn metadata(&self, kept: Option<Kept>, dot: bool) -> Metadata {
        let kept = kept.unwrap_or_else(|| self.defaults(dot));
        let kind = self.kind();
        let directory = kind == FileType::Directory;
        let reparse_tag = if kind == FileType::Symlink { ReparseTag::SYMLINK.0 } else { kept.reparse_tag };
        let attributes = shown(kept.attributes, directory, reparse_tag != 0);
        let regular = kind == FileType::RegularFile;
        Metadata {
            node: self.node(),
            created: if kept.created == FileTime(0) { self.born() } else { kept.created },
            accessed: kept.accessed.time(time(self.0.stx_atime), 0),
            written: kept.written.time(time(self.0.stx_mtime), 0),
            changed: kept.changed.time(time(self.0.stx_ctime), SLACK),
            length: if regular { self.0.stx_size } else { 0 },
            allocated: if regular { self.allocated() } else { 0 },
            attributes,
            links: if directory { self.0.stx_nlink.min(1) } else { self.0.stx_nlink },
            reparse_tag,
            ea_size: 0,
        }
    }
}

fn wanted() -> StatxFlags {
    StatxFlags::BASIC_STATS | StatxFlags::BTIME
}

fn time(t: StatxTimestamp) -> FileTime {
    FileTime::from_unix(t.tv_sec, t.tv_nsec)
}

/// Notes that a security descriptor is kept with an open file.
pub(super) fn note_secured(fd: BorrowedFd<'_>, path_only: bool, dot: bool) -> Result<()> {
    let kept = match Kept::of(fd, path_only) {
        Some(kept) => kept,
        None => Stat::of(fd)?.defaults(dot),
    };
    if kept.secured { Ok(()) } else { Kept { secured: true, owner: None, ..kept }.store(fd, path_only) }
}

/// Gives what was just made its attributes; only where they differ from those it has without.
/// `secured` says that it has a security descriptor; otherwise `owner` owns it.
pub(super) fn set_first(
    fd: BorrowedFd<'_>,
    stat: &Stat,
    wanted: FileAttributes,
    dot: bool,
    secured: bool,
    owner: Option<Sid>,
) -> Result<Option<Kept>> {
    let mut kept = stat.defaults(dot);
    let hidden = kept.attributes & FileAttributes::HIDDEN;
    let attributes = settable(wanted).difference(FileAttributes::COMPRESSED) | hidden;
    if attributes == kept.attributes && !secured && owner.is_none() {
        return Ok(None);
    }
    kept.attributes = attributes;
    kept.secured = secured;
    kept.owner = owner;
    match kept.store_first(fd) {
        Ok(()) => Ok(Some(kept)),
        Err(errno) if secured => Err(errno),
        // The file is there; that it lacks an attribute is no reason to say otherwise.
        Err(_) => Ok(None),
    }
}

/// Sets times and attributes of an open file. Times that the file system cannot hold are kept beside
/// it, and so is the change time.
pub(super) fn change(fd: BorrowedFd<'_>, path_only: bool, dot: bool, changes: &Changes) -> Result<()> {
    if *changes == Changes::default() {
        return Ok(());
    }
    if changes.accessed.is_some() || changes.written.is_some() {
        let times = Timestamps {
            last_access: timespec(changes.accessed),
            last_modification: timespec(changes.written),
        };
        set_times(fd, path_only, &times)?;
    }
    let stat = Stat::of(fd)?;
    let known = Kept::of(fd, path_only);
    let before = known.unwrap_or_else(|| stat.defaults(dot));
    let instead = |meant: Option<FileTime>, says, before| match meant {
        Some(meant) if meant == says => Instead::default(),
        Some(meant) => Instead { meant, says },
        None => before,
    };
    let mut after = Kept {
        attributes: changes.attributes.map_or(before.attributes, settable),
        created: changes.created.unwrap_or(before.created),
        accessed: instead(changes.accessed, time(stat.0.stx_atime), before.accessed),
        written: instead(changes.written, time(stat.0.stx_mtime), before.written),
        changed: instead(changes.changed, time(stat.0.stx_ctime), Instead::default()),
        ..before
    };
    let Some(meant) = changes.changed else {
        return if after == before { Ok(()) } else { after.store(fd, path_only) };
    };
    for _ in 0..TRIES {
        after.store(fd, path_only)?;
        let says = time(Stat::of(fd)?.0.stx_ctime);
        if after.changed.time(says, SLACK) == meant {
            break;
        }
        after.changed = Instead { meant, says };
    }
    Ok(())
}

/// Sets the last write time to now.
pub(super) fn touch(fd: BorrowedFd<'_>, path_only: bool) -> Result<()> {
    let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
    set_times(fd, path_only, &Timestamps { last_access: timespec(None), last_modification: now })
}

fn set_times(fd: BorrowedFd<'_>, path_only: bool, times: &Timestamps) -> Result<()> {
    if path_only {
        rustix::fs::utimensat(rustix::fs::CWD, descriptor(fd), times, AtFlags::empty())
    } else {
        futimens(fd, times)
    }
}

fn timespec(time: Option<FileTime>) -> Timespec {
    match time {
        Some(time) => {
            let (tv_sec, nanos) = time.to_unix();
            Timespec { tv_sec, tv_nsec: nanos.into() }
        }
        None => Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
    }
}
