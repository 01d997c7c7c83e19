//! Who takes how much, [MS-SMB2] 3.3.5.20.4 and [MS-FSA] 2.1.5.21.

use std::{collections::BTreeMap, ops::Bound, ops::RangeBounds};

use sansmb::{
    server::{Reply, Token, op},
    wire::{
        NtStatus, QueryInfoRequest, QueryInfoResponse, Structure,
        dtyp::Sid,
        fscc::{EntryWriter, GetQuotaEntries, QueryQuotaInfo, QuotaEntry},
    },
};

use super::manages;
use crate::{
    opens::OpenId,
    server::FileServer,
    storage::{Done, Job, Outcome, Quota, QuotaJob},
    task::Step,
};

/// A query of quotas that is under way.
#[derive(Debug)]
pub(crate) struct QueryQuota {
    token: Token<op::QueryInfo>,
    wanted: Wanted,
    limit: usize,
    single: bool,
}

/// Whose quotas are asked for.
#[derive(Debug)]
enum Wanted {
    /// Those of these users, whatever is known of them.
    These(Vec<Sid>),
    /// Those that there are, from here on.
    From(Bound<Sid>),
}

impl Wanted {
    /// `before` is the last user that an earlier query told of.
    fn new(info: &QueryQuotaInfo<'_>, before: Option<Sid>) -> Result<Self, NtStatus> {
        let wrong = |_| NtStatus::INVALID_PARAMETER;
        if !info.sid_list.is_empty() {
            if !info.sid_list.len().is_multiple_of(4) {
                return Err(NtStatus::INVALID_PARAMETER);
            }
            let asked = if info.return_single { 1 } else { usize::MAX };
            let entries = GetQuotaEntries::new(info.sid_list).take(asked);
            return entries
                .map(|entry| entry.and_then(|entry| Sid::decode(entry.sid)))
                .collect::<Result<_, _>>()
                .map(Self::These)
                .map_err(wrong);
        }
        if !info.start_sid.is_empty() {
            return Sid::decode(info.start_sid).map(|sid| Self::From(Bound::Included(sid))).map_err(wrong);
        }
        let before = before.filter(|_| !info.restart_scan);
        Ok(Self::From(before.map_or(Bound::Unbounded, Bound::Excluded)))
    }
}

impl FileServer {
    pub(crate) fn query_quota(
        &mut self,
        id: OpenId,
        token: Token<op::QueryInfo>,
        body: &QueryInfoRequest<'_>,
    ) {
        match self.check_query_quota(id, body) {
            Ok((wanted, job, single)) => {
                let limit = body.output_buffer_length as usize;
                let step = Step::QueryQuota(Box::new(QueryQuota { token, wanted, limit, single }));
                self.job_on(id, |_| Job::Quota(job), step);
            }
            Err(status) => self.fail(token, status),
        }
    }

    fn check_query_quota(
        &self,
        id: OpenId,
        body: &QueryInfoRequest<'_>,
    ) -> Result<(Wanted, QuotaJob, bool), NtStatus> {
        self.check_has_quotas(id)?;
        let session = self.opens.get(&id).ok_or(NtStatus::FILE_CLOSED)?.session;
        let who = self.token_of(session).ok_or(NtStatus::USER_SESSION_DELETED)?;
        let info = QueryQuotaInfo::decode(body.input).map_err(|_| NtStatus::INVALID_PARAMETER)?;
        let file = self.file(id).ok_or(NtStatus::FILE_CLOSED)?;
        let wanted = Wanted::new(&info, file.last_quota.as_deref().copied())?;
        let most = body.output_buffer_length as usize / QuotaEntry::FIXED_LEN;
        if most == 0 {
            return Err(NtStatus::BUFFER_TOO_SMALL);
        }
        let job = match &wanted {
            Wanted::These(users) if manages(&who) || users.iter().all(|user| *user == who.user()) => {
                QuotaJob::Of(users.iter().take(most).copied().collect())
            }
            Wanted::These(_) => return Err(NtStatus::ACCESS_DENIED),
            Wanted::From(from) if manages(&who) => QuotaJob::List { from: *from, limit: most },
            // For others the list has nobody but themselves.
            Wanted::From(from) => {
                let own = Some(who.user()).filter(|own| (*from, Bound::Unbounded).contains(own));
                QuotaJob::Of(own.into_iter().collect())
            }
        };
        Ok((wanted, job, info.return_single))
    }

    pub(crate) fn query_quota_done(&mut self, id: OpenId, query: QueryQuota, outcome: Outcome) {
        let QueryQuota { token, wanted, limit, single } = query;
        let quotas = match outcome {
            Ok(Done::Quotas(quotas)) => quotas,
            outcome => return self.fail(token, outcome.err().unwrap_or(NtStatus::INTERNAL_ERROR)),
        };
        let mut writer = EntryWriter::new(limit);
        let mut last = None;
        let most = if single { 1 } else { usize::MAX };
        let mut tell = |quota: Option<&Quota>, user: &Sid| {
            let sid = user.to_vec();
            let (changed, used, limits) = quota
                .map_or_else(Default::default, |q| (q.changed, q.used, (q.limits.threshold, q.limits.limit)));
            let entry =
                QuotaEntry { change_time: changed, used, threshold: limits.0, limit: limits.1, sid: &sid };
            let fits = writer.push(&entry);
            last = if fits { Some(*user) } else { last };
            fits
        };
        let nothing = match &wanted {
            Wanted::These(users) => {
                let known: BTreeMap<_, _> = quotas.iter().map(|quota| (quota.user, quota)).collect();
                // Nothing is known of some: then that is told, [MS-SMB2] 3.3.5.20.4.
                let _ = users.iter().take(most).all(|user| tell(known.get(user).copied(), user));
                NtStatus::BUFFER_TOO_SMALL
            }
            Wanted::From(from) => {
                let first = quotas.first().map(|quota| quota.user);
                if matches!(from, Bound::Included(start) if first != Some(*start)) {
                    return self.fail(token, NtStatus::INVALID_PARAMETER);
                }
                let _ = quotas.iter().take(most).all(|quota| tell(Some(quota), &quota.user));
                if first.is_none() { NtStatus::NO_MORE_ENTRIES } else { NtStatus::BUFFER_TOO_SMALL }
            }
        };
        // An answer without entries has the form of a failure, [MS-SMB2] 2.2.2 and 2.2.38.
        if last.is_none() {
            return self.fail(token, nothing);
        }
        if let (Wanted::From(_), Some(file)) = (&wanted, self.file_mut(id)) {
            file.last_quota = last.map(Box::new);
        }
        self.respond(token, Ok(Reply::new(&QueryInfoResponse { buffer: &writer.finish() })));
    }
}
