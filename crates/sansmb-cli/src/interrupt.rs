//! Ctrl-C and its like, as something that futures of any runtime can wait for.

use std::{
    collections::BTreeMap,
    future::{Future, poll_fn},
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Waker},
};

use crate::failure::{Failure, Result};

/// Becomes true with the first SIGINT, SIGTERM or SIGHUP. The second one ends the program at once.
#[derive(Debug, Clone, Default)]
pub(crate) struct Interrupt {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    happened: AtomicBool,
    waiting: Mutex<Waiting>,
}

/// Who waits, each under a number of its own.
#[derive(Debug, Default)]
struct Waiting {
    wakers: BTreeMap<u64, Waker>,
    next: u64,
}

impl Inner {
    /// The second time the program ends at once.
    fn happen(&self) {
        if self.happened.swap(true, Ordering::SeqCst) {
            std::process::exit(1);
        }
        let wakers = std::mem::take(&mut self.waiting().wakers);
        wakers.into_values().for_each(Waker::wake);
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One who waits for it, with one waker however often it is polled.
#[derive(Debug)]
pub(crate) struct Waiter<'a> {
    inner: &'a Inner,
    number: u64,
}

impl Waiter<'_> {
    /// Ready once it happened.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut waiting = self.inner.waiting();
        if self.inner.happened.load(Ordering::SeqCst) {
            return Poll::Ready(());
        }
        let waker = waiting.wakers.entry(self.number).or_insert_with(|| cx.waker().clone());
        waker.clone_from(cx.waker());
        Poll::Pending
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.inner.waiting().wakers.remove(&self.number);
    }
}

impl Interrupt {
    /// Takes over the signals.
    pub(crate) fn install() -> Self {
        let this = Self::default();
        let inner = this.inner.clone();
        if let Err(error) = ctrlc::set_handler(move || inner.happen()) {
            tracing::warn!("Ctrl-C will end the program without cleaning up: {error}");
        }
        this
    }

    /// Fails once it happened.
    pub(crate) fn check(&self) -> Result<()> {
        if self.inner.happened.load(Ordering::SeqCst) { Err(Failure::Interrupted) } else { Ok(()) }
    }

    /// Somebody who waits for it.
    pub(crate) fn waiter(&self) -> Waiter<'_> {
        let mut waiting = self.inner.waiting();
        waiting.next += 1;
        Waiter { inner: &self.inner, number: waiting.next }
    }

    /// Runs `work` unless or until it happens; what `work` holds is dropped then.
    pub(crate) async fn or<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let (mut work, mut waiter) = (pin!(work), self.waiter());
        poll_fn(|cx| match work.as_mut().poll(cx) {
            Poll::Ready(result) => Poll::Ready(result),
            Poll::Pending => waiter.poll(cx).map(|()| Err(Failure::Interrupted)),
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Woken(AtomicBool);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::SeqCst);
        }
    }

    #[test]
    fn a_waiter_keeps_one_waker_while_it_waits_and_none_afterwards() {
        let interrupt = Interrupt::default();
        let mut waiter = interrupt.waiter();
        let wakers: Vec<Arc<Woken>> = (0..3).map(|_| Arc::default()).collect();
        for waker in &wakers {
            let waker = waker.clone().into();
            assert!(waiter.poll(&mut Context::from_waker(&waker)).is_pending());
        }
        interrupt.inner.happen();
        assert_eq!(
            wakers.iter().map(|woken| woken.0.load(Ordering::SeqCst)).collect::<Vec<_>>(),
            [false, false, true]
        );
        assert!(waiter.poll(&mut Context::from_waker(Waker::noop())).is_ready());
        let other = Interrupt::default();
        let mut waiter = other.waiter();
        assert!(waiter.poll(&mut Context::from_waker(Waker::noop())).is_pending());
        drop(waiter);
        assert!(other.inner.waiting().wakers.is_empty());
    }
}
