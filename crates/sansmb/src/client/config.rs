//! What a client is set to.

use alloc::{string::String, sync::Arc, vec::Vec};
use core::time::Duration;

use crate::{
    crypto::{CryptoProvider, EncryptionPolicy},
    wire::{Capabilities, Cipher, CompressionAlgorithm, Dialect, Guid, SigningAlgorithm},
};

/// Settings of one client connection.
#[derive(Debug, Clone)]
pub struct ClientConfig {
    /// Names this client to servers.
    pub guid: Guid,
    /// Salt of the pre-authentication hash (3.1.1): random bytes.
    pub salt: [u8; 32],
    /// The oldest dialect that is accepted.
    pub min_dialect: Dialect,
    /// The newest one that is offered.
    pub max_dialect: Dialect,
    /// Begin with an SMB1 NEGOTIATE that offers these dialect strings, as old clients do.
    pub multi_protocol: Option<Vec<String>>,
    /// What this client says it can do beyond what it does by itself (multi-credit requests and
    /// encryption): [`Capabilities::DFS`] where the application follows referrals, and so on.
    pub capabilities: Capabilities,
    /// Refuse sessions that do not sign (or encrypt).
    pub require_signing: bool,
    /// Whether sessions are encrypted. A server or share that asks for it gets it unless `Off`.
    pub encryption: EncryptionPolicy,
    /// What carries the connection is secure by itself, as QUIC and TLS are: with a server that says the same
    /// SMB2 encryption is left out, whatever `encryption`, the server and its shares ask for (3.1.1). The
    /// specification calls it DisableEncryptionOverSecureTransport.
    pub secure_transport: bool,
    /// Ciphers by preference, best first.
    pub ciphers: Vec<Cipher>,
    /// Signing algorithms by preference, best first.
    pub signing_algorithms: Vec<SigningAlgorithm>,
    /// What is compressed (3.1.1).
    pub compression: CompressionPolicy,
    /// Algorithms of compression by preference, best first; patterns only go with `chained_compression`.
    pub compression_algorithms: Vec<CompressionAlgorithm>,
    /// Whether the parts of a message may be compressed in different ways.
    pub chained_compression: bool,
    /// Take a guest session where a user was asked for.
    pub allow_guest: bool,
    /// The server's name as the user gave it; goes into the NETNAME context (3.1.1).
    pub server_name: String,
    /// Credits to hold: how much may be under way at once, in units of 64 KiB.
    pub credits: u16,
    /// Requests that wait for credits; more are refused.
    pub max_queued: usize,
    /// Largest READ, WRITE and other buffer to use, in bytes, whatever the server offers.
    pub max_io: u32,
    /// The whole of NEGOTIATE and each leg of SESSION_SETUP must be answered within this time.
    pub handshake_timeout: Duration,
    /// Without any byte from the server for this long while an answer is owed, an ECHO asks
    /// whether it is there; after as long again the connection is given up.
    pub silence_timeout: Duration,
    /// Ciphers and hashes.
    pub crypto: Arc<dyn CryptoProvider>,
}

/// What a client compresses, and wants to have compressed, where the server can.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum CompressionPolicy {
    /// Nothing: compression is not offered.
    #[default]
    Off,
    /// READ and WRITE on shares that ask for it.
    Shares,
    /// Every request that is worth it, and what is read.
    Always,
}

impl ClientConfig {
    /// The usual settings: every dialect, signing where there is a key, encryption where the
    /// server or share asks for it.
    pub fn new(guid: Guid, salt: [u8; 32], crypto: Arc<dyn CryptoProvider>) -> Self {
        Self {
            guid,
            salt,
            min_dialect: Dialect::SMB2_0_2,
            max_dialect: Dialect::SMB3_1_1,
            multi_protocol: None,
            capabilities: Capabilities::empty(),
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
            compression: CompressionPolicy::Off,
            compression_algorithms: CompressionAlgorithm::ALL.to_vec(),
            chained_compression: true,
            allow_guest: false,
            server_name: String::new(),
            credits: 512,
            max_queued: 4096,
            max_io: 8 << 20,
            handshake_timeout: Duration::from_secs(30),
            silence_timeout: Duration::from_secs(60),
            crypto,
        }
    }

    pub(super) fn dialects(&self) -> Vec<Dialect> {
        let range = self.min_dialect..=self.max_dialect;
        Dialect::ALL.into_iter().filter(|d| range.contains(d)).collect()
    }
}
