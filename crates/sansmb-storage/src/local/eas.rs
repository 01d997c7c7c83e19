//! Extended attributes: those of Linux in the `user` namespace, but for our own.
//!
//! Which of them must be understood (NEED_EA) Linux cannot say; their names are kept in one of our
//! own, `user.sansmb.need_ea`, with a NUL between them.

use std::os::fd::BorrowedFd;

use rustix::{
    fs::fgetxattr,
    io::{Errno, Result},
};
use sansmb::wire::NtStatus;
use sansmb_fileserver::storage::{ExtendedAttribute, merge_extended_attributes};

use super::{
    errno::status,
    kept::{Kept, Told},
    node::Node,
    xattrs::{On, texts},
};

const NAMESPACE: &str = "user.";
/// What starts with it is ours.
const OWN: &str = "sansmb.";
const NEED: &str = "user.sansmb.need_ea";

/// Whether the file system has extended attributes.
pub(super) fn possible(fd: BorrowedFd<'_>) -> bool {
    !matches!(fgetxattr(fd, NEED, &mut [0; 0][..]), Err(Errno::OPNOTSUPP | Errno::NOSYS))
}

/// The attributes of a file; a symbolic link has none.
pub(super) fn list(node: &Node) -> std::result::Result<Vec<ExtendedAttribute>, NtStatus> {
    if !node.is_file() && !node.is_directory() {
        return Ok(Vec::new());
    }
    let on = on(node);
    let names: Vec<String> = match on.names(|raw| texts(raw).map(str::to_owned).collect()) {
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

/// What the extended attributes of a file tell.
#[derive(Debug, Default)]
pub(super) struct Beside {
    /// What is kept in our own.
    pub(super) kept: Option<Kept>,
    /// What those that clients see come to.
    pub(super) ea_size: u32,
    /// The names told all of it, and clients see none.
    pub(super) plain: bool,
}

/// Of an open file or directory. `path_only` says that it was opened with O_PATH, `owned` that somebody wants
/// to know the owner.
pub(super) fn beside(fd: BorrowedFd<'_>, path_only: bool, owned: bool) -> Beside {
    look(&On::new(fd, path_only), owned, true)
}

/// The same without what clients see, of which only is told whether there may be any.
pub(super) fn kept_beside(fd: BorrowedFd<'_>, path_only: bool) -> Beside {
    look(&On::new(fd, path_only), true, false)
}

/// The same of a path, and its owner; a symbolic link has nothing beside it.
pub(super) fn beside_at(path: &[u8]) -> Beside {
    look(&On::Name(path), true, true)
}

/// Mostly this is one call: names alone tell of most files what there is to tell.
fn look(on: &On<'_>, owned: bool, sizes: bool) -> Beside {
    let looked = on.names(|raw| {
        let (mut told, mut sum, mut plain) = (Told::default(), 0_usize, true);
        for full in texts(raw) {
            told.note(full);
            let Some(name) = full.strip_prefix(NAMESPACE).filter(|name| !is_own(name)) else { continue };
            plain = false;
            if sizes
                && let Ok(value) = on.len(full)
                && value > 0
            {
                sum += 5 + name.len() + value;
            }
        }
        let ea_size = if sum == 0 { 0 } else { u32::try_from(sum + 4).unwrap_or(u32::MAX) };
        let plain = plain && !matches!(told, Told::Value);
        Beside { kept: told.kept(on, owned), ea_size, plain }
    });
    looked.unwrap_or_default()
}

/// Removes all attributes but our own.
pub(super) fn clear(node: &Node) -> std::result::Result<(), NtStatus> {
    let list = list(node)?;
    if list.is_empty() { Ok(()) } else { replace(&on(node), &list, &[]).map_err(status) }
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
    let on = on(node);
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

fn on(node: &Node) -> On<'_> {
    On::new(node.fd(), node.path_only())
}
