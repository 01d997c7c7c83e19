//! One job, and waiting for its end.

use std::sync::mpsc;

use sansmb::wire::NtStatus;
use sansmb_fileserver::storage::{Job, Outcome, Storage};

/// Does `job` and blocks until it has ended: for tests, tools and servers with a thread for each
/// connection.
pub fn run(storage: &dyn Storage, job: Job) -> Outcome {
    let (done, outcome) = mpsc::sync_channel(1);
    storage.submit(
        job,
        Box::new(move |result| {
            // The receiver waits below; it cannot be gone.
            let _ = done.send(result);
        }),
    );
    outcome.recv().unwrap_or(Err(NtStatus::INTERNAL_ERROR))
}
