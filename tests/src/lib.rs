//! Test kit: a client and a server in memory, with a clock that only tests move.

mod pair;

pub use pair::{Pair, PairConfig, framed, now};
