//! Names, lookups and listings.

use std::{collections::BTreeSet, time::Instant};

use sansmb::wire::NtStatus;
use sansmb_fileserver::storage::{Existence, Storage, Want};

use crate::helpers::*;

pub(crate) fn other_case_finds_the_same(s: &dyn Storage) {
    mkdir(s, "Größe");
    file(s, "Größe/Straße.TXT", "x");
    for name in ["Größe/Straße.TXT", "gRÖße/STRAßE.txt", "GRÖßE/straße.Txt"] {
        let it = try_open(s, name, Want::Any, Existence::MustExist).unwrap();
        assert_eq!(it.path, "Größe/Straße.TXT");
        close(s, it.handle);
        assert_eq!(
            try_open(s, name, Want::Any, Existence::MustNotExist).unwrap_err(),
            NtStatus::OBJECT_NAME_COLLISION
        );
        assert!(!try_open(s, name, Want::Any, Existence::Either).unwrap().created);
    }
    assert!(!exists(s, "Größe/Strasse.TXT"));
    // A parent found in another spelling gives the new file's path in the spelling of the storage.
    let made = try_open(s, "GRÖßE/New.txt", Want::File, Existence::MustNotExist).unwrap();
    assert_eq!(made.path, "Größe/New.txt");
}

pub(crate) fn case_is_kept(s: &dyn Storage) {
    file(s, "MixedCase.Txt", "");
    assert_eq!(list(s, ""), ["MixedCase.Txt"]);
    remove(s, "mixedcase.txt");
    assert!(list(s, "").is_empty());
    file(s, "mIXEDcASE.tXT", "");
    assert_eq!(list(s, ""), ["mIXEDcASE.tXT"]);
}

pub(crate) fn lookup_in_directories(s: &dyn Storage) {
    mkdir(s, "dir");
    file(s, "dir/File", "12345");
    let dir = open(s, "dir");
    for name in ["File", "FILE"] {
        let entry = find(s, dir, name).unwrap();
        assert_eq!((&*entry.name, entry.metadata.length), ("File", 5));
    }
    assert_eq!(find(s, dir, "other").unwrap_err(), NtStatus::NO_SUCH_FILE);
    let (entries, _) = batch(s, dir, true, 10);
    assert_eq!(entries[0], find(s, dir, "fILE").unwrap());
    let file = open(s, "dir/file");
    assert_eq!(entries[0].metadata, stat(s, file));
    assert!(find(s, file, "x").is_err());
}

pub(crate) fn unusual_names(s: &dyn Storage) {
    let names = [
        "a b",
        "ünï",
        "日本語",
        "x\u{301}",
        "emoji 😀",
        "a\u{f022}b",
        "end\u{f029}",
        "~",
        "-rf",
        "a%00b",
        ".dot",
    ];
    for name in names {
        file(s, name, name);
    }
    let mut expected: Vec<_> = names.iter().map(ToString::to_string).collect();
    expected.sort();
    assert_eq!(list(s, ""), expected);
    for name in names {
        assert_eq!(content(s, name), name);
    }
    // Each letter alone is in the bounds of Windows, in bytes it is too long for most disks.
    let long = "x".repeat(255);
    file(s, &long, "long");
    assert_eq!(content(s, &long), "long");
    let e = try_open(s, &"x".repeat(256), Want::File, Existence::MustNotExist).unwrap_err();
    assert_eq!(e, NtStatus::OBJECT_NAME_INVALID);
    for bad in [".", "..", "a\0b"] {
        let e = try_open(s, bad, Want::Any, Existence::Either).unwrap_err();
        assert_eq!(e, NtStatus::OBJECT_NAME_INVALID, "{bad:?}");
    }
    let slash = sansmb_fileserver::storage::SharePath(vec!["a/b".into()]);
    let job = sansmb_fileserver::storage::Job::Open {
        path: slash,
        want: Want::Any,
        existence: Existence::Either,
        rights: RW,
        attributes: Default::default(),
        no_follow: false,
        creator: None,
    };
    assert_eq!(sansmb_storage::run(s, job).unwrap_err(), NtStatus::OBJECT_NAME_INVALID);
}

#[expect(clippy::disallowed_methods, reason = "a bound on real time")]
pub(crate) fn ten_thousand_files(s: &dyn Storage) {
    mkdir(s, "many");
    let started = Instant::now();
    for n in 0..10_000 {
        close(s, create(s, &format!("many/File{n:05}.dat")));
    }
    let creating = started.elapsed();
    let started = Instant::now();
    for n in 0..10_000 {
        assert!(exists(s, &format!("MANY/fILE{n:05}.DAT")));
        assert!(!exists(s, &format!("MANY/fILE{n:05}.TXT")));
    }
    let finding = started.elapsed();
    assert_eq!(list(s, "many").len(), 10_000);
    let started = Instant::now();
    for n in 0..10_000 {
        remove(s, &format!("many/FILE{n:05}.dat"));
    }
    println!(
        "10,000 files: created in {creating:?}, found in {finding:?}, removed in {:?}",
        started.elapsed()
    );
    assert!(list(s, "many").is_empty());
    // Quadratic behaviour would take minutes. A busy machine is no failure.
    assert!(creating.as_secs() < 90, "{creating:?}");
}

pub(crate) fn listing_in_batches(s: &dyn Storage) {
    mkdir(s, "dir");
    for n in 0..500 {
        file(s, &format!("dir/f{n}"), "");
    }
    mkdir(s, "dir/sub");
    let dir = open(s, "dir");
    for limit in [1, 7, 100, 1000] {
        let mut seen = BTreeSet::new();
        let mut restart = true;
        loop {
            let (entries, end) = batch(s, dir, restart, limit);
            restart = false;
            assert!(entries.len() <= limit);
            assert!(end || !entries.is_empty());
            for entry in entries {
                assert_eq!(entry.metadata.is_directory(), &*entry.name == "sub");
                assert!(seen.insert(entry.name), "each entry comes once");
            }
            if end {
                break;
            }
        }
        assert_eq!(seen.len(), 501);
        assert_eq!(batch(s, dir, false, limit).0.len(), 0, "the end stays the end");
        assert!(batch(s, dir, false, limit).1);
    }
    // Another handle has a position of its own.
    let other = open(s, "dir");
    batch(s, dir, true, 10);
    assert_eq!(batch(s, other, false, 1000).0.len(), 501);
    // So has each of the root.
    (0..9).for_each(|n| file(s, &format!("top{n}"), ""));
    let (one, other) = (open(s, ""), open(s, ""));
    assert_eq!(batch(s, one, true, 4).0.len(), 4);
    assert_eq!(batch(s, other, true, 100).0.len(), 10);
    assert_eq!(batch(s, one, false, 100).0.len(), 6);
}

pub(crate) fn listing_while_it_changes(s: &dyn Storage) {
    for n in 0..300 {
        file(s, &format!("f{n:03}"), "");
    }
    let dir = open(s, "");
    let mut seen: BTreeSet<_> = batch(s, dir, true, 50).0.into_iter().map(|e| e.name.to_string()).collect();
    let gone: BTreeSet<_> = (0..300).step_by(3).map(|n| format!("f{n:03}")).collect();
    for name in &gone {
        remove(s, name);
    }
    loop {
        let (entries, end) = batch(s, dir, false, 50);
        for entry in entries {
            assert!(seen.insert(entry.name.to_string()), "no entry comes twice");
        }
        if end {
            break;
        }
    }
    for n in 0..300 {
        let name = format!("f{n:03}");
        assert!(seen.contains(&name) || gone.contains(&name), "{name} stayed and must be listed");
    }
}

pub(crate) fn vanishing_entries_are_skipped(s: &dyn Storage) {
    std::thread::scope(|scope| {
        let churn = scope.spawn(|| {
            for n in 0..300 {
                file(s, &format!("churn{}", n % 7), "");
                remove(s, &format!("churn{}", n % 7));
            }
        });
        file(s, "stays", "");
        while !churn.is_finished() {
            assert!(list(s, "").contains(&"stays".to_string()));
        }
    });
    assert_eq!(list(s, ""), ["stays"]);
}

pub(crate) fn deep_paths(s: &dyn Storage) {
    // 32 Ki UTF-16 units is what an SMB path can have.
    let name = "n".repeat(250);
    let mut path = String::new();
    for depth in 0..40 {
        path.push_str(&format!("{depth}{name}"));
        mkdir(s, &path);
        path.push('/');
    }
    assert!(path.len() > 10_000);
    file(s, &format!("{path}File"), "deep");
    assert_eq!(content(s, &format!("{path}File")), "deep");
    assert_eq!(content(s, &format!("{}fILE", path.to_uppercase())), "deep");
    let handle = open(s, &format!("{path}file"));
    rename(s, handle, "up", false).unwrap();
    rename(s, handle, &format!("{path}down"), false).unwrap();
    unlink(s, handle).unwrap();
    assert!(list(s, &path).is_empty());
}
