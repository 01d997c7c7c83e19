//! Data of files.

use std::{io::IoSliceMut, os::fd::BorrowedFd};

use rustix::{
    buffer::spare_capacity,
    fs::{FallocateFlags, SeekFrom, copy_file_range, fallocate, fdatasync, fstatfs, fsync, ftruncate, seek},
    io::{Errno, ReadWriteFlags, pread, preadv2, pwrite, retry_on_intr},
};
use sansmb::{conn::MessageBuffer, wire::NtStatus};
use sansmb_fileserver::storage::{Data, Done, Outcome};

use super::{
    errno::{io_status, status},
    meta::Stat,
    node::{Cache, Node},
};

/// The last offset that a file can have.
const MAX_OFFSET: u64 = i64::MAX as u64;
/// How much is copied or zeroed at a time.
const CHUNK: usize = 1 << 20;
/// How much is read before the caller may do something else: it can send meanwhile what was read before.
const PIECE: u32 = 1 << 20;
/// How much of that at first, and four times as much then: what a reader asks for beyond the end of a short file needs no
/// memory that has to be cleared.
const FIRST: usize = 16 << 10;
/// Types of file systems in memory, as fstatfs(2) gives them.
const TMPFS: u32 = 0x0102_1994;
const RAMFS: u32 = 0x8584_58f6;
/// Ranges that are told apart in one answer; what follows the last counts as data.
const RANGES: usize = 4096;

/// What is asked for may not be in the cache.
#[derive(Debug, PartialEq, Eq)]
struct MayWait;

/// Whether a file system has nothing to wait for. Those that live in memory did not learn to say so.
pub(super) fn is_in_memory(fd: BorrowedFd<'_>) -> bool {
    fstatfs(fd).is_ok_and(|fs| [TMPFS, RAMFS].contains(&(fs.f_type as u32)))
}

impl Node {
    /// Reads what is at hand without waiting for a disk, and of much no more than a [piece](PIECE). Where all of it or
    /// the rest of it might have to wait, the buffer comes back with what was read.
    pub(super) fn read_cached(
        &self,
        offset: u64,
        length: u32,
        mut into: MessageBuffer,
    ) -> Result<Outcome, MessageBuffer> {
        let before = into.len();
        let piece = length.min(PIECE) as usize;
        let mut step = into.at_hand().max(FIRST);
        let (mut got, mut ended) = (0, Ok(false));
        while ended == Ok(false) && got < piece {
            // All of it at once, when there is more than a little.
            into.reserve(if got == 0 { step.min(length as usize) } else { length as usize - got });
            let at = offset.saturating_add(got as u64);
            into.append_with(step.min(piece - got), |room| {
                let (filled, end) = self.fill(at, room);
                ended = end;
                filled
            });
            got = into.len() - before;
            step *= 4;
        }
        if ended.is_err() {
            return Err(into);
        }
        let whole = piece == length as usize || got < piece;
        Ok(Ok(if whole { Done::Read(into) } else { Done::ReadPart(into) }))
    }

    /// Fills `room` with what is in the cache: how much that is, and whether the file ends there, or else an error where
    /// the rest might have to wait.
    fn fill(&self, offset: u64, room: &mut [u8]) -> (usize, Result<bool, MayWait>) {
        let mut got = 0;
        while let Some(rest) = room.get_mut(got..).filter(|rest| !rest.is_empty()) {
            match self.read_nowait(offset.saturating_add(got as u64), rest) {
                Some(0) => return (got, Ok(true)),
                // Of a disk there may be more that is not in the cache.
                Some(more) if more < rest.len() && self.cache() == Cache::Everything => {
                    return (got + more, Ok(true));
                }
                Some(more) => got += more,
                None => return (got, Err(MayWait)),
            }
        }
        (got, Ok(false))
    }

    /// Reads what is in the cache; nothing where it might wait, or where something is wrong: that the
    /// read that may wait finds out.
    fn read_nowait(&self, offset: u64, into: &mut [u8]) -> Option<usize> {
        if offset > MAX_OFFSET {
            return Some(0);
        }
        match self.cache() {
            Cache::Asked => {}
            Cache::Everything => return retry_on_intr(|| pread(self.fd(), &mut *into, offset)).ok(),
            Cache::Unknown => return None,
        }
        match preadv2(self.fd(), &mut [IoSliceMut::new(into)], offset, ReadWriteFlags::NOWAIT) {
            Ok(got) => Some(got),
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => {
                let memory = is_in_memory(self.fd());
                self.set_cache(if memory { Cache::Everything } else { Cache::Unknown });
                if memory { self.read_nowait(offset, into) } else { None }
            }
            Err(_) => None,
        }
    }

    pub(super) fn read(&self, offset: u64, length: u32, mut into: MessageBuffer) -> Outcome {
        let before = into.len();
        let length = length as usize;
        let end = before.saturating_add(length);
        into.fill_with(|bytes| {
            bytes.reserve_exact(length);
            let start = bytes.len();
            let mut at = offset;
            // Each round reads into what is left of the spare room, without initialising it first.
            while at <= MAX_OFFSET && bytes.len() - start < length {
                match retry_on_intr(|| pread(self.fd(), spare_capacity(bytes), at)) {
                    Ok(0) => break,
                    Ok(got) => at = at.saturating_add(got as u64),
                    // So close to the last offset there is that the room ends after it.
                    Err(Errno::INVAL) if offset > MAX_OFFSET - (1 << 32) => break,
                    Err(errno) => return Err(status(errno)),
                }
            }
            Ok(())
        })?;
        into.truncate(end);
        Ok(Done::Read(into))
    }

    pub(super) fn write(&self, offset: u64, data: &Data, through: bool) -> Outcome {
        if offset.checked_add(data.len() as u64).is_none_or(|end| end > MAX_OFFSET) {
            return Err(NtStatus::INVALID_PARAMETER);
        }
        match data {
            Data::Here(bytes) => self.write_all(offset, bytes)?,
            Data::Held(held) => held.move_to(self.fd(), offset).map_err(|error| io_status(&error))?,
        }
        self.written();
        if through {
            fdatasync(self.fd()).map_err(status)?;
        }
        Ok(Done::Written(data.len() as u64))
    }

    fn write_all(&self, mut offset: u64, mut data: &[u8]) -> Result<(), NtStatus> {
        while !data.is_empty() {
            let wrote = retry_on_intr(|| pwrite(self.fd(), data, offset)).map_err(status)?;
            if wrote == 0 {
                return Err(NtStatus::DISK_FULL);
            }
            offset += wrote as u64;
            data = data.get(wrote..).unwrap_or_default();
        }
        Ok(())
    }

    pub(super) fn flush(&self) -> Outcome {
        match fsync(self.fd()) {
            // Opened only to be looked at, or on something that knows no syncing.
            Ok(()) | Err(Errno::BADF | Errno::INVAL | Errno::ROFS) => Ok(Done::Nothing),
            Err(errno) => Err(status(errno)),
        }
    }

    pub(super) fn set_length(&self, length: u64) -> Outcome {
        if length > MAX_OFFSET {
            return Err(NtStatus::INVALID_PARAMETER);
        }
        match retry_on_intr(|| ftruncate(self.fd(), length)) {
            Ok(()) => {
                self.written();
                Ok(Done::Nothing)
            }
            // What Linux says of a descriptor that is not open for writing.
            Err(Errno::INVAL) => Err(NtStatus::ACCESS_DENIED),
            Err(errno) => Err(status(errno)),
        }
    }

    pub(super) fn allocate(&self, length: u64) -> Outcome {
        if length > MAX_OFFSET {
            return Err(NtStatus::INVALID_PARAMETER);
        }
        if length == 0 {
            return Ok(Done::Nothing);
        }
        match retry_on_intr(|| fallocate(self.fd(), FallocateFlags::KEEP_SIZE, 0, length)) {
            Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(Done::Nothing),
            Err(errno) => Err(status(errno)),
        }
    }

    /// Copies from `from` to this file; shares the blocks where the file system can.
    pub(super) fn copy(&self, to: u64, from: &Self, from_offset: u64, length: u64) -> Outcome {
        let fits = |offset: u64| offset.checked_add(length).is_some_and(|end| end <= MAX_OFFSET);
        if !fits(to) || !fits(from_offset) {
            return Err(NtStatus::INVALID_PARAMETER);
        }
        self.written();
        let mut length = length;
        if self.id() == from.id() {
            // What the copy itself adds is no part of what is copied.
            let size = Stat::of(from.fd()).map_err(status)?.size();
            length = length.min(size.saturating_sub(from_offset));
            if to.abs_diff(from_offset) < length {
                return self.copy_overlapping(to, from, from_offset, length);
            }
        }
        let (mut at, mut to_at, mut left) = (from_offset, to, length);
        while left > 0 {
            let step = usize::try_from(left).unwrap_or(usize::MAX).min(1 << 30);
            match copy_file_range(from.fd(), Some(&mut at), self.fd(), Some(&mut to_at), step) {
                Ok(0) => break,
                Ok(copied) => left = left.saturating_sub(copied as u64),
                Err(Errno::INTR) => {}
                Err(Errno::XDEV | Errno::INVAL | Errno::OPNOTSUPP | Errno::NOSYS) => {
                    let copied = self.copy_through_memory(to_at, from, at, left)?;
                    left -= copied;
                    break;
                }
                Err(errno) => return Err(status(errno)),
            }
        }
        Ok(Done::Written(length - left))
    }

    fn copy_through_memory(
        &self,
        to: u64,
        from: &Self,
        from_offset: u64,
        length: u64,
    ) -> Result<u64, NtStatus> {
        let mut buffer = Vec::with_capacity(CHUNK.min(usize::try_from(length).unwrap_or(CHUNK)));
        let mut copied = 0;
        while copied < length {
            buffer.clear();
            let got = retry_on_intr(|| pread(from.fd(), spare_capacity(&mut buffer), from_offset + copied))
                .map_err(status)?;
            if got == 0 {
                break;
            }
            buffer.truncate(usize::try_from(length - copied).unwrap_or(usize::MAX));
            self.write_all(to + copied, &buffer)?;
            copied += buffer.len() as u64;
        }
        Ok(copied)
    }

    /// Ranges of one file that overlap end up as if the source had been read as a whole first.
    fn copy_overlapping(&self, to: u64, from: &Self, from_offset: u64, length: u64) -> Outcome {
        if to <= from_offset {
            let copied = self.copy_through_memory(to, from, from_offset, length)?;
            return Ok(Done::Written(copied));
        }
        let mut left = length;
        while left > 0 {
            let step = left.min(CHUNK as u64);
            self.copy_through_memory(to + left - step, from, from_offset + left - step, step)?;
            left -= step;
        }
        Ok(Done::Written(length))
    }

    /// Frees a range; the length stays.
    pub(super) fn zero(&self, offset: u64, length: u64) -> Outcome {
        let size = Stat::of(self.fd()).map_err(status)?.size();
        let length = length.min(size.saturating_sub(offset));
        if length == 0 {
            return Ok(Done::Nothing);
        }
        self.written();
        let mode = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        match retry_on_intr(|| fallocate(self.fd(), mode, offset, length)) {
            Ok(()) => return Ok(Done::Nothing),
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => {}
            Err(errno) => return Err(status(errno)),
        }
        let zeros = vec![0; CHUNK.min(usize::try_from(length).unwrap_or(CHUNK))];
        let mut done = 0;
        while done < length {
            let step = usize::try_from(length - done).unwrap_or(usize::MAX).min(zeros.len());
            self.write_all(offset + done, zeros.get(..step).unwrap_or_default())?;
            done += step as u64;
        }
        Ok(Done::Nothing)
    }

    pub(super) fn ranges(&self, offset: u64, length: u64) -> Outcome {
        let size = Stat::of(self.fd()).map_err(status)?.size();
        let end = offset.saturating_add(length).min(size);
        let mut ranges = Vec::new();
        let mut at = offset;
        while at < end {
            let start = match seek(self.fd(), SeekFrom::Data(at)) {
                Ok(start) => start,
                Err(Errno::NXIO) => break,
                // It cannot tell holes from data: all of it may hold data.
                Err(Errno::INVAL | Errno::OPNOTSUPP) => at,
                Err(errno) => return Err(status(errno)),
            };
            if start >= end {
                break;
            }
            if ranges.len() + 1 == RANGES {
                ranges.push((start, end - start));
                break;
            }
            let stop = seek(self.fd(), SeekFrom::Hole(start)).unwrap_or(end).min(end);
            if stop <= start {
                break;
            }
            ranges.push((start, stop - start));
            at = stop;
        }
        Ok(Done::Ranges(ranges))
    }
}
