//! What one channel knows of one session: its state on this connection and its keys.

use alloc::{boxed::Box, sync::Arc};

use super::token::RequestId;
use crate::{
    crypto::{CryptoProvider, PreauthHash, Sealer, SessionKeys, Signer, seal_message},
    wire::{Cipher, Dialect, SessionId, SigningAlgorithm},
};

/// Nonces of one channel, out of those that a session's encryption key has.
const NONCES_OF_A_CHANNEL: u32 = 48;

/// What all channels of a session have in common.
#[derive(Debug, Clone)]
pub(super) struct SharedKeys {
    /// Session.SigningKey: signs on the session's first channel, and the binding of others. None where
    /// the authentication gave no key.
    pub(super) signer: Option<Arc<dyn Signer>>,
    pub(super) ciphers: Option<Arc<Ciphers>>,
    pub(super) signing_required: bool,
    pub(super) encrypt: bool,
}

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
    /// Channel.SigningKey, and Session.SigningKey while the session is being bound.
    pub(super) signer: Option<Arc<dyn Signer>>,
    /// Session.SigningKey, which signs what a SESSION_SETUP is answered before it succeeds,
    /// [MS-SMB2] 3.3.4.1.1.
    pub(super) session_signer: Option<Arc<dyn Signer>>,
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
    /// The session belongs to other connections; this one authenticates to become one of them.
    Binding,
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
            session_signer: None,
            ciphers: None,
            leg: None,
            next_nonce: 1,
        }
    }

    /// A session that this connection wants to be bound to, as its channel number `ordinal`.
    pub(super) fn binding(preauth: PreauthHash, keys: &SharedKeys, ordinal: u16) -> Self {
        Self {
            phase: Phase::Binding,
            signer: keys.signer.clone(),
            session_signer: keys.signer.clone(),
            next_nonce: u64::from(ordinal) << NONCES_OF_A_CHANNEL,
            ..Self::establishing(preauth)
        }
    }

    /// Puts the keys of a session's first authentication to work.
    pub(super) fn install(
        &mut self,
        crypto: &dyn CryptoProvider,
        algorithm: SigningAlgorithm,
        cipher: Option<Cipher>,
        keys: &SessionKeys,
    ) {
        self.phase = Phase::Valid;
        self.signer = crypto.signer(algorithm, &keys.signing).map(Arc::from);
        self.session_signer = self.signer.clone();
        self.ciphers = cipher.and_then(|cipher| {
            Some(Arc::new(Ciphers {
                cipher,
                opener: crypto.sealer(cipher, &keys.client_to_server)?,
                sealer: crypto.sealer(cipher, &keys.server_to_client)?,
            }))
        });
    }

    /// The connection is bound: it signs with a key of its own, which follows from the
    /// authentication that bound it; all else is the session's.
    pub(super) fn bound(
        &mut self,
        crypto: &dyn CryptoProvider,
        dialect: Dialect,
        algorithm: SigningAlgorithm,
        session_key: &[u8],
        shared: &SharedKeys,
    ) {
        let keys = SessionKeys::derive(crypto, dialect, None, session_key, self.preauth.value());
        self.phase = Phase::Valid;
        self.signer = crypto.signer(algorithm, &keys.signing).map(Arc::from);
        self.ciphers = shared.ciphers.clone();
        self.signing_required = shared.signing_required;
        self.encrypt = shared.encrypt;
    }

    /// What channels to come need to know.
    pub(super) fn shared(&self) -> SharedKeys {
        SharedKeys {
            signer: self.session_signer.clone().filter(|_| !self.keyless),
            ciphers: self.ciphers.clone(),
            signing_required: self.signing_required,
            encrypt: self.encrypt,
        }
    }

    /// Encrypts the message in `frame`, which has room for its transform header in front. `false` where that
    /// cannot be done.
    pub(super) fn seal(&mut self, id: SessionId, frame: &mut [u8]) -> bool {
        let nonce = self.next_nonce;
        self.next_nonce += 1;
        let Some(ciphers) = &self.ciphers else { return false };
        seal_message(&*ciphers.sealer, ciphers.cipher, id, nonce, frame).is_ok()
    }
}
