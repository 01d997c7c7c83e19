//! What a CREATE made before it was refused goes again.
//!
//! The lookup makes what is missing, and much is only known afterwards: whose lease it is, whether the stream can
//! be made, whether anybody still waits. So that others meet nothing that is half there, it goes as an open that
//! deletes on close does.

use std::sync::Arc;

use sansmb::{
    server::Failure,
    wire::{AccessMask, CompletionFilter, ShareAccess, fscc::NotifyAction},
};

use super::Creating;
use crate::{
    durable::Lasting,
    opens::{FileOpen, Object, Open, OpenId},
    path_key::PathKey,
    server::FileServer,
    session::{GroupId, Then},
    share_modes::Claim,
    storage::{Handle, NodeId, SharePath},
};

/// Something that a CREATE made, until it is answered.
#[derive(Debug)]
pub(super) struct New {
    pub(super) handle: Handle,
    pub(super) node: NodeId,
    pub(super) directory: bool,
    pub(super) path: SharePath,
    pub(super) stream: Option<Arc<str>>,
}

impl FileServer {
    /// Removes what a CREATE made, unless somebody else has found it, and answers.
    pub(super) fn undo(&mut self, creating: Creating, new: New, failure: Failure, doomed: Option<GroupId>) {
        let Creating { id, token, origin, share, .. } = creating;
        let file_key = PathKey::new(share.volume, &new.path);
        let mut key = file_key.clone();
        let kept = self.nodes.get(new.node).is_some();
        let everybody = ShareAccess::READ | ShareAccess::WRITE | ShareAccess::DELETE;
        let claim = Claim::new(AccessMask::empty(), everybody);
        if let Some(stream) = &new.stream {
            let stream = key.of_stream(stream);
            self.nodes.add(new.node.whole(), key, id).stream_modes.add(claim);
            key = stream;
        }
        self.nodes.add(new.node, key, id).share_modes.add(claim);
        let mut file = FileOpen::new(share, new.handle, new.node, new.path, file_key, claim);
        (file.directory, file.stream) = (new.directory, new.stream);
        file.delete_on_close = !kept;
        let on_stream = file.stream.is_some();
        let open = Open {
            session: origin.session,
            tree: origin.tree,
            client_guid: origin.client_guid,
            volatile: self.new_volatile(),
            granted: AccessMask::empty(),
            object: Object::File(Box::new(file)),
            busy: 0,
            closing: None,
            lasting: Lasting::default(),
        };
        self.opens.insert(id, Box::new(open));
        // Watchers hear that it goes, and so that it came.
        if on_stream {
            self.report_new_stream(id, false);
        } else {
            let kind = if new.directory { CompletionFilter::DIR_NAME } else { CompletionFilter::FILE_NAME };
            self.report(id, NotifyAction::ADDED, kind);
        }
        let group = self.new_group(Then::Refuse { token, failure, doomed });
        self.close_in_group(id, group);
        self.leave_group(group);
    }

    /// A CREATE that made the file of an open fails: it goes with the open, unless others have it too.
    pub(super) fn unmake(&mut self, id: OpenId) {
        let Some(file) = self.file(id) else { return };
        let link = self.nodes.get(file.node).and_then(|node| node.links.get(&file.key()));
        let alone = link.is_some_and(|link| link.opens.len() == 1);
        if let Some(file) = self.file_mut(id).filter(|_| alone) {
            file.delete_on_close = true;
        }
    }
}
