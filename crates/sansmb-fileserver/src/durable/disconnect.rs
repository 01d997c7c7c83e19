//! Opens that no session has: how they come to be, and how they end. [MS-SMB2] 3.3.5.6, 3.3.6.2,
//! 3.3.6.4 and 3.3.7.1.

use sansmb::wire::{AccessMask, LeaseState, SessionId, TreeId};

use super::Level;
use crate::{
    caching::{Holder, Stat},
    close::CloseReply,
    create::Creating,
    opens::OpenId,
    server::FileServer,
    session::Then,
    storage::NodeId,
};

impl FileServer {
    /// The session of an open ends. `true` when the open is left waiting for its client.
    pub(crate) fn leave_waiting(&mut self, id: OpenId) -> bool {
        let Some(open) = self.opens.get(&id).filter(|open| open.closing.is_none()) else { return false };
        let waits = match open.lasting.level {
            Level::Fleeting => false,
            // Who was asked to give something up cannot be heard any more.
            Level::Durable => self.holds_handle(id) && !self.is_asked(id),
            Level::Resilient | Level::Persistent => true,
        };
        if !waits || self.config.limits.waiting_opens == 0 {
            return false;
        }
        self.end_queries(id);
        self.end_waits(id);
        let Some(open) = self.opens.get_mut(&id) else { return false };
        if let Some(session) = self.sessions.get_mut(&open.session) {
            session.opens.remove(&id);
        }
        (open.session, open.tree) = (SessionId(0), TreeId(0));
        self.start_waiting(id);
        true
    }

    /// An open that no session has waits for its client from now on.
    pub(crate) fn start_waiting(&mut self, id: OpenId) {
        let now = self.now.mono;
        let Some(open) = self.opens.get_mut(&id) else { return };
        let until = now.after(open.lasting.timeout);
        open.lasting.until = Some(until);
        let node = open.file().map(|file| file.node);
        if let Some(node) = node {
            self.durables.add_waiting(id, node, until);
        }
        if self.durables.due.len() > self.config.limits.waiting_opens
            && let Some((_, first)) = self.durables.due.first().copied()
        {
            self.begin_close(first, CloseReply::Nobody);
        }
    }

    /// Whether a file is kept for a client that is not connected and was promised it: [MS-SMB2] 3.3.5.9, for
    /// clients of 3.x, who know that they shall try again.
    pub(crate) fn is_promised(&self, node: NodeId) -> bool {
        let waiting = self.durables.on.get(&node);
        waiting.is_some_and(|waiting| waiting.iter().any(|id| self.is_persistent(*id)))
    }

    /// Whether an open outlives the server.
    pub(crate) fn is_persistent(&self, id: OpenId) -> bool {
        self.opens.get(&id).is_some_and(|open| open.lasting.level == Level::Persistent)
    }

    /// Ends those that have waited long enough.
    pub(crate) fn scavenge(&mut self) {
        while let Some((until, id)) = self.durables.due.first().copied()
            && until <= self.now.mono
        {
            self.begin_close(id, CloseReply::Nobody);
        }
    }

    /// An open does not wait any more: somebody has it, or it is being closed.
    pub(crate) fn take_from_waiting(&mut self, id: OpenId) {
        let Some(open) = self.opens.get_mut(&id) else { return };
        let Some(until) = open.lasting.until.take() else { return };
        if let Some(node) = open.file().map(|file| file.node) {
            self.durables.remove_waiting(id, node, until);
        }
    }

    /// The client of an open could not be told that it caches less. [MS-SMB2] 3.3.4.6 and 3.3.4.7: an
    /// open that only waits because of what it cached does so no longer.
    pub(crate) fn end_unreachable(&mut self, id: OpenId) {
        let lasting = self.opens.get(&id).map(|open| &open.lasting);
        if lasting.is_some_and(|lasting| lasting.until.is_some() && lasting.level == Level::Durable) {
            self.begin_close(id, CloseReply::Nobody);
        }
    }

    /// Waiting opens of a file that would lose what they wait with by another open of it.
    pub(crate) fn in_the_way(
        &self,
        node: NodeId,
        own: Holder,
        needed: AccessMask,
        overwrites: bool,
        allowed: bool,
    ) -> Vec<OpenId> {
        let Some(waiting) = self.durables.on.get(&node) else { return Vec::new() };
        let stat = Stat::of(needed);
        let loses = |id: &OpenId| match self.held(*id).lease {
            _ if !allowed => true,
            None => stat != Stat::Yes,
            Some(lease) => {
                stat == Stat::No && (overwrites || lease.state.contains(LeaseState::WRITE_CACHING))
            }
        };
        let durable =
            |id: &OpenId| self.opens.get(id).is_some_and(|open| open.lasting.level == Level::Durable);
        let mut found: Vec<OpenId> = waiting.iter().copied().collect();
        found.retain(|id| durable(id) && self.holder_of(*id) != own && loses(id));
        found
    }

    /// Closes opens that are in the way of a CREATE, which goes on when they are gone.
    pub(crate) fn clear_away(&mut self, opens: impl IntoIterator<Item = OpenId>, creating: Box<Creating>) {
        let group = self.new_group(Then::Create(creating));
        for id in opens {
            self.close_in_group(id, group);
        }
        self.leave_group(group);
    }
}
