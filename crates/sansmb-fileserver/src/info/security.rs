//! Security descriptors, [MS-SMB2] 3.3.5.20.3 and 3.3.5.21.3, [MS-FSA] 2.1.5.14 and 2.1.5.17.

use bytes::Bytes;
use sansmb::{
    server::{Failure, Reply, Token, op},
    wire::{
        AccessMask, CompletionFilter, NtStatus, QueryInfoResponse, SecurityInformation, SetInfoResponse,
        Structure,
        dtyp::{Ace, AceType, Acl, SecurityDescriptor, SecurityDescriptorControl as Control},
        fscc::NotifyAction,
    },
};

use crate::{
    opens::OpenId,
    server::FileServer,
    storage::{Done, Job, MAX_DESCRIPTOR, Outcome, Security, SecurityChange},
    task::Step,
};

/// A query that needs the file's descriptor.
#[derive(Debug)]
pub(crate) struct QuerySecurity {
    token: Token<op::QueryInfo>,
    parts: SecurityInformation,
    limit: usize,
}

impl FileServer {
    pub(crate) fn query_security(
        &mut self,
        id: OpenId,
        token: Token<op::QueryInfo>,
        parts: SecurityInformation,
        limit: usize,
    ) {
        let Some(open) = self.opens.get(&id) else { return self.fail(token, NtStatus::FILE_CLOSED) };
        let readable = SecurityInformation::OWNER
            | SecurityInformation::GROUP
            | SecurityInformation::DACL
            | SecurityInformation::LABEL;
        if parts.intersects(readable) && !open.may(AccessMask::READ_CONTROL) {
            return self.fail(token, NtStatus::ACCESS_DENIED);
        }
        if parts.contains(SecurityInformation::SACL) && !open.may(AccessMask::ACCESS_SYSTEM_SECURITY) {
            return self.fail(token, NtStatus::ACCESS_DENIED);
        }
        let query = QuerySecurity { token, parts, limit };
        if open.file().is_none() {
            // Pipes are everybody's.
            return self.answer_security(id, query, &Security::default());
        }
        self.job_on(id, |file| Job::Security { handle: file.handle }, Step::QuerySecurity(query));
    }

    pub(crate) fn query_security_done(&mut self, id: OpenId, query: QuerySecurity, outcome: Outcome) {
        match outcome {
            Ok(Done::Security(security)) => self.answer_security(id, query, &security),
            // A storage that knows no descriptors.
            Err(NtStatus::NOT_SUPPORTED) => self.answer_security(id, query, &Security::default()),
            outcome => self.fail(query.token, outcome.err().unwrap_or(NtStatus::INTERNAL_ERROR)),
        }
    }

    fn answer_security(&mut self, id: OpenId, query: QuerySecurity, security: &Security) {
        let QuerySecurity { token, parts, limit } = query;
        let file = self.file(id);
        let directory = file.is_some_and(|file| file.directory);
        let maximal = file.map_or(AccessMask::FILE_ALL_ACCESS, |file| file.share.maximal_access());
        let buffer = security.with_descriptor(directory, maximal, |whole| select(whole, parts));
        let result = if buffer.len() > limit {
            // The client learns how much room it takes, [MS-SMB2] 2.2.2.
            let data = (buffer.len() as u32).to_le_bytes().to_vec();
            Err(Failure { status: NtStatus::BUFFER_TOO_SMALL, data })
        } else {
            Ok(Reply::new(&QueryInfoResponse { buffer: &buffer }))
        };
        self.respond(token, result);
    }

    pub(crate) fn set_security(
        &mut self,
        id: OpenId,
        token: Token<op::SetInfo>,
        parts: SecurityInformation,
        buffer: &[u8],
    ) {
        if let Err(status) = self.check_set_security(id, parts, buffer) {
            return self.fail(token, status);
        }
        // [MS-FSA] 2.1.4.12: who only keeps a handle has to close it, since it might not get it again.
        if let Some(node) = self.break_handles(id) {
            return self.delay_set_security(id, node, token, parts, buffer);
        }
        let change = SecurityChange { parts, descriptor: Bytes::copy_from_slice(buffer) };
        self.job_on(
            id,
            |file| Job::ChangeSecurity { handle: file.handle, change },
            Step::SetSecurity { token },
        );
    }

    /// Whether an open may set parts of a descriptor to what `buffer` has.
    fn check_set_security(
        &self,
        id: OpenId,
        parts: SecurityInformation,
        buffer: &[u8],
    ) -> Result<(), NtStatus> {
        let open = self.opens.get(&id).ok_or(NtStatus::FILE_CLOSED)?;
        let owners = SecurityInformation::OWNER | SecurityInformation::GROUP | SecurityInformation::LABEL;
        let lists = [SecurityInformation::PROTECTED_DACL, SecurityInformation::UNPROTECTED_DACL];
        let audits = [SecurityInformation::PROTECTED_SACL, SecurityInformation::UNPROTECTED_SACL];
        let needed = [
            (owners, AccessMask::WRITE_OWNER),
            (SecurityInformation::DACL | lists[0] | lists[1], AccessMask::WRITE_DAC),
            (SecurityInformation::SACL | audits[0] | audits[1], AccessMask::ACCESS_SYSTEM_SECURITY),
        ];
        if needed.iter().any(|(parts_of, access)| parts.intersects(*parts_of) && !open.may(*access)) {
            return Err(NtStatus::ACCESS_DENIED);
        }
        if buffer.len() > MAX_DESCRIPTOR {
            return Err(NtStatus::INVALID_SECURITY_DESCR);
        }
        let descriptor = SecurityDescriptor::decode(buffer).map_err(|_| NtStatus::INVALID_SECURITY_DESCR)?;
        if parts.contains(SecurityInformation::OWNER) {
            let owner = descriptor.owner.ok_or(NtStatus::INVALID_OWNER)?;
            let who = self.token_of(open.session).ok_or(NtStatus::USER_SESSION_DELETED)?;
            if !who.may_assign_owner(&owner) {
                return Err(NtStatus::INVALID_OWNER);
            }
        }
        if parts.contains(SecurityInformation::GROUP) && descriptor.group.is_none() {
            return Err(NtStatus::INVALID_PRIMARY_GROUP);
        }
        Ok(())
    }

    pub(crate) fn set_security_done(&mut self, id: OpenId, token: Token<op::SetInfo>, outcome: Outcome) {
        match outcome {
            Ok(_) => {
                self.report(id, NotifyAction::MODIFIED, CompletionFilter::SECURITY);
                self.succeed(token, &SetInfoResponse);
            }
            // [MS-FSA] 2.1.5.17: a volume without security.
            Err(NtStatus::NOT_SUPPORTED) => self.fail(token, NtStatus::INVALID_DEVICE_REQUEST),
            Err(status) => self.fail(token, status),
        }
    }
}

/// The parts of a descriptor that are asked for, encoded.
fn select(whole: &SecurityDescriptor<'_>, parts: SecurityInformation) -> Vec<u8> {
    let asked = |part| parts.contains(part);
    let mut shown = Control::empty();
    if asked(SecurityInformation::OWNER) {
        shown |= Control::OWNER_DEFAULTED;
    }
    if asked(SecurityInformation::GROUP) {
        shown |= Control::GROUP_DEFAULTED;
    }
    if asked(SecurityInformation::DACL) {
        shown |= Control::DACL_PRESENT
            | Control::DACL_DEFAULTED
            | Control::DACL_PROTECTED
            | Control::DACL_AUTO_INHERITED;
    }
    let (audit, label) = (asked(SecurityInformation::SACL), asked(SecurityInformation::LABEL));
    if audit || label {
        shown |= Control::SACL_PRESENT
            | Control::SACL_DEFAULTED
            | Control::SACL_PROTECTED
            | Control::SACL_AUTO_INHERITED;
    }
    let kept: Option<Vec<Ace<'_>>> = whole.sacl.filter(|_| audit || label).map(|list| {
        let wanted = |ace: &Ace<'_>| {
            if ace.ace_type == AceType::SYSTEM_MANDATORY_LABEL { label } else { audit }
        };
        list.aces.iter().filter(wanted).collect()
    });
    let revision = whole.sacl.map_or(Acl::REVISION, |list| list.revision);
    SecurityDescriptor {
        resource_manager: 0,
        control: whole.control & shown,
        owner: whole.owner.filter(|_| asked(SecurityInformation::OWNER)),
        group: whole.group.filter(|_| asked(SecurityInformation::GROUP)),
        dacl: whole.dacl.filter(|_| asked(SecurityInformation::DACL)),
        sacl: kept.as_deref().map(|aces| Acl { revision, ..Acl::new(aces) }),
    }
    .to_vec()
}
