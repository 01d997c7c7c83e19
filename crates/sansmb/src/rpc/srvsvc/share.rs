//! Shares: NetrShareEnum and NetrShareGetInfo.

use alloc::vec::Vec;

use super::super::{NdrReader, NdrWriter, NetStatus, lanman::ListEnd};
use crate::wire::{DecodeError, Utf16, open_enum, wire_flags};

open_enum! {
    /// Kind of a share, [MS-SRVS] 2.2.2.4, with bits for its nature.
    pub struct ShareKind: u32 {
        /// Files
        DISK_TREE = 0,
        /// Print queue
        PRINT_QUEUE = 1,
        /// Device
        DEVICE = 2,
        /// Pipes
        IPC = 3,
        /// Files, for administrators
        SPECIAL_DISK_TREE = 0x8000_0000,
        /// The share of pipes, `IPC$`
        SPECIAL_IPC = 0x8000_0003,
    }
}

impl ShareKind {
    /// The kind alone.
    #[must_use]
    pub fn base(self) -> Self {
        Self(self.0 & 0x0000_00FF)
    }

    /// Whether it is for pipes or administrators.
    pub fn is_special(self) -> bool {
        self.0 & 0x8000_0000 != 0
    }
}

wire_flags! {
    /// How a share is served, [MS-SRVS] 2.2.4.29, beside how clients may keep its files when they are off line.
    pub struct ShareInfoFlags: u32 {
        /// It is in a distributed file system.
        const IN_DFS = 0x0000_0001;
        /// It is the root of one.
        const DFS_ROOT = 0x0000_0002;
        /// Clients have to share their opens.
        const FORCE_SHARED_DELETE = 0x0000_0200;
        /// Clients may cache listings.
        const ALLOW_NAMESPACE_CACHING = 0x0000_0400;
        /// Listings leave out what the user may not read.
        const ACCESS_BASED_DIRECTORY_ENUM = 0x0000_0800;
        /// Only encrypted requests are taken.
        const ENCRYPT_DATA = 0x0000_8000;
    }
}

/// SHARE_INFO_502_I and what is shorter: a share. What a level does not have is left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share<'m> {
    /// Name; in all levels but 1005.
    pub name: Utf16<'m>,
    /// Kind, in levels 1, 2, 501 and 502.
    pub kind: ShareKind,
    /// A remark for users, in levels 1, 2, 501 and 502.
    pub remark: Utf16<'m>,
    /// How it is served, in levels 501 and 1005.
    pub flags: ShareInfoFlags,
    /// Permissions of a server whose shares have them instead of their users; in levels 2 and 502.
    pub permissions: u32,
    /// How many may use it at a time, `u32::MAX` without bound; in levels 2 and 502.
    pub max_uses: u32,
    /// How many use it; in levels 2 and 502.
    pub current_uses: u32,
    /// Where its files are on the server; in levels 2 and 502.
    pub path: Utf16<'m>,
    /// Its password, which servers of today do not have; in levels 2 and 502.
    pub password: Option<Utf16<'m>>,
    /// Who may connect, a self-relative descriptor, in level 502; empty without one.
    pub descriptor: &'m [u8],
}

/// What is kept in a row of an array, before what it points at.
#[derive(Default)]
struct ShareRow<'m> {
    share: Share<'m>,
    name: bool,
    remark: bool,
    path: bool,
    password: bool,
    descriptor: Option<u32>,
}

/// Levels in which there is more than a name.
fn has_kind(level: u32) -> bool {
    matches!(level, 1 | 2 | 501 | 502)
}

fn has_uses(level: u32) -> bool {
    matches!(level, 2 | 502)
}

fn has_flags(level: u32) -> bool {
    matches!(level, 501 | 1005)
}

impl<'m> ShareRow<'m> {
    fn decode(r: &mut NdrReader<'m>, level: u32) -> Result<Self, DecodeError> {
        let mut row = Self::default();
        if level != 1005 {
            row.name = r.pointer()?;
        }
        if has_kind(level) {
            row.share.kind = ShareKind(r.u32()?);
            row.remark = r.pointer()?;
        }
        if has_flags(level) {
            row.share.flags = ShareInfoFlags::from_bits_retain(r.u32()?);
        }
        if has_uses(level) {
            row.share.permissions = r.u32()?;
            row.share.max_uses = r.u32()?;
            row.share.current_uses = r.u32()?;
            row.path = r.pointer()?;
            row.password = r.pointer()?;
        }
        if level == 502 {
            row.descriptor = r.counted()?;
        }
        Ok(row)
    }

    fn rest(self, r: &mut NdrReader<'m>) -> Result<Share<'m>, DecodeError> {
        Ok(Share {
            name: r.string_if(self.name)?,
            remark: r.string_if(self.remark)?,
            path: r.string_if(self.path)?,
            password: if self.password { Some(r.string()?) } else { None },
            descriptor: match self.descriptor {
                Some(len) => r.octets(len)?,
                None => &[],
            },
            ..self.share
        })
    }
}

impl<'m> Share<'m> {
    /// Bytes of a row, the strings not counted.
    pub const fn row_len(level: u32) -> usize {
        match level {
            0 | 1005 => 4,
            1 => 12,
            2 => 32,
            501 => 16,
            _ => 40,
        }
    }

    fn decode(r: &mut NdrReader<'m>, level: u32) -> Result<Self, DecodeError> {
        ShareRow::decode(r, level)?.rest(r)
    }

    fn encode_row(&self, w: &mut NdrWriter, level: u32) {
        if level != 1005 {
            w.pointer(true);
        }
        if has_kind(level) {
            w.u32(self.kind.0);
            w.pointer(true);
        }
        if has_flags(level) {
            w.u32(self.flags.bits());
        }
        if has_uses(level) {
            w.u32(self.permissions);
            w.u32(self.max_uses);
            w.u32(self.current_uses);
            w.pointer(true);
            w.pointer(self.password.is_some());
        }
        if level == 502 {
            w.counted(Some(self.descriptor).filter(|bytes| !bytes.is_empty()));
        }
    }

    fn encode_rest(&self, w: &mut NdrWriter, level: u32) {
        if level != 1005 {
            w.string(self.name);
        }
        if has_kind(level) {
            w.string(self.remark);
        }
        if has_uses(level) {
            w.string(self.path);
            self.password.into_iter().for_each(|password| w.string(password));
        }
        if level == 502 && !self.descriptor.is_empty() {
            w.octets(self.descriptor);
        }
    }
}

/// The results of NetrShareEnum.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShareEnumResponse<'m> {
    /// 0, 1, 2, 501 or 502.
    pub level: u32,
    /// The shares.
    pub shares: Vec<Share<'m>>,
    /// How many there are, from here on.
    pub total_entries: u32,
    /// Where to go on, with [`NetStatus::MORE_DATA`].
    pub resume_handle: Option<u32>,
    /// Whether it worked.
    pub status: NetStatus,
}

impl<'m> ShareEnumResponse<'m> {
    /// Whether shares are listed in this level.
    pub const fn is_level(level: u32) -> bool {
        matches!(level, 0 | 1 | 2 | 501 | 502)
    }

    /// The stub.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = NdrWriter::new();
        let Self { level, total_entries, resume_handle, status, .. } = *self;
        let failed = !matches!(status, NetStatus::SUCCESS | NetStatus::MORE_DATA);
        w.list_response(
            level,
            Self::is_level(level),
            Some(self.shares.as_slice()).filter(|shares| !failed || !shares.is_empty()),
            |w, share| share.encode_row(w, level),
            |w, share| share.encode_rest(w, level),
            ListEnd { total_entries, resume_handle, status },
        );
        w.finish()
    }

    /// Parses the stub.
    pub fn decode(stub: &'m [u8]) -> Result<Self, DecodeError> {
        let mut r = NdrReader::new(stub);
        let (level, shares, end) = r.list_response(Self::is_level, |r, level, count| {
            let row = |r: &mut NdrReader<'m>| ShareRow::decode(r, level);
            r.array(count, Share::row_len(level), row, |r, row| row.rest(r))
        })?;
        let ListEnd { total_entries, resume_handle, status } = end;
        Ok(Self { level, shares, total_entries, resume_handle, status })
    }
}

/// The results of NetrShareGetInfo.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShareGetInfoResponse<'m> {
    /// 0, 1, 2, 501, 502 or 1005.
    pub level: u32,
    /// The share, if it worked.
    pub share: Option<Share<'m>>,
    /// Whether it worked.
    pub status: NetStatus,
}

impl<'m> ShareGetInfoResponse<'m> {
    /// Whether a share is described in this level.
    pub const fn is_level(level: u32) -> bool {
        level == 1005 || ShareEnumResponse::is_level(level)
    }

    /// Levels that the interface has a form for, [MS-SRVS] 2.2.3.6: with these a pointer follows.
    const fn has_form(level: u32) -> bool {
        Self::is_level(level) || matches!(level, 503 | 1004 | 1006 | 1501)
    }

    /// The stub.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = NdrWriter::new();
        let level = self.level;
        let share = self.share.filter(|_| Self::is_level(level));
        let put = |w: &mut NdrWriter, share: Share<'_>| {
            share.encode_row(w, level);
            share.encode_rest(w, level);
        };
        w.info_response(level, Self::has_form(level), share, put, self.status);
        w.finish()
    }

    /// Parses the stub.
    pub fn decode(stub: &'m [u8]) -> Result<Self, DecodeError> {
        let mut r = NdrReader::new(stub);
        let what = "NetrShareGetInfo response";
        let (level, share, status) = r.info_response(what, Self::has_form, Self::is_level, Share::decode)?;
        Ok(Self { level, share, status })
    }
}
