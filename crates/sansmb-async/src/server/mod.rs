//! The file server on a runtime: one task a connection, one small lock for what they share.

mod connection;
mod holding;
mod inbox;
mod shared;

use std::{
    future::Future,
    io,
    net::SocketAddr,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use sansmb::{
    crypto::Random,
    server::ServerConfig,
    time::Instant,
    wire::{Capabilities, Guid},
};
use sansmb_auth::{AcceptorConfig, SpnegoAcceptor, UserTable};
use sansmb_fileserver::{FileServer, FileServerConfig, ShareConfig};

pub use self::shared::Stats;
use self::{connection::Connection, shared::Shared};
use crate::{Clock, Listener, Runtime};

/// After a failed accept (out of descriptors, say) the next try waits so long.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// What is in flight has so long to finish when the server stops.
const DRAIN: Duration = Duration::from_secs(10);

/// A file server that listens.
#[derive(Debug)]
pub struct Server<R: Runtime> {
    runtime: R,
    listener: R::Listener,
    shared: Arc<Shared>,
}

/// A handle that stops a [`Server`] and tells how it is doing.
#[derive(Debug, Clone)]
pub struct ServerHandle {
    shared: Arc<Shared>,
}

impl ServerHandle {
    /// Lets what is in flight finish, then closes all connections; [`Server::run`] returns then.
    pub fn stop(&self) {
        self.shared.stop();
    }

    /// How the server is doing.
    pub fn stats(&self) -> Stats {
        self.shared.stats()
    }
}

/// The usual server for some shares and users: fresh GUID, the fastest ciphers that are compiled
/// in. Change what is to be different, then pass it to [`Server::bind`].
pub fn settings(name: &str, users: UserTable, shares: Vec<ShareConfig>) -> (ServerConfig, FileServerConfig) {
    let names = users.names().map(str::to_owned).collect();
    let mut acceptor = AcceptorConfig::new(name, Arc::new(users));
    // A null session gets no further than its log-on, unless a share is for everybody.
    acceptor.allow_anonymous = true;
    let acceptor = Arc::new(SpnegoAcceptor::new(acceptor));
    let mut guid = [0; 16];
    sansmb_crypto::OsRandom.fill(&mut guid);
    let mut server = ServerConfig::new(Guid(guid), sansmb_crypto::default_provider());
    server.capabilities |=
        FileServer::capabilities() | Capabilities::MULTI_CHANNEL | Capabilities::NOTIFICATIONS;
    let mut files = FileServerConfig::new(name, acceptor);
    files.shares = shares;
    files.users = names;
    (server, files)
}

impl<R: Runtime> Server<R> {
    /// Listens on `addr`. Nobody is served before [`Server::run`].
    pub async fn bind(
        runtime: &R,
        addr: SocketAddr,
        mut config: ServerConfig,
        files: FileServerConfig,
    ) -> io::Result<Self> {
        let listener = runtime.bind(addr).await?;
        if config.auth_hint.is_empty() {
            config.auth_hint = files.acceptor.hint();
        }
        config.capabilities |= files.capabilities() & Capabilities::PERSISTENT_HANDLES;
        let shared = Arc::new(Shared::new(Arc::new(config), files, Clock::new()));
        Ok(Self { runtime: runtime.clone(), listener, shared })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// A handle to stop it.
    pub fn handle(&self) -> ServerHandle {
        ServerHandle { shared: self.shared.clone() }
    }

    /// Serves until [`ServerHandle::stop`].
    pub async fn run(self) {
        let Self { runtime, listener, shared } = self;
        let mut keeper = Keeper { shared: shared.clone(), runtime: runtime.clone(), timer: None };
        // What was kept of the last run comes first, whether or not a client does.
        shared.expire();
        while let Some(accepted) = keeper.accept(&listener).await {
            match accepted {
                Ok(socket) => runtime.spawn(Connection::new(shared.clone(), runtime.clone(), socket)),
                Err(_) => runtime.sleep(ACCEPT_PAUSE).await,
            }
        }
        drop(listener);
        keeper.drain().await;
    }
}

/// The accept task's other work: what is due, and what no connection is left to do.
#[derive(Debug)]
struct Keeper<R: Runtime> {
    shared: Arc<Shared>,
    runtime: R,
    timer: Option<(Instant, R::Sleep)>,
}

impl<R: Runtime> Keeper<R> {
    /// The next connection, unless the server stops.
    async fn accept(&mut self, listener: &R::Listener) -> Option<io::Result<R::Socket>> {
        std::future::poll_fn(|cx| {
            if self.turn(cx) { Poll::Ready(None) } else { listener.poll_accept(cx).map(Some) }
        })
        .await
    }

    /// Waits until all connections are gone, but not for ever.
    async fn drain(&mut self) {
        let mut deadline = pin!(self.runtime.sleep(DRAIN));
        std::future::poll_fn(|cx| {
            self.turn(cx);
            if self.shared.stats().connections == 0 {
                return Poll::Ready(());
            }
            deadline.as_mut().poll(cx)
        })
        .await;
    }

    /// Does what is to be done; whether the server stops.
    fn turn(&mut self, cx: &mut Context<'_>) -> bool {
        let stops = self.shared.watch_stop(cx);
        self.shared.turn_orphans();
        self.watch_time(cx);
        stops
    }

    fn watch_time(&mut self, cx: &mut Context<'_>) {
        let Some(due) = self.shared.poll_timeout() else { return };
        if self.timer.as_ref().is_none_or(|(at, _)| *at != due) {
            let left = due.since(self.shared.clock.now().mono);
            self.timer = Some((due, self.runtime.sleep(left)));
        }
        let Some((_, sleep)) = &mut self.timer else { return };
        if Pin::new(sleep).poll(cx).is_ready() {
            self.timer = None;
            self.shared.expire();
            cx.waker().wake_by_ref();
        }
    }
}
