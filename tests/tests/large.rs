//! A gigabyte each way on each runtime, in bounded memory. Alone in its file: the memory of the
//! whole process is measured.

use std::{fs, io::Read};

use sansmb::conn::MessageBuffer;
use sansmb_async::{
    Result, Runtime,
    client::{Connection, OpenOptions},
};
use sansmb_blocking::ThreadRuntime;
use sansmb_smol::SmolRuntime;
use sansmb_tests::{
    matrix::{connect, serve},
    scratch::{TempDir, noise},
};
use sansmb_tokio::TokioRuntime;
use sha2::{Digest, Sha256};

const LEN: u64 = 1 << 30;
/// What client and server together may need beyond the file itself, which lies in no memory of ours.
const MEMORY: u64 = 256 << 20;

/// A megabyte that is different at every place of a file.
fn block(at: u64, pattern: &[u8]) -> Vec<u8> {
    let mut block = pattern.to_vec();
    block[..8].copy_from_slice(&at.to_le_bytes());
    block
}

async fn a_gigabyte_each_way<R: Runtime>(runtime: R, name: &str) -> Result<()> {
    let dir = TempDir::new(name);
    let (server, handle, port) = serve(&runtime, dir.path()).await;
    runtime.spawn(server.run());
    let share = connect(&runtime, port, Connection::default_config()).await?;

    let pattern = noise(1 << 20, 7);
    let mut sent = Sha256::new();
    let file = share.open("large.bin", OpenOptions::create_new()).await?;
    let mut stream = file.write_stream(0);
    while stream.offset() < LEN {
        let block = block(stream.offset(), &pattern);
        sent.update(&block);
        let mut buffer = MessageBuffer::with_capacity(block.len());
        buffer.extend_from_slice(&block);
        stream.write(buffer).await?;
    }
    assert_eq!(stream.finish().await?, LEN);
    file.close().await?;
    let sent = sent.finalize();
    assert_eq!(sent, hash_of(&dir.join("large.bin")));

    let mut got = Sha256::new();
    let file = share.open("large.bin", OpenOptions::read()).await?;
    let mut stream = file.read_stream(0);
    while let Some(bytes) = stream.next().await? {
        got.update(&bytes);
    }
    assert_eq!(sent, got.finalize());
    file.close().await?;
    handle.stop();
    Ok(())
}

fn hash_of(path: &std::path::Path) -> sha2::digest::Output<Sha256> {
    let mut file = fs::File::open(path).expect("the file");
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer).expect("read") {
            0 => return hash.finalize(),
            n => hash.update(&buffer[..n]),
        }
    }
}

/// The most memory that this process ever had, in bytes.
fn high_water() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).expect("VmHWM");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") << 10
}

#[test]
fn a_gigabyte_each_way_on_each_runtime_in_bounded_memory() {
    let tokio =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("tokio");
    tokio.block_on(a_gigabyte_each_way(TokioRuntime, "large-tokio")).expect("tokio");
    sansmb_smol::block_on(a_gigabyte_each_way(SmolRuntime::default(), "large-smol")).expect("smol");
    sansmb_blocking::block_on(a_gigabyte_each_way(ThreadRuntime, "large-blocking")).expect("blocking");
    let used = high_water();
    assert!(used < MEMORY, "{used} bytes of memory");
}
