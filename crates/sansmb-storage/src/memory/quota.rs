//! Who takes how much of a volume, and what that counts against.
//!
//! An account is there for as long as somebody owns a file or has limits of their own: there are no more
//! of them than the capacity has room for.

use std::{
    collections::BTreeMap,
    ops::Bound,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use sansmb::wire::{FileTime, NtStatus, dtyp::Sid};
use sansmb_fileserver::storage::{NO_QUOTA, Quota, QuotaChange, QuotaControl, QuotaLimits, Space};

use super::chunks::Usage;
use crate::slab::lock;

/// Capacity that limits of somebody's own take.
const ENTRY: u64 = 512;

/// The accounts of a volume.
#[derive(Debug, Default)]
pub(super) struct Quotas {
    accounts: Mutex<BTreeMap<Sid, Arc<Account>>>,
    control: Mutex<QuotaControl>,
    /// What of `control` every allocation looks at.
    enforced: AtomicBool,
    usual_limit: AtomicU64,
}

/// What one user takes.
#[derive(Debug)]
struct Account {
    user: Sid,
    state: Mutex<State>,
}

#[derive(Debug, Clone, Copy, Default)]
struct State {
    used: u64,
    /// Limits of their own.
    own: Option<QuotaLimits>,
    changed: FileTime,
}

impl Account {
    fn new(user: Sid) -> Self {
        Self { user, state: Mutex::default() }
    }

    fn give_back(&self, bytes: u64) {
        let mut state = lock(&self.state);
        state.used = state.used.saturating_sub(bytes);
    }
}

impl Quotas {
    pub(super) fn control(&self) -> QuotaControl {
        *lock(&self.control)
    }

    pub(super) fn set_control(&self, new: QuotaControl) {
        let mut control = lock(&self.control);
        *control = new;
        self.usual_limit.store(new.usual.limit, Ordering::Relaxed);
        self.enforced.store(new.enforces(), Ordering::Relaxed);
    }

    /// The account of somebody, for a file that they own.
    fn account(&self, user: Sid) -> Arc<Account> {
        let mut accounts = lock(&self.accounts);
        Arc::clone(accounts.entry(user).or_insert_with(|| Arc::new(Account::new(user))))
    }

    /// A file is not theirs any more.
    fn leave(&self, account: &Arc<Account>) {
        let mut accounts = lock(&self.accounts);
        // One is in the table and one is the file's: nobody gets another without the lock.
        if Arc::strong_count(account) <= 2 && lock(&account.state).own.is_none() {
            accounts.remove(&account.user);
        }
    }

    /// The most that somebody may take now.
    fn limit(&self, user: &Sid, own: Option<QuotaLimits>) -> u64 {
        // Nothing limits administrators, [MS-FSA] 2.1.5.22.
        if !self.enforced.load(Ordering::Relaxed) || *user == Sid::BUILTIN_ADMINISTRATORS {
            return NO_QUOTA;
        }
        own.map_or_else(|| self.usual_limit.load(Ordering::Relaxed), |own| own.limit)
    }

    fn take(&self, account: &Account, bytes: u64) -> Result<(), NtStatus> {
        let mut state = lock(&account.state);
        let limit = self.limit(&account.user, state.own);
        let used = state.used.checked_add(bytes).filter(|used| *used <= limit);
        state.used = used.ok_or(NtStatus::DISK_FULL)?;
        Ok(())
    }

    fn show(&self, account: &Account) -> Quota {
        let State { used, own, changed } = *lock(&account.state);
        let usual = if account.user == Sid::BUILTIN_ADMINISTRATORS {
            QuotaLimits::default()
        } else {
            self.control().usual
        };
        Quota { user: account.user, changed, used, limits: own.unwrap_or(usual) }
    }

    pub(super) fn of(&self, users: &[Sid]) -> Vec<Quota> {
        let accounts = lock(&self.accounts);
        users.iter().filter_map(|user| Some(self.show(accounts.get(user)?))).collect()
    }

    pub(super) fn list(&self, from: Bound<Sid>, limit: usize) -> Vec<Quota> {
        let accounts = lock(&self.accounts);
        accounts.range((from, Bound::Unbounded)).take(limit).map(|(_, account)| self.show(account)).collect()
    }

    /// [MS-FSA] 2.1.5.22.
    pub(super) fn set(&self, changes: &[QuotaChange], usage: &Usage, now: FileTime) -> Result<(), NtStatus> {
        let mut accounts = lock(&self.accounts);
        for QuotaChange { user, limits } in changes {
            match (accounts.get(user).map(Arc::clone), limits) {
                (None, None) => return Err(NtStatus::NO_MATCH),
                (Some(account), None) => {
                    let mut state = lock(&account.state);
                    if state.own.take().is_some() {
                        usage.give_back(ENTRY);
                    }
                    state.changed = now;
                    drop(state);
                    // Nobody but the table and this has it: they own nothing.
                    if Arc::strong_count(&account) <= 2 {
                        accounts.remove(user);
                    }
                }
                (account, Some(limits)) => {
                    let account = account.unwrap_or_else(|| Arc::new(Account::new(*user)));
                    let mut state = lock(&account.state);
                    if state.own.is_none() {
                        usage.take(ENTRY)?;
                    }
                    state.own = Some(*limits);
                    state.changed = now;
                    drop(state);
                    accounts.insert(*user, account);
                }
            }
        }
        Ok(())
    }

    /// What is left for somebody of what is left, [MS-FSA] 2.1.5.13.3.
    pub(super) fn narrow(&self, user: &Sid, space: Space) -> Space {
        let state = lock(&self.accounts).get(user).map(|account| *lock(&account.state)).unwrap_or_default();
        let limit = self.limit(user, state.own);
        Space {
            total: space.total.min(limit),
            available: space.available.min(limit.saturating_sub(state.used)),
            ..space
        }
    }
}

/// What a file takes with all its streams: of the volume, and of what its owner may.
#[derive(Debug)]
pub(super) struct Charge {
    pub(super) usage: Arc<Usage>,
    owed: Mutex<Owed>,
}

#[derive(Debug)]
struct Owed {
    account: Arc<Account>,
    bytes: u64,
}

impl Charge {
    pub(super) fn new(usage: &Arc<Usage>, owner: Sid) -> Arc<Self> {
        let owed = Owed { account: usage.quotas.account(owner), bytes: 0 };
        Arc::new(Self { usage: Arc::clone(usage), owed: Mutex::new(owed) })
    }

    pub(super) fn take(&self, bytes: u64) -> Result<(), NtStatus> {
        if bytes == 0 {
            return Ok(());
        }
        let mut owed = lock(&self.owed);
        self.usage.quotas.take(&owed.account, bytes)?;
        if let Err(status) = self.usage.take(bytes) {
            owed.account.give_back(bytes);
            return Err(status);
        }
        owed.bytes += bytes;
        Ok(())
    }

    pub(super) fn give_back(&self, bytes: u64) {
        if bytes == 0 {
            return;
        }
        let mut owed = lock(&self.owed);
        owed.bytes = owed.bytes.saturating_sub(bytes);
        owed.account.give_back(bytes);
        self.usage.give_back(bytes);
    }

    /// The file gets another owner, who has to have room for it.
    pub(super) fn change_owner(&self, owner: Sid) -> Result<(), NtStatus> {
        let mut owed = lock(&self.owed);
        if owed.account.user == owner {
            return Ok(());
        }
        let quotas = &self.usage.quotas;
        let account = quotas.account(owner);
        if let Err(status) = quotas.take(&account, owed.bytes) {
            quotas.leave(&account);
            return Err(status);
        }
        owed.account.give_back(owed.bytes);
        let before = std::mem::replace(&mut owed.account, account);
        quotas.leave(&before);
        Ok(())
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        let owed = lock(&self.owed);
        self.usage.quotas.leave(&owed.account);
    }
}

#[cfg(test)]
mod tests {
    use sansmb::wire::fscc::FsControlFlags;

    use super::*;

    const ALICE: Sid = Sid::unix_user(1);
    const BOB: Sid = Sid::unix_user(2);

    fn limited(usage: &Usage, limit: u64) {
        let usual = QuotaLimits { limit, ..QuotaLimits::default() };
        usage.quotas.set_control(QuotaControl { usual, flags: FsControlFlags::QUOTA_ENFORCE });
    }

    fn used(usage: &Usage, user: Sid) -> Option<u64> {
        usage.quotas.of(&[user]).first().map(|quota| quota.used)
    }

    #[test]
    fn what_is_taken_counts_against_volume_and_owner_or_neither() {
        let usage = Usage::new(1000);
        let (one, two) = (Charge::new(&usage, ALICE), Charge::new(&usage, ALICE));
        one.take(300).unwrap();
        two.take(400).unwrap();
        assert_eq!((used(&usage, ALICE), usage.free()), (Some(700), 300));
        assert_eq!(one.take(301), Err(NtStatus::DISK_FULL), "the volume is full");
        assert_eq!((used(&usage, ALICE), usage.free()), (Some(700), 300));
        limited(&usage, 750);
        assert_eq!(one.take(51), Err(NtStatus::DISK_FULL), "it is more than they may");
        assert_eq!((used(&usage, ALICE), usage.free()), (Some(700), 300));
        one.take(50).unwrap();
        one.give_back(350);
        drop(one);
        assert_eq!(used(&usage, ALICE), Some(400));
        two.give_back(400);
        drop(two);
        assert_eq!((used(&usage, ALICE), usage.free()), (None, 1000));
    }

    #[test]
    fn a_new_owner_has_to_have_room() {
        let usage = Usage::new(1000);
        let file = Charge::new(&usage, ALICE);
        file.take(500).unwrap();
        limited(&usage, 499);
        assert_eq!(file.change_owner(BOB), Err(NtStatus::DISK_FULL));
        assert_eq!((used(&usage, ALICE), used(&usage, BOB)), (Some(500), None));
        limited(&usage, 500);
        file.change_owner(BOB).unwrap();
        assert_eq!((used(&usage, ALICE), used(&usage, BOB)), (None, Some(500)));
        // Nothing limits administrators.
        limited(&usage, 0);
        file.change_owner(Sid::BUILTIN_ADMINISTRATORS).unwrap();
        file.take(500).unwrap();
    }

    #[test]
    fn limits_of_ones_own_take_room_and_give_it_back() {
        let usage = Usage::new(1000);
        let set = |user, limit| {
            let limits = Some(QuotaLimits { limit, ..QuotaLimits::default() });
            usage.quotas.set(&[QuotaChange { user, limits }], &usage, FileTime(7))
        };
        let forget = |user| usage.quotas.set(&[QuotaChange { user, limits: None }], &usage, FileTime(8));
        assert_eq!(forget(ALICE), Err(NtStatus::NO_MATCH));
        set(ALICE, 10).unwrap();
        set(ALICE, 20).unwrap();
        assert_eq!((used(&usage, ALICE), usage.free()), (Some(0), 1000 - ENTRY));
        assert_eq!(set(BOB, 10), Err(NtStatus::DISK_FULL));
        // They stay when the last file goes.
        drop(Charge::new(&usage, ALICE));
        assert_eq!(usage.quotas.list(Bound::Unbounded, 10).len(), 1);
        // Who owns something stays, with the usual limits.
        let file = Charge::new(&usage, ALICE);
        forget(ALICE).unwrap();
        assert_eq!(
            (usage.quotas.of(&[ALICE]).first().map(|q| q.limits.limit), usage.free()),
            (Some(NO_QUOTA), 1000)
        );
        drop(file);
        assert_eq!(used(&usage, ALICE), None);
    }
}
