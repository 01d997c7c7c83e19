//! The runtimes to choose from, behind one type, so that commands are written once.

use std::{future::Future, time::Duration};

use clap::ValueEnum;
use sansmb::client::ClientConfig;
use sansmb_async::{Result, Runtime, client::Connection};
use sansmb_blocking::ThreadRuntime;
use sansmb_smol::SmolRuntime;
use sansmb_tokio::TokioRuntime;

use crate::failure::{About, Result as CommandResult};

/// What runs sockets and tasks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum RuntimeKind {
    /// tokio's threads
    #[default]
    Tokio,
    /// smol's executor
    Smol,
    /// Plain threads
    Blocking,
}

impl RuntimeKind {
    /// Runs `work` on this runtime.
    pub(crate) fn block_on<T>(self, work: impl Future<Output = CommandResult<T>>) -> CommandResult<T> {
        match self {
            Self::Tokio => {
                let runtime = tokio::runtime::Builder::new_multi_thread()
                    .enable_all()
                    .build()
                    .about("cannot start the runtime")?;
                runtime.block_on(work)
            }
            Self::Smol => sansmb_smol::block_on(work),
            Self::Blocking => sansmb_blocking::block_on(work),
        }
    }

    /// Connects to a server on this runtime, which has to be the one that runs the caller.
    pub(crate) async fn connect(self, host: &str, port: u16, config: ClientConfig) -> Result<Connection> {
        match self {
            Self::Tokio => Connection::connect(&TokioRuntime, host, port, config).await,
            Self::Smol => Connection::connect(&SmolRuntime::default(), host, port, config).await,
            Self::Blocking => Connection::connect(&ThreadRuntime, host, port, config).await,
        }
    }

    /// Runs a task in the background of this runtime.
    pub(crate) fn spawn(self, task: impl Future<Output = ()> + Send + 'static) {
        match self {
            Self::Tokio => TokioRuntime.spawn(task),
            Self::Smol => SmolRuntime::default().spawn(task),
            Self::Blocking => ThreadRuntime.spawn(task),
        }
    }

    /// Waits.
    pub(crate) async fn sleep(self, time: Duration) {
        match self {
            Self::Tokio => TokioRuntime.sleep(time).await,
            Self::Smol => SmolRuntime::default().sleep(time).await,
            Self::Blocking => ThreadRuntime.sleep(time).await,
        }
    }
}
