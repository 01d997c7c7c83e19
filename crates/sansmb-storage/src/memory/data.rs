//! Jobs on the data of files.

use std::sync::Arc;

use sansmb::wire::NtStatus;
use sansmb_fileserver::storage::{Done, Handle, Job, Outcome};

use super::{
    Memory,
    chunks::{Chunks, MAX_OFFSET},
    inode::Opened,
    read, write,
};

/// How much is copied at a time.
const STEP: u64 = 1 << 20;
/// Ranges in one answer; the last may span holes.
const RANGES: usize = 4096;

impl Memory {
    pub(super) fn data(&self, job: Job) -> Outcome {
        match job {
            Job::Read { handle, offset, length, mut into } => {
                let file = self.readable(handle)?;
                into.fill_with(|bytes| read(file.data()).read(offset, length.into(), bytes));
                Ok(Done::Read(into))
            }
            Job::Write { handle, offset, data, through: _ } => {
                let file = self.writable(handle)?;
                let data = data.into_bytes()?;
                write(file.data()).write(offset, &data)?;
                file.inode.written(self.now());
                Ok(Done::Written(data.len() as u64))
            }
            Job::SetLength { handle, length } => {
                let file = self.writable(handle)?;
                write(file.data()).set_length(length)?;
                file.inode.written(self.now());
                Ok(Done::Nothing)
            }
            Job::Allocate { handle, length } => {
                let file = self.writable(handle)?;
                write(file.data()).reserve(length)?;
                Ok(Done::Nothing)
            }
            Job::Zero { handle, offset, length } => {
                let file = self.writable(handle)?;
                write(file.data()).zero(offset, length);
                file.inode.written(self.now());
                Ok(Done::Nothing)
            }
            Job::Ranges { handle, offset, length } => {
                let file = self.file(handle)?;
                Ok(Done::Ranges(read(file.data()).ranges(offset, length, RANGES)))
            }
            Job::Copy { from, from_offset, to, to_offset, length } => {
                let (from, to) = (self.readable(from)?, self.writable(to)?);
                self.copy(&from, from_offset, &to, to_offset, length)
            }
            Job::Share { from, from_offset, to, to_offset, length } => {
                let (from, to) = (self.readable(from)?, self.writable(to)?);
                self.share(&from, from_offset, &to, to_offset, length)
            }
            _ => Err(NtStatus::NOT_SUPPORTED),
        }
    }

    /// Ranges of one file that overlap end up as if the source had been read as a whole first.
    fn copy(&self, from: &Opened, from_offset: u64, to: &Opened, to_offset: u64, length: u64) -> Outcome {
        let fits = |offset: u64| offset.checked_add(length).is_some_and(|end| end <= MAX_OFFSET);
        if !fits(from_offset) || !fits(to_offset) {
            return Err(NtStatus::INVALID_PARAMETER);
        }
        let length = length.min(read(from.data()).length().saturating_sub(from_offset));
        let backwards = std::ptr::eq(from.data(), to.data()) && to_offset > from_offset;
        let mut buffer = Vec::new();
        let mut done = 0;
        while done < length {
            let step = STEP.min(length - done);
            let at = if backwards { length - done - step } else { done };
            buffer.clear();
            read(from.data()).read(from_offset + at, step, &mut buffer);
            write(to.data()).write(to_offset + at, &buffer)?;
            done += step;
        }
        to.inode.written(self.now());
        Ok(Done::Written(length))
    }

    /// Whole chunks become those of both; what does not fill one is copied.
    fn share(&self, from: &Opened, from_offset: u64, to: &Opened, to_offset: u64, length: u64) -> Outcome {
        let fits = |offset: u64| offset.checked_add(length).filter(|end| *end <= MAX_OFFSET);
        let (Some(from_end), Some(to_end)) = (fits(from_offset), fits(to_offset)) else {
            return Err(NtStatus::INVALID_PARAMETER);
        };
        if read(from.data()).length() < from_end {
            return Err(NtStatus::NOT_SUPPORTED);
        }
        let mut at = 0;
        let mut buffer = Vec::new();
        if read(to.data()).length() < to_end {
            write(to.data()).set_length(to_end)?;
        }
        while at < length {
            let step = Chunks::to_boundary(to_offset + at).min(length - at);
            let whole =
                if step == Chunks::to_boundary(0) { read(from.data()).whole(from_offset + at) } else { None };
            if let Some(chunk) = whole {
                write(to.data()).share(to_offset + at, chunk)?;
            } else {
                buffer.clear();
                read(from.data()).read(from_offset + at, step, &mut buffer);
                write(to.data()).write(to_offset + at, &buffer)?;
            }
            at += step;
        }
        to.inode.written(self.now());
        Ok(Done::Nothing)
    }

    fn file(&self, handle: Handle) -> Result<Arc<Opened>, NtStatus> {
        let opened = self.get(handle)?;
        if opened.is_directory() { Err(NtStatus::INVALID_DEVICE_REQUEST) } else { Ok(opened) }
    }

    fn readable(&self, handle: Handle) -> Result<Arc<Opened>, NtStatus> {
        let file = self.file(handle)?;
        if file.rights.read { Ok(file) } else { Err(NtStatus::ACCESS_DENIED) }
    }

    fn writable(&self, handle: Handle) -> Result<Arc<Opened>, NtStatus> {
        let file = self.file(handle)?;
        if file.rights.write { Ok(file) } else { Err(NtStatus::ACCESS_DENIED) }
    }
}
