//! Binding a session to one more connection, [MS-SMB2] 3.3.5.5 and 3.3.5.5.3.
//!
//! Nothing is signed with the session's key for somebody who has not shown that it has that key:
//! otherwise every session would sign what strangers like, and AES-GMAC breaks when a nonce of theirs
//! comes twice. So the signature is verified before anything else is looked at.

use alloc::{boxed::Box, collections::VecDeque};

use super::{
    channel::{Channel, Claim, Inbound},
    event::Event,
    keys::{ChannelSession, Phase},
    negotiate::Negotiated,
    op,
    reply::{Failure, Reply},
    session_setup::authentication_leg,
    sessions::{Session, Sessions},
    token::{Gone, Token},
};
use crate::{
    auth::{Identity, IdentityKind, SessionKey},
    wire::{
        Capabilities, Cipher, Dialect, FileTime, Flags, Guid, NtStatus, SessionFlags, SessionId,
        SessionSetupResponse, SigningAlgorithm,
    },
};

/// What the first connection of a session agreed on, and the others have to agree on too.
#[derive(Debug, Clone, Copy)]
pub(super) struct Agreed {
    dialect: Dialect,
    cipher: Option<Cipher>,
    signing: SigningAlgorithm,
    client_guid: Guid,
    /// So that what need not be encrypted on one connection does not come over another one in the clear.
    transport_security: bool,
    pub(super) notifications: bool,
}

impl Agreed {
    pub(super) fn on(n: &Negotiated) -> Self {
        Self {
            dialect: n.dialect,
            cipher: n.cipher,
            signing: n.signing,
            client_guid: n.client_guid,
            transport_security: n.transport_security,
            notifications: n.notifications(),
        }
    }
}

impl Sessions {
    /// Takes a SESSION_SETUP that asks to bind.
    pub(super) fn bind(
        &mut self,
        channel: &mut Channel,
        inbound: Inbound,
        events: &mut VecDeque<Event>,
    ) -> Result<(), Failure> {
        if !channel.config.capabilities.contains(Capabilities::MULTI_CHANNEL) {
            return Err(NtStatus::REQUEST_NOT_ACCEPTED.into());
        }
        let id = inbound.header.session_id;
        let session = self.table.get_mut(&id).ok_or(NtStatus::USER_SESSION_DELETED)?;
        match channel.sessions.get(&id).map(|session| session.phase) {
            Some(Phase::Binding) => return authentication_leg(channel, inbound, id, events),
            Some(_) => return Err(NtStatus::REQUEST_NOT_ACCEPTED.into()),
            None => {}
        }
        let signed = inbound.header.flags.contains(Flags::SIGNED);
        let proven = inbound.claim == Claim::Proven;
        if let Some(signer) = session.signer().filter(|_| signed && !proven) {
            channel.unverified.push_back((inbound, signer, NtStatus::ACCESS_DENIED));
            return Ok(());
        }
        let n = channel.negotiated.as_ref().ok_or(NtStatus::INVALID_PARAMETER)?;
        check(session, &Agreed::on(n), signed, channel.fed.wall)?;
        let keys = session.keys.as_ref().filter(|_| proven).ok_or(NtStatus::NOT_SUPPORTED)?;
        let full = channel.sessions.len() >= channel.config.max_sessions
            || session.channels.len() + session.binding.len() >= channel.config.max_channels;
        // Every channel has nonces of its own for the key that all encrypt with.
        let ordinal = session.bindings.checked_add(1).filter(|_| !full);
        session.bindings = ordinal.ok_or(NtStatus::INSUFFICIENT_RESOURCES)?;
        let bound = ChannelSession::binding(channel.preauth, keys, session.bindings);
        session.binding.push(channel.id);
        channel.sessions.insert(id, Box::new(bound));
        authentication_leg(channel, inbound, id, events)
    }

    /// Takes any other request for a session that this connection does not have, or no longer.
    pub(super) fn refuse_foreign(&mut self, channel: &mut Channel, inbound: Inbound) -> Result<(), Failure> {
        let (id, status) = (inbound.header.session_id, NtStatus::USER_SESSION_DELETED);
        let signer = self.table.get(&id).and_then(Session::signer).or_else(|| channel.former(id));
        match signer.filter(|_| inbound.claim == Claim::Said && inbound.header.flags.contains(Flags::SIGNED))
        {
            Some(signer) => channel.unverified.push_back((inbound, signer, status)),
            None => return Err(status.into()),
        }
        Ok(())
    }

    /// A binding failed: the session goes on without this connection.
    pub(super) fn unbind(&mut self, id: SessionId, channel: &mut Channel) {
        if let Some(session) = self.table.get_mut(&id) {
            session.binding.retain(|conn| *conn != channel.id);
        }
        channel.end_session(id);
    }

    /// The authentication that binds is over; it has to be the same user's.
    pub(super) fn finish_binding(
        &mut self,
        channel: &mut Channel,
        token: Token<op::SessionSetup>,
        id: SessionId,
        blob: &[u8],
        identity: &Identity,
        session_key: &SessionKey,
    ) -> Result<(), Gone> {
        match self.finished(channel, id, identity, session_key) {
            Ok(session_flags) => {
                channel.authenticated();
                channel.sign_final(token.id());
                channel.respond(
                    token,
                    Ok(Reply::new(&SessionSetupResponse { session_flags, security_buffer: blob })),
                )
            }
            Err(status) => {
                self.unbind(id, channel);
                channel.respond(token, Err(status.into()))
            }
        }
    }

    fn finished(
        &mut self,
        channel: &mut Channel,
        id: SessionId,
        identity: &Identity,
        session_key: &SessionKey,
    ) -> Result<SessionFlags, NtStatus> {
        let session = self.table.get_mut(&id).ok_or(NtStatus::USER_SESSION_DELETED)?;
        let n = channel.negotiated.as_ref().ok_or(NtStatus::INVALID_PARAMETER)?;
        let here = channel.sessions.get_mut(&id).ok_or(NtStatus::USER_SESSION_DELETED)?;
        let shared = session.keys.as_ref().ok_or(NtStatus::NOT_SUPPORTED)?;
        // The session may have become a guest's while this connection authenticated.
        let same = session.identity.as_ref().is_some_and(|theirs| theirs.is_same_account(identity));
        if !same || session_key.as_bytes().is_empty() {
            return Err(NtStatus::ACCESS_DENIED);
        }
        here.bound(&*channel.config.crypto, n.dialect, n.signing, session_key.as_bytes(), shared);
        session.binding.retain(|conn| *conn != channel.id);
        session.channels.push(channel.id);
        Ok(if here.encrypt { SessionFlags::ENCRYPT_DATA } else { SessionFlags::empty() })
    }
}

/// What has to hold for a connection that agreed on `ours`, in the order in which Windows looks.
/// AES-GMAC does not go together with the other ways to sign; those do with each other.
fn check(session: &Session, ours: &Agreed, signed: bool, now: FileTime) -> Result<(), NtStatus> {
    let theirs = &session.agreed;
    let (gmac, first_gmac) =
        (ours.signing == SigningAlgorithm::AES_GMAC, theirs.signing == SigningAlgorithm::AES_GMAC);
    if first_gmac && !gmac {
        return Err(NtStatus::REQUEST_OUT_OF_SEQUENCE);
    }
    if gmac && !first_gmac {
        return Err(NtStatus::NOT_SUPPORTED);
    }
    if !ours.dialect.is_smb3() {
        return Err(NtStatus::REQUEST_NOT_ACCEPTED);
    }
    let secured_alike = ours.cipher == theirs.cipher && ours.transport_security == theirs.transport_security;
    if ours.dialect != theirs.dialect || !secured_alike || !signed {
        return Err(NtStatus::INVALID_PARAMETER);
    }
    if ours.client_guid != theirs.client_guid {
        return Err(NtStatus::USER_SESSION_DELETED);
    }
    let identity = session.identity.as_ref().ok_or(NtStatus::REQUEST_NOT_ACCEPTED)?;
    if session.expired(now) {
        return Err(NtStatus::NETWORK_SESSION_EXPIRED);
    }
    if identity.kind != IdentityKind::User {
        return Err(NtStatus::NOT_SUPPORTED);
    }
    if ours.notifications != theirs.notifications {
        return Err(NtStatus::INVALID_PARAMETER);
    }
    Ok(())
}
