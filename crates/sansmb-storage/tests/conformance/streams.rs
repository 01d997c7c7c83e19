//! Named streams.

use sansmb::wire::{FileAttributes, FileTime, NtStatus};
use sansmb_fileserver::storage::{Changes, Existence, Job, Storage, Want};
use sansmb_storage::run;

use crate::helpers::*;

fn names(s: &dyn Storage, file: sansmb_fileserver::storage::Handle) -> Vec<String> {
    let mut names: Vec<String> = streams(s, file).iter().map(|stream| stream.name.to_string()).collect();
    names.sort();
    names
}

pub(crate) fn made_and_found(s: &dyn Storage) {
    assert!(s.traits().named_streams);
    let file = create(s, "file");
    let missing = try_stream(s, file, "Stream", Existence::MustExist).unwrap_err();
    assert_eq!(missing, NtStatus::OBJECT_NAME_NOT_FOUND);
    let made = try_stream(s, file, "Stream", Existence::MustNotExist).unwrap();
    assert!(made.created);
    assert_eq!(made.path, "Stream");
    let again = try_stream(s, file, "sTREAM", Existence::Either).unwrap();
    assert!(!again.created);
    assert_eq!(again.path, "Stream", "in its own spelling");
    assert_eq!(again.metadata.node, made.metadata.node);
    assert_ne!(made.metadata.node.stream, 0);
    assert_eq!(made.metadata.node.whole(), stat(s, file).node);
    let taken = try_stream(s, file, "STREAM", Existence::MustNotExist).unwrap_err();
    assert_eq!(taken, NtStatus::OBJECT_NAME_COLLISION);
    // By way of a stream it is found too, and without the file's handle it stays.
    close(s, file);
    let other = try_stream(s, made.handle, "other", Existence::Either).unwrap();
    assert_ne!(other.metadata.node, made.metadata.node);
    assert_eq!(stat(s, other.handle), other.metadata);
    close(s, other.handle);
    assert_eq!(try_stream(s, other.handle, "x", Existence::Either).unwrap_err(), NtStatus::FILE_CLOSED);
}

pub(crate) fn data_of_their_own(s: &dyn Storage) {
    file(s, "file", "main");
    let file = open(s, "file");
    let stream = stream(s, file, "stream");
    write(s, stream, 0, b"stream");
    assert_eq!(read(s, stream, 0, 100), b"stream");
    assert_eq!(read(s, file, 0, 100), b"main");
    assert_eq!((stat(s, stream).length, stat(s, file).length), (6, 4));
    set_length(s, stream, 3).unwrap();
    assert_eq!(read(s, stream, 0, 100), b"str");
    // From stream to stream, to the file and back.
    let copy = |from, to, length| {
        written(run(s, Job::Copy { from, from_offset: 0, to, to_offset: 1, length })).unwrap()
    };
    assert_eq!(copy(stream, file, 3), 3);
    assert_eq!(content(s, "file"), "mstr");
    assert_eq!(copy(stream, stream, 3), 3);
    assert_eq!(read(s, stream, 0, 100), b"sstr");
    nothing(run(s, Job::Zero { handle: stream, offset: 1, length: 1 })).unwrap();
    assert_eq!(read(s, stream, 0, 100), b"s\0tr");
    nothing(run(s, Job::Flush { handle: stream })).unwrap();
    nothing(run(s, Job::Allocate { handle: stream, length: 10_000 })).unwrap();
    // A large one, as large as any file.
    let data = vec![7; 300_000];
    write(s, stream, 1 << 32, &data);
    assert_eq!(read(s, stream, 1 << 32, 400_000), data);
    assert_eq!(stat(s, stream).length, (1 << 32) + 300_000);
}

pub(crate) fn belong_to_the_file(s: &dyn Storage) {
    let file = create(s, "file");
    let stream = stream(s, file, "stream");
    let time = FileTime(0x01D0_0000_0000_0000);
    let attributes = FileAttributes::HIDDEN | FileAttributes::SYSTEM;
    let changes = Changes {
        created: Some(time),
        written: Some(time),
        attributes: Some(attributes),
        ..Changes::default()
    };
    change(s, stream, changes).unwrap();
    for handle in [file, stream] {
        let metadata = stat(s, handle);
        assert_eq!((metadata.created, metadata.written), (time, time));
        assert_eq!(metadata.attributes, attributes);
    }
    // What is written to a stream is written to its file.
    write(s, stream, 0, b"x");
    assert!(stat(s, file).written > time);
    assert_eq!(stat(s, file).written, stat(s, stream).written);
    assert_eq!(stat(s, file).created, time);
}

pub(crate) fn listed(s: &dyn Storage) {
    let file = create(s, "file");
    assert!(streams(s, file).is_empty());
    put_stream(s, file, "one", "1");
    put_stream(s, file, "Zwei", "zwei");
    put_stream(s, file, ".dot", "");
    assert_eq!(names(s, file), [".dot", "Zwei", "one"]);
    let two = streams(s, file).into_iter().find(|stream| &*stream.name == "Zwei").unwrap();
    assert_eq!(two.length, 4);
    assert!(two.allocated > 0);
    write(s, file, 0, b"data");
    let own = all_streams(s, file).into_iter().find(|stream| stream.name.is_empty()).unwrap();
    assert_eq!((own.length, own.allocated), (4, stat(s, file).allocated));
    // The same through a stream. In the directory there is only the file.
    let on = stream(s, file, "one");
    assert_eq!(streams(s, on), streams(s, file));
    assert_eq!(list(s, ""), ["file"]);
}

pub(crate) fn removed(s: &dyn Storage) {
    let file = create(s, "file");
    let (one, same) = (stream(s, file, "one"), stream(s, file, "ONE"));
    put_stream(s, file, "two", "2");
    write(s, one, 0, b"data");
    unlink(s, one).unwrap();
    assert_eq!(names(s, file), ["two"]);
    // Both handles go on, and there is nothing more to remove.
    assert_eq!(read(s, same, 0, 10), b"data");
    assert_eq!(unlink(s, one), Err(NtStatus::OBJECT_NAME_NOT_FOUND));
    assert_eq!(unlink(s, same), Err(NtStatus::OBJECT_NAME_NOT_FOUND));
    let new = try_stream(s, file, "one", Existence::MustNotExist).unwrap();
    assert_ne!(new.metadata.node, stat(s, one).node);
    assert_eq!(new.metadata.length, 0);
    assert!(exists(s, "file"));
    unlink(s, new.handle).unwrap();
    unlink(s, stream(s, file, "two")).unwrap();
    assert!(streams(s, file).is_empty());
    put_stream(s, file, "again", "");
    assert_eq!(names(s, file), ["again"]);
}

pub(crate) fn renamed(s: &dyn Storage) {
    let file = create(s, "file");
    put_stream(s, file, "taken", "taken");
    let one = stream(s, file, "one");
    write(s, one, 0, b"1");
    rename_stream(s, one, "other", false).unwrap();
    assert_eq!(names(s, file), ["other", "taken"]);
    // Only another spelling.
    rename_stream(s, one, "OTHER", false).unwrap();
    assert_eq!(names(s, file), ["OTHER", "taken"]);
    assert_eq!(rename_stream(s, one, "Taken", false), Err(NtStatus::OBJECT_NAME_COLLISION));
    rename_stream(s, one, "Taken", true).unwrap();
    assert_eq!(names(s, file), ["Taken"]);
    assert_eq!(stream_content(s, file, "taken").unwrap(), "1");
    assert_eq!(rename_stream(s, file, "x", true), Err(NtStatus::INVALID_PARAMETER));
    assert_eq!(rename(s, one, "elsewhere", true), Err(NtStatus::INVALID_PARAMETER));
    assert_eq!(link(s, one, "elsewhere", true), Err(NtStatus::INVALID_PARAMETER));
    unlink(s, one).unwrap();
    assert_eq!(rename_stream(s, one, "gone", true), Err(NtStatus::OBJECT_NAME_NOT_FOUND));
}

pub(crate) fn go_with_the_file(s: &dyn Storage) {
    for round in 0..3 {
        let file = create(s, "file");
        assert!(streams(s, file).is_empty(), "{round}");
        put_stream(s, file, "stream", "data");
        unlink(s, file).unwrap();
        close(s, file);
    }
    // Also where another takes its place.
    let file = create(s, "target");
    put_stream(s, file, "old", "data");
    close(s, file);
    let source = create(s, "source");
    put_stream(s, source, "new", "data");
    rename(s, source, "target", true).unwrap();
    close(s, source);
    let target = open(s, "target");
    assert_eq!(names(s, target), ["new"]);
    // Whoever has the file open still makes none once it is gone.
    unlink(s, target).unwrap();
    let late = try_stream(s, target, "late", Existence::Either);
    if let Ok(late) = late {
        close(s, late.handle);
    }
    close(s, target);
    let file = create(s, "target");
    assert!(streams(s, file).is_empty());
}

pub(crate) fn of_directories_and_the_root(s: &dyn Storage) {
    mkdir(s, "dir");
    for name in ["dir", ""] {
        let dir = open(s, name);
        let stream = try_stream(s, dir, "stream", Existence::Either).unwrap();
        assert!(!stream.metadata.is_directory());
        assert!(!stream.metadata.attributes.is_empty());
        write(s, stream.handle, 0, b"data");
        assert_eq!(names(s, dir), ["stream"]);
        assert!(stat(s, dir).is_directory());
        assert_eq!(stat(s, dir).length, 0);
        assert!(
            run(s, Job::List { handle: stream.handle, restart: false, limit: 1, security: false }).is_err()
        );
    }
    let dir = open(s, "dir");
    assert!(matches!(
        run(s, Job::IsEmpty { handle: dir }),
        Ok(sansmb_fileserver::storage::Done::Empty(true))
    ));
    unlink(s, dir).unwrap();
    close(s, dir);
    mkdir(s, "dir");
    assert!(streams(s, open(s, "dir")).is_empty());
}

pub(crate) fn stripped(s: &dyn Storage) {
    let file = create(s, "file");
    let stream = stream(s, file, "one");
    put_stream(s, file, "two", "2");
    set_eas(s, file, &[ea("name", b"value")]).unwrap();
    assert_ne!(stat(s, file).ea_size, 0);
    nothing(run(s, Job::Strip { handle: file })).unwrap();
    assert!(streams(s, file).is_empty());
    assert_eq!(eas(s, file), []);
    assert_eq!(stat(s, file).ea_size, 0);
    write(s, stream, 0, b"still open");
    assert_eq!(unlink(s, stream), Err(NtStatus::OBJECT_NAME_NOT_FOUND));
    nothing(run(s, Job::Strip { handle: file })).unwrap();
}

pub(crate) fn renamed_by_another_handle(s: &dyn Storage) {
    let file = create(s, "file");
    let (one, same) = (stream(s, file, "one"), stream(s, file, "one"));
    rename_stream(s, one, "two", false).unwrap();
    put_stream(s, file, "one", "new");
    rename_stream(s, same, "three", false).unwrap();
    assert_eq!(names(s, file), ["one", "three"]);
    unlink(s, one).unwrap();
    assert_eq!(names(s, file), ["one"]);
    assert_eq!(stream_content(s, file, "one").unwrap(), "new");
}

pub(crate) fn stay_with_hard_links(s: &dyn Storage) {
    let file = create(s, "one");
    put_stream(s, file, "stream", "data");
    link(s, file, "two", false).unwrap();
    unlink(s, file).unwrap();
    let two = open(s, "two");
    assert_eq!(stream_content(s, two, "stream").unwrap(), "data");
}

pub(crate) fn o5_bad_names(s: &dyn Storage) {
    let file = create(s, "file");
    for name in ["", "a/b", "a\\b", "a:b", "a\0", "..\\x", "../x", &"x".repeat(256)] {
        let bad = try_stream(s, file, name, Existence::Either).unwrap_err();
        assert_eq!(bad, NtStatus::OBJECT_NAME_INVALID, "{name:?}");
    }
    // These are names like others here.
    for name in [".", "..", "...", "%", "%.", "a*b?c\"<>|", "con", " ", "a.", "a ", "\u{1}", "ä", "$DATA"] {
        put_stream(s, file, name, name);
        assert_eq!(stream_content(s, file, name).as_deref(), Ok(name), "{name:?}");
        assert!(streams(s, file).iter().any(|stream| &*stream.name == name), "{name:?}");
    }
    let long = "x".repeat(250);
    put_stream(s, file, &long, "long");
    assert_eq!(stream_content(s, file, &long.to_uppercase()).as_deref(), Ok("long"));
}

pub(crate) fn many_at_once(s: &dyn Storage) {
    file(s, "file", "");
    let made: usize = std::thread::scope(|scope| {
        let worker = |worker: usize| {
            let file = open(s, "file");
            let mut made = 0;
            for round in 0..50 {
                let name = format!("{}{}", if worker.is_multiple_of(2) { "s" } else { "S" }, round % 5);
                let it = try_stream(s, file, &name, Existence::Either).unwrap();
                made += usize::from(it.created);
                if round % 7 == worker {
                    let _ = unlink(s, it.handle);
                }
                close(s, it.handle);
            }
            made
        };
        let workers: Vec<_> = (0..4).map(|n| scope.spawn(move || worker(n))).collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).sum()
    });
    assert!(made >= 5);
    let file = open(s, "file");
    let mut folded: Vec<String> = names(s, file).iter().map(|name| name.to_uppercase()).collect();
    folded.sort();
    folded.dedup();
    assert_eq!(folded.len(), names(s, file).len(), "none is there twice");
}

pub(crate) fn follow_a_rename(s: &dyn Storage) {
    mkdir(s, "dir");
    let file = create(s, "file");
    let stream = stream(s, file, "stream");
    rename(s, file, "dir/other", false).unwrap();
    write(s, stream, 0, b"data");
    let other = open(s, "dir/other");
    assert_eq!(stream_content(s, other, "STREAM").unwrap(), "data");
    unlink(s, stream).unwrap();
    assert!(streams(s, other).is_empty());
    let _ = try_open(s, "file", Want::Any, Existence::MustExist).unwrap_err();
}
