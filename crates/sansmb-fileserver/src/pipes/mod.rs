//! Named pipes of `IPC$`: `srvsvc`, which lists the shares, `wkssvc`, which says what the server is, and
//! `lsarpc`, which knows the names of its users.

mod lookup;
mod lsarpc;
mod service;
mod srvsvc;
mod usage;
mod wkssvc;

use std::collections::VecDeque;

use bytes::Bytes;
use sansmb::{
    conn::MessageBuffer,
    rpc::{
        FaultStatus, PipeMessage, RpcCall, RpcServer,
        srvsvc::{FILE_CLOSE, UsageKind},
    },
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
    shares::IPC_NAME,
    text::fold,
};

use service::{Service, Site};

/// FILE_PIPE_CONNECTED_STATE, [MS-FSCC] 2.4.38.
const CONNECTED: u32 = 3;
/// What pipes claim to have room for, as Windows does.
const QUOTA: u32 = 4096;

/// An open pipe.
#[derive(Debug)]
pub(crate) struct Pipe {
    rpc: RpcServer,
    service: Service,
    /// Those that wait for a message, oldest first.
    readers: VecDeque<Reader>,
}

/// A request that a message answers.
#[derive(Debug)]
enum Reader {
    Read(Token<op::Read>, usize),
    Transceive(Token<op::Ioctl>, Echo),
}

impl Reader {
    fn id(&self) -> RequestId {
        match self {
            Self::Read(token, _) => token.id(),
            Self::Transceive(token, _) => token.id(),
        }
    }

    /// The most bytes that it takes.
    fn room(&self) -> usize {
        match self {
            Self::Read(_, length) => *length,
            Self::Transceive(_, echo) => echo.limit,
        }
    }
}

impl FileServer {
    pub(crate) fn create_pipe(&mut self, token: Token<op::Create>, origin: Origin, body: &CreateRequest<'_>) {
        let service = match check_create(body) {
            Ok(service) => service,
            Err(status) => return self.fail(token, status),
        };
        let id = self.new_open();
        if let Some(session) = self.sessions.get_mut(&origin.session) {
            session.opens.insert(id);
        }
        let pipe = Pipe { rpc: service.server(), service, readers: VecDeque::new() };
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
        self.opens.insert(id, Box::new(open));
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
        self.await_message(id, Reader::Read(token, length as usize));
    }

    /// Answers a request with the next message, which may be still to come.
    fn await_message(&mut self, id: OpenId, reader: Reader) {
        let Some(pipe) = self.pipe_mut(id) else { return self.fail_reader(reader, NtStatus::FILE_CLOSED) };
        let waits = !pipe.readers.is_empty() || pipe.rpc.messages() == 0;
        if waits && let Err(status) = self.wait(reader.id(), false, Waiting::Pipe(id)) {
            return self.fail_reader(reader, status);
        }
        let Some(pipe) = self.pipe_mut(id) else { return self.fail_reader(reader, NtStatus::FILE_CLOSED) };
        pipe.readers.push_back(reader);
        self.feed_readers(id);
    }

    fn fail_reader(&mut self, reader: Reader, status: NtStatus) {
        match reader {
            Reader::Read(token, _) => self.fail(token, status),
            Reader::Transceive(token, _) => self.fail(token, status),
        }
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
        // What is there, and whoever waits for what is to come, was first.
        if self.pipe_mut(id).is_some_and(|pipe| pipe.rpc.messages() > 0 || !pipe.readers.is_empty()) {
            return self.fail(token, NtStatus::PIPE_BUSY);
        }
        if let Err(status) = self.write_rpc(id, input) {
            return self.fail(token, status);
        }
        self.await_message(id, Reader::Transceive(token, echo));
    }

    /// [MS-SMB2] 3.3.5.15.4: as much of the first message as there is room for.
    pub(crate) fn pipe_peek(&mut self, id: OpenId, token: Token<op::Ioctl>, echo: Echo) {
        if self.opens.get(&id).is_none_or(|open| !open.granted.contains(AccessMask::FILE_READ_DATA)) {
            return self.fail(token, NtStatus::ACCESS_DENIED);
        }
        let Some(pipe) = self.pipe_mut(id) else { return self.fail(token, NtStatus::FILE_CLOSED) };
        if pipe.rpc.error().is_some() {
            return self.fail(token, NtStatus::PIPE_BROKEN);
        }
        if echo.limit == 0 {
            return self.respond(token, echo.reply(&[]));
        }
        let message = pipe.rpc.peek();
        let room = echo.limit.saturating_sub(PipePeek::FIXED_LEN);
        let data = message.get(..room).unwrap_or(message);
        let peek = PipePeek {
            named_pipe_state: CONNECTED,
            read_data_available: pipe.rpc.available() as u32,
            number_of_messages: pipe.rpc.messages() as u32,
            message_length: message.len() as u32,
            data,
        };
        let cut = data.len() < message.len();
        let reply = echo.reply(&peek.to_vec());
        let reply = reply.map(|reply| if cut { reply.with_status(NtStatus::BUFFER_OVERFLOW) } else { reply });
        self.respond(token, reply);
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
        if Service::of(&wait.name.to_text_lossy()).is_some() {
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
                    read_data_available: pipe.rpc.available() as u32,
                    outbound_quota: QUOTA,
                    write_quota_available: QUOTA,
                    named_pipe_state: CONNECTED,
                    named_pipe_end: 0,
                };
                (info.to_vec(), FilePipeLocalInfo::FIXED_LEN)
            }
            FileInfoClass::NAME => {
                let name = Utf16Buf::new(&format!("\\{}", pipe.service.pipe()));
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
        let Some(at) = pipe.readers.iter().position(|reader| reader.id() == request) else { return };
        let Some(reader) = pipe.readers.remove(at) else { return };
        self.stop_waiting(request);
        self.fail_reader(reader, NtStatus::CANCELLED);
    }

    /// The pipe is closed: nobody reads from it any more.
    pub(crate) fn end_pipe(&mut self, id: OpenId) {
        let Some(pipe) = self.pipe_mut(id) else { return };
        for reader in std::mem::take(&mut pipe.readers) {
            self.stop_waiting(reader.id());
            self.fail_reader(reader, NtStatus::PIPE_BROKEN);
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
        if pipe.rpc.available().saturating_add(data.len()) > limit {
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
            if pipe.rpc.available() >= limit {
                return;
            }
            let Some(call) = pipe.rpc.poll_call() else { return };
            let answer = self.answer_call(id, &call);
            let Some(pipe) = self.pipe_mut(id) else { return };
            match answer {
                Ok(stub) => pipe.rpc.respond(&call, &stub),
                Err(status) => pipe.rpc.fault(&call, status),
            }
        }
    }

    /// Answers one call for whoever the pipe's session is now.
    fn answer_call(&mut self, id: OpenId, call: &RpcCall) -> Result<Vec<u8>, FaultStatus> {
        let session = self.opens.get(&id).map(|open| open.session).and_then(|id| self.sessions.get(&id));
        let (caller, token) = session
            .and_then(|session| Some((session.identity.as_ref()?, session.token.as_ref()?)))
            .ok_or(FaultStatus::ACCESS_DENIED)?;
        let administrator = self.accounts.is_administrator(caller);
        let is_srvsvc = self.opens.get(&id).is_some_and(|open| match &open.object {
            Object::Pipe(pipe) => matches!(pipe.service, Service::Srvsvc),
            Object::File(_) => false,
        });
        if is_srvsvc && call.opnum == FILE_CLOSE {
            return self.close_for(administrator, &call.stub);
        }
        let listed = UsageKind::of(call.opnum).filter(|_| is_srvsvc && administrator);
        // What takes a look at everything is looked at for those only who may see it.
        let opens = self.opens.values().filter(|_| administrator);
        let uses = opens.map(|open| match &open.object {
            Object::File(file) => (fold(&file.share.config.name), (open.session, open.tree)),
            Object::Pipe(_) => (IPC_NAME.to_owned(), (open.session, open.tree)),
        });
        let sessions = self.sessions.values().filter(|_| administrator);
        let site = Site {
            config: &self.config,
            shares: &self.shares,
            accounts: &self.accounts,
            caller,
            caller_sid: token.user(),
            administrator,
            users: service::users(sessions.filter_map(|session| session.identity.as_ref())),
            uses: service::count(uses),
            usage: listed.map(|kind| self.usage(kind)).unwrap_or_default(),
            wall: self.now.wall,
        };
        match &mut self.opens.get_mut(&id).map(|open| &mut open.object) {
            Some(Object::Pipe(pipe)) => pipe.service.answer(&site, call),
            _ => Err(FaultStatus::ACCESS_DENIED),
        }
    }

    /// Gives messages to those that wait for them.
    fn feed_readers(&mut self, id: OpenId) {
        loop {
            let Some(pipe) = self.pipe_mut(id) else { return };
            let Some(room) = pipe.readers.front().map(Reader::room) else { return };
            let Some(PipeMessage { data, remaining }) = pipe.rpc.read(room) else { return };
            let Some(reader) = pipe.readers.pop_front() else { return };
            self.stop_waiting(reader.id());
            let status = if remaining > 0 { NtStatus::BUFFER_OVERFLOW } else { NtStatus::SUCCESS };
            match reader {
                Reader::Read(token, _) => {
                    let mut buffer = MessageBuffer::with_capacity(data.len());
                    buffer.extend_from_slice(&data);
                    self.respond(token, Ok(Reply::buffer(buffer).with_status(status)));
                }
                Reader::Transceive(token, echo) => {
                    self.respond(token, Ok(echo.encode(&data).with_status(status)));
                }
            }
            self.answer_calls(id);
        }
    }
}

fn check_create(body: &CreateRequest<'_>) -> Result<Service, NtStatus> {
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
        Some(name) => Service::of(&name).ok_or(NtStatus::OBJECT_NAME_NOT_FOUND),
        None => Err(NtStatus::OBJECT_NAME_INVALID),
    }
}
