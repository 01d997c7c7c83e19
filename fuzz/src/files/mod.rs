//! The file server: several clients, files in memory, jobs that end in any order.

mod ops;
mod requests;
mod store;
mod volume;

pub use ops::{Script, Step, fileserver_ops};
pub use requests::{FileAsk, FileRequest};
