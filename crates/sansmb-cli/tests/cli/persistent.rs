//! `sansmb serve` with a share that is continuously available, killed and started again.

use std::{fs, path::Path, time::Duration};

use sansmb::wire::{Guid, NtStatus, ShareAccess};
use sansmb_async::client::{Connection, OpenOptions, PERSISTENT, Share};
use sansmb_auth::Credentials;
use sansmb_smol::SmolRuntime;
use sansmb_tests::scratch::TempDir;

use crate::{
    common::{finished, program},
    server::{Server, USER},
};

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The share over a new connection.
async fn connected(port: u16) -> Share {
    let mut config = Connection::default_config();
    config.capabilities |= PERSISTENT;
    let connection = Connection::connect(&SmolRuntime::default(), "127.0.0.1", port, config).await.unwrap();
    let (user, password) = USER.split_once(':').unwrap();
    let session = connection.log_on(Credentials::password(user, "", password)).await.unwrap();
    session.share("share").await.unwrap()
}

#[test]
fn a_handle_and_its_lock_outlive_a_server_that_is_killed() {
    let (dir, state) = (TempDir::new("persistent"), TempDir::new("persistent-state"));
    let share = format!("share={}:ca", text(dir.path()));
    let args = ["--share", &share, "--state", text(state.path())];
    let server = Server::start(&args);
    let claim = sansmb_smol::block_on(async {
        let share = connected(server.port()).await;
        assert!(share.is_continuously_available());
        let others = ShareAccess::READ | ShareAccess::WRITE;
        let options = OpenOptions { share: others, ..OpenOptions::write() };
        let opened = share.open_persistent("f", options, Guid([7; 16]), Duration::ZERO).await;
        let (file, claim) = opened.unwrap();
        file.write_at(0, b"before".as_slice().into()).await.unwrap();
        file.try_lock(0, 3, true).await.unwrap();
        server.signal("KILL");
        // What is written to a server that is gone is lost, and the client knows.
        assert!(file.write_at(0, b"lost".as_slice().into()).await.is_err());
        claim.unwrap()
    });
    server.ended();
    let server = Server::start(&args);
    sansmb_smol::block_on(async {
        let others = connected(server.port()).await;
        let early = others.open("f", OpenOptions::read()).await.unwrap_err();
        assert_eq!(early.status(), Some(NtStatus::FILE_NOT_AVAILABLE));
        let share = connected(server.port()).await;
        let file = share.reclaim(&claim).await.unwrap();
        let again = share.reclaim(&claim).await.unwrap_err();
        assert_eq!(again.status(), Some(NtStatus::OBJECT_NAME_NOT_FOUND), "it has its client");
        let theirs = others.open("f", OpenOptions::read()).await.unwrap();
        let locked = theirs.try_lock(2, 1, false).await.unwrap_err();
        assert_eq!(locked.status(), Some(NtStatus::LOCK_NOT_GRANTED));
        file.unlock(0, 3).await.unwrap();
        theirs.try_lock(2, 1, false).await.unwrap();
        file.write_at(6, b" after".as_slice().into()).await.unwrap();
        file.close().await.unwrap();
    });
    assert_eq!(fs::read(dir.join("f")).unwrap(), b"before after");
    drop(server);
    // It was closed: nothing comes back.
    let server = Server::start(&args);
    sansmb_smol::block_on(async {
        let share = connected(server.port()).await;
        let closed = share.reclaim(&claim).await.unwrap_err();
        assert_eq!(closed.status(), Some(NtStatus::OBJECT_NAME_NOT_FOUND));
    });
}

#[test]
fn a_store_that_cannot_be_read_is_one_clear_error() {
    let (dir, state) = (TempDir::new("unreadable"), TempDir::new("unreadable-state"));
    let share = format!("share={}:ca", text(dir.path()));
    let args = ["--share", &share, "--state", text(state.path())];
    let serve =
        || finished(program().args(["serve", "--listen", "127.0.0.1:0"]).args(args).output().unwrap());
    let running = Server::start(&args);
    serve().one_line(1, &["opens.redb", "another server uses it"]);
    drop(running);
    fs::write(state.join("opens.redb"), "this is something else").unwrap();
    serve().one_line(1, &["opens.redb", "damaged"]);
    let file = text(dir.path()).to_owned() + "/file";
    fs::write(&file, "").unwrap();
    let args = ["--share", &share, "--state", &file];
    let run = finished(program().args(["serve", "--listen", "127.0.0.1:0"]).args(args).output().unwrap());
    run.one_line(1, &["/file"]);
}

#[test]
fn without_a_folder_for_state_the_one_of_the_user_is_taken() {
    let (dir, home) = (TempDir::new("state"), TempDir::new("state-home"));
    let share = format!("share={}:ca", text(dir.path()));
    let mut command = program();
    command.args(["serve", "--listen", "127.0.0.1:0", "--user", USER, "--share", &share]);
    command.env_remove("XDG_STATE_HOME").env("HOME", home.path());
    let server = Server::from(command);
    assert!(home.join(".local/state/sansmb/opens.redb").is_file());
    drop(server);
    let mut command = program();
    command.args(["serve", "--listen", "127.0.0.1:0", "--user", USER, "--share", &share]);
    command.env_remove("XDG_STATE_HOME").env_remove("HOME").env_remove("LOCALAPPDATA");
    finished(command.output().unwrap()).one_line(2, &["--state DIR"]);
}
