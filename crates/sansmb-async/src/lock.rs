//! Locks.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks. A panic while the lock was held is a bug of ours, but no reason to bring others down.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
