//! Sockets of tokio.

use std::{
    io::{self, IoSlice, Read, Write},
    net::{Shutdown, SocketAddr},
    task::{Context, Poll, ready},
    time::Duration,
};

use sansmb_async::{Listener, Socket, runtime::give_up_after};
use socket2::SockRef;
use tokio::{
    io::Interest,
    net::{TcpListener, TcpStream},
};

/// A TCP connection of tokio.
#[derive(Debug)]
pub struct TokioSocket(TcpStream);

impl TokioSocket {
    pub(crate) fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self(stream))
    }
}

/// Takes over a connection made elsewhere.
impl TryFrom<TcpStream> for TokioSocket {
    type Error = io::Error;

    fn try_from(stream: TcpStream) -> io::Result<Self> {
        Self::new(stream)
    }
}

impl Socket for TokioSocket {
    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_read_ready(cx)
    }

    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_write_ready(cx)
    }

    fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
        // Less than there is room for: there is no more, and need not be asked for. tokio waits for the
        // next event once it hears that a call would block.
        let mut short = None;
        let result = self.0.try_io(Interest::READABLE, || match (&*SockRef::from(&self.0)).read(buf)? {
            got if cfg!(unix) && got > 0 && got < buf.len() => {
                short = Some(got);
                Err(io::ErrorKind::WouldBlock.into())
            }
            got => Ok(got),
        });
        short.map_or(result, Ok)
    }

    fn try_write(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        // tokio does not learn that there is room again while the task works, and does not ask.
        let write = || match (&mut &*SockRef::from(&self.0), bufs) {
            // The kernel need not be told of a list.
            (socket, [one]) => socket.write(one),
            (socket, _) => socket.write_vectored(bufs),
        };
        match write() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.0.try_io(Interest::WRITABLE, write)
            }
            result => result,
        }
    }

    #[cfg(target_os = "linux")]
    fn lends_descriptor(&self) -> bool {
        true
    }

    #[cfg(target_os = "linux")]
    fn try_read_by(&self, read: &mut sansmb_async::runtime::ReadBy<'_>) -> io::Result<usize> {
        self.0.try_io(Interest::READABLE, || read(std::os::fd::AsFd::as_fd(&self.0)))
    }

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.0.peer_addr()
    }

    // tokio's own shutdown wants the stream mutably.
    fn shutdown(&self) -> io::Result<()> {
        SockRef::from(&self.0).shutdown(Shutdown::Write)
    }

    fn give_up_after(&self, time: Option<Duration>) -> io::Result<()> {
        give_up_after(&self.0, time)
    }
}

/// A listening socket of tokio.
#[derive(Debug)]
pub struct TokioListener(TcpListener);

/// Takes over a socket that listens already.
impl From<TcpListener> for TokioListener {
    fn from(listener: TcpListener) -> Self {
        Self(listener)
    }
}

impl Listener for TokioListener {
    type Socket = TokioSocket;

    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<TokioSocket>> {
        let (stream, _) = ready!(self.0.poll_accept(cx))?;
        Poll::Ready(TokioSocket::new(stream))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}
