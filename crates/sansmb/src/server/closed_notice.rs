//! Telling a client that the server closed its session, [MS-SMB2] 2.2.44 and 4.11.

use super::{
    channel::{Channel, Segment},
    keys::Phase,
};
use crate::wire::{Body, Command, Flags, Head, Header, ServerToClientNotification, SessionId};

/// MessageId of what answers no request.
const UNSOLICITED: u64 = u64::MAX;

impl Channel {
    /// Encrypted where the session is, otherwise signed where it has to be. A key signs one such
    /// message at most, so the MessageId that all of them share makes no nonce come twice.
    pub(super) fn tell_closed(&mut self, session_id: SessionId) {
        let Some(session) = self.sessions.get(&session_id).filter(|s| s.phase == Phase::Valid) else {
            return;
        };
        if self.closed.is_some() {
            return;
        }
        let encrypted = (session.encrypt && session.ciphers.is_some()).then_some(session_id);
        let signs = encrypted.is_none() && session.signing_required && !session.keyless;
        let sign = session.signer.clone().filter(|_| signs);
        let header = Header {
            command: Command::SERVER_TO_CLIENT_NOTIFICATION,
            flags: Flags::SERVER_TO_REDIR,
            message_id: UNSOLICITED,
            session_id,
            ..Header::default()
        };
        let mut head = Head::with_header(&header);
        ServerToClientNotification::SESSION_CLOSED.encode(&mut head.body());
        self.emit(Segment { sign, ..Segment::bare(head) }, encrypted);
    }
}
