//! Authentications that are under way: at most one for each session on each connection.

use std::collections::{BTreeMap, BTreeSet};

use sansmb::{auth::Mechanism, server::ConnId, wire::SessionId};

/// A session may authenticate on several connections at once: one that is bound to it, while
/// another authenticates again.
#[derive(Debug, Default)]
pub(crate) struct Exchanges {
    table: BTreeMap<(SessionId, ConnId), Box<dyn Mechanism>>,
    /// The same by connection.
    conns: BTreeSet<(ConnId, SessionId)>,
}

impl Exchanges {
    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    /// The exchange of `session` on `conn`, or a new one.
    pub(crate) fn get_or_start(
        &mut self,
        session: SessionId,
        conn: ConnId,
        start: impl FnOnce() -> Box<dyn Mechanism>,
    ) -> &mut Box<dyn Mechanism> {
        self.conns.insert((conn, session));
        self.table.entry((session, conn)).or_insert_with(start)
    }

    /// An exchange is over.
    pub(crate) fn end(&mut self, session: SessionId, conn: ConnId) {
        self.conns.remove(&(conn, session));
        self.table.remove(&(session, conn));
    }

    /// A session is over.
    pub(crate) fn end_session(&mut self, session: SessionId) {
        let all = (session, ConnId(0))..=(session, ConnId(u64::MAX));
        for conn in self.table.range(all).map(|((_, conn), _)| *conn).collect::<Vec<_>>() {
            self.end(session, conn);
        }
    }

    /// A connection is over.
    pub(crate) fn end_conn(&mut self, conn: ConnId) {
        let all = (conn, SessionId(0))..=(conn, SessionId(u64::MAX));
        for session in self.conns.range(all).map(|(_, session)| *session).collect::<Vec<_>>() {
            self.end(session, conn);
        }
    }
}
