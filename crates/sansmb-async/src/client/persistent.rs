//! Opens that outlive their connection and the server itself, on shares that are continuously available.

use std::time::Duration;

use sansmb::{
    op,
    wire::{
        Capabilities, CreateContext, CreateContextReply, CreateResponse, DurableFlags, FileId, Guid,
        LockElement, LockFlags, LockRequest, ShareCapabilities,
    },
};

use super::{
    file::File,
    share::{Metadata, OpenOptions, Share, response, wire_path},
};
use crate::error::Result;

/// What it takes to come back to an open: after its connection was lost, or the server started anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    path: String,
    file_id: FileId,
    create_guid: Guid,
}

/// What a client says that it can do, in
/// [`ClientConfig::capabilities`](sansmb::client::ClientConfig::capabilities), so that a server grants it
/// persistent opens. What it writes to a continuously available share is then on stable storage before it is
/// answered.
pub const PERSISTENT: Capabilities = Capabilities::PERSISTENT_HANDLES;

impl Share {
    /// Whether opens may outlive the server.
    pub fn is_continuously_available(&self) -> bool {
        self.inner.about.capabilities.contains(ShareCapabilities::CONTINUOUS_AVAILABILITY)
    }

    /// Opens or makes a file under a number that nobody has used. The server waits for `timeout` after the
    /// connection was lost, or for as long as it likes where that is zero. No claim comes with it where the
    /// server does not promise to wait.
    pub async fn open_persistent(
        &self,
        path: &str,
        options: OpenOptions,
        create_guid: Guid,
        timeout: Duration,
    ) -> Result<(File, Option<Claim>)> {
        let timeout = u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX);
        let flags = DurableFlags::PERSISTENT;
        let contexts = [CreateContext::DurableHandleRequestV2 { timeout, flags, create_guid }];
        let name = wire_path(path);
        let mut request = options.request(name.as_utf16());
        request.contexts = contexts.as_slice().into();
        let response = response(self.start::<op::Create>(&request).await?)?;
        let created: CreateResponse<'_> = response.body::<op::Create>()?;
        let promised = created.contexts.iter().any(|context| {
            matches!(context, CreateContextReply::DurableHandleResponseV2 { flags, .. }
                if flags.contains(DurableFlags::PERSISTENT))
        });
        let file = File::new(self.clone(), created.file_id, Metadata::from_create(&created));
        let claim = Claim { path: path.to_owned(), file_id: created.file_id, create_guid };
        Ok((file, promised.then_some(claim)))
    }

    /// Comes back to an open, on the same share over another connection: with its locks, and where no time
    /// has gone by for others.
    pub async fn reclaim(&self, claim: &Claim) -> Result<File> {
        let contexts = [CreateContext::DurableHandleReconnectV2 {
            file_id: claim.file_id,
            create_guid: claim.create_guid,
            flags: DurableFlags::PERSISTENT,
        }];
        let name = wire_path(&claim.path);
        let mut request = OpenOptions::read().request(name.as_utf16());
        request.contexts = contexts.as_slice().into();
        let response = response(self.start::<op::Create>(&request).await?)?;
        let created: CreateResponse<'_> = response.body::<op::Create>()?;
        Ok(File::new(self.clone(), created.file_id, Metadata::from_create(&created)))
    }
}

impl File {
    /// Locks `length` bytes from `offset` on, for reading by others or for nobody else, if nobody is in the
    /// way.
    pub async fn try_lock(&self, offset: u64, length: u64, exclusive: bool) -> Result<()> {
        let kind = if exclusive { LockFlags::EXCLUSIVE } else { LockFlags::SHARED };
        self.change_lock(offset, length, kind | LockFlags::FAIL_IMMEDIATELY).await
    }

    /// Unlocks what was locked with this offset and length.
    pub async fn unlock(&self, offset: u64, length: u64) -> Result<()> {
        self.change_lock(offset, length, LockFlags::UNLOCK).await
    }

    async fn change_lock(&self, offset: u64, length: u64, flags: LockFlags) -> Result<()> {
        let locks = [LockElement { offset, length, flags }];
        let request = LockRequest { lock_sequence: 0, file_id: self.id(), locks: locks.as_slice().into() };
        self.share().start::<op::Lock>(&request).await?;
        Ok(())
    }
}
