//! [`Runtime`] for smol.

use std::{
    future::{Future, pending},
    io,
    net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs},
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll},
    thread,
    time::Duration,
};

use async_executor::{Executor, StaticExecutor};
use async_io::{Async, Timer};
use sansmb_async::Runtime;

use crate::{SmolListener, SmolSocket};

/// smol: async-io's sockets and timers, and an executor for the tasks.
///
/// [`SmolRuntime::default`] runs tasks on threads of its own, one for each core, shared by the whole
/// program and started by the first task.
#[derive(Debug, Clone, Default)]
pub struct SmolRuntime {
    executor: Option<Arc<Executor<'static>>>,
}

impl SmolRuntime {
    /// Runs tasks on this executor (`smol::Executor`), which the caller runs.
    pub fn with_executor(executor: Arc<Executor<'static>>) -> Self {
        Self { executor: Some(executor) }
    }
}

fn shared_executor() -> &'static StaticExecutor {
    static EXECUTOR: StaticExecutor = StaticExecutor::new();
    static STARTED: OnceLock<()> = OnceLock::new();
    STARTED.get_or_init(|| {
        for n in 0..thread::available_parallelism().map_or(1, usize::from) {
            let run = || loop {
                // A task that panics takes down itself, not the thread.
                let _ = std::panic::catch_unwind(|| async_io::block_on(EXECUTOR.run(pending::<()>())));
            };
            let started = thread::Builder::new().name(format!("sansmb-smol-{n}")).spawn(run);
            // With one thread there are tasks that run; without any, nothing ever would.
            assert!(n > 0 || started.is_ok(), "the system gives no thread to run tasks");
        }
    });
    &EXECUTOR
}

/// A timer of async-io.
#[derive(Debug)]
pub struct SmolSleep(Timer);

impl Future for SmolSleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.0).poll(cx).map(drop)
    }
}

impl Runtime for SmolRuntime {
    type Socket = SmolSocket;
    type Listener = SmolListener;
    type Sleep = SmolSleep;

    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let host = host.to_owned();
        blocking::unblock(move || Ok((host, port).to_socket_addrs()?.collect())).await
    }

    async fn connect(&self, addr: SocketAddr) -> io::Result<SmolSocket> {
        SmolSocket::new(Async::<TcpStream>::connect(addr).await?)
    }

    async fn bind(&self, addr: SocketAddr) -> io::Result<SmolListener> {
        Ok(SmolListener::from(Async::<TcpListener>::bind(addr)?))
    }

    fn sleep(&self, duration: Duration) -> SmolSleep {
        SmolSleep(Timer::after(duration))
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        match &self.executor {
            Some(executor) => executor.spawn(task).detach(),
            None => shared_executor().spawn(task).detach(),
        }
    }
}
