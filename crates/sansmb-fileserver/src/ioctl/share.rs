//! Ranges of files that get the same blocks: [MS-SMB2] 3.3.5.15.17 and 3.3.5.15.18, [MS-FSA] 2.1.5.10.4
//! and 2.1.5.10.5.

use std::sync::Arc;

use sansmb::{
    server::{Token, op},
    wire::{
        AccessMask, CtlCode, FileAttributes, NtStatus, Structure,
        fsctl::{DuplicateExtents, DuplicateExtentsEx},
    },
};

use super::{Echo, MAX_OFFSET};
use crate::{
    opens::OpenId,
    server::FileServer,
    storage::{Done, Job, Metadata, Outcome},
    task::Step,
};

/// What every volume claims as the size of its clusters where it is asked for here.
const CLUSTER: u64 = 4096;

/// An exchange of blocks that is under way.
#[derive(Debug)]
pub(crate) struct Sharing {
    token: Token<op::Ioctl>,
    echo: Echo,
    source: OpenId,
    extents: DuplicateExtents,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The source is looked at.
    Source,
    /// The target is looked at; whether the source is sparse.
    Target {
        sparse: bool,
    },
    Share,
}

impl FileServer {
    pub(super) fn duplicate_extents(
        &mut self,
        id: OpenId,
        token: Token<op::Ioctl>,
        input: &[u8],
        echo: Echo,
    ) {
        let extents = if echo.ctl_code == CtlCode::DUPLICATE_EXTENTS_TO_FILE_EX {
            DuplicateExtentsEx::decode(input).map(|ex| ex.extents)
        } else {
            DuplicateExtents::decode(input)
        };
        let Ok(extents) = extents else { return self.fail(token, NtStatus::INVALID_PARAMETER) };
        match self.check_sharing(id, &extents) {
            Ok(_) if extents.byte_count == 0 => self.respond(token, echo.reply(&[])),
            Ok(source) => {
                // The source must stay open until it is done.
                if let Some(open) = self.opens.get_mut(&source) {
                    open.busy += 1;
                }
                self.share_next(id, Box::new(Sharing { token, echo, source, extents, stage: Stage::Source }));
            }
            Err(status) => self.fail(token, status),
        }
    }

    /// The source, if what is asked for makes sense.
    fn check_sharing(&self, id: OpenId, extents: &DuplicateExtents) -> Result<OpenId, NtStatus> {
        let target = self.opens.get(&id).ok_or(NtStatus::FILE_CLOSED)?;
        let to = target.file().ok_or(NtStatus::INVALID_DEVICE_REQUEST)?;
        if !to.share.traits.features.block_sharing {
            return Err(NtStatus::INVALID_DEVICE_REQUEST);
        }
        let file_id = extents.source_file_id;
        let source = OpenId::from_file_id(file_id);
        let open = self.opens.get(&source).ok_or(NtStatus::INVALID_HANDLE)?;
        if open.volatile != file_id.volatile || open.session != target.session || open.closing.is_some() {
            return Err(NtStatus::INVALID_HANDLE);
        }
        let from = open.file().ok_or(NtStatus::INVALID_HANDLE)?;
        if !target.may(AccessMask::FILE_WRITE_DATA) {
            return Err(NtStatus::ACCESS_DENIED);
        }
        let DuplicateExtents { source_file_offset, target_file_offset, byte_count, .. } = *extents;
        if [source_file_offset, target_file_offset, byte_count].iter().any(|n| n % CLUSTER != 0) {
            return Err(NtStatus::INVALID_PARAMETER);
        }
        let fits = |at: u64| at.checked_add(byte_count).is_some_and(|end| end <= MAX_OFFSET);
        if !fits(source_file_offset) || !fits(target_file_offset) {
            return Err(NtStatus::INVALID_PARAMETER);
        }
        if to.directory {
            return Err(NtStatus::NOT_SUPPORTED);
        }
        if from.directory
            || !open.may(AccessMask::FILE_READ_DATA)
            || !Arc::ptr_eq(&from.share.config.storage, &to.share.config.storage)
        {
            return Err(NtStatus::INVALID_PARAMETER);
        }
        let overlap = source_file_offset.abs_diff(target_file_offset) < byte_count;
        if from.node == to.node && overlap {
            return Err(NtStatus::NOT_SUPPORTED);
        }
        Ok(source)
    }

    /// Emits the job of the current stage.
    fn share_next(&mut self, id: OpenId, sharing: Box<Sharing>) {
        let DuplicateExtents { source_file_offset, target_file_offset, byte_count, .. } = sharing.extents;
        let source = sharing.source;
        let closing =
            [id, source].iter().any(|id| self.opens.get(id).is_none_or(|open| open.closing.is_some()));
        let Some(from) = self.file(source).map(|file| file.handle).filter(|_| !closing) else {
            return self.share_over(*sharing, NtStatus::INVALID_HANDLE);
        };
        if !self.may_access(id, target_file_offset, byte_count, true)
            || !self.may_access(source, source_file_offset, byte_count, false)
        {
            return self.share_over(*sharing, NtStatus::FILE_LOCK_CONFLICT);
        }
        let stage = sharing.stage;
        if stage == Stage::Share {
            self.break_data(id);
        }
        self.job_on(
            id,
            |file| match stage {
                Stage::Source => Job::Stat { handle: from },
                Stage::Target { .. } => Job::Stat { handle: file.handle },
                Stage::Share => Job::Share {
                    from,
                    from_offset: source_file_offset,
                    to: file.handle,
                    to_offset: target_file_offset,
                    length: byte_count,
                },
            },
            Step::Share(sharing),
        );
    }

    pub(crate) fn share_step(&mut self, id: OpenId, mut sharing: Box<Sharing>, outcome: Outcome) {
        let end = sharing.extents.source_file_offset.saturating_add(sharing.extents.byte_count);
        let sparse = |metadata: &Metadata| metadata.attributes.contains(FileAttributes::SPARSE_FILE);
        sharing.stage = match (sharing.stage, outcome) {
            (Stage::Source, Ok(Done::Metadata(metadata))) if metadata.length < end => {
                return self.share_over(*sharing, NtStatus::NOT_SUPPORTED);
            }
            (Stage::Source, Ok(Done::Metadata(metadata))) => Stage::Target { sparse: sparse(&metadata) },
            (Stage::Target { sparse: true }, Ok(Done::Metadata(metadata))) if !sparse(&metadata) => {
                return self.share_over(*sharing, NtStatus::NOT_SUPPORTED);
            }
            (Stage::Target { .. }, Ok(Done::Metadata(_))) => Stage::Share,
            (Stage::Share, Ok(_)) => {
                self.wrote(id);
                let Sharing { token, echo, source, .. } = *sharing;
                self.answer_changed(id, token, echo.reply(&[]));
                return self.release(source);
            }
            (_, outcome) => {
                let status = outcome.err().unwrap_or(NtStatus::INTERNAL_ERROR);
                return self.share_over(*sharing, status);
            }
        };
        self.share_next(id, sharing);
    }

    fn share_over(&mut self, sharing: Sharing, status: NtStatus) {
        self.fail(sharing.token, status);
        self.release(sharing.source);
    }
}
