//! Security descriptors in the extended attribute `user.sansmb.security`: a version byte (1) and the
//! descriptor in its self-relative form. The attribute `user.sansmb.attributes` says whether there is
//! one, so that a file without costs no further call.
//!
//! Whoever can change these attributes on this machine can change the files as well.

use std::{
    os::fd::BorrowedFd,
    sync::{
        PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use rustix::{
    fs::{XattrFlags, fgetxattr, fsetxattr, getxattr, lgetxattr, setxattr},
    io::Errno,
};
use sansmb::wire::NtStatus;
use sansmb_fileserver::storage::{MAX_DESCRIPTOR, Security, Unix};

use super::{
    errno::status,
    kept::{Kept, descriptor},
    meta::Stat,
};

const XATTR: &str = "user.sansmb.security";
const XATTR_VERSION: u8 = 1;
/// Room that nearly every descriptor fits.
const USUAL_LEN: usize = 1024;

/// With which rights this process meets files.
#[derive(Debug)]
pub(super) struct Process {
    uid: u32,
    groups: Vec<u32>,
}

impl Process {
    pub(super) fn current() -> Self {
        let mut groups: Vec<u32> =
            rustix::process::getgroups().unwrap_or_default().into_iter().map(|gid| gid.as_raw()).collect();
        groups.push(rustix::process::getegid().as_raw());
        Self { uid: rustix::process::geteuid().as_raw(), groups }
    }

    /// What Unix says of a file. Access lists of the file system are not looked at: they can make the
    /// answer of an open another one, never less strict.
    pub(super) fn unix(&self, stat: &Stat) -> Unix {
        let (uid, gid, mode) = (stat.uid(), stat.gid(), stat.mode());
        let bits = if uid == self.uid {
            mode >> 6
        } else if self.groups.contains(&gid) {
            mode >> 3
        } else {
            mode
        };
        let root = self.uid == 0;
        Unix { uid, gid, readable: root || bits & 0o4 != 0, writable: root || bits & 0o2 != 0 }
    }
}

/// What is known of an open file whose other attributes were read already.
pub(super) fn of(
    fd: BorrowedFd<'_>,
    path_only: bool,
    kept: Option<&Kept>,
    unix: Unix,
) -> Result<Security, NtStatus> {
    let stored = if kept.is_some_and(|kept| kept.secured) {
        read(
            |into| {
                if path_only { getxattr(descriptor(fd), XATTR, into) } else { fgetxattr(fd, XATTR, into) }
            },
        )?
    } else {
        None
    };
    Ok(Security { stored, owner: kept.and_then(|kept| kept.owner).map(Box::new), unix: Some(unix) })
}

/// What is known of a path that leads to no symbolic link.
pub(super) fn at(path: &[u8], kept: Option<&Kept>, unix: Unix) -> Result<Security, NtStatus> {
    let stored =
        if kept.is_some_and(|kept| kept.secured) { read(|into| lgetxattr(path, XATTR, into))? } else { None };
    Ok(Security { stored, owner: kept.and_then(|kept| kept.owner).map(Box::new), unix: Some(unix) })
}

/// Reads the attribute. What cannot be read is not taken for missing: that would open the file to all.
fn read(get: impl Fn(&mut [u8]) -> rustix::io::Result<usize>) -> Result<Option<Bytes>, NtStatus> {
    let mut raw = vec![0; USUAL_LEN];
    let got = match get(&mut raw) {
        Err(Errno::RANGE) => {
            raw.resize(1 + MAX_DESCRIPTOR, 0);
            get(&mut raw)
        }
        other => other,
    };
    match got {
        Ok(got) => {
            raw.truncate(got);
            let known = raw.first() == Some(&XATTR_VERSION);
            Ok(Some(if known { Bytes::from(raw).slice(1..) } else { Bytes::new() }))
        }
        Err(Errno::NODATA) => Ok(Some(Bytes::new())),
        Err(errno) => Err(status(errno)),
    }
}

/// Keeps a descriptor with an open file.
pub(super) fn store(fd: BorrowedFd<'_>, path_only: bool, bytes: &[u8]) -> Result<(), NtStatus> {
    let mut raw = Vec::with_capacity(1 + bytes.len());
    raw.push(XATTR_VERSION);
    raw.extend_from_slice(bytes);
    let result = if path_only {
        setxattr(descriptor(fd), XATTR, &raw, XattrFlags::empty())
    } else {
        fsetxattr(fd, XATTR, &raw, XattrFlags::empty())
    };
    result.map_err(|errno| match errno {
        Errno::OPNOTSUPP | Errno::NOSYS => NtStatus::INVALID_DEVICE_REQUEST,
        // Many file systems have room for a few kilobytes only.
        Errno::NOSPC | Errno::RANGE | Errno::TOOBIG => NtStatus::DISK_FULL,
        errno => status(errno),
    })
}

/// Whether the file system of a directory keeps such attributes at all.
pub(super) fn is_supported(dir: BorrowedFd<'_>) -> bool {
    !matches!(fgetxattr(dir, XATTR, &mut [0_u8; 0]), Err(Errno::OPNOTSUPP | Errno::NOSYS))
}

/// Files that are being made. For a moment they are there and have no descriptor yet; whoever opens one
/// just then must not take it for everybody's.
#[derive(Debug, Default)]
pub(super) struct Making {
    started: AtomicU64,
    done: AtomicU64,
    /// Shared by those who make files.
    running: RwLock<()>,
}

impl Making {
    /// How many files are made: see [`Making::none_since`].
    pub(super) fn done(&self) -> u64 {
        self.done.load(Ordering::SeqCst)
    }

    /// Makes a file by `make`, with its descriptor.
    pub(super) fn make<T>(&self, make: impl FnOnce() -> T) -> T {
        let _running = self.running.read().unwrap_or_else(PoisonError::into_inner);
        self.started.fetch_add(1, Ordering::SeqCst);
        let made = make();
        self.done.fetch_add(1, Ordering::SeqCst);
        made
    }

    /// Whether no file was being made since `done` were.
    pub(super) fn none_since(&self, done: u64) -> bool {
        self.started.load(Ordering::SeqCst) == done
    }

    /// Waits until all files have their descriptors that are being made now.
    pub(super) fn wait(&self) {
        drop(self.running.write().unwrap_or_else(PoisonError::into_inner));
    }
}
