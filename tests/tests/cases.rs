//! The cases of `testdata/cases`: names from Microsoft's protocol test suite, told in words of our own
//! and played in memory.
//!
//! `SANSMB_CASE=part of a name` plays some of them. `SANSMB_BLESS=1` writes `bytes.tsv` and the
//! conversations under `bytes/` anew: do that when an answer's bytes were meant to change, and look at
//! the difference.

use std::{collections::BTreeMap, fs, path::PathBuf};

use sansmb_tests::cases::{Case, Record, read, run};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../testdata/cases")
}

/// All cases, file by file in the order of their names.
fn all() -> Vec<Case> {
    let entries = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|e| e == "case")).collect();
    files.sort();
    files.iter().flat_map(|file| read(file).unwrap_or_else(|error| panic!("{error}"))).collect()
}

/// The lines of a table, without comments.
fn table(name: &str) -> Vec<Vec<String>> {
    let text = fs::read_to_string(folder().join(name)).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    lines.map(|line| line.split('\t').map(str::to_owned).collect()).collect()
}

/// Plays all cases that are wanted; panics with every difference.
fn play() -> BTreeMap<String, Record> {
    let part = std::env::var("SANSMB_CASE").unwrap_or_default();
    let mut records = BTreeMap::new();
    let mut failures = Vec::new();
    for case in all().iter().filter(|case| case.name.contains(&part)) {
        match run(case) {
            Ok(record) => drop(records.insert(case.name.clone(), record)),
            Err(failure) => failures.push(failure.to_string()),
        }
    }
    assert!(failures.is_empty(), "{} cases fail:\n\n{}\n", failures.len(), failures.join("\n\n"));
    records
}

#[test]
fn every_case_goes_as_it_is_told() {
    play();
}

#[test]
fn every_case_is_the_same_bytes_as_before() {
    let records = play();
    let bless = std::env::var_os("SANSMB_BLESS").is_some();
    if bless {
        let lines = records.iter().map(|(name, record)| format!("{name}\t{}\n", record.hash()));
        fs::write(folder().join("bytes.tsv"), lines.collect::<String>()).unwrap();
    }
    let kept: BTreeMap<String, String> = table("bytes.tsv").into_iter().map(pair).collect();
    let mut differ = Vec::new();
    for (name, record) in &records {
        let dump = folder().join(format!("bytes/{name}.txt"));
        if bless && dump.exists() {
            fs::write(&dump, record.dump()).unwrap();
        }
        if kept.get(name) != Some(&record.hash()) {
            let changed =
                fs::read_to_string(&dump).ok().and_then(|text| first_difference(&text, &record.dump()));
            differ.push(format!("{name}{}", changed.unwrap_or_default()));
        }
    }
    assert!(differ.is_empty(), "other bytes than before (see SANSMB_BLESS):\n{}", differ.join("\n"));
}

fn pair(line: Vec<String>) -> (String, String) {
    let [name, value] = <[String; 2]>::try_from(line).expect("two columns");
    (name, value)
}

fn first_difference(before: &str, now: &str) -> Option<String> {
    let mut lines = before.lines().zip(now.lines()).enumerate();
    let (at, (before, now)) = lines.find(|(_, (before, now))| before != now)?;
    Some(format!(", line {} of its conversation:\n  before {before}\n  now    {now}", at + 1))
}

#[test]
fn every_case_looks_at_what_it_is_about() {
    for case in all() {
        assert!(case.looks_closer(), "{} only looks whether things succeed", case.name);
    }
}

#[test]
fn what_is_absent_in_one_case_is_there_in_another() {
    /// What this server never sends.
    const NEVER: [&str; 3] = ["CONTEXT", "context", "RDMA"];
    let records = play();
    let seen: Vec<&str> = records.values().flat_map(Record::names).collect();
    for case in all() {
        for name in case.absent() {
            let dotted = format!("{name}.");
            let known = seen.iter().any(|n| *n == name || n.starts_with(&dotted));
            assert!(known || NEVER.contains(&name.as_str()), "{}: no answer ever has {name}", case.name);
        }
    }
}

#[test]
fn conversations_that_are_kept_are_those_of_cases() {
    let names: Vec<String> = all().into_iter().map(|case| case.name).collect();
    for entry in fs::read_dir(folder().join("bytes")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        assert!(names.contains(&name), "{} belongs to no case", path.display());
        let messages = sansmb_tests::transcript::read(&path);
        assert!(messages.iter().all(|message| !message.bytes.is_empty()), "{}", path.display());
    }
}

#[test]
fn every_name_is_a_case_or_has_a_reason() {
    let names: Vec<String> = all().into_iter().map(|case| case.name).collect();
    let out: BTreeMap<String, String> = table("out.tsv").into_iter().map(pair).collect();
    for line in table("wanted.tsv") {
        let name = &line[1];
        match (names.iter().filter(|n| *n == name).count(), out.get(name)) {
            (1, None) => {}
            (0, Some(reason)) => assert!(reason.len() > 10, "{name} is left out for no reason"),
            (0, None) => panic!("{name} is neither told nor left out"),
            (1, Some(_)) => panic!("{name} is told and left out"),
            _ => panic!("{name} is told twice"),
        }
    }
    let wanted: Vec<String> = table("wanted.tsv").into_iter().map(|line| line[1].clone()).collect();
    for name in names.iter().chain(out.keys()) {
        assert!(wanted.contains(name), "nobody wants {name}");
    }
}
