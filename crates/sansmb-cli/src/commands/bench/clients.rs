//! Many clients at once.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};

use bytes::Bytes;
use sansmb_async::client::{File, OpenOptions, Session};

use super::{
    DIFFERS, PERIOD, check, contents,
    crew::{Crew, at_once},
    measure::{Figure, Operations, Stopwatch},
    place,
    report::Report,
};
use crate::{
    args::Bench,
    client::WayIn,
    commands::tree::join,
    failure::{About, Failure, Result},
    interrupt::Interrupt,
    url::SmbUrl,
};

/// Length of a block.
const BLOCK: u32 = 64 << 10;
/// Blocks of all clients' files together: as much memory is worked on however many they are.
const BLOCKS: u32 = 4096;
/// Of so many requests in a hundred the rest are WRITEs.
const READS: u32 = 70;

/// The workload of many clients, each with a connection of its own.
///
/// Nothing in it is dropped half done: each task looks for Ctrl-C itself, so that no file is open any more
/// when the directory is removed.
pub(super) struct Clients<'a> {
    pub(super) args: &'a Bench,
    pub(super) count: u32,
    pub(super) way_in: WayIn,
    pub(super) dir: &'a SmbUrl,
    pub(super) interrupt: &'a Interrupt,
}

impl Clients<'_> {
    pub(super) async fn measure(&self, report: &mut Report) -> Result<()> {
        let (sessions, operations) = self.log_on().await?;
        report.add(Figure::operations("log on", operations, 1, "clients"))?;
        if self.args.blocks > 0 {
            let period = contents(PERIOD);
            let workers = self.prepare(&sessions, &period).await?;
            let operations = self.work(workers).await?;
            report.add(Figure::operations("read and write", operations, BLOCK.into(), "bytes"))?;
        }
        if self.args.idle > 0 {
            let time = Duration::from_secs(self.args.idle.into());
            let runtime = self.args.access.runtime;
            let idle = async {
                runtime.sleep(time).await;
                Ok(())
            };
            self.interrupt.or(idle).await?;
        }
        Ok(())
    }

    fn crew<T: Send + 'static>(&self) -> Crew<T> {
        Crew::new(self.args.access.runtime)
    }

    /// Connects and logs on, some at a time.
    async fn log_on(&self) -> Result<(Vec<Session>, Operations)> {
        let (runtime, way_in) = (self.args.access.runtime, self.way_in.clone());
        let log_on = move |_| {
            let way_in = way_in.clone();
            async move { way_in.log_on().await }
        };
        at_once(runtime, self.interrupt, self.args.jobs, self.count, log_on).await
    }

    /// Makes a file for each session.
    async fn prepare(&self, sessions: &[Session], period: &Bytes) -> Result<Vec<Worker>> {
        let mut crew = self.crew();
        let blocks = (BLOCKS / self.count).max(1);
        for (number, session) in (0..).zip(sessions.iter().cloned()) {
            let url = self.dir.with_path(join(&self.dir.path, &format!("file{number:05}")));
            let (period, interrupt) = (period.clone(), self.interrupt.clone());
            crew.add(async move {
                let share = session.share(&url.share).await.about(&url)?;
                let file = share.open(&url.path, OpenOptions::create_new()).await.about(&url)?;
                let worker = Worker { url, file, period, blocks, random: number };
                for block in 0..blocks {
                    interrupt.check()?;
                    worker.write(block).await?;
                }
                Ok(worker)
            });
        }
        crew.join().await
    }

    /// Has all of them read and write until enough is done.
    async fn work(&self, workers: Vec<Worker>) -> Result<Operations> {
        let (mut crew, done) = (self.crew(), Arc::new(AtomicU32::new(0)));
        let watch = Stopwatch::start();
        for mut worker in workers {
            let (done, blocks, interrupt) = (done.clone(), self.args.blocks, self.interrupt.clone());
            crew.add(async move {
                let mut each = Vec::new();
                while done.fetch_add(1, Relaxed) < blocks {
                    interrupt.check()?;
                    let watch = Stopwatch::start();
                    worker.read_or_write().await?;
                    each.push(watch.stop());
                }
                Ok((worker, each))
            });
        }
        let (workers, each): (Vec<_>, Vec<_>) = crew.join().await?.into_iter().unzip();
        let operations = Operations::gathered(watch, each.concat());
        for Worker { file, url, .. } in workers {
            file.close().await.about(&url)?;
        }
        Ok(operations)
    }
}

/// A client with a file of its own.
#[derive(Debug)]
struct Worker {
    url: SmbUrl,
    file: File,
    /// What the file holds over and over.
    period: Bytes,
    /// Its length in blocks.
    blocks: u32,
    random: u32,
}

impl Worker {
    async fn read_or_write(&mut self) -> Result<()> {
        // A linear congruential generator, whose high bits are good enough to scatter requests.
        self.random = self.random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let (block, kind) = ((self.random >> 16) % self.blocks, (self.random >> 8) % 100);
        if kind < READS { self.read(block).await } else { self.write(block).await }
    }

    async fn read(&self, block: u32) -> Result<()> {
        let at = u64::from(block * BLOCK);
        let data = self.file.read_at(at, BLOCK).await.about(&self.url)?;
        if data.len() != BLOCK as usize {
            return Err(Failure::refused(&self.url, DIFFERS));
        }
        check(&self.url, &self.period, at, &data)
    }

    async fn write(&self, block: u32) -> Result<()> {
        let at = u64::from(block * BLOCK);
        let from = place(at);
        let data = self.period.slice(from..from + BLOCK as usize);
        self.file.write_at(at, data).await.about(&self.url)
    }
}
