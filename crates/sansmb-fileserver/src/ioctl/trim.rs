//! FILE_LEVEL_TRIM, [MS-SMB2] 3.3.5.15.14 and [MS-FSA] 2.1.5.10.6: whole pages that nobody needs any
//! more are given back.

use std::collections::VecDeque;

use sansmb::{
    server::{Token, op},
    wire::{
        AccessMask, FileAttributes, NtStatus, Structure,
        fsctl::{FileLevelTrim, FileLevelTrimOutput, FileRange},
    },
};

use super::{Echo, MAX_OFFSET};
use crate::{
    opens::OpenId,
    server::{FileServer, nothing},
    storage::{Done, Job, Outcome},
    task::Step,
};

const PAGE: u64 = 4096;

/// A trim that is under way.
#[derive(Debug)]
pub(crate) struct Trimming {
    token: Token<op::Ioctl>,
    echo: Echo,
    ranges: VecDeque<FileRange>,
    done: u32,
    looked: bool,
}

impl FileServer {
    pub(super) fn trim(&mut self, id: OpenId, token: Token<op::Ioctl>, input: &[u8], echo: Echo) {
        match self.check_trim(id, input, &echo) {
            Ok(ranges) => {
                let trimming = Box::new(Trimming { token, echo, ranges, done: 0, looked: false });
                self.job_on(id, |file| Job::Stat { handle: file.handle }, Step::Trim(trimming));
            }
            Err(status) => self.fail(token, status),
        }
    }

    fn check_trim(&self, id: OpenId, input: &[u8], echo: &Echo) -> Result<VecDeque<FileRange>, NtStatus> {
        let trim = FileLevelTrim::decode(input).map_err(|_| NtStatus::INVALID_PARAMETER)?;
        let file = self.file(id).ok_or(NtStatus::FILE_CLOSED)?;
        let room = echo.limit == 0 || echo.limit >= FileLevelTrimOutput::FIXED_LEN;
        if file.directory || trim.key != 0 || trim.ranges.is_empty() || !room {
            return Err(NtStatus::INVALID_PARAMETER);
        }
        self.demand(id, AccessMask::FILE_WRITE_DATA)?;
        trim.ranges.iter().map(whole_pages).collect()
    }

    pub(crate) fn trim_step(&mut self, id: OpenId, mut trimming: Box<Trimming>, outcome: Outcome) {
        let compressed = |outcome: &Outcome| match outcome {
            Ok(Done::Metadata(metadata)) => metadata.attributes.contains(FileAttributes::COMPRESSED),
            _ => false,
        };
        if !trimming.looked && compressed(&outcome) {
            return self.fail(trimming.token, NtStatus::INVALID_PARAMETER);
        }
        if let Err(status) = nothing(outcome) {
            return self.fail(trimming.token, status);
        }
        trimming.done += u32::from(trimming.looked);
        trimming.looked = true;
        let closing = self.opens.get(&id).is_none_or(|open| open.closing.is_some());
        if closing {
            return self.fail(trimming.token, NtStatus::FILE_CLOSED);
        }
        let next = std::iter::from_fn(|| trimming.ranges.pop_front()).find(|range| range.length > 0);
        let Some(FileRange { offset, length }) = next else {
            let Trimming { token, echo, done, .. } = *trimming;
            let output = FileLevelTrimOutput { num_ranges_processed: done }.to_vec();
            let output = if echo.limit == 0 { &[] } else { output.as_slice() };
            return self.answer_changed(id, token, echo.reply(output));
        };
        if !self.may_access(id, offset, length, true) {
            return self.fail(trimming.token, NtStatus::FILE_LOCK_CONFLICT);
        }
        self.break_data(id);
        self.job_on(id, |file| Job::Zero { handle: file.handle, offset, length }, Step::Trim(trimming));
    }
}

/// The whole pages of a range; none of them may be beyond all numbers.
fn whole_pages(range: FileRange) -> Result<FileRange, NtStatus> {
    let end = range.offset.checked_add(range.length).filter(|end| *end <= MAX_OFFSET);
    let end = end.ok_or(NtStatus::INTEGER_OVERFLOW)? / PAGE * PAGE;
    let offset = range.offset.div_ceil(PAGE).saturating_mul(PAGE);
    Ok(FileRange { offset, length: end.saturating_sub(offset) })
}
