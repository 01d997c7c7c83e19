//! Client and server over TCP, on each runtime.

use std::{
    io::{BufRead, Read, Write},
    sync::{Arc, mpsc},
    task::{Context, Poll, Wake, Waker},
    thread,
    time::Duration,
};

use sansmb_blocking::{
    Bytes, Listener, Result, Runtime, Socket, ThreadRuntime,
    auth::{Credentials, UserTable},
    block_on,
    client::{Connection, OpenOptions, Session, Share},
    fileserver::{FileServerConfig, ShareConfig},
    sansmb::{server::ServerConfig, wire::NtStatus},
    server::{Server, settings},
};
use sansmb_smol::SmolRuntime;
use sansmb_storage::{Memory, MemoryOptions};
use sansmb_tokio::TokioRuntime;

const LOCAL: ([u8; 4], u16) = ([127, 0, 0, 1], 0);

fn config() -> (ServerConfig, FileServerConfig) {
    let mut users = UserTable::new();
    users.add_password("user", "secret");
    settings("TEST", users, vec![ShareConfig::new("files", Arc::new(Memory::new(MemoryOptions::default())))])
}

fn credentials() -> Credentials {
    Credentials::password("user", "", "secret")
}

/// Bytes in which no piece looks like its neighbours.
fn data(len: usize) -> Bytes {
    let pattern: Vec<u8> = (0..65_537_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let mut data = pattern.repeat(len / pattern.len() + 1);
    data.truncate(len);
    data.into()
}

async fn server_and_client<R: Runtime>(rt: R) {
    let (server, files) = config();
    let server = Server::bind(&rt, LOCAL.into(), server, files).await.unwrap();
    let (addr, handle) = (server.local_addr().unwrap(), server.handle());
    let client = rt.clone();
    rt.spawn(async move {
        let connect = || Connection::connect(&client, "127.0.0.1", addr.port(), Connection::default_config());
        let refused = connect().await.unwrap().log_on(Credentials::password("user", "", "wrong")).await;
        assert_eq!(refused.unwrap_err().status(), Some(NtStatus::LOGON_FAILURE));
        let connection = connect().await.unwrap();
        let session = connection.log_on(credentials()).await.unwrap();
        let result = work(&session).await;
        // The server ends even when the client has failed.
        handle.stop();
        result.unwrap();
    });
    server.run().await;
}

/// Files that are written and read whole.
async fn whole_files(share: &Share) -> Result<()> {
    let most = 16 << 20;
    for len in [0, 1, 4096, 65_536, 100_000, 9 << 20] {
        share.write_file("whole", OpenOptions::write(), data(len)).await?;
        let got = share.read_file("whole", most).await?;
        // One answer holds 8 MiB.
        assert!(got == data(len).slice(..len.min(8 << 20)));
        assert_eq!(share.metadata("whole").await?.len, len as u64);
    }
    assert_eq!(share.read_file("whole", 10).await?, data(10));
    let again = share.write_file("whole", OpenOptions::create_new(), data(10)).await;
    assert_eq!(again.unwrap_err().status(), Some(NtStatus::OBJECT_NAME_COLLISION));
    let missing = share.read_file("missing", 10).await;
    assert_eq!(missing.unwrap_err().status(), Some(NtStatus::OBJECT_NAME_NOT_FOUND));
    share.remove_file("whole").await
}

async fn work(session: &Session) -> Result<()> {
    let share = session.share("files").await?;
    assert!(!share.exists("dir").await?);
    whole_files(&share).await?;
    share.create_dir("dir").await?;

    let data = data(20 << 20);
    let file = share.open("dir/big", OpenOptions::write()).await?;
    let mut stream = file.write_stream(0);
    let chunk = stream.chunk();
    for at in (0..data.len()).step_by(chunk) {
        stream.write(data.slice(at..data.len().min(at + chunk))).await?;
    }
    assert_eq!(stream.finish().await?, data.len() as u64);
    file.flush().await?;
    file.close().await?;

    let file = share.open("dir/big", OpenOptions::read()).await?;
    let mut stream = file.read_stream(0);
    let mut got = Vec::new();
    while let Some(bytes) = stream.next().await? {
        got.extend_from_slice(&bytes);
    }
    assert!(got == data);
    drop(stream);
    file.close().await?;

    for n in 0..50 {
        let file = share.open(&format!("dir/{n}"), OpenOptions::create_new()).await?;
        file.write_at(0, data.slice(..n)).await?;
    }
    let entries = share.read_dir("dir").await?.collect().await?;
    assert_eq!(entries.len(), 51);
    assert_eq!(share.metadata("dir/49").await?.len, 49);
    share.rename("dir/49", "dir/fifty", false).await?;
    assert!(share.exists("dir/fifty").await? && !share.exists("dir/49").await?);
    share.remove_file("dir/fifty").await?;
    let error = share.remove_dir("dir").await.unwrap_err();
    assert_eq!(error.status(), Some(NtStatus::DIRECTORY_NOT_EMPTY));
    Ok(())
}

#[test]
fn tokio_serves_itself() {
    let multi = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    multi.block_on(server_and_client(TokioRuntime));
    let single = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    single.block_on(server_and_client(TokioRuntime));
}

#[test]
fn smol_serves_itself() {
    sansmb_smol::block_on(server_and_client(SmolRuntime::default()));
}

#[test]
fn threads_serve_themselves() {
    block_on(server_and_client(ThreadRuntime));
}

#[test]
fn clients_without_async_work_in_parallel() {
    let (server, files) = config();
    let server = sansmb_blocking::bind(LOCAL.into(), server, files).unwrap();
    let (port, handle) = (server.local_addr().unwrap().port(), server.handle());
    let server = thread::spawn(|| block_on(server.run()));
    let clients: Vec<_> = (0..4).map(|n| thread::spawn(move || blocking_client(port, n))).collect();
    let results: Vec<_> = clients.into_iter().map(thread::JoinHandle::join).collect();
    handle.stop();
    server.join().unwrap();
    results.into_iter().for_each(|result| result.unwrap().unwrap());
}

fn blocking_client(port: u16, number: usize) -> std::io::Result<()> {
    let connection = sansmb_blocking::connect("127.0.0.1", port)?;
    let session = connection.log_on(credentials())?;
    let share = session.share("files")?;
    let dir = format!("client {number}");
    share.create_dir(&dir)?;

    let path = format!("{dir}/lines");
    let file = share.open(&path, OpenOptions::write())?;
    let mut writer = file.writer(0);
    for line in 0..300_000 {
        writeln!(writer, "line {line}")?;
        if line == 1000 {
            writer.flush()?;
        }
    }
    let len = writer.finish()?;
    file.close()?;
    assert_eq!(share.metadata(&path)?.len, len);

    let file = share.open(&path, OpenOptions::read())?;
    for (n, line) in file.reader(0).lines().enumerate() {
        assert_eq!(line?, format!("line {n}"));
    }
    let mut tail = String::new();
    file.reader(len - 12).read_to_string(&mut tail)?;
    assert_eq!(tail, "line 299999\n");
    assert_eq!(file.reader(len).next_bytes()?, None);
    file.close()?;

    let missing = share.open("nothing/here", OpenOptions::read()).map_err(std::io::Error::from);
    assert_eq!(missing.unwrap_err().kind(), std::io::ErrorKind::NotFound);
    let names: Vec<_> = share.read_dir(&dir)?.map(|entry| entry.map(|e| e.name)).collect::<Result<_>>()?;
    assert_eq!(names, ["lines"]);
    share.remove_file(&path)?;
    share.remove_dir(&dir)?;
    session.log_off()?;
    Ok(())
}

/// The traits are at hand without another dependency, for code over any runtime.
#[test]
fn an_adapter_is_enough_to_name_the_traits() {
    fn takes<S: Socket, L: Listener<Socket = S>, R: Runtime<Socket = S, Listener = L>>(_: R) {}
    takes(ThreadRuntime);
    takes(TokioRuntime);
    takes(SmolRuntime::default());
}

/// A task that is woken may run at once, in the middle of `wake`: it must find no lock taken.
struct Reenter {
    session: Session,
    woken: mpsc::SyncSender<()>,
}

impl Wake for Reenter {
    fn wake(self: Arc<Self>) {
        let mut another = Box::pin(self.session.share("IPC$"));
        let _ = another.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        drop(another);
        let _ = self.woken.try_send(());
    }
}

#[test]
fn whoever_is_woken_may_use_the_connection_at_once() {
    let (server, files) = config();
    let server = sansmb_blocking::bind(LOCAL.into(), server, files).unwrap();
    let (port, handle) = (server.local_addr().unwrap().port(), server.handle());
    let server = thread::spawn(|| block_on(server.run()));
    let session = block_on(async {
        let config = Connection::default_config();
        let connection = Connection::connect(&ThreadRuntime, "127.0.0.1", port, config).await?;
        connection.log_on(credentials()).await
    })
    .unwrap();
    let (woken, wakes) = mpsc::sync_channel(1);
    let waker = Waker::from(Arc::new(Reenter { session: session.clone(), woken }));
    let mut share = Box::pin(session.share("files"));
    let mut cx = Context::from_waker(&waker);
    let share = loop {
        if let Poll::Ready(share) = share.as_mut().poll(&mut cx) {
            break share;
        }
        wakes.recv_timeout(Duration::from_secs(20)).expect("woken, and not stuck");
    };
    share.unwrap();
    handle.stop();
    server.join().unwrap();
}
