//! A table of what is open, by [`Handle`].

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sansmb_fileserver::storage::Handle;

/// Locks, whatever happened to a thread that held the lock before: none of the tables here is ever
/// left half changed.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

const SHARDS: usize = 16;

/// Slots in shards, so that connections seldom meet at a lock. A handle is generation, slot and
/// shard; a handle that was given back finds nothing, even when its slot is in use again.
#[derive(Debug)]
pub(crate) struct Slab<T> {
    shards: [Mutex<Shard<T>>; SHARDS],
    next: std::sync::atomic::AtomicUsize,
}

#[derive(Debug)]
struct Shard<T> {
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
}

#[derive(Debug)]
struct Slot<T> {
    generation: u32,
    value: Option<Arc<T>>,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::new(Shard { slots: Vec::new(), free: Vec::new() })),
            next: Default::default(),
        }
    }
}

impl<T> Slab<T> {
    /// Keeps `value` until it is removed.
    pub(crate) fn insert(&self, value: Arc<T>) -> Handle {
        let shard_no = self.next.fetch_add(1, std::sync::atomic::Ordering::Relaxed) % SHARDS;
        let mut guard = lock(&self.shards[shard_no]);
        let shard = &mut *guard;
        let slot_no = shard.free.pop().unwrap_or_else(|| {
            shard.slots.push(Slot { generation: 0, value: None });
            shard.slots.len() as u32 - 1
        });
        let slot = &mut shard.slots[slot_no as usize];
        slot.generation = slot.generation.wrapping_add(1);
        slot.value = Some(value);
        Handle(u64::from(slot.generation) << 32 | u64::from(slot_no) << 4 | shard_no as u64)
    }

    /// What is open under `handle`.
    pub(crate) fn get(&self, handle: Handle) -> Option<Arc<T>> {
        let (shard, slot, generation) = split(handle);
        let shard = lock(self.shards.get(shard)?);
        shard.slots.get(slot).filter(|slot| slot.generation == generation)?.value.clone()
    }

    /// Takes it out.
    pub(crate) fn remove(&self, handle: Handle) -> Option<Arc<T>> {
        let (shard, slot_no, generation) = split(handle);
        let mut shard = lock(self.shards.get(shard)?);
        let slot = shard.slots.get_mut(slot_no).filter(|slot| slot.generation == generation)?;
        let value = slot.value.take()?;
        shard.free.push(slot_no as u32);
        Some(value)
    }
}

fn split(Handle(raw): Handle) -> (usize, usize, u32) {
    ((raw & 0xf) as usize, ((raw >> 4) & 0x0fff_ffff) as usize, (raw >> 32) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stale_handles_find_nothing() {
        let slab = Slab::default();
        let first = slab.insert(Arc::new(1));
        for _ in 0..100 {
            let again = slab.insert(Arc::new(2));
            assert_eq!(slab.remove(again).as_deref(), Some(&2));
            assert!(slab.remove(again).is_none());
            assert!(slab.get(again).is_none());
        }
        assert_eq!(slab.get(first).as_deref(), Some(&1));
        assert!(slab.get(Handle(u64::MAX)).is_none());
    }
}
