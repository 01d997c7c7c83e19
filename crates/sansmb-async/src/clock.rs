//! The clocks, read in this one place.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use sansmb::{
    time::{Instant as Mono, Now},
    wire::FileTime,
};

/// Turns the clocks of the operating system into [`Now`].
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    origin: Instant,
}

impl Clock {
    /// A clock whose origin is this moment.
    #[expect(clippy::disallowed_methods, reason = "this is where an adapter reads the clock")]
    pub fn new() -> Self {
        Self { origin: Instant::now() }
    }

    /// This moment.
    #[expect(clippy::disallowed_methods, reason = "this is where an adapter reads the clock")]
    pub fn now(&self) -> Now {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Now {
            mono: Mono::from_micros(self.origin.elapsed().as_micros() as u64),
            wall: FileTime::from_unix(wall.as_secs() as i64, wall.subsec_nanos()),
        }
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}
