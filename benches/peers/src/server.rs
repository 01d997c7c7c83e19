//! The crate `smb-server` with its own backend for a local folder.

use smb_server::{Access, LocalFsBackend, Share, SmbServer};

use crate::Result;

/// The most that it takes for READ and WRITE, of which smbclient asks for as much as it may. Of 1 MiB, which it has by
/// itself, 2 and 8 it was the best, or near it, for get and put.
const LARGEST: u32 = 2 << 20;

pub async fn serve(port: u16, user: &str, password: &str, folder: &str) -> Result {
    let share = Share::new("share", LocalFsBackend::new(folder)?).user(user, Access::ReadWrite);
    let server = SmbServer::builder()
        .listen(([127, 0, 0, 1], port).into())
        .user(user, password)
        .share(share)
        .max_read_size(LARGEST)
        .max_write_size(LARGEST)
        .build()?;
    server.bind().await?;
    println!("READY port={port}");
    server.serve().await?;
    Ok(())
}
