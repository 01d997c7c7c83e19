//! `sansmb get`.

use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use sansmb_async::{
    Bytes, Error,
    client::{File, Landed, OpenOptions, ReadStream, Share},
};
use serde::Serialize;

use super::{
    cat,
    landing::Landing,
    tree::{entries, is_link, join},
};
use crate::{
    args::Get,
    client::Servers,
    failure::{About, Failure, Result, io_words},
    names::local_name,
    output::Out,
    progress::Progress,
    url::SmbUrl,
};

/// What was copied.
#[derive(Debug, Serialize)]
pub(super) struct Summary {
    pub(super) files: u64,
    pub(super) bytes: u64,
}

pub(super) async fn run(args: &Get) -> Result<()> {
    let url = &args.url;
    let share = Servers::new(&args.access).share(url).await?;
    let mut progress = Progress::new(args.access.json);
    if args.local.as_deref() == Some(Path::new("-")) {
        if args.recursive {
            return Err(Failure::usage("standard output takes one file, no directory"));
        }
        let mut out = Out::new();
        cat::copy(&share, url, &mut out, Some(&mut progress)).await?;
        return out.flush();
    }
    let result = get(&share, args, &mut progress).await;
    if args.access.json {
        let (files, bytes) = progress.totals();
        drop(progress);
        let mut out = Out::new();
        out.json(&Summary { files, bytes })?;
        out.flush()?;
    }
    result
}

/// Copies what is there.
pub(super) async fn get(share: &Share, args: &Get, progress: &mut Progress) -> Result<()> {
    let url = &args.url;
    let refused = match args.recursive || url.directory {
        true => None,
        // Mostly it is a file, and opening it says so.
        false => match open(share, url).await {
            Ok(file) => {
                let target = target(args.local.as_deref(), url.base_name())?;
                return get_file(file, url, &target, progress).await;
            }
            Err(failure) => Some(failure),
        },
    };
    let metadata = match (share.metadata(&url.path).await.about(url), refused) {
        (Ok(metadata), Some(failure)) if !metadata.is_dir() => return Err(failure),
        (Err(_), Some(failure)) => return Err(failure),
        (metadata, _) => metadata?,
    };
    if metadata.is_dir() && !args.recursive {
        return Err(Failure::refused(url, "it is a directory: -r copies it with all that is in it"));
    }
    if !metadata.is_dir() && url.directory {
        return Err(Failure::refused(url, "it is not a directory"));
    }
    let target = target(args.local.as_deref(), url.base_name())?;
    match metadata.is_dir() {
        true => get_tree(share, url, target, progress).await,
        false => get_file(open(share, url).await?, url, &target, progress).await,
    }
}

/// Where the copy goes: into a directory that is there, or under the name that was given.
fn target(local: Option<&Path>, name: &str) -> Result<PathBuf> {
    let within = match local {
        None => Path::new(""),
        Some(local) if local.is_dir() => local,
        Some(local) => {
            let shown = local.as_os_str().to_string_lossy();
            if shown.ends_with(std::path::is_separator) || local.file_name().is_none() {
                return Err(Failure::refused(local.display(), "no such directory"));
            }
            return Ok(local.to_owned());
        }
    };
    Ok(within.join(local_name(name)?))
}

/// Opens a file and reads its start.
async fn open(share: &Share, url: &SmbUrl) -> Result<(File, Option<Bytes>)> {
    share.open_and_read(&url.path, OpenOptions::read(), cat::HEAD).await.about(url)
}

/// Copies one file.
async fn get_file(
    (file, head): (File, Option<Bytes>),
    url: &SmbUrl,
    target: &Path,
    progress: &mut Progress,
) -> Result<()> {
    let metadata = *file.metadata();
    progress.begin(url.base_name(), metadata.len);
    let mut landing = Landing::new(target)?;
    let got = fill(&mut landing, file.read_stream_after(head), url, progress).await?;
    if got < metadata.len {
        let why = format!("the file shrank while it was copied, from {} to {got} bytes", metadata.len);
        return Err(Failure::refused(url, why));
    }
    // It is closed when it is dropped. What the server says to that changes nothing here.
    landing.complete(metadata.written)?;
    progress.file_done();
    Ok(())
}

/// Fills a local file; with how many bytes.
async fn fill(
    landing: &mut Landing,
    stream: ReadStream<'_>,
    url: &SmbUrl,
    progress: &mut Progress,
) -> Result<u64> {
    let mut got = 0;
    let mut stream = stream.landing_in(landing.file());
    loop {
        let len = match stream.next().await {
            Ok(Some(Landed::There(len))) => {
                landing.landed(len.into());
                len as usize
            }
            Ok(Some(Landed::Here(bytes))) => {
                landing.write(&bytes)?;
                bytes.len()
            }
            Ok(None) => return Ok(got),
            // It is the local file that failed.
            Err(Error::Io(error)) => return Err(landing.refused(&error)),
            Err(error) => return Err(error).about(url),
        };
        got += len as u64;
        progress.advance(len);
    }
}

/// Copies a directory with all that is in it. What cannot be copied is told, and left out.
async fn get_tree(share: &Share, top: &SmbUrl, target: PathBuf, progress: &mut Progress) -> Result<()> {
    let mut failed = false;
    let mut left = vec![(top.clone(), target)];
    while let Some((url, dir)) = left.pop() {
        let all = match make_local_dir(&dir) {
            Ok(()) => entries(share, &url).await,
            Err(failure) => Err(failure),
        };
        let mut below = Vec::new();
        for entry in survive(all, progress, &mut failed)?.unwrap_or_default() {
            let Some(name) = survive(local_name(&entry.name), progress, &mut failed)? else { continue };
            let (url, path) = (url.with_path(join(&url.path, name)), dir.join(name));
            if is_link(&entry) && entry.metadata.is_dir() {
                progress.complain(&format!("{url}: a link to a directory, left out"));
                failed = true;
            } else if entry.metadata.is_dir() {
                below.push((url, path));
            } else {
                let copied = match open(share, &url).await {
                    Ok(file) => get_file(file, &url, &path, progress).await,
                    Err(failure) => Err(failure),
                };
                survive(copied, progress, &mut failed)?;
            }
        }
        left.extend(below.into_iter().rev());
    }
    if failed { Err(Failure::Reported) } else { Ok(()) }
}

/// Tells what was refused, so that the rest can go on.
pub(super) fn survive<T>(result: Result<T>, progress: &Progress, failed: &mut bool) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(Failure::Refused(line)) => {
            progress.complain(&line);
            *failed = true;
            Ok(None)
        }
        Err(failure) => Err(failure),
    }
}

fn make_local_dir(dir: &Path) -> Result<()> {
    match fs::create_dir(dir) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists && dir.is_dir() => Ok(()),
        Err(error) => Err(Failure::refused(dir.display(), io_words(&error))),
        Ok(()) => Ok(()),
    }
}
