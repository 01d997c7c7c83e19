//! One job, and waiting for its end.

use std::sync::mpsc;

use sansmb::wire::NtStatus;
use sansmb_fileserver::storage::{Done, Job, Outcome, Storage};

/// Does `job` and blocks until it has ended: for tests, tools and servers with a thread for each
/// connection.
pub fn run(storage: &dyn Storage, job: Job) -> Outcome {
    let Job::Read { handle, mut offset, mut length, mut into } = job else { return run_once(storage, job) };
    loop {
        let before = into.len();
        match run_once(storage, Job::Read { handle, offset, length, into })? {
            Done::ReadPart(part) if part.len() > before => into = part,
            other => return Ok(other),
        }
        let got = into.len() - before;
        (offset, length) = (offset.saturating_add(got as u64), length.saturating_sub(got as u32));
    }
}

fn run_once(storage: &dyn Storage, job: Job) -> Outcome {
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
