//! Data of WRITEs that wait in pipes of the system until it is known where they go.

use std::{
    collections::VecDeque,
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use bytes::Bytes;
use sansmb_fileserver::storage::Held;

use crate::{Socket, lock::lock, pipe::Pipe};

/// Pipes that a server has at most. A user without privileges has room for 64 MiB of them, and others want some, too.
const PIPES: usize = 32;
/// Empty ones that it keeps.
const SPARE: usize = 4;
/// What is asked of one pipe. It takes less where the network gives small pieces.
const PER_PIPE: usize = 4 << 20;
/// Pipes for the data of one WRITE.
const PER_WRITE: usize = 4;

/// The pipes of a server.
#[derive(Debug)]
pub(crate) struct Pipes {
    spare: Mutex<Vec<Pipe>>,
    /// How many more there may be.
    left: AtomicUsize,
}

impl Default for Pipes {
    fn default() -> Self {
        Self { spare: Mutex::default(), left: AtomicUsize::new(PIPES) }
    }
}

impl Pipes {
    /// An empty one, unless there are enough of them.
    fn take(&self, socket: &dyn Socket) -> Option<Pipe> {
        if let Some(pipe) = lock(&self.spare).pop() {
            return Some(pipe);
        }
        self.left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).ok()?;
        let pipe = Pipe::for_socket(socket).filter(Pipe::is_roomy);
        if pipe.is_none() {
            self.left.fetch_add(1, Relaxed);
        }
        pipe
    }

    /// Takes back one that has so many bytes.
    fn give_back(&self, pipe: Pipe, bytes: usize) {
        let mut spare = lock(&self.spare);
        if bytes == 0 && spare.len() < SPARE {
            spare.push(pipe);
        } else {
            self.left.fetch_add(1, Relaxed);
        }
    }
}

/// The data of one WRITE, as far as they are here.
#[derive(Debug)]
pub(crate) struct Holding {
    pipes: Arc<Pipes>,
    /// How many they are.
    wanted: usize,
    /// With how many bytes each has.
    filled: VecDeque<(Pipe, usize)>,
    /// There was no room for the rest. What is here is taken back.
    returning: bool,
}

impl Holding {
    /// Room for the data of a WRITE, of which there are so many.
    pub(crate) fn new(pipes: Arc<Pipes>, wanted: usize) -> Self {
        Self { pipes, wanted, filled: VecDeque::new(), returning: false }
    }

    /// How many bytes are here.
    fn len(&self) -> usize {
        self.filled.iter().map(|(_, bytes)| bytes).sum()
    }

    /// Whether all are here.
    pub(crate) fn is_whole(&self) -> bool {
        self.len() == self.wanted
    }

    /// Takes some from the socket: how many, 0 at the end of the stream; nothing from when on there is no room for them.
    pub(crate) fn fill(&mut self, socket: &dyn Socket) -> io::Result<Option<usize>> {
        let left = self.wanted - self.len();
        let mut full = self.filled.back().is_none_or(|(_, bytes)| *bytes >= PER_PIPE);
        while !self.returning {
            if full {
                self.widen(socket);
            }
            if let Some((pipe, bytes)) = self.filled.back_mut().filter(|_| !self.returning) {
                if let Some(got) = pipe.fill_up(socket, left.min(PER_PIPE - *bytes))? {
                    *bytes += got;
                    return Ok(Some(got));
                }
                full = true;
            }
        }
        Ok(None)
    }

    /// Takes no more: what is here is taken back.
    pub(crate) fn give_up(&mut self) {
        self.returning = true;
    }

    /// Takes another pipe, or gives up.
    fn widen(&mut self, socket: &dyn Socket) {
        let next = (self.filled.len() < PER_WRITE).then(|| self.pipes.take(socket)).flatten();
        self.returning = next.is_none();
        self.filled.extend(next.map(|pipe| (pipe, 0)));
    }

    /// Takes some of what is here; 0 if nothing is.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some((pipe, bytes)) = self.filled.front_mut() {
            let most = buffer.len().min(*bytes);
            if most > 0 {
                let got = pipe.read(&mut buffer[..most])?;
                *bytes -= got;
                return if got > 0 { Ok(got) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
            }
            if let Some((pipe, bytes)) = self.filled.pop_front() {
                self.pipes.give_back(pipe, bytes);
            }
        }
        Ok(0)
    }
}

impl Drop for Holding {
    fn drop(&mut self) {
        for (pipe, bytes) in self.filled.drain(..) {
            self.pipes.give_back(pipe, bytes);
        }
    }
}

/// All the data of a WRITE.
#[derive(Debug)]
pub(crate) struct Whole {
    len: usize,
    holding: Mutex<Holding>,
}

impl Whole {
    pub(crate) fn new(holding: Holding) -> Self {
        Self { len: holding.wanted, holding: Mutex::new(holding) }
    }
}

impl Held for Whole {
    fn len(&self) -> usize {
        self.len
    }

    fn bring(&self) -> io::Result<Bytes> {
        let mut holding = lock(&self.holding);
        let mut bytes = vec![0; holding.len()];
        let mut at = 0;
        while at < bytes.len() {
            at += holding.read(&mut bytes[at..])?;
        }
        Ok(bytes.into())
    }

    #[cfg(unix)]
    fn move_to(&self, file: std::os::fd::BorrowedFd<'_>, mut at: u64) -> io::Result<()> {
        for (pipe, bytes) in &mut lock(&self.holding).filled {
            pipe.drain(*bytes, file, at)?;
            at += std::mem::take(bytes) as u64;
        }
        Ok(())
    }
}
