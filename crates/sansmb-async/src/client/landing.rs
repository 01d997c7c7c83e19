//! Payloads that the system moves from the socket to a file.

use std::{
    fs::File,
    io,
    sync::{Arc, Mutex},
};

use crate::{Socket, lock::lock};

/// The file that the payload of one READ goes to.
#[derive(Debug)]
pub(super) struct Landing {
    pub(super) to: Arc<Target>,
    /// Where in the file the next byte goes.
    pub(super) at: u64,
}

/// A file that payloads go to.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) file: Arc<File>,
    /// Why it did not take one.
    failed: Mutex<Option<io::Error>>,
}

impl Landing {
    /// Writes what is here already.
    pub(super) fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
        #[cfg(unix)]
        std::os::unix::fs::FileExt::write_all_at(&*self.to.file, bytes, self.at)?;
        self.at += bytes.len() as u64;
        Ok(())
    }
}

impl Target {
    pub(super) fn new(file: Arc<File>) -> Self {
        Self { file, failed: Mutex::default() }
    }

    pub(super) fn fail(&self, error: io::Error) {
        lock(&self.failed).get_or_insert(error);
    }

    /// Why a payload is not in the file.
    pub(super) fn failure(&self) -> io::Error {
        let failed = lock(&self.failed).take();
        failed.unwrap_or_else(|| io::Error::other("what was read was thrown away"))
    }
}

/// What moves them.
#[cfg(target_os = "linux")]
#[derive(Debug)]
pub(super) struct Mover {
    from: std::os::fd::OwnedFd,
    into: std::os::fd::OwnedFd,
}

#[cfg(target_os = "linux")]
impl Mover {
    /// Room that is asked for, which is what everybody may have.
    const ROOM: usize = 1 << 20;

    /// One for `socket`, where there can be one.
    pub(super) fn new(socket: &dyn Socket) -> Option<Self> {
        use rustix::pipe::{PipeFlags, fcntl_setpipe_size, pipe_with};
        if !socket.lends_descriptor() {
            return None;
        }
        let (from, into) = pipe_with(PipeFlags::CLOEXEC).ok()?;
        // With less room it takes more calls.
        let _ = fcntl_setpipe_size(&into, Self::ROOM);
        Some(Self { from, into })
    }

    /// Takes up to `len` bytes from the socket; how many.
    pub(super) fn fill(&self, socket: &dyn Socket, len: usize) -> io::Result<usize> {
        use rustix::pipe::{SpliceFlags, splice};
        socket.try_read_by(&mut |socket| {
            let flags = SpliceFlags::NONBLOCK | SpliceFlags::MOVE;
            Ok(splice(socket, None, &self.into, None, len.min(Self::ROOM), flags)?)
        })
    }

    /// Moves the `len` bytes that it has to `file`. After an error it still has some of them.
    pub(super) fn drain(&self, mut len: usize, file: &File, mut at: u64) -> io::Result<()> {
        use rustix::{
            io::Errno,
            pipe::{SpliceFlags, splice},
        };
        while len > 0 {
            let moved = match splice(&self.from, None, file, Some(&mut at), len, SpliceFlags::MOVE) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(moved) => moved,
                Err(Errno::INTR) => 0,
                // Not every file system can.
                Err(Errno::INVAL) => {
                    let copied = self.copy(len, file, at)?;
                    at += copied as u64;
                    copied
                }
                Err(errno) => return Err(errno.into()),
            };
            len -= moved;
        }
        Ok(())
    }

    fn copy(&self, len: usize, file: &File, at: u64) -> io::Result<usize> {
        use std::os::unix::fs::FileExt;
        let mut buffer = vec![0; len.min(64 << 10)];
        let got = rustix::io::read(&self.from, &mut buffer)?;
        file.write_all_at(&buffer[..got], at)?;
        Ok(got)
    }
}

/// What moves them: nothing but on Linux.
#[cfg(not(target_os = "linux"))]
#[derive(Debug)]
pub(super) enum Mover {}

#[cfg(not(target_os = "linux"))]
impl Mover {
    pub(super) fn new(_: &dyn Socket) -> Option<Self> {
        None
    }

    pub(super) fn fill(&self, _: &dyn Socket, _: usize) -> io::Result<usize> {
        match *self {}
    }

    pub(super) fn drain(&self, _: usize, _: &File, _: u64) -> io::Result<()> {
        match *self {}
    }
}
