//! Ctrl-C and its like, as something that futures of any runtime can wait for.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::{
        Arc, Mutex, PoisonError,
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
    wakers: Mutex<Vec<Waker>>,
}

impl Interrupt {
    /// Takes over the signals.
    pub(crate) fn install() -> Self {
        let this = Self::default();
        let inner = this.inner.clone();
        let installed = ctrlc::set_handler(move || {
            if inner.happened.swap(true, Ordering::SeqCst) {
                std::process::exit(1);
            }
            let wakers = std::mem::take(&mut *inner.wakers.lock().unwrap_or_else(PoisonError::into_inner));
            wakers.into_iter().for_each(Waker::wake);
        });
        if let Err(error) = installed {
            tracing::warn!("Ctrl-C will end the program without cleaning up: {error}");
        }
        this
    }

    /// Fails once it happened.
    pub(crate) fn check(&self) -> Result<()> {
        if self.inner.happened.load(Ordering::SeqCst) { Err(Failure::Interrupted) } else { Ok(()) }
    }

    /// Ready once it happened.
    pub(crate) fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut wakers = self.inner.wakers.lock().unwrap_or_else(PoisonError::into_inner);
        if self.inner.happened.load(Ordering::SeqCst) {
            return Poll::Ready(());
        }
        if !wakers.iter().any(|waker| waker.will_wake(cx.waker())) {
            wakers.push(cx.waker().clone());
        }
        Poll::Pending
    }

    /// Runs `work` unless or until it happens; what `work` holds is dropped then.
    pub(crate) async fn or<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let mut work = pin!(work);
        poll_fn(|cx| match work.as_mut().poll(cx) {
            Poll::Ready(result) => Poll::Ready(result),
            Poll::Pending => self.poll(cx).map(|()| Err(Failure::Interrupted)),
        })
        .await
    }
}
