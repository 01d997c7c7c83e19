//! One transport connection: framing, buffers, compression, credits and compounds.

mod buffer;
mod compression;
mod frames;
mod outstanding;
mod payload;
mod rx;
mod spare;
mod tx;
mod window;

pub use buffer::{HEADROOM, MessageBuffer};
pub use compression::{Compression, CompressionError};
pub use frames::{Compound, Part, split_compound};
pub(crate) use outstanding::Outstanding;
pub use payload::Payload;
pub use rx::{FrameError, Rx};
pub use spare::LARGE;
pub use tx::Tx;
pub use window::{CreditError, SequenceWindow};
