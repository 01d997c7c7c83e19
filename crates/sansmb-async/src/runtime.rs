//! What sansmb needs of a runtime: sockets, timers, tasks. An adapter crate implements these few
//! methods; everything else is written once, here.

use std::{
    fmt::Debug,
    future::Future,
    io::{self, IoSlice},
    net::SocketAddr,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    task::{Context, Poll, ready},
    time::Duration,
};

/// A connected, non-blocking stream socket with TCP_NODELAY set.
///
/// `poll_readable` and `poll_writable` may be wrong: a `try_` call that then says
/// [`io::ErrorKind::WouldBlock`] makes the caller poll again. One task polls at a time, but
/// `try_write` may be called from another thread meanwhile.
pub trait Socket: Debug + Send + Sync + Unpin + 'static {
    /// Ready when reading may give bytes, the end, or an error.
    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
    /// Ready when writing may take bytes or give an error.
    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
    /// Reads without blocking; 0 is the end of the stream.
    fn try_read(&self, buf: &mut [u8]) -> io::Result<usize>;
    /// Writes without blocking.
    fn try_write(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize>;
    /// The other end's address.
    fn peer_addr(&self) -> io::Result<SocketAddr>;
    /// Says that no more bytes come from here.
    fn shutdown(&self) -> io::Result<()>;
    /// Whether [`Socket::try_read_by`] is there: not by default.
    fn lends_descriptor(&self) -> bool {
        false
    }
    /// Lets `read` read from the socket's descriptor without blocking, and takes notice of what comes of it.
    #[cfg(target_os = "linux")]
    fn try_read_by(&self, read: &mut ReadBy<'_>) -> io::Result<usize> {
        let _ = read;
        Err(io::ErrorKind::Unsupported.into())
    }
    /// Ends the connection with an error once the other end acknowledged nothing of what was sent for so
    /// long; without a time, whenever the system does. Nothing where the system cannot, as by default.
    fn give_up_after(&self, time: Option<Duration>) -> io::Result<()> {
        let _ = time;
        Ok(())
    }
}

/// What reads from a socket's descriptor; see [`Socket::try_read_by`].
#[cfg(target_os = "linux")]
pub type ReadBy<'r> = dyn FnMut(std::os::fd::BorrowedFd<'_>) -> io::Result<usize> + 'r;

/// A listening socket.
pub trait Listener: Debug + Send + Sync + 'static {
    /// What [`Listener::poll_accept`] gives.
    type Socket: Socket;
    /// The next connection.
    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<Self::Socket>>;
    /// Where it listens.
    fn local_addr(&self) -> io::Result<SocketAddr>;
}

/// A runtime.
pub trait Runtime: Debug + Clone + Send + Sync + Unpin + 'static {
    /// Its sockets.
    type Socket: Socket;
    /// Its listening sockets.
    type Listener: Listener<Socket = Self::Socket>;
    /// A timer that is ready once its time has passed.
    type Sleep: Future<Output = ()> + Send + Unpin + 'static;

    /// The addresses of a host.
    fn resolve(&self, host: &str, port: u16) -> impl Future<Output = io::Result<Vec<SocketAddr>>> + Send;
    /// Connects; sets TCP_NODELAY.
    fn connect(&self, addr: SocketAddr) -> impl Future<Output = io::Result<Self::Socket>> + Send;
    /// Listens.
    fn bind(&self, addr: SocketAddr) -> impl Future<Output = io::Result<Self::Listener>> + Send;
    /// A timer that starts now.
    fn sleep(&self, duration: Duration) -> Self::Sleep;
    /// Runs a task in the background until it ends.
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static);
}

/// [`Socket::give_up_after`] for the adapters whose sockets are the system's: TCP_USER_TIMEOUT, on Linux.
#[cfg(target_os = "linux")]
pub fn give_up_after(socket: impl std::os::fd::AsFd, time: Option<Duration>) -> io::Result<()> {
    let milliseconds = time.map_or(0, |time| time.as_millis().clamp(1, u32::MAX.into()));
    rustix::net::sockopt::set_tcp_user_timeout(socket, milliseconds as u32)?;
    Ok(())
}

/// [`Socket::give_up_after`] for the adapters whose sockets are the system's: nothing but on Linux.
#[cfg(not(target_os = "linux"))]
pub fn give_up_after<T>(_socket: T, _time: Option<Duration>) -> io::Result<()> {
    Ok(())
}

/// Remembers for one direction of a socket that the last try would have blocked.
///
/// For adapters whose poller tells of a new event each time it is asked, even while there is more to
/// read: it need not be asked before a try would have blocked. A hint that is out of date does no harm
/// if events are level-triggered: asking finds the truth.
#[derive(Debug, Default)]
pub struct ReadyHint {
    blocked: AtomicBool,
}

impl ReadyHint {
    /// Ready at once unless the last try would have blocked; else what `ask` says.
    pub fn poll(&self, ask: impl FnOnce() -> Poll<io::Result<()>>) -> Poll<io::Result<()>> {
        if self.blocked.load(Relaxed) {
            ready!(ask())?;
            self.set_ready();
        }
        Poll::Ready(Ok(()))
    }

    /// Takes notice of what a try gave.
    pub fn note<T>(&self, result: io::Result<T>) -> io::Result<T> {
        if result.as_ref().is_err_and(|e| e.kind() == io::ErrorKind::WouldBlock) {
            self.blocked.store(true, Relaxed);
        }
        result
    }

    /// Takes notice of an event.
    pub fn set_ready(&self) {
        self.blocked.store(false, Relaxed);
    }
}
