//! Reaching servers: credentials, connections, sessions and shares, each made once.

use std::{io::IsTerminal, time::Duration};

use sansmb::{
    client::{ClientConfig, CompressionPolicy, EncryptionPolicy},
    wire::{Cipher, CompressionAlgorithm, SigningAlgorithm},
};
use sansmb_async::client::{Connection, Session, Share};
use sansmb_auth::Credentials;

use crate::{
    args::{Access, dialect_name},
    failure::{About, Failure, Result},
    runtime::RuntimeKind,
    url::{ServerUrl, SmbUrl},
};

/// The servers of one command.
#[derive(Debug)]
pub(crate) struct Servers<'a> {
    access: &'a Access,
    /// The password that was typed, so that it is asked for once.
    typed: Option<String>,
    /// Sessions, or why there is none: a wrong password is not tried again for the next URL.
    sessions: Vec<(ServerUrl, Result<Session, String>)>,
    shares: Vec<(ServerUrl, String, Share)>,
}

impl<'a> Servers<'a> {
    pub(crate) fn new(access: &'a Access) -> Self {
        Self { access, typed: None, sessions: Vec::new(), shares: Vec::new() }
    }

    /// The share of an URL.
    pub(crate) async fn share(&mut self, url: &SmbUrl) -> Result<Share> {
        let known = self.shares.iter().find(|(server, name, _)| *server == url.server && *name == url.share);
        if let Some((_, _, share)) = known {
            return Ok(share.clone());
        }
        let session = self.session(&url.server).await?;
        let share = session.share(&url.share).await.about(url.with_path(String::new()))?;
        tracing::debug!(share = url.share, kind = ?share.share_type(), "connected to the share");
        self.shares.push((url.server.clone(), url.share.clone(), share.clone()));
        Ok(share)
    }

    /// The share of an URL over a connection of its own.
    pub(crate) async fn share_anew(&mut self, url: &SmbUrl) -> Result<Share> {
        let session = self.log_on(&url.server).await?;
        session.share(&url.share).await.about(url.with_path(String::new()))
    }

    /// A session on a server.
    pub(crate) async fn session(&mut self, server: &ServerUrl) -> Result<Session> {
        if let Some((_, session)) = self.sessions.iter().find(|(known, _)| known == server) {
            return session.clone().map_err(Failure::Refused);
        }
        let session = self.log_on(server).await;
        match &session {
            Ok(session) => self.sessions.push((server.clone(), Ok(session.clone()))),
            Err(Failure::Refused(line)) => self.sessions.push((server.clone(), Err(line.clone()))),
            Err(_) => {}
        }
        session
    }

    /// What it takes to log on to a server over and over, each time with a connection of its own.
    pub(crate) fn way_in(&mut self, server: &ServerUrl) -> Result<WayIn> {
        let (credentials, config) = (self.credentials(server)?, self.config());
        Ok(WayIn { runtime: self.access.runtime, server: server.clone(), credentials, config })
    }

    async fn log_on(&mut self, server: &ServerUrl) -> Result<Session> {
        // Before the connection: a person may take longer to type than a server waits.
        let credentials = self.credentials(server)?;
        let config = self.config();
        let connection =
            self.access.runtime.connect(&server.host, server.port, config).await.about(server)?;
        self.check(server, &connection).await?;
        let session = connection.log_on(credentials).await.about(server)?;
        if session.is_guest() {
            tracing::info!("logged on as guest");
        }
        Ok(session)
    }

    fn config(&self) -> ClientConfig {
        let mut config = Connection::default_config();
        if let Some(dialect) = self.access.dialect {
            (config.min_dialect, config.max_dialect) = (dialect, dialect);
        }
        if let Some(cipher) = self.access.cipher {
            config.ciphers = vec![cipher.into()];
        }
        if let Some(signer) = self.access.signer {
            config.signing_algorithms = vec![signer.into()];
        }
        config.require_signing = self.access.sign;
        if self.access.encrypt {
            config.encryption = EncryptionPolicy::Required;
        }
        if self.access.compress {
            config.compression = CompressionPolicy::Always;
        }
        if let Some(compressor) = self.access.compressor {
            config.compression_algorithms = vec![compressor.into()];
        }
        config.allow_guest = self.access.guest;
        be_patient(&mut config, self.access.timeout);
        config
    }

    /// Dialects before 3.1.1 have one cipher and one signing algorithm, whatever is offered.
    async fn check(&self, server: &ServerUrl, connection: &Connection) -> Result<()> {
        let agreed = connection.agreement().await.about(server)?;
        tracing::info!(
            dialect = dialect_name(agreed.dialect),
            signing = %agreed.signing,
            signing_required = agreed.signing_required,
            cipher = ?agreed.cipher,
            compression = ?agreed.compression.algorithms(),
            "negotiated with {server}",
        );
        let dialect = dialect_name(agreed.dialect);
        if let Some(wanted) = self.access.signer.map(SigningAlgorithm::from)
            && wanted != agreed.signing
        {
            let why = format!("it signs with {} in SMB {dialect}, not with {wanted}", agreed.signing);
            return Err(Failure::refused(server, why));
        }
        if let Some(wanted) = self.access.cipher.map(Cipher::from)
            && agreed.cipher != Some(wanted)
        {
            return Err(Failure::refused(
                server,
                format!("it does not encrypt with {wanted} in SMB {dialect}"),
            ));
        }
        if let Some(wanted) = self.access.compressor.map(CompressionAlgorithm::from)
            && agreed.compression.algorithms() != [wanted]
        {
            return Err(Failure::refused(
                server,
                format!("it does not compress with {wanted} in SMB {dialect}"),
            ));
        }
        Ok(())
    }

    fn credentials(&mut self, server: &ServerUrl) -> Result<Credentials> {
        let (named, password) = match self.access.user.as_deref() {
            None => (None, None),
            Some(user) => match user.split_once('%') {
                Some((user, password)) => (Some(user), Some(password)),
                None => (Some(user), None),
            },
        };
        if let (Some(named), Some(in_url)) = (named, &server.user)
            && named != in_url
        {
            return Err(Failure::usage(format!("{server}: -U names another user")));
        }
        if named == Some("") {
            return Ok(Credentials::anonymous());
        }
        let user = match named.or(server.user.as_deref()) {
            Some(user) => user.to_owned(),
            None if self.access.guest => return Ok(Credentials::guest()),
            None => self_name()?,
        };
        let (domain, name) = match user.split_once(['\\', '/', ';']) {
            Some((domain, name)) => (domain, name),
            None => ("", user.as_str()),
        };
        let password = match password {
            Some(password) => password.to_owned(),
            None => self.password(&user, server)?,
        };
        if !self.access.nt_hash {
            return Ok(Credentials::password(name, domain, password));
        }
        match hash(&password) {
            Some(hash) => Ok(Credentials::nt_hash(name, domain, hash)),
            None => Err(Failure::usage("--nt-hash: an NT hash is 32 hexadecimal digits")),
        }
    }

    /// The password from the environment, or as it is typed.
    fn password(&mut self, user: &str, server: &ServerUrl) -> Result<String> {
        if let Ok(password) = std::env::var("SANSMB_PASSWORD") {
            return Ok(password);
        }
        if let Some(password) = &self.typed {
            return Ok(password.clone());
        }
        if self.access.guest {
            return Ok(String::new());
        }
        let nowhere = || {
            let why = "give it as -U USER%PASSWORD, in SANSMB_PASSWORD, or at a terminal";
            Failure::usage(format!("no password for {user}: {why}"))
        };
        if !std::io::stdin().is_terminal() {
            return Err(nowhere());
        }
        let prompt = format!("Password of {user} on {}: ", server.host);
        let password = rpassword::prompt_password(prompt).map_err(|_| nowhere())?;
        self.typed = Some(password.clone());
        Ok(password)
    }
}

/// Logs on as one more client, whenever and from wherever it is asked to.
#[derive(Debug, Clone)]
pub(crate) struct WayIn {
    runtime: RuntimeKind,
    server: ServerUrl,
    credentials: Credentials,
    config: ClientConfig,
}

impl WayIn {
    pub(crate) async fn log_on(&self) -> Result<Session> {
        let ClientConfig { guid, salt, .. } = Connection::default_config();
        let config = ClientConfig { guid, salt, ..self.config.clone() };
        let (host, port) = (&self.server.host, self.server.port);
        let connection = self.runtime.connect(host, port, config).await.about(&self.server)?;
        connection.log_on(self.credentials.clone()).await.about(&self.server)
    }
}

/// Sets how many seconds a server may be silent.
pub(crate) fn be_patient(config: &mut ClientConfig, seconds: u32) {
    config.handshake_timeout = Duration::from_secs(seconds.into());
    // Half of it until it is asked whether it is there, half of it until it has to have answered.
    config.silence_timeout = config.handshake_timeout / 2;
}

/// Who is logged on here.
fn self_name() -> Result<String> {
    ["USER", "LOGNAME", "USERNAME"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok().filter(|user| !user.is_empty()))
        .ok_or_else(|| Failure::usage("no user: give one with -U or in the URL, or use --guest"))
}

/// Reads 32 hexadecimal digits.
pub(crate) fn hash(text: &str) -> Option<[u8; 16]> {
    if text.len() != 32 || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    u128::from_str_radix(text, 16).ok().map(u128::to_be_bytes)
}
