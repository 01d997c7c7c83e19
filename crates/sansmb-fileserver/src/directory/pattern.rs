//! Patterns with wildcards, [MS-FSA] 2.1.4.4.

use std::sync::Arc;

use sansmb::wire::{NtStatus, Utf16};

use crate::text::fold_char;

/// Longest pattern in UTF-16 units, once stars beside each other are one star.
const MAX_LEN: usize = 255;

/// What a QUERY_DIRECTORY looks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern {
    parts: Vec<Part>,
    /// The pattern itself, if it has no wildcards.
    exact: Option<Arc<str>>,
    all: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Unit(u16),
    /// `*`: any units.
    Star,
    /// `?`: one unit.
    One,
    /// `<`: any units, but not the last dot.
    DosStar,
    /// `>`: one unit; nothing before a dot and at the end.
    DosOne,
    /// `"`: a dot; nothing at the end.
    DosDot,
}

impl Pattern {
    /// Reads a pattern. An empty one means everything.
    pub(crate) fn parse(pattern: Utf16<'_>) -> Result<Self, NtStatus> {
        let text = pattern.to_text().ok_or(NtStatus::OBJECT_NAME_INVALID)?;
        if text.chars().any(|c| c < ' ' || matches!(c, '\\' | '/' | ':' | '|')) {
            return Err(NtStatus::OBJECT_NAME_INVALID);
        }
        let mut parts = Vec::new();
        let mut wild = false;
        for c in text.chars() {
            let part = match c {
                '*' => Part::Star,
                '?' => Part::One,
                '<' => Part::DosStar,
                '>' => Part::DosOne,
                '"' => Part::DosDot,
                c => {
                    parts.extend(units(c).map(Part::Unit));
                    continue;
                }
            };
            wild = true;
            if part != Part::Star || parts.last() != Some(&Part::Star) {
                parts.push(part);
            }
        }
        if parts.len() > MAX_LEN {
            return Err(NtStatus::OBJECT_NAME_INVALID);
        }
        let all = matches!(parts.as_slice(), [] | [Part::Star])
            || parts.as_slice() == [Part::Star, Part::Unit(u16::from(b'.')), Part::Star];
        let exact = (!wild && !text.is_empty()).then(|| Arc::from(text));
        Ok(Self { parts, exact, all })
    }

    /// The one name that it can match, where it has no wildcards.
    pub(crate) fn exact(&self) -> Option<&Arc<str>> {
        self.exact.as_ref()
    }

    /// Whether it matches `name`. The time is bounded by the product of the two lengths, whatever
    /// the pattern.
    pub(crate) fn matches(&self, name: &str) -> bool {
        if self.all {
            return true;
        }
        let name: Vec<u16> = name.chars().flat_map(units).collect();
        let dot = u16::from(b'.');
        let last_dot = name.iter().rposition(|unit| *unit == dot);
        // Which parts come next, after each unit.
        let mut states = vec![false; self.parts.len() + 1];
        let mut after = states.clone();
        if let Some(first) = states.first_mut() {
            *first = true;
        }
        for (at, unit) in name.iter().copied().enumerate() {
            after.fill(false);
            for (state, part) in self.parts.iter().enumerate() {
                if states.get(state) != Some(&true) {
                    continue;
                }
                let (stays, passes, advances) = match part {
                    Part::Unit(wanted) => (false, false, *wanted == unit),
                    Part::Star => (true, true, false),
                    Part::One => (false, false, true),
                    Part::DosStar => (last_dot != Some(at), true, false),
                    Part::DosOne => (false, unit == dot, unit != dot),
                    Part::DosDot => (false, false, unit == dot),
                };
                set(&mut after, state, stays);
                set(&mut states, state + 1, passes);
                set(&mut after, state + 1, advances);
            }
            std::mem::swap(&mut states, &mut after);
        }
        for (state, part) in self.parts.iter().enumerate() {
            let passes = !matches!(part, Part::Unit(_) | Part::One);
            if states.get(state) == Some(&true) {
                set(&mut states, state + 1, passes);
            }
        }
        states.last() == Some(&true)
    }
}

fn set(states: &mut [bool], at: usize, value: bool) {
    if let Some(state) = states.get_mut(at) {
        *state |= value;
    }
}

/// A character in upper case, as it counts in patterns.
fn units(c: char) -> impl Iterator<Item = u16> {
    let mut buffer = [0; 2];
    let len = fold_char(c).encode_utf16(&mut buffer).len();
    buffer.into_iter().take(len)
}

#[cfg(test)]
mod tests {
    use sansmb::wire::Utf16Buf;

    use super::*;

    fn parse(pattern: &str) -> Result<Pattern, NtStatus> {
        Pattern::parse(Utf16Buf::new(pattern).as_utf16())
    }

    #[test]
    fn wildcards_match_as_in_the_specification() {
        for (pattern, name, expected) in [
            ("", "anything", true),
            ("*", "a", true),
            ("*.*", "nodot", true),
            ("*.txt", "a.TXT", true),
            ("*.txt", "a.txt.b", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("a??", "ab", false),
            ("a>>", "ab", true),
            ("a>>.txt", "ab.txt", true),
            ("a>>.txt", "abcd.txt", false),
            ("<.txt", "a.b.txt", true),
            ("<.b", "a.b.txt", false),
            ("<\"*", "a", true),
            ("<\"*", "a.b", true),
            ("a\"", "a", true),
            ("a\"", "a.", true),
            ("a\"b", "a.b", true),
            ("a\"b", "ab", false),
            ("<", "a.b", false),
            ("<", "ab", true),
            ("straße", "STRAßE", true),
            ("é*", "École", true),
            ("?", "\u{10400}", false),
            ("??", "\u{10400}", true),
        ] {
            assert_eq!(parse(pattern).unwrap().matches(name), expected, "{pattern:?} {name:?}");
        }
    }

    #[test]
    fn o12_patterns_that_are_no_names_are_refused() {
        for pattern in ["a\\b", "a/b", "a:b", "a|b", "a\0", &"?".repeat(256), &"*?".repeat(200)] {
            assert_eq!(parse(pattern), Err(NtStatus::OBJECT_NAME_INVALID), "{pattern:?}");
        }
        assert!(parse(&"*".repeat(4096)).unwrap().matches("x"));
    }

    #[test]
    fn o12_a_pattern_of_stars_takes_no_longer_than_its_length() {
        let pattern = parse(&"*a".repeat(127)).unwrap();
        for _ in 0..100 {
            assert!(!pattern.matches(&"a".repeat(126)));
            assert!(pattern.matches(&"a".repeat(255)));
        }
    }

    #[test]
    fn only_patterns_without_wildcards_are_names() {
        assert_eq!(parse("Name").unwrap().exact().map(|name| &**name), Some("Name"));
        assert!(parse("Name?").unwrap().exact().is_none());
        assert!(parse("").unwrap().exact().is_none());
    }
}
