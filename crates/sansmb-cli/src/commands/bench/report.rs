//! The table of results.

use super::measure::Figure;
use crate::{failure::Result, output::Out};

/// Lines as they come.
#[derive(Debug)]
pub(super) struct Report {
    out: Out,
    json: bool,
    titled: bool,
}

impl Report {
    pub(super) fn new(json: bool) -> Self {
        Self { out: Out::new(), json, titled: false }
    }

    pub(super) fn add(&mut self, figure: Figure) -> Result<()> {
        if self.json {
            self.out.json(&figure)?;
        } else {
            if !std::mem::replace(&mut self.titled, true) {
                self.out.line(format_args!(
                    "{:<22}{:>9}{:>16}{:>10}{:>10}",
                    "", "seconds", "rate", "p50", "p99"
                ))?;
            }
            let [p50, p99] = figure.milliseconds.map_or([String::new(), String::new()], |both| {
                both.map(|milliseconds| format!("{milliseconds:.2} ms"))
            });
            let (what, seconds, rate) = (figure.what, figure.seconds, rate(&figure));
            self.out.line(format_args!("{what:<22}{seconds:>9.3}{rate:>16}{p50:>10}{p99:>10}"))?;
        }
        // Each takes a while.
        self.out.flush()
    }

    pub(super) fn finish(mut self) -> Result<()> {
        self.out.flush()
    }
}

fn rate(figure: &Figure) -> String {
    match figure.unit {
        "bytes" => format!("{:.1} MB/s", figure.per_second / 1e6),
        unit => format!("{:.0} {unit}/s", figure.per_second),
    }
}
