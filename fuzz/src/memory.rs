//! Counts what is allocated, so that a target can say how much memory an input may cost.

#[cfg(fuzzing)]
mod counting {
    use std::{
        alloc::{GlobalAlloc, Layout, System},
        sync::atomic::{AtomicUsize, Ordering::Relaxed},
    };

    #[global_allocator]
    static ALLOCATOR: Counting = Counting;

    static LIVE: AtomicUsize = AtomicUsize::new(0);
    static PEAK: AtomicUsize = AtomicUsize::new(0);
    static TOTAL: AtomicUsize = AtomicUsize::new(0);

    /// The system's allocator with three counters.
    struct Counting;

    fn grown(bytes: usize) {
        let live = LIVE.fetch_add(bytes, Relaxed).wrapping_add(bytes);
        PEAK.fetch_max(live, Relaxed);
        TOTAL.fetch_add(bytes, Relaxed);
    }

    // SAFETY: every call goes to the system's allocator as it came.
    unsafe impl GlobalAlloc for Counting {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            grown(layout.size());
            unsafe { System.alloc(layout) }
        }

        unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
            grown(layout.size());
            unsafe { System.alloc_zeroed(layout) }
        }

        unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
            LIVE.fetch_sub(layout.size(), Relaxed);
            unsafe { System.dealloc(at, layout) }
        }

        unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
            if size >= layout.size() {
                grown(size - layout.size());
            } else {
                LIVE.fetch_sub(layout.size() - size, Relaxed);
            }
            unsafe { System.realloc(at, layout, size) }
        }
    }

    pub(crate) fn live() -> usize {
        LIVE.load(Relaxed)
    }

    /// Starts a new measurement and gives what is allocated now.
    pub(crate) fn begin() -> (usize, usize) {
        let live = live();
        PEAK.store(live, Relaxed);
        (live, TOTAL.load(Relaxed))
    }

    pub(crate) fn peak() -> usize {
        PEAK.load(Relaxed)
    }

    pub(crate) fn total() -> usize {
        TOTAL.load(Relaxed)
    }
}

/// What an input of `n` bytes may cost: `base + factor * n` bytes at once, and eight times that in
/// the course of time, which bounds the work too.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    /// Bytes that even an empty input may take.
    pub(crate) base: usize,
    /// Bytes for every byte of input.
    pub(crate) factor: usize,
}

impl Budget {
    /// For parsers: they borrow, and only what is encoded again takes memory.
    pub(crate) const PARSER: Self = Self { base: 16 << 10, factor: 64 };

    /// Runs `test` on an input of `len` bytes. What it leaves behind is a finding too.
    pub(crate) fn check(self, len: usize, test: impl FnOnce()) {
        #[cfg(fuzzing)]
        {
            let limit = self.base + self.factor * len;
            let (before, total) = counting::begin();
            test();
            let peak = counting::peak().saturating_sub(before);
            assert!(peak <= limit, "{peak} bytes at once for an input of {len} bytes: {limit} are allowed");
            let turned = counting::total().wrapping_sub(total);
            assert!(turned <= 8 * limit, "{turned} bytes in all for an input of {len} bytes");
            let left = counting::live().saturating_sub(before);
            assert!(left <= 1 << 10, "{left} bytes are never freed");
        }
        #[cfg(not(fuzzing))]
        {
            let _ = (self.base, self.factor, len);
            test();
        }
    }
}
