//! Work on one thing, done in order by one thread at a time.

use std::{
    collections::VecDeque,
    fmt, mem,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Mutex,
};

use super::pool::Work;
use crate::slab::lock;

/// Work that waits for its turn. Writes to one file go through one: the kernel lets in one at a time
/// anyway, and several threads would wait for each other on a processor each.
#[derive(Default)]
pub(super) struct Lane(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    queue: VecDeque<Work>,
    /// Somebody is at it, or will be.
    taken: bool,
}

impl fmt::Debug for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} queued", lock(&self.0).queue.len())
    }
}

impl Lane {
    /// Queues `work`; whether the caller has to see to it that [`Lane::run`] is called.
    pub(super) fn push(&self, work: Work) -> bool {
        let mut waiting = lock(&self.0);
        waiting.queue.push_back(work);
        !mem::replace(&mut waiting.taken, true)
    }

    /// Does what is queued, but leaves after each piece when others want the thread; whether there is
    /// more, for which this has to be called again.
    pub(super) fn run(&self, wanted: impl Fn() -> bool) -> bool {
        loop {
            let mut waiting = lock(&self.0);
            let Some(work) = waiting.queue.pop_front() else {
                waiting.taken = false;
                return false;
            };
            drop(waiting);
            // What panics must not keep the rest from being done.
            let _ = catch_unwind(AssertUnwindSafe(work));
            if wanted() {
                return true;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, mpsc};

    use super::{super::pool::Pool, *};

    #[test]
    fn work_of_a_lane_is_done_in_order_whatever_others_do() {
        let pool = Pool::new(3);
        let lanes = [(); 5].map(|()| Arc::<Lane>::default());
        let (done, results) = mpsc::channel();
        for n in 0..1000_u32 {
            let done = done.clone();
            let lane = n % 5;
            pool.spawn_in(
                &lanes[lane as usize],
                Box::new(move || {
                    done.send((lane, n)).unwrap();
                    assert_ne!(n % 100, 7, "some panic");
                }),
            );
        }
        drop((pool, done));
        let all: Vec<(u32, u32)> = results.iter().collect();
        assert_eq!(all.len(), 1000);
        for lane in 0..5 {
            let own = all.iter().filter(|(of, _)| *of == lane);
            assert!(own.is_sorted(), "lane {lane}");
        }
    }
}
