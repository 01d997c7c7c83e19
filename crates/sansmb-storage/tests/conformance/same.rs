//! Whatever is asked of them, a directory on disk and a share in memory answer the same.

use proptest::prelude::*;
use sansmb::wire::{FileAttributes, NtStatus};
use sansmb_fileserver::storage::{Changes, Done, Existence, Handle, Job, Metadata, Storage, Want};
use sansmb_storage::run;

use crate::helpers::*;

/// One step. Handles are meant by their number among those that are open.
#[derive(Debug, Clone)]
enum Step {
    Open(String, Want, Existence),
    Close(usize),
    Write(usize, u64, usize),
    Read(usize, u64, u32),
    SetLength(usize, u64),
    Zero(usize, u64, u64),
    Copy(usize, u64, usize, u64, u64),
    Rename(usize, String, bool),
    Link(usize, String, bool),
    Unlink(usize),
    Attributes(usize, u32),
    Find(usize, String),
    List(usize),
    IsEmpty(usize),
    Stat(usize),
}

fn name() -> impl Strategy<Value = String> {
    // Few names in several spellings, so that they meet.
    prop::sample::select(vec!["a", "A", "b", "B", "dir", "Dir", "é", "É", ".", "x\u{f022}"])
        .prop_map(String::from)
}

fn some_path() -> impl Strategy<Value = String> {
    prop::collection::vec(name(), 0..4).prop_map(|names| names.join("/"))
}

fn step() -> impl Strategy<Value = Step> {
    let want = prop::sample::select(vec![Want::Any, Want::File, Want::Directory, Want::Directory]);
    let existence = prop::sample::select(vec![
        Existence::MustExist,
        Existence::MustNotExist,
        Existence::Either,
        Existence::Either,
    ]);
    let handle = || 0..6_usize;
    let offset = || prop_oneof![0..20_u64, 65_530..65_540_u64, 0..200_000_u64];
    prop_oneof![
        8 => (some_path(), want, existence).prop_map(|(p, w, e)| Step::Open(p, w, e)),
        2 => handle().prop_map(Step::Close),
        2 => (handle(), offset(), 0..70_000_usize).prop_map(|(h, o, n)| Step::Write(h, o, n)),
        2 => (handle(), offset(), 0..100_000_u32).prop_map(|(h, o, n)| Step::Read(h, o, n)),
        1 => (handle(), offset()).prop_map(|(h, n)| Step::SetLength(h, n)),
        1 => (handle(), offset(), offset()).prop_map(|(h, o, n)| Step::Zero(h, o, n)),
        1 => (handle(), offset(), handle(), offset(), offset()).prop_map(|(f, a, t, b, n)| Step::Copy(f, a, t, b, n)),
        4 => (handle(), some_path(), any::<bool>()).prop_map(|(h, p, r)| Step::Rename(h, p, r)),
        2 => (handle(), some_path(), any::<bool>()).prop_map(|(h, p, r)| Step::Link(h, p, r)),
        3 => handle().prop_map(Step::Unlink),
        1 => (handle(), any::<u32>()).prop_map(|(h, a)| Step::Attributes(h, a)),
        1 => (handle(), name()).prop_map(|(h, n)| Step::Find(h, n)),
        2 => handle().prop_map(Step::List),
        1 => handle().prop_map(Step::IsEmpty),
        1 => handle().prop_map(Step::Stat),
    ]
}

/// What can be compared: numbers of files and times are each backend's own.
fn shown(metadata: &Metadata) -> String {
    format!("{:?} {} links {}", metadata.attributes, metadata.length, metadata.links)
}

fn answer(s: &dyn Storage, opened: &mut Vec<Handle>, step: &Step) -> Result<String, NtStatus> {
    let get = |n: usize| opened.get(n).copied().unwrap_or(Handle(u64::MAX));
    let job = match step.clone() {
        Step::Open(path, want, existence) => open_job(&path, want, existence, RW),
        Step::Close(n) => {
            let handle = get(n);
            if n < opened.len() {
                opened.remove(n);
            }
            Job::Close { handle }
        }
        Step::Write(n, offset, length) => {
            return try_write(s, get(n), offset, &vec![length as u8 | 1; length]).map(|n| n.to_string());
        }
        Step::Read(n, offset, length) => {
            let data = try_read(s, get(n), offset, length)?;
            let sum = data.iter().enumerate().fold(0, |sum, (n, b)| sum + (n as u64 + 1) * u64::from(*b));
            return Ok(format!("{} {sum}", data.len()));
        }
        Step::SetLength(n, length) => Job::SetLength { handle: get(n), length },
        Step::Zero(n, offset, length) => Job::Zero { handle: get(n), offset, length },
        Step::Copy(from, from_offset, to, to_offset, length) => {
            Job::Copy { from: get(from), from_offset, to: get(to), to_offset, length }
        }
        Step::Rename(n, to, replace) => Job::Rename { handle: get(n), to: path(&to), replace, by: None },
        Step::Link(n, to, replace) => Job::Link { handle: get(n), to: path(&to), replace, by: None },
        Step::Unlink(n) => Job::Unlink { handle: get(n) },
        Step::Attributes(n, bits) => {
            let attributes = Some(FileAttributes::from_bits_retain(bits));
            Job::Change { handle: get(n), changes: Changes { attributes, ..Changes::default() } }
        }
        Step::Find(n, name) => Job::Find { handle: get(n), name: name.into(), security: false },
        Step::List(n) => Job::List { handle: get(n), restart: true, limit: 1000, security: false },
        Step::IsEmpty(n) => Job::IsEmpty { handle: get(n) },
        Step::Stat(n) => Job::Stat { handle: get(n) },
    };
    Ok(match run(s, job)? {
        Done::Opened { handle, metadata, created, path, .. } => {
            opened.push(handle);
            format!("{path:?} {created} {}", shown(&metadata))
        }
        Done::Metadata(metadata) => shown(&metadata),
        Done::Found(entry) => format!("{} {}", entry.name, shown(&entry.metadata)),
        Done::Entries { mut entries, end } => {
            entries.sort_by(|a, b| a.name.cmp(&b.name));
            let entries: Vec<_> =
                entries.iter().map(|e| format!("{} {}", e.name, shown(&e.metadata))).collect();
            format!("{entries:?} {end}")
        }
        other => format!("{other:?}"),
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn memory_and_disk(steps in prop::collection::vec(step(), 1..60)) {
        let (disk, memory) = (Fixture::local(), Fixture::memory());
        let (mut on_disk, mut in_memory) = (Vec::new(), Vec::new());
        let mut told = Vec::new();
        for step in &steps {
            let a = answer(&*disk, &mut on_disk, step);
            let b = answer(&*memory, &mut in_memory, step);
            told.push(format!("{step:?} -> {a:?}"));
            prop_assert_eq!(a, b, "disk and memory after\n{}", told.join("\n"));
        }
    }
}

/// Many at once neither hang nor panic, and what is left is whole.
fn all_at_once(s: &dyn Storage) {
    use proptest::{strategy::ValueTree, test_runner::TestRunner};
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut runner = TestRunner::deterministic();
                let steps =
                    prop::collection::vec(step(), 1500..1501).new_tree(&mut runner).unwrap().current();
                let mut opened = Vec::new();
                for step in &steps {
                    let _ = answer(s, &mut opened, step);
                }
                for handle in opened {
                    close(s, handle);
                }
            });
        }
    });
    // Everything can be listed and removed.
    fn clear(s: &dyn Storage, dir: &str) {
        for name in list(s, dir) {
            let path = format!("{dir}/{name}");
            let it = try_open(s, &path, Want::Any, Existence::MustExist).unwrap();
            if it.metadata.is_directory() {
                clear(s, &path);
            }
            unlink(s, it.handle).unwrap();
            close(s, it.handle);
        }
    }
    clear(s, "");
    assert!(list(s, "").is_empty());
}

#[test]
fn all_at_once_on_disk() {
    all_at_once(&*Fixture::local());
}

#[test]
fn all_at_once_in_memory() {
    all_at_once(&*Fixture::memory());
}
