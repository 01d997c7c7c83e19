//! A share in memory.

mod chunks;
mod data;
mod inode;
mod object_ids;
mod quota;
mod streams;
mod tree;
mod volume;

use std::{
    sync::{
        Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicU64, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use sansmb::wire::{FileAttributes, FileTime, NtStatus};
use sansmb_fileserver::storage::{
    Completion, Creator, Done, Entry, Existence, Features, FileIdentity, Handle, Job, Outcome, SharePath,
    Storage, StorageTraits, Want,
};

use self::{
    chunks::{BLOCK, Usage},
    inode::{Inode, Link, Opened, Position},
    object_ids::ObjectIds,
    tree::{Child, Names, QUOTA, ROOT, check_name},
};
use crate::{
    fold,
    slab::{Slab, lock},
};

/// Entries in one batch of a listing, whatever is asked for.
const BATCH: usize = 4096;

/// How a [`Memory`] behaves.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct MemoryOptions {
    /// Volume label that clients show.
    pub label: String,
    /// Bytes that all files may take together: their data in blocks of 4 KiB, and 512 bytes for
    /// each file and directory.
    pub capacity: u64,
    /// What time it is, for the times of files.
    pub clock: fn() -> FileTime,
}

impl Default for MemoryOptions {
    fn default() -> Self {
        Self { label: "memory".into(), capacity: 1 << 30, clock: system_time }
    }
}

#[expect(clippy::disallowed_methods, reason = "the default of an option")]
fn system_time() -> FileTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    FileTime::from_unix(i64::try_from(since.as_secs()).unwrap_or(i64::MAX), since.subsec_nanos())
}

/// Keeps files in memory: for tests, demonstrations and data that nobody needs tomorrow.
///
/// Every job ends before [`Storage::submit`] returns. Holes take no room.
#[derive(Debug)]
pub struct Memory {
    names: Mutex<Names>,
    opened: Slab<Opened>,
    quota_file: Arc<Inode>,
    object_ids: Arc<ObjectIds>,
    usage: Arc<Usage>,
    clock: fn() -> FileTime,
    volume: u64,
    traits: StorageTraits,
}

impl Memory {
    /// An empty share.
    pub fn new(options: MemoryOptions) -> Self {
        /// Tells the shares of one process apart.
        static VOLUMES: AtomicU64 = AtomicU64::new(1);
        let volume = VOLUMES.fetch_add(1, Ordering::Relaxed);
        let usage = Usage::new(options.capacity);
        let now = (options.clock)();
        let root = Inode::fixed(ROOT, true, FileAttributes::empty(), None, now, &usage);
        Self {
            names: Mutex::new(Names::new(Arc::new(root))),
            opened: Slab::default(),
            quota_file: Arc::new(volume::quota_file(&usage)),
            object_ids: Arc::default(),
            usage,
            clock: options.clock,
            volume,
            traits: StorageTraits {
                label: options.label,
                serial: 0x5ab0_0000 | (volume as u32 & 0xffff),
                file_system: "NTFS".into(),
                created: now,
                read_only: false,
                max_name_len: 255,
                security: true,
                named_streams: true,
                extended_attributes: true,
                features: Features {
                    sparse: true,
                    block_sharing: true,
                    compression: true,
                    quotas: true,
                    integrity: true,
                    reparse_points: true,
                    hard_links: true,
                },
            },
        }
    }

    fn now(&self) -> FileTime {
        (self.clock)()
    }

    fn get(&self, handle: Handle) -> Result<Arc<Opened>, NtStatus> {
        self.opened.get(handle).ok_or(NtStatus::FILE_CLOSED)
    }

    fn directory(&self, handle: Handle) -> Result<Arc<Opened>, NtStatus> {
        let opened = self.get(handle)?;
        // The quota file only looks like one.
        let listed = opened.is_directory() && opened.inode.number != QUOTA;
        if listed { Ok(opened) } else { Err(NtStatus::INVALID_PARAMETER) }
    }

    /// A file or directory whose name is concerned.
    fn whole(&self, handle: Handle) -> Result<Arc<Opened>, NtStatus> {
        let opened = self.get(handle)?;
        if opened.stream.is_none() { Ok(opened) } else { Err(NtStatus::INVALID_PARAMETER) }
    }

    fn attempt(&self, job: Job) -> Outcome {
        match job {
            Job::Open { .. } => self.open(job),
            Job::Close { handle } => {
                self.opened.remove(handle).map(|_| Done::Nothing).ok_or(NtStatus::FILE_CLOSED)
            }
            Job::Flush { handle } => self.get(handle).map(|_| Done::Nothing),
            Job::Stat { handle } => Ok(Done::Metadata(self.get(handle)?.metadata(self.volume))),
            Job::Identify { handle } => {
                // No number is given twice.
                let node = self.get(handle)?.metadata(self.volume).node;
                Ok(Done::Identified(FileIdentity([node.volume, node.file, node.stream, 0])))
            }
            Job::Find { handle, name, security } => {
                let dir = self.directory(handle)?;
                let names = lock(&self.names);
                let child = names.get(dir.inode.number, &fold(&name)).ok_or(NtStatus::NO_SUCH_FILE)?;
                Ok(Done::Found(self.entry(child, security)))
            }
            Job::List { handle, restart, limit, security } => {
                let dir = self.directory(handle)?;
                let mut position = lock(&dir.position);
                if restart {
                    *position = Position::Start;
                }
                let names = lock(&self.names);
                let (children, end) = names.list(dir.inode.number, &mut position, limit.min(BATCH));
                drop(names);
                let entries = children.iter().map(|child| self.entry(child, security)).collect();
                Ok(Done::Entries { entries, end })
            }
            Job::Change { handle, changes } => {
                self.get(handle)?.inode.change(&changes, self.now());
                Ok(Done::Nothing)
            }
            Job::Security { handle } => Ok(Done::Security(self.get(handle)?.inode.security())),
            Job::ChangeSecurity { handle, change } => {
                self.get(handle)?.inode.change_security(&change, self.now())?;
                Ok(Done::Nothing)
            }
            Job::Integrity { handle } => {
                let integrity = self.get(handle)?.inode.integrity();
                let block = BLOCK as u32;
                Ok(Done::Integrity { integrity, chunk: block, cluster: block })
            }
            Job::SetIntegrity { handle, integrity } => {
                self.get(handle)?.inode.set_integrity(integrity, self.now());
                Ok(Done::Nothing)
            }
            Job::ObjectId { handle, job } => self.object_id(handle, job),
            Job::GetReparse { handle } => {
                let reparse = self.get(handle)?.inode.reparse();
                reparse.map(Done::Reparse).ok_or(NtStatus::NOT_A_REPARSE_POINT)
            }
            Job::SetReparse { handle, data } => {
                let opened = self.get(handle)?;
                if opened.link.is_none() {
                    return Err(NtStatus::ACCESS_DENIED);
                }
                // The entries of a directory must not come between the look and the deed.
                let names = lock(&self.names);
                if data.is_some() && opened.inode.directory && !names.is_empty(opened.inode.number) {
                    return Err(NtStatus::DIRECTORY_NOT_EMPTY);
                }
                opened.inode.set_reparse(data, self.now()).map(|()| Done::Nothing)
            }
            Job::Rename { handle, to, replace, by } => self.rename(handle, &to, replace, by.as_deref()),
            Job::Link { handle, to, replace, by } => self.link(handle, &to, replace, by.as_deref()),
            Job::Unlink { handle } => {
                let opened = self.get(handle)?;
                if let Some(stream) = &opened.stream {
                    return self.unlink_stream(&opened.inode, stream);
                }
                let mut names = lock(&self.names);
                let (dir, folded) = place(&opened)?;
                names.remove(dir, &folded, self.now()).map(|()| Done::Nothing)
            }
            Job::IsEmpty { handle } => {
                let dir = self.directory(handle)?;
                Ok(Done::Empty(lock(&self.names).is_empty(dir.inode.number)))
            }
            Job::Space { handle, caller } => {
                self.get(handle)?;
                Ok(Done::Space(self.space(caller.as_deref())))
            }
            Job::Quota(job) => self.quota(job),
            Job::OpenStream { handle, name, existence, rights } => {
                self.open_stream(handle, &name, existence, rights)
            }
            Job::Streams { handle } => Ok(Done::Streams(self.list_streams(&self.get(handle)?.inode))),
            Job::Strip { handle } => {
                self.strip(&self.get(handle)?.inode);
                Ok(Done::Nothing)
            }
            Job::RenameStream { handle, to, replace } => self.rename_stream(handle, &to, replace),
            Job::ExtendedAttributes { handle } => {
                Ok(Done::ExtendedAttributes(lock(&self.get(handle)?.inode.attributes).list()))
            }
            Job::SetExtendedAttributes { handle, changes } => self.set_attributes(handle, &changes),
            other => self.data(other),
        }
    }

    fn entry(&self, child: &Child, security: bool) -> Entry {
        Entry {
            name: Arc::clone(&child.name),
            metadata: child.inode.metadata(self.volume),
            security: security.then(|| child.inode.security()),
        }
    }

    fn open(&self, job: Job) -> Outcome {
        let Job::Open { path: SharePath(path), want, existence, rights, attributes, no_follow, creator } =
            job
        else {
            return Err(NtStatus::INTERNAL_ERROR);
        };
        let mut names = lock(&self.names);
        let mut created = false;
        let (inode, link, path) = match path.split_last() {
            None => (names.inode(ROOT).ok_or(NtStatus::OBJECT_NAME_NOT_FOUND)?, None, Vec::new()),
            Some((name, parents)) => {
                check_name(name)?;
                let (way, mut spelled) = match names.locate(parents) {
                    Ok(located) => located,
                    Err(status) => return names.stopped(parents, path.len()).ok_or(status),
                };
                let dir = way.last().copied().unwrap_or(ROOT);
                let child = match names.get(dir, &fold(name)) {
                    Some(child) => child.clone(),
                    None if existence == Existence::MustExist => {
                        return Err(NtStatus::OBJECT_NAME_NOT_FOUND);
                    }
                    None => {
                        created = true;
                        let (number, now) = (names.next_number(), self.now());
                        let directory = want == Want::Directory;
                        let security = match &creator {
                            Some(creator) => Some(creator.assign(&names.security(dir)?, directory)?),
                            None => None,
                        };
                        let mut attributes = attributes;
                        if names.inode(dir).is_none_or(|dir| !dir.is_compressed()) {
                            attributes.remove(FileAttributes::COMPRESSED);
                        }
                        let inherited = names.inode(dir).map(|dir| dir.integrity()).unwrap_or_default();
                        let inode = Inode::new(number, directory, attributes, security, now, &self.usage)?;
                        inode.inherit(inherited, attributes);
                        let child =
                            Child { name: Arc::clone(name), inode: Arc::new(inode), link: Arc::default() };
                        names.insert(dir, child.clone(), now);
                        child
                    }
                };
                spelled.push(child.name);
                (child.inode, Some(child.link), spelled)
            }
        };
        drop(names);
        if existence == Existence::MustNotExist && !created {
            return Err(NtStatus::OBJECT_NAME_COLLISION);
        }
        if let (Some(reparse), false) = (inode.reparse(), no_follow) {
            return Ok(Done::Stopped { reparse, unparsed: 0 });
        }
        match (want, inode.directory) {
            (Want::File, true) => return Err(NtStatus::FILE_IS_A_DIRECTORY),
            (Want::Directory, false) => return Err(NtStatus::NOT_A_DIRECTORY),
            _ => {}
        }
        let metadata = inode.metadata(self.volume);
        let security = inode.security();
        let opened = Opened { inode, link, stream: None, rights, position: Mutex::default() };
        let handle = self.opened.insert(Arc::new(opened));
        Ok(Done::Opened { handle, metadata, created, path: SharePath(path), security })
    }

    fn rename(
        &self,
        handle: Handle,
        SharePath(to): &SharePath,
        replace: bool,
        by: Option<&Creator>,
    ) -> Outcome {
        let opened = self.whole(handle)?;
        let (name, parents) = to.split_last().ok_or(NtStatus::ACCESS_DENIED)?;
        if opened.link.is_none() {
            return Err(NtStatus::ACCESS_DENIED);
        }
        check_name(name)?;
        let mut names = lock(&self.names);
        let (way, _) = names.locate(parents)?;
        let (from, from_folded) = place(&opened)?;
        let dir = way.last().copied().unwrap_or(ROOT);
        if let Some(by) = by {
            by.may_add(&names.security(dir)?, opened.inode.directory)?;
        }
        let (folded, now) = (fold(name), self.now());
        // The file itself under another spelling makes room by moving.
        let itself = from == dir && *from_folded == *folded;
        if let Some(taken) = names.get(dir, &folded).filter(|_| !itself) {
            if taken.inode.number != opened.inode.number {
                self.check_replaceable(taken, opened.inode.directory, replace)?;
            }
            names.remove(dir, &folded, now)?;
        } else if way.contains(&opened.inode.number) {
            // A directory into itself.
            return Err(NtStatus::INVALID_PARAMETER);
        }
        let mut child = names.take(from, &from_folded, now).ok_or(NtStatus::OBJECT_NAME_NOT_FOUND)?;
        child.name = Arc::clone(name);
        names.insert(dir, child, now);
        Ok(Done::Nothing)
    }

    fn link(
        &self,
        handle: Handle,
        SharePath(to): &SharePath,
        replace: bool,
        by: Option<&Creator>,
    ) -> Outcome {
        let opened = self.whole(handle)?;
        if opened.inode.directory {
            return Err(NtStatus::FILE_IS_A_DIRECTORY);
        }
        let (name, parents) = to.split_last().ok_or(NtStatus::ACCESS_DENIED)?;
        check_name(name)?;
        let mut names = lock(&self.names);
        let (way, _) = names.locate(parents)?;
        place(&opened)?;
        let dir = way.last().copied().unwrap_or(ROOT);
        if let Some(by) = by {
            by.may_add(&names.security(dir)?, false)?;
        }
        let (folded, now) = (fold(name), self.now());
        if let Some(taken) = names.get(dir, &folded) {
            self.check_replaceable(taken, false, replace)?;
            if taken.inode.number == opened.inode.number {
                return Ok(Done::Nothing);
            }
            names.remove(dir, &folded, now)?;
        }
        opened.inode.links.fetch_add(1, Ordering::Relaxed);
        let child = Child {
            name: Arc::clone(name),
            inode: Arc::clone(&opened.inode),
            link: Arc::new(Link::default()),
        };
        names.insert(dir, child, now);
        Ok(Done::Nothing)
    }

    /// [MS-FSA] 2.1.5.15.12: directories are never replaced, nor replace anything.
    fn check_replaceable(&self, taken: &Child, by_directory: bool, replace: bool) -> Result<(), NtStatus> {
        if !replace {
            Err(NtStatus::OBJECT_NAME_COLLISION)
        } else if taken.inode.directory || by_directory {
            Err(NtStatus::ACCESS_DENIED)
        } else {
            Ok(())
        }
    }
}

/// Where the name is under which something was opened.
fn place(opened: &Opened) -> Result<(u64, Arc<str>), NtStatus> {
    let link = opened.link.as_ref().ok_or(NtStatus::ACCESS_DENIED)?;
    lock(&link.place).clone().ok_or(NtStatus::OBJECT_NAME_NOT_FOUND)
}

impl Storage for Memory {
    fn submit(&self, job: Job, done: Completion) {
        done(self.attempt(job));
    }

    fn traits(&self) -> StorageTraits {
        self.traits.clone()
    }
}

fn read<T>(it: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    it.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(it: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    it.write().unwrap_or_else(PoisonError::into_inner)
}
