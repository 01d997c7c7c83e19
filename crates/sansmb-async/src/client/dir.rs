//! Listing a directory.

use std::collections::VecDeque;

use sansmb::{
    op,
    wire::{FileAttributes, NtStatus, QueryDirectoryFlags, QueryDirectoryRequest, Utf16Buf, fscc},
};

use super::{
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
    dir: File,
    entries: VecDeque<Entry>,
    begun: bool,
    ended: bool,
}

/// Bytes of entries asked for at a time.
const BUFFER: u32 = 1 << 20;

impl DirStream {
    pub(super) fn new(dir: File) -> Self {
        Self { dir, entries: VecDeque::new(), begun: false, ended: false }
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

    async fn fill(&mut self) -> Result<()> {
        let pattern = Utf16Buf::new("*");
        let class = fscc::FileInfoClass::ID_BOTH_DIRECTORY;
        let request = QueryDirectoryRequest {
            information_class: class,
            flags: if self.begun { QueryDirectoryFlags::empty() } else { QueryDirectoryFlags::RESTART_SCANS },
            file_id: self.dir.id(),
            pattern: pattern.as_utf16(),
            output_buffer_length: self.dir.share().inner.max_transact.min(BUFFER),
            ..Default::default()
        };
        self.begun = true;
        let outcome = match self.dir.share().start::<op::QueryDirectory>(&request).await {
            Ok(outcome) => outcome,
            Err(error)
                if matches!(error.status(), Some(NtStatus::NO_MORE_FILES | NtStatus::NO_SUCH_FILE)) =>
            {
                self.ended = true;
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        let response = response(outcome)?;
        let buffer = response.body::<op::QueryDirectory>()?.buffer;
        let entries =
            fscc::DirEntries::new(class, buffer).ok_or(Error::Unexpected("unknown directory class"))?;
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
