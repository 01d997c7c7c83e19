//! Named pipes of `IPC$`.

use bytes::Bytes;
use sansmb::{
    server::{Origin, Token, op},
    wire::{CreateRequest, IoctlRequest, NtStatus, fscc::FileInfoClass},
};

use crate::{ioctl::Echo, opens::OpenId, server::FileServer};

/// An open pipe.
#[derive(Debug)]
pub(crate) struct Pipe {}

impl FileServer {
    pub(crate) fn create_pipe(&mut self, token: Token<op::Create>, _origin: Origin, _body: &CreateRequest<'_>) {
        self.fail(token, NtStatus::OBJECT_NAME_NOT_FOUND);
    }

    pub(crate) fn read_pipe(&mut self, _id: OpenId, token: Token<op::Read>, _length: u32) {
        self.fail(token, NtStatus::PIPE_EMPTY);
    }

    pub(crate) fn write_pipe(&mut self, _id: OpenId, token: Token<op::Write>, _data: &Bytes) {
        self.fail(token, NtStatus::PIPE_BROKEN);
    }

    pub(crate) fn query_pipe(&mut self, _id: OpenId, token: Token<op::QueryInfo>, _class: FileInfoClass, _limit: usize) {
        self.fail(token, NtStatus::NOT_SUPPORTED);
    }

    pub(crate) fn set_pipe(&mut self, token: Token<op::SetInfo>, _class: FileInfoClass, _buffer: &[u8]) {
        self.fail(token, NtStatus::NOT_SUPPORTED);
    }

    pub(crate) fn pipe_wait(&mut self, token: Token<op::Ioctl>, _origin: &Origin, _body: &IoctlRequest<'_>, _echo: Echo) {
        self.fail(token, NtStatus::OBJECT_NAME_NOT_FOUND);
    }

    pub(crate) fn pipe_transceive(&mut self, _id: OpenId, token: Token<op::Ioctl>, _input: &[u8], _echo: Echo) {
        self.fail(token, NtStatus::PIPE_BROKEN);
    }

    pub(crate) fn pipe_peek(&mut self, _id: OpenId, token: Token<op::Ioctl>, _echo: Echo) {
        self.fail(token, NtStatus::PIPE_BROKEN);
    }
}
