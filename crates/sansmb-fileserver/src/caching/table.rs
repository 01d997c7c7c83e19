//! All that is cached of all files, and what waits for some of it to be given up.

use std::collections::{BTreeMap, BTreeSet};

use sansmb::{
    time::Instant,
    wire::{LeaseState, SecurityInformation, fscc::FileInfoClass},
};

use super::{
    holders::{Break, Holder, Holders, Refusal},
    leases::Leases,
};
use crate::{create::Creating, opens::OpenId, storage::NodeId};
use sansmb::server::{RequestId, Token, op};

/// The tables of oplocks and leases.
#[derive(Debug, Default)]
pub(crate) struct CachingTable {
    places: BTreeMap<NodeId, Place>,
    pub(crate) leases: Leases,
    /// Breaks that have to be acknowledged, the one whose time is up first in front.
    due: BTreeSet<(Instant, NodeId, Holder)>,
    /// Those of them of which the client could not be told yet.
    untold: BTreeSet<(NodeId, Holder)>,
    delayed: BTreeMap<NodeId, BTreeMap<u64, Delayed>>,
    /// What an open is delayed in.
    delays: BTreeMap<(OpenId, u64), NodeId>,
    next_delay: u64,
    /// Files on which something changed that [`CachingTable::poll_touched`] has not told yet, some maybe more than once.
    touched: Vec<NodeId>,
}

/// What there is of one file.
#[derive(Debug, Default)]
struct Place {
    holders: Holders,
    /// Opens that are in the way of an exclusive oplock.
    counting: usize,
}

/// Something that goes on when nobody else has `bits` any more without having been told.
#[derive(Debug)]
pub(crate) struct Delayed {
    pub(crate) open: OpenId,
    pub(crate) own: Holder,
    pub(crate) bits: LeaseState,
    pub(crate) what: Operation,
}

/// What is to be tried again.
#[derive(Debug)]
pub(crate) enum Operation {
    Create(Box<Creating>),
    SetInfo { token: Token<op::SetInfo>, class: FileInfoClass, buffer: Vec<u8> },
    SetSecurity { token: Token<op::SetInfo>, parts: SecurityInformation, buffer: Vec<u8> },
}

impl Operation {
    /// The request that asked for it.
    pub(crate) fn request(&self) -> RequestId {
        match self {
            Self::Create(creating) => creating.request(),
            Self::SetInfo { token, .. } | Self::SetSecurity { token, .. } => token.id(),
        }
    }
}

/// Names something delayed, for whoever wants to cancel it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DelayId {
    node: NodeId,
    serial: u64,
}

impl CachingTable {
    /// A file whose opens may cache something else than before.
    pub(crate) fn poll_touched(&mut self) -> Option<NodeId> {
        self.touched.pop()
    }

    pub(crate) fn holders(&self, node: NodeId) -> Option<&Holders> {
        Some(&self.places.get(&node)?.holders)
    }

    /// How many opens are in the way of an exclusive oplock.
    pub(crate) fn counting(&self, node: NodeId) -> usize {
        self.places.get(&node).map_or(0, |place| place.counting)
    }

    /// Breaks that are not acknowledged yet.
    pub(crate) fn breaking(&self) -> usize {
        self.due.len()
    }

    /// Operations that wait.
    pub(crate) fn delayed(&self) -> usize {
        self.delays.len()
    }

    /// Files of which something is kept.
    pub(crate) fn places(&self) -> usize {
        self.places.len()
    }

    /// A file was opened.
    pub(crate) fn enter(&mut self, node: NodeId, counts: bool) {
        if counts {
            self.places.entry(node).or_default().counting += 1;
        }
    }

    /// One of a file's opens is gone, and so is what it held alone.
    pub(crate) fn leave(&mut self, node: NodeId, holder: Option<Holder>, counts: bool) {
        if let Some(place) = self.places.get_mut(&node) {
            place.counting -= usize::from(counts && place.counting > 0);
        }
        if let Some(holder) = holder {
            self.expire(node, holder);
        }
        self.tidy(node);
    }

    pub(crate) fn grant(&mut self, node: NodeId, holder: Holder, state: LeaseState) {
        self.touched.push(node);
        self.places.entry(node).or_default().holders.grant(holder, state);
        self.tidy(node);
    }

    /// Takes something away from everybody but `own`, and says who has to be told.
    pub(crate) fn take_away(
        &mut self,
        node: NodeId,
        cut: LeaseState,
        own: Holder,
        due: Instant,
    ) -> Vec<Break> {
        let Some(place) = self.places.get_mut(&node) else { return Vec::new() };
        let breaks = place.holders.take_away(cut, own, due);
        self.due.extend(breaks.iter().filter_map(|b| Some((b.due?, node, b.holder))));
        if !breaks.is_empty() {
            self.touched.push(node);
        }
        self.tidy(node);
        breaks
    }

    pub(crate) fn acknowledge(
        &mut self,
        node: NodeId,
        holder: Holder,
        accepted: LeaseState,
        due: Instant,
    ) -> Result<Option<Break>, Refusal> {
        let place = self.places.get_mut(&node).ok_or(Refusal::NotBreaking)?;
        let was = place.holders.get(holder).and_then(|grip| grip.due());
        let more = place.holders.acknowledge(holder, accepted, due)?;
        self.touched.push(node);
        self.untold.remove(&(node, holder));
        if let Some(was) = was {
            self.due.remove(&(was, node, holder));
        }
        self.due.extend(more.iter().filter_map(|b| Some((b.due?, node, b.holder))));
        self.tidy(node);
        Ok(more)
    }

    /// A holder has nothing any more.
    pub(crate) fn expire(&mut self, node: NodeId, holder: Holder) {
        let Some(place) = self.places.get_mut(&node) else { return };
        self.touched.push(node);
        self.untold.remove(&(node, holder));
        if let Some(due) = place.holders.remove(holder) {
            self.due.remove(&(due, node, holder));
        }
        self.tidy(node);
    }

    /// A client has to be told of a break when it comes back.
    pub(crate) fn tell_later(&mut self, node: NodeId, holder: Holder) {
        self.untold.insert((node, holder));
    }

    /// What a holder goes down to, of which its client could not be told yet.
    pub(crate) fn untold(&self, node: NodeId, holder: Holder) -> Option<LeaseState> {
        let known = self.untold.contains(&(node, holder));
        self.holders(node).filter(|_| known)?.get(holder)?.told()
    }

    /// What a client that came back has to be told, and has time for until `due`.
    pub(crate) fn take_untold(&mut self, node: NodeId, holder: Holder, due: Instant) -> Option<Break> {
        if !self.untold.remove(&(node, holder)) {
            return None;
        }
        let (told, was) = self.places.get_mut(&node)?.holders.prolong(holder, due)?;
        self.due.remove(&(was, node, holder));
        self.due.insert((due, node, holder));
        Some(told)
    }

    /// When the next break is over at the latest.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.due.first().map(|(due, ..)| *due)
    }

    /// A break whose time is up.
    pub(crate) fn overdue(&self, now: Instant) -> Option<(NodeId, Holder)> {
        self.due.first().filter(|(due, ..)| *due <= now).map(|(_, node, holder)| (*node, *holder))
    }

    /// Whether something that needs nobody else to have `bits` has to wait.
    pub(crate) fn blocks(&self, node: NodeId, bits: LeaseState, own: Holder) -> bool {
        self.holders(node).is_some_and(|holders| holders.blocks(bits, own))
    }

    /// The name that what is delayed next gets.
    pub(crate) fn next_delay(&self, node: NodeId) -> DelayId {
        DelayId { node, serial: self.next_delay }
    }

    pub(crate) fn delay(&mut self, id: DelayId, delayed: Delayed) {
        self.next_delay = id.serial + 1;
        self.delays.insert((delayed.open, id.serial), id.node);
        self.delayed.entry(id.node).or_default().insert(id.serial, delayed);
    }

    /// Something that is delayed.
    pub(super) fn get_delayed(&self, id: DelayId) -> Option<&Delayed> {
        self.delayed.get(&id.node)?.get(&id.serial)
    }

    /// Takes something out that is delayed.
    pub(crate) fn take_delayed(&mut self, id: DelayId) -> Option<Delayed> {
        let delayed = self.delayed.get_mut(&id.node)?;
        let taken = delayed.remove(&id.serial)?;
        if delayed.is_empty() {
            self.delayed.remove(&id.node);
        }
        self.delays.remove(&(taken.open, id.serial));
        Some(taken)
    }

    /// What an open is delayed in.
    pub(crate) fn delays_of(&self, open: OpenId) -> Vec<DelayId> {
        let own = self.delays.range((open, 0)..=(open, u64::MAX));
        own.map(|(&(_, serial), &node)| DelayId { node, serial }).collect()
    }

    /// What can go on at a file, oldest first.
    pub(crate) fn ready(&self, node: NodeId) -> Vec<DelayId> {
        let Some(delayed) = self.delayed.get(&node) else { return Vec::new() };
        let ready = delayed.iter().filter(|(_, d)| !self.blocks(node, d.bits, d.own));
        ready.map(|(&serial, _)| DelayId { node, serial }).collect()
    }

    fn tidy(&mut self, node: NodeId) {
        if self.places.get(&node).is_some_and(|place| place.counting == 0 && place.holders.is_empty()) {
            self.places.remove(&node);
        }
    }
}
