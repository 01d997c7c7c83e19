//! Checksums of files, [MS-FSA] 2.1.5.10.10, 2.1.5.10.33 and 2.1.5.10.34: a state that a volume keeps,
//! or has not at all.

use sansmb::{
    server::{Token, op},
    wire::{
        AccessMask, CtlCode, NtStatus, Structure,
        fsctl::{ChecksumType, IntegrityFlags, IntegrityInfo, SetIntegrity, SetIntegrityEx},
    },
};

use super::Echo;
use crate::{
    opens::OpenId,
    server::FileServer,
    storage::{Done, Integrity, Job, Outcome},
    task::Step,
};

/// What protects a file whose client leaves the choice to the server: that of ReFS for clusters of 4 KiB,
/// [MS-FSCC] 2.3.73.
const DEFAULT: ChecksumType = ChecksumType::CRC32;

/// A request about checksums that is under way.
#[derive(Debug)]
pub(crate) struct Protecting {
    token: Token<op::Ioctl>,
    echo: Echo,
    /// What to set.
    wish: Option<Wish>,
}

/// How a file is to be protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Wish {
    /// None keeps what it has.
    algorithm: Option<ChecksumType>,
    unenforced: bool,
}

impl Wish {
    fn plain(input: &[u8]) -> Result<Self, NtStatus> {
        let set = SetIntegrity::decode(input).map_err(|_| NtStatus::INVALID_PARAMETER)?;
        let algorithm = match set.checksum_algorithm {
            ChecksumType::UNCHANGED => None,
            known @ (ChecksumType::NONE | ChecksumType::CRC32 | ChecksumType::CRC64) => Some(known),
            _ => return Err(NtStatus::INVALID_PARAMETER),
        };
        Self::new(algorithm, set.flags)
    }

    fn extended(input: &[u8]) -> Result<Self, NtStatus> {
        let set = SetIntegrityEx::decode(input).map_err(|_| NtStatus::INVALID_PARAMETER)?;
        if set.version != 1 {
            return Err(NtStatus::INVALID_PARAMETER);
        }
        let algorithm = if set.enable_integrity { DEFAULT } else { ChecksumType::NONE };
        Self::new((!set.keep_integrity_state_unchanged).then_some(algorithm), set.flags)
    }

    fn new(algorithm: Option<ChecksumType>, flags: IntegrityFlags) -> Result<Self, NtStatus> {
        let unenforced = flags.contains(IntegrityFlags::CHECKSUM_ENFORCEMENT_OFF);
        if !flags.is_empty() && !unenforced || unenforced && algorithm == Some(ChecksumType::NONE) {
            return Err(NtStatus::INVALID_PARAMETER);
        }
        Ok(Self { algorithm, unenforced })
    }

    /// What a file has from now on.
    fn apply(self, current: Integrity, directory: bool) -> Result<Integrity, NtStatus> {
        let algorithm = match self.algorithm {
            // The server chooses for what will be in a directory.
            Some(algorithm) if directory && algorithm != ChecksumType::NONE => DEFAULT,
            Some(algorithm) => algorithm,
            None => current.algorithm,
        };
        if self.unenforced && algorithm == ChecksumType::NONE {
            return Err(NtStatus::INVALID_PARAMETER);
        }
        Ok(Integrity { algorithm, unenforced: self.unenforced && !directory })
    }
}

impl FileServer {
    pub(super) fn get_integrity(&mut self, id: OpenId, token: Token<op::Ioctl>, echo: Echo) {
        if let Err(status) = self.check_has_integrity(id) {
            return self.fail(token, status);
        }
        if echo.limit < IntegrityInfo::FIXED_LEN {
            return self.fail(token, NtStatus::INVALID_PARAMETER);
        }
        self.look_at_integrity(id, Protecting { token, echo, wish: None });
    }

    pub(super) fn set_integrity(&mut self, id: OpenId, token: Token<op::Ioctl>, input: &[u8], echo: Echo) {
        match self.check_integrity(id, input, echo.ctl_code) {
            Ok(wish) => self.look_at_integrity(id, Protecting { token, echo, wish: Some(wish) }),
            Err(status) => self.fail(token, status),
        }
    }

    fn check_has_integrity(&self, id: OpenId) -> Result<(), NtStatus> {
        let file = self.file(id).ok_or(NtStatus::FILE_CLOSED)?;
        if file.share.traits.features.integrity { Ok(()) } else { Err(NtStatus::INVALID_DEVICE_REQUEST) }
    }

    fn check_integrity(&self, id: OpenId, input: &[u8], code: CtlCode) -> Result<Wish, NtStatus> {
        self.check_has_integrity(id)?;
        let wish = if code == CtlCode::SET_INTEGRITY_INFORMATION_EX {
            Wish::extended(input)?
        } else {
            // The number of the code says that it needs both.
            self.demand(id, AccessMask::FILE_READ_DATA)?;
            Wish::plain(input)?
        };
        self.demand(id, AccessMask::FILE_WRITE_DATA)?;
        Ok(wish)
    }

    fn look_at_integrity(&mut self, id: OpenId, protecting: Protecting) {
        let step = Step::Protect(Box::new(protecting));
        self.job_on(id, |file| Job::Integrity { handle: file.handle }, step);
    }

    pub(crate) fn integrity_step(&mut self, id: OpenId, protecting: Protecting, outcome: Outcome) {
        let Protecting { token, echo, wish } = protecting;
        match (outcome, wish) {
            (Ok(Done::Integrity { integrity, chunk, cluster }), None) => {
                let mut flags = IntegrityFlags::empty();
                flags.set(IntegrityFlags::CHECKSUM_ENFORCEMENT_OFF, integrity.unenforced);
                let info = IntegrityInfo {
                    checksum_algorithm: integrity.algorithm,
                    unused: 0,
                    flags,
                    checksum_chunk_size: chunk,
                    cluster_size: cluster,
                };
                self.respond(token, echo.reply(&info.to_vec()));
            }
            (Ok(Done::Integrity { integrity, .. }), Some(wish)) => {
                let directory = self.file(id).is_some_and(|file| file.directory);
                match wish.apply(integrity, directory) {
                    Ok(integrity) => {
                        let step = Step::Protect(Box::new(Protecting { token, echo, wish: Some(wish) }));
                        self.job_on(id, |file| Job::SetIntegrity { handle: file.handle, integrity }, step);
                    }
                    Err(status) => self.fail(token, status),
                }
            }
            (Ok(_), _) => self.answer_changed(id, token, echo.reply(&[])),
            (Err(status), _) => self.fail(token, status),
        }
    }
}
