//! Extended attributes: those of Linux in the `user` namespace, but for our own.
//!
//! Which of them must be understood (NEED_EA) Linux cannot say; their names are kept in one of our
//! own, `user.sansmb.need_ea`, with a NUL between them.

use std::{borrow::Cow, ffi::CString, os::fd::BorrowedFd};

use rustix::{
    buffer::spare_capacity,
    fs::{
        XattrFlags, fgetxattr, fgetxattr_query, flistxattr, fremovexattr, fsetxattr, getxattr,
        getxattr_query, listxattr, removexattr, setxattr,
    },
    io::{Errno, Result},
};
use sansmb::wire::NtStatus;
use sansmb_fileserver::storage::{ExtendedAttribute, merge_extended_attributes};

use super::{
    errno::status,
    kept::{self, Kept, descriptor},
    node::Node,
};

const NAMESPACE: &str = "user.";
/// What starts with it is ours.
const OWN: &str = "sansmb.";
const NEED: &str = "user.sansmb.need_ea";
/// Most that Linux gives for the names, and for the value, of extended attributes.
const MOST: usize = 64 * 1024;
/// Room that mostly does.
const FEW: usize = 256;

/// Whether the file system has extended attributes.
pub(super) fn possible(fd: BorrowedFd<'_>) -> bool {
    !matches!(fgetxattr(fd, NEED, &mut [0; 0][..]), Err(Errno::OPNOTSUPP | Errno::NOSYS))
}

/// The attributes of a file; a symbolic link has none.
pub(super) fn list(node: &Node) -> std::result::Result<Vec<ExtendedAttribute>, NtStatus> {
    if !node.is_file() && !node.is_directory() {
        return Ok(Vec::new());
    }
    let on = On::node(node);
    let names = match on.names() {
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => return Ok(Vec::new()),
        other => other.map_err(status)?,
    };
    let needed =
        if names.iter().any(|name| name == NEED) { on.get(NEED).unwrap_or_default() } else { Vec::new() };
    let mut list = Vec::new();
    for full in names {
        let Some(name) = full.strip_prefix(NAMESPACE).filter(|name| !is_own(name)) else { continue };
        let value = match on.get(&full) {
            Ok(value) => value,
            // It was removed meanwhile.
            Err(Errno::NODATA) => continue,
            Err(errno) => return Err(status(errno)),
        };
        // One without a value is none to a client.
        if !value.is_empty() {
            let need = needed.split(|b| *b == 0).any(|other| other.eq_ignore_ascii_case(name.as_bytes()));
            list.push(ExtendedAttribute { name: name.into(), value: value.into(), need });
        }
    }
    Ok(list)
}

/// What is kept beside an open file or directory, and what its attributes come to. A file without any costs
/// one call.
pub(super) fn beside(fd: BorrowedFd<'_>, path_only: bool) -> (Option<Kept>, u32) {
    let (kept, size) = On::new(fd, path_only).look();
    (if kept { Kept::of(fd, path_only) } else { None }, size)
}

/// The same of a path that leads to no symbolic link.
pub(super) fn beside_at(path: &[u8]) -> (Option<Kept>, u32) {
    let (kept, size) = On::Path(path.into()).look();
    (if kept { Kept::at(path) } else { None }, size)
}

/// Removes all attributes but our own.
pub(super) fn clear(node: &Node) -> std::result::Result<(), NtStatus> {
    let list = list(node)?;
    if list.is_empty() { Ok(()) } else { replace(&On::node(node), &list, &[]).map_err(status) }
}

/// Sets attributes, all or none of them.
pub(super) fn set(node: &Node, changes: &[ExtendedAttribute]) -> std::result::Result<(), NtStatus> {
    if changes.iter().any(|change| is_own(&change.name)) {
        return Err(NtStatus::ACCESS_DENIED);
    }
    if !node.is_file() && !node.is_directory() {
        return Err(NtStatus::EAS_NOT_SUPPORTED);
    }
    let before = list(node)?;
    let after = merge_extended_attributes(before.clone(), changes)?;
    let on = On::node(node);
    replace(&on, &before, &after).map_err(|errno| {
        // What was done of it is undone as far as that can be.
        let now = list(node).unwrap_or_default();
        let _ = replace(&on, &now, &before);
        match errno {
            Errno::NOSPC | Errno::DQUOT | Errno::TOOBIG | Errno::RANGE => NtStatus::EA_TOO_LARGE,
            Errno::OPNOTSUPP | Errno::NOSYS => NtStatus::EAS_NOT_SUPPORTED,
            Errno::NAMETOOLONG | Errno::INVAL => NtStatus::INVALID_EA_NAME,
            other => status(other),
        }
    })
}

/// Makes the attributes `before` to those `after`.
fn replace(on: &On<'_>, before: &[ExtendedAttribute], after: &[ExtendedAttribute]) -> Result<()> {
    for gone in before.iter().filter(|ea| after.iter().all(|other| other.name != ea.name)) {
        match on.remove(&format!("{NAMESPACE}{}", gone.name)) {
            Ok(()) | Err(Errno::NODATA) => {}
            Err(errno) => return Err(errno),
        }
    }
    for ea in after {
        let known = before.iter().find(|other| other.name == ea.name);
        if known.is_none_or(|known| known.value != ea.value) {
            on.set(&format!("{NAMESPACE}{}", ea.name), &ea.value)?;
        }
    }
    let needed = |list: &[ExtendedAttribute]| {
        let names: Vec<&str> = list.iter().filter(|ea| ea.need).map(|ea| &*ea.name).collect();
        names.join("\0")
    };
    let (old, new) = (needed(before), needed(after));
    match new.as_str() {
        _ if old == new => Ok(()),
        "" => on.remove(NEED),
        names => on.set(NEED, names.as_bytes()),
    }
}

fn is_own(name: &str) -> bool {
    name.get(..OWN.len()).is_some_and(|start| start.eq_ignore_ascii_case(OWN))
}

/// A file, by its descriptor or by a path: that of the descriptor, where it was opened with O_PATH.
enum On<'a> {
    Descriptor(BorrowedFd<'a>),
    Path(Cow<'a, [u8]>),
}

impl<'a> On<'a> {
    fn new(fd: BorrowedFd<'a>, path_only: bool) -> Self {
        if path_only { Self::Path(descriptor(fd).into_bytes().into()) } else { Self::Descriptor(fd) }
    }

    fn node(node: &'a Node) -> Self {
        Self::new(node.fd(), node.path_only())
    }

    /// All names, each with a NUL behind it.
    fn raw_names(&self) -> Result<Vec<u8>> {
        let mut raw = Vec::with_capacity(FEW);
        if self.list(&mut raw) == Err(Errno::RANGE) {
            raw.reserve_exact(MOST);
            self.list(&mut raw)?;
        }
        Ok(raw)
    }

    /// All names that are text.
    fn names(&self) -> Result<Vec<String>> {
        Ok(texts(&self.raw_names()?).map(str::to_owned).collect())
    }

    fn list(&self, raw: &mut Vec<u8>) -> Result<()> {
        match self {
            Self::Path(path) => listxattr(&**path, spare_capacity(raw))?,
            Self::Descriptor(fd) => flistxattr(fd, spare_capacity(raw))?,
        };
        Ok(())
    }

    /// Whether there is what is kept of a file, and what the attributes of clients come to.
    fn look(&self) -> (bool, u32) {
        let (mut kept, mut sum) = (false, 0_usize);
        for full in texts(&self.raw_names().unwrap_or_default()) {
            kept |= full == kept::XATTR;
            let Some(name) = full.strip_prefix(NAMESPACE).filter(|name| !is_own(name)) else { continue };
            let value = match self {
                Self::Path(path) => getxattr_query(&**path, full),
                Self::Descriptor(fd) => fgetxattr_query(fd, full),
            };
            if let Ok(value) = value
                && value > 0
            {
                sum += 5 + name.len() + value;
            }
        }
        (kept, if sum == 0 { 0 } else { u32::try_from(sum + 4).unwrap_or(u32::MAX) })
    }

    fn get(&self, name: &str) -> Result<Vec<u8>> {
        let mut value = Vec::new();
        for room in [FEW, MOST] {
            value.reserve_exact(room);
            let result = match self {
                Self::Path(path) => getxattr(&**path, name, spare_capacity(&mut value)),
                Self::Descriptor(fd) => fgetxattr(fd, name, spare_capacity(&mut value)),
            };
            match result {
                Err(Errno::RANGE) if room < MOST => {}
                other => return other.map(|_| value),
            }
        }
        Ok(value)
    }

    fn set(&self, name: &str, value: &[u8]) -> Result<()> {
        let name = CString::new(name).map_err(|_| Errno::INVAL)?;
        match self {
            Self::Path(path) => setxattr(&**path, &*name, value, XattrFlags::empty()),
            Self::Descriptor(fd) => fsetxattr(fd, &*name, value, XattrFlags::empty()),
        }
    }

    fn remove(&self, name: &str) -> Result<()> {
        match self {
            Self::Path(path) => removexattr(&**path, name),
            Self::Descriptor(fd) => fremovexattr(fd, name),
        }
    }
}

/// The names that are text.
fn texts(raw: &[u8]) -> impl Iterator<Item = &str> {
    let names = raw.split(|b| *b == 0).filter(|name| !name.is_empty() && name.is_ascii());
    names.filter_map(|name| str::from_utf8(name).ok())
}
