//! Times of operations.

#![expect(clippy::disallowed_methods, reason = "measuring time is what it is for")]

use std::time::{Duration, Instant};

use serde::Serialize;

/// Measures how long something takes.
#[derive(Debug)]
pub(super) struct Stopwatch(Instant);

impl Stopwatch {
    pub(super) fn start() -> Self {
        Self(Instant::now())
    }

    pub(super) fn stop(self) -> Duration {
        self.0.elapsed()
    }
}

/// Many operations, and how long each took.
#[derive(Debug)]
pub(super) struct Operations {
    all: Duration,
    each: Vec<Duration>,
}

impl Operations {
    /// Operations that ran side by side while `watch` did.
    pub(super) fn gathered(watch: Stopwatch, each: Vec<Duration>) -> Self {
        Self { all: watch.stop(), each }
    }

    /// How long all of it took.
    pub(super) fn took(&self) -> Duration {
        self.all
    }
}

/// One line of the result.
#[derive(Debug, Serialize)]
pub(super) struct Figure {
    /// What was done.
    pub(super) what: &'static str,
    /// Operations, entries or bytes.
    pub(super) count: u64,
    /// What is counted.
    pub(super) unit: &'static str,
    /// How long all of it took.
    pub(super) seconds: f64,
    /// `count` in a second.
    pub(super) per_second: f64,
    /// Milliseconds that half of the operations took at most, and 99 of 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) milliseconds: Option<[f64; 2]>,
}

impl Figure {
    fn new(what: &'static str, count: u64, unit: &'static str, took: Duration) -> Self {
        let seconds = took.as_secs_f64();
        Self { what, count, unit, seconds, per_second: count as f64 / seconds.max(1e-9), milliseconds: None }
    }

    /// Bytes of one file.
    pub(super) fn bulk(what: &'static str, bytes: u64, took: Duration) -> Self {
        Self::new(what, bytes, "bytes", took)
    }

    /// Entries of a directory.
    pub(super) fn listing(what: &'static str, entries: u64, took: Duration) -> Self {
        Self::new(what, entries, "entries", took)
    }

    /// Operations on files.
    pub(super) fn each(what: &'static str, operations: Operations) -> Self {
        Self::operations(what, operations, 1, "files")
    }

    /// Operations of any kind, each of which counts as so many units.
    pub(super) fn operations(
        what: &'static str,
        operations: Operations,
        worth: u64,
        unit: &'static str,
    ) -> Self {
        let Operations { all, mut each } = operations;
        each.sort_unstable();
        let at = |percent: usize| {
            each.get((each.len() * percent / 100).min(each.len().saturating_sub(1)))
                .map_or(0.0, |took| took.as_secs_f64() * 1e3)
        };
        let milliseconds = Some([at(50), at(99)]);
        Self { milliseconds, ..Self::new(what, each.len() as u64 * worth, unit, all) }
    }
}
