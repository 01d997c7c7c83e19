//! Tasks that work side by side.

use std::{
    future::{Future, poll_fn},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::{Poll, Waker},
};

use super::measure::{Operations, Stopwatch};
use crate::{
    failure::{Failure, Result},
    interrupt::Interrupt,
    runtime::RuntimeKind,
};

/// Tasks of a runtime, each of which ends with a value or a failure.
#[derive(Debug)]
pub(super) struct Crew<T> {
    runtime: RuntimeKind,
    size: usize,
    ended: Arc<Mutex<Ended<T>>>,
}

#[derive(Debug)]
struct Ended<T> {
    results: Vec<Result<T>>,
    waker: Option<Waker>,
}

/// Tells how a task ended, also when it panics.
struct Tell<T> {
    ended: Arc<Mutex<Ended<T>>>,
    result: Option<Result<T>>,
}

impl<T> Tell<T> {
    fn that(mut self, result: Result<T>) {
        self.result = Some(result);
    }
}

impl<T> Drop for Tell<T> {
    fn drop(&mut self) {
        let mut ended = lock(&self.ended);
        ended.results.push(self.result.take().unwrap_or(Err(Failure::Reported)));
        let waker = ended.waker.take();
        drop(ended);
        waker.into_iter().for_each(Waker::wake);
    }
}

fn lock<T>(ended: &Mutex<Ended<T>>) -> MutexGuard<'_, Ended<T>> {
    ended.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<T: Send + 'static> Crew<T> {
    pub(super) fn new(runtime: RuntimeKind) -> Self {
        let ended = Ended { results: Vec::new(), waker: None };
        Self { runtime, size: 0, ended: Arc::new(Mutex::new(ended)) }
    }

    /// Adds a task, which begins at once.
    pub(super) fn add(&mut self, work: impl Future<Output = Result<T>> + Send + 'static) {
        self.size += 1;
        let tell = Tell { ended: self.ended.clone(), result: None };
        self.runtime.spawn(async move { tell.that(work.await) });
    }

    /// Waits for all of them, whether or not some fail; then it fails as the first of those did.
    pub(super) async fn join(self) -> Result<Vec<T>> {
        let results = poll_fn(|cx| {
            let mut ended = lock(&self.ended);
            if ended.results.len() == self.size {
                return Poll::Ready(std::mem::take(&mut ended.results));
            }
            ended.waker = Some(cx.waker().clone());
            Poll::Pending
        });
        results.await.into_iter().collect()
    }
}

/// Does `work` for each number below `count`, by so many tasks, until one fails. What is under way with
/// Ctrl-C comes to its end, so that nothing appears behind the back of who cleans up.
pub(super) async fn at_once<T, F>(
    runtime: RuntimeKind,
    interrupt: &Interrupt,
    jobs: u32,
    count: u32,
    work: impl Fn(u32) -> F + Send + Sync + 'static,
) -> Result<(Vec<T>, Operations)>
where
    T: Send + 'static,
    F: Future<Output = Result<T>> + Send,
{
    let (mut crew, shared) = (Crew::new(runtime), Arc::new((AtomicU64::new(0), work)));
    let watch = Stopwatch::start();
    for _ in 0..jobs.min(count) {
        let (shared, interrupt) = (shared.clone(), interrupt.clone());
        crew.add(async move {
            let (next, work) = &*shared;
            let mut made = Vec::new();
            while let Some(n) = u32::try_from(next.fetch_add(1, Relaxed)).ok().filter(|n| *n < count) {
                interrupt.check()?;
                let watch = Stopwatch::start();
                match work(n).await {
                    Ok(result) => made.push((result, watch.stop())),
                    Err(failure) => {
                        next.store(count.into(), Relaxed);
                        return Err(failure);
                    }
                }
            }
            Ok(made)
        });
    }
    let (results, each) = crew.join().await?.into_iter().flatten().unzip();
    Ok((results, Operations::gathered(watch, each)))
}
