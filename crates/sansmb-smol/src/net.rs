//! Sockets of async-io.

use std::{
    io::{self, IoSlice, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    task::{Context, Poll, ready},
    time::Duration,
};

use async_io::Async;
use sansmb_async::{Listener, ReadyHint, Socket, runtime::give_up_after};

/// A TCP connection of async-io.
#[derive(Debug)]
pub struct SmolSocket {
    stream: Async<TcpStream>,
    read: ReadyHint,
    write: ReadyHint,
}

impl SmolSocket {
    pub(crate) fn new(stream: Async<TcpStream>) -> io::Result<Self> {
        stream.get_ref().set_nodelay(true)?;
        Ok(Self { stream, read: ReadyHint::default(), write: ReadyHint::default() })
    }
}

/// Takes over a connection made elsewhere.
impl TryFrom<Async<TcpStream>> for SmolSocket {
    type Error = io::Error;

    fn try_from(stream: Async<TcpStream>) -> io::Result<Self> {
        Self::new(stream)
    }
}

impl Socket for SmolSocket {
    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.read.poll(|| self.stream.poll_readable(cx))
    }

    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.write.poll(|| self.stream.poll_writable(cx))
    }

    fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.read.note(self.stream.get_ref().read(buf))
    }

    fn try_write(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.write.note(self.stream.get_ref().write_vectored(bufs))
    }

    #[cfg(target_os = "linux")]
    fn lends_descriptor(&self) -> bool {
        true
    }

    #[cfg(target_os = "linux")]
    fn try_read_by(&self, read: &mut sansmb_async::runtime::ReadBy<'_>) -> io::Result<usize> {
        self.read.note(read(std::os::fd::AsFd::as_fd(self.stream.get_ref())))
    }

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.stream.get_ref().peer_addr()
    }

    fn shutdown(&self) -> io::Result<()> {
        self.stream.get_ref().shutdown(Shutdown::Write)
    }

    fn give_up_after(&self, time: Option<Duration>) -> io::Result<()> {
        give_up_after(self.stream.get_ref(), time)
    }
}

/// A listening socket of async-io.
#[derive(Debug)]
pub struct SmolListener {
    listener: Async<TcpListener>,
    read: ReadyHint,
}

/// Takes over a socket that listens already.
impl From<Async<TcpListener>> for SmolListener {
    fn from(listener: Async<TcpListener>) -> Self {
        Self { listener, read: ReadyHint::default() }
    }
}

impl Listener for SmolListener {
    type Socket = SmolSocket;

    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<SmolSocket>> {
        loop {
            ready!(self.read.poll(|| self.listener.poll_readable(cx)))?;
            match self.read.note(self.listener.get_ref().accept()) {
                Ok((stream, _)) => return Poll::Ready(Async::new(stream).and_then(SmolSocket::new)),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                Err(e) => return Poll::Ready(Err(e)),
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.get_ref().local_addr()
    }
}
