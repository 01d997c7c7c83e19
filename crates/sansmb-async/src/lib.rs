//! The runtime-neutral part of sansmb's adapters: drivers and facade, written once.
//!
//! An adapter crate implements [`Runtime`] for tokio, smol or threads; users take the adapter.
#![forbid(unsafe_code)]

pub mod client;
mod clock;
mod error;
pub mod runtime;
pub mod server;
#[cfg(feature = "testing")]
pub mod testing;

pub use clock::Clock;
pub use error::{Error, Result};
pub use runtime::{Listener, Runtime, Socket};
