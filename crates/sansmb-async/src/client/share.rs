//! A share that is connected.

use std::sync::Arc;

use bytes::Bytes;
use sansmb::{
    client::{Member, Outcome, Response, TreeRef},
    op,
    wire::{
        AccessMask, Bulk, CloseRequest, CreateDisposition, CreateOptions, CreateRequest, CreateResponse,
        FileAttributes, FileId, FileTime, ImpersonationLevel, InfoType, NtStatus, QueryInfoRequest,
        ReadRequest, ShareAccess, ShareType, TreeConnectResponse, Utf16Buf, WriteRequest, fscc,
    },
    wire::{Structure, Utf16},
};

use super::{
    connection::Handle,
    dir::DirStream,
    driver::Op,
    file::{File, disposition, read_result, renamed, set_info},
};
use crate::error::{Error, Result};

/// Every member of a compound is an operation.
pub(super) const LOST: &str = "a member of a compound was lost";

/// A share that is connected; it is let go with the last handle.
#[derive(Debug, Clone)]
pub struct Share {
    pub(super) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) handle: Arc<Handle>,
    pub(super) tree: TreeRef,
    pub(super) about: TreeConnectResponse,
    pub(super) max_read: u32,
    pub(super) max_write: u32,
    pub(super) max_transact: u32,
}

impl Drop for Inner {
    fn drop(&mut self) {
        let tree = self.tree;
        self.handle.shared.forget(|client, now| client.tree_disconnect(tree, now));
    }
}

/// What is known of a file or directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metadata {
    /// When it was made.
    pub created: FileTime,
    /// When it was last read.
    pub accessed: FileTime,
    /// When its data last changed.
    pub written: FileTime,
    /// When its metadata last changed.
    pub changed: FileTime,
    /// Length in bytes.
    pub len: u64,
    /// Bytes allocated.
    pub allocated: u64,
    /// DOS attributes.
    pub attributes: FileAttributes,
}

impl Metadata {
    /// Whether it is a directory.
    pub fn is_dir(&self) -> bool {
        self.attributes.contains(FileAttributes::DIRECTORY)
    }

    pub(super) fn from_create(response: &CreateResponse<'_>) -> Self {
        Self {
            created: response.creation_time,
            accessed: response.last_access_time,
            written: response.last_write_time,
            changed: response.change_time,
            len: response.end_of_file,
            allocated: response.allocation_size,
            attributes: response.file_attributes,
        }
    }
}

/// Space of a share, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FsSpace {
    /// Size of the volume.
    pub total: u64,
    /// Free for this user.
    pub available: u64,
    /// Free at all.
    pub free: u64,
}

/// How a file is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenOptions {
    /// What the open is to be allowed.
    pub access: AccessMask,
    /// What others may do meanwhile.
    pub share: ShareAccess,
    /// Open or make.
    pub disposition: CreateDisposition,
    /// How to open.
    pub options: CreateOptions,
    /// Attributes for a new file.
    pub attributes: FileAttributes,
}

impl OpenOptions {
    /// Reads an existing file; others may read, write and delete it.
    pub fn read() -> Self {
        Self {
            access: AccessMask::FILE_GENERIC_READ,
            share: ShareAccess::READ | ShareAccess::WRITE | ShareAccess::DELETE,
            disposition: CreateDisposition::OPEN,
            options: CreateOptions::NON_DIRECTORY_FILE,
            attributes: FileAttributes::empty(),
        }
    }

    /// Writes a file, which is made or emptied; others may read it.
    pub fn write() -> Self {
        Self {
            access: AccessMask::FILE_GENERIC_READ | AccessMask::FILE_GENERIC_WRITE | AccessMask::DELETE,
            share: ShareAccess::READ,
            disposition: CreateDisposition::OVERWRITE_IF,
            options: CreateOptions::NON_DIRECTORY_FILE,
            attributes: FileAttributes::NORMAL,
        }
    }

    /// The same, but the file must not exist yet.
    pub fn create_new() -> Self {
        Self { disposition: CreateDisposition::CREATE, ..Self::write() }
    }

    /// Lists an existing directory.
    pub fn list() -> Self {
        Self { options: CreateOptions::DIRECTORY_FILE, ..Self::read() }
    }

    /// Looks at metadata alone, of a file or directory.
    pub fn metadata() -> Self {
        Self {
            access: AccessMask::FILE_READ_ATTRIBUTES | AccessMask::SYNCHRONIZE,
            options: CreateOptions::empty(),
            ..Self::read()
        }
    }

    fn for_delete(options: CreateOptions) -> Self {
        let access = AccessMask::DELETE | AccessMask::FILE_READ_ATTRIBUTES;
        // The link itself goes away, not what it points to.
        Self { access, options: options | CreateOptions::OPEN_REPARSE_POINT, ..Self::read() }
    }

    pub(super) fn request<'m>(&self, name: Utf16<'m>) -> CreateRequest<'m> {
        CreateRequest {
            impersonation_level: ImpersonationLevel::IMPERSONATION,
            desired_access: self.access,
            file_attributes: self.attributes,
            share_access: self.share,
            create_disposition: self.disposition,
            create_options: self.options,
            name,
            ..Default::default()
        }
    }
}

/// A path as SMB2 has it: `/` becomes `\`, and there is none at either end.
pub(super) fn wire_path(path: &str) -> Utf16Buf {
    Utf16Buf::new(path.trim_matches(['/', '\\']).replace('/', "\\").as_str())
}

/// The response of an operation that gives nothing else.
pub(super) fn response(outcome: Outcome) -> Result<Response> {
    match outcome {
        Outcome::Response(response) => Ok(response),
        _ => Err(Error::Unexpected("the answer is to another question")),
    }
}

impl Share {
    pub(super) fn new(handle: Arc<Handle>, tree: TreeRef, about: TreeConnectResponse) -> Result<Self> {
        let sizes = handle.shared.look(|client| {
            client.agreement().map(|a| (a.max_read_size, a.max_write_size, a.max_transact_size))
        });
        let (max_read, max_write, max_transact) = sizes.ok_or(Error::Unexpected("nothing is negotiated"))?;
        let inner = Inner { handle, tree, about, max_read, max_write, max_transact };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Disk, pipe or printer.
    pub fn share_type(&self) -> ShareType {
        self.inner.about.share_type
    }

    /// What the user may do at most.
    pub fn maximal_access(&self) -> AccessMask {
        self.inner.about.maximal_access
    }

    /// Opens or makes a file.
    pub async fn open(&self, path: &str, options: OpenOptions) -> Result<File> {
        let name = wire_path(path);
        let request = options.request(name.as_utf16());
        self.file(self.start::<op::Create>(&request).await?)
    }

    /// Opens a file and reads up to `limit` bytes from its start, in one round trip.
    ///
    /// `limit` counts for no more than the server answers at once. What was read is empty at the end of the
    /// file, and `None` where the server refused it.
    pub async fn open_and_read(
        &self,
        path: &str,
        options: OpenOptions,
        limit: u32,
    ) -> Result<(File, Option<Bytes>)> {
        let name = wire_path(path);
        let create = Member::new::<op::Create>(&options.request(name.as_utf16()));
        let read = ReadRequest {
            length: limit.min(self.inner.max_read),
            file_id: FileId::ANY,
            ..Default::default()
        };
        let mut ops = self.start_all(vec![create, Member::new::<op::Read>(&read)]).into_iter();
        let (Some(created), Some(read)) = (ops.next(), ops.next()) else {
            return Err(Error::Unexpected(LOST));
        };
        let (created, read) = (created.await, read.await);
        Ok((self.file(created?)?, read_result(read).ok()))
    }

    /// The file that a CREATE opened.
    pub(super) fn file(&self, outcome: Outcome) -> Result<File> {
        let response = response(outcome)?;
        let created: CreateResponse<'_> = response.body::<op::Create>()?;
        Ok(File::new(self.clone(), created.file_id, Metadata::from_create(&created)))
    }

    /// Lists a directory; an empty path is the share itself.
    pub async fn read_dir(&self, path: &str) -> Result<DirStream> {
        let dir = self.open(path, OpenOptions::list()).await?;
        Ok(DirStream::new(dir))
    }

    /// What is known of a file or directory.
    pub async fn metadata(&self, path: &str) -> Result<Metadata> {
        let name = wire_path(path);
        let create = OpenOptions::metadata().request(name.as_utf16());
        let mut responses = self.opened(&create, Vec::new()).await?;
        let created = responses.swap_remove(0);
        Ok(Metadata::from_create(&created.body::<op::Create>()?))
    }

    /// Reads up to `limit` bytes from the start of a file, which is opened, read and closed in one round trip.
    ///
    /// `limit` counts for no more than the server answers at once.
    pub async fn read_file(&self, path: &str, limit: u32) -> Result<Bytes> {
        let name = wire_path(path);
        let create = OpenOptions::read().request(name.as_utf16());
        let length = limit.min(self.inner.max_read);
        let read = ReadRequest { length, file_id: FileId::ANY, ..Default::default() };
        match self.opened(&create, vec![Member::new::<op::Read>(&read)]).await {
            Ok(responses) => {
                let answer = responses.get(1).ok_or(Error::Unexpected("no answer to READ"))?;
                Ok(answer.read_data()?)
            }
            Err(error) if error.status() == Some(NtStatus::END_OF_FILE) => Ok(Bytes::new()),
            Err(error) => Err(error),
        }
    }

    /// Makes or empties a file, writes `data` and closes it, in one round trip as long as the server takes
    /// that much at once.
    pub async fn write_file(&self, path: &str, options: OpenOptions, data: Bytes) -> Result<()> {
        if data.len() > self.inner.max_write as usize {
            let file = self.open(path, options).await?;
            file.write_at(0, data).await?;
            return file.close().await;
        }
        let name = wire_path(path);
        let create = options.request(name.as_utf16());
        let len = data.len();
        let middle = match len {
            0 => Vec::new(),
            _ => {
                let request = WriteRequest::new(FileId::ANY, 0, Bulk(len));
                vec![Member::write(&request, data.into())]
            }
        };
        let responses = self.opened(&create, middle).await?;
        let short = "the server wrote less than it was given";
        match responses.get(1).filter(|_| len > 0) {
            Some(answer) if answer.body::<op::Write>()?.count as usize != len => {
                Err(Error::Unexpected(short))
            }
            _ => Ok(()),
        }
    }

    /// Makes a directory; its parent must be there.
    pub async fn create_dir(&self, path: &str) -> Result<()> {
        let name = wire_path(path);
        let options = OpenOptions {
            access: AccessMask::FILE_LIST_DIRECTORY | AccessMask::SYNCHRONIZE,
            disposition: CreateDisposition::CREATE,
            attributes: FileAttributes::DIRECTORY,
            ..OpenOptions::list()
        };
        self.opened(&options.request(name.as_utf16()), Vec::new()).await?;
        Ok(())
    }

    /// Removes a file.
    pub async fn remove_file(&self, path: &str) -> Result<()> {
        let name = wire_path(path);
        let options = CreateOptions::NON_DIRECTORY_FILE | CreateOptions::DELETE_ON_CLOSE;
        let create = OpenOptions::for_delete(options).request(name.as_utf16());
        self.opened(&create, Vec::new()).await?;
        Ok(())
    }

    /// Removes an empty directory.
    pub async fn remove_dir(&self, path: &str) -> Result<()> {
        let name = wire_path(path);
        let info = disposition(true);
        // Whether it is empty is told to whoever marks it for deletion, and not always to who closes it.
        let set = set_info(FileId::ANY, fscc::FileInfoClass::DISPOSITION, &info);
        let create = OpenOptions::for_delete(CreateOptions::DIRECTORY_FILE).request(name.as_utf16());
        self.opened(&create, vec![Member::new::<op::SetInfo>(&set)]).await?;
        Ok(())
    }

    /// Gives a file or directory another name.
    pub async fn rename(&self, from: &str, to: &str, replace: bool) -> Result<()> {
        let (from, info) = (wire_path(from), renamed(to, replace));
        let set = set_info(FileId::ANY, fscc::FileInfoClass::RENAME, &info);
        let create = OpenOptions::for_delete(CreateOptions::empty()).request(from.as_utf16());
        self.opened(&create, vec![Member::new::<op::SetInfo>(&set)]).await?;
        Ok(())
    }

    /// Space of the volume.
    pub async fn space(&self) -> Result<FsSpace> {
        let options = OpenOptions { options: CreateOptions::DIRECTORY_FILE, ..OpenOptions::metadata() };
        let query = QueryInfoRequest {
            info_type: InfoType::FILESYSTEM,
            info_class: fscc::FsInfoClass::FULL_SIZE.0,
            output_buffer_length: 1024,
            file_id: FileId::ANY,
            ..Default::default()
        };
        let create = options.request(Utf16::default());
        let responses = self.opened(&create, vec![Member::new::<op::QueryInfo>(&query)]).await?;
        let answer = responses.get(1).ok_or(Error::Unexpected("no answer to QUERY_INFO"))?;
        let info = fscc::FsFullSizeInfo::decode(answer.body::<op::QueryInfo>()?.buffer)?;
        let unit = u64::from(info.sectors_per_allocation_unit).saturating_mul(info.bytes_per_sector.into());
        Ok(FsSpace {
            total: info.total_allocation_units.saturating_mul(unit),
            available: info.caller_available_allocation_units.saturating_mul(unit),
            free: info.actual_available_allocation_units.saturating_mul(unit),
        })
    }

    pub(super) fn start<O: op::Op>(&self, request: &O::Request<'_>) -> Op {
        let tree = self.inner.tree;
        self.inner.handle.shared.start(Some(tree), |client, now| client.request::<O>(tree, request, now))
    }

    /// Some requests in one frame, each after the first on the file that the one before opened or used.
    pub(super) fn start_all(&self, members: Vec<Member>) -> Vec<Op> {
        let tree = self.inner.tree;
        self.inner.handle.shared.start_all(tree, |client, now| client.compound(tree, members, now))
    }

    /// CREATE, some requests on what it opened, CLOSE, in one frame: one round trip. The first
    /// failure is the result.
    async fn opened(&self, create: &CreateRequest<'_>, middle: Vec<Member>) -> Result<Vec<Response>> {
        let mut members = vec![Member::new::<op::Create>(create)];
        members.extend(middle);
        let close = CloseRequest { file_id: FileId::ANY, ..Default::default() };
        members.push(Member::new::<op::Close>(&close));
        let mut responses = Vec::new();
        let mut failure = None;
        for op in self.start_all(members) {
            match op.await {
                Ok(outcome) => responses.push(response(outcome)?),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        if let Some(error) = failure {
            self.close_leftover(&responses);
            return Err(error.into());
        }
        Ok(responses)
    }

    /// A member in the middle failed, and so did the CLOSE that was related to it: closes the file.
    fn close_leftover(&self, responses: &[Response]) {
        if let [created] = responses
            && let Ok(created) = created.body::<op::Create>()
        {
            self.close_file(created.file_id);
        }
    }

    pub(super) fn close_file(&self, file_id: FileId) {
        let tree = self.inner.tree;
        let request = CloseRequest { file_id, ..Default::default() };
        self.inner.handle.shared.forget(|client, now| client.request::<op::Close>(tree, &request, now));
    }

    /// Whether something is there.
    pub async fn exists(&self, path: &str) -> Result<bool> {
        match self.metadata(path).await {
            Ok(_) => Ok(true),
            Err(error) => match error.status() {
                Some(
                    NtStatus::OBJECT_NAME_NOT_FOUND
                    | NtStatus::OBJECT_PATH_NOT_FOUND
                    | NtStatus::NO_SUCH_FILE,
                ) => Ok(false),
                _ => Err(error),
            },
        }
    }
}
