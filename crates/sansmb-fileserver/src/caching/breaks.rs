//! What operations take away from whom, [MS-FSA] 2.1.4.12, and how those are told, [MS-SMB2] 3.3.4.6
//! and 3.3.4.7.

use sansmb::{
    server::{BreakNotice, Server, Sessions},
    wire::{
        AccessMask, FileId, LeaseBreakFlags, LeaseBreakNotification, LeaseState, NtStatus,
        OplockBreakNotification, SessionId,
    },
};

use super::{
    Stat,
    holders::{Break, DATA, HANDLE, Holder, WRITE},
    leases::LeaseName,
    oplock_level,
};
use crate::{action::Action, opens::OpenId, path_key::PathKey, server::FileServer, storage::NodeId};

/// A client has to be told that it may cache less.
#[derive(Debug)]
pub struct BreakOrder {
    session: SessionId,
    notice: BreakNotice,
    encrypt: bool,
    node: NodeId,
    holder: Holder,
}

/// A notice that found no connection: give it to [`FileServer::break_undelivered`].
#[derive(Debug)]
pub struct Undelivered {
    node: NodeId,
    holder: Holder,
}

impl BreakOrder {
    /// Hands it to the sessions, of which an order to a connection comes.
    ///
    /// # Errors
    ///
    /// No connection is left that could carry it.
    pub fn deliver(&self, sessions: &mut Sessions) -> Result<(), Undelivered> {
        let sent = sessions.notify_break(self.session, self.notice, self.encrypt);
        self.sent(sent)
    }

    /// The same through a [`Server`], for drivers that use one.
    ///
    /// # Errors
    ///
    /// No connection is left that could carry it.
    pub fn deliver_to(&self, server: &mut Server) -> Result<(), Undelivered> {
        let sent = server.notify_break(self.session, self.notice, self.encrypt);
        self.sent(sent)
    }

    fn sent(&self, sent: bool) -> Result<(), Undelivered> {
        if sent { Ok(()) } else { Err(Undelivered { node: self.node, holder: self.holder }) }
    }
}

/// What stands in an open's way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Obstacle {
    /// Others still have these, and were told.
    Wait(LeaseState),
    /// Nothing that would go away by itself.
    Refuse(NtStatus),
}

impl FileServer {
    /// Makes way for an open of an existing file. `needed` is what it is going to do; `allowed` says
    /// whether the share modes let it, [MS-FSA] 2.1.5.1.2.
    pub(crate) fn make_way(
        &mut self,
        node: NodeId,
        own: Holder,
        needed: AccessMask,
        overwrites: bool,
        allowed: bool,
    ) -> Result<(), Obstacle> {
        let stat = Stat::of(needed);
        let cut = if overwrites { DATA } else { WRITE };
        let batch = self.caching.holders(node).is_some_and(|holders| holders.has_batch());
        if batch && stat == Stat::No {
            // Who has a batch oplock may have closed the file already, and only keeps the handle.
            self.take_away(node, cut, own);
            self.must_wait(node, WRITE, own)?;
        }
        if !allowed {
            self.take_away(node, HANDLE, own);
            self.must_wait(node, HANDLE, own)?;
            return Err(Obstacle::Refuse(NtStatus::SHARING_VIOLATION));
        }
        let spares_leases = stat == Stat::WithSecurity
            && !self.caching.holders(node).is_some_and(|holders| holders.has_exclusive_oplock());
        if stat == Stat::Yes || spares_leases {
            return Ok(());
        }
        self.take_away(node, cut, own);
        self.must_wait(node, WRITE, own)
    }

    fn must_wait(&self, node: NodeId, bits: LeaseState, own: Holder) -> Result<(), Obstacle> {
        if self.caching.blocks(node, bits, own) { Err(Obstacle::Wait(bits)) } else { Ok(()) }
    }

    /// An open changes data, its length or its locks: nobody else may go on with what was read.
    pub(crate) fn break_data(&mut self, id: OpenId) {
        if let Some(node) = self.file(id).map(|file| file.node) {
            self.take_away(node, DATA, self.holder_of(id));
        }
    }

    /// An open is about to change the name of its file, or whether it stays: others must not keep
    /// handles that nobody uses. Gives the file that has to be waited for.
    pub(crate) fn break_handles(&mut self, id: OpenId) -> Option<NodeId> {
        let node = self.file(id)?.node;
        let own = self.holder_of(id);
        self.take_away(node, HANDLE, own);
        self.caching.blocks(node, HANDLE, own).then_some(node)
    }

    /// The same for everything that is open beneath a directory, [MS-FSA] 2.1.4.2.
    pub(crate) fn break_handles_beneath(&mut self, id: OpenId) -> Option<NodeId> {
        let key = self.path_key(id)?;
        let own = Holder::Open(id);
        let mut waits = None;
        for node in self.nodes.beneath(&key) {
            self.take_away(node, HANDLE, own);
            waits = waits.or(self.caching.blocks(node, HANDLE, own).then_some(node));
        }
        waits
    }

    /// What a directory lists changed: whoever caches it loses it, but for the client that says
    /// that it knows, [MS-FSA] 2.1.4.12 with PARENT_OBJECT.
    pub(crate) fn break_parent(&mut self, knows: Option<LeaseName>, key: &PathKey) {
        let Some((node, _)) = key.directory().and_then(|parent| self.nodes.at(&parent)) else { return };
        let own =
            knows.and_then(|name| self.caching.leases.find(&name)).map_or(Holder::Nobody, Holder::Lease);
        self.take_away(node, DATA, own);
    }

    /// The directory of an open's file lists something else than before.
    pub(crate) fn break_own_parent(&mut self, id: OpenId) {
        if let Some(key) = self.path_key(id) {
            let knows = self.file(id).and_then(|file| file.caching.parent);
            self.break_parent(knows, &key);
        }
    }

    pub(crate) fn take_away(&mut self, node: NodeId, cut: LeaseState, own: Holder) {
        let due = self.break_deadline();
        for each in self.caching.take_away(node, cut, own, due) {
            self.send_break(node, each);
        }
    }

    pub(super) fn break_deadline(&self) -> sansmb::time::Instant {
        self.now.mono.after(self.config.limits.break_timeout)
    }

    /// Tells a holder, or lets it lose everything when it cannot be told.
    pub(super) fn send_break(&mut self, node: NodeId, told: Break) {
        let Break { holder, from, to, due, again } = told;
        let teller = match holder {
            Holder::Nobody => None,
            Holder::Open(id) => self.reachable(id),
            Holder::Lease(id) => {
                let lease = self.caching.leases.get(id);
                lease.and_then(|lease| {
                    let (session, open, encrypt) =
                        lease.opens.iter().find_map(|open| self.reachable(*open))?;
                    // Any connection of the client will do; the oldest is what Windows takes.
                    let oldest = self.clients.range((lease.name.client, SessionId(0))..).next();
                    let oldest = oldest.filter(|(client, _)| *client == lease.name.client);
                    Some((oldest.map_or(session, |(_, session)| *session), open, encrypt))
                })
            }
        };
        let Some((session, file_id, encrypt)) = teller else {
            if let Holder::Lease(id) = holder
                && let Some(lease) = self.caching.leases.get_mut(id).filter(|lease| lease.version_2)
            {
                lease.epoch = lease.epoch.wrapping_add(1);
            }
            return self.not_told(node, holder);
        };
        let notice = match holder {
            Holder::Open(_) | Holder::Nobody => {
                BreakNotice::Oplock(OplockBreakNotification { oplock_level: oplock_level(to), file_id })
            }
            Holder::Lease(id) => {
                let Some(lease) = self.caching.leases.get_mut(id) else { return };
                if lease.version_2 && !again {
                    lease.epoch = lease.epoch.wrapping_add(1);
                }
                let flags =
                    if due.is_some() { LeaseBreakFlags::ACK_REQUIRED } else { LeaseBreakFlags::empty() };
                BreakNotice::Lease(LeaseBreakNotification {
                    new_epoch: lease.epoch,
                    flags,
                    lease_key: lease.name.key,
                    current_lease_state: from,
                    new_lease_state: to,
                    ..Default::default()
                })
            }
        };
        if let Holder::Open(id) = holder
            && let Some(file) = self.file_mut(id)
        {
            file.caching.told = due.is_none();
        }
        let order = BreakOrder { session, notice, encrypt, node, holder };
        self.push_action(Action::Break(order));
    }

    /// Over which session the client of an open can be told something about it.
    fn reachable(&self, id: OpenId) -> Option<(SessionId, FileId, bool)> {
        let open = self.opens.get(&id)?;
        self.sessions.get(&open.session)?;
        Some((open.session, open.file_id(id), open.file()?.share.config.encrypt))
    }

    /// A notice could not be delivered: the client has lost what it was about, unless it was promised to
    /// find it again.
    pub fn break_undelivered(&mut self, notice: Undelivered, now: sansmb::time::Now) {
        self.now = now;
        self.not_told(notice.node, notice.holder);
        self.resume(notice.node);
        self.save_changed();
    }

    /// A holder cannot be told: it caches nothing any more, and opens that live by what they cached
    /// are closed. Those that outlive the server keep what they have until their client comes back and
    /// hears of it, or the time of the break is up, [MS-SMB2] 3.3.4.7.
    fn not_told(&mut self, node: NodeId, holder: Holder) {
        let opens = match holder {
            Holder::Nobody => Vec::new(),
            Holder::Open(id) => vec![id],
            Holder::Lease(id) => self
                .caching
                .leases
                .get(id)
                .map(|lease| lease.opens.iter().copied().collect())
                .unwrap_or_default(),
        };
        let is_due = self.caching.holders(node).and_then(|holders| holders.get(holder)?.due()).is_some();
        if is_due && opens.iter().any(|id| self.is_persistent(*id)) {
            return self.caching.tell_later(node, holder);
        }
        self.caching.expire(node, holder);
        for id in opens {
            self.end_unreachable(id);
        }
    }

    /// A client came back to an open: it hears what could not be told while it was away, [MS-SMB2]
    /// 3.3.5.9.12.
    pub(crate) fn tell_untold(&mut self, id: OpenId) {
        let Some(node) = self.file(id).map(|file| file.node) else { return };
        let due = self.now.mono.after(self.config.limits.break_timeout);
        if let Some(told) = self.caching.take_untold(node, self.holder_of(id), due) {
            self.send_break(node, told);
        }
    }

    /// The time of some breaks is up, [MS-SMB2] 3.3.6.1 and 3.3.6.5.
    pub(crate) fn expire_breaks(&mut self) {
        while let Some((node, holder)) = self.caching.overdue(self.now.mono) {
            self.caching.expire(node, holder);
            self.resume(node);
        }
    }
}
