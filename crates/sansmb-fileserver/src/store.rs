//! Where records of persistent opens are kept: what outlives the server itself.
//!
//! As with [`storage`](crate::storage), the file server does no I/O: it emits a [`StoreJob`], a driver
//! hands it to the [`OpenStore`] and brings the [`StoreOutcome`] back through
//! [`FileServer::stored`](crate::FileServer::stored). What a record says is the file server's business;
//! a store keeps bytes under a number.

use std::fmt::Debug;

use bytes::Bytes;
use sansmb::wire::NtStatus;

/// Keeps records of persistent opens, [MS-SMB2] 3.3.1.10.
pub trait OpenStore: Debug + Send + Sync {
    /// Does `job` and calls `done` exactly once, at once or later, from any thread. There is never more
    /// than one job for a record at a time.
    fn submit(&self, job: StoreJob, done: StoreCompletion);
}

/// Takes the outcome of one job.
pub type StoreCompletion = Box<dyn FnOnce(StoreOutcome) + Send>;

/// How a job ended.
pub type StoreOutcome = Result<StoreDone, NtStatus>;

/// Names a record: the persistent half of the FileId of its open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordId(pub u64);

/// One piece of work.
#[derive(Debug)]
#[non_exhaustive]
pub enum StoreJob {
    /// Gives all records. It is the first job of a run of the server. Ends with [`StoreDone::Loaded`].
    Load,
    /// Keeps a record in place of the one that there was. Before it ends, the record is where neither
    /// the end of the program nor that of the machine takes it away; until then, the old one holds. Ends
    /// with [`StoreDone::Nothing`].
    Put {
        /// Which.
        id: RecordId,
        /// What it says.
        record: Bytes,
    },
    /// Forgets a record; it may have none. Ends with [`StoreDone::Nothing`].
    Remove {
        /// Which.
        id: RecordId,
    },
}

/// What a job that succeeded gives.
#[derive(Debug)]
#[non_exhaustive]
pub enum StoreDone {
    /// Nothing to say.
    Nothing,
    /// See [`StoreJob::Load`].
    Loaded {
        /// Counts the runs of the server, this one included: never given twice, and never zero. What the
        /// server numbers in this run is told apart from what it numbered before by this.
        generation: u64,
        /// Every record that was kept as a whole.
        records: Vec<(RecordId, Bytes)>,
    },
}
