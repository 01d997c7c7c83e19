//! Short ways to say what a test does.

use std::{ops::Deref, sync::Arc};

use bytes::Bytes;
use sansmb::{
    conn::MessageBuffer,
    wire::{FileAttributes, NtStatus},
};
use sansmb_fileserver::storage::{
    Changes, Done, Entry, Existence, ExtendedAttribute, Handle, Job, Metadata, Outcome, Rights, SharePath,
    Storage, StreamInfo, Want,
};
use sansmb_storage::{LocalDir, LocalOptions, Memory, MemoryOptions, run};

/// An empty share.
pub(crate) struct Fixture {
    storage: Box<dyn Storage>,
    /// Where a local one is.
    pub(crate) dir: Option<tempfile::TempDir>,
}

impl Deref for Fixture {
    type Target = dyn Storage;

    fn deref(&self) -> &Self::Target {
        &*self.storage
    }
}

impl Fixture {
    pub(crate) fn local() -> Self {
        Self::local_with(LocalOptions::default())
    }

    pub(crate) fn local_with(options: LocalOptions) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let storage = Box::new(LocalDir::open(dir.path(), options).unwrap());
        Self { storage, dir: Some(dir) }
    }

    pub(crate) fn memory() -> Self {
        Self { storage: Box::new(Memory::new(MemoryOptions::default())), dir: None }
    }

    pub(crate) fn on_disk(&self, path: &str) -> std::path::PathBuf {
        self.dir.as_ref().unwrap().path().join(path)
    }
}

pub(crate) const RW: Rights = Rights { read: true, write: true };
pub(crate) const READ: Rights = Rights { read: true, write: false };
pub(crate) const NONE: Rights = Rights { read: false, write: false };

/// `a/b/c` as a path.
pub(crate) fn path(text: &str) -> SharePath {
    SharePath(text.split('/').filter(|name| !name.is_empty()).map(Arc::from).collect())
}

/// What an open gave.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) handle: Handle,
    pub(crate) metadata: Metadata,
    pub(crate) created: bool,
    pub(crate) path: String,
}

pub(crate) fn open_job(text: &str, want: Want, existence: Existence, rights: Rights) -> Job {
    Job::Open {
        path: path(text),
        want,
        existence,
        rights,
        attributes: if want == Want::Directory { FileAttributes::empty() } else { FileAttributes::ARCHIVE },
        no_follow: false,
        creator: None,
    }
}

pub(crate) fn opened(outcome: Outcome) -> Result<Opened, NtStatus> {
    match outcome? {
        Done::Opened { handle, metadata, created, path, .. } => {
            Ok(Opened { handle, metadata, created, path: path.0.join("/") })
        }
        other => panic!("an open ended with {other:?}"),
    }
}

pub(crate) fn try_open(
    s: &dyn Storage,
    text: &str,
    want: Want,
    existence: Existence,
) -> Result<Opened, NtStatus> {
    opened(run(s, open_job(text, want, existence, RW)))
}

/// Opens what exists.
#[track_caller]
pub(crate) fn open(s: &dyn Storage, text: &str) -> Handle {
    try_open(s, text, Want::Any, Existence::MustExist).unwrap_or_else(|e| panic!("{text}: {e}")).handle
}

pub(crate) fn exists(s: &dyn Storage, text: &str) -> bool {
    match opened(run(s, open_job(text, Want::Any, Existence::MustExist, NONE))) {
        Ok(it) => {
            close(s, it.handle);
            true
        }
        Err(_) => false,
    }
}

/// Makes a file.
#[track_caller]
pub(crate) fn create(s: &dyn Storage, text: &str) -> Handle {
    try_open(s, text, Want::File, Existence::MustNotExist).unwrap_or_else(|e| panic!("{text}: {e}")).handle
}

/// Makes a file with something in it and closes it.
#[track_caller]
pub(crate) fn file(s: &dyn Storage, text: &str, data: &str) {
    let handle = create(s, text);
    write(s, handle, 0, data.as_bytes());
    close(s, handle);
}

/// Makes a directory and closes it.
#[track_caller]
pub(crate) fn mkdir(s: &dyn Storage, text: &str) {
    let made = try_open(s, text, Want::Directory, Existence::MustNotExist).unwrap();
    assert!(made.created && made.metadata.is_directory());
    close(s, made.handle);
}

#[track_caller]
pub(crate) fn close(s: &dyn Storage, handle: Handle) {
    nothing(run(s, Job::Close { handle })).unwrap();
}

#[track_caller]
pub(crate) fn nothing(outcome: Outcome) -> Result<(), NtStatus> {
    match outcome? {
        Done::Nothing => Ok(()),
        other => panic!("expected nothing, got {other:?}"),
    }
}

pub(crate) fn try_write(s: &dyn Storage, handle: Handle, offset: u64, data: &[u8]) -> Result<u64, NtStatus> {
    let data = Bytes::copy_from_slice(data);
    written(run(s, Job::Write { handle, offset, data: data.into(), through: false }))
}

pub(crate) fn written(outcome: Outcome) -> Result<u64, NtStatus> {
    match outcome? {
        Done::Written(n) => Ok(n),
        other => panic!("expected bytes written, got {other:?}"),
    }
}

#[track_caller]
pub(crate) fn write(s: &dyn Storage, handle: Handle, offset: u64, data: &[u8]) {
    assert_eq!(try_write(s, handle, offset, data), Ok(data.len() as u64));
}

pub(crate) fn try_read(
    s: &dyn Storage,
    handle: Handle,
    offset: u64,
    length: u32,
) -> Result<Vec<u8>, NtStatus> {
    let mut into = MessageBuffer::with_capacity(length as usize + 3);
    into.extend_from_slice(b"pre");
    match run(s, Job::Read { handle, offset, length, into })? {
        Done::Read(buffer) => {
            let (before, data) = buffer.payload().split_at(3);
            assert_eq!(before, b"pre", "a read appends");
            Ok(data.to_vec())
        }
        other => panic!("a read ended with {other:?}"),
    }
}

#[track_caller]
pub(crate) fn read(s: &dyn Storage, handle: Handle, offset: u64, length: u32) -> Vec<u8> {
    try_read(s, handle, offset, length).unwrap()
}

/// All of a small file by name.
#[track_caller]
pub(crate) fn content(s: &dyn Storage, text: &str) -> String {
    let handle = opened(run(s, open_job(text, Want::File, Existence::MustExist, READ))).unwrap().handle;
    let data = read(s, handle, 0, 65536);
    close(s, handle);
    String::from_utf8(data).unwrap()
}

#[track_caller]
pub(crate) fn stat(s: &dyn Storage, handle: Handle) -> Metadata {
    match run(s, Job::Stat { handle }) {
        Ok(Done::Metadata(metadata)) => metadata,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn find(s: &dyn Storage, handle: Handle, name: &str) -> Result<Entry, NtStatus> {
    match run(s, Job::Find { handle, name: name.into(), security: false })? {
        Done::Found(entry) => Ok(entry),
        other => panic!("{other:?}"),
    }
}

pub(crate) fn batch(s: &dyn Storage, handle: Handle, restart: bool, limit: usize) -> (Vec<Entry>, bool) {
    match run(s, Job::List { handle, restart, limit, security: false }) {
        Ok(Done::Entries { entries, end }) => (entries, end),
        other => panic!("{other:?}"),
    }
}

/// All names in a directory, sorted.
pub(crate) fn list(s: &dyn Storage, text: &str) -> Vec<String> {
    let handle = open(s, text);
    let mut names = Vec::new();
    loop {
        let (entries, end) = batch(s, handle, false, 100);
        names.extend(entries.into_iter().map(|entry| entry.name.to_string()));
        if end {
            break;
        }
    }
    close(s, handle);
    names.sort();
    names
}

pub(crate) fn rename(s: &dyn Storage, handle: Handle, to: &str, replace: bool) -> Result<(), NtStatus> {
    nothing(run(s, Job::Rename { handle, to: path(to), replace, by: None }))
}

pub(crate) fn link(s: &dyn Storage, handle: Handle, to: &str, replace: bool) -> Result<(), NtStatus> {
    nothing(run(s, Job::Link { handle, to: path(to), replace, by: None }))
}

pub(crate) fn unlink(s: &dyn Storage, handle: Handle) -> Result<(), NtStatus> {
    nothing(run(s, Job::Unlink { handle }))
}

/// Opens, removes, closes.
#[track_caller]
pub(crate) fn remove(s: &dyn Storage, text: &str) {
    let handle = open(s, text);
    unlink(s, handle).unwrap();
    close(s, handle);
}

pub(crate) fn change(s: &dyn Storage, handle: Handle, changes: Changes) -> Result<(), NtStatus> {
    nothing(run(s, Job::Change { handle, changes }))
}

pub(crate) fn set_length(s: &dyn Storage, handle: Handle, length: u64) -> Result<(), NtStatus> {
    nothing(run(s, Job::SetLength { handle, length }))
}

pub(crate) fn get_ranges(s: &dyn Storage, handle: Handle, offset: u64, length: u64) -> Vec<(u64, u64)> {
    match run(s, Job::Ranges { handle, offset, length }) {
        Ok(Done::Ranges(ranges)) => ranges,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn try_stream(
    s: &dyn Storage,
    handle: Handle,
    name: &str,
    existence: Existence,
) -> Result<Opened, NtStatus> {
    match run(s, Job::OpenStream { handle, name: name.into(), existence, rights: RW })? {
        Done::OpenedStream { handle, metadata, created, name } => {
            Ok(Opened { handle, metadata, created, path: name.to_string() })
        }
        other => panic!("{other:?}"),
    }
}

/// Opens a stream, or makes it.
#[track_caller]
pub(crate) fn stream(s: &dyn Storage, handle: Handle, name: &str) -> Handle {
    try_stream(s, handle, name, Existence::Either).unwrap_or_else(|e| panic!("{name}: {e}")).handle
}

/// Makes a stream with something in it and closes it.
#[track_caller]
pub(crate) fn put_stream(s: &dyn Storage, file: Handle, name: &str, data: &str) {
    let handle = stream(s, file, name);
    write(s, handle, 0, data.as_bytes());
    close(s, handle);
}

/// All of a small stream.
pub(crate) fn stream_content(s: &dyn Storage, file: Handle, name: &str) -> Result<String, NtStatus> {
    let handle = try_stream(s, file, name, Existence::MustExist)?.handle;
    let data = read(s, handle, 0, 65536);
    close(s, handle);
    Ok(String::from_utf8(data).unwrap())
}

/// All streams, also the one without a name.
#[track_caller]
pub(crate) fn all_streams(s: &dyn Storage, handle: Handle) -> Vec<StreamInfo> {
    match run(s, Job::Streams { handle }) {
        Ok(Done::Streams(streams)) => streams,
        other => panic!("{other:?}"),
    }
}

/// The named streams.
#[track_caller]
pub(crate) fn streams(s: &dyn Storage, handle: Handle) -> Vec<StreamInfo> {
    all_streams(s, handle).into_iter().filter(|stream| !stream.name.is_empty()).collect()
}

pub(crate) fn rename_stream(
    s: &dyn Storage,
    handle: Handle,
    to: &str,
    replace: bool,
) -> Result<(), NtStatus> {
    nothing(run(s, Job::RenameStream { handle, to: to.into(), replace }))
}

#[track_caller]
pub(crate) fn eas(s: &dyn Storage, handle: Handle) -> Vec<ExtendedAttribute> {
    match run(s, Job::ExtendedAttributes { handle }) {
        Ok(Done::ExtendedAttributes(list)) => list,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn ea(name: &str, value: &[u8]) -> ExtendedAttribute {
    ExtendedAttribute { name: name.into(), value: Bytes::copy_from_slice(value), need: false }
}

pub(crate) fn set_eas(
    s: &dyn Storage,
    handle: Handle,
    changes: &[ExtendedAttribute],
) -> Result<(), NtStatus> {
    nothing(run(s, Job::SetExtendedAttributes { handle, changes: changes.to_vec() }))
}
