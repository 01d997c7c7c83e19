//! Object IDs.

use sansmb::wire::{
    Guid, NtStatus,
    fsctl::{ObjectIdBirth, ObjectIdBuffer},
};
use sansmb_fileserver::storage::{Done, Handle, Job, ObjectIdJob, Storage};
use sansmb_storage::run;

use crate::helpers::*;

fn ask(s: &dyn Storage, handle: Handle, job: ObjectIdJob) -> Result<ObjectIdBuffer, NtStatus> {
    match run(s, Job::ObjectId { handle, job })? {
        Done::ObjectId(told) => Ok(told),
        other => panic!("{other:?}"),
    }
}

pub(crate) fn object_ids_are_kept_or_refused(s: &dyn Storage) {
    use ObjectIdJob::{CreateOrGet, Delete, Get, Set, SetBirth};
    let tell = |handle, job| nothing(run(s, Job::ObjectId { handle, job }));
    let (one, two) = (create(s, "one"), create(s, "two"));
    match ask(s, one, Get) {
        Err(NtStatus::NOT_SUPPORTED) => return,
        other => assert_eq!(other, Err(NtStatus::OBJECTID_NOT_FOUND)),
    }
    let first = ask(s, one, CreateOrGet).unwrap();
    assert_eq!((ask(s, one, Get), ask(s, one, CreateOrGet)), (Ok(first), Ok(first)));
    assert_eq!((first.birth_object_id, first.domain_id), (first.object_id, Guid::default()));
    let second = ask(s, two, CreateOrGet).unwrap();
    assert_ne!(first.object_id, second.object_id);
    assert_eq!(tell(one, Set(second)), Err(NtStatus::OBJECT_NAME_COLLISION));
    tell(one, Delete).unwrap();
    tell(one, Delete).unwrap();
    assert_eq!(tell(one, Set(second)), Err(NtStatus::DUPLICATE_NAME));
    let birth = ObjectIdBirth {
        birth_volume_id: Guid([1; 16]),
        birth_object_id: Guid([2; 16]),
        domain_id: Guid([3; 16]),
    };
    assert_eq!(tell(one, SetBirth(birth)), Err(NtStatus::OBJECTID_NOT_FOUND));
    let mine = ObjectIdBuffer { object_id: Guid([9; 16]), ..first };
    tell(one, Set(mine)).unwrap();
    tell(one, SetBirth(birth)).unwrap();
    let told = ask(s, one, Get).unwrap();
    assert_eq!(
        (told.object_id, told.birth_volume_id, told.domain_id),
        (Guid([9; 16]), Guid([1; 16]), Guid([3; 16]))
    );
    // It stays with the file, and another one may have it when the file is gone.
    rename(s, one, "moved", false).unwrap();
    assert_eq!(ask(s, one, Get), Ok(told));
    unlink(s, one).unwrap();
    close(s, one);
    let three = create(s, "three");
    tell(three, Set(mine)).unwrap();
}
