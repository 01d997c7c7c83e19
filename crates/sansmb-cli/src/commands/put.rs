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
use sansmb_async::{
    Bytes,
    client::{Draft, Share},
};

use super::{
    cat::HEAD,
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
    if is_stdin(local) && args.recursive {
        return Err(Failure::usage("standard input is one file, no directory"));
    }
    // Before any server is asked.
    let source = if is_stdin(local) { None } else { Some(fs::metadata(local).about(local.display())?) };
    let is_dir = source.as_ref().is_some_and(fs::Metadata::is_dir);
    if is_dir && !args.recursive {
        return Err(Failure::refused(
            local.display(),
            "it is a directory: -r copies it with all that is in it",
        ));
    }
    let share = interrupt.or(Servers::new(&args.access).share(url)).await?;
    put(&share, args, is_dir, interrupt).await
}

/// Whether the name stands for standard input.
fn is_stdin(local: &Path) -> bool {
    local == Path::new("-")
}

/// Copies what is here to a share.
pub(super) async fn put(share: &Share, args: &Put, is_dir: bool, interrupt: &Interrupt) -> Result<()> {
    let (local, url) = (args.local.as_path(), &args.url);
    let mut progress = Progress::new(args.access.json);
    let mut copy = Copy { share, interrupt, progress: &mut progress };
    let result = match is_dir {
        true => copy.dir(local, url).await,
        false if is_stdin(local) => copy.to(Source::stdin(), url, None).await,
        false => copy.to(Source::file(local)?, url, Some(local)).await,
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

    /// The first bytes, where they are there at once.
    fn head(&mut self) -> Result<Bytes> {
        let mut bytes = Vec::new();
        if let Some(len) = self.len {
            bytes.reserve_exact(len.min(HEAD.into()) as usize);
            (&mut *self.reader).take(HEAD.into()).read_to_end(&mut bytes).about(&self.name)?;
        }
        Ok(bytes.into())
    }
}

struct Copy<'a> {
    share: &'a Share,
    interrupt: &'a Interrupt,
    progress: &'a mut Progress,
}

impl Copy<'_> {
    /// Copies a directory to an URL, or into the directory that is there.
    async fn dir(&mut self, local: &Path, url: &SmbUrl) -> Result<()> {
        let there = self.interrupt.or(async { Ok(self.share.metadata(&url.path).await.ok()) }).await?;
        // What `cp -r` makes of a name that is not there yet, with or without the slash.
        let into_dir = there.is_some_and(|metadata| url.directory || metadata.is_dir());
        let url = if into_dir { within(url, local)? } else { url.clone() };
        self.tree(local, &url).await
    }

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
                    let copied = match Source::file(&path) {
                        Ok(source) => self.put(source, &url).await,
                        Err(failure) => Err(failure),
                    };
                    survive(copied, self.progress, &mut failed)?;
                }
            }
            left.extend(below.into_iter().rev());
        }
        if failed { Err(Failure::Reported) } else { Ok(()) }
    }

    /// Copies one file to an URL, or into the directory that is there, where it needs a name of its own.
    async fn to(&mut self, mut source: Source, url: &SmbUrl, local: Option<&Path>) -> Result<()> {
        let within = |url| match local {
            Some(local) => within(url, local),
            None => Err(Failure::refused(url, "a name for the file is wanted")),
        };
        if url.directory || url.path.is_empty() {
            return self.put(source, &within(url)?).await;
        }
        let head = source.head()?;
        // What is there is asked for while the file is made that is mostly wanted. They need not wait for each other.
        let asked = async {
            let mut drafting = pin!(self.draft(url, head.clone()));
            let begun = begin(drafting.as_mut()).await;
            let there = self.share.metadata(&url.path).await;
            let draft = match begun {
                Some(draft) => draft,
                None => drafting.await,
            };
            Ok((draft, there.is_ok_and(|there| there.is_dir())))
        };
        let (draft, into_dir) = self.interrupt.or(asked).await?;
        if !into_dir {
            return self.write(draft?, source, head, url).await;
        }
        // It goes in the background.
        drop(draft);
        let url = within(url)?;
        let draft = self.interrupt.or(self.draft(&url, head.clone())).await?;
        self.write(draft, source, head, &url).await
    }

    /// Copies one file to an URL.
    async fn put(&mut self, mut source: Source, url: &SmbUrl) -> Result<()> {
        let head = source.head()?;
        let draft = self.interrupt.or(self.draft(url, head.clone())).await?;
        self.write(draft, source, head, url).await
    }

    /// Makes the file under a name of its own, so that under the final name there is always a whole file:
    /// the old one until the new one is there.
    async fn draft(&self, url: &SmbUrl, head: Bytes) -> Result<Draft> {
        let parent = url.path.rsplit_once('/').map_or("", |(parent, _)| parent);
        let partial = join(parent, &partial_name(url.base_name()));
        self.share.draft(&partial, head).await.about(url)
    }

    /// Writes all of it and gives it its name.
    async fn write(&mut self, draft: Draft, mut source: Source, head: Bytes, url: &SmbUrl) -> Result<()> {
        self.progress.begin(url.base_name(), source.len.unwrap_or(0));
        self.progress.advance(head.len());
        let interrupt = self.interrupt;
        if let Err(failure) = interrupt.or(self.fill(&mut source, &draft, url)).await {
            draft.discard().await;
            return Err(failure);
        }
        // Once it is sent, nobody can say any more which of the two files is there.
        draft.publish(&url.path, true, source.modified.map(file_time)).await.about(url)?;
        self.progress.file_done();
        Ok(())
    }

    async fn fill(&mut self, source: &mut Source, draft: &Draft, url: &SmbUrl) -> Result<()> {
        let mut stream = draft.write_stream();
        loop {
            let mut buffer = stream.buffer();
            let limit = stream.next_chunk() as u64;
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
        // It goes out behind the last data.
        let kept = draft.keep();
        let sent = stream.finish().await.about(url)?;
        if let Some(len) = source.len
            && sent < len
        {
            let why = format!("the file shrank while it was copied, from {len} to {sent} bytes");
            return Err(Failure::refused(&source.name, why));
        }
        kept.await.about(url)
    }
}

/// A local file's or directory's URL in a directory.
fn within(url: &SmbUrl, local: &Path) -> Result<SmbUrl> {
    Ok(url.with_path(join(&url.path, &remote_name(local)?)))
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
