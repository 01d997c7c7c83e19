//! File attributes, [MS-FSCC] 2.6.

wire_flags! {
    /// Attributes of a file or directory, [MS-FSCC] 2.6.
    pub struct FileAttributes: u32 {
        /// Must not be written or deleted.
        const READONLY = 0x0000_0001;
        /// Left out of ordinary listings.
        const HIDDEN = 0x0000_0002;
        /// Used by the operating system.
        const SYSTEM = 0x0000_0004;
        /// A directory.
        const DIRECTORY = 0x0000_0010;
        /// To be archived.
        const ARCHIVE = 0x0000_0020;
        /// A file without other attributes.
        const NORMAL = 0x0000_0080;
        /// Used for a short time.
        const TEMPORARY = 0x0000_0100;
        /// A sparse file.
        const SPARSE_FILE = 0x0000_0200;
        /// Has a reparse point.
        const REPARSE_POINT = 0x0000_0400;
        /// Compressed.
        const COMPRESSED = 0x0000_0800;
        /// Its data is not at hand.
        const OFFLINE = 0x0000_1000;
        /// Not indexed.
        const NOT_CONTENT_INDEXED = 0x0000_2000;
        /// Encrypted.
        const ENCRYPTED = 0x0000_4000;
        /// Has integrity support.
        const INTEGRITY_STREAM = 0x0000_8000;
        /// Left out of the integrity scan.
        const NO_SCRUB_DATA = 0x0002_0000;
        /// Opening it recalls it from remote storage.
        const RECALL_ON_OPEN = 0x0004_0000;
        /// The user wants it kept at hand.
        const PINNED = 0x0008_0000;
        /// The user does not want it kept at hand.
        const UNPINNED = 0x0010_0000;
        /// Reading it recalls it from remote storage.
        const RECALL_ON_DATA_ACCESS = 0x0040_0000;
    }
}
