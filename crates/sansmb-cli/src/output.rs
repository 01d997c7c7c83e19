//! Standard output: text for people, JSON for programs.

use std::{
    borrow::Cow,
    fmt::{self, Arguments},
    io::{self, BufWriter, Stdout, Write},
};

use jiff::{Timestamp, tz::TimeZone};
use sansmb::wire::{FileAttributes, FileTime};
use serde::Serialize;

use crate::failure::{Failure, Result};

/// Standard output. A reader that went away, as `head` does, ends the command without complaint.
#[derive(Debug)]
pub(crate) struct Out {
    stdout: BufWriter<Stdout>,
}

impl Out {
    pub(crate) fn new() -> Self {
        Self { stdout: BufWriter::with_capacity(64 << 10, io::stdout()) }
    }

    /// Writes one line.
    pub(crate) fn line(&mut self, line: Arguments<'_>) -> Result<()> {
        written(self.stdout.write_fmt(line))?;
        written(self.stdout.write_all(b"\n"))
    }

    /// Writes one JSON object as one line.
    pub(crate) fn json(&mut self, value: &impl Serialize) -> Result<()> {
        written(serde_json::to_writer(&mut self.stdout, value).map_err(io::Error::from))?;
        written(self.stdout.write_all(b"\n"))
    }

    /// Writes bytes as they are.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Result<()> {
        written(self.stdout.write_all(bytes))
    }

    /// Must be called at the end: what is lost otherwise is lost silently.
    pub(crate) fn flush(&mut self) -> Result<()> {
        written(self.stdout.flush())
    }
}

fn written(result: io::Result<()>) -> Result<()> {
    result.map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::OutputClosed,
        _ => Failure::refused("standard output", crate::failure::io_words(&error)),
    })
}

/// Text of a server without the control characters that could play tricks with a terminal.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    let hidden = |c: char| c.is_control() || matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    if text.contains(hidden) {
        Cow::Owned(text.chars().map(|c| if hidden(c) { char::REPLACEMENT_CHARACTER } else { c }).collect())
    } else {
        Cow::Borrowed(text)
    }
}

/// Attributes in five letters, as in `d--h-` or `-r--a`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Letters(pub(crate) FileAttributes);

impl fmt::Display for Letters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let has = |attribute| self.0.contains(attribute);
        let kind = match () {
            () if has(FileAttributes::REPARSE_POINT) => 'l',
            () if has(FileAttributes::DIRECTORY) => 'd',
            () => '-',
        };
        let letter = |attribute, letter| if has(attribute) { letter } else { '-' };
        let letters = [
            kind,
            letter(FileAttributes::READONLY, 'r'),
            letter(FileAttributes::HIDDEN, 'h'),
            letter(FileAttributes::SYSTEM, 's'),
            letter(FileAttributes::ARCHIVE, 'a'),
        ];
        f.write_str(&letters.iter().collect::<String>())
    }
}

/// The names of attributes.
pub(crate) fn attribute_names(attributes: FileAttributes) -> Vec<String> {
    let mut names: Vec<_> = attributes.iter_names().map(|(name, _)| name.to_lowercase()).collect();
    let named = FileAttributes::all().iter_names().fold(FileAttributes::empty(), |all, (_, one)| all | one);
    let rest = attributes.difference(named);
    if !rest.is_empty() {
        names.push(format!("{:#x}", rest.bits()));
    }
    names
}

fn timestamp(time: FileTime) -> Option<Timestamp> {
    if time == FileTime(0) || time == FileTime(u64::MAX) {
        return None;
    }
    let (seconds, nanos) = time.to_unix();
    Timestamp::new(seconds, nanos as i32).ok()
}

/// A time in UTC, as in `2024-05-01T10:20:30.4Z`; `None` where there is none.
pub(crate) fn utc(time: FileTime) -> Option<String> {
    timestamp(time).map(|time| time.to_string())
}

/// A time of here to the minute, or `-`.
pub(crate) fn local_minute(time: FileTime) -> String {
    local(time, "%Y-%m-%d %H:%M")
}

/// A time of here to the nanosecond with its distance to UTC, or `-`.
pub(crate) fn local_full(time: FileTime) -> String {
    local(time, "%Y-%m-%d %H:%M:%S.%f %:z")
}

fn local(time: FileTime, format: &str) -> String {
    match timestamp(time) {
        Some(time) => time.to_zoned(TimeZone::system()).strftime(format).to_string(),
        None => "-".to_owned(),
    }
}

/// A number of bytes in three digits or so, as in `1.5G`; powers of 1024.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 7] = ["", "K", "M", "G", "T", "P", "E"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    match unit {
        0 => bytes.to_string(),
        _ if value < 10.0 => format!("{value:.1}{}", UNITS[unit]),
        _ => format!("{value:.0}{}", UNITS[unit]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_short() {
        for (bytes, text) in
            [(0, "0"), (1023, "1023"), (1024, "1.0K"), (1536, "1.5K"), (10 << 20, "10M"), (u64::MAX, "16E")]
        {
            assert_eq!(size(bytes), text);
        }
    }

    #[test]
    fn names_play_no_tricks_with_the_terminal() {
        assert_eq!(printable("a\u{1b}[2Jb\u{202e}c"), "a\u{fffd}[2Jb\u{fffd}c");
        assert_eq!(printable("naïve"), "naïve");
    }

    #[test]
    fn letters_of_attributes() {
        assert_eq!(Letters(FileAttributes::DIRECTORY | FileAttributes::HIDDEN).to_string(), "d-h--");
        assert_eq!(Letters(FileAttributes::READONLY | FileAttributes::ARCHIVE).to_string(), "-r--a");
        assert_eq!(attribute_names(FileAttributes::DIRECTORY), ["directory"]);
    }

    #[test]
    fn times_that_are_none() {
        assert_eq!(utc(FileTime(0)), None);
        assert_eq!(utc(FileTime(u64::MAX)), None);
        assert_eq!(local_minute(FileTime(0)), "-");
        assert_eq!(utc(FileTime::from_unix(0, 0)).as_deref(), Some("1970-01-01T00:00:00Z"));
    }
}
