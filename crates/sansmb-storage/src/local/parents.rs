//! Directories that stay open for a moment, because files are removed from them one after the other.
//!
//! To open the directory takes as long as to remove a file from it. Whoever uses one of these checks that what is
//! meant is there under its name, so it does no harm that the directory may be elsewhere by now.

use std::{
    mem,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use sansmb_fileserver::storage::NodeId;

use super::meta::Stat;
use crate::slab::lock;

/// How long one stays open that nobody uses, and twice that at most: a directory that is open keeps its file
/// system from being unmounted.
const MOMENT: Duration = Duration::from_secs(1);
/// Most that are open at a time.
const DIRECTORIES: usize = 8;

/// A directory that is open to find something in it.
#[derive(Debug)]
pub(super) struct Parent {
    fd: OwnedFd,
    id: NodeId,
    /// Path on disk beneath the root, where it was found.
    path: Box<[u8]>,
}

impl Parent {
    pub(super) fn new(fd: OwnedFd, path: &[u8]) -> rustix::io::Result<Self> {
        let id = Stat::of(fd.as_fd())?.node();
        Ok(Self { fd, id, path: path.into() })
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    pub(super) fn id(&self) -> NodeId {
        self.id
    }
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Parents {
    held: Arc<Mutex<Held>>,
    moment: Duration,
}

impl Default for Parents {
    fn default() -> Self {
        Self { held: Arc::default(), moment: MOMENT }
    }
}

#[derive(Debug, Default)]
struct Held {
    dirs: Vec<HeldOne>,
    /// Where something was removed from last. Only with the second file is there reason to expect a third.
    last: Box<[u8]>,
    /// A thread closes what nobody uses.
    watched: bool,
}

#[derive(Debug)]
struct HeldOne {
    dir: Arc<Parent>,
    used: bool,
}

impl Parents {
    /// The directory that was at this path a moment ago.
    pub(super) fn find(&self, path: &[u8]) -> Option<Arc<Parent>> {
        let mut held = lock(&self.held);
        let one = held.dirs.iter_mut().find(|one| *one.dir.path == *path)?;
        one.used = true;
        Some(Arc::clone(&one.dir))
    }

    /// Something was removed from a directory, and maybe more will be.
    pub(super) fn removed_from(&self, dir: &Arc<Parent>) {
        let mut held = lock(&self.held);
        if held.last != dir.path {
            held.last.clone_from(&dir.path);
            return;
        }
        if held.dirs.iter().any(|one| Arc::ptr_eq(&one.dir, dir)) || !self.watch(&mut held) {
            return;
        }
        held.dirs.retain(|one| one.dir.path != dir.path);
        if held.dirs.len() >= DIRECTORIES {
            held.dirs.remove(0);
        }
        held.dirs.push(HeldOne { dir: Arc::clone(dir), used: true });
    }

    /// A directory was removed.
    pub(super) fn gone(&self, id: NodeId) {
        lock(&self.held).dirs.retain(|one| one.dir.id != id);
    }

    /// Closes all of them.
    pub(super) fn close(&self) {
        lock(&self.held).dirs.clear();
    }

    /// Sees to it that what is held is closed; whether somebody does.
    fn watch(&self, held: &mut Held) -> bool {
        if !held.watched {
            let (all, moment) = (Arc::clone(&self.held), self.moment);
            let watch = move || {
                loop {
                    thread::sleep(moment);
                    let mut held = lock(&all);
                    held.dirs.retain_mut(|one| mem::take(&mut one.used));
                    held.watched = !held.dirs.is_empty();
                    if !held.watched {
                        return;
                    }
                }
            };
            held.watched = thread::Builder::new().name("sansmb-parents".into()).spawn(watch).is_ok();
        }
        held.watched
    }
}

#[cfg(test)]
mod tests {
    use std::{fs::File, sync::Weak};

    use super::*;

    fn dir(path: &[u8]) -> Arc<Parent> {
        Arc::new(Parent::new(File::open(".").unwrap().into(), path).unwrap())
    }

    /// With moments that do not end while a test runs.
    fn long() -> Parents {
        Parents { moment: Duration::from_secs(3600), ..Parents::default() }
    }

    fn closed(dir: &Weak<Parent>) -> bool {
        (0..2000).any(|_| {
            thread::sleep(Duration::from_millis(5));
            dir.strong_count() == 0
        })
    }

    #[test]
    fn a_directory_stays_open_from_the_second_removal_on() {
        let (parents, one, other) = (long(), dir(b"a"), dir(b"b"));
        parents.removed_from(&one);
        assert!(parents.find(b"a").is_none());
        parents.removed_from(&other);
        parents.removed_from(&one);
        assert!(parents.find(b"a").is_none());
        parents.removed_from(&one);
        assert!(Arc::ptr_eq(&parents.find(b"a").unwrap(), &one));
        assert!(parents.find(b"b").is_none());
    }

    #[test]
    fn it_is_closed_a_moment_after_it_was_used_last() {
        let parents = Parents { moment: Duration::from_millis(5), ..Parents::default() };
        // For the second one somebody has to see to it again.
        for _ in 0..2 {
            let one = dir(b"a");
            (0..2).for_each(|_| parents.removed_from(&one));
            let weak = Arc::downgrade(&one);
            drop(one);
            assert!(closed(&weak));
        }
    }

    #[test]
    fn it_is_closed_when_it_is_removed_and_when_the_share_goes_away() {
        let (parents, one) = (long(), dir(b"a"));
        let ways: [fn(&Parents, NodeId); 2] = [Parents::gone, |parents, _| parents.close()];
        for gone in ways {
            (0..2).for_each(|_| parents.removed_from(&one));
            assert!(parents.find(b"a").is_some());
            gone(&parents, one.id());
            assert!(parents.find(b"a").is_none());
        }
    }

    #[test]
    fn there_are_never_many() {
        let (parents, last) = (long(), 2 * DIRECTORIES as u8);
        for number in 1..=last {
            let dir = dir(&[number]);
            (0..2).for_each(|_| parents.removed_from(&dir));
            assert!(lock(&parents.held).dirs.len() <= DIRECTORIES);
        }
        assert!(parents.find(&[last]).is_some());
    }
}
