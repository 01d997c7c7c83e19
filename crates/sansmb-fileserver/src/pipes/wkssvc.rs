//! The workstation service, [MS-WKST].

use sansmb::{
    rpc::{
        FaultStatus, RpcCall,
        wkssvc::{
            GetInfoResponse, JoinInformationResponse, JoinStatus, NetStatus, UserEnumResponse, WkssvcRequest,
            WorkstationInfo, WorkstationUser,
        },
    },
    wire::Utf16Buf,
};

use super::service::{PLATFORM, Site, VERSION, WORKGROUP, part};

/// Answers one call.
pub(super) fn answer(site: &Site<'_>, call: &RpcCall) -> Result<Vec<u8>, FaultStatus> {
    let request = WkssvcRequest::decode(call.opnum, &call.stub).map_err(|_| FaultStatus::BAD_STUB_DATA)?;
    Ok(match request.ok_or(FaultStatus::OP_RNG_ERROR)? {
        WkssvcRequest::GetInfo { level, .. } => get_info(site, level),
        WkssvcRequest::UserEnum { level, preferred_length, resume_handle, .. } => {
            user_enum(site, level, preferred_length, resume_handle)
        }
        WkssvcRequest::GetJoinInformation { .. } => {
            let name = Utf16Buf::new(WORKGROUP);
            let (name, join_status) = (Some(name.as_utf16()), JoinStatus::WORKGROUP);
            JoinInformationResponse { name, join_status, status: NetStatus::SUCCESS }.encode()
        }
    })
}

fn get_info(site: &Site<'_>, level: u32) -> Vec<u8> {
    let (name, domain) = (Utf16Buf::new(&site.config.name), Utf16Buf::new(WORKGROUP));
    let status = match level {
        100 | 101 => NetStatus::SUCCESS,
        // How many users there are, and how the machine is set up, is for administrators.
        102 | 502 if !site.administrator => NetStatus::ACCESS_DENIED,
        102 => NetStatus::SUCCESS,
        _ => NetStatus::INVALID_LEVEL,
    };
    let info = WorkstationInfo {
        platform_id: PLATFORM,
        name: name.as_utf16(),
        domain: domain.as_utf16(),
        version_major: VERSION.0,
        version_minor: VERSION.1,
        lan_root: None,
        logged_on_users: site.users.len() as u32,
    };
    let info = Some(info).filter(|_| status == NetStatus::SUCCESS);
    GetInfoResponse { level, info, status }.encode()
}

/// Those who are logged on here are those who have sessions.
fn user_enum(site: &Site<'_>, level: u32, preferred_length: u32, resume: Option<u32>) -> Vec<u8> {
    let refused = match level {
        _ if !site.administrator => Some(NetStatus::ACCESS_DENIED),
        _ if !UserEnumResponse::is_level(level) => Some(NetStatus::INVALID_LEVEL),
        _ => None,
    };
    if let Some(status) = refused {
        return UserEnumResponse { level, resume_handle: resume, status, ..Default::default() }.encode();
    }
    let server = Utf16Buf::new(&site.config.name);
    let names: Vec<Utf16Buf> = site.users.values().map(|user| Utf16Buf::new(&user.user)).collect();
    let users: Vec<WorkstationUser<'_>> = names
        .iter()
        .map(|name| WorkstationUser {
            name: name.as_utf16(),
            domain: server.as_utf16(),
            server: server.as_utf16(),
            ..Default::default()
        })
        .collect();
    let (part, resume_handle, status) =
        part(&users, resume, preferred_length, |user| 4 * 16 + user.name.len() + 2 * user.domain.len());
    let total_entries = users.len().saturating_sub(resume.unwrap_or_default() as usize) as u32;
    UserEnumResponse { level, users: part.to_vec(), total_entries, resume_handle, status }.encode()
}
