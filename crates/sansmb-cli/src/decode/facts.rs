//! What matters most in a message, in one line.

use std::fmt::{Display, Write};

use sansmb::wire::{
    Dialect, FileId, Header, InfoType, Message, NegotiateContext, NtStatus,
    fscc::{FileInfoClass, FsInfoClass},
};

use super::{conversation::Asked, ntlm::token, pretty::hex};
use crate::args::dialect_name;
use crate::output::printable;

/// The facts of a message. For a response, `asked` is its request.
pub(super) fn facts(header: &Header, message: &Message<'_>, asked: Option<&Asked>) -> String {
    let mut facts = Facts::default();
    facts.of(message, asked);
    if header.is_response()
        && header.status == NtStatus::PENDING
        && let Some(id) = header.async_id()
    {
        facts.add("async", format_args!("{id:#x}"));
    }
    facts.text
}

#[derive(Default)]
struct Facts {
    text: String,
}

impl Facts {
    fn add(&mut self, name: &str, value: impl Display) {
        let _ = write!(self.text, " {name}={value}");
    }

    fn word(&mut self, word: &str) {
        if !word.is_empty() {
            let _ = write!(self.text, " {word}");
        }
    }

    fn name(&mut self, name: &str) {
        let _ = write!(self.text, " \"{}\"", printable(name));
    }

    fn file(&mut self, id: FileId, asked: Option<&Asked>) {
        match asked.and_then(|asked| asked.name.as_deref()) {
            Some(name) => self.name(name),
            None if id == FileId::ANY => self.word("file=previous"),
            None => {}
        }
        if id != FileId::ANY {
            self.add("id", format_args!("{:x}:{:x}", id.persistent, id.volatile));
        }
    }

    /// The name of the file that a response is about.
    fn asked(&mut self, asked: Option<&Asked>) {
        if let Some(name) = asked.and_then(|asked| asked.name.as_deref()) {
            self.name(name);
        }
    }

    fn class(&mut self, kind: InfoType, class: u8) {
        match kind {
            InfoType::FILE => self.add("class", format_args!("FILE.{}", FileInfoClass(class))),
            InfoType::FILESYSTEM => self.add("class", format_args!("FILESYSTEM.{}", FsInfoClass(class))),
            other => self.add("class", other),
        }
    }

    fn contexts<'m>(&mut self, contexts: impl Iterator<Item = NegotiateContext<'m>>) {
        for context in contexts {
            match context {
                NegotiateContext::Encryption { ciphers } => self.add("ciphers", joined(ciphers.iter())),
                NegotiateContext::Signing { algorithms } => self.add("signers", joined(algorithms.iter())),
                NegotiateContext::Compression { algorithms, .. } => {
                    self.add("compression", joined(algorithms.iter()));
                }
                NegotiateContext::Netname(name) => {
                    self.add("netname", format_args!("\"{}\"", printable(&name.to_text_lossy())));
                }
                _ => {}
            }
        }
    }

    fn of(&mut self, message: &Message<'_>, asked: Option<&Asked>) {
        match message {
            Message::NegotiateRequest(m) => {
                self.add("dialects", joined(m.dialects.iter().map(named)));
                self.add("mode", flags(m.security_mode.iter_names()));
                self.contexts(m.contexts.iter());
            }
            Message::NegotiateResponse(m) => {
                self.add("dialect", named(m.dialect));
                self.add("mode", flags(m.security_mode.iter_names()));
                self.add("guid", m.server_guid);
                self.add(
                    "max",
                    format_args!("{}/{}/{}", m.max_transact_size, m.max_read_size, m.max_write_size),
                );
                self.contexts(m.contexts.iter());
            }
            Message::SessionSetupRequest(m) => {
                if m.previous_session_id.0 != 0 {
                    self.add("previous", format_args!("{:#x}", m.previous_session_id.0));
                }
                self.word(&token(m.security_buffer));
            }
            Message::SessionSetupResponse(m) => {
                if !m.session_flags.is_empty() {
                    self.add("flags", flags(m.session_flags.iter_names()));
                }
                self.word(&token(m.security_buffer));
            }
            Message::TreeConnectRequest(m) => self.name(&m.path.to_text_lossy()),
            Message::TreeConnectResponse(m) => {
                if let Some(path) = asked.and_then(|asked| asked.path.as_deref()) {
                    self.name(path);
                }
                self.add("type", m.share_type);
                self.add("access", format_args!("{:#x}", m.maximal_access.bits()));
            }
            Message::Error(m) => {
                self.asked(asked);
                if let Some(path) = asked.and_then(|asked| asked.path.as_deref()) {
                    self.name(path);
                }
                if !m.data.is_empty() {
                    self.add("data", hex(m.data));
                }
            }
            Message::Empty(_) => self.asked(asked),
            _ => self.of_file(message, asked),
        }
    }

    fn of_file(&mut self, message: &Message<'_>, asked: Option<&Asked>) {
        match message {
            Message::CreateRequest(m) => {
                self.name(&m.name.to_text_lossy());
                self.add("access", format_args!("{:#x}", m.desired_access.bits()));
                self.word(&m.create_disposition.to_string());
                if !m.create_options.is_empty() {
                    self.add("options", flags(m.create_options.iter_names()));
                }
                if m.requested_oplock_level.0 != 0 {
                    self.add("oplock", m.requested_oplock_level);
                }
            }
            Message::CreateResponse(m) => {
                self.file(m.file_id, asked);
                self.word(&m.create_action.to_string());
                self.add("size", m.end_of_file);
                if m.oplock_level.0 != 0 {
                    self.add("oplock", m.oplock_level);
                }
            }
            Message::CloseRequest(m) => self.file(m.file_id, asked),
            Message::FlushRequest(m) => self.file(m.file_id, asked),
            Message::ReadRequest(m) => {
                self.file(m.file_id, asked);
                self.add("offset", m.offset);
                self.add("length", m.length);
            }
            Message::WriteRequest(m) => {
                self.file(m.file_id, asked);
                self.add("offset", m.offset);
                self.add("length", m.data.len());
            }
            Message::ReadResponse(m) => {
                self.asked(asked);
                self.add("length", m.data.len());
            }
            Message::WriteResponse(m) => {
                self.asked(asked);
                self.add("count", m.count);
            }
            Message::LockRequest(m) => {
                self.file(m.file_id, asked);
                let locks = m.locks.iter().take(4);
                let locks = locks.map(|lock| {
                    format!("{}+{}:{}", lock.offset, lock.length, flags(lock.flags.iter_names()))
                });
                self.add("locks", joined(locks));
            }
            Message::OplockBreak(m) => {
                self.file(m.file_id, asked);
                self.add("oplock", m.oplock_level);
            }
            Message::LeaseBreakNotification(m) => {
                self.add("key", hex(&m.lease_key.0));
                self.add("from", flags(m.current_lease_state.iter_names()));
                self.add("to", flags(m.new_lease_state.iter_names()));
            }
            Message::LeaseBreak(m) => {
                self.add("key", hex(&m.lease_key.0));
                self.add("to", flags(m.lease_state.iter_names()));
            }
            _ => self.of_info(message, asked),
        }
    }

    fn of_info(&mut self, message: &Message<'_>, asked: Option<&Asked>) {
        match message {
            Message::IoctlRequest(m) => {
                self.word(&m.ctl_code.to_string());
                self.file(m.file_id, asked);
                self.add("input", m.input.len());
            }
            Message::IoctlResponse(m) => {
                self.word(&m.ctl_code.to_string());
                self.asked(asked);
                self.add("output", m.output.len());
            }
            Message::QueryDirectoryRequest(m) => {
                self.file(m.file_id, asked);
                self.add("pattern", format_args!("\"{}\"", printable(&m.pattern.to_text_lossy())));
                self.class(InfoType::FILE, m.information_class.0);
            }
            Message::QueryDirectoryResponse(m) => {
                self.asked(asked);
                self.add("length", m.buffer.len());
            }
            Message::ChangeNotifyRequest(m) => {
                self.file(m.file_id, asked);
                self.add("filter", flags(m.completion_filter.iter_names()));
            }
            Message::ChangeNotifyResponse(m) => {
                self.asked(asked);
                self.add("length", m.buffer.len());
            }
            Message::QueryInfoRequest(m) => {
                self.file(m.file_id, asked);
                self.class(m.info_type, m.info_class);
            }
            Message::SetInfoRequest(m) => {
                self.file(m.file_id, asked);
                self.class(m.info_type, m.info_class);
                self.add("length", m.buffer.len());
            }
            Message::QueryInfoResponse(m) => {
                self.asked(asked);
                if let Some(asked) = asked {
                    self.class(asked.info_type, asked.info_class);
                }
                self.add("length", m.buffer.len());
            }
            Message::SetInfoResponse(_) | Message::CloseResponse(_) => self.asked(asked),
            Message::ServerToClientNotification(m) => self.word(&m.notification_type.to_string()),
            _ => {}
        }
    }
}

fn named(dialect: Dialect) -> String {
    match dialect_name(dialect) {
        "unknown" => dialect.to_string(),
        name => name.to_owned(),
    }
}

fn joined<T: Display>(items: impl Iterator<Item = T>) -> String {
    items.map(|item| item.to_string()).collect::<Vec<_>>().join(",")
}

/// The names of flags; `none` where there are none.
fn flags<T>(names: impl Iterator<Item = (&'static str, T)>) -> String {
    let text = names.map(|(name, _)| name).collect::<Vec<_>>().join("|");
    if text.is_empty() { "none".to_owned() } else { text }
}
