//! A read-only share of one's own data.

use std::{
    fmt::Debug,
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Arc, Mutex},
};

use sansmb::wire::{FileAttributes, FileTime, NtStatus};
use sansmb_fileserver::storage::{
    Completion, Done, Entry, Existence, Features, Job, Metadata, NodeId, Outcome, Rights, Security,
    SharePath, Space, Storage, StorageTraits, StreamInfo, Want,
};

use crate::{
    fold, same_name,
    slab::{Slab, lock},
};

/// Data that look like a tree of files. The root is the empty path.
///
/// ```
/// use sansmb_storage::{ReadOnly, Tree, TreeNode};
///
/// #[derive(Debug)]
/// struct Greeting;
///
/// impl Tree for Greeting {
///     fn lookup(&self, path: &[&str]) -> Option<TreeNode> {
///         match path {
///             [] => Some(TreeNode::directory()),
///             ["hello.txt"] => Some(TreeNode::file(5)),
///             _ => None,
///         }
///     }
///     fn list(&self, _: &[&str]) -> Vec<(String, TreeNode)> {
///         vec![("hello.txt".into(), TreeNode::file(5))]
///     }
///     fn read(&self, _: &[&str], offset: u64, into: &mut [u8]) -> usize {
///         let rest = b"Hello".get(offset as usize..).unwrap_or_default();
///         let n = rest.len().min(into.len());
///         into[..n].copy_from_slice(&rest[..n]);
///         n
///     }
/// }
///
/// let share = ReadOnly::new("greeting", Greeting);
/// # let _ = share;
/// ```
pub trait Tree: Debug + Send + Sync + 'static {
    /// What is at `path`, spelled exactly so. Other spellings are found with [`Tree::list`].
    fn lookup(&self, path: &[&str]) -> Option<TreeNode>;

    /// What is in the directory at `path`.
    fn list(&self, path: &[&str]) -> Vec<(String, TreeNode)>;

    /// Fills `into` with the file's bytes from `offset` on; how many there were, fewer only at the
    /// end of the file.
    fn read(&self, path: &[&str], offset: u64, into: &mut [u8]) -> usize;
}

/// What a [`Tree`] says of a file or directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TreeNode {
    /// Whether it is a directory.
    pub directory: bool,
    /// Length of a file in bytes.
    pub length: u64,
    /// When it was last written.
    pub written: FileTime,
}

impl TreeNode {
    /// A directory, last written in 1970.
    pub fn directory() -> Self {
        Self { directory: true, length: 0, written: FileTime::from_unix(0, 0) }
    }

    /// A file of `length` bytes, last written in 1970.
    pub fn file(length: u64) -> Self {
        Self { directory: false, length, written: FileTime::from_unix(0, 0) }
    }
}

/// Serves a [`Tree`]. Whatever would change it gives [`NtStatus::MEDIA_WRITE_PROTECTED`].
#[derive(Debug)]
pub struct ReadOnly<T> {
    tree: T,
    opened: Slab<Opened>,
    traits: StorageTraits,
}

#[derive(Debug)]
struct Opened {
    path: Vec<Arc<str>>,
    node: TreeNode,
    /// What is still to be listed, last first.
    listing: Mutex<Option<Vec<(String, TreeNode)>>>,
}

impl<T: Tree> ReadOnly<T> {
    /// Serves `tree` under a volume label.
    pub fn new(label: &str, tree: T) -> Self {
        let traits = StorageTraits {
            label: label.into(),
            serial: number(&[label]) as u32,
            file_system: "NTFS".into(),
            created: FileTime::from_unix(0, 0),
            read_only: true,
            max_name_len: 255,
            security: false,
            named_streams: false,
            extended_attributes: false,
            features: Features::default(),
        };
        Self { tree, opened: Slab::default(), traits }
    }

    /// What is at a path in any spelling, and the right one.
    fn find(&self, path: &[Arc<str>]) -> Option<(Vec<Arc<str>>, TreeNode)> {
        if let Some(node) = self.tree.lookup(&strs(path)) {
            return Some((path.to_vec(), node));
        }
        let mut found = (Vec::new(), self.tree.lookup(&[])?);
        for name in path {
            if !found.1.directory {
                return None;
            }
            let entries = self.tree.list(&strs(&found.0));
            let (name, node) = entries.into_iter().find(|(entry, _)| same_name(entry, name))?;
            found.0.push(name.into());
            found.1 = node;
        }
        Some(found)
    }

    fn attempt(&self, job: Job) -> Outcome {
        let get = |handle| self.opened.get(handle).ok_or(NtStatus::FILE_CLOSED);
        match job {
            Job::Open { path, want, existence, rights, .. } => self.open(&path, want, existence, rights),
            Job::Close { handle } => {
                self.opened.remove(handle).map(|_| Done::Nothing).ok_or(NtStatus::FILE_CLOSED)
            }
            Job::Read { handle, offset, length, mut into } => {
                let file = get(handle)?;
                if file.node.directory {
                    return Err(NtStatus::INVALID_DEVICE_REQUEST);
                }
                let length = u64::from(length).min(file.node.length.saturating_sub(offset)) as usize;
                into.fill_with(|bytes| {
                    let start = bytes.len();
                    bytes.resize(start + length, 0);
                    let got =
                        self.tree.read(&strs(&file.path), offset, bytes.get_mut(start..).unwrap_or_default());
                    bytes.truncate(start + got.min(length));
                });
                Ok(Done::Read(into))
            }
            Job::Stat { handle } => {
                let opened = get(handle)?;
                Ok(Done::Metadata(self.metadata(&strs(&opened.path), opened.node)))
            }
            Job::Find { handle, name, security } => {
                let mut path = get(handle)?.path.clone();
                path.push(name);
                let (path, node) = self.find(&path).ok_or(NtStatus::NO_SUCH_FILE)?;
                let name = path.last().cloned().unwrap_or_default();
                let metadata = self.metadata(&strs(&path), node);
                Ok(Done::Found(Entry { name, metadata, security: security.then(Security::default) }))
            }
            Job::List { handle, restart, limit, security } => {
                self.list(&*get(handle)?, restart, limit, security)
            }
            Job::IsEmpty { handle } => Ok(Done::Empty(self.tree.list(&strs(&get(handle)?.path)).is_empty())),
            Job::Security { handle } => get(handle).map(|_| Done::Security(Security::default())),
            Job::Flush { handle } => get(handle).map(|_| Done::Nothing),
            Job::OpenStream { .. } => Err(NtStatus::OBJECT_NAME_INVALID),
            Job::Streams { handle } => {
                let node = get(handle)?.node;
                let (name, length) = (Arc::default(), node.length);
                let allocated = length.checked_next_multiple_of(4096).unwrap_or(length);
                let own = (!node.directory).then_some(StreamInfo { name, length, allocated });
                Ok(Done::Streams(own.into_iter().collect()))
            }
            Job::ExtendedAttributes { handle } => get(handle).map(|_| Done::ExtendedAttributes(Vec::new())),
            Job::Space { handle, .. } => {
                get(handle).map(|_| Done::Space(Space { block: 4096, ..Space::default() }))
            }
            Job::GetReparse { handle } => get(handle).and(Err(NtStatus::NOT_A_REPARSE_POINT)),
            Job::Ranges { handle, offset, length } => {
                let end = get(handle)?.node.length.min(offset.saturating_add(length));
                Ok(Done::Ranges(if offset < end { vec![(offset, end - offset)] } else { Vec::new() }))
            }
            Job::Write { .. }
            | Job::Change { .. }
            | Job::ChangeSecurity { .. }
            | Job::SetLength { .. }
            | Job::Allocate { .. }
            | Job::Rename { .. }
            | Job::Link { .. }
            | Job::Unlink { .. }
            | Job::RenameStream { .. }
            | Job::Strip { .. }
            | Job::SetExtendedAttributes { .. }
            | Job::Copy { .. }
            | Job::Share { .. }
            | Job::SetIntegrity { .. }
            | Job::SetReparse { .. }
            | Job::Zero { .. } => Err(NtStatus::MEDIA_WRITE_PROTECTED),
            _ => Err(NtStatus::NOT_SUPPORTED),
        }
    }

    fn open(&self, SharePath(path): &SharePath, want: Want, existence: Existence, rights: Rights) -> Outcome {
        let Some((path, node)) = self.find(path) else {
            let parents = path.split_last().map_or(&[][..], |(_, parents)| parents);
            return Err(match self.find(parents) {
                Some((_, parent)) if parent.directory && existence == Existence::MustExist => {
                    NtStatus::OBJECT_NAME_NOT_FOUND
                }
                Some((_, parent)) if parent.directory => NtStatus::MEDIA_WRITE_PROTECTED,
                _ => NtStatus::OBJECT_PATH_NOT_FOUND,
            });
        };
        match (want, node.directory) {
            _ if existence == Existence::MustNotExist => return Err(NtStatus::OBJECT_NAME_COLLISION),
            (Want::File, true) => return Err(NtStatus::FILE_IS_A_DIRECTORY),
            (Want::Directory, false) => return Err(NtStatus::NOT_A_DIRECTORY),
            (_, false) if rights.write => return Err(NtStatus::MEDIA_WRITE_PROTECTED),
            _ => {}
        }
        let metadata = self.metadata(&strs(&path), node);
        let opened = Opened { path: path.clone(), node, listing: Mutex::default() };
        let handle = self.opened.insert(Arc::new(opened));
        let (path, security) = (SharePath(path), Security::default());
        Ok(Done::Opened { handle, metadata, created: false, path, security })
    }

    fn list(&self, dir: &Opened, restart: bool, limit: usize, security: bool) -> Outcome {
        if !dir.node.directory {
            return Err(NtStatus::INVALID_PARAMETER);
        }
        let path = strs(&dir.path);
        let mut listing = lock(&dir.listing);
        if restart {
            *listing = None;
        }
        let left = listing.get_or_insert_with(|| {
            let mut all = self.tree.list(&path);
            all.reverse();
            all
        });
        let entries = left.split_off(left.len().saturating_sub(limit)).into_iter().rev();
        let entries = entries.map(|(name, node)| {
            let mut path = path.clone();
            path.push(&name);
            let metadata = self.metadata(&path, node);
            Entry { name: name.into(), metadata, security: security.then(Security::default) }
        });
        let entries = entries.collect();
        Ok(Done::Entries { entries, end: left.is_empty() })
    }

    fn metadata(&self, path: &[&str], node: TreeNode) -> Metadata {
        let length = if node.directory { 0 } else { node.length };
        Metadata {
            node: NodeId { volume: self.traits.serial.into(), file: number(path), stream: 0 },
            created: node.written,
            accessed: node.written,
            written: node.written,
            changed: node.written,
            length,
            allocated: length.checked_next_multiple_of(4096).unwrap_or(length),
            attributes: if node.directory { FileAttributes::DIRECTORY } else { FileAttributes::READONLY },
            links: 1,
            reparse_tag: 0,
            ea_size: 0,
        }
    }
}

impl<T: Tree> Storage for ReadOnly<T> {
    fn submit(&self, job: Job, done: Completion) {
        done(self.attempt(job));
    }

    fn traits(&self) -> StorageTraits {
        self.traits.clone()
    }
}

fn strs(path: &[Arc<str>]) -> Vec<&str> {
    path.iter().map(|name| &**name).collect()
}

/// A number that stays the same for a path.
fn number(path: &[&str]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for name in path {
        fold(name).hash(&mut hasher);
    }
    hasher.finish()
}
