//! docs/abuse.md lists for every row of attacks where its tests are; here the list is checked.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_owned()
}

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).into_iter().flatten() {
        let path = entry.expect("a directory entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

/// The row that a word such as `n5` names.
fn row(word: &str) -> Option<(char, u32)> {
    let kind = word.chars().next().filter(|c| "fncmo".contains(*c))?;
    Some((kind, word[1..].parse().ok()?))
}

/// The rows that a test is named for.
fn rows(name: &str) -> BTreeSet<(char, u32)> {
    let words: Vec<&str> = name.split('_').collect();
    let mut found: BTreeSet<_> = words.iter().map_while(|w| row(w)).collect();
    if let [first, "to", last, ..] = words[..]
        && let (Some((kind, first)), Some((_, last))) = (row(first), row(last))
    {
        found.extend((first..=last).map(|n| (kind, n)));
    }
    found
}

/// How the list writes a path.
fn short(path: &Path) -> String {
    let path = path.strip_prefix(root()).expect("inside").to_str().expect("a path").to_owned();
    path.strip_prefix("tests/tests/")
        .map(|rest| format!("kit/{rest}"))
        .or_else(|| path.strip_prefix("crates/sansmb/").map(|rest| format!("core/{rest}")))
        .or_else(|| path.strip_prefix("crates/sansmb-").map(str::to_owned))
        .unwrap_or(path)
}

#[test]
fn the_list_of_attacks_says_where_their_tests_are() {
    let mut paths = Vec::new();
    sources(&root().join("crates"), &mut paths);
    sources(&root().join("tests"), &mut paths);
    let mut written: BTreeMap<(char, u32), BTreeSet<String>> = BTreeMap::new();
    for path in paths {
        let text = fs::read_to_string(&path).expect("a source file");
        for name in text.split("fn ").skip(1) {
            let name: String = name.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            for row in rows(&name) {
                written.entry(row).or_default().insert(short(&path));
            }
        }
    }
    let list = fs::read_to_string(root().join("docs/abuse.md")).expect("the list");
    let mut listed: BTreeMap<(char, u32), BTreeSet<String>> = BTreeMap::new();
    for line in list.lines() {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, name, _, _, tests, _] = cells[..] else { continue };
        let Some(row) = row(&name.to_lowercase()) else { continue };
        let tests = tests.split(", ").filter_map(|t| t.strip_prefix('`')?.strip_suffix('`'));
        let fresh = listed.insert(row, tests.map(str::to_owned).collect());
        assert!(fresh.is_none(), "{name} is listed twice");
    }
    for row in written.keys() {
        let told = listed.get(row).unwrap_or_else(|| panic!("{row:?} is not listed"));
        assert!(!told.is_empty(), "the tests of {row:?} are not listed");
    }
    for (row, places) in listed {
        assert!(!places.is_empty(), "{row:?} has no test");
        let there = written.remove(&row).unwrap_or_default();
        let gone: Vec<_> = places.difference(&there).collect();
        assert!(gone.is_empty(), "{row:?} has no tests in {gone:?}");
    }
}
