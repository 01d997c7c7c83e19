//! OPLOCK_BREAK acknowledgements, [MS-SMB2] 3.3.5.22.

use sansmb::{
    server::{Request, op},
    wire::{LeaseBreak, LeaseState, NtStatus, OplockBreak, OplockLevel},
};

use super::{
    holders::{HANDLE, Holder, READ, Refusal},
    leases::LeaseName,
    oplock_level,
};
use crate::server::FileServer;

impl FileServer {
    /// [MS-SMB2] 3.3.5.22.1.
    pub(crate) fn oplock_break(&mut self, request: Request<op::OplockBreak>) {
        let Request { token, origin, message } = request;
        let Ok(body) = message.body() else { return self.fail(token, NtStatus::INVALID_PARAMETER) };
        let id = match self.lookup(&origin, &message) {
            Ok(id) => id,
            Err(status) => return self.fail(token, status),
        };
        let Some(node) = self.file(id).map(|file| file.node) else {
            return self.fail(token, NtStatus::INVALID_DEVICE_STATE);
        };
        let holder = Holder::Open(id);
        let grip = self.caching.holders(node).and_then(|holders| holders.get(holder)).copied();
        let Some((state, told)) = grip.and_then(|grip| Some((grip.state, grip.told()?))) else {
            // There was a break, but none that asked for this, [MS-FSA] 2.1.5.19.
            let told = self.file_mut(id).is_some_and(|file| std::mem::take(&mut file.caching.told));
            let status =
                if told { NtStatus::INVALID_OPLOCK_PROTOCOL } else { NtStatus::INVALID_DEVICE_STATE };
            return self.fail(token, status);
        };
        let batch = state.contains(HANDLE);
        let accepted = match body.oplock_level {
            OplockLevel::NONE => Ok(LeaseState::empty()),
            OplockLevel::II => Ok(READ & told),
            OplockLevel::EXCLUSIVE if batch => Ok(LeaseState::empty()),
            OplockLevel::LEASE => Err(NtStatus::INVALID_PARAMETER),
            _ => Err(NtStatus::INVALID_OPLOCK_PROTOCOL),
        };
        let result = match accepted {
            Ok(accepted) => {
                let due = self.break_deadline();
                match self.caching.acknowledge(node, holder, accepted, due) {
                    Ok(more) => {
                        let level = oplock_level(accepted);
                        self.succeed(token, &OplockBreak { oplock_level: level, file_id: message.file_id() });
                        more.into_iter().for_each(|more| self.send_break(node, more));
                        return self.resume(node);
                    }
                    Err(_) => Err(NtStatus::INVALID_OPLOCK_PROTOCOL),
                }
            }
            Err(status) => Err(status),
        };
        // A client that answers nonsense keeps nothing.
        self.caching.expire(node, holder);
        self.respond(token, result.map_err(Into::into));
        self.resume(node);
    }

    /// [MS-SMB2] 3.3.5.22.2.
    pub(crate) fn lease_break(&mut self, request: Request<op::LeaseBreak>) {
        let Request { token, origin, message } = request;
        let Ok(body) = message.body() else { return self.fail(token, NtStatus::INVALID_PARAMETER) };
        let name = LeaseName { client: origin.client_guid, key: body.lease_key };
        let found = self.caching.leases.find(&name);
        let Some((id, lease)) = found.and_then(|id| Some((id, self.caching.leases.get(id)?))) else {
            return self.fail(token, NtStatus::OBJECT_NAME_NOT_FOUND);
        };
        let node = lease.node;
        let due = self.break_deadline();
        match self.caching.acknowledge(node, Holder::Lease(id), body.lease_state, due) {
            Ok(more) => {
                let (lease_key, lease_state) = (body.lease_key, body.lease_state);
                self.succeed(token, &LeaseBreak { lease_key, lease_state, ..Default::default() });
                more.into_iter().for_each(|more| self.send_break(node, more));
                self.resume(node);
            }
            Err(Refusal::NotBreaking) => self.fail(token, NtStatus::UNSUCCESSFUL),
            Err(Refusal::TooMuch) => self.fail(token, NtStatus::REQUEST_NOT_ACCEPTED),
        }
    }
}
