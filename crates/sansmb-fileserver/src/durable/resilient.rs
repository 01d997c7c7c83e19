//! FSCTL_LMR_REQUEST_RESILIENCY, [MS-SMB2] 3.3.5.15.9.

use std::time::Duration;

use sansmb::{
    server::{Token, op},
    wire::{NtStatus, Structure, fsctl::ResiliencyRequest},
};

use super::Level;
use crate::{ioctl::Echo, opens::OpenId, server::FileServer};

/// MaxResiliencyTimeout, as in Windows.
const MAX_TIMEOUT: Duration = Duration::from_secs(300);
/// For clients that leave it to the server, as in Windows.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(120);

impl FileServer {
    pub(crate) fn request_resiliency(
        &mut self,
        id: OpenId,
        token: Token<op::Ioctl>,
        input: &[u8],
        echo: Echo,
    ) {
        let Ok(request) = ResiliencyRequest::decode(input) else {
            return self.fail(token, NtStatus::INVALID_PARAMETER);
        };
        let timeout = match Duration::from_millis(request.timeout.into()) {
            Duration::ZERO => DEFAULT_TIMEOUT,
            timeout if timeout > MAX_TIMEOUT => return self.fail(token, NtStatus::INVALID_PARAMETER),
            timeout => timeout,
        };
        let Some(open) = self.opens.get_mut(&id) else { return self.fail(token, NtStatus::FILE_CLOSED) };
        let lasting = &mut open.lasting;
        // Whom nobody can tell from others could not be let in again.
        if lasting.made.owner.is_some() && lasting.level != Level::Persistent {
            lasting.level = Level::Resilient;
            lasting.timeout = timeout;
        }
        self.respond(token, echo.reply(&[]));
    }
}
