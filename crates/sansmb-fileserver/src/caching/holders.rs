//! Who may cache what of one file, and how that is taken away: [MS-FSA] 2.1.4.12 and 2.1.5.18, for one
//! stream, without anything around it.
//!
//! An oplock is told as what it allows: level II reading, exclusive also writing, batch also keeping
//! the handle. So one table serves oplocks and leases, and what an operation takes away is a set of
//! three bits. Every step takes O(log n), however many holders there are, plus what it tells them.

use std::collections::{BTreeMap, BTreeSet};

use sansmb::{time::Instant, wire::LeaseState};

use super::LeaseId;
use crate::opens::OpenId;

pub(crate) const READ: LeaseState = LeaseState::READ_CACHING;
pub(crate) const HANDLE: LeaseState = LeaseState::HANDLE_CACHING;
pub(crate) const WRITE: LeaseState = LeaseState::WRITE_CACHING;
/// What changing the data takes away.
pub(crate) const DATA: LeaseState = READ.union(WRITE);
const BITS: [LeaseState; 3] = [READ, HANDLE, WRITE];

/// Whom something belongs to: an oplock to its open, a lease to all opens with its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Holder {
    /// Who caches nothing.
    Nobody,
    Open(OpenId),
    Lease(LeaseId),
}

/// What one holder has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Grip {
    /// What it may do now.
    pub(crate) state: LeaseState,
    /// What it may keep in the end; less than it was told where more was taken away meanwhile.
    keeps: LeaseState,
    /// What it was told to go down to, and until when it has time.
    breaking: Option<(LeaseState, Instant)>,
    /// It gave something up and has to give up more: whoever waited for the first goes on waiting, and
    /// nobody overtakes.
    again: bool,
}

impl Grip {
    /// When the break that is under way is over at the latest.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.breaking.map(|(_, due)| due)
    }

    /// What it was told to go down to.
    pub(crate) fn told(&self) -> Option<LeaseState> {
        self.breaking.map(|(told, _)| told)
    }
}

/// What a holder has to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Break {
    pub(crate) holder: Holder,
    pub(crate) from: LeaseState,
    pub(crate) to: LeaseState,
    /// By when it has to be acknowledged, if it has to be.
    pub(crate) due: Option<Instant>,
    /// One more step of a break that was told before.
    pub(crate) again: bool,
}

/// Why an acknowledgement is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Nothing is being broken.
    NotBreaking,
    /// It would keep more than it was told.
    TooMuch,
}

/// All holders of one file.
#[derive(Debug, Default)]
pub(crate) struct Holders {
    grips: BTreeMap<Holder, Grip>,
    /// Who keeps what in the end: nothing but this has to be looked at to take it away.
    keeping: [BTreeSet<Holder>; 3],
    /// Who still has what, but was told to give something up.
    releasing: [BTreeSet<Holder>; 3],
    /// How many have level II.
    level_two: usize,
}

impl Holders {
    pub(crate) fn is_empty(&self) -> bool {
        self.grips.is_empty()
    }

    pub(crate) fn get(&self, holder: Holder) -> Option<&Grip> {
        self.grips.get(&holder)
    }

    /// What a holder may do now.
    pub(crate) fn state(&self, holder: Holder) -> LeaseState {
        self.get(holder).map_or(LeaseState::empty(), |grip| grip.state)
    }

    /// Whether somebody else still has one of these and has yet to give something up.
    pub(crate) fn blocks(&self, bits: LeaseState, own: Holder) -> bool {
        any_other(&self.releasing, bits, own)
    }

    /// Whether writing is cached by an oplock, not a lease.
    pub(crate) fn has_exclusive_oplock(&self) -> bool {
        [&self.keeping, &self.releasing]
            .into_iter()
            .filter_map(|sets| sets[2].first())
            .any(|holder| matches!(holder, Holder::Open(_)))
    }

    /// Whether there is a batch oplock, or was until it was told to go.
    pub(crate) fn has_batch(&self) -> bool {
        [&self.keeping, &self.releasing]
            .into_iter()
            .filter_map(|sets| sets[2].first())
            .any(|holder| matches!(holder, Holder::Open(_)) && self.state(*holder).contains(HANDLE))
    }

    /// Of what is asked for, what can be granted: [MS-FSA] 2.1.5.18.1 and 2.1.5.18.2, with the next
    /// lower kind tried where one is not to be had.
    ///
    /// `alone` says that nobody else has the file open, `locked` that somebody has a byte range of it.
    pub(crate) fn grantable(
        &self,
        holder: Holder,
        wanted: LeaseState,
        alone: bool,
        locked: bool,
    ) -> LeaseState {
        let oplock = matches!(holder, Holder::Open(_));
        let own = self.state(holder);
        if !wanted.contains(READ)
            || !wanted.contains(own)
            || self.get(holder).is_some_and(|grip| grip.breaking.is_some())
        {
            return own;
        }
        let others = self.grips.len() > usize::from(self.grips.contains_key(&holder));
        if wanted.contains(WRITE) && alone && !others {
            return wanted;
        }
        // A lease is promoted to what is asked for or not at all.
        if wanted.contains(WRITE) && !own.is_empty() {
            return own;
        }
        let shared = match (oplock, wanted.contains(HANDLE)) {
            (false, true) if self.level_two == 0 => READ | HANDLE,
            _ => READ,
        };
        let in_the_way = if oplock { WRITE | HANDLE } else { WRITE };
        let held =
            any_other(&self.keeping, in_the_way, holder) || any_other(&self.releasing, in_the_way, holder);
        // What was there stays: who may read and asks for more has lost nothing when it gets no more.
        if locked || held || !shared.contains(own) { own } else { shared }
    }

    /// Grants.
    pub(crate) fn grant(&mut self, holder: Holder, state: LeaseState) {
        self.put(holder, Grip { state, keeps: state, breaking: None, again: false });
    }

    /// A holder that is to give something up gets more time; gives what it has to be told, and when it was
    /// due.
    pub(crate) fn prolong(&mut self, holder: Holder, due: Instant) -> Option<(Break, Instant)> {
        let grip = self.grips.get_mut(&holder)?;
        let (to, was) = grip.breaking?;
        grip.breaking = Some((to, due));
        Some((Break { holder, from: grip.state, to, due: Some(due), again: true }, was))
    }

    /// A holder is gone; gives when its break was due.
    pub(crate) fn remove(&mut self, holder: Holder) -> Option<Instant> {
        self.take(holder)?.due()
    }

    /// Takes `cut` away from everybody but `own`. Nobody who was told before is told again until it
    /// acknowledges.
    pub(crate) fn take_away(&mut self, cut: LeaseState, own: Holder, due: Instant) -> Vec<Break> {
        let mut touched = BTreeSet::new();
        for (set, bit) in self.keeping.iter().zip(BITS) {
            if cut.contains(bit) {
                touched.extend(set.iter().copied().filter(|holder| *holder != own));
            }
        }
        // Level II belongs to nobody in particular: its holder loses it by its own writing too.
        if cut.contains(READ) && matches!(own, Holder::Open(_)) && self.state(own) == READ {
            touched.insert(own);
        }
        let mut breaks = Vec::new();
        for holder in touched {
            let Some(mut grip) = self.take(holder) else { continue };
            grip.keeps = rest(holder, grip.keeps, cut);
            if grip.breaking.is_none() {
                let to = grip.keeps;
                breaks.push(begin(holder, &mut grip, to, due));
            }
            self.put(holder, grip);
        }
        breaks
    }

    /// A holder says what it is content with, which may lead to one more break.
    pub(crate) fn acknowledge(
        &mut self,
        holder: Holder,
        accepted: LeaseState,
        due: Instant,
    ) -> Result<Option<Break>, Refusal> {
        let told = self.get(holder).and_then(Grip::told).ok_or(Refusal::NotBreaking)?;
        if !told.contains(accepted) {
            return Err(Refusal::TooMuch);
        }
        let Some(mut grip) = self.take(holder) else { return Err(Refusal::NotBreaking) };
        let keeps = grip.keeps & accepted;
        grip = Grip { state: accepted, keeps, breaking: None, again: false };
        if !keeps.contains(READ) {
            grip.keeps = LeaseState::empty();
        }
        let more = (grip.keeps != accepted).then(|| {
            // Windows goes down step by step from here: the handle first, then the rest.
            let to = if accepted == READ | HANDLE { READ } else { grip.keeps };
            let more = Break { again: true, ..begin(holder, &mut grip, to, due) };
            grip.again = grip.breaking.is_some();
            more
        });
        self.put(holder, grip);
        Ok(more)
    }

    fn put(&mut self, holder: Holder, grip: Grip) {
        self.take(holder);
        if grip.state.is_empty() {
            return;
        }
        self.level_two += usize::from(is_level_two(holder, &grip));
        for (at, bit) in BITS.into_iter().enumerate() {
            if grip.keeps.contains(bit) {
                self.keeping[at].insert(holder);
            }
            if grip.again || grip.breaking.is_some() && grip.state.contains(bit) {
                self.releasing[at].insert(holder);
            }
        }
        self.grips.insert(holder, grip);
    }

    fn take(&mut self, holder: Holder) -> Option<Grip> {
        let grip = self.grips.remove(&holder)?;
        self.level_two -= usize::from(is_level_two(holder, &grip));
        for set in self.keeping.iter_mut().chain(&mut self.releasing) {
            set.remove(&holder);
        }
        Some(grip)
    }
}

fn is_level_two(holder: Holder, grip: &Grip) -> bool {
    matches!(holder, Holder::Open(_)) && grip.state == READ
}

fn any_other(sets: &[BTreeSet<Holder>; 3], bits: LeaseState, own: Holder) -> bool {
    let of_others = |set: &BTreeSet<Holder>| set.iter().take(2).any(|holder| *holder != own);
    sets.iter().zip(BITS).any(|(set, bit)| bits.contains(bit) && of_others(set))
}

/// What is left when `cut` is gone. Nothing is cached without reading, and an oplock that cannot keep
/// writing is level II.
fn rest(holder: Holder, state: LeaseState, cut: LeaseState) -> LeaseState {
    let left = state.difference(cut);
    if left == state {
        return state;
    }
    match holder {
        _ if !left.contains(READ) => LeaseState::empty(),
        Holder::Lease(_) => left,
        Holder::Open(_) if cut.contains(WRITE) => READ,
        // A batch oplock whose handle is in the way goes altogether.
        Holder::Open(_) | Holder::Nobody => LeaseState::empty(),
    }
}

/// Starts a break to what is to be kept. Who has nothing but read data just loses it: there is
/// nothing to write back or to close.
fn begin(holder: Holder, grip: &mut Grip, to: LeaseState, due: Instant) -> Break {
    let from = grip.state;
    let due = (from != READ).then_some(due);
    match due {
        Some(due) => grip.breaking = Some((to, due)),
        None => grip.state = to,
    }
    Break { holder, from, to, due, again: false }
}
