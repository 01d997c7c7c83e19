//! Names on the wire to paths beneath a share, [MS-FSCC] 2.1.5 and [MS-FSA] 2.1.5.1.

use std::sync::Arc;

use sansmb::wire::{NtStatus, Utf16};

use crate::{quota, storage::SharePath};

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
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stream {
    /// The name says nothing about it.
    Unsaid,
    /// The data, as in `name::$DATA`.
    Data,
    /// The entries of a directory, as in `name::$INDEX_ALLOCATION`.
    Index,
    /// A named stream, as in `name:stream` or `name:stream:$DATA`.
    Named(Arc<str>),
}

impl Name {
    /// Reads the name of CREATE.
    pub(crate) fn parse(name: Utf16<'_>) -> Result<Self, NtStatus> {
        let text = name.to_text().ok_or(NtStatus::OBJECT_NAME_INVALID)?;
        if text.starts_with('\\') {
            return Err(NtStatus::INVALID_PARAMETER);
        }
        if let Some(path) = quota::file::path_of(&text) {
            return Ok(Self { path, trailing_separator: false, stream: Stream::Unsaid });
        }
        let (text, trailing_separator) = match text.strip_suffix('\\') {
            Some(rest) => (rest, true),
            None => (text.as_str(), false),
        };
        if text.is_empty() {
            return Ok(Self { path: SharePath::default(), trailing_separator, stream: Stream::Unsaid });
        }
        let (parents, last) = match text.rsplit_once('\\') {
            Some((parents, last)) => (Some(parents), last),
            None => (None, text),
        };
        let (last, stream) = split_stream(last)?;
        let mut names = Vec::new();
        for name in parents.into_iter().flat_map(|parents| parents.split('\\')) {
            enter(&mut names, name, directory)?;
        }
        // A stream of the root has nothing before it.
        if !last.is_empty() || parents.is_some() || stream == Stream::Unsaid {
            enter(&mut names, last, component)?;
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

/// Goes one component down a path, or up.
fn enter(
    names: &mut Vec<Arc<str>>,
    name: &str,
    check: impl Fn(&str) -> Result<Arc<str>, NtStatus>,
) -> Result<(), NtStatus> {
    // Taken by its name, as Windows does: nothing above the share's root can be meant.
    if name == ".." {
        names.pop().ok_or(NtStatus::OBJECT_PATH_SYNTAX_BAD)?;
    } else {
        names.push(check(name)?);
    }
    Ok(())
}

/// Splits the last component into its name and what it says of a stream.
fn split_stream(text: &str) -> Result<(&str, Stream), NtStatus> {
    let Some((name, suffix)) = text.split_once(':') else { return Ok((text, Stream::Unsaid)) };
    let (stream, kind) = match suffix.split_once(':') {
        Some((_, "")) => return Err(NtStatus::OBJECT_NAME_INVALID),
        Some((stream, kind)) => (stream, Some(kind)),
        None => (suffix, None),
    };
    if stream.contains(['/', '\0']) || stream.encode_utf16().count() > MAX_COMPONENT {
        return Err(NtStatus::OBJECT_NAME_INVALID);
    }
    let stream = match kind {
        Some(kind) if kind.eq_ignore_ascii_case("$INDEX_ALLOCATION") => {
            if !stream.is_empty() && !stream.eq_ignore_ascii_case("$I30") {
                return Err(NtStatus::INVALID_PARAMETER);
            }
            Stream::Index
        }
        Some(kind) if !kind.eq_ignore_ascii_case("$DATA") => return Err(NtStatus::OBJECT_NAME_INVALID),
        Some(_) if stream.is_empty() => Stream::Data,
        None if stream.is_empty() => return Err(NtStatus::OBJECT_NAME_INVALID),
        _ => Stream::Named(stream.into()),
    };
    Ok((name, stream))
}

/// The new name of a stream, as a rename has it, [MS-FSA] 2.1.5.15.12.1: nothing for the data of the
/// file itself.
pub(crate) fn stream_name(name: &str) -> Result<Arc<str>, NtStatus> {
    let name = name.strip_prefix(':').ok_or(NtStatus::INVALID_PARAMETER)?;
    let (stream, kind) = match name.split_once(':') {
        Some((stream, kind)) => (stream, Some(kind)),
        None => (name, None),
    };
    let bad = |part: &str| part.contains(['\\', '/', ':', '\0']);
    if bad(stream)
        || kind.is_some_and(|kind| bad(kind) || kind.is_empty())
        || stream.is_empty() && kind.is_none()
        || stream.encode_utf16().count() > MAX_COMPONENT
    {
        return Err(NtStatus::INVALID_PARAMETER);
    }
    if kind.is_some_and(|kind| !kind.eq_ignore_ascii_case("$DATA")) {
        return Err(NtStatus::OBJECT_TYPE_MISMATCH);
    }
    Ok(stream.into())
}

/// Checks a component that is not the last: it may say that it is a directory.
fn directory(name: &str) -> Result<Arc<str>, NtStatus> {
    let (name, suffix) = name.split_at(name.find(':').unwrap_or(name.len()));
    let known = ["", ":$I30", "::$INDEX_ALLOCATION", ":$I30:$INDEX_ALLOCATION"];
    if !known.iter().any(|known| suffix.eq_ignore_ascii_case(known)) {
        return Err(NtStatus::OBJECT_NAME_INVALID);
    }
    component(name)
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
            (":", NtStatus::OBJECT_NAME_INVALID),
            ("a::", NtStatus::OBJECT_NAME_INVALID),
            ("a:b:", NtStatus::OBJECT_NAME_INVALID),
            ("a:b:c", NtStatus::OBJECT_NAME_INVALID),
            ("a:b:$DATA:", NtStatus::OBJECT_NAME_INVALID),
            ("a:b:$BITMAP", NtStatus::OBJECT_NAME_INVALID),
            ("a:b\\c", NtStatus::OBJECT_NAME_INVALID),
            ("a\\:b", NtStatus::OBJECT_NAME_INVALID),
            ("a:b/c", NtStatus::OBJECT_NAME_INVALID),
            ("a:b\\", NtStatus::OBJECT_NAME_INVALID),
            ("a:b:$INDEX_ALLOCATION", NtStatus::INVALID_PARAMETER),
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
    fn o14_new_names_of_streams_are_checked() {
        for name in [
            "",
            "a",
            ":",
            "::",
            ":a:",
            ":a:$DATA:",
            ":a/b",
            ":a\\b",
            ":a:$DATA\0",
            &format!(":{}", "x".repeat(256)),
        ] {
            assert_eq!(stream_name(name), Err(NtStatus::INVALID_PARAMETER), "{name:?}");
        }
        assert_eq!(stream_name(":a:$BITMAP"), Err(NtStatus::OBJECT_TYPE_MISMATCH));
        assert_eq!(stream_name(":a:$data").as_deref(), Ok("a"));
        assert_eq!(stream_name(":a").as_deref(), Ok("a"));
        assert_eq!(stream_name("::$DATA").as_deref(), Ok(""));
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
        assert_eq!(parse("a:b:$data").unwrap().stream, Stream::Named("b".into()));
        assert_eq!(parse("a:b*\u{1}").unwrap().stream, Stream::Named("b*\u{1}".into()));
        assert_eq!(parse(r"a::$INDEX_ALLOCATION\b:$I30\c").unwrap().path.0.len(), 3);
        for name in [":b", "::$DATA", ":$I30:$INDEX_ALLOCATION"] {
            assert!(parse(name).unwrap().path.0.is_empty(), "{name}");
        }
        assert_eq!(parse(&"x".repeat(255)).unwrap().path.0.len(), 1);
    }
}
