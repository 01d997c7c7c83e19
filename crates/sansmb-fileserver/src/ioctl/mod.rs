//! IOCTL, [MS-SMB2] 3.3.5.15.

mod copy;
mod data;
mod interfaces;

pub(crate) use copy::Copying;
pub(crate) use data::{Ranging, Sparsing};
use sansmb::{
    server::{Failure, Reply, Request, Token, op},
    wire::{
        CtlCode, FileId, IoctlFlags, IoctlRequest, IoctlResponse, NtStatus, Structure,
        fsctl::{CompressionState, SrvRequestResumeKey},
    },
};

use crate::{opens::OpenId, server::FileServer};

/// What a response repeats of its request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Echo {
    pub(crate) ctl_code: CtlCode,
    pub(crate) file_id: FileId,
    pub(crate) limit: usize,
}

impl Echo {
    /// A success with `output`, which has to fit.
    pub(crate) fn reply(&self, output: &[u8]) -> Result<Reply<op::Ioctl>, Failure> {
        if output.len() > self.limit {
            return Err(NtStatus::BUFFER_TOO_SMALL.into());
        }
        Ok(self.encode(output))
    }

    pub(crate) fn encode(&self, output: &[u8]) -> Reply<op::Ioctl> {
        Reply::new(&IoctlResponse {
            ctl_code: self.ctl_code,
            file_id: self.file_id,
            output,
            ..Default::default()
        })
    }
}

impl FileServer {
    pub(crate) fn ioctl(&mut self, request: Request<op::Ioctl>) {
        let Request { token, origin, message } = request;
        let Ok(body) = message.body() else { return self.fail(token, NtStatus::INVALID_PARAMETER) };
        if !body.flags.contains(IoctlFlags::IS_FSCTL) {
            return self.fail(token, NtStatus::NOT_SUPPORTED);
        }
        let echo = Echo {
            ctl_code: body.ctl_code,
            file_id: message.file_id(),
            limit: body.max_output_response as usize,
        };
        match body.ctl_code {
            // [MS-SMB2] 3.3.5.15.2: there is no distributed file system here.
            CtlCode::DFS_GET_REFERRALS | CtlCode::DFS_GET_REFERRALS_EX => {
                return self.fail(token, NtStatus::FS_DRIVER_REQUIRED);
            }
            CtlCode::PIPE_WAIT => return self.pipe_wait(token, &origin, &body, echo),
            CtlCode::QUERY_NETWORK_INTERFACE_INFO => {
                return self.network_interfaces(token, &origin, echo);
            }
            _ => {}
        }
        match self.lookup(&origin, &message) {
            Ok(id) => self.ioctl_on(id, token, &body, echo),
            Err(status) => self.fail(token, status),
        }
    }

    /// Control codes for an open file, directory or pipe.
    fn ioctl_on(&mut self, id: OpenId, token: Token<op::Ioctl>, body: &IoctlRequest<'_>, echo: Echo) {
        let pipe = self.file(id).is_none();
        match body.ctl_code {
            CtlCode::PIPE_TRANSCEIVE if pipe => self.pipe_transceive(id, token, body.input, echo),
            CtlCode::PIPE_PEEK if pipe => self.pipe_peek(id, token, echo),
            _ if pipe => self.fail(token, NtStatus::INVALID_DEVICE_REQUEST),
            CtlCode::LMR_REQUEST_RESILIENCY => self.request_resiliency(id, token, body.input, echo),
            CtlCode::SRV_REQUEST_RESUME_KEY => self.resume_key(id, token, echo),
            CtlCode::SRV_COPYCHUNK | CtlCode::SRV_COPYCHUNK_WRITE => {
                self.copy_chunk(id, token, body.input, echo)
            }
            CtlCode::CREATE_OR_GET_OBJECT_ID => self.object_id(id, token, echo),
            CtlCode::GET_REPARSE_POINT => self.fail(token, NtStatus::NOT_A_REPARSE_POINT),
            CtlCode::SET_SPARSE => self.set_sparse(id, token, body.input, echo),
            CtlCode::SET_ZERO_DATA => self.set_zero_data(id, token, body.input, echo),
            CtlCode::QUERY_ALLOCATED_RANGES => self.allocated_ranges(id, token, body.input, echo),
            CtlCode::FILE_LEVEL_TRIM => self.trim(id, token, body.input, echo),
            CtlCode::GET_COMPRESSION => {
                self.respond(token, echo.reply(&CompressionState { format: 0 }.to_vec()));
            }
            CtlCode::SET_COMPRESSION => match CompressionState::decode(body.input) {
                Ok(CompressionState { format: 0 }) => self.respond(token, echo.reply(&[])),
                Ok(_) => self.fail(token, NtStatus::NOT_SUPPORTED),
                Err(_) => self.fail(token, NtStatus::INVALID_PARAMETER),
            },
            _ => self.fail(token, NtStatus::INVALID_DEVICE_REQUEST),
        }
    }

    /// [MS-SMB2] 3.3.5.15.5.
    fn resume_key(&mut self, id: OpenId, token: Token<op::Ioctl>, echo: Echo) {
        let output = SrvRequestResumeKey { resume_key: copy::key_of(id), context: &[] }.to_vec();
        if echo.limit < output.len() {
            return self.fail(token, NtStatus::INVALID_PARAMETER);
        }
        self.respond(token, echo.reply(&output));
    }
}
