//! A store of records that a test can look into, hold back and break.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use sansmb::wire::NtStatus;
use sansmb_fileserver::store::{OpenStore, RecordId, StoreCompletion, StoreDone, StoreJob};

/// Keeps records in a map, for as long as the test lasts.
#[derive(Debug, Default)]
pub(crate) struct MapStore(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    records: BTreeMap<RecordId, Bytes>,
    generation: u64,
    fails: bool,
    puts: usize,
}

impl MapStore {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.lock().unwrap().records.len()
    }

    /// How many records were written so far.
    pub(crate) fn puts(&self) -> usize {
        self.0.lock().unwrap().puts
    }

    /// From now on it cannot write.
    pub(crate) fn fails(&self, fails: bool) {
        self.0.lock().unwrap().fails = fails;
    }

    /// Spoils all records.
    pub(crate) fn cut_records(&self) {
        for record in self.0.lock().unwrap().records.values_mut() {
            record.truncate(record.len() / 2);
        }
    }
}

impl OpenStore for MapStore {
    fn submit(&self, job: StoreJob, done: StoreCompletion) {
        let mut inner = self.0.lock().unwrap();
        let outcome = match job {
            StoreJob::Load => {
                inner.generation += 1;
                let records = inner.records.iter().map(|(id, bytes)| (*id, bytes.clone())).collect();
                Ok(StoreDone::Loaded { generation: inner.generation, records })
            }
            StoreJob::Put { .. } if inner.fails => Err(NtStatus::DISK_FULL),
            StoreJob::Put { id, record } => {
                inner.puts += 1;
                inner.records.insert(id, record);
                Ok(StoreDone::Nothing)
            }
            StoreJob::Remove { id } => {
                inner.records.remove(&id);
                Ok(StoreDone::Nothing)
            }
            _ => Err(NtStatus::NOT_SUPPORTED),
        };
        drop(inner);
        done(outcome);
    }
}
