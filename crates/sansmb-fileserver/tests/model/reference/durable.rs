//! Opens that wait for their clients: [MS-SMB2] 3.3.5.9.6, .7, .10 and .12, and 3.3.6.2.

use sansmb::wire::{AccessMask, CreateAction, LeaseState, NtStatus, OplockLevel};

use super::{Answer, FileNumber, Heard, Reference, Request, caching, caching::Holder};
use crate::operation::{Cache, Claim, Durable};

/// What of an open outlives its session.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Lasting {
    /// For so many seconds, if at all.
    timeout: Option<u64>,
    /// It was made with a CreateGuid, which is made of its number.
    pub(crate) guid: bool,
    /// It waits until then.
    pub(super) until: Option<u64>,
}

impl Reference {
    /// Grants durability to what was asked for with it; gives how many milliseconds the client hears of.
    /// For version 1, which does not say, those are none.
    pub(super) fn make_last(&mut self, id: Request, asked: Durable, cache: Cache) -> Option<u32> {
        let holds = self.state_of(id).contains(LeaseState::HANDLE_CACHING);
        let lasting = &mut self.opens.get_mut(&id).expect("an open").lasting;
        lasting.guid = matches!(asked, Durable::V2(_));
        if !holds {
            return None;
        }
        let (timeout, told) = match asked {
            Durable::No => return None,
            Durable::V1 => (120, 0),
            Durable::V2(0) => (60, 60_000),
            Durable::V2(asked) => (asked.min(300_000) / 1000, asked.min(300_000)),
        };
        lasting.timeout = Some(timeout.into());
        debug_assert!(matches!(cache, Cache::Oplock(OplockLevel::BATCH) | Cache::Lease(..)));
        Some(told)
    }

    /// Whether an open outlives the session that it has: not while its client owes an acknowledgment.
    pub(super) fn lasts(&self, id: Request) -> bool {
        let open = &self.opens[&id];
        let grip = self.grips.get(&(open.file, self.holder_of(id)));
        open.lasting.timeout.is_some()
            && self.state_of(id).contains(LeaseState::HANDLE_CACHING)
            && grip.is_none_or(|grip| grip.told.is_none())
    }

    pub(super) fn wait_for_client(&mut self, id: Request) {
        let now = self.now;
        let open = self.opens.get_mut(&id).expect("an open");
        open.client = None;
        open.lasting.until = open.lasting.timeout.map(|timeout| now + timeout);
    }

    /// Closes what has waited long enough.
    pub(super) fn scavenge(&mut self) {
        loop {
            let due = self.opens.iter().filter_map(|(id, open)| Some((open.lasting.until?, *id))).min();
            let Some((until, id)) = due else { break };
            if until > self.now {
                break;
            }
            self.close(id);
        }
    }

    /// Opens that wait and would be told that they lose what they wait with: nobody is there to hear it.
    pub(super) fn lost_by(
        &self,
        file: FileNumber,
        own: Holder,
        needed: AccessMask,
        overwrites: bool,
        allowed: bool,
    ) -> Vec<Request> {
        let waiting = self.opens.iter().filter(|(id, open)| {
            open.file == file && open.lasting.until.is_some() && self.holder_of(**id) != own
        });
        let loses = |id: Request| {
            let writes = self.state_of(id).contains(LeaseState::WRITE_CACHING);
            let oplock = self.opens[&id].lease.is_none();
            // A batch oplock protects the security descriptor, too.
            let spared = if oplock { AccessMask::empty() } else { AccessMask::READ_CONTROL };
            let touches = !caching::looks_only(needed, spared);
            !allowed || touches && (overwrites || writes || oplock)
        };
        waiting.map(|(id, _)| *id).filter(|id| loses(*id)).collect()
    }

    pub(super) fn reclaim(&mut self, client: usize, id: Request, claim: Claim) {
        let request = self.request();
        match self.may_reclaim(client, id, claim) {
            Ok(()) => {
                let open = self.opens.get_mut(&id).expect("an open");
                open.client = Some(client);
                open.lasting.until = None;
                let answer = self.opened(id, CreateAction::OPENED, None);
                self.hear(client, Heard::Answer(request, Answer::Opened(answer)));
            }
            Err(status) => self.answer(client, request, status),
        }
    }

    fn may_reclaim(&self, client: usize, id: Request, claim: Claim) -> Result<(), NtStatus> {
        let missing = NtStatus::OBJECT_NAME_NOT_FOUND;
        let open = &self.opens[&id];
        if open.lasting.until.is_none() {
            return Err(missing);
        }
        if claim.v2 && !(claim.right_guid && open.lasting.guid) {
            return Err(missing);
        }
        // Whether a lease is named, and the right one: see the driver for what a client sends.
        let lease_fits = claim.right_lease && (open.lease.is_none() || open.machine == client);
        if !lease_fits {
            return Err(missing);
        }
        let deleted = open.lease.is_some_and(|lease| self.leases[&lease].delete_on_close);
        let name_fits = claim.right_name || open.lease.is_none() || deleted;
        let holds = self.state_of(id).contains(LeaseState::HANDLE_CACHING);
        if claim.v2 && !holds {
            return Err(missing);
        }
        if !name_fits {
            return Err(NtStatus::INVALID_PARAMETER);
        }
        if !holds {
            return Err(missing);
        }
        if Self::user(client) != Self::user(open.machine) {
            return Err(NtStatus::ACCESS_DENIED);
        }
        Ok(())
    }
}
