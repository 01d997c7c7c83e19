//! Control codes about reparse points, [MS-FSA] 2.1.5.10.3, 2.1.5.10.14 and 2.1.5.10.37.

use bytes::Bytes;
use sansmb::{
    server::{Token, op},
    wire::{
        AccessMask, CompletionFilter, FileAttributes, NtStatus, Structure,
        fscc::NotifyAction,
        fsctl::{ReparseData, ReparseTag},
    },
};

use super::Echo;
use crate::{
    opens::OpenId,
    server::FileServer,
    storage::{Changes, Done, Job, Metadata, Outcome},
    task::Step,
};

/// Tag, length and a reserved field.
const HEAD: usize = 8;
/// The same with the GUID of tags that are not Microsoft's.
const GUID_HEAD: usize = 24;
const WRITING: AccessMask = AccessMask::FILE_WRITE_DATA.union(AccessMask::FILE_WRITE_ATTRIBUTES);

/// A request about a reparse point that is under way.
#[derive(Debug)]
pub(crate) struct Reparsing {
    token: Token<op::Ioctl>,
    echo: Echo,
    what: What,
    stage: Stage,
}

#[derive(Debug)]
enum What {
    Get,
    Set(Bytes),
    /// Tag and GUID have to be these.
    Delete(Bytes),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Look,
    /// What is there is read.
    Read,
    Change,
    /// A file that was changed is to be archived.
    Archive,
}

impl FileServer {
    pub(super) fn get_reparse_point(&mut self, id: OpenId, token: Token<op::Ioctl>, echo: Echo) {
        let reparsing = Reparsing { token, echo, what: What::Get, stage: Stage::Read };
        let step = Step::Reparse(Box::new(reparsing));
        self.job_on(id, |file| Job::GetReparse { handle: file.handle }, step);
    }

    pub(super) fn set_reparse_point(
        &mut self,
        id: OpenId,
        token: Token<op::Ioctl>,
        input: &[u8],
        echo: Echo,
    ) {
        let checked = check_data(input).map(|()| What::Set(Bytes::copy_from_slice(input)));
        self.change_reparse_point(id, token, echo, checked);
    }

    pub(super) fn delete_reparse_point(
        &mut self,
        id: OpenId,
        token: Token<op::Ioctl>,
        input: &[u8],
        echo: Echo,
    ) {
        let checked = check_deletion(input).map(|()| What::Delete(Bytes::copy_from_slice(input)));
        self.change_reparse_point(id, token, echo, checked);
    }

    /// Whether it may be done at all comes before what is wrong with the request.
    fn change_reparse_point(
        &mut self,
        id: OpenId,
        token: Token<op::Ioctl>,
        echo: Echo,
        checked: Result<What, NtStatus>,
    ) {
        match self.may_reparse(id).and(checked) {
            Ok(what) => self.look_before(id, Reparsing { token, echo, what, stage: Stage::Look }),
            Err(status) => self.fail(token, status),
        }
    }

    fn may_reparse(&self, id: OpenId) -> Result<(), NtStatus> {
        let file = self.file(id).ok_or(NtStatus::FILE_CLOSED)?;
        if !file.share.traits.features.reparse_points {
            return Err(NtStatus::INVALID_DEVICE_REQUEST);
        }
        self.demand(id, WRITING)
    }

    fn look_before(&mut self, id: OpenId, reparsing: Reparsing) {
        self.job_on(id, |file| Job::Stat { handle: file.handle }, Step::Reparse(Box::new(reparsing)));
    }

    pub(crate) fn reparse_step(&mut self, id: OpenId, mut reparsing: Box<Reparsing>, outcome: Outcome) {
        let done = match outcome {
            Ok(done) => done,
            Err(NtStatus::NOT_SUPPORTED) if matches!(reparsing.what, What::Get) => {
                return self.fail(reparsing.token, NtStatus::NOT_A_REPARSE_POINT);
            }
            Err(status) => return self.fail(reparsing.token, status),
        };
        let next = match (reparsing.stage, &reparsing.what, done) {
            (Stage::Look, what, Done::Metadata(metadata)) => check_file(what, &metadata),
            (Stage::Read, What::Get, Done::Reparse(data)) => {
                let Reparsing { token, echo, .. } = *reparsing;
                return self.answer_reparse(token, echo, &data);
            }
            (Stage::Read, What::Set(given) | What::Delete(given), Done::Reparse(there)) => {
                // Only tags with a GUID come here.
                let guid = HEAD..GUID_HEAD;
                if given.get(guid.clone()) == there.get(guid) {
                    Ok(Stage::Change)
                } else {
                    Err(NtStatus::REPARSE_ATTRIBUTE_CONFLICT)
                }
            }
            (Stage::Change, ..) => Ok(Stage::Archive),
            (Stage::Archive, _, Done::Metadata(metadata))
                if !metadata.is_directory() && !metadata.attributes.contains(FileAttributes::ARCHIVE) =>
            {
                let attributes = Some(metadata.attributes | FileAttributes::ARCHIVE);
                let changes = Changes { attributes, ..Changes::default() };
                return self.job_on(
                    id,
                    |file| Job::Change { handle: file.handle, changes },
                    Step::Reparse(reparsing),
                );
            }
            (Stage::Archive, ..) => {
                self.report(id, NotifyAction::MODIFIED, CompletionFilter::ATTRIBUTES);
                let Reparsing { token, echo, .. } = *reparsing;
                return self.answer_changed(id, token, echo.reply(&[]));
            }
            _ => Err(NtStatus::INTERNAL_ERROR),
        };
        let stage = match next {
            Ok(stage) => stage,
            Err(status) => return self.fail(reparsing.token, status),
        };
        reparsing.stage = stage;
        let data = match &reparsing.what {
            What::Set(data) => Some(data.clone()),
            What::Get | What::Delete(_) => None,
        };
        self.job_on(
            id,
            |file| {
                let handle = file.handle;
                match stage {
                    Stage::Read => Job::GetReparse { handle },
                    Stage::Change => Job::SetReparse { handle, data },
                    Stage::Look | Stage::Archive => Job::Stat { handle },
                }
            },
            Step::Reparse(reparsing),
        );
    }

    fn answer_reparse(&mut self, token: Token<op::Ioctl>, echo: Echo, data: &[u8]) {
        let tag = tag_of(data);
        let head = if tag.is_microsoft() { HEAD } else { GUID_HEAD };
        if echo.limit < head {
            return self.fail(token, NtStatus::BUFFER_TOO_SMALL);
        }
        match data.get(..echo.limit) {
            Some(cut) if cut.len() < data.len() => {
                self.respond(token, Ok(echo.encode(cut).with_status(NtStatus::BUFFER_OVERFLOW)));
            }
            _ => self.respond(token, echo.reply(data)),
        }
    }
}

fn tag_of(data: &[u8]) -> ReparseTag {
    ReparseTag(data.first_chunk().map_or(0, |tag| u32::from_le_bytes(*tag)))
}

/// Bytes behind the head, as the head says.
fn length_of(data: &[u8]) -> Option<usize> {
    let length = data.get(4..)?.first_chunk()?;
    Some(u16::from_le_bytes(*length).into())
}

fn check_tag(tag: ReparseTag) -> Result<(), NtStatus> {
    // Zero, one and two are reserved.
    if tag.0 <= 2 { Err(NtStatus::IO_REPARSE_TAG_INVALID) } else { Ok(()) }
}

/// Whether `input` can be what a reparse point holds.
fn check_data(input: &[u8]) -> Result<(), NtStatus> {
    if input.len() < HEAD || input.len() > ReparseData::MAX_LEN {
        return Err(NtStatus::IO_REPARSE_DATA_INVALID);
    }
    let tag = tag_of(input);
    let head = if tag.is_microsoft() { HEAD } else { GUID_HEAD };
    if length_of(input).is_none_or(|length| length + head != input.len()) {
        return Err(NtStatus::IO_REPARSE_DATA_INVALID);
    }
    check_tag(tag)?;
    ReparseData::decode(input).map(drop).map_err(|_| NtStatus::IO_REPARSE_DATA_INVALID)
}

/// Whether `input` names a reparse point to delete, [MS-FSCC] 2.3.5.
fn check_deletion(input: &[u8]) -> Result<(), NtStatus> {
    let tag = tag_of(input);
    let head = if tag.is_microsoft() { HEAD } else { GUID_HEAD };
    if input.len() < HEAD || length_of(input) != Some(0) {
        return Err(NtStatus::IO_REPARSE_DATA_INVALID);
    }
    check_tag(tag)?;
    if input.len() == head { Ok(()) } else { Err(NtStatus::IO_REPARSE_DATA_INVALID) }
}

/// Whether a file may get or lose its reparse point, and what comes next.
fn check_file(what: &What, metadata: &Metadata) -> Result<Stage, NtStatus> {
    let there = ReparseTag(metadata.reparse_tag);
    let given = match what {
        What::Get => return Ok(Stage::Read),
        What::Delete(_) if there.0 == 0 => return Err(NtStatus::NOT_A_REPARSE_POINT),
        What::Delete(data) => tag_of(data),
        What::Set(data) => {
            let tag = tag_of(data);
            if tag == ReparseTag::MOUNT_POINT && !metadata.is_directory() {
                return Err(NtStatus::NOT_A_DIRECTORY);
            }
            if tag == ReparseTag::SYMLINK && metadata.length > 0 {
                return Err(NtStatus::IO_REPARSE_DATA_INVALID);
            }
            tag
        }
    };
    match there.0 {
        0 => Ok(Stage::Change),
        _ if there != given => Err(NtStatus::IO_REPARSE_TAG_MISMATCH),
        _ if !given.is_microsoft() => Ok(Stage::Read),
        _ => Ok(Stage::Change),
    }
}
