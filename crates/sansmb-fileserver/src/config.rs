//! What a file server is set to.

use std::{sync::Arc, time::Duration};

use sansmb::{
    auth::Acceptor,
    wire::{Capabilities, dtyp::Sid, fsctl::NetworkInterfaceInfo},
};

use crate::{FileServer, storage::Storage, store::OpenStore};

/// Settings of a [`FileServer`](crate::FileServer).
#[derive(Debug, Clone)]
pub struct FileServerConfig {
    /// The server's name, as clients show it.
    pub name: String,
    /// A remark that clients show beside the name.
    pub comment: String,
    /// Checks users.
    pub acceptor: Arc<dyn Acceptor>,
    /// Users whose names and identifiers clients can look up.
    pub users: Vec<String>,
    /// Users who are administrators, compared without regard to case: they may take ownership of
    /// anything, see audit lists, and read and write everything where they say that it is for a backup.
    pub administrators: Vec<String>,
    /// The identifier of the server, of which those of its users are made. Without one, it is computed
    /// from the name: descriptors then mean other users when the server gets another name.
    pub machine_sid: Option<Sid>,
    /// What is served. `IPC$` need not be among them: it is always there.
    pub shares: Vec<ShareConfig>,
    /// The addresses that clients may connect to as well, for servers that offer multichannel; see
    /// FSCTL_QUERY_NETWORK_INTERFACE_INFO. Those of interface 0 are not shown.
    pub interfaces: Vec<NetworkInterfaceInfo>,
    /// Keeps what continuously available shares need when the server starts again. Without one, none is.
    pub store: Option<Arc<dyn OpenStore>>,
    /// What clients may use up.
    pub limits: Limits,
}

impl FileServerConfig {
    /// A server without shares and with the usual limits.
    pub fn new(name: impl Into<String>, acceptor: Arc<dyn Acceptor>) -> Self {
        Self {
            name: name.into(),
            comment: String::new(),
            acceptor,
            users: Vec::new(),
            administrators: Vec::new(),
            machine_sid: None,
            shares: Vec::new(),
            interfaces: Vec::new(),
            store: None,
            limits: Limits::default(),
        }
    }

    /// What a server that is set to this can do: for
    /// [`ServerConfig::capabilities`](sansmb::server::ServerConfig::capabilities).
    pub fn capabilities(&self) -> Capabilities {
        let available = self.store.is_some() && self.shares.iter().any(|share| share.continuously_available);
        let mut capabilities = FileServer::capabilities();
        capabilities.set(Capabilities::PERSISTENT_HANDLES, available);
        capabilities
    }

    /// Adds a share.
    #[must_use]
    pub fn with_share(mut self, share: ShareConfig) -> Self {
        self.shares.push(share);
        self
    }
}

/// A share for files.
#[derive(Debug, Clone)]
pub struct ShareConfig {
    /// Its name, compared without regard to case.
    pub name: String,
    /// A remark that clients show beside the name.
    pub comment: String,
    /// Where its files are.
    pub storage: Arc<dyn Storage>,
    /// The same as administrators see it over `srvsvc`, as Windows writes it: `C:\srv\files`. Empty: it is
    /// not told.
    pub path: String,
    /// Nothing may be changed through it.
    pub read_only: bool,
    /// Only encrypted requests are taken.
    pub encrypt: bool,
    /// What is read and written is compressed, where the client can (3.1.1). Otherwise answers are where
    /// the client asks for it.
    pub compress: bool,
    /// Who may connect to it.
    pub access: Access,
    /// Clients may watch its directories. Otherwise CHANGE_NOTIFY gives NOT_IMPLEMENTED.
    pub change_notify: bool,
    /// Whether its files have named streams, where its storage has them.
    pub named_streams: bool,
    /// Listings leave out what the user may not read.
    pub access_based_enumeration: bool,
    /// Clients (3.x) can have handles that outlive the server, where it has a
    /// [store](FileServerConfig::store) and the storage can tell files apart for good. What they write is
    /// then on stable storage before they hear that it is written.
    pub continuously_available: bool,
}

impl ShareConfig {
    /// A share that all users may read and write.
    pub fn new(name: impl Into<String>, storage: Arc<dyn Storage>) -> Self {
        Self {
            name: name.into(),
            comment: String::new(),
            storage,
            path: String::new(),
            read_only: false,
            encrypt: false,
            compress: false,
            access: Access::Users,
            change_notify: true,
            named_streams: true,
            access_based_enumeration: false,
            continuously_available: false,
        }
    }
}

/// Who may connect to a share.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Access {
    /// Everybody whose secret was verified.
    #[default]
    Users,
    /// These users, compared without regard to case.
    List(Vec<String>),
    /// Everybody, guests and anonymous sessions included.
    Guests,
}

/// What clients may use up; past it they get INSUFFICIENT_RESOURCES.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Opens of one session.
    pub opens_per_session: usize,
    /// Opens of the server.
    pub opens: usize,
    /// Opens that wait for clients whose sessions ended. Past it the one whose time is up first is
    /// closed; with zero none waits.
    pub waiting_opens: usize,
    /// Opens that outlive the server; past it they outlive their session only.
    pub persistent_opens: usize,
    /// Byte-range locks of one open.
    pub locks_per_open: usize,
    /// The same of an open that outlives the server: all of them are written down with every change.
    pub locks_per_persistent_open: usize,
    /// Requests of one connection that wait for something: a lock, a change, their turn.
    pub waiting_per_connection: usize,
    /// Bytes of changes that are kept for one watch between its requests.
    pub notify_buffer: usize,
    /// Bytes that one pipe keeps in each direction.
    pub pipe_buffer: usize,
    /// Tokens of offloaded data transfer; past it those go whose time is up first.
    pub offload_tokens: usize,
    /// How long one lives, unless its client asks for less.
    pub offload_time: Duration,
    /// A client hears that its request takes a while when the storage has had it for so long.
    pub interim_after: Duration,
    /// A client that does not give up what it caches within this time after it was told loses it,
    /// [MS-SMB2] 3.3.4.6: Windows waits for 35 seconds.
    pub break_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            opens_per_session: 16_384,
            opens: 65_536,
            waiting_opens: 8192,
            persistent_opens: 8192,
            locks_per_open: 16_384,
            locks_per_persistent_open: 1024,
            waiting_per_connection: 512,
            notify_buffer: 64 << 10,
            pipe_buffer: 1 << 20,
            offload_tokens: 4096,
            offload_time: Duration::from_secs(120),
            interim_after: Duration::from_millis(500),
            break_timeout: Duration::from_secs(35),
        }
    }
}
