//! Streams and extended attributes of a real directory: where they are kept, and who gets there.

use std::{fs, os::unix::fs::symlink};

use sansmb::wire::NtStatus;
use sansmb_fileserver::storage::{Existence, Job, Storage, Want};
use sansmb_storage::{LocalDir, LocalOptions, run};

use crate::helpers::*;

/// A share with a stream in it.
fn with_stream() -> Fixture {
    let s = Fixture::local();
    let file = create(&*s, "file");
    put_stream(&*s, file, "secret", "data");
    close(&*s, file);
    s
}

/// Folders with streams in them.
fn folders(s: &Fixture) -> usize {
    let Ok(numbers) = fs::read_dir(s.on_disk(".sansmb/streams")) else { return 0 };
    numbers.map(|number| fs::read_dir(number.unwrap().path()).unwrap().count()).sum()
}

#[test]
fn o6_the_folder_of_streams_is_no_part_of_the_share() {
    let s = with_stream();
    assert!(s.on_disk(".sansmb/streams").is_dir());
    assert_eq!(list(&*s, ""), ["file"]);
    for name in [".sansmb", ".SanSMB"] {
        let find = find(&*s, open(&*s, ""), name);
        assert_eq!(find.unwrap_err(), NtStatus::NO_SUCH_FILE);
        let it = try_open(&*s, name, Want::Any, Existence::MustExist).unwrap_err();
        assert_eq!(it, NtStatus::OBJECT_NAME_NOT_FOUND);
        for existence in [Existence::Either, Existence::MustNotExist] {
            let it = try_open(&*s, name, Want::Directory, existence).unwrap_err();
            assert_eq!(it, NtStatus::ACCESS_DENIED);
        }
        for existence in [Existence::Either, Existence::MustExist] {
            let it = try_open(&*s, &format!("{name}/streams"), Want::Any, existence).unwrap_err();
            assert_eq!(it, NtStatus::OBJECT_PATH_NOT_FOUND);
        }
        assert_eq!(rename(&*s, open(&*s, "file"), name, true), Err(NtStatus::ACCESS_DENIED));
        assert_eq!(link(&*s, open(&*s, "file"), name, true), Err(NtStatus::ACCESS_DENIED));
        let beneath = format!("{name}/streams/x");
        assert_eq!(rename(&*s, open(&*s, "file"), &beneath, true), Err(NtStatus::ACCESS_DENIED));
    }
    // Without regard to case it is the same, whatever else lies there.
    assert!(!exists(&*s, r".sansmb/streams"));
    // Elsewhere it is a name like any other.
    mkdir(&*s, "dir");
    mkdir(&*s, "dir/.sansmb");
    file(&*s, "dir/.sansmb/file", "x");
    assert_eq!(list(&*s, "dir"), [".sansmb"]);
}

#[test]
fn o6_no_link_leads_to_the_folder_of_streams() {
    let s = with_stream();
    mkdir(&*s, "dir");
    symlink(".sansmb", s.on_disk("one")).unwrap();
    symlink(".sansmb/streams", s.on_disk("two")).unwrap();
    symlink("../.sansmb", s.on_disk("dir/three")).unwrap();
    symlink("one", s.on_disk("four")).unwrap();
    for name in ["one", "two", "dir/three", "four"] {
        let it = try_open(&*s, name, Want::Any, Existence::MustExist).unwrap_err();
        assert_eq!(it, NtStatus::ACCESS_DENIED, "{name}");
        let it = try_open(&*s, &format!("{name}/streams"), Want::Any, Existence::MustExist).unwrap_err();
        assert_eq!(it, NtStatus::ACCESS_DENIED, "{name}");
        let it = try_open(&*s, &format!("{name}/new"), Want::File, Existence::Either).unwrap_err();
        assert_eq!(it, NtStatus::ACCESS_DENIED, "{name}");
        assert_eq!(rename(&*s, open(&*s, "file"), &format!("{name}/x"), true), Err(NtStatus::ACCESS_DENIED));
    }
}

#[test]
fn folders_go_with_their_files() {
    let s = with_stream();
    assert_eq!(folders(&s), 1);
    remove(&*s, "file");
    assert_eq!(folders(&s), 0);
    assert_eq!(fs::read_dir(s.on_disk(".sansmb/streams")).unwrap().count(), 0);
    let file = create(&*s, "file");
    let stream = stream(&*s, file, "last");
    assert_eq!(folders(&s), 1);
    unlink(&*s, stream).unwrap();
    assert_eq!(folders(&s), 0);
    // With two names, it is the last one.
    put_stream(&*s, file, "again", "");
    link(&*s, file, "other", false).unwrap();
    remove(&*s, "file");
    assert_eq!(folders(&s), 1);
    remove(&*s, "other");
    assert_eq!(folders(&s), 0);
}

#[test]
fn a_file_does_not_get_the_streams_of_one_that_had_its_number() {
    let s = with_stream();
    let numbers = fs::read_dir(s.on_disk(".sansmb/streams")).unwrap();
    let number = numbers.map(|entry| entry.unwrap().path()).next().unwrap();
    // As if the file had been deleted and its number used again.
    let own = fs::read_dir(&number).unwrap().next().unwrap().unwrap().path();
    fs::rename(own, number.join("1.000000001")).unwrap();
    let file = open(&*s, "file");
    assert!(streams(&*s, file).is_empty());
    put_stream(&*s, file, "new", "");
    let left: Vec<_> = fs::read_dir(&number).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 1);
    assert_ne!(left[0], "1.000000001", "what was left behind is cleaned away");
}

#[test]
fn streams_follow_a_rename_by_another_program() {
    let s = with_stream();
    let file = open(&*s, "file");
    fs::rename(s.on_disk("file"), s.on_disk("moved")).unwrap();
    assert_eq!(stream_content(&*s, file, "secret").unwrap(), "data");
    assert_eq!(stream_content(&*s, open(&*s, "moved"), "secret").unwrap(), "data");
}

#[test]
fn streams_last() {
    let s = with_stream();
    let again = LocalDir::open(s.dir.as_ref().unwrap().path(), LocalOptions::default()).unwrap();
    assert_eq!(stream_content(&again, open(&again, "file"), "secret").unwrap(), "data");
    remove(&again, "file");
    assert_eq!(folders(&s), 0);
}

#[test]
fn a_folder_that_is_taken_away_is_made_again() {
    let s = with_stream();
    fs::remove_dir_all(s.on_disk(".sansmb")).unwrap();
    let file = open(&*s, "file");
    assert!(streams(&*s, file).is_empty());
    put_stream(&*s, file, "new", "data");
    assert_eq!(stream_content(&*s, file, "new").unwrap(), "data");
    assert!(s.on_disk(".sansmb/streams").is_dir());
}

#[test]
fn where_there_is_no_room_for_a_folder_there_are_no_streams() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(".sansmb"), "something else").unwrap();
    fs::write(dir.path().join("file"), "x").unwrap();
    let s = LocalDir::open(dir.path(), LocalOptions::default()).unwrap();
    assert!(!s.traits().named_streams);
    let file = open(&s, "file");
    assert!(streams(&s, file).is_empty());
    let refused = try_stream(&s, file, "x", Existence::Either).unwrap_err();
    assert_eq!(refused, NtStatus::OBJECT_NAME_INVALID);
    assert_eq!(list(&s, ""), ["file"]);
}

#[test]
fn a_share_that_is_read_only_shows_its_streams() {
    let s = with_stream();
    let path = s.dir.as_ref().unwrap().path();
    let mut options = LocalOptions::default();
    options.read_only = true;
    let s = LocalDir::open(path, options.clone()).unwrap();
    assert!(s.traits().named_streams);
    let job = open_job("file", Want::Any, Existence::MustExist, READ);
    let file = opened(run(&s, job)).unwrap().handle;
    let read_only = Job::OpenStream {
        handle: file,
        name: "secret".into(),
        existence: Existence::MustExist,
        rights: READ,
    };
    assert!(run(&s, read_only).is_ok());
    for existence in [Existence::Either, Existence::MustExist] {
        let refused = try_stream(&s, file, "new", existence).unwrap_err();
        assert_eq!(refused, NtStatus::MEDIA_WRITE_PROTECTED);
    }
    assert_eq!(set_eas(&s, file, &[ea("a", b"b")]), Err(NtStatus::MEDIA_WRITE_PROTECTED));
    let empty = tempfile::tempdir().unwrap();
    assert!(!LocalDir::open(empty.path(), options).unwrap().traits().named_streams);
}

#[test]
fn extended_attributes_are_those_of_linux_but_for_our_own() {
    let s = Fixture::local();
    if !s.traits().extended_attributes {
        return;
    }
    let file = create(&*s, "file");
    change(
        &*s,
        file,
        sansmb_fileserver::storage::Changes {
            attributes: Some(sansmb::wire::FileAttributes::HIDDEN),
            ..Default::default()
        },
    )
    .unwrap();
    assert_eq!(eas(&*s, file), [], "what keeps the attributes is not shown");
    for name in ["sansmb.attributes", "SANSMB.x"] {
        assert_eq!(set_eas(&*s, file, &[ea(name, b"x")]), Err(NtStatus::ACCESS_DENIED));
    }
    set_eas(&*s, file, &[ea("comment", b"ours")]).unwrap();
    // A program on this machine sees it too.
    let path = s.on_disk("file");
    let mut value = [0; 16];
    let got = rustix::fs::getxattr(&path, "user.comment", &mut value).unwrap();
    assert_eq!(&value[..got], b"ours");
    rustix::fs::setxattr(&path, "user.other", b"theirs", rustix::fs::XattrFlags::empty()).unwrap();
    assert!(eas(&*s, file).contains(&ea("other", b"theirs")));
}
