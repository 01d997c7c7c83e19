//! A runtime in memory on which time stands still, and whose network carries bytes only when nobody has anything
//! else to do: so that round trips can be counted.

use std::{
    collections::VecDeque,
    future::{Future, Pending, pending},
    io::{self, ErrorKind, IoSlice},
    net::SocketAddr,
    pin::{Pin, pin},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use sansmb::wire::Header;
use sansmb_async::{
    Listener, Runtime, Socket,
    auth::{Credentials, UserTable},
    client::{Connection, Share},
    fileserver::ShareConfig,
    server::{Server, settings},
};
use sansmb_storage::{Memory, MemoryOptions};

use crate::raw;

/// Where everybody listens.
const ADDR: ([u8; 4], u16) = ([127, 0, 0, 1], 445);
const CLIENT: usize = 0;
const SERVER: usize = 1;

/// The runtime.
#[derive(Debug, Clone, Default)]
pub struct Still {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    spawned: Vec<Task>,
    lines: Vec<Line>,
    /// Lines that nobody has accepted yet.
    arrived: VecDeque<usize>,
    acceptor: Option<Waker>,
    tamper: Option<Tamper>,
}

/// Changes a message on its way to the server.
type Tamper = Box<dyn FnMut(&mut [u8]) + Send>;
type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inner").field("lines", &self.lines).finish_non_exhaustive()
    }
}

/// A connection: what either end has sent and what has come to it.
#[derive(Debug, Default)]
struct Line {
    ends: [End; 2],
}

#[derive(Debug, Default)]
struct End {
    sent: Vec<u8>,
    finished: bool,
    arrived: VecDeque<u8>,
    ended: bool,
    reader: Option<Waker>,
}

#[derive(Debug, Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl Still {
    /// Changes every message on its way to the server from now on.
    pub fn tamper(&self, change: impl FnMut(&mut [u8]) + Send + 'static) {
        self.lock().tamper = Some(Box::new(change));
    }

    /// Runs `main` and everything that is spawned. Gives, for each time that the network carried something to
    /// the server while the client waited, the messages, as `"CREATE+CLOSE, READ"`.
    pub fn run<T>(&self, main: impl Future<Output = T>) -> (T, Vec<String>) {
        let mut main = pin!(main);
        let woken = Arc::new(Woken(AtomicBool::new(true)));
        let waker = Waker::from(woken.clone());
        let mut tasks: Vec<(Task, Arc<Woken>)> = Vec::new();
        let mut flights = Vec::new();
        loop {
            loop {
                let mut idle = true;
                if woken.0.swap(false, Ordering::SeqCst) {
                    idle = false;
                    if let Poll::Ready(output) = main.as_mut().poll(&mut Context::from_waker(&waker)) {
                        return (output, flights);
                    }
                }
                let spawned = std::mem::take(&mut self.lock().spawned);
                tasks.extend(spawned.into_iter().map(|task| (task, Arc::new(Woken(AtomicBool::new(true))))));
                tasks.retain_mut(|(task, woken)| {
                    if !woken.0.swap(false, Ordering::SeqCst) {
                        return true;
                    }
                    idle = false;
                    let waker = Waker::from(woken.clone());
                    task.as_mut().poll(&mut Context::from_waker(&waker)).is_pending()
                });
                if idle {
                    break;
                }
            }
            let (back, there) = (self.carry(SERVER), self.carry(CLIENT));
            assert!(back.is_some() || there.is_some(), "everybody waits");
            flights.extend(there.filter(|messages| !messages.is_empty()));
        }
    }

    /// Does something with an empty share of a server in memory. The round trips are those from then on.
    pub fn with_share<T>(&self, work: impl AsyncFnOnce(Share) -> T) -> (T, Vec<String>) {
        let mut users = UserTable::new();
        users.add_password("user", "secret");
        let memory = Arc::new(Memory::new(MemoryOptions::default()));
        let (server, files) = settings("TEST", users, vec![ShareConfig::new("files", memory)]);
        let (output, mut flights) = self.run(async {
            let server = Server::bind(self, ADDR.into(), server, files).await.expect("a server");
            self.spawn(server.run());
            let config = Connection::default_config();
            let connection = Connection::connect(self, "server", ADDR.1, config).await.expect("a connection");
            let user = Credentials::password("user", "", "secret");
            let session = connection.log_on(user).await.expect("a session");
            work(session.share("files").await.expect("a share")).await
        });
        let before = ["NEGOTIATE", "SESSION_SETUP", "SESSION_SETUP", "TREE_CONNECT"];
        assert_eq!(flights[..before.len()], before);
        flights.drain(..before.len());
        (output, flights)
    }

    /// Carries everything that the ends of this side have sent; what it was, if it was anything.
    fn carry(&self, from: usize) -> Option<String> {
        let mut inner = self.lock();
        let Inner { lines, tamper, .. } = &mut *inner;
        let mut carried = Vec::new();
        let mut moved = false;
        for line in lines {
            let [client, server] = &mut line.ends;
            let (sender, receiver) = if from == CLIENT { (client, server) } else { (server, client) };
            let end = sender.finished && !receiver.ended;
            if sender.sent.is_empty() && !end {
                continue;
            }
            moved = true;
            receiver.ended |= end;
            for mut message in crate::frames(&std::mem::take(&mut sender.sent)) {
                carried.push(named(&message));
                if from == CLIENT
                    && let Some(tamper) = tamper
                {
                    tamper(&mut message);
                }
                receiver.arrived.extend(crate::framed(&message));
            }
            receiver.reader.take().into_iter().for_each(Waker::wake);
        }
        moved.then(|| carried.join(", "))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The commands of a frame.
fn named(frame: &[u8]) -> String {
    let name = |message: &Vec<u8>| Header::decode(message).map(|header| header.command.to_string());
    let names: Vec<_> = raw::split(frame).iter().flat_map(name).collect();
    names.join("+")
}

/// One end of a connection.
#[derive(Debug)]
pub struct StillSocket {
    still: Still,
    line: usize,
    side: usize,
}

impl StillSocket {
    fn with<T>(&self, look: impl FnOnce(&mut End) -> T) -> T {
        let mut inner = self.still.lock();
        look(&mut inner.lines[self.line].ends[self.side])
    }
}

impl Drop for StillSocket {
    fn drop(&mut self) {
        self.with(|end| end.finished = true);
    }
}

impl Socket for StillSocket {
    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.with(|end| {
            if !end.arrived.is_empty() || end.ended {
                return Poll::Ready(Ok(()));
            }
            end.reader = Some(cx.waker().clone());
            Poll::Pending
        })
    }

    fn poll_writable(&self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.with(|end| match end.arrived.len().min(buf.len()) {
            0 if end.ended => Ok(0),
            0 => Err(ErrorKind::WouldBlock.into()),
            n => {
                buf.iter_mut().zip(end.arrived.drain(..n)).for_each(|(to, from)| *to = from);
                Ok(n)
            }
        })
    }

    fn try_write(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.with(|end| {
            bufs.iter().for_each(|piece| end.sent.extend_from_slice(piece));
            Ok(bufs.iter().map(|piece| piece.len()).sum())
        })
    }

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(ADDR.into())
    }

    fn shutdown(&self) -> io::Result<()> {
        self.with(|end| end.finished = true);
        Ok(())
    }
}

impl Listener for Still {
    type Socket = StillSocket;

    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<StillSocket>> {
        let mut inner = self.lock();
        match inner.arrived.pop_front() {
            Some(line) => Poll::Ready(Ok(StillSocket { still: self.clone(), line, side: SERVER })),
            None => {
                inner.acceptor = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(ADDR.into())
    }
}

impl Runtime for Still {
    type Socket = StillSocket;
    type Listener = Self;
    type Sleep = Pending<()>;

    async fn resolve(&self, _host: &str, _port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(vec![ADDR.into()])
    }

    async fn connect(&self, _addr: SocketAddr) -> io::Result<StillSocket> {
        let mut inner = self.lock();
        let line = inner.lines.len();
        inner.lines.push(Line::default());
        inner.arrived.push_back(line);
        inner.acceptor.take().into_iter().for_each(Waker::wake);
        Ok(StillSocket { still: self.clone(), line, side: CLIENT })
    }

    async fn bind(&self, _addr: SocketAddr) -> io::Result<Self> {
        Ok(self.clone())
    }

    fn sleep(&self, _duration: Duration) -> Pending<()> {
        pending()
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.lock().spawned.push(Box::pin(task));
    }
}
