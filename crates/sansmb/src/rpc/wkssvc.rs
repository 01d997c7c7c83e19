//! The workstation service, [MS-WKST]: what a machine is called, who uses it, and where it belongs.

use alloc::vec::Vec;

pub use super::lanman::{MAX_PREFERRED_LENGTH, NetStatus};
use super::{NdrReader, NdrWriter, SyntaxId, lanman::ListEnd};
use crate::wire::{DecodeError, Guid, Utf16, open_enum};

/// The interface, `6bffd098-a112-3610-9833-46c3f87e345a` version 1.0.
pub const INTERFACE: SyntaxId = SyntaxId {
    uuid: Guid([
        0x98, 0xD0, 0xFF, 0x6B, 0x12, 0xA1, 0x10, 0x36, 0x98, 0x33, 0x46, 0xC3, 0xF8, 0x7E, 0x34, 0x5A,
    ]),
    major: 1,
    minor: 0,
};

/// Name of the pipe, as CREATE has it.
pub const PIPE: &str = "wkssvc";

/// NetrWkstaGetInfo, [MS-WKST] 3.2.4.1.
pub const GET_INFO: u16 = 0;
/// NetrWkstaUserEnum, [MS-WKST] 3.2.4.3.
pub const USER_ENUM: u16 = 2;
/// NetrGetJoinInformation, [MS-WKST] 3.2.4.12.
pub const GET_JOIN_INFORMATION: u16 = 20;

open_enum! {
    /// NETSETUP_JOIN_STATUS, [MS-WKST] 2.2.3.1: where a machine belongs.
    pub struct JoinStatus: u16 {
        /// That is not known.
        UNKNOWN = 0,
        /// Nowhere.
        UNJOINED = 1,
        /// To a workgroup.
        WORKGROUP = 2,
        /// To a domain.
        DOMAIN = 3,
    }
}

/// The arguments of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WkssvcRequest<'m> {
    /// Describe the machine.
    GetInfo {
        /// The server that the client means.
        server: Option<Utf16<'m>>,
        /// 100, 101 or 102.
        level: u32,
    },
    /// List who uses it.
    UserEnum {
        /// The server that the client means.
        server: Option<Utf16<'m>>,
        /// 0 for names, 1 for domains too.
        level: u32,
        /// About how many bytes the answer should have.
        preferred_length: u32,
        /// Where an earlier answer ended.
        resume_handle: Option<u32>,
    },
    /// Say where it belongs.
    GetJoinInformation {
        /// The server that the client means.
        server: Option<Utf16<'m>>,
    },
}

impl<'m> WkssvcRequest<'m> {
    /// The method.
    pub fn opnum(&self) -> u16 {
        match self {
            Self::GetInfo { .. } => GET_INFO,
            Self::UserEnum { .. } => USER_ENUM,
            Self::GetJoinInformation { .. } => GET_JOIN_INFORMATION,
        }
    }

    /// The stub.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = NdrWriter::new();
        match *self {
            Self::GetInfo { server, level } => {
                w.unique_string(server);
                w.u32(level);
            }
            Self::UserEnum { server, level, preferred_length, resume_handle } => {
                w.unique_string(server);
                w.list_request(level, preferred_length, resume_handle);
            }
            Self::GetJoinInformation { server } => {
                w.unique_string(server);
                w.unique_string(None);
            }
        }
        w.finish()
    }

    /// Parses the stub of a call, or gives `None` for a method that is not known.
    pub fn decode(opnum: u16, stub: &'m [u8]) -> Result<Option<Self>, DecodeError> {
        let mut r = NdrReader::new(stub);
        let r = &mut r;
        Ok(Some(match opnum {
            GET_INFO => Self::GetInfo { server: r.unique_string()?, level: r.u32()? },
            USER_ENUM => {
                let server = r.unique_string()?;
                let (level, preferred_length, resume_handle) = r.list_request()?;
                Self::UserEnum { server, level, preferred_length, resume_handle }
            }
            GET_JOIN_INFORMATION => {
                let server = r.unique_string()?;
                // The buffer is for the answer.
                r.unique_string()?;
                Self::GetJoinInformation { server }
            }
            _ => return Ok(None),
        }))
    }
}

/// WKSTA_INFO_102 and what is shorter: a machine. What a level does not have is left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WorkstationInfo<'m> {
    /// 500: Windows NT and its likes.
    pub platform_id: u32,
    /// Name.
    pub name: Utf16<'m>,
    /// Its domain or workgroup.
    pub domain: Utf16<'m>,
    /// Version of the operating system that it claims to be.
    pub version_major: u32,
    /// Minor version.
    pub version_minor: u32,
    /// Of no use any more; from level 101 on.
    pub lan_root: Option<Utf16<'m>>,
    /// How many users it has now; from level 102 on.
    pub logged_on_users: u32,
}

/// The results of NetrWkstaGetInfo.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GetInfoResponse<'m> {
    /// 100, 101 or 102.
    pub level: u32,
    /// The machine, if it worked.
    pub info: Option<WorkstationInfo<'m>>,
    /// Whether it worked.
    pub status: NetStatus,
}

impl<'m> GetInfoResponse<'m> {
    /// Whether a machine is described in this level.
    pub const fn is_level(level: u32) -> bool {
        matches!(level, 100..=102)
    }

    /// Levels that the interface has a form for, [MS-WKST] 2.2.4.1: with these a pointer follows.
    const fn has_form(level: u32) -> bool {
        Self::is_level(level) || matches!(level, 502 | 1013 | 1018 | 1046)
    }

    /// The stub.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = NdrWriter::new();
        let level = self.level;
        let info = self.info.filter(|_| Self::is_level(level));
        w.info_response(level, Self::has_form(level), info, |w, info| info.encode(w, level), self.status);
        w.finish()
    }

    /// Parses the stub.
    pub fn decode(stub: &'m [u8]) -> Result<Self, DecodeError> {
        let mut r = NdrReader::new(stub);
        let what = "NetrWkstaGetInfo response";
        let (level, info, status) =
            r.info_response(what, Self::has_form, Self::is_level, WorkstationInfo::decode)?;
        Ok(Self { level, info, status })
    }
}

impl<'m> WorkstationInfo<'m> {
    fn encode(&self, w: &mut NdrWriter, level: u32) {
        w.u32(self.platform_id);
        w.pointer(true);
        w.pointer(true);
        w.u32(self.version_major);
        w.u32(self.version_minor);
        let lan_root = self.lan_root.filter(|_| level >= 101);
        if level >= 101 {
            w.pointer(lan_root.is_some());
        }
        if level >= 102 {
            w.u32(self.logged_on_users);
        }
        [self.name, self.domain].into_iter().chain(lan_root).for_each(|text| w.string(text));
    }

    fn decode(r: &mut NdrReader<'m>, level: u32) -> Result<Self, DecodeError> {
        let platform_id = r.u32()?;
        let (name, domain) = (r.pointer()?, r.pointer()?);
        let (version_major, version_minor) = (r.u32()?, r.u32()?);
        let lan_root = level >= 101 && r.pointer()?;
        let logged_on_users = if level >= 102 { r.u32()? } else { 0 };
        Ok(Self {
            platform_id,
            name: r.string_if(name)?,
            domain: r.string_if(domain)?,
            version_major,
            version_minor,
            lan_root: if lan_root { Some(r.string()?) } else { None },
            logged_on_users,
        })
    }
}

/// WKSTA_USER_INFO_1: somebody who uses a machine. In level 0 there is but the name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WorkstationUser<'m> {
    /// Name.
    pub name: Utf16<'m>,
    /// Domain that the user belongs to.
    pub domain: Utf16<'m>,
    /// Other domains that the machine was told to look into.
    pub other_domains: Utf16<'m>,
    /// Server that let the user log on.
    pub server: Utf16<'m>,
}

/// The results of NetrWkstaUserEnum.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserEnumResponse<'m> {
    /// 0 or 1.
    pub level: u32,
    /// Who uses it.
    pub users: Vec<WorkstationUser<'m>>,
    /// How many there are, from here on.
    pub total_entries: u32,
    /// Where to go on, with [`NetStatus::MORE_DATA`].
    pub resume_handle: Option<u32>,
    /// Whether it worked.
    pub status: NetStatus,
}

impl<'m> UserEnumResponse<'m> {
    /// Whether users are listed in this level.
    pub const fn is_level(level: u32) -> bool {
        level <= 1
    }

    /// Strings of a row.
    const fn strings(level: u32) -> usize {
        if level == 0 { 1 } else { 4 }
    }

    /// The stub.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = NdrWriter::new();
        let Self { level, total_entries, resume_handle, status, .. } = *self;
        w.list_response(
            level,
            Self::is_level(level),
            Some(self.users.as_slice()).filter(|users| !users.is_empty()),
            |w, _| (0..Self::strings(level)).for_each(|_| w.pointer(true)),
            |w, user| {
                let strings = [user.name, user.domain, user.other_domains, user.server];
                strings.into_iter().take(Self::strings(level)).for_each(|text| w.string(text));
            },
            ListEnd { total_entries, resume_handle, status },
        );
        w.finish()
    }

    /// Parses the stub.
    pub fn decode(stub: &'m [u8]) -> Result<Self, DecodeError> {
        let mut r = NdrReader::new(stub);
        let (level, users, end) = r.list_response(Self::is_level, |r, level, count| {
            let pointers = |r: &mut NdrReader<'m>| match level {
                0 => Ok([r.pointer()?, false, false, false]),
                _ => Ok([r.pointer()?, r.pointer()?, r.pointer()?, r.pointer()?]),
            };
            r.array(count, 4 * Self::strings(level), pointers, |r, [name, domain, other, server]| {
                Ok(WorkstationUser {
                    name: r.string_if(name)?,
                    domain: r.string_if(domain)?,
                    other_domains: r.string_if(other)?,
                    server: r.string_if(server)?,
                })
            })
        })?;
        let ListEnd { total_entries, resume_handle, status } = end;
        Ok(Self { level, users, total_entries, resume_handle, status })
    }
}

/// The results of NetrGetJoinInformation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JoinInformationResponse<'m> {
    /// The domain or workgroup.
    pub name: Option<Utf16<'m>>,
    /// Which of them it is.
    pub join_status: JoinStatus,
    /// Whether it worked.
    pub status: NetStatus,
}

impl<'m> JoinInformationResponse<'m> {
    /// The stub.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = NdrWriter::new();
        w.unique_string(self.name);
        w.u16(self.join_status.0);
        w.u32(self.status.0);
        w.finish()
    }

    /// Parses the stub.
    pub fn decode(stub: &'m [u8]) -> Result<Self, DecodeError> {
        let mut r = NdrReader::new(stub);
        Ok(Self { name: r.unique_string()?, join_status: JoinStatus(r.u16()?), status: NetStatus(r.u32()?) })
    }
}
