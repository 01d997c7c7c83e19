//! Names on the wire to paths beneath a share, [MS-FSCC] 2.1.5 and [MS-FSA] 2.1.5.1.

use std::sync::Arc;

use sansmb::wire::{NtStatus, Utf16};

use crate::storage::SharePath;

/// Longest component in UTF-16 units.
const MAX_COMPONENT: usize = 255;
/// Most components: more cannot be told apart from an attack.
const MAX_DEPTH: usize = 1024;

/// A name that a client gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Name {
    pub(crate) path: SharePath,
    /// It ended in a backslash: only a directory will do.
    pub(crate) trailing_separator: bool,
    pub(crate) stream: Stream,
}

/// Which part of a file a name means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    /// The name says nothing about it.
    Unsaid,
    /// The data, as in `name::$DATA`.
    Data,
    /// The entries of a directory, as in `name::$INDEX_ALLOCATION`.
    Index,
}

impl Name {
    /// Reads the name of CREATE. There are no named streams yet: they get what a file system
    /// without streams gives.
    pub(crate) fn parse(name: Utf16<'_>) -> Result<Self, NtStatus> {
        let text = name.to_text().ok_or(NtStatus::OBJECT_NAME_INVALID)?;
        if text.starts_with('\\') {
            return Err(NtStatus::INVALID_PARAMETER);
        }
        let (text, trailing_separator) = match text.strip_suffix('\\') {
            Some(rest) => (rest, true),
            None => (text.as_str(), false),
        };
        if text.is_empty() {
            return Ok(Self { path: SharePath::default(), trailing_separator, stream: Stream::Unsaid });
        }
        let (text, stream) = split_stream(text)?;
        let mut names = Vec::new();
        for name in text.split('\\') {
            // Taken by its name, as Windows does: nothing above the share's root can be meant.
            if name == ".." {
                names.pop().ok_or(NtStatus::OBJECT_PATH_SYNTAX_BAD)?;
            } else {
                names.push(component(name)?);
            }
        }
        if names.len() > MAX_DEPTH {
            return Err(NtStatus::OBJECT_NAME_INVALID);
        }
        if trailing_separator && stream != Stream::Unsaid {
            return Err(NtStatus::OBJECT_NAME_INVALID);
        }
        Ok(Self { path: SharePath(names), trailing_separator, stream })
    }
}

fn split_stream(text: &str) -> Result<(&str, Stream), NtStatus> {
    let Some((name, suffix)) = text.split_once(':') else { return Ok((text, Stream::Unsaid)) };
    if suffix.eq_ignore_ascii_case(":$DATA") {
        Ok((name, Stream::Data))
    } else if suffix.eq_ignore_ascii_case(":$INDEX_ALLOCATION")
        || suffix.eq_ignore_ascii_case("$I30:$INDEX_ALLOCATION")
    {
        Ok((name, Stream::Index))
    } else {
        Err(NtStatus::OBJECT_NAME_INVALID)
    }
}

/// Checks one component.
fn component(name: &str) -> Result<Arc<str>, NtStatus> {
    match name {
        "" | "." | ".." => return Err(NtStatus::OBJECT_NAME_INVALID),
        _ => {}
    }
    if name.chars().any(is_forbidden) || name.encode_utf16().count() > MAX_COMPONENT {
        return Err(NtStatus::OBJECT_NAME_INVALID);
    }
    Ok(name.into())
}

/// Characters that no component has, [MS-FSCC] 2.1.5.
pub(crate) fn is_forbidden(c: char) -> bool {
    c < ' ' || matches!(c, '"' | '\\' | '/' | ':' | '|' | '<' | '>' | '*' | '?')
}

#[cfg(test)]
mod tests {
    use sansmb::wire::Utf16Buf;

    use super::*;

    fn parse(name: &str) -> Result<Name, NtStatus> {
        Name::parse(Utf16Buf::new(name).as_utf16())
    }

    #[test]
    fn o5_names_that_are_no_paths_are_refused() {
        for (name, status) in [
            (r"\a", NtStatus::INVALID_PARAMETER),
            (r"\", NtStatus::INVALID_PARAMETER),
            (r"..", NtStatus::OBJECT_PATH_SYNTAX_BAD),
            (r"..\a", NtStatus::OBJECT_PATH_SYNTAX_BAD),
            (r"a\..\..\b", NtStatus::OBJECT_PATH_SYNTAX_BAD),
            (r".", NtStatus::OBJECT_NAME_INVALID),
            (r"a\.", NtStatus::OBJECT_NAME_INVALID),
            (r"a\\b", NtStatus::OBJECT_NAME_INVALID),
            ("a\0b", NtStatus::OBJECT_NAME_INVALID),
            ("a/b", NtStatus::OBJECT_NAME_INVALID),
            ("a\u{1f}", NtStatus::OBJECT_NAME_INVALID),
            ("a*", NtStatus::OBJECT_NAME_INVALID),
            ("a:", NtStatus::OBJECT_NAME_INVALID),
            ("a:b", NtStatus::OBJECT_NAME_INVALID),
            ("a:b:$DATA", NtStatus::OBJECT_NAME_INVALID),
            ("a:b\\c", NtStatus::OBJECT_NAME_INVALID),
            ("a::$DATA\\", NtStatus::OBJECT_NAME_INVALID),
        ] {
            assert_eq!(parse(name), Err(status), "{name:?}");
        }
        assert_eq!(parse(&"x".repeat(256)), Err(NtStatus::OBJECT_NAME_INVALID));
        assert_eq!(parse(&vec!["x"; 1025].join("\\")), Err(NtStatus::OBJECT_NAME_INVALID));
        let lone_surrogate = [0x00, 0xD8];
        let name = Utf16::new(&lone_surrogate, "test", 0).unwrap();
        assert_eq!(Name::parse(name), Err(NtStatus::OBJECT_NAME_INVALID));
    }

    #[test]
    fn names_become_components() {
        let name = parse(r"a\b c\d.").unwrap();
        assert_eq!(name.path, SharePath(vec!["a".into(), "b c".into(), "d.".into()]));
        assert!(!name.trailing_separator);
        assert_eq!(parse(r"a\..\b\c\..\d").unwrap().path, SharePath(vec!["b".into(), "d".into()]));
        assert!(parse(r"a\..").unwrap().path.0.is_empty());
        assert!(parse(r"a\").unwrap().trailing_separator);
        assert!(parse("").unwrap().path.0.is_empty());
        assert_eq!(parse("a::$data").unwrap().stream, Stream::Data);
        assert_eq!(parse(&"x".repeat(255)).unwrap().path.0.len(), 1);
    }
}
