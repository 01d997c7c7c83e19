//! How the data of files is protected, [MS-FSA] 2.1.1.5.

use sansmb::wire::fsctl::ChecksumType;

/// What is kept with a file or directory about the protection of its data. What is made in a directory
/// has what the directory has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Integrity {
    /// ChecksumAlgorithm: never [`ChecksumType::UNCHANGED`].
    pub algorithm: ChecksumType,
    /// ChecksumEnforcementOff: what does not match its checksum is read all the same.
    pub unenforced: bool,
}

impl Integrity {
    /// Whether there are checksums.
    pub fn is_on(&self) -> bool {
        self.algorithm != ChecksumType::NONE
    }
}
