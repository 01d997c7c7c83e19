//! Runs smbtorture's tests against `sansmb serve`, several at a time, and compares what comes of them
//! with what is expected.
//!
//! ```text
//! cargo run -p sansmb-tests --bin smbtorture -- [OPTION]... [PATTERN]...
//! ```
//!
//! A PATTERN is a part of a test's name; without one, all run.
//!
//! ```text
//! --backend local|memory             what holds the files [local]
//! --runtime tokio|smol|blocking      what runs the server's sockets [tokio]
//! --jobs N                           tests at a time [three to a core]
//! --sansmb PROGRAM                   a program instead of the one that is built first
//! --tsv FILE                         outcome, name, seconds and words of each test
//! --same-as FILE                     what another run wrote with --tsv: every test has to end as it did there
//! ```
//!
//! Ends with 1 when something unexpected came of a test. Those are tried once more, alone: a test that
//! passes then is told as unsteady, not as wrong.

use std::{
    collections::BTreeMap,
    env,
    fmt::Write,
    fs,
    path::PathBuf,
    process::{Command, ExitCode},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use sansmb_tests::{
    peers,
    torture::{Backend, Bench, Outcome, Plan, Ran, Test},
};

/// So many unexpected outcomes are tried again; more are no accident.
const MAX_RETRIES: usize = 40;

struct Options {
    bench: Bench,
    jobs: usize,
    tsv: Option<PathBuf>,
    same_as: Option<BTreeMap<String, Outcome>>,
    patterns: Vec<String>,
}

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            eprintln!("smbtorture: {why}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<bool, String> {
    let options = options()?;
    let plan = Plan::read()?;
    if peers::program("smbtorture").is_none() {
        return Ok(true);
    }
    let wanted = |test: &&Test| {
        options.patterns.is_empty() || options.patterns.iter().any(|pattern| test.name.contains(pattern))
    };
    let tests: Vec<&Test> = plan.tests.iter().filter(wanted).collect();
    if tests.is_empty() {
        return Err("no test has such a name".to_owned());
    }
    let mut results = run_all(&options, &plan, &tests);
    let unsteady = retry(&options, &plan, &mut results);
    if let Some(file) = &options.tsv {
        fs::write(file, table(&results)).map_err(|error| format!("{}: {error}", file.display()))?;
    }
    let expected = report(&options.bench, &plan, &results, &unsteady);
    Ok(report_differences(&options, &results) && expected)
}

fn options() -> Result<Options, String> {
    let cores = thread::available_parallelism().map_or(2, usize::from);
    let mut program = None;
    let mut options = Options {
        bench: Bench { program: PathBuf::new(), backend: Backend::Local, runtime: "tokio".to_owned() },
        jobs: 3 * cores,
        tsv: None,
        same_as: None,
        patterns: Vec::new(),
    };
    let mut args = env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or_else(|| format!("{arg} needs a value"));
        match arg.as_str() {
            "--backend" => {
                options.bench.backend = match value()?.as_str() {
                    "local" => Backend::Local,
                    "memory" => Backend::Memory,
                    other => return Err(format!("{other:?}: the backends are local and memory")),
                };
            }
            "--runtime" => options.bench.runtime = value()?,
            "--jobs" => {
                let jobs = value()?.parse().ok().filter(|jobs| *jobs > 0);
                options.jobs = jobs.ok_or("--jobs takes a number")?;
            }
            "--sansmb" => program = Some(PathBuf::from(value()?)),
            "--tsv" => options.tsv = Some(value()?.into()),
            "--same-as" => options.same_as = Some(read_table(&value()?)?),
            _ if arg.starts_with('-') => return Err(format!("{arg}: there is no such option")),
            _ => options.patterns.push(arg),
        }
    }
    options.bench.program = match program {
        Some(program) => program,
        None => build()?,
    };
    Ok(options)
}

/// Builds the program with the profile of this one, which it lies beside then.
fn build() -> Result<PathBuf, String> {
    let here = env::current_exe().map_err(|error| error.to_string())?;
    let folder = here.parent().ok_or("this program is nowhere")?;
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--locked", "--quiet", "-p", "sansmb-cli"]);
    if folder.ends_with("release") {
        cargo.arg("--release");
    }
    let status = cargo.status().map_err(|error| format!("cargo: {error}"))?;
    if status.success() { Ok(folder.join("sansmb")) } else { Err("sansmb does not build".to_owned()) }
}

fn run_all<'a>(options: &Options, plan: &Plan, tests: &[&'a Test]) -> BTreeMap<&'a str, (&'a Test, Ran)> {
    let next = AtomicUsize::new(0);
    let results = Mutex::new(BTreeMap::new());
    thread::scope(|scope| {
        for _ in 0..options.jobs.min(tests.len()) {
            scope.spawn(|| {
                while let Some(test) = tests.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let ran = options.bench.run(plan, test);
                    println!("{}", line(test, &ran));
                    let mut results = results.lock().unwrap_or_else(PoisonError::into_inner);
                    results.insert(test.name.as_str(), (*test, ran));
                }
            });
        }
    });
    results.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// Tries again, one at a time, what ended as nobody expected; gives those that passed then.
fn retry<'a>(
    options: &Options,
    plan: &Plan,
    results: &mut BTreeMap<&'a str, (&'a Test, Ran)>,
) -> Vec<&'a Test> {
    let bench = &options.bench;
    let failed = |(test, ran): &(&Test, Ran)| {
        matches!(ran.outcome, Outcome::Fail | Outcome::Timeout)
            && (plan.complaint(test, bench.backend, ran.outcome).is_some()
                || options.differs(test, ran).is_some())
    };
    let again: Vec<&Test> = results.values().filter(|it| failed(it)).map(|(test, _)| *test).collect();
    if again.is_empty() || again.len() > MAX_RETRIES {
        return Vec::new();
    }
    println!("\nonce more, alone:");
    let mut unsteady = Vec::new();
    for test in again {
        let ran = bench.run(plan, test);
        println!("{}", line(test, &ran));
        if ran.outcome == Outcome::Pass {
            unsteady.push(test);
        }
        results.insert(test.name.as_str(), (test, ran));
    }
    unsteady
}

fn line(test: &Test, ran: &Ran) -> String {
    let seconds = ran.took.as_secs_f32();
    format!("{:7} {seconds:5.1}s  {}  {}", ran.outcome.name(), test.name, ran.words)
}

fn table(results: &BTreeMap<&str, (&Test, Ran)>) -> String {
    let mut text = String::new();
    for (name, (_, ran)) in results {
        let seconds = ran.took.as_secs_f32();
        let _ = writeln!(text, "{}\t{name}\t{seconds:.1}\t{}", ran.outcome.name(), ran.words);
    }
    text
}

/// Reads the outcomes that [`table`] wrote.
fn read_table(file: &str) -> Result<BTreeMap<String, Outcome>, String> {
    let text = fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
    let row = |line: &str| {
        let mut columns = line.split('\t');
        Some((Outcome::from_name(columns.next()?)?, columns.next()?.to_owned()))
    };
    let row =
        |line| row(line).map(|(outcome, name)| (name, outcome)).ok_or_else(|| format!("{file}: {line:?}"));
    text.lines().map(row).collect()
}

impl Options {
    /// How a test ended in the run that this one is compared with, if it was otherwise.
    fn differs(&self, test: &Test, ran: &Ran) -> Option<Outcome> {
        let other = *self.same_as.as_ref()?.get(&test.name)?;
        (other != ran.outcome).then_some(other)
    }
}

/// Tells what ended otherwise than in the other run; whether nothing did.
fn report_differences(options: &Options, results: &BTreeMap<&str, (&Test, Ran)>) -> bool {
    let Some(other) = &options.same_as else { return true };
    let mut same = true;
    for (test, ran) in results.values() {
        if let Some(there) = options.differs(test, ran) {
            let (here, there) = (ran.outcome.name(), there.name());
            println!("\n{}: {here} here, {there} in the other run", test.name);
            same = false;
        }
    }
    if same {
        let compared = results.keys().filter(|name| other.contains_key(**name)).count();
        println!("\nthe same outcome as in the other run: {compared} tests");
    }
    same
}

/// Tells what came of it all; whether all of it was expected.
fn report(bench: &Bench, plan: &Plan, results: &BTreeMap<&str, (&Test, Ran)>, unsteady: &[&Test]) -> bool {
    let count =
        |which: &dyn Fn(&Test, &Ran) -> bool| results.values().filter(|(test, ran)| which(test, ran)).count();
    println!("\n{} tests:", results.len());
    for outcome in Outcome::ALL {
        let ours = count(&|_, ran| ran.outcome == outcome);
        let theirs = count(&|test, _| test.smbd == outcome);
        println!("{:7} {ours:4}   with smbd {theirs:4}", outcome.name());
    }
    let list = |title: &str, which: &dyn Fn(&Test, &Ran) -> Option<String>| {
        let lines: Vec<String> = results.values().filter_map(|(test, ran)| which(test, ran)).collect();
        if !lines.is_empty() {
            println!("\n{title}\n  {}", lines.join("\n  "));
        }
        lines.len()
    };
    list("pass here and not with smbd:", &|test, ran| {
        (ran.outcome == Outcome::Pass && test.smbd != Outcome::Pass).then(|| test.name.clone())
    });
    list("do not pass, for a reason:", &|test, ran| {
        let exception = plan.exception(&test.name, bench.backend)?;
        (ran.outcome != Outcome::Pass).then(|| format!("{}: {}", test.name, exception.reason.trim()))
    });
    list("cannot be run here:", &|test, ran| {
        (ran.outcome == Outcome::Unable).then(|| format!("{}: {}", test.name, ran.words))
    });
    list("unsteady: passed when tried again, alone:", &|test, _| {
        unsteady.iter().any(|it| it.name == test.name).then(|| test.name.clone())
    });
    let unexpected = list("unexpected:", &|test, ran| {
        let complaint = plan.complaint(test, bench.backend, ran.outcome)?;
        Some(format!("{} {complaint}: {}", test.name, ran.words))
    });
    unexpected == 0
}
