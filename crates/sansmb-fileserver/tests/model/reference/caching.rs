//! Oplocks and leases: [MS-FSA] 2.1.4.12, 2.1.5.18 and 2.1.5.19, [MS-SMB2] 3.3.4.6, 3.3.4.7 and 3.3.5.22.

use sansmb::wire::{AccessMask, LeaseState, NtStatus, OplockLevel};

use super::{
    Answer, Delay, Delayed, FileNumber, Heard, LeaseTold, Reference, Request, create::Creating, level,
};
use crate::operation::{Cache, Keep};

const R: LeaseState = LeaseState::READ_CACHING;
const H: LeaseState = LeaseState::HANDLE_CACHING;
const W: LeaseState = LeaseState::WRITE_CACHING;
/// Seconds until a break is over without an answer.
const BREAK_TIMEOUT: u64 = 35;

/// Oplocks, and what each of them allows.
const OPLOCK_LEVELS: [(OplockLevel, u32); 4] = [
    (OplockLevel::NONE, 0),
    (OplockLevel::II, R.bits()),
    (OplockLevel::EXCLUSIVE, R.bits() | W.bits()),
    (OplockLevel::BATCH, R.bits() | W.bits() | H.bits()),
];

/// Whom something belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Holder {
    Open(Request),
    Lease(usize),
}

/// What a holder has of one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Grip {
    pub(crate) state: LeaseState,
    /// What it may keep once everything is answered.
    keeps: LeaseState,
    /// What it was told to go down to, and until when it may think about it.
    pub(crate) told: Option<(LeaseState, u64)>,
    /// It went down one step of several.
    again: bool,
}

/// A lease.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lease {
    pub(crate) machine: usize,
    pub(crate) key: u8,
    pub(crate) file: FileNumber,
    /// One of its opens deletes on close.
    pub(crate) delete_on_close: bool,
    epoch: u16,
}

/// What a holder is told.
struct Told {
    holder: Holder,
    from: LeaseState,
    to: LeaseState,
    acknowledge: bool,
    again: bool,
}

/// Why an open cannot be had now.
pub(super) enum Obstacle {
    Wait(LeaseState),
    Refuse,
}

/// Whether an open looks at attributes only, or at what `also` says.
pub(super) fn looks_only(access: AccessMask, also: AccessMask) -> bool {
    let attributes =
        AccessMask::FILE_READ_ATTRIBUTES | AccessMask::FILE_WRITE_ATTRIBUTES | AccessMask::SYNCHRONIZE;
    (attributes | also).contains(access)
}

pub(super) fn level_of(state: LeaseState) -> u8 {
    let (level_of, _) = OPLOCK_LEVELS
        .into_iter()
        .find(|(_, allows)| *allows == state.bits())
        .unwrap_or_else(|| panic!("no oplock allows {state:?}"));
    level(level_of)
}

impl Reference {
    // Leases.

    /// The lease that the key of a CREATE names now.
    pub(super) fn lease_asked(&self, creating: &Creating) -> Option<usize> {
        let Cache::Lease(key, _) = creating.create.cache else { return None };
        self.lease_named(creating.client, key)
    }

    fn lease_named(&self, machine: usize, key: u8) -> Option<usize> {
        // A key may name another file when its lease is going to be deleted: the newest counts.
        let named = self.leases.iter().filter(|(_, lease)| lease.machine == machine && lease.key == key);
        named.map(|(id, _)| *id).max()
    }

    pub(super) fn lease_name(&self, lease: usize) -> &'static str {
        self.opens.values().find(|open| open.lease == Some(lease)).expect("a lease has opens").name
    }

    pub(super) fn asking(&self, creating: &Creating, file: FileNumber) -> Holder {
        match self.lease_asked(creating) {
            Some(lease) if self.leases[&lease].file == file => Holder::Lease(lease),
            _ => Holder::Open(creating.request),
        }
    }

    pub(super) fn join_lease(&mut self, creating: &Creating, file: FileNumber) -> Option<usize> {
        let Cache::Lease(key, _) = creating.create.cache else { return None };
        let known = self.lease_asked(creating).filter(|lease| self.leases[lease].file == file);
        let id = known.unwrap_or_else(|| {
            self.leases_made += 1;
            let lease = Lease {
                machine: creating.client,
                key,
                file,
                delete_on_close: false,
                epoch: crate::driver::EPOCH,
            };
            self.leases.insert(self.leases_made, lease);
            self.leases_made
        });
        self.lease(id).delete_on_close |= creating.create.delete_on_close;
        Some(id)
    }

    fn lease(&mut self, id: usize) -> &mut Lease {
        self.leases.get_mut(&id).expect("a lease")
    }

    pub(super) fn lease_told(&self, open: Request) -> Option<LeaseTold> {
        let id = self.opens[&open].lease?;
        let Lease { key, file, epoch, .. } = self.leases[&id];
        let grip = self.grips.get(&(file, Holder::Lease(id)));
        Some(LeaseTold {
            key,
            state: grip.map_or(0, |grip| grip.state.bits()),
            breaking: grip.is_some_and(|grip| grip.told.is_some()),
            epoch,
        })
    }

    pub(super) fn holder_of(&self, open: Request) -> Holder {
        self.opens[&open].lease.map_or(Holder::Open(open), Holder::Lease)
    }

    pub(super) fn state_of(&self, open: Request) -> LeaseState {
        let grip = self.grips.get(&(self.opens[&open].file, self.holder_of(open)));
        grip.map_or(LeaseState::empty(), |grip| grip.state)
    }

    // Granting, 2.1.5.18.

    pub(super) fn grant(&mut self, id: Request, cache: Cache) {
        let wanted = match cache {
            Cache::Lease(_, state) => state,
            Cache::Oplock(asked) => {
                let (_, allows) = OPLOCK_LEVELS.into_iter().find(|(l, _)| *l == asked).expect("a level");
                LeaseState::from_bits_retain(allows)
            }
        };
        let (file, name, holder) = (self.opens[&id].file, self.opens[&id].name, self.holder_of(id));
        let before = self.state_of(id);
        let wanted = if self.names[name].doomed { wanted.difference(H) } else { wanted };
        if !wanted.contains(R) || !wanted.contains(before) || wanted == before {
            return;
        }
        let own = self.grips.get(&(file, holder));
        if own.is_some_and(|grip| grip.told.is_some()) {
            return;
        }
        let others: Vec<(Holder, LeaseState)> = self
            .grips
            .iter()
            .filter(|((of, other), _)| *of == file && *other != holder)
            // Who goes down in steps is in everybody's way until it arrived.
            .map(|((_, other), grip)| (*other, if grip.again { R | W | H } else { grip.state }))
            .collect();
        let strangers = self
            .opens
            .iter()
            .any(|(other, open)| open.file == file && open.counts() && self.holder_of(*other) != holder);
        let granted = if wanted.contains(W) && others.is_empty() && !strangers {
            wanted
        } else if wanted.contains(W) && !before.is_empty() {
            // A lease that cannot have all stays what it is.
            return;
        } else {
            let oplock = matches!(holder, Holder::Open(_));
            let level_two = others.iter().any(|(o, state)| matches!(o, Holder::Open(_)) && *state == R);
            let shared = if !oplock && wanted.contains(H) && !level_two { R | H } else { R };
            let in_the_way = if oplock { W | H } else { W };
            let locked = self.locks.iter().any(|lock| lock.file == file);
            if locked || others.iter().any(|(_, state)| state.intersects(in_the_way)) {
                return;
            }
            shared
        };
        if !granted.contains(before) || granted == before {
            return;
        }
        self.grips.insert((file, holder), Grip { state: granted, keeps: granted, told: None, again: false });
        if let Holder::Lease(lease) = holder {
            let lease = self.lease(lease);
            lease.epoch = lease.epoch.wrapping_add(1);
        }
    }

    // Breaking, 2.1.4.12.

    /// What an open of an existing file meets, 2.1.5.1.2.
    pub(super) fn make_way(
        &mut self,
        file: FileNumber,
        own: Holder,
        needed: AccessMask,
        overwrites: bool,
        allowed: bool,
    ) -> Result<(), Obstacle> {
        let of_file = |grips: &[(FileNumber, Holder, LeaseState)], bits: LeaseState| {
            let oplock = |h: &Holder| matches!(h, Holder::Open(_));
            grips.iter().any(|(of, holder, state)| *of == file && oplock(holder) && state.contains(bits))
        };
        let grips: Vec<_> =
            self.grips.iter().map(|((of, holder), grip)| (*of, *holder, grip.state)).collect();
        let (batch, exclusive) = (of_file(&grips, W | H), of_file(&grips, W));
        let cut = if overwrites { R | W } else { W };
        let looks = looks_only(needed, AccessMask::empty())
            || !exclusive && looks_only(needed, AccessMask::READ_CONTROL);
        if batch && !looks_only(needed, AccessMask::READ_CONTROL) {
            self.take_away(file, cut, own);
            self.must_wait(file, W, own)?;
        }
        if !allowed {
            self.take_away(file, H, own);
            self.must_wait(file, H, own)?;
            return Err(Obstacle::Refuse);
        }
        if looks {
            return Ok(());
        }
        self.take_away(file, cut, own);
        self.must_wait(file, W, own)
    }

    fn must_wait(&self, file: FileNumber, bits: LeaseState, own: Holder) -> Result<(), Obstacle> {
        if self.blocks(file, bits, own) { Err(Obstacle::Wait(bits)) } else { Ok(()) }
    }

    /// Whether somebody else still has one of these and was told to give something up.
    pub(super) fn blocks(&self, file: FileNumber, bits: LeaseState, own: Holder) -> bool {
        self.grips.iter().any(|((of, holder), grip)| {
            *of == file
                && *holder != own
                && (grip.again || grip.told.is_some() && grip.state.intersects(bits))
        })
    }

    /// Takes something away from everybody but `own`.
    pub(super) fn take_away(&mut self, file: FileNumber, cut: LeaseState, own: Holder) {
        let holders: Vec<Holder> =
            self.grips.keys().filter(|(of, _)| *of == file).map(|(_, holder)| *holder).collect();
        let mut told = Vec::new();
        for holder in holders {
            let grip = *self.grip(file, holder);
            let oplock = matches!(holder, Holder::Open(_));
            // Nobody in particular has level II: its own writing ends it, too.
            let own_level_two = oplock && cut.contains(R) && grip.state == R;
            if holder == own && !own_level_two || !grip.keeps.intersects(cut) {
                continue;
            }
            let left = grip.keeps.difference(cut);
            let keeps = match left {
                left if !left.contains(R) => LeaseState::empty(),
                left if !oplock => left,
                // There is no oplock that keeps the handle alone, and none that loses only that.
                _ if cut.contains(W) => R,
                _ => LeaseState::empty(),
            };
            self.grip(file, holder).keeps = keeps;
            if grip.told.is_none() {
                told.push(self.begin_break(file, holder, keeps, false));
            }
        }
        told.into_iter().for_each(|told| self.tell(file, told));
    }

    fn grip(&mut self, file: FileNumber, holder: Holder) -> &mut Grip {
        self.grips.get_mut(&(file, holder)).expect("a grip")
    }

    /// A holder has to go down to something, of which it is to be told.
    fn begin_break(&mut self, file: FileNumber, holder: Holder, to: LeaseState, again: bool) -> Told {
        let until = self.now + BREAK_TIMEOUT;
        let grip = self.grip(file, holder);
        let from = grip.state;
        // Who has only read loses it at once: there is nothing to write or to close.
        let acknowledge = from != R;
        if acknowledge {
            (grip.told, grip.again) = (Some((to, until)), again);
        } else {
            self.grips.remove(&(file, holder));
        }
        Told { holder, from, to, acknowledge, again }
    }

    fn tell(&mut self, file: FileNumber, told: Told) {
        let Told { holder, from, to, acknowledge, again } = told;
        let reached = match holder {
            Holder::Open(id) => self.opens[&id].client,
            Holder::Lease(lease) => {
                self.opens.values().filter(|open| open.lease == Some(lease)).find_map(|open| open.client)
            }
        };
        let Some(client) = reached else { return self.lose(file, holder) };
        if !self.connected[client] {
            // It goes right now: the message is on its way, and will not arrive.
            return self.undelivered.push((file, holder));
        }
        let heard = match holder {
            Holder::Open(id) => {
                self.opens.get_mut(&id).expect("an open").told = !acknowledge;
                Heard::OplockBreak { open: id, to: level_of(to) }
            }
            Holder::Lease(id) => {
                let lease = self.lease(id);
                lease.epoch = lease.epoch.wrapping_add(u16::from(!again));
                let (key, epoch) = (lease.key, lease.epoch);
                Heard::LeaseBreak { key, from: from.bits(), to: to.bits(), acknowledge, epoch }
            }
        };
        self.hear(client, heard);
    }

    /// A holder cannot be told: it has nothing any more, and what waits for its client because of it is
    /// closed.
    pub(super) fn lose(&mut self, file: FileNumber, holder: Holder) {
        self.grips.remove(&(file, holder));
        let gone: Vec<Request> = self
            .opens
            .iter()
            .filter(|(id, open)| self.holder_of(**id) == holder && open.lasting.until.is_some())
            .map(|(id, _)| *id)
            .collect();
        for id in gone {
            self.close(id);
        }
    }

    // Answers, 2.1.5.19.

    /// One of the holders that were told answers, or somebody who was not.
    pub(super) fn acknowledge(&mut self, which: usize, keep: Keep) {
        let Some((client, target)) = self.pick_holder(which) else { return };
        let request = self.request();
        match target {
            Holder::Open(id) => {
                let result = self.acknowledge_oplock(id, self.level_said(id, keep));
                match result {
                    Ok(level) => self.hear(client, Heard::Answer(request, Answer::Level(level))),
                    Err(status) => self.answer(client, request, status),
                }
            }
            Holder::Lease(id) => {
                let state = self.state_said(id, keep);
                match self.acknowledge_lease(id, state) {
                    Ok(()) => self.hear(client, Heard::Answer(request, Answer::State(state.bits()))),
                    Err(status) => self.answer(client, request, status),
                }
            }
        }
    }

    /// Who answers, and in whose name: those that were told before others.
    pub(crate) fn pick_holder(&self, which: usize) -> Option<(usize, Holder)> {
        let mut told: Vec<Holder> =
            self.grips.iter().filter(|(_, grip)| grip.told.is_some()).map(|((_, h), _)| *h).collect();
        if told.is_empty() || which.is_multiple_of(7) {
            told = self.opens.keys().map(|id| self.holder_of(*id)).collect();
        }
        if told.is_empty() {
            return None;
        }
        let holder = told[which % told.len()];
        let client = match holder {
            Holder::Open(id) => self.opens[&id].client?,
            Holder::Lease(id) => self.leases[&id].machine,
        };
        self.connected[client].then_some((client, holder))
    }

    /// The level that an acknowledgement says.
    pub(crate) fn level_said(&self, open: Request, keep: Keep) -> OplockLevel {
        let grip = self.grips.get(&(self.opens[&open].file, Holder::Open(open)));
        match keep {
            Keep::Level(level) => level,
            Keep::Told => match grip.and_then(|grip| grip.told) {
                Some((to, _)) if to.contains(R) => OplockLevel::II,
                _ => OplockLevel::NONE,
            },
            Keep::State(state) if state.contains(R) => OplockLevel::II,
            Keep::State(_) => OplockLevel::NONE,
        }
    }

    /// The state that an acknowledgement says.
    pub(crate) fn state_said(&self, lease: usize, keep: Keep) -> LeaseState {
        let grip = self.grips.get(&(self.leases[&lease].file, Holder::Lease(lease)));
        match keep {
            Keep::State(state) => state,
            _ => grip.and_then(|grip| grip.told).map_or(LeaseState::empty(), |(to, _)| to),
        }
    }

    /// [MS-SMB2] 3.3.5.22.1.
    fn acknowledge_oplock(&mut self, id: Request, said: OplockLevel) -> Result<u8, NtStatus> {
        let file = self.opens[&id].file;
        let holder = Holder::Open(id);
        let Some((state, told)) =
            self.grips.get(&(file, holder)).and_then(|grip| Some((grip.state, grip.told?.0)))
        else {
            let told = std::mem::take(&mut self.opens.get_mut(&id).expect("an open").told);
            return Err(if told {
                NtStatus::INVALID_OPLOCK_PROTOCOL
            } else {
                NtStatus::INVALID_DEVICE_STATE
            });
        };
        let accepted = match said {
            OplockLevel::NONE => LeaseState::empty(),
            OplockLevel::II => R & told,
            OplockLevel::EXCLUSIVE if state.contains(H) => LeaseState::empty(),
            said => {
                self.grips.remove(&(file, holder));
                self.resume(file);
                let lease = said == OplockLevel::LEASE;
                let status =
                    if lease { NtStatus::INVALID_PARAMETER } else { NtStatus::INVALID_OPLOCK_PROTOCOL };
                return Err(status);
            }
        };
        self.give_up(file, holder, accepted);
        Ok(level_of(accepted))
    }

    /// [MS-SMB2] 3.3.5.22.2.
    fn acknowledge_lease(&mut self, id: usize, said: LeaseState) -> Result<(), NtStatus> {
        // The key of a lease that is going to be deleted may name another one by now.
        let Lease { machine, key, .. } = self.leases[&id];
        let id = self.lease_named(machine, key).expect("at least this one");
        let file = self.leases[&id].file;
        let grip = self.grips.get(&(file, Holder::Lease(id)));
        let (told, _) = grip.and_then(|grip| grip.told).ok_or(NtStatus::UNSUCCESSFUL)?;
        if !told.contains(said) {
            return Err(NtStatus::REQUEST_NOT_ACCEPTED);
        }
        self.give_up(file, Holder::Lease(id), said);
        Ok(())
    }

    fn give_up(&mut self, file: FileNumber, holder: Holder, accepted: LeaseState) {
        let grip = self.grip(file, holder);
        let keeps = grip.keeps & accepted;
        let keeps = if keeps.contains(R) { keeps } else { LeaseState::empty() };
        *grip = Grip { state: accepted, keeps, told: None, again: false };
        if keeps != accepted {
            // More was taken away meanwhile. Windows goes down in steps, the handle first.
            let to = if accepted == R | H { R } else { keeps };
            let told = self.begin_break(file, holder, to, true);
            self.tell(file, told);
        } else if accepted.is_empty() {
            self.grips.remove(&(file, holder));
        }
        self.resume(file);
    }

    /// What waited for something of this file goes on, if nothing is in its way any more.
    pub(super) fn resume(&mut self, file: FileNumber) {
        let delays = std::mem::take(&mut self.delays);
        let (ready, rest): (Vec<Delay>, Vec<Delay>) = delays
            .into_iter()
            .partition(|delay| delay.file == file && !self.blocks(file, delay.bits, delay.own));
        self.delays = rest;
        for delay in ready {
            match delay.what {
                Delayed::Create(creating) => self.want(creating),
                Delayed::Set(setting) => self.begin_set(setting),
            }
        }
    }

    /// Breaks whose time is up, [MS-SMB2] 3.3.6.1 and 3.3.6.5.
    pub(super) fn expire_breaks(&mut self) {
        loop {
            let due = self.grips.iter().filter_map(|((file, h), grip)| Some((grip.told?.1, *file, *h))).min();
            let Some((until, file, holder)) = due else { break };
            if until > self.now {
                break;
            }
            self.grips.remove(&(file, holder));
            self.resume(file);
        }
    }
}
