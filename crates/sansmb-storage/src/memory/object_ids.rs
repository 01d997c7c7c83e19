//! Object IDs: each is that of one file, for as long as the file is there.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use sansmb::wire::{
    Guid, NtStatus,
    fsctl::{ObjectIdBirth, ObjectIdBuffer},
};
use sansmb_fileserver::storage::{Done, Handle, ObjectIdJob, Outcome};

use super::{Memory, chunks::Usage};
use crate::slab::lock;

/// Capacity that one takes, and its place among all.
const SIZE: u64 = 128;

/// Those of a volume.
#[derive(Debug, Default)]
pub(super) struct ObjectIds(Mutex<Ids>);

#[derive(Debug, Default)]
struct Ids {
    taken: BTreeSet<Guid>,
    /// Of which the next one is made.
    next: u64,
}

/// That of a file.
#[derive(Debug)]
pub(super) struct ObjectId {
    told: ObjectIdBuffer,
    all: Arc<ObjectIds>,
    usage: Arc<Usage>,
}

impl ObjectIds {
    /// One that no file has.
    fn fresh(self: &Arc<Self>, volume: u64, usage: &Arc<Usage>) -> Result<ObjectId, NtStatus> {
        let mut ids = lock(&self.0);
        loop {
            ids.next += 1;
            let object_id = Guid::of(volume, ids.next);
            if !ids.taken.contains(&object_id) {
                drop(ids);
                let birth_volume_id = Guid::of(volume, 0);
                let told = ObjectIdBuffer {
                    object_id,
                    birth_volume_id,
                    birth_object_id: object_id,
                    domain_id: Guid::default(),
                };
                return self.take(told, usage);
            }
        }
    }

    fn take(self: &Arc<Self>, told: ObjectIdBuffer, usage: &Arc<Usage>) -> Result<ObjectId, NtStatus> {
        usage.take(SIZE)?;
        if !lock(&self.0).taken.insert(told.object_id) {
            usage.give_back(SIZE);
            return Err(NtStatus::DUPLICATE_NAME);
        }
        Ok(ObjectId { told, all: Arc::clone(self), usage: Arc::clone(usage) })
    }
}

impl Drop for ObjectId {
    fn drop(&mut self) {
        lock(&self.all.0).taken.remove(&self.told.object_id);
        self.usage.give_back(SIZE);
    }
}

impl Memory {
    pub(super) fn object_id(&self, handle: Handle, job: ObjectIdJob) -> Outcome {
        let inode = Arc::clone(&self.get(handle)?.inode);
        let (usage, serial) = (&self.usage, self.traits.serial.into());
        let mut slot = lock(&inode.object_id);
        match (job, slot.as_mut()) {
            (ObjectIdJob::Get | ObjectIdJob::CreateOrGet, Some(id)) => return Ok(Done::ObjectId(id.told)),
            (ObjectIdJob::CreateOrGet, None) => {
                let told = slot.insert(Box::new(self.object_ids.fresh(serial, usage)?)).told;
                drop(slot);
                inode.changed(self.now());
                return Ok(Done::ObjectId(told));
            }
            (ObjectIdJob::Set(_), Some(_)) => return Err(NtStatus::OBJECT_NAME_COLLISION),
            (ObjectIdJob::Set(told), None) => *slot = Some(Box::new(self.object_ids.take(told, usage)?)),
            (ObjectIdJob::SetBirth(birth), Some(id)) => {
                let ObjectIdBirth { birth_volume_id, birth_object_id, domain_id } = birth;
                let object_id = id.told.object_id;
                id.told = ObjectIdBuffer { object_id, birth_volume_id, birth_object_id, domain_id };
            }
            (ObjectIdJob::Delete, Some(_)) => *slot = None,
            (ObjectIdJob::Delete, None) => return Ok(Done::Nothing),
            (ObjectIdJob::Get | ObjectIdJob::SetBirth(_), None) => return Err(NtStatus::OBJECTID_NOT_FOUND),
            _ => return Err(NtStatus::NOT_SUPPORTED),
        }
        drop(slot);
        inode.changed(self.now());
        Ok(Done::Nothing)
    }
}
