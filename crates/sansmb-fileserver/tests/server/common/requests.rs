//! Requests in short.

use sansmb::wire::{fscc::*, *};

use super::{Client, Response, World};

/// A CREATE in the making.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Create<'a> {
    pub(crate) access: AccessMask,
    pub(crate) share: ShareAccess,
    pub(crate) disposition: CreateDisposition,
    pub(crate) options: CreateOptions,
    pub(crate) attributes: FileAttributes,
    pub(crate) oplock: OplockLevel,
    pub(crate) contexts: &'a [CreateContext<'a>],
}

pub(crate) const SHARE_ALL: ShareAccess =
    ShareAccess::READ.union(ShareAccess::WRITE).union(ShareAccess::DELETE);

/// Everything, sharing everything, made if need be.
pub(crate) const ALL: Create<'static> = Create {
    access: AccessMask::FILE_ALL_ACCESS,
    share: SHARE_ALL,
    disposition: CreateDisposition::OPEN_IF,
    options: CreateOptions::empty(),
    attributes: FileAttributes::empty(),
    oplock: OplockLevel::NONE,
    contexts: &[],
};

impl Create<'_> {
    pub(crate) fn access(self, access: AccessMask) -> Self {
        Self { access, ..self }
    }

    pub(crate) fn share(self, share: ShareAccess) -> Self {
        Self { share, ..self }
    }

    pub(crate) fn disposition(self, disposition: CreateDisposition) -> Self {
        Self { disposition, ..self }
    }

    pub(crate) fn options(self, options: CreateOptions) -> Self {
        Self { options, ..self }
    }

    pub(crate) fn attributes(self, attributes: FileAttributes) -> Self {
        Self { attributes, ..self }
    }
}

/// An existing file, only.
pub(crate) fn open() -> Create<'static> {
    ALL.disposition(CreateDisposition::OPEN)
}

/// A directory, made if need be.
pub(crate) fn directory() -> Create<'static> {
    ALL.options(CreateOptions::DIRECTORY_FILE)
}

impl Client {
    pub(crate) fn set_up(&mut self, world: &mut World, user: &str, previous: SessionId) -> Response {
        let request = SessionSetupRequest {
            security_buffer: user.as_bytes(),
            previous_session_id: previous,
            ..Default::default()
        };
        self.call(world, Command::SESSION_SETUP, &request)
    }

    pub(crate) fn tree_connect(&mut self, world: &mut World, path: &str) -> Response {
        let path = Utf16Buf::new(path);
        let request = TreeConnectRequest { path: path.as_utf16(), ..Default::default() };
        self.call(world, Command::TREE_CONNECT, &request)
    }

    pub(crate) fn send_create(&mut self, world: &mut World, name: &str, how: Create<'_>) -> u64 {
        let name = Utf16Buf::new(name);
        self.send(world, Command::CREATE, &create_request(&name, how))
    }

    pub(crate) fn create(&mut self, world: &mut World, name: &str, how: Create<'_>) -> Response {
        let id = self.send_create(world, name, how);
        self.answer(world, id)
    }

    pub(crate) fn create_status(&mut self, world: &mut World, name: &str, how: Create<'_>) -> NtStatus {
        self.create(world, name, how).status()
    }

    /// Opens what must be possible to open.
    #[track_caller]
    pub(crate) fn open(&mut self, world: &mut World, name: &str, how: Create<'_>) -> FileId {
        let response = self.create(world, name, how);
        assert_eq!(response.status(), NtStatus::SUCCESS, "{name}");
        response.body::<CreateResponse<'_>>().file_id
    }

    pub(crate) fn send_close(&mut self, world: &mut World, file_id: FileId) -> u64 {
        self.send(world, Command::CLOSE, &CloseRequest { flags: CloseFlags::empty(), file_id })
    }

    #[track_caller]
    pub(crate) fn close(&mut self, world: &mut World, file_id: FileId) -> NtStatus {
        let id = self.send_close(world, file_id);
        self.answer(world, id).status()
    }

    /// Makes a file with this content.
    #[track_caller]
    pub(crate) fn put(&mut self, world: &mut World, name: &str, data: &[u8]) {
        let file = self.open(world, name, ALL);
        if !data.is_empty() {
            assert_eq!(self.write(world, file, 0, data), NtStatus::SUCCESS);
        }
        assert_eq!(self.close(world, file), NtStatus::SUCCESS);
    }

    /// The content of a file.
    #[track_caller]
    pub(crate) fn get(&mut self, world: &mut World, name: &str) -> Vec<u8> {
        let file = self.open(world, name, open());
        let data = match self.read(world, file, 0, 65536) {
            Ok(data) => data,
            Err(NtStatus::END_OF_FILE) => Vec::new(),
            Err(status) => panic!("{status:?}"),
        };
        self.close(world, file);
        data
    }

    pub(crate) fn send_read(&mut self, world: &mut World, file_id: FileId, offset: u64, length: u32) -> u64 {
        self.send(world, Command::READ, &ReadRequest { file_id, offset, length, ..Default::default() })
    }

    pub(crate) fn read(
        &mut self,
        world: &mut World,
        file_id: FileId,
        offset: u64,
        length: u32,
    ) -> Result<Vec<u8>, NtStatus> {
        let id = self.send_read(world, file_id, offset, length);
        read_result(&self.answer(world, id))
    }

    pub(crate) fn send_write(&mut self, world: &mut World, file_id: FileId, offset: u64, data: &[u8]) -> u64 {
        self.send(world, Command::WRITE, &write_request(file_id, offset, data))
    }

    pub(crate) fn write(&mut self, world: &mut World, file_id: FileId, offset: u64, data: &[u8]) -> NtStatus {
        let id = self.send_write(world, file_id, offset, data);
        self.answer(world, id).status()
    }

    pub(crate) fn flush(&mut self, world: &mut World, file_id: FileId) -> NtStatus {
        self.status(world, Command::FLUSH, &FlushRequest { file_id })
    }

    pub(crate) fn query(
        &mut self,
        world: &mut World,
        file_id: FileId,
        info_type: InfoType,
        info_class: u8,
        output_buffer_length: u32,
    ) -> Response {
        let request =
            QueryInfoRequest { info_type, info_class, output_buffer_length, file_id, ..Default::default() };
        self.call(world, Command::QUERY_INFO, &request)
    }

    /// A file information class, whole.
    #[track_caller]
    pub(crate) fn info(&mut self, world: &mut World, file_id: FileId, class: FileInfoClass) -> Vec<u8> {
        let response = self.query(world, file_id, InfoType::FILE, class.0, 65536);
        assert_eq!(response.status(), NtStatus::SUCCESS, "{class:?}");
        response.body::<QueryInfoResponse<'_>>().buffer.to_vec()
    }

    pub(crate) fn standard(&mut self, world: &mut World, file_id: FileId) -> FileStandardInfo {
        FileStandardInfo::decode(&self.info(world, file_id, FileInfoClass::STANDARD)).unwrap()
    }

    pub(crate) fn basic(&mut self, world: &mut World, file_id: FileId) -> FileBasicInfo {
        FileBasicInfo::decode(&self.info(world, file_id, FileInfoClass::BASIC)).unwrap()
    }

    pub(crate) fn set_bytes(
        &mut self,
        world: &mut World,
        file_id: FileId,
        class: FileInfoClass,
        buffer: &[u8],
    ) -> NtStatus {
        let request = SetInfoRequest {
            info_type: InfoType::FILE,
            info_class: class.0,
            file_id,
            buffer,
            ..Default::default()
        };
        self.status(world, Command::SET_INFO, &request)
    }

    pub(crate) fn set<'m, I: FileInfo<'m>>(
        &mut self,
        world: &mut World,
        file_id: FileId,
        info: &I,
    ) -> NtStatus {
        self.set_bytes(world, file_id, I::CLASS, &info.to_vec())
    }

    pub(crate) fn delete_pending(
        &mut self,
        world: &mut World,
        file_id: FileId,
        delete_pending: bool,
    ) -> NtStatus {
        self.set(world, file_id, &FileDispositionInfo { delete_pending })
    }

    pub(crate) fn rename(
        &mut self,
        world: &mut World,
        file_id: FileId,
        to: &str,
        replace_if_exists: bool,
    ) -> NtStatus {
        let name = Utf16Buf::new(to);
        self.set(
            world,
            file_id,
            &FileRenameInfo { replace_if_exists, root_directory: 0, name: name.as_utf16() },
        )
    }

    pub(crate) fn send_lock(&mut self, world: &mut World, file_id: FileId, locks: &[LockElement]) -> u64 {
        let request = LockRequest { lock_sequence: 0, file_id, locks: locks.into() };
        self.send(world, Command::LOCK, &request)
    }

    pub(crate) fn lock(&mut self, world: &mut World, file_id: FileId, locks: &[LockElement]) -> NtStatus {
        let id = self.send_lock(world, file_id, locks);
        self.answer(world, id).status()
    }

    pub(crate) fn send_cancel(&mut self, world: &mut World, message_id: u64) {
        let header =
            Header { command: Command::CANCEL, message_id, session_id: self.session, ..Default::default() };
        let mut message = Vec::new();
        let mut writer = Writer::new(&mut message);
        header.encode(&mut writer);
        EmptyBody::default().encode(&mut writer);
        self.send_frame(world, &message);
    }

    pub(crate) fn send_notify(
        &mut self,
        world: &mut World,
        file_id: FileId,
        completion_filter: CompletionFilter,
        tree: bool,
        output_buffer_length: u32,
    ) -> u64 {
        let flags = if tree { ChangeNotifyFlags::WATCH_TREE } else { ChangeNotifyFlags::empty() };
        let request = ChangeNotifyRequest { flags, output_buffer_length, file_id, completion_filter };
        self.send(world, Command::CHANGE_NOTIFY, &request)
    }

    pub(crate) fn list(
        &mut self,
        world: &mut World,
        file_id: FileId,
        pattern: &str,
        flags: QueryDirectoryFlags,
        output_buffer_length: u32,
    ) -> Result<Vec<String>, NtStatus> {
        let response = self.query_directory(
            world,
            file_id,
            FileInfoClass::ID_BOTH_DIRECTORY,
            pattern,
            flags,
            output_buffer_length,
        );
        if response.status() != NtStatus::SUCCESS {
            return Err(response.status());
        }
        let body = response.body::<QueryDirectoryResponse<'_>>();
        let entries = DirEntries::new(FileInfoClass::ID_BOTH_DIRECTORY, body.buffer).unwrap();
        Ok(entries.map(|entry| entry.unwrap().name.to_text().unwrap()).collect())
    }

    pub(crate) fn query_directory(
        &mut self,
        world: &mut World,
        file_id: FileId,
        information_class: FileInfoClass,
        pattern: &str,
        flags: QueryDirectoryFlags,
        output_buffer_length: u32,
    ) -> Response {
        let pattern = Utf16Buf::new(pattern);
        let request = QueryDirectoryRequest {
            information_class,
            flags,
            file_id,
            pattern: pattern.as_utf16(),
            output_buffer_length,
            ..Default::default()
        };
        self.call(world, Command::QUERY_DIRECTORY, &request)
    }

    pub(crate) fn ioctl(
        &mut self,
        world: &mut World,
        file_id: FileId,
        ctl_code: CtlCode,
        input: &[u8],
        max_output_response: u32,
    ) -> Response {
        let id = self.send_ioctl(world, file_id, ctl_code, input, max_output_response);
        self.answer(world, id)
    }

    pub(crate) fn send_ioctl(
        &mut self,
        world: &mut World,
        file_id: FileId,
        ctl_code: CtlCode,
        input: &[u8],
        max_output_response: u32,
    ) -> u64 {
        let request = IoctlRequest {
            ctl_code,
            file_id,
            max_output_response,
            flags: IoctlFlags::IS_FSCTL,
            input,
            ..Default::default()
        };
        self.send(world, Command::IOCTL, &request)
    }

    pub(crate) fn logoff(&mut self, world: &mut World) -> NtStatus {
        self.status(world, Command::LOGOFF, &EmptyBody::default())
    }

    pub(crate) fn tree_disconnect(&mut self, world: &mut World) -> NtStatus {
        self.status(world, Command::TREE_DISCONNECT, &EmptyBody::default())
    }
}

pub(crate) fn create_request<'m>(name: &'m Utf16Buf, how: Create<'m>) -> CreateRequest<'m> {
    CreateRequest {
        impersonation_level: ImpersonationLevel::IMPERSONATION,
        desired_access: how.access,
        file_attributes: how.attributes,
        share_access: how.share,
        create_disposition: how.disposition,
        create_options: how.options,
        requested_oplock_level: how.oplock,
        name: name.as_utf16(),
        contexts: how.contexts.into(),
        ..Default::default()
    }
}

pub(crate) fn write_request(file_id: FileId, offset: u64, data: &[u8]) -> WriteRequest<'_, &[u8]> {
    WriteRequest::new(file_id, offset, data)
}

pub(crate) fn read_result(response: &Response) -> Result<Vec<u8>, NtStatus> {
    if response.status() != NtStatus::SUCCESS {
        return Err(response.status());
    }
    Ok(response.body::<ReadResponse<&[u8]>>().data.to_vec())
}

pub(crate) fn exclusive(offset: u64, length: u64) -> LockElement {
    LockElement { offset, length, flags: LockFlags::EXCLUSIVE }
}

pub(crate) fn shared(offset: u64, length: u64) -> LockElement {
    LockElement { offset, length, flags: LockFlags::SHARED }
}

pub(crate) fn unlock(offset: u64, length: u64) -> LockElement {
    LockElement { offset, length, flags: LockFlags::UNLOCK }
}

/// The same lock, but not to be waited for.
pub(crate) fn now(element: LockElement) -> LockElement {
    LockElement { flags: element.flags | LockFlags::FAIL_IMMEDIATELY, ..element }
}

/// What a CHANGE_NOTIFY was answered.
pub(crate) fn changes(response: &Response) -> Vec<(NotifyAction, String)> {
    let body = response.body::<ChangeNotifyResponse<'_>>();
    NotifyEntries::new(body.buffer)
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.action, entry.name.to_text().unwrap()))
        .collect()
}
