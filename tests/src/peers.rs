//! Foreign clients and servers, for tests of interoperability.
//!
//! Where they are missing, a test says so and passes, unless `SANSMB_REQUIRE_PEERS=1` is set.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

/// Exit code of `smbd.sh` where smbd is not installed or may not run.
const MISSING: i32 = 77;

/// Says that a peer is missing, which is a failure where peers are required.
pub fn missing(what: &str) {
    let required = std::env::var("SANSMB_REQUIRE_PEERS").is_ok_and(|value| value == "1");
    assert!(!required, "{what} is missing, and SANSMB_REQUIRE_PEERS=1 asks for it");
    eprintln!("skipped: {what} is missing");
}

/// A program of a peer, such as `smbclient`, ready for its arguments.
pub fn program(name: &str) -> Option<Command> {
    let found = std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(name).is_file()));
    if !found {
        missing(name);
        return None;
    }
    Some(Command::new(name))
}

/// A script of `tests/peers` for a Python that has this module: `SANSMB_PYTHON`, else `python3`.
pub fn python(script: &str, module: &str) -> Option<Command> {
    let python = std::env::var("SANSMB_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let found = Command::new(&python).args(["-c", &format!("import {module}")]).output();
    if !found.is_ok_and(|output| output.status.success()) {
        missing(&format!("{module} for {python}"));
        return None;
    }
    let mut command = Command::new(python);
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/peers/").to_owned() + script);
    Some(command)
}

/// A private Samba server, gone when this is dropped.
///
/// Shares: `share`, `ro` (the same folder, read-only) and `cap` (the same, encryption required).
#[derive(Debug)]
pub struct Smbd {
    process: Child,
    port: u16,
    share: PathBuf,
    folder: PathBuf,
}

impl Smbd {
    /// The account that there always is.
    pub const USER: &str = "tester";
    /// Its password.
    pub const PASSWORD: &str = "Passw0rd!";

    /// Starts smbd with the options of `tests/peers/smbd.sh`. Takes a quarter of a second.
    ///
    /// `None` where there is no smbd; the test ends then.
    pub fn start(options: &[&str]) -> Option<Self> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/smbd.sh");
        let mut process = Command::new(script)
            .args(options)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{script}: {error}"));
        let mut line = String::new();
        let stdout = process.stdout.take().expect("stdout is piped");
        BufReader::new(stdout).read_line(&mut line).expect("smbd.sh says when it is ready");
        if !line.starts_with("READY ") {
            let status = process.wait().expect("smbd.sh ends");
            assert_eq!(status.code(), Some(MISSING), "smbd.sh failed: {line}");
            missing("smbd");
            return None;
        }
        let value = |name: &str| {
            let mut words = line.split_whitespace();
            words.find_map(|word| word.strip_prefix(name)?.strip_prefix('=')).expect("part of the READY line")
        };
        Some(Self {
            port: value("port").parse().expect("a port"),
            share: value("share").into(),
            folder: value("dir").into(),
            process,
        })
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// The folder behind the shares.
    pub fn share(&self) -> &Path {
        &self.share
    }

    /// What it logged so far.
    pub fn log(&self) -> String {
        let bytes = std::fs::read(self.folder.join("log.smbd")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Drop for Smbd {
    fn drop(&mut self) {
        // The script's watcher sees that it is gone, ends smbd and removes its folder.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Runs smbclient's `commands` on `share`.
pub fn smbclient(port: u16, share: &str, options: &[String], commands: &str) -> Option<Output> {
    let output = program("smbclient")?
        .arg(format!("//127.0.0.1/{share}"))
        .args(["-p", &port.to_string(), "-U", "tester%Passw0rd!", "-t", "120"])
        .args(options)
        .args(["-c", commands])
        .stdin(Stdio::null())
        .output()
        .expect("smbclient");
    Some(output)
}
