//! Offloaded data transfer: FSCTL_OFFLOAD_READ gives a token for a range of a file, FSCTL_OFFLOAD_WRITE
//! writes what a token names, [MS-FSA] 2.1.5.10.20 and 2.1.5.10.21. The data are copied by the storage, as
//! SRV_COPYCHUNK copies them.

use std::collections::VecDeque;

use sansmb::{
    crypto::Random,
    server::{Token, op},
    wire::{
        AccessMask, FileAttributes, NtStatus, Structure,
        fsctl::{
            OffloadRead, OffloadReadFlags, OffloadReadOutput, OffloadToken, OffloadTokenType, OffloadWrite,
            OffloadWriteOutput, SrvCopychunk,
        },
    },
};

use super::{
    Echo, MAX_OFFSET,
    copy::{MAX_CHUNK, MAX_TOTAL},
};
use crate::{
    info::SECTOR,
    offloads::{Named, Secret},
    opens::OpenId,
    server::FileServer,
    storage::{Done, Job, Metadata, Outcome},
    task::Step,
};

const UNIT: u64 = SECTOR as u64;

/// An offloaded read or write that looks at its files.
#[derive(Debug)]
pub(crate) struct Offloading {
    token: Token<op::Ioctl>,
    echo: Echo,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// The file for which a token is wanted.
    Read { wish: OffloadRead, secret: Secret, version: u64 },
    /// The file that a token names.
    Source(Wish),
    /// The file that is written.
    Target(Wish),
}

/// What is to be written.
#[derive(Debug, Clone, Copy)]
struct Wish {
    to: u64,
    length: u64,
    /// The file, and which version of its data; the target itself for zeros.
    source: OpenId,
    version: u64,
    from: u64,
    /// Bytes behind `from` that are there; the others read as zeros.
    there: u64,
    known: Option<Named>,
}

/// What is left of a write when its data are copied.
#[derive(Debug)]
pub(super) struct OffloadGoal {
    version: u64,
    /// Offset and length of zeros behind the data.
    pub(super) zeros: Option<(u64, u64)>,
    written: u64,
}

impl OffloadGoal {
    /// What the client hears at the end.
    pub(super) fn output(&self) -> Vec<u8> {
        written(self.written)
    }
}

impl FileServer {
    pub(super) fn offload_read(
        &mut self,
        id: OpenId,
        token: Token<op::Ioctl>,
        input: &[u8],
        echo: Echo,
        random: &mut dyn Random,
    ) {
        match self.check_offload_read(id, input, &echo) {
            Ok(wish) if wish.copy_length == 0 => {
                self.respond(token, echo.reply(&named(OffloadToken::ZERO, 0, false)));
            }
            Ok(wish) => {
                let mut secret = Secret::default();
                random.fill(&mut secret);
                let stage = Stage::Read { wish, secret, version: self.data_version(id) };
                let step = Step::Offload(Box::new(Offloading { token, echo, stage }));
                self.job_on(id, |file| Job::Stat { handle: file.handle }, step);
            }
            Err(status) => self.fail(token, status),
        }
    }

    fn check_offload_read(&self, id: OpenId, input: &[u8], echo: &Echo) -> Result<OffloadRead, NtStatus> {
        self.demand(id, AccessMask::FILE_READ_DATA)?;
        let wish = OffloadRead::decode(input).map_err(|_| NtStatus::BUFFER_TOO_SMALL)?;
        if echo.limit < OffloadReadOutput::FIXED_LEN {
            return Err(NtStatus::BUFFER_TOO_SMALL);
        }
        let OffloadRead { size, file_offset, copy_length, .. } = wish;
        if size as usize != OffloadRead::FIXED_LEN || !are_sectors(&[file_offset, copy_length]) {
            return Err(NtStatus::INVALID_PARAMETER);
        }
        self.check_offloadable(id, file_offset, copy_length, false)?;
        Ok(wish)
    }

    /// What both ask of a file and of the range in it before it is looked at.
    fn check_offloadable(&self, id: OpenId, offset: u64, length: u64, write: bool) -> Result<(), NtStatus> {
        let end = offset.checked_add(length).ok_or(NtStatus::INVALID_PARAMETER)?;
        if length == 0 {
            return Ok(());
        }
        let file = self.file(id).ok_or(NtStatus::FILE_CLOSED)?;
        if file.directory {
            return Err(unfit(write));
        }
        if self.nodes.is_doomed(&file.key()) {
            return Err(NtStatus::FILE_DELETED);
        }
        if end > MAX_OFFSET {
            return Err(NtStatus::INVALID_PARAMETER);
        }
        if !self.may_access(id, offset, length, write) {
            return Err(NtStatus::FILE_LOCK_CONFLICT);
        }
        Ok(())
    }

    pub(super) fn offload_write(&mut self, id: OpenId, token: Token<op::Ioctl>, input: &[u8], echo: Echo) {
        match self.check_offload_write(id, input, &echo) {
            Ok(None) => self.respond(token, echo.reply(&written(0))),
            Ok(Some(wish)) => {
                // The source must stay open until the copy is over.
                if let Some(open) = self.opens.get_mut(&wish.source) {
                    open.busy += 1;
                }
                let stage = if wish.known.is_some() { Stage::Source(wish) } else { Stage::Target(wish) };
                self.offload_next(id, Box::new(Offloading { token, echo, stage }));
            }
            Err(status) => self.fail(token, status),
        }
    }

    fn check_offload_write(
        &mut self,
        id: OpenId,
        input: &[u8],
        echo: &Echo,
    ) -> Result<Option<Wish>, NtStatus> {
        self.demand(id, AccessMask::FILE_WRITE_DATA)?;
        let asked = OffloadWrite::decode(input).map_err(|_| NtStatus::BUFFER_TOO_SMALL)?;
        if echo.limit < OffloadWriteOutput::FIXED_LEN {
            return Err(NtStatus::BUFFER_TOO_SMALL);
        }
        let OffloadWrite { size, file_offset, copy_length, transfer_offset, .. } = asked;
        if size as usize != OffloadWrite::FIXED_LEN
            || !are_sectors(&[file_offset, copy_length, transfer_offset])
        {
            return Err(NtStatus::INVALID_PARAMETER);
        }
        self.check_offloadable(id, file_offset, copy_length, true)?;
        if copy_length == 0 {
            return Ok(None);
        }
        let mut wish = Wish {
            to: file_offset,
            length: copy_length.min(MAX_TOTAL),
            source: id,
            version: 0,
            from: 0,
            there: 0,
            known: None,
        };
        if asked.token.token_type != OffloadTokenType::ZERO_DATA {
            let (source, known) =
                self.offloads.find(&asked.token, self.now.mono).ok_or(NtStatus::INVALID_TOKEN)?;
            let sessions = [source, id].map(|id| self.opens.get(&id).map(|open| open.session));
            if sessions[0] != sessions[1] || self.data_version(source) != known.version {
                return Err(NtStatus::INVALID_TOKEN);
            }
            let left = known.length.checked_sub(transfer_offset).filter(|left| *left > 0);
            wish.length = wish.length.min(left.ok_or(NtStatus::INVALID_PARAMETER)?);
            wish.from = known.offset.saturating_add(transfer_offset);
            wish.there = known.file_length.saturating_sub(wish.from);
            wish.version = known.version;
            wish.source = source;
            wish.known = Some(known);
        }
        Ok(Some(wish))
    }

    /// Looks at the next file.
    fn offload_next(&mut self, id: OpenId, offloading: Box<Offloading>) {
        let looked = match &offloading.stage {
            Stage::Source(wish) => wish.source,
            _ => id,
        };
        let Some(handle) = self.file(looked).map(|file| file.handle) else {
            return self.offload_over(*offloading, NtStatus::FILE_CLOSED);
        };
        self.job_for(id, looked, Job::Stat { handle }, Step::Offload(offloading));
    }

    pub(crate) fn offload_step(&mut self, id: OpenId, mut offloading: Box<Offloading>, outcome: Outcome) {
        let metadata = match outcome {
            Ok(Done::Metadata(metadata)) => metadata,
            outcome => {
                let status = outcome.err().unwrap_or(NtStatus::INTERNAL_ERROR);
                return self.offload_over(*offloading, status);
            }
        };
        match offloading.stage {
            Stage::Read { wish, secret, version } => {
                let reply = self.give_token(id, &wish, secret, version, &metadata);
                let Offloading { token, echo, .. } = *offloading;
                match reply {
                    Ok(output) => self.respond(token, echo.reply(&output)),
                    Err(status) => self.fail(token, status),
                }
            }
            Stage::Source(wish) => {
                if !wish.known.is_some_and(|known| known.is_still(&metadata)) {
                    return self.offload_over(*offloading, NtStatus::INVALID_TOKEN);
                }
                offloading.stage = Stage::Target(wish);
                self.offload_next(id, offloading);
            }
            Stage::Target(wish) => {
                if let Err(status) = fit(&metadata, wish.to, true) {
                    return self.offload_over(*offloading, status);
                }
                let Offloading { token, echo, .. } = *offloading;
                let (chunks, goal) = wish.plan(metadata.length);
                self.copy_all(id, token, echo, wish.source, chunks, Some(goal));
            }
        }
    }

    /// The answer to OFFLOAD_READ, once the file is known.
    fn give_token(
        &mut self,
        id: OpenId,
        wish: &OffloadRead,
        secret: Secret,
        version: u64,
        metadata: &Metadata,
    ) -> Result<Vec<u8>, NtStatus> {
        fit(metadata, wish.file_offset, false)?;
        let there = metadata.length - wish.file_offset;
        let length = wish.copy_length.min(there.next_multiple_of(UNIT));
        let named_range = Named {
            offset: wish.file_offset,
            length,
            version,
            file_length: metadata.length,
            written: metadata.written,
        };
        let closing = self.opens.get(&id).is_none_or(|open| open.closing.is_some());
        if closing {
            return Err(NtStatus::FILE_CLOSED);
        }
        let token = self.offloads.insert(
            id,
            named_range,
            secret,
            wish.time_to_live,
            &self.config.limits,
            self.now.mono,
        );
        Ok(named(token, length, wish.copy_length > there))
    }

    fn offload_over(&mut self, offloading: Offloading, status: NtStatus) {
        self.fail(offloading.token, status);
        match offloading.stage {
            Stage::Read { .. } => {}
            Stage::Source(wish) | Stage::Target(wish) => self.release(wish.source),
        }
    }

    /// Whether the data of `source` are still those that the token named. What is copied within one file
    /// changes it by itself.
    pub(super) fn still_names(&self, target: OpenId, source: OpenId, goal: &OffloadGoal) -> bool {
        let node = |id| self.file(id).map(|file| file.node);
        node(target) == node(source) || self.data_version(source) == goal.version
    }

    /// Which version of its data the file of an open has: another one whenever they may have changed
    /// through this server.
    fn data_version(&self, id: OpenId) -> u64 {
        let node = self.file(id).and_then(|file| self.nodes.get(file.node));
        node.map_or(0, |node| node.version)
    }

    /// Tokens do not name the data of an open's file any more.
    pub(crate) fn data_changes(&mut self, id: OpenId) {
        let Some(node) = self.file(id).map(|file| file.node) else { return };
        if let Some(node) = self.nodes.get_mut(node) {
            node.version = node.version.wrapping_add(1);
        }
    }
}

impl Wish {
    /// What is copied into a file of that length, which does not grow, and what becomes zeros.
    fn plan(&self, length: u64) -> (VecDeque<SrvCopychunk>, OffloadGoal) {
        let fits = self.length.min(length.saturating_sub(self.to));
        let copied = fits.min(self.there);
        let step = u64::from(MAX_CHUNK);
        let starts = (0..copied.div_ceil(step)).map(|n| n * step);
        let chunks = starts.map(|at| SrvCopychunk {
            source_offset: self.from + at,
            target_offset: self.to + at,
            length: (copied - at).min(step) as u32,
        });
        let zeros = (fits > copied).then_some((self.to + copied, fits - copied));
        let written = fits.next_multiple_of(UNIT);
        (chunks.collect(), OffloadGoal { version: self.version, zeros, written })
    }
}

/// What both ask of a file once it is known.
fn fit(metadata: &Metadata, offset: u64, write: bool) -> Result<(), NtStatus> {
    if metadata.attributes.intersects(FileAttributes::SPARSE_FILE | FileAttributes::COMPRESSED) {
        return Err(unfit(write));
    }
    // [MS-FSCC] 2.3.42: it has no whole sector.
    if metadata.length < UNIT {
        return Err(NtStatus::INVALID_PARAMETER);
    }
    if offset >= metadata.length { Err(NtStatus::END_OF_FILE) } else { Ok(()) }
}

/// The file is of a kind that is not offloaded.
fn unfit(write: bool) -> NtStatus {
    if write { NtStatus::OFFLOAD_WRITE_FILE_NOT_SUPPORTED } else { NtStatus::OFFLOAD_READ_FILE_NOT_SUPPORTED }
}

fn are_sectors(numbers: &[u64]) -> bool {
    numbers.iter().all(|number| number.is_multiple_of(UNIT))
}

fn named(token: OffloadToken, transfer_length: u64, last: bool) -> Vec<u8> {
    let flags =
        if last { OffloadReadFlags::ALL_ZERO_BEYOND_CURRENT_RANGE } else { OffloadReadFlags::empty() };
    OffloadReadOutput { size: OffloadReadOutput::FIXED_LEN as u32, flags, transfer_length, token }.to_vec()
}

fn written(length_written: u64) -> Vec<u8> {
    OffloadWriteOutput { size: OffloadWriteOutput::FIXED_LEN as u32, flags: 0, length_written }.to_vec()
}
