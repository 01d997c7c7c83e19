//! Opens that a client comes back to, [MS-SMB2] 3.3.5.9.7 and 3.3.5.9.12.

use std::sync::Arc;

use sansmb::{
    auth::Identity,
    server::{Origin, Token, op},
    wire::{CreateAction, CreateContextReply, CreateRequest, CreateResponse, Guid, NtStatus},
};

use super::{Asked, ChannelSequence, Claimed, Level};
use crate::{
    close::CloseReply,
    create::{
        describe,
        path::{Name, Stream},
    },
    opens::{Open, OpenId},
    path_key::PathKey,
    server::FileServer,
    shares::Share,
    storage::{Done, Job, Outcome},
    task::Step,
};

impl FileServer {
    pub(crate) fn reconnect(
        &mut self,
        token: Token<op::Create>,
        origin: &Origin,
        share: &Arc<Share>,
        body: &CreateRequest<'_>,
        asked: &Asked,
        claimed: Claimed,
    ) {
        let id = match self.reclaim(origin, share, body, asked, claimed) {
            Ok(id) => id,
            Err(status) => return self.fail(token, status),
        };
        self.resume_open(id, origin);
        self.job_on(id, |file| Job::Stat { handle: file.handle }, Step::Reconnect { token });
    }

    /// Gives an open that waits to the session that asks for it.
    pub(crate) fn resume_open(&mut self, id: OpenId, origin: &Origin) {
        if self.opens.get(&id).is_none_or(|open| open.lasting.until.is_none()) {
            return;
        }
        self.take_from_waiting(id);
        let volatile = self.new_volatile();
        if let Some(open) = self.opens.get_mut(&id) {
            (open.session, open.tree, open.volatile) = (origin.session, origin.tree, volatile);
            // Its client's count of lost channels started anew with the session.
            open.lasting.sequence = ChannelSequence::new(origin.channel_sequence);
        }
        if let Some(session) = self.sessions.get_mut(&origin.session) {
            session.opens.insert(id);
        }
    }

    /// The open that a client claims, if it is its to claim.
    fn reclaim(
        &self,
        origin: &Origin,
        share: &Arc<Share>,
        body: &CreateRequest<'_>,
        asked: &Asked,
        claimed: Claimed,
    ) -> Result<OpenId, NtStatus> {
        let missing = NtStatus::OBJECT_NAME_NOT_FOUND;
        let mut id = OpenId::from_file_id(claimed.file_id);
        if let Some((guid, true)) = claimed.v2
            && share.continuously_available
            && !self.opens.contains_key(&id)
        {
            id = self.durables.by_guid(origin, guid).ok_or(missing)?;
        }
        let open = self.opens.get(&id).filter(|open| open.closing.is_none()).ok_or(missing)?;
        let file = open.file().ok_or(missing)?;
        // Another share of the same folder may allow less.
        if open.lasting.until.is_none() || !Arc::ptr_eq(&file.share, share) {
            return Err(missing);
        }
        if let Some((create_guid, persistent)) = claimed.v2 {
            check_v2(open, create_guid, persistent)?;
        }
        self.check_lease(id, open, origin, asked)?;
        if self.lease_key(id).is_some() && !file.delete_on_close {
            let name = Name::parse(body.name).map_err(|_| NtStatus::INVALID_PARAMETER)?;
            let mut named = PathKey::new(share.volume, &name.path);
            if let Stream::Named(stream) = &name.stream {
                named = named.of_stream(stream);
            }
            if named != file.key() {
                return Err(NtStatus::INVALID_PARAMETER);
            }
        }
        // One that was promised needs nothing but the promise, unless its client does not know of it.
        let by_handle = match open.lasting.level {
            Level::Persistent => claimed.v2.is_none(),
            level => level == Level::Durable,
        };
        if by_handle && !self.holds_handle(id) {
            return Err(missing);
        }
        if !open.lasting.made.is_by(self.identity(origin)) {
            return Err(NtStatus::ACCESS_DENIED);
        }
        Ok(id)
    }

    fn check_lease(&self, id: OpenId, open: &Open, origin: &Origin, asked: &Asked) -> Result<(), NtStatus> {
        let key = self.lease_key(id);
        let elsewhere = key.is_some() && open.client_guid != origin.client_guid;
        if key != asked.lease || elsewhere { Err(NtStatus::OBJECT_NAME_NOT_FOUND) } else { Ok(()) }
    }

    /// An open that a client came back to was looked at.
    pub(crate) fn reconnected(&mut self, id: OpenId, token: Token<op::Create>, outcome: Outcome) {
        let metadata = match outcome {
            Ok(Done::Metadata(metadata)) => self.shown(metadata),
            outcome => {
                self.fail(token, outcome.err().unwrap_or(NtStatus::INTERNAL_ERROR));
                return self.begin_close(id, CloseReply::Nobody);
            }
        };
        let Some(open) = self.opens.get(&id).filter(|open| open.closing.is_none()) else {
            return self.fail(token, NtStatus::FILE_CLOSED);
        };
        let lease: Vec<CreateContextReply<'_>> = self.lease_reply(id).into_iter().collect();
        let response = CreateResponse {
            oplock_level: self.held(id).level,
            create_action: CreateAction::OPENED,
            file_id: open.file_id(id),
            contexts: lease.as_slice().into(),
            ..describe(&metadata)
        };
        self.succeed(token, &response);
        self.tell_untold(id);
    }

    /// Who is logged on where a request comes from.
    pub(super) fn identity(&self, origin: &Origin) -> Option<&Identity> {
        self.sessions.get(&origin.session)?.identity.as_ref()
    }
}

fn check_v2(open: &Open, create_guid: Guid, persistent: bool) -> Result<(), NtStatus> {
    let lasting = &open.lasting;
    let is_persistent = lasting.level == Level::Persistent;
    // Opens of version 1 have none, which a client may call zero.
    if lasting.made.create_guid.unwrap_or_default() != create_guid || is_persistent && !persistent {
        return Err(NtStatus::OBJECT_NAME_NOT_FOUND);
    }
    if persistent && !is_persistent {
        return Err(NtStatus::INVALID_PARAMETER);
    }
    Ok(())
}
