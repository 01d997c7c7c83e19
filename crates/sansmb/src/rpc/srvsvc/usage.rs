//! Who uses the server: NetrConnectionEnum, NetrFileEnum and NetrSessionEnum, [MS-SRVS] 2.2.4.1 to 2.2.4.21.
//!
//! All their rows are numbers and pointers to texts, which differ by kind and level only.

use alloc::vec::Vec;

use super::super::{NdrReader, NdrWriter, NetStatus, lanman::ListEnd};
use super::{CONNECTION_ENUM, FILE_ENUM, SESSION_ENUM, ShareKind};
use crate::wire::{DecodeError, Utf16, wire_flags};

/// What is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UsageKind {
    /// Who is connected to a share.
    Connections,
    /// What is open.
    Files,
    /// Who is logged on.
    Sessions,
}

impl UsageKind {
    /// The method that lists it.
    pub const fn opnum(self) -> u16 {
        match self {
            Self::Connections => CONNECTION_ENUM,
            Self::Files => FILE_ENUM,
            Self::Sessions => SESSION_ENUM,
        }
    }

    /// What a method lists.
    pub const fn of(opnum: u16) -> Option<Self> {
        match opnum {
            CONNECTION_ENUM => Some(Self::Connections),
            FILE_ENUM => Some(Self::Files),
            SESSION_ENUM => Some(Self::Sessions),
            _ => None,
        }
    }

    /// Whether there is such a level.
    pub const fn is_level(self, level: u32) -> bool {
        self.row(level).is_some()
    }

    /// What a row is made of.
    const fn row(self, level: u32) -> Option<&'static [Cell]> {
        use Cell::{Number as N, Text as T};
        Some(match (self, level) {
            (Self::Connections, 0) | (Self::Files, 2) => &[N],
            (Self::Connections, 1) => &[N, N, N, N, N, T, T],
            (Self::Files, 3) => &[N, N, N, T, T],
            (Self::Sessions, 0) => &[T],
            (Self::Sessions, 1) => &[T, T, N, N, N, N],
            (Self::Sessions, 2) => &[T, T, N, N, N, N, T],
            (Self::Sessions, 10) => &[T, T, N, N],
            (Self::Sessions, 502) => &[T, T, N, N, N, N, T, T],
            _ => return None,
        })
    }

    /// Bytes of a row, the strings not counted.
    pub const fn row_len(self, level: u32) -> usize {
        match self.row(level) {
            Some(row) => 4 * row.len(),
            None => 0,
        }
    }
}

/// A part of a row.
#[derive(Clone, Copy)]
enum Cell {
    Number,
    Text,
}

wire_flags! {
    /// What an open may do, [MS-SRVS] 2.2.4.7.
    pub struct FilePermissions: u32 {
        /// Read it.
        const READ = 0x01;
        /// Write it.
        const WRITE = 0x02;
        /// Make it, or write behind its end.
        const CREATE = 0x04;
        /// Execute it.
        const EXECUTE = 0x08;
        /// Delete it.
        const DELETE = 0x10;
        /// Change its attributes.
        const ATTRIBUTES = 0x20;
        /// Say who may do what.
        const PERMISSIONS = 0x40;
    }
}

wire_flags! {
    /// How somebody logged on, [MS-SRVS] 2.2.2.3.
    pub struct SessionUserFlags: u32 {
        /// As a guest.
        const GUEST = 0x1;
        /// Without a secret that was encrypted.
        const NO_ENCRYPTION = 0x2;
    }
}

/// CONNECTION_INFO_1: a tree connect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConnectionInfo<'m> {
    /// Its number.
    pub id: u32,
    /// What it is to.
    pub kind: ShareKind,
    /// How much is open through it.
    pub opens: u32,
    /// How many use it.
    pub users: u32,
    /// For how many seconds there has been one.
    pub seconds: u32,
    /// Whose it is.
    pub user: Utf16<'m>,
    /// The machine of its client where connections to a share are listed, and the other way round.
    pub net_name: Utf16<'m>,
}

/// FILE_INFO_3: something that is open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileInfo<'m> {
    /// Its number.
    pub id: u32,
    /// What may be done with it.
    pub permissions: FilePermissions,
    /// How many byte ranges of it are locked.
    pub locks: u32,
    /// Where it is on the server.
    pub path: Utf16<'m>,
    /// Who has opened it.
    pub user: Utf16<'m>,
}

/// SESSION_INFO_502: somebody who is logged on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SessionInfo<'m> {
    /// The machine, without backslashes.
    pub client: Utf16<'m>,
    /// The name.
    pub user: Utf16<'m>,
    /// How much is open.
    pub opens: u32,
    /// For how many seconds.
    pub seconds: u32,
    /// Seconds since something was asked for last.
    pub idle: u32,
    /// How.
    pub flags: SessionUserFlags,
    /// What the machine says that it is.
    pub client_type: Utf16<'m>,
    /// The transport.
    pub transport: Utf16<'m>,
}

/// An element of a list. What its level does not have is not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UsageInfo<'m> {
    /// Of NetrConnectionEnum.
    Connection(ConnectionInfo<'m>),
    /// Of NetrFileEnum.
    File(FileInfo<'m>),
    /// Of NetrSessionEnum.
    Session(SessionInfo<'m>),
}

impl<'m> UsageInfo<'m> {
    /// Its numbers and texts, in the order in which the rows of all levels have them.
    fn parts(&self) -> (Vec<u32>, Vec<Utf16<'m>>) {
        match *self {
            Self::Connection(ConnectionInfo { id, kind, opens, users, seconds, user, net_name }) => {
                (Vec::from([id, kind.0, opens, users, seconds]), Vec::from([user, net_name]))
            }
            Self::File(FileInfo { id, permissions, locks, path, user }) => {
                (Vec::from([id, permissions.bits(), locks]), Vec::from([path, user]))
            }
            Self::Session(info) => (
                Vec::from([info.opens, info.seconds, info.idle, info.flags.bits()]),
                Vec::from([info.client, info.user, info.client_type, info.transport]),
            ),
        }
    }

    fn numbers(&self, level: u32) -> Vec<u32> {
        let mut numbers = self.parts().0;
        // Level 10 has the times alone.
        if let (Self::Session(_), 10) = (self, level) {
            numbers.remove(0);
        }
        numbers
    }

    /// The texts of a level.
    fn texts(&self, kind: UsageKind, level: u32) -> Vec<Utf16<'m>> {
        let row = kind.row(level).unwrap_or_default();
        let count = row.iter().filter(|cell| matches!(cell, Cell::Text)).count();
        let mut texts = self.parts().1;
        texts.truncate(count);
        texts
    }

    /// Bytes of its texts in a level.
    pub fn texts_len(&self, kind: UsageKind, level: u32) -> usize {
        self.texts(kind, level).iter().map(|text| text.len() + 2).sum()
    }

    fn encode_row(&self, w: &mut NdrWriter, kind: UsageKind, level: u32) {
        let mut numbers = self.numbers(level).into_iter();
        for cell in kind.row(level).unwrap_or_default() {
            match cell {
                Cell::Number => w.u32(numbers.next().unwrap_or_default()),
                Cell::Text => w.pointer(true),
            }
        }
    }

    fn decode_row(
        r: &mut NdrReader<'m>,
        kind: UsageKind,
        level: u32,
    ) -> Result<(Vec<u32>, Vec<bool>), DecodeError> {
        let (mut numbers, mut texts) = (Vec::new(), Vec::new());
        for cell in kind.row(level).unwrap_or_default() {
            match cell {
                Cell::Number => numbers.push(r.u32()?),
                Cell::Text => texts.push(r.pointer()?),
            }
        }
        Ok((numbers, texts))
    }

    fn rest(
        (numbers, pointers): (Vec<u32>, Vec<bool>),
        r: &mut NdrReader<'m>,
        kind: UsageKind,
        level: u32,
    ) -> Result<Self, DecodeError> {
        let mut texts = Vec::new();
        for pointer in pointers {
            texts.push(r.string_if(pointer)?);
        }
        let text = |at: usize| texts.get(at).copied().unwrap_or_default();
        let number = |at: usize| numbers.get(at).copied().unwrap_or_default();
        Ok(match kind {
            UsageKind::Connections => Self::Connection(ConnectionInfo {
                id: number(0),
                kind: ShareKind(number(1)),
                opens: number(2),
                users: number(3),
                seconds: number(4),
                user: text(0),
                net_name: text(1),
            }),
            UsageKind::Files => Self::File(FileInfo {
                id: number(0),
                permissions: FilePermissions::from_bits_retain(number(1)),
                locks: number(2),
                path: text(0),
                user: text(1),
            }),
            UsageKind::Sessions => {
                let times = usize::from(level != 10);
                Self::Session(SessionInfo {
                    opens: if level == 10 { 0 } else { number(0) },
                    seconds: number(times),
                    idle: number(times + 1),
                    flags: SessionUserFlags::from_bits_retain(number(times + 2)),
                    client: text(0),
                    user: text(1),
                    client_type: text(2),
                    transport: text(3),
                })
            }
        })
    }
}

/// The results of such a method.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageResponse<'m> {
    /// Of what.
    pub kind: UsageKind,
    /// The level that was asked for.
    pub level: u32,
    /// The elements, all of that kind.
    pub list: Vec<UsageInfo<'m>>,
    /// How many there are, from here on.
    pub total_entries: u32,
    /// Where to go on, with [`NetStatus::MORE_DATA`].
    pub resume_handle: Option<u32>,
    /// Whether it worked.
    pub status: NetStatus,
}

impl<'m> UsageResponse<'m> {
    /// Why nothing is listed.
    pub const fn refused(kind: UsageKind, level: u32, status: NetStatus) -> Self {
        Self { kind, level, list: Vec::new(), total_entries: 0, resume_handle: None, status }
    }

    /// The stub.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = NdrWriter::new();
        let Self { kind, level, total_entries, resume_handle, status, .. } = *self;
        let failed = !matches!(status, NetStatus::SUCCESS | NetStatus::MORE_DATA);
        w.list_response(
            level,
            kind.is_level(level),
            Some(self.list.as_slice()).filter(|list| !failed || !list.is_empty()),
            |w, info| info.encode_row(w, kind, level),
            |w, info| info.texts(kind, level).into_iter().for_each(|text| w.string(text)),
            ListEnd { total_entries, resume_handle, status },
        );
        w.finish()
    }

    /// Parses the stub of a method that lists `kind`.
    pub fn decode(kind: UsageKind, stub: &'m [u8]) -> Result<Self, DecodeError> {
        let mut r = NdrReader::new(stub);
        let (level, list, end) = r.list_response(
            |level| kind.is_level(level),
            |r, level, count| {
                let row = |r: &mut NdrReader<'m>| UsageInfo::decode_row(r, kind, level);
                r.array(count, kind.row_len(level), row, |r, row| UsageInfo::rest(row, r, kind, level))
            },
        )?;
        let ListEnd { total_entries, resume_handle, status } = end;
        Ok(Self { kind, level, list, total_entries, resume_handle, status })
    }
}

/// The results of NetrFileClose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileCloseResponse {
    /// Whether it worked.
    pub status: NetStatus,
}

impl FileCloseResponse {
    /// The stub.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = NdrWriter::new();
        w.u32(self.status.0);
        w.finish()
    }

    /// Parses the stub.
    pub fn decode(stub: &[u8]) -> Result<Self, DecodeError> {
        Ok(Self { status: NetStatus(NdrReader::new(stub).u32()?) })
    }
}
