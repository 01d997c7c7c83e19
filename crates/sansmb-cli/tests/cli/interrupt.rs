//! SIGINT and SIGTERM: what is in flight finishes, nothing half-done is left, and a second signal
//! ends at once.

use std::{
    fs,
    future::{Future, poll_fn},
    io::{Read, Write},
    net::TcpStream,
    process::Stdio,
    task::Poll,
    thread,
    time::Duration,
};

use sansmb_async::client::{Connection, OpenOptions, Share};
use sansmb_auth::Credentials;
use sansmb_tests::{
    peers,
    scratch::{TempDir, noise},
};

use crate::{
    common::finished,
    gate::{Gate, Way},
    server::{Server, WHO, client, eventually, now, signal},
};

const LARGE: usize = 48 << 20;
const SIGNALS: [&str; 2] = ["INT", "TERM"];
const RUNTIMES: [&str; 3] = ["tokio", "smol", "blocking"];

fn count(dir: &TempDir) -> usize {
    fs::read_dir(dir.path()).unwrap().count()
}

#[test]
fn an_interrupted_get_leaves_nothing() {
    let dir = TempDir::new("int-get");
    fs::write(dir.join("large"), noise(LARGE, 1)).unwrap();
    let server = Server::start(&[dir.path().to_str().unwrap()]);
    for (name, runtime) in SIGNALS.into_iter().flat_map(|name| RUNTIMES.map(|runtime| (name, runtime))) {
        let gate = Gate::before(server.port(), Way::ToClient, 4 << 20);
        let here = TempDir::new("int-get-here");
        let local = here.join("copy");
        let args = ["--runtime", runtime, &gate.url("large"), local.to_str().unwrap()];
        let get = client("get", &args).spawn().unwrap();
        gate.wait_until_held();
        assert_eq!(count(&here), 1);
        signal(&get, name);
        finished(get.wait_with_output().unwrap()).one_line(1, &["interrupted"]);
        assert_eq!(count(&here), 0, "{name} {runtime}");
    }
}

#[test]
fn an_interrupted_put_leaves_nothing() {
    let dir = TempDir::new("int-put");
    let server = Server::start(&[dir.path().to_str().unwrap()]);
    let here = TempDir::new("int-put-here");
    let local = here.join("large");
    fs::write(&local, noise(LARGE, 2)).unwrap();
    for (name, runtime) in SIGNALS.into_iter().flat_map(|name| RUNTIMES.map(|runtime| (name, runtime))) {
        let gate = Gate::before(server.port(), Way::ToServer, 4 << 20);
        let args = ["--runtime", runtime, local.to_str().unwrap(), &gate.url("copy")];
        let put = client("put", &args).spawn().unwrap();
        gate.wait_until_held();
        assert_eq!(count(&dir), 1);
        signal(&put, name);
        gate.open();
        finished(put.wait_with_output().unwrap()).one_line(1, &["interrupted"]);
        eventually(|| (count(&dir) == 0).then_some(()));
    }
}

/// What feeds a pipe is interrupted as well, and that looks like the end of the data.
#[test]
fn an_interrupted_put_of_a_pipe_is_not_taken_for_complete() {
    let dir = TempDir::new("int-pipe");
    let server = Server::start(&[dir.path().to_str().unwrap()]);
    let mut put = client("put", &["-", &server.url("copy")]);
    let mut put = put.stdin(Stdio::piped()).spawn().unwrap();
    let mut pipe = put.stdin.take().unwrap();
    pipe.write_all(b"the first half").unwrap();
    eventually(|| (count(&dir) == 1).then_some(()));
    signal(&put, "INT");
    thread::sleep(Duration::from_millis(100));
    drop(pipe);
    finished(put.wait_with_output().unwrap()).one_line(1, &["interrupted"]);
    eventually(|| (count(&dir) == 0).then_some(()));
}

#[test]
fn a_second_signal_ends_a_client_at_once() {
    let dir = TempDir::new("int-twice");
    let server = Server::start(&[dir.path().to_str().unwrap()]);
    let here = TempDir::new("int-twice-here");
    let local = here.join("large");
    fs::write(&local, noise(LARGE, 3)).unwrap();
    let gate = Gate::before(server.port(), Way::ToServer, 4 << 20);
    let put = client("put", &[local.to_str().unwrap(), &gate.url("copy")]).spawn().unwrap();
    gate.wait_until_held();
    signal(&put, "INT");
    // It would like to clean up, and cannot.
    thread::sleep(Duration::from_millis(300));
    let start = now();
    signal(&put, "INT");
    let run = finished(put.wait_with_output().unwrap());
    assert_eq!(run.code, 1, "{run:?}");
    assert!(start.elapsed() < Duration::from_secs(5));
    // The server cleans up.
    gate.cut();
    eventually(|| (count(&dir) == 0).then_some(()));
}

#[test]
fn a_server_without_clients_stops_at_once() {
    for (name, runtime) in SIGNALS.into_iter().flat_map(|name| RUNTIMES.map(|runtime| (name, runtime))) {
        let server = Server::start(&["--memory", "share", "--runtime", runtime]);
        server.signal(name);
        let (code, stderr) = server.ended();
        assert_eq!((code, stderr.as_str()), (0, "Stopped.\n"), "{name} {runtime}");
    }
}

/// Does something with `share` behind a port.
fn with_share<T>(port: u16, work: impl AsyncFnOnce(Share) -> T) -> T {
    sansmb_smol::block_on(async move {
        let smol = sansmb_smol::SmolRuntime::default();
        let config = Connection::default_config();
        let connection = Connection::connect(&smol, "127.0.0.1", port, config).await.unwrap();
        let session = connection.log_on(Credentials::password("tester", "", "Passw0rd!")).await.unwrap();
        work(session.share("share").await.unwrap()).await
    })
}

/// The answer that a client has not yet taken comes whole, and then the connection ends.
#[test]
fn a_server_finishes_what_is_in_flight() {
    for runtime in RUNTIMES {
        let dir = TempDir::new("int-serve");
        let data = noise(8 << 20, 4);
        fs::write(dir.join("large"), &data).unwrap();
        let server = Server::start(&["--runtime", runtime, dir.path().to_str().unwrap()]);
        let gate = Gate::before(server.port(), Way::ToClient, 1 << 20);
        let port = gate.port();
        let reading = thread::spawn(move || {
            with_share(port, async |share| {
                let file = share.open("large", OpenOptions::read()).await.unwrap();
                let got = file.read_at(0, 8 << 20).await.map(|bytes| bytes.to_vec());
                // The answer was the last one.
                let after = file.read_at(0, 1).await;
                (got, after.is_err())
            })
        });
        gate.wait_until_held();
        server.signal("TERM");
        thread::sleep(Duration::from_millis(200));
        assert!(TcpStream::connect(("127.0.0.1", server.port())).is_err(), "it lets nobody in any more");
        gate.open();
        let (got, ended) = reading.join().unwrap();
        let got = got.unwrap();
        assert!(!got.is_empty() && data.starts_with(&got), "{runtime}: {} bytes", got.len());
        assert!(ended, "{runtime}");
        let (code, stderr) = server.ended();
        assert_eq!(code, 0, "{runtime}: {stderr}");
        assert!(stderr.starts_with("Stopping: 1 connection"), "{runtime}: {stderr}");
    }
}

#[test]
fn a_second_signal_ends_a_server_at_once() {
    for runtime in RUNTIMES {
        let dir = TempDir::new("int-serve-twice");
        fs::write(dir.join("large"), noise(8 << 20, 5)).unwrap();
        let mut server = Server::start(&["--runtime", runtime, dir.path().to_str().unwrap()]);
        let gate = Gate::before(server.port(), Way::ToClient, 1 << 20);
        let port = gate.port();
        // More than the sockets hold on their way.
        let reading = thread::spawn(move || {
            with_share(port, async |share| {
                let file = share.open("large", OpenOptions::read()).await.unwrap();
                let mut reads: Vec<_> = (0..8).map(|_| Box::pin(file.read_at(0, 8 << 20))).collect();
                poll_fn(|cx| {
                    reads.retain_mut(|read| read.as_mut().poll(cx).is_pending());
                    if reads.is_empty() { Poll::Ready(()) } else { Poll::Pending }
                })
                .await;
            });
        });
        gate.wait_until_held();
        server.signal("TERM");
        assert!(server.runs_after(Duration::from_millis(500)), "{runtime}");
        let start = now();
        server.signal("TERM");
        let (code, _) = server.ended();
        assert_eq!(code, 1, "{runtime}");
        assert!(start.elapsed() < Duration::from_secs(5), "{runtime}");
        gate.cut();
        reading.join().unwrap();
    }
}

/// Nobody waits for clients that are idle, never said a word, or wait for something to happen.
#[test]
fn a_server_with_idle_clients_stops_soon() {
    for runtime in RUNTIMES {
        let server = Server::start(&["--memory", "share", "--runtime", runtime]);
        let mut put = client("put", &["-", &server.url("file")]);
        let mut put = put.stdin(Stdio::piped()).spawn().unwrap();
        let mut silent = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
        let watching = peers::program("smbclient").map(|mut smbclient| {
            smbclient.args(["//127.0.0.1/share", "-p", &server.port().to_string(), "-U", WHO]);
            smbclient.args(["-c", "notify ."]).stdin(Stdio::null()).stdout(Stdio::piped());
            smbclient.stderr(Stdio::null()).spawn().unwrap()
        });
        eventually(|| server.run("ls", &[&server.url("")]).stdout.contains("partial").then_some(()));
        thread::sleep(Duration::from_millis(300));
        let start = now();
        server.signal("INT");
        let (code, stderr) = server.ended();
        assert_eq!(code, 0, "{runtime}: {stderr}");
        assert!(start.elapsed() < Duration::from_secs(5), "{runtime}: {stderr}");
        assert_eq!(silent.read(&mut [0; 16]).unwrap_or(0), 0);
        drop(put.stdin.take());
        finished(put.wait_with_output().unwrap()).one_line(1, &["closed the connection"]);
        if let Some(mut watching) = watching {
            let _ = watching.kill();
            let _ = watching.wait();
        }
    }
}

#[test]
fn an_interrupted_listing_ends() {
    let server = Server::start(&["--memory", "share"]);
    let gate = Gate::before(server.port(), Way::ToClient, 0);
    for command in ["ls", "stat", "df", "cat", "rm"] {
        let child = client(command, &[&gate.url("x")]).spawn().unwrap();
        gate.wait_until_held();
        thread::sleep(Duration::from_millis(200));
        signal(&child, "INT");
        finished(child.wait_with_output().unwrap()).one_line(1, &["interrupted"]);
    }
}
