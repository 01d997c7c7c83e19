//! sansmb on tokio.
//!
//! [`TokioRuntime`] is what this crate adds; the rest is `sansmb-async`, re-exported, so that a
//! program depends on this crate alone. Everything here must run inside a tokio runtime with its I/O
//! and time drivers enabled.
#![forbid(unsafe_code)]

use std::{io, net::SocketAddr};

use sansmb_async::{client::Connection, fileserver::FileServerConfig, sansmb::server::ServerConfig};

mod net;
mod rt;

pub use net::{TokioListener, TokioSocket};
pub use rt::{TokioRuntime, TokioSleep};
pub use sansmb_async::*;

/// A file server on tokio.
pub type Server = server::Server<TokioRuntime>;

/// Connects to a server with the usual settings, most often to
/// [`DEFAULT_PORT`](client::DEFAULT_PORT). [`Connection::connect`] takes others.
pub async fn connect(host: &str, port: u16) -> Result<Connection> {
    Connection::connect(&TokioRuntime, host, port, Connection::default_config()).await
}

/// Makes a file server, say from [`server::settings`]. It serves while [`Server::run`] is polled.
pub async fn bind(addr: SocketAddr, config: ServerConfig, files: FileServerConfig) -> io::Result<Server> {
    Server::bind(&TokioRuntime, addr, config, files).await
}
