//! Names on disk and names on the share.
//!
//! A Unix name is any bytes without `/` and NUL; a name on a share is Unicode without control
//! characters and without `" * : < > ? \ |`, and Windows cannot reach one that ends in a space or a
//! dot. What does not fit is mapped to the private use area the way Services for Macintosh did, which
//! Linux clients (`mapposix`) and Macs undo on their side:
//!
//! | on disk | on the share |
//! |---|---|
//! | control characters 0x01-0x1F | U+F001-U+F01F |
//! | `"` `*` `:` `<` `>` `?` `\` `\|` | U+F020-U+F027 |
//! | a space or a dot at the end | U+F028, U+F029 |
//! | a byte 0x80-0xFF that is not part of valid UTF-8 | U+F080-U+F0FF |
//!
//! Every name on disk can be shown, so none is hidden. A name that holds one of these private
//! characters literally on disk looks the same as one that was mapped; it is found by comparing
//! directory entries, and comes second where both exist.

use std::borrow::Cow;

use sansmb::wire::NtStatus;

/// The forbidden printable characters, in the order of U+F020.
const FORBIDDEN: [char; 8] = ['"', '*', ':', '<', '>', '?', '\\', '|'];
const SPACE_AT_END: char = '\u{f028}';
const DOT_AT_END: char = '\u{f029}';

/// Longest name on disk, in bytes.
const NAME_MAX: usize = 255;

/// The share's form of a name on disk.
pub(super) fn to_share(disk: &[u8]) -> Cow<'_, str> {
    match str::from_utf8(disk) {
        Ok(name) if !needs_mapping(name) => Cow::Borrowed(name),
        _ => Cow::Owned(map(disk)),
    }
}

/// The same for a component of a link's target, where `.` and `..` mean what they mean on Windows.
pub(super) fn to_share_link(disk: &[u8]) -> Cow<'_, str> {
    match disk {
        b"." => Cow::Borrowed("."),
        b".." => Cow::Borrowed(".."),
        _ => to_share(disk),
    }
}

fn needs_mapping(name: &str) -> bool {
    name.ends_with(['.', ' ']) || name.bytes().any(|b| b < 0x20 || b"\"*:<>?\\|".contains(&b))
}

fn map(disk: &[u8]) -> String {
    let mut name = String::with_capacity(disk.len() * 3);
    for chunk in disk.utf8_chunks() {
        name.extend(chunk.valid().chars().map(|c| match c {
            '\u{1}'..='\u{1f}' => private(c as u32),
            c => FORBIDDEN.iter().position(|f| *f == c).map_or(c, |at| private(0x20 + at as u32)),
        }));
        name.extend(chunk.invalid().iter().map(|b| private(u32::from(*b))));
    }
    let at_end = match name.chars().next_back() {
        Some(' ') => SPACE_AT_END,
        Some('.') => DOT_AT_END,
        _ => return name,
    };
    name.pop();
    name.push(at_end);
    name
}

fn private(low: u32) -> char {
    char::from_u32(0xf000 + low).unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// The form on disk of one component of a share's path.
///
/// Fails with OBJECT_NAME_INVALID where it would be no name: too long, or `.` or `..` or holding a
/// separator after the mapping.
pub(super) fn to_disk(name: &str) -> Result<Cow<'_, [u8]>, NtStatus> {
    let disk = if name.chars().any(|c| ('\u{f001}'..='\u{f0ff}').contains(&c)) {
        Cow::Owned(unmap(name))
    } else {
        Cow::Borrowed(name.as_bytes())
    };
    let bad = matches!(&*disk, b"" | b"." | b"..")
        || disk.len() > NAME_MAX
        || disk.iter().any(|b| matches!(b, b'/' | 0));
    if bad { Err(NtStatus::OBJECT_NAME_INVALID) } else { Ok(disk) }
}

fn unmap(name: &str) -> Vec<u8> {
    let mut disk = Vec::with_capacity(name.len());
    let mut rest = name.chars();
    while let Some(c) = rest.next() {
        let low = (c as u32).wrapping_sub(0xf000);
        match low {
            0x01..=0x1f | 0x80..=0xff => disk.push(low as u8),
            0x20..=0x27 => disk.push(FORBIDDEN[low as usize - 0x20] as u8),
            _ if c == SPACE_AT_END && rest.as_str().is_empty() => disk.push(b' '),
            _ if c == DOT_AT_END && rest.as_str().is_empty() => disk.push(b'.'),
            _ => disk.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    disk
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_on_disk_survives() {
        let names: [&[u8]; 9] = [
            b"plain",
            "größe".as_bytes(),
            b"a:b\\c|d?e*f\"g<h>i",
            b"tab\there",
            b"ends.",
            b"ends ",
            b"...",
            b"latin1-\xe9\xff",
            b"\xc3",
        ];
        for disk in names {
            let share = to_share(disk);
            assert!(!needs_mapping(&share), "{share:?}");
            assert_eq!(to_disk(&share).as_deref(), Ok(disk), "{share:?}");
        }
        assert_eq!(to_share(b"a:b."), "a\u{f022}b\u{f029}");
    }

    #[test]
    fn o6_mapped_names_cannot_become_dot_dot() {
        for bad in ["", ".", "..", "\u{f029}", ".\u{f029}", "a/b", "a\0", "\u{f02f}/"] {
            assert_eq!(to_disk(bad).err(), Some(NtStatus::OBJECT_NAME_INVALID), "{bad:?}");
        }
        assert_eq!(to_disk(&"x".repeat(256)).err(), Some(NtStatus::OBJECT_NAME_INVALID));
        // Elsewhere than at the end the two are ordinary characters.
        assert_eq!(to_disk("\u{f029}x").as_deref(), Ok("\u{f029}x".as_bytes()));
    }
}
