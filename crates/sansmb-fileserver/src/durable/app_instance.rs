//! Applications that move from one client to another, [MS-SMB2] 3.3.5.9.13: what they had open
//! there is closed when they open it here.

use sansmb::wire::{Guid, NtStatus};

use crate::{create::Creating, opens::OpenId, server::FileServer};

/// Which run of an application asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AppInstance {
    /// AppInstanceId
    pub(crate) id: Guid,
    /// From 3.1.1 on: which of two runs is the newer one.
    pub(crate) version: Option<AppVersion>,
}

/// AppInstanceVersion
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct AppVersion {
    pub(crate) high: u64,
    pub(crate) low: u64,
}

impl FileServer {
    /// What the same application had open elsewhere under this name, which is to be closed before
    /// the CREATE goes on.
    pub(crate) fn superseded(&self, creating: &Creating) -> Result<Vec<OpenId>, NtStatus> {
        let Some(app) = creating.asked.app else { return Ok(Vec::new()) };
        let mut found = Vec::new();
        for id in self.durables.instances.get(&app.id).into_iter().flatten() {
            let Some(open) = self.opens.get(id).filter(|open| open.closing.is_none()) else { continue };
            let Some(file) = open.file() else { continue };
            let made = &open.lasting.made;
            if open.client_guid == creating.origin.client_guid
                || !std::sync::Arc::ptr_eq(&file.share, &creating.share)
                || file.file_key() != creating.key
            {
                continue;
            }
            // The older run must not take from the newer one.
            match (made.app.and_then(|app| app.version), app.version) {
                (Some(theirs), Some(ours)) if theirs >= ours => return Err(NtStatus::FILE_FORCED_CLOSED),
                (Some(_), None) => return Err(NtStatus::FILE_FORCED_CLOSED),
                _ => found.push(*id),
            }
        }
        Ok(found)
    }
}
