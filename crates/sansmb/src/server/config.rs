//! What a server is set to.

use alloc::{sync::Arc, vec::Vec};
use core::time::Duration;

use crate::{
    crypto::{CryptoProvider, EncryptionPolicy},
    wire::{Capabilities, Cipher, CompressionAlgorithm, Dialect, FileTime, Guid, SigningAlgorithm},
};

/// Settings of a server, shared by all its connections.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// Names this server to clients; the same for as long as it runs.
    pub guid: Guid,
    /// When the server started; zero is what Windows sends.
    pub start_time: FileTime,
    /// The oldest dialect that is accepted.
    pub min_dialect: Dialect,
    /// The newest one.
    pub max_dialect: Dialect,
    /// What this server says it can do beyond what it does by itself (multi-credit requests and
    /// encryption): [`Capabilities::DFS`], leases and the like, where the application does them.
    /// [`Capabilities::MULTI_CHANNEL`] lets clients bind several connections to one session,
    /// [`Capabilities::NOTIFICATIONS`] tells them when the server ends one by itself.
    pub capabilities: Capabilities,
    /// Whether requests may cost more than one credit from dialect 2.1 on. [MS-SMB2] 3.3.5.4 wants it on
    /// TCP port 445 and off on NetBIOS.
    pub multi_credit: bool,
    /// Refuse clients that do not sign.
    pub require_signing: bool,
    /// Whether sessions are encrypted.
    pub encryption: EncryptionPolicy,
    /// What carries the connections is secure by itself, as QUIC and TLS are: with a client that says the same
    /// SMB2 encryption is left out, whatever `encryption` and the shares ask for (3.1.1). The specification calls
    /// it DisableEncryptionOverSecureTransport.
    pub secure_transport: bool,
    /// Ciphers by preference, best first.
    pub ciphers: Vec<Cipher>,
    /// Signing algorithms by preference, best first.
    pub signing_algorithms: Vec<SigningAlgorithm>,
    /// Algorithms of compression (3.1.1), in any order: the client's counts. Empty: nothing is
    /// compressed. Answers are where the client asks for it or the share does.
    pub compression_algorithms: Vec<CompressionAlgorithm>,
    /// The token in NEGOTIATE responses that tells clients the authentication mechanisms.
    pub auth_hint: Vec<u8>,
    /// Largest READ in bytes; 64 KiB where multi-credit is not negotiated.
    pub max_read_size: u32,
    /// Largest WRITE in bytes.
    pub max_write_size: u32,
    /// Largest of all other buffers in bytes.
    pub max_transact_size: u32,
    /// Credits that a client may hold.
    pub max_credits: u16,
    /// How fast they come by them.
    pub credit_policy: CreditPolicy,
    /// SessionIds count up from the one after this: servers that must not give the same ids, the
    /// nodes of a cluster say, start far from each other. Some programs keep only 32 bits of an id.
    pub session_id_base: u64,
    /// Requests of one connection that may be pending at once.
    pub max_async: usize,
    /// Sessions of one connection, half-open ones included.
    pub max_sessions: usize,
    /// Connections of one session, those that are still being bound included.
    pub max_channels: usize,
    /// Tree connects of one session.
    pub max_trees: usize,
    /// A connection without an authenticated session is closed after this time.
    pub handshake_timeout: Duration,
    /// Ciphers and hashes.
    pub crypto: Arc<dyn CryptoProvider>,
}

/// How many credits a response grants, within what a client may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CreditPolicy {
    /// As many as the client asks for.
    #[default]
    Asked,
    /// One at first; then every response doubles what the client holds, up to what it asks for.
    Doubling,
}

impl CreditPolicy {
    /// Of `asked` credits, what a client gets that holds `held` beside the request's own `charge`.
    pub(super) fn grant(self, asked: u16, held: u32, charge: u16) -> u16 {
        match self {
            Self::Asked => asked,
            Self::Doubling => {
                let doubled = held.saturating_add(2 * u32::from(charge.max(1)));
                u32::from(asked).min(doubled) as u16
            }
        }
    }
}

impl ServerConfig {
    /// The usual settings: every dialect, signing enabled, encryption where it is asked for,
    /// requests of up to 8 MiB.
    pub fn new(guid: Guid, crypto: Arc<dyn CryptoProvider>) -> Self {
        Self {
            guid,
            start_time: FileTime(0),
            min_dialect: Dialect::SMB2_0_2,
            max_dialect: Dialect::SMB3_1_1,
            capabilities: Capabilities::empty(),
            multi_credit: true,
            require_signing: false,
            encryption: EncryptionPolicy::Enabled,
            secure_transport: false,
            ciphers: [Cipher::AES_128_GCM, Cipher::AES_128_CCM, Cipher::AES_256_GCM, Cipher::AES_256_CCM]
                .to_vec(),
            signing_algorithms: [
                SigningAlgorithm::AES_GMAC,
                SigningAlgorithm::AES_CMAC,
                SigningAlgorithm::HMAC_SHA256,
            ]
            .to_vec(),
            compression_algorithms: CompressionAlgorithm::ALL.to_vec(),
            auth_hint: Vec::new(),
            max_read_size: 8 << 20,
            max_write_size: 8 << 20,
            max_transact_size: 8 << 20,
            max_credits: 8192,
            credit_policy: CreditPolicy::Asked,
            session_id_base: 1 << 28,
            max_async: 1024,
            max_sessions: 64,
            max_channels: 32,
            max_trees: 1024,
            handshake_timeout: Duration::from_secs(45),
            crypto,
        }
    }

    pub(super) fn accepts(&self, dialect: Dialect) -> bool {
        Dialect::ALL.contains(&dialect) && (self.min_dialect..=self.max_dialect).contains(&dialect)
    }
}
