//! NTSTATUS by name, [MS-ERREF] 2.3.

open_enum! {
    /// An NTSTATUS value.
    pub struct NtStatus: u32 {
        /// The operation succeeded.
        SUCCESS = 0,
        /// The answer comes later.
        PENDING = 0x0000_0103,
        /// A change buffer overflowed: enumerate the directory.
        NOTIFY_ENUM_DIR = 0x0000_010C,
        /// The data did not fit the buffer; what fits was sent.
        BUFFER_OVERFLOW = 0x8000_0005,
        /// No more entries.
        NO_MORE_FILES = 0x8000_0006,
        /// A parameter is invalid.
        INVALID_PARAMETER = 0xC000_000D,
        /// Access is denied.
        ACCESS_DENIED = 0xC000_0022,
        /// The next leg of an authentication is due.
        MORE_PROCESSING_REQUIRED = 0xC000_0016,
    }
}
