//! The runtime-neutral part of sansmb's adapters: drivers and facade, written once.
//!
//! An adapter crate implements [`Runtime`] for tokio, smol or threads; users take the adapter.
#![forbid(unsafe_code)]

mod clock;
pub mod runtime;

pub use clock::Clock;
pub use runtime::{Listener, Runtime, Socket};
