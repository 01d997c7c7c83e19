//! `sansmb bench`.

mod clients;
mod crew;
mod measure;
mod report;
mod small;

use std::time::Duration;

use bytes::Bytes;
use sansmb::crypto::Random;
use sansmb_async::client::{OpenOptions, Share};

use self::{
    clients::Clients,
    measure::{Figure, Stopwatch},
    report::Report,
    small::SmallFiles,
};
use super::{manage::remove_tree, tree::join};
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
            let large = Large { args, share: &share, dir: &dir };
            let small = SmallFiles::new(args, shares, dir.clone(), interrupt);
            match interrupt.or(large.measure(&mut report)).await {
                Ok(()) => small.measure(&mut report).await,
                failed => failed,
            }
        }
    };
    // Whatever happened: nothing of ours stays.
    let removed = remove_tree(&share, &dir).await;
    report.finish()?;
    result.and(removed)
}

/// A large file.
struct Large<'a> {
    args: &'a Bench,
    share: &'a Share,
    /// Where all of it is done.
    dir: &'a SmbUrl,
}

impl Large<'_> {
    async fn measure(&self, report: &mut Report) -> Result<()> {
        if self.args.mib > 0 {
            let bytes = u64::from(self.args.mib) << 20;
            let (url, period) = (self.within("large"), contents(PERIOD));
            report.add(Figure::bulk("write", bytes, self.write_large(&url, bytes, &period).await?))?;
            report.add(Figure::bulk("read", bytes, self.read_large(&url, bytes, &period).await?))?;
            self.share.remove_file(&url.path).await.about(&url)?;
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
