//! FSCTL_QUERY_NETWORK_INTERFACE_INFO, [MS-SMB2] 3.3.5.15.11: where a client may open more connections
//! for its session.

use sansmb::{
    server::{Origin, Token, op},
    wire::{Capabilities, FileId, NtStatus, fscc::EntryWriter},
};

use super::Echo;
use crate::server::FileServer;

impl FileServer {
    /// A client learns of them only where both sides can do multichannel.
    pub(super) fn network_interfaces(&mut self, token: Token<op::Ioctl>, origin: &Origin, echo: Echo) {
        let shown: Vec<_> = self.config.interfaces.iter().filter(|shown| shown.if_index != 0).collect();
        if !origin.capabilities.contains(Capabilities::MULTI_CHANNEL) || shown.is_empty() {
            return self.fail(token, NtStatus::NOT_SUPPORTED);
        }
        let mut output = EntryWriter::new(echo.limit);
        if !shown.iter().all(|interface| output.push(*interface)) {
            return self.fail(token, NtStatus::BUFFER_TOO_SMALL);
        }
        let echo = Echo { file_id: FileId::ANY, ..echo };
        self.respond(token, echo.reply(&output.finish()));
    }
}
