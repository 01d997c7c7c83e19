//! From frames to completions: decrypt, decompress, split, match, verify.

use bytes::{Bytes, BytesMut};

use super::{
    Client, CloseReason, Event, OpError, Outcome, Response,
    state::{Kind, Pending, Tree},
};
use crate::{
    conn::split_compound,
    crypto::{OpenError, open_message, verify_message},
    op,
    time::Now,
    wire::{
        Body, COMPRESSION_PROTOCOL_ID, Command, DecodeError, DecodeErrorKind, ErrorResponse, Flags, Header,
        IoctlResponse, LeaseBreakNotification, NotificationType, NtStatus, OplockBreak, PROTOCOL_ID,
        ServerToClientNotification, SessionId, ShareFlags, TRANSFORM_PROTOCOL_ID, TransformHeader,
        TreeConnectResponse, TreeId,
    },
};

impl Client {
    pub(super) fn process_frames(&mut self, now: Now) {
        self.now = now;
        while self.closed.is_none() && !self.let_pass() {
            match self.rx.poll_frame() {
                Ok(None) => break,
                Ok(Some(frame)) => {
                    self.heard = now.mono;
                    self.probing = false;
                    if let Err(reason) = self.frame(frame) {
                        self.close_because(reason);
                    }
                }
                Err(error) => self.close_because(error.into()),
            }
        }
        self.pump_queue(now);
    }

    /// One layer of each kind at most, in this order.
    fn frame(&mut self, mut frame: BytesMut) -> Result<(), CloseReason> {
        let mut encrypted = None;
        if frame.starts_with(&TRANSFORM_PROTOCOL_ID) {
            encrypted = Some(self.decrypt(&mut frame)?);
        }
        let frame = frame.freeze();
        self.rx.recycle(&frame);
        let mut message = match encrypted {
            Some(_) => frame.slice(size_of::<TransformHeader>()..),
            None => frame,
        };
        if message.starts_with(&COMPRESSION_PROTOCOL_ID) {
            let refused = CloseReason::Violation("compressed, which was not negotiated");
            let compression = self.compression().ok_or(refused)?;
            message = compression.decompress(&message, self.rx.max_frame())?;
        }
        if message.starts_with(&PROTOCOL_ID) {
            return self.messages(message, encrypted);
        }
        Err(DecodeError::new("message", 0, DecodeErrorKind::ProtocolId).into())
    }

    fn decrypt(&self, frame: &mut [u8]) -> Result<SessionId, CloseReason> {
        let session = SessionId(TransformHeader::decode(frame)?.session_id.get());
        let ciphers = self.sessions.get(&session).and_then(|s| s.ciphers.as_ref());
        let Some(ciphers) = ciphers else {
            return Err(CloseReason::Violation("encrypted for a session that does not encrypt"));
        };
        match open_message(&*ciphers.opener, ciphers.cipher, frame) {
            Ok(_) => Ok(session),
            Err(OpenError::Malformed(error)) => Err(error.into()),
            Err(OpenError::BadTag(error)) => Err(error.into()),
        }
    }

    fn messages(&mut self, frame: Bytes, encrypted: Option<SessionId>) -> Result<(), CloseReason> {
        for (header, message) in split_compound(frame)? {
            if !header.is_response() {
                return Err(CloseReason::Violation("a request came from the server"));
            }
            let unsolicited = header.message_id == u64::MAX;
            if encrypted.is_some_and(|session| !unsolicited && header.session_id != session) {
                return Err(CloseReason::Violation("SessionId differs from that of the transform"));
            }
            self.message(header, message, encrypted)?;
        }
        Ok(())
    }

    fn message(
        &mut self,
        header: Header,
        message: Bytes,
        encrypted: Option<SessionId>,
    ) -> Result<(), CloseReason> {
        // A signed notification has a random MessageId, [MS-SMB2] 4.11.1.
        if header.command == Command::SERVER_TO_CLIENT_NOTIFICATION {
            return self.notification(&header, &message, encrypted);
        }
        if header.message_id == u64::MAX {
            return self.unsolicited(&header, &message);
        }
        let Some(pending) = self.pending.get_mut(header.message_id) else {
            // [MS-SMB2] 3.2.5.1.2: an answer to nothing is thrown away.
            return Ok(());
        };
        if pending.command != header.command {
            return Err(CloseReason::Violation("the answer is to another command than was asked"));
        }
        if pending.encrypted && encrypted != Some(pending.session) {
            return Err(CloseReason::Violation("an encrypted request was answered in the clear"));
        }
        if header.status == NtStatus::PENDING {
            if let Some(async_id) = header.async_id()
                && pending.async_id.replace(async_id).is_none()
            {
                self.grant(&header);
            }
            return Ok(());
        }
        self.verify(&header, &message, encrypted)?;
        self.grant(&header);
        let Some(pending) = self.pending.remove(header.message_id) else { return Ok(()) };
        self.drop_ended(pending.session);
        let result = self.complete(&pending, header, message);
        if let Err(reason) = result
            && pending.kind == Kind::Plain
        {
            // Nobody else knows of this operation any more.
            self.fail(pending.op, OpError::Gone(reason));
        }
        result
    }

    /// Carries out what the final answer to a request means. It either tells how the operation ended
    /// or fails.
    fn complete(&mut self, pending: &Pending, header: Header, message: Bytes) -> Result<(), CloseReason> {
        match (pending.command, pending.kind) {
            (Command::NEGOTIATE, _) => self.negotiated(&message),
            (_, Kind::LogOn) => self.session_setup_response(pending, &header, &message),
            (_, Kind::Probe) => Ok(()),
            (_, Kind::Validate) => self.validated(pending, &header, &message),
            (Command::TREE_CONNECT, Kind::Plain) => self.tree_connected(pending, header, message),
            (_, Kind::Plain) => self.answered(pending, header, message),
        }
    }

    fn answered(&mut self, pending: &Pending, header: Header, message: Bytes) -> Result<(), CloseReason> {
        let result = outcome(header, message);
        if let Ok(response) = &result {
            check_body(response, pending.asked)?;
        }
        match pending.command {
            Command::LOGOFF if result.is_ok() => self.end_session(pending.session),
            Command::TREE_DISCONNECT => {
                if let Some(session) = self.sessions.get_mut(&pending.session) {
                    session.trees.remove(&pending.tree);
                }
            }
            _ => {}
        }
        let result = result.map(Outcome::Response);
        self.events.push_back(Event::Done { op: pending.op, result });
        Ok(())
    }

    pub(super) fn grant(&mut self, header: &Header) {
        // A server that grants without end cannot make us count past what we would ever use.
        self.credits = self.credits.saturating_add(header.credits.into()).min(1 << 20);
    }

    /// [MS-SMB2] 3.2.5.1.3.
    fn verify(
        &self,
        header: &Header,
        message: &[u8],
        encrypted: Option<SessionId>,
    ) -> Result<(), CloseReason> {
        let Some(pending) = self.pending.get(header.message_id) else { return Ok(()) };
        let Some(session) = self.sessions.get(&pending.session) else { return Ok(()) };
        if encrypted.is_some() {
            return Ok(());
        }
        let signed = header.flags.contains(Flags::SIGNED);
        let more = header.status == NtStatus::MORE_PROCESSING_REQUIRED;
        // That a connection is bound is signed with a key that is not known yet; that it is not is
        // nothing that a signature could make worse.
        if session.joining && !more && (header.status == NtStatus::SUCCESS || !signed) {
            return Ok(());
        }
        // [MS-SMB2] 3.2.5.1.3.
        let unfinished = pending.kind == Kind::LogOn && header.status != NtStatus::SUCCESS;
        let signer = if unfinished { &session.session_signer } else { &session.signer };
        match signer {
            Some(signer) if signed => Ok(verify_message(&**signer, message, &[])?),
            _ if (session.signs || pending.signed) && !exempt(header) => {
                Err(CloseReason::Violation("an answer that must be signed is not"))
            }
            _ => Ok(()),
        }
    }

    fn unsolicited(&mut self, header: &Header, message: &Bytes) -> Result<(), CloseReason> {
        match header.command {
            Command::OPLOCK_BREAK => {
                let lease =
                    message.get(64..66) == Some(&LeaseBreakNotification::STRUCTURE_SIZE.to_le_bytes());
                self.events.push_back(if lease {
                    Event::LeaseBreak(LeaseBreakNotification::decode(message)?)
                } else {
                    Event::OplockBreak(OplockBreak::decode(message)?)
                });
                Ok(())
            }
            // [MS-SMB2] 3.2.5.1.2: thrown away.
            _ => Ok(()),
        }
    }

    /// [MS-SMB2] 3.2.5.20 and 4.11.1. One that is less protected than its session is thrown away:
    /// it may come from anybody.
    fn notification(
        &mut self,
        header: &Header,
        message: &[u8],
        encrypted: Option<SessionId>,
    ) -> Result<(), CloseReason> {
        let id = header.session_id;
        let Some(session) = self.sessions.get(&id).filter(|s| !s.ended) else { return Ok(()) };
        if encrypted.is_none() {
            match &session.signer {
                Some(signer) if header.flags.contains(Flags::SIGNED) => {
                    verify_message(&**signer, message, &[])?;
                }
                _ if session.signs => return Ok(()),
                _ => {}
            }
            if session.encrypt {
                return Ok(());
            }
        }
        let notification = ServerToClientNotification::decode(message)?;
        if notification.notification_type == NotificationType::NOTIFY_SESSION_CLOSED {
            self.end_session(id);
            self.events.push_back(Event::SessionClosed(id));
        }
        Ok(())
    }

    /// A session is over. Answers that are under way are still taken.
    fn end_session(&mut self, id: SessionId) {
        if let Some(session) = self.sessions.get_mut(&id) {
            session.ended = true;
        }
        self.drop_ended(id);
    }

    pub(super) fn drop_ended(&mut self, id: SessionId) {
        let ended = self.sessions.get(&id).is_some_and(|s| s.ended);
        if ended && !self.pending.values().any(|p| p.session == id) {
            self.sessions.remove(&id);
        }
    }

    fn tree_connected(
        &mut self,
        pending: &Pending,
        header: Header,
        message: Bytes,
    ) -> Result<(), CloseReason> {
        let op = pending.op;
        let response = match outcome(header, message) {
            Ok(response) => response,
            Err(error) => {
                self.events.push_back(Event::Done { op, result: Err(error) });
                return Ok(());
            }
        };
        let share_flags = TreeConnectResponse::decode(&response.message)?.share_flags;
        let tree = header.tree_id;
        let session_id = pending.session;
        if tree == TreeId(0) {
            return Err(CloseReason::Violation("TREE_CONNECT gave no TreeId"));
        }
        let secured = self.transport_security();
        let Some(session) = self.sessions.get_mut(&session_id) else {
            // The server closed the session meanwhile, or there never was one.
            let error = OpError::Status { status: NtStatus::USER_SESSION_DELETED, data: Bytes::new() };
            self.events.push_back(Event::Done { op, result: Err(error) });
            return Ok(());
        };
        let encrypt = share_flags.contains(ShareFlags::ENCRYPT_DATA);
        if encrypt && session.ciphers.is_none() && !secured {
            let error = OpError::Incompatible("the share wants encryption, which is not negotiated");
            self.events.push_back(Event::Done { op, result: Err(error) });
            return Ok(());
        }
        let compress = share_flags.contains(ShareFlags::COMPRESS_DATA);
        session.trees.insert(tree, Tree { encrypt, compress });
        let signs = session.signer.is_some();
        let done = Outcome::Connected { session: session_id, tree, response };
        if signs && self.must_validate() {
            self.unvalidated.push((op, done));
            self.send_validation(op, session_id, tree);
        } else {
            self.events.push_back(Event::Done { op, result: Ok(done) });
        }
        Ok(())
    }

    /// [MS-SMB2] 3.2.5.5: the answer must be signed and say what NEGOTIATE said; an old server's
    /// signed "no" will do.
    fn validated(&mut self, pending: &Pending, header: &Header, message: &Bytes) -> Result<(), CloseReason> {
        if !pending.encrypted && !header.flags.contains(Flags::SIGNED) {
            return Err(CloseReason::Violation("the validation of NEGOTIATE is not signed"));
        }
        let fine = match header.status {
            NtStatus::SUCCESS => {
                let response = IoctlResponse::decode(message)?;
                self.validation_matches(response.output)
            }
            NtStatus::ACCESS_DENIED => false,
            _ => true,
        };
        if !fine {
            return Err(CloseReason::Violation("the negotiation was tampered with"));
        }
        self.validated = true;
        if let Some(at) = self.unvalidated.iter().position(|(op, _)| *op == pending.op) {
            let (op, done) = self.unvalidated.swap_remove(at);
            self.events.push_back(Event::Done { op, result: Ok(done) });
        }
        Ok(())
    }
}

/// Whether the body of a success parses and carries no more than was asked for.
fn check_body(response: &Response, asked: u32) -> Result<(), CloseReason> {
    let carried = match response.command() {
        Command::READ => response.body::<op::Read>()?.data.len(),
        Command::IOCTL => {
            let body = response.body::<op::Ioctl>()?;
            body.output.len().saturating_add(body.input.len())
        }
        Command::QUERY_DIRECTORY => response.body::<op::QueryDirectory>()?.buffer.len(),
        Command::QUERY_INFO => response.body::<op::QueryInfo>()?.buffer.len(),
        Command::CHANGE_NOTIFY => response.body::<op::ChangeNotify>()?.buffer.len(),
        Command::CREATE => response.body::<op::Create>().map(|_| 0)?,
        Command::WRITE => response.body::<op::Write>().map(|_| 0)?,
        Command::CLOSE => response.body::<op::Close>().map(|_| 0)?,
        _ => 0,
    };
    if carried > asked as usize {
        return Err(CloseReason::Violation("an answer carries more than was asked for"));
    }
    Ok(())
}

/// Answers that a server cannot sign since it does not know the session.
fn exempt(header: &Header) -> bool {
    matches!(header.status, NtStatus::USER_SESSION_DELETED | NtStatus::NETWORK_SESSION_EXPIRED)
}

/// Sorts a final response into body or error, [MS-SMB2] 3.3.4.4.
fn outcome(header: Header, message: Bytes) -> Result<Response, OpError> {
    let with_body = match header.status {
        NtStatus::SUCCESS => true,
        NtStatus::BUFFER_OVERFLOW => {
            matches!(header.command, Command::QUERY_INFO | Command::READ | Command::IOCTL)
        }
        NtStatus::NOTIFY_ENUM_DIR => header.command == Command::CHANGE_NOTIFY,
        // SRV_COPYCHUNK answers with its limits.
        NtStatus::INVALID_PARAMETER if header.command == Command::IOCTL => {
            message.get(64..66) == Some(&<op::Ioctl as op::Op>::Response::STRUCTURE_SIZE.to_le_bytes())
        }
        _ => false,
    };
    if with_body {
        return Ok(Response { header, message });
    }
    // Some servers repeat the command's own body where an ERROR response belongs: the status counts.
    let data = match ErrorResponse::decode(&message) {
        Ok(error) if !error.data.is_empty() => message.slice_ref(error.data),
        _ => Bytes::new(),
    };
    Err(OpError::Status { status: header.status, data })
}
