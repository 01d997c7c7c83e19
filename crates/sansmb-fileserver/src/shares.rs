//! The shares and the volumes behind them.

use std::sync::Arc;

use sansmb::{
    auth::{Identity, IdentityKind},
    server::ShareId,
    wire::AccessMask,
};

use crate::{
    config::{Access, ShareConfig},
    storage::{Storage, StorageTraits},
    text::same_name,
};

/// Names one storage of the server: two shares of one storage have one volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Volume(pub(crate) usize);

/// The share for pipes.
pub(crate) const IPC: ShareId = ShareId(0);
/// Its name.
pub(crate) const IPC_NAME: &str = "IPC$";

/// A share for files.
#[derive(Debug)]
pub(crate) struct Share {
    pub(crate) config: ShareConfig,
    pub(crate) volume: Volume,
    pub(crate) traits: StorageTraits,
    /// IsCA: its opens may outlive the server.
    pub(crate) continuously_available: bool,
}

/// All shares of a server.
#[derive(Debug)]
pub(crate) struct Shares {
    shares: Vec<Arc<Share>>,
}

impl Shares {
    /// `stored` says that there is where opens are kept.
    pub(crate) fn new(configs: Vec<ShareConfig>, stored: bool) -> Self {
        let mut storages: Vec<Arc<dyn Storage>> = Vec::new();
        let shares = configs
            .into_iter()
            .map(|config| {
                let at = storages.iter().position(|s| Arc::ptr_eq(s, &config.storage)).unwrap_or_else(|| {
                    storages.push(config.storage.clone());
                    storages.len() - 1
                });
                let traits = config.storage.traits();
                let continuously_available = stored && config.continuously_available;
                Arc::new(Share { config, volume: Volume(at), traits, continuously_available })
            })
            .collect();
        Self { shares }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Share> {
        self.shares.iter().map(|share| &**share)
    }

    /// The share that a tree connects to; none for [`IPC`].
    pub(crate) fn get(&self, id: ShareId) -> Option<Arc<Share>> {
        let at = (id.0 as usize).checked_sub(1)?;
        self.shares.get(at).cloned()
    }

    pub(crate) fn find(&self, name: &str) -> Option<(ShareId, Arc<Share>)> {
        let at = self.shares.iter().position(|share| same_name(&share.config.name, name))?;
        Some((ShareId(at as u32 + 1), self.shares.get(at)?.clone()))
    }
}

impl Shares {
    /// Whether `identity` may use a share: asked again at every CREATE, since a session may become
    /// somebody else's. A null session learns something over [`IPC`] only where a share is for
    /// everybody.
    pub(crate) fn admit(&self, id: ShareId, identity: &Identity) -> bool {
        match self.get(id) {
            Some(share) => share.admits(identity),
            None => {
                identity.kind != IdentityKind::Anonymous
                    || self.shares.iter().any(|share| share.config.access == Access::Guests)
            }
        }
    }
}

impl Share {
    /// Whether `identity` may connect.
    pub(crate) fn admits(&self, identity: &Identity) -> bool {
        match &self.config.access {
            Access::Guests => true,
            Access::Users => identity.kind == IdentityKind::User,
            Access::List(names) => {
                identity.kind == IdentityKind::User
                    && names.iter().any(|name| same_name(name, &identity.user))
            }
        }
    }

    /// Whether files have named streams.
    pub(crate) fn named_streams(&self) -> bool {
        self.config.named_streams && self.traits.named_streams
    }

    /// What anybody may do on it at most.
    pub(crate) fn maximal_access(&self) -> AccessMask {
        if self.config.read_only || self.traits.read_only {
            AccessMask::FILE_GENERIC_READ | AccessMask::FILE_GENERIC_EXECUTE
        } else {
            AccessMask::FILE_ALL_ACCESS
        }
    }
}
