//! Metadata of files, and the attributes that Unix has no place for.
//!
//! DOS attributes and the creation time live in the extended attribute `user.sansmb.attributes`: a
//! version byte (1, or 2 where a security descriptor is kept too), the attributes and the creation time
//! (zero for "as the file system says"), both little-endian, and the owner's security identifier where
//! one is known and there is no descriptor. Without it a file has ARCHIVE, a name with a leading dot HIDDEN, and a file that
//! nobody may write READONLY. Where the file system has no extended attributes, changes to them are
//! accepted and lost.

use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::{
    fs::{
        AtFlags, FileType, Statx, StatxFlags, StatxTimestamp, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT,
        XattrFlags, fgetxattr, fsetxattr, futimens, getxattr, lgetxattr, setxattr, statx,
    },
    io::{Errno, Result},
};
use sansmb::wire::{FileAttributes, FileTime, Structure, dtyp::Sid};
use sansmb_fileserver::storage::{Changes, Metadata, NodeId};

use crate::attributes::{settable, shown};

const XATTR: &str = "user.sansmb.attributes";
const XATTR_LEN: usize = 13;
/// The same, and the longest identifier.
const XATTR_ROOM: usize = XATTR_LEN + 8 + 4 * Sid::MAX_SUB_AUTHORITIES;
const XATTR_VERSION: u8 = 1;
/// The same, and there is a security descriptor beside it.
const XATTR_SECURED: u8 = 2;

/// IO_REPARSE_TAG_SYMLINK, [MS-FSCC] 2.1.2.1.
const TAG_SYMLINK: u32 = 0xa000_000c;

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

    /// Changes whenever an entry of the directory does; nobody can set it back.
    pub(super) fn stamp(&self) -> (i64, u32) {
        (self.0.stx_ctime.tv_sec, self.0.stx_ctime.tv_nsec)
    }

    fn defaults(&self, dot: bool) -> Kept {
        let mut attributes = FileAttributes::empty();
        if self.kind() != FileType::Directory {
            attributes |= FileAttributes::ARCHIVE;
            attributes.set(FileAttributes::READONLY, self.0.stx_mode & 0o222 == 0);
        }
        attributes.set(FileAttributes::HIDDEN, dot);
        Kept { attributes, created: FileTime(0), secured: false, owner: None }
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
        let attributes = shown(kept.attributes, directory, kind == FileType::Symlink);
        let regular = kind == FileType::RegularFile;
        Metadata {
            node: self.node(),
            created: if kept.created == FileTime(0) { self.born() } else { kept.created },
            accessed: time(self.0.stx_atime),
            written: time(self.0.stx_mtime),
            changed: time(self.0.stx_ctime),
            length: if regular { self.0.stx_size } else { 0 },
            allocated: if regular { self.allocated() } else { 0 },
            attributes,
            links: if directory { self.0.stx_nlink.min(1) } else { self.0.stx_nlink },
            reparse_tag: if kind == FileType::Symlink { TAG_SYMLINK } else { 0 },
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

/// What the extended attribute holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kept {
    attributes: FileAttributes,
    created: FileTime,
    /// A security descriptor is kept in an attribute of its own.
    pub(super) secured: bool,
    /// Who owns it, without a descriptor.
    pub(super) owner: Option<Sid>,
}

impl Kept {
    fn parse(raw: &[u8]) -> Option<Self> {
        let (fixed, owner) = raw.split_first_chunk::<XATTR_LEN>()?;
        let (version, rest) = fixed.split_first()?;
        let (attributes, created) = rest.split_first_chunk()?;
        matches!(*version, XATTR_VERSION | XATTR_SECURED).then_some(Self {
            attributes: FileAttributes::from_bits_retain(u32::from_le_bytes(*attributes)),
            created: FileTime(u64::from_le_bytes(created.try_into().ok()?)),
            secured: *version == XATTR_SECURED,
            owner: if owner.is_empty() { None } else { Some(Sid::decode(owner).ok()?) },
        })
    }

    fn bytes(self) -> Vec<u8> {
        let mut raw = vec![if self.secured { XATTR_SECURED } else { XATTR_VERSION }];
        raw.extend_from_slice(&self.attributes.bits().to_le_bytes());
        raw.extend_from_slice(&self.created.0.to_le_bytes());
        if let Some(owner) = self.owner {
            raw.extend(owner.to_vec());
        }
        raw
    }

    /// Of an open file. `path_only` says that it was opened with O_PATH, which `fgetxattr` refuses.
    pub(super) fn of(fd: BorrowedFd<'_>, path_only: bool) -> Option<Self> {
        let mut raw = [0_u8; XATTR_ROOM];
        let got = if path_only {
            getxattr(descriptor(fd), XATTR, &mut raw)
        } else {
            fgetxattr(fd, XATTR, &mut raw)
        };
        Self::parse(raw.get(..got.ok()?)?)
    }

    /// Of a name in a directory that is no symbolic link.
    pub(super) fn at(dir: BorrowedFd<'_>, name: &[u8]) -> Option<Self> {
        let mut raw = [0_u8; XATTR_ROOM];
        let got = lgetxattr(beneath(dir, name), XATTR, &mut raw).ok()?;
        Self::parse(raw.get(..got)?)
    }

    fn store(self, fd: BorrowedFd<'_>, path_only: bool) -> Result<()> {
        let result = if path_only {
            setxattr(descriptor(fd), XATTR, &self.bytes(), XattrFlags::empty())
        } else {
            fsetxattr(fd, XATTR, &self.bytes(), XattrFlags::empty())
        };
        match result {
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(()),
            other => other,
        }
    }
}

/// The path under which the kernel knows an open descriptor.
pub(super) fn descriptor(fd: BorrowedFd<'_>) -> String {
    format!("/proc/self/fd/{}", fd.as_raw_fd())
}

/// The path of a name in an open directory.
pub(super) fn beneath(dir: BorrowedFd<'_>, name: &[u8]) -> Vec<u8> {
    let mut path = descriptor(dir).into_bytes();
    path.push(b'/');
    path.extend_from_slice(name);
    path
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
    let attributes = settable(wanted) | hidden;
    if attributes == kept.attributes && !secured && owner.is_none() {
        return Ok(None);
    }
    kept.attributes = attributes;
    kept.secured = secured;
    kept.owner = owner;
    match kept.store(fd, false) {
        Ok(()) => Ok(Some(kept)),
        Err(errno) if secured => Err(errno),
        // The file is there; that it lacks an attribute is no reason to say otherwise.
        Err(_) => Ok(None),
    }
}

/// Sets times and attributes of an open file.
pub(super) fn change(fd: BorrowedFd<'_>, path_only: bool, dot: bool, changes: &Changes) -> Result<()> {
    if changes.attributes.is_some() || changes.created.is_some() {
        let before = match Kept::of(fd, path_only) {
            Some(kept) => kept,
            None => Stat::of(fd)?.defaults(dot),
        };
        let after = Kept {
            attributes: changes.attributes.map_or(before.attributes, settable),
            created: changes.created.unwrap_or(before.created),
            ..before
        };
        if after != before {
            after.store(fd, path_only)?;
        }
    }
    if changes.accessed.is_some() || changes.written.is_some() {
        let times = Timestamps {
            last_access: timespec(changes.accessed),
            last_modification: timespec(changes.written),
        };
        set_times(fd, path_only, &times)?;
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
