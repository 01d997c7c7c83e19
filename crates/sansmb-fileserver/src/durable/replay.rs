//! CREATEs that come twice, [MS-SMB2] 3.3.5.9 "Create Context Validation" and 3.3.5.9.10.

use std::time::Duration;

use sansmb::{
    auth::IdentityKind,
    server::Origin,
    wire::{AccessMask, CreateContextReply, DurableFlags, NtStatus, OplockLevel},
};

use super::{Asked, ChannelSequence, Lasting, Level, Made, asked::Request};
use crate::{create::Creating, opens::OpenId, server::FileServer};

/// How long an open of version 1 waits: DurableOpenTimeout, as in Windows from 8 on.
const TIMEOUT_V1: Duration = Duration::from_secs(120);
/// How long one of version 2 waits when its client leaves that to the server.
const TIMEOUT_V2: Duration = Duration::from_secs(60);
/// And at most.
const MAX_TIMEOUT: Duration = Duration::from_secs(300);

/// Opens that touch no data and do not delete are made once more without harm.
const REPLAYABLE: AccessMask = AccessMask::FILE_READ_DATA
    .union(AccessMask::FILE_EXECUTE)
    .union(AccessMask::FILE_WRITE_DATA)
    .union(AccessMask::FILE_APPEND_DATA)
    .union(AccessMask::DELETE);

impl FileServer {
    /// The open that an earlier coming of this CREATE made, or why there is no answer.
    pub(crate) fn made_before(&self, origin: &Origin, asked: &Asked) -> Result<Option<OpenId>, NtStatus> {
        let Some(guid) = asked.create_guid() else { return Ok(None) };
        let Some(id) = self.durables.by_guid.get(&(origin.client_guid, guid)).copied() else {
            return Ok(None);
        };
        let Some(open) = self.opens.get(&id).filter(|open| open.lasting.made.action.is_some()) else {
            // It is not answered yet.
            let status =
                if origin.replay { NtStatus::FILE_NOT_AVAILABLE } else { NtStatus::DUPLICATE_OBJECTID };
            return Err(status);
        };
        let made = &open.lasting.made;
        if open.closing.is_some() || !made.replayable {
            return Ok(None);
        }
        if !origin.replay {
            return Err(NtStatus::DUPLICATE_OBJECTID);
        }
        if !made.is_by(self.identity(origin)) {
            return Err(NtStatus::ACCESS_DENIED);
        }
        if self.lease_key(id) != asked.lease {
            return Err(NtStatus::ACCESS_DENIED);
        }
        if open.session != origin.session {
            return Err(NtStatus::DUPLICATE_OBJECTID);
        }
        Ok(Some(id))
    }

    /// Whether the CREATE of an open was answered.
    pub(crate) fn is_answered(&self, id: OpenId) -> bool {
        self.opens.get(&id).is_some_and(|open| open.lasting.made.action.is_some())
    }

    /// A CREATE starts that may come again.
    pub(crate) fn note_create_guid(&mut self, creating: &Creating) {
        if let Some(guid) = creating.asked.create_guid() {
            self.durables.by_guid.insert((creating.origin.client_guid, guid), creating.id);
        }
    }

    /// It ends without an open.
    pub(crate) fn forget_create_guid(&mut self, creating: &Creating) {
        if let Some(guid) = creating.asked.create_guid() {
            self.durables.forget_guid(creating.origin.client_guid, guid, creating.id);
        }
    }

    /// What an open that goes into the tables keeps of its CREATE.
    pub(crate) fn lasting(&mut self, creating: &Creating) -> Lasting {
        let owner = self.identity(&creating.origin);
        let made = Made {
            owner: owner.filter(|identity| identity.kind == IdentityKind::User).cloned(),
            create_guid: creating.asked.create_guid(),
            app: creating.asked.app,
            desired: creating.wish.desired(),
            sharing: creating.wish.sharing,
            options: creating.wish.options,
            ..Made::default()
        };
        if let Some(app) = made.app {
            self.durables.instances.entry(app.id).or_default().insert(creating.id);
        }
        let sequence = ChannelSequence::new(creating.origin.channel_sequence);
        Lasting { made, sequence, ..Lasting::default() }
    }

    /// The open is about to be answered: makes it last, if it may, and gives what to say of that.
    pub(crate) fn make_last(&mut self, creating: &Creating) -> Option<CreateContextReply<'static>> {
        let holds = self.holds_handle(creating.id);
        let open = self.opens.get_mut(&creating.id)?;
        let directory = open.file().is_none_or(|file| file.directory);
        let touches = open.granted.intersects(REPLAYABLE);
        let lasting = &mut open.lasting;
        if lasting.made.action.is_none() {
            lasting.made.action = Some(creating.action);
            let may = holds && !directory && lasting.made.owner.is_some();
            match creating.asked.request {
                Request::Durable if may => {
                    (lasting.level, lasting.timeout) = (Level::Durable, TIMEOUT_V1);
                }
                Request::DurableV2 { timeout, .. } => {
                    lasting.made.replayable = touches && !directory;
                    if may {
                        let timeout = if timeout.is_zero() { TIMEOUT_V2 } else { timeout.min(MAX_TIMEOUT) };
                        (lasting.level, lasting.timeout) = (Level::Durable, timeout);
                    }
                }
                _ => {}
            }
        }
        // A replay that asks for neither a batch oplock nor a lease hears of nothing that lasts.
        let asks = creating.wish.oplock == OplockLevel::BATCH || creating.wish.contexts.lease.is_some();
        if lasting.level == Level::Fleeting || !asks {
            return None;
        }
        match creating.asked.request {
            Request::Durable => Some(CreateContextReply::DurableHandleResponse { reserved: 0 }),
            Request::DurableV2 { .. } => Some(CreateContextReply::DurableHandleResponseV2 {
                timeout: u32::try_from(lasting.timeout.as_millis()).unwrap_or(u32::MAX),
                flags: if lasting.level == Level::Persistent {
                    DurableFlags::PERSISTENT
                } else {
                    DurableFlags::empty()
                },
            }),
            _ => None,
        }
    }
}
