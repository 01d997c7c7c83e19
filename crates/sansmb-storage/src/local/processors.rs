//! On which processor a thread runs.

use rustix::thread::{CpuSet, sched_getaffinity, sched_getcpu, sched_setaffinity};

/// A processor, by the number that it has in the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Processor(usize);

impl Processor {
    /// That of this thread, for the moment.
    pub(super) fn current() -> Self {
        Self(sched_getcpu())
    }
}

/// This thread runs on another processor than it would, until this is dropped.
#[derive(Debug)]
pub(super) struct Elsewhere {
    before: CpuSet,
}

impl Elsewhere {
    /// Leaves a processor, if this thread is on it and may be on others.
    ///
    /// The kernel puts a thread that is woken on the processor of the one that wakes it when it takes the other
    /// ones for busy, which with two of them it does from two thirds on. There it waits until a time
    /// slice is over, milliseconds, while another processor has nothing to do.
    pub(super) fn than(there: Processor) -> Option<Self> {
        if Processor::current() != there || there.0 >= CpuSet::MAX_CPU {
            return None;
        }
        let before = sched_getaffinity(None).ok()?;
        let mut others = before;
        others.unset(there.0);
        (others.count() > 0 && sched_setaffinity(None, &others).is_ok()).then_some(Self { before })
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        let _ = sched_setaffinity(None, &self.before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_leaves_a_processor_and_may_come_back() {
        let may = || sched_getaffinity(None).unwrap();
        let all = may();
        let here = Processor::current();
        // Another one may have been given to it meanwhile.
        if let Some(elsewhere) = Elsewhere::than(here) {
            assert_ne!(Processor::current(), here);
            assert_eq!(may().count(), all.count() - 1);
            drop(elsewhere);
        }
        assert!(may() == all);
        // With one alone it stays where it is.
        let mut one = CpuSet::new();
        one.set(Processor::current().0);
        sched_setaffinity(None, &one).unwrap();
        assert!(Elsewhere::than(Processor::current()).is_none());
    }
}
