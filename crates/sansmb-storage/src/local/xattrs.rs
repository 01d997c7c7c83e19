//! Extended attributes of one file, as Linux has them.

use std::{ffi::CString, os::fd::BorrowedFd};

use rustix::{
    fs::{
        XattrFlags, fgetxattr, fgetxattr_query, flistxattr, fremovexattr, fsetxattr, getxattr,
        getxattr_query, lgetxattr, lgetxattr_query, listxattr, llistxattr, removexattr, setxattr,
    },
    io::{Errno, Result},
};

use super::kept::descriptor;

/// Most that Linux gives for the names, and for the value, of extended attributes.
const MOST: usize = 64 * 1024;
/// Room that mostly does.
const FEW: usize = 256;

/// A file, by its descriptor or by a path.
pub(super) enum On<'a> {
    Descriptor(BorrowedFd<'a>),
    /// That of a descriptor which was opened with O_PATH.
    Path(String),
    /// One whose last component is not followed; to look at only.
    Name(&'a [u8]),
}

impl<'a> On<'a> {
    /// `path_only` says that it was opened with O_PATH, which leaves only the way by its path.
    pub(super) fn new(fd: BorrowedFd<'a>, path_only: bool) -> Self {
        if path_only { Self::Path(descriptor(fd)) } else { Self::Descriptor(fd) }
    }

    /// What `look` makes of all names, each with a NUL behind it.
    pub(super) fn names<T>(&self, look: impl FnOnce(&[u8]) -> T) -> Result<T> {
        let mut few = [0; FEW];
        match self.list(&mut few) {
            Ok(len) => Ok(look(few.get(..len).unwrap_or_default())),
            Err(Errno::RANGE) => {
                let mut most = vec![0; MOST];
                let len = self.list(&mut most)?;
                Ok(look(most.get(..len).unwrap_or_default()))
            }
            Err(errno) => Err(errno),
        }
    }

    fn list(&self, into: &mut [u8]) -> Result<usize> {
        match self {
            Self::Descriptor(fd) => flistxattr(fd, into),
            Self::Path(path) => listxattr(path, into),
            Self::Name(name) => llistxattr(*name, into),
        }
    }

    /// Length of a value.
    pub(super) fn len(&self, name: &str) -> Result<usize> {
        match self {
            Self::Descriptor(fd) => fgetxattr_query(fd, name),
            Self::Path(path) => getxattr_query(path, name),
            Self::Name(file) => lgetxattr_query(*file, name),
        }
    }

    /// Reads a value.
    pub(super) fn read(&self, name: &str, into: &mut [u8]) -> Result<usize> {
        match self {
            Self::Descriptor(fd) => fgetxattr(fd, name, into),
            Self::Path(path) => getxattr(path, name, into),
            Self::Name(file) => lgetxattr(*file, name, into),
        }
    }

    /// The whole of a value.
    pub(super) fn get(&self, name: &str) -> Result<Vec<u8>> {
        let mut value = vec![0; FEW];
        let got = match self.read(name, &mut value) {
            Err(Errno::RANGE) => {
                value.resize(MOST, 0);
                self.read(name, &mut value)?
            }
            other => other?,
        };
        value.truncate(got);
        Ok(value)
    }

    pub(super) fn set(&self, name: &str, value: &[u8]) -> Result<()> {
        let name = CString::new(name).map_err(|_| Errno::INVAL)?;
        match self {
            Self::Descriptor(fd) => fsetxattr(fd, &*name, value, XattrFlags::empty()),
            Self::Path(path) => setxattr(path, &*name, value, XattrFlags::empty()),
            Self::Name(_) => Err(Errno::NOTSUP),
        }
    }

    pub(super) fn remove(&self, name: &str) -> Result<()> {
        match self {
            Self::Descriptor(fd) => fremovexattr(fd, name),
            Self::Path(path) => removexattr(path, name),
            Self::Name(_) => Err(Errno::NOTSUP),
        }
    }
}

/// The names that are text.
pub(super) fn texts(raw: &[u8]) -> impl Iterator<Item = &str> {
    let names = raw.split(|b| *b == 0).filter(|name| !name.is_empty() && name.is_ascii());
    names.filter_map(|name| str::from_utf8(name).ok())
}
