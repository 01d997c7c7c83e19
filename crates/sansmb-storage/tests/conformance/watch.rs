//! Changes that others make in a directory that is watched.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    sync::mpsc::{Receiver, channel},
    time::Duration,
};

use sansmb::wire::{CompletionFilter, FileAttributes, NtStatus, fscc::NotifyAction};
use sansmb_fileserver::storage::{Changes, Done, Handle, Job, Outcome, Storage};
use sansmb_storage::run;

use crate::helpers::*;

type Told = Vec<(NotifyAction, String)>;

const ADDED: NotifyAction = NotifyAction::ADDED;
const REMOVED: NotifyAction = NotifyAction::REMOVED;
const MODIFIED: NotifyAction = NotifyAction::MODIFIED;
const OLD: NotifyAction = NotifyAction::RENAMED_OLD_NAME;
const NEW: NotifyAction = NotifyAction::RENAMED_NEW_NAME;

fn watch(s: &dyn Storage, handle: Handle, tree: bool) -> Receiver<Outcome> {
    let (done, outcome) = channel();
    s.submit(Job::Watch { handle, tree }, Box::new(move |it| drop(done.send(it))));
    outcome
}

fn wait(outcome: &Receiver<Outcome>) -> Outcome {
    outcome.recv_timeout(Duration::from_secs(20)).expect("an outcome in time")
}

/// The next changes, at least `count` of them.
#[track_caller]
fn changes(s: &dyn Storage, handle: Handle, tree: bool, first: Receiver<Outcome>, count: usize) -> Told {
    let (mut outcome, mut told) = (first, Told::new());
    loop {
        let Ok(Done::Changed { changes, lost: false }) = wait(&outcome) else { panic!("{told:?}") };
        told.extend(changes.into_iter().map(|it| (it.action, it.path.0.join("/"))));
        if told.len() >= count {
            return told;
        }
        outcome = watch(s, handle, tree);
    }
}

/// The changes up to the file `mark` that the test makes last; a file that changed several times in a row is told
/// once, since the system tells those changes together or one by one, as it is read in time or not.
#[track_caller]
fn changes_until(s: &dyn Storage, handle: Handle, first: Receiver<Outcome>, mark: &str) -> Told {
    let (mut outcome, mut told) = (first, Told::new());
    loop {
        told.extend(changes(s, handle, false, outcome, 1));
        if told.last() == Some(&(ADDED, mark.to_owned())) {
            told.pop();
            told.dedup_by(|a, b| a.0 == MODIFIED && a == b);
            return told;
        }
        outcome = watch(s, handle, false);
    }
}

fn pairs(expected: &[(NotifyAction, &str)]) -> Told {
    expected.iter().map(|(action, name)| (*action, (*name).to_owned())).collect()
}

#[test]
fn what_others_do_is_told() {
    let f = Fixture::local();
    let s = &*f;
    mkdir(s, "dir");
    mkdir(s, "else");
    let dir = open(s, "dir");
    let first = watch(s, dir, false);
    fs::File::create(f.on_disk("dir/file")).unwrap();
    fs::rename(f.on_disk("dir/file"), f.on_disk("dir/other")).unwrap();
    fs::rename(f.on_disk("dir/other"), f.on_disk("else/other")).unwrap();
    fs::rename(f.on_disk("else/other"), f.on_disk("dir/back:")).unwrap();
    fs::create_dir(f.on_disk("dir/sub")).unwrap();
    fs::File::create(f.on_disk("dir/sub/deep")).unwrap();
    fs::remove_dir_all(f.on_disk("dir/sub")).unwrap();
    fs::write(f.on_disk("dir/back:"), "data").unwrap();
    fs::set_permissions(f.on_disk("dir/back:"), fs::Permissions::from_mode(0o600)).unwrap();
    let expected = pairs(&[
        (ADDED, "file"),
        (OLD, "file"),
        (NEW, "other"),
        (REMOVED, "other"),
        (ADDED, "back\u{f022}"),
        (ADDED, "sub"),
        (REMOVED, "sub"),
        (MODIFIED, "back\u{f022}"),
    ]);
    fs::File::create(f.on_disk("dir/mark")).unwrap();
    assert_eq!(changes_until(s, dir, first, "mark"), expected);
    // It says what a change may be.
    let outcome = watch(s, dir, false);
    fs::create_dir(f.on_disk("dir/sub")).unwrap();
    let Ok(Done::Changed { changes, .. }) = wait(&outcome) else { panic!() };
    assert_eq!(changes[0].kind, CompletionFilter::DIR_NAME);
}

#[test]
fn what_this_server_does_is_not_told() {
    let f = Fixture::local();
    let s = &*f;
    let root = open(s, "");
    let first = watch(s, root, true);
    mkdir(s, "Dir");
    let handle = create(s, "DIR/file");
    write(s, handle, 0, b"data");
    nothing(run(s, Job::SetLength { handle, length: 2 })).unwrap();
    let changes_of = Changes { attributes: Some(FileAttributes::HIDDEN), ..Changes::default() };
    nothing(run(s, Job::Change { handle, changes: changes_of })).unwrap();
    nothing(run(s, Job::Flush { handle })).unwrap();
    rename(s, handle, "dir/renamed", false).unwrap();
    rename(s, handle, "up", false).unwrap();
    let dir = open(s, "dir");
    rename(s, dir, "moved", false).unwrap();
    file(s, "moved/inside", "x");
    rename(s, handle, "moved/INSIDE", true).unwrap();
    nothing(run(s, Job::Unlink { handle })).unwrap();
    nothing(run(s, Job::Unlink { handle: dir })).unwrap();
    fs::File::create(f.on_disk("mark")).unwrap();
    assert_eq!(changes(s, root, true, first, 1), pairs(&[(ADDED, "mark")]));
}

#[test]
fn everything_beneath_is_told_where_the_whole_tree_is_watched() {
    let f = Fixture::local();
    let s = &*f;
    mkdir(s, "a");
    mkdir(s, "a/b");
    let root = open(s, "");
    let tree = watch(s, root, true);
    // The directories that there are already are found on another thread.
    std::thread::sleep(Duration::from_millis(300));
    fs::File::create(f.on_disk("a/b/file")).unwrap();
    assert_eq!(changes(s, root, true, tree, 1), pairs(&[(ADDED, "a/b/file")]));
    let tree = watch(s, root, true);
    fs::rename(f.on_disk("a/b"), f.on_disk("a/c")).unwrap();
    assert_eq!(changes(s, root, true, tree, 2), pairs(&[(OLD, "a/b"), (NEW, "a/c")]));
    let tree = watch(s, root, true);
    fs::File::create(f.on_disk("a/c/more")).unwrap();
    assert_eq!(changes(s, root, true, tree, 1), pairs(&[(ADDED, "a/c/more")]));
    // What comes along with a directory from elsewhere came with it.
    let outside = tempfile::tempdir_in(f.on_disk("").parent().unwrap()).unwrap();
    fs::create_dir_all(outside.path().join("x/y")).unwrap();
    fs::write(outside.path().join("x/y/z"), "").unwrap();
    symlink("/", outside.path().join("x/link")).unwrap();
    let tree = watch(s, root, true);
    fs::rename(outside.path().join("x"), f.on_disk("x")).unwrap();
    let mut told = changes(s, root, true, tree, 4);
    told.sort_by(|a, b| a.1.cmp(&b.1));
    assert_eq!(told, pairs(&[(ADDED, "x"), (ADDED, "x/link"), (ADDED, "x/y"), (ADDED, "x/y/z")]));
    // A directory of this server's own is watched from the moment it is there.
    mkdir(s, "mine");
    let tree = watch(s, root, true);
    fs::File::create(f.on_disk("mine/theirs")).unwrap();
    assert_eq!(changes(s, root, true, tree, 1), pairs(&[(ADDED, "mine/theirs")]));
}

/// Whoever reads the news of the directory first, its maker or the thread that reads all news.
#[test]
fn what_comes_into_a_directory_that_this_server_just_made_is_told() {
    let f = Fixture::local();
    let s = &*f;
    let root = open(s, "");
    for n in 0..1000 {
        let told = watch(s, root, true);
        mkdir(s, &format!("mine {n}"));
        fs::File::create(f.on_disk(&format!("mine {n}/theirs"))).unwrap();
        assert_eq!(changes(s, root, true, told, 1), pairs(&[(ADDED, &format!("mine {n}/theirs"))]));
    }
}

#[test]
fn a_watch_ends_when_it_is_given_up() {
    let f = Fixture::local();
    let s = &*f;
    for end in 0..2 {
        let root = open(s, "");
        let outcome = watch(s, root, true);
        let job = if end == 0 { Job::Unwatch { handle: root } } else { Job::Close { handle: root } };
        nothing(run(s, job)).unwrap();
        assert_eq!(wait(&outcome).unwrap_err(), NtStatus::CANCELLED);
        assert!(outcome.recv().is_err(), "once");
    }
    // What happens without a watch is not kept, and another watch starts anew.
    let root = open(s, "");
    drop(watch(s, root, false));
    nothing(run(s, Job::Unwatch { handle: root })).unwrap();
    fs::File::create(f.on_disk("unseen")).unwrap();
    let outcome = watch(s, root, false);
    fs::File::create(f.on_disk("seen")).unwrap();
    assert_eq!(changes(s, root, false, outcome, 1), pairs(&[(ADDED, "seen")]));
    let outcome = watch(s, root, false);
    drop(f);
    assert_eq!(wait(&outcome).unwrap_err(), NtStatus::CANCELLED);
}

#[test]
fn o22_changes_that_nobody_takes_are_bounded() {
    let f = Fixture::local();
    let s = &*f;
    let root = open(s, "");
    let mut outcome = watch(s, root, false);
    for n in 0..100_000 {
        fs::File::create(f.on_disk(&format!("file{n}"))).unwrap();
        if n % 4000 == 3999 {
            let Ok(Done::Changed { changes, lost }) = wait(&outcome) else { panic!() };
            assert!(changes.len() <= 1024);
            if lost {
                return assert!(changes.is_empty());
            }
            outcome = watch(s, root, false);
        }
    }
    panic!("nothing was lost");
}

#[test]
fn only_directories_are_watched_and_only_where_it_can_be_told() {
    let f = Fixture::local();
    file(&*f, "file", "");
    let handle = open(&*f, "file");
    assert!(wait(&watch(&*f, handle, false)).is_err());
    let f = Fixture::memory();
    let root = open(&*f, "");
    assert_eq!(wait(&watch(&*f, root, false)).unwrap_err(), NtStatus::NOT_SUPPORTED);
}
