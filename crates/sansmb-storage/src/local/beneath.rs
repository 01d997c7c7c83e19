//! Opening paths that cannot leave the root.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::{
    fs::{Mode, OFlags, ResolveFlags, openat, openat2},
    io::{Errno, Result},
};

/// How often a path with `..` in a symbolic link is resolved again when something is renamed
/// meanwhile.
const RETRIES: u32 = 64;
/// Longest path in one call, without the NUL.
const PATH_MAX: usize = 4095;

/// The share's root. The kernel resolves each path beneath it: symbolic links that stay inside are
/// followed; absolute ones and those that lead out fail with EXDEV, whoever swaps what for what
/// meanwhile. Links that jump within `/proc` fail with ELOOP.
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

    /// As if the kernel had no `openat2`.
    #[cfg(test)]
    pub(super) fn without_openat2(fd: OwnedFd) -> Self {
        Self { fd, openat2: false }
    }

    /// Opens `path`: components on disk with `/` between them, or nothing for the root itself.
    pub(super) fn open(&self, path: &[u8], flags: OFlags, mode: Mode) -> Result<OwnedFd> {
        let flags = flags | OFlags::CLOEXEC;
        let path = if path.is_empty() { b"." } else { path };
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
            at = Some(open_beneath(dir, &rest[..cut], step, Mode::empty())?);
            rest = &rest[cut + 1..];
        }
        open_beneath(at.as_ref().map_or(self.fd(), AsFd::as_fd), rest, flags, mode)
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

fn open_beneath(dir: BorrowedFd<'_>, path: &[u8], flags: OFlags, mode: Mode) -> Result<OwnedFd> {
    let mut left = RETRIES;
    loop {
        match openat2(dir, path, flags, mode, resolve()) {
            Err(Errno::AGAIN | Errno::INTR) if left > 0 => left -= 1,
            result => return result,
        }
    }
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
        }
    }
}
