//! `sansmb bench`.

mod clients;
mod crew;
mod measure;
mod report;

use std::time::Duration;

use bytes::Bytes;
use sansmb::crypto::Random;
use sansmb_async::client::{OpenOptions, Share};

use self::{
    clients::Clients,
    measure::{Figure, Stopwatch, at_once},
    report::Report,
};
use super::{
    manage::remove_tree,
    tree::{entries, join},
};
use crate::{
    args::Bench,
    client::Servers,
    failure::{About, Failure, Result},
    interrupt::Interrupt,
    progress::Progress,
    url::SmbUrl,
};

pub(super) async fn run(args: &Bench, interrupt: &Interrupt) -> Result<()> {
    let mut servers = Servers::new(&args.access);
    let share = interrupt.or(servers.share(&args.url)).await?;
    let mut shares = vec![share.clone()];
    for _ in 1..args.connections {
        shares.push(interrupt.or(servers.share_anew(&args.url)).await?);
    }
    let mut suffix = [0; 4];
    sansmb_crypto::OsRandom.fill(&mut suffix);
    let name = format!("sansmb-bench-{:08x}", u32::from_be_bytes(suffix));
    let dir = args.url.with_path(join(&args.url.path, &name));
    interrupt.or(async { share.create_dir(&dir.path).await.about(&dir) }).await?;
    let mut report = Report::new(args.access.json);
    let result = match args.clients {
        Some(count) => match servers.way_in(&args.url.server) {
            Ok(way_in) => Clients { args, count, way_in, dir: &dir, interrupt }.measure(&mut report).await,
            Err(failure) => Err(failure),
        },
        None => {
            let bench = Workload { args, share: &share, shares: &shares, dir: &dir };
            interrupt.or(bench.measure(&mut report)).await
        }
    };
    // Whatever happened: nothing of ours stays.
    let removed = remove_tree(&share, &dir).await;
    report.finish()?;
    result.and(removed)
}

/// What is done on the server, all of it in one directory.
struct Workload<'a> {
    args: &'a Bench,
    share: &'a Share,
    /// The same share over each connection; the first is the one above.
    shares: &'a [Share],
    dir: &'a SmbUrl,
}

impl Workload<'_> {
    async fn measure(&self, report: &mut Report) -> Result<()> {
        if self.args.mib > 0 {
            let bytes = u64::from(self.args.mib) << 20;
            let (url, period) = (self.within("large"), contents(PERIOD));
            report.add(Figure::bulk("write", bytes, self.write_large(&url, bytes, &period).await?))?;
            report.add(Figure::bulk("read", bytes, self.read_large(&url, bytes, &period).await?))?;
            self.share.remove_file(&url.path).await.about(&url)?;
        }
        if self.args.files > 0 {
            self.small_files(report).await?;
        }
        Ok(())
    }

    /// Something in the directory.
    fn within(&self, name: &str) -> SmbUrl {
        self.dir.with_path(join(&self.dir.path, name))
    }

    fn progress(&self, name: &str, bytes: u64) -> Progress {
        let mut progress = Progress::new(self.args.access.json);
        progress.begin(name, bytes);
        progress
    }

    async fn write_large(&self, url: &SmbUrl, bytes: u64, period: &Bytes) -> Result<Duration> {
        let mut progress = self.progress("write", bytes);
        let watch = Stopwatch::start();
        let file = self.share.open(&url.path, OpenOptions::create_new()).await.about(url)?;
        let mut stream = file.write_stream(0);
        let chunk = stream.chunk();
        while stream.offset() < bytes {
            let from = place(stream.offset());
            let left = usize::try_from(bytes - stream.offset()).unwrap_or(usize::MAX);
            let piece = period.slice(from..from + chunk.min(PERIOD - from).min(left));
            progress.advance(piece.len());
            stream.write(piece).await.about(url)?;
        }
        stream.finish().await.about(url)?;
        file.close().await.about(url)?;
        Ok(watch.stop())
    }

    async fn read_large(&self, url: &SmbUrl, bytes: u64, period: &[u8]) -> Result<Duration> {
        let mut progress = self.progress("read", bytes);
        let watch = Stopwatch::start();
        let file = self.share.open(&url.path, OpenOptions::read()).await.about(url)?;
        let mut stream = file.read_stream(0);
        let mut at = 0;
        while let Some(data) = stream.next().await.about(url)? {
            check(url, period, at, &data)?;
            at += data.len() as u64;
            progress.advance(data.len());
        }
        file.close().await.about(url)?;
        let took = watch.stop();
        if at == bytes { Ok(took) } else { Err(Failure::refused(url, DIFFERS)) }
    }

    /// Over which connection a small file goes.
    fn share_of(&self, file: u32) -> &Share {
        let one = file as usize % self.shares.len().max(1);
        self.shares.get(one).unwrap_or(self.share)
    }

    async fn small_files(&self, report: &mut Report) -> Result<()> {
        let (count, jobs, size) = (self.args.files, self.args.jobs, self.args.size);
        let data = contents(size as usize);
        let url = |n: u32| self.within(&format!("file{n:07}"));
        let done = at_once(jobs, count, |n| {
            let (url, data) = (url(n), data.clone());
            async move {
                self.share_of(n).write_file(&url.path, OpenOptions::create_new(), data).await.about(&url)
            }
        });
        report.add(Figure::each("create, write, close", done.await?))?;

        // Each connection lists all of them.
        let over = self.shares.len().max(1) as u32;
        let watch = Stopwatch::start();
        let done = at_once(over, over, |n| async move {
            match entries(self.share_of(n), self.dir).await?.len() {
                listed if listed == count as usize => Ok(()),
                listed => {
                    let why = format!("{count} files were made, {listed} are listed");
                    Err(Failure::refused(self.dir, why))
                }
            }
        });
        done.await?;
        report.add(Figure::listing("list", u64::from(over) * u64::from(count), watch.stop()))?;

        let done = at_once(jobs, count, |n| {
            let url = url(n);
            async move { self.share_of(n).metadata(&url.path).await.about(&url).map(|_| ()) }
        });
        report.add(Figure::each("stat", done.await?))?;

        let done = at_once(jobs, count, |n| {
            let (url, data) = (url(n), data.clone());
            async move {
                let got = self.share_of(n).read_file(&url.path, size).await.about(&url)?;
                if got == data { Ok(()) } else { Err(Failure::refused(&url, DIFFERS)) }
            }
        });
        report.add(Figure::each("open, read, close", done.await?))?;

        let done = at_once(jobs, count, |n| {
            let url = url(n);
            async move { self.share_of(n).remove_file(&url.path).await.about(&url) }
        });
        report.add(Figure::each("delete", done.await?))
    }
}

/// The large file holds the same bytes over and over.
const PERIOD: usize = 1 << 20;
const DIFFERS: &str = "what was read is not what was written";

/// Bytes that compress badly and differ from one another.
fn contents(len: usize) -> Bytes {
    let mut bytes = vec![0; len];
    sansmb_crypto::OsRandom.fill(&mut bytes);
    bytes.into()
}

/// Where in a period an offset of the large file lies.
fn place(offset: u64) -> usize {
    (offset % PERIOD as u64) as usize
}

/// Fails unless `data`, read at `at`, is what a repetition of `period` has there.
fn check(url: &SmbUrl, period: &[u8], at: u64, mut data: &[u8]) -> Result<()> {
    let mut from = place(at);
    while !data.is_empty() {
        let (now, rest) = data.split_at(data.len().min(PERIOD - from));
        if now != &period[from..from + now.len()] {
            return Err(Failure::refused(url, DIFFERS));
        }
        (data, from) = (rest, 0);
    }
    Ok(())
}
