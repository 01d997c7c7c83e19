//! Which attributes a client can set.

use sansmb::wire::FileAttributes;

/// The attributes that are kept as given; the others say what a file is.
const SETTABLE: FileAttributes = FileAttributes::from_bits_retain(
    FileAttributes::READONLY.bits()
        | FileAttributes::HIDDEN.bits()
        | FileAttributes::SYSTEM.bits()
        | FileAttributes::ARCHIVE.bits()
        | FileAttributes::TEMPORARY.bits()
        | FileAttributes::SPARSE_FILE.bits()
        | FileAttributes::COMPRESSED.bits()
        | FileAttributes::OFFLINE.bits()
        | FileAttributes::NOT_CONTENT_INDEXED.bits()
        | FileAttributes::PINNED.bits()
        | FileAttributes::UNPINNED.bits(),
);

/// What is kept of attributes that a client gave.
pub(crate) fn settable(given: FileAttributes) -> FileAttributes {
    given & SETTABLE
}

/// What is shown for kept attributes of a file or directory: never nothing.
pub(crate) fn shown(kept: FileAttributes, directory: bool, reparse_point: bool) -> FileAttributes {
    let mut attributes = settable(kept);
    attributes.set(FileAttributes::DIRECTORY, directory);
    attributes.set(FileAttributes::REPARSE_POINT, reparse_point);
    if attributes.is_empty() { FileAttributes::NORMAL } else { attributes }
}

/// The tag of what a reparse point holds; never zero for one.
pub(crate) fn reparse_tag(data: &[u8]) -> u32 {
    data.first_chunk().map_or(0, |tag| u32::from_le_bytes(*tag))
}
