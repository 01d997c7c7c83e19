//! The server's state machine.

mod app;
mod bytes;
mod ops;
mod peer;
mod requests;

pub use app::Answer;
pub use bytes::server_bytes;
pub use ops::{Script, Settings, Step, server_ops};
pub(crate) use peer::Peer;
pub use requests::{Ask, Kind, first_request};
