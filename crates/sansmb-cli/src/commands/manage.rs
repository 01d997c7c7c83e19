//! `sansmb mkdir`, `rm`, `rmdir` and `mv`.

use sansmb::wire::NtStatus;
use sansmb_async::client::Share;

use super::{
    each,
    tree::{entries, is_real_dir, join},
};
use crate::{
    args::{Mkdir, Mv, Paths, Rm},
    client::Servers,
    failure::{About, Failure, Result, complain},
    url::SmbUrl,
};

pub(super) async fn mkdir(args: &Mkdir) -> Result<()> {
    let mut servers = Servers::new(&args.paths.access);
    each(&args.paths.urls, async |url| {
        let share = servers.share(url).await?;
        if args.parents {
            return make_all(&share, url).await;
        }
        refuse_root(url, "is the share itself")?;
        share.create_dir(&url.path).await.about(url)
    })
    .await
}

/// Makes the directories of a path that are not there yet.
async fn make_all(share: &Share, url: &SmbUrl) -> Result<()> {
    let mut path = String::new();
    for name in url.path.split('/').filter(|name| !name.is_empty()) {
        path = join(&path, name);
        make_dir(share, &url.with_path(path.clone())).await?;
    }
    Ok(())
}

/// Makes a directory unless it is there.
pub(super) async fn make_dir(share: &Share, url: &SmbUrl) -> Result<()> {
    match share.create_dir(&url.path).await {
        Ok(()) => Ok(()),
        Err(error) => {
            // Servers differ in what they say about a directory that is there: ask.
            match share.metadata(&url.path).await {
                Ok(metadata) if metadata.is_dir() => Ok(()),
                _ => Err(error).about(url),
            }
        }
    }
}

pub(super) async fn rmdir(args: &Paths) -> Result<()> {
    let mut servers = Servers::new(&args.access);
    each(&args.urls, async |url| {
        refuse_root(url, "is the share itself")?;
        servers.share(url).await?.remove_dir(&url.path).await.about(url)
    })
    .await
}

pub(super) async fn rm(args: &Rm) -> Result<()> {
    let mut servers = Servers::new(&args.paths.access);
    each(&args.paths.urls, async |url| {
        refuse_root(url, "is the whole share")?;
        let share = servers.share(url).await?;
        match share.remove_file(&url.path).await {
            Err(error) if args.recursive && error.status() == Some(NtStatus::FILE_IS_A_DIRECTORY) => {
                remove_tree(&share, url).await
            }
            result => result.about(url),
        }
    })
    .await
}

fn refuse_root(url: &SmbUrl, why: &str) -> Result<()> {
    if url.path.is_empty() { Err(Failure::usage(format!("{url}: this {why}"))) } else { Ok(()) }
}

/// Removes what is in a directory, and then the directory.
pub(super) async fn remove_tree(share: &Share, top: &SmbUrl) -> Result<()> {
    enum Step {
        Into(SmbUrl),
        Remove(SmbUrl),
    }
    let mut failed = false;
    let mut left = vec![Step::Into(top.clone())];
    while let Some(step) = left.pop() {
        let result = match step {
            Step::Remove(url) => share.remove_dir(&url.path).await.about(&url),
            Step::Into(url) => match entries(share, &url).await {
                Err(failure) => Err(failure),
                Ok(all) => {
                    left.push(Step::Remove(url.clone()));
                    for entry in all {
                        let url = url.with_path(join(&url.path, &entry.name));
                        if is_real_dir(&entry) {
                            left.push(Step::Into(url));
                            continue;
                        }
                        let removed = match entry.metadata.is_dir() {
                            // A link to a directory: the link goes, what it points to stays.
                            true => share.remove_dir(&url.path).await,
                            false => share.remove_file(&url.path).await,
                        };
                        if let Err(Failure::Refused(line)) = removed.about(&url) {
                            complain(&line);
                            failed = true;
                        }
                    }
                    Ok(())
                }
            },
        };
        match result {
            Ok(()) => {}
            // What could not be removed keeps its parents, which need no lines of their own.
            Err(Failure::Refused(_)) if failed => {}
            Err(Failure::Refused(line)) => {
                complain(&line);
                failed = true;
            }
            Err(failure) => return Err(failure),
        }
    }
    if failed { Err(Failure::Reported) } else { Ok(()) }
}

pub(super) async fn mv(args: &Mv) -> Result<()> {
    let (from, to) = (&args.from, &args.to);
    let same = from.server.host.eq_ignore_ascii_case(&to.server.host)
        && from.server.port == to.server.port
        && from.share.to_lowercase() == to.share.to_lowercase();
    if !same {
        let why = "mv stays within one share: copy with `sansmb get` and `sansmb put`, then `sansmb rm`";
        return Err(Failure::usage(why));
    }
    refuse_root(from, "is the share itself")?;
    let share = Servers::new(&args.access).share(from).await?;
    let into_dir = match share.metadata(&to.path).await {
        // A change of case alone finds the file itself.
        Ok(metadata) => metadata.is_dir() && to.path.to_lowercase() != from.path.to_lowercase(),
        Err(_) => false,
    };
    let path = if into_dir { join(&to.path, from.base_name()) } else { to.path.clone() };
    share
        .rename(&from.path, &path, args.force)
        .await
        .about(format_args!("{from} to {}", to.with_path(path.clone())))
}
