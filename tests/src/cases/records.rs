//! Records of persistent opens, which outlive the server of a case and not the case.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use bytes::Bytes;
use sansmb::wire::NtStatus;
use sansmb_fileserver::store::{OpenStore, RecordId, StoreCompletion, StoreDone, StoreJob};

/// Keeps records in memory.
#[derive(Debug, Default)]
pub(super) struct Records(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    records: BTreeMap<RecordId, Bytes>,
    generation: u64,
}

impl OpenStore for Records {
    fn submit(&self, job: StoreJob, done: StoreCompletion) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let outcome = match job {
            StoreJob::Load => {
                kept.generation += 1;
                let records = kept.records.iter().map(|(id, record)| (*id, record.clone())).collect();
                Ok(StoreDone::Loaded { generation: kept.generation, records })
            }
            StoreJob::Put { id, record } => {
                kept.records.insert(id, record);
                Ok(StoreDone::Nothing)
            }
            StoreJob::Remove { id } => {
                kept.records.remove(&id);
                Ok(StoreDone::Nothing)
            }
            _ => Err(NtStatus::NOT_SUPPORTED),
        };
        drop(kept);
        done(outcome);
    }
}
