//! What the sources themselves have to keep to: layers, lengths, nothing left to be done.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// The core's layers from the top: each imports only from rows above its own.
const LAYERS: [&[&str]; 6] =
    [&["time"], &["wire"], &["crypto", "auth", "compress"], &["conn"], &["op"], &["client", "server", "rpc"]];
/// No source file is longer.
const MAX_LINES: usize = 800;
/// The adapters add a socket, a timer and `spawn`, nothing else.
const BUDGETS: [(&str, usize); 3] = [("sansmb-tokio", 400), ("sansmb-smol", 400), ("sansmb-blocking", 500)];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_owned()
}

/// The Rust sources under `dir`, with their text.
fn sources(dir: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let Ok(entries) = fs::read_dir(dir) else { return found };
    for entry in entries {
        let path = entry.expect("a directory entry").path();
        if path.is_dir() {
            if path.file_name().is_none_or(|name| name != "target") {
                found.extend(sources(&path));
            }
        } else if path.extension().is_some_and(|e| e == "rs") {
            let text = fs::read_to_string(&path).expect("a source file");
            found.push((path, text));
        }
    }
    found
}

/// The modules of the crate that `text` names as `crate::x` or in a `use crate::{x, ..}`.
fn imports(text: &str) -> BTreeSet<String> {
    let code: String =
        text.lines().filter(|l| !l.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    let mut found = BTreeSet::new();
    for rest in code.split("crate::").skip(1) {
        let Some(group) = rest.strip_prefix('{') else {
            found.insert(word(rest));
            continue;
        };
        // The names right inside the outer braces.
        let (mut depth, mut fresh) = (1, true);
        for (at, c) in group.char_indices() {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 1 => fresh = true,
                c if depth == 1 && fresh && c.is_alphabetic() => {
                    found.insert(word(&group[at..]));
                    fresh = false;
                }
                _ => {}
            }
            if depth == 0 {
                break;
            }
        }
    }
    found
}

fn word(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|row| row.contains(&module))
}

#[test]
fn a_layer_imports_only_from_those_above_it() {
    let src = root().join("crates/sansmb/src");
    let mut wrong = Vec::new();
    for (path, text) in sources(&src) {
        let inside = path.strip_prefix(&src).expect("inside");
        let first = inside.iter().next().and_then(|p| p.to_str()).expect("a name");
        let module = first.trim_end_matches(".rs");
        if module == "lib" {
            continue;
        }
        let own = layer(module).unwrap_or_else(|| panic!("{module} has no place among the layers"));
        for import in imports(&text) {
            // Macros that the crate re-exports have no module.
            let Some(theirs) = layer(&import) else { continue };
            if import != module && theirs >= own {
                wrong.push(format!("{} imports from {import}", inside.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn imports_are_found_in_every_form() {
    let text = "use crate::{\n    conn::{Rx, Tx},\n    wire::{self, Body},\n};\nuse crate::op;\n// crate::client\nlet x = crate::time::Now;";
    let expected = ["conn", "op", "time", "wire"];
    assert_eq!(imports(text).iter().map(String::as_str).collect::<Vec<_>>(), expected);
}

#[test]
fn no_source_file_is_too_long() {
    let mut long = Vec::new();
    for dir in ["crates", "tests", "fuzz"] {
        for (path, text) in sources(&root().join(dir)) {
            let lines = text.lines().count();
            if lines > MAX_LINES {
                long.push(format!("{}: {lines} lines", path.display()));
            }
        }
    }
    assert!(long.is_empty(), "{long:#?}");
}

#[test]
fn adapters_stay_thin() {
    for (name, budget) in BUDGETS {
        let lines: usize = sources(&root().join("crates").join(name).join("src"))
            .iter()
            .map(|(_, text)| text.lines().count())
            .sum();
        assert!(lines > 0 && lines <= budget, "{name} has {lines} lines, its budget is {budget}");
    }
}

#[test]
fn nothing_is_left_to_be_done() {
    let marks = ["todo", "unimplemented", "dbg"].map(|name| format!("{name}!("));
    let mut left = Vec::new();
    for (path, text) in sources(&root().join("crates")) {
        for (at, line) in text.lines().enumerate() {
            if marks.iter().any(|mark| line.contains(mark.as_str())) {
                left.push(format!("{}:{}", path.display(), at + 1));
            }
        }
    }
    assert!(left.is_empty(), "{left:#?}");
}
