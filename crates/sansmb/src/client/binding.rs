//! A session over several connections, [MS-SMB2] 3.2.4.2.3 and 3.2.5.3.3.

use alloc::{boxed::Box, collections::BTreeMap, sync::Arc};

use super::{
    Agreement, Client, OpError, OpId, TreeRef,
    state::{Ciphers, LogOn, Session, Tree},
};
use crate::{
    auth::{Mechanism, SessionKey},
    crypto::{PreauthHash, SessionKeys, Signer, verify_message},
    time::Now,
    wire::{
        Capabilities, Dialect, Flags, Guid, Header, NtStatus, SessionFlags, SessionId, ShareFlags,
        SigningAlgorithm, TreeId,
    },
};

/// Nonces of one connection, out of those that a session's encryption key has.
const NONCES_OF_A_CHANNEL: u32 = 48;

/// A session for one more connection to join: from [`Client::share_session`] of the connection that
/// established it to [`Client::join`] of another. It serves once, since every connection has nonces of
/// its own.
#[derive(Debug)]
pub struct SharedSession {
    pub(super) id: SessionId,
    /// Signs the binding.
    signer: Arc<dyn Signer>,
    ciphers: Option<Arc<Ciphers>>,
    signs: bool,
    encrypt: bool,
    trees: BTreeMap<TreeId, Tree>,
    channel_sequence: u16,
    ordinal: u16,
    client: Guid,
    agreement: Agreement,
}

impl SharedSession {
    /// The session.
    pub fn session(&self) -> SessionId {
        self.id
    }

    /// Why a connection cannot join that agreed on `ours`, [MS-SMB2] 3.3.5.5: the server would refuse, or,
    /// worse, it is another server that does not.
    fn check(&self, ours: &Agreement, client: Guid) -> Result<(), &'static str> {
        let theirs = &self.agreement;
        let gmac = |agreement: &Agreement| agreement.signing == SigningAlgorithm::AES_GMAC;
        match () {
            () if !ours.capabilities.contains(Capabilities::MULTI_CHANNEL) => {
                Err("the server lets a session have one connection only")
            }
            () if ours.server_guid != theirs.server_guid => Err("the other connection is to another server"),
            () if client != self.client => Err("the other connection is another client's"),
            () if ours.dialect != theirs.dialect || !ours.dialect.is_smb3() => {
                Err("the connections speak different dialects, or one older than 3.0")
            }
            () if ours.cipher != theirs.cipher || ours.transport_security != theirs.transport_security => {
                Err("the connections encrypt in different ways")
            }
            () if gmac(ours) != gmac(theirs) => Err("the connections sign in ways that do not go together"),
            () => Ok(()),
        }
    }

    /// The session while this connection is being bound to it: signs with the session's key, and does not
    /// encrypt, [MS-SMB2] 3.2.4.1.8.
    fn joining(&self) -> Session {
        Session {
            signer: Some(self.signer.clone()),
            session_signer: Some(self.signer.clone()),
            signs: true,
            joining: true,
            bound: true,
            next_nonce: u64::from(self.ordinal) << NONCES_OF_A_CHANNEL,
            channel_sequence: self.channel_sequence,
            ..Session::default()
        }
    }
}

impl Client {
    /// What another connection to the same server needs to [`Client::join`] a session that was
    /// established on this one. The server has to say that it can do so
    /// ([`Capabilities::MULTI_CHANNEL`] in the [`Agreement`]), and so does this client, in its settings.
    ///
    /// Trees that are connected afterwards are made known by [`Client::adopt_tree`].
    pub fn share_session(&mut self, session: SessionId) -> Result<SharedSession, OpError> {
        let agreement = self.agreement.clone().ok_or(OpError::Misuse("nothing is negotiated yet"))?;
        let (id, client) = (session, self.config.guid);
        let session = self.sessions.get_mut(&id).filter(|session| !session.ended);
        let session = session.ok_or(OpError::Misuse("no such session"))?;
        if session.bound {
            return Err(OpError::Misuse("only the connection that established a session can share it"));
        }
        let signer = session.session_signer.clone();
        let signer =
            signer.ok_or(OpError::Incompatible("a session without a key has one connection only"))?;
        let ordinal = session.channels.checked_add(1);
        session.channels = ordinal.ok_or(OpError::Misuse("the session had too many connections"))?;
        Ok(SharedSession {
            id,
            signer,
            ciphers: session.ciphers.clone(),
            signs: session.signs,
            encrypt: session.encrypt,
            trees: session.trees.clone(),
            channel_sequence: session.channel_sequence,
            ordinal: session.channels,
            client,
            agreement,
        })
    }

    /// Binds this connection to a session of another, [MS-SMB2] 3.2.4.2.3. `mechanism` has to authenticate
    /// the same user. It begins as soon as NEGOTIATE is done and ends with [`super::Outcome::LoggedOn`];
    /// the trees of the session then are trees of this connection as well.
    pub fn join(&mut self, shared: SharedSession, mechanism: Box<dyn Mechanism>, now: Now) -> OpId {
        let session = shared.id;
        let op = self.new_op();
        let log_on = LogOn {
            op,
            mechanism,
            session,
            preauth: PreauthHash::ZERO,
            key: None,
            again: false,
            wants_user: true,
            joins: Some(Box::new(shared)),
        };
        self.start_log_on(log_on, now);
        op
    }

    /// Before the first leg: whether the connections fit together. The session is known from here on.
    pub(super) fn prepare_join(&mut self, op: OpId) -> Result<(), OpError> {
        let Some(log_on) = self.log_ons.iter().find(|l| l.op == op) else { return Ok(()) };
        let (Some(shared), Some(agreement)) = (&log_on.joins, &self.agreement) else { return Ok(()) };
        shared.check(agreement, self.config.guid).map_err(OpError::Incompatible)?;
        if self.sessions.contains_key(&shared.id) {
            return Err(OpError::Misuse("the connection has this session already"));
        }
        let joining = shared.joining();
        self.sessions.insert(shared.id, joining);
        Ok(())
    }

    /// The server says that the connection is bound, which only its signature proves: with a key that
    /// follows from this connection's own authentication, [MS-SMB2] 3.2.5.3.3.
    pub(super) fn joined(
        &mut self,
        shared: SharedSession,
        preauth: PreauthHash,
        header: &Header,
        message: &[u8],
        flags: SessionFlags,
        key: &SessionKey,
    ) -> Result<(), OpError> {
        let Some(agreement) = &self.agreement else { return Err(OpError::Misuse("nothing is negotiated")) };
        if flags.intersects(SessionFlags::IS_GUEST | SessionFlags::IS_NULL) || key.as_bytes().is_empty() {
            return Err(OpError::Incompatible("a guest's connection cannot join a session"));
        }
        let crypto = &*self.config.crypto;
        let keys = SessionKeys::derive(crypto, agreement.dialect, None, key.as_bytes(), preauth.value());
        let signer: Arc<dyn Signer> = crypto
            .signer(agreement.signing, &keys.signing)
            .ok_or(OpError::Incompatible("the session cannot be signed"))?
            .into();
        if !header.flags.contains(Flags::SIGNED) {
            return Err(OpError::Incompatible("the last answer of the binding is not signed"));
        }
        verify_message(&*signer, message, &[])
            .map_err(|_| OpError::Incompatible("the server does not know the key of the connection"))?;
        let session = self
            .sessions
            .get_mut(&shared.id)
            .filter(|session| !session.ended)
            .ok_or(OpError::Status { status: NtStatus::USER_SESSION_DELETED, data: Default::default() })?;
        session.joining = false;
        session.signer = Some(signer);
        session.ciphers = shared.ciphers;
        session.signs = shared.signs;
        session.encrypt = shared.encrypt;
        // Whatever became known while the binding was under way comes on top.
        let adopted = core::mem::replace(&mut session.trees, shared.trees);
        session.trees.extend(adopted);
        Ok(())
    }

    /// A tree of a session was connected over another connection, with these flags: requests to it may
    /// go over this one, too.
    pub fn adopt_tree(&mut self, tree: TreeRef, flags: ShareFlags) {
        if let Some(session) = self.sessions.get_mut(&tree.session) {
            let encrypt = flags.contains(ShareFlags::ENCRYPT_DATA);
            let compress = flags.contains(ShareFlags::COMPRESS_DATA);
            session.trees.insert(tree.tree, Tree { encrypt, compress });
        }
    }

    /// A tree was disconnected over another connection.
    pub fn forget_tree(&mut self, tree: TreeRef) {
        if let Some(session) = self.sessions.get_mut(&tree.session) {
            session.trees.remove(&tree.tree);
        }
    }

    /// A session lost one of its other connections: what is sent from now on says so in its
    /// ChannelSequence, so that the server does not take what was under way there for something newer,
    /// [MS-SMB2] 3.2.7.1. Every connection that the session has left has to hear of it.
    pub fn channel_lost(&mut self, session: SessionId) {
        if let Some(session) = self.sessions.get_mut(&session) {
            session.channel_sequence = session.channel_sequence.wrapping_add(1);
        }
    }

    /// What a request has in place of a status: the ChannelSequence of its session, from 3.0 on,
    /// [MS-SMB2] 3.2.4.1.
    pub(super) fn channel_sequence(&self, session: SessionId) -> NtStatus {
        let smb3 = self.agreement.as_ref().is_some_and(|agreement| agreement.dialect >= Dialect::SMB3_0);
        let sequence = self.sessions.get(&session).filter(|_| smb3).map(|session| session.channel_sequence);
        NtStatus(sequence.unwrap_or_default().into())
    }
}
