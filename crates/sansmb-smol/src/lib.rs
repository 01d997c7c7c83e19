//! sansmb on smol.
//!
//! [`SmolRuntime`] is what this crate adds; the rest is `sansmb-async`, re-exported, so that a program
//! depends on this crate alone. It stands on smol's parts (`async-io`, `async-executor`, `blocking`),
//! whose types are those of the `smol` crate.
#![forbid(unsafe_code)]

mod net;
mod rt;

pub use async_io::block_on;
pub use net::{SmolListener, SmolSocket};
pub use rt::{SmolRuntime, SmolSleep};
pub use sansmb_async::*;
