//! Listing a directory.

use std::collections::VecDeque;

use sansmb::{
    op,
    wire::{FileAttributes, NtStatus, QueryDirectoryFlags, QueryDirectoryRequest, Utf16Buf, fscc},
};

use super::{
    driver::Op,
    file::File,
    share::{Metadata, response},
};
use crate::error::{Error, Result};

/// An entry of a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name; a lone surrogate shows as U+FFFD.
    pub name: String,
    /// What is known of it.
    pub metadata: Metadata,
    /// The server's number of the file, zero where it has none.
    pub file_id: u64,
}

/// The entries of a directory, without `.` and `..`, in the server's order.
#[derive(Debug)]
pub struct DirStream {
    // Given up before the directory is closed.
    under_way: VecDeque<Op>,
    dir: File,
    entries: VecDeque<Entry>,
    begun: bool,
    ended: bool,
}

/// What is asked for of each entry.
const CLASS: fscc::FileInfoClass = fscc::FileInfoClass::ID_BOTH_DIRECTORY;
/// Bytes of entries asked for at a time.
const BUFFER: u32 = 1 << 20;
/// Requests under way: a small directory and its end take one round trip, and of a large one the server reads
/// on while what it gave is looked at.
const DEPTH: usize = 2;

impl DirStream {
    pub(super) fn new(dir: File) -> Self {
        Self { under_way: VecDeque::new(), dir, entries: VecDeque::new(), begun: false, ended: false }
    }

    /// The next entry, or `None` at the end.
    pub async fn next(&mut self) -> Result<Option<Entry>> {
        loop {
            if let Some(entry) = self.entries.pop_front() {
                return Ok(Some(entry));
            }
            if self.ended {
                return Ok(None);
            }
            self.fill().await?;
        }
    }

    /// All entries that are left.
    pub async fn collect(mut self) -> Result<Vec<Entry>> {
        let mut all = Vec::new();
        while let Some(entry) = self.next().await? {
            all.push(entry);
        }
        Ok(all)
    }

    /// Asks for entries. All requests are alike, so that it does not matter which of them the server looks at
    /// first: on a directory that was just opened the scan starts at its start.
    fn ask(&mut self) {
        let pattern = Utf16Buf::new("*");
        let request = QueryDirectoryRequest {
            information_class: CLASS,
            flags: QueryDirectoryFlags::empty(),
            file_id: self.dir.id(),
            pattern: pattern.as_utf16(),
            output_buffer_length: self.length(),
            ..Default::default()
        };
        self.under_way.push_back(self.dir.share().start::<op::QueryDirectory>(&request));
    }

    fn length(&self) -> u32 {
        self.dir.share().inner.max_transact.min(BUFFER)
    }

    async fn fill(&mut self) -> Result<()> {
        if !std::mem::replace(&mut self.begun, true) {
            (0..DEPTH).for_each(|_| self.ask());
        }
        if self.under_way.is_empty() {
            self.ask();
        }
        let Some(op) = self.under_way.pop_front() else { return Ok(()) };
        let outcome = match op.await {
            Ok(outcome) => outcome,
            Err(error)
                if matches!(error.status(), Some(NtStatus::NO_MORE_FILES | NtStatus::NO_SUCH_FILE)) =>
            {
                // One that the server looked at before may still have some.
                self.ended = self.under_way.is_empty();
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        let response = response(outcome)?;
        let buffer = response.body::<op::QueryDirectory>()?.buffer;
        // There is more, as it looks.
        if buffer.len() > self.length() as usize / 2 {
            self.ask();
        }
        let entries =
            fscc::DirEntries::new(CLASS, buffer).ok_or(Error::Unexpected("unknown directory class"))?;
        for entry in entries {
            let entry = entry?;
            let name = entry.name.to_text_lossy();
            if name == "." || name == ".." {
                continue;
            }
            // A name that holds a separator would lead callers out of the folder that they copy to.
            if name.is_empty() || name.contains(['/', '\\', '\0']) {
                return Err(Error::Unexpected("a file name that cannot be one"));
            }
            self.entries.push_back(Entry {
                name,
                metadata: Metadata {
                    created: entry.creation_time,
                    accessed: entry.last_access_time,
                    written: entry.last_write_time,
                    changed: entry.change_time,
                    len: if entry.attributes.contains(FileAttributes::DIRECTORY) {
                        0
                    } else {
                        entry.end_of_file
                    },
                    allocated: entry.allocation_size,
                    attributes: entry.attributes,
                },
                file_id: entry.file_id as u64,
            });
        }
        // An answer without any entry would make us ask for ever.
        if buffer.is_empty() {
            self.ended = true;
        }
        Ok(())
    }
}
