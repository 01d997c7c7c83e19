//! sansmb on smol.
//!
//! [`SmolRuntime`] is what this crate adds; the rest is `sansmb-async`, re-exported, so that a program
//! depends on this crate alone. It stands on smol's parts (`async-io`, `async-executor`, `blocking`),
//! whose types are those of the `smol` crate.
#![forbid(unsafe_code)]

use std::{io, net::SocketAddr};

use sansmb_async::{client::Connection, fileserver::FileServerConfig, sansmb::server::ServerConfig};

mod net;
mod rt;

pub use async_io::block_on;
pub use net::{SmolListener, SmolSocket};
pub use rt::{SmolRuntime, SmolSleep};
pub use sansmb_async::*;

/// A file server on smol.
pub type Server = server::Server<SmolRuntime>;

/// Connects to a server with the usual settings, most often to
/// [`DEFAULT_PORT`](client::DEFAULT_PORT). [`Connection::connect`] takes others.
pub async fn connect(host: &str, port: u16) -> Result<Connection> {
    Connection::connect(&SmolRuntime::default(), host, port, Connection::default_config()).await
}

/// Makes a file server, say from [`server::settings`]. It serves while [`Server::run`] is polled.
pub async fn bind(addr: SocketAddr, config: ServerConfig, files: FileServerConfig) -> io::Result<Server> {
    Server::bind(&SmolRuntime::default(), addr, config, files).await
}
