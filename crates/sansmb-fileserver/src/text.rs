//! Names without regard to case.
//!
//! NTFS compares names by upper-casing each UTF-16 unit on its own. This does the same with
//! Unicode's one-to-one mappings: characters beyond the basic plane and those whose upper case is
//! more than one character stay as they are, and nothing outside ASCII becomes ASCII (dotless i,
//! long s), as in the table that NTFS writes to its volumes.

/// The upper case of one character, where it is one character too.
pub fn fold_char(c: char) -> char {
    if c.is_ascii() {
        return c.to_ascii_uppercase();
    }
    // MICRO SIGN has a Greek upper case in Unicode and none in NTFS.
    if c == '\u{b5}' || c > '\u{ffff}' {
        return c;
    }
    let mut upper = c.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(one), None) if !one.is_ascii() && one <= '\u{ffff}' => one,
        _ => c,
    }
}

/// The form of `name` under which all its spellings are equal.
pub fn fold(name: &str) -> String {
    let mut folded = String::with_capacity(name.len());
    fold_into(name, &mut folded);
    folded
}

/// Whether two names differ in nothing but case.
pub fn same_name(a: &str, b: &str) -> bool {
    if a.is_ascii() && b.is_ascii() {
        return a.eq_ignore_ascii_case(b);
    }
    a.chars().map(fold_char).eq(b.chars().map(fold_char))
}

/// The same at the end of `folded`.
pub(crate) fn fold_into(name: &str, folded: &mut String) {
    if name.is_ascii() {
        let before = folded.len();
        folded.push_str(name);
        folded[before..].make_ascii_uppercase();
    } else {
        folded.extend(name.chars().map(fold_char));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folds_one_to_one() {
        assert_eq!(fold("straße Éclair ÿ"), "STRAßE ÉCLAIR Ÿ");
        assert!(same_name("ΣΊΣΥΦΟΣ", "σίσυφος"));
        assert!(same_name("ПРИВЕТ.txt", "привет.TXT"));
        assert!(!same_name("ı", "I"));
        assert!(!same_name("ſ", "S"));
        assert!(!same_name("µ", "Μ"));
        assert!(!same_name("a", "ab"));
    }
}
