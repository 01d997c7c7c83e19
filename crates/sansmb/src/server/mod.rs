//! The server's state machine: connections, sessions, tree connects.
//!
//! Methods come in four kinds, as everywhere in this crate:
//!
//! | kind | names | rule |
//! |---|---|---|
//! | look | getters, [`Server::recv_target`], [`Server::wants_read`] | any time |
//! | feed | [`Server::received`], [`Server::handle_timeout`], [`Server::eof`] | never fails: what a bad peer does becomes an event or the end of its connection |
//! | command | [`Server::respond`], [`Server::pend`], [`Server::close`] | fails only with [`Gone`] |
//! | drain | [`Server::poll_event`], [`Server::poll_transmit`], [`Server::poll_timeout`] | after every feed and command |
//!
//! [`Server`] is the plain way to use it. It is a small loop over two parts that a threaded driver
//! uses by themselves: [`Channel`], one connection with its buffers, credits and keys, and
//! [`Sessions`], the table that all connections share.

mod aside;
mod binding;
mod breaks;
mod channel;
mod closed_notice;
mod config;
mod event;
mod keys;
mod negotiate;
pub use crate::op;
mod receive;
mod reply;
mod respond;
mod session_setup;
mod sessions;
mod token;

pub use crate::crypto::EncryptionPolicy;
pub use aside::Kept;
pub use breaks::BreakNotice;
pub use channel::{Channel, CloseReason};
pub use config::{CreditPolicy, ServerConfig};
pub use event::{Event, Message, Origin, Request};
pub use op::Op;
pub use reply::{AuthReply, Failure, Reply, ShareId, TreeConnectReply};
pub use respond::PendError;
pub use sessions::{Order, Sessions};
pub use token::{ConnId, Gone, RequestId, Token};

use alloc::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use core::any::Any;

use crate::{
    time::{Instant, Now},
    wire::SessionId,
};

/// All connections of a server behind one `&mut`: for tests, fuzzers and simple programs.
#[derive(Debug)]
pub struct Server {
    config: Arc<ServerConfig>,
    sessions: Sessions,
    channels: BTreeMap<ConnId, Channel>,
    events: VecDeque<Event>,
    next: u64,
}

impl Server {
    /// A server without connections.
    pub fn new(config: Arc<ServerConfig>) -> Self {
        Self {
            config,
            sessions: Sessions::new(),
            channels: BTreeMap::new(),
            events: VecDeque::new(),
            next: 1,
        }
    }

    /// A transport was accepted.
    pub fn open(&mut self, now: Now) -> ConnId {
        let id = ConnId(self.next);
        self.next += 1;
        self.channels.insert(id, Channel::new(id, self.config.clone(), now));
        id
    }

    /// One connection, while it is there.
    pub fn channel(&mut self, conn: ConnId) -> Option<&mut Channel> {
        self.channels.get_mut(&conn)
    }

    /// The sessions.
    pub fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    /// Where the next bytes of `conn` go.
    pub fn recv_target(&mut self, conn: ConnId) -> Option<&mut [u8]> {
        self.channels.get_mut(&conn).map(Channel::recv_target)
    }

    /// Whether reading from `conn` makes sense now.
    pub fn wants_read(&self, conn: ConnId) -> bool {
        self.channels.get(&conn).is_some_and(Channel::wants_read)
    }

    /// `n` bytes were read into [`Server::recv_target`].
    pub fn received(&mut self, conn: ConnId, n: usize, now: Now) {
        if let Some(channel) = self.channels.get_mut(&conn) {
            channel.received(n, now);
        }
        self.settle(conn);
    }

    /// How many bytes of data of a WRITE come next on `conn`, if nobody has to look at them: see [`Channel::poll_aside`].
    pub fn poll_aside(&self, conn: ConnId) -> Option<usize> {
        self.channels.get(&conn).and_then(Channel::poll_aside)
    }

    /// The driver took them, and keeps them as `place` says.
    pub fn took_aside(&mut self, conn: ConnId, place: impl Any + Send + Sync, now: Now) {
        if let Some(channel) = self.channels.get_mut(&conn) {
            channel.took_aside(place, now);
        }
        self.settle(conn);
    }

    /// Feeds bytes that lie elsewhere.
    pub fn handle_input(&mut self, conn: ConnId, bytes: &[u8], now: Now) {
        if let Some(channel) = self.channels.get_mut(&conn) {
            channel.handle_input(bytes, now);
        }
        self.settle(conn);
    }

    /// The transport of `conn` gives no more bytes.
    pub fn eof(&mut self, conn: ConnId) {
        if let Some(channel) = self.channels.get_mut(&conn) {
            channel.eof();
        }
        self.settle(conn);
    }

    /// Ends a connection.
    pub fn close(&mut self, conn: ConnId) {
        if let Some(channel) = self.channels.get_mut(&conn) {
            channel.close();
        }
        self.settle(conn);
    }

    /// Forgets a connection whose transport is closed.
    pub fn remove(&mut self, conn: ConnId) {
        self.close(conn);
        self.channels.remove(&conn);
    }

    /// Time passed.
    pub fn handle_timeout(&mut self, now: Now) {
        let due: alloc::vec::Vec<ConnId> = self.channels.keys().copied().collect();
        for conn in due {
            if let Some(channel) = self.channels.get_mut(&conn) {
                channel.handle_timeout(now);
            }
            self.settle(conn);
        }
    }

    /// When [`Server::handle_timeout`] is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.channels.values().filter_map(Channel::poll_timeout).min()
    }

    /// What happened.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Fills `out` with what is to be sent on `conn`; call [`Server::sent`] afterwards.
    pub fn poll_transmit<'a>(&'a mut self, conn: ConnId, out: &mut [&'a [u8]]) -> usize {
        self.channels.get_mut(&conn).map_or(0, |channel| channel.poll_transmit(out))
    }

    /// The transport of `conn` took `n` bytes.
    pub fn sent(&mut self, conn: ConnId, n: usize) {
        if let Some(channel) = self.channels.get_mut(&conn) {
            channel.sent(n);
        }
    }

    /// Whether everything is said on `conn`: close its transport, then [`Server::remove`] it.
    pub fn is_finished(&self, conn: ConnId) -> bool {
        self.channels.get(&conn).is_none_or(Channel::is_finished)
    }

    /// Answers a request.
    pub fn respond<O: Op>(&mut self, token: Token<O>, result: Result<Reply<O>, Failure>) -> Result<(), Gone> {
        self.with(token, |channel, _, _, token| channel.respond(token, result))
    }

    /// Answers one leg of SESSION_SETUP.
    pub fn respond_auth(
        &mut self,
        token: Token<op::SessionSetup>,
        message: &Message<op::SessionSetup>,
        result: Result<AuthReply, Failure>,
    ) -> Result<(), Gone> {
        self.with(token, |channel, sessions, events, token| {
            sessions.respond_auth(channel, token, message, result, events)
        })
    }

    /// Answers TREE_CONNECT.
    pub fn respond_tree(
        &mut self,
        token: Token<op::TreeConnect>,
        result: Result<TreeConnectReply, Failure>,
    ) -> Result<(), Gone> {
        self.with(token, |channel, sessions, _, token| sessions.respond_tree(channel, token, result))
    }

    /// Answers TREE_DISCONNECT.
    pub fn respond_tree_disconnect(&mut self, token: Token<op::TreeDisconnect>) -> Result<(), Gone> {
        self.with(token, |channel, sessions, _, token| sessions.respond_tree_disconnect(channel, token))
    }

    /// Answers LOGOFF.
    pub fn respond_logoff(&mut self, token: Token<op::Logoff>) -> Result<(), Gone> {
        self.with(token, |channel, sessions, _, token| sessions.respond_logoff(channel, token))
    }

    /// Ends a session from this side; see [`Sessions::end_session`].
    pub fn end_session(&mut self, session: SessionId) {
        self.sessions.end_session(session);
        self.carry_orders();
    }

    /// Sends a break notice; see [`Sessions::notify_break`].
    pub fn notify_break(&mut self, session: SessionId, notice: BreakNotice, encrypt: bool) -> bool {
        let sent = self.sessions.notify_break(session, notice, encrypt);
        self.carry_orders();
        sent
    }

    /// Tells the client that an answer takes a while.
    pub fn pend<O: Op>(&mut self, token: &Token<O>) -> Result<(), PendError> {
        let channel = self.channels.get_mut(&token.id().conn).ok_or(Gone)?;
        channel.pend(token)
    }

    fn with<O, R>(
        &mut self,
        token: Token<O>,
        answer: impl FnOnce(&mut Channel, &mut Sessions, &mut VecDeque<Event>, Token<O>) -> Result<R, Gone>,
    ) -> Result<R, Gone> {
        let conn = token.id().conn;
        let channel = self.channels.get_mut(&conn).ok_or(Gone)?;
        let result = answer(channel, &mut self.sessions, &mut self.events, token);
        self.settle(conn);
        result
    }

    fn settle(&mut self, conn: ConnId) {
        if let Some(channel) = self.channels.get_mut(&conn) {
            self.sessions.admit(channel, &mut self.events);
            while channel.verify_claims() {
                self.sessions.admit(channel, &mut self.events);
            }
        }
        self.carry_orders();
    }

    fn carry_orders(&mut self) {
        while let Some((conn, order)) = self.sessions.poll_order() {
            let channel = self.channels.get_mut(&conn);
            if let Err(order) = channel.map_or(Err(order.clone()), |channel| channel.apply(order)) {
                self.sessions.undelivered(conn, order);
            }
        }
    }
}
