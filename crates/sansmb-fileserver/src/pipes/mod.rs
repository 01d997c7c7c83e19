//! Named pipes of `IPC$`: `srvsvc`, which lists the shares.

mod srvsvc;

use std::collections::VecDeque;

use bytes::Bytes;
use sansmb::{
    conn::MessageBuffer,
    rpc::{PipeMessage, RpcServer, srvsvc as service},
    server::{Origin, Reply, RequestId, Token, op},
    wire::{
        AccessMask, CreateAction, CreateOptions, CreateRequest, CreateResponse, FileAttributes, IoctlRequest,
        NtStatus, OplockLevel, SetInfoResponse, Structure, Utf16Buf, WriteResponse,
        fscc::{FileInfoClass, FileNameInfo, FilePipeInfo, FilePipeLocalInfo, FileStandardInfo},
        fsctl::{PipePeek, PipeWait},
    },
};

use crate::{
    durable::Lasting,
    info::fit,
    ioctl::Echo,
    opens::{Object, Open, OpenId},
    server::{FileServer, Waiting},
    text::same_name,
};

/// FILE_PIPE_CONNECTED_STATE, [MS-FSCC] 2.4.38.
const CONNECTED: u32 = 3;
/// What pipes claim to have room for, as Windows does.
const QUOTA: u32 = 4096;

/// An open pipe.
#[derive(Debug)]
pub(crate) struct Pipe {
    rpc: RpcServer,
    /// READs that wait for a message, oldest first.
    readers: VecDeque<(Token<op::Read>, usize)>,
}

impl FileServer {
    pub(crate) fn create_pipe(&mut self, token: Token<op::Create>, origin: Origin, body: &CreateRequest<'_>) {
        if let Err(status) = check_create(body) {
            return self.fail(token, status);
        }
        let id = self.new_open();
        if let Some(session) = self.sessions.get_mut(&origin.session) {
            session.opens.insert(id);
        }
        let pipe = Pipe { rpc: srvsvc::server(), readers: VecDeque::new() };
        let asked = body.desired_access;
        let granted = if asked.contains(AccessMask::MAXIMUM_ALLOWED) {
            AccessMask::FILE_ALL_ACCESS
        } else {
            asked.expand_generic() & AccessMask::FILE_ALL_ACCESS
        };
        let volatile = self.new_volatile();
        let open = Open {
            session: origin.session,
            tree: origin.tree,
            client_guid: origin.client_guid,
            volatile,
            granted,
            object: Object::Pipe(Box::new(pipe)),
            busy: 0,
            closing: None,
            lasting: Lasting::default(),
        };
        let file_id = open.file_id(id);
        self.opens.insert(id, open);
        let response = CreateResponse {
            oplock_level: OplockLevel::NONE,
            create_action: CreateAction::OPENED,
            file_attributes: FileAttributes::NORMAL,
            file_id,
            ..Default::default()
        };
        self.succeed(token, &response);
    }

    pub(crate) fn read_pipe(&mut self, id: OpenId, token: Token<op::Read>, length: u32) {
        let Some(pipe) = self.pipe_mut(id) else { return self.fail(token, NtStatus::FILE_CLOSED) };
        if pipe.rpc.error().is_some() {
            return self.fail(token, NtStatus::PIPE_BROKEN);
        }
        let waits = !pipe.readers.is_empty() || pipe.rpc.available().0 == 0;
        if waits && let Err(status) = self.wait(token.id(), false, Waiting::Pipe(id)) {
            return self.fail(token, status);
        }
        let Some(pipe) = self.pipe_mut(id) else { return self.fail(token, NtStatus::FILE_CLOSED) };
        pipe.readers.push_back((token, length as usize));
        self.feed_readers(id);
    }

    pub(crate) fn write_pipe(&mut self, id: OpenId, token: Token<op::Write>, data: &Bytes) {
        match self.write_rpc(id, data) {
            Ok(()) => {
                self.succeed(token, &WriteResponse { count: data.len() as u32 });
                self.feed_readers(id);
            }
            Err(status) => self.fail(token, status),
        }
    }

    /// [MS-SMB2] 3.3.5.15.3: a write and the read of what it is answered with.
    pub(crate) fn pipe_transceive(&mut self, id: OpenId, token: Token<op::Ioctl>, input: &[u8], echo: Echo) {
        let both = AccessMask::FILE_READ_DATA | AccessMask::FILE_WRITE_DATA;
        if self.opens.get(&id).is_none_or(|open| !open.granted.contains(both)) {
            return self.fail(token, NtStatus::ACCESS_DENIED);
        }
        if self.pipe_mut(id).is_some_and(|pipe| pipe.rpc.available().0 > 0) {
            return self.fail(token, NtStatus::PIPE_BUSY);
        }
        if let Err(status) = self.write_rpc(id, input) {
            return self.fail(token, status);
        }
        match self.pipe_mut(id).and_then(|pipe| pipe.rpc.read(echo.limit)) {
            Some(PipeMessage { data, remaining }) => {
                let reply = echo.encode(&data);
                let reply = if remaining > 0 { reply.with_status(NtStatus::BUFFER_OVERFLOW) } else { reply };
                self.respond(token, Ok(reply));
            }
            // Only a part of a call was written: there is nothing to read yet.
            None => self.respond(token, echo.reply(&[])),
        }
    }

    /// [MS-SMB2] 3.3.5.15.4.
    pub(crate) fn pipe_peek(&mut self, id: OpenId, token: Token<op::Ioctl>, echo: Echo) {
        let Some(pipe) = self.pipe_mut(id) else { return self.fail(token, NtStatus::FILE_CLOSED) };
        let (available, message) = pipe.rpc.available();
        let peek = PipePeek {
            named_pipe_state: CONNECTED,
            read_data_available: available as u32,
            number_of_messages: u32::from(available > 0),
            message_length: message as u32,
            data: &[],
        };
        self.respond(token, echo.reply(&peek.to_vec()));
    }

    /// [MS-SMB2] 3.3.5.15.10: there is always one more instance of a pipe that exists.
    pub(crate) fn pipe_wait(
        &mut self,
        token: Token<op::Ioctl>,
        origin: &Origin,
        body: &IoctlRequest<'_>,
        echo: Echo,
    ) {
        if origin.share != crate::shares::IPC {
            return self.fail(token, NtStatus::INVALID_DEVICE_REQUEST);
        }
        let Ok(wait) = PipeWait::decode(body.input) else {
            return self.fail(token, NtStatus::INVALID_PARAMETER);
        };
        if is_known(&wait.name.to_text_lossy()) {
            self.respond(token, echo.reply(&[]));
        } else {
            self.fail(token, NtStatus::OBJECT_NAME_NOT_FOUND);
        }
    }

    pub(crate) fn query_pipe(
        &mut self,
        id: OpenId,
        token: Token<op::QueryInfo>,
        class: FileInfoClass,
        limit: usize,
    ) {
        let Some(pipe) = self.pipe_mut(id) else { return self.fail(token, NtStatus::FILE_CLOSED) };
        let (buffer, fixed) = match class {
            FileInfoClass::STANDARD => {
                // Windows says so of every pipe.
                let info = FileStandardInfo {
                    allocation_size: QUOTA.into(),
                    number_of_links: 1,
                    delete_pending: true,
                    ..Default::default()
                };
                (info.to_vec(), FileStandardInfo::FIXED_LEN)
            }
            FileInfoClass::PIPE => {
                (FilePipeInfo { read_mode: 1, completion_mode: 0 }.to_vec(), FilePipeInfo::FIXED_LEN)
            }
            FileInfoClass::PIPE_LOCAL => {
                let info = FilePipeLocalInfo {
                    named_pipe_type: 1,
                    named_pipe_configuration: 2,
                    maximum_instances: u32::MAX,
                    current_instances: 1,
                    inbound_quota: QUOTA,
                    read_data_available: pipe.rpc.available().0 as u32,
                    outbound_quota: QUOTA,
                    write_quota_available: QUOTA,
                    named_pipe_state: CONNECTED,
                    named_pipe_end: 0,
                };
                (info.to_vec(), FilePipeLocalInfo::FIXED_LEN)
            }
            FileInfoClass::NAME => {
                let name = Utf16Buf::new(&format!("\\{}", service::PIPE));
                (FileNameInfo { name: name.as_utf16() }.to_vec(), FileNameInfo::FIXED_LEN)
            }
            _ => return self.fail(token, NtStatus::INVALID_PARAMETER),
        };
        self.respond(token, fit(buffer, fixed, limit));
    }

    /// Pipes keep messages apart and do not block writers, whatever a client asks for.
    pub(crate) fn set_pipe(&mut self, token: Token<op::SetInfo>, class: FileInfoClass, buffer: &[u8]) {
        match (class, FilePipeInfo::decode(buffer)) {
            (FileInfoClass::PIPE, Ok(info)) if info.read_mode <= 1 && info.completion_mode <= 1 => {
                self.succeed(token, &SetInfoResponse);
            }
            (FileInfoClass::PIPE, Ok(_)) => self.fail(token, NtStatus::INVALID_PARAMETER),
            (FileInfoClass::PIPE, Err(_)) => self.fail(token, NtStatus::INFO_LENGTH_MISMATCH),
            _ => self.fail(token, NtStatus::NOT_SUPPORTED),
        }
    }

    pub(crate) fn cancel_pipe(&mut self, id: OpenId, request: RequestId) {
        let Some(pipe) = self.pipe_mut(id) else { return };
        let Some(at) = pipe.readers.iter().position(|(token, _)| token.id() == request) else { return };
        let Some((token, _)) = pipe.readers.remove(at) else { return };
        self.stop_waiting(request);
        self.fail(token, NtStatus::CANCELLED);
    }

    /// The pipe is closed: nobody reads from it any more.
    pub(crate) fn end_pipe(&mut self, id: OpenId) {
        let Some(pipe) = self.pipe_mut(id) else { return };
        for (token, _) in std::mem::take(&mut pipe.readers) {
            self.stop_waiting(token.id());
            self.fail(token, NtStatus::PIPE_BROKEN);
        }
    }

    fn pipe_mut(&mut self, id: OpenId) -> Option<&mut Pipe> {
        match &mut self.opens.get_mut(&id)?.object {
            Object::Pipe(pipe) => Some(pipe),
            Object::File(_) => None,
        }
    }

    /// Gives the server's end of a pipe what the client wrote, and answers the calls in it.
    fn write_rpc(&mut self, id: OpenId, data: &[u8]) -> Result<(), NtStatus> {
        let limit = self.config.limits.pipe_buffer;
        let pipe = self.pipe_mut(id).ok_or(NtStatus::FILE_CLOSED)?;
        if pipe.rpc.available().0.saturating_add(data.len()) > limit {
            return Err(NtStatus::INSUFFICIENT_RESOURCES);
        }
        pipe.rpc.received(data);
        self.answer_calls(id);
        let pipe = self.pipe_mut(id).ok_or(NtStatus::FILE_CLOSED)?;
        if pipe.rpc.error().is_some() { Err(NtStatus::PIPE_BROKEN) } else { Ok(()) }
    }

    /// Answers calls for as long as the answers have room; the others wait until some are read.
    fn answer_calls(&mut self, id: OpenId) {
        let limit = self.config.limits.pipe_buffer;
        loop {
            let Some(pipe) = self.pipe_mut(id) else { return };
            if pipe.rpc.available().0 >= limit {
                return;
            }
            let Some(call) = pipe.rpc.poll_call() else { return };
            let answer = srvsvc::answer(&self.config, &self.shares, &call);
            let Some(pipe) = self.pipe_mut(id) else { return };
            match answer {
                Ok(stub) => pipe.rpc.respond(&call, &stub),
                Err(status) => pipe.rpc.fault(&call, status),
            }
        }
    }

    /// Gives messages to those that wait for them.
    fn feed_readers(&mut self, id: OpenId) {
        loop {
            let Some(pipe) = self.pipe_mut(id) else { return };
            let Some((_, length)) = pipe.readers.front() else { return };
            let Some(PipeMessage { data, remaining }) = pipe.rpc.read(*length) else { return };
            let Some((token, _)) = pipe.readers.pop_front() else { return };
            self.stop_waiting(token.id());
            let mut buffer = MessageBuffer::with_capacity(data.len());
            buffer.extend_from_slice(&data);
            let reply = Reply::buffer(buffer);
            let reply = if remaining > 0 { reply.with_status(NtStatus::BUFFER_OVERFLOW) } else { reply };
            self.respond(token, Ok(reply));
            self.answer_calls(id);
        }
    }
}

/// Whether there is a pipe of that name.
fn is_known(name: &str) -> bool {
    same_name(name, service::PIPE)
}

fn check_create(body: &CreateRequest<'_>) -> Result<(), NtStatus> {
    if body.impersonation_level.0 > 2 {
        return Err(NtStatus::BAD_IMPERSONATION_LEVEL);
    }
    if body.desired_access.is_empty() {
        return Err(NtStatus::ACCESS_DENIED);
    }
    if body.create_options.contains(CreateOptions::DIRECTORY_FILE) {
        return Err(NtStatus::INVALID_PARAMETER);
    }
    match body.name.to_text() {
        Some(name) if is_known(&name) => Ok(()),
        Some(_) => Err(NtStatus::OBJECT_NAME_NOT_FOUND),
        None => Err(NtStatus::OBJECT_NAME_INVALID),
    }
}
