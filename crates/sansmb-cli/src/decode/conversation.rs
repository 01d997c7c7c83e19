//! What one connection has said so far, as far as it explains what comes next.

use std::collections::{HashMap, HashSet};

use sansmb::wire::{
    Command, CtlCode, FileId, Header, InfoType, Message, NtStatus, SessionId, ShareType, TreeId,
};

/// Requests, files and trees that are remembered, of each kind: a capture can be endless.
const MAX_KNOWN: usize = 1 << 16;

/// What a request asked, for its response.
#[derive(Debug, Clone, Default)]
pub(super) struct Asked {
    pub(super) info_type: InfoType,
    pub(super) info_class: u8,
    pub(super) ctl_code: CtlCode,
    pub(super) max_output: u32,
    /// The file's name, where it is known.
    pub(super) name: Option<String>,
    /// The share's path.
    pub(super) path: Option<String>,
    session: SessionId,
    tree: TreeId,
    file: Option<FileId>,
}

/// One connection.
#[derive(Debug, Default)]
pub(super) struct Conversation {
    asked: HashMap<u64, Asked>,
    /// Names of open files.
    files: HashMap<FileId, String>,
    /// The trees that lead to pipes.
    pipes: HashSet<(SessionId, TreeId)>,
    /// The file of the last CREATE in the compound that is being read.
    related: Option<Related>,
}

#[derive(Debug, Clone)]
struct Related {
    name: Option<String>,
}

/// The file that a request is about.
fn file_id(message: &Message<'_>) -> Option<FileId> {
    Some(match message {
        Message::CloseRequest(m) => m.file_id,
        Message::FlushRequest(m) => m.file_id,
        Message::ReadRequest(m) => m.file_id,
        Message::WriteRequest(m) => m.file_id,
        Message::LockRequest(m) => m.file_id,
        Message::IoctlRequest(m) => m.file_id,
        Message::QueryDirectoryRequest(m) => m.file_id,
        Message::ChangeNotifyRequest(m) => m.file_id,
        Message::QueryInfoRequest(m) => m.file_id,
        Message::SetInfoRequest(m) => m.file_id,
        Message::OplockBreak(m) => m.file_id,
        _ => return None,
    })
}

impl Conversation {
    /// A frame begins: members of its compound may mean the file of the one before.
    pub(super) fn frame(&mut self) {
        self.related = None;
    }

    /// Takes in a request; what it asks is kept for its response.
    pub(super) fn request(&mut self, header: &Header, message: &Message<'_>) -> Asked {
        let mut asked = Asked { session: header.session_id, tree: header.tree_id, ..Asked::default() };
        match message {
            Message::CreateRequest(m) => {
                let name = m.name.to_text_lossy();
                self.related = Some(Related { name: Some(name.clone()) });
                asked.name = Some(name);
            }
            Message::TreeConnectRequest(m) => asked.path = Some(m.path.to_text_lossy()),
            Message::QueryInfoRequest(m) => {
                (asked.info_type, asked.info_class) = (m.info_type, m.info_class);
            }
            Message::SetInfoRequest(m) => (asked.info_type, asked.info_class) = (m.info_type, m.info_class),
            Message::QueryDirectoryRequest(m) => asked.info_class = m.information_class.0,
            Message::IoctlRequest(m) => {
                (asked.ctl_code, asked.max_output) = (m.ctl_code, m.max_output_response);
            }
            _ => {}
        }
        if let Some(file) = file_id(message) {
            asked.file = Some(file);
            asked.name = match file {
                FileId::ANY => self.related.as_ref().and_then(|related| related.name.clone()),
                _ => self.files.get(&file).cloned(),
            };
            self.related = Some(Related { name: asked.name.clone() });
        }
        if header.command != Command::CANCEL && self.asked.len() < MAX_KNOWN {
            self.asked.insert(header.message_id, asked.clone());
        }
        asked
    }

    /// Takes in a response; gives what was asked. It is kept while only an interim response came.
    pub(super) fn response(&mut self, header: &Header, message: Option<&Message<'_>>) -> Option<Asked> {
        if header.status == NtStatus::PENDING {
            return self.asked.get(&header.message_id).cloned();
        }
        let asked = self.asked.remove(&header.message_id)?;
        match message {
            Some(Message::CreateResponse(m)) => {
                if let Some(name) = asked.name.clone().filter(|_| self.files.len() < MAX_KNOWN) {
                    self.files.insert(m.file_id, name);
                }
            }
            Some(Message::CloseResponse(_)) => {
                if let Some(file) = asked.file {
                    self.files.remove(&file);
                }
            }
            Some(Message::TreeConnectResponse(m))
                if m.share_type == ShareType::PIPE && self.pipes.len() < MAX_KNOWN =>
            {
                self.pipes.insert((header.session_id, header.tree_id));
            }
            _ => {}
        }
        Some(asked)
    }

    /// Whether a message, or the request that it answers, is about a pipe.
    pub(super) fn is_pipe(&self, header: &Header, asked: Option<&Asked>) -> bool {
        // An asynchronous response names no tree.
        let key = asked.map_or((header.session_id, header.tree_id), |asked| (asked.session, asked.tree));
        self.pipes.contains(&key)
    }
}
