//! Time is a value that the caller hands in; the core never asks an operating system for it.

use core::time::Duration;

/// Microseconds since an origin that the caller picked; it never runs backwards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(u64);

impl Instant {
    /// The origin itself.
    pub const ORIGIN: Self = Self(0);

    /// The moment `micros` microseconds after the origin.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// Microseconds since the origin.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// This moment plus `d`, saturating at the end of time.
    #[must_use]
    pub fn after(self, d: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(d.as_micros()).unwrap_or(u64::MAX)))
    }

    /// How long from `earlier` to this moment; zero when `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

/// What a driver passes to every feed: the monotonic clock, and the wall clock for the few fields
/// that carry it on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// For time-outs.
    pub mono: Instant,
    /// For fields such as the NEGOTIATE response's SystemTime.
    pub wall: FileTime,
}

/// FILETIME, [MS-DTYP] 2.3.3: 100-nanosecond steps since 1601-01-01 UTC. Zero means "not given" in most fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileTime(pub u64);

impl FileTime {
    /// 1970-01-01 in FILETIME steps.
    const UNIX_EPOCH: i128 = 116_444_736_000_000_000;

    /// From seconds and nanoseconds since 1970; saturates at both ends.
    pub fn from_unix(seconds: i64, nanos: u32) -> Self {
        let ticks = Self::UNIX_EPOCH + i128::from(seconds) * 10_000_000 + i128::from(nanos / 100);
        Self(ticks.clamp(0, i128::from(u64::MAX)) as u64)
    }

    /// Seconds (rounded down) and nanoseconds since 1970.
    pub fn to_unix(self) -> (i64, u32) {
        let ticks = i128::from(self.0) - Self::UNIX_EPOCH;
        (ticks.div_euclid(10_000_000) as i64, (ticks.rem_euclid(10_000_000) * 100) as u32)
    }
}
