//! Walking through the directories of a share.

use sansmb::wire::FileAttributes;
use sansmb_async::client::{Entry, Share};

use crate::{
    failure::{About, Failure, Result},
    url::SmbUrl,
};

/// How deep directories may lie in each other: a server that makes them up has no end.
const MAX_DEPTH: usize = 256;

/// `name` in the directory `path`.
pub(super) fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") }
}

/// The entries of a directory by name.
pub(super) async fn entries(share: &Share, url: &SmbUrl) -> Result<Vec<Entry>> {
    if url.path.split('/').count() > MAX_DEPTH {
        return Err(Failure::refused(url, format_args!("more than {MAX_DEPTH} directories in each other")));
    }
    let listing = async { share.read_dir(&url.path).await?.collect().await };
    let mut entries = listing.await.about(url)?;
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(entries)
}

/// Whether to look into it: a link to a directory may lead in a circle.
pub(super) fn is_real_dir(entry: &Entry) -> bool {
    entry.metadata.is_dir() && !is_link(entry)
}

/// Whether it stands for something else.
pub(super) fn is_link(entry: &Entry) -> bool {
    entry.metadata.attributes.contains(FileAttributes::REPARSE_POINT)
}
