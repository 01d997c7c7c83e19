//! `sansmb cat`.

use sansmb_async::client::{OpenOptions, Share};

use super::each;
use crate::{
    args::Paths,
    client::Servers,
    failure::{About, Result},
    output::Out,
    progress::Progress,
    url::SmbUrl,
};

pub(super) async fn run(args: &Paths) -> Result<()> {
    let mut servers = Servers::new(&args.access);
    let mut out = Out::new();
    let result = each(&args.urls, async |url| {
        let share = servers.share(url).await?;
        copy(&share, url, &mut out, None).await
    })
    .await;
    out.flush()?;
    result
}

/// How much of a file comes or goes with the request that opens or makes it. With its headers it fits into the
/// first 64 KiB that a receiver has room for, and all servers take as much in a compound.
pub(super) const HEAD: u32 = 60 << 10;

/// Writes a file to standard output.
pub(super) async fn copy(
    share: &Share,
    url: &SmbUrl,
    out: &mut Out,
    mut progress: Option<&mut Progress>,
) -> Result<()> {
    let (file, head) = share.open_and_read(&url.path, OpenOptions::read(), HEAD).await.about(url)?;
    if let Some(progress) = &mut progress {
        progress.begin(url.base_name(), file.metadata().len);
    }
    let mut stream = file.read_stream_after(head);
    while let Some(bytes) = stream.next().await.about(url)? {
        out.bytes(&bytes)?;
        if let Some(progress) = &mut progress {
            progress.advance(bytes.len());
        }
    }
    Ok(())
}
