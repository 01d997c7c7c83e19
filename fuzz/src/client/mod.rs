//! The client's state machine.

mod bytes;
mod host;
mod ops;
mod user;

pub use bytes::client_bytes;
pub use host::{Content, Grant, Reply, Status, Unsolicited};
pub use ops::{Script, Step, client_ops};
pub use user::{Request, Settings};
