//! SESSION_SETUP, [MS-SMB2] 3.3.5.5.

use alloc::{boxed::Box, collections::VecDeque};
use core::marker::PhantomData;

use super::{
    binding::Agreed,
    channel::{Channel, Inbound},
    event::{Event, Message, Origin, Request},
    keys::{ChannelSession, Phase},
    op,
    reply::{AuthReply, Failure, Reply, ShareId},
    sessions::Sessions,
    token::{Gone, RequestId, Token},
};
use crate::{
    auth::{Identity, IdentityKind, SessionKey},
    crypto::SessionKeys,
    wire::{
        Body, Dialect, FileId, NtStatus, SecurityMode, SessionFlags, SessionId, SessionSetupFlags,
        SessionSetupRequest, SessionSetupResponse, TreeId,
    },
};

impl Sessions {
    pub(super) fn session_setup(
        &mut self,
        channel: &mut Channel,
        inbound: Inbound,
        events: &mut VecDeque<Event>,
    ) -> Result<(), Failure> {
        let request = SessionSetupRequest::decode(&inbound.message)?;
        let mut id = inbound.header.session_id;
        if request.flags.contains(SessionSetupFlags::BINDING) {
            return self.bind(channel, inbound, events);
        }
        let n = channel.negotiated.as_ref().ok_or(NtStatus::INVALID_PARAMETER)?;
        if channel.must_encrypt() && n.cipher.is_none() {
            return Err(NtStatus::ACCESS_DENIED.into());
        }
        if id == SessionId(0) {
            if channel.sessions.len() >= channel.config.max_sessions {
                return Err(NtStatus::INSUFFICIENT_RESOURCES.into());
            }
            id = self.allocate(channel.id, channel.config.session_id_base, Agreed::on(n));
            channel.sessions.insert(id, Box::new(ChannelSession::establishing(channel.preauth)));
            channel.note_ids(inbound.id, Some(id), None);
        }
        let phase = channel.sessions.get(&id).map(|session| session.phase);
        if !matches!(phase, Some(Phase::Establishing | Phase::Valid)) {
            return self.refuse_foreign(channel, inbound);
        }
        authentication_leg(channel, inbound, id, events)
    }

    /// Answers one leg of SESSION_SETUP, which `message` of the request asked for. Sessions that end
    /// because the client named them as its previous ones come as [`Event::SessionEnded`].
    pub fn respond_auth(
        &mut self,
        channel: &mut Channel,
        token: Token<op::SessionSetup>,
        message: &Message<op::SessionSetup>,
        result: Result<AuthReply, Failure>,
        events: &mut VecDeque<Event>,
    ) -> Result<(), Gone> {
        let id = channel.in_flight.get(token.id().serial).ok_or(Gone)?.header.session_id;
        let mut binding = false;
        if let Some(session) = channel.sessions.get_mut(&id) {
            session.leg = None;
            binding = session.phase == Phase::Binding;
        }
        match result {
            Err(failure) => {
                if binding {
                    self.unbind(id, channel);
                } else {
                    self.end_failed(id, channel, events);
                }
                channel.respond(token, Err(failure))
            }
            Ok(_) if !self.table.contains_key(&id) => {
                // It ended while the application was at work on this leg.
                channel.end_session(id);
                channel.respond(token, Err(NtStatus::USER_SESSION_DELETED.into()))
            }
            Ok(AuthReply::Continue { token: blob }) => {
                let response =
                    SessionSetupResponse { session_flags: SessionFlags::empty(), security_buffer: &blob };
                let reply = Reply::new(&response).with_status(NtStatus::MORE_PROCESSING_REQUIRED);
                channel.hash_answer(token.id());
                channel.respond(token, Ok(reply))
            }
            Ok(AuthReply::Done { token: blob, identity, session_key }) if binding => {
                self.finish_binding(channel, token, id, &blob, &identity, &session_key)
            }
            Ok(AuthReply::Done { token: blob, identity, session_key }) => {
                self.finish(channel, token, message, id, &blob, identity, &session_key, events)
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "one private step of respond_auth, split for length alone")]
    fn finish(
        &mut self,
        channel: &mut Channel,
        token: Token<op::SessionSetup>,
        message: &Message<op::SessionSetup>,
        id: SessionId,
        blob: &[u8],
        identity: Identity,
        session_key: &SessionKey,
        events: &mut VecDeque<Event>,
    ) -> Result<(), Gone> {
        let Ok(request) = message.body() else {
            return channel.respond(token, Err(NtStatus::INVALID_PARAMETER.into()));
        };
        let keyless = identity.kind != IdentityKind::User;
        if keyless && (channel.config.require_signing || channel.must_encrypt()) {
            // The application believes that somebody is logged on.
            self.forget(id, Some(channel));
            events.push_back(Event::SessionEnded { session: id });
            return channel.respond(token, Err(NtStatus::ACCESS_DENIED.into()));
        }
        let fresh = channel.sessions.get(&id).is_some_and(|s| s.phase == Phase::Establishing);
        let mut session_flags = match identity.kind {
            IdentityKind::User => SessionFlags::empty(),
            IdentityKind::Guest => SessionFlags::IS_GUEST,
            IdentityKind::Anonymous => SessionFlags::IS_NULL,
        };
        if fresh {
            let required = request.security_mode.contains(SecurityMode::SIGNING_REQUIRED);
            channel.install_session(id, session_key, keyless, required);
        }
        if channel.sessions.get(&id).is_some_and(|s| s.encrypt) {
            session_flags |= SessionFlags::ENCRYPT_DATA;
        }
        let previous = request.previous_session_id;
        if previous != SessionId(0) && previous != id {
            self.take_over(previous, &identity, channel, events);
        }
        if let Some(session) = self.table.get_mut(&id) {
            session.identity = Some(identity);
            if fresh {
                session.keys = channel.sessions.get(&id).map(|session| session.shared());
            }
        }
        channel.authenticated();
        let response = SessionSetupResponse { session_flags, security_buffer: blob };
        channel.sign_final(token.id());
        channel.respond(token, Ok(Reply::new(&response)))
    }

    /// An authentication failed; when it was not the first one it ends the session too,
    /// [MS-SMB2] 3.3.5.5.3.
    fn end_failed(&mut self, id: SessionId, channel: &mut Channel, events: &mut VecDeque<Event>) {
        let established = self.table.get(&id).is_some_and(|s| s.identity.is_some());
        self.forget(id, Some(channel));
        if established {
            events.push_back(Event::SessionEnded { session: id });
        }
    }

    /// The client came back: what it had before ends, if it is the same user's,
    /// [MS-SMB2] 3.3.5.5.3.
    fn take_over(
        &mut self,
        previous: SessionId,
        identity: &Identity,
        here: &mut Channel,
        events: &mut VecDeque<Event>,
    ) {
        let theirs = self.table.get(&previous).and_then(|s| s.identity.as_ref());
        if theirs.is_some_and(|theirs| theirs.is_same_account(identity)) {
            self.forget(previous, Some(here));
            events.push_back(Event::SessionEnded { session: previous });
        }
    }
}

/// Hands one leg of an authentication to the application.
pub(super) fn authentication_leg(
    channel: &mut Channel,
    inbound: Inbound,
    id: SessionId,
    events: &mut VecDeque<Event>,
) -> Result<(), Failure> {
    let n = channel.negotiated.as_ref().ok_or(NtStatus::INVALID_PARAMETER)?;
    let (dialect, client_guid, capabilities) = (n.dialect, n.client_guid, n.server_capabilities);
    let session = channel.sessions.get_mut(&id).ok_or(NtStatus::USER_SESSION_DELETED)?;
    if session.leg.is_some() {
        // Two legs at once would race for the hash and the mechanism.
        return Err(NtStatus::REQUEST_NOT_ACCEPTED.into());
    }
    session.leg = Some(inbound.id);
    if session.phase != Phase::Valid && dialect == Dialect::SMB3_1_1 {
        session.preauth.update(&*channel.config.crypto, &inbound.message);
    }
    let origin = Origin {
        conn: channel.id,
        session: id,
        tree: TreeId(0),
        share: ShareId(0),
        dialect,
        client_guid,
        capabilities,
        channel_sequence: 0,
        replay: false,
        encrypted: inbound.encrypted,
        followed: inbound.followed,
    };
    let message = Message { bytes: inbound.message, file_id: FileId::ANY, op: PhantomData };
    events.push_back(Event::SessionSetup(Request { token: Token::new(inbound.id), origin, message }));
    Ok(())
}

impl Channel {
    fn install_session(
        &mut self,
        id: SessionId,
        session_key: &SessionKey,
        keyless: bool,
        client_requires: bool,
    ) {
        let Some(n) = self.negotiated.clone() else { return };
        let config = self.config.clone();
        let must_encrypt = self.must_encrypt();
        let Some(session) = self.sessions.get_mut(&id) else { return };
        session.keyless = keyless;
        if keyless || session_key.as_bytes().is_empty() {
            session.phase = Phase::Valid;
            return;
        }
        let keys = SessionKeys::derive(
            &*config.crypto,
            n.dialect,
            n.cipher,
            session_key.as_bytes(),
            session.preauth.value(),
        );
        session.install(&*config.crypto, n.signing, n.cipher, &keys);
        session.signing_required = client_requires || n.should_sign || config.require_signing;
        session.encrypt = must_encrypt && session.ciphers.is_some();
    }

    /// The last response of an authentication is signed even where nothing else has to be, so that
    /// the client sees that both sides have the key.
    pub(super) fn sign_final(&mut self, id: RequestId) {
        if let Some(request) = self.in_flight.get_mut(id.serial) {
            request.sign = true;
        }
    }

    /// A leg that is not the last: its response goes into the pre-authentication hash.
    fn hash_answer(&mut self, id: RequestId) {
        if let Some(request) = self.in_flight.get_mut(id.serial) {
            request.hash = true;
        }
    }
}
