//! One test: a server with fresh shares, and smbtorture on it.

use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde::Deserialize;

use super::{Outcome, Plan, Setup, Test, network};
use crate::{peers::Smbd, scratch::TempDir};

/// Seconds that a test may take where nothing else is said.
const SECONDS: u64 = 60;

/// What holds the files of the share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Backend {
    /// A folder of this machine.
    Local,
    /// Memory.
    Memory,
}

impl Backend {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Local, Self::Memory];
}

/// Where tests run.
#[derive(Debug, Clone)]
pub struct Bench {
    /// The program `sansmb`.
    pub program: PathBuf,
    /// What holds the files.
    pub backend: Backend,
    /// What runs the server's sockets.
    pub runtime: String,
}

/// What came of a test.
#[derive(Debug, Clone)]
pub struct Ran {
    /// How it ended.
    pub outcome: Outcome,
    /// How long it took.
    pub took: Duration,
    /// What it said about its end.
    pub words: String,
}

struct Server {
    process: Child,
    /// Kept open: what the server says later has to go somewhere.
    _stdout: BufReader<std::process::ChildStdout>,
    port: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Bench {
    /// Runs a test on a server of its own.
    pub fn run(&self, plan: &Plan, test: &Test) -> Ran {
        let started = now();
        let tries = plan.setups_of(&test.name).find_map(|setup| setup.tries).unwrap_or(1);
        let mut result = self.attempt(plan, test);
        for _ in 1..tries {
            if matches!(result, Ok((Outcome::Fail | Outcome::Timeout, _))) {
                result = self.attempt(plan, test);
            }
        }
        let took = now() - started;
        match result {
            Ok((outcome, words)) => Ran { outcome, took, words },
            Err(error) => Ran { outcome: Outcome::Fail, took, words: format!("could not be run: {error}") },
        }
    }

    fn attempt(&self, plan: &Plan, test: &Test) -> io::Result<(Outcome, String)> {
        let setups: Vec<&Setup> = plan.setups_of(&test.name).collect();
        let network = setups.iter().any(|setup| setup.network);
        if network && !network::available() {
            return Ok((Outcome::Unable, network::MISSING.to_owned()));
        }
        let folder = TempDir::new("torture");
        let server = self.serve(folder.path(), &setups, network)?;
        let share = setups.iter().find_map(|setup| setup.share.as_deref()).unwrap_or("share");
        let seconds = setups.iter().find_map(|setup| setup.seconds).unwrap_or(SECONDS);
        let endless = setups.iter().find_map(|setup| setup.endless.as_deref());
        let log = folder.join("smbtorture.log");
        let shared = folder.join("share").display().to_string();
        let options = setups.iter().flat_map(|setup| &setup.options);
        let mut command = if network { network::join(server.process.id()) } else { Command::new("env") };
        let status = command
            .args(["timeout", "-k", "5", &seconds.to_string(), "smbtorture"])
            .arg(format!("//127.0.0.1/{share}"))
            .args(["-p", &server.port, "-U", &format!("{}%{}", Smbd::USER, Smbd::PASSWORD)])
            .args(options.map(|option| option.replace("{folder}", &shared)))
            .args(setups.iter().flat_map(|setup| &setup.before))
            .arg(&test.name)
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(File::create(&log)?)
            .stderr(File::options().append(true).open(&log)?)
            .status()?;
        let said = String::from_utf8_lossy(&fs::read(&log)?).into_owned();
        Ok((judge(&said, status.code(), endless), words(&said)))
    }

    fn serve(&self, folder: &Path, setups: &[&Setup], network: bool) -> io::Result<Server> {
        let source = match self.backend {
            Backend::Local => {
                let share = folder.join("share");
                fs::create_dir(&share)?;
                format!("path = '{}'", share.display())
            }
            Backend::Memory => "memory = true".to_owned(),
        };
        let port = if network { 445 } else { 0 };
        let mut config = format!("listen = '127.0.0.1:{port}'\nruntime = '{}'\n", self.runtime);
        for setup in setups {
            config += &format!("{}\n", setup.settings);
        }
        config += &format!("[[share]]\nname = 'share'\n{source}\n");
        for name in [Smbd::USER, "second"] {
            config += &format!("[[user]]\nname = '{name}'\npassword = '{}'\n", Smbd::PASSWORD);
        }
        for setup in setups {
            config += &format!("{}\n", setup.serve.replace("{source}", &source));
        }
        let file = folder.join("serve.toml");
        fs::write(&file, config)?;
        let mut command = if network { network::wrap() } else { Command::new("env") };
        let mut process = command
            .arg(&self.program)
            .args(["serve", "--config"])
            .arg(file)
            // Each keeps its own state.
            .env("XDG_STATE_HOME", folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(folder.join("sansmb.log"))?)
            .spawn()?;
        let mut line = String::new();
        let stdout = process.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let mut stdout = BufReader::new(stdout);
        stdout.read_line(&mut line)?;
        let port = line.trim().rsplit_once(':').map(|(_, port)| port.to_owned());
        let mut server = Server { process, _stdout: stdout, port: port.unwrap_or_default() };
        if server.port.is_empty() {
            let _ = server.process.wait();
            let why = fs::read_to_string(folder.join("sansmb.log"))?;
            return Err(io::Error::other(format!("sansmb serve: {}", why.trim())));
        }
        Ok(server)
    }
}

#[expect(clippy::disallowed_methods, reason = "the time that programs take is told")]
fn now() -> Instant {
    Instant::now()
}

/// What smbtorture's words and exit code mean, of a test that goes on for ever after it said `endless`.
fn judge(said: &str, code: Option<i32>, endless: Option<&str>) -> Outcome {
    let any = |beginnings: &[&str]| {
        said.lines().any(|line| beginnings.iter().any(|beginning| line.starts_with(beginning)))
    };
    if any(&["failure:", "error:"]) {
        Outcome::Fail
    } else if matches!(code, Some(124 | 137)) {
        let came_so_far = endless.is_some_and(|words| said.contains(words));
        if came_so_far { Outcome::Endless } else { Outcome::Timeout }
    } else if any(&["success:"]) {
        Outcome::Pass
    } else if any(&["skip"]) {
        Outcome::Skip
    } else {
        Outcome::Fail
    }
}

/// What smbtorture says about a failure or a skip, in one line.
fn words(said: &str) -> String {
    let telling = |line: &&str| ["failure", "error", "skip"].iter().any(|word| line.starts_with(word));
    let start = said.lines().position(|line| telling(&line));
    let lines = start.map(|at| said.lines().skip(at).take(3).map(str::trim).collect::<Vec<_>>());
    lines.unwrap_or_default().join(" ").chars().take(240).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_smbtorture_are_understood() {
        for (said, code, outcome) in [
            ("time: x\ntest: a\ntime: y\nsuccess: a\n", Some(0), Outcome::Pass),
            ("test: a\nfailure: a [\n../a.c:1: wrong\n]\n", Some(1), Outcome::Fail),
            ("success: a\nfailure: b [\n]\n", Some(1), Outcome::Fail),
            ("skip: a [\nnot here\n]\n", Some(0), Outcome::Skip),
            ("test: a\n", Some(124), Outcome::Timeout),
            ("Unable to connect", Some(1), Outcome::Fail),
        ] {
            assert_eq!(judge(said, code, None), outcome, "{said:?}");
        }
        assert_eq!(judge("test: a\nWaiting\n", Some(124), Some("Waiting")), Outcome::Endless);
        assert_eq!(judge("test: a\n", Some(124), Some("Waiting")), Outcome::Timeout);
        assert_eq!(words("test: a\nfailure: a [\n  wrong\n]\nmore"), "failure: a [ wrong ]");
    }
}
