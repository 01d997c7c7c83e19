//! Control codes about a file's data: holes and zeros.

use sansmb::{
    server::{Token, op},
    wire::{
        AccessMask, CompletionFilter, FileAttributes, NtStatus, Structure,
        fscc::NotifyAction,
        fsctl::{FileRange, FileRanges, SetSparse, ZeroData},
    },
};

use super::{Echo, MAX_OFFSET};
use crate::{
    opens::OpenId,
    server::{FileServer, nothing},
    storage::{Changes, Done, Job, Outcome},
    task::Step,
};

/// A query of allocated ranges that is under way.
#[derive(Debug)]
pub(crate) struct Ranging {
    token: Token<op::Ioctl>,
    echo: Echo,
    range: FileRange,
}

/// A change of the sparse attribute that is under way.
#[derive(Debug)]
pub(crate) struct Sparsing {
    token: Token<op::Ioctl>,
    echo: Echo,
    sparse: bool,
    /// What a file becomes once its holes are filled.
    filled: Option<FileAttributes>,
}

impl FileServer {
    /// [MS-FSA] 2.1.5.10.38. Storages decide by themselves what they leave out; the attribute says
    /// whether a client learns of it.
    pub(super) fn set_sparse(&mut self, id: OpenId, token: Token<op::Ioctl>, input: &[u8], echo: Echo) {
        let Some(file) = self.file(id) else { return self.fail(token, NtStatus::FILE_CLOSED) };
        if file.directory {
            return self.fail(token, NtStatus::INVALID_PARAMETER);
        }
        let writing =
            AccessMask::FILE_WRITE_DATA | AccessMask::FILE_APPEND_DATA | AccessMask::FILE_WRITE_ATTRIBUTES;
        if let Err(status) = self.demand(id, writing) {
            return self.fail(token, status);
        }
        let sparse = SetSparse::decode(input).is_ok_and(|set| set.set_sparse);
        let sparsing = Box::new(Sparsing { token, echo, sparse, filled: None });
        self.job_on(id, |file| Job::Stat { handle: file.handle }, Step::Sparse(sparsing));
    }

    pub(crate) fn sparse_step(&mut self, id: OpenId, mut sparsing: Box<Sparsing>, outcome: Outcome) {
        let Some(handle) = self.file(id).map(|file| file.handle) else {
            return self.fail(sparsing.token, NtStatus::FILE_CLOSED);
        };
        let attributes = match (outcome, sparsing.filled.take()) {
            (Ok(Done::Metadata(metadata)), _) => {
                let mut attributes = metadata.attributes;
                let was = attributes.contains(FileAttributes::SPARSE_FILE);
                attributes.set(FileAttributes::SPARSE_FILE, sparsing.sparse);
                if was && !sparsing.sparse {
                    // A file that is not sparse has room for all of it.
                    sparsing.filled = Some(attributes);
                    let length = metadata.length;
                    return self.job_on(id, |_| Job::Allocate { handle, length }, Step::Sparse(sparsing));
                }
                attributes
            }
            (Ok(_) | Err(NtStatus::NOT_SUPPORTED), Some(attributes)) => attributes,
            (Ok(_), None) => {
                self.report(id, NotifyAction::MODIFIED, CompletionFilter::ATTRIBUTES);
                let Sparsing { token, echo, .. } = *sparsing;
                return self.answer_changed(id, token, echo.reply(&[]));
            }
            (Err(status), _) => return self.fail(sparsing.token, status),
        };
        let changes = Changes { attributes: Some(attributes), ..Changes::default() };
        self.job_on(id, |_| Job::Change { handle, changes }, Step::Sparse(sparsing));
    }

    /// [MS-FSA] 2.1.5.10.39.
    pub(super) fn set_zero_data(&mut self, id: OpenId, token: Token<op::Ioctl>, input: &[u8], echo: Echo) {
        let Ok(zero) = ZeroData::decode(input) else { return self.fail(token, NtStatus::INVALID_PARAMETER) };
        let (offset, end) = (zero.file_offset, zero.beyond_final_zero);
        let Some(file) = self.file(id) else { return self.fail(token, NtStatus::FILE_CLOSED) };
        if file.directory || offset > end || end > MAX_OFFSET {
            return self.fail(token, NtStatus::INVALID_PARAMETER);
        }
        if let Err(status) = self.demand(id, AccessMask::FILE_WRITE_DATA) {
            return self.fail(token, status);
        }
        let length = end - offset;
        if !self.may_access(id, offset, length, true) {
            return self.fail(token, NtStatus::FILE_LOCK_CONFLICT);
        }
        if length == 0 {
            return self.respond(token, echo.reply(&[]));
        }
        self.break_data(id);
        self.job_on(
            id,
            |file| Job::Zero { handle: file.handle, offset, length },
            Step::Zero { token, reply: echo },
        );
    }

    pub(crate) fn zero_done(&mut self, id: OpenId, token: Token<op::Ioctl>, echo: Echo, outcome: Outcome) {
        match nothing(outcome) {
            Ok(()) => {
                self.wrote(id);
                self.report(id, NotifyAction::MODIFIED, CompletionFilter::LAST_WRITE);
                self.answer_changed(id, token, echo.reply(&[]));
            }
            Err(status) => self.fail(token, status),
        }
    }

    /// [MS-FSA] 2.1.5.10.22.
    pub(super) fn allocated_ranges(&mut self, id: OpenId, token: Token<op::Ioctl>, input: &[u8], echo: Echo) {
        let Ok(range) = FileRange::decode(input) else {
            return self.fail(token, NtStatus::INVALID_PARAMETER);
        };
        let FileRange { offset, length } = range;
        let Some(file) = self.file(id) else { return self.fail(token, NtStatus::FILE_CLOSED) };
        if file.directory || offset.checked_add(length).is_none_or(|end| end > MAX_OFFSET) {
            return self.fail(token, NtStatus::INVALID_PARAMETER);
        }
        if let Err(status) = self.demand(id, AccessMask::FILE_READ_DATA) {
            return self.fail(token, status);
        }
        // A file that is not sparse has all of its range, whatever the storage left out.
        let ranging = Box::new(Ranging { token, echo, range });
        self.job_on(id, |file| Job::Stat { handle: file.handle }, Step::Range(ranging));
    }

    pub(crate) fn ranges_step(&mut self, id: OpenId, ranging: Box<Ranging>, outcome: Outcome) {
        let FileRange { offset, length } = ranging.range;
        let ranges = match outcome {
            Ok(Done::Ranges(ranges)) => ranges,
            Ok(Done::Metadata(metadata)) if metadata.attributes.contains(FileAttributes::SPARSE_FILE) => {
                return self.job_on(
                    id,
                    |file| Job::Ranges { handle: file.handle, offset, length },
                    Step::Range(ranging),
                );
            }
            Ok(Done::Metadata(metadata)) => {
                let end = metadata.length.min(offset.saturating_add(length));
                if end > offset { vec![(offset, end - offset)] } else { Vec::new() }
            }
            Ok(_) => return self.fail(ranging.token, NtStatus::INTERNAL_ERROR),
            Err(NtStatus::NOT_SUPPORTED) => {
                return self.fail(ranging.token, NtStatus::INVALID_DEVICE_REQUEST);
            }
            Err(status) => return self.fail(ranging.token, status),
        };
        let Ranging { token, echo, .. } = *ranging;
        let mut ranges: Vec<FileRange> =
            ranges.into_iter().map(|(offset, length)| FileRange { offset, length }).collect();
        let room = echo.limit / FileRange::FIXED_LEN;
        let cut = ranges.len() > room;
        if cut && room == 0 {
            return self.fail(token, NtStatus::BUFFER_TOO_SMALL);
        }
        ranges.truncate(room);
        let reply = echo.encode(&FileRanges(ranges.as_slice().into()).to_vec());
        self.respond(token, Ok(if cut { reply.with_status(NtStatus::BUFFER_OVERFLOW) } else { reply }));
    }
}
