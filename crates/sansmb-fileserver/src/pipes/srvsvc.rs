//! The server service, [MS-SRVS]: what `net view` and Explorer ask.

use sansmb::{
    rpc::{
        FaultStatus, RpcCall, RpcServer, SyntaxId,
        srvsvc::{INTERFACE, ServerInfo, ServerType, Share, ShareKind, answer as answer_call},
    },
    wire::Utf16Buf,
};

use crate::{
    config::FileServerConfig,
    shares::{IPC_NAME, Shares},
};

static INTERFACES: [SyntaxId; 1] = [INTERFACE];
/// PLATFORM_ID_NT.
const PLATFORM: u32 = 500;

/// The server's end of a new pipe.
pub(super) fn server() -> RpcServer {
    RpcServer::new(r"\PIPE\srvsvc", &INTERFACES)
}

/// Answers one call.
pub(super) fn answer(
    config: &FileServerConfig,
    shares: &Shares,
    call: &RpcCall,
) -> Result<Vec<u8>, FaultStatus> {
    let (name, comment) = (Utf16Buf::new(&config.name), Utf16Buf::new(&config.comment));
    let info = ServerInfo {
        platform_id: PLATFORM,
        name: name.as_utf16(),
        version_major: 10,
        version_minor: 0,
        server_type: ServerType::WORKSTATION | ServerType::SERVER | ServerType::NT,
        comment: comment.as_utf16(),
    };
    let texts: Vec<(Utf16Buf, Utf16Buf)> = shares
        .iter()
        .map(|share| (Utf16Buf::new(&share.config.name), Utf16Buf::new(&share.config.comment)))
        .collect();
    let (ipc, remark) = (Utf16Buf::new(IPC_NAME), Utf16Buf::new("Remote IPC"));
    let mut list: Vec<Share<'_>> = texts
        .iter()
        .map(|(name, remark)| Share {
            name: name.as_utf16(),
            kind: ShareKind::DISK_TREE,
            remark: remark.as_utf16(),
        })
        .collect();
    let kind = ShareKind::SPECIAL_IPC;
    list.push(Share { name: ipc.as_utf16(), kind, remark: remark.as_utf16() });
    answer_call(call, &info, &list)
}
