//! Files that are read into files of this machine, on each runtime.

#![cfg(target_os = "linux")]

use std::{fs, io, os::unix::fs::FileExt, sync::Arc};

use sansmb::client::{ClientConfig, EncryptionPolicy};
use sansmb_async::{
    Error, Result, Runtime,
    client::{Connection, Landed, OpenOptions, Share},
};
use sansmb_blocking::ThreadRuntime;
use sansmb_smol::SmolRuntime;
use sansmb_tests::{
    matrix::{connect, serve},
    scratch::{TempDir, noise},
};
use sansmb_tokio::TokioRuntime;

const LEN: usize = (9 << 20) + 12_345;

/// Has `work` done with a share on which `data` is the file `large`.
async fn with_share<R: Runtime>(
    runtime: R,
    name: &str,
    config: ClientConfig,
    work: impl AsyncFnOnce(&Share, &[u8], &TempDir) -> Result<()>,
) {
    let dir = TempDir::new(name);
    let data = noise(LEN, 3);
    fs::write(dir.join("large"), &data).expect("a file");
    let (server, handle, port) = serve(&runtime, dir.path()).await;
    runtime.spawn(server.run());
    let share = connect(&runtime, port, config).await.expect("it connects");
    let result = work(&share, &data, &dir).await;
    handle.stop();
    result.expect("it works");
}

/// Reads `large` into `to`; how many of the bytes never came here.
async fn land(share: &Share, to: fs::File) -> Result<usize> {
    let to = Arc::new(to);
    let file = share.open("large", OpenOptions::read()).await?;
    let mut stream = file.read_stream(0).landing_in(to.clone());
    let (mut there, mut at) = (0, 0);
    while let Some(landed) = stream.next().await? {
        at += match landed {
            Landed::There(len) => {
                there += len as usize;
                len as usize
            }
            Landed::Here(bytes) => {
                to.write_all_at(&bytes, at as u64)?;
                bytes.len()
            }
        };
    }
    assert_eq!(at, LEN);
    Ok(there)
}

async fn whole<R: Runtime>(runtime: R, name: &str, config: ClientConfig, expected: std::ops::Range<usize>) {
    let check = async |share: &Share, data: &[u8], dir: &TempDir| {
        let path = dir.join("landed");
        let there = land(share, fs::File::create(&path)?).await?;
        assert!(expected.contains(&there), "{there} of {LEN} bytes did not come here");
        assert!(fs::read(&path)? == data);
        Ok(())
    };
    with_share(runtime, name, config, check).await;
}

/// Nearly all of it: the first piece may come with something else.
const MOST: std::ops::Range<usize> = LEN - (2 << 20)..LEN + 1;
const NONE: std::ops::Range<usize> = 0..1;

fn plain() -> ClientConfig {
    Connection::default_config()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_lands_without_coming_here() {
    whole(TokioRuntime, "landing-tokio", plain(), MOST).await;
}

#[test]
fn a_file_lands_without_coming_here_on_smol() {
    sansmb_smol::block_on(whole(SmolRuntime::default(), "landing-smol", plain(), MOST));
}

#[test]
fn where_the_socket_cannot_be_lent_it_comes_here() {
    sansmb_blocking::block_on(whole(ThreadRuntime, "landing-blocking", plain(), NONE));
}

#[tokio::test]
async fn what_is_signed_or_encrypted_comes_here() {
    let signed = ClientConfig { require_signing: true, ..plain() };
    whole(TokioRuntime, "landing-signed", signed, NONE).await;
    let encrypted = ClientConfig { encryption: EncryptionPolicy::Required, ..plain() };
    whole(TokioRuntime, "landing-encrypted", encrypted, NONE).await;
}

#[tokio::test]
async fn a_file_that_takes_no_more_ends_its_stream_and_not_the_connection() {
    let check = async |share: &Share, data: &[u8], dir: &TempDir| {
        let full = fs::File::options().write(true).open("/dev/full")?;
        let path = dir.join("landed");
        let (full, beside) = tokio::join!(land(share, full), land(share, fs::File::create(&path)?));
        let Err(Error::Io(error)) = full else { panic!("it has no room") };
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        assert!(MOST.contains(&beside?));
        assert!(fs::read(&path)? == data);
        Ok(())
    };
    with_share(TokioRuntime, "landing-full", plain(), check).await;
}

#[tokio::test]
async fn a_stream_that_is_dropped_leaves_the_file_and_the_connection_alone() {
    let check = async |share: &Share, data: &[u8], dir: &TempDir| {
        let path = dir.join("landed");
        let to = Arc::new(fs::File::create(&path)?);
        let file = share.open("large", OpenOptions::read()).await?;
        let mut stream = file.read_stream(0).landing_in(to.clone());
        stream.next().await?;
        drop(stream);
        let len = to.metadata()?.len();
        assert!(share.read_file("large", LEN as u32).await? == data[..8 << 20]);
        assert_eq!(to.metadata()?.len(), len, "nobody waits for what came then");
        Ok(())
    };
    with_share(TokioRuntime, "landing-dropped", plain(), check).await;
}
