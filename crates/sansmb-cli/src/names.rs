//! Names of files that are safe to make here, and names for files that are not complete yet.

use sansmb::crypto::Random;

use crate::failure::{Failure, Result};

/// A server's name for a file as the name of a file here. Never a path: a server that sends `../x`
/// or `a/b` would otherwise write where it likes.
pub(crate) fn local_name(name: &str) -> Result<&str> {
    let reserved = matches!(name, "" | "." | "..") || name.contains(['/', '\\', '\0']);
    if reserved || (cfg!(windows) && reserved_on_windows(name)) {
        return Err(Failure::refused(format_args!("{name:?}"), "not a name that a file can have here"));
    }
    Ok(name)
}

/// Names that mean a device or a stream to Windows, or that it would change silently.
fn reserved_on_windows(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or(name).trim_end();
    let device = ["CON", "PRN", "AUX", "NUL"].iter().any(|device| stem.eq_ignore_ascii_case(device))
        || stem.split_at_checked(3).is_some_and(|(kind, number)| {
            (kind.eq_ignore_ascii_case("COM") || kind.eq_ignore_ascii_case("LPT"))
                && matches!(
                    number,
                    "1" | "2" | "3" | "4" | "5" | "6" | "7" | "8" | "9" | "\u{b9}" | "\u{b2}" | "\u{b3}"
                )
        });
    device || name.contains(|c: char| c < ' ' || r#":*?"<>|"#.contains(c)) || name.ends_with(['.', ' '])
}

/// A name of its own for a file that is being written and will be called `name`.
pub(crate) fn partial_name(name: &str) -> String {
    // Names may be 255 bytes long nearly everywhere.
    let mut end = name.len().min(200);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    let mut suffix = [0; 4];
    sansmb_crypto::OsRandom.fill(&mut suffix);
    format!("{}.partial-{:08x}", &name[..end], u32::from_be_bytes(suffix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn m3_names_of_a_server_are_never_paths() {
        for name in ["", ".", "..", "a/b", "../x", "a\\b", "x\0y", "/etc/passwd"] {
            assert!(local_name(name).is_err(), "{name:?}");
        }
        for name in ["a", "...", "a b", ".hidden", "ünï", "a..b"] {
            assert!(local_name(name).is_ok(), "{name:?}");
        }
    }

    #[test]
    fn m3_names_with_a_meaning_to_windows() {
        for name in ["con", "NUL.txt", "com1", "LPT\u{b2}.x", "a:b", "a.", "a ", "a?b", "a\u{1}"] {
            assert!(reserved_on_windows(name), "{name:?}");
        }
        for name in ["conx", "com10", "a.b", "lpt"] {
            assert!(!reserved_on_windows(name), "{name:?}");
        }
    }

    #[test]
    fn partial_names_stay_short_and_differ() {
        let long = "ä".repeat(127);
        let partial = partial_name(&long);
        assert!(partial.len() <= 255 && partial.starts_with("ää") && partial.contains(".partial-"));
        assert_ne!(partial_name("x"), partial_name("x"));
    }
}
