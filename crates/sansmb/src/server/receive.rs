//! From frames to requests: decrypt, decompress, split, verify, count credits.

use bytes::{Bytes, BytesMut};

use super::{
    aside::Received,
    channel::{Chain, Channel, Claim, CloseReason, Inbound, Previous, Way},
    keys::Phase,
    reply::Failure,
};
use crate::{
    conn::split_compound,
    crypto::{OpenError, open_message, verify_message},
    time::Now,
    wire::{
        COMPRESSION_PROTOCOL_ID, Command, DecodeErrorKind, FileId, Flags, Header, NtStatus, PROTOCOL_ID,
        SMB1_PROTOCOL_ID, SessionId, TRANSFORM_PROTOCOL_ID, TransformHeader, TreeId,
    },
};

impl Channel {
    /// Takes all whole frames out of the receive buffer.
    pub(super) fn process_frames(&mut self, now: Now) {
        while self.closed.is_none() {
            match self.rx.poll_frame() {
                Ok(None) => return,
                Ok(Some(frame)) => {
                    if let Err(reason) = self.frame(frame, now) {
                        self.close_because(reason);
                    }
                }
                Err(error) => self.close_because(error.into()),
            }
        }
    }

    /// One layer of each kind at most, in this order.
    fn frame(&mut self, mut frame: BytesMut, now: Now) -> Result<(), CloseReason> {
        let mut way = Way::default();
        let id = frame.first_chunk::<4>().copied();
        if id == Some(SMB1_PROTOCOL_ID) {
            return self.negotiate_smb1(&frame, now);
        }
        if id == Some(TRANSFORM_PROTOCOL_ID) {
            way.encrypted = Some(self.decrypt(&mut frame)?);
        }
        let frame = frame.freeze();
        self.rx.recycle(&frame);
        let mut message = match way.encrypted {
            Some(_) => frame.slice(size_of::<TransformHeader>()..),
            None => frame,
        };
        if message.starts_with(&COMPRESSION_PROTOCOL_ID) {
            let refused = CloseReason::Violation("compressed, which was not negotiated");
            let compression = self.compression().ok_or(refused)?;
            message = compression.decompress(&message, self.rx.max_frame())?;
            way.compressed = true;
        }
        if message.starts_with(&PROTOCOL_ID) {
            return self.messages(message, way, now);
        }
        Err(match way.encrypted {
            Some(_) => CloseReason::Violation("an encrypted message holds no SMB2 message"),
            None => crate::wire::DecodeError::new("message", 0, DecodeErrorKind::ProtocolId).into(),
        })
    }

    /// [MS-SMB2] 3.3.5.2.1.1: every failure ends the connection, and none says which it was.
    fn decrypt(&mut self, frame: &mut [u8]) -> Result<SessionId, CloseReason> {
        let session_id = SessionId(TransformHeader::decode(frame)?.session_id.get());
        let session = self.sessions.get(&session_id).filter(|s| s.phase == Phase::Valid);
        let Some(ciphers) = session.and_then(|s| s.ciphers.as_ref()) else {
            return Err(CloseReason::Violation("encrypted for a session that does not encrypt"));
        };
        match open_message(&*ciphers.opener, ciphers.cipher, frame) {
            Ok(_) => Ok(session_id),
            Err(OpenError::Malformed(error)) => Err(error.into()),
            Err(OpenError::BadTag(error)) => Err(error.into()),
        }
    }

    fn messages(&mut self, frame: Bytes, way: Way, now: Now) -> Result<(), CloseReason> {
        let encrypted = way.encrypted;
        let compound = split_compound(frame)?;
        let single = compound.is_single();
        for (at, (header, _)) in compound.iter().enumerate() {
            let related = header.flags.contains(Flags::RELATED_OPERATIONS);
            if header.flags.contains(Flags::SERVER_TO_REDIR) {
                return Err(CloseReason::Violation("a response came from a client"));
            }
            if encrypted.is_some() && related && at == 0 {
                return Err(CloseReason::Violation("the first encrypted message is related to none"));
            }
            if encrypted.is_some_and(|session| !related && header.session_id != session) {
                return Err(CloseReason::Violation("SessionId differs from that of the transform"));
            }
            if header.command == Command::NEGOTIATE && !single {
                return Err(CloseReason::Violation("NEGOTIATE is not alone in its frame"));
            }
        }
        let (header, message) = &compound.first;
        match header.command {
            Command::NEGOTIATE => return self.negotiate_smb2(header, message, now),
            Command::CANCEL if single && self.negotiated.is_some() => {
                self.cancel(header, message, encrypted);
                return Ok(());
            }
            _ => {}
        }
        if self.negotiated.is_none() {
            return Err(CloseReason::Violation("the first message is not NEGOTIATE"));
        }
        for (header, message) in &compound {
            self.take_credits(header, message.len())?;
        }
        if single && !compound.first.0.flags.contains(Flags::RELATED_OPERATIONS) {
            let (header, message) = compound.first;
            self.request(header, Received::Whole(message), way, None);
            return Ok(());
        }
        let chain = self.next_serial();
        let compound = Chain::new(compound.into_iter().collect(), way);
        self.held += compound.held;
        self.chains.insert(chain, compound);
        self.advance(chain);
        Ok(())
    }

    /// [MS-SMB2] 3.3.5.2.2, 3.3.5.2.3 and 3.3.5.2.6: what ends the connection.
    pub(super) fn take_credits(&mut self, header: &Header, len: usize) -> Result<(), CloseReason> {
        if header.command > Command::OPLOCK_BREAK {
            return Err(CloseReason::Violation("unknown command"));
        }
        if header.command == Command::CANCEL {
            return Ok(());
        }
        let multi_credit = self.negotiated.as_ref().is_some_and(|n| n.multi_credit);
        let bulky = matches!(
            header.command,
            Command::READ
                | Command::WRITE
                | Command::IOCTL
                | Command::QUERY_DIRECTORY
                | Command::CHANGE_NOTIFY
                | Command::QUERY_INFO
                | Command::SET_INFO
        );
        if len > super::channel::MAX_FRAME_BEFORE_AUTH && !(multi_credit && bulky) {
            return Err(CloseReason::Violation("message is too long for its command"));
        }
        let charge = if multi_credit { header.credit_charge } else { 1 };
        Ok(self.window.consume(header.message_id, charge)?)
    }

    /// [MS-SMB2] 3.3.5.16. A CANCEL is never answered.
    fn cancel(&mut self, header: &Header, message: &Bytes, encrypted: Option<SessionId>) {
        if self.verify(header, message, encrypted).is_err() {
            return;
        }
        let found = self.in_flight.iter_mut().find(|(_, request)| match header.async_id() {
            Some(id) => request.async_id == Some(id),
            None => request.header.message_id == header.message_id,
        });
        // A CANCEL costs no credit, so the second one for a request must not cost us anything either.
        if let Some((serial, request)) = found
            && request.header.session_id == header.session_id
            && !core::mem::replace(&mut request.cancelled, true)
        {
            self.cancels.push_back(super::token::RequestId { conn: self.id, serial });
        }
    }

    /// Starts the next member of a compound, or sends the answers when all are done.
    pub(super) fn advance(&mut self, chain_id: u64) {
        // What fails at once is answered while this loop runs: `answer` must not call back in here,
        // or a compound of a thousand members would be a thousand calls deep.
        while let Some(chain) = self.chains.get_mut(&chain_id) {
            chain.advancing = !chain.owed;
            if chain.owed {
                return;
            }
            let Some((mut header, message)) = chain.waiting.pop_front() else {
                self.finish_chain(chain_id);
                return;
            };
            let way = Way { encrypted: chain.encrypted, compressed: chain.compressed };
            let encrypted = way.encrypted;
            let first = chain.previous.is_none();
            let flagged = header.flags.contains(Flags::RELATED_OPERATIONS);
            let mut failure = None;
            let mut file = None;
            if flagged && first {
                // Every related member after it fails the same way, for want of a session.
                failure = Some(NtStatus::INVALID_PARAMETER);
                header.session_id = SessionId(0);
            } else if let (true, Some(previous)) = (flagged, chain.previous) {
                header.session_id = previous.session;
                header.tree_id = previous.tree;
                file = previous.file_id;
                failure = inherited_failure(&header, &previous);
            }
            if header.command == Command::CANCEL {
                self.cancel(&header, &message, encrypted);
                continue;
            }
            if header.command == Command::SESSION_SETUP {
                // Its answer is signed by a key that the compound itself would make.
                failure = Some(NtStatus::INVALID_PARAMETER);
            }
            if let Some(status) = failure {
                let id = self.new_request(header, encrypted, Some(chain_id));
                self.fail(id, &status.into());
            } else {
                self.request(header, Received::Whole(message), way, Some((chain_id, file)));
            }
        }
    }

    /// Verifies one request and hands it on, or answers why not.
    pub(super) fn request(
        &mut self,
        header: Header,
        message: Received,
        way: Way,
        chain: Option<(u64, Option<FileId>)>,
    ) {
        let encrypted = way.encrypted;
        let id = self.new_request(header, encrypted, chain.map(|(id, _)| id));
        let verified = self.verify(&header, &message, encrypted);
        if let Some(request) = self.in_flight.get_mut(id.serial) {
            request.compress = way.compressed;
            let signed = header.flags.contains(Flags::SIGNED);
            request.sign = encrypted.is_none() && signed && verified != Err(NtStatus::USER_SESSION_DELETED);
        }
        // A session that others have, or that is over: whoever has its key is refused with its signature.
        let foreign = header.session_id != SessionId(0) && !self.sessions.contains_key(&header.session_id);
        let claim = if foreign { Claim::Said } else { Claim::Own };
        let provable = foreign && encrypted.is_none() && header.flags.contains(Flags::SIGNED);
        if let Err(status) = verified
            && !provable
        {
            self.fail(id, &Failure::from(status));
            return;
        }
        if chain.is_none()
            && let Some(request) = self.in_flight.get_mut(id.serial)
        {
            request.held = message.held();
            self.held += request.held;
        }
        let related_file = chain.and_then(|(_, file)| file);
        let followed =
            chain.and_then(|(id, _)| self.chains.get(&id)).is_some_and(|it| !it.waiting.is_empty());
        let encrypted = encrypted.is_some();
        let inbound = Inbound { id, header, message, encrypted, related_file, claim, followed };
        self.inbound.push_back(inbound);
    }

    /// [MS-SMB2] 3.3.5.2.4 and 3.3.5.2.9: signature and session.
    fn verify(&self, header: &Header, message: &[u8], encrypted: Option<SessionId>) -> Result<(), NtStatus> {
        let setup = header.command == Command::SESSION_SETUP;
        let signed = header.flags.contains(Flags::SIGNED);
        let session = self.sessions.get(&header.session_id).filter(|s| s.phase != Phase::Ended);
        let Some(session) = session else {
            // The first SESSION_SETUP has no session yet; ECHO needs none. A binding names a session
            // of another connection and is judged where all sessions are known.
            let sessionless = setup || header.command == Command::ECHO && header.session_id == SessionId(0);
            return if sessionless { Ok(()) } else { Err(NtStatus::USER_SESSION_DELETED) };
        };
        if session.phase == Phase::Establishing {
            return match header.command {
                Command::SESSION_SETUP if !signed => Ok(()),
                Command::SESSION_SETUP => Err(NtStatus::NOT_SUPPORTED),
                Command::LOGOFF => Ok(()),
                _ => Err(NtStatus::ACCESS_DENIED),
            };
        }
        if session.phase == Phase::Binding && !setup {
            return Err(NtStatus::USER_SESSION_DELETED);
        }
        if encrypted.is_some() {
            return Ok(());
        }
        if signed {
            let signer = session.signer.as_ref().ok_or(NtStatus::NOT_SUPPORTED)?;
            verify_message(&**signer, message, &[]).map_err(|_| NtStatus::ACCESS_DENIED)?;
        } else if session.signing_required || session.phase == Phase::Binding {
            return Err(NtStatus::ACCESS_DENIED);
        }
        if session.encrypt && !setup {
            return Err(NtStatus::ACCESS_DENIED);
        }
        Ok(())
    }
}

/// [MS-SMB2] 3.3.5.2.7.2: what a related member takes over from the one before. That a failure goes
/// on is a SHOULD, followed where there is no file to go on with: a CLOSE behind a READ that failed
/// would leave the file open for good, and smbd goes on as well.
fn inherited_failure(header: &Header, previous: &Previous) -> Option<NtStatus> {
    let needs_tree = !matches!(header.command, Command::ECHO | Command::LOGOFF | Command::TREE_CONNECT);
    let needs_file = needs_tree && !matches!(header.command, Command::CREATE | Command::TREE_DISCONNECT);
    if previous.session == SessionId(0) && header.command != Command::ECHO
        || needs_tree && previous.tree == TreeId(0)
    {
        return Some(NtStatus::INVALID_PARAMETER);
    }
    if !needs_file {
        return None;
    }
    if previous.file_id.is_some() {
        return None;
    }
    Some(if previous.status.0 >> 30 == 3 { previous.status } else { NtStatus::INVALID_HANDLE })
}
