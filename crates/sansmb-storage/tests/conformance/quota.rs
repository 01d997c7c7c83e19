//! Who takes how much.

use std::{ops::Bound, sync::Arc};

use sansmb::wire::{
    NtStatus,
    dtyp::{Privileges, Sid, Token},
    fscc::FsControlFlags,
};
use sansmb_fileserver::storage::{
    Creator, Done, Existence, Handle, Job, Quota, QuotaChange, QuotaControl, QuotaJob, QuotaLimits, Space,
    Storage, Want,
};
use sansmb_storage::run;

use crate::helpers::*;

const ALICE: Sid = Sid::unix_user(1);
const BOB: Sid = Sid::unix_user(2);

fn list(s: &dyn Storage, from: Bound<Sid>) -> Result<Vec<Quota>, NtStatus> {
    match run(s, Job::Quota(QuotaJob::List { from, limit: 100 }))? {
        Done::Quotas(quotas) => Ok(quotas),
        other => panic!("{other:?}"),
    }
}

fn set(s: &dyn Storage, user: Sid, limit: Option<u64>) -> Result<(), NtStatus> {
    let limits = limit.map(|limit| QuotaLimits { limit, ..QuotaLimits::default() });
    nothing(run(s, Job::Quota(QuotaJob::Set(vec![QuotaChange { user, limits }]))))
}

fn enforce(s: &dyn Storage) -> Result<(), NtStatus> {
    let control = QuotaControl { flags: FsControlFlags::QUOTA_ENFORCE, ..QuotaControl::default() };
    nothing(run(s, Job::Quota(QuotaJob::SetControl(control))))
}

fn file_of(s: &dyn Storage, name: &str, user: Sid) -> Handle {
    let token = Arc::new(Token::new(user, Sid::NULL, &[], Privileges::empty()));
    let mut job = open_job(name, Want::File, Existence::MustNotExist, RW);
    if let Job::Open { creator, .. } = &mut job {
        *creator = Some(Arc::new(Creator { token, wanted: None, replaces: false }));
    }
    opened(run(s, job)).unwrap().handle
}

fn space(s: &dyn Storage, handle: Handle, user: Sid) -> Space {
    match run(s, Job::Space { handle, caller: Some(Box::new(user)) }) {
        Ok(Done::Space(space)) => space,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn quotas_are_kept_or_refused(s: &dyn Storage) {
    if !s.traits().features.quotas {
        let refused = Err(NtStatus::NOT_SUPPORTED);
        assert_eq!(
            (list(s, Bound::Unbounded).map(drop), set(s, ALICE, Some(1)), enforce(s)),
            (refused, refused, refused)
        );
        assert!(matches!(run(s, Job::Quota(QuotaJob::Open)), Err(NtStatus::NOT_SUPPORTED)));
        return;
    }
    let file = file_of(s, "file", ALICE);
    write(s, file, 0, &[1; 10_000]);
    let told = list(s, Bound::Included(ALICE)).unwrap();
    assert_eq!(told.iter().map(|quota| (quota.user, quota.used)).collect::<Vec<_>>(), [(ALICE, 12_288)]);
    assert_eq!(stat(s, file).allocated, 12_288);
    set(s, ALICE, Some(16_384)).unwrap();
    set(s, BOB, Some(0)).unwrap();
    enforce(s).unwrap();
    assert!(
        matches!(run(s, Job::Quota(QuotaJob::Control)), Ok(Done::QuotaControl(control)) if control.enforces())
    );
    assert_eq!((space(s, file, ALICE).total, space(s, file, ALICE).available), (16_384, 4096));
    assert_eq!(try_write(s, file, 12_288, &[1; 4097]), Err(NtStatus::DISK_FULL));
    write(s, file, 12_288, &[1; 4096]);
    // Nobody is refused what takes no room.
    let other = file_of(s, "other", BOB);
    assert_eq!(try_write(s, other, 0, b"x"), Err(NtStatus::DISK_FULL));
    assert_eq!(space(s, file, BOB).available, 0);
    set(s, BOB, None).unwrap();
    write(s, other, 0, b"x");
    let told = list(s, Bound::Excluded(ALICE)).unwrap();
    assert_eq!(told.iter().map(|quota| (quota.user, quota.used)).collect::<Vec<_>>(), [(BOB, 4096)]);
    unlink(s, other).unwrap();
    close(s, other);
    assert_eq!(list(s, Bound::Excluded(ALICE)), Ok(vec![]));
}
