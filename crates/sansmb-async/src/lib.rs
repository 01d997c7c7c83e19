//! The runtime-neutral part of sansmb's adapters: drivers and facade, written once.
//!
//! An adapter crate implements [`Runtime`] for tokio, smol or threads; users take the adapter.
#![forbid(unsafe_code)]

pub mod blocking;
pub mod client;
mod clock;
mod error;
mod lock;
mod pipe;
pub mod runtime;
pub mod server;
#[cfg(feature = "testing")]
pub mod testing;

pub use bytes::Bytes;
pub use sansmb;
pub use sansmb_auth as auth;
pub use sansmb_crypto as crypto;
pub use sansmb_fileserver as fileserver;

pub use clock::Clock;
pub use error::{Error, Result};
pub use runtime::{Listener, ReadyHint, Runtime, Socket};
