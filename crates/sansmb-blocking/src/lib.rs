//! sansmb on `std::net` and threads.
//!
//! [`ThreadRuntime`] gives each task a thread. [`block_on`] is the whole executor: it polls a future,
//! and while that waits, so does the thread, in the kernel, for just the sockets and timers that were
//! polled on it. There is no thread in between, and none that serves them all.
//!
//! The rest is `sansmb-async`, re-exported, so that a program depends on this crate alone.
#![forbid(unsafe_code)]

mod net;
mod park;
mod reactor;
mod rt;

pub use net::{ThreadListener, ThreadSocket};
pub use reactor::block_on;
pub use rt::{ThreadRuntime, ThreadSleep};
pub use sansmb_async::*;
