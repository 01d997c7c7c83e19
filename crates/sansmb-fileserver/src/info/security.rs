//! Security descriptors, [MS-SMB2] 3.3.5.20.3 and 3.3.5.21.3.
//!
//! Who may do what is a matter of shares so far, not of files: every file shows an access list that
//! grants everything to everyone. Clients that copy files set what they read elsewhere (Explorer,
//! robocopy); to refuse that would fail the copy, to store it would promise what nobody keeps. So a
//! descriptor that parses is accepted from whoever may write it, and changes nothing.

use sansmb::{
    server::{Failure, Reply, Token, op},
    wire::{
        AccessMask, CompletionFilter, NtStatus, QueryInfoResponse, SecurityInformation, SetInfoResponse,
        Structure,
        dtyp::{Ace, AceFlags, Acl, SecurityDescriptor, Sid},
        fscc::NotifyAction,
    },
};

use crate::{opens::OpenId, server::FileServer};

impl FileServer {
    pub(crate) fn query_security(
        &mut self,
        id: OpenId,
        token: Token<op::QueryInfo>,
        which: SecurityInformation,
        limit: usize,
    ) {
        let Some(open) = self.opens.get(&id) else { return self.fail(token, NtStatus::FILE_CLOSED) };
        let readable = SecurityInformation::OWNER
            | SecurityInformation::GROUP
            | SecurityInformation::DACL
            | SecurityInformation::LABEL;
        if which.intersects(readable) && !open.may(AccessMask::READ_CONTROL) {
            return self.fail(token, NtStatus::ACCESS_DENIED);
        }
        if which.contains(SecurityInformation::SACL) && !open.may(AccessMask::ACCESS_SYSTEM_SECURITY) {
            return self.fail(token, NtStatus::ACCESS_DENIED);
        }
        let directory = open.file().is_some_and(|file| file.directory);
        let flags = if directory {
            AceFlags::OBJECT_INHERIT | AceFlags::CONTAINER_INHERIT
        } else {
            AceFlags::empty()
        };
        let aces = [Ace::allow(Sid::EVERYONE, AccessMask::FILE_ALL_ACCESS, flags)];
        let asked = |part| which.contains(part);
        let descriptor = SecurityDescriptor {
            owner: asked(SecurityInformation::OWNER).then_some(Sid::BUILTIN_ADMINISTRATORS),
            group: asked(SecurityInformation::GROUP).then_some(Sid::BUILTIN_USERS),
            dacl: asked(SecurityInformation::DACL).then_some(Acl::new(&aces)),
            ..Default::default()
        };
        let buffer = descriptor.to_vec();
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
        which: SecurityInformation,
        buffer: &[u8],
    ) {
        let Some(open) = self.opens.get(&id) else { return self.fail(token, NtStatus::FILE_CLOSED) };
        let owners = SecurityInformation::OWNER | SecurityInformation::GROUP | SecurityInformation::LABEL;
        let needed = [
            (owners, AccessMask::WRITE_OWNER),
            (SecurityInformation::DACL, AccessMask::WRITE_DAC),
            (SecurityInformation::SACL, AccessMask::ACCESS_SYSTEM_SECURITY),
        ];
        if needed.iter().any(|(parts, access)| which.intersects(*parts) && !open.may(*access)) {
            return self.fail(token, NtStatus::ACCESS_DENIED);
        }
        let Ok(descriptor) = SecurityDescriptor::decode(buffer) else {
            return self.fail(token, NtStatus::INVALID_SECURITY_DESCR);
        };
        if which.contains(SecurityInformation::OWNER) && descriptor.owner.is_none()
            || which.contains(SecurityInformation::GROUP) && descriptor.group.is_none()
        {
            return self.fail(token, NtStatus::INVALID_SECURITY_DESCR);
        }
        self.report(id, NotifyAction::MODIFIED, CompletionFilter::SECURITY);
        self.succeed(token, &SetInfoResponse);
    }
}
