//! Counts the instructions of the core's hot paths under callgrind, and compares them with those that were recorded
//! in `tests/core/instructions.toml`:
//!
//! ```text
//! cargo run --release -p sansmb-tests-core --bin instructions
//! cargo run --release -p sansmb-tests-core --bin instructions -- --record
//! ```
//!
//! Unlike times they are the same on a busy machine, and from one run to the next.

use std::{
    collections::BTreeMap,
    env, fmt,
    fs::{self, read_to_string},
    path::{Path, PathBuf},
    process::{self, Command, ExitCode, Stdio},
};

use sansmb::wire::{Cipher, FileAttributes, SigningAlgorithm, Utf16Buf, fscc};
use sansmb_tests_core::{Ask, HotPath, Protection};
use serde::Deserialize;

/// More than so many percent above what is recorded fails; as many below, and the record has to follow.
const BOUND: f64 = 3.0;
/// Rounds until all tables and buffers have the size that they keep.
const WARM: usize = 40;
const ROUNDS: usize = 40;
/// Copies and fills that an instruction of the processor's own does count as one for every byte, and which do it that
/// way depends on the processor: none shall.
const TUNABLES: &str =
    "glibc.cpu.x86_rep_movsb_threshold=1073741824:glibc.cpu.x86_rep_stosb_threshold=1073741824";
/// Entries of the listing that is decoded.
const ENTRIES: u64 = 256;

/// What is counted.
#[derive(Clone, Copy, Debug)]
enum Subject {
    Server(Ask, Protection),
    Client(Ask, Protection),
    Listing,
}

fn subjects() -> Vec<Subject> {
    use Protection::{Encrypted, Plain, Signed};
    let asks = [Ask::Echo, Ask::Read, Ask::Write, Ask::Create];
    let gmac = Signed(SigningAlgorithm::AES_GMAC);
    let cases = asks.into_iter().map(|ask| (ask, Plain)).chain([
        (Ask::Echo, gmac),
        (Ask::Read, gmac),
        (Ask::Write, gmac),
        (Ask::Read, Encrypted(Cipher::AES_128_GCM)),
        (Ask::Write, Encrypted(Cipher::AES_128_GCM)),
    ]);
    let cases: Vec<_> = cases.collect();
    let server = cases.iter().map(|(ask, protection)| Subject::Server(*ask, *protection));
    let client = cases.iter().map(|(ask, protection)| Subject::Client(*ask, *protection));
    server.chain(client).chain([Subject::Listing]).collect()
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (side, ask, protection) = match self {
            Self::Server(ask, protection) => ("server", ask, protection),
            Self::Client(ask, protection) => ("client", ask, protection),
            Self::Listing => return f.write_str("an entry of a listing"),
        };
        let ask = match ask {
            Ask::Echo => "ECHO",
            Ask::Read | Ask::ReadBuffer => "READ 4 KiB",
            Ask::Write => "WRITE 4 KiB",
            Ask::Create => "CREATE",
        };
        write!(f, "{side} {ask}")?;
        match protection {
            Protection::Plain => Ok(()),
            Protection::Signed(algorithm) => write!(f, " {algorithm}"),
            Protection::Encrypted(cipher) => write!(f, " {cipher}"),
        }
    }
}

/// What was recorded, and with what.
#[derive(Debug, Deserialize)]
struct Recorded {
    rustc: String,
    instructions: BTreeMap<String, u64>,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match arguments[..] {
        [] => compare(),
        ["--record"] => record(),
        ["--run", at] => {
            let at: usize = at.parse().expect("a number");
            run(subjects()[at]);
            return ExitCode::SUCCESS;
        }
        _ => Err("usage: instructions [--record]".into()),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("instructions: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Callgrind collects what happens in here and nothing else.
#[inline(never)]
fn measured(work: &mut dyn FnMut()) {
    work();
}

/// What callgrind watches.
fn run(subject: Subject) {
    match subject {
        Subject::Server(ask, protection) => {
            let mut path = HotPath::new(ask, protection);
            (0..WARM).for_each(|_| path.round());
            for _ in 0..ROUNDS {
                path.client_asks();
                measured(&mut || path.server_answers());
                path.client_takes();
            }
        }
        Subject::Client(ask, protection) => {
            let mut path = HotPath::new(ask, protection);
            (0..WARM).for_each(|_| path.round());
            for _ in 0..ROUNDS {
                measured(&mut || path.client_asks());
                path.server_answers();
                measured(&mut || path.client_takes());
            }
        }
        Subject::Listing => {
            let listing = listing();
            let mut bytes = 0;
            measured(&mut || {
                let entries = fscc::DirEntries::new(fscc::FileInfoClass::ID_BOTH_DIRECTORY, &listing);
                for entry in entries.expect("a class of entries") {
                    let entry = entry.expect("an entry");
                    assert!(entry.has_plain_name());
                    bytes += entry.end_of_file;
                }
            });
            assert_eq!(bytes, (0..ENTRIES).sum());
        }
    }
}

/// The buffer of a QUERY_DIRECTORY response.
fn listing() -> Vec<u8> {
    let mut writer = fscc::DirEntryWriter::new(fscc::FileInfoClass::ID_BOTH_DIRECTORY, 1 << 16)
        .expect("a class of entries");
    for at in 0..ENTRIES {
        let name = Utf16Buf::new(&format!("file number {at}.txt"));
        let entry = fscc::DirEntry {
            end_of_file: at,
            file_id: at.into(),
            attributes: FileAttributes::ARCHIVE,
            name: name.as_utf16(),
            ..Default::default()
        };
        assert!(writer.push(&entry), "there is room");
    }
    writer.finish()
}

/// How often `subject` does what is counted.
fn operations(subject: Subject) -> u64 {
    match subject {
        Subject::Listing => ENTRIES,
        _ => (ROUNDS * HotPath::BATCH) as u64,
    }
}

/// Runs every subject under callgrind.
fn count() -> Result<Vec<(String, u64)>, String> {
    let program = env::current_exe().map_err(|error| error.to_string())?;
    let out = env::temp_dir().join(format!("sansmb-callgrind-{}", process::id()));
    let mut counts = Vec::new();
    for (at, subject) in subjects().into_iter().enumerate() {
        let output = Command::new("valgrind")
            .args(["--tool=callgrind", "--collect-atstart=no", "--toggle-collect=*instructions*measured*"])
            .arg(format!("--callgrind-out-file={}", out.display()))
            .arg(&program)
            .args(["--run", &at.to_string()])
            .env("GLIBC_TUNABLES", TUNABLES)
            .stdin(Stdio::null())
            .output()
            .map_err(|error| format!("valgrind does not start: {error}"))?;
        if !output.status.success() {
            return Err(format!("{subject}: {}", String::from_utf8_lossy(&output.stderr)));
        }
        let profile = read_to_string(&out).map_err(|error| format!("{}: {error}", out.display()))?;
        let total = profile.lines().find_map(|line| line.strip_prefix("totals: "));
        let total: u64 = total.and_then(|total| total.trim().parse().ok()).unwrap_or(0);
        if total == 0 {
            return Err(format!("{subject}: callgrind collected nothing"));
        }
        counts.push((subject.to_string(), total / operations(subject)));
    }
    let _ = fs::remove_file(out);
    Ok(counts)
}

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("instructions.toml")
}

/// The compiler, and the machine that it compiles for: others make other instructions.
fn toolchain() -> String {
    format!("{} on {}", env!("RUSTC_VERSION"), env::consts::ARCH)
}

fn record() -> Result<bool, String> {
    let mut text = String::from(
        "# Instructions that the core takes for one operation, as callgrind counts them. Written by\n\
         #     cargo run --release -p sansmb-tests-core --bin instructions -- --record\n",
    );
    text += &format!("rustc = \"{}\"\n\n[instructions]\n", toolchain());
    for (name, count) in count()? {
        println!("{name:<32}{count:>10}");
        text += &format!("\"{name}\" = {count}\n");
    }
    fs::write(path(), text).map_err(|error| error.to_string())?;
    println!("recorded in {}", path().display());
    Ok(true)
}

fn compare() -> Result<bool, String> {
    let text = read_to_string(path()).map_err(|error| error.to_string())?;
    let recorded: Recorded = toml::from_str(&text).map_err(|error| error.to_string())?;
    let same = recorded.rustc == toolchain();
    println!("{:<32}{:>10}{:>10}{:>9}", "instructions each", "recorded", "now", "change");
    let (mut above, mut below, mut unknown) = (0, 0, 0);
    for (name, now) in count()? {
        let Some(before) = recorded.instructions.get(&name).copied() else {
            unknown += 1;
            println!("{name:<32}{:>10}{now:>10}{:>9}", "-", "new");
            continue;
        };
        let change = (now as f64 / before as f64 - 1.0) * 100.0;
        let mut verdict = "";
        if change > BOUND {
            (above, verdict) = (above + 1, "  too many");
        } else if change < -BOUND {
            (below, verdict) = (below + 1, "  fewer");
        }
        println!("{name:<32}{before:>10}{now:>10}{change:>+8.1}%{verdict}");
    }
    const RECORD: &str = "cargo run --release -p sansmb-tests-core --bin instructions -- --record";
    if !same {
        println!("Recorded with {}, but this is {}: nothing follows from the", recorded.rustc, toolchain());
        println!("difference. Record anew, with nothing else in the change: {RECORD}");
        return Ok(true);
    }
    if below + unknown > 0 {
        println!("Lower the bound, so that it stays so: {RECORD}");
    }
    if above > 0 {
        println!(
            "More than {BOUND} % above what is recorded. Where it has to be, say why and record it: {RECORD}"
        );
    }
    Ok(above + unknown == 0)
}
