//! Libraries for Python on the other side: impacket and smbprotocol.

use std::{
    io::{BufRead, BufReader},
    net::TcpListener,
    process::Stdio,
    thread,
};

use sansmb_async::{
    Result,
    client::{Connection, OpenOptions},
};
use sansmb_auth::Credentials;
use sansmb_tests::{
    matrix::serve,
    peers,
    scratch::{TempDir, noise},
};
use sansmb_tokio::TokioRuntime;

fn on_tokio<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("tokio").block_on(future)
}

/// Runs a script of `tests/peers` as a client of a server of ours.
fn client_on_our_server(script: &str, module: &str) {
    let Some(mut command) = peers::python(script, module) else { return };
    let dir = TempDir::new(module);
    on_tokio(async {
        let (server, handle, port) = serve(&TokioRuntime, dir.path()).await;
        let server = tokio::spawn(server.run());
        let run = tokio::task::spawn_blocking(move || command.arg(port.to_string()).output());
        let output = run.await.expect("a thread").expect("python");
        handle.stop();
        server.await.expect("the server");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    });
    assert_eq!(std::fs::read_dir(dir.path()).expect("the folder").count(), 0);
}

#[test]
fn impacket_on_our_server() {
    client_on_our_server("impacket_client.py", "impacket");
}

#[test]
fn smbprotocol_on_our_server() {
    client_on_our_server("smbprotocol_client.py", "smbprotocol");
}

#[test]
fn our_client_on_impacket() {
    let Some(mut command) = peers::python("impacket_server.py", "impacket") else { return };
    let dir = TempDir::new("impacket-server");
    let port = TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a free port").port();
    command.arg(dir.path()).arg(port.to_string()).stdin(Stdio::null());
    let mut server = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("python");
    let mut stdout = BufReader::new(server.stdout.take().expect("a pipe"));
    let mut line = String::new();
    stdout.read_line(&mut line).expect("a line");
    // It may have more to say than a pipe holds.
    thread::spawn(move || std::io::copy(&mut stdout, &mut std::io::sink()));
    let result = on_tokio(visit(port));
    let _ = server.kill();
    let _ = server.wait();
    assert_eq!(line.trim(), "READY");
    result.expect("the visit");
}

async fn visit(port: u16) -> Result<()> {
    let connect = || Connection::connect(&TokioRuntime, "127.0.0.1", port, Connection::default_config());
    let refused = connect().await?.log_on(Credentials::password("tester", "", "wrong")).await;
    assert!(refused.is_err());
    let session = connect().await?.log_on(Credentials::password("tester", "", "Passw0rd!")).await?;
    assert!(session.shares().await?.iter().any(|share| share.name == "SHARE"));
    let share = session.share("share").await?;
    share.create_dir("dir").await?;
    let data = bytes::Bytes::from(noise(3_000_000, 9));
    let file = share.open("dir/ünï", OpenOptions::create_new()).await?;
    let mut stream = file.write_stream(0);
    let chunk = stream.chunk();
    for at in (0..data.len()).step_by(chunk) {
        stream.write(data.slice(at..data.len().min(at + chunk))).await?;
    }
    stream.finish().await?;
    file.close().await?;
    assert_eq!(share.metadata("dir/ünï").await?.len, data.len() as u64);
    let file = share.open("dir/ünï", OpenOptions::read()).await?;
    let mut stream = file.read_stream(0);
    let mut got = Vec::new();
    while let Some(bytes) = stream.next().await? {
        got.extend_from_slice(&bytes);
    }
    assert!(got == data);
    file.close().await?;
    let entries = share.read_dir("dir").await?.collect().await?;
    assert_eq!(entries.iter().map(|entry| entry.name.as_str()).collect::<Vec<_>>(), ["ünï"]);
    Ok(())
}
