//! The pre-authentication integrity hash of 3.1.1, [MS-SMB2] 3.1.4.4 and 3.2.5.2.

use super::CryptoProvider;

/// A running SHA-512 over NEGOTIATE and SESSION_SETUP messages.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PreauthHash([u8; 64]);

impl PreauthHash {
    /// The value before the first message.
    pub const ZERO: Self = Self([0; 64]);

    /// Takes in one message, from its SMB2 header to its end.
    pub fn update(&mut self, crypto: &dyn CryptoProvider, message: &[u8]) {
        self.0 = crypto.sha512(&[&self.0, message]);
    }

    /// The value.
    pub fn value(&self) -> &[u8; 64] {
        &self.0
    }
}

impl core::fmt::Debug for PreauthHash {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("PreauthHash(..)")
    }
}
