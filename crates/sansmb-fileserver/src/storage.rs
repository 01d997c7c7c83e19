//! What the file server asks of a storage backend: a small set of jobs on opaque handles.
//!
//! The file server itself does no I/O. It emits a [`Job`]; a driver hands it to the share's
//! [`Storage`] and brings the [`Outcome`] back, at once, later, or from another thread. A backend
//! that cannot do a job answers [`NtStatus::NOT_SUPPORTED`] and the file server gives the client
//! what Windows gives.
//!
//! Names are compared without regard to case and kept as they were given. No path leaves the
//! share's root, whatever its names and symbolic links say: that is the backend's duty.

mod attributes;
mod data;
mod integrity;
mod object_id;
mod quota;

use std::{fmt::Debug, sync::Arc};

pub use attributes::{ExtendedAttribute, MAX_EXTENDED_ATTRIBUTES, merge_extended_attributes, packed_size};
pub use data::{Data, Held};
pub use integrity::Integrity;
pub use object_id::ObjectIdJob;
pub use quota::{NO_QUOTA, QUOTA_FILE, Quota, QuotaChange, QuotaControl, QuotaJob, QuotaLimits};

use bytes::Bytes;
use sansmb::{
    conn::MessageBuffer,
    wire::{
        CompletionFilter, FileAttributes, FileTime, NtStatus, dtyp::Sid, fscc::NotifyAction,
        fsctl::ObjectIdBuffer,
    },
};

pub use crate::security::{Assigned, Creator, MAX_DESCRIPTOR, Security, SecurityChange, Unix};

/// A backend for one share.
pub trait Storage: Debug + Send + Sync {
    /// Does `job` and calls `done` exactly once: before it returns where the work is quick (data
    /// in cache, metadata), from another thread where it is not.
    fn submit(&self, job: Job, done: Completion);

    /// What does not change while the share is served.
    fn traits(&self) -> StorageTraits;

    /// Whether it gains by [`Data::Held`] for large writes: not by default.
    fn takes_held(&self) -> bool {
        false
    }
}

/// Takes the outcome of one job.
pub type Completion = Box<dyn FnOnce(Outcome) + Send>;

/// How a job ended.
pub type Outcome = Result<Done, NtStatus>;

/// Properties of a backend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StorageTraits {
    /// Volume label that clients show.
    pub label: String,
    /// Volume serial number.
    pub serial: u32,
    /// Name of the file system (`NTFS` makes Windows offer everything).
    pub file_system: String,
    /// When the volume was made.
    pub created: FileTime,
    /// Nothing may be changed.
    pub read_only: bool,
    /// Longest name of one component, in UTF-16 units.
    pub max_name_len: u32,
    /// Descriptors can be kept with files. Where they cannot, [`Job::ChangeSecurity`] gives
    /// [`NtStatus::INVALID_DEVICE_REQUEST`], and new files get none.
    pub security: bool,
    /// Files and directories have named streams.
    pub named_streams: bool,
    /// Files and directories have extended attributes.
    pub extended_attributes: bool,
    /// What it can do beyond plain files.
    pub features: Features,
}

/// What a volume can do beyond plain files; clients are told, [MS-FSCC] 2.5.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Features {
    /// Files have holes: [`Job::Zero`] frees room.
    pub sparse: bool,
    /// [`Job::Share`].
    pub block_sharing: bool,
    /// COMPRESSED is an attribute that is kept.
    pub compression: bool,
    /// [`Job::Quota`].
    pub quotas: bool,
    /// [`Job::SetIntegrity`].
    pub integrity: bool,
    /// [`Job::SetReparse`].
    pub reparse_points: bool,
    /// [`Job::Link`].
    pub hard_links: bool,
}

/// A backend's own name for something that is open there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Handle(pub u64);

/// What stays the same however a file is named: device and file number, and which of its streams it
/// is. Share modes, locks and delete-pending are kept by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId {
    /// Device or volume.
    pub volume: u64,
    /// File number within it.
    pub file: u64,
    /// Number of a named stream among those of the file; zero for the data of the file itself, and
    /// for a directory.
    pub stream: u64,
}

impl NodeId {
    /// The file whose stream it is; itself for a file or directory.
    #[must_use]
    pub fn whole(self) -> Self {
        Self { stream: 0, ..self }
    }
}

/// What names a file for good: no other file, not even one that gets the number of a deleted one, has the
/// same, and it is still the same when the storage is opened again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileIdentity(pub [u64; 4]);

/// A path beneath the share's root: components without separators, none of them empty, `.` or
/// `..`, none with forbidden characters. The root is the empty path.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, PartialOrd, Ord)]
pub struct SharePath(pub Vec<Arc<str>>);

/// Which kinds of things an open accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Want {
    /// A file or a directory; a file where one has to be made.
    Any,
    /// A file, otherwise [`NtStatus::FILE_IS_A_DIRECTORY`].
    File,
    /// A directory, otherwise [`NtStatus::NOT_A_DIRECTORY`].
    Directory,
}

/// What an open does about existence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existence {
    /// It must exist: otherwise [`NtStatus::OBJECT_NAME_NOT_FOUND`], or
    /// [`NtStatus::OBJECT_PATH_NOT_FOUND`] where a parent is missing.
    MustExist,
    /// It must not: otherwise [`NtStatus::OBJECT_NAME_COLLISION`]; it is made.
    MustNotExist,
    /// It is made when it is missing.
    Either,
}

/// Which rights the backend's own handle needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rights {
    /// Read data.
    pub read: bool,
    /// Write data, set the length.
    pub write: bool,
}

/// Times and attributes to set; `None` leaves them alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Changes {
    /// Creation time.
    pub created: Option<FileTime>,
    /// Last access time.
    pub accessed: Option<FileTime>,
    /// Last write time.
    pub written: Option<FileTime>,
    /// Change time; backends that cannot set it ignore it.
    pub changed: Option<FileTime>,
    /// DOS attributes.
    pub attributes: Option<FileAttributes>,
}

/// One piece of work. Every variant says which [`Done`] it ends with.
#[derive(Debug)]
#[non_exhaustive]
pub enum Job {
    /// Looks up, opens or makes in one step, never truncating. Ends with [`Done::Opened`], or with
    /// [`Done::Stopped`] where a reparse point is in the way that a client set.
    Open {
        /// What.
        path: SharePath,
        /// Which kind.
        want: Want,
        /// Whether it must or may exist.
        existence: Existence,
        /// What the handle will be used for.
        rights: Rights,
        /// Attributes of what is made. COMPRESSED says: if the directory is. INTEGRITY_STREAM is for
        /// storages that keep [`Integrity`], and a directory that has it passes it on anyway.
        attributes: FileAttributes,
        /// Open a symbolic link or reparse point itself instead of what it points to.
        no_follow: bool,
        /// Who makes what is missing: whether they may is asked, and the descriptor that comes out is
        /// kept with what is made. Without one, nobody asks and nothing is kept.
        creator: Option<Arc<Creator>>,
    },
    /// Opens a named stream of an open file or directory, or makes it, never truncating. Ends with
    /// [`Done::OpenedStream`]; with [`NtStatus::OBJECT_NAME_INVALID`] where there are no streams.
    ///
    /// The new handle does not need the other one. Data and locks through it are those of the
    /// stream; times, attributes and extended attributes are those of the file.
    OpenStream {
        /// The file, or one of its streams.
        handle: Handle,
        /// The stream's name, not empty: without colons and type, compared without regard to case.
        name: Arc<str>,
        /// Whether it must or may exist.
        existence: Existence,
        /// What the handle will be used for.
        rights: Rights,
    },
    /// The streams of a file or directory, in any order. A file's own data are the one without a
    /// name. Ends with [`Done::Streams`].
    Streams {
        /// The file, or one of its streams.
        handle: Handle,
    },
    /// Gives an open stream another name. Ends with [`Done::Nothing`];
    /// [`NtStatus::OBJECT_NAME_COLLISION`] when it is taken and `replace` is off.
    RenameStream {
        /// The stream.
        handle: Handle,
        /// Its new name, not empty.
        to: Arc<str>,
        /// Whether a stream of that name is replaced.
        replace: bool,
    },
    /// Removes the named streams and the extended attributes of a file, as whoever overwrites it
    /// expects. Ends with [`Done::Nothing`].
    Strip {
        /// The file.
        handle: Handle,
    },
    /// The extended attributes of a file or directory. Ends with [`Done::ExtendedAttributes`].
    ExtendedAttributes {
        /// The file, or one of its streams.
        handle: Handle,
    },
    /// Sets extended attributes, all of them or none; one with an empty value is removed. Ends with
    /// [`Done::Nothing`]; [`NtStatus::EA_TOO_LARGE`] where there is no room for them.
    SetExtendedAttributes {
        /// The file, or one of its streams.
        handle: Handle,
        /// Which, in order.
        changes: Vec<ExtendedAttribute>,
    },
    /// Gives a handle back. Ends with [`Done::Nothing`].
    Close {
        /// Which.
        handle: Handle,
    },
    /// Appends up to `length` bytes from `offset` on to `into`. Ends with [`Done::Read`]; at or
    /// after the end of the file with nothing appended. There may be
    /// less room than that in `into`, which a driver may replace by memory that was used before while it is empty.
    ///
    /// A storage that reads in the thread of the caller may end it with [`Done::ReadPart`] after a part: then the rest
    /// is asked for once the driver has sent what it could, so that much data is not read while a client waits for
    /// what lies there already.
    Read {
        /// Which file.
        handle: Handle,
        /// From where, in bytes.
        offset: u64,
        /// How many bytes.
        length: u32,
        /// Where they go: room for `length` bytes is reserved in it.
        into: MessageBuffer,
    },
    /// Writes all of `data`. Ends with [`Done::Written`].
    Write {
        /// Which file.
        handle: Handle,
        /// To where, in bytes.
        offset: u64,
        /// What.
        data: Data,
        /// On stable storage before it ends.
        through: bool,
    },
    /// Brings a file's data to stable storage. Ends with [`Done::Nothing`].
    Flush {
        /// Which.
        handle: Handle,
    },
    /// Ends with [`Done::Metadata`].
    Stat {
        /// Which.
        handle: Handle,
    },
    /// Which file or stream it is for good. Ends with [`Done::Identified`];
    /// [`NtStatus::NOT_SUPPORTED`] where that cannot be said.
    Identify {
        /// Which.
        handle: Handle,
    },
    /// Looks at a name in a directory without opening it. Ends with [`Done::Found`], or
    /// [`NtStatus::NO_SUCH_FILE`].
    Find {
        /// The directory.
        handle: Handle,
        /// One component, without wildcards, compared without regard to case.
        name: Arc<str>,
        /// Whether the entry has to say who may do what.
        security: bool,
    },
    /// The next entries of a directory, without `.` and `..`, in any order that is stable while
    /// the handle is open. Ends with [`Done::Entries`].
    List {
        /// The directory.
        handle: Handle,
        /// Start over.
        restart: bool,
        /// At most so many.
        limit: usize,
        /// Whether the entries have to say who may do what.
        security: bool,
    },
    /// Sets times and attributes. Ends with [`Done::Nothing`].
    Change {
        /// Which.
        handle: Handle,
        /// What.
        changes: Changes,
    },
    /// Says who may do what. Ends with [`Done::Security`].
    Security {
        /// Which.
        handle: Handle,
    },
    /// Changes who may do what, in one step with looking at what there was. Ends with
    /// [`Done::Nothing`].
    ChangeSecurity {
        /// Which.
        handle: Handle,
        /// What.
        change: SecurityChange,
    },
    /// Sets the length of a file. Ends with [`Done::Nothing`].
    SetLength {
        /// Which.
        handle: Handle,
        /// In bytes.
        length: u64,
    },
    /// Reserves space without changing the length, as far as the backend can. Ends with
    /// [`Done::Nothing`].
    Allocate {
        /// Which.
        handle: Handle,
        /// In bytes.
        length: u64,
    },
    /// Gives an open file or directory another name. Ends with [`Done::Nothing`];
    /// [`NtStatus::OBJECT_NAME_COLLISION`] when the target exists and `replace` is off.
    Rename {
        /// Which.
        handle: Handle,
        /// Its new path.
        to: SharePath,
        /// Whether an existing file at `to` is replaced.
        replace: bool,
        /// Who does it: whether they may put something into the directory is asked.
        by: Option<Arc<Creator>>,
    },
    /// Gives an open file one more name. Ends with [`Done::Nothing`].
    Link {
        /// Which.
        handle: Handle,
        /// The other path.
        to: SharePath,
        /// Whether an existing file at `to` is replaced.
        replace: bool,
        /// Who does it: whether they may put something into the directory is asked.
        by: Option<Arc<Creator>>,
    },
    /// Removes the name under which `handle` was opened, or the stream that it is on; a directory
    /// must be empty, otherwise [`NtStatus::DIRECTORY_NOT_EMPTY`]. The streams of a file go with its
    /// last name. The handle stays open. Ends with [`Done::Nothing`].
    Unlink {
        /// Which.
        handle: Handle,
    },
    /// Whether a directory has no entries. Ends with [`Done::Empty`].
    IsEmpty {
        /// The directory.
        handle: Handle,
    },
    /// Ends with [`Done::Space`].
    Space {
        /// Something on the volume.
        handle: Handle,
        /// Whose quota narrows it down; none for all that there is.
        caller: Option<Box<Sid>>,
    },
    /// Who takes how much of the volume, and how much they may; [`NtStatus::NOT_SUPPORTED`] where no
    /// quotas are kept. Where they are enforced, what takes more ends with [`NtStatus::DISK_FULL`].
    Quota(QuotaJob),
    /// Copies within the backend. Ends with [`Done::Written`].
    Copy {
        /// From this file.
        from: Handle,
        /// From this offset.
        from_offset: u64,
        /// To this file.
        to: Handle,
        /// To this offset.
        to_offset: u64,
        /// How many bytes.
        length: u64,
    },
    /// Gives a range the same blocks as another one: no copy, and whoever writes to one does not
    /// change the other. Whole clusters only, in different places. Ends with [`Done::Nothing`], or
    /// [`NtStatus::NOT_SUPPORTED`] where the blocks cannot be shared.
    Share {
        /// From this file.
        from: Handle,
        /// From this offset.
        from_offset: u64,
        /// To this file.
        to: Handle,
        /// To this offset.
        to_offset: u64,
        /// How many bytes; the source has as many.
        length: u64,
    },
    /// What a reparse point holds. Ends with [`Done::Reparse`], or
    /// [`NtStatus::NOT_A_REPARSE_POINT`].
    GetReparse {
        /// Which, opened with `no_follow`.
        handle: Handle,
    },
    /// Makes a file or an empty directory a reparse point, or, with nothing, an ordinary one again.
    /// Ends with [`Done::Nothing`].
    SetReparse {
        /// Which.
        handle: Handle,
        /// REPARSE_DATA_BUFFER or REPARSE_GUID_DATA_BUFFER, [MS-FSCC] 2.1.2; at most 16 KiB.
        data: Option<Bytes>,
    },
    /// The object ID of a file or directory; [`NtStatus::NOT_SUPPORTED`] where none are kept.
    ObjectId {
        /// The file or directory, or one of its streams.
        handle: Handle,
        /// What of it.
        job: ObjectIdJob,
    },
    /// How the data of a file is protected. Ends with [`Done::Integrity`]; [`NtStatus::NOT_SUPPORTED`]
    /// where that is not kept.
    Integrity {
        /// The file or directory, or one of its streams.
        handle: Handle,
    },
    /// Protects the data of a file otherwise: INTEGRITY_STREAM is then one of its attributes, or is not.
    /// Ends with [`Done::Nothing`].
    SetIntegrity {
        /// The file or directory, or one of its streams.
        handle: Handle,
        /// How.
        integrity: Integrity,
    },
    /// Frees a range, which then reads as zeros. Ends with [`Done::Nothing`].
    Zero {
        /// Which.
        handle: Handle,
        /// From here.
        offset: u64,
        /// So many bytes.
        length: u64,
    },
    /// The ranges within `offset..offset + length` that hold data. Ends with [`Done::Ranges`].
    Ranges {
        /// Which.
        handle: Handle,
        /// From here.
        offset: u64,
        /// So many bytes.
        length: u64,
    },
    /// Waits until something changes in a directory that no job of this storage changes. Ends with
    /// [`Done::Changed`] once something did, be it since the last such job on the handle ended, or
    /// with [`NtStatus::CANCELLED`] by [`Job::Unwatch`] or [`Job::Close`].
    Watch {
        /// The directory.
        handle: Handle,
        /// Whether everything beneath it counts, or only what is in it.
        tree: bool,
    },
    /// Nobody wants to hear of a directory any more. Ends with [`Done::Nothing`].
    Unwatch {
        /// Which.
        handle: Handle,
    },
}

impl Job {
    /// What is left of a [`Job::Read`] of `length` bytes from `offset` on, of which `into` holds what was read, and
    /// nothing else.
    pub(crate) fn rest_of_read(handle: Handle, offset: u64, length: u32, into: MessageBuffer) -> Self {
        let got = into.len();
        let (offset, length) = (offset.saturating_add(got as u64), length.saturating_sub(got as u32));
        Self::Read { handle, offset, length, into }
    }
}

/// What a job that succeeded gives.
#[derive(Debug)]
#[non_exhaustive]
pub enum Done {
    /// Nothing to say.
    Nothing,
    /// See [`Job::Open`].
    Opened {
        /// The handle; to be given back with [`Job::Close`].
        handle: Handle,
        /// What it is.
        metadata: Metadata,
        /// Whether it was made just now.
        created: bool,
        /// Its path in the spelling of the storage.
        path: SharePath,
        /// Who may do what with it.
        security: Security,
    },
    /// See [`Job::Security`].
    Security(Security),
    /// See [`Job::OpenStream`].
    OpenedStream {
        /// The handle; to be given back with [`Job::Close`].
        handle: Handle,
        /// What it is: the length is the stream's, and it is no directory.
        metadata: Metadata,
        /// Whether it was made just now.
        created: bool,
        /// Its name in the spelling of the storage.
        name: Arc<str>,
    },
    /// See [`Job::Streams`].
    Streams(Vec<StreamInfo>),
    /// See [`Job::ExtendedAttributes`].
    ExtendedAttributes(Vec<ExtendedAttribute>),
    /// See [`Job::Open`]: a path leads over a reparse point, or to one that was not to be opened
    /// itself.
    Stopped {
        /// What it holds, as [`Done::Reparse`].
        reparse: Bytes,
        /// How many components of the path come after it.
        unparsed: usize,
    },
    /// See [`Job::GetReparse`].
    Reparse(Bytes),
    /// See [`Job::Read`].
    Read(MessageBuffer),
    /// See [`Job::Read`]: at least one byte was appended, and the rest is to be asked for.
    ReadPart(MessageBuffer),
    /// See [`ObjectIdJob`].
    ObjectId(ObjectIdBuffer),
    /// See [`Job::Integrity`].
    Integrity {
        /// How the data is protected.
        integrity: Integrity,
        /// Bytes that have one checksum.
        chunk: u32,
        /// Bytes of a cluster.
        cluster: u32,
    },
    /// Bytes written or copied.
    Written(u64),
    /// See [`Job::Stat`].
    Metadata(Metadata),
    /// See [`Job::Identify`].
    Identified(FileIdentity),
    /// See [`Job::Find`].
    Found(Entry),
    /// See [`Job::List`].
    Entries {
        /// The next entries.
        entries: Vec<Entry>,
        /// No more come after these.
        end: bool,
    },
    /// See [`Job::IsEmpty`].
    Empty(bool),
    /// See [`Job::Space`].
    Space(Space),
    /// See [`QuotaJob::Control`].
    QuotaControl(QuotaControl),
    /// See [`QuotaJob::Of`] and [`QuotaJob::List`].
    Quotas(Vec<Quota>),
    /// Offset and length of each range, ascending.
    Ranges(Vec<(u64, u64)>),
    /// See [`Job::Watch`].
    Changed {
        /// What changed, in order.
        changes: Vec<Changed>,
        /// More changed than is known.
        lost: bool,
    },
}

/// What is known of a file or directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metadata {
    /// Which it is.
    pub node: NodeId,
    /// Creation time.
    pub created: FileTime,
    /// Last access time.
    pub accessed: FileTime,
    /// Last write time.
    pub written: FileTime,
    /// Change time.
    pub changed: FileTime,
    /// Length in bytes; zero for directories.
    pub length: u64,
    /// Bytes allocated.
    pub allocated: u64,
    /// DOS attributes; has DIRECTORY for directories.
    pub attributes: FileAttributes,
    /// Number of names.
    pub links: u32,
    /// Reparse tag, or zero.
    pub reparse_tag: u32,
    /// What the extended attributes come to: see [`packed_size`]. Nobody asks for it when a file is
    /// opened, so that it may be zero there.
    pub ea_size: u32,
}

impl Metadata {
    /// Whether it is a directory.
    pub fn is_directory(&self) -> bool {
        self.attributes.contains(FileAttributes::DIRECTORY)
    }
}

/// A change that somebody else made in a directory that is watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// The path from the watched directory.
    pub path: SharePath,
    /// What happened to it.
    pub action: NotifyAction,
    /// All that it may mean.
    pub kind: CompletionFilter,
}

/// One entry of a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: Arc<str>,
    /// What it is.
    pub metadata: Metadata,
    /// Who may do what with it, if that was asked for.
    pub security: Option<Security>,
}

/// One stream of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamInfo {
    /// Its name; nothing for the data of the file itself.
    pub name: Arc<str>,
    /// Length in bytes.
    pub length: u64,
    /// Bytes allocated.
    pub allocated: u64,
}

/// Space on a volume, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Space {
    /// Size of the volume, or as much of it as the caller may have.
    pub total: u64,
    /// Free for this caller.
    pub available: u64,
    /// Free at all.
    pub free: u64,
    /// Unit of allocation.
    pub block: u32,
}
