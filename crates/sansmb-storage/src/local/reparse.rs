//! Reparse points: those that clients set, and symbolic links of Unix.
//!
//! What a client sets is kept in the extended attribute `user.sansmb.reparse` of an ordinary file or
//! directory, and its tag with the other attributes; what it leads to is never followed here. Whoever
//! opens it, or a path that leads over it, is told where it leads.

use std::{os::fd::AsFd, sync::Arc};

use bytes::Bytes;
use rustix::{fs::readlinkat, io::Errno};
use sansmb::wire::{
    NtStatus, Structure, SymlinkFlags, Utf16Buf,
    fsctl::{ReparseData, ReparseTag},
};
use sansmb_fileserver::storage::{Done, Handle, Outcome};

use super::{
    Fail, Inner,
    by_name::Names,
    dirnames::{Scan, lock_for},
    errno::status,
    kept::Kept,
    meta::Stat,
    names,
    node::Node,
    xattrs::On,
};
use crate::attributes::reparse_tag;

const XATTR: &str = "user.sansmb.reparse";

impl Inner {
    pub(super) fn get_reparse(&self, handle: Handle) -> Outcome {
        let node = Arc::clone(self.node(handle)?.whole());
        if node.is_symlink() {
            let target = readlinkat(node.fd(), "", Vec::new()).map_err(status)?;
            return Ok(Done::Reparse(of_link(target.as_bytes())));
        }
        read(&node).map(Done::Reparse)
    }

    pub(super) fn set_reparse(&self, handle: Handle, data: Option<&Bytes>, scan: Scan) -> Result<Done, Fail> {
        self.check_writable()?;
        let node = Arc::clone(self.node(handle)?.whole());
        if node.is_symlink() || node.path().is_empty() {
            return Err(NtStatus::ACCESS_DENIED.into());
        }
        // Whoever makes an entry of a directory holds this lock.
        let cell = self.names.of(node.id());
        let mut known = lock_for(&cell.names, scan)?;
        if data.is_some() && node.is_directory() && !matches!(self.is_empty(handle)?, Done::Empty(true)) {
            return Err(NtStatus::DIRECTORY_NOT_EMPTY.into());
        }
        let (fd, path_only) = (node.fd(), node.path_only());
        let kept = Kept::of(fd, path_only);
        let mut kept = kept.map_or_else(|| Stat::of(fd).map(|stat| stat.defaults(self.hidden(&node))), Ok)?;
        known.reparse_point = Some(data.is_some());
        match data {
            Some(data) => {
                On::new(fd, path_only).set(XATTR, data)?;
                kept.reparse_tag = reparse_tag(data);
                kept.store(fd, path_only)?;
            }
            None => {
                kept.reparse_tag = 0;
                kept.store(fd, path_only)?;
                if let Err(errno) = On::new(fd, path_only).remove(XATTR)
                    && errno != Errno::NODATA
                {
                    return Err(errno.into());
                }
            }
        }
        Ok(Done::Nothing)
    }

    /// The first reparse point on the way along `path`; the last component counts if `last` says so.
    pub(super) fn stopped(&self, path: &[Arc<str>], last: bool, scan: Scan) -> Result<Option<Done>, Fail> {
        let count = if last { path.len() } else { path.len().saturating_sub(1) };
        for at in 0..count {
            let (Some(parents), Some(name)) = (path.get(..at), path.get(at)) else { break };
            let dir = match self.locate(parents, scan) {
                Ok(dir) => dir,
                Err(Fail::Later) => return Err(Fail::Later),
                Err(Fail::Status(_)) => break,
            };
            let exact = names::to_disk(name)?.into_owned();
            let real = match Stat::at(dir.fd.as_fd(), &exact) {
                Ok(_) => exact,
                Err(_) => match self.spelling(&dir, name, scan)? {
                    Some(real) => real,
                    None => break,
                },
            };
            let names = Names::of(dir.fd.as_fd());
            let path_of_it = names.path(&real);
            if Kept::at(&path_of_it).is_some_and(|kept| kept.reparse_tag != 0) {
                let reparse = On::Name(&path_of_it).get(XATTR)?;
                return Ok(Some(Done::Stopped { reparse: reparse.into(), unparsed: path.len() - at - 1 }));
            }
        }
        Ok(None)
    }
}

/// What a node holds that a client made a reparse point.
pub(super) fn read(node: &Node) -> Result<Bytes, NtStatus> {
    match On::new(node.fd(), node.path_only()).get(XATTR) {
        Ok(data) => Ok(data.into()),
        Err(Errno::NODATA | Errno::OPNOTSUPP) => Err(NtStatus::NOT_A_REPARSE_POINT),
        Err(errno) => Err(status(errno)),
    }
}

/// A symbolic link of Unix as the reparse point that it would be on Windows.
fn of_link(target: &[u8]) -> Bytes {
    let names: Vec<_> = target.split(|b| *b == b'/').map(names::to_share_link).collect();
    let name = Utf16Buf::new(&names.join("\\"));
    let flags = if target.first() == Some(&b'/') { SymlinkFlags::empty() } else { SymlinkFlags::RELATIVE };
    let link = ReparseData::Symlink { substitute_name: name.as_utf16(), print_name: name.as_utf16(), flags };
    debug_assert_eq!(link.tag(), ReparseTag::SYMLINK);
    link.to_vec().into()
}
