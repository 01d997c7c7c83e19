//! Sessions: authentication, and their end.

use std::{collections::BTreeSet, sync::Arc};

use sansmb::{
    auth::{AuthError, Identity, Step},
    crypto::Random,
    server::{AuthReply, Failure, Request, Token, op},
    time::Instant,
    wire::{Guid, NtStatus, SessionId, SessionSetupFlags, TreeId, dtyp::Token as AccessToken},
};

use crate::{action::Answer, close::CloseReply, create::Creating, opens::OpenId, server::FileServer};

/// A session as the file server sees it.
#[derive(Debug, Default)]
pub(crate) struct Session {
    /// Who it is, once it is authenticated.
    pub(crate) identity: Option<Identity>,
    /// What that means for access checks. Opens keep what they were granted when it changes.
    pub(crate) token: Option<Arc<AccessToken>>,
    /// The client that authenticated.
    pub(crate) client_guid: Guid,
    /// When it was authenticated first.
    pub(crate) since: Instant,
    /// When something was last asked of one of its opens, or of a new one.
    pub(crate) used: Instant,
    /// Its opens, those being opened included.
    pub(crate) opens: BTreeSet<OpenId>,
    /// LOGOFF came and is not answered yet.
    pub(crate) ending: bool,
    /// Trees whose TREE_DISCONNECT is not answered yet.
    pub(crate) ending_trees: BTreeSet<TreeId>,
}

/// Names a [`Group`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct GroupId(u64);

/// Opens that are closed together, and the answer that waits for the last of them.
#[derive(Debug)]
pub(crate) struct Group {
    left: usize,
    then: Then,
}

/// What follows when a group is closed.
#[derive(Debug)]
pub(crate) enum Then {
    Nothing,
    /// A CREATE goes on that they were in the way of.
    Create(Box<Creating>),
    /// A CREATE is refused, and what it had made is gone; it may be what another group waits for.
    Refuse {
        token: Token<op::Create>,
        failure: Failure,
        doomed: Option<GroupId>,
    },
    Logoff(Token<op::Logoff>, SessionId),
    TreeDisconnect(Token<op::TreeDisconnect>, SessionId, TreeId),
}

impl FileServer {
    /// [MS-SMB2] 3.3.5.5.3.
    pub(crate) fn session_setup(&mut self, request: Request<op::SessionSetup>, random: &mut dyn Random) {
        let id = request.origin.session;
        let result = self.authenticate(&request, random);
        if !matches!(result, Ok(AuthReply::Continue { .. })) {
            self.exchanges.end(id, request.origin.conn);
        }
        // A session that never was is forgotten here. One that was authenticated before ends through
        // the event that the core makes of the failure, if it does.
        if result.is_err() && self.sessions.get(&id).is_some_and(|session| session.identity.is_none()) {
            self.forget_session(id);
        }
        self.push_answer(request.token.id(), Answer::Auth(request.token, request.message, result));
    }

    fn authenticate(
        &mut self,
        request: &Request<op::SessionSetup>,
        random: &mut dyn Random,
    ) -> Result<AuthReply, Failure> {
        let body = request.message.body()?;
        let (id, conn) = (request.origin.session, request.origin.conn);
        let binding = body.flags.contains(SessionSetupFlags::BINDING);
        let session = self.sessions.entry(id).or_default();
        if session.ending || binding && session.identity.is_none() {
            return Err(NtStatus::USER_SESSION_DELETED.into());
        }
        let (acceptor, wall) = (&self.config.acceptor, self.now.wall);
        let mechanism = self.exchanges.get_or_start(id, conn, || {
            let mut seed = [0; 32];
            random.fill(&mut seed);
            acceptor.accept(wall, seed)
        });
        match mechanism.step(body.security_buffer) {
            Ok(Step::Send(token)) => Ok(AuthReply::Continue { token }),
            Ok(Step::Done { token, identity, session_key }) => {
                // Who binds a connection has to be who the session is, which the core sees to.
                if !binding {
                    if session.identity.is_none() {
                        (session.since, session.used) = (self.now.mono, self.now.mono);
                    }
                    session.token = Some(Arc::new(self.accounts.token(&identity)));
                    session.identity = Some(identity.clone());
                    session.client_guid = request.origin.client_guid;
                    self.clients.insert((session.client_guid, request.origin.session));
                }
                Ok(AuthReply::Done { token, identity, session_key })
            }
            // Nobody is there to be asked.
            Ok(_) => Err(NtStatus::LOGON_FAILURE.into()),
            Err(AuthError::Malformed(..) | AuthError::Unexpected(_)) => {
                Err(NtStatus::INVALID_PARAMETER.into())
            }
            Err(_) => Err(NtStatus::LOGON_FAILURE.into()),
        }
    }

    /// Who a session is for access checks.
    pub(crate) fn token_of(&self, session: SessionId) -> Option<Arc<AccessToken>> {
        self.sessions.get(&session)?.token.clone()
    }

    fn forget_session(&mut self, id: SessionId) {
        if let Some(session) = self.sessions.remove(&id) {
            self.clients.remove(&(session.client_guid, id));
        }
    }

    /// [MS-SMB2] 3.3.5.6.
    pub(crate) fn logoff(&mut self, request: Request<op::Logoff>) {
        let id = request.origin.session;
        if let Some(session) = self.sessions.get_mut(&id) {
            session.ending = true;
        }
        self.close_all(id, None, Then::Logoff(request.token, id));
    }

    /// The session is gone: what it had goes too.
    pub(crate) fn session_ended(&mut self, id: SessionId) {
        self.close_all(id, None, Then::Nothing);
        self.exchanges.end_session(id);
        self.forget_session(id);
    }

    /// Closes all opens of a session, or of one of its trees.
    pub(crate) fn close_all(&mut self, session: SessionId, tree: Option<TreeId>, then: Then) {
        let group = self.new_group(then);
        let opens = self.sessions.get(&session).map(|s| s.opens.clone()).unwrap_or_default();
        // Nobody wants what waits any more: closing the others must not set it going.
        for id in &opens {
            if let Some((of, doomed)) = self.creating.get_mut(id)
                && tree.is_none_or(|tree| tree == *of)
                && doomed.is_none()
            {
                *doomed = Some(group);
                self.enter_group(group);
                self.end_delays(*id);
            }
        }
        for id in opens {
            if let Some(open) = self.opens.get(&id)
                && tree.is_none_or(|tree| tree == open.tree)
                && (tree.is_some() || !self.leave_waiting(id))
            {
                self.close_in_group(id, group);
            }
        }
        self.leave_group(group);
    }

    /// A group without opens, to be left once they are in it: it must not end before.
    pub(crate) fn new_group(&mut self, then: Then) -> GroupId {
        let group = GroupId(self.next_group);
        self.next_group += 1;
        self.groups.insert(group, Group { left: 1, then });
        group
    }

    /// Closes an open for a group, unless it is being closed already.
    pub(crate) fn close_in_group(&mut self, id: OpenId, group: GroupId) {
        if self.opens.get(&id).is_some_and(|open| open.closing.is_none()) {
            self.enter_group(group);
            self.begin_close(id, CloseReply::Group(group));
        }
    }

    fn enter_group(&mut self, group: GroupId) {
        if let Some(group) = self.groups.get_mut(&group) {
            group.left += 1;
        }
    }

    /// One of a group is closed.
    pub(crate) fn leave_group(&mut self, id: GroupId) {
        let Some(group) = self.groups.get_mut(&id) else { return };
        group.left -= 1;
        if group.left > 0 {
            return;
        }
        let Some(group) = self.groups.remove(&id) else { return };
        match group.then {
            Then::Nothing => {}
            Then::Create(creating) => self.look_up(creating),
            Then::Refuse { token, failure, doomed } => {
                self.respond(token, Err(failure));
                if let Some(doomed) = doomed {
                    self.leave_group(doomed);
                }
            }
            Then::Logoff(token, session) => {
                self.exchanges.end_session(session);
                self.forget_session(session);
                self.push_answer(token.id(), Answer::Logoff(token));
            }
            Then::TreeDisconnect(token, session, tree) => {
                if let Some(session) = self.sessions.get_mut(&session) {
                    session.ending_trees.remove(&tree);
                }
                self.push_answer(token.id(), Answer::TreeDisconnect(token));
            }
        }
    }
}
