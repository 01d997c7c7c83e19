//! Byte-range locks: [MS-FSA] 2.1.4.10, 2.1.5.8 and 2.1.5.9, [MS-SMB2] 3.3.5.14.

use sansmb::wire::{AccessMask, LeaseState, NtStatus};

use super::{Answer, FileNumber, Heard, Reference, Request};
use crate::operation::Range;

const LOCKABLE: AccessMask =
    AccessMask::FILE_READ_DATA.union(AccessMask::FILE_WRITE_DATA).union(AccessMask::FILE_EXECUTE);

/// A lock that is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lock {
    pub(super) file: FileNumber,
    pub(super) open: Request,
    range: Range,
}

/// A request for one lock that waits.
#[derive(Debug, Clone, Copy)]
pub(super) struct LockWait {
    pub(super) request: Request,
    pub(super) client: usize,
    pub(super) open: Request,
    file: FileNumber,
    range: Range,
}

/// Whether two ranges have something in common, as [MS-FSA] computes it: in numbers that may be
/// negative.
fn overlap(a: Range, b: Range) -> bool {
    let last = |range: Range| i128::from(range.offset) + i128::from(range.length) - 1;
    let nowhere = |range: Range| range.offset == 0 && range.length == 0;
    !nowhere(a) && !nowhere(b) && i128::from(a.offset) <= last(b) && last(a) >= i128::from(b.offset)
}

fn fits(range: Range) -> bool {
    i128::from(range.offset) + i128::from(range.length) - 1 <= i128::from(u64::MAX)
}

impl Reference {
    fn can_lock(&self, file: FileNumber, open: Request, range: Range) -> bool {
        !self.locks.iter().any(|held| {
            held.file == file
                && overlap(held.range, range)
                && if held.range.exclusive { held.open != open || range.exclusive } else { range.exclusive }
        })
    }

    /// Whether no lock keeps an open from reading or writing.
    pub(super) fn may_touch(
        &self,
        open: Request,
        file: FileNumber,
        offset: u64,
        length: u64,
        writes: bool,
    ) -> bool {
        let range = Range { offset, length, exclusive: writes };
        !self.locks.iter().any(|held| {
            held.file == file
                && overlap(held.range, range)
                && if held.range.exclusive { held.open != open } else { writes }
        })
    }

    /// Gives how it ended, or nothing while it waits.
    pub(super) fn lock(
        &mut self,
        client: usize,
        request: Request,
        id: Request,
        ranges: &[Range],
        wait: bool,
    ) -> Option<Result<Answer, NtStatus>> {
        if !self.opens[&id].access.intersects(LOCKABLE) {
            return Some(Err(NtStatus::ACCESS_DENIED));
        }
        let file = self.opens[&id].file;
        self.take_away(file, LeaseState::READ_CACHING | LeaseState::WRITE_CACHING, self.holder_of(id));
        if ranges.len() > 1 && wait {
            return Some(Err(NtStatus::INVALID_PARAMETER));
        }
        let before = self.locks.clone();
        for range in ranges {
            let status = if !fits(*range) {
                NtStatus::INVALID_LOCK_RANGE
            } else if self.can_lock(file, id, *range) {
                self.locks.push(Lock { file, open: id, range: *range });
                continue;
            } else if wait {
                self.lock_waits.push(LockWait { request, client, open: id, file, range: *range });
                self.hear(client, Heard::Interim(request));
                return None;
            } else {
                NtStatus::LOCK_NOT_GRANTED
            };
            self.locks = before;
            return Some(Err(status));
        }
        Some(Ok(Answer::Status(0)))
    }

    /// What was unlocked before a failure stays unlocked.
    pub(super) fn unlock(&mut self, id: Request, ranges: &[Range]) -> Result<Answer, NtStatus> {
        if !self.opens[&id].access.intersects(LOCKABLE) {
            return Err(NtStatus::ACCESS_DENIED);
        }
        let file = self.opens[&id].file;
        let mut result = Ok(Answer::Status(0));
        for range in ranges {
            if !fits(*range) {
                result = Err(NtStatus::INVALID_LOCK_RANGE);
                break;
            }
            let same = |lock: &Lock, exclusive: bool| {
                lock.open == id
                    && (lock.range.offset, lock.range.length) == (range.offset, range.length)
                    && lock.range.exclusive == exclusive
            };
            let at = [true, false]
                .into_iter()
                .find_map(|exclusive| self.locks.iter().position(|lock| same(lock, exclusive)));
            let Some(at) = at else {
                result = Err(NtStatus::RANGE_NOT_LOCKED);
                break;
            };
            self.locks.remove(at);
        }
        self.grant_locks(file);
        result
    }

    /// Grants what waits, oldest first.
    pub(super) fn grant_locks(&mut self, file: FileNumber) {
        for wait in std::mem::take(&mut self.lock_waits) {
            if wait.file == file && self.can_lock(file, wait.open, wait.range) {
                self.locks.push(Lock { file, open: wait.open, range: wait.range });
                self.answer(wait.client, wait.request, NtStatus::SUCCESS);
            } else {
                self.lock_waits.push(wait);
            }
        }
    }
}
