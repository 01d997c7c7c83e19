//! Numbers that name dialects and algorithms, [MS-SMB2] 2.2.3 and 2.2.3.1.

open_enum! {
    /// A dialect of SMB2.
    pub struct Dialect: u16 {
        /// SMB 2.0.2
        SMB2_0_2 = 0x0202,
        /// SMB 2.1
        SMB2_1 = 0x0210,
        /// "Some SMB2 dialect": the answer to an SMB1 NEGOTIATE that offers `SMB 2.???`.
        SMB2_WILDCARD = 0x02FF,
        /// SMB 3.0
        SMB3_0 = 0x0300,
        /// SMB 3.0.2
        SMB3_0_2 = 0x0302,
        /// SMB 3.1.1
        SMB3_1_1 = 0x0311,
    }
}

impl Dialect {
    /// The dialects that sansmb speaks, oldest first.
    pub const ALL: [Self; 5] = [Self::SMB2_0_2, Self::SMB2_1, Self::SMB3_0, Self::SMB3_0_2, Self::SMB3_1_1];

    /// Whether it belongs to the 3.x family.
    pub fn is_smb3(self) -> bool {
        self >= Self::SMB3_0
    }
}

open_enum! {
    /// Cipher of the encryption capabilities, [MS-SMB2] 2.2.3.1.2.
    pub struct Cipher: u16 {
        /// AES-128-CCM, the only one before 3.1.1
        AES_128_CCM = 0x0001,
        /// AES-128-GCM
        AES_128_GCM = 0x0002,
        /// AES-256-CCM
        AES_256_CCM = 0x0003,
        /// AES-256-GCM
        AES_256_GCM = 0x0004,
    }
}

impl Cipher {
    /// Length of the key in bytes.
    pub fn key_len(self) -> usize {
        if matches!(self, Self::AES_256_CCM | Self::AES_256_GCM) { 32 } else { 16 }
    }

    /// Length of the nonce in bytes.
    pub fn nonce_len(self) -> usize {
        if matches!(self, Self::AES_128_CCM | Self::AES_256_CCM) { 11 } else { 12 }
    }
}

open_enum! {
    /// Algorithm of the signing capabilities, [MS-SMB2] 2.2.3.1.7.
    pub struct SigningAlgorithm: u16 {
        /// HMAC-SHA256, the one of 2.0.2 and 2.1
        HMAC_SHA256 = 0x0000,
        /// AES-128-CMAC, the one of 3.0 and 3.0.2
        AES_CMAC = 0x0001,
        /// AES-128-GMAC
        AES_GMAC = 0x0002,
    }
}

open_enum! {
    /// Algorithm of the pre-authentication integrity capabilities, [MS-SMB2] 2.2.3.1.1.
    pub struct HashAlgorithm: u16 {
        /// SHA-512
        SHA_512 = 0x0001,
    }
}

open_enum! {
    /// Algorithm of the compression capabilities, [MS-SMB2] 2.2.3.1.3.
    pub struct CompressionAlgorithm: u16 {
        /// No compression
        NONE = 0x0000,
        /// LZNT1
        LZNT1 = 0x0001,
        /// LZ77
        LZ77 = 0x0002,
        /// LZ77+Huffman
        LZ77_HUFFMAN = 0x0003,
        /// Pattern scanning
        PATTERN_V1 = 0x0004,
        /// LZ4
        LZ4 = 0x0005,
    }
}

impl CompressionAlgorithm {
    /// All that there are, the fastest first, and those that need others last.
    pub const ALL: [Self; 5] = [Self::LZ4, Self::LZ77, Self::LZ77_HUFFMAN, Self::LZNT1, Self::PATTERN_V1];
}
