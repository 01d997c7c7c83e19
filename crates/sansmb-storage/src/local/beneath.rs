//! Opening paths that cannot leave the root.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::{
    fs::{CWD, Mode, OFlags, ResolveFlags, openat, openat2, readlinkat},
    io::{Errno, Result, fcntl_dupfd_cloexec, retry_on_intr},
};

use super::kept::descriptor;

/// How often a path with `..` in a symbolic link is resolved again when something is renamed
/// meanwhile.
const RETRIES: u32 = 64;
/// The folder in the root that no client reaches.
pub(super) const PRIVATE: &str = ".sansmb";
/// Longest path in one call, without the NUL.
const PATH_MAX: usize = 4095;

/// The share's root. The kernel resolves each path beneath it: symbolic links that stay inside are
/// followed; absolute ones and those that lead out fail with EXDEV, whoever swaps what for what
/// meanwhile. Links that jump within `/proc` fail with ELOOP.
///
/// What the server keeps for itself ([`PRIVATE`]) is not beneath the root either: a link that leads
/// there fails with EXDEV, and so does every link where there is no `/proc` to say where it led.
///
/// Where the kernel has no `openat2` (before Linux 5.6, or behind a filter), components are opened
/// one by one and symbolic links are not followed at all.
#[derive(Debug)]
pub(super) struct Root {
    fd: OwnedFd,
    openat2: bool,
}

impl Root {
    pub(super) fn new(fd: OwnedFd) -> Result<Self> {
        match openat2(&fd, ".", OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), resolve()) {
            Ok(_) => Ok(Self { fd, openat2: true }),
            Err(Errno::NOSYS | Errno::PERM) => Ok(Self { fd, openat2: false }),
            Err(errno) => Err(errno),
        }
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// The root itself, which is open already: for everything but reading its entries, where one's place in them would be
    /// everybody's.
    pub(super) fn itself(&self) -> Result<OwnedFd> {
        fcntl_dupfd_cloexec(&self.fd, 0)
    }

    /// Opens a directory to find something in it: with O_PATH, or the root itself.
    pub(super) fn directory(&self, path: &[u8]) -> Result<OwnedFd> {
        if path.is_empty() {
            return self.itself();
        }
        self.open(path, OFlags::PATH | OFlags::DIRECTORY, Mode::empty())
    }

    /// As if the kernel had no `openat2`.
    #[cfg(test)]
    pub(super) fn without_openat2(fd: OwnedFd) -> Self {
        Self { fd, openat2: false }
    }

    /// Opens `path`: components on disk with `/` between them, or nothing for the root itself.
    pub(super) fn open(&self, path: &[u8], flags: OFlags, mode: Mode) -> Result<OwnedFd> {
        let flags = flags | OFlags::CLOEXEC;
        let path = if path.is_empty() { b"." } else { path };
        if is_private(path) {
            return Err(Errno::NOENT);
        }
        if !self.openat2 {
            return self.open_stepwise(path, flags, mode);
        }
        let (mut at, mut rest) = (None::<OwnedFd>, path);
        while rest.len() > PATH_MAX {
            // Longer than one call takes: on from a directory on the way. A link beyond it can then
            // not lead back above it, which is refused.
            let cut = rest[..PATH_MAX].iter().rposition(|b| *b == b'/').ok_or(Errno::NAMETOOLONG)?;
            let dir = at.as_ref().map_or(self.fd(), AsFd::as_fd);
            let step = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
            at = Some(self.open_beneath(dir, &rest[..cut], step, Mode::empty())?);
            rest = &rest[cut + 1..];
        }
        self.open_beneath(at.as_ref().map_or(self.fd(), AsFd::as_fd), rest, flags, mode)
    }

    /// Opens without following links; where one is on the way, looks at where it led.
    fn open_beneath(&self, dir: BorrowedFd<'_>, path: &[u8], flags: OFlags, mode: Mode) -> Result<OwnedFd> {
        let first = if is_name(path) && !flags.intersects(OFlags::PATH | OFlags::DIRECTORY) {
            // Nothing to resolve: a plain call says of a link the same, except of one where a directory is meant, and
            // costs less.
            retry_on_intr(|| openat(dir, path, flags | OFlags::NOFOLLOW, mode))
        } else {
            resolve_beneath(dir, path, flags, mode, resolve() | ResolveFlags::NO_SYMLINKS)
        };
        match first {
            Err(Errno::LOOP) => {}
            result => return result,
        }
        let fd = resolve_beneath(dir, path, flags, mode, resolve())?;
        let led = self.path_of(fd.as_fd()).ok_or(Errno::XDEV)?;
        if is_private(&led) { Err(Errno::XDEV) } else { Ok(fd) }
    }

    /// Where something that is open is now, beneath the root.
    pub(super) fn path_of(&self, fd: BorrowedFd<'_>) -> Option<Vec<u8>> {
        let root = readlinkat(CWD, descriptor(self.fd()), Vec::new()).ok()?.into_bytes();
        let path = readlinkat(CWD, descriptor(fd), Vec::new()).ok()?.into_bytes();
        if path == root {
            return Some(Vec::new());
        }
        let beneath = if root == b"/" {
            path.strip_prefix(b"/")?
        } else {
            path.strip_prefix(&*root)?.strip_prefix(b"/")?
        };
        Some(beneath.to_vec())
    }

    fn open_stepwise(&self, path: &[u8], flags: OFlags, mode: Mode) -> Result<OwnedFd> {
        let mut at: Option<OwnedFd> = None;
        let mut names = path.split(|b| *b == b'/').peekable();
        while let Some(name) = names.next() {
            let dir = at.as_ref().map_or(self.fd.as_fd(), AsFd::as_fd);
            if name == b".." {
                return Err(Errno::XDEV);
            }
            if names.peek().is_none() {
                return openat(dir, name, flags | OFlags::NOFOLLOW, mode);
            }
            let step = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            at = Some(openat(dir, name, step, Mode::empty())?);
        }
        Err(Errno::NOENT)
    }
}

fn resolve_beneath(
    dir: BorrowedFd<'_>,
    path: &[u8],
    flags: OFlags,
    mode: Mode,
    how: ResolveFlags,
) -> Result<OwnedFd> {
    let mut left = RETRIES;
    loop {
        match openat2(dir, path, flags, mode, how) {
            Err(Errno::AGAIN | Errno::INTR) if left > 0 => left -= 1,
            result => return result,
        }
    }
}

/// Whether a path on disk is the name of something in its directory.
fn is_name(path: &[u8]) -> bool {
    !path.contains(&b'/') && path != b"." && path != b".."
}

/// Whether a path on disk leads to what the server keeps for itself.
fn is_private(path: &[u8]) -> bool {
    path.split(|b| *b == b'/').next() == Some(PRIVATE.as_bytes())
}

fn resolve() -> ResolveFlags {
    ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    fn root(dir: &std::path::Path, openat2: bool) -> Root {
        let fd = fs::File::open(dir).unwrap().into();
        if openat2 { Root::new(fd).unwrap() } else { Root::without_openat2(fd) }
    }

    #[test]
    fn o6_neither_way_leaves_the_root() {
        let dir = tempfile::tempdir().unwrap();
        let inside = dir.path().join("root");
        fs::create_dir_all(inside.join("a/b")).unwrap();
        fs::write(inside.join("a/b/file"), "x").unwrap();
        fs::write(dir.path().join("secret"), "x").unwrap();
        symlink("..", inside.join("up")).unwrap();
        symlink("/", inside.join("absolute")).unwrap();
        symlink("a/b", inside.join("within")).unwrap();
        symlink("a/b/file", inside.join("link")).unwrap();
        symlink("../secret", inside.join("leads out")).unwrap();
        for openat2 in [true, false] {
            let root = root(&inside, openat2);
            let open = |path: &str| root.open(path.as_bytes(), OFlags::RDONLY, Mode::empty());
            assert!(open("").is_ok());
            assert!(open("a/b/file").is_ok());
            for path in
                ["..", "../secret", "a/../../secret", "up", "up/secret", "absolute", "absolute/etc", "/etc"]
            {
                assert!(open(path).is_err(), "{path} {openat2}");
            }
            // Without help from the kernel, no link is followed.
            assert_eq!(open("within/file").is_ok(), openat2);
            assert_eq!(open("link").is_ok(), openat2);
            assert_eq!(open("leads out").err(), Some(if openat2 { Errno::XDEV } else { Errno::LOOP }));
        }
    }
}
