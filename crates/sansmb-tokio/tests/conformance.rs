//! `TokioRuntime` is a `Runtime` as the drivers expect it, on either scheduler of tokio.

use std::future::Future;

use sansmb_tokio::TokioRuntime;
use tokio::runtime::Builder;

mod multi_thread {
    use super::*;

    fn block_on<F: Future>(future: F) -> F::Output {
        Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(future)
    }

    sansmb_async::runtime_conformance!(TokioRuntime, block_on);
}

mod current_thread {
    use super::*;

    fn block_on<F: Future>(future: F) -> F::Output {
        Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
    }

    sansmb_async::runtime_conformance!(TokioRuntime, block_on);
}
