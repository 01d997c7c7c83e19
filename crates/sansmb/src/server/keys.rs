//! What one channel knows of one session: its state on this connection and its keys.

use alloc::{boxed::Box, sync::Arc};

use super::token::RequestId;
use crate::{
    crypto::{CryptoProvider, PreauthHash, Sealer, SessionKeys, Signer},
    wire::{Cipher, SigningAlgorithm},
};

/// A session as one connection sees it.
#[derive(Debug)]
pub(super) struct ChannelSession {
    pub(super) phase: Phase,
    /// The hash over this session's SESSION_SETUP messages (3.1.1).
    pub(super) preauth: PreauthHash,
    /// Requests must be signed (or encrypted).
    pub(super) signing_required: bool,
    /// Requests must be encrypted.
    pub(super) encrypt: bool,
    /// Nothing was verified at log-on: guest or anonymous. There is no key worth signing with.
    pub(super) keyless: bool,
    pub(super) signer: Option<Box<dyn Signer>>,
    pub(super) ciphers: Option<Arc<Ciphers>>,
    /// A leg of an authentication that the application has not answered yet.
    pub(super) leg: Option<RequestId>,
    /// Unique under the session's key: every channel has a range of its own.
    pub(super) next_nonce: u64,
}

/// How far a session is on this connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// The first authentication is under way.
    Establishing,
    /// Authenticated.
    Valid,
    /// Over; only answers that are under way still need it.
    Ended,
}

/// Both directions of a session's encryption.
#[derive(Debug)]
pub(super) struct Ciphers {
    pub(super) cipher: Cipher,
    pub(super) opener: Box<dyn Sealer>,
    pub(super) sealer: Box<dyn Sealer>,
}

impl ChannelSession {
    pub(super) fn establishing(preauth: PreauthHash) -> Self {
        Self {
            phase: Phase::Establishing,
            preauth,
            signing_required: false,
            encrypt: false,
            keyless: false,
            signer: None,
            ciphers: None,
            leg: None,
            next_nonce: 1,
        }
    }

    /// Puts the keys of a finished authentication to work.
    pub(super) fn install(
        &mut self,
        crypto: &dyn CryptoProvider,
        algorithm: SigningAlgorithm,
        cipher: Option<Cipher>,
        keys: &SessionKeys,
    ) {
        self.phase = Phase::Valid;
        self.signer = crypto.signer(algorithm, &keys.signing);
        self.ciphers = cipher.and_then(|cipher| {
            Some(Arc::new(Ciphers {
                cipher,
                opener: crypto.sealer(cipher, &keys.client_to_server)?,
                sealer: crypto.sealer(cipher, &keys.server_to_client)?,
            }))
        });
    }

    pub(super) fn take_nonce(&mut self) -> u64 {
        let nonce = self.next_nonce;
        self.next_nonce += 1;
        nonce
    }
}
