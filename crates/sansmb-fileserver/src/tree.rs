//! Tree connects.

use sansmb::{
    server::{Failure, Request, TreeConnectReply, op},
    wire::{AccessMask, NtStatus, ShareCapabilities, ShareFlags, ShareType, Utf16},
};

use crate::{
    action::Answer,
    server::FileServer,
    session::Then,
    shares::{IPC, IPC_NAME},
    text::same_name,
};

/// Longest share name, [MS-SMB2] 3.3.5.7 and [MS-FSCC] 2.1.6.
const MAX_SHARE_NAME: usize = 80;

impl FileServer {
    /// [MS-SMB2] 3.3.5.7.
    pub(crate) fn tree_connect(&mut self, request: Request<op::TreeConnect>) {
        let result = self.find_share(&request);
        self.push_answer(request.token.id(), Answer::Tree(request.token, result));
    }

    fn find_share(&self, request: &Request<op::TreeConnect>) -> Result<TreeConnectReply, Failure> {
        let body = request.message.body()?;
        let session = self.sessions.get(&request.origin.session).filter(|s| !s.ending);
        let session = session.ok_or(NtStatus::USER_SESSION_DELETED)?;
        let identity = session.identity.as_ref().ok_or(NtStatus::USER_SESSION_DELETED)?;
        let name = share_name(body.path).ok_or(NtStatus::BAD_NETWORK_NAME)?;
        if same_name(&name, IPC_NAME) {
            if !self.shares.admit(IPC, identity) {
                return Err(NtStatus::ACCESS_DENIED.into());
            }
            return Ok(TreeConnectReply {
                share: IPC,
                share_type: ShareType::PIPE,
                share_flags: ShareFlags::NO_CACHING,
                capabilities: ShareCapabilities::empty(),
                maximal_access: AccessMask::FILE_GENERIC_READ
                    | AccessMask::FILE_GENERIC_WRITE
                    | AccessMask::FILE_GENERIC_EXECUTE,
                encrypt: false,
                compress: false,
            });
        }
        let (id, share) = self.shares.find(&name).ok_or(NtStatus::BAD_NETWORK_NAME)?;
        if !share.admits(identity) {
            return Err(NtStatus::ACCESS_DENIED.into());
        }
        let mut capabilities = ShareCapabilities::empty();
        capabilities.set(
            ShareCapabilities::CONTINUOUS_AVAILABILITY,
            share.continuously_available && request.origin.dialect.is_smb3(),
        );
        Ok(TreeConnectReply {
            share: id,
            share_type: ShareType::DISK,
            share_flags: if share.config.access_based_enumeration {
                ShareFlags::ACCESS_BASED_DIRECTORY_ENUM
            } else {
                ShareFlags::empty()
            },
            capabilities,
            maximal_access: share.maximal_access(),
            encrypt: share.config.encrypt,
            compress: share.config.compress,
        })
    }

    /// [MS-SMB2] 3.3.5.8.
    pub(crate) fn tree_disconnect(&mut self, request: Request<op::TreeDisconnect>) {
        let (id, tree) = (request.origin.session, request.origin.tree);
        if let Some(session) = self.sessions.get_mut(&id) {
            session.ending_trees.insert(tree);
        }
        self.close_all(id, Some(tree), Then::TreeDisconnect(request.token, id, tree));
    }
}

/// The share in `\\server\share`. Which server the client thinks we are is its own business.
fn share_name(path: Utf16<'_>) -> Option<String> {
    let path = path.to_text()?;
    let (server, share) = path.strip_prefix(r"\\")?.split_once('\\')?;
    let plausible = !server.is_empty()
        && !share.is_empty()
        && share.encode_utf16().count() <= MAX_SHARE_NAME
        && !share.contains(['\\', '\0']);
    plausible.then(|| share.to_owned())
}
