//! `sansmb ls`.

use sansmb::wire::NtStatus;
use sansmb_async::client::{Entry, Metadata, Share};
use serde::Serialize;

use super::{
    each,
    tree::{entries, is_real_dir, join},
};
use crate::{
    args::Ls,
    client::Servers,
    failure::{About, Failure, Result, complain},
    output::{Letters, Out, attribute_names, local_minute, printable, utc},
    url::SmbUrl,
};

/// One line of JSON.
#[derive(Debug, Serialize)]
pub(super) struct Record<'a> {
    name: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    size: u64,
    allocated: u64,
    created: Option<String>,
    accessed: Option<String>,
    written: Option<String>,
    changed: Option<String>,
    attributes: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file_id: Option<u64>,
}

impl<'a> Record<'a> {
    pub(super) fn new(name: &'a str, metadata: &Metadata, file_id: u64) -> Self {
        Self {
            name,
            kind: if metadata.is_dir() { "directory" } else { "file" },
            size: metadata.len,
            allocated: metadata.allocated,
            created: utc(metadata.created),
            accessed: utc(metadata.accessed),
            written: utc(metadata.written),
            changed: utc(metadata.changed),
            attributes: attribute_names(metadata.attributes),
            file_id: Some(file_id).filter(|id| *id != 0),
        }
    }
}

pub(super) async fn run(args: &Ls) -> Result<()> {
    let mut servers = Servers::new(&args.paths.access);
    let mut lister = Lister { out: Out::new(), json: args.paths.access.json, recursive: args.recursive };
    let several = args.paths.urls.len() > 1;
    let result = each(&args.paths.urls, async |url| {
        let share = servers.share(url).await?;
        if several && !lister.json {
            lister.out.line(format_args!("{url}:"))?;
        }
        lister.list(&share, url).await
    })
    .await;
    lister.out.flush()?;
    result
}

struct Lister {
    out: Out,
    json: bool,
    recursive: bool,
}

impl Lister {
    async fn list(&mut self, share: &Share, url: &SmbUrl) -> Result<()> {
        let dir = match share.read_dir(&url.path).await {
            Ok(dir) => dir,
            Err(error) if error.status() == Some(NtStatus::NOT_A_DIRECTORY) && !url.directory => {
                let metadata = share.metadata(&url.path).await.about(url)?;
                let name = url.base_name().to_owned();
                return self.print(&[(name, Entry { name: String::new(), metadata, file_id: 0 })]);
            }
            Err(error) => return Err(error).about(url),
        };
        if self.recursive {
            drop(dir);
            return self.descend(share, url).await;
        }
        if self.json {
            // A huge directory is never held as a whole.
            let mut dir = dir;
            while let Some(entry) = dir.next().await.about(url)? {
                self.out.json(&Record::new(&entry.name, &entry.metadata, entry.file_id))?;
            }
            return Ok(());
        }
        let mut all = dir.collect().await.about(url)?;
        all.sort_by(|a, b| a.name.cmp(&b.name));
        self.print(&all.into_iter().map(|entry| (entry.name.clone(), entry)).collect::<Vec<_>>())
    }

    /// Everything below, with the path from where it began.
    async fn descend(&mut self, share: &Share, top: &SmbUrl) -> Result<()> {
        let mut failed = false;
        let mut left = vec![String::new()];
        while let Some(below) = left.pop() {
            let url = match below.as_str() {
                "" => top.clone(),
                below => top.with_path(join(&top.path, below)),
            };
            let all = match entries(share, &url).await {
                Ok(all) => all,
                Err(Failure::Refused(line)) => {
                    complain(&line);
                    failed = true;
                    continue;
                }
                Err(failure) => return Err(failure),
            };
            let all: Vec<_> = all.into_iter().map(|entry| (join(&below, &entry.name), entry)).collect();
            self.print(&all)?;
            left.extend(all.into_iter().rev().filter(|(_, entry)| is_real_dir(entry)).map(|(path, _)| path));
        }
        if failed { Err(Failure::Reported) } else { Ok(()) }
    }

    fn print(&mut self, entries: &[(String, Entry)]) -> Result<()> {
        if self.json {
            return entries.iter().try_for_each(|(name, entry)| {
                self.out.json(&Record::new(name, &entry.metadata, entry.file_id))
            });
        }
        let width = entries.iter().map(|(_, entry)| entry.metadata.len.to_string().len()).max().unwrap_or(0);
        for (name, Entry { metadata, .. }) in entries {
            let (letters, time) = (Letters(metadata.attributes), local_minute(metadata.written));
            let (len, name) = (metadata.len, printable(name));
            self.out.line(format_args!("{letters} {len:>width$} {time:16} {name}"))?;
        }
        Ok(())
    }
}
