//! An answer against what a case expects of it.

use std::fmt;

use sansmb::wire::Header;

use super::{
    answer::Seen,
    fields::{Field, Names, Test},
    values::{at_least, contains, same},
};

/// A message that arrived and was not expected yet.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) header: Header,
    pub(super) verb: String,
    pub(super) label: Option<String>,
    pub(super) seen: Seen,
}

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.verb)?;
        if let Some(label) = &self.label {
            write!(f, " @{label}")?;
        }
        write!(f, " {}", self.header.status)?;
        for (name, value) in &self.seen {
            match value.is_empty() {
                true => write!(f, " {name}")?,
                false => write!(f, " {name}={value}")?,
            }
        }
        Ok(())
    }
}

impl Waiting {
    /// Compares one field; a name that has no value yet gets the field's.
    pub(super) fn compare(&self, field: &Field, names: &mut Names) -> Result<(), String> {
        let name = &field.name;
        let dotted = format!("{name}.");
        let there = self.seen.iter().any(|(n, _)| n == name || n.starts_with(&dotted));
        let got = || {
            let inside = self.seen.iter().filter(|(n, _)| n == name || n.starts_with(&dotted));
            let shown: Vec<String> = inside.map(|(n, v)| format!("{n}={v}")).collect();
            if shown.is_empty() { format!("no {name}") } else { shown.join(" ") }
        };
        let differs =
            |expected: String| Err(format!("expected {expected}\ngot      {}\nin       {self}", got()));
        match field.test {
            Test::There if there => return Ok(()),
            Test::There => return differs(name.clone()),
            Test::Absent if there => return differs(format!("no {name}")),
            Test::Absent => return Ok(()),
            _ => {}
        }
        let half = name.rsplit_once('.').filter(|(_, half)| matches!(*half, "p" | "v"));
        let seen = |name: &str| self.seen.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone());
        let value = seen(name).or_else(|| {
            let (base, half) = half?;
            let value = seen(base)?;
            let (persistent, volatile) = value.split_once(':')?;
            Some(if half == "p" { persistent.into() } else { volatile.into() })
        });
        let Some(value) = value else { return differs(format!("{name} to be {}", field.value)) };
        if let Some(new) = field.value.strip_prefix('$').filter(|new| names.get(new).is_none()) {
            if field.test != Test::Is {
                return Err(format!("${new} has no value yet"));
            }
            names.set(new, value);
            return Ok(());
        }
        let wanted = names.fill(&field.value)?;
        let (holds, sign) = match field.test {
            Test::IsNot => (!same(&value, &wanted), "!="),
            Test::AtLeast => (at_least(&value, &wanted), ">="),
            Test::Has => (contains(&value, &wanted), "~"),
            Test::Lacks => (!contains(&value, &wanted), "!~"),
            _ => (same(&value, &wanted), "="),
        };
        if holds { Ok(()) } else { differs(format!("{name}{sign}{wanted}")) }
    }
}
