//! Many small files.

use std::{future::Future, sync::Arc};

use bytes::Bytes;
use sansmb_async::client::{OpenOptions, Share};

use super::{
    DIFFERS, contents,
    crew::at_once,
    measure::{Figure, Operations},
    report::Report,
};
use crate::{
    args::Bench,
    commands::tree::{entries, join},
    failure::{About, Failure, Result},
    interrupt::Interrupt,
    url::SmbUrl,
};

/// The workload of many small files: they are made, listed, looked at, read and removed.
pub(super) struct SmallFiles<'a> {
    args: &'a Bench,
    interrupt: &'a Interrupt,
    folder: Arc<Folder>,
}

/// What all tasks have to know.
#[derive(Debug)]
struct Folder {
    /// The same share over each connection.
    shares: Vec<Share>,
    dir: SmbUrl,
    data: Bytes,
}

impl Folder {
    /// A small file, and the share over the connection that it goes over.
    fn file(&self, n: u32) -> (&Share, SmbUrl) {
        let url = self.dir.with_path(join(&self.dir.path, &format!("file{n:07}")));
        (self.share(n), url)
    }

    fn share(&self, n: u32) -> &Share {
        &self.shares[n as usize % self.shares.len()]
    }
}

impl<'a> SmallFiles<'a> {
    /// `shares` is not empty.
    pub(super) fn new(args: &'a Bench, shares: Vec<Share>, dir: SmbUrl, interrupt: &'a Interrupt) -> Self {
        let data = contents(args.size as usize);
        Self { args, interrupt, folder: Arc::new(Folder { shares, dir, data }) }
    }

    pub(super) async fn measure(&self, report: &mut Report) -> Result<()> {
        let Bench { files, jobs, size, .. } = *self.args;
        if files == 0 {
            return Ok(());
        }
        let make = self.at_once(jobs, files, move |folder, n| async move {
            let (share, url) = folder.file(n);
            share.write_file(&url.path, OpenOptions::create_new(), folder.data.clone()).await.about(&url)
        });
        report.add(Figure::each("create, write, close", make.await?))?;

        report.add(self.list().await?)?;

        let look = self.at_once(jobs, files, |folder, n| async move {
            let (share, url) = folder.file(n);
            share.metadata(&url.path).await.about(&url).map(|_| ())
        });
        report.add(Figure::each("stat", look.await?))?;

        let read = self.at_once(jobs, files, move |folder, n| async move {
            let (share, url) = folder.file(n);
            let got = share.read_file(&url.path, size).await.about(&url)?;
            if got == folder.data { Ok(()) } else { Err(Failure::refused(&url, DIFFERS)) }
        });
        report.add(Figure::each("open, read, close", read.await?))?;

        let remove = self.at_once(jobs, files, |folder, n| async move {
            let (share, url) = folder.file(n);
            share.remove_file(&url.path).await.about(&url)
        });
        report.add(Figure::each("delete", remove.await?))
    }

    /// Each connection lists all of them.
    async fn list(&self) -> Result<Figure> {
        let (files, over) = (self.args.files, self.folder.shares.len() as u32);
        let interrupt = self.interrupt.clone();
        let list = self.at_once(over, over, move |folder, n| {
            let interrupt = interrupt.clone();
            async move {
                // It may take long, and leaves nothing behind when it is dropped.
                match interrupt.or(entries(folder.share(n), &folder.dir)).await?.len() {
                    listed if listed == files as usize => Ok(()),
                    listed => {
                        let why = format!("{files} files were made, {listed} are listed");
                        Err(Failure::refused(&folder.dir, why))
                    }
                }
            }
        });
        Ok(Figure::listing("list", u64::from(over) * u64::from(files), list.await?.took()))
    }

    async fn at_once<F: Future<Output = Result<()>> + Send>(
        &self,
        jobs: u32,
        count: u32,
        work: impl Fn(Arc<Folder>, u32) -> F + Send + Sync + 'static,
    ) -> Result<Operations> {
        let (runtime, folder) = (self.args.access.runtime, self.folder.clone());
        let work = move |n| work(folder.clone(), n);
        let (_, operations) = at_once(runtime, self.interrupt, jobs, count, work).await?;
        Ok(operations)
    }
}
