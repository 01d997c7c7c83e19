//! Requests that wait until others have given something up. They wait in compounds too: not for ever.

use sansmb::{
    server::{Token, op},
    wire::{LeaseState, NtStatus, SecurityInformation, fscc::FileInfoClass},
};

use super::{
    holders::{HANDLE, Holder},
    table::{DelayId, Delayed, Operation},
};
use crate::{
    create::Creating,
    opens::OpenId,
    server::{FileServer, Waiting},
    storage::NodeId,
};

impl FileServer {
    /// A CREATE waits. It looks the file up again afterwards: much may have become of it.
    pub(crate) fn delay_create(
        &mut self,
        creating: Box<Creating>,
        node: NodeId,
        bits: LeaseState,
        own: Holder,
    ) {
        let (open, request) = (creating.id(), creating.request());
        let id = self.caching.next_delay(node);
        if let Err(status) = self.wait(request, false, Waiting::Break(id)) {
            return self.refuse(*creating, None, status);
        }
        self.caching.delay(id, Delayed { open, own, bits, what: Operation::Create(creating) });
    }

    /// A SET_INFO waits until nobody else keeps handles of `node`.
    pub(crate) fn delay_set_info(
        &mut self,
        open: OpenId,
        node: NodeId,
        token: Token<op::SetInfo>,
        class: FileInfoClass,
        buffer: &[u8],
    ) {
        self.delay_set(open, node, Operation::SetInfo { token, class, buffer: buffer.to_vec() });
    }

    /// The same for a descriptor.
    pub(crate) fn delay_set_security(
        &mut self,
        open: OpenId,
        node: NodeId,
        token: Token<op::SetInfo>,
        parts: SecurityInformation,
        buffer: &[u8],
    ) {
        self.delay_set(open, node, Operation::SetSecurity { token, parts, buffer: buffer.to_vec() });
    }

    fn delay_set(&mut self, open: OpenId, node: NodeId, what: Operation) {
        let id = self.caching.next_delay(node);
        if let Err(status) = self.wait(what.request(), false, Waiting::Break(id)) {
            return self.refuse_delayed(what, status);
        }
        let own = self.holder_of(open);
        self.caching.delay(id, Delayed { open, own, bits: HANDLE, what });
    }

    /// Something was given up: what can go on does.
    pub(crate) fn resume(&mut self, node: NodeId) {
        for id in self.caching.ready(node) {
            let Some(delayed) = self.caching.take_delayed(id) else { continue };
            self.stop_waiting(delayed.what.request());
            match delayed.what {
                Operation::Create(creating) => self.look_up(creating),
                Operation::SetInfo { token, class, buffer } => {
                    self.set_file(delayed.open, token, class, &buffer);
                }
                Operation::SetSecurity { token, parts, buffer } => {
                    self.set_security(delayed.open, token, parts, &buffer);
                }
            }
        }
    }

    /// Ends something that waits.
    pub(crate) fn end_delay(&mut self, id: DelayId, status: NtStatus) {
        let Some(delayed) = self.caching.take_delayed(id) else { return };
        self.stop_waiting(delayed.what.request());
        self.refuse_delayed(delayed.what, status);
    }

    fn refuse_delayed(&mut self, what: Operation, status: NtStatus) {
        match what {
            Operation::Create(creating) => self.refuse(*creating, None, status),
            Operation::SetInfo { token, .. } | Operation::SetSecurity { token, .. } => {
                self.fail(token, status)
            }
        }
    }

    /// Whether something that waits goes on without its connection: a CREATE that its client can ask
    /// for again over another one.
    pub(crate) fn outlives_connection(&self, id: DelayId) -> bool {
        let Some(Operation::Create(creating)) = self.caching.get_delayed(id).map(|delayed| &delayed.what)
        else {
            return false;
        };
        creating.asked.create_guid().is_some() && self.sessions.contains_key(&creating.origin.session)
    }

    /// An open goes away, or will not be: it waits for nothing any more.
    pub(crate) fn end_delays(&mut self, open: OpenId) {
        for id in self.caching.delays_of(open) {
            self.end_delay(id, NtStatus::FILE_CLOSED);
        }
    }
}
