//! Sockets of `std::net`, non-blocking.

use std::{
    io::{self, ErrorKind, IoSlice, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::Arc,
    task::{Context, Poll, ready},
};

use rustix::event::PollFlags;
use sansmb_async::{Listener, Socket, runtime::give_up_after};

use crate::reactor::Source;

/// A TCP connection. To be polled within [`block_on`](crate::block_on), on any thread.
#[derive(Debug)]
pub struct ThreadSocket(Arc<Source<TcpStream>>);

/// Takes over a connection made elsewhere.
impl TryFrom<TcpStream> for ThreadSocket {
    type Error = io::Error;

    fn try_from(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        Ok(Self(Source::new(stream)))
    }
}

impl Socket for ThreadSocket {
    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll(PollFlags::IN, cx)
    }

    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll(PollFlags::OUT, cx)
    }

    fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read.note((&self.0.io).read(buf))
    }

    fn try_write(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.write.note((&self.0.io).write_vectored(bufs))
    }

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.0.io.peer_addr()
    }

    fn shutdown(&self) -> io::Result<()> {
        self.0.io.shutdown(Shutdown::Write)
    }

    fn give_up_after(&self, time: Option<std::time::Duration>) -> io::Result<()> {
        give_up_after(&self.0.io, time)
    }
}

impl Drop for ThreadSocket {
    fn drop(&mut self) {
        // Another thread, where a future began to wait for the socket before it moved here, may hold it
        // in a poll. This ends that poll, and the connection in any case.
        let _ = self.0.io.shutdown(Shutdown::Both);
    }
}

/// A listening socket. To be polled within [`block_on`](crate::block_on), on any thread.
#[derive(Debug)]
pub struct ThreadListener(Arc<Source<TcpListener>>);

/// Takes over a socket that listens already.
impl TryFrom<TcpListener> for ThreadListener {
    type Error = io::Error;

    fn try_from(listener: TcpListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        Ok(Self(Source::new(listener)))
    }
}

impl Listener for ThreadListener {
    type Socket = ThreadSocket;

    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<ThreadSocket>> {
        loop {
            ready!(self.0.poll(PollFlags::IN, cx))?;
            match self.0.read.note(self.0.io.accept()) {
                Err(e) if e.kind() == ErrorKind::WouldBlock => {}
                accepted => return Poll::Ready(accepted.and_then(|(stream, _)| stream.try_into())),
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.io.local_addr()
    }
}
