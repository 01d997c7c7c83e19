//! Break notifications: the only messages that a server sends without being asked, [MS-SMB2]
//! 3.3.4.6 and 3.3.4.7.

use alloc::vec::Vec;

use super::{
    channel::{Channel, Segment},
    reply::Data,
    sessions::Sessions,
};
use crate::wire::{
    Body, Command, Flags, Header, LeaseBreakNotification, OplockBreakNotification, SessionId, Writer,
};

/// What a client is told to give up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakNotice {
    /// An oplock.
    Oplock(OplockBreakNotification),
    /// A lease.
    Lease(LeaseBreakNotification),
}

/// MessageId of what answers no request.
const UNSOLICITED: u64 = u64::MAX;

impl Sessions {
    /// Sends a notice to the client of `session`, encrypted where the session is or `encrypt` says so.
    /// What it comes to is an [`Order`](super::Order) for one of the session's connections. `false` says
    /// that the session has none, and nobody will hear of it.
    pub fn notify_break(&mut self, session: SessionId, notice: BreakNotice, encrypt: bool) -> bool {
        self.order_break(session, notice, encrypt, Vec::new())
    }
}

impl Channel {
    pub(super) fn send_break(&mut self, session_id: SessionId, notice: &BreakNotice, encrypt: bool) {
        let Some(session) = self.sessions.get(&session_id) else { return };
        let encrypted = ((session.encrypt || encrypt) && session.ciphers.is_some()).then_some(session_id);
        let mut header = Header {
            command: Command::OPLOCK_BREAK,
            flags: Flags::SERVER_TO_REDIR,
            message_id: UNSOLICITED,
            ..Header::default()
        };
        let mut head = Vec::new();
        let mut writer = Writer::new(&mut head);
        match notice {
            BreakNotice::Oplock(body) => {
                header.session_id = session_id;
                header.encode(&mut writer);
                body.encode(&mut writer);
            }
            BreakNotice::Lease(body) => {
                header.encode(&mut writer);
                body.encode(&mut writer);
            }
        }
        self.emit(Segment { head, data: Data::None, sign: None }, encrypted);
    }
}
