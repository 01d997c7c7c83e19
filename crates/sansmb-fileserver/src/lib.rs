//! The semantics of a file server, without I/O, clock or threads.
//!
//! [`FileServer`] stands between the protocol (`sansmb::server`) and a [`storage::Storage`]. It takes
//! the protocol's events, keeps what [MS-SMB2] 3.3 and [MS-FSA] keep (opens, share modes, byte-range
//! locks, deletions that are due, watches), and answers with [`Action`]s: jobs for a storage, and
//! responses for a connection.
//!
//! | kind | names | rule |
//! |---|---|---|
//! | look | [`FileServer::counters`] | any time |
//! | feed | [`FileServer::handle`], [`FileServer::complete`], [`FileServer::stored`], [`FileServer::handle_timeout`] | never fails |
//! | drain | [`FileServer::poll_action`], [`FileServer::poll_timeout`] | at the start and after every feed |
//!
//! A driver's loop: give every event of the server to `handle`; for every [`Action::Job`] call
//! [`storage::Storage::submit`] and bring what comes out back through `complete`; for every
//! [`Action::Store`] call [`store::OpenStore::submit`] and bring what comes out back through `stored`; for every
//! [`Action::Respond`] call [`Response::deliver`] or [`Response::deliver_with`]; for every [`Action::Break`]
//! call [`BreakOrder::deliver`], and bring what it could not deliver to [`FileServer::break_undelivered`].
#![forbid(unsafe_code)]

mod action;
mod caching;
mod close;
mod config;
mod create;
mod directory;
mod durable;
mod exchanges;
mod info;
mod io;
mod ioctl;
mod lock;
mod locks;
mod nodes;
mod notify;
mod offloads;
mod opens;
mod path_key;
mod persistent;
mod pipes;
mod quota;
mod security;
mod server;
mod session;
mod share_modes;
mod shares;
pub mod storage;
pub mod store;
mod task;
pub mod text;
mod times;
mod tree;

pub use action::{Action, JobId, Response};
pub use caching::{BreakOrder, Undelivered};
pub use config::{Access, FileServerConfig, Limits, ShareConfig};
pub use server::{Counters, FileServer};
