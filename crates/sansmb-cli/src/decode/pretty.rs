//! Makes the `Debug` text of the wire types readable: one field a line, bytes in hexadecimal, times as
//! times.

use std::fmt::Write;

use sansmb::wire::FileTime;

use crate::output::utc;

/// A group that is shorter than this stays on one line.
const ONE_LINE: usize = 76;
/// Bytes of a field that are shown.
const MAX_BYTES: usize = 64;

/// Writes `debug`, which is text of `{:?}`, with an indentation.
pub(super) fn pretty(debug: &str, indent: usize) -> String {
    let mut rest = debug;
    let items = parse(&mut rest, 0);
    let mut out = String::new();
    items.iter().for_each(|item| item.write(indent, &mut out));
    out
}

/// A piece of `Debug` text: `Name { a: 1, b: [2] }` is text, a group and so on.
#[derive(Debug)]
struct Item {
    /// What stands before the bracket, or all of it where there is none.
    text: String,
    group: Option<(char, Vec<Self>)>,
}

/// Takes items up to a closing bracket.
fn parse(rest: &mut &str, depth: usize) -> Vec<Item> {
    let mut items = Vec::new();
    let mut text = String::new();
    while let Some(c) = rest.chars().next() {
        *rest = &rest[c.len_utf8()..];
        match c {
            '"' => {
                text.push('"');
                take_string(rest, &mut text);
            }
            '{' | '[' | '(' if depth < 32 => {
                let children = parse(rest, depth + 1);
                items.push(Item { text: std::mem::take(&mut text), group: Some((c, children)) });
            }
            '}' | ']' | ')' if depth > 0 => break,
            ',' if depth > 0 => push_text(&mut text, &mut items),
            _ => text.push(c),
        }
    }
    push_text(&mut text, &mut items);
    items
}

fn take_string(rest: &mut &str, text: &mut String) {
    let mut escaped = false;
    while let Some(c) = rest.chars().next() {
        *rest = &rest[c.len_utf8()..];
        text.push(c);
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return,
            _ => {}
        }
    }
}

fn push_text(text: &mut String, items: &mut Vec<Item>) {
    let piece = std::mem::take(text);
    if !piece.trim().is_empty() {
        items.push(Item { text: piece.trim().to_owned(), group: None });
    }
}

impl Item {
    fn write(&self, indent: usize, out: &mut String) {
        let line = self.line();
        let broken = self.group.as_ref().filter(|_| line.len() + indent > ONE_LINE && self.bytes().is_none());
        let _ = match broken {
            None => writeln!(out, "{:indent$}{line}", ""),
            Some((_, children)) => {
                let _ = writeln!(out, "{:indent$}{}", "", self.text.trim());
                children.iter().for_each(|child| child.write(indent + 2, out));
                Ok(())
            }
        };
    }

    /// All of it on one line.
    fn line(&self) -> String {
        let text = self.text.trim();
        let Some((open, children)) = &self.group else { return text.to_owned() };
        if let Some(bytes) = self.bytes() {
            return format!("{text} {}", hex(&bytes)).trim_start().to_owned();
        }
        if let Some(time) = self.time() {
            return format!("{} {time}", text.trim_end_matches("FileTime").trim_end())
                .trim_start()
                .to_owned();
        }
        let inner = children.iter().map(Self::line).collect::<Vec<_>>().join(", ");
        match open {
            '{' if text.is_empty() || text.ends_with(':') => {
                format!("{text} {{{inner}}}").trim_start().to_owned()
            }
            '{' => format!("{text} {{ {inner} }}"),
            '[' => format!("{text} [{inner}]").trim_start().to_owned(),
            _ => format!("{text}({inner})"),
        }
    }

    /// A list of numbers below 256, as `Debug` shows bytes.
    fn bytes(&self) -> Option<Vec<u8>> {
        let (open, children) = self.group.as_ref()?;
        if *open != '[' || children.len() < 2 {
            return None;
        }
        children
            .iter()
            .map(|child| child.group.is_none().then(|| child.text.parse().ok()).flatten())
            .collect()
    }

    fn time(&self) -> Option<String> {
        let (open, children) = self.group.as_ref()?;
        if *open != '(' || !self.text.ends_with("FileTime") {
            return None;
        }
        let [Self { text, group: None }] = children.as_slice() else { return None };
        let ticks: u64 = text.parse().ok()?;
        Some(
            utc(FileTime(ticks))
                .unwrap_or_else(|| if ticks == 0 { "-".to_owned() } else { format!("{ticks:#x}") }),
        )
    }
}

/// Bytes in hexadecimal; of many, the first.
pub(super) fn hex(bytes: &[u8]) -> String {
    let shown = bytes.get(..MAX_BYTES).unwrap_or(bytes);
    let mut text: String = shown.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    });
    if shown.len() < bytes.len() {
        let _ = write!(text, ".. ({} bytes)", bytes.len());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    #[expect(dead_code, reason = "read by Debug")]
    struct Sample<'a> {
        name: &'a str,
        time: FileTime,
        data: &'a [u8],
        list: Vec<Option<u32>>,
    }

    #[test]
    fn fields_lines_bytes_and_times() {
        let sample = Sample {
            name: "a, \"b\" [c]",
            time: FileTime::from_unix(0, 0),
            data: &[1, 0xAB],
            list: vec![Some(1_000_000), None, Some(1_000_000_000), Some(2_000_000_000)],
        };
        let text = pretty(&format!("{sample:?}"), 2);
        let expected = r#"  Sample
    name: "a, \"b\" [c]"
    time: 1970-01-01T00:00:00Z
    data: 01ab
    list: [Some(1000000), None, Some(1000000000), Some(2000000000)]
"#;
        assert_eq!(text, expected);
    }

    #[test]
    fn garbage_is_no_problem() {
        for text in ["", "]", "{", "a{b[c(", "\"", &"[".repeat(1000)] {
            let _ = pretty(text, 0);
        }
    }
}
