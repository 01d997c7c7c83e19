//! Each thread's executor: one future, and the sockets and timers that it waits for.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    future::Future,
    io,
    pin::pin,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Poll, Waker},
    thread,
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fd::AsFd,
    io::Errno,
};

use crate::{
    park::{Bell, Parker},
    rt::now,
};

/// Runs a future to its end on this thread.
///
/// While the future is pending, the thread sleeps until a socket or timer of
/// [`ThreadRuntime`](crate::ThreadRuntime) that was polled on it is ready, or another thread wakes it.
/// May be called within itself; the outer future then waits for the inner one.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    REACTOR.with(|reactor| {
        let waker = Waker::from(reactor.parker.clone());
        let _end = NotifyAtEnd(&reactor.parker);
        loop {
            reactor.parker.awake();
            if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
                return output;
            }
            reactor.wait();
        }
    })
}

/// A `block_on` around this one may have been woken meanwhile: it must look again.
struct NotifyAtEnd<'a>(&'a Parker);

impl Drop for NotifyAtEnd<'_> {
    fn drop(&mut self) {
        self.0.notify();
    }
}

thread_local! {
    static REACTOR: Reactor = Reactor {
        parker: Parker::of_this_thread(),
        interests: RefCell::default(),
        timers: RefCell::default(),
    };
}

/// What one thread waits for. No waker is called or dropped while a cell is borrowed: that may run
/// any code.
struct Reactor {
    parker: Arc<Parker>,
    interests: RefCell<Vec<Interest>>,
    timers: RefCell<BTreeMap<TimerKey, Waker>>,
}

/// When, and a number that no other timer has.
pub(crate) type TimerKey = (Instant, u64);

/// Has this thread call the waker when it is time.
pub(crate) fn set_timer(key: TimerKey, waker: &Waker) {
    let _old = REACTOR.with(|reactor| reactor.timers.borrow_mut().insert(key, waker.clone()));
}

/// Forgets a timer if it was set on this thread; elsewhere it fires in vain.
pub(crate) fn clear_timer(key: TimerKey) {
    let _old = REACTOR.try_with(|reactor| reactor.timers.borrow_mut().remove(&key));
}

struct Interest {
    /// Weak, lest an interest that is left over keep the socket open.
    source: Weak<AnySource>,
    side: Side,
    waker: Waker,
}

impl Reactor {
    fn register(&self, new: Interest) -> io::Result<()> {
        self.parker.hang_bell()?;
        let mut interests = self.interests.borrow_mut();
        let same = |old: &&mut Interest| old.side == new.side && old.source.ptr_eq(&new.source);
        let _old = match interests.iter_mut().find(same) {
            Some(old) => Some(std::mem::replace(old, new)),
            None => {
                interests.push(new);
                None
            }
        };
        drop(interests);
        Ok(())
    }

    /// Sleeps until something is ready or somebody notifies this thread; wakes what is ready.
    fn wait(&self) {
        let interests = self.interests.take().into_iter();
        let held: Vec<_> = interests.filter_map(|i| Some((i.source.upgrade()?, i))).collect();
        let next = self.timers.borrow().first_key_value().map(|((at, _), _)| *at);
        let timeout = next.map(|at| at.saturating_duration_since(now()));
        let mut ready = Vec::new();
        if let Some(bell) = self.parker.bell() {
            ready = self.poll(&held, bell, timeout);
        } else if self.parker.may_sleep() {
            timeout.map_or_else(thread::park, thread::park_timeout);
        }
        let mut wakers = Vec::new();
        for ((source, interest), ready) in held.into_iter().zip(ready) {
            if ready {
                source.blocked[interest.side as usize].store(false, Relaxed);
                wakers.push(interest.waker);
            } else {
                self.interests.borrow_mut().push(interest);
            }
        }
        if next.is_some() {
            let (now, mut timers) = (now(), self.timers.borrow_mut());
            while let Some(due) = timers.first_entry().filter(|timer| timer.key().0 <= now) {
                wakers.push(due.remove());
            }
        }
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Sleeps in a poll; then, which are ready.
    fn poll(&self, held: &[(Arc<AnySource>, Interest)], bell: &Bell, timeout: Option<Duration>) -> Vec<bool> {
        // Even when notified, for a future that wakes itself all the time must not starve its sockets.
        let timeout = if self.parker.may_sleep() { timeout } else { Some(Duration::ZERO) };
        // Some systems count milliseconds in an int.
        let timeout = timeout.and_then(|t| Timespec::try_from(t.min(Duration::from_secs(86_400))).ok());
        let mut fds = vec![PollFd::new(bell, PollFlags::IN)];
        fds.extend(held.iter().map(|(source, interest)| {
            let wanted = if interest.side == Side::Read { PollFlags::IN } else { PollFlags::OUT };
            PollFd::from_borrowed_fd(source.io.as_fd(), wanted)
        }));
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) => {}
            Err(Errno::INTR) => return vec![false; held.len()],
            Err(_) => {
                // Out of memory, say. Let all be tried, but not all the time.
                thread::sleep(Duration::from_millis(10));
                return vec![true; held.len()];
            }
        }
        let mut ready = fds.iter().map(|fd| !fd.revents().is_empty());
        if ready.next() == Some(true) {
            let _ = bell.recv(&mut [0]);
        }
        ready.collect()
    }
}

/// A direction of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Read,
    Write,
}

/// A non-blocking socket.
#[derive(Debug)]
pub(crate) struct Source<T: ?Sized> {
    /// For each side: the last try would have blocked. Only a hint: a poll finds the truth.
    blocked: [AtomicBool; 2],
    pub(crate) io: T,
}

type AnySource = Source<dyn AsFd + Send + Sync>;

impl<T: AsFd + Send + Sync + 'static> Source<T> {
    pub(crate) fn new(io: T) -> Arc<Self> {
        Arc::new(Self { blocked: Default::default(), io })
    }

    pub(crate) fn poll(self: &Arc<Self>, side: Side, cx: &Context<'_>) -> Poll<io::Result<()>> {
        if !self.blocked[side as usize].load(Relaxed) {
            return Poll::Ready(Ok(()));
        }
        let source: Weak<AnySource> = Arc::<Self>::downgrade(self);
        let interest = Interest { source, side, waker: cx.waker().clone() };
        REACTOR.with(|reactor| reactor.register(interest))?;
        Poll::Pending
    }

    /// Takes notice of what a try gave.
    pub(crate) fn tried<R>(&self, side: Side, result: io::Result<R>) -> io::Result<R> {
        if result.as_ref().is_err_and(|e| e.kind() == io::ErrorKind::WouldBlock) {
            self.blocked[side as usize].store(true, Relaxed);
        }
        result
    }
}
