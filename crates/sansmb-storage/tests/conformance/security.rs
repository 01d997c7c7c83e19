//! Security descriptors.

use std::sync::Arc;

use bytes::Bytes;
use sansmb::wire::{
    AccessMask, FileAttributes, FileTime, NtStatus, SecurityInformation, Structure,
    dtyp::{Ace, AceFlags, Acl, Privileges, SecurityDescriptor, Sid, Token},
};
use sansmb_fileserver::storage::{
    Changes, Creator, Done, Existence, Handle, Job, Metadata, Outcome, Security, SecurityChange, Storage,
    Want,
};
use sansmb_storage::run;

use crate::helpers::*;

pub(crate) const ALICE: Sid = Sid::unix_user(70_001);
const BOB: Sid = Sid::unix_user(70_002);
const ALL: AccessMask = AccessMask::FILE_ALL_ACCESS;
const DOWN: AceFlags = AceFlags::OBJECT_INHERIT.union(AceFlags::CONTAINER_INHERIT);

pub(crate) fn creator(user: Sid, wanted: Option<&SecurityDescriptor<'_>>) -> Option<Arc<Creator>> {
    let token = Token::new(user, Sid::BUILTIN_USERS, &[Sid::EVERYONE], Privileges::empty());
    Some(Arc::new(Creator {
        token: Arc::new(token),
        wanted: wanted.map(|sd| sd.to_vec().into()),
        replaces: false,
    }))
}

pub(crate) fn make(s: &dyn Storage, text: &str, want: Want, creator: Option<Arc<Creator>>) -> Outcome {
    let mut job = open_job(text, want, Existence::MustNotExist, RW);
    if let Job::Open { creator: slot, .. } = &mut job {
        *slot = creator;
    }
    run(s, job)
}

fn security(s: &dyn Storage, handle: Handle) -> Security {
    match run(s, Job::Security { handle }).unwrap() {
        Done::Security(security) => security,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn what_is_made_tells_the_times_that_it_has(s: &dyn Storage) {
    for (name, want) in [("f", Want::File), ("d", Want::Directory)] {
        let Ok(Done::Opened { handle, metadata, .. }) = make(s, name, want, creator(ALICE, None)) else {
            panic!("{name} was not made");
        };
        assert_eq!(metadata.changed, stat(s, handle).changed, "{name}");
    }
}

/// What an open tells.
fn look(s: &dyn Storage, text: &str) -> (Metadata, Security) {
    match run(s, open_job(text, Want::Any, Existence::MustExist, NONE)).unwrap() {
        Done::Opened { handle, metadata, security, .. } => {
            close(s, handle);
            (metadata, security)
        }
        other => panic!("{other:?}"),
    }
}

fn dacl(security: &Security) -> Vec<(Sid, AccessMask)> {
    let stored = security.stored.as_ref().expect("a descriptor");
    let aces = SecurityDescriptor::decode(stored).unwrap().dacl.unwrap().aces;
    aces.iter().map(|ace| (*ace.sid().unwrap(), ace.mask().unwrap())).collect()
}

fn set_dacl(s: &dyn Storage, handle: Handle, aces: &[Ace<'_>]) {
    let descriptor = SecurityDescriptor { dacl: Some(Acl::new(aces)), ..Default::default() };
    let change = SecurityChange { parts: SecurityInformation::DACL, descriptor: descriptor.to_vec().into() };
    run(s, Job::ChangeSecurity { handle, change }).unwrap();
}

pub(crate) fn none_until_it_is_set(s: &dyn Storage) {
    let opened = create(s, "plain");
    assert_eq!(security(s, opened).stored, None);
    set_dacl(s, opened, &[Ace::allow(ALICE, ALL, AceFlags::empty())]);
    assert_eq!(dacl(&security(s, opened)), [(ALICE, ALL)]);
    // It goes with the file, not with the handle or the name.
    assert_eq!(dacl(&look(s, "PLAIN").1), [(ALICE, ALL)]);
    rename(s, opened, "other", false).unwrap();
    assert_eq!(dacl(&look(s, "other").1), [(ALICE, ALL)]);
}

pub(crate) fn attributes_and_descriptors_live_side_by_side(s: &dyn Storage) {
    let handle = create(s, "both");
    let hidden = FileAttributes::HIDDEN;
    let changes = Changes { attributes: Some(hidden), ..Default::default() };
    run(s, Job::Change { handle, changes }).unwrap();
    set_dacl(s, handle, &[Ace::allow(BOB, ALL, AceFlags::empty())]);
    assert!(look(s, "both").0.attributes.contains(hidden));
    let changes = Changes { attributes: Some(Default::default()), ..Default::default() };
    run(s, Job::Change { handle, changes }).unwrap();
    assert_eq!(dacl(&look(s, "both").1), [(BOB, ALL)]);
}

pub(crate) fn new_files_inherit(s: &dyn Storage) {
    let parent = {
        mkdir(s, "dir");
        open(s, "dir")
    };
    let aces = [
        Ace::allow(ALICE, ALL, DOWN),
        Ace::allow(Sid::CREATOR_OWNER, AccessMask::FILE_READ_DATA, DOWN | AceFlags::INHERIT_ONLY),
    ];
    set_dacl(s, parent, &aces);
    let made = make(s, "dir/new", Want::File, creator(ALICE, None)).unwrap();
    let Done::Opened { handle, security: told, created: true, .. } = made else { panic!("{made:?}") };
    let expected = [(ALICE, ALL), (ALICE, AccessMask::FILE_READ_DATA)];
    assert_eq!(dacl(&told), expected);
    assert_eq!(dacl(&security(s, handle)), expected);
    assert_eq!(dacl(&look(s, "dir/new").1), expected);
    make(s, "dir/sub", Want::Directory, creator(ALICE, None)).unwrap();
    assert_eq!(dacl(&look(s, "dir/sub").1).len(), 3);
}

pub(crate) fn o15_who_may_not_add_makes_nothing(s: &dyn Storage) {
    let parent = {
        mkdir(s, "dir");
        open(s, "dir")
    };
    set_dacl(s, parent, &[Ace::allow(BOB, AccessMask::FILE_ADD_FILE, AceFlags::empty())]);
    assert_eq!(make(s, "dir/a", Want::File, creator(ALICE, None)).unwrap_err(), NtStatus::ACCESS_DENIED);
    assert_eq!(make(s, "dir/b", Want::Directory, creator(BOB, None)).unwrap_err(), NtStatus::ACCESS_DENIED);
    assert!(make(s, "dir/c", Want::File, creator(BOB, None)).is_ok());
    assert_eq!(list(s, "dir"), ["c"]);

    let outside = create(s, "outside");
    let by = creator(ALICE, None);
    let job = Job::Rename { handle: outside, to: path("dir/d"), replace: false, by: by.clone() };
    assert_eq!(run(s, job).unwrap_err(), NtStatus::ACCESS_DENIED);
    let job = Job::Link { handle: outside, to: path("dir/d"), replace: false, by };
    assert_eq!(run(s, job).unwrap_err(), NtStatus::ACCESS_DENIED);
    let job = Job::Link { handle: outside, to: path("dir/d"), replace: false, by: creator(BOB, None) };
    assert!(run(s, job).is_ok());
}

pub(crate) fn listings_say_who_may_do_what_when_asked(s: &dyn Storage) {
    let dir = {
        mkdir(s, "dir");
        open(s, "dir")
    };
    let handle = create(s, "dir/file");
    set_dacl(s, handle, &[Ace::allow(BOB, ALL, AceFlags::empty())]);
    for ask in [false, true] {
        let job = Job::List { handle: dir, restart: true, limit: 10, security: ask };
        let Done::Entries { entries, .. } = run(s, job).unwrap() else { panic!() };
        assert_eq!(entries[0].security.as_ref().map(dacl), ask.then(|| vec![(BOB, ALL)]));
        let job = Job::Find { handle: dir, name: "FILE".into(), security: ask };
        let Done::Found(entry) = run(s, job).unwrap() else { panic!() };
        assert_eq!(entry.security.as_ref().map(dacl), ask.then(|| vec![(BOB, ALL)]));
    }
}

pub(crate) fn what_does_not_parse_is_not_kept(s: &dyn Storage) {
    let handle = create(s, "file");
    let change =
        SecurityChange { parts: SecurityInformation::DACL, descriptor: Bytes::from_static(b"garbage") };
    assert_eq!(run(s, Job::ChangeSecurity { handle, change }).unwrap_err(), NtStatus::INVALID_SECURITY_DESCR);
    assert_eq!(security(s, handle).stored, None);
}

pub(crate) fn an_owner_stays_whatever_else_is_set(s: &dyn Storage) {
    let dir = open(s, "");
    let Ok(Done::Opened { handle, security: told, .. }) = make(s, "file", Want::File, creator(ALICE, None))
    else {
        panic!("it was not made");
    };
    assert_eq!(told.owner.as_deref(), Some(&ALICE));
    let looks_like = |attributes: FileAttributes| {
        let (metadata, told) = look(s, "file");
        assert_eq!((metadata.attributes, told.owner.as_deref()), (attributes, Some(&ALICE)));
        assert_eq!(security(s, handle).owner.as_deref(), Some(&ALICE));
        let job = Job::List { handle: dir, restart: true, limit: 10, security: true };
        let Done::Entries { entries, .. } = run(s, job).unwrap() else { panic!() };
        let listed = entries[0].security.as_ref().unwrap();
        assert_eq!((entries[0].metadata, listed.owner.as_deref()), (metadata, Some(&ALICE)));
        metadata
    };
    looks_like(FileAttributes::ARCHIVE);
    let (hidden, created) = (FileAttributes::HIDDEN, FileTime::from_unix(1_000_000_000, 0));
    for changes in [
        Changes { attributes: Some(hidden), ..Default::default() },
        Changes { created: Some(created), ..Default::default() },
    ] {
        run(s, Job::Change { handle, changes }).unwrap();
        looks_like(hidden);
    }
    assert_eq!(looks_like(hidden).created, created);
    rename(s, handle, "other", false).unwrap();
    rename(s, handle, "file", false).unwrap();
    looks_like(hidden);
}
