//! Who may take how much, [MS-FSA] 2.1.5.22, and how that is used, 2.1.5.13.6 and 2.1.5.16.6.

use sansmb::{
    server::{Token, op},
    wire::{
        AccessMask, NtStatus, SetInfoResponse, Structure,
        dtyp::Sid,
        fscc::{FsControlFlags, FsControlInfo, FsInfoClass, QuotaEntries, QuotaEntry},
    },
};

use super::manages;
use crate::{
    opens::OpenId,
    server::FileServer,
    storage::{Job, NO_QUOTA, Outcome, QuotaChange, QuotaControl, QuotaJob, QuotaLimits},
    task::Step,
};

/// As a limit: what was set is taken back.
const DELETE: u64 = u64::MAX - 1;
/// What a volume says of itself and is not told, [MS-FSA] 2.1.5.16.6.
const TOLD: FsControlFlags = FsControlFlags::QUOTAS_INCOMPLETE.union(FsControlFlags::QUOTAS_REBUILDING);

/// A change of quotas that is under way.
#[derive(Debug)]
pub(crate) struct SetQuota {
    token: Token<op::SetInfo>,
}

impl FileServer {
    pub(crate) fn set_quota(&mut self, id: OpenId, token: Token<op::SetInfo>, buffer: &[u8]) {
        let job =
            self.check_has_quotas(id).and_then(|()| self.check_manages(id)).and_then(|()| changes(buffer));
        self.set_quotas(id, token, job.map(QuotaJob::Set));
    }

    /// [MS-SMB2] 3.3.5.21.2.
    pub(crate) fn set_fs(
        &mut self,
        id: OpenId,
        token: Token<op::SetInfo>,
        class: FsInfoClass,
        buffer: &[u8],
    ) {
        let job = match class {
            FsInfoClass::CONTROL => self.check_control(id, buffer).map(QuotaJob::SetControl),
            FsInfoClass::OBJECT_ID
            | FsInfoClass::LABEL
            | FsInfoClass::DRIVER_PATH
            | FsInfoClass::VOLUME_FLAGS => Err(NtStatus::NOT_SUPPORTED),
            _ => Err(NtStatus::INVALID_INFO_CLASS),
        };
        self.set_quotas(id, token, job);
    }

    fn set_quotas(&mut self, id: OpenId, token: Token<op::SetInfo>, job: Result<QuotaJob, NtStatus>) {
        match job {
            Ok(job) => {
                let step = Step::SetQuota(SetQuota { token });
                self.job_on(id, |_| Job::Quota(job), step);
            }
            Err(status) => self.fail(token, status),
        }
    }

    pub(crate) fn set_quota_done(&mut self, set: SetQuota, outcome: Outcome) {
        match outcome {
            Ok(_) => self.succeed(set.token, &SetInfoResponse),
            Err(status) => self.fail(set.token, status),
        }
    }

    /// The user of an open may manage the quotas of its volume.
    fn check_manages(&self, id: OpenId) -> Result<(), NtStatus> {
        let open = self.opens.get(&id).ok_or(NtStatus::FILE_CLOSED)?;
        let file = open.file().ok_or(NtStatus::NOT_SUPPORTED)?;
        let who = self.token_of(open.session).ok_or(NtStatus::USER_SESSION_DELETED)?;
        let writable = file.share.maximal_access().contains(AccessMask::FILE_WRITE_DATA);
        if manages(&who) && writable { Ok(()) } else { Err(NtStatus::ACCESS_DENIED) }
    }

    fn check_control(&self, id: OpenId, buffer: &[u8]) -> Result<QuotaControl, NtStatus> {
        self.demand(id, AccessMask::FILE_WRITE_DATA)?;
        if buffer.len() < FsControlInfo::FIXED_LEN {
            return Err(NtStatus::INFO_LENGTH_MISMATCH);
        }
        self.check_has_quotas(id).map_err(|_| NtStatus::VOLUME_NOT_UPGRADED)?;
        self.check_manages(id)?;
        let info = FsControlInfo::decode(buffer).map_err(|_| NtStatus::INVALID_PARAMETER)?;
        let usual = QuotaLimits { threshold: info.default_quota_threshold, limit: info.default_quota_limit };
        let flags = FsControlFlags::from_bits_truncate(info.flags.bits()).difference(TOLD);
        Ok(QuotaControl { usual, flags })
    }
}

/// What is to be set, as far as it makes sense without knowing what there is.
fn changes(buffer: &[u8]) -> Result<Vec<QuotaChange>, NtStatus> {
    if buffer.is_empty() {
        return Err(NtStatus::INVALID_PARAMETER);
    }
    QuotaEntries::new(buffer).map(|entry| change(&entry.map_err(|_| NtStatus::INVALID_PARAMETER)?)).collect()
}

/// [MS-FSCC] 2.4.41: the numbers are signed.
fn change(entry: &QuotaEntry<'_>) -> Result<QuotaChange, NtStatus> {
    let user = Sid::decode(entry.sid).map_err(|_| NtStatus::INVALID_PARAMETER)?;
    if user == Sid::BUILTIN_ADMINISTRATORS && entry.limit != NO_QUOTA {
        return Err(NtStatus::ACCESS_DENIED);
    }
    if entry.limit == DELETE {
        return Ok(QuotaChange { user, limits: None });
    }
    let fits = |bytes: u64| bytes == NO_QUOTA || i64::try_from(bytes).is_ok();
    if !fits(entry.limit) || !fits(entry.threshold) {
        return Err(NtStatus::INVALID_PARAMETER);
    }
    Ok(QuotaChange { user, limits: Some(QuotaLimits { threshold: entry.threshold, limit: entry.limit }) })
}
