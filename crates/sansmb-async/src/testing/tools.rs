//! What the checks are written with.

use std::{
    future::{Future, poll_fn},
    io::{self, ErrorKind, IoSlice},
    pin::pin,
    sync::{Arc, Mutex, PoisonError, mpsc},
    task::{Context, Poll, Waker},
    thread,
    time::Duration,
};

use crate::{Clock, Listener, Runtime, Socket};

/// Runs a test on a thread of its own and fails it when it hangs.
pub fn with_watchdog(test: impl FnOnce() + Send + 'static) {
    let (done, wait) = mpsc::channel();
    let thread = thread::spawn(move || {
        test();
        let _ = done.send(());
    });
    if wait.recv_timeout(Duration::from_secs(120)) == Err(mpsc::RecvTimeoutError::Timeout) {
        panic!("the test hangs");
    }
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

/// Keeps 100 connections and a timer idle for a second and gives the CPU time which that took.
///
/// For a test binary of its own: the time is that of the whole process. `None` where this does not
/// know how to ask.
pub async fn idle_cpu<R: Runtime>(rt: R) -> Option<Duration> {
    let mut kept = Vec::new();
    for _ in 0..100 {
        let (near, far) = pair(&rt).await;
        rt.spawn(async move { assert_eq!(read(&far, &mut [0]).await.unwrap(), 0) });
        kept.push(near);
    }
    let timer = rt.sleep(Duration::from_secs(3600));
    rt.spawn(timer);
    rt.sleep(Duration::from_millis(100)).await;
    let before = cpu_time()?;
    rt.sleep(Duration::from_secs(1)).await;
    let after = cpu_time()?;
    drop(kept);
    Some(after - before)
}

/// User and system time of this process; Linux counts them in hundredths of a second.
fn cpu_time() -> Option<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The second field is the program's name in parentheses, which may hold anything.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let mut next = || fields.next()?.parse::<u64>().ok();
    Some(Duration::from_millis(10 * (next()? + next()?)))
}

/// Milliseconds since `clock` was made.
pub(super) fn elapsed(clock: &Clock) -> u64 {
    clock.now().mono.as_micros() / 1000
}

/// Two ends of a connection.
pub(super) async fn pair<R: Runtime>(rt: &R) -> (R::Socket, R::Socket) {
    let listener = rt.bind(([127, 0, 0, 1], 0).into()).await.unwrap();
    let addr = listener.local_addr().unwrap();
    let (near, far) = join(rt.connect(addr), accept(&listener)).await;
    (near.unwrap(), far.unwrap())
}

pub(super) async fn accept<L: Listener>(listener: &L) -> io::Result<L::Socket> {
    poll_fn(|cx| listener.poll_accept(cx)).await
}

pub(super) async fn readable<S: Socket>(socket: &S) -> io::Result<()> {
    poll_fn(|cx| socket.poll_readable(cx)).await
}

pub(super) async fn writable<S: Socket>(socket: &S) -> io::Result<()> {
    poll_fn(|cx| socket.poll_writable(cx)).await
}

pub(super) async fn read<S: Socket>(socket: &S, buf: &mut [u8]) -> io::Result<usize> {
    loop {
        match socket.try_read(buf) {
            Err(e) if e.kind() == ErrorKind::WouldBlock => readable(socket).await?,
            other => return other,
        }
    }
}

pub(super) async fn read_exact<S: Socket>(socket: &S, mut buf: &mut [u8]) -> io::Result<()> {
    while !buf.is_empty() {
        match read(socket, buf).await? {
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            n => buf = &mut buf[n..],
        }
    }
    Ok(())
}

/// Writes all of `data`, in two slices.
pub(super) async fn write_all<S: Socket>(socket: &S, mut data: &[u8]) -> io::Result<()> {
    while !data.is_empty() {
        let (a, b) = data.split_at(data.len().min(7));
        match socket.try_write(&[IoSlice::new(a), IoSlice::new(b)]) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(n) => data = &data[n..],
            Err(e) if e.kind() == ErrorKind::WouldBlock => writable(socket).await?,
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

/// Both outputs, once both futures have ended.
pub(super) async fn join<A: Future, B: Future>(a: A, b: B) -> (A::Output, B::Output) {
    let (mut a, mut b) = (pin!(a), pin!(b));
    let (mut left, mut right) = (None, None);
    poll_fn(|cx| {
        if left.is_none() {
            left = ready_value(a.as_mut().poll(cx));
        }
        if right.is_none() {
            right = ready_value(b.as_mut().poll(cx));
        }
        if left.is_some() && right.is_some() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    (left.unwrap(), right.unwrap())
}

fn ready_value<T>(poll: Poll<T>) -> Option<T> {
    match poll {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

/// The output of the future that ends first: `Ok` is the first one's, `Err` the second one's.
pub(super) async fn race<A: Future, B: Future>(a: A, b: B) -> Result<A::Output, B::Output> {
    let (mut a, mut b) = (pin!(a), pin!(b));
    poll_fn(|cx| match a.as_mut().poll(cx) {
        Poll::Ready(value) => Poll::Ready(Ok(value)),
        Poll::Pending => b.as_mut().poll(cx).map(Err),
    })
    .await
}

/// Polls once.
pub(super) async fn once<T>(mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>) -> Poll<T> {
    poll_fn(|cx| Poll::Ready(poll(cx))).await
}

/// Spawns a task and gives a future for its output.
pub(super) fn spawn<R: Runtime, T: Send + 'static>(
    rt: &R,
    task: impl Future<Output = T> + Send + 'static,
) -> impl Future<Output = T> + Send {
    let (fill, slot) = slot();
    rt.spawn(async move { fill.put(task.await) });
    slot
}

/// Where one value passes from one task or thread to another.
pub(super) fn slot<T: Send>() -> (Filler<T>, impl Future<Output = T> + Send) {
    let shared = Arc::new(Mutex::new(Slot { value: None, gone: false, waker: None }));
    let filler = Filler(Arc::clone(&shared));
    let taker = poll_fn(move |cx| {
        let mut slot = shared.lock().unwrap_or_else(PoisonError::into_inner);
        match slot.value.take() {
            Some(value) => Poll::Ready(value),
            None if slot.gone => panic!("the task panicked, or was dropped"),
            None => {
                slot.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    });
    (filler, taker)
}

struct Slot<T> {
    value: Option<T>,
    gone: bool,
    waker: Option<Waker>,
}

pub(super) struct Filler<T>(Arc<Mutex<Slot<T>>>);

impl<T> Filler<T> {
    pub(super) fn put(self, value: T) {
        self.0.lock().unwrap().value = Some(value);
    }
}

impl<T> Drop for Filler<T> {
    fn drop(&mut self) {
        let waker = {
            let mut slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            slot.gone = true;
            slot.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}
