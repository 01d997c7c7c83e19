//! Extended attributes of names in a directory.
//!
//! Linux asks for them by a path, and has none that begins at an open directory but the one through
//! `/proc/self/fd`, which takes longer to walk than the question takes to answer. A thread with a working
//! directory of its own goes there, and the name alone will do.

use std::{
    borrow::Cow,
    cell::Cell,
    os::fd::{AsRawFd, BorrowedFd},
};

use rustix::{
    process::{chdir, fchdir},
    thread::UnshareFlags,
};

thread_local! {
    /// Whether the working directory is this thread's alone.
    static OWN: Cell<bool> = const { Cell::new(false) };
}

/// Gives this thread a working directory of its own, where the system lets it.
pub(super) fn part_working_directory() {
    #[expect(deprecated, reason = "what can go wrong with descriptors cannot with working directories")]
    let parted = rustix::thread::unshare(UnshareFlags::FS);
    OWN.set(parted.is_ok());
}

/// The names in an open directory.
#[derive(Debug)]
pub(super) struct Names<'d> {
    dir: BorrowedFd<'d>,
    /// It is the working directory of this thread.
    entered: bool,
}

impl<'d> Names<'d> {
    pub(super) fn of(dir: BorrowedFd<'d>) -> Self {
        Self { dir, entered: false }
    }

    /// The same for many questions: makes it the working directory of a thread that has its own.
    pub(super) fn enter(dir: BorrowedFd<'d>) -> Self {
        Self { dir, entered: OWN.get() && fchdir(dir).is_ok() }
    }

    /// A path that leads to a name from this thread.
    pub(super) fn path<'n>(&self, name: &'n [u8]) -> Cow<'n, [u8]> {
        if self.entered {
            return Cow::Borrowed(name);
        }
        let mut path = format!("/proc/self/fd/{}/", self.dir.as_raw_fd()).into_bytes();
        path.extend_from_slice(name);
        Cow::Owned(path)
    }
}

impl Drop for Names<'_> {
    fn drop(&mut self) {
        if self.entered {
            // Nobody keeps a file system from being unmounted by being idle in it.
            let _ = chdir("/");
        }
    }
}
