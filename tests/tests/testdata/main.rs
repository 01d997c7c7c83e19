//! Holds the codec and the cryptography against `testdata/captures` and `testdata/sessions`.

mod body;
mod capture;
mod captures;
mod sessions;

use sansmb_tests::transcript::hex;

/// A folder of `testdata`.
fn testdata(folder: &str) -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata").join(folder)
}

/// The files in a folder of `testdata` that end so, sorted.
fn files(folder: &str, ending: &str) -> Vec<std::path::PathBuf> {
    let mut files: Vec<_> = std::fs::read_dir(testdata(folder))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().ends_with(ending))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "no {ending} in {folder}");
    files
}
