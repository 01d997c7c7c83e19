//! Putting a thread to sleep, and waking it from any other.

#[cfg(not(unix))]
pub(crate) use std::net::UdpSocket as Bell;
#[cfg(unix)]
pub(crate) use std::os::unix::net::UnixDatagram as Bell;
use std::{
    io,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU8, Ordering::SeqCst},
    },
    task::Wake,
    thread::{self, Thread},
};

/// It polls its future, and nobody has woken it since it began.
const AWAKE: u8 = 0;
/// It sleeps, or is about to.
const ASLEEP: u8 = 1;
/// It must poll its future again.
const NOTIFIED: u8 = 2;

/// A thread that runs [`block_on`](crate::block_on), as others see it; the waker of the future there.
#[derive(Debug)]
pub(crate) struct Parker {
    state: AtomicU8,
    thread: Thread,
    /// What is sent into the first wakes a poll of the second. A thread that never had a socket needs
    /// none: it sleeps in [`thread::park`].
    bell: OnceLock<(Bell, Bell)>,
}

impl Parker {
    pub(crate) fn of_this_thread() -> Arc<Self> {
        Arc::new(Self { state: AtomicU8::new(AWAKE), thread: thread::current(), bell: OnceLock::new() })
    }

    /// Makes sure that this thread, which calls it, can be woken from a poll.
    pub(crate) fn hang_bell(&self) -> io::Result<()> {
        if self.bell.get().is_none() {
            let (button, bell) = new_bell()?;
            button.set_nonblocking(true)?;
            bell.set_nonblocking(true)?;
            let _ = self.bell.set((button, bell));
        }
        Ok(())
    }

    /// What to poll, too.
    pub(crate) fn bell(&self) -> Option<&Bell> {
        self.bell.get().map(|(_, bell)| bell)
    }

    /// The thread polls its future now, which serves all wake-ups so far.
    pub(crate) fn awake(&self) {
        self.state.swap(AWAKE, SeqCst);
    }

    /// Whether the thread may sleep, or must poll its future again.
    pub(crate) fn may_sleep(&self) -> bool {
        self.state.compare_exchange(AWAKE, ASLEEP, SeqCst, SeqCst).is_ok()
    }

    pub(crate) fn notify(&self) {
        if self.state.swap(NOTIFIED, SeqCst) == ASLEEP {
            match self.bell.get() {
                // Fails only when the bell rings already.
                Some((button, _)) => drop(button.send(&[0])),
                None => self.thread.unpark(),
            }
        }
    }
}

impl Wake for Parker {
    fn wake(self: Arc<Self>) {
        self.notify();
    }
}

#[cfg(unix)]
fn new_bell() -> io::Result<(Bell, Bell)> {
    Bell::pair()
}

/// A socket that is connected to itself, for want of socket pairs.
#[cfg(not(unix))]
fn new_bell() -> io::Result<(Bell, Bell)> {
    let bell = Bell::bind(("127.0.0.1", 0))?;
    bell.connect(bell.local_addr()?)?;
    Ok((bell.try_clone()?, bell))
}
