//! Test kit: a client and a server in memory, with a clock that only tests move, and foreign peers.

mod pair;
pub mod peers;

pub use pair::{Pair, PairConfig, framed, now};
