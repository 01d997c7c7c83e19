//! The server service, [MS-SRVS]: what `net view`, Explorer and the management of computers ask.

use sansmb::{
    rpc::{
        FaultStatus, RpcCall,
        srvsvc::{
            NetStatus, RemoteTodResponse, ServerGetInfoResponse, ServerInfo, ServerType, Share as ShareInfo,
            ShareEnumResponse, ShareGetInfoResponse, ShareInfoFlags, ShareKind, SrvsvcRequest, TimeOfDay,
        },
    },
    wire::{
        AccessMask, Structure, Utf16Buf,
        dtyp::{Ace, AceFlags, Acl, SecurityDescriptor, SecurityDescriptorControl, Sid},
    },
};

use super::{
    service::{PLATFORM, Site, VERSION, part},
    usage,
};
use crate::{
    config::Access,
    security::Accounts,
    shares::{IPC_NAME, Share},
    text::{fold, same_name},
};

/// Users and sessions without bound.
const UNLIMITED: u32 = u32::MAX;
/// Minutes until Windows ends an idle session; here, too, clients come back.
const IDLE_MINUTES: u32 = 15;
/// Seconds between announcements, and milliseconds by which they differ, that Windows is set to. Nothing is
/// announced: `hidden` says so.
const ANNOUNCE: (u32, u32) = (240, 3000);
/// Where Windows has always said that users' directories are.
const USER_PATH: &str = r"c:\";
/// Longest name of a server that a client may mean, [MS-SRVS] 3.1.4.17.
const MAX_SERVER_NAME: usize = 2 * 1024;

/// Answers one call.
pub(super) fn answer(site: &Site<'_>, call: &RpcCall) -> Result<Vec<u8>, FaultStatus> {
    let request = SrvsvcRequest::decode(call.opnum, &call.stub).map_err(|_| FaultStatus::BAD_STUB_DATA)?;
    Ok(match request.ok_or(FaultStatus::OP_RNG_ERROR)? {
        SrvsvcRequest::ShareEnum { level, preferred_length, resume_handle, .. } => {
            share_enum(site, &Shown::all(site), level, preferred_length, resume_handle)
        }
        SrvsvcRequest::ShareEnumSticky { level, preferred_length, resume_handle, .. } => {
            share_enum(site, &Shown::shares(site), level, preferred_length, resume_handle)
        }
        SrvsvcRequest::ShareGetInfo { share, level, .. } => {
            share_get_info(site, &share.to_text_lossy(), level)
        }
        SrvsvcRequest::ServerGetInfo { server, level } => {
            server_get_info(site, server.is_some_and(|name| name.len() >= MAX_SERVER_NAME), level)
        }
        SrvsvcRequest::RemoteTod { .. } => {
            let time = Some(TimeOfDay::new(site.wall));
            RemoteTodResponse { time, status: NetStatus::SUCCESS }.encode()
        }
        SrvsvcRequest::Usage { kind, qualifier, user, level, preferred_length, resume_handle, .. } => {
            usage::answer(site, kind, qualifier, user, (level, preferred_length, resume_handle))
        }
        // It does something, and is taken out before.
        SrvsvcRequest::FileClose { .. } => return Err(FaultStatus::OP_RNG_ERROR),
    })
}

/// A share with its texts as they go over the wire.
struct Shown {
    name: Utf16Buf,
    remark: Utf16Buf,
    path: Utf16Buf,
    kind: ShareKind,
    flags: ShareInfoFlags,
    uses: u32,
    descriptor: Vec<u8>,
}

impl Shown {
    fn share(site: &Site<'_>, share: &Share) -> Self {
        let config = &share.config;
        let mut flags = ShareInfoFlags::empty();
        flags.set(ShareInfoFlags::ACCESS_BASED_DIRECTORY_ENUM, config.access_based_enumeration);
        flags.set(ShareInfoFlags::ENCRYPT_DATA, config.encrypt);
        Self {
            name: Utf16Buf::new(&config.name),
            remark: Utf16Buf::new(&config.comment),
            path: Utf16Buf::new(&config.path),
            kind: ShareKind::DISK_TREE,
            flags,
            uses: site.uses.get(&fold(&config.name)).copied().unwrap_or_default(),
            descriptor: descriptor(site.accounts, share),
        }
    }

    fn ipc(uses: u32) -> Self {
        Self {
            name: Utf16Buf::new(IPC_NAME),
            remark: Utf16Buf::new("Remote IPC"),
            path: Utf16Buf::new(""),
            kind: ShareKind::SPECIAL_IPC,
            flags: ShareInfoFlags::empty(),
            uses,
            descriptor: Vec::new(),
        }
    }

    /// Those of the configuration, in the same order at every call.
    fn shares(site: &Site<'_>) -> Vec<Self> {
        site.shares.iter().map(|share| Self::share(site, share)).collect()
    }

    /// All of them.
    fn all(site: &Site<'_>) -> Vec<Self> {
        let uses = site.uses.get(IPC_NAME).copied().unwrap_or_default();
        let mut all = Self::shares(site);
        all.push(Self::ipc(uses));
        all
    }

    /// In the form that clients see.
    fn info(&self) -> ShareInfo<'_> {
        ShareInfo {
            name: self.name.as_utf16(),
            kind: self.kind,
            remark: self.remark.as_utf16(),
            path: self.path.as_utf16(),
            flags: self.flags,
            max_uses: UNLIMITED,
            current_uses: self.uses,
            descriptor: &self.descriptor,
            ..ShareInfo::default()
        }
    }
}

/// Whether a level of a share is for administrators only, [MS-SRVS] 3.1.4.10.
fn is_private(level: u32) -> bool {
    matches!(level, 2 | 502)
}

fn share_enum(
    site: &Site<'_>,
    shown: &[Shown],
    level: u32,
    preferred_length: u32,
    resume: Option<u32>,
) -> Vec<u8> {
    let refused = match level {
        _ if !ShareEnumResponse::is_level(level) => Some(NetStatus::INVALID_LEVEL),
        _ if is_private(level) && !site.administrator => Some(NetStatus::ACCESS_DENIED),
        _ => None,
    };
    if let Some(status) = refused {
        return ShareEnumResponse { level, resume_handle: resume, status, ..Default::default() }.encode();
    }
    let shares: Vec<ShareInfo<'_>> = shown.iter().map(Shown::info).collect();
    let size = |share: &ShareInfo<'_>| {
        let rest = if is_private(level) { share.descriptor.len() + share.path.len() } else { 0 };
        ShareInfo::row_len(level) + share.name.len() + share.remark.len() + 4 + rest
    };
    let (part, resume_handle, status) = part(&shares, resume, preferred_length, size);
    let total_entries = shares.len().saturating_sub(resume.unwrap_or_default() as usize) as u32;
    ShareEnumResponse { level, shares: part.to_vec(), total_entries, resume_handle, status }.encode()
}

fn share_get_info(site: &Site<'_>, name: &str, level: u32) -> Vec<u8> {
    let found = site.shares.find(name).map(|(_, share)| Shown::share(site, &share));
    let uses = site.uses.get(IPC_NAME).copied().unwrap_or_default();
    let found = found.or_else(|| same_name(name, IPC_NAME).then(|| Shown::ipc(uses)));
    let (share, status) = match &found {
        _ if !ShareGetInfoResponse::is_level(level) => (None, NetStatus::INVALID_LEVEL),
        _ if is_private(level) && !site.administrator => (None, NetStatus::ACCESS_DENIED),
        None => (None, NetStatus::NET_NAME_NOT_FOUND),
        Some(found) => (Some(found.info()), NetStatus::SUCCESS),
    };
    ShareGetInfoResponse { level, share, status }.encode()
}

fn server_get_info(site: &Site<'_>, nonsense: bool, level: u32) -> Vec<u8> {
    let (name, comment) = (Utf16Buf::new(&site.config.name), Utf16Buf::new(&site.config.comment));
    let user_path = Utf16Buf::new(USER_PATH);
    let status = match level {
        _ if nonsense => NetStatus::INVALID_PARAMETER,
        _ if !ServerGetInfoResponse::is_level(level) => NetStatus::INVALID_LEVEL,
        102 if !site.administrator => NetStatus::ACCESS_DENIED,
        _ => NetStatus::SUCCESS,
    };
    let info = ServerInfo {
        platform_id: PLATFORM,
        name: name.as_utf16(),
        version_major: VERSION.0,
        version_minor: VERSION.1,
        server_type: ServerType::WORKSTATION | ServerType::SERVER | ServerType::NT,
        comment: comment.as_utf16(),
        users: UNLIMITED,
        disconnect: IDLE_MINUTES,
        hidden: true,
        announce: ANNOUNCE.0,
        announce_delta: ANNOUNCE.1,
        licenses: 0,
        user_path: user_path.as_utf16(),
    };
    let info = Some(info).filter(|_| status == NetStatus::SUCCESS);
    ServerGetInfoResponse { level, info, status }.encode()
}

/// Who may connect to a share, as a descriptor says it.
fn descriptor(accounts: &Accounts, share: &Share) -> Vec<u8> {
    let everything = share.maximal_access();
    let allow = |sid: Sid| Ace::allow(sid, everything | AccessMask::SYNCHRONIZE, AceFlags::empty());
    let aces: Vec<Ace<'_>> = match &share.config.access {
        Access::Guests => vec![allow(Sid::EVERYONE)],
        Access::Users => vec![allow(Sid::AUTHENTICATED_USERS)],
        Access::List(names) => names.iter().map(|name| allow(accounts.user(name))).collect(),
    };
    let descriptor = SecurityDescriptor {
        control: SecurityDescriptorControl::DACL_PRESENT,
        owner: Some(Sid::BUILTIN_ADMINISTRATORS),
        group: Some(Sid::BUILTIN_ADMINISTRATORS),
        dacl: Some(Acl::new(&aces)),
        ..Default::default()
    };
    descriptor.to_vec()
}
