//! A connection to a server.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use sansmb::{
    client::{Agreement, Client, ClientConfig, Outcome},
    crypto::Random,
    wire::Guid,
};
use sansmb_auth::{ClientParams, Credentials, SpnegoClient};

use super::{
    driver::{Driver, Shared},
    session::Session,
};
use crate::{
    Clock, Runtime,
    error::{Error, Result},
};

/// The port of SMB over TCP.
pub const DEFAULT_PORT: u16 = 445;

/// A connection to a server, before anybody logged on. Clones are handles of the same connection,
/// which ends with the last of them and what was made from them.
#[derive(Debug, Clone)]
pub struct Connection {
    shared: Arc<Handle>,
}

/// Closes the connection when the last user lets go.
#[derive(Debug)]
pub(crate) struct Handle {
    pub(crate) shared: Arc<Shared>,
    pub(crate) host: String,
    /// How long the answer to the first request took.
    pub(crate) round_trip: Duration,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.close();
    }
}

impl Connection {
    /// The usual settings, with fresh randomness and the fastest ciphers that are compiled in.
    pub fn default_config() -> ClientConfig {
        let mut random = sansmb_crypto::OsRandom;
        let (mut guid, mut salt) = ([0; 16], [0; 32]);
        random.fill(&mut guid);
        random.fill(&mut salt);
        ClientConfig::new(Guid(guid), salt, sansmb_crypto::default_provider())
    }

    /// Connects to the first address of `host` that answers, and negotiates.
    pub async fn connect<R: Runtime>(
        runtime: &R,
        host: &str,
        port: u16,
        config: ClientConfig,
    ) -> Result<Self> {
        let mut last = None;
        for addr in runtime.resolve(host, port).await? {
            match Self::connect_addr(runtime, host, addr, config.clone()).await {
                Err(Error::Io(error)) => last = Some(error),
                other => return other,
            }
        }
        Err(last.unwrap_or_else(|| std::io::Error::other("the host has no address")).into())
    }

    async fn connect_addr<R: Runtime>(
        runtime: &R,
        host: &str,
        addr: SocketAddr,
        config: ClientConfig,
    ) -> Result<Self> {
        let socket = runtime.connect(addr).await?;
        Self::open(runtime, host, socket, config).await
    }

    /// Negotiates on a socket that is connected already. `host` is the name in share paths.
    pub async fn open<R: Runtime>(
        runtime: &R,
        host: &str,
        socket: R::Socket,
        mut config: ClientConfig,
    ) -> Result<Self> {
        if config.server_name.is_empty() {
            config.server_name = host.to_owned();
        }
        let clock = Clock::new();
        let client = Client::new(config, clock.now());
        let shared = Shared::new(client, Box::new(socket), clock);
        runtime.spawn(Driver::new(shared.clone(), runtime.clone()));
        let mut handle = Handle { shared, host: host.to_owned(), round_trip: Duration::ZERO };
        let asked = clock.now().mono;
        handle.shared.negotiated().await?;
        handle.round_trip = clock.now().mono.since(asked);
        Ok(Self { shared: Arc::new(handle) })
    }

    /// What was negotiated.
    pub async fn agreement(&self) -> Result<Agreement> {
        self.shared.shared.negotiated().await
    }

    /// Logs on.
    pub async fn log_on(&self, credentials: Credentials) -> Result<Session> {
        let shared = &self.shared.shared;
        let wants_user = !credentials.is_anonymous();
        let mechanism = self.mechanism(credentials);
        match shared.start(None, |client, now| client.log_on(mechanism, wants_user, now)).await? {
            Outcome::LoggedOn { session, guest } => Ok(Session::new(self.shared.clone(), session, guest)),
            _ => Err(Error::Unexpected("the answer to a log-on is none")),
        }
    }

    /// Makes this one more connection of a session that was established over another one to the same server,
    /// [MS-SMB2] 3.2.4.2.3. What it gives is the same session with a way of its own to the server: shares
    /// are connected once more over it, and ending the session ends it on both.
    ///
    /// Both connections need the same [`ClientConfig`], which says that the client can do so
    /// (`Capabilities::MULTI_CHANNEL`), and `credentials` are those of the session.
    pub async fn join(&self, session: &Session, credentials: Credentials) -> Result<Session> {
        let to_share = session.to_share()?;
        let mechanism = self.mechanism(credentials);
        match self.shared.shared.start(None, |client, now| client.join(to_share, mechanism, now)).await? {
            Outcome::LoggedOn { session, guest } => Ok(Session::new(self.shared.clone(), session, guest)),
            _ => Err(Error::Unexpected("the answer to a log-on is none")),
        }
    }

    fn mechanism(&self, credentials: Credentials) -> Box<SpnegoClient> {
        let mut random = [0; 32];
        sansmb_crypto::OsRandom.fill(&mut random);
        let params = ClientParams {
            now: self.shared.shared.clock().now().wall,
            random,
            target_spn: Some(format!("cifs/{}", self.shared.host)),
            ..ClientParams::default()
        };
        Box::new(SpnegoClient::new(credentials, params))
    }
}
