//! CREATEs that come twice, [MS-SMB2] 3.3.5.9 "Create Context Validation" and 3.3.5.9.10.

use std::time::Duration;

use sansmb::{
    auth::IdentityKind,
    server::Origin,
    wire::{AccessMask, CreateContextReply, DurableFlags, NtStatus, OplockLevel},
};

use super::{Asked, ChannelSequence, Lasting, Level, Made, asked::Request};
use crate::{
    create::{Creating, checks::Wish},
    opens::{Open, OpenId},
    server::FileServer,
    shares::Share,
};

/// How long an open of version 1 waits: DurableOpenTimeout, as in Windows from 8 on.
const TIMEOUT_V1: Duration = Duration::from_secs(120);

/// Opens that touch no data and do not delete are made once more without harm.
const REPLAYABLE: AccessMask = AccessMask::FILE_READ_DATA
    .union(AccessMask::FILE_EXECUTE)
    .union(AccessMask::FILE_WRITE_DATA)
    .union(AccessMask::FILE_APPEND_DATA)
    .union(AccessMask::DELETE);

impl FileServer {
    /// The open that an earlier coming of this CREATE made, or why there is no answer.
    pub(crate) fn made_before(
        &self,
        origin: &Origin,
        share: &Share,
        wish: &Wish,
        asked: &Asked,
    ) -> Result<Option<OpenId>, NtStatus> {
        let Some(id) = asked.create_guid().and_then(|guid| self.durables.by_guid(origin, guid)) else {
            return Ok(None);
        };
        let Some(open) = self.opens.get(&id).filter(|open| open.lasting.made.action.is_some()) else {
            // It is not answered yet.
            let status =
                if origin.replay { NtStatus::FILE_NOT_AVAILABLE } else { NtStatus::DUPLICATE_OBJECTID };
            return Err(status);
        };
        let made = &open.lasting.made;
        if open.closing.is_some() {
            return Ok(None);
        }
        if !origin.replay {
            return if made.replayable { Err(NtStatus::DUPLICATE_OBJECTID) } else { Ok(None) };
        }
        let persistent = open.lasting.level == Level::Persistent;
        if !made.replayable || persistent && open.lasting.until.is_some() {
            let promised = persistent && asked.persistent() && share.continuously_available;
            return if promised { self.promised_before(id, open, origin, wish, asked) } else { Ok(None) };
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
        if persistent && !asked.persistent() {
            return Err(NtStatus::INVALID_PARAMETER);
        }
        Ok(Some(id))
    }

    /// The same for an open that outlives its connection, whether or not its client has used it.
    fn promised_before(
        &self,
        id: OpenId,
        open: &Open,
        origin: &Origin,
        wish: &Wish,
        asked: &Asked,
    ) -> Result<Option<OpenId>, NtStatus> {
        let made = &open.lasting.made;
        if open.lasting.until.is_none() {
            return Err(NtStatus::FILE_NOT_AVAILABLE);
        }
        if !made.is_by(self.identity(origin)) {
            return Err(NtStatus::ACCESS_DENIED);
        }
        let same = (made.options, made.desired, made.sharing) == (wish.options, wish.desired(), wish.sharing);
        if !same || self.lease_key(id) != asked.lease {
            return Err(NtStatus::CONTEXT_MISMATCH);
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
                Request::DurableV2 { .. } => {
                    let kept = creating.recorded == Some(true);
                    lasting.made.replayable = kept || touches && !directory;
                    if kept || may {
                        lasting.level = if kept { Level::Persistent } else { Level::Durable };
                        lasting.timeout = creating.asked.timeout();
                    }
                }
                _ => {}
            }
        }
        // A replay that asks for neither a batch oplock nor a lease hears of nothing that lasts, unless it
        // lasts without.
        let asks = creating.wish.oplock == OplockLevel::BATCH
            || creating.wish.contexts.lease.is_some()
            || lasting.level == Level::Persistent;
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
