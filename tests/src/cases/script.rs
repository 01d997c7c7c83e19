//! The notation: lines to steps.

use std::{path::Path, time::Duration};

use super::fields::{Names, Test, parse};

/// One case.
#[derive(Debug, Clone)]
pub struct Case {
    /// The name of the test case that it answers. What follows it on its line are words for which
    /// others stand in the lines below: cases in a row share a body, and differ in those.
    pub name: String,
    /// The file that it stands in.
    pub file: String,
    pub(super) names: Names,
    pub(super) server: Vec<String>,
    pub(super) shares: Vec<String>,
    pub(super) steps: Vec<Step>,
}

impl Case {
    /// Whether it looks at more than that something succeeded.
    pub fn looks_closer(&self) -> bool {
        self.steps.iter().any(|step| match &step.action {
            Act::Expect { message, .. } => !message.ends_with(" SUCCESS"),
            _ => false,
        })
    }

    /// The fields that it says are not there.
    pub fn absent(&self) -> Vec<String> {
        let expected = self.steps.iter().filter_map(|step| match &step.action {
            Act::Expect { message, .. } => parse(message.split_once(' ')?.1).ok(),
            _ => None,
        });
        expected.flatten().filter(|field| field.test == Test::Absent).map(|field| field.name).collect()
    }
}

/// One line of a case.
#[derive(Debug, Clone)]
pub(super) struct Step {
    pub(super) line: usize,
    pub(super) text: String,
    pub(super) action: Act,
}

/// What a line says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Act {
    /// `connect PEER FIELDS`: negotiate, log on, connect to a share.
    Connect { peer: String, fields: String },
    /// `drop PEER`: the client's transport ends.
    Drop(String),
    /// `restart`: the server is killed and starts again.
    Restart,
    /// `wait TIME`
    Wait(Duration),
    /// `PEER> COMMAND FIELDS`; `PEER& COMMAND FIELDS` is sent together with the next.
    Send { peer: String, alone: bool, message: String },
    /// `PEER< COMMAND STATUS FIELDS`, `PEER< nothing`, `PEER< closed`
    Expect { peer: String, message: String },
}

/// Reads the cases of a file.
pub fn read(path: &Path) -> Result<Vec<Case>, String> {
    let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let text = std::fs::read_to_string(path).map_err(|error| format!("{file}: {error}"))?;
    cases(&file, &text)
}

/// Reads the cases in `text`.
pub(super) fn cases(file: &str, text: &str) -> Result<Vec<Case>, String> {
    let mut cases: Vec<Case> = Vec::new();
    // Cases in a row have one body.
    let mut heads = 0;
    for (line, text) in joined(text) {
        let error = |what: String| format!("{file}:{line}: {what}");
        if let Some(head) = text.strip_prefix("case ") {
            if cases.last().is_some_and(|case| !case.steps.is_empty()) {
                heads = 0;
            }
            heads += 1;
            let (name, rest) = head.split_once(' ').unwrap_or((head, ""));
            let mut names = Names::default();
            for field in parse(rest).map_err(error)? {
                names.set(&field.name, field.value);
            }
            let (server, shares, steps) = (Vec::new(), Vec::new(), Vec::new());
            cases.push(Case { name: name.into(), file: file.into(), names, server, shares, steps });
            continue;
        }
        let from = cases.len() - heads;
        let last = &mut cases[from..];
        if last.is_empty() {
            return Err(error("this stands before the first case".into()));
        }
        for case in last {
            let text = case.names.fill_known(&text);
            if let Some(rest) = text.strip_prefix("server ") {
                case.server.push(rest.to_owned());
            } else if let Some(rest) = text.strip_prefix("share ") {
                case.shares.push(rest.to_owned());
            } else {
                let action = act(&text).map_err(error)?;
                case.steps.push(Step { line, text, action });
            }
        }
    }
    Ok(cases)
}

/// The lines with their numbers, without comments; what is indented goes on the line before.
fn joined(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            continue;
        }
        match lines.last_mut() {
            Some((_, last)) if line.starts_with(' ') => {
                last.push(' ');
                last.push_str(trimmed);
            }
            _ => lines.push((at + 1, trimmed.to_owned())),
        }
    }
    lines
}

fn act(text: &str) -> Result<Act, String> {
    let (first, rest) = text.split_once(' ').unwrap_or((text, ""));
    let rest = rest.trim();
    match first {
        "connect" => {
            let (peer, fields) = rest.split_once(' ').unwrap_or((rest, ""));
            return Ok(Act::Connect { peer: peer.into(), fields: fields.into() });
        }
        "restart" => return Ok(Act::Restart),
        "drop" => return Ok(Act::Drop(rest.into())),
        "wait" => return duration(rest).map(Act::Wait).ok_or_else(|| format!("{rest} is no time")),
        _ => {}
    }
    let (peer, sign) = first.split_at(first.len().saturating_sub(1));
    let (peer, message) = (peer.to_owned(), rest.to_owned());
    match sign {
        ">" => Ok(Act::Send { peer, alone: true, message }),
        "&" => Ok(Act::Send { peer, alone: false, message }),
        "<" => Ok(Act::Expect { peer, message }),
        _ => Err(format!("{first} means nothing")),
    }
}

fn duration(text: &str) -> Option<Duration> {
    if let Some(millis) = text.strip_suffix("ms") {
        return millis.parse().ok().map(Duration::from_millis);
    }
    text.strip_suffix('s')?.parse().ok().map(Duration::from_secs)
}
