//! Opening and making.

use std::sync::atomic::{AtomicUsize, Ordering};

use sansmb::wire::{FileAttributes, NtStatus};
use sansmb_fileserver::storage::{Done, Existence, Handle, Job, Rights, Storage, Want};
use sansmb_storage::run;

use crate::helpers::*;

pub(crate) fn existence(s: &dyn Storage) {
    let open = |existence| try_open(s, "file", Want::File, existence);
    assert_eq!(open(Existence::MustExist).unwrap_err(), NtStatus::OBJECT_NAME_NOT_FOUND);
    let made = open(Existence::Either).unwrap();
    assert!(made.created);
    assert_eq!((made.path.as_str(), made.metadata.length, made.metadata.links), ("file", 0, 1));
    let again = open(Existence::Either).unwrap();
    assert!(!again.created);
    assert_eq!(again.metadata.node, made.metadata.node);
    assert_ne!(again.handle, made.handle);
    assert_eq!(open(Existence::MustNotExist).unwrap_err(), NtStatus::OBJECT_NAME_COLLISION);
    assert!(!open(Existence::MustExist).unwrap().created);
}

pub(crate) fn kinds(s: &dyn Storage) {
    mkdir(s, "dir");
    file(s, "file", "x");
    let open = |name, want| try_open(s, name, want, Existence::MustExist);
    assert_eq!(open("dir", Want::File).unwrap_err(), NtStatus::FILE_IS_A_DIRECTORY);
    assert_eq!(open("file", Want::Directory).unwrap_err(), NtStatus::NOT_A_DIRECTORY);
    assert_eq!(open("FILE", Want::Directory).unwrap_err(), NtStatus::NOT_A_DIRECTORY);
    assert_eq!(open("DIR", Want::File).unwrap_err(), NtStatus::FILE_IS_A_DIRECTORY);
    assert!(open("dir", Want::Any).unwrap().metadata.is_directory());
    assert!(!open("file", Want::Any).unwrap().metadata.is_directory());
    let made = try_open(s, "new", Want::Any, Existence::Either).unwrap();
    assert!(made.created && !made.metadata.is_directory());
    for existence in [Existence::MustNotExist, Existence::Either] {
        let e = try_open(s, "dir", Want::File, existence).unwrap_err();
        let expected = if existence == Existence::Either {
            NtStatus::FILE_IS_A_DIRECTORY
        } else {
            NtStatus::OBJECT_NAME_COLLISION
        };
        assert_eq!(e, expected);
    }
    // Data jobs are for files, listings for directories.
    let dir = crate::helpers::open(s, "dir");
    assert!(try_read(s, dir, 0, 10).is_err());
    assert!(try_write(s, dir, 0, b"x").is_err());
    let file = crate::helpers::open(s, "file");
    assert!(run(s, Job::List { handle: file, restart: false, limit: 1, security: false }).is_err());
}

pub(crate) fn missing_parents(s: &dyn Storage) {
    file(s, "file", "x");
    for existence in [Existence::MustExist, Existence::MustNotExist, Existence::Either] {
        for want in [Want::Any, Want::File, Want::Directory] {
            for path in ["nowhere/x", "nowhere/further/x", "file/x", "FILE/x"] {
                let e = try_open(s, path, want, existence).unwrap_err();
                assert_eq!(e, NtStatus::OBJECT_PATH_NOT_FOUND, "{path} {want:?} {existence:?}");
            }
        }
    }
}

pub(crate) fn root(s: &dyn Storage) {
    let root = try_open(s, "", Want::Any, Existence::MustExist).unwrap();
    assert!(root.metadata.is_directory() && !root.created && root.path.is_empty());
    assert!(try_open(s, "", Want::Directory, Existence::Either).is_ok());
    assert_eq!(try_open(s, "", Want::File, Existence::MustExist).unwrap_err(), NtStatus::FILE_IS_A_DIRECTORY);
    assert_eq!(
        try_open(s, "", Want::Directory, Existence::MustNotExist).unwrap_err(),
        NtStatus::OBJECT_NAME_COLLISION
    );
    let Ok(Done::Space(space)) = run(s, Job::Space { handle: root.handle, caller: None }) else { panic!() };
    assert!(space.total >= space.free && space.free >= space.available && space.block > 0, "{space:?}");
    assert!(space.total > 0);
    let traits = s.traits();
    assert!(!traits.read_only && traits.max_name_len == 255);
}

pub(crate) fn attributes_of_new_files(s: &dyn Storage) {
    let make = |name: &str, want, attributes| {
        let job = Job::Open {
            path: path(name),
            want,
            existence: Existence::MustNotExist,
            rights: RW,
            attributes,
            no_follow: false,
            creator: None,
        };
        let made = opened(run(s, job)).unwrap();
        let later = stat(s, made.handle).attributes;
        assert_eq!(made.metadata.attributes, later);
        later
    };
    let (hidden, system, archive) = (FileAttributes::HIDDEN, FileAttributes::SYSTEM, FileAttributes::ARCHIVE);
    assert_eq!(make("plain", Want::File, archive), archive);
    assert_eq!(make("hidden", Want::File, archive | hidden | system), archive | hidden | system);
    assert_eq!(make("none", Want::File, FileAttributes::empty()), FileAttributes::NORMAL);
    assert_eq!(make("normal", Want::File, FileAttributes::NORMAL), FileAttributes::NORMAL);
    assert_eq!(make("dir", Want::Directory, FileAttributes::empty()), FileAttributes::DIRECTORY);
    assert_eq!(make("dir2", Want::Directory, hidden), FileAttributes::DIRECTORY | hidden);
    // What a file is cannot be claimed.
    let lie = FileAttributes::DIRECTORY | FileAttributes::REPARSE_POINT | archive;
    assert_eq!(make("lie", Want::File, lie), archive);
    // A file that is READONLY from the start can be written through the handle that made it.
    assert!(make("readonly", Want::File, FileAttributes::READONLY).contains(FileAttributes::READONLY));
    // The attributes are not those of an open.
    let again = try_open(s, "HIDDEN", Want::File, Existence::Either).unwrap();
    assert_eq!(again.metadata.attributes, archive | hidden | system);
}

pub(crate) fn stale_handles(s: &dyn Storage) {
    let handle = create(s, "file");
    close(s, handle);
    let jobs = [
        Job::Close { handle },
        Job::Stat { handle },
        Job::Flush { handle },
        Job::Unlink { handle },
        Job::SetLength { handle, length: 0 },
        Job::List { handle, restart: false, limit: 1, security: false },
        Job::Stat { handle: Handle(u64::MAX) },
        Job::Copy { from: handle, from_offset: 0, to: handle, to_offset: 0, length: 1 },
    ];
    for job in jobs {
        let shown = format!("{job:?}");
        assert_eq!(run(s, job).unwrap_err(), NtStatus::FILE_CLOSED, "{shown}");
    }
    assert_eq!(try_read(s, handle, 0, 1), Err(NtStatus::FILE_CLOSED));
    let other = create(s, "other");
    assert_ne!(other, handle);
    assert_eq!(try_write(s, handle, 0, b"x"), Err(NtStatus::FILE_CLOSED));
}

pub(crate) fn rights(s: &dyn Storage) {
    file(s, "file", "data");
    let open =
        |rights| opened(run(s, open_job("file", Want::Any, Existence::MustExist, rights))).unwrap().handle;
    let read_only = open(READ);
    assert_eq!(read(s, read_only, 0, 10), b"data");
    assert_eq!(try_write(s, read_only, 0, b"x"), Err(NtStatus::ACCESS_DENIED));
    assert_eq!(set_length(s, read_only, 1), Err(NtStatus::ACCESS_DENIED));
    let write_only = open(Rights { read: false, write: true });
    write(s, write_only, 0, b"D");
    assert_eq!(try_read(s, write_only, 0, 1), Err(NtStatus::ACCESS_DENIED));
    let neither = open(NONE);
    assert_eq!(stat(s, neither).length, 4);
    assert_eq!(content(s, "file"), "Data");
}

pub(crate) fn concurrent_creates_make_one(s: &dyn Storage) {
    for round in 0..20 {
        let made = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for name in ["race", "Race", "RACE", "rAcE"] {
                let made = &made;
                scope.spawn(move || {
                    match try_open(s, &format!("{name}{round}"), Want::File, Existence::MustNotExist) {
                        Ok(_) => made.fetch_add(1, Ordering::Relaxed),
                        Err(e) => {
                            assert_eq!(e, NtStatus::OBJECT_NAME_COLLISION);
                            0
                        }
                    };
                });
            }
        });
        assert_eq!(made.into_inner(), 1);
    }
    assert_eq!(list(s, "").len(), 20);
}

pub(crate) fn files_are_told_apart_for_good(s: &dyn Storage) {
    let identity = |handle| match run(s, Job::Identify { handle }) {
        Ok(Done::Identified(identity)) => identity,
        other => panic!("{other:?}"),
    };
    file(s, "file", "x");
    let handle = open(s, "file");
    let first = identity(handle);
    let of_stream = identity(stream(s, handle, "s"));
    assert_ne!(of_stream, first);
    rename(s, handle, "other", false).unwrap();
    write(s, handle, 0, b"changed");
    close(s, handle);
    let again = open(s, "other");
    assert_eq!(identity(again), first, "neither name nor data count");
    assert_eq!(identity(stream(s, again, "s")), of_stream);
    unlink(s, again).unwrap();
    close(s, again);
    // The file system may well give it the same number.
    file(s, "other", "y");
    let new = open(s, "other");
    assert_ne!(identity(new), first);
    assert_ne!(identity(stream(s, new, "s")), of_stream);
}
