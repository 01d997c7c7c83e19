//! Names of files without regard to case.

use std::sync::Arc;

use crate::{
    shares::Volume,
    storage::SharePath,
    text::{fold, fold_into},
};

/// Between two components: no name has it, and it sorts before all that names have.
const SEPARATOR: char = '\0';

/// A path of a volume without regard to case. Everything beneath a directory sorts right after it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PathKey {
    pub(crate) volume: Volume,
    /// The components in upper case; nothing for the root.
    folded: Arc<str>,
}

impl PathKey {
    pub(crate) fn new(volume: Volume, path: &SharePath) -> Self {
        let len = path.0.iter().map(|name| name.len() + 1).sum();
        let mut folded = String::with_capacity(len);
        for (number, name) in path.0.iter().enumerate() {
            if number > 0 {
                folded.push(SEPARATOR);
            }
            fold_into(name, &mut folded);
        }
        Self { volume, folded: folded.into() }
    }

    /// One of its named streams: beneath the file, and so right behind it.
    pub(crate) fn of_stream(&self, name: &str) -> Self {
        let name = fold(name);
        let folded = match &*self.folded {
            "" => format!(":{name}"),
            file => format!("{file}{SEPARATOR}:{name}"),
        };
        Self { volume: self.volume, folded: folded.into() }
    }

    /// The directory that it is in, or the file that has the stream; none for the root.
    pub(crate) fn parent(&self) -> Option<Self> {
        let parent = match self.folded.rsplit_once(SEPARATOR) {
            Some((parent, _)) => parent,
            None if self.folded.is_empty() => return None,
            None => "",
        };
        Some(Self { volume: self.volume, folded: parent.into() })
    }

    /// The directory that lists it; none for the root, and none for streams, which no directory lists.
    pub(crate) fn directory(&self) -> Option<Self> {
        let last = self.folded.rsplit(SEPARATOR).next()?;
        if last.starts_with(':') { None } else { self.parent() }
    }

    /// Of how many components it is.
    pub(crate) fn depth(&self) -> usize {
        if self.folded.is_empty() { 0 } else { self.folded.split(SEPARATOR).count() }
    }

    /// Whether `other` lies beneath it.
    pub(crate) fn contains(&self, other: &Self) -> bool {
        self.volume == other.volume
            && other.folded.strip_prefix(&*self.folded).is_some_and(|rest| match &*self.folded {
                "" => !rest.is_empty(),
                _ => rest.starts_with(SEPARATOR),
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(path: &str) -> PathKey {
        let names = path.split('/').filter(|name| !name.is_empty()).map(Arc::from);
        PathKey::new(Volume(0), &SharePath(names.collect()))
    }

    #[test]
    fn case_makes_no_difference() {
        assert_eq!(key("Dir/Éclair.txt"), key("dIR/éCLAIR.TXT"));
        assert_ne!(key("a/b"), key("ab"));
    }

    #[test]
    fn what_is_beneath_comes_right_after() {
        // '!' and '.' sort before what separates names elsewhere.
        let mut all =
            [key("a!"), key("a/b"), key("a.b"), key("a"), key(""), key("a/b/c"), key("a").of_stream("s")];
        all.sort();
        let sorted =
            [key(""), key("a"), key("a").of_stream("s"), key("a/b"), key("a/b/c"), key("a!"), key("a.b")];
        assert_eq!(all, sorted);
        for (one, beneath) in [("", 6), ("a", 3), ("a/b", 1), ("a/b/c", 0), ("a!", 0)] {
            assert_eq!(all.iter().filter(|other| key(one).contains(other)).count(), beneath, "{one}");
        }
    }

    #[test]
    fn names_lead_up_to_the_root() {
        assert_eq!(key("a/b").parent(), Some(key("a")));
        assert_eq!(key("a/b").directory(), Some(key("a")));
        assert_eq!(key("a").directory(), Some(key("")));
        assert_eq!(key("").parent(), None);
        assert_eq!(key("").directory(), None);
        for file in ["", "a", "a/b"] {
            let stream = key(file).of_stream("s");
            assert_eq!(stream, key(file).of_stream("S"));
            assert_eq!(stream.parent(), Some(key(file)));
            assert_eq!(stream.directory(), None);
            assert_eq!(stream.depth(), key(file).depth() + 1);
        }
        assert_eq!([key("").depth(), key("a").depth(), key("a/b").depth()], [0, 1, 2]);
    }
}
