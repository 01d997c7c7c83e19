//! Who uses the server: NetrConnectionEnum, NetrFileEnum and NetrSessionEnum, as far as they are refused.

use alloc::vec::Vec;

use super::super::{NdrReader, NdrWriter, NetStatus, lanman::ListEnd};
use super::{CONNECTION_ENUM, FILE_ENUM, SESSION_ENUM};
use crate::wire::DecodeError;

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
        match self {
            Self::Connections => matches!(level, 0 | 1),
            Self::Files => matches!(level, 2 | 3),
            Self::Sessions => matches!(level, 0 | 1 | 2 | 10 | 502),
        }
    }
}

/// The results of a method that lists nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UsageResponse {
    /// Of what.
    pub kind: UsageKind,
    /// The level that was asked for.
    pub level: u32,
    /// Why.
    pub status: NetStatus,
}

impl UsageResponse {
    /// The stub.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = NdrWriter::new();
        let Self { kind, level, status } = *self;
        let end = ListEnd { total_entries: 0, resume_handle: None, status };
        w.list_response::<()>(level, kind.is_level(level), None, |_, ()| (), |_, ()| (), end);
        w.finish()
    }

    /// Parses the stub of a method that listed nothing.
    pub fn decode(kind: UsageKind, stub: &[u8]) -> Result<Self, DecodeError> {
        let mut r = NdrReader::new(stub);
        let level = r.u32()?;
        r.expect(level)?;
        if kind.is_level(level) && r.pointer()? {
            r.expect(0)?;
            r.expect(0)?;
        }
        r.expect(0)?;
        r.unique_u32()?;
        Ok(Self { kind, level, status: NetStatus(r.u32()?) })
    }
}
