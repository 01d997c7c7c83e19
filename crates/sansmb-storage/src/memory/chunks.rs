//! The data of one file, with holes.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use sansmb::wire::NtStatus;

use super::quota::{Charge, Quotas};

/// Bytes that a chunk covers. What lies past the end of its vector is zero.
const CHUNK: u64 = 64 * 1024;
/// Room is taken in these steps.
pub(super) const BLOCK: u64 = 4096;
/// The last offset that a file can have.
pub(super) const MAX_OFFSET: u64 = i64::MAX as u64;

/// How much of the capacity is taken.
#[derive(Debug)]
pub(super) struct Usage {
    used: AtomicU64,
    pub(super) capacity: u64,
    /// Who takes it.
    pub(super) quotas: Quotas,
}

impl Usage {
    pub(super) fn new(capacity: u64) -> Arc<Self> {
        Arc::new(Self { used: AtomicU64::new(0), capacity, quotas: Quotas::default() })
    }

    pub(super) fn free(&self) -> u64 {
        self.capacity.saturating_sub(self.used.load(Ordering::Relaxed))
    }

    pub(super) fn take(&self, bytes: u64) -> Result<(), NtStatus> {
        let more = |used: u64| used.checked_add(bytes).filter(|used| *used <= self.capacity);
        self.used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more)
            .map(drop)
            .map_err(|_| NtStatus::DISK_FULL)
    }

    /// Takes what has to be there, whatever the capacity.
    pub(super) fn take_anyway(&self, bytes: u64) {
        self.used.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn give_back(&self, bytes: u64) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// See the module's documentation. Everything that it takes of the capacity it gives back.
///
/// A chunk that files share counts for each of them: when a write parts them, the room is there.
#[derive(Debug)]
pub(super) struct Chunks {
    chunks: BTreeMap<u64, Arc<Vec<u8>>>,
    length: u64,
    /// What the chunks take.
    taken: u64,
    /// What somebody wants to have room for, from the start of the file on.
    reserved: u64,
    charge: Arc<Charge>,
}

/// A chunk that more than one place holds, or a hole of its size.
#[derive(Debug)]
pub(super) struct Shared(Option<Arc<Vec<u8>>>);

/// Parts of a range that lie within one chunk each: its number, where in it, how much.
fn parts(offset: u64, length: u64) -> impl Iterator<Item = (u64, usize, usize)> {
    let end = offset.saturating_add(length);
    let mut at = offset;
    std::iter::from_fn(move || {
        if at >= end {
            return None;
        }
        let within = at % CHUNK;
        let len = (CHUNK - within).min(end - at);
        let part = (at / CHUNK, within as usize, len as usize);
        at += len;
        Some(part)
    })
}

fn rounded(len: usize) -> u64 {
    (len as u64).next_multiple_of(BLOCK)
}

impl Chunks {
    pub(super) fn new(charge: Arc<Charge>) -> Self {
        Self { chunks: BTreeMap::new(), length: 0, taken: 0, reserved: 0, charge }
    }

    pub(super) fn length(&self) -> u64 {
        self.length
    }

    pub(super) fn allocated(&self) -> u64 {
        self.taken.max(self.reserved)
    }

    /// The chunks take another amount, or something else is reserved.
    fn settle(&mut self, taken: u64, reserved: u64) -> Result<(), NtStatus> {
        let (before, after) = (self.allocated(), taken.max(reserved));
        self.charge.take(after.saturating_sub(before))?;
        self.charge.give_back(before.saturating_sub(after));
        (self.taken, self.reserved) = (taken, reserved);
        Ok(())
    }

    /// Keeps room for so many bytes, until the length is set to less.
    pub(super) fn reserve(&mut self, length: u64) -> Result<(), NtStatus> {
        if length > MAX_OFFSET {
            return Err(NtStatus::INVALID_PARAMETER);
        }
        self.settle(self.taken, length.next_multiple_of(BLOCK))
    }

    /// Appends what is in a range, up to the end of the file.
    pub(super) fn read(&self, offset: u64, length: u64, into: &mut Vec<u8>) {
        let length = length.min(self.length.saturating_sub(offset));
        into.reserve_exact(usize::try_from(length).unwrap_or(0));
        for (number, start, len) in parts(offset, length) {
            let chunk = self.chunks.get(&number).map_or(&[][..], |chunk| chunk.as_slice());
            let there = chunk.get(start..).unwrap_or_default();
            let there = there.get(..len).unwrap_or(there);
            into.extend_from_slice(there);
            into.resize(into.len() + (len - there.len()), 0);
        }
    }

    /// Writes all of `data` or, where there is no room for it, nothing.
    pub(super) fn write(&mut self, offset: u64, data: &[u8]) -> Result<(), NtStatus> {
        let end = offset.checked_add(data.len() as u64).filter(|end| *end <= MAX_OFFSET);
        let end = end.ok_or(NtStatus::INVALID_PARAMETER)?;
        let mut more = 0;
        for (number, start, len) in parts(offset, data.len() as u64) {
            let had = self.chunks.get(&number).map_or(0, |chunk| chunk.len());
            more += rounded(had.max(start + len)) - rounded(had);
        }
        self.settle(self.taken + more, self.reserved)?;
        let mut rest = data;
        for (number, start, len) in parts(offset, data.len() as u64) {
            let (now, later) = rest.split_at(len);
            rest = later;
            let chunk = Arc::make_mut(self.chunks.entry(number).or_default());
            if chunk.len() < start + len {
                let room = rounded(start + len) as usize;
                chunk.reserve_exact(room.saturating_sub(chunk.len()));
                chunk.resize(start + len, 0);
            }
            if let Some(place) = chunk.get_mut(start..start + len) {
                place.copy_from_slice(now);
            }
        }
        if !data.is_empty() {
            self.length = self.length.max(end);
        }
        Ok(())
    }

    pub(super) fn set_length(&mut self, length: u64) -> Result<(), NtStatus> {
        if length > MAX_OFFSET {
            return Err(NtStatus::INVALID_PARAMETER);
        }
        if length < self.length {
            self.zero(length, self.length - length);
            self.settle(self.taken, self.reserved.min(length.next_multiple_of(BLOCK)))?;
        }
        self.length = length;
        Ok(())
    }

    /// Makes a range read as zeros; gives whole chunks and ends of chunks back.
    pub(super) fn zero(&mut self, offset: u64, length: u64) {
        let length = length.min(self.length.saturating_sub(offset));
        let Some(last) = length.checked_sub(1).map(|more| offset + more) else { return };
        // Only chunks that exist, so that a hole of any size costs nothing.
        let numbers: Vec<u64> = self.chunks.range(offset / CHUNK..=last / CHUNK).map(|(n, _)| *n).collect();
        for number in numbers {
            let begin = number * CHUNK;
            let start = offset.saturating_sub(begin) as usize;
            let end = (last - begin + 1).min(CHUNK) as usize;
            let Some(chunk) = self.chunks.get_mut(&number).map(Arc::make_mut) else { continue };
            let before = rounded(chunk.len());
            if end < chunk.len() {
                if let Some(part) = chunk.get_mut(start..end) {
                    part.fill(0);
                }
            } else {
                chunk.truncate(start);
                chunk.shrink_to(rounded(start) as usize);
            }
            // Nothing but what was zeroed piece by piece: a hole.
            if chunk.iter().all(|byte| *byte == 0) {
                chunk.clear();
            }
            let freed = before - rounded(chunk.len());
            if chunk.is_empty() {
                self.chunks.remove(&number);
            }
            // Giving back does not fail.
            let _ = self.settle(self.taken - freed, self.reserved);
        }
    }

    /// What [`Chunks::share`] needs of the chunk at `offset`, if that is where one begins.
    pub(super) fn whole(&self, offset: u64) -> Option<Shared> {
        let number = offset.is_multiple_of(CHUNK).then_some(offset / CHUNK)?;
        (offset.checked_add(CHUNK)? <= self.length).then(|| Shared(self.chunks.get(&number).cloned()))
    }

    /// Puts a chunk of another place at `offset`, where one has to begin; the length does not change.
    pub(super) fn share(&mut self, offset: u64, Shared(chunk): Shared) -> Result<(), NtStatus> {
        let number = offset / CHUNK;
        let had = self.chunks.get(&number).map_or(0, |chunk| rounded(chunk.len()));
        let has = chunk.as_ref().map_or(0, |chunk| rounded(chunk.len()));
        self.settle(self.taken - had + has, self.reserved)?;
        match chunk {
            Some(chunk) => self.chunks.insert(number, chunk),
            None => self.chunks.remove(&number),
        };
        Ok(())
    }

    /// Bytes from `offset` to where the next chunk begins.
    pub(super) fn to_boundary(offset: u64) -> u64 {
        CHUNK - offset % CHUNK
    }

    /// The ranges that hold data, in chunks.
    pub(super) fn ranges(&self, offset: u64, length: u64, limit: usize) -> Vec<(u64, u64)> {
        let end = offset.saturating_add(length).min(self.length);
        let mut ranges: Vec<(u64, u64)> = Vec::new();
        if offset >= end {
            return ranges;
        }
        for (number, chunk) in self.chunks.range(offset / CHUNK..=(end - 1) / CHUNK) {
            let start = (number * CHUNK).max(offset);
            // The rest of a block is as good as written.
            let stop = (number * CHUNK + rounded(chunk.len())).min(end);
            if start >= stop {
                continue;
            }
            let full = ranges.len() >= limit;
            match ranges.last_mut() {
                Some((at, len)) if *at + *len == start || full => *len = stop - *at,
                _ => ranges.push((start, stop - start)),
            }
        }
        ranges
    }
}

impl Drop for Chunks {
    fn drop(&mut self) {
        self.charge.give_back(self.allocated());
    }
}

#[cfg(test)]
mod tests {
    use sansmb::wire::dtyp::Sid;

    use super::*;

    fn of(usage: &Arc<Usage>) -> Chunks {
        Chunks::new(Charge::new(usage, Sid::NULL))
    }

    #[test]
    fn shared_chunks_are_parted_by_writes() {
        let usage = Usage::new(1 << 20);
        let mut one = of(&usage);
        one.write(0, &[7; 3 * CHUNK as usize]).unwrap();
        one.zero(CHUNK, CHUNK);
        let mut two = of(&usage);
        two.set_length(2 * CHUNK).unwrap();
        two.share(0, one.whole(2 * CHUNK).unwrap()).unwrap();
        two.share(CHUNK, one.whole(CHUNK).unwrap()).unwrap();
        assert!(one.whole(1).is_none() && one.whole(3 * CHUNK).is_none());
        assert_eq!((two.allocated(), two.ranges(0, u64::MAX, 10)), (CHUNK, vec![(0, CHUNK)]));
        two.write(5, b"x").unwrap();
        let (mut data, mut other) = (Vec::new(), Vec::new());
        one.read(2 * CHUNK, 10, &mut data);
        two.read(0, 10, &mut other);
        assert_eq!((&data[..], &other[..]), (&[7; 10][..], &[7, 7, 7, 7, 7, b'x', 7, 7, 7, 7][..]));
        drop((one, two));
        assert_eq!(usage.free(), 1 << 20);
    }

    #[test]
    fn what_is_reserved_counts_once() {
        let usage = Usage::new(1 << 20);
        let mut chunks = of(&usage);
        chunks.reserve(2 * BLOCK + 1).unwrap();
        assert_eq!((chunks.allocated(), chunks.length()), (3 * BLOCK, 0));
        assert!(chunks.ranges(0, u64::MAX, 10).is_empty());
        chunks.write(0, &[1; BLOCK as usize]).unwrap();
        assert_eq!((chunks.allocated(), usage.free()), (3 * BLOCK, (1 << 20) - 3 * BLOCK));
        chunks.write(0, &[1; 4 * BLOCK as usize]).unwrap();
        assert_eq!(usage.free(), (1 << 20) - 4 * BLOCK);
        chunks.zero(0, 4 * BLOCK);
        assert_eq!(usage.free(), (1 << 20) - 3 * BLOCK);
        chunks.set_length(BLOCK).unwrap();
        assert_eq!(usage.free(), (1 << 20) - BLOCK);
        assert_eq!(chunks.reserve(2 << 20), Err(NtStatus::DISK_FULL));
        drop(chunks);
        assert_eq!(usage.free(), 1 << 20);
    }

    #[test]
    fn what_is_zeroed_piece_by_piece_becomes_a_hole() {
        let mut chunks = of(&Usage::new(1 << 20));
        chunks.write(0, &[1; 2 * CHUNK as usize]).unwrap();
        chunks.zero(0, CHUNK / 2);
        chunks.zero(CHUNK / 2, CHUNK / 2);
        assert_eq!(chunks.ranges(0, u64::MAX, 10), [(CHUNK, CHUNK)]);
    }

    #[test]
    fn takes_and_gives_back() {
        let usage = Usage::new(1 << 20);
        let mut chunks = of(&usage);
        chunks.write((1 << 50) + 5, b"far").unwrap();
        assert_eq!(chunks.allocated(), BLOCK);
        chunks.write(CHUNK - 2, b"spans").unwrap();
        assert_eq!(chunks.allocated(), BLOCK + CHUNK + BLOCK);
        assert_eq!(usage.free(), (1 << 20) - chunks.allocated());
        let before = usage.free();
        assert_eq!(chunks.write(0, &vec![1; 2 << 20]), Err(NtStatus::DISK_FULL));
        assert_eq!(usage.free(), before);
        chunks.zero(CHUNK + 1, 100);
        let mut data = Vec::new();
        chunks.read(CHUNK - 2, 5, &mut data);
        assert_eq!(data, b"spa\0\0");
        chunks.zero(0, u64::MAX);
        assert_eq!((chunks.allocated(), chunks.length()), (0, (1 << 50) + 8));
        assert!(chunks.ranges(0, u64::MAX, 10).is_empty());
        chunks.write(0, b"x").unwrap();
        drop(chunks);
        assert_eq!(usage.free(), 1 << 20);
    }
}
