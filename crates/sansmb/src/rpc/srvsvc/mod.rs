//! The server service, [MS-SRVS]: shares, the server, its time, and who uses it.

mod server;
mod share;
mod usage;

use alloc::vec::Vec;

pub use super::lanman::{MAX_PREFERRED_LENGTH, NetStatus};
use super::{NdrReader, NdrWriter, SyntaxId};
use crate::wire::{DecodeError, Guid, Utf16};

pub use server::{RemoteTodResponse, ServerGetInfoResponse, ServerInfo, ServerType, TimeOfDay};
pub use share::{Share, ShareEnumResponse, ShareGetInfoResponse, ShareInfoFlags, ShareKind};
pub use usage::{
    ConnectionInfo, FileCloseResponse, FileInfo, FilePermissions, SessionInfo, SessionUserFlags, UsageInfo,
    UsageKind, UsageResponse,
};

/// The interface, `4b324fc8-1670-01d3-1278-5a47bf6ee188` version 3.0.
pub const INTERFACE: SyntaxId = SyntaxId {
    uuid: Guid([
        0xC8, 0x4F, 0x32, 0x4B, 0x70, 0x16, 0xD3, 0x01, 0x12, 0x78, 0x5A, 0x47, 0xBF, 0x6E, 0xE1, 0x88,
    ]),
    major: 3,
    minor: 0,
};

/// Name of the pipe, as CREATE has it.
pub const PIPE: &str = "srvsvc";

/// NetrConnectionEnum, [MS-SRVS] 3.1.4.1.
pub const CONNECTION_ENUM: u16 = 8;
/// NetrFileEnum, [MS-SRVS] 3.1.4.2.
pub const FILE_ENUM: u16 = 9;
/// NetrFileClose, [MS-SRVS] 3.1.4.4.
pub const FILE_CLOSE: u16 = 11;
/// NetrSessionEnum, [MS-SRVS] 3.1.4.5.
pub const SESSION_ENUM: u16 = 12;
/// NetrShareEnum, [MS-SRVS] 3.1.4.8.
pub const SHARE_ENUM: u16 = 15;
/// NetrShareGetInfo, [MS-SRVS] 3.1.4.10.
pub const SHARE_GET_INFO: u16 = 16;
/// NetrShareEnumSticky, [MS-SRVS] 3.1.4.9.
pub const SHARE_ENUM_STICKY: u16 = 36;
/// NetrServerGetInfo, [MS-SRVS] 3.1.4.17.
pub const SERVER_GET_INFO: u16 = 21;
/// NetrRemoteTOD, [MS-SRVS] 3.1.4.21.
pub const REMOTE_TOD: u16 = 28;

/// The arguments of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SrvsvcRequest<'m> {
    /// List the shares.
    ShareEnum {
        /// The server that the client means.
        server: Option<Utf16<'m>>,
        /// 0 for names, 1 for kinds and remarks too, 2, 501 or 502 for more.
        level: u32,
        /// About how many bytes the answer should have.
        preferred_length: u32,
        /// Where an earlier answer ended.
        resume_handle: Option<u32>,
    },
    /// List the shares that are there again when the server restarts.
    ShareEnumSticky {
        /// The server that the client means.
        server: Option<Utf16<'m>>,
        /// As in [`SrvsvcRequest::ShareEnum`].
        level: u32,
        /// About how many bytes the answer should have.
        preferred_length: u32,
        /// Where an earlier answer ended.
        resume_handle: Option<u32>,
    },
    /// Describe a share.
    ShareGetInfo {
        /// The server that the client means.
        server: Option<Utf16<'m>>,
        /// The share.
        share: Utf16<'m>,
        /// 0, 1, 2, 501, 502 or 1005.
        level: u32,
    },
    /// Describe the server.
    ServerGetInfo {
        /// The server that the client means.
        server: Option<Utf16<'m>>,
        /// 100, 101 or 102.
        level: u32,
    },
    /// Say what time it is.
    RemoteTod {
        /// The server that the client means.
        server: Option<Utf16<'m>>,
    },
    /// Close something that is open.
    FileClose {
        /// The server that the client means.
        server: Option<Utf16<'m>>,
        /// Its number, as NetrFileEnum gives it.
        id: u32,
    },
    /// List connections, open files or sessions.
    Usage {
        /// Of what.
        kind: UsageKind,
        /// The server that the client means.
        server: Option<Utf16<'m>>,
        /// Only those of this share, this directory, or this client.
        qualifier: Option<Utf16<'m>>,
        /// Only those of this user; not for connections.
        user: Option<Utf16<'m>>,
        /// How much of each.
        level: u32,
        /// About how many bytes the answer should have.
        preferred_length: u32,
        /// Where an earlier answer ended.
        resume_handle: Option<u32>,
    },
}

impl<'m> SrvsvcRequest<'m> {
    /// The method.
    pub fn opnum(&self) -> u16 {
        match self {
            Self::ShareEnum { .. } => SHARE_ENUM,
            Self::ShareEnumSticky { .. } => SHARE_ENUM_STICKY,
            Self::ShareGetInfo { .. } => SHARE_GET_INFO,
            Self::ServerGetInfo { .. } => SERVER_GET_INFO,
            Self::RemoteTod { .. } => REMOTE_TOD,
            Self::FileClose { .. } => FILE_CLOSE,
            Self::Usage { kind, .. } => kind.opnum(),
        }
    }

    /// The stub.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = NdrWriter::new();
        match *self {
            Self::ShareEnum { server, level, preferred_length, resume_handle }
            | Self::ShareEnumSticky { server, level, preferred_length, resume_handle } => {
                w.unique_string(server);
                w.list_request(level, preferred_length, resume_handle);
            }
            Self::ShareGetInfo { server, share, level } => {
                w.unique_string(server);
                w.string(share);
                w.u32(level);
            }
            Self::ServerGetInfo { server, level } | Self::FileClose { server, id: level } => {
                w.unique_string(server);
                w.u32(level);
            }
            Self::RemoteTod { server } => w.unique_string(server),
            Self::Usage { kind, server, qualifier, user, level, preferred_length, resume_handle } => {
                w.unique_string(server);
                w.unique_string(qualifier);
                if kind != UsageKind::Connections {
                    w.unique_string(user);
                }
                w.list_request(level, preferred_length, resume_handle);
            }
        }
        w.finish()
    }

    /// Parses the stub of a call, or gives `None` for a method that is not known.
    pub fn decode(opnum: u16, stub: &'m [u8]) -> Result<Option<Self>, DecodeError> {
        let mut r = NdrReader::new(stub);
        let r = &mut r;
        Ok(Some(match opnum {
            SHARE_ENUM => {
                let server = r.unique_string()?;
                let (level, preferred_length, resume_handle) = r.list_request()?;
                Self::ShareEnum { server, level, preferred_length, resume_handle }
            }
            SHARE_ENUM_STICKY => {
                let server = r.unique_string()?;
                let (level, preferred_length, resume_handle) = r.list_request()?;
                Self::ShareEnumSticky { server, level, preferred_length, resume_handle }
            }
            SHARE_GET_INFO => {
                Self::ShareGetInfo { server: r.unique_string()?, share: r.string()?, level: r.u32()? }
            }
            SERVER_GET_INFO => Self::ServerGetInfo { server: r.unique_string()?, level: r.u32()? },
            FILE_CLOSE => Self::FileClose { server: r.unique_string()?, id: r.u32()? },
            REMOTE_TOD => Self::RemoteTod { server: r.unique_string()? },
            _ => {
                let Some(kind) = UsageKind::of(opnum) else { return Ok(None) };
                let (server, qualifier) = (r.unique_string()?, r.unique_string()?);
                let user = if kind == UsageKind::Connections { None } else { r.unique_string()? };
                let (level, preferred_length, resume_handle) = r.list_request()?;
                Self::Usage { kind, server, qualifier, user, level, preferred_length, resume_handle }
            }
        }))
    }
}
