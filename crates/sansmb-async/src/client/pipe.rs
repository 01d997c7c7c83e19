//! The list of shares, over the pipe `srvsvc`, [MS-SRVS] 3.1.4.8.

use sansmb::{
    rpc::{MAX_FRAGMENT, RpcClient, RpcReply, srvsvc},
    wire::{AccessMask, CreateOptions, ShareAccess, Utf16Buf},
};

use super::{
    file::File,
    share::{OpenOptions, Share},
};
use crate::error::{Error, Result};

/// Longest list of shares that is taken, in bytes: some ten thousand shares.
const MAX_RESULTS: usize = 4 << 20;

/// A share as a server lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShareInfo {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: srvsvc::ShareKind,
    /// A remark for users.
    pub comment: String,
}

/// Asks for the shares; `ipc` is connected to `IPC$`, `server` is the name in UNC form.
pub(super) async fn shares(ipc: &Share, server: &str) -> Result<Vec<ShareInfo>> {
    let options = OpenOptions {
        access: AccessMask::FILE_GENERIC_READ | AccessMask::FILE_GENERIC_WRITE,
        share: ShareAccess::READ | ShareAccess::WRITE,
        options: CreateOptions::empty(),
        ..OpenOptions::read()
    };
    let pipe = ipc.open(srvsvc::PIPE, options).await?;
    let mut rpc = RpcClient::new(srvsvc::INTERFACE, MAX_RESULTS);
    let bind = rpc.bind();
    call(&pipe, &mut rpc, vec![bind]).await?;
    let server = Utf16Buf::new(server);
    let request = srvsvc::SrvsvcRequest::ShareEnum {
        server: Some(server.as_utf16()),
        level: 1,
        preferred_length: srvsvc::MAX_PREFERRED_LENGTH,
        resume_handle: Some(0),
    };
    let fragments = rpc.call(request.opnum(), &request.encode())?;
    let RpcReply::Results(stub) = call(&pipe, &mut rpc, fragments).await? else {
        return Err(Error::Unexpected("a call was answered with no results"));
    };
    let list = srvsvc::ShareEnumResponse::decode(&stub)?;
    if list.status != srvsvc::NetStatus::SUCCESS {
        return Err(Error::Unexpected("the server does not list its shares"));
    }
    let info = |share: &srvsvc::Share<'_>| ShareInfo {
        name: share.name.to_text_lossy(),
        kind: share.kind,
        comment: share.remark.to_text_lossy(),
    };
    let shares = list.shares.iter().map(info).collect();
    pipe.close().await?;
    Ok(shares)
}

async fn call(pipe: &File, rpc: &mut RpcClient, fragments: Vec<Vec<u8>>) -> Result<RpcReply> {
    for fragment in fragments {
        pipe.write_at(0, fragment.into()).await?;
    }
    loop {
        let bytes = pipe.read_at(0, MAX_FRAGMENT.into()).await?;
        if bytes.is_empty() {
            return Err(Error::Unexpected("the pipe ended before the answer"));
        }
        if let Some(reply) = rpc.received(&bytes)? {
            return Ok(reply);
        }
    }
}
