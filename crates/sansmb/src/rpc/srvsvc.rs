//! The server service, [MS-SRVS]: NetrShareEnum, NetrShareGetInfo and NetrServerGetInfo.

use alloc::vec::Vec;

use super::{FaultStatus, NdrReader, NdrWriter, RpcCall, SyntaxId};
use crate::wire::{DecodeError, Guid, Utf16, open_enum, wire_flags};

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

/// NetrShareEnum, [MS-SRVS] 3.1.4.8.
pub const SHARE_ENUM: u16 = 15;
/// NetrShareGetInfo, [MS-SRVS] 3.1.4.10.
pub const SHARE_GET_INFO: u16 = 16;
/// NetrServerGetInfo, [MS-SRVS] 3.1.4.17.
pub const SERVER_GET_INFO: u16 = 21;

/// "As many as there are" for [`SrvsvcRequest::ShareEnum`].
pub const MAX_PREFERRED_LENGTH: u32 = u32::MAX;

open_enum! {
    /// NET_API_STATUS, [MS-SRVS] 2.2.2.10: what a method returns.
    pub struct NetStatus: u32 {
        /// It worked.
        SUCCESS = 0,
        /// Access is denied.
        ACCESS_DENIED = 5,
        /// Not supported.
        NOT_SUPPORTED = 50,
        /// A parameter is invalid.
        INVALID_PARAMETER = 87,
        /// The level is not known.
        INVALID_LEVEL = 124,
        /// There is more: call again with the resume handle.
        MORE_DATA = 234,
        /// There is no such share.
        NET_NAME_NOT_FOUND = 2310,
    }
}

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
    /// What a server does, [MS-SRVS] 2.2.2.7.
    pub struct ServerType: u32 {
        /// It uses shares of others.
        const WORKSTATION = 0x0000_0001;
        /// It has shares.
        const SERVER = 0x0000_0002;
        /// It has print queues.
        const PRINTQ_SERVER = 0x0000_0200;
        /// It runs Unix.
        const XENIX_SERVER = 0x0000_0800;
        /// It runs Windows NT or later.
        const NT = 0x0000_1000;
        /// It is a server that is no domain controller.
        const SERVER_NT = 0x0000_8000;
    }
}

/// SHARE_INFO_1: a share.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share<'m> {
    /// Name.
    pub name: Utf16<'m>,
    /// Kind; absent in level 0.
    pub kind: ShareKind,
    /// A remark for users; absent in level 0.
    pub remark: Utf16<'m>,
}

/// SERVER_INFO_101: a server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ServerInfo<'m> {
    /// 500: Windows NT and its likes.
    pub platform_id: u32,
    /// Name.
    pub name: Utf16<'m>,
    /// Version of the operating system that it claims to be.
    pub version_major: u32,
    /// Minor version.
    pub version_minor: u32,
    /// What it does.
    pub server_type: ServerType,
    /// A comment for users.
    pub comment: Utf16<'m>,
}

/// The arguments of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SrvsvcRequest<'m> {
    /// List the shares.
    ShareEnum {
        /// The server that the client means.
        server: Option<Utf16<'m>>,
        /// 0 for names, 1 for kinds and remarks too.
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
        /// 0 or 1.
        level: u32,
    },
    /// Describe the server.
    ServerGetInfo {
        /// The server that the client means.
        server: Option<Utf16<'m>>,
        /// 101.
        level: u32,
    },
}

impl<'m> SrvsvcRequest<'m> {
    /// The method.
    pub fn opnum(&self) -> u16 {
        match self {
            Self::ShareEnum { .. } => SHARE_ENUM,
            Self::ShareGetInfo { .. } => SHARE_GET_INFO,
            Self::ServerGetInfo { .. } => SERVER_GET_INFO,
        }
    }

    /// The stub.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = NdrWriter::new();
        match *self {
            Self::ShareEnum { server, level, preferred_length, resume_handle } => {
                w.unique_string(server);
                w.u32(level);
                w.u32(level);
                w.pointer(true);
                // An empty container: no entries, no buffer.
                w.u32(0);
                w.pointer(false);
                w.u32(preferred_length);
                put_resume_handle(&mut w, resume_handle);
            }
            Self::ShareGetInfo { server, share, level } => {
                w.unique_string(server);
                w.string(share);
                w.u32(level);
            }
            Self::ServerGetInfo { server, level } => {
                w.unique_string(server);
                w.u32(level);
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
                let level = r.u32()?;
                r.expect(level)?;
                if r.pointer()? {
                    // The container is for the answer; clients send it empty.
                    r.expect(0)?;
                    r.expect(0)?;
                }
                let preferred_length = r.u32()?;
                let resume_handle = resume_handle(r)?;
                Self::ShareEnum { server, level, preferred_length, resume_handle }
            }
            SHARE_GET_INFO => {
                Self::ShareGetInfo { server: r.unique_string()?, share: r.string()?, level: r.u32()? }
            }
            SERVER_GET_INFO => Self::ServerGetInfo { server: r.unique_string()?, level: r.u32()? },
            _ => return Ok(None),
        }))
    }
}

fn put_resume_handle(w: &mut NdrWriter, handle: Option<u32>) {
    w.pointer(handle.is_some());
    if let Some(handle) = handle {
        w.u32(handle);
    }
}

fn resume_handle(r: &mut NdrReader<'_>) -> Result<Option<u32>, DecodeError> {
    if r.pointer()? { r.u32().map(Some) } else { Ok(None) }
}

/// What is kept in a row of an array, before the strings that it points at.
struct ShareRow {
    name: bool,
    kind: ShareKind,
    remark: bool,
}

impl ShareRow {
    /// Bytes of a row.
    fn len(level: u32) -> usize {
        if level == 0 { 4 } else { 12 }
    }

    fn decode(r: &mut NdrReader<'_>, level: u32) -> Result<Self, DecodeError> {
        let name = r.pointer()?;
        if level == 0 {
            return Ok(Self { name, kind: ShareKind::default(), remark: false });
        }
        Ok(Self { name, kind: ShareKind(r.u32()?), remark: r.pointer()? })
    }

    fn strings<'m>(self, r: &mut NdrReader<'m>) -> Result<Share<'m>, DecodeError> {
        let name = if self.name { r.string()? } else { Utf16::default() };
        let remark = if self.remark { r.string()? } else { Utf16::default() };
        Ok(Share { name, kind: self.kind, remark })
    }

    fn encode(w: &mut NdrWriter, share: &Share<'_>, level: u32) {
        w.pointer(true);
        if level != 0 {
            w.u32(share.kind.0);
            w.pointer(true);
        }
    }

    fn encode_strings(w: &mut NdrWriter, share: &Share<'_>, level: u32) {
        w.string(share.name);
        if level != 0 {
            w.string(share.remark);
        }
    }
}

fn is_share_level(level: u32) -> bool {
    level <= 1
}

/// The results of NetrShareEnum.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShareEnumResponse<'m> {
    /// 0 or 1.
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
    /// The stub.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = NdrWriter::new();
        let (level, shares) = (self.level, &self.shares);
        w.u32(level);
        w.u32(level);
        w.pointer(is_share_level(level));
        if is_share_level(level) {
            w.u32(shares.len() as u32);
            w.pointer(true);
            w.u32(shares.len() as u32);
            shares.iter().for_each(|share| ShareRow::encode(&mut w, share, level));
            shares.iter().for_each(|share| ShareRow::encode_strings(&mut w, share, level));
        }
        w.u32(self.total_entries);
        put_resume_handle(&mut w, self.resume_handle);
        w.u32(self.status.0);
        w.finish()
    }

    /// Parses the stub.
    pub fn decode(stub: &'m [u8]) -> Result<Self, DecodeError> {
        let mut r = NdrReader::new(stub);
        let r = &mut r;
        let level = r.u32()?;
        r.expect(level)?;
        let mut shares = Vec::new();
        if r.pointer()? {
            let count = r.u32()?;
            let buffer = r.pointer()?;
            if (count > 0 && !buffer) || (buffer && !is_share_level(level)) {
                return Err(DecodeError::value("NetrShareEnum response", 12, count.into()));
            }
            if buffer {
                let count = r.conformance(count, ShareRow::len(level))?;
                let rows: Vec<_> =
                    (0..count).map(|_| ShareRow::decode(r, level)).collect::<Result<_, _>>()?;
                shares = rows.into_iter().map(|row| row.strings(r)).collect::<Result<_, _>>()?;
            }
        }
        Ok(Self {
            level,
            shares,
            total_entries: r.u32()?,
            resume_handle: resume_handle(r)?,
            status: NetStatus(r.u32()?),
        })
    }
}

/// The results of NetrShareGetInfo.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShareGetInfoResponse<'m> {
    /// 0 or 1.
    pub level: u32,
    /// The share, if it worked.
    pub share: Option<Share<'m>>,
    /// Whether it worked.
    pub status: NetStatus,
}

impl<'m> ShareGetInfoResponse<'m> {
    /// The stub.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = NdrWriter::new();
        w.u32(self.level);
        w.pointer(self.share.is_some());
        if let Some(share) = &self.share {
            ShareRow::encode(&mut w, share, self.level);
            ShareRow::encode_strings(&mut w, share, self.level);
        }
        w.u32(self.status.0);
        w.finish()
    }

    /// Parses the stub.
    pub fn decode(stub: &'m [u8]) -> Result<Self, DecodeError> {
        let mut r = NdrReader::new(stub);
        let level = r.u32()?;
        let share = if !r.pointer()? {
            None
        } else if is_share_level(level) {
            Some(ShareRow::decode(&mut r, level)?.strings(&mut r)?)
        } else {
            return Err(DecodeError::value("NetrShareGetInfo response", 0, level.into()));
        };
        Ok(Self { level, share, status: NetStatus(r.u32()?) })
    }
}

/// The results of NetrServerGetInfo.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ServerGetInfoResponse<'m> {
    /// 101.
    pub level: u32,
    /// The server, if it worked.
    pub info: Option<ServerInfo<'m>>,
    /// Whether it worked.
    pub status: NetStatus,
}

impl<'m> ServerGetInfoResponse<'m> {
    /// The level that is known.
    pub const LEVEL: u32 = 101;

    /// The stub.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = NdrWriter::new();
        w.u32(self.level);
        w.pointer(self.info.is_some());
        if let Some(info) = &self.info {
            w.u32(info.platform_id);
            w.pointer(true);
            w.u32(info.version_major);
            w.u32(info.version_minor);
            w.u32(info.server_type.bits());
            w.pointer(true);
            w.string(info.name);
            w.string(info.comment);
        }
        w.u32(self.status.0);
        w.finish()
    }

    /// Parses the stub.
    pub fn decode(stub: &'m [u8]) -> Result<Self, DecodeError> {
        let mut r = NdrReader::new(stub);
        let level = r.u32()?;
        let info = if !r.pointer()? {
            None
        } else if level == Self::LEVEL {
            let platform_id = r.u32()?;
            let name = r.pointer()?;
            let (version_major, version_minor) = (r.u32()?, r.u32()?);
            let server_type = ServerType::from_bits_retain(r.u32()?);
            let comment = r.pointer()?;
            Some(ServerInfo {
                platform_id,
                name: if name { r.string()? } else { Utf16::default() },
                version_major,
                version_minor,
                server_type,
                comment: if comment { r.string()? } else { Utf16::default() },
            })
        } else {
            return Err(DecodeError::value("NetrServerGetInfo response", 0, level.into()));
        };
        Ok(Self { level, info, status: NetStatus(r.u32()?) })
    }
}

/// Answers a call to the service: the stub to respond with, or the fault.
///
/// `shares` are those that the caller may see, in an order that does not change between calls, so
/// that a list can be fetched in parts.
pub fn answer(call: &RpcCall, server: &ServerInfo<'_>, shares: &[Share<'_>]) -> Result<Vec<u8>, FaultStatus> {
    match SrvsvcRequest::decode(call.opnum, &call.stub) {
        Ok(Some(SrvsvcRequest::ShareEnum { level, preferred_length, resume_handle, .. })) => {
            Ok(share_enum(shares, level, preferred_length, resume_handle).encode())
        }
        Ok(Some(SrvsvcRequest::ShareGetInfo { share, level, .. })) => {
            let found = shares.iter().find(|known| same_name(known.name, share)).copied();
            let (share, status) = match found {
                _ if !is_share_level(level) => (None, NetStatus::INVALID_LEVEL),
                None => (None, NetStatus::NET_NAME_NOT_FOUND),
                found => (found, NetStatus::SUCCESS),
            };
            Ok(ShareGetInfoResponse { level, share, status }.encode())
        }
        Ok(Some(SrvsvcRequest::ServerGetInfo { level, .. })) => {
            let known = level == ServerGetInfoResponse::LEVEL;
            let status = if known { NetStatus::SUCCESS } else { NetStatus::INVALID_LEVEL };
            Ok(ServerGetInfoResponse { level, info: known.then_some(*server), status }.encode())
        }
        Ok(None) => Err(FaultStatus::OP_RNG_ERROR),
        Err(_) => Err(FaultStatus::BAD_STUB_DATA),
    }
}

/// Share names do not differ by case.
fn same_name(a: Utf16<'_>, b: Utf16<'_>) -> bool {
    a == b || a.to_text_lossy().to_lowercase() == b.to_text_lossy().to_lowercase()
}

fn share_enum<'m>(
    shares: &[Share<'m>],
    level: u32,
    preferred_length: u32,
    resume: Option<u32>,
) -> ShareEnumResponse<'m> {
    if !is_share_level(level) {
        let status = NetStatus::INVALID_LEVEL;
        return ShareEnumResponse { level, resume_handle: resume, status, ..ShareEnumResponse::default() };
    }
    let start = resume.unwrap_or_default() as usize;
    let rest = shares.get(start..).unwrap_or_default();
    let mut room = preferred_length as usize;
    let fitting = rest.iter().take_while(|share| {
        let needed = ShareRow::len(level) + share.name.len() + share.remark.len() + 4;
        room.checked_sub(needed).inspect(|left| room = *left).is_some()
    });
    // One share comes in any case, so that every call gets further.
    let count = fitting.count().max(1).min(rest.len());
    let more = count < rest.len();
    ShareEnumResponse {
        level,
        shares: rest.iter().take(count).copied().collect(),
        total_entries: rest.len() as u32,
        resume_handle: resume.map(|_| if more { (start + count) as u32 } else { 0 }),
        status: if more { NetStatus::MORE_DATA } else { NetStatus::SUCCESS },
    }
}
