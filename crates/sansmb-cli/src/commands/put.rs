//! `sansmb put`.

use std::{
    fs::{self, File},
    future::{Future, poll_fn},
    io::{self, Read},
    path::{Path, PathBuf},
    pin::{Pin, pin},
    task::Poll,
    time::SystemTime,
};

use sansmb::client::Payload;
use sansmb_async::client::{File as RemoteFile, OpenOptions, Share};

use super::{
    get::{Summary, survive},
    landing::file_time,
    manage::make_dir,
    tree::join,
};
use crate::{
    args::Put,
    client::Servers,
    failure::{About, Failure, Result},
    interrupt::Interrupt,
    names::partial_name,
    output::Out,
    progress::Progress,
    url::SmbUrl,
};

pub(super) async fn run(args: &Put, interrupt: &Interrupt) -> Result<()> {
    let (local, url) = (args.local.as_path(), &args.url);
    let from_stdin = local == Path::new("-");
    if from_stdin && args.recursive {
        return Err(Failure::usage("standard input is one file, no directory"));
    }
    // Before any server is asked.
    let source = if from_stdin { None } else { Some(fs::metadata(local).about(local.display())?) };
    let is_dir = source.as_ref().is_some_and(fs::Metadata::is_dir);
    if is_dir && !args.recursive {
        return Err(Failure::refused(
            local.display(),
            "it is a directory: -r copies it with all that is in it",
        ));
    }
    let share = interrupt.or(Servers::new(&args.access).share(url)).await?;
    let there = interrupt.or(async { Ok(share.metadata(&url.path).await.ok()) }).await?;
    let into_dir = url.directory || there.is_some_and(|metadata| metadata.is_dir());
    let url = match into_dir {
        true if from_stdin => return Err(Failure::refused(url, "a name for the file is wanted")),
        // What `cp -r` makes of a name that is not there yet, with or without the slash.
        true if is_dir && there.is_none() => url.clone(),
        true => url.with_path(join(&url.path, &remote_name(local)?)),
        false => url.clone(),
    };
    let mut progress = Progress::new(args.access.json);
    let mut copy = Copy { share: &share, interrupt, progress: &mut progress };
    let result = match is_dir {
        true => copy.tree(local, &url).await,
        false if from_stdin => copy.put(Source::stdin(), &url).await,
        false => copy.file(local, &url).await,
    };
    if args.access.json {
        let (files, bytes) = progress.totals();
        drop(progress);
        let mut out = Out::new();
        out.json(&Summary { files, bytes })?;
        out.flush()?;
    }
    result
}

/// The last name of a local path as a name on a server.
fn remote_name(local: &Path) -> Result<String> {
    let whole;
    let name = match local.file_name() {
        Some(name) => Some(name),
        // `.`, `..` and the like.
        None => {
            whole = fs::canonicalize(local).about(local.display())?;
            whole.file_name()
        }
    };
    let name = name.and_then(|name| name.to_str()).filter(|name| !name.contains(['\\', '/', '\0']));
    match name {
        Some(name) => Ok(name.to_owned()),
        None => Err(Failure::refused(local.display(), "its name cannot be one on a server")),
    }
}

/// What is to be copied.
struct Source {
    name: String,
    reader: Box<dyn Read>,
    /// Its length, where it is known.
    len: Option<u64>,
    modified: Option<SystemTime>,
}

impl Source {
    fn stdin() -> Self {
        Self { name: "standard input".to_owned(), reader: Box::new(io::stdin()), len: None, modified: None }
    }

    fn file(local: &Path) -> Result<Self> {
        let name = local.display().to_string();
        let file = File::open(local).about(&name)?;
        let metadata = file.metadata().about(&name)?;
        if metadata.is_dir() {
            return Err(Failure::refused(name, "it is a directory"));
        }
        let len = Some(metadata.len()).filter(|_| metadata.is_file());
        Ok(Self { name, reader: Box::new(file), len, modified: metadata.modified().ok() })
    }
}

struct Copy<'a> {
    share: &'a Share,
    interrupt: &'a Interrupt,
    progress: &'a mut Progress,
}

impl Copy<'_> {
    /// Copies a directory with all that is in it. What cannot be copied is told, and left out.
    async fn tree(&mut self, local: &Path, url: &SmbUrl) -> Result<()> {
        let mut failed = false;
        let mut left = vec![(local.to_owned(), url.clone())];
        while let Some((dir, url)) = left.pop() {
            let made = self.interrupt.or(make_dir(self.share, &url)).await;
            let all = made.and_then(|()| children(&dir));
            let mut below = Vec::new();
            for path in survive(all, self.progress, &mut failed)?.unwrap_or_default() {
                let Some(name) = survive(remote_name(&path), self.progress, &mut failed)? else { continue };
                let url = url.with_path(join(&url.path, &name));
                if path.is_dir() && path.is_symlink() {
                    self.progress.complain(&format!("{}: a link to a directory, left out", path.display()));
                    failed = true;
                } else if path.is_dir() {
                    below.push((path, url));
                } else {
                    survive(self.file(&path, &url).await, self.progress, &mut failed)?;
                }
            }
            left.extend(below.into_iter().rev());
        }
        if failed { Err(Failure::Reported) } else { Ok(()) }
    }

    async fn file(&mut self, local: &Path, url: &SmbUrl) -> Result<()> {
        self.put(Source::file(local)?, url).await
    }

    /// Writes under a name of its own and renames at the end, so that under the final name there
    /// is always a whole file: the old one until the new one is there. Until then it is marked for
    /// deletion: whatever goes wrong, here or on the way, the server removes it.
    async fn put(&mut self, source: Source, url: &SmbUrl) -> Result<()> {
        self.progress.begin(url.base_name(), source.len.unwrap_or(0));
        let parent = url.path.rsplit_once('/').map_or("", |(parent, _)| parent);
        let partial = join(parent, &partial_name(url.base_name()));
        let file = async { self.share.open(&partial, OpenOptions::create_new()).await.about(url) };
        let file = self.interrupt.or(file).await?;
        let interrupt = self.interrupt;
        match interrupt.or(self.fill(source, &file, url)).await {
            Ok(()) => {
                self.progress.file_done();
                file.close().await.about(url)
            }
            Err(failure) => {
                // The first failure is what counts; the server may be gone, too.
                let _ = file.set_delete(true).await;
                let _ = file.close().await;
                Err(failure)
            }
        }
    }

    async fn fill(&mut self, mut source: Source, file: &RemoteFile, url: &SmbUrl) -> Result<()> {
        // A server that will not do this may still take the file. It is told before the first data come;
        // what it says to that can wait.
        let mut marking = pin!(file.set_delete(true));
        let marked = begin(marking.as_mut()).await;
        let mut stream = file.write_stream(0);
        loop {
            let mut buffer = stream.buffer();
            let limit = stream.chunk() as u64;
            let read = buffer.fill_with(|bytes| (&mut *source.reader).take(limit).read_to_end(bytes));
            let read = read.about(&source.name)?;
            // Ctrl-C ends whoever feeds us as well: this may not be the end that was meant.
            self.interrupt.check()?;
            if read == 0 {
                break;
            }
            stream.write(Payload::Buffer(buffer)).await.about(url)?;
            self.progress.advance(read);
        }
        let sent = stream.finish().await.about(url)?;
        if let Some(len) = source.len
            && sent < len
        {
            let why = format!("the file shrank while it was copied, from {len} to {sent} bytes");
            return Err(Failure::refused(source.name, why));
        }
        let marked = match marked {
            Some(marked) => marked,
            None => marking.await,
        };
        // Neither waits for the other.
        let mut unmarking = pin!(file.set_delete(false));
        let unmarked = if marked.is_ok() { begin(unmarking.as_mut()).await } else { Some(Ok(())) };
        if let Some(modified) = source.modified {
            file.set_written(file_time(modified)).await.about(url)?;
        }
        match unmarked {
            Some(unmarked) => unmarked,
            None => unmarking.await,
        }
        .about(url)?;
        file.rename(&url.path, true).await.about(url)
    }
}

/// Lets `work` go as far as it comes without waiting. Unless it has ended so, it has to be awaited.
async fn begin<F: Future>(mut work: Pin<&mut F>) -> Option<F::Output> {
    poll_fn(|cx| match work.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

/// What is in a local directory, by name.
fn children(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut all = fs::read_dir(dir)
        .and_then(|entries| {
            entries.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>()
        })
        .about(dir.display())?;
    all.sort();
    Ok(all)
}
