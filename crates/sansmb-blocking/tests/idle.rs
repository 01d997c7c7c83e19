//! Idle connections cost no CPU. Alone in its binary, for it measures the process.

use std::time::Duration;

use sansmb_blocking::{ThreadRuntime, block_on, testing::idle_cpu};

#[test]
fn idle_connections_cost_no_cpu() {
    if let Some(spent) = block_on(idle_cpu(ThreadRuntime)) {
        assert!(spent <= Duration::from_millis(50), "{spent:?} of CPU in an idle second");
    }
}
