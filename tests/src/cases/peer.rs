//! The clients' side of a case: MessageIds, log-ons, signatures, encryption.

use std::collections::BTreeMap;

use sansmb::{
    auth::{Mechanism, Step},
    conn::Compression,
    crypto::{
        CryptoProvider, PreauthHash, SessionKeys, Signer, open_message, seal_message, sign_message,
        verify_message,
    },
    server::ConnId,
    wire::*,
};
use sansmb_auth::{ClientParams, Credentials, SpnegoClient};
use sansmb_crypto::RustCrypto;

use super::{
    answer::Asked,
    compressed,
    stage::{PASSWORD, Stage},
};

/// What is known about a session by all connections that have it.
#[derive(Debug)]
struct SessionCiphers {
    cipher: Cipher,
    keys: SessionKeys,
    next_nonce: u64,
}

/// The sessions of all clients.
#[derive(Debug, Default)]
pub(super) struct Sessions(BTreeMap<u64, SessionCiphers>);

/// A request that is not answered for good.
#[derive(Debug, Clone)]
pub(super) struct Outstanding {
    /// The command as the case wrote it.
    pub(super) verb: String,
    /// The label that the case gave it.
    pub(super) label: Option<String>,
    pub(super) asked: Asked,
    pub(super) async_id: Option<u64>,
}

/// An authentication that goes on.
#[derive(Debug)]
struct LogOn {
    mechanism: Box<dyn Mechanism>,
    preauth: PreauthHash,
    key: Option<Vec<u8>>,
    binds: bool,
}

/// What a connection has of a session.
#[derive(Debug)]
struct Membership {
    signer: Box<dyn Signer>,
    encrypt: bool,
}

/// A connection of a client.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) conn: ConnId,
    /// Whose connection it is.
    pub(super) guid: Guid,
    pub(super) next_id: u64,
    pub(super) session: SessionId,
    pub(super) tree: TreeId,
    pub(super) outstanding: BTreeMap<u64, Outstanding>,
    /// Members of a compound that is being put together, and whether each is to be signed.
    pub(super) chain: Vec<(Vec<u8>, bool)>,
    /// Whether requests are signed that need not be.
    pub(super) signs: bool,
    pub(super) dialect: Dialect,
    cipher: Option<Cipher>,
    signing: SigningAlgorithm,
    compression: Compression,
    hint: Vec<u8>,
    preauth: PreauthHash,
    log_on: Option<LogOn>,
    members: BTreeMap<u64, Membership>,
    encrypted_trees: Vec<TreeId>,
}

/// How a message came.
#[derive(Debug)]
pub(super) struct Arrived {
    pub(super) header: Header,
    pub(super) bytes: Vec<u8>,
    pub(super) encrypted: bool,
    /// By which algorithms, where it was compressed.
    pub(super) compressed: Vec<CompressionAlgorithm>,
}

impl Peer {
    /// A connection over which nothing was said.
    pub(super) fn new(conn: ConnId, guid: Guid) -> Self {
        Self {
            conn,
            guid,
            next_id: 0,
            session: SessionId(0),
            tree: TreeId(0),
            outstanding: BTreeMap::new(),
            chain: Vec::new(),
            signs: false,
            dialect: Dialect(0),
            cipher: None,
            signing: SigningAlgorithm::HMAC_SHA256,
            compression: Compression::default(),
            hint: Vec::new(),
            preauth: PreauthHash::ZERO,
            log_on: None,
            members: BTreeMap::new(),
            encrypted_trees: Vec::new(),
        }
    }

    /// Begins to log on; `number` makes its randomness differ from that of others.
    pub(super) fn begin_log_on(
        &mut self,
        user: &str,
        password: Option<&str>,
        number: u8,
        stage: &Stage,
        binds: bool,
    ) {
        let credentials = Credentials::password(user, "", password.unwrap_or(PASSWORD));
        let params = ClientParams { now: stage.now(), random: [number; 32], ..ClientParams::default() };
        let mechanism = Box::new(SpnegoClient::new(credentials, params));
        self.log_on = Some(LogOn { mechanism, preauth: self.preauth, key: None, binds });
    }

    /// The token for the next SESSION_SETUP.
    pub(super) fn token(&mut self) -> Result<Vec<u8>, String> {
        let log_on = self.log_on.as_mut().ok_or("nobody logs on here")?;
        match log_on.mechanism.step(&std::mem::take(&mut self.hint)) {
            Ok(Step::Send(token)) => Ok(token),
            Ok(Step::Done { token, session_key, .. }) => {
                log_on.key = Some(session_key.as_bytes().to_vec());
                Ok(token)
            }
            other => Err(format!("the client gives up: {other:?}")),
        }
    }

    /// Whether the log-on that goes on binds this connection to a session.
    pub(super) fn binds(&self) -> bool {
        self.log_on.as_ref().is_some_and(|log_on| log_on.binds)
    }

    /// What a request is hashed into, if it belongs to a handshake.
    pub(super) fn sent(&mut self, command: Command, message: &[u8]) {
        self.hash(command, message);
    }

    fn hash(&mut self, command: Command, message: &[u8]) {
        match (command, &mut self.log_on) {
            (Command::NEGOTIATE, _) => self.preauth.update(&RustCrypto, message),
            (Command::SESSION_SETUP, Some(log_on)) => log_on.preauth.update(&RustCrypto, message),
            _ => {}
        }
    }

    /// Whether the requests of a session, or to a tree, are encrypted.
    pub(super) fn encrypts(&self, session: SessionId, tree: TreeId) -> bool {
        self.members.get(&session.0).is_some_and(|member| member.encrypt)
            || self.encrypted_trees.contains(&tree)
    }

    /// Whether there is a key to sign with.
    pub(super) fn can_sign(&self, session: SessionId) -> bool {
        self.members.contains_key(&session.0)
    }

    /// Signs a message with the key of this connection or, before it has one, of the session.
    pub(super) fn sign(&self, sessions: &Sessions, message: &mut [u8]) -> Result<(), String> {
        let id = Header::decode(message).map_err(|e| e.to_string())?.session_id;
        let signed = match (self.members.get(&id.0), self.session_signer(sessions, id)) {
            (Some(member), _) => sign_message(&*member.signer, message, &[]),
            (None, Some(signer)) => sign_message(&*signer, message, &[]),
            (None, None) => return Err("there is no key to sign with".into()),
        };
        signed.map_err(|e| e.to_string())
    }

    /// Signs with the key that a session has on its first connection.
    fn session_signer(&self, sessions: &Sessions, session: SessionId) -> Option<Box<dyn Signer>> {
        RustCrypto.signer(self.signing, &sessions.0.get(&session.0)?.keys.signing)
    }

    /// Encrypts a message.
    pub(super) fn seal(
        sessions: &mut Sessions,
        session: SessionId,
        message: &[u8],
    ) -> Result<Vec<u8>, String> {
        let session_ciphers = sessions.0.get_mut(&session.0).ok_or("there is no key to encrypt with")?;
        let mut frame = vec![0; TRANSFORM_LEN];
        frame.extend_from_slice(message);
        let cipher = session_ciphers.cipher;
        let sealer =
            RustCrypto.sealer(cipher, &session_ciphers.keys.client_to_server).ok_or("no such cipher")?;
        session_ciphers.next_nonce += 1;
        seal_message(&*sealer, cipher, session, session_ciphers.next_nonce, &mut frame)
            .map_err(|e| e.to_string())?;
        Ok(frame)
    }

    /// Takes a frame: decrypts it, takes its messages apart, verifies them, and learns from them.
    pub(super) fn arrived(
        &mut self,
        sessions: &mut Sessions,
        mut frame: Vec<u8>,
    ) -> Result<Vec<Arrived>, String> {
        let mut encrypted = false;
        if frame.starts_with(&TRANSFORM_PROTOCOL_ID) {
            let id = TransformHeader::decode(&frame).map_err(|e| e.to_string())?.session_id.get();
            let known = sessions.0.get(&id).ok_or("encrypted in an unknown session")?;
            let sealer =
                RustCrypto.sealer(known.cipher, &known.keys.server_to_client).ok_or("no such cipher")?;
            let text = open_message(&*sealer, known.cipher, &mut frame).map_err(|e| e.to_string())?;
            frame = frame[text].to_vec();
            encrypted = true;
        }
        let mut compressed = Vec::new();
        if frame.starts_with(&COMPRESSION_PROTOCOL_ID) {
            compressed = compressed::algorithms(&frame)?;
            frame = self.compression.decompress(&frame, 16 << 20).map_err(|e| e.to_string())?.to_vec();
        }
        let mut messages = Vec::new();
        for bytes in crate::raw::split(&frame) {
            let header = Header::decode(&bytes).map_err(|e| e.to_string())?;
            self.learn(sessions, &header, &bytes)?;
            if header.flags.contains(Flags::SIGNED) {
                self.verify(sessions, &header, &bytes)?;
            }
            messages.push(Arrived { header, bytes, encrypted, compressed: compressed.clone() });
        }
        Ok(messages)
    }

    fn verify(&self, sessions: &Sessions, header: &Header, bytes: &[u8]) -> Result<(), String> {
        let own = self.members.get(&header.session_id.0).map(|member| &*member.signer);
        if own.is_some_and(|signer| verify_message(signer, bytes, &[]).is_ok()) {
            return Ok(());
        }
        match self.session_signer(sessions, header.session_id) {
            Some(signer) if verify_message(&*signer, bytes, &[]).is_ok() => Ok(()),
            _ => Err(format!("the signature of {:?} {} is wrong", header.command, header.status)),
        }
    }

    fn learn(&mut self, sessions: &mut Sessions, header: &Header, bytes: &[u8]) -> Result<(), String> {
        let wrong = |error: DecodeError| error.to_string();
        match (header.command, header.status) {
            (Command::NEGOTIATE, NtStatus::SUCCESS) => {
                let body = NegotiateResponse::decode(bytes).map_err(wrong)?;
                if body.dialect != Dialect::SMB2_WILDCARD {
                    self.hash(header.command, bytes);
                    self.negotiated(&body);
                }
            }
            (Command::SESSION_SETUP, NtStatus::MORE_PROCESSING_REQUIRED) => {
                self.hash(header.command, bytes);
                let body = SessionSetupResponse::decode(bytes).map_err(wrong)?;
                self.hint = body.security_buffer.to_vec();
                self.session = header.session_id;
            }
            (Command::SESSION_SETUP, NtStatus::SUCCESS) => {
                let body = SessionSetupResponse::decode(bytes).map_err(wrong)?;
                self.established(sessions, header, &body)?;
            }
            (Command::TREE_CONNECT, NtStatus::SUCCESS) => {
                let body = TreeConnectResponse::decode(bytes).map_err(wrong)?;
                self.tree = header.tree_id;
                if body.share_flags.contains(ShareFlags::ENCRYPT_DATA) {
                    self.encrypted_trees.push(header.tree_id);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn negotiated(&mut self, body: &NegotiateResponse<'_>) {
        self.dialect = body.dialect;
        self.hint = body.security_buffer.to_vec();
        if body.dialect.is_smb3() {
            self.signing = SigningAlgorithm::AES_CMAC;
        }
        let encrypts = body.capabilities.contains(Capabilities::ENCRYPTION);
        self.cipher = encrypts.then_some(Cipher::AES_128_CCM);
        for context in body.contexts.iter() {
            match context {
                NegotiateContext::Encryption { ciphers } => self.cipher = ciphers.get(0).filter(|c| c.0 != 0),
                NegotiateContext::Compression { flags, algorithms } => {
                    let chained = flags.contains(CompressionFlags::CHAINED);
                    self.compression =
                        Compression::agree(algorithms.iter(), &CompressionAlgorithm::ALL, chained);
                }
                NegotiateContext::Signing { algorithms } => {
                    self.signing = algorithms.get(0).unwrap_or(self.signing);
                }
                _ => {}
            }
        }
    }

    fn established(
        &mut self,
        sessions: &mut Sessions,
        header: &Header,
        body: &SessionSetupResponse<'_>,
    ) -> Result<(), String> {
        let id = header.session_id;
        self.session = id;
        let mut log_on = self.log_on.take().ok_or("nobody logs on here")?;
        if self.members.contains_key(&id.0) {
            return Ok(());
        }
        let key = match log_on.key {
            Some(key) => key,
            None => match log_on.mechanism.step(body.security_buffer) {
                Ok(Step::Done { session_key, .. }) => session_key.as_bytes().to_vec(),
                other => return Err(format!("the client does not believe the server: {other:?}")),
            },
        };
        let keys = SessionKeys::derive(&RustCrypto, self.dialect, self.cipher, &key, log_on.preauth.value());
        let signer = RustCrypto.signer(self.signing, &keys.signing).ok_or("no such signature")?;
        let encrypt = body.session_flags.contains(SessionFlags::ENCRYPT_DATA);
        self.members.insert(id.0, Membership { signer, encrypt });
        if !log_on.binds {
            let cipher = self.cipher.unwrap_or(Cipher::AES_128_CCM);
            sessions.0.insert(id.0, SessionCiphers { cipher, keys, next_nonce: 0 });
        }
        Ok(())
    }
}
