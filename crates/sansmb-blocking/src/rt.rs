//! [`Runtime`] for threads.

use std::{
    future::Future,
    io,
    net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs},
    thread,
    time::Duration,
};

use sansmb_async::Runtime;

use crate::{ThreadListener, ThreadSleep, ThreadSocket, block_on};

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
        ThreadSleep::new(duration)
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let _ = thread::Builder::new().name("sansmb-task".into()).spawn(|| block_on(task));
    }
}
