//! Test kit: a client and a server in memory, with a clock that only tests move, and foreign peers.

pub mod cases;
pub mod hand;
pub mod matrix;
pub mod peers;
pub mod raw;
pub mod scratch;
pub mod still;
pub mod torture;
pub mod transcript;

pub use sansmb_tests_core::{Pair, PairConfig, framed, frames, now};

/// The README's examples, which have to compile.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;
