//! One transport connection: framing, buffers, sealing, credits and compounds.

mod buffer;
mod frames;
mod rx;
mod tx;
mod window;

pub use buffer::{HEADROOM, MessageBuffer};
pub use frames::{Compound, split_compound};
pub use rx::{FrameError, Rx};
pub use tx::Tx;
pub use window::{CreditError, SequenceWindow};
