//! What only a real directory can do to a share: links, foreign changes, odd files, full disks.

use std::{
    fs,
    os::unix::fs::{MetadataExt, symlink},
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
};

use sansmb::wire::{FileAttributes, FileTime, NtStatus};
use sansmb_fileserver::storage::{Changes, Existence, Job, SharePath, Storage, Want};
use sansmb_storage::{LocalDir, LocalOptions, Memory, MemoryOptions, run};

use crate::helpers::*;

fn probe(s: &dyn Storage, text: &str) -> Result<Opened, NtStatus> {
    opened(run(s, open_job(text, Want::Any, Existence::MustExist, READ)))
}

fn no_follow(s: &dyn Storage, text: &str) -> Opened {
    let job = Job::Open {
        path: path(text),
        want: Want::Any,
        existence: Existence::MustExist,
        rights: NONE,
        attributes: FileAttributes::empty(),
        no_follow: true,
        creator: None,
    };
    opened(run(s, job)).unwrap()
}

/// A directory beside the share with something in it that nobody may see.
fn with_secret(f: &Fixture) -> tempfile::TempDir {
    let outside = tempfile::tempdir_in(f.dir.as_ref().unwrap().path().parent().unwrap()).unwrap();
    fs::write(outside.path().join("secret"), "secret").unwrap();
    outside
}

#[test]
fn symlinks_inside_are_followed() {
    let s = &Fixture::local();
    mkdir(&**s, "dir");
    file(&**s, "dir/file", "x");
    symlink("dir/file", s.on_disk("to-file")).unwrap();
    symlink("dir", s.on_disk("to-dir")).unwrap();
    symlink("../dir/file", s.on_disk("dir/up")).unwrap();
    assert_eq!(content(&**s, "to-file"), "x");
    assert_eq!(content(&**s, "TO-DIR/FILE"), "x");
    assert_eq!(content(&**s, "dir/up"), "x");
    assert_eq!(list(&**s, "to-dir"), ["file", "up"]);
    let dir = open(&**s, "");
    assert!(find(&**s, dir, "to-dir").unwrap().metadata.is_directory());
    assert_eq!(find(&**s, dir, "to-file").unwrap().metadata, stat(&**s, open(&**s, "dir/file")));
    // Renaming a link to its own target loses nothing.
    symlink("dir/file", s.on_disk("again")).unwrap();
    for replace in [false, true] {
        rename(&**s, open(&**s, "to-file"), "DIR/file", replace).unwrap();
        assert_eq!(content(&**s, "dir/file"), "x");
        assert!(!exists(&**s, "to-file"));
        rename(&**s, open(&**s, "again"), "to-file", false).unwrap();
        symlink("dir/file", s.on_disk("again")).unwrap();
    }
    remove(&**s, "again");
    // Removing what was opened through a link removes the link.
    remove(&**s, "to-file");
    remove(&**s, "to-dir");
    assert_eq!(list(&**s, ""), ["dir"]);
    assert_eq!(content(&**s, "dir/file"), "x");
}

#[test]
fn links_themselves() {
    let s = &Fixture::local();
    symlink("nowhere", s.on_disk("dangling")).unwrap();
    symlink("loop", s.on_disk("loop")).unwrap();
    assert_eq!(probe(&**s, "dangling").unwrap_err(), NtStatus::OBJECT_NAME_NOT_FOUND);
    assert_eq!(probe(&**s, "loop").unwrap_err(), NtStatus::REPARSE_POINT_NOT_RESOLVED);
    let either = try_open(&**s, "dangling", Want::File, Existence::Either).unwrap_err();
    assert_eq!(either, NtStatus::OBJECT_NAME_NOT_FOUND);
    let new = try_open(&**s, "DANGLING", Want::File, Existence::MustNotExist).unwrap_err();
    assert_eq!(new, NtStatus::OBJECT_NAME_COLLISION);
    assert!(!s.on_disk("nowhere").exists());
    assert_eq!(list(&**s, ""), ["dangling", "loop"]);
    let link = no_follow(&**s, "Dangling");
    assert_eq!(link.metadata.reparse_tag, 0xa000_000c);
    assert!(link.metadata.attributes.contains(FileAttributes::REPARSE_POINT));
    rename(&**s, link.handle, "renamed", false).unwrap();
    assert_eq!(fs::read_link(s.on_disk("renamed")).unwrap().to_str(), Some("nowhere"));
    unlink(&**s, link.handle).unwrap();
    assert_eq!(list(&**s, ""), ["loop"]);
    // Without a link, `no_follow` changes nothing.
    file(&**s, "file", "x");
    assert_eq!(no_follow(&**s, "FILE").metadata.reparse_tag, 0);
}

#[test]
fn o6_escapes_by_link_are_refused() {
    let s = &Fixture::local();
    let outside = with_secret(s);
    let name = outside.path().file_name().unwrap().to_str().unwrap();
    mkdir(&**s, "dir");
    symlink(outside.path(), s.on_disk("absolute")).unwrap();
    symlink(format!("../{name}"), s.on_disk("relative")).unwrap();
    symlink(format!("../../{name}/secret"), s.on_disk("dir/file")).unwrap();
    symlink("..", s.on_disk("up")).unwrap();
    symlink("/proc/self/root", s.on_disk("magic")).unwrap();
    file(&**s, "mine", "x");
    let secret = format!("up/{name}/secret");
    for text in [
        "absolute",
        "absolute/secret",
        "relative/SECRET",
        "dir/file",
        "up",
        &secret,
        "magic",
        "magic/etc/passwd",
    ] {
        for existence in [Existence::MustExist, Existence::Either] {
            let e = try_open(&**s, text, Want::Any, existence).unwrap_err();
            assert_eq!(e, NtStatus::ACCESS_DENIED, "{text}");
        }
    }
    // Nothing can be made, moved or linked there.
    for to in ["absolute/new", "relative/new", "up/new"] {
        let e = try_open(&**s, to, Want::File, Existence::MustNotExist).unwrap_err();
        assert_eq!(e, NtStatus::ACCESS_DENIED, "{to}");
        assert_eq!(rename(&**s, open(&**s, "mine"), to, true), Err(NtStatus::ACCESS_DENIED));
        assert_eq!(link(&**s, open(&**s, "mine"), to, true), Err(NtStatus::ACCESS_DENIED));
    }
    // Replacing a link to a file outside replaces the link.
    rename(&**s, open(&**s, "mine"), "dir/file", true).unwrap();
    assert_eq!(fs::read_to_string(outside.path().join("secret")).unwrap(), "secret");
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1);
    // In a listing they are links, and say nothing of what is outside.
    let root = open(&**s, "");
    for name in ["absolute", "relative", "up", "magic"] {
        let metadata = find(&**s, root, name).unwrap().metadata;
        assert_eq!((metadata.reparse_tag, metadata.length), (0xa000_000c, 0));
    }
}

#[test]
fn o6_dot_dot_and_prefixes() {
    let s = &Fixture::local();
    let outside = with_secret(s);
    let root = s.dir.as_ref().unwrap().path();
    let name = outside.path().file_name().unwrap().to_str().unwrap();
    mkdir(&**s, "dir");
    let whole = outside.path().join("secret");
    let paths: [&[&str]; 7] = [
        &[".."],
        &["..", name, "secret"],
        &["dir", "..", "..", name, "secret"],
        &["dir/../.."],
        &[".\u{f029}", name, "secret"],
        &["\u{f029}"],
        &[whole.to_str().unwrap()],
    ];
    for parts in paths {
        for existence in [Existence::MustExist, Existence::Either, Existence::MustNotExist] {
            let job = Job::Open {
                path: SharePath(parts.iter().map(|p| (*p).into()).collect()),
                want: Want::Any,
                existence,
                rights: RW,
                attributes: FileAttributes::empty(),
                no_follow: false,
                creator: None,
            };
            let e = run(&**s, job).unwrap_err();
            assert!(
                matches!(e, NtStatus::OBJECT_NAME_INVALID | NtStatus::OBJECT_PATH_NOT_FOUND),
                "{parts:?} {e}"
            );
        }
    }
    // A neighbour whose name starts like the root is not in it.
    let neighbour = format!("{}x", root.display());
    fs::create_dir(&neighbour).unwrap();
    symlink(format!("{neighbour}/file"), s.on_disk("link")).unwrap();
    assert_eq!(probe(&**s, "link").unwrap_err(), NtStatus::ACCESS_DENIED);
    // What was moved there from the share is no longer in it.
    file(&**s, "mine", "x");
    let handle = open(&**s, "mine");
    fs::rename(s.on_disk("mine"), format!("{neighbour}/mine")).unwrap();
    assert_eq!(unlink(&**s, handle), Err(NtStatus::OBJECT_NAME_NOT_FOUND));
    assert!(fs::exists(format!("{neighbour}/mine")).unwrap());
    fs::remove_dir_all(&neighbour).unwrap();
}

#[test]
fn o6_swapping_a_directory_with_a_link_never_escapes() {
    let s = &Fixture::local();
    let outside = with_secret(s);
    mkdir(&**s, "dir");
    file(&**s, "dir/secret", "mine");
    symlink(outside.path(), s.on_disk("link")).unwrap();
    let stop = AtomicBool::new(false);
    let (mut seen, mut refused) = (0, 0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                // Each of the names is now the directory, now the link.
                let (a, b, aside) = (s.on_disk("dir"), s.on_disk("link"), s.on_disk("aside"));
                fs::rename(&a, &aside).unwrap();
                fs::rename(&b, &a).unwrap();
                fs::rename(&aside, &b).unwrap();
            }
        });
        for n in 0..3000 {
            match probe(&**s, if n % 2 == 0 { "dir/secret" } else { "DIR/Secret" }) {
                Ok(it) => {
                    assert_eq!(read(&**s, it.handle, 0, 100), b"mine");
                    close(&**s, it.handle);
                    seen += 1;
                }
                Err(_) => refused += 1,
            }
            if let Ok(it) = try_open(&**s, &format!("dir/new{}", n % 10), Want::File, Existence::Either) {
                let _ = rename(&**s, it.handle, "dir/moved", true);
                let _ = link(&**s, it.handle, "dir/linked", true);
                let _ = unlink(&**s, it.handle);
                close(&**s, it.handle);
            }
            // A file from elsewhere is moved to where the link may stand.
            if let Ok(it) = try_open(&**s, &format!("mover{}", n % 10), Want::File, Existence::Either) {
                let _ = rename(&**s, it.handle, "link/secret-new", true);
                let _ = unlink(&**s, it.handle);
                close(&**s, it.handle);
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    println!("seen {seen} times, refused {refused} times");
    assert!(seen > 0 && refused > 0, "both states were met");
    let left: Vec<_> = fs::read_dir(outside.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, ["secret"]);
    assert_eq!(fs::read_to_string(outside.path().join("secret")).unwrap(), "secret");
}

#[test]
fn special_files_are_listed_but_do_not_block() {
    let s = &Fixture::local();
    assert!(Command::new("mkfifo").arg(s.on_disk("fifo")).status().unwrap().success());
    let _socket = std::os::unix::net::UnixListener::bind(s.on_disk("socket")).unwrap();
    let mut names = vec!["fifo", "socket"];
    if Command::new("mknod").arg(s.on_disk("null")).args(["c", "1", "3"]).status().unwrap().success() {
        names.insert(1, "null");
    }
    assert_eq!(list(&**s, ""), names);
    for name in names {
        for rights in [NONE, READ, RW] {
            for existence in [Existence::MustExist, Existence::Either] {
                let e = opened(run(&**s, open_job(name, Want::Any, existence, rights))).unwrap_err();
                assert_eq!(e, NtStatus::ACCESS_DENIED, "{name}");
            }
        }
    }
}

#[test]
fn foreign_changes_are_noticed() {
    let s = &Fixture::local();
    for n in 0..50 {
        file(&**s, &format!("own{n}"), "");
        let name = format!("Foreign{n}");
        assert!(!exists(&**s, &name.to_lowercase()));
        fs::write(s.on_disk(&name), "").unwrap();
        std::thread::sleep(std::time::Duration::from_millis(5));
        assert!(exists(&**s, &name.to_lowercase()), "{n}");
        fs::remove_file(s.on_disk(&name)).unwrap();
        assert!(!exists(&**s, &name.to_lowercase()), "{n}");
        let made = try_open(&**s, &name.to_uppercase(), Want::File, Existence::MustNotExist).unwrap();
        assert_eq!(made.path, name.to_uppercase());
    }
}

#[test]
fn exact_spelling_comes_first() {
    let s = &Fixture::local();
    for name in ["name", "Name", "NAME"] {
        fs::write(s.on_disk(name), name).unwrap();
    }
    for name in ["name", "Name", "NAME"] {
        assert_eq!(content(&**s, name), name);
    }
    assert_eq!(content(&**s, "nAMe"), "NAME", "otherwise the first in byte order");
    remove(&**s, "NAME");
    assert_eq!(content(&**s, "nAMe"), "Name");
    remove(&**s, "Name");
    assert_eq!(content(&**s, "NAME"), "name");
}

#[test]
fn forbidden_and_broken_names_are_mapped() {
    use std::os::unix::ffi::OsStrExt;
    let s = &Fixture::local();
    let on_disk: [&[u8]; 4] = [b"a:b", b"caf\xe9", b"ends.", b"tab\t"];
    for name in on_disk {
        fs::write(s.dir.as_ref().unwrap().path().join(std::ffi::OsStr::from_bytes(name)), name).unwrap();
    }
    let names = list(&**s, "");
    assert_eq!(names, ["a\u{f022}b", "caf\u{f0e9}", "ends\u{f029}", "tab\u{f009}"]);
    for name in names {
        let handle = open(&**s, &name.to_uppercase());
        assert!(on_disk.contains(&&*read(&**s, handle, 0, 10)));
        unlink(&**s, handle).unwrap();
    }
    assert_eq!(fs::read_dir(s.dir.as_ref().unwrap().path()).unwrap().count(), 0);
    // And the other way round.
    file(&**s, "x\u{f025}", "");
    assert!(s.on_disk("x?").exists());
    // A name that is in this private area on disk is found by comparing.
    fs::write(s.on_disk("y\u{f025}"), "literal").unwrap();
    assert_eq!(content(&**s, "y\u{f025}"), "literal");
}

#[test]
fn read_only_shares_change_nothing() {
    let f = Fixture::local();
    file(&*f, "file", "x");
    mkdir(&*f, "dir");
    let mut options = LocalOptions::default();
    options.read_only = true;
    let s = &LocalDir::open(f.dir.as_ref().unwrap().path(), options).unwrap();
    assert!(s.traits().read_only);
    let protected = NtStatus::MEDIA_WRITE_PROTECTED;
    assert_eq!(try_open(s, "file", Want::File, Existence::MustExist).unwrap_err(), protected);
    assert_eq!(try_open(s, "new", Want::Directory, Existence::Either).unwrap_err(), protected);
    let make = open_job("new", Want::File, Existence::MustNotExist, READ);
    assert_eq!(run(s, make).unwrap_err(), protected);
    let it = probe(s, "FILE").unwrap();
    assert_eq!(read(s, it.handle, 0, 10), b"x");
    assert_eq!(try_write(s, it.handle, 0, b"y"), Err(protected));
    assert_eq!(unlink(s, it.handle), Err(protected));
    assert_eq!(rename(s, it.handle, "other", false), Err(protected));
    assert_eq!(link(s, it.handle, "other", false), Err(protected));
    assert_eq!(set_length(s, it.handle, 0), Err(protected));
    assert_eq!(change(s, it.handle, Changes::default()), Err(protected));
    nothing(run(s, Job::Flush { handle: it.handle })).unwrap();
    assert_eq!(list(s, ""), ["dir", "file"]);
}

#[test]
fn attributes_on_disk() {
    let s = &Fixture::local();
    fs::write(s.on_disk(".dot"), "").unwrap();
    fs::write(s.on_disk("plain"), "").unwrap();
    fs::write(s.on_disk("locked"), "").unwrap();
    let mut mode = fs::metadata(s.on_disk("locked")).unwrap().permissions();
    mode.set_readonly(true);
    fs::set_permissions(s.on_disk("locked"), mode).unwrap();
    let root = open(&**s, "");
    let of = |name: &str| find(&**s, root, name).unwrap().metadata.attributes;
    assert_eq!(of(".dot"), FileAttributes::ARCHIVE | FileAttributes::HIDDEN);
    assert_eq!(of("plain"), FileAttributes::ARCHIVE);
    assert_eq!(of("locked"), FileAttributes::ARCHIVE | FileAttributes::READONLY);
    // What a client says counts more than the dot.
    let dot = open(&**s, ".dot");
    assert_eq!(stat(&**s, dot).attributes, of(".dot"));
    change(&**s, dot, Changes { attributes: Some(FileAttributes::NORMAL), ..Changes::default() }).unwrap();
    assert_eq!(of(".dot"), FileAttributes::NORMAL);
    // A directory that is made with a dot is hidden, even if nobody asked for that.
    mkdir(&**s, ".config");
    assert_eq!(of(".config"), FileAttributes::DIRECTORY | FileAttributes::HIDDEN);
    // Times are those that other programs see, to the nanosecond that a FILETIME has.
    let written = FileTime::from_unix(1_000_000_000, 123_456_700);
    change(&**s, dot, Changes { written: Some(written), ..Changes::default() }).unwrap();
    let seen = fs::metadata(s.on_disk(".dot")).unwrap();
    assert_eq!((seen.mtime(), seen.mtime_nsec()), (1_000_000_000, 123_456_700));
    // Attributes move with the file.
    rename(&**s, dot, "renamed", false).unwrap();
    assert_eq!(of("renamed"), FileAttributes::NORMAL);
}

/// A tiny file system of its own, where this process may mount one.
struct Tiny(tempfile::TempDir);

impl Tiny {
    fn mount() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=256k", "tmpfs"])
            .arg(dir.path())
            .output()
            .is_ok_and(|output| output.status.success());
        mounted.then_some(Self(dir))
    }
}

impl Drop for Tiny {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

fn fill(s: &dyn Storage) {
    let handle = create(s, "file");
    write(s, handle, 0, &[1; 100_000]);
    assert_eq!(try_write(s, handle, 100_000, &[2; 1_000_000]), Err(NtStatus::DISK_FULL));
    let allocate = Job::Allocate { handle, length: 10_000_000 };
    assert_eq!(nothing(run(s, allocate)), Err(NtStatus::DISK_FULL));
    assert!(read(s, handle, 0, 100_000) == [1; 100_000]);
    // Room comes back when the last handle and the last name are gone.
    unlink(s, handle).unwrap();
    close(s, handle);
    let handle = create(s, "again");
    write(s, handle, 0, &[3; 200_000]);
    set_length(s, handle, 0).unwrap();
    write(s, handle, 0, &[4; 200_000]);
}

#[test]
fn full_disk() {
    let Some(tiny) = Tiny::mount() else {
        eprintln!("skipped: this process may not mount a tmpfs");
        return;
    };
    let s = LocalDir::open(tiny.0.path(), LocalOptions::default()).unwrap();
    fill(&s);
    drop(s);
}

#[test]
fn a_file_is_closed_with_its_handle_right_after_a_large_write() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    let s = LocalDir::open(dir.path(), LocalOptions::default()).unwrap();
    for round in 0..200 {
        let handle = create(&s, "file");
        write(&s, handle, 0, &[1; 1 << 20]);
        close(&s, handle);
        let mut descriptors = fs::read_dir("/proc/self/fd").unwrap();
        let open = descriptors.any(|it| fs::read_link(it.unwrap().path()).is_ok_and(|to| to == path));
        assert!(!open, "round {round}");
        fs::remove_file(&path).unwrap();
    }
}

#[test]
fn full_memory() {
    let mut options = MemoryOptions::default();
    options.capacity = 256 * 1024;
    let s = Memory::new(options);
    fill(&s);
    // Names take room too.
    let mut made = 0;
    let e = loop {
        match try_open(&s, &format!("f{made}"), Want::File, Existence::MustNotExist) {
            Ok(it) => close(&s, it.handle),
            Err(e) => break e,
        }
        made += 1;
    };
    assert_eq!(e, NtStatus::DISK_FULL);
    assert!(made < 512);
    // A short name is no way around: what is removed can be made again.
    remove(&s, "f0");
    file(&s, "f0", "");
}

#[test]
fn other_file_systems_below_the_root() {
    let f = Fixture::local();
    mkdir(&*f, "sub");
    file(&*f, "file", "x");
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=256k", "tmpfs"])
        .arg(f.on_disk("sub"))
        .output()
        .is_ok_and(|output| output.status.success());
    if !mounted {
        eprintln!("skipped: this process may not mount a tmpfs");
        return;
    }
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let s = &*f;
        file(s, "sub/there", "abc");
        let (here, there) = (open(s, "file"), open(s, "SUB/there"));
        assert_eq!(rename(s, here, "sub/here", false), Err(NtStatus::NOT_SAME_DEVICE));
        assert_eq!(link(s, here, "sub/here", false), Err(NtStatus::NOT_SAME_DEVICE));
        let copy = Job::Copy { from: there, from_offset: 0, to: here, to_offset: 1, length: 3 };
        assert_eq!(written(run(s, copy)), Ok(3));
        assert_eq!(content(s, "file"), "xabc");
        assert_ne!(stat(s, here).node.volume, stat(s, there).node.volume);
        close(s, there);
    }));
    let unmounted = Command::new("umount").arg("-l").arg(f.on_disk("sub")).status().unwrap();
    assert!(unmounted.success());
    result.unwrap();
}

/// Where temporary files are on a disk whose cache can be emptied.
#[test]
fn what_is_not_cached_is_read_elsewhere() {
    use std::sync::mpsc;

    use sansmb::conn::MessageBuffer;

    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    let s = LocalDir::open(dir.path(), LocalOptions::default()).unwrap();
    let handle = create(&s, "file");
    write(&s, handle, 0, &[5; 4 << 20]);
    nothing(run(&s, Job::Flush { handle })).unwrap();
    let where_read = || {
        let (done, outcome) = mpsc::channel();
        let into = MessageBuffer::with_capacity(1 << 20);
        s.submit(
            Job::Read { handle, offset: 1 << 20, length: 1 << 20, into },
            Box::new(move |result| done.send((std::thread::current().id(), result)).unwrap()),
        );
        let (thread, result) = outcome.recv().unwrap();
        let Ok(sansmb_fileserver::storage::Done::Read(data)) = result else { panic!("{result:?}") };
        assert!(data.payload() == vec![5; 1 << 20]);
        thread
    };
    assert_eq!(where_read(), std::thread::current().id(), "it was just written");
    let file = fs::File::open(dir.path().join("file")).unwrap();
    rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).unwrap();
    let mut byte = [0];
    let mut parts = [std::io::IoSliceMut::new(&mut byte)];
    let flags = rustix::io::ReadWriteFlags::NOWAIT;
    if rustix::io::preadv2(&file, &mut parts, 1 << 20, flags) != Err(rustix::io::Errno::AGAIN) {
        eprintln!("skipped: the cache of /var/tmp cannot be emptied");
        return;
    }
    assert_ne!(where_read(), std::thread::current().id());
    assert_eq!(where_read(), std::thread::current().id());
}

#[test]
fn what_lives_in_memory_is_read_at_once() {
    let Some(tiny) = Tiny::mount() else {
        eprintln!("skipped: this process may not mount a tmpfs");
        return;
    };
    let s = LocalDir::open(tiny.0.path(), LocalOptions::default()).unwrap();
    let handle = create(&s, "file");
    write(&s, handle, 0, &[5; 100_000]);
    for length in [4096, 100_000] {
        let into = sansmb::conn::MessageBuffer::with_capacity(length as usize);
        let (done, outcome) = std::sync::mpsc::channel();
        let here = std::thread::current().id();
        s.submit(
            Job::Read { handle, offset: 0, length, into },
            Box::new(move |result| {
                assert!(result.is_ok());
                done.send(std::thread::current().id() == here).unwrap();
            }),
        );
        assert!(outcome.recv().unwrap());
    }
    close(&s, handle);
}

/// Much is read in parts, so that whoever asks can send meanwhile what lies there already.
#[test]
fn much_is_read_in_parts() {
    use sansmb::conn::MessageBuffer;
    use sansmb_fileserver::storage::Done;

    let s = Fixture::local();
    let handle = create(&*s, "file");
    let data: Vec<u8> = (0..5 << 19).map(|at: u32| (at / 1000) as u8).collect();
    write(&*s, handle, 0, &data);
    let mut into = MessageBuffer::with_capacity(0);
    let mut parts = Vec::new();
    loop {
        let (offset, length) = (into.len() as u64, (4 << 20) - into.len() as u32);
        let (done, outcome) = std::sync::mpsc::channel();
        s.submit(
            Job::Read { handle, offset, length, into },
            Box::new(move |result| done.send(result).unwrap()),
        );
        match outcome.recv().unwrap() {
            Ok(Done::ReadPart(part)) => {
                parts.push(part.len());
                into = part;
            }
            Ok(Done::Read(all)) => {
                assert!(all.payload() == data);
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    // Where the cache cannot be asked, another thread reads all of it.
    assert!(parts == [1 << 20, 2 << 20] || parts.is_empty(), "{parts:?}");
    close(&*s, handle);
}

/// A buffer that has more room than was asked for does not get more.
#[test]
fn reads_stop_at_their_length() {
    use sansmb::conn::MessageBuffer;

    for s in [Fixture::local(), Fixture::memory()] {
        let handle = create(&*s, "file");
        write(&*s, handle, 0, &[5; 10_000]);
        let mut into = MessageBuffer::with_capacity(8192);
        into.extend_from_slice(b"pre");
        let outcome = run(&*s, Job::Read { handle, offset: 0, length: 100, into });
        let Ok(sansmb_fileserver::storage::Done::Read(data)) = outcome else { panic!() };
        assert_eq!(data.len(), 103);
        let job = Job::Read { handle, offset: 1, length: 5000, into: MessageBuffer::with_capacity(0) };
        let Ok(sansmb_fileserver::storage::Done::Read(data)) = run(&*s, job) else { panic!() };
        assert_eq!(data.len(), 5000);
    }
}

/// With more names than may be kept, everything still works, only slower.
#[test]
fn directories_larger_than_the_cache() {
    let mut options = LocalOptions::default();
    options.known_names = 10;
    let f = &Fixture::local_with(options);
    let s = &**f;
    for dir in ["one", "two", "three"] {
        mkdir(s, dir);
        for n in 0..25 {
            file(s, &format!("{dir}/File{n}"), "");
        }
    }
    for dir in ["One", "tWO", "thREE"] {
        for n in 0..25 {
            let path = format!("{dir}/fILE{n}");
            let e = try_open(s, &path, Want::File, Existence::MustNotExist).unwrap_err();
            assert_eq!(e, NtStatus::OBJECT_NAME_COLLISION);
            let handle = open(s, &path);
            rename(s, handle, &format!("{dir}/Renamed{n}"), false).unwrap();
            assert!(!exists(s, &path));
            assert!(exists(s, &format!("{dir}/RENAMED{n}")));
            close(s, handle);
        }
        for n in 0..20 {
            remove(s, &format!("{dir}/RENAMED{n}"));
        }
        assert_eq!(list(s, dir).len(), 5);
        assert!(exists(s, &format!("{dir}/RENAMED24")));
    }
}
