//! A client and a server joined in memory, and what the core's hot paths cost between them.

mod counting;
mod hot_path;
mod pair;

pub use counting::{Counting, allocations};
pub use hot_path::{Ask, HotPath, Protection};
pub use pair::{Pair, PairConfig, framed, frames, now};
