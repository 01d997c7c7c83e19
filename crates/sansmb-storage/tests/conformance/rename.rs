//! Renaming and linking.

use sansmb::wire::NtStatus;
use sansmb_fileserver::storage::Storage;

use crate::helpers::*;

pub(crate) fn rename_and_replace(s: &dyn Storage) {
    file(s, "one", "1");
    file(s, "two", "2");
    let one = open(s, "one");
    assert_eq!(rename(s, one, "two", false), Err(NtStatus::OBJECT_NAME_COLLISION));
    assert_eq!(rename(s, one, "TWO", false), Err(NtStatus::OBJECT_NAME_COLLISION));
    assert_eq!((content(s, "one").as_str(), content(s, "two").as_str()), ("1", "2"));
    let two = open(s, "two");
    rename(s, one, "two", true).unwrap();
    assert_eq!(list(s, ""), ["two"]);
    assert_eq!(content(s, "two"), "1");
    // Who had the replaced file open keeps it, without a name.
    assert_eq!(read(s, two, 0, 10), b"2");
    assert_eq!(unlink(s, two), Err(NtStatus::OBJECT_NAME_NOT_FOUND));
    rename(s, one, "three", false).unwrap();
    assert_eq!(list(s, ""), ["three"]);
}

pub(crate) fn case_only(s: &dyn Storage) {
    for (name, other) in [("file", "FILE"), ("dir", "Dir")] {
        if name == "dir" {
            mkdir(s, name);
        } else {
            file(s, name, "x");
        }
        let handle = open(s, name);
        rename(s, handle, other, false).unwrap();
        assert_eq!(list(s, ""), [other]);
        assert!(exists(s, name) && exists(s, other));
        rename(s, handle, name, true).unwrap();
        assert_eq!(list(s, ""), [name]);
        unlink(s, handle).unwrap();
        assert!(!exists(s, other));
    }
}

pub(crate) fn into_other_directory(s: &dyn Storage) {
    mkdir(s, "From");
    mkdir(s, "To");
    file(s, "From/file", "x");
    let handle = open(s, "From/file");
    rename(s, handle, "TO/Other", false).unwrap();
    assert!(list(s, "From").is_empty());
    assert_eq!(list(s, "To"), ["Other"]);
    // A directory with what is in it.
    rename(s, open(s, "To"), "from/sub", false).unwrap();
    assert_eq!(content(s, "From/Sub/OTHER"), "x");
    assert_eq!(list(s, ""), ["From"]);
    rename(s, handle, "back", false).unwrap();
    assert_eq!(content(s, "back"), "x");
}

pub(crate) fn directory_into_itself(s: &dyn Storage) {
    mkdir(s, "dir");
    mkdir(s, "dir/sub");
    for target in ["dir/new", "dir/sub/new", "DIR/SUB/new"] {
        assert_eq!(rename(s, open(s, "dir"), target, true), Err(NtStatus::INVALID_PARAMETER));
    }
    assert_eq!(list(s, "dir"), ["sub"]);
}

pub(crate) fn onto_directory(s: &dyn Storage) {
    mkdir(s, "dir");
    mkdir(s, "other");
    file(s, "file", "x");
    for (from, to) in [("file", "dir"), ("other", "dir"), ("other", "DIR")] {
        assert_eq!(rename(s, open(s, from), to, false), Err(NtStatus::OBJECT_NAME_COLLISION));
        assert_eq!(rename(s, open(s, from), to, true), Err(NtStatus::ACCESS_DENIED), "{from} {to}");
    }
    assert_eq!(rename(s, open(s, "dir"), "file", false), Err(NtStatus::OBJECT_NAME_COLLISION));
    assert_eq!(rename(s, open(s, "dir"), "file", true), Err(NtStatus::ACCESS_DENIED));
    assert_eq!(list(s, ""), ["dir", "file", "other"]);
}

pub(crate) fn handle_follows(s: &dyn Storage) {
    mkdir(s, "dir");
    file(s, "file", "x");
    let (one, two) = (open(s, "file"), open(s, "file"));
    rename(s, one, "dir/a", false).unwrap();
    rename(s, one, "b", false).unwrap();
    // The other handle on the same name follows too.
    rename(s, two, "dir/c", false).unwrap();
    rename(s, one, "d", false).unwrap();
    assert_eq!(list(s, ""), ["d", "dir"]);
    unlink(s, two).unwrap();
    assert_eq!(list(s, ""), ["dir"]);
}

pub(crate) fn onto_itself(s: &dyn Storage) {
    file(s, "file", "x");
    let handle = open(s, "file");
    rename(s, handle, "file", false).unwrap();
    rename(s, handle, "file", true).unwrap();
    assert_eq!(content(s, "file"), "x");
    assert_eq!(stat(s, handle).links, 1);
}

pub(crate) fn hard_links(s: &dyn Storage) {
    mkdir(s, "dir");
    file(s, "one", "x");
    let one = open(s, "one");
    link(s, one, "DIR/two", false).unwrap();
    assert_eq!(stat(s, one).links, 2);
    assert_eq!(content(s, "dir/two"), "x");
    let two = open(s, "dir/two");
    assert_eq!(stat(s, two).node, stat(s, one).node);
    write(s, two, 0, b"yz");
    assert_eq!(content(s, "one"), "yz");
    // Each handle removes the name that it was opened under.
    unlink(s, two).unwrap();
    assert!(list(s, "dir").is_empty());
    assert_eq!(content(s, "one"), "yz");
    assert_eq!(stat(s, one).links, 1);
    assert_eq!(link(s, open(s, "dir"), "dir2", false), Err(NtStatus::FILE_IS_A_DIRECTORY));
    assert_eq!(link(s, one, "nowhere/x", false), Err(NtStatus::OBJECT_PATH_NOT_FOUND));
}

pub(crate) fn link_replaces(s: &dyn Storage) {
    file(s, "one", "1");
    file(s, "two", "2");
    mkdir(s, "dir");
    let one = open(s, "one");
    assert_eq!(link(s, one, "TWO", false), Err(NtStatus::OBJECT_NAME_COLLISION));
    assert_eq!(content(s, "two"), "2");
    link(s, one, "TWO", true).unwrap();
    assert_eq!(content(s, "two"), "1");
    assert_eq!(list(s, ""), ["TWO", "dir", "one"]);
    assert_eq!(link(s, one, "dir", true), Err(NtStatus::ACCESS_DENIED));
    link(s, one, "one", true).unwrap();
    link(s, one, "two", true).unwrap();
    assert_eq!(stat(s, one).links, 2);
}

pub(crate) fn rename_onto_own_link(s: &dyn Storage) {
    file(s, "one", "x");
    let one = open(s, "one");
    link(s, one, "two", false).unwrap();
    rename(s, one, "two", true).unwrap();
    assert_eq!(list(s, ""), ["two"]);
    assert_eq!(stat(s, one).links, 1);
    unlink(s, one).unwrap();
    assert!(list(s, "").is_empty());
}

pub(crate) fn onto_other_case(s: &dyn Storage) {
    file(s, "source", "1");
    file(s, "Target", "2");
    rename(s, open(s, "source"), "TARGET", true).unwrap();
    assert_eq!(list(s, ""), ["TARGET"]);
    assert_eq!(content(s, "target"), "1");
}

pub(crate) fn missing_target_directory(s: &dyn Storage) {
    file(s, "file", "x");
    let handle = open(s, "file");
    for to in ["nowhere/x", "file/x", "FILE/x/y"] {
        assert_eq!(rename(s, handle, to, false), Err(NtStatus::OBJECT_PATH_NOT_FOUND), "{to}");
    }
    for to in ["..", "."] {
        assert_eq!(rename(s, handle, to, false), Err(NtStatus::OBJECT_NAME_INVALID), "{to}");
    }
    assert_eq!(list(s, ""), ["file"]);
}
