//! Reparse points.

use bytes::Bytes;
use sansmb::wire::{FileAttributes, NtStatus};
use sansmb_fileserver::storage::{Changes, Done, Existence, Handle, Job, Storage, Want};
use sansmb_storage::run;

use crate::helpers::*;

/// A reparse point of a tag that nobody knows.
fn data(len: u16) -> Bytes {
    let mut data = vec![0x34, 0x12, 0, 0x80];
    data.extend(len.to_le_bytes());
    data.extend([0, 0]);
    data.resize(8 + usize::from(len), 7);
    data.into()
}

fn open_itself(s: &dyn Storage, text: &str) -> Opened {
    let mut job = open_job(text, Want::Any, Existence::MustExist, NONE);
    if let Job::Open { no_follow, .. } = &mut job {
        *no_follow = true;
    }
    opened(run(s, job)).unwrap()
}

fn get(s: &dyn Storage, handle: Handle) -> Result<Bytes, NtStatus> {
    match run(s, Job::GetReparse { handle })? {
        Done::Reparse(data) => Ok(data),
        other => panic!("{other:?}"),
    }
}

fn set(s: &dyn Storage, handle: Handle, data: Option<Bytes>) -> Result<(), NtStatus> {
    nothing(run(s, Job::SetReparse { handle, data }))
}

/// How many components are left where an open stops, and the data there.
fn stops(s: &dyn Storage, text: &str, want: Want, existence: Existence) -> Option<(usize, Bytes)> {
    match run(s, open_job(text, want, existence, RW)) {
        Ok(Done::Stopped { reparse, unparsed }) => Some((unparsed, reparse)),
        _ => None,
    }
}

pub(crate) fn reparse_points_hold_what_they_are_given(s: &dyn Storage) {
    mkdir(s, "dir");
    file(s, "file", "");
    for name in ["dir", "file"] {
        let handle = open(s, name);
        assert_eq!(get(s, handle), Err(NtStatus::NOT_A_REPARSE_POINT));
        let hidden = Changes { attributes: Some(FileAttributes::HIDDEN), ..Changes::default() };
        change(s, handle, hidden).unwrap();
        set(s, handle, Some(data(10))).unwrap();
        assert_eq!(get(s, handle), Ok(data(10)));
        let now = stat(s, handle);
        assert_eq!(now.reparse_tag, 0x8000_1234);
        assert!(now.attributes.contains(FileAttributes::HIDDEN | FileAttributes::REPARSE_POINT));
        assert_eq!(now.is_directory(), name == "dir");
        // Other changes leave it alone, and attributes do not undo it.
        let system = Changes { attributes: Some(FileAttributes::SYSTEM), ..Changes::default() };
        change(s, handle, system).unwrap();
        assert!(stat(s, handle).attributes.contains(FileAttributes::SYSTEM | FileAttributes::REPARSE_POINT));
        let root = open(s, "");
        assert_eq!(find(s, root, name).unwrap().metadata.reparse_tag, 0x8000_1234);
        set(s, handle, Some(data(2000))).unwrap();
        assert_eq!(get(s, open_itself(s, name).handle), Ok(data(2000)));
        set(s, handle, None).unwrap();
        assert_eq!(get(s, handle), Err(NtStatus::NOT_A_REPARSE_POINT));
        assert_eq!(stat(s, handle).reparse_tag, 0);
        assert!(!stat(s, handle).attributes.contains(FileAttributes::REPARSE_POINT));
        assert!(exists(s, name));
        set(s, handle, None).unwrap();
    }
}

pub(crate) fn o18_reparse_points_stop_whoever_comes(s: &dyn Storage) {
    mkdir(s, "a");
    mkdir(s, "a/Dir");
    file(s, "a/File", "");
    for name in ["a/Dir", "a/File"] {
        set(s, open(s, name), Some(data(4))).unwrap();
        let upper = name.to_uppercase();
        for want in [Want::Any, Want::File, Want::Directory] {
            assert_eq!(stops(s, name, want, Existence::MustExist), Some((0, data(4))), "{name} {want:?}");
            assert_eq!(stops(s, &upper, want, Existence::Either), Some((0, data(4))), "{name} {want:?}");
        }
        for (beneath, left) in [("x", 1), ("x/y/z", 3)] {
            for existence in [Existence::MustExist, Existence::Either, Existence::MustNotExist] {
                for name in [name, &upper] {
                    let path = format!("{name}/{beneath}");
                    assert_eq!(stops(s, &path, Want::File, existence), Some((left, data(4))), "{path}");
                }
            }
        }
        let collision = try_open(s, name, Want::Any, Existence::MustNotExist).unwrap_err();
        assert_eq!(collision, NtStatus::OBJECT_NAME_COLLISION);
    }
    // Nothing was made beneath.
    assert!(list_itself(s, "a/Dir").is_empty());
    file(s, "b", "");
    assert_eq!(rename(s, open(s, "b"), "a/Dir/b", false), Err(NtStatus::OBJECT_PATH_NOT_FOUND));
    assert_eq!(link(s, open(s, "b"), "a/Dir/b", false), Err(NtStatus::OBJECT_PATH_NOT_FOUND));
    assert!(list_itself(s, "a/Dir").is_empty());
}

fn list_itself(s: &dyn Storage, text: &str) -> Vec<String> {
    let handle = open_itself(s, text).handle;
    batch(s, handle, true, 100).0.into_iter().map(|entry| entry.name.to_string()).collect()
}

pub(crate) fn o18_only_empty_directories_become_reparse_points(s: &dyn Storage) {
    mkdir(s, "dir");
    file(s, "dir/file", "x");
    let dir = open(s, "dir");
    assert_eq!(set(s, dir, Some(data(4))), Err(NtStatus::DIRECTORY_NOT_EMPTY));
    assert_eq!(stat(s, dir).reparse_tag, 0);
    assert_eq!(content(s, "dir/file"), "x");
    assert_eq!(set(s, open(s, ""), Some(data(4))), Err(NtStatus::ACCESS_DENIED));
}

pub(crate) fn reparse_points_are_renamed_and_removed(s: &dyn Storage) {
    mkdir(s, "dir");
    set(s, open(s, "dir"), Some(data(4))).unwrap();
    let link = open_itself(s, "DIR").handle;
    rename(s, link, "other", false).unwrap();
    assert_eq!(stops(s, "other", Want::Any, Existence::MustExist), Some((0, data(4))));
    unlink(s, link).unwrap();
    close(s, link);
    assert!(list(s, "").is_empty());
    mkdir(s, "other");
}
