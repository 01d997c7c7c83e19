//! Copies within the server, [MS-SMB2] 3.3.5.15.6.

use std::{collections::VecDeque, sync::Arc};

use sansmb::{
    conn::MessageBuffer,
    server::{Token, op},
    wire::{
        AccessMask, CtlCode, NtStatus, Structure,
        fsctl::{SrvCopychunk, SrvCopychunkCopy, SrvCopychunkResponse},
    },
};

use super::{Echo, MAX_OFFSET, offload::OffloadGoal};
use crate::{
    opens::OpenId,
    server::FileServer,
    storage::{Done, Job, Outcome},
    task::{Step, Task},
};

/// Chunks of one request.
const MAX_CHUNKS: usize = 256;
/// Bytes of one chunk.
pub(super) const MAX_CHUNK: u32 = 1 << 20;
/// Bytes of one request.
pub(super) const MAX_TOTAL: u64 = 16 << 20;

/// A copy that is under way.
#[derive(Debug)]
pub(crate) struct Copying {
    token: Token<op::Ioctl>,
    echo: Echo,
    source: OpenId,
    chunks: VecDeque<SrvCopychunk>,
    done: SrvCopychunkResponse,
    stage: Stage,
    /// What OFFLOAD_WRITE has to do beyond that; nothing for SRV_COPYCHUNK.
    goal: Option<OffloadGoal>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The storage copies by itself.
    Copy,
    /// The storage cannot: the data goes through memory. So much of the chunk was read.
    Read(usize),
    Write,
    /// What lies behind the source becomes zeros.
    Zero,
}

/// The key that names an open as the source of a copy.
pub(super) fn key_of(id: OpenId) -> [u8; 24] {
    let mut key = [0; 24];
    if let Some(head) = key.first_chunk_mut() {
        *head = id.0.to_le_bytes();
    }
    key
}

impl FileServer {
    pub(super) fn copy_chunk(&mut self, id: OpenId, token: Token<op::Ioctl>, input: &[u8], echo: Echo) {
        if echo.limit < SrvCopychunkResponse::FIXED_LEN {
            return self.fail(token, NtStatus::INVALID_PARAMETER);
        }
        let Ok(request) = SrvCopychunkCopy::decode(input) else {
            return self.fail(token, NtStatus::INVALID_PARAMETER);
        };
        let Some(source) = self.copy_source(id, &request.source_key) else {
            return self.fail(token, NtStatus::OBJECT_NAME_NOT_FOUND);
        };
        if request.chunks.len() > MAX_CHUNKS {
            return self.refuse_copy(token, echo);
        }
        let chunks: VecDeque<SrvCopychunk> = request.chunks.iter().collect();
        let total: u64 = chunks.iter().map(|chunk| u64::from(chunk.length)).sum();
        if total > MAX_TOTAL || chunks.iter().any(|chunk| chunk.length == 0 || chunk.length > MAX_CHUNK) {
            return self.refuse_copy(token, echo);
        }
        let beyond =
            |offset: u64, length: u32| offset.checked_add(length.into()).is_none_or(|end| end > MAX_OFFSET);
        if chunks.iter().any(|c| beyond(c.source_offset, c.length) || beyond(c.target_offset, c.length)) {
            return self.fail(token, NtStatus::INVALID_PARAMETER);
        }
        if let Err(status) = self.may_copy(source, id, echo.ctl_code) {
            return self.fail(token, status);
        }
        if chunks.is_empty() {
            return self.respond(token, echo.reply(&SrvCopychunkResponse::default().to_vec()));
        }
        // The source must stay open until the copy is over.
        if let Some(open) = self.opens.get_mut(&source) {
            open.busy += 1;
        }
        self.copy_all(id, token, echo, source, chunks, None);
    }

    /// Copies ranges from `source`, which is kept open for it already, and answers.
    pub(super) fn copy_all(
        &mut self,
        id: OpenId,
        token: Token<op::Ioctl>,
        echo: Echo,
        source: OpenId,
        chunks: VecDeque<SrvCopychunk>,
        goal: Option<OffloadGoal>,
    ) {
        let same_storage = match (self.file(source), self.file(id)) {
            (Some(a), Some(b)) => Arc::ptr_eq(&a.share.config.storage, &b.share.config.storage),
            _ => false,
        };
        let stage = if same_storage { Stage::Copy } else { Stage::Read(0) };
        let done = SrvCopychunkResponse::default();
        self.copy_next(id, Box::new(Copying { token, echo, source, chunks, done, stage, goal }));
    }

    /// The open that a key names: one of the same session.
    fn copy_source(&self, target: OpenId, key: &[u8; 24]) -> Option<OpenId> {
        let source = OpenId(u64::from_le_bytes(*key.first_chunk()?));
        let (open, target) = (self.opens.get(&source)?, self.opens.get(&target)?);
        let usable = key_of(source) == *key
            && open.session == target.session
            && open.closing.is_none()
            && open.file().is_some();
        usable.then_some(source)
    }

    fn may_copy(&self, source: OpenId, target: OpenId, ctl_code: CtlCode) -> Result<(), NtStatus> {
        let (Some(from), Some(to)) = (self.opens.get(&source), self.opens.get(&target)) else {
            return Err(NtStatus::FILE_CLOSED);
        };
        let is_directory = |id| self.file(id).is_some_and(|file| file.directory);
        if is_directory(source) || is_directory(target) {
            return Err(NtStatus::INVALID_DEVICE_REQUEST);
        }
        let reading = AccessMask::FILE_READ_DATA | AccessMask::FILE_EXECUTE;
        let writing = AccessMask::FILE_WRITE_DATA | AccessMask::FILE_APPEND_DATA;
        let readable = ctl_code == CtlCode::SRV_COPYCHUNK_WRITE || to.may(AccessMask::FILE_READ_DATA);
        if from.may(reading) && to.may(writing) && readable { Ok(()) } else { Err(NtStatus::ACCESS_DENIED) }
    }

    /// Too much at once: the client learns the limits, [MS-SMB2] 3.3.5.15.6.2.
    fn refuse_copy(&mut self, token: Token<op::Ioctl>, echo: Echo) {
        let limits = SrvCopychunkResponse {
            chunks_written: MAX_CHUNKS as u32,
            chunk_bytes_written: MAX_CHUNK,
            total_bytes_written: MAX_TOTAL as u32,
        };
        self.respond(token, Ok(echo.encode(&limits.to_vec()).with_status(NtStatus::INVALID_PARAMETER)));
    }

    /// Starts the next chunk, or the next step of one.
    fn copy_next(&mut self, id: OpenId, mut copying: Box<Copying>) {
        let source = copying.source;
        if copying.goal.as_ref().is_some_and(|goal| !self.still_names(id, source, goal)) {
            return self.copy_over(id, *copying, NtStatus::INVALID_TOKEN);
        }
        let Some(chunk) = copying.chunks.front().copied() else {
            let Some((offset, length)) = copying.goal.as_mut().and_then(|goal| goal.zeros.take()) else {
                return self.copy_over(id, *copying, NtStatus::SUCCESS);
            };
            copying.stage = Stage::Zero;
            self.break_data(id);
            return self.job_on(
                id,
                |file| Job::Zero { handle: file.handle, offset, length },
                Step::Copy(copying),
            );
        };
        let closing =
            [id, source].iter().any(|id| self.opens.get(id).is_none_or(|open| open.closing.is_some()));
        let Some(from) = self.file(source).map(|file| file.handle).filter(|_| !closing) else {
            return self.copy_over(id, *copying, NtStatus::FILE_CLOSED);
        };
        let length = u64::from(chunk.length);
        if !self.may_access(source, chunk.source_offset, length, false)
            || !self.may_access(id, chunk.target_offset, length, true)
        {
            return self.copy_over(id, *copying, NtStatus::FILE_LOCK_CONFLICT);
        }
        self.break_data(id);
        if let Stage::Read(_) = copying.stage {
            let into = MessageBuffer::with_capacity(chunk.length as usize);
            let job = Job::Read { handle: from, offset: chunk.source_offset, length: chunk.length, into };
            return self.job_for(id, source, job, Step::Copy(copying));
        }
        self.job_on(
            id,
            |file| Job::Copy {
                from,
                from_offset: chunk.source_offset,
                to: file.handle,
                to_offset: chunk.target_offset,
                length,
            },
            Step::Copy(copying),
        );
    }

    /// A job on the storage of `source`, for which the open `id` waits.
    pub(super) fn job_for(&mut self, id: OpenId, source: OpenId, job: Job, step: Step) {
        let Some(share) = self.file(source).map(|file| file.share.clone()) else { return };
        if let Some(open) = self.opens.get_mut(&id) {
            open.busy += 1;
        }
        self.job(&share, job, Task::On(id, step));
    }

    pub(crate) fn copy_step(&mut self, id: OpenId, mut copying: Box<Copying>, outcome: Outcome) {
        if copying.stage == Stage::Zero {
            return match outcome {
                Ok(_) => {
                    self.wrote(id);
                    self.copy_next(id, copying);
                }
                Err(status) => self.copy_over(id, *copying, status),
            };
        }
        let Some(chunk) = copying.chunks.front().copied() else {
            return self.copy_over(id, *copying, NtStatus::INTERNAL_ERROR);
        };
        let source = copying.source;
        match (copying.stage, outcome) {
            (Stage::Copy, Err(NtStatus::NOT_SUPPORTED)) => {
                copying.stage = Stage::Read(0);
                self.copy_next(id, copying);
            }
            (Stage::Read(_), Ok(Done::Read(data))) if data.len() == chunk.length as usize => {
                copying.stage = Stage::Write;
                let data = data.into_bytes().into();
                self.job_on(
                    id,
                    |file| Job::Write {
                        handle: file.handle,
                        offset: chunk.target_offset,
                        data,
                        through: false,
                    },
                    Step::Copy(copying),
                );
            }
            (Stage::Read(got), Ok(Done::ReadPart(into)))
                if (got + 1..chunk.length as usize).contains(&into.len()) =>
            {
                copying.stage = Stage::Read(into.len());
                let Some(handle) = self.file(source).map(|file| file.handle) else {
                    return self.copy_over(id, *copying, NtStatus::FILE_CLOSED);
                };
                let rest = Job::rest_of_read(handle, chunk.source_offset, chunk.length, into);
                self.job_for(id, source, rest, Step::Copy(copying));
            }
            (Stage::Copy | Stage::Write, Ok(Done::Written(n))) if n == u64::from(chunk.length) => {
                if copying.stage == Stage::Write {
                    copying.stage = Stage::Read(0);
                }
                copying.chunks.pop_front();
                copying.done.chunks_written += 1;
                copying.done.total_bytes_written += chunk.length;
                self.wrote(id);
                self.copy_next(id, copying);
            }
            // A storage that reads nothing at all would be asked for ever.
            (_, Ok(Done::ReadPart(_))) => self.copy_over(id, *copying, NtStatus::INTERNAL_ERROR),
            // The source ends before the chunk does.
            (_, Ok(_)) => self.copy_over(id, *copying, NtStatus::INVALID_VIEW_SIZE),
            (_, Err(status)) => self.copy_over(id, *copying, status),
        }
    }

    /// The copy is over; after a failure the client learns how far it came.
    fn copy_over(&mut self, id: OpenId, copying: Copying, status: NtStatus) {
        let Copying { token, echo, source, done, goal, .. } = copying;
        let reply = match goal {
            None => Ok(echo.encode(&done.to_vec()).with_status(status)),
            Some(goal) if status == NtStatus::SUCCESS => echo.reply(&goal.output()),
            Some(_) => Err(status.into()),
        };
        self.answer_changed(id, token, reply);
        self.release(source);
    }
}
