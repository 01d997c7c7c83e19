//! Answering CREATE, [MS-SMB2] 3.3.5.9 "Response Construction".

use sansmb::{
    server::{Failure, Reply, op},
    wire::{AccessMask, CreateContextReply, CreateResponse, FileAttributes, NtStatus},
};

use super::Creating;
use crate::{server::FileServer, storage::Metadata};

impl FileServer {
    /// Everything is done: answers, once the record is kept that the answer promises.
    pub(crate) fn answer_create(&mut self, creating: Box<Creating>, metadata: &Metadata) {
        let metadata = self.shown(*metadata);
        let again = self.is_answered(creating.id);
        if !again && creating.recorded.is_none() && self.wants_record(&creating) {
            return self.identify(creating, metadata);
        }
        let caching = if again {
            self.lease_reply(creating.id)
        } else {
            self.grant_caching(creating.id, &creating.wish)
        };
        let durable = self.make_last(&creating);
        let Creating { id, token, wish, .. } = *creating;
        let Some(open) = self.opens.get(&id) else { return self.fail(token, NtStatus::FILE_CLOSED) };
        let action = open.lasting.made.action.unwrap_or(creating.action);
        let file_id = open.file_id(id);
        let mut replies = Vec::new();
        replies.extend(caching);
        replies.extend(durable);
        if let Some(since) = wish.contexts.maximal_access {
            let unchanged = since.is_some_and(|since| since == metadata.written);
            replies.push(CreateContextReply::QueryMaximalAccess {
                query_status: if unchanged { NtStatus::NONE_MAPPED } else { NtStatus::SUCCESS },
                maximal_access: if unchanged { AccessMask::empty() } else { wish.maximal },
            });
        }
        if wish.contexts.on_disk_id {
            replies.push(CreateContextReply::QueryOnDiskId {
                disk_file_id: metadata.node.file,
                volume_id: metadata.node.volume,
                reserved: [0; 16],
            });
        }
        let held = self.held(id);
        let response = CreateResponse {
            // Who asks again for less hears no more.
            oplock_level: if again && held.lease.is_none() {
                held.level.min(wish.oplock)
            } else {
                held.level
            },
            create_action: action,
            file_id,
            contexts: replies.as_slice().into(),
            ..describe(&metadata)
        };
        let result: Result<Reply<op::Create>, Failure> = Ok(Reply::new(&response));
        self.respond(token, result);
    }

    /// The record of an open is kept, or cannot be: then it does not outlive the server.
    pub(crate) fn create_recorded(&mut self, mut creating: Box<Creating>, metadata: &Metadata, kept: bool) {
        if self.opens.get(&creating.id).is_none_or(|open| open.closing.is_some()) {
            return self.fail(creating.token, NtStatus::FILE_CLOSED);
        }
        creating.recorded = Some(kept);
        self.answer_create(creating, metadata);
    }
}

/// What every answer to CREATE tells of the file.
pub(crate) fn describe<'a>(metadata: &Metadata) -> CreateResponse<'a> {
    CreateResponse {
        creation_time: metadata.created,
        last_access_time: metadata.accessed,
        last_write_time: metadata.written,
        change_time: metadata.changed,
        allocation_size: metadata.allocated,
        end_of_file: metadata.length,
        file_attributes: shown_attributes(metadata.attributes),
        ..Default::default()
    }
}

/// Attributes as clients see them: never none at all.
pub(crate) fn shown_attributes(attributes: FileAttributes) -> FileAttributes {
    let shown = attributes.difference(FileAttributes::NORMAL);
    if shown.is_empty() { FileAttributes::NORMAL } else { shown }
}
