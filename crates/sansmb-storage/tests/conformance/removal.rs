//! Removing.

use sansmb::wire::NtStatus;
use sansmb_fileserver::storage::{Done, Existence, Job, Storage, Want};
use sansmb_storage::run;

use crate::helpers::*;

pub(crate) fn unlink_while_open(s: &dyn Storage) {
    file(s, "file", "data");
    let (one, two) = (open(s, "file"), open(s, "FILE"));
    unlink(s, one).unwrap();
    assert!(!exists(s, "file"));
    assert!(list(s, "").is_empty());
    // Both handles go on.
    assert_eq!(read(s, two, 0, 10), b"data");
    write(s, one, 4, b"!");
    assert_eq!(read(s, two, 0, 10), b"data!");
    let new = create(s, "file");
    assert_ne!(stat(s, new).node, stat(s, one).node);
    assert_eq!(stat(s, new).length, 0);
    close(s, one);
    close(s, two);
    assert!(exists(s, "file"));
}

pub(crate) fn directories_must_be_empty(s: &dyn Storage) {
    mkdir(s, "dir");
    file(s, "dir/file", "");
    let dir = open(s, "dir");
    assert_eq!(unlink(s, dir), Err(NtStatus::DIRECTORY_NOT_EMPTY));
    remove(s, "dir/file");
    unlink(s, dir).unwrap();
    assert!(!exists(s, "dir"));
    // What is left of it is empty, and nothing can be made in it.
    assert_eq!(batch(s, dir, true, 10).0.len(), 0);
    assert_eq!(
        try_open(s, "dir/new", Want::File, Existence::Either).unwrap_err(),
        NtStatus::OBJECT_PATH_NOT_FOUND
    );
    close(s, dir);
}

pub(crate) fn unlink_never_hits_another_file(s: &dyn Storage) {
    file(s, "name", "old");
    let old = open(s, "name");
    // The name now stands for another file.
    let mover = open(s, "name");
    rename(s, mover, "elsewhere", false).unwrap();
    file(s, "name", "new");
    unlink(s, old).unwrap();
    assert_eq!(content(s, "name"), "new");
    assert!(!exists(s, "elsewhere"), "the handle's file was removed where it is now");
    // Now it has no name at all.
    file(s, "elsewhere", "third");
    assert_eq!(unlink(s, old), Err(NtStatus::OBJECT_NAME_NOT_FOUND));
    assert_eq!(rename(s, old, "back", false), Err(NtStatus::OBJECT_NAME_NOT_FOUND));
    assert_eq!(list(s, ""), ["elsewhere", "name"]);
}

pub(crate) fn is_empty(s: &dyn Storage) {
    mkdir(s, "dir");
    let handle = open(s, "dir");
    let empty = || matches!(run(s, Job::IsEmpty { handle }), Ok(Done::Empty(true)));
    assert!(empty());
    mkdir(s, "dir/sub");
    assert!(!empty());
    remove(s, "dir/sub");
    assert!(empty());
    assert!(run(s, Job::IsEmpty { handle: create(s, "file") }).is_err());
}

pub(crate) fn root_stays(s: &dyn Storage) {
    let root = open(s, "");
    assert_eq!(unlink(s, root), Err(NtStatus::ACCESS_DENIED));
    assert_eq!(rename(s, root, "other", false), Err(NtStatus::ACCESS_DENIED));
    file(s, "file", "");
    for replace in [false, true] {
        assert_eq!(rename(s, open(s, "file"), "", replace), Err(NtStatus::ACCESS_DENIED));
        assert_eq!(link(s, open(s, "file"), "", replace), Err(NtStatus::ACCESS_DENIED));
    }
    assert_eq!(list(s, ""), ["file"]);
}

pub(crate) fn unlink_in_renamed_directory(s: &dyn Storage) {
    mkdir(s, "a");
    mkdir(s, "a/b");
    file(s, "a/b/file", "1");
    let handle = open(s, "a/b/file");
    rename(s, open(s, "a"), "moved", false).unwrap();
    // Another file of that name takes the old place.
    mkdir(s, "a");
    mkdir(s, "a/b");
    file(s, "a/b/file", "2");
    unlink(s, handle).unwrap();
    assert!(!exists(s, "moved/b/file"));
    assert_eq!(content(s, "a/b/file"), "2");
}

pub(crate) fn unlink_of_many_hits_no_other_file(s: &dyn Storage) {
    mkdir(s, "a");
    let names = ["1", "2", "3", "4", "5"].map(|name| format!("a/{name}"));
    let handles = names.each_ref().map(|name| create(s, name));
    let unlinked = |range: std::ops::Range<usize>| {
        for handle in &handles[range] {
            unlink(s, *handle).unwrap();
            close(s, *handle);
        }
    };
    unlinked(0..3);
    // Right after, the directory is elsewhere, and other files have the names.
    rename(s, open(s, "a"), "moved", false).unwrap();
    mkdir(s, "a");
    names.iter().for_each(|name| file(s, name, "other"));
    unlinked(3..5);
    assert!(list(s, "moved").is_empty());
    assert_eq!(list(s, "a"), ["1", "2", "3", "4", "5"]);
    // Those go too, and then both directories.
    names.iter().for_each(|name| remove(s, name));
    ["a", "moved"].iter().for_each(|name| remove(s, name));
    assert!(list(s, "").is_empty());
}

pub(crate) fn unlink_twice(s: &dyn Storage) {
    file(s, "file", "");
    let (one, two) = (open(s, "file"), open(s, "file"));
    unlink(s, one).unwrap();
    assert_eq!(unlink(s, one), Err(NtStatus::OBJECT_NAME_NOT_FOUND));
    assert_eq!(unlink(s, two), Err(NtStatus::OBJECT_NAME_NOT_FOUND));
}
