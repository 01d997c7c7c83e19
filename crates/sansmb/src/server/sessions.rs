//! What all connections of a server share: sessions and their tree connects.

use alloc::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    vec::Vec,
};
use core::marker::PhantomData;

use super::{
    binding::Agreed,
    breaks::{About, BreakOrder, Notices},
    channel::{Channel, Claim, CloseReason, Inbound},
    event::{Event, Message, Origin, Request},
    keys::SharedKeys,
    op::{self, Op},
    reply::{Failure, Reply, ShareId, TreeConnectReply},
    token::{ConnId, Gone, Token},
};
use crate::{
    auth::Identity,
    crypto::Signer,
    wire::{
        Body, Command, CtlCode, Dialect, FileId, FileTime, Flags, IoctlRequest, IoctlResponse, NtStatus,
        SessionId, ShareFlags, Structure, TreeConnectResponse, TreeId,
    },
};

/// A session.
#[derive(Debug)]
pub(super) struct Session {
    /// The connections that it can be used on, oldest first.
    pub(super) channels: Vec<ConnId>,
    /// Connections that authenticate to become one of them.
    pub(super) binding: Vec<ConnId>,
    /// How many connections have tried so far, the first one not counted.
    pub(super) bindings: u16,
    /// What the connection agreed on that made it.
    pub(super) agreed: Agreed,
    pub(super) keys: Option<SharedKeys>,
    pub(super) trees: BTreeMap<TreeId, Tree>,
    next_tree: u32,
    pub(super) identity: Option<Identity>,
}

impl Session {
    /// Session.SigningKey, if there is one worth the name.
    pub(super) fn signer(&self) -> Option<Arc<dyn Signer>> {
        self.keys.as_ref().and_then(|keys| keys.signer.clone())
    }

    /// Whether the authentication holds no longer, [MS-SMB2] 3.3.5.2.9.
    pub(super) fn expired(&self, now: FileTime) -> bool {
        self.identity.as_ref().and_then(|who| who.expires).is_some_and(|at| at <= now)
    }
}

/// A tree connect.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tree {
    share: ShareId,
    encrypt: bool,
    compress: bool,
}

/// The sessions of a server and what is connected in them. Light: a threaded driver puts it behind
/// a lock and takes the lock for table look-ups alone; ciphers and I/O stay with [`Channel`].
#[derive(Debug, Default)]
pub struct Sessions {
    pub(super) table: BTreeMap<SessionId, Session>,
    next: u64,
    /// What other connections have to do.
    pub(super) orders: VecDeque<(ConnId, Order)>,
    pub(super) notices: Notices,
}

/// What one connection has to do because of what happened on another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order(pub(super) OrderKind);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum OrderKind {
    Forget(SessionId),
    /// Say that this server closed the session.
    TellClosed(SessionId),
    Break(BreakOrder),
}

impl Sessions {
    /// No sessions yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sessions, half-open ones included.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// Who a session belongs to, once it is authenticated.
    pub fn identity(&self, session: SessionId) -> Option<&Identity> {
        self.table.get(&session)?.identity.as_ref()
    }

    /// Takes what has arrived on `channel` and turns it into events.
    pub fn admit(&mut self, channel: &mut Channel, events: &mut VecDeque<Event>) {
        while channel.has_room()
            && let Some(inbound) = channel.inbound.pop_front()
        {
            self.admit_one(channel, inbound, events);
        }
        // After the requests, since they may mean one that just came. One that still waits for room
        // keeps its CANCEL until the application has heard of it.
        for request in core::mem::take(&mut channel.cancels) {
            if channel.is_waiting(request) {
                channel.cancels.push_back(request);
            } else if channel.in_flight.get(request.serial).is_some() {
                events.push_back(Event::Cancel { request });
            }
        }
        if channel.closed.is_some() && !channel.close_told {
            channel.close_told = true;
            self.closed(channel, events);
        }
    }

    /// What another connection has to do; hand it to [`Channel::apply`] there.
    pub fn poll_order(&mut self) -> Option<(ConnId, Order)> {
        self.orders.pop_front()
    }

    /// Answers TREE_CONNECT.
    pub fn respond_tree(
        &mut self,
        channel: &mut Channel,
        token: Token<op::TreeConnect>,
        result: Result<TreeConnectReply, Failure>,
    ) -> Result<(), Gone> {
        let session_id = channel.in_flight.get(token.id().serial).ok_or(Gone)?.header.session_id;
        let result = result.and_then(|reply| {
            let session = self.table.get_mut(&session_id).ok_or(NtStatus::USER_SESSION_DELETED)?;
            if session.trees.len() >= channel.config.max_trees {
                return Err(NtStatus::INSUFFICIENT_RESOURCES.into());
            }
            let can_encrypt =
                channel.sessions.get(&session_id).is_some_and(|s| s.ciphers.is_some() && !s.keyless);
            let secured = channel.transport_security();
            if reply.encrypt && !can_encrypt && !secured {
                return Err(NtStatus::ACCESS_DENIED.into());
            }
            session.next_tree = session.next_tree.wrapping_add(1).max(1);
            let tree = TreeId(session.next_tree);
            let compress = reply.compress && channel.compression().is_some();
            session.trees.insert(tree, Tree { share: reply.share, encrypt: reply.encrypt, compress });
            channel.note_ids(token.id(), None, Some(tree));
            let mut share_flags = reply.share_flags;
            if reply.encrypt && !secured {
                share_flags |= ShareFlags::ENCRYPT_DATA;
            }
            if compress {
                share_flags |= ShareFlags::COMPRESS_DATA;
            }
            Ok(Reply::new(&TreeConnectResponse {
                share_type: reply.share_type,
                share_flags,
                capabilities: reply.capabilities,
                maximal_access: reply.maximal_access,
            }))
        });
        channel.respond(token, result)
    }

    /// Answers TREE_DISCONNECT: the tree is gone.
    pub fn respond_tree_disconnect(
        &mut self,
        channel: &mut Channel,
        token: Token<op::TreeDisconnect>,
    ) -> Result<(), Gone> {
        let header = channel.in_flight.get(token.id().serial).ok_or(Gone)?.header;
        if let Some(session) = self.table.get_mut(&header.session_id) {
            session.trees.remove(&header.tree_id);
        }
        channel.respond(token, Ok(Reply::new(&Default::default())))
    }

    /// Answers LOGOFF: the session is gone, on every connection.
    pub fn respond_logoff(&mut self, channel: &mut Channel, token: Token<op::Logoff>) -> Result<(), Gone> {
        let session = channel.in_flight.get(token.id().serial).ok_or(Gone)?.header.session_id;
        self.forget(session, Some(&mut *channel));
        channel.respond(token, Ok(Reply::new(&Default::default())))
    }

    /// Ends a session from the server's side. A client that asked to hear of it does, over each of
    /// the session's connections, [MS-SMB2] 4.11. [`Event::SessionEnded`] does not follow.
    pub fn end_session(&mut self, session: SessionId) {
        let told = self.table.get(&session).filter(|s| s.agreed.notifications && s.identity.is_some());
        for conn in told.map(|s| s.channels.clone()).unwrap_or_default() {
            self.orders.push_back((conn, Order(OrderKind::TellClosed(session))));
        }
        self.forget(session, None);
    }

    pub(super) fn allocate(&mut self, conn: ConnId, base: u64, agreed: Agreed) -> SessionId {
        let id = loop {
            self.next += 1;
            let id = base.wrapping_add(self.next);
            // Neither 0 nor all ones, which mean "none", [MS-SMB2] 3.3.5.5.1.
            if id != 0 && id != u64::MAX {
                break SessionId(id);
            }
        };
        let session = Session {
            channels: [conn].to_vec(),
            binding: Vec::new(),
            bindings: 0,
            agreed,
            keys: None,
            trees: BTreeMap::new(),
            next_tree: 0,
            identity: None,
        };
        self.table.insert(id, session);
        id
    }

    /// Removes a session from the table and from all its channels.
    pub(super) fn forget(&mut self, id: SessionId, here: Option<&mut Channel>) {
        let Some(session) = self.table.remove(&id) else { return };
        let this = here.as_ref().map(|channel| channel.id);
        for conn in session.channels.into_iter().chain(session.binding) {
            if Some(conn) != this {
                self.orders.push_back((conn, Order(OrderKind::Forget(id))));
            }
        }
        if let Some(channel) = here {
            channel.end_session(id);
        }
    }

    /// [MS-SMB2] 3.3.7.1: a session lives for as long as one of its connections does.
    fn closed(&mut self, channel: &mut Channel, events: &mut VecDeque<Event>) {
        let ids: Vec<SessionId> = core::mem::take(&mut channel.sessions).into_keys().collect();
        for id in ids {
            let Some(session) = self.table.get_mut(&id) else { continue };
            session.channels.retain(|conn| *conn != channel.id);
            session.binding.retain(|conn| *conn != channel.id);
            if session.channels.is_empty() {
                self.forget(id, None);
                events.push_back(Event::SessionEnded { session: id });
            }
        }
        self.reroute(channel.id);
        events.push_back(Event::Closed { conn: channel.id });
    }

    fn admit_one(&mut self, channel: &mut Channel, inbound: Inbound, events: &mut VecDeque<Event>) {
        let id = inbound.id;
        let outcome = match inbound.header.command {
            command if inbound.claim != Claim::Own && command != Command::SESSION_SETUP => {
                self.refuse_foreign(channel, inbound)
            }
            Command::SESSION_SETUP => self.session_setup(channel, inbound, events),
            Command::ECHO => self.echo(channel, inbound),
            Command::LOGOFF => self.event(channel, inbound, false, events, Event::Logoff),
            Command::TREE_CONNECT => self.tree_connect(channel, inbound, events),
            Command::TREE_DISCONNECT => self.event(channel, inbound, true, events, Event::TreeDisconnect),
            Command::CREATE => self.event(channel, inbound, true, events, Event::Create),
            Command::CLOSE => self.event(channel, inbound, true, events, Event::Close),
            Command::FLUSH => self.event(channel, inbound, true, events, Event::Flush),
            Command::READ => self.event(channel, inbound, true, events, Event::Read),
            Command::WRITE => self.event(channel, inbound, true, events, Event::Write),
            Command::LOCK => self.event(channel, inbound, true, events, Event::Lock),
            Command::IOCTL => self.ioctl(channel, inbound, events),
            Command::QUERY_DIRECTORY => self.event(channel, inbound, true, events, Event::QueryDirectory),
            Command::CHANGE_NOTIFY => self.event(channel, inbound, true, events, Event::ChangeNotify),
            Command::QUERY_INFO => self.event(channel, inbound, true, events, Event::QueryInfo),
            Command::SET_INFO => self.event(channel, inbound, true, events, Event::SetInfo),
            Command::OPLOCK_BREAK => self.oplock_break(channel, inbound, events),
            _ => Err(NtStatus::INVALID_PARAMETER.into()),
        };
        if let Err(failure) = outcome {
            channel.fail(id, &failure);
        }
    }

    /// [MS-SMB2] 3.3.5.2.11, then the request's own structure and size.
    fn event<O: Op>(
        &mut self,
        channel: &mut Channel,
        inbound: Inbound,
        in_tree: bool,
        events: &mut VecDeque<Event>,
        make: fn(Request<O>) -> Event,
    ) -> Result<(), Failure> {
        let header = inbound.header;
        let session = self.table.get(&header.session_id).ok_or(NtStatus::USER_SESSION_DELETED)?;
        // What gives something up may be done for as long as the session is there.
        let releases = matches!(O::COMMAND, Command::LOGOFF | Command::CLOSE | Command::LOCK);
        if !releases && session.expired(channel.fed.wall) {
            return Err(NtStatus::NETWORK_SESSION_EXPIRED.into());
        }
        let mut share = ShareId(0);
        let mut compress = false;
        if in_tree {
            let tree = session.trees.get(&header.tree_id).ok_or(NtStatus::NETWORK_NAME_DELETED)?;
            if tree.encrypt && !inbound.encrypted && !channel.transport_security() {
                return Err(NtStatus::ACCESS_DENIED.into());
            }
            (share, compress) = (tree.share, tree.compress);
        }
        let (mut payload, named) = {
            let request = O::Request::decode(&inbound.message)?;
            compress |= O::wants_compression(&request);
            (O::payload(&request), O::file_id(&request))
        };
        if O::COMMAND == Command::WRITE
            && let Some(kept) = inbound.message.kept()
        {
            payload = u32::try_from(kept.len()).unwrap_or(u32::MAX);
        }
        let n = channel.negotiated.as_ref().ok_or(NtStatus::INVALID_PARAMETER)?;
        let paid = u32::from(header.credit_charge.max(1));
        let limit = match O::COMMAND {
            Command::READ => channel.config.max_read_size,
            Command::WRITE => channel.config.max_write_size,
            _ => channel.config.max_transact_size,
        };
        let limit = if n.dialect == Dialect::SMB2_0_2 { limit.min(65536) } else { limit };
        if payload > limit || n.multi_credit && payload.div_ceil(65536) > paid {
            return Err(NtStatus::INVALID_PARAMETER.into());
        }
        // A related member works on the file of the one before it, whatever it says itself.
        let file_id = named.map_or(FileId::ANY, |named| inbound.related_file.unwrap_or(named));
        let (dialect, client_guid, capabilities) = (n.dialect, n.client_guid, n.server_capabilities);
        channel.reserve(inbound.id, if O::COMMAND == Command::WRITE { 0 } else { payload });
        if compress {
            channel.compress_answer(inbound.id);
        }
        if named.is_some() {
            channel.note_file(inbound.id, file_id);
        }
        let origin = Origin {
            conn: channel.id,
            session: header.session_id,
            tree: header.tree_id,
            share,
            dialect,
            client_guid,
            capabilities,
            channel_sequence: header.channel_sequence(),
            replay: header.flags.contains(Flags::REPLAY_OPERATION),
            encrypted: inbound.encrypted,
            followed: inbound.followed,
        };
        let message = Message { bytes: inbound.message, file_id, op: PhantomData };
        events.push_back(make(Request { token: Token::new(inbound.id), origin, message }));
        Ok(())
    }

    /// [MS-SMB2] 3.3.5.7: with 3.1.1 nothing may come between the client and the shares.
    fn tree_connect(
        &mut self,
        channel: &mut Channel,
        inbound: Inbound,
        events: &mut VecDeque<Event>,
    ) -> Result<(), Failure> {
        let dialect = channel.dialect();
        let session = channel.sessions.get(&inbound.header.session_id);
        let verified = inbound.encrypted || inbound.header.flags.contains(Flags::SIGNED);
        if dialect == Some(Dialect::SMB3_1_1) && session.is_some_and(|s| !s.keyless) && !verified {
            channel.close_because(CloseReason::Violation("TREE_CONNECT is neither signed nor encrypted"));
            return Ok(());
        }
        self.event(channel, inbound, false, events, Event::TreeConnect)
    }

    fn ioctl(
        &mut self,
        channel: &mut Channel,
        inbound: Inbound,
        events: &mut VecDeque<Event>,
    ) -> Result<(), Failure> {
        let request = IoctlRequest::decode(&inbound.message)?;
        // Without an SMB2 NEGOTIATE there is nothing to validate: we answer like a server of that time.
        let by_smb1 = channel.negotiated.as_ref().is_some_and(|n| n.by_smb1);
        if request.ctl_code != CtlCode::VALIDATE_NEGOTIATE_INFO || by_smb1 {
            return self.event(channel, inbound, true, events, Event::Ioctl);
        }
        let header = inbound.header;
        let session = self.table.get(&header.session_id).ok_or(NtStatus::USER_SESSION_DELETED)?;
        if session.expired(channel.fed.wall) {
            return Err(NtStatus::NETWORK_SESSION_EXPIRED.into());
        }
        if !session.trees.contains_key(&header.tree_id) {
            return Err(NtStatus::NETWORK_NAME_DELETED.into());
        }
        if request.file_id != FileId::ANY {
            return Err(NtStatus::INVALID_PARAMETER.into());
        }
        let Some(answer) = channel.validate_negotiate(request.input, request.max_output_response) else {
            channel.close_because(CloseReason::Violation("the negotiation was tampered with"));
            return Ok(());
        };
        let output = answer.to_vec();
        let reply = Reply::new(&IoctlResponse {
            ctl_code: request.ctl_code,
            file_id: request.file_id,
            output: &output,
            ..Default::default()
        });
        let _ = channel.respond(Token::<op::Ioctl>::new(inbound.id), Ok(reply));
        Ok(())
    }

    /// Oplock and lease acknowledgements share a command and differ in StructureSize.
    fn oplock_break(
        &mut self,
        channel: &mut Channel,
        inbound: Inbound,
        events: &mut VecDeque<Event>,
    ) -> Result<(), Failure> {
        let session = inbound.header.session_id;
        let lease_size = <op::LeaseBreak as Op>::Request::STRUCTURE_SIZE.to_le_bytes();
        if inbound.message.get(64..66) == Some(&lease_size) {
            let key = <op::LeaseBreak as Op>::Request::decode(&inbound.message).map(|body| body.lease_key);
            self.event(channel, inbound, true, events, Event::LeaseBreak)?;
            // Of a session that may not say anything, it is none.
            if let Ok(key) = key {
                self.acknowledged(session, About::Lease(key));
            }
        } else {
            let file = <op::OplockBreak as Op>::Request::decode(&inbound.message).map(|body| body.file_id);
            self.event(channel, inbound, true, events, Event::OplockBreak)?;
            if let Ok(file) = file {
                self.acknowledged(session, About::Open(file));
            }
        }
        Ok(())
    }

    /// [MS-SMB2] 3.3.5.17. Who was authenticated once may still ask whether anybody is
    /// there after a log-off; strangers may not.
    fn echo(&mut self, channel: &mut Channel, inbound: Inbound) -> Result<(), Failure> {
        if channel.sessions.is_empty() && channel.awaits_authentication() {
            channel.close_because(CloseReason::Violation("ECHO without a session"));
            return Ok(());
        }
        if self.table.get(&inbound.header.session_id).is_some_and(|s| s.expired(channel.fed.wall)) {
            return Err(NtStatus::NETWORK_SESSION_EXPIRED.into());
        }
        <op::Echo as Op>::Request::decode(&inbound.message)?;
        let _ = channel.respond(Token::<op::Echo>::new(inbound.id), Ok(Reply::new(&Default::default())));
        Ok(())
    }
}

impl Channel {
    /// Carries out what [`Sessions::poll_order`] gave for this connection.
    /// A connection that is closed gives back what has to go another way: it is for
    /// [`Sessions::undelivered`].
    pub fn apply(&mut self, order: Order) -> Result<(), Order> {
        match &order.0 {
            OrderKind::Forget(session) => self.end_session(*session),
            OrderKind::TellClosed(session) => self.tell_closed(*session),
            OrderKind::Break(_) if self.closed.is_some() => return Err(order),
            OrderKind::Break(order) => self.send_break(order),
        }
        Ok(())
    }
}
