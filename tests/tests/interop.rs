//! The interoperability matrix: every dialect, unsigned, signed and encrypted, with every signer
//! and cipher that it can negotiate, on every runtime: our client on smbd, smbclient on our server,
//! ours on ours. Each cell lists a folder of 10,000 files, gets and puts 64 MiB, makes, renames,
//! looks at and deletes.

use sansmb_async::Runtime;
use sansmb_blocking::ThreadRuntime;
use sansmb_smol::SmolRuntime;
use sansmb_tests::{
    matrix::{BULK, Cell, FILES, exercise, furnish, serve},
    peers::{Smbd, program, smbclient},
    scratch::{TempDir, sha256},
};
use sansmb_tokio::TokioRuntime;

fn on_tokio<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("tokio")
        .block_on(future)
}

async fn our_client_on_smbd<R: Runtime>(runtime: R, name: &str) {
    let dir = TempDir::new(name);
    let hash = furnish(dir.path());
    let share = dir.path().to_str().expect("a plain path");
    let Some(smbd) = Smbd::start(&["--share", share]) else { return };
    for cell in Cell::all() {
        exercise(&runtime, smbd.addr().port(), cell, name, &hash)
            .await
            .unwrap_or_else(|e| panic!("{cell:?}: {e}"));
    }
}

#[test]
fn our_client_on_smbd_tokio() {
    on_tokio(our_client_on_smbd(TokioRuntime, "client-tokio"));
}

#[test]
fn our_client_on_smbd_smol() {
    sansmb_smol::block_on(our_client_on_smbd(SmolRuntime::default(), "client-smol"));
}

#[test]
fn our_client_on_smbd_blocking() {
    sansmb_blocking::block_on(our_client_on_smbd(ThreadRuntime, "client-blocking"));
}

async fn ours_on_ours<R: Runtime>(runtime: R, name: &str) {
    let dir = TempDir::new(name);
    let hash = furnish(dir.path());
    let (server, handle, port) = serve(&runtime, dir.path()).await;
    runtime.spawn(server.run());
    for cell in Cell::all() {
        exercise(&runtime, port, cell, name, &hash).await.unwrap_or_else(|e| panic!("{cell:?}: {e}"));
    }
    handle.stop();
}

#[test]
fn ours_on_ours_tokio() {
    on_tokio(ours_on_ours(TokioRuntime, "ours-tokio"));
}

#[test]
fn ours_on_ours_smol() {
    sansmb_smol::block_on(ours_on_ours(SmolRuntime::default(), "ours-smol"));
}

#[test]
fn ours_on_ours_blocking() {
    sansmb_blocking::block_on(ours_on_ours(ThreadRuntime, "ours-blocking"));
}

async fn smbclient_on_our_server<R: Runtime>(runtime: R, name: &str) {
    if program("smbclient").is_none() {
        return;
    }
    let dir = TempDir::new(name);
    let local = TempDir::new(name);
    let hash = furnish(dir.path());
    let (server, handle, port) = serve(&runtime, dir.path()).await;
    runtime.spawn(server.run());
    // smbclient blocks, and the blocking runtime's server has threads of its own: any thread will do.
    let cells = std::thread::spawn(move || {
        for cell in Cell::all() {
            smbclient_cell(port, cell, dir.path(), local.path(), &hash);
        }
    });
    cells.join().expect("a cell failed");
    handle.stop();
}

fn smbclient_cell(port: u16, cell: Cell, dir: &std::path::Path, local: &std::path::Path, hash: &str) {
    let options = cell.smbclient();
    let run = |commands: &str| {
        let output = smbclient(port, "share", &options, commands).expect("it was here before");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success() && !said.contains("NT_STATUS_"),
            "{cell:?} {commands}: {said} {errors}"
        );
        said
    };
    let listed = run("cd many; ls");
    assert_eq!(listed.lines().filter(|l| l.contains("file number")).count(), FILES, "{cell:?}");
    let got = local.join("got.bin");
    let _ = std::fs::remove_file(&got);
    run(&format!("get bulk.bin {}", got.display()));
    assert_eq!(sha256(&std::fs::read(&got).expect("got")), hash, "{cell:?}");
    run(&format!("mkdir cell; put {} cell\\put.bin; rename cell\\put.bin cell\\neu.bin", got.display()));
    let put = std::fs::read(dir.join("cell/neu.bin")).expect("put");
    assert_eq!(sha256(&put), hash, "{cell:?}");
    let listed = run("ls CELL\\NEU.BIN");
    assert!(listed.contains(&BULK.to_string()), "{cell:?}: {listed}");
    run("del cell\\neu.bin; rmdir cell");
    assert!(!dir.join("cell").exists(), "{cell:?}");
}

#[test]
fn smbclient_on_our_server_tokio() {
    on_tokio(smbclient_on_our_server(TokioRuntime, "server-tokio"));
}

#[test]
fn smbclient_on_our_server_smol() {
    sansmb_smol::block_on(smbclient_on_our_server(SmolRuntime::default(), "server-smol"));
}

#[test]
fn smbclient_on_our_server_blocking() {
    sansmb_blocking::block_on(smbclient_on_our_server(ThreadRuntime, "server-blocking"));
}
