//! A session on a server.

use std::sync::Arc;

use sansmb::{
    client::{Outcome, SharedSession, TreeRef},
    op,
    wire::{SessionId, TreeConnectResponse},
};

use super::{
    connection::Handle,
    pipe::{ShareInfo, shares},
    share::Share,
};
use crate::error::{Error, Result};

/// Somebody who is logged on.
#[derive(Debug, Clone)]
pub struct Session {
    handle: Arc<Handle>,
    id: SessionId,
    guest: bool,
}

impl Session {
    pub(super) fn new(handle: Arc<Handle>, id: SessionId, guest: bool) -> Self {
        Self { handle, id, guest }
    }

    /// What another connection needs to join the session.
    pub(super) fn to_share(&self) -> Result<SharedSession> {
        Ok(self.handle.shared.change(|client| client.share_session(self.id))?)
    }

    /// Whether the server let us in as guest.
    pub fn is_guest(&self) -> bool {
        self.guest
    }

    /// Connects to a share by its name.
    pub async fn share(&self, name: &str) -> Result<Share> {
        let path = format!(r"\\{}\{name}", self.handle.host);
        let id = self.id;
        match self.handle.shared.start(None, |client, now| client.tree_connect(id, &path, now)).await? {
            Outcome::Connected { session, tree, response } => {
                let about: TreeConnectResponse = response.body::<op::TreeConnect>()?;
                Share::new(self.handle.clone(), TreeRef { session, tree }, about)
            }
            _ => Err(Error::Unexpected("the answer to TREE_CONNECT is none")),
        }
    }

    /// The server's shares.
    pub async fn shares(&self) -> Result<Vec<ShareInfo>> {
        let ipc = self.share("IPC$").await?;
        let server = format!(r"\\{}", self.handle.host);
        shares(&ipc, &server).await
    }

    /// Ends the session.
    pub async fn log_off(self) -> Result<()> {
        let id = self.id;
        self.handle.shared.start(None, |client, now| client.log_off(id, now)).await?;
        Ok(())
    }
}
