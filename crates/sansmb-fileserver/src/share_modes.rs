//! Share modes, [MS-FSA] 2.1.5.1.2.2, in counters: every check takes the same time, however many
//! opens a file has.

use sansmb::wire::{AccessMask, ShareAccess};

const READING: AccessMask = AccessMask::FILE_READ_DATA.union(AccessMask::FILE_EXECUTE);
const WRITING: AccessMask = AccessMask::FILE_WRITE_DATA.union(AccessMask::FILE_APPEND_DATA);

/// What one open contributes. Opens that touch no data and do not delete contribute nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Claim {
    reads: bool,
    writes: bool,
    deletes: bool,
    share: ShareAccess,
}

impl Claim {
    pub(crate) fn new(granted: AccessMask, share: ShareAccess) -> Self {
        Self {
            reads: granted.intersects(READING),
            writes: granted.intersects(WRITING),
            deletes: granted.contains(AccessMask::DELETE),
            share,
        }
    }

    fn counts(self) -> bool {
        self.reads || self.writes || self.deletes
    }
}

/// The sum over all opens of one file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct ShareModes {
    readers: usize,
    writers: usize,
    deleters: usize,
    deny_read: usize,
    deny_write: usize,
    deny_delete: usize,
}

impl ShareModes {
    /// Whether an open with `claim` can stand beside those that there are.
    pub(crate) fn allow(&self, claim: Claim) -> bool {
        if !claim.counts() {
            return true;
        }
        let refused = claim.reads && self.deny_read > 0
            || claim.writes && self.deny_write > 0
            || claim.deletes && self.deny_delete > 0
            || !claim.share.contains(ShareAccess::READ) && self.readers > 0
            || !claim.share.contains(ShareAccess::WRITE) && self.writers > 0
            || !claim.share.contains(ShareAccess::DELETE) && self.deleters > 0;
        !refused
    }

    /// Whether the whole file may go as `claim` wants, while these opens are on its streams,
    /// [MS-FSA] 2.1.5.1.2.1.
    pub(crate) fn allow_deletion(&self, claim: Claim) -> bool {
        !(claim.deletes && self.deny_delete > 0)
    }

    /// Whether a stream may be opened with `claim` while these opens are on the file itself: whoever
    /// may delete the file may delete the stream with it.
    pub(crate) fn allow_stream(&self, claim: Claim) -> bool {
        !claim.counts() || claim.share.contains(ShareAccess::DELETE) || self.deleters == 0
    }

    /// Counts an open in.
    pub(crate) fn add(&mut self, claim: Claim) {
        self.each(claim, |n| *n += 1);
    }

    /// Counts an open out.
    pub(crate) fn remove(&mut self, claim: Claim) {
        self.each(claim, |n| *n = n.saturating_sub(1));
    }

    fn each(&mut self, claim: Claim, step: impl Fn(&mut usize)) {
        if !claim.counts() {
            return;
        }
        for (counter, counts) in [
            (&mut self.readers, claim.reads),
            (&mut self.writers, claim.writes),
            (&mut self.deleters, claim.deletes),
            (&mut self.deny_read, !claim.share.contains(ShareAccess::READ)),
            (&mut self.deny_write, !claim.share.contains(ShareAccess::WRITE)),
            (&mut self.deny_delete, !claim.share.contains(ShareAccess::DELETE)),
        ] {
            if counts {
                step(counter);
            }
        }
    }
}
