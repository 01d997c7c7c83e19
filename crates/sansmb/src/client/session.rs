//! SESSION_SETUP, [MS-SMB2] 3.2.4.2.3 and 3.2.5.3.

use alloc::{boxed::Box, sync::Arc, vec::Vec};

use super::{
    Client, CloseReason, EncryptionPolicy, Event, OpError, OpId, Outcome, Payload,
    state::{Ciphers, Kind, LogOn, Pending, Queued, Session},
};
use crate::{
    auth::{Mechanism, SessionKey, Step},
    crypto::{PreauthHash, SessionKeys, verify_message},
    time::Now,
    wire::{
        Body, Command, Dialect, Flags, Head, Header, NtStatus, SecurityMode, SessionFlags, SessionId,
        SessionSetupFlags, SessionSetupRequest, SessionSetupResponse,
    },
};

impl Client {
    /// Logs on. It begins as soon as NEGOTIATE is done and ends with [`Outcome::LoggedOn`].
    /// `wants_user` says that an account is meant, so that a guest session counts as a failure
    /// unless the settings allow it.
    pub fn log_on(&mut self, mechanism: Box<dyn Mechanism>, wants_user: bool, now: Now) -> OpId {
        self.start(mechanism, SessionId(0), wants_user, now)
    }

    /// Authenticates an established session anew: after NETWORK_SESSION_EXPIRED, say.
    pub fn log_on_again(&mut self, session: SessionId, mechanism: Box<dyn Mechanism>, now: Now) -> OpId {
        self.start(mechanism, session, true, now)
    }

    fn start(
        &mut self,
        mechanism: Box<dyn Mechanism>,
        session: SessionId,
        wants_user: bool,
        now: Now,
    ) -> OpId {
        let op = self.new_op();
        let (again, preauth) = (session != SessionId(0), PreauthHash::ZERO);
        let log_on = LogOn { op, mechanism, session, preauth, key: None, again, wants_user, joins: None };
        self.start_log_on(log_on, now);
        op
    }

    pub(super) fn start_log_on(&mut self, log_on: LogOn, now: Now) {
        let op = log_on.op;
        if let Some(reason) = self.closed {
            return self.fail(op, OpError::Gone(reason));
        }
        self.log_ons.push(log_on);
        self.now = now;
        if self.agreement.is_some() {
            self.begin_log_on(op);
        }
    }

    pub(super) fn start_log_ons(&mut self) {
        let waiting: Vec<OpId> = self.log_ons.iter().map(|l| l.op).collect();
        for op in waiting {
            self.begin_log_on(op);
        }
    }

    fn begin_log_on(&mut self, op: OpId) {
        if let Err(error) = self.prepare_join(op) {
            return self.end_log_on(op, Err(error));
        }
        let preauth = self.preauth;
        if let Some(log_on) = self.log_ons.iter_mut().find(|l| l.op == op) {
            log_on.preauth = preauth;
        }
        let hint = self.hint.clone();
        self.step(op, &hint);
    }

    /// Gives a log-on the answer to its [`Event::Need`].
    pub fn answer(&mut self, op: OpId, message: &[u8], now: Now) {
        self.now = now;
        self.step(op, message);
    }

    fn step(&mut self, op: OpId, token: &[u8]) {
        let Some(log_on) = self.log_ons.iter_mut().find(|l| l.op == op) else { return };
        match log_on.mechanism.step(token) {
            Ok(Step::Send(token)) => self.send_leg(op, &token),
            Ok(Step::Done { token, session_key, .. }) => {
                log_on.key = Some(session_key);
                self.send_leg(op, &token);
            }
            Ok(Step::Need(need)) => self.events.push_back(Event::Need { op, need }),
            Err(error) => self.end_log_on(op, Err(error.into())),
        }
    }

    fn send_leg(&mut self, op: OpId, token: &[u8]) {
        let Some(log_on) = self.log_ons.iter().find(|l| l.op == op) else { return };
        let mut flags = SessionSetupFlags::empty();
        flags.set(SessionSetupFlags::BINDING, log_on.joins.is_some());
        let request = SessionSetupRequest {
            flags,
            security_mode: self.security_mode() & SecurityMode::from_bits_retain(0xFF),
            capabilities: self.config.capabilities & crate::wire::Capabilities::DFS,
            security_buffer: token,
            ..Default::default()
        };
        let mut head = Head::blank();
        request.encode(&mut head.body());
        let header =
            Header { command: Command::SESSION_SETUP, session_id: log_on.session, ..Header::default() };
        let kind = Kind::LogOn;
        let now = self.now;
        let payload = Payload::Empty;
        self.submit(
            Queued { op, header, charge: 1, head, payload, kind, asked: 0, aside: false }.into(),
            now,
        );
    }

    /// A SESSION_SETUP request goes into the pre-authentication hash of its session.
    pub(super) fn hash_request(&mut self, op: OpId, kind: Kind, message: &[u8]) {
        if kind != Kind::LogOn || self.agreement.as_ref().is_none_or(|a| a.dialect != Dialect::SMB3_1_1) {
            return;
        }
        let crypto = self.config.crypto.clone();
        if let Some(log_on) = self.log_ons.iter_mut().find(|l| l.op == op && !l.again) {
            log_on.preauth.update(&*crypto, message);
        }
    }

    pub(super) fn session_setup_response(
        &mut self,
        pending: &Pending,
        header: &Header,
        message: &[u8],
    ) -> Result<(), CloseReason> {
        let op = pending.op;
        let response = match header.status {
            NtStatus::SUCCESS | NtStatus::MORE_PROCESSING_REQUIRED => SessionSetupResponse::decode(message)?,
            status => {
                self.end_log_on(op, Err(OpError::Status { status, data: Default::default() }));
                return Ok(());
            }
        };
        let crypto = self.config.crypto.clone();
        let Some(log_on) = self.log_ons.iter_mut().find(|l| l.op == op) else { return Ok(()) };
        if log_on.session == SessionId(0) {
            if header.session_id == SessionId(0) || self.sessions.contains_key(&header.session_id) {
                return Err(CloseReason::Violation("SESSION_SETUP gave no new SessionId"));
            }
            log_on.session = header.session_id;
        } else if log_on.session != header.session_id {
            return Err(CloseReason::Violation("SessionId changed during SESSION_SETUP"));
        }
        if header.status == NtStatus::MORE_PROCESSING_REQUIRED {
            if log_on.key.is_some() {
                return Err(CloseReason::Violation("the server wants more when all is said"));
            }
            if !log_on.again {
                log_on.preauth.update(&*crypto, message);
            }
            let token = response.security_buffer.to_vec();
            self.step(op, &token);
            return Ok(());
        }
        let key = match log_on.key.take() {
            Some(key) => key,
            None => match log_on.mechanism.step(response.security_buffer) {
                Ok(Step::Done { session_key, .. }) => session_key,
                Ok(_) => {
                    return Err(CloseReason::Violation("the server finished an unfinished authentication"));
                }
                Err(error) => {
                    self.end_log_on(op, Err(error.into()));
                    return Ok(());
                }
            },
        };
        let flags = response.session_flags;
        let result = self.establish(op, header, message, flags, &key);
        self.end_log_on(op, result);
        Ok(())
    }

    fn establish(
        &mut self,
        op: OpId,
        header: &Header,
        message: &[u8],
        flags: SessionFlags,
        key: &SessionKey,
    ) -> Result<Outcome, OpError> {
        let (Some(log_on), Some(agreement)) =
            (self.log_ons.iter_mut().find(|l| l.op == op), self.agreement.clone())
        else {
            return Err(OpError::Misuse("no such log-on"));
        };
        if let Some(shared) = log_on.joins.take() {
            let (session, preauth) = (shared.id, log_on.preauth);
            let result = self.joined(*shared, preauth, header, message, flags, key);
            if result.is_err() {
                self.sessions.remove(&session);
            }
            return result.map(|()| Outcome::LoggedOn { session, guest: false });
        }
        let id = log_on.session;
        let keyless = flags.intersects(SessionFlags::IS_GUEST | SessionFlags::IS_NULL);
        let guest = flags.contains(SessionFlags::IS_GUEST);
        if keyless && log_on.wants_user && !self.config.allow_guest {
            return Err(OpError::Incompatible("the server let us in as guest, not as the user"));
        }
        let must_encrypt =
            self.config.encryption == EncryptionPolicy::Required && !agreement.transport_security;
        if keyless && (self.config.require_signing || must_encrypt) {
            return Err(OpError::Incompatible("a guest session can neither sign nor encrypt"));
        }
        if log_on.again {
            return Ok(Outcome::LoggedOn { session: id, guest });
        }
        let mut session = Session { next_nonce: 1, ..Session::default() };
        if !keyless && !key.as_bytes().is_empty() {
            let crypto = &*self.config.crypto;
            let preauth = log_on.preauth;
            let keys = SessionKeys::derive(
                crypto,
                agreement.dialect,
                agreement.cipher,
                key.as_bytes(),
                preauth.value(),
            );
            let signer = crypto.signer(agreement.signing, &keys.signing);
            let signed = header.flags.contains(Flags::SIGNED);
            if let (true, Some(signer)) = (signed, &signer) {
                verify_message(&**signer, message, &[])
                    .map_err(|_| OpError::Incompatible("the server does not know the session key"))?;
            } else if agreement.dialect == Dialect::SMB3_1_1 || self.config.require_signing {
                return Err(OpError::Incompatible("the last answer of the log-on is not signed"));
            }
            session.ciphers = agreement.cipher.and_then(|cipher| {
                Some(Arc::new(Ciphers {
                    cipher,
                    sealer: crypto.sealer(cipher, &keys.client_to_server)?,
                    opener: crypto.sealer(cipher, &keys.server_to_client)?,
                }))
            });
            session.signer = signer.map(Arc::from);
            session.session_signer = session.signer.clone();
            session.signs = self.config.require_signing || agreement.signing_required;
            session.encrypt = session.ciphers.is_some()
                && !agreement.transport_security
                && (flags.contains(SessionFlags::ENCRYPT_DATA) || must_encrypt);
            let asked = flags.contains(SessionFlags::ENCRYPT_DATA) && !agreement.transport_security;
            if asked && session.ciphers.is_none() {
                return Err(OpError::Incompatible("the server wants encryption, which is not negotiated"));
            }
        }
        if session.signer.is_none() && self.config.require_signing || !session.encrypt && must_encrypt {
            return Err(OpError::Incompatible("the session can neither sign nor encrypt"));
        }
        self.sessions.insert(id, session);
        Ok(Outcome::LoggedOn { session: id, guest })
    }

    pub(super) fn end_log_on(&mut self, op: OpId, result: Result<Outcome, OpError>) {
        let joined = self.log_ons.iter().find(|l| l.op == op).and_then(|l| l.joins.as_ref()).map(|s| s.id);
        if let Some(id) = joined.filter(|id| self.sessions.get(id).is_some_and(|s| s.joining)) {
            self.sessions.remove(&id);
        }
        self.log_ons.retain(|l| l.op != op);
        self.events.push_back(Event::Done { op, result });
    }
}
