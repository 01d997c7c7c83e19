//! What the program tells about its work, on standard error.

use tracing_subscriber::{filter::Targets, fmt, layer::SubscriberExt, util::SubscriberInitExt};

/// Starts logging: warnings, more with `-v`, or what SANSMB_LOG (else RUST_LOG) says, as in
/// `debug` or `sansmb_async=trace,info`.
pub(crate) fn start(verbose: u8) {
    let by_flag = || match verbose {
        0 => "warn",
        1 => "info",
        2 => "debug",
        _ => "trace",
    };
    let wanted = ["SANSMB_LOG", "RUST_LOG"].into_iter().find_map(|name| std::env::var(name).ok());
    let wanted = wanted.as_deref().filter(|wanted| !wanted.is_empty()).unwrap_or_else(by_flag);
    let (filter, bad) = match wanted.parse::<Targets>() {
        Ok(filter) => (filter, false),
        Err(_) => (Targets::new().with_default(tracing::Level::WARN), true),
    };
    let ansi = std::io::IsTerminal::is_terminal(&std::io::stderr());
    let layer = fmt::layer().with_writer(std::io::stderr).with_ansi(ansi).without_time().with_target(false);
    tracing_subscriber::registry().with(filter).with(layer).init();
    if bad {
        tracing::warn!("SANSMB_LOG is not of the form `level` or `target=level,...`: {wanted:?}");
    }
}
