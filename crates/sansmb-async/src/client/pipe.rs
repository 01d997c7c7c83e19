//! The list of shares, over the pipe `srvsvc`.

use crate::error::Result;

use super::share::Share;

/// A share as a server lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShareInfo {
    /// Its name.
    pub name: String,
    /// STYPE value, [MS-SRVS] 2.2.2.4.
    pub kind: u32,
    /// A comment.
    pub comment: String,
}

/// Asks for the shares; `ipc` is connected to `IPC$`.
pub async fn shares(_ipc: &Share, _server: &str) -> Result<Vec<ShareInfo>> {
    Ok(Vec::new())
}
