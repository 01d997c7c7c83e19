//! `sansmb shares`.

use sansmb::rpc::srvsvc::ShareKind;
use serde::Serialize;

use crate::{
    args::Shares,
    client::Servers,
    failure::{About, Result},
    output::{Out, printable},
};

pub(super) async fn run(args: &Shares) -> Result<()> {
    #[derive(Serialize)]
    struct Share<'a> {
        name: &'a str,
        #[serde(rename = "type")]
        kind: &'static str,
        hidden: bool,
        comment: &'a str,
    }
    let session = Servers::new(&args.access).session(&args.server).await?;
    let mut shares = session.shares().await.about(&args.server)?;
    shares.sort_by(|a, b| a.name.cmp(&b.name));
    let mut out = Out::new();
    let width = shares.iter().map(|share| share.name.chars().count()).max().unwrap_or(0);
    for share in &shares {
        let (name, comment) = (share.name.as_str(), share.comment.as_str());
        let (kind, hidden) = (kind(share.kind), share.kind.is_special());
        if args.access.json {
            out.json(&Share { name, kind, hidden, comment })?;
        } else {
            let line = format!("{:width$}  {kind:7}  {}", printable(name), printable(comment));
            out.line(format_args!("{}", line.trim_end()))?;
        }
    }
    out.flush()
}

fn kind(kind: ShareKind) -> &'static str {
    match kind.base() {
        ShareKind::DISK_TREE => "disk",
        ShareKind::PRINT_QUEUE => "printer",
        ShareKind::DEVICE => "device",
        ShareKind::IPC => "pipe",
        _ => "other",
    }
}
