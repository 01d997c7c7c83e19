//! `sansmb cat`.

use sansmb_async::client::{OpenOptions, Share};

use super::each;
use crate::{
    args::Paths,
    client::Servers,
    failure::{About, Result},
    output::Out,
    url::SmbUrl,
};

pub(super) async fn run(args: &Paths) -> Result<()> {
    let mut servers = Servers::new(&args.access);
    let mut out = Out::new();
    let result = each(&args.urls, async |url| {
        let share = servers.share(url).await?;
        copy(&share, url, &mut out, |_| {}).await
    })
    .await;
    out.flush()?;
    result
}

/// Writes a file to standard output.
pub(super) async fn copy(
    share: &Share,
    url: &SmbUrl,
    out: &mut Out,
    mut advanced: impl FnMut(usize),
) -> Result<()> {
    let file = share.open(&url.path, OpenOptions::read()).await.about(url)?;
    let mut stream = file.read_stream(0);
    while let Some(bytes) = stream.next().await.about(url)? {
        out.bytes(&bytes)?;
        advanced(bytes.len());
    }
    Ok(())
}
