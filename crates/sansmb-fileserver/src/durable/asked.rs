//! What a CREATE says about durability, [MS-SMB2] 3.3.5.9.6, .7, .10, .12 and .13.

use std::time::Duration;

use sansmb::wire::{CreateContext, CreateRequest, Dialect, DurableFlags, FileId, Guid, LeaseKey, NtStatus};

use super::{AppInstance, AppVersion};

/// How long an open of version 2 waits when its client leaves that to the server.
const TIMEOUT_V2: Duration = Duration::from_secs(60);
/// And at most.
const MAX_TIMEOUT: Duration = Duration::from_secs(300);

/// The create contexts that are about durability.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) request: Request,
    pub(crate) app: Option<AppInstance>,
    /// A lease is asked for, under this key.
    pub(crate) lease: Option<LeaseKey>,
}

/// What is wanted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Request {
    #[default]
    Nothing,
    /// An open that outlives its session.
    Durable,
    /// The same, and it can be asked for again.
    DurableV2 { create_guid: Guid, timeout: Duration, persistent: bool },
    /// One that was there before.
    Reconnect(Claimed),
}

/// The open that a client wants back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Claimed {
    pub(crate) file_id: FileId,
    /// From version 2 on: what it was made with, and whether it is persistent.
    pub(crate) v2: Option<(Guid, bool)>,
}

impl Asked {
    pub(crate) fn new(body: &CreateRequest<'_>, dialect: Dialect) -> Result<Self, NtStatus> {
        let smb3 = dialect.is_smb3();
        let (mut v1, mut v2, mut back, mut back_v2) = (false, None, None, None);
        let mut asked = Self::default();
        let (mut app, mut version) = (None, None);
        for context in body.contexts.iter() {
            match context {
                CreateContext::DurableHandleRequest { .. } => v1 = true,
                CreateContext::DurableHandleReconnect(file_id) => back = Some(file_id),
                CreateContext::DurableHandleRequestV2 { timeout, flags, create_guid } if smb3 => {
                    let timeout = Duration::from_millis(timeout.into());
                    v2 = Some((create_guid, timeout, flags.contains(DurableFlags::PERSISTENT)));
                }
                CreateContext::DurableHandleReconnectV2 { file_id, create_guid, flags } if smb3 => {
                    back_v2 = Some((file_id, create_guid, flags.contains(DurableFlags::PERSISTENT)));
                }
                CreateContext::AppInstanceId(id) if smb3 => app = Some(id),
                CreateContext::AppInstanceVersion { high, low } if dialect == Dialect::SMB3_1_1 => {
                    version = Some(AppVersion { high, low });
                }
                CreateContext::RequestLease(lease) => asked.lease = Some(lease.key),
                CreateContext::RequestLeaseV2(lease) => asked.lease = Some(lease.key),
                _ => {}
            }
        }
        // Version 2 means nothing before 3.0, but beside version 1 it is wrong in every dialect.
        let names_v2 = body.contexts.iter().any(|context| {
            matches!(
                context,
                CreateContext::DurableHandleRequestV2 { .. } | CreateContext::DurableHandleReconnectV2 { .. }
            )
        });
        let contradicts = (v1 || back.is_some()) && names_v2 || v2.is_some() && back_v2.is_some();
        if contradicts {
            return Err(NtStatus::INVALID_PARAMETER);
        }
        asked.app = app.map(|id| AppInstance { id, version });
        asked.request = if let Some((file_id, create_guid, persistent)) = back_v2 {
            Request::Reconnect(Claimed { file_id, v2: Some((create_guid, persistent)) })
        } else if let Some(file_id) = back {
            Request::Reconnect(Claimed { file_id, v2: None })
        } else if let Some((create_guid, timeout, persistent)) = v2 {
            Request::DurableV2 { create_guid, timeout, persistent }
        } else if v1 {
            Request::Durable
        } else {
            Request::Nothing
        };
        Ok(asked)
    }

    pub(crate) fn reconnect(&self) -> Option<Claimed> {
        match self.request {
            Request::Reconnect(claimed) => Some(claimed),
            _ => None,
        }
    }

    /// Whether the open is to outlive the server.
    pub(crate) fn persistent(&self) -> bool {
        matches!(self.request, Request::DurableV2 { persistent: true, .. })
    }

    /// How long an open of version 2 waits for its client.
    pub(crate) fn timeout(&self) -> Duration {
        match self.request {
            Request::DurableV2 { timeout, .. } if !timeout.is_zero() => timeout.min(MAX_TIMEOUT),
            _ => TIMEOUT_V2,
        }
    }

    pub(crate) fn create_guid(&self) -> Option<Guid> {
        match self.request {
            Request::DurableV2 { create_guid, .. } => Some(create_guid),
            _ => None,
        }
    }
}
