//! NTSTATUS, [MS-ERREF] 2.3.

mod message;
mod table;
#[cfg(test)]
mod tests;

use core::fmt;

/// An NTSTATUS value. Values without a name survive a round trip and print as hex.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NtStatus(pub u32);

impl NtStatus {
    /// The two highest bits: 0 success, 1 information, 2 warning, 3 error.
    const fn severity(self) -> u32 {
        self.0 >> 30
    }

    /// Whether the operation succeeded. [`Self::PENDING`] is among the successes, and so are the
    /// informational statuses.
    pub const fn is_success(self) -> bool {
        self.severity() < 2
    }

    /// Whether it is a warning, such as [`Self::BUFFER_OVERFLOW`]: there is a result, but not all of it.
    pub const fn is_warning(self) -> bool {
        self.severity() == 2
    }

    /// Whether it is an error.
    pub const fn is_error(self) -> bool {
        self.severity() == 3
    }
}

impl fmt::Debug for NtStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "{:#010x}", self.0),
        }
    }
}

impl fmt::Display for NtStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
