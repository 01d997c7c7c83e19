//! sansmb on `std::net` and threads.
//!
//! [`ThreadRuntime`] gives each task a thread. [`block_on`] is the whole executor: it polls a future,
//! and while that waits, so does the thread, in the kernel, for just the sockets and timers that were
//! polled on it. There is no thread in between, and none that serves them all.
//!
//! ```no_run
//! use std::io::Read;
//! use sansmb_blocking::{auth::Credentials, client::OpenOptions, connect};
//!
//! let connection = connect("server", 445)?;
//! let session = connection.log_on(Credentials::password("user", "", "secret"))?;
//! let file = session.share("folder")?.open("dir/name.txt", OpenOptions::read())?;
//! let mut text = String::new();
//! file.reader(0).read_to_string(&mut text)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The rest is `sansmb-async`, re-exported, so that a program depends on this crate alone.
#![forbid(unsafe_code)]

use std::{io, net::SocketAddr};

use sansmb_async::{fileserver::FileServerConfig, sansmb::server::ServerConfig};

mod net;
mod park;
mod reactor;
mod rt;

pub use net::{ThreadListener, ThreadSocket};
pub use reactor::{ThreadSleep, block_on};
pub use rt::ThreadRuntime;
pub use sansmb_async::{blocking::*, *};

/// A file server on threads: [`block_on`] its methods.
pub type Server = server::Server<ThreadRuntime>;

/// Connects to a server with the usual settings, most often to
/// [`DEFAULT_PORT`](client::DEFAULT_PORT). [`Connection::connect`] takes others.
pub fn connect(host: &str, port: u16) -> Result<Connection> {
    Connection::connect(&ThreadRuntime, host, port, client::Connection::default_config())
}

/// Makes a file server, say from [`server::settings`]. It serves during `block_on(server.run())`.
pub fn bind(addr: SocketAddr, config: ServerConfig, files: FileServerConfig) -> io::Result<Server> {
    block_on(Server::bind(&ThreadRuntime, addr, config, files))
}
