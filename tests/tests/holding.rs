//! Large data of WRITEs that the server's system keeps until its storage takes them, on each runtime.

#![cfg(target_os = "linux")]

use std::{
    fmt, fs,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use bytes::Bytes;
use sansmb::client::{ClientConfig, EncryptionPolicy};
use sansmb_async::{
    Result, Runtime,
    client::{Connection, File, OpenOptions, Share},
};
use sansmb_blocking::ThreadRuntime;
use sansmb_fileserver::storage::{Completion, Data, Job, Storage, StorageTraits};
use sansmb_smol::SmolRuntime;
use sansmb_storage::LocalDir;
use sansmb_tests::{
    matrix::{connect, serve_storage},
    peers::smbclient,
    scratch::{TempDir, noise},
};
use sansmb_tokio::TokioRuntime;

const LEN: usize = (9 << 20) + 12_345;
const PIECE: usize = 1 << 20;

/// A local folder that counts the bytes of its writes which never came into the program.
struct Counting {
    storage: LocalDir,
    held: AtomicUsize,
    /// And its writes.
    writes: AtomicUsize,
    /// As a storage does that knows nothing of them.
    brings: bool,
    /// Writes of such data wait, here.
    stalls: AtomicBool,
    stalled: Mutex<Vec<(Job, Completion)>>,
}

impl fmt::Debug for Counting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Counting({:?})", self.storage)
    }
}

impl Counting {
    fn new(dir: &TempDir, brings: bool) -> Arc<Self> {
        let storage = LocalDir::open(dir.path(), Default::default()).expect("the folder");
        let (held, writes, stalls, stalled) = Default::default();
        Arc::new(Self { storage, held, writes, brings, stalls, stalled })
    }

    fn held(&self) -> usize {
        self.held.load(SeqCst)
    }
}

impl Storage for Counting {
    fn submit(&self, mut job: Job, done: Completion) {
        let is_write = matches!(job, Job::Write { .. });
        if let Job::Write { data, .. } = &mut job
            && matches!(data, Data::Held(_))
        {
            self.held.fetch_add(data.len(), SeqCst);
            if self.brings {
                let held = std::mem::replace(data, Data::Here(Bytes::new()));
                *data = held.into_bytes().expect("they are there").into();
            }
            if self.stalls.load(SeqCst) {
                self.stalled.lock().unwrap().push((job, done));
                self.writes.fetch_add(1, SeqCst);
                return;
            }
        }
        self.storage.submit(job, done);
        self.writes.fetch_add(usize::from(is_write), SeqCst);
    }

    fn traits(&self) -> StorageTraits {
        self.storage.traits()
    }

    fn takes_held(&self) -> bool {
        true
    }
}

/// Has `work` done with a share on `storage`.
async fn with_share<R: Runtime>(
    runtime: R,
    storage: &Arc<Counting>,
    config: ClientConfig,
    work: impl AsyncFnOnce(Share, u16) -> Result<()>,
) {
    let (server, handle, port) = serve_storage(&runtime, storage.clone()).await;
    runtime.spawn(server.run());
    let share = connect(&runtime, port, config).await.expect("it connects");
    let result = work(share, port).await;
    handle.stop();
    result.expect("it works");
}

/// Puts a file; how many bytes of it never came into the program.
async fn put<R: Runtime>(runtime: R, name: &str, config: ClientConfig, brings: bool) -> usize {
    let dir = TempDir::new(name);
    let storage = Counting::new(&dir, brings);
    let data = Bytes::from(noise(LEN, 3));
    let check = async |share: Share, _| {
        let file = share.open("large", OpenOptions::create_new()).await?;
        let mut stream = file.write_stream(0);
        for at in (0..LEN).step_by(PIECE) {
            stream.write(data.slice(at..LEN.min(at + PIECE))).await?;
        }
        stream.finish().await?;
        file.close().await
    };
    with_share(runtime, &storage, config, check).await;
    assert!(fs::read(dir.join("large")).expect("a file") == data);
    storage.held()
}

fn plain() -> ClientConfig {
    Connection::default_config()
}

/// Nearly all of it: some of the first piece comes with its head, and the last one may be too short.
const MOST: std::ops::Range<usize> = LEN - (2 << 20)..LEN + 1;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_data_go_to_their_file_without_coming_here() {
    let held = put(TokioRuntime, "holding-tokio", plain(), false).await;
    assert!(MOST.contains(&held), "{held} of {LEN} bytes");
}

#[test]
fn large_data_go_to_their_file_without_coming_here_on_smol() {
    let held = sansmb_smol::block_on(put(SmolRuntime::default(), "holding-smol", plain(), false));
    assert!(MOST.contains(&held), "{held} of {LEN} bytes");
}

#[test]
fn where_the_socket_cannot_be_lent_they_come_here() {
    assert_eq!(sansmb_blocking::block_on(put(ThreadRuntime, "holding-blocking", plain(), false)), 0);
}

#[tokio::test]
async fn what_is_signed_or_encrypted_comes_here() {
    let signed = ClientConfig { require_signing: true, ..plain() };
    assert_eq!(put(TokioRuntime, "holding-signed", signed, false).await, 0);
    let encrypted = ClientConfig { encryption: EncryptionPolicy::Required, ..plain() };
    assert_eq!(put(TokioRuntime, "holding-encrypted", encrypted, false).await, 0);
}

#[tokio::test]
async fn a_storage_that_knows_nothing_of_them_has_them_brought() {
    let held = put(TokioRuntime, "holding-brought", plain(), true).await;
    assert!(MOST.contains(&held), "{held} of {LEN} bytes");
}

/// Opens `name` and writes `PIECE` bytes there, twice: a long message behind a long one may be kept.
async fn begun(share: &Share, name: &str, options: OpenOptions) -> Result<File> {
    let file = share.open(name, options).await?;
    file.write_at(0, noise(PIECE, 1).into()).await?;
    file.write_at(0, noise(PIECE, 2).into()).await?;
    Ok(file)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_refused_is_let_go_and_the_next_one_is_served() {
    let dir = TempDir::new("holding-refused");
    let storage = Counting::new(&dir, false);
    let check = async |share: Share, _| {
        let file = begun(&share, "large", OpenOptions::create_new()).await?;
        let reader = share.open("large", OpenOptions::read()).await?;
        let before = storage.held();
        for round in 0..100 {
            reader.write_at(0, noise(PIECE, 3).into()).await.expect_err("it was opened to be read");
            file.write_at(0, noise(PIECE, 100 + round).into()).await?;
        }
        assert_eq!(storage.held() - before, 100 * PIECE, "the refused ones left room for the others");
        Ok(())
    };
    with_share(TokioRuntime, &storage, plain(), check).await;
    assert!(fs::read(dir.join("large")).expect("a file") == noise(PIECE, 199));
}

/// All pipes but one are taken by writes that their storage does not get to.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_finds_no_room_in_the_middle_is_brought_in() {
    let dir = TempDir::new("holding-full");
    let storage = Counting::new(&dir, false);
    let large = TempDir::new("holding-full-source");
    let data = noise(24 << 20, 5);
    fs::write(large.join("large"), &data).expect("a file");
    let check = async |_, port| {
        storage.stalls.store(true, SeqCst);
        let (mut waiting, mut files) = (Vec::new(), Vec::new());
        while storage.stalled.lock().unwrap().len() < 31 {
            let before = waiting.len();
            if before.is_multiple_of(10) {
                let share = connect(&TokioRuntime, port, plain()).await?;
                let name = format!("file {}", files.len());
                files.push(Arc::new(share.open(&name, OpenOptions::create_new()).await?));
            }
            let file = files.last().expect("there is one").clone();
            let offset = (before % 10 * PIECE) as u64;
            waiting.push(tokio::spawn(async move { file.write_at(offset, noise(PIECE, 7).into()).await }));
            // One after the other, and no more than there are to be.
            while storage.writes.load(SeqCst) < waiting.len() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        storage.stalls.store(false, SeqCst);
        let before = storage.held();
        let source = large.join("large");
        let put = format!("put {} large", source.display());
        let options = ["--client-protection=off".into()];
        let output = tokio::task::block_in_place(|| smbclient(port, "share", &options, &put));
        if let Some(output) = output {
            assert!(output.status.success(), "{output:?}");
            assert!(fs::read(dir.join("large"))? == data);
            // Each of its messages, of 8 MiB, wants more than one.
            assert_eq!(storage.held(), before);
        }
        for (job, done) in std::mem::take(&mut *storage.stalled.lock().unwrap()) {
            storage.storage.submit(job, done);
        }
        for write in waiting {
            write.await.expect("it ends")?;
        }
        Ok(())
    };
    with_share(TokioRuntime, &storage, plain(), check).await;
    assert!(fs::read(dir.join("file 0")).expect("a file")[..PIECE] == noise(PIECE, 7));
}
