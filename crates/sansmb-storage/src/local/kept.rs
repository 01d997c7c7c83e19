//! What Unix has no place for, in an extended attribute of the file.
//!
//! `user.sansmb.attributes` is a version byte and, little-endian:
//!
//! | bytes | |
//! |---|---|
//! | 4 | DOS attributes |
//! | 8 | creation time, zero for "as the file system says" |
//! | 4 | reparse tag (from here on version 3 only) |
//! | 3 x 16 | access, write and change time as a client set them, and what the file system says instead |
//! | 1 | whether there is a security descriptor beside it |
//!
//! The security identifier of the owner follows, where one is known and there is no descriptor. Version 1 is
//! written for as long as the rest is zero, and version 2 where only the last byte is not.
//! The ordinary file that a client made differs from one without only in whom it belongs to. Of it a name tells
//! everything: `user.sansmb.kept.20.S-1-5-21-1-2-3-1000`, the attributes in hexadecimal digits and the owner,
//! without a value. Whoever wants to know both what is kept and which attributes a file has asks the
//! kernel once then, not twice. Where there are both, `user.sansmb.attributes` counts.
//! Without either a file has ARCHIVE, a
//! name with a leading dot HIDDEN, and a file that nobody may write READONLY. Where the file system has
//! no extended attributes, changes to them are accepted and lost.

use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::io::{Errno, Result};
use sansmb::wire::{FileAttributes, FileTime, Structure, dtyp::Sid};

use super::xattrs::{On, texts};

const XATTR: &str = "user.sansmb.attributes";
/// What starts with it is all in the name.
const NAME: &str = "user.sansmb.kept.";
/// Lengths of the three versions, without an owner.
const LEN: [usize; 3] = [13, 13, 66];
/// The longest, with the longest owner.
const ROOM: usize = LEN[2] + 8 + 4 * Sid::MAX_SUB_AUTHORITIES;

/// What the extended attribute holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Kept {
    pub(super) attributes: FileAttributes,
    pub(super) created: FileTime,
    pub(super) reparse_tag: u32,
    pub(super) accessed: Instead,
    pub(super) written: Instead,
    pub(super) changed: Instead,
    /// A security descriptor is kept in an attribute of its own.
    pub(super) secured: bool,
    /// Who owns it, without a descriptor.
    pub(super) owner: Option<Sid>,
}

/// A time that the file system cannot hold: before 1901, say, or as the time of a change. It is meant
/// for as long as the file system says what it said when it was set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Instead {
    pub(super) meant: FileTime,
    pub(super) says: FileTime,
}

impl Instead {
    /// The time of a file where the file system says `says`, up to `slack` steps late.
    pub(super) fn time(self, says: FileTime, slack: u64) -> FileTime {
        let holds = self.meant != FileTime(0) && says.0.wrapping_sub(self.says.0) <= slack;
        if holds { self.meant } else { says }
    }
}

impl Kept {
    fn parse(raw: &[u8]) -> Option<Self> {
        let version = raw.first()?;
        let len = LEN.get(usize::from(version.checked_sub(1)?))?;
        let (fixed, owner) = raw.split_at_checked(*len)?;
        let mut rest = fixed.get(1..)?;
        let attributes = FileAttributes::from_bits_retain(u32::from_le_bytes(take(&mut rest)?));
        let secured = *version == 2;
        let mut kept = Self { attributes, created: take_time(&mut rest)?, secured, ..Self::default() };
        if *version > 2 {
            kept.reparse_tag = u32::from_le_bytes(take(&mut rest)?);
            for instead in [&mut kept.accessed, &mut kept.written, &mut kept.changed] {
                *instead = Instead { meant: take_time(&mut rest)?, says: take_time(&mut rest)? };
            }
            kept.secured = take(&mut rest)? != [0];
        }
        if !owner.is_empty() {
            kept.owner = Some(Sid::decode(owner).ok()?);
        }
        Some(kept)
    }

    fn bytes(self) -> Vec<u8> {
        let Self { attributes, created, secured, owner, .. } = self;
        let simple = Self { attributes, created, secured, owner, ..Self::default() };
        let mut raw = vec![if self != simple { 3 } else { 1 + u8::from(secured) }];
        raw.extend(self.attributes.bits().to_le_bytes());
        raw.extend(self.created.0.to_le_bytes());
        if self != simple {
            raw.extend(self.reparse_tag.to_le_bytes());
            for Instead { meant, says } in [self.accessed, self.written, self.changed] {
                raw.extend(meant.0.to_le_bytes());
                raw.extend(says.0.to_le_bytes());
            }
            raw.push(secured.into());
        }
        if let Some(owner) = owner {
            raw.extend(owner.to_vec());
        }
        raw
    }

    /// The name that tells it, where one can.
    fn name(&self) -> Option<String> {
        let Self { attributes, owner, .. } = *self;
        let simple = Self { attributes, owner, ..Self::default() };
        (*self == simple).then(|| owner.map(|owner| format!("{NAME}{:x}.{owner}", attributes.bits())))?
    }

    /// What a name tells, the owner only if `owned` asks for it.
    fn parse_name(name: &str, owned: bool) -> Option<Self> {
        let (attributes, owner) = name.strip_prefix(NAME)?.split_once('.')?;
        let attributes = FileAttributes::from_bits_retain(u32::from_str_radix(attributes, 16).ok()?);
        let owner = if owned { Some(owner.parse().ok()?) } else { None };
        Some(Self { attributes, owner, ..Self::default() })
    }

    fn read(on: &On<'_>) -> Option<Self> {
        let mut raw = [0; ROOM];
        let got = on.read(XATTR, &mut raw).ok()?;
        Self::parse(raw.get(..got)?)
    }

    /// Of an open file. `path_only` says that it was opened with O_PATH.
    pub(super) fn of(fd: BorrowedFd<'_>, path_only: bool) -> Option<Self> {
        Self::on(&On::new(fd, path_only))
    }

    /// Of a path; a symbolic link has nothing beside it.
    pub(super) fn at(path: &[u8]) -> Option<Self> {
        Self::on(&On::Name(path))
    }

    fn on(on: &On<'_>) -> Option<Self> {
        let told = |raw: &[u8]| {
            let mut told = Told::default();
            texts(raw).for_each(|name| told.note(name));
            told.kept(on, true)
        };
        on.names(told).ok()?
    }

    /// Keeps it with a file that was just made, and has nothing beside it.
    pub(super) fn store_first(self, fd: BorrowedFd<'_>) -> Result<()> {
        let on = On::new(fd, false);
        supported(match self.name() {
            Some(name) => on.set(&name, &[]),
            None => on.set(XATTR, &self.bytes()),
        })
    }

    pub(super) fn store(self, fd: BorrowedFd<'_>, path_only: bool) -> Result<()> {
        let on = On::new(fd, path_only);
        supported(on.set(XATTR, &self.bytes()))?;
        // It counts from now on. Where the name stays it does no harm.
        let stale = |raw: &[u8]| texts(raw).find(|name| name.starts_with(NAME)).map(str::to_owned);
        if let Ok(Some(name)) = on.names(stale) {
            let _ = on.remove(&name);
        }
        Ok(())
    }
}

/// Where the file system has no attributes, they are lost.
fn supported(stored: Result<()>) -> Result<()> {
    match stored {
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(()),
        other => other,
    }
}

/// What the names of a file's extended attributes tell of what is kept.
#[derive(Debug, Default)]
pub(super) enum Told<'n> {
    #[default]
    Nothing,
    /// All of it.
    Everything(&'n str),
    /// That a value has it.
    Value,
}

impl<'n> Told<'n> {
    /// Looks at another name.
    pub(super) fn note(&mut self, name: &'n str) {
        if name == XATTR {
            *self = Self::Value;
        } else if matches!(self, Self::Nothing) && name.starts_with(NAME) {
            *self = Self::Everything(name);
        }
    }

    /// What is kept of the file that has all these names. Without `owned` nobody wants to know the owner.
    pub(super) fn kept(self, on: &On<'_>, owned: bool) -> Option<Kept> {
        match self {
            Self::Nothing => None,
            Self::Everything(name) => Kept::parse_name(name, owned),
            Self::Value => Kept::read(on),
        }
    }
}

/// The path under which the kernel knows an open descriptor.
pub(super) fn descriptor(fd: BorrowedFd<'_>) -> String {
    format!("/proc/self/fd/{}", fd.as_raw_fd())
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = rest.split_first_chunk()?;
    *rest = tail;
    Some(*head)
}

fn take_time(rest: &mut &[u8]) -> Option<FileTime> {
    take(rest).map(u64::from_le_bytes).map(FileTime)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_versions_survive() {
        let simple = Kept { attributes: FileAttributes::HIDDEN, created: FileTime(5), ..Kept::default() };
        let odd = Kept {
            reparse_tag: 0xa000_000c,
            changed: Instead { meant: FileTime(7), says: FileTime(9) },
            ..simple
        };
        let secured = Kept { secured: true, ..simple };
        let both = Kept { secured: true, ..odd };
        let owned = Kept { owner: Some(Sid::EVERYONE), ..simple };
        let owned_odd = Kept { owner: Some(Sid::EVERYONE), ..odd };
        let all = [(simple, 13), (secured, 13), (odd, 66), (both, 66), (owned, 25), (owned_odd, 78)];
        for (kept, len) in all {
            let raw = kept.bytes();
            assert_eq!((raw.len(), Kept::parse(&raw)), (len, Some(kept)));
            assert_eq!(Kept::parse(&raw[..len - 1]), None);
        }
        assert_eq!(Kept::parse(&[]), None);
        assert_eq!(Kept::parse(&[0; 13]), None);
        assert_eq!(Kept::parse(&[4; 66]), None);
        assert_eq!(odd.changed.time(FileTime(9), 0), FileTime(7));
        assert_eq!(odd.changed.time(FileTime(12), 3), FileTime(7));
        assert_eq!(odd.changed.time(FileTime(13), 3), FileTime(13));
        assert_eq!(odd.changed.time(FileTime(8), 3), FileTime(8));
    }

    #[test]
    fn a_name_tells_attributes_and_owner_and_nothing_else_has_one() {
        let simple = Kept { attributes: FileAttributes::ARCHIVE, ..Kept::default() };
        let owned = Kept { owner: Sid::new(5, &[21, 1, 2, 3, 1000]), ..simple };
        let name = owned.name().unwrap();
        assert_eq!(name, "user.sansmb.kept.20.S-1-5-21-1-2-3-1000");
        assert_eq!(Kept::parse_name(&name, true), Some(owned));
        assert_eq!(Kept::parse_name(&name, false), Some(simple));
        let longest = Kept { attributes: FileAttributes::from_bits_retain(u32::MAX), ..owned };
        let longest = Kept { owner: Sid::new((1 << 48) - 1, &[u32::MAX; 15]), ..longest };
        // Linux has room for 255 bytes.
        assert!(
            longest
                .name()
                .is_some_and(|name| name.len() <= 255 && Kept::parse_name(&name, true) == Some(longest))
        );
        let more = [
            simple,
            Kept { created: FileTime(1), ..owned },
            Kept { secured: true, ..owned },
            Kept { reparse_tag: 1, ..owned },
            Kept { changed: Instead { meant: FileTime(7), says: FileTime(9) }, ..owned },
        ];
        assert!(more.iter().all(|kept| kept.name().is_none()));
        for not in
            ["user.sansmb.kept.", "user.sansmb.kept.20", "user.sansmb.kept.20.", "user.kept.20.S-1-1-0"]
        {
            assert_eq!(Kept::parse_name(not, true), None);
        }
    }

    #[test]
    fn a_value_counts_whatever_the_names_tell() {
        for names in [["user.sansmb.kept.20.S-1-1-0", XATTR], [XATTR, "user.sansmb.kept.20.S-1-1-0"]] {
            let mut told = Told::default();
            names.iter().for_each(|name| told.note(name));
            assert!(matches!(told, Told::Value));
        }
    }
}
