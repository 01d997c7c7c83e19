//! Files and directories, apart from their names.

use std::sync::{Arc, Mutex, RwLock, atomic::AtomicU32, atomic::Ordering};

use bytes::Bytes;
use sansmb::wire::{FileAttributes, FileTime, NtStatus, fsctl::ChecksumType};
use sansmb_fileserver::storage::{
    Assigned, Changes, Integrity, Metadata, NodeId, Rights, Security, SecurityChange,
};

use super::{
    chunks::{BLOCK, Chunks, Usage},
    object_ids::ObjectId,
    quota::Charge,
    streams::{Attributes, Stream, Streams},
};
use crate::{
    attributes::{reparse_tag, settable, shown},
    slab::lock,
};

/// Capacity that a file or a stream takes before it holds anything: so that names alone cannot fill the memory.
pub(super) const OVERHEAD: u64 = 512;

/// A file or directory.
#[derive(Debug)]
pub(super) struct Inode {
    pub(super) number: u64,
    pub(super) directory: bool,
    pub(super) data: RwLock<Chunks>,
    pub(super) links: AtomicU32,
    pub(super) streams: Mutex<Streams>,
    pub(super) attributes: Mutex<Attributes>,
    times: Mutex<Times>,
    /// Who may do what, if anything is to be said.
    security: Mutex<Option<Assigned>>,
    /// What was said about checksums. Memory needs none: nothing is computed.
    integrity: Mutex<Integrity>,
    pub(super) object_id: Mutex<Option<Box<ObjectId>>>,
    /// What it holds as a reparse point.
    reparse: Mutex<Option<Bytes>>,
    /// What it takes, and of whom.
    pub(super) charge: Arc<Charge>,
    /// Capacity that it takes before it holds anything.
    overhead: u64,
}

#[derive(Debug, Clone, Copy)]
struct Times {
    created: FileTime,
    accessed: FileTime,
    written: FileTime,
    changed: FileTime,
    attributes: FileAttributes,
}

impl Inode {
    pub(super) fn new(
        number: u64,
        directory: bool,
        attributes: FileAttributes,
        security: Option<Assigned>,
        now: FileTime,
        usage: &Arc<Usage>,
    ) -> Result<Self, NtStatus> {
        usage.take(OVERHEAD + length_of(security.as_ref()))?;
        Ok(Self::make(number, directory, attributes, security, now, usage, OVERHEAD))
    }

    /// One that a volume has from the start, whatever its capacity.
    pub(super) fn fixed(
        number: u64,
        directory: bool,
        attributes: FileAttributes,
        security: Option<Assigned>,
        now: FileTime,
        usage: &Arc<Usage>,
    ) -> Self {
        usage.take_anyway(length_of(security.as_ref()));
        Self::make(number, directory, attributes, security, now, usage, 0)
    }

    fn make(
        number: u64,
        directory: bool,
        attributes: FileAttributes,
        security: Option<Assigned>,
        now: FileTime,
        usage: &Arc<Usage>,
        overhead: u64,
    ) -> Self {
        let charge = Charge::new(usage, Security::assigned(security.clone(), None).owner());
        Self {
            number,
            directory,
            data: RwLock::new(Chunks::new(Arc::clone(&charge))),
            links: AtomicU32::new(1),
            streams: Mutex::default(),
            attributes: Mutex::default(),
            times: Mutex::new(Times {
                created: now,
                accessed: now,
                written: now,
                changed: now,
                attributes: settable(attributes),
            }),
            security: Mutex::new(security),
            integrity: Mutex::default(),
            object_id: Mutex::default(),
            reparse: Mutex::default(),
            charge,
            overhead,
        }
    }

    pub(super) fn is_compressed(&self) -> bool {
        lock(&self.times).attributes.contains(FileAttributes::COMPRESSED)
    }

    pub(super) fn integrity(&self) -> Integrity {
        *lock(&self.integrity)
    }

    pub(super) fn set_integrity(&self, integrity: Integrity, now: FileTime) {
        *lock(&self.integrity) = integrity;
        self.changed(now);
    }

    /// It is new: it has what its directory has, or what its attributes ask for, [MS-FSA] 2.1.5.1.1.
    pub(super) fn inherit(&self, mut directory: Integrity, asked: FileAttributes) {
        if !directory.is_on() && asked.contains(FileAttributes::INTEGRITY_STREAM) {
            directory.algorithm = ChecksumType::CRC32;
        }
        *lock(&self.integrity) = directory;
    }

    pub(super) fn reparse(&self) -> Option<Bytes> {
        lock(&self.reparse).clone()
    }

    pub(super) fn security(&self) -> Security {
        Security::assigned(lock(&self.security).clone(), None)
    }

    pub(super) fn change_security(&self, change: &SecurityChange, now: FileTime) -> Result<(), NtStatus> {
        let mut stored = lock(&self.security);
        let before = Security::assigned(stored.clone(), None);
        let after = Assigned::Descriptor(change.apply(&before, self.directory)?);
        let owner = Security::assigned(Some(after.clone()), None).owner();
        let usage = &self.charge.usage;
        usage.take(length_of(Some(&after)))?;
        if let Err(status) = self.charge.change_owner(owner) {
            usage.give_back(length_of(Some(&after)));
            return Err(status);
        }
        usage.give_back(length_of(stored.as_ref()));
        *stored = Some(after);
        drop(stored);
        lock(&self.times).changed = now;
        Ok(())
    }

    pub(super) fn set_reparse(&self, data: Option<Bytes>, now: FileTime) -> Result<(), NtStatus> {
        let mut reparse = lock(&self.reparse);
        self.charge.usage.take(reparse_length(data.as_ref()))?;
        self.charge.usage.give_back(reparse_length(reparse.as_ref()));
        *reparse = data;
        lock(&self.times).changed = now;
        Ok(())
    }

    pub(super) fn metadata(&self, volume: u64) -> Metadata {
        let (length, allocated) = {
            let data = super::read(&self.data);
            (data.length(), data.allocated())
        };
        let times = *lock(&self.times);
        let reparse_tag = lock(&self.reparse).as_deref().map_or(0, reparse_tag);
        Metadata {
            node: NodeId { volume, file: self.number, stream: 0 },
            created: times.created,
            accessed: times.accessed,
            written: times.written,
            changed: times.changed,
            length,
            allocated: allocated.next_multiple_of(BLOCK),
            attributes: with_integrity(
                shown(times.attributes, self.directory, reparse_tag != 0),
                self.integrity().is_on(),
            ),
            links: self.links.load(Ordering::Relaxed),
            reparse_tag,
            ea_size: lock(&self.attributes).size(),
        }
    }

    /// Its data or, for a directory, its entries were changed.
    pub(super) fn written(&self, now: FileTime) {
        let mut times = lock(&self.times);
        times.written = now;
        times.changed = now;
    }

    /// Something about it was changed.
    pub(super) fn changed(&self, now: FileTime) {
        lock(&self.times).changed = now;
    }

    pub(super) fn change(&self, changes: &Changes, now: FileTime) {
        let mut times = lock(&self.times);
        times.changed = changes.changed.unwrap_or(now);
        times.created = changes.created.unwrap_or(times.created);
        times.accessed = changes.accessed.unwrap_or(times.accessed);
        times.written = changes.written.unwrap_or(times.written);
        times.attributes = changes.attributes.map_or(times.attributes, settable);
    }
}

/// Attributes that say whether there are checksums.
pub(super) fn with_integrity(mut attributes: FileAttributes, on: bool) -> FileAttributes {
    if on {
        attributes.remove(FileAttributes::NORMAL);
    }
    attributes.set(FileAttributes::INTEGRITY_STREAM, on);
    attributes
}

/// Capacity that a descriptor takes.
fn length_of(security: Option<&Assigned>) -> u64 {
    match security {
        Some(Assigned::Descriptor(bytes)) => bytes.len() as u64,
        _ => 0,
    }
}

/// Capacity that what a reparse point holds takes.
fn reparse_length(data: Option<&Bytes>) -> u64 {
    data.map_or(0, |data| data.len() as u64)
}

impl Drop for Inode {
    fn drop(&mut self) {
        let kept = length_of(lock(&self.security).as_ref()) + reparse_length(lock(&self.reparse).as_ref());
        self.charge.usage.give_back(self.overhead + kept);
    }
}

/// One name of a file. It moves with the name, so that whoever opened the file through it finds it
/// wherever it was renamed to.
#[derive(Debug, Default)]
pub(super) struct Link {
    /// Number of the directory and folded name; nothing once it is removed.
    pub(super) place: Mutex<Option<(u64, Arc<str>)>>,
}

/// What a handle stands for.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) inode: Arc<Inode>,
    /// Nothing for the root.
    pub(super) link: Option<Arc<Link>>,
    /// Nothing for the data of the file itself.
    pub(super) stream: Option<Arc<Stream>>,
    pub(super) rights: Rights,
    pub(super) position: Mutex<Position>,
}

impl Opened {
    /// The data that are read and written through it.
    pub(super) fn data(&self) -> &RwLock<Chunks> {
        self.stream.as_ref().map_or(&self.inode.data, |stream| &stream.data)
    }

    /// Whether it is on the entries of a directory.
    pub(super) fn is_directory(&self) -> bool {
        self.inode.directory && self.stream.is_none()
    }

    pub(super) fn metadata(&self, volume: u64) -> Metadata {
        let metadata = self.inode.metadata(volume);
        match &self.stream {
            Some(stream) => stream.metadata(metadata),
            None => metadata,
        }
    }
}

/// How far a listing has come.
#[derive(Debug, Default)]
pub(super) enum Position {
    #[default]
    Start,
    /// The folded name that was listed last.
    After(Arc<str>),
    End,
}
