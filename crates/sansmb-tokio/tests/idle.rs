//! Idle connections cost no CPU. Alone in its binary, for it measures the process.

use std::time::Duration;

use sansmb_tokio::{TokioRuntime, testing::idle_cpu};

#[test]
fn idle_connections_cost_no_cpu() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    if let Some(spent) = runtime.block_on(idle_cpu(TokioRuntime)) {
        assert!(spent <= Duration::from_millis(50), "{spent:?} of CPU in an idle second");
    }
}
