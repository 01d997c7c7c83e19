//! FILETIME, [MS-DTYP] 2.3.3.

/// 100-nanosecond steps since 1601-01-01 UTC. Zero means "not given" in most fields.
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
