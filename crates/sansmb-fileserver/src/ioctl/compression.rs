//! Compression, [MS-FSA] 2.1.5.10.9 and 2.1.5.10.30: a state that a volume keeps, or has not at all.

use sansmb::{
    server::{Token, op},
    wire::{
        AccessMask, CompletionFilter, FileAttributes, NtStatus, Structure, fscc::NotifyAction,
        fsctl::CompressionState,
    },
};

use super::Echo;
use crate::{
    opens::OpenId,
    server::FileServer,
    storage::{Changes, Done, Job, Outcome},
    task::Step,
};

/// COMPRESSION_FORMAT_NONE, [MS-FSCC] 2.3.18.
pub(crate) const NONE: u16 = 0;
/// COMPRESSION_FORMAT_DEFAULT.
const DEFAULT: u16 = 1;
/// COMPRESSION_FORMAT_LZNT1, the only one there is.
pub(crate) const LZNT1: u16 = 2;

/// A request about compression that is under way.
#[derive(Debug)]
pub(crate) struct Compressing {
    token: Token<op::Ioctl>,
    echo: Echo,
    /// The state to set.
    set: Option<bool>,
}

/// How files of these attributes are compressed.
pub(crate) fn format_of(attributes: FileAttributes) -> u16 {
    if attributes.contains(FileAttributes::COMPRESSED) { LZNT1 } else { NONE }
}

impl FileServer {
    pub(super) fn get_compression(&mut self, id: OpenId, token: Token<op::Ioctl>, echo: Echo) {
        if echo.limit < CompressionState::FIXED_LEN {
            return self.fail(token, NtStatus::INVALID_PARAMETER);
        }
        let step = Step::Compress(Box::new(Compressing { token, echo, set: None }));
        self.job_on(id, |file| Job::Stat { handle: file.handle }, step);
    }

    pub(super) fn set_compression(&mut self, id: OpenId, token: Token<op::Ioctl>, input: &[u8], echo: Echo) {
        match self.check_compression(id, input) {
            Ok(compressed) => {
                let step = Step::Compress(Box::new(Compressing { token, echo, set: Some(compressed) }));
                self.job_on(id, |file| Job::Stat { handle: file.handle }, step);
            }
            Err(status) => self.fail(token, status),
        }
    }

    fn check_compression(&self, id: OpenId, input: &[u8]) -> Result<bool, NtStatus> {
        let state = CompressionState::decode(input).map_err(|_| NtStatus::INVALID_PARAMETER)?;
        if state.format > LZNT1 {
            return Err(NtStatus::INVALID_PARAMETER);
        }
        self.demand(id, AccessMask::FILE_WRITE_DATA)?;
        let file = self.file(id).ok_or(NtStatus::FILE_CLOSED)?;
        let compressed = matches!(state.format, DEFAULT | LZNT1);
        if compressed && !file.share.traits.features.compression {
            return Err(NtStatus::NOT_SUPPORTED);
        }
        Ok(compressed)
    }

    pub(crate) fn compress_step(&mut self, id: OpenId, compressing: Compressing, outcome: Outcome) {
        let Compressing { token, echo, set } = compressing;
        match (outcome, set) {
            (Ok(Done::Metadata(metadata)), None) => {
                let format = format_of(metadata.attributes);
                self.respond(token, echo.reply(&CompressionState { format }.to_vec()));
            }
            (Ok(Done::Metadata(metadata)), Some(compressed)) => {
                let mut attributes = metadata.attributes;
                if attributes.contains(FileAttributes::COMPRESSED) == compressed {
                    return self.respond(token, echo.reply(&[]));
                }
                attributes.set(FileAttributes::COMPRESSED, compressed);
                let changes = Changes { attributes: Some(attributes), ..Changes::default() };
                let step = Step::Compress(Box::new(Compressing { token, echo, set }));
                self.job_on(id, |file| Job::Change { handle: file.handle, changes }, step);
            }
            (Ok(_), _) => {
                self.report(id, NotifyAction::MODIFIED, CompletionFilter::ATTRIBUTES);
                self.answer_changed(id, token, echo.reply(&[]));
            }
            (Err(status), _) => self.fail(token, status),
        }
    }
}
