//! Storage backends for the sansmb file server.
//!
//! - [`LocalDir`] serves a directory of this machine (Linux). The kernel resolves every path
//!   beneath its root, so that no name and no symbolic link leaves the share.
//!
//! All of them implement [`Storage`](sansmb_fileserver::storage::Storage); [`run`] does one job and
//! waits for its end.
#![forbid(unsafe_code)]

mod fold;
#[cfg(target_os = "linux")]
mod local;
mod run;
mod slab;

pub use fold::{fold, same_name};
#[cfg(target_os = "linux")]
pub use local::{LocalDir, LocalOptions};
pub use run::run;
