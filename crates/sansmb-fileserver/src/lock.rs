//! LOCK, [MS-SMB2] 3.3.5.14.

use sansmb::{
    server::{Reply, Request, RequestId, Token, op},
    wire::{AccessMask, EmptyBody, LockElement, LockFlags, NtStatus},
};

use crate::{
    durable::{Level, LockSequence},
    locks::Range,
    opens::OpenId,
    server::{FileServer, Waiting},
    storage::NodeId,
};

/// A request that waits until a range is free.
#[derive(Debug)]
pub(crate) struct LockWaiter {
    token: Token<op::Lock>,
    open: OpenId,
    range: Range,
    exclusive: bool,
    sequence: Option<LockSequence>,
}

impl FileServer {
    pub(crate) fn lock(&mut self, request: Request<op::Lock>) {
        let Request { token, origin, message } = request;
        let Ok(body) = message.body() else { return self.fail(token, NtStatus::INVALID_PARAMETER) };
        let id = match self.lookup(&origin, &message) {
            Ok(id) => id,
            Err(status) => return self.fail(token, status),
        };
        let Some(open) = self.opens.get(&id) else { return self.fail(token, NtStatus::FILE_CLOSED) };
        let Some(file) = open.file() else { return self.fail(token, NtStatus::INVALID_DEVICE_REQUEST) };
        if file.directory {
            return self.fail(token, NtStatus::INVALID_PARAMETER);
        }
        let node = file.node;
        let data = AccessMask::FILE_READ_DATA | AccessMask::FILE_WRITE_DATA | AccessMask::FILE_EXECUTE;
        if !open.may(data) {
            return self.fail(token, NtStatus::ACCESS_DENIED);
        }
        let sequence = self.lock_sequence(id, origin.dialect.is_smb3(), &body);
        if self.lock_repeats(id, sequence) {
            return self.succeed(token, &EmptyBody::default());
        }
        let elements: Vec<LockElement> = body.locks.iter().collect();
        let Some(first) = elements.first() else { return self.fail(token, NtStatus::INVALID_PARAMETER) };
        let unlocks = first.flags.contains(LockFlags::UNLOCK);
        if !unlocks {
            // What others have read must not outlast a lock that is meant to keep them away.
            self.break_data(id);
        }
        let result = if unlocks {
            let result = self.unlock(id, node, &elements);
            self.grant_locks(node);
            result
        } else {
            match self.lock_all(id, node, &elements) {
                Ok(None) => Ok(()),
                Ok(Some((range, exclusive))) => {
                    let waiter = LockWaiter { token, open: id, range, exclusive, sequence };
                    return self.wait_for_lock(node, waiter, origin.followed);
                }
                Err(status) => Err(status),
            }
        };
        if result.is_ok() {
            self.lock_carried_out(id, sequence);
        }
        // Even of what failed, a part may have been unlocked.
        let result = result.map(|()| Reply::new(&EmptyBody::default())).map_err(Into::into);
        self.respond_kept(id, token, result);
    }

    /// [MS-SMB2] 3.3.5.14.1: what was unlocked before a failure stays unlocked.
    fn unlock(&mut self, id: OpenId, node: NodeId, elements: &[LockElement]) -> Result<(), NtStatus> {
        for element in elements {
            if element.flags != LockFlags::UNLOCK {
                return Err(NtStatus::INVALID_PARAMETER);
            }
            let range = Range::checked(element.offset, element.length).ok_or(NtStatus::INVALID_LOCK_RANGE)?;
            let found = self.nodes.get_mut(node).is_some_and(|node| node.locks.unlock(id, range));
            if !found {
                return Err(NtStatus::RANGE_NOT_LOCKED);
            }
            if let Some(file) = self.file_mut(id) {
                file.locks = file.locks.saturating_sub(1);
            }
        }
        Ok(())
    }

    /// [MS-SMB2] 3.3.5.14.2: all of them or none. `Some` is the one lock that has to be waited for.
    fn lock_all(
        &mut self,
        id: OpenId,
        node: NodeId,
        elements: &[LockElement],
    ) -> Result<Option<(Range, bool)>, NtStatus> {
        let held = self.file(id).map_or(0, |file| file.locks);
        let limits = &self.config.limits;
        let most = match self.opens.get(&id).map(|open| open.lasting.level) {
            Some(Level::Persistent) => limits.locks_per_persistent_open.min(limits.locks_per_open),
            _ => limits.locks_per_open,
        };
        if held + elements.len() > most {
            return Err(NtStatus::INSUFFICIENT_RESOURCES);
        }
        let immediate = |element: &LockElement| element.flags.contains(LockFlags::FAIL_IMMEDIATELY);
        if elements.len() > 1 && !elements.iter().all(immediate) {
            return Err(NtStatus::INVALID_PARAMETER);
        }
        let mut taken: Vec<(Range, bool)> = Vec::new();
        let mut failure = None;
        for element in elements {
            let exclusive = element.flags.contains(LockFlags::EXCLUSIVE);
            if !element.flags.is_valid() || element.flags.contains(LockFlags::UNLOCK) {
                failure = Some(NtStatus::INVALID_PARAMETER);
                break;
            }
            let Some(range) = Range::checked(element.offset, element.length) else {
                failure = Some(NtStatus::INVALID_LOCK_RANGE);
                break;
            };
            let Some(node) = self.nodes.get_mut(node) else { return Err(NtStatus::FILE_CLOSED) };
            if node.locks.can_lock(id, range, exclusive) {
                node.locks.lock(id, range, exclusive);
                taken.push((range, exclusive));
            } else if immediate(element) {
                failure = Some(NtStatus::LOCK_NOT_GRANTED);
                break;
            } else {
                return Ok(Some((range, exclusive)));
            }
        }
        if let Some(status) = failure {
            if let Some(node) = self.nodes.get_mut(node) {
                for (range, exclusive) in taken.into_iter().rev() {
                    node.locks.unlock_kind(id, range, exclusive);
                }
            }
            // What was locked for a moment may have been asked for by those that wait.
            self.grant_locks(node);
            return Err(status);
        }
        if let Some(file) = self.file_mut(id) {
            file.locks += taken.len();
        }
        Ok(None)
    }

    fn wait_for_lock(&mut self, node: NodeId, waiter: LockWaiter, followed: bool) {
        if let Err(status) = self.wait(waiter.token.id(), followed, Waiting::Lock(node)) {
            return self.fail(waiter.token, status);
        }
        if let Some(node) = self.nodes.get_mut(node) {
            node.waiting.push_back(waiter);
        }
    }

    /// Ranges became free: grants what waits for them, oldest first.
    pub(crate) fn grant_locks(&mut self, id: NodeId) {
        let Some(node) = self.nodes.get_mut(id) else { return };
        if node.waiting.is_empty() {
            return;
        }
        let waiting = std::mem::take(&mut node.waiting);
        let mut granted = Vec::new();
        for waiter in waiting {
            if node.locks.can_lock(waiter.open, waiter.range, waiter.exclusive) {
                node.locks.lock(waiter.open, waiter.range, waiter.exclusive);
                granted.push(waiter);
            } else {
                node.waiting.push_back(waiter);
            }
        }
        for waiter in granted {
            if let Some(file) = self.file_mut(waiter.open) {
                file.locks += 1;
            }
            self.lock_carried_out(waiter.open, waiter.sequence);
            self.stop_waiting(waiter.token.id());
            self.respond_kept(waiter.open, waiter.token, Ok(Reply::new(&EmptyBody::default())));
        }
    }

    pub(crate) fn cancel_lock(&mut self, node: NodeId, request: RequestId) {
        self.take_waiters(node, NtStatus::CANCELLED, |waiter| waiter.token.id() == request);
    }

    /// An open goes away: it waits for no lock any more.
    pub(crate) fn drop_lock_waiters(&mut self, id: OpenId) {
        if let Some(node) = self.file(id).map(|file| file.node) {
            self.take_waiters(node, NtStatus::RANGE_NOT_LOCKED, |waiter| waiter.open == id);
        }
    }

    fn take_waiters(&mut self, node: NodeId, status: NtStatus, which: impl Fn(&LockWaiter) -> bool) {
        let Some(node) = self.nodes.get_mut(node) else { return };
        if node.waiting.is_empty() {
            return;
        }
        let (taken, left): (Vec<_>, Vec<_>) = std::mem::take(&mut node.waiting).into_iter().partition(which);
        node.waiting = left.into();
        for waiter in taken {
            self.stop_waiting(waiter.token.id());
            self.fail(waiter.token, status);
        }
    }
}
