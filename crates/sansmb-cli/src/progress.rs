//! A bar on standard error while files are copied, where that is a terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output::printable;

/// What has been copied of what there is to copy.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
    bytes: u64,
    files: u64,
}

impl Progress {
    /// Shows nothing when `quiet`, or where standard error is no terminal.
    pub(crate) fn new(quiet: bool) -> Self {
        let bar = if quiet { ProgressBar::hidden() } else { ProgressBar::new(0) };
        bar.set_draw_target(if quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() });
        let template =
            "{wide_msg} {bytes:>11} / {total_bytes:11} {binary_bytes_per_sec:>13} {eta:>4} [{bar:20}]";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.enable_steady_tick(Duration::from_millis(250));
        Self { bar, bytes: 0, files: 0 }
    }

    /// A file of `len` bytes is next.
    pub(crate) fn begin(&mut self, name: &str, len: u64) {
        self.bar.inc_length(len);
        self.bar.set_message(printable(name).into_owned());
    }

    /// So many bytes more are copied.
    pub(crate) fn advance(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
        self.bar.inc(bytes as u64);
    }

    /// A file is complete.
    pub(crate) fn file_done(&mut self) {
        self.files += 1;
    }

    /// Writes a line without disturbing the bar.
    pub(crate) fn complain(&self, line: &str) {
        self.bar.suspend(|| crate::failure::complain(line));
    }

    /// Files that are complete, and bytes that were copied.
    pub(crate) fn totals(&self) -> (u64, u64) {
        (self.files, self.bytes)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
