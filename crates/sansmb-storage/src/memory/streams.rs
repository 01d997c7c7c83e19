//! Named streams and extended attributes.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, RwLock},
};

use sansmb::wire::{FileAttributes, NtStatus};
use sansmb_fileserver::storage::{
    Done, Existence, ExtendedAttribute, Handle, Metadata, NodeId, Outcome, Rights, StreamInfo,
    merge_extended_attributes, packed_size,
};

use super::{
    Memory,
    chunks::{BLOCK, Chunks, Usage},
    inode::{Inode, OVERHEAD, Opened, with_integrity},
    quota::Charge,
    read,
};
use crate::{attributes::shown, fold, slab::lock, streams::check_stream_name};

/// A named stream.
#[derive(Debug)]
pub(super) struct Stream {
    /// Among those of the file; never used twice.
    number: u64,
    /// In the spelling given; nothing once it is removed.
    name: Mutex<Option<Arc<str>>>,
    pub(super) data: RwLock<Chunks>,
    usage: Arc<Usage>,
}

impl Stream {
    fn new(number: u64, name: &Arc<str>, charge: &Arc<Charge>) -> Result<Self, NtStatus> {
        let usage = &charge.usage;
        usage.take(OVERHEAD)?;
        Ok(Self {
            number,
            name: Mutex::new(Some(Arc::clone(name))),
            data: RwLock::new(Chunks::new(Arc::clone(charge))),
            usage: Arc::clone(usage),
        })
    }

    /// The file's metadata with what belongs to the stream.
    pub(super) fn metadata(&self, file: Metadata) -> Metadata {
        let data = read(&self.data);
        Metadata {
            node: NodeId { stream: self.number, ..file.node },
            length: data.length(),
            allocated: data.allocated().next_multiple_of(BLOCK),
            attributes: with_integrity(
                shown(file.attributes.difference(FileAttributes::NORMAL), false, false),
                file.attributes.contains(FileAttributes::INTEGRITY_STREAM),
            ),
            ..file
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.usage.give_back(OVERHEAD);
    }
}

/// The named streams of a file.
#[derive(Debug, Default)]
pub(super) struct Streams {
    by_fold: BTreeMap<String, Arc<Stream>>,
    last: u64,
}

impl Streams {
    pub(super) fn list(&self) -> Vec<StreamInfo> {
        let info = |stream: &Arc<Stream>| {
            let data = read(&stream.data);
            let name = lock(&stream.name).clone()?;
            let allocated = data.allocated().next_multiple_of(BLOCK);
            Some(StreamInfo { name, length: data.length(), allocated })
        };
        self.by_fold.values().filter_map(info).collect()
    }
}

/// The extended attributes of a file, and the capacity that they take.
#[derive(Debug, Default)]
pub(super) struct Attributes {
    list: Vec<ExtendedAttribute>,
    taken: Option<Taken>,
}

impl Attributes {
    pub(super) fn list(&self) -> Vec<ExtendedAttribute> {
        self.list.clone()
    }

    pub(super) fn size(&self) -> u32 {
        packed_size(&self.list)
    }
}

/// Capacity that is given back when it is not needed any more.
#[derive(Debug)]
struct Taken {
    bytes: u64,
    usage: Arc<Usage>,
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.usage.give_back(self.bytes);
    }
}

impl Memory {
    pub(super) fn open_stream(
        &self,
        handle: Handle,
        name: &Arc<str>,
        existence: Existence,
        rights: Rights,
    ) -> Outcome {
        check_stream_name(name)?;
        let file = self.get(handle)?;
        let inode = Arc::clone(&file.inode);
        let mut streams = lock(&inode.streams);
        let folded = fold(name);
        let mut created = false;
        let stream = match streams.by_fold.get(&folded) {
            Some(_) if existence == Existence::MustNotExist => return Err(NtStatus::OBJECT_NAME_COLLISION),
            Some(stream) => Arc::clone(stream),
            None if existence == Existence::MustExist => return Err(NtStatus::OBJECT_NAME_NOT_FOUND),
            None => {
                created = true;
                streams.last += 1;
                let stream = Arc::new(Stream::new(streams.last, name, &inode.charge)?);
                streams.by_fold.insert(folded, Arc::clone(&stream));
                inode.changed(self.now());
                stream
            }
        };
        drop(streams);
        let name = lock(&stream.name).clone().unwrap_or_else(|| Arc::clone(name));
        let link = file.link.clone();
        let opened = Opened { inode, link, stream: Some(stream), rights, position: Mutex::default() };
        let metadata = opened.metadata(self.volume);
        let handle = self.opened.insert(Arc::new(opened));
        Ok(Done::OpenedStream { handle, metadata, created, name })
    }

    /// The streams of a file, its own data first.
    pub(super) fn list_streams(&self, inode: &Inode) -> Vec<StreamInfo> {
        let data = read(&inode.data);
        let allocated = data.allocated().next_multiple_of(BLOCK);
        let own = StreamInfo { name: Arc::default(), length: data.length(), allocated };
        drop(data);
        let mut list: Vec<StreamInfo> = if inode.directory { Vec::new() } else { vec![own] };
        list.extend(lock(&inode.streams).list());
        list
    }

    pub(super) fn strip(&self, inode: &Inode) {
        let streams = std::mem::take(&mut lock(&inode.streams).by_fold);
        for stream in streams.values() {
            *lock(&stream.name) = None;
        }
        *lock(&inode.attributes) = Attributes::default();
    }

    pub(super) fn unlink_stream(&self, inode: &Inode, stream: &Stream) -> Outcome {
        let mut streams = lock(&inode.streams);
        let name = lock(&stream.name).take().ok_or(NtStatus::OBJECT_NAME_NOT_FOUND)?;
        streams.by_fold.remove(&fold(&name));
        inode.changed(self.now());
        Ok(Done::Nothing)
    }

    pub(super) fn rename_stream(&self, handle: Handle, to: &Arc<str>, replace: bool) -> Outcome {
        let opened = self.get(handle)?;
        let stream = opened.stream.as_ref().ok_or(NtStatus::INVALID_PARAMETER)?;
        let inode = &opened.inode;
        check_stream_name(to)?;
        let mut streams = lock(&inode.streams);
        let mut name = lock(&stream.name);
        let from = fold(name.as_deref().ok_or(NtStatus::OBJECT_NAME_NOT_FOUND)?);
        let folded = fold(to);
        if from != folded
            && let Some(taken) = streams.by_fold.get(&folded)
        {
            if !replace {
                return Err(NtStatus::OBJECT_NAME_COLLISION);
            }
            *lock(&taken.name) = None;
        }
        if let Some(moved) = streams.by_fold.remove(&from) {
            streams.by_fold.insert(folded, moved);
        }
        *name = Some(Arc::clone(to));
        inode.changed(self.now());
        Ok(Done::Nothing)
    }

    pub(super) fn set_attributes(&self, handle: Handle, changes: &[ExtendedAttribute]) -> Outcome {
        let opened = self.get(handle)?;
        let inode = &opened.inode;
        let mut attributes = lock(&inode.attributes);
        let list = merge_extended_attributes(attributes.list.clone(), changes)?;
        let bytes = u64::from(packed_size(&list));
        let usage = Arc::clone(&inode.charge.usage);
        // The old ones give theirs back only when the new ones have theirs.
        usage.take(bytes).map_err(|_| NtStatus::EA_TOO_LARGE)?;
        attributes.taken = Some(Taken { bytes, usage });
        attributes.list = list;
        inode.changed(self.now());
        Ok(Done::Nothing)
    }
}
