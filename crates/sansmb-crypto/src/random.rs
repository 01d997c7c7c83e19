//! Randomness of the operating system.

use sansmb::crypto::Random;

/// Randomness of the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsRandom;

impl Random for OsRandom {
    /// Panics when the operating system has no randomness to give: nothing safe can be done then.
    fn fill(&mut self, out: &mut [u8]) {
        if let Err(e) = getrandom::fill(out) {
            panic!("the operating system gives no randomness: {e}");
        }
    }
}
