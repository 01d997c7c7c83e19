//! A server of ours for the other commands: `sansmb serve` on a free port.

use std::{
    io::{BufReader, Read},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crate::common::{Run, finished, program};

/// What `-U` takes for the user of every server here.
pub(crate) const WHO: &str = "tester%Passw0rd!";
/// What `--user` takes for it.
pub(crate) const USER: &str = "tester:Passw0rd!";

/// `sansmb serve`, ended when this is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    port: u16,
    /// What it said when it was ready.
    pub(crate) announced: String,
    stderr: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts a server with these arguments of `serve`, for [`USER`], on a free port.
    pub(crate) fn start(args: &[&str]) -> Self {
        Self::spawn(&[&["--user", USER], args].concat())
    }

    /// The same without the user.
    pub(crate) fn spawn(args: &[&str]) -> Self {
        let mut command = program();
        command.arg("serve").args(["--listen", "127.0.0.1:0"]).args(args);
        Self::from(command)
    }

    pub(crate) fn from(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stderr = Arc::new(Mutex::new(String::new()));
        let mut pipe = BufReader::new(child.stderr.take().unwrap());
        let said = stderr.clone();
        let reader = thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(n @ 1..) = pipe.read(&mut bytes) {
                said.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..n]));
            }
        });
        // It is one write of less than a pipe holds, hence one read.
        let mut announced = vec![0; 1 << 16];
        let n = child.stdout.as_mut().unwrap().read(&mut announced).unwrap();
        let announced = String::from_utf8_lossy(&announced[..n]).into_owned();
        let port = announced.lines().next().and_then(|line| line.rsplit(':').next()?.parse().ok());
        let Some(port) = port else {
            let _ = child.wait();
            let _ = reader.join();
            panic!("the server did not start: {announced:?} {:?}", stderr.lock().unwrap());
        };
        Self { child, port, announced, stderr, reader: Some(reader) }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The URL of something on `share`.
    pub(crate) fn url(&self, path: &str) -> String {
        self.url_on("share", path)
    }

    pub(crate) fn url_on(&self, share: &str, path: &str) -> String {
        url(self.port, share, path)
    }

    /// Runs `sansmb COMMAND -U tester%... ARGS`.
    pub(crate) fn run(&self, command: &str, args: &[&str]) -> Run {
        run(command, args)
    }

    /// What it wrote to standard error.
    pub(crate) fn stderr(&self) -> String {
        self.stderr.lock().unwrap().clone()
    }

    pub(crate) fn signal(&self, name: &str) {
        signal(&self.child, name);
    }

    /// Whether it is still there after this time.
    pub(crate) fn runs_after(&mut self, time: Duration) -> bool {
        thread::sleep(time);
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits until it ends: its exit code, and what it wrote to standard error.
    pub(crate) fn ended(mut self) -> (i32, String) {
        let code = wait(&mut self.child);
        let _ = self.reader.take().map(JoinHandle::join);
        (code, self.stderr())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `smb://127.0.0.1:PORT/SHARE/PATH`
pub(crate) fn url(port: u16, share: &str, path: &str) -> String {
    format!("smb://127.0.0.1:{port}/{share}/{path}")
}

/// `sansmb COMMAND -U tester%... ARGS`, to be run.
pub(crate) fn client(command: &str, args: &[&str]) -> Command {
    let mut it = program();
    it.arg(command).args(["-U", WHO]).args(args).stdout(Stdio::piped()).stderr(Stdio::piped());
    it
}

pub(crate) fn run(command: &str, args: &[&str]) -> Run {
    finished(client(command, args).output().unwrap())
}

/// Sends a signal by its name.
pub(crate) fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args(["-s", name, &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

/// Waits for the end of a process, which must be near.
pub(crate) fn wait(child: &mut Child) -> i32 {
    let status = eventually(|| child.try_wait().unwrap());
    status.code().unwrap_or(-1)
}

/// What `look` gives once there is something, which must be soon.
#[track_caller]
pub(crate) fn eventually<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let start = now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < Duration::from_secs(60), "nothing happened for a minute");
        thread::sleep(Duration::from_millis(10));
    }
}

#[expect(clippy::disallowed_methods, reason = "these tests run whole programs, whose time is real")]
pub(crate) fn now() -> Instant {
    Instant::now()
}
