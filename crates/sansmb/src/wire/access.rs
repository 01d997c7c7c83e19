//! Access masks, [MS-SMB2] 2.2.13.1.

wire_flags! {
    /// What an open may do, [MS-SMB2] 2.2.13.1: one set of bits, some with two names.
    pub struct AccessMask: u32 {
        /// Read data of a file or pipe.
        const FILE_READ_DATA = 0x0000_0001;
        /// Enumerate a directory.
        const FILE_LIST_DIRECTORY = 0x0000_0001;
        /// Write data of a file or pipe.
        const FILE_WRITE_DATA = 0x0000_0002;
        /// Create a file in a directory.
        const FILE_ADD_FILE = 0x0000_0002;
        /// Append data to a file or pipe.
        const FILE_APPEND_DATA = 0x0000_0004;
        /// Create a directory in a directory.
        const FILE_ADD_SUBDIRECTORY = 0x0000_0004;
        /// Read extended attributes.
        const FILE_READ_EA = 0x0000_0008;
        /// Write extended attributes.
        const FILE_WRITE_EA = 0x0000_0010;
        /// Execute a file.
        const FILE_EXECUTE = 0x0000_0020;
        /// Pass through a directory.
        const FILE_TRAVERSE = 0x0000_0020;
        /// Delete entries of a directory.
        const FILE_DELETE_CHILD = 0x0000_0040;
        /// Read attributes.
        const FILE_READ_ATTRIBUTES = 0x0000_0080;
        /// Write attributes.
        const FILE_WRITE_ATTRIBUTES = 0x0000_0100;
        /// Delete the object.
        const DELETE = 0x0001_0000;
        /// Read owner, group and DACL.
        const READ_CONTROL = 0x0002_0000;
        /// Write the DACL.
        const WRITE_DAC = 0x0004_0000;
        /// Write the owner.
        const WRITE_OWNER = 0x0008_0000;
        /// Wait for the object; without effect over SMB2.
        const SYNCHRONIZE = 0x0010_0000;
        /// Read or write the SACL.
        const ACCESS_SYSTEM_SECURITY = 0x0100_0000;
        /// As much as the user may have.
        const MAXIMUM_ALLOWED = 0x0200_0000;
        /// Short for [`AccessMask::FILE_ALL_ACCESS`].
        const GENERIC_ALL = 0x1000_0000;
        /// Short for [`AccessMask::FILE_GENERIC_EXECUTE`].
        const GENERIC_EXECUTE = 0x2000_0000;
        /// Short for [`AccessMask::FILE_GENERIC_WRITE`].
        const GENERIC_WRITE = 0x4000_0000;
        /// Short for [`AccessMask::FILE_GENERIC_READ`].
        const GENERIC_READ = 0x8000_0000;

        /// Everything that a file or directory knows.
        const FILE_ALL_ACCESS = 0x001F_01FF;
        /// Read data, attributes, extended attributes and security.
        const FILE_GENERIC_READ = 0x0012_0089;
        /// Write and append data, write attributes and extended attributes, read security.
        const FILE_GENERIC_WRITE = 0x0012_0116;
        /// Execute, read attributes and security.
        const FILE_GENERIC_EXECUTE = 0x0012_00A0;
    }
}

impl AccessMask {
    /// Replaces the generic bits by what they are short for.
    #[must_use]
    pub fn expand_generic(self) -> Self {
        const GENERIC: [(AccessMask, AccessMask); 4] = [
            (AccessMask::GENERIC_ALL, AccessMask::FILE_ALL_ACCESS),
            (AccessMask::GENERIC_EXECUTE, AccessMask::FILE_GENERIC_EXECUTE),
            (AccessMask::GENERIC_WRITE, AccessMask::FILE_GENERIC_WRITE),
            (AccessMask::GENERIC_READ, AccessMask::FILE_GENERIC_READ),
        ];
        GENERIC.into_iter().fold(self, |mask, (short, long)| {
            if mask.contains(short) { mask.difference(short).union(long) } else { mask }
        })
    }
}
