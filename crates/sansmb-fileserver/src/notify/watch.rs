//! What one directory handle watches.

use std::collections::VecDeque;

use sansmb::{
    server::{Token, op},
    wire::{
        CompletionFilter, Utf16Buf,
        fscc::{EntryWriter, NotifyAction, NotifyEntry},
    },
};

use crate::{action::JobId, path_key::PathKey};

/// What one directory handle watches. It starts with its first request and lasts until the handle
/// is closed.
#[derive(Debug)]
pub(crate) struct Watch {
    pub(super) key: PathKey,
    pub(super) filter: CompletionFilter,
    pub(super) tree: bool,
    /// The storage's job that waits for changes beside this server, if it has such.
    pub(super) beside: Option<JobId>,
    /// Changes that no request has taken yet.
    changes: VecDeque<(NotifyAction, Utf16Buf)>,
    bytes: usize,
    /// As many bytes of changes are kept.
    limit: usize,
    /// More happened than could be kept.
    overflowed: bool,
    /// Requests that wait, oldest first, with the length of their buffers.
    pub(super) waiting: VecDeque<(Token<op::ChangeNotify>, usize)>,
}

impl Watch {
    pub(super) fn new(key: PathKey, filter: CompletionFilter, tree: bool, limit: usize) -> Self {
        Self {
            key,
            filter,
            tree,
            beside: None,
            changes: VecDeque::new(),
            bytes: 0,
            limit,
            overflowed: false,
            waiting: VecDeque::new(),
        }
    }

    /// Whether there is something to tell.
    pub(super) fn has_news(&self) -> bool {
        self.overflowed || !self.changes.is_empty()
    }

    /// Keeps a change until a request takes it.
    pub(super) fn keep(&mut self, action: NotifyAction, name: Utf16Buf) {
        let bytes = 12 + name.as_utf16().len().next_multiple_of(4);
        if self.overflowed || self.bytes + bytes > self.limit {
            return self.overflow();
        }
        self.bytes += bytes;
        self.changes.push_back((action, name));
    }

    /// More happened than can be kept: whoever watches has to look for himself.
    pub(super) fn overflow(&mut self) {
        self.overflowed = true;
        self.changes.clear();
        self.bytes = 0;
    }

    /// The changes as a buffer of at most `limit` bytes; `None` when they do not fit or were lost.
    pub(super) fn take(&mut self, limit: usize) -> Option<Vec<u8>> {
        let overflowed = std::mem::take(&mut self.overflowed);
        let changes = std::mem::take(&mut self.changes);
        self.bytes = 0;
        if overflowed {
            return None;
        }
        let mut writer = EntryWriter::new(limit);
        for (action, name) in &changes {
            if !writer.push(&NotifyEntry { action: *action, name: name.as_utf16() }) {
                return None;
            }
        }
        Some(writer.finish())
    }
}
