//! What users take of a volume and how much they may, [MS-FSA] 2.1.1.1.

use std::ops::Bound;

use sansmb::wire::{FileTime, dtyp::Sid, fscc::FsControlFlags};

/// The quota file's directory and its name, [MS-FSA] 2.1.5.1 phase 7. Nothing else has a path with colons in it.
pub const QUOTA_FILE: [&str; 2] = ["$Extend", "$Quota:$Q:$INDEX_ALLOCATION"];
/// As a threshold or a limit: there is none.
pub const NO_QUOTA: u64 = u64::MAX;

/// How much somebody may take, in bytes; [`NO_QUOTA`] for all that there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuotaLimits {
    /// QuotaThreshold: from here on they take much. Nothing comes of it.
    pub threshold: u64,
    /// QuotaLimit.
    pub limit: u64,
}

impl Default for QuotaLimits {
    fn default() -> Self {
        Self { threshold: NO_QUOTA, limit: NO_QUOTA }
    }
}

/// How the quotas of a volume are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct QuotaControl {
    /// DefaultQuotaThreshold and DefaultQuotaLimit, for users who have no limits of their own.
    pub usual: QuotaLimits,
    /// VolumeQuotaState.
    pub flags: FsControlFlags,
}

impl QuotaControl {
    /// Whether nobody gets more than their limit: who only wants to track usage does not want that,
    /// [MS-FSCC] 2.5.2.
    pub fn enforces(&self) -> bool {
        self.flags & (FsControlFlags::QUOTA_TRACK | FsControlFlags::QUOTA_ENFORCE)
            == FsControlFlags::QUOTA_ENFORCE
    }
}

/// What is kept of one user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Who.
    pub user: Sid,
    /// ChangeTime: when their limits were last set.
    pub changed: FileTime,
    /// QuotaUsed: bytes allocated for the streams of the files that they own.
    pub used: u64,
    /// How much they may take.
    pub limits: QuotaLimits,
}

/// A user's new limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuotaChange {
    /// Who.
    pub user: Sid,
    /// None takes back what was set for them: the usual ones count again.
    pub limits: Option<QuotaLimits>,
}

/// What is asked of the quotas of a volume: see [`Job::Quota`](super::Job::Quota).
#[derive(Debug)]
#[non_exhaustive]
pub enum QuotaJob {
    /// Opens the quota file, which is always there and which no directory lists. Its attributes say that it
    /// is a directory; it holds neither data nor entries. Its path is
    /// [`QUOTA_FILE`]. Ends with [`Done::Opened`](super::Done::Opened).
    Open,
    /// How they are used. Ends with [`Done::QuotaControl`](super::Done::QuotaControl).
    Control,
    /// Uses them otherwise. Ends with [`Done::Nothing`](super::Done::Nothing).
    SetControl(QuotaControl),
    /// What is kept of these users; nothing of those who own nothing and have no limits. Ends with
    /// [`Done::Quotas`](super::Done::Quotas).
    Of(Vec<Sid>),
    /// What is kept of users, in their order. Ends with [`Done::Quotas`](super::Done::Quotas).
    List {
        /// At whom it starts.
        from: Bound<Sid>,
        /// At most so many.
        limit: usize,
    },
    /// Sets limits, one user after the other; the first that fails ends it. Ends with
    /// [`Done::Nothing`](super::Done::Nothing); with `NO_MATCH` where nothing is kept of a user whose
    /// limits are to be taken back.
    Set(Vec<QuotaChange>),
}
