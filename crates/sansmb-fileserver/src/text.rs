//! Names without regard to case.

use std::sync::Arc;

use crate::storage::SharePath;

/// One character in upper case, where that is one character: as file systems fold names.
pub(crate) fn fold_char(c: char) -> char {
    let mut upper = c.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(upper), None) => upper,
        _ => c,
    }
}

/// A name in upper case.
pub(crate) fn fold(name: &str) -> String {
    name.chars().map(fold_char).collect()
}

/// Whether two names are the same without regard to case.
pub(crate) fn same_name(a: &str, b: &str) -> bool {
    a.chars().map(fold_char).eq(b.chars().map(fold_char))
}

/// A path in upper case.
pub(crate) fn fold_path(path: &SharePath) -> SharePath {
    SharePath(path.0.iter().map(|name| Arc::from(fold(name))).collect())
}
