//! sansmb on tokio.
//!
//! [`TokioRuntime`] is what this crate adds; the rest is `sansmb-async`, re-exported, so that a
//! program depends on this crate alone. Everything here must run inside a tokio runtime with its I/O
//! and time drivers enabled.
#![forbid(unsafe_code)]

mod net;
mod rt;

pub use net::{TokioListener, TokioSocket};
pub use rt::{TokioRuntime, TokioSleep};
pub use sansmb_async::*;
