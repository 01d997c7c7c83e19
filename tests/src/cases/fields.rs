//! Fields of a line: `name=value`, `name`, `NAME(field field)`.

use std::collections::BTreeMap;

use super::values::{self, Value};

/// How a field of an answer is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Test {
    /// `name`: it is there; in requests, it is set.
    There,
    /// `no name`: neither it nor anything in it is there.
    Absent,
    /// `name=value`
    Is,
    /// `name!=value`
    IsNot,
    /// `name>=value`
    AtLeast,
    /// `name~value`: all these bits are set.
    Has,
    /// `name!~value`: not all of these bits are set.
    Lacks,
}

/// One field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) test: Test,
    pub(super) value: String,
}

/// Reads the fields in `text`; what stands in parentheses gets their name and a dot in front.
pub(super) fn parse(text: &str) -> Result<Vec<Field>, String> {
    let mut fields = Vec::new();
    let mut prefixes: Vec<String> = Vec::new();
    let mut rest = text.trim_start();
    let mut absent = false;
    while let Some(first) = rest.chars().next() {
        if first == ')' {
            prefixes.pop().ok_or("a parenthesis too many")?;
            rest = rest[1..].trim_start();
            continue;
        }
        let end = rest.find(|c: char| c.is_whitespace() || "()=!~>".contains(c)).unwrap_or(rest.len());
        let (word, behind) = rest.split_at(end);
        if word.is_empty() {
            return Err(format!("no name before {rest}"));
        }
        let full = prefixes.iter().map(String::as_str).chain([word]).collect::<Vec<_>>().join(".");
        let operators = [
            ("!=", Test::IsNot),
            (">=", Test::AtLeast),
            ("!~", Test::Lacks),
            ("~", Test::Has),
            ("=", Test::Is),
        ];
        let operator = operators.iter().find(|(sign, _)| behind.starts_with(sign));
        rest = match operator {
            Some((sign, test)) => {
                let (value, behind) = value(&behind[sign.len()..])?;
                fields.push(Field { name: full, test: *test, value });
                behind
            }
            None if word == "no" => {
                absent = true;
                rest = behind.trim_start();
                continue;
            }
            None => {
                let test = if std::mem::take(&mut absent) { Test::Absent } else { Test::There };
                fields.push(Field { name: full, test, value: String::new() });
                match behind.strip_prefix('(') {
                    Some(inner) => {
                        prefixes.push(word.to_owned());
                        inner
                    }
                    None => behind,
                }
            }
        }
        .trim_start();
    }
    if prefixes.is_empty() && !absent { Ok(fields) } else { Err("the line is not finished".into()) }
}

/// A value, in quotes or up to the next blank or parenthesis, and what follows.
fn value(text: &str) -> Result<(String, &str), String> {
    if let Some(quoted) = text.strip_prefix('"') {
        let (value, behind) = quoted.split_once('"').ok_or("a quote is missing")?;
        return Ok((value.to_owned(), behind));
    }
    let end = text.find(|c: char| c.is_whitespace() || c == ')').unwrap_or(text.len());
    Ok((text[..end].to_owned(), &text[end..]))
}

/// Names that a case gave to values.
#[derive(Debug, Default, Clone)]
pub(super) struct Names(BTreeMap<String, String>);

impl Names {
    pub(super) fn set(&mut self, name: &str, value: String) {
        self.0.insert(name.to_owned(), value);
    }

    /// The value of a name; `.p` and `.v` name the halves of a FileId.
    pub(super) fn get(&self, name: &str) -> Option<String> {
        if let Some(value) = self.0.get(name) {
            return Some(value.clone());
        }
        let (base, half) = name.rsplit_once('.')?;
        let (persistent, volatile) = self.0.get(base)?.split_once(':')?;
        match half {
            "p" => Some(persistent.to_owned()),
            "v" => Some(volatile.to_owned()),
            _ => None,
        }
    }

    /// Puts values in place of `$name`.
    pub(super) fn fill(&self, text: &str) -> Result<String, String> {
        self.replace(text, |name| Err(format!("${name} has no value yet")))
    }

    /// The same, and leaves names alone that have no value.
    pub(super) fn fill_known(&self, text: &str) -> String {
        self.replace(text, |name| Ok(format!("${name}"))).unwrap_or_default()
    }

    fn replace(
        &self,
        text: &str,
        unknown: impl Fn(&str) -> Result<String, String>,
    ) -> Result<String, String> {
        let mut filled = String::new();
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            let (before, name) = rest.split_at(at);
            let name = &name[1..];
            let end = name.find(|c: char| !c.is_alphanumeric() && c != '.' && c != '_').unwrap_or(name.len());
            filled += before;
            filled += &match &name[..end] {
                "" => "$".to_owned(),
                name => self.get(name).map_or_else(|| unknown(name), Ok)?,
            };
            rest = &name[end..];
        }
        Ok(filled + rest)
    }
}

/// The fields of a request, each to be taken once.
#[derive(Debug)]
pub(super) struct Given(Vec<(String, String)>);

impl Given {
    pub(super) fn new(fields: &[Field], names: &Names) -> Result<Self, String> {
        let mut given = Vec::new();
        for field in fields {
            match field.test {
                Test::Is | Test::There => given.push((field.name.clone(), names.fill(&field.value)?)),
                _ => return Err(format!("a request cannot have {}", field.name)),
            }
        }
        Ok(Self(given))
    }

    /// Takes the text of a field.
    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        let at = self.0.iter().position(|(n, _)| n == name)?;
        Some(self.0.remove(at).1)
    }

    /// Looks at the text of a field.
    pub(super) fn peek(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// Sets a field that the case did not give.
    pub(super) fn usual(&mut self, name: &str, value: &str) {
        if self.peek(name).is_none() {
            self.0.push((name.to_owned(), value.to_owned()));
        }
    }

    /// Whether the field is set; it is taken.
    pub(super) fn flag(&mut self, name: &str) -> bool {
        self.text(name).is_some()
    }

    /// Takes a value.
    pub(super) fn take<V: Value>(&mut self, name: &str) -> Result<Option<V>, String> {
        let Some(text) = self.text(name) else { return Ok(None) };
        V::parse(&text).map(Some).ok_or_else(|| format!("{name}={text} means nothing"))
    }

    /// Takes a value that has a usual one.
    pub(super) fn or<V: Value>(&mut self, name: &str, usual: V) -> Result<V, String> {
        Ok(self.take(name)?.unwrap_or(usual))
    }

    /// Takes a value that must be there.
    pub(super) fn need<V: Value>(&mut self, name: &str) -> Result<V, String> {
        self.take(name)?.ok_or_else(|| format!("{name} is missing"))
    }

    /// Takes a list.
    pub(super) fn list<V: Value>(&mut self, name: &str) -> Result<Option<Vec<V>>, String> {
        let Some(text) = self.text(name) else { return Ok(None) };
        values::list(&text).map(Some).ok_or_else(|| format!("{name}={text} means nothing"))
    }

    /// Takes all fields of one name.
    pub(super) fn all<V: Value>(&mut self, name: &str) -> Result<Vec<V>, String> {
        let mut found = Vec::new();
        while let Some(value) = self.take(name)? {
            found.push(value);
        }
        Ok(found)
    }

    /// The names that have not been taken, in order, without what stands in parentheses.
    pub(super) fn names(&self) -> Vec<String> {
        self.0.iter().map(|(name, _)| name.clone()).filter(|name| !name.contains('.')).collect()
    }

    /// Checks that everything was understood.
    pub(super) fn finish(&self) -> Result<(), String> {
        match self.0.first() {
            None => Ok(()),
            Some((name, _)) => Err(format!("the request has no field {name}")),
        }
    }
}
