//! [`Runtime`] for threads.

use std::{
    future::Future,
    io,
    net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs},
    pin::Pin,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    task::{Context, Poll},
    thread,
    time::{Duration, Instant},
};

use sansmb_async::Runtime;

use crate::{
    ThreadListener, ThreadSocket, block_on,
    reactor::{TimerKey, clear_timer, set_timer},
};

/// Each try to connect may take so long. It cannot be given up earlier.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(60);

/// A thread for each task.
///
/// A task may block its thread, and `resolve` and `connect` do. When the system gives no more threads,
/// a new task is dropped before it runs.
#[derive(Debug, Clone, Copy, Default)]
pub struct ThreadRuntime;

impl Runtime for ThreadRuntime {
    type Socket = ThreadSocket;
    type Listener = ThreadListener;
    type Sleep = ThreadSleep;

    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok((host, port).to_socket_addrs()?.collect())
    }

    async fn connect(&self, addr: SocketAddr) -> io::Result<ThreadSocket> {
        TcpStream::connect_timeout(&addr, CONNECT_TIMEOUT)?.try_into()
    }

    async fn bind(&self, addr: SocketAddr) -> io::Result<ThreadListener> {
        TcpListener::bind(addr)?.try_into()
    }

    fn sleep(&self, duration: Duration) -> ThreadSleep {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let at = now().checked_add(duration);
        ThreadSleep { key: at.map(|at| (at, NUMBER.fetch_add(1, Relaxed))) }
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let _ = thread::Builder::new().name("sansmb-task".into()).spawn(|| block_on(task));
    }
}

/// A timer. To be polled within [`block_on`], on any thread.
#[derive(Debug)]
pub struct ThreadSleep {
    /// `None` if that is further away than the clock can count.
    key: Option<TimerKey>,
}

impl Future for ThreadSleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match self.key {
            Some((at, _)) if at <= now() => return Poll::Ready(()),
            Some(key) => set_timer(key, cx.waker()),
            None => {}
        }
        Poll::Pending
    }
}

impl Drop for ThreadSleep {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            clear_timer(key);
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "timers of an adapter follow the clock of the system")]
pub(crate) fn now() -> Instant {
    Instant::now()
}
