//! A client made by hand that comes over several connections, and knows all keys of its sessions.

use std::sync::Arc;

use sansmb::{
    auth::{Acceptor, AuthError, Identity, IdentityKind, Mechanism, SessionKey, Step},
    client::TreeRef,
    crypto::{CryptoProvider, PreauthHash, SessionKeys, Signer, sign_message, verify_message},
    op::{self, Op},
    server::ConnId,
    wire::{
        Body, Capabilities, Cipher, Command, Dialect, FileTime, Flags, Guid, Header, NegotiateContext,
        NegotiateContexts, NegotiateRequest, NtStatus, SecurityMode, SessionId, SessionSetupFlags,
        SessionSetupRequest, SigningAlgorithm, TreeConnectRequest, TreeId, U16List, Utf16Buf,
    },
};
use sansmb_crypto::RustCrypto;

use crate::{Pair, raw};

/// What a connection offers in NEGOTIATE.
#[derive(Debug, Clone, Copy)]
pub struct Offer {
    /// The only dialect.
    pub dialect: Dialect,
    /// Which client it is.
    pub guid: Guid,
    /// The only cipher.
    pub cipher: Cipher,
    /// The only signing algorithm.
    pub signing: SigningAlgorithm,
    /// What the client can do.
    pub capabilities: Capabilities,
    /// Whether the client wants everything signed.
    pub signs: bool,
}

impl Default for Offer {
    fn default() -> Self {
        Self {
            dialect: Dialect::SMB3_1_1,
            guid: Guid([8; 16]),
            cipher: Cipher::AES_128_GCM,
            signing: SigningAlgorithm::AES_CMAC,
            capabilities: Capabilities::MULTI_CHANNEL | Capabilities::ENCRYPTION,
            signs: true,
        }
    }
}

/// One connection.
#[derive(Debug)]
pub struct Hand {
    /// The server's end.
    pub conn: ConnId,
    offer: Offer,
    preauth: PreauthHash,
    /// The next MessageId.
    pub next: u64,
}

/// A session on one connection.
#[derive(Debug, Clone)]
pub struct HandSession {
    /// Its name.
    pub id: SessionId,
    /// Signs on the connection.
    pub signer: Arc<dyn Signer>,
}

impl HandSession {
    /// The session outside any tree.
    pub fn bare(&self) -> TreeRef {
        TreeRef { session: self.id, tree: TreeId(0) }
    }
}

impl Hand {
    /// Opens a connection and negotiates.
    pub fn connect(pair: &mut Pair, offer: Offer) -> Self {
        pair.reconnect();
        let mut hand = Self { conn: pair.conn, offer, preauth: PreauthHash::ZERO, next: 0 };
        let (ciphers, signing) = ([offer.cipher], [offer.signing]);
        let contexts = [
            raw::preauth_context(),
            NegotiateContext::Encryption { ciphers: U16List::List(&ciphers) },
            NegotiateContext::Signing { algorithms: U16List::List(&signing) },
        ];
        let mode = if offer.signs { SecurityMode::SIGNING_REQUIRED } else { SecurityMode::SIGNING_ENABLED };
        let body = NegotiateRequest {
            security_mode: mode,
            capabilities: offer.capabilities,
            client_guid: offer.guid,
            dialects: U16List::List(&[offer.dialect]),
            contexts: NegotiateContexts::List(&contexts),
            ..Default::default()
        };
        let nowhere = TreeRef { session: SessionId(0), tree: TreeId(0) };
        let request = raw::message(
            &Header { credit_charge: 0, credits: 64, ..raw::header(Command::NEGOTIATE, nowhere, 0) },
            &body,
        );
        hand.next = 1;
        let answer = hand.ask(pair, &request).remove(0);
        assert_eq!(raw::status(&answer), NtStatus::SUCCESS);
        for message in [&request, &answer] {
            hand.preauth.update(&RustCrypto, message);
        }
        hand
    }

    /// Sends one message as it is, and takes what the server says on this connection.
    pub fn ask(&self, pair: &mut Pair, message: &[u8]) -> Vec<Vec<u8>> {
        pair.conn = self.conn;
        pair.ask(message)
    }

    /// What the server has to say on this connection.
    pub fn hear(&self, pair: &mut Pair) -> Vec<Vec<u8>> {
        pair.conn = self.conn;
        pair.take_server()
    }

    /// A request of this connection, signed where a signer is given.
    pub fn request<O: Op>(
        &mut self,
        to: TreeRef,
        signer: Option<&dyn Signer>,
        body: &O::Request<'_>,
    ) -> Vec<u8> {
        self.message(O::COMMAND, to, signer, body)
    }

    fn message<'m>(
        &mut self,
        command: Command,
        to: TreeRef,
        signer: Option<&dyn Signer>,
        body: &impl Body<'m>,
    ) -> Vec<u8> {
        let mut message = raw::message(&Header { credits: 64, ..raw::header(command, to, self.next) }, body);
        self.next += 1;
        if let Some(signer) = signer {
            sign_message(signer, &mut message, &[]).expect("a message");
        }
        message
    }

    /// One leg of SESSION_SETUP; the answer.
    pub fn setup(
        &mut self,
        pair: &mut Pair,
        session: SessionId,
        flags: SessionSetupFlags,
        signer: Option<&dyn Signer>,
        token: &[u8],
    ) -> Vec<u8> {
        let mut unused = PreauthHash::ZERO;
        self.setup_hashed(pair, session, flags, signer, token, &mut unused)
    }

    fn setup_hashed(
        &mut self,
        pair: &mut Pair,
        session: SessionId,
        flags: SessionSetupFlags,
        signer: Option<&dyn Signer>,
        token: &[u8],
        hash: &mut PreauthHash,
    ) -> Vec<u8> {
        let body = SessionSetupRequest { flags, security_buffer: token, ..Default::default() };
        let to = TreeRef { session, tree: TreeId(0) };
        let request = self.message(Command::SESSION_SETUP, to, signer, &body);
        let answer = self.ask(pair, &request).remove(0);
        hash.update(&RustCrypto, &request);
        if raw::status(&answer) == NtStatus::MORE_PROCESSING_REQUIRED {
            hash.update(&RustCrypto, &answer);
        }
        answer
    }

    /// Authenticates in two legs: `session` 0 makes a session, another one with `binder` is bound.
    /// What the last leg says, and the session if it is a success.
    pub fn authenticate(
        &mut self,
        pair: &mut Pair,
        session: SessionId,
        binder: Option<&dyn Signer>,
        token: &str,
    ) -> (NtStatus, Vec<u8>, Option<HandSession>) {
        let flags = if binder.is_some() { SessionSetupFlags::BINDING } else { SessionSetupFlags::empty() };
        let mut hash = self.preauth;
        let first = self.setup_hashed(pair, session, flags, binder, b"hello", &mut hash);
        if raw::status(&first) != NtStatus::MORE_PROCESSING_REQUIRED {
            return (raw::status(&first), first, None);
        }
        if let Some(binder) = binder {
            assert!(is_signed_by(&first, binder), "the session's key signs until the channel is bound");
        }
        let id = Header::decode(&first).expect("a header").session_id;
        let last = self.setup_hashed(pair, id, flags, binder, token.as_bytes(), &mut hash);
        if raw::status(&last) != NtStatus::SUCCESS {
            return (raw::status(&last), last, None);
        }
        let signer = self.signer(token, &hash);
        (NtStatus::SUCCESS, last, Some(HandSession { id, signer }))
    }

    /// Logs on; everybody may but `wrong`.
    pub fn log_on(&mut self, pair: &mut Pair, token: &str) -> HandSession {
        let (status, answer, session) = self.authenticate(pair, SessionId(0), None, token);
        let session = session.unwrap_or_else(|| panic!("{status}"));
        assert!(!token.starts_with("user") || is_signed_by(&answer, &*session.signer));
        session
    }

    /// Binds `session`, whose first connection signs with its `signer`.
    pub fn bind(
        &mut self,
        pair: &mut Pair,
        session: &HandSession,
        token: &str,
    ) -> Result<HandSession, NtStatus> {
        let (status, answer, bound) = self.authenticate(pair, session.id, Some(&*session.signer), token);
        let bound = bound.ok_or(status)?;
        assert!(is_signed_by(&answer, &*bound.signer), "the channel's own key signs the last answer");
        Ok(bound)
    }

    fn signer(&self, token: &str, hash: &PreauthHash) -> Arc<dyn Signer> {
        let key = key_of(token);
        let keys = SessionKeys::derive(&RustCrypto, self.offer.dialect, None, &key, hash.value());
        let algorithm = match self.offer.dialect {
            Dialect::SMB3_1_1 => self.offer.signing,
            dialect if dialect.is_smb3() => SigningAlgorithm::AES_CMAC,
            _ => SigningAlgorithm::HMAC_SHA256,
        };
        Arc::from(RustCrypto.signer(algorithm, &keys.signing).expect("an algorithm"))
    }

    /// Connects to the share.
    pub fn tree(&mut self, pair: &mut Pair, session: &HandSession) -> TreeRef {
        let path = Utf16Buf::new(r"\\server\share");
        let body = TreeConnectRequest { path: path.as_utf16(), ..Default::default() };
        let request = self.request::<op::TreeConnect>(session.bare(), Some(&*session.signer), &body);
        let answer = self.ask(pair, &request).remove(0);
        assert_eq!(raw::status(&answer), NtStatus::SUCCESS);
        TreeRef { session: session.id, tree: Header::decode(&answer).expect("a header").tree_id }
    }
}

/// Whether a message carries the right signature.
pub fn is_signed_by(message: &[u8], signer: &dyn Signer) -> bool {
    let header = Header::decode(message).expect("a header");
    header.flags.contains(Flags::SIGNED) && verify_message(signer, message, &[]).is_ok()
}

/// The key that a token leads to: another one for every token.
fn key_of(token: &str) -> [u8; 16] {
    let mut key = [0x40; 16];
    for (at, byte) in token.bytes().enumerate() {
        key[at % 16] ^= byte.wrapping_add(at as u8);
    }
    key
}

/// Believes everybody: `hello` is answered with a question, `wrong` is refused, and `NAME/MORE` is
/// the user NAME, `guest` or `nobody`. MORE makes the key another one; `until N` in it lets the
/// identity expire N seconds after 1601.
#[derive(Debug)]
pub struct Believer;

impl Acceptor for Believer {
    fn hint(&self) -> Vec<u8> {
        Vec::new()
    }

    fn accept(&self, _: FileTime, _: [u8; 32]) -> Box<dyn Mechanism> {
        Box::new(Self)
    }
}

impl Mechanism for Believer {
    fn step(&mut self, token: &[u8]) -> Result<Step, AuthError> {
        let text = std::str::from_utf8(token).map_err(|_| AuthError::Malformed("name", 0))?;
        let (name, more) = text.split_once('/').unwrap_or((text, ""));
        let kind = match name {
            "hello" => return Ok(Step::Send(b"who is it?".to_vec())),
            "wrong" => return Err(AuthError::LogonFailure),
            "guest" => IdentityKind::Guest,
            "nobody" => IdentityKind::Anonymous,
            _ => IdentityKind::User,
        };
        let seconds = more.strip_prefix("until ").and_then(|n| n.parse::<u64>().ok());
        let identity = Identity {
            user: name.to_owned(),
            kind,
            expires: seconds.map(|seconds| FileTime(seconds * 10_000_000)),
            ..Identity::default()
        };
        Ok(Step::Done { token: Vec::new(), identity, session_key: SessionKey::new(key_of(text).to_vec()) })
    }
}
