//! What a server is set to.

use alloc::{sync::Arc, vec::Vec};
use core::time::Duration;

use crate::{
    crypto::{CryptoProvider, EncryptionPolicy},
    wire::{Cipher, Dialect, FileTime, Guid, SigningAlgorithm},
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
    /// Refuse clients that do not sign.
    pub require_signing: bool,
    /// Whether sessions are encrypted.
    pub encryption: EncryptionPolicy,
    /// Ciphers by preference, best first.
    pub ciphers: Vec<Cipher>,
    /// Signing algorithms by preference, best first.
    pub signing_algorithms: Vec<SigningAlgorithm>,
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
    /// Requests of one connection that may be pending at once.
    pub max_async: usize,
    /// Sessions of one connection, half-open ones included.
    pub max_sessions: usize,
    /// Tree connects of one session.
    pub max_trees: usize,
    /// A connection without an authenticated session is closed after this time.
    pub handshake_timeout: Duration,
    /// Ciphers and hashes.
    pub crypto: Arc<dyn CryptoProvider>,
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
            require_signing: false,
            encryption: EncryptionPolicy::Enabled,
            ciphers: [Cipher::AES_128_GCM, Cipher::AES_128_CCM, Cipher::AES_256_GCM, Cipher::AES_256_CCM]
                .to_vec(),
            signing_algorithms: [
                SigningAlgorithm::AES_GMAC,
                SigningAlgorithm::AES_CMAC,
                SigningAlgorithm::HMAC_SHA256,
            ]
            .to_vec(),
            auth_hint: Vec::new(),
            max_read_size: 8 << 20,
            max_write_size: 8 << 20,
            max_transact_size: 8 << 20,
            max_credits: 8192,
            max_async: 1024,
            max_sessions: 64,
            max_trees: 1024,
            handshake_timeout: Duration::from_secs(45),
            crypto,
        }
    }

    pub(super) fn accepts(&self, dialect: Dialect) -> bool {
        Dialect::ALL.contains(&dialect) && (self.min_dialect..=self.max_dialect).contains(&dialect)
    }
}
