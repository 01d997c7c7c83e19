//! Storage backends for the sansmb file server.
//!
//! - [`LocalDir`] serves a directory of this machine (Linux). The kernel resolves every path
//!   beneath its root, so that no name and no symbolic link leaves the share.
//! - [`Memory`] keeps everything in memory, within a capacity.
//! - [`ReadOnly`] makes a read-only share of one's own data with a trait of three methods.
//!
//! `OpenDb` keeps what opens need that outlive the server.
//!
//! All backends implement [`Storage`](sansmb_fileserver::storage::Storage); [`run`] does one job and
//! waits for its end.
#![forbid(unsafe_code)]

mod attributes;
#[cfg(target_os = "linux")]
mod local;
mod memory;
#[cfg(feature = "open-db")]
mod open_db;
mod readonly;
mod run;
mod slab;
mod streams;

#[cfg(target_os = "linux")]
pub use local::{LocalDir, LocalOptions};
pub use memory::{Memory, MemoryOptions};
#[cfg(feature = "open-db")]
pub use open_db::{OpenDb, OpenDbError};
pub use readonly::{ReadOnly, Tree, TreeNode};
pub use run::run;
pub use sansmb_fileserver::text::{fold, same_name};
