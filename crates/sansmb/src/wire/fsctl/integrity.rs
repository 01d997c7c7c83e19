//! Checksums of files, [MS-FSCC] 2.3.19 to 2.3.20 and 2.3.73 to 2.3.76.

use zerocopy::little_endian::{U16, U32};

use super::super::structure::Field;

open_enum! {
    /// How the data of a file is protected, [MS-FSCC] 2.3.20 and 2.3.73.
    pub struct ChecksumType: u16 {
        /// Not at all
        NONE = 0x0000,
        /// CRC32
        CRC32 = 0x0001,
        /// CRC64
        CRC64 = 0x0002,
        /// As before: to set only
        UNCHANGED = 0xFFFF,
    }
}

wire_flags! {
    /// More about the protection of a file, [MS-FSCC] 2.3.20.
    pub struct IntegrityFlags: u32 {
        /// What does not match its checksum is read and written all the same.
        const CHECKSUM_ENFORCEMENT_OFF = 0x0000_0001;
    }
}

impl Field for ChecksumType {
    type Raw = U16;
    fn from_raw(raw: Self::Raw) -> Self {
        Self(raw.get())
    }
    fn to_raw(self) -> Self::Raw {
        U16::new(self.0)
    }
}

impl Field for IntegrityFlags {
    type Raw = U32;
    fn from_raw(raw: Self::Raw) -> Self {
        Self::from_bits_retain(raw.get())
    }
    fn to_raw(self) -> Self::Raw {
        U32::new(self.bits())
    }
}

record! {
    /// FSCTL_GET_INTEGRITY_INFORMATION_BUFFER, [MS-FSCC] 2.3.20: the output of
    /// GET_INTEGRITY_INFORMATION.
    pub struct IntegrityInfo = IntegrityInfoFixed [16] {
        /// How the data is protected.
        checksum_algorithm: ChecksumType,
        /// Zero.
        unused: u16,
        /// More about that.
        flags: IntegrityFlags,
        /// Bytes that have one checksum.
        checksum_chunk_size: u32,
        /// Bytes of a cluster of the volume.
        cluster_size: u32,
    }
}

record! {
    /// FSCTL_SET_INTEGRITY_INFORMATION_BUFFER, [MS-FSCC] 2.3.73: the input of
    /// SET_INTEGRITY_INFORMATION.
    pub struct SetIntegrity = SetIntegrityFixed [8] {
        /// How the data is to be protected.
        checksum_algorithm: ChecksumType,
        /// Ignored.
        unused: u16,
        /// More about that.
        flags: IntegrityFlags,
    }
}

record! {
    /// FSCTL_SET_INTEGRITY_INFORMATION_BUFFER_EX, [MS-FSCC] 2.3.75: the input of
    /// SET_INTEGRITY_INFORMATION_EX, which leaves the algorithm to the server.
    pub struct SetIntegrityEx = SetIntegrityExFixed [16] {
        /// Whether the data is to be protected.
        enable_integrity: bool,
        /// Whether that stays as it is.
        keep_integrity_state_unchanged: bool,
        /// Ignored.
        unused: u16,
        /// More about that.
        flags: IntegrityFlags,
        /// One.
        version: u8,
    } reserved 7
}
