//! A directory of this machine as a share.

mod beneath;
mod by_name;
mod data;
mod dirnames;
mod eas;
mod errno;
mod kept;
mod lane;
mod list;
mod meta;
mod names;
mod namespace;
mod node;
mod open;
mod parents;
mod parts;
mod pool;
mod processors;
mod remembered;
mod reparse;
mod security;
mod streams;
mod watch;
mod xattrs;

use std::{
    fs::File,
    io,
    os::fd::BorrowedFd,
    path::Path,
    sync::{Arc, Mutex},
};

use rustix::fs::{Mode, OFlags, ioctl_ficlone, openat};
use sansmb::wire::{FileTime, NtStatus};
use sansmb_fileserver::storage::{
    Completion, Done, Features, Handle, Job, Outcome, SecurityChange, Space, Storage, StorageTraits,
};

use self::{
    beneath::Root,
    data::is_in_memory,
    dirnames::{DirNamesCache, Scan, TooSlow, lock_for},
    errno::status,
    meta::Stat,
    node::{Cache, Node},
    parents::Parents,
    pool::Pool,
    remembered::Remembered,
    security::{Making, Process},
    streams::Streams,
    watch::Watches,
};
use crate::slab::{Slab, lock};

/// From this length on writing takes longer than waking another thread, by an order of magnitude.
const LARGE_WRITE: usize = 256 * 1024;

/// How a [`LocalDir`] behaves.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LocalOptions {
    /// Nothing may be changed.
    pub read_only: bool,
    /// Volume label that clients show.
    pub label: String,
    /// Threads for work that may wait for a disk; they start when they are needed.
    pub threads: usize,
    /// File names kept in memory for finding them without regard to case, in all directories
    /// together: some 80 bytes each. A directory with more is read for every name that is not found
    /// in the spelling given.
    pub known_names: usize,
    /// Whether a leading dot hides a file.
    pub hide_dot_files: bool,
}

impl Default for LocalOptions {
    fn default() -> Self {
        Self {
            read_only: false,
            label: "sansmb".into(),
            threads: 8,
            known_names: 1_000_000,
            hide_dot_files: true,
        }
    }
}

/// Serves a directory of this machine.
///
/// # Paths
///
/// The kernel resolves every path beneath the root (`openat2` with `RESOLVE_BENEATH`). Symbolic links
/// that stay inside are followed. One that leads out, and every absolute one, gives
/// [`NtStatus::ACCESS_DENIED`], one whose target is missing [`NtStatus::OBJECT_NAME_NOT_FOUND`] or
/// [`NtStatus::OBJECT_PATH_NOT_FOUND`], a loop [`NtStatus::REPARSE_POINT_NOT_RESOLVED`]. In listings a
/// link appears as what it points to, or as a reparse point where that cannot be reached; opened with
/// `no_follow` it is a reparse point, which can be renamed and removed. Removing or renaming a file
/// that was opened through a link concerns the link.
///
/// Names are found without regard to case, the exact spelling first; names that Windows forbids are
/// mapped to the private use area and back (the table of Services for Macintosh: `:` is U+F022), bytes
/// that are not UTF-8 to U+F080-U+F0FF.
///
/// Fifos, sockets and devices are listed; opening them gives [`NtStatus::ACCESS_DENIED`].
///
/// # Attributes
///
/// DOS attributes, the creation time and other times that the file system cannot hold are kept in the
/// extended attribute `user.sansmb.attributes` when they differ from what Unix says, and reparse points
/// that clients set in `user.sansmb.reparse`. Where the file system has no extended attributes, changes
/// to the former are accepted and lost, and there are no reparse points but symbolic links.
///
/// # Threads
///
/// Data in the page cache, small writes to it and metadata are handled by the caller of
/// [`Storage::submit`]; what may wait for a disk goes to a few threads, and so do large writes, since
/// the caller can receive the next one meanwhile.
///
/// # Limits
///
/// Unix cannot remove or rename by descriptor. The name is compared with the open file right before;
/// somebody else on this machine (no client) who swaps the name between the two calls can still
/// redirect the removal to another file in the share. Finding an open file after another program
/// renamed a directory above it needs `/proc`, and so do the attributes in listings.
#[derive(Debug)]
pub struct LocalDir {
    inner: Arc<Inner>,
    pool: Pool,
}

#[derive(Debug)]
struct Inner {
    root: Root,
    nodes: Slab<Node>,
    names: DirNamesCache,
    remembered: Remembered,
    parents: Parents,
    /// Held while something is renamed, because that locks two directories.
    renaming: Mutex<()>,
    watches: Watches,
    /// Held from looking at a security descriptor to replacing it.
    securing: Mutex<()>,
    making: Making,
    process: Process,
    streams: Streams,
    /// Held while extended attributes are set, because they are read before.
    attributes: Mutex<()>,
    options: LocalOptions,
    traits: StorageTraits,
    /// The volume of the root, if it is in memory: what is asked of its files never waits.
    memory: Option<u64>,
    /// How many threads look at the entries of directories at a time: one for each processor, up to four.
    processors: usize,
}

/// Why a job did not succeed.
#[derive(Debug)]
enum Fail {
    Status(NtStatus),
    /// It has to be done again where it may wait.
    Later,
}

impl From<NtStatus> for Fail {
    fn from(status: NtStatus) -> Self {
        Self::Status(status)
    }
}

impl From<rustix::io::Errno> for Fail {
    fn from(errno: rustix::io::Errno) -> Self {
        Self::Status(status(errno))
    }
}

impl From<TooSlow> for Fail {
    fn from(TooSlow: TooSlow) -> Self {
        Self::Later
    }
}

impl LocalDir {
    /// Serves the directory `root`. It stays this directory when it is renamed.
    pub fn open(root: impl AsRef<Path>, options: LocalOptions) -> io::Result<Self> {
        let fd = File::open(root.as_ref())?;
        if !fd.metadata()?.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        Self::with_root(Root::new(fd.into())?, options)
    }

    fn with_root(root: Root, options: LocalOptions) -> io::Result<Self> {
        let stat = Stat::of(root.fd())?;
        let node = stat.node();
        let mixed = (node.volume ^ node.file).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let streams = Streams::new(&root, options.read_only)?;
        let remembered = Remembered::new(root.fd(), node.volume);
        let memory = is_in_memory(root.fd()).then_some(node.volume);
        let traits = StorageTraits {
            label: options.label.clone(),
            serial: (mixed >> 32) as u32,
            file_system: "NTFS".into(),
            created: stat.metadata(None, false).created.max(FileTime(1)),
            read_only: options.read_only,
            max_name_len: 255,
            security: security::is_supported(root.fd()),
            named_streams: streams.possible(),
            extended_attributes: eas::possible(root.fd()),
            features: Features {
                sparse: true,
                block_sharing: !options.read_only && shares_blocks(root.fd()),
                compression: false,
                quotas: false,
                integrity: false,
                reparse_points: true,
                hard_links: true,
            },
        };
        Ok(Self {
            pool: Pool::new(options.threads),
            inner: Arc::new(Inner {
                root,
                nodes: Slab::default(),
                names: DirNamesCache::new(options.known_names),
                remembered,
                parents: Parents::default(),
                renaming: Mutex::new(()),
                watches: Watches::default(),
                securing: Mutex::new(()),
                making: Making::default(),
                process: Process::current(),
                streams,
                attributes: Mutex::new(()),
                options,
                traits,
                memory,
                processors: std::thread::available_parallelism().map_or(1, usize::from).min(4),
            }),
        })
    }

    /// Ends `done` with what `work` gives on a thread that may wait.
    fn later(&self, done: Completion, work: impl FnOnce(&Inner) -> Outcome + Send + 'static) {
        let inner = Arc::clone(&self.inner);
        self.pool.spawn(Box::new(move || done(work(&inner))));
    }
}

impl Storage for LocalDir {
    fn submit(&self, job: Job, done: Completion) {
        let inner = &self.inner;
        match job {
            Job::Read { handle, offset, length, into } => match inner.file(handle) {
                Ok(node) => {
                    let before = into.len();
                    match node.read_cached(offset, length, into) {
                        Ok(outcome) => done(outcome),
                        Err(into) => {
                            let got = into.len() - before;
                            let (offset, length) = (offset.saturating_add(got as u64), length - got as u32);
                            self.later(done, move |_| node.read(offset, length, into));
                        }
                    }
                }
                Err(status) => done(Err(status)),
            },
            Job::Write { through: false, handle, ref data, .. } => match inner.node(handle) {
                Ok(node) if data.len() >= LARGE_WRITE => {
                    let inner = Arc::clone(inner);
                    let work = move || done(settle(inner.attempt(&job, Scan::Any)));
                    self.pool.spawn_in(node.writes(), Box::new(work));
                }
                _ => done(settle(inner.attempt(&job, Scan::Any))),
            },
            Job::Watch { handle, tree } => {
                if inner.watches.watch(inner, handle, tree, done) {
                    let inner = Arc::clone(inner);
                    self.pool.spawn(Box::new(move || {
                        inner.watches.scan(&inner.root, handle, Vec::new(), false);
                    }));
                }
            }
            Job::List { handle, restart, limit, security } => {
                let (inner, workers) = (Arc::clone(inner), Arc::clone(self.pool.workers()));
                self.pool.spawn(Box::new(move || {
                    done(inner.list(&workers, handle, restart, limit, security));
                }));
            }
            // These may wait for a disk or take long whatever is in memory.
            Job::Write { .. }
            | Job::Flush { .. }
            | Job::IsEmpty { .. }
            | Job::Streams { .. }
            | Job::Allocate { .. }
            | Job::SetLength { .. }
            | Job::Copy { .. }
            | Job::Share { .. }
            | Job::Zero { .. }
            | Job::Ranges { .. } => self.later(done, move |inner| settle(inner.attempt(&job, Scan::Any))),
            _ => match inner.attempt(&job, Scan::Small) {
                Err(Fail::Later) => self.later(done, move |inner| settle(inner.attempt(&job, Scan::Any))),
                other => done(settle(other)),
            },
        }
    }

    fn traits(&self) -> StorageTraits {
        self.inner.traits.clone()
    }

    /// The kernel moves them to the file.
    fn takes_held(&self) -> bool {
        true
    }
}

impl Drop for LocalDir {
    /// Whoever waits for a change waits in vain.
    fn drop(&mut self) {
        self.inner.watches.close();
        self.inner.parents.close();
    }
}

/// Whether the file system can let two files have the same blocks: two files without names try.
fn shares_blocks(root: BorrowedFd<'_>) -> bool {
    let nameless = || {
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        openat(root, ".", flags, Mode::from_raw_mode(0o600))
    };
    match (nameless(), nameless()) {
        (Ok(one), Ok(two)) => ioctl_ficlone(one, two).is_ok(),
        _ => false,
    }
}

fn settle(result: Result<Done, Fail>) -> Outcome {
    result.map_err(|fail| match fail {
        Fail::Status(status) => status,
        Fail::Later => NtStatus::INTERNAL_ERROR,
    })
}

impl Inner {
    /// Does any job but a read; one that would have to read a large directory fails with
    /// [`Fail::Later`] under [`Scan::Small`].
    fn attempt(&self, job: &Job, scan: Scan) -> Result<Done, Fail> {
        let _own = self.watches.own(self, job);
        match job {
            Job::Open { .. } => self.open(job, scan),
            Job::Unwatch { handle } => {
                self.watches.unwatch(*handle);
                Ok(Done::Nothing)
            }
            Job::Close { handle } => {
                self.watches.unwatch(*handle);
                self.nodes.remove(*handle).ok_or(NtStatus::FILE_CLOSED)?;
                Ok(Done::Nothing)
            }
            Job::Write { handle, offset, data, through } => {
                Ok(self.file_to_change(*handle)?.write(*offset, data, *through)?)
            }
            Job::Flush { handle } => Ok(self.node(*handle)?.flush()?),
            Job::Stat { handle } => {
                let node = self.node(*handle)?;
                Ok(Done::Metadata(node.metadata(self.hidden(&node), &self.remembered)?))
            }
            Job::Identify { handle } => Ok(Done::Identified(self.node(*handle)?.identity()?)),
            Job::Find { handle, name, security } => self.find(*handle, name, *security, scan),
            Job::Change { handle, changes } => {
                self.check_writable()?;
                let node = self.node(*handle)?;
                node.change(self.hidden(&node), changes)?;
                Ok(Done::Nothing)
            }
            Job::Security { handle } => {
                Ok(Done::Security(self.node(*handle)?.whole().security(&self.process)?))
            }
            Job::ChangeSecurity { handle, change } => Ok(self.change_security(*handle, change)?),
            Job::SetLength { handle, length } => Ok(self.file_to_change(*handle)?.set_length(*length)?),
            Job::Allocate { handle, length } => Ok(self.file_to_change(*handle)?.allocate(*length)?),
            Job::Rename { handle, to, replace, by } => {
                self.rename(*handle, to, *replace, by.as_deref(), scan)
            }
            Job::Link { handle, to, replace, by } => self.link(*handle, to, *replace, by.as_deref(), scan),
            Job::Unlink { handle } => self.unlink(*handle, scan),
            Job::IsEmpty { handle } => Ok(self.is_empty(*handle)?),
            Job::Space { handle, .. } => Ok(self.space(*handle)?),
            Job::Copy { from, from_offset, to, to_offset, length } => {
                let (from, to) = (self.file(*from)?, self.file_to_change(*to)?);
                Ok(to.copy(*to_offset, &from, *from_offset, *length)?)
            }
            Job::Share { from, from_offset, to, to_offset, length } => {
                let (from, to) = (self.file(*from)?, self.file_to_change(*to)?);
                if !self.traits.features.block_sharing {
                    return Err(NtStatus::NOT_SUPPORTED.into());
                }
                // Where blocks can be shared, the kernel's copy of whole blocks does so.
                match to.copy(*to_offset, &from, *from_offset, *length)? {
                    Done::Written(all) if all == *length => Ok(Done::Nothing),
                    _ => Err(NtStatus::NOT_SUPPORTED.into()),
                }
            }
            Job::GetReparse { handle } => Ok(self.get_reparse(*handle)?),
            Job::SetReparse { handle, data } => self.set_reparse(*handle, data.as_ref(), scan),
            Job::Zero { handle, offset, length } => {
                Ok(self.file_to_change(*handle)?.zero(*offset, *length)?)
            }
            Job::Ranges { handle, offset, length } => Ok(self.file(*handle)?.ranges(*offset, *length)?),
            Job::OpenStream { handle, name, existence, rights } => {
                self.open_stream(*handle, name, *existence, *rights, scan)
            }
            Job::Streams { handle } => Ok(self.list_streams(*handle)?),
            Job::Strip { handle } => Ok(self.strip(*handle)?),
            Job::RenameStream { handle, to, replace } => self.rename_stream(*handle, to, *replace, scan),
            Job::ExtendedAttributes { handle } => {
                let list = eas::list(self.node(*handle)?.whole())?;
                Ok(Done::ExtendedAttributes(list))
            }
            Job::SetExtendedAttributes { handle, changes } => {
                self.check_writable()?;
                let _one = lock_for(&self.attributes, scan)?;
                eas::set(self.node(*handle)?.whole(), changes)?;
                Ok(Done::Nothing)
            }
            _ => Err(NtStatus::NOT_SUPPORTED.into()),
        }
    }

    /// Keeps something that was opened.
    fn keep(&self, node: Node) -> Handle {
        if self.memory == Some(node.id().volume) {
            node.set_cache(Cache::Everything);
        }
        self.nodes.insert(Arc::new(node))
    }

    fn node(&self, handle: Handle) -> Result<Arc<Node>, NtStatus> {
        self.nodes.get(handle).ok_or(NtStatus::FILE_CLOSED)
    }

    /// A file whose data are concerned.
    fn file(&self, handle: Handle) -> Result<Arc<Node>, NtStatus> {
        let node = self.node(handle)?;
        if node.is_file() { Ok(node) } else { Err(NtStatus::INVALID_DEVICE_REQUEST) }
    }

    fn file_to_change(&self, handle: Handle) -> Result<Arc<Node>, NtStatus> {
        self.check_writable()?;
        self.file(handle)
    }

    fn directory(&self, handle: Handle) -> Result<Arc<Node>, NtStatus> {
        let node = self.node(handle)?;
        if node.is_directory() { Ok(node) } else { Err(NtStatus::INVALID_PARAMETER) }
    }

    fn check_writable(&self) -> Result<(), NtStatus> {
        if self.options.read_only { Err(NtStatus::MEDIA_WRITE_PROTECTED) } else { Ok(()) }
    }

    /// Whether a name on disk hides what it names.
    fn dot(&self, disk: &[u8]) -> bool {
        self.options.hide_dot_files && disk.first() == Some(&b'.')
    }

    fn hidden(&self, node: &Arc<Node>) -> bool {
        self.dot(node::split(&node.whole().path()).1)
    }

    fn change_security(&self, handle: Handle, change: &SecurityChange) -> Outcome {
        self.check_writable()?;
        if !self.traits.security {
            return Err(NtStatus::INVALID_DEVICE_REQUEST);
        }
        let node = Arc::clone(self.node(handle)?.whole());
        let _alone = lock(&self.securing);
        let descriptor = change.apply(&node.security(&self.process)?, node.is_directory())?;
        node.set_security(self.hidden(&node), &descriptor)?;
        Ok(Done::Nothing)
    }

    fn space(&self, handle: Handle) -> Outcome {
        let node = self.node(handle)?;
        let volume = rustix::fs::fstatvfs(node.fd()).map_err(status)?;
        let bytes = |blocks: u64| blocks.saturating_mul(volume.f_frsize);
        Ok(Done::Space(Space {
            total: bytes(volume.f_blocks),
            available: bytes(volume.f_bavail),
            free: bytes(volume.f_bfree),
            block: u32::try_from(volume.f_frsize).unwrap_or(4096),
        }))
    }
}
