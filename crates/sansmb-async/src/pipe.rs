//! Pipes of the system: data go through one from a socket to a file without coming into the program.

use std::io;

use crate::Socket;

/// A pipe that is ours at both ends.
#[cfg(target_os = "linux")]
#[derive(Debug)]
pub(crate) struct Pipe {
    from: std::os::fd::OwnedFd,
    into: std::os::fd::OwnedFd,
    roomy: bool,
}

#[cfg(target_os = "linux")]
impl Pipe {
    /// Room that is asked for, which is what everybody may have. The system counts it in pages, and a piece
    /// of what comes over a network is seldom a whole one.
    const ROOM: usize = 1 << 20;

    /// One for what comes by `socket`, where there can be one.
    pub(crate) fn for_socket(socket: &dyn Socket) -> Option<Self> {
        use rustix::pipe::{PipeFlags, fcntl_setpipe_size, pipe_with};
        if !socket.lends_descriptor() {
            return None;
        }
        let (from, into) = pipe_with(PipeFlags::CLOEXEC).ok()?;
        let roomy = fcntl_setpipe_size(&into, Self::ROOM).is_ok();
        Some(Self { from, into, roomy })
    }

    /// Whether it has the room that was asked for. With less it takes more calls.
    pub(crate) fn is_roomy(&self) -> bool {
        self.roomy
    }

    /// Takes up to `len` bytes from the socket into the pipe, which is empty; how many, 0 at the end of the stream.
    pub(crate) fn fill(&self, socket: &dyn Socket, len: usize) -> io::Result<usize> {
        socket.try_read_by(&mut |socket| Ok(self.take(socket, len)?))
    }

    /// Takes up to `len` bytes more from the socket; nothing if the pipe is full.
    pub(crate) fn fill_up(&self, socket: &dyn Socket, len: usize) -> io::Result<Option<usize>> {
        use rustix::{
            io::Errno,
            net::{RecvFlags, recv},
        };
        let mut full = false;
        let got = socket.try_read_by(&mut |socket| {
            let mut got = self.take(socket, len);
            if got == Err(Errno::AGAIN) {
                // Is it the pipe, or the socket, of which this is the error then?
                recv(socket, &mut [0; 1], RecvFlags::PEEK | RecvFlags::DONTWAIT)?;
                got = self.take(socket, len);
                full = got == Err(Errno::AGAIN);
            }
            Ok(if full { 0 } else { got? })
        })?;
        Ok((!full).then_some(got))
    }

    fn take(&self, socket: std::os::fd::BorrowedFd<'_>, len: usize) -> rustix::io::Result<usize> {
        use rustix::pipe::{SpliceFlags, splice};
        let flags = SpliceFlags::NONBLOCK | SpliceFlags::MOVE;
        splice(socket, None, &self.into, None, len.min(Self::ROOM), flags)
    }

    /// Moves the `len` bytes that it has to `file`. After an error it still has some of them.
    pub(crate) fn drain(&self, mut len: usize, file: impl std::os::fd::AsFd, mut at: u64) -> io::Result<()> {
        use rustix::{
            io::Errno,
            pipe::{SpliceFlags, splice},
        };
        while len > 0 {
            let moved = match splice(&self.from, None, &file, Some(&mut at), len, SpliceFlags::MOVE) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(moved) => moved,
                Err(Errno::INTR) => 0,
                // Not every file system can.
                Err(Errno::INVAL) => {
                    let copied = self.copy(len, &file, at)?;
                    at += copied as u64;
                    copied
                }
                Err(errno) => return Err(errno.into()),
            };
            len -= moved;
        }
        Ok(())
    }

    fn copy(&self, len: usize, file: impl std::os::fd::AsFd, mut at: u64) -> io::Result<usize> {
        let mut buffer = vec![0; len.min(64 << 10)];
        let got = self.read(&mut buffer)?;
        let mut left = &buffer[..got];
        while !left.is_empty() {
            let wrote = rustix::io::retry_on_intr(|| rustix::io::pwrite(&file, left, at))?;
            if wrote == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            at += wrote as u64;
            left = left.get(wrote..).unwrap_or_default();
        }
        Ok(got)
    }

    /// Takes some of what it has, of which there must be something.
    pub(crate) fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(rustix::io::retry_on_intr(|| rustix::io::read(&self.from, &mut *buffer))?)
    }
}

/// A pipe: nothing but on Linux.
#[cfg(not(target_os = "linux"))]
#[derive(Debug)]
pub(crate) enum Pipe {}

#[cfg(not(target_os = "linux"))]
impl Pipe {
    pub(crate) fn for_socket(_: &dyn Socket) -> Option<Self> {
        None
    }

    pub(crate) fn is_roomy(&self) -> bool {
        match *self {}
    }

    pub(crate) fn fill(&self, _: &dyn Socket, _: usize) -> io::Result<usize> {
        match *self {}
    }

    pub(crate) fn fill_up(&self, _: &dyn Socket, _: usize) -> io::Result<Option<usize>> {
        match *self {}
    }

    pub(crate) fn drain<F>(&self, _: usize, _: F, _: u64) -> io::Result<()> {
        match *self {}
    }

    pub(crate) fn read(&self, _: &mut [u8]) -> io::Result<usize> {
        match *self {}
    }
}
