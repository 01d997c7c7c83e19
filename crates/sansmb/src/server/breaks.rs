//! Break notifications: the only messages that a server sends without being asked, [MS-SMB2]
//! 3.3.4.6 and 3.3.4.7.

use alloc::{
    collections::{BTreeMap, VecDeque},
    vec::Vec,
};

use super::{
    channel::{Channel, Segment},
    sessions::{Order, OrderKind, Sessions},
    token::ConnId,
};
use crate::wire::{
    Body, Command, FileId, Flags, Head, Header, LeaseBreakNotification, LeaseKey, OplockBreakNotification,
    SessionId,
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
/// So many notices of one connection are sent again when it is closed.
const MAX_NOTICES: usize = 64;

/// What a notice is about, and its acknowledgment names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum About {
    Open(FileId),
    Lease(LeaseKey),
}

impl BreakNotice {
    fn about(&self) -> About {
        match self {
            Self::Oplock(notice) => About::Open(notice.file_id),
            Self::Lease(notice) => About::Lease(notice.lease_key),
        }
    }
}

/// A notice for the client of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BreakOrder {
    session: SessionId,
    notice: BreakNotice,
    /// Even where the session is not.
    encrypt: bool,
    /// Connections that were closed before it was acknowledged.
    failed: Vec<ConnId>,
    /// There is one more connection that it can go over.
    spare: bool,
}

/// Notices by the connection that they were given to last, until they are acknowledged. Those that need no
/// acknowledgment stay until others are about the same, or there are [`MAX_NOTICES`] newer ones: a client
/// that hears one twice has nothing left to give up.
#[derive(Debug, Default)]
pub(super) struct Notices {
    given: BTreeMap<ConnId, VecDeque<BreakOrder>>,
}

impl Notices {
    fn note(&mut self, conn: ConnId, order: BreakOrder) {
        let given = self.given.entry(conn).or_default();
        given.retain(|other| other.notice.about() != order.notice.about());
        if given.len() >= MAX_NOTICES {
            given.pop_front();
        }
        given.push_back(order);
    }

    fn forget(&mut self, conn: ConnId, about: About) -> Option<BreakOrder> {
        let given = self.given.get_mut(&conn)?;
        let at = given.iter().position(|order| order.notice.about() == about)?;
        let order = given.remove(at);
        if given.is_empty() {
            self.given.remove(&conn);
        }
        order
    }
}

impl Sessions {
    /// Sends a notice to the client of `session`, encrypted where the session is or `encrypt` says so.
    /// What it comes to is an [`Order`] for one of the session's connections. `false` says
    /// that the session has none, and nobody will hear of it.
    pub fn notify_break(&mut self, session: SessionId, notice: BreakNotice, encrypt: bool) -> bool {
        self.order_break(BreakOrder { session, notice, encrypt, failed: Vec::new(), spare: false })
    }

    /// Orders a connection of the session to send a notice, the oldest first that has not failed to.
    fn order_break(&mut self, mut order: BreakOrder) -> bool {
        let channels = self.table.get(&order.session).map(|s| s.channels.as_slice()).unwrap_or_default();
        let mut left = channels.iter().filter(|conn| !order.failed.contains(conn));
        let Some(conn) = left.next().copied() else { return false };
        order.spare = left.next().is_some();
        self.notices.note(conn, order.clone());
        self.orders.push_back((conn, Order(OrderKind::Break(order))));
        true
    }

    /// `conn` was closed before it carried out `order`: what is for the client of a session goes over
    /// another of its connections, [MS-SMB2] 3.3.4.6.
    pub fn undelivered(&mut self, conn: ConnId, order: Order) {
        if let OrderKind::Break(order) = order.0
            && self.notices.forget(conn, order.notice.about()).is_some()
        {
            self.order_again(conn, order);
        }
    }

    /// The same for what a connection that is closed carried out, and whose client may not have heard it.
    pub(super) fn reroute(&mut self, conn: ConnId) {
        for order in self.notices.given.remove(&conn).unwrap_or_default() {
            self.order_again(conn, order);
        }
    }

    fn order_again(&mut self, conn: ConnId, mut order: BreakOrder) {
        order.failed.push(conn);
        self.order_break(order);
    }

    /// A client of `session` has heard a notice, over whichever connection.
    pub(super) fn acknowledged(&mut self, session: SessionId, about: About) {
        let Some(session) = self.table.get(&session) else { return };
        for conn in &session.channels {
            self.notices.forget(*conn, about);
        }
    }
}

impl Channel {
    /// Whether a notice went over this connection that could go over another one. A driver that can should
    /// give it up once the peer acknowledges no bytes for some seconds: others wait for that notice.
    pub fn is_expendable(&self) -> bool {
        self.expendable
    }

    pub(super) fn send_break(&mut self, order: &BreakOrder) {
        let BreakOrder { session: session_id, notice, encrypt, .. } = order;
        self.expendable = order.spare;
        let Some(session) = self.sessions.get(session_id) else { return };
        let encrypted = ((session.encrypt || *encrypt) && session.ciphers.is_some()).then_some(*session_id);
        let mut header = Header {
            command: Command::OPLOCK_BREAK,
            flags: Flags::SERVER_TO_REDIR,
            message_id: UNSOLICITED,
            ..Header::default()
        };
        let mut head = Head::blank();
        match notice {
            BreakNotice::Oplock(body) => {
                header.session_id = *session_id;
                body.encode(&mut head.body());
            }
            BreakNotice::Lease(body) => body.encode(&mut head.body()),
        }
        head.set_header(&header);
        self.emit(Segment::bare(head), encrypted);
    }
}
