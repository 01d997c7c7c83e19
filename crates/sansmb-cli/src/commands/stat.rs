//! `sansmb stat` and `df`.

use sansmb::wire::{Structure, fscc};
use sansmb_async::client::{Metadata, OpenOptions};
use serde::Serialize;

use super::{each, list::Record};
use crate::{
    args::Paths,
    client::Servers,
    failure::{About, Result},
    output::{Out, attribute_names, local_full, printable, size},
    url::SmbUrl,
};

/// What FileAllInformation adds to the answer of an open.
#[derive(Debug, Serialize)]
struct More {
    file_id: u64,
    links: u32,
    delete_pending: bool,
    ea_size: u32,
    access: String,
    server_name: String,
}

pub(super) async fn stat(args: &Paths) -> Result<()> {
    #[derive(Serialize)]
    struct All<'a> {
        url: String,
        #[serde(flatten)]
        record: Record<'a>,
        #[serde(flatten)]
        more: Option<More>,
    }
    let mut servers = Servers::new(&args.access);
    let mut out = Out::new();
    let result = each(&args.urls, async |url| {
        let share = servers.share(url).await?;
        let file = share.open(&url.path, OpenOptions::metadata()).await.about(url)?;
        // It is more than an open tells, but not every server has it.
        let buffer = file.query_info(fscc::FileInfoClass::ALL, 64 << 10).await.ok();
        let more =
            buffer.as_deref().and_then(|bytes| fscc::FileAllInfo::decode(bytes).ok()).map(|all| More {
                file_id: all.internal.index_number,
                links: all.standard.number_of_links,
                delete_pending: all.standard.delete_pending,
                ea_size: all.ea.ea_size,
                access: format!("{:#010x}", all.access.access_flags.bits()),
                server_name: all.name.to_text_lossy(),
            });
        if args.access.json {
            let record = Record::new(url.base_name(), file.metadata(), 0);
            return out.json(&All { url: url.to_string(), record, more });
        }
        print(&mut out, url, file.metadata(), more.as_ref())
    })
    .await;
    out.flush()?;
    result
}

fn print(out: &mut Out, url: &SmbUrl, metadata: &Metadata, more: Option<&More>) -> Result<()> {
    let mut field = |name: &str, value: &dyn std::fmt::Display| out.line(format_args!("{name:>12}: {value}"));
    field("Name", &url)?;
    field("Type", &if metadata.is_dir() { "directory" } else { "file" })?;
    field("Size", &metadata.len)?;
    field("Allocated", &metadata.allocated)?;
    field("Attributes", &attribute_names(metadata.attributes).join(" "))?;
    field("Created", &local_full(metadata.created))?;
    field("Accessed", &local_full(metadata.accessed))?;
    field("Written", &local_full(metadata.written))?;
    field("Changed", &local_full(metadata.changed))?;
    if let Some(more) = more {
        field("File ID", &format_args!("{:#x}", more.file_id))?;
        field("Links", &more.links)?;
        field("EA size", &more.ea_size)?;
        field("Access", &more.access)?;
        field("Path", &printable(&more.server_name))?;
        if more.delete_pending {
            field("Delete", &"pending")?;
        }
    }
    Ok(())
}

pub(super) async fn df(args: &Paths) -> Result<()> {
    #[derive(Serialize)]
    struct Space {
        url: String,
        total: u64,
        used: u64,
        free: u64,
        available: u64,
    }
    let mut servers = Servers::new(&args.access);
    let mut out = Out::new();
    let mut titled = args.access.json;
    let result = each(&args.urls, async |url| {
        let space = servers.share(url).await?.space().await.about(url)?;
        let used = space.total.saturating_sub(space.free);
        let url = url.with_path(String::new());
        if args.access.json {
            let (total, free, available) = (space.total, space.free, space.available);
            return out.json(&Space { url: url.to_string(), total, used, free, available });
        }
        // As df does: of what the user could have.
        let whole = u128::from(used) + u128::from(space.available);
        let percent = if whole == 0 { 0 } else { (u128::from(used) * 100).div_ceil(whole) };
        if !std::mem::replace(&mut titled, true) {
            out.line(format_args!("{:>6} {:>6} {:>6} {:>4}  Share", "Size", "Used", "Avail", "Use%"))?;
        }
        let (total, used, available) = (size(space.total), size(used), size(space.available));
        out.line(format_args!("{total:>6} {used:>6} {available:>6} {percent:>3}%  {url}"))
    })
    .await;
    out.flush()?;
    result
}
