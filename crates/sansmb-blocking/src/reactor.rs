//! Each thread's executor: one future, and the sockets and timers that it waits for.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    future::Future,
    io,
    pin::{Pin, pin},
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll, Waker},
    thread,
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fd::AsFd,
};
use sansmb_async::ReadyHint;

use crate::park::{Bell, Parker};

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
    /// By the time, and by a number that no other timer has.
    timers: RefCell<BTreeMap<(Instant, u64), Waker>>,
}

struct Interest {
    /// Weak, lest an interest that is left over keep the socket open.
    source: Weak<AnySource>,
    /// `IN` or `OUT`.
    side: PollFlags,
    waker: Waker,
}

impl Reactor {
    fn register(&self, new: Interest) -> io::Result<()> {
        self.parker.hang_bell()?;
        let mut interests = self.interests.borrow_mut();
        let same = |old: &Interest| old.side == new.side && old.source.ptr_eq(&new.source);
        let _old = interests.iter().position(same).map(|at| interests.swap_remove(at));
        interests.push(new);
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
        // Before the wakers: what this thread tells itself needs no bell.
        self.parker.awake();
        let mut wakers = Vec::new();
        for ((source, interest), ready) in held.into_iter().zip(ready) {
            if ready {
                source.hint(interest.side).set_ready();
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
        fds.extend(held.iter().map(|(s, i)| PollFd::from_borrowed_fd(s.io.as_fd(), i.side)));
        // After a signal, say: all may be tried.
        let failed = poll(&mut fds, timeout.as_ref()).is_err();
        let mut ready = fds.iter().map(|fd| failed || !fd.revents().is_empty());
        if ready.next() == Some(true) {
            let _ = bell.recv(&mut [0]);
        }
        ready.collect()
    }
}

/// A non-blocking socket.
#[derive(Debug)]
pub(crate) struct Source<T: ?Sized> {
    pub(crate) read: ReadyHint,
    pub(crate) write: ReadyHint,
    pub(crate) io: T,
}

type AnySource = Source<dyn AsFd + Send + Sync>;

impl<T: ?Sized> Source<T> {
    fn hint(&self, side: PollFlags) -> &ReadyHint {
        if side == PollFlags::IN { &self.read } else { &self.write }
    }
}

impl<T: AsFd + Send + Sync + 'static> Source<T> {
    pub(crate) fn new(io: T) -> Arc<Self> {
        Arc::new(Self { read: ReadyHint::default(), write: ReadyHint::default(), io })
    }

    pub(crate) fn poll(self: &Arc<Self>, side: PollFlags, cx: &Context<'_>) -> Poll<io::Result<()>> {
        self.hint(side).poll(|| {
            let source: Weak<AnySource> = Arc::<Self>::downgrade(self);
            let interest = Interest { source, side, waker: cx.waker().clone() };
            REACTOR.with(|reactor| reactor.register(interest))?;
            Poll::Pending
        })
    }
}

/// A timer. To be polled within [`block_on`], on any thread.
#[derive(Debug)]
pub struct ThreadSleep {
    /// `None` if that is further away than the clock can count.
    timer: Option<(Instant, u64)>,
}

impl ThreadSleep {
    pub(crate) fn new(duration: Duration) -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let at = now().checked_add(duration);
        Self { timer: at.map(|at| (at, NUMBER.fetch_add(1, Relaxed))) }
    }
}

impl Future for ThreadSleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(timer) = self.timer else { return Poll::Pending };
        if timer.0 <= now() {
            return Poll::Ready(());
        }
        let waker = cx.waker().clone();
        let _old = REACTOR.with(|reactor| reactor.timers.borrow_mut().insert(timer, waker));
        Poll::Pending
    }
}

impl Drop for ThreadSleep {
    fn drop(&mut self) {
        // If it was polled on another thread, it fires there in vain.
        let forget = |timer| REACTOR.try_with(|reactor| reactor.timers.borrow_mut().remove(&timer));
        let _old = self.timer.map(forget);
    }
}

#[expect(clippy::disallowed_methods, reason = "timers of an adapter follow the clock of the system")]
fn now() -> Instant {
    Instant::now()
}
