//! Changes that others on this machine make, for directories that clients watch.
//!
//! One inotify instance a share, made with the first watch. The kernel queues an event before the
//! system call that causes it returns. So what this server does itself is told apart without
//! guessing: while it works on a path, the path stands in a table; before it is taken out, the queue is
//! read to its end, and events of that path are dropped on the way.

mod state;

use std::{
    mem::MaybeUninit,
    os::fd::{AsFd, OwnedFd},
    sync::{
        Arc, Condvar, Mutex, PoisonError, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use rustix::{
    event::{EventfdFlags, PollFd, PollFlags, eventfd, poll},
    fs::{
        Dir, FileType, Mode, OFlags, Timespec,
        inotify::{self, CreateFlags, Reader, WatchFlags},
    },
    io::Errno,
};
use sansmb::wire::NtStatus;
use sansmb_fileserver::storage::{Completion, Existence, Handle, Job, Outcome, SharePath};

use self::state::{Due, State};
use super::{
    Inner,
    beneath::Root,
    kept::descriptor,
    names,
    node::{Node, join},
};
use crate::{fold, slab::lock};

/// What is told of a directory.
const EVENTS: WatchFlags = WatchFlags::CREATE
    .union(WatchFlags::DELETE)
    .union(WatchFlags::MODIFY)
    .union(WatchFlags::ATTRIB)
    .union(WatchFlags::MOVED_FROM)
    .union(WatchFlags::MOVED_TO)
    .union(WatchFlags::ONLYDIR);
/// The two halves of a rename come right behind each other; the second is waited for so long.
const SECOND_HALF: Timespec = Timespec { tv_sec: 0, tv_nsec: 10_000_000 };
/// Bytes of events that are read at once.
const BUFFER: usize = 16 << 10;

/// The directories of a share that are watched.
#[derive(Debug, Default)]
pub(super) struct Watches {
    /// How many watches there are: while there is none, what the server does costs nothing more.
    count: AtomicUsize,
    state: Mutex<State>,
    /// [`State::looking_at_own`] has become less.
    looked: Condvar,
}

/// What the kernel tells, and how its reader is woken for other reasons.
#[derive(Debug)]
pub(super) struct Queue {
    inotify: OwnedFd,
    wake: OwnedFd,
}

/// Something that this server does itself, until it is done.
#[derive(Debug)]
pub(super) struct Own<'a> {
    inner: &'a Inner,
    id: u64,
}

impl Drop for Own<'_> {
    fn drop(&mut self) {
        self.inner.watches.drain(&self.inner.root, Some(self.id), false);
    }
}

impl Watches {
    /// Waits for a change in the directory `node`. Whether everything beneath still has to be found
    /// with [`Watches::scan`].
    pub(super) fn watch(&self, inner: &Arc<Inner>, handle: Handle, tree: bool, done: Completion) -> bool {
        let node = match inner.directory(handle) {
            Ok(node) => node,
            Err(status) => {
                done(Err(status));
                return false;
            }
        };
        let mut state = lock(&self.state);
        let fresh = !state.knows(handle);
        let result = if fresh { self.start(&mut state, inner, handle, &node, tree) } else { Ok(()) };
        let due = match result {
            Ok(()) => state.wait(handle, done),
            Err(status) => vec![(done, Err(status))],
        };
        drop(state);
        call(due);
        fresh && tree && result.is_ok()
    }

    fn start(
        &self,
        state: &mut State,
        inner: &Arc<Inner>,
        handle: Handle,
        node: &Node,
        tree: bool,
    ) -> Result<(), NtStatus> {
        let queue = match &state.queue {
            Some(queue) => Arc::clone(queue),
            None => {
                let queue = Arc::new(Queue::new().map_err(|_| NtStatus::NOT_SUPPORTED)?);
                let (reader, inner) = (Arc::clone(&queue), Arc::downgrade(inner));
                let thread = thread::Builder::new().name("sansmb-watch".into());
                thread.spawn(move || reader.serve(&inner)).map_err(|_| NtStatus::INSUFFICIENT_RESOURCES)?;
                state.queue = Some(Arc::clone(&queue));
                queue
            }
        };
        let number = queue.add(node.fd()).map_err(|errno| match errno {
            Errno::NOSPC | Errno::NOMEM => NtStatus::INSUFFICIENT_RESOURCES,
            _ => NtStatus::NOT_SUPPORTED,
        })?;
        state.begin(handle, node.path().to_vec(), tree, number);
        self.count.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Ends a watch, if there is one.
    pub(super) fn unwatch(&self, handle: Handle) {
        if self.count.load(Ordering::Relaxed) == 0 {
            return;
        }
        let mut state = lock(&self.state);
        if state.knows(handle) {
            self.count.fetch_sub(1, Ordering::Relaxed);
        }
        let due = state.end(handle);
        drop(state);
        call(due);
    }

    /// Ends all watches and the thread that reads.
    pub(super) fn close(&self) {
        let mut state = lock(&self.state);
        let due = state.close();
        self.count.store(0, Ordering::Relaxed);
        if let Some(queue) = state.queue.take() {
            queue.wake();
        }
        drop(state);
        call(due);
    }

    /// Says that this server now works on some paths, until what is returned is dropped.
    pub(super) fn own<'a>(&self, inner: &'a Inner, job: &Job) -> Option<Own<'a>> {
        if self.count.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let paths = inner.touched(job);
        if paths.is_empty() {
            return None;
        }
        let id = lock(&self.state).work_on(paths);
        Some(Own { inner, id })
    }

    /// A directory that this server renamed keeps its watches.
    pub(super) fn renamed(&self, from: &[u8], to: &[u8]) {
        if self.count.load(Ordering::Relaxed) > 0 {
            lock(&self.state).renamed(from, to);
        }
    }

    /// Takes in what the kernel has to tell, then ends the work `ended` of this server. `overdue`
    /// says that nobody waits for the second half of a rename any more.
    ///
    /// When work has ended, the directories that it made are watched: what others put there is told. Whoever reads of
    /// one first looks at it, and everybody whose work ends waits for that.
    fn drain(&self, root: &Root, ended: Option<u64>, overdue: bool) {
        let mut state = lock(&self.state);
        let queue = state.queue.clone();
        let found = queue.as_ref().map(|queue| queue.read(&mut state)).unwrap_or_default();
        let found: Vec<_> = found
            .into_iter()
            .map(|(handle, path, tell)| {
                let looking = (!tell).then(|| Looking::begin(self, &mut state));
                (handle, path, tell, looking)
            })
            .collect();
        if overdue {
            state.give_up_half();
        }
        if let Some(id) = ended {
            state.work_done(id);
        }
        if let Some(queue) = queue.filter(|_| ended.is_some() && state.has_half()) {
            queue.wake();
        }
        drop(state);
        // Before anybody is told: who sees a directory must hear of what comes into it next.
        for (handle, path, tell, _looking) in found {
            self.scan(root, handle, path, tell);
        }
        let waits = |state: &mut State| ended.is_some() && state.looking_at_own > 0;
        let state = self.looked.wait_while(lock(&self.state), waits);
        let due = state.unwrap_or_else(PoisonError::into_inner).due();
        call(due);
    }

    /// Watches a directory that was found beneath a watched one, and all that are beneath it; `tell`
    /// says that what is in them came just now.
    pub(super) fn scan(&self, root: &Root, handle: Handle, path: Vec<u8>, tell: bool) {
        let mut stack = vec![path];
        while let Some(path) = stack.pop() {
            let Some(full) = lock(&self.state).full_path(handle, &path) else { return };
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW;
            let Ok(fd) = root.open(&full, flags, Mode::empty()) else { continue };
            {
                let mut state = lock(&self.state);
                let Some(queue) = state.queue.clone().filter(|_| state.has_room(handle)) else { return };
                match queue.add(fd.as_fd()) {
                    Ok(number) => state.place(handle, path.clone(), number),
                    Err(_) => return,
                }
            }
            let mut told = Vec::new();
            for entry in Dir::new(fd).into_iter().flatten().flatten() {
                let name = entry.file_name().to_bytes();
                if name == b"." || name == b".." {
                    continue;
                }
                let directory = entry.file_type() == FileType::Directory;
                if directory {
                    stack.push(join(&path, name));
                }
                if tell {
                    told.push((join(&path, name), directory));
                }
            }
            if !told.is_empty() {
                let mut state = lock(&self.state);
                for (path, directory) in told {
                    state.appeared(handle, &path, directory);
                }
            }
        }
    }
}

/// While this is there, a directory that this server made is looked at.
struct Looking<'w>(&'w Watches);

impl<'w> Looking<'w> {
    fn begin(watches: &'w Watches, state: &mut State) -> Self {
        state.looking_at_own += 1;
        Self(watches)
    }
}

impl Drop for Looking<'_> {
    fn drop(&mut self) {
        lock(&self.0.state).looking_at_own -= 1;
        self.0.looked.notify_all();
    }
}

/// Calls completions, which no lock is held for.
fn call(due: Due) {
    for (done, outcome) in due {
        done(outcome);
    }
}

impl Queue {
    fn new() -> rustix::io::Result<Self> {
        Ok(Self {
            inotify: inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?,
            wake: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
        })
    }

    fn add(&self, dir: std::os::fd::BorrowedFd<'_>) -> rustix::io::Result<i32> {
        inotify::add_watch(&self.inotify, descriptor(dir), EVENTS)
    }

    pub(super) fn remove(&self, number: i32) {
        // It is gone already where the directory is.
        let _ = inotify::remove_watch(&self.inotify, number);
    }

    fn wake(&self) {
        // A counter that is full wakes as well.
        let _ = rustix::io::write(&self.wake, &1u64.to_ne_bytes());
    }

    /// Reads all that there is; gives the directories that appeared.
    fn read(&self, state: &mut State) -> Vec<(Handle, Vec<u8>, bool)> {
        let mut buffer = [MaybeUninit::uninit(); BUFFER];
        let mut reader = Reader::new(&self.inotify, &mut buffer);
        let mut found = Vec::new();
        loop {
            match reader.next() {
                Ok(event) => {
                    let name = event.file_name().map(|name| name.to_bytes()).unwrap_or_default();
                    state.event(event.wd(), event.events(), event.cookie(), name, &mut found);
                }
                Err(Errno::INTR) => {}
                Err(_) => return found,
            }
        }
    }

    /// Reads what comes while nobody else does, until the share is gone.
    fn serve(&self, inner: &Weak<Inner>) {
        loop {
            let half = inner.upgrade().is_some_and(|inner| lock(&inner.watches.state).has_half());
            let mut fds = [PollFd::new(&self.inotify, PollFlags::IN), PollFd::new(&self.wake, PollFlags::IN)];
            let ready = match poll(&mut fds, half.then_some(&SECOND_HALF)) {
                Ok(ready) => ready,
                Err(Errno::INTR) => continue,
                Err(_) => return,
            };
            let _ = rustix::io::read(&self.wake, &mut [0u8; 8]);
            let Some(inner) = inner.upgrade() else { return };
            if lock(&inner.watches.state).is_closed() {
                return;
            }
            inner.watches.drain(&inner.root, None, ready == 0);
        }
    }
}

impl Inner {
    /// The paths that a job may change something about, as [`key`] gives them.
    fn touched(&self, job: &Job) -> Vec<String> {
        let of = |handle: &Handle| self.nodes.get(*handle).map(|node| key(&node.whole().path()));
        let path =
            |SharePath(path): &SharePath| path.iter().map(|name| fold(name)).collect::<Vec<_>>().join("/");
        let mut touched = Vec::new();
        match job {
            Job::Open { path: of, existence: Existence::MustNotExist | Existence::Either, .. } => {
                touched.push(path(of));
            }
            Job::Rename { handle, to, .. } | Job::Link { handle, to, .. } => {
                touched.extend(of(handle));
                touched.push(path(to));
            }
            Job::Write { handle, .. }
            | Job::Change { handle, .. }
            | Job::SetLength { handle, .. }
            | Job::Allocate { handle, .. }
            | Job::Unlink { handle }
            | Job::Copy { to: handle, .. }
            | Job::ChangeSecurity { handle, .. }
            | Job::OpenStream { handle, .. }
            | Job::RenameStream { handle, .. }
            | Job::Strip { handle }
            | Job::SetExtendedAttributes { handle, .. }
            | Job::Zero { handle, .. } => touched.extend(of(handle)),
            _ => {}
        }
        touched
    }
}

/// A path on disk in a form in which all spellings of it are the same.
fn key(disk: &[u8]) -> String {
    let names = disk.split(|b| *b == b'/').map(|name| fold(&names::to_share(name)));
    names.collect::<Vec<_>>().join("/")
}

/// A path on disk as clients see it.
fn shown(disk: &[u8]) -> SharePath {
    SharePath(disk.split(|b| *b == b'/').map(|name| names::to_share(name).into()).collect())
}

/// The outcome of a watch that ends before anything happened.
fn ended() -> Outcome {
    Err(NtStatus::CANCELLED)
}
