//! `SmolRuntime` is a `Runtime` as the drivers expect it, with its own executor or the caller's.

use std::{future::Future, sync::Arc};

use async_executor::Executor;
use sansmb_smol::{SmolRuntime, block_on};

mod shared_executor {
    use super::*;

    sansmb_async::runtime_conformance!(SmolRuntime::default(), block_on);
}

mod callers_executor {
    use super::*;

    // One executor for each test, run by the test's own thread.
    thread_local! {
        static EXECUTOR: Arc<Executor<'static>> = Arc::new(Executor::new());
    }

    fn executor() -> Arc<Executor<'static>> {
        EXECUTOR.with(Arc::clone)
    }

    fn run<F: Future>(future: F) -> F::Output {
        let executor = executor();
        block_on(executor.run(future))
    }

    sansmb_async::runtime_conformance!(SmolRuntime::with_executor(executor()), run);
}
