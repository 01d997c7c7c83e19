//! Keys of a session, [MS-SMB2] 3.1.4.2.

use alloc::vec::Vec;

use zeroize::{Zeroize, ZeroizeOnDrop};

use super::CryptoProvider;
use crate::wire::{Cipher, Dialect};

/// SP800-108 in counter mode with HMAC-SHA256, r = 32. `label` and, before 3.1.1, `context` include
/// their own terminating zero. `len` is 16 or 32 bytes.
pub fn derive_key(
    crypto: &dyn CryptoProvider,
    key: &[u8],
    label: &[u8],
    context: &[u8],
    len: usize,
) -> Vec<u8> {
    let bits = (len as u32 * 8).to_be_bytes();
    let mut block = crypto.hmac_sha256(key, &[&1u32.to_be_bytes(), label, &[0], context, &bits]);
    let out = block[..len].to_vec();
    block.zeroize();
    out
}

/// The keys that follow from one authentication. Erased when dropped; never printed.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct SessionKeys {
    /// Signs in both directions. Before 3.0 this is the session key itself.
    pub signing: [u8; 16],
    /// Encrypts what the client sends (3.x).
    pub client_to_server: Vec<u8>,
    /// Encrypts what the server sends (3.x).
    pub server_to_client: Vec<u8>,
    /// For the application above SMB (3.x).
    pub application: [u8; 16],
}

impl core::fmt::Debug for SessionKeys {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("SessionKeys(..)")
    }
}

impl SessionKeys {
    /// Derives the keys. `session_key` is what the authentication gave, untruncated
    /// (FullSessionKey); `preauth` is the session's pre-authentication hash, used by 3.1.1 alone.
    pub fn derive(
        crypto: &dyn CryptoProvider,
        dialect: Dialect,
        cipher: Option<Cipher>,
        session_key: &[u8],
        preauth: &[u8; 64],
    ) -> Self {
        let mut short = [0; 16];
        let n = session_key.len().min(16);
        short[..n].copy_from_slice(&session_key[..n]);
        if !dialect.is_smb3() {
            return Self {
                signing: short,
                client_to_server: Vec::new(),
                server_to_client: Vec::new(),
                application: short,
            };
        }
        let labels: [(&[u8], &[u8]); 4] = if dialect == Dialect::SMB3_1_1 {
            [
                (b"SMBSigningKey\0", preauth),
                (b"SMBC2SCipherKey\0", preauth),
                (b"SMBS2CCipherKey\0", preauth),
                (b"SMBAppKey\0", preauth),
            ]
        } else {
            [
                (b"SMB2AESCMAC\0", b"SmbSign\0"),
                (b"SMB2AESCCM\0", b"ServerIn \0"),
                (b"SMB2AESCCM\0", b"ServerOut\0"),
                (b"SMB2APP\0", b"SmbRpc\0"),
            ]
        };
        let cipher_len = cipher.map_or(16, Cipher::key_len);
        // AES-256 keys come from the whole session key, all others from its first 16 bytes.
        let cipher_source = if cipher_len == 32 { session_key } else { &short[..] };
        let key16 = |(label, context)| {
            let mut derived = derive_key(crypto, &short, label, context, 16);
            let mut key = [0; 16];
            key.copy_from_slice(&derived);
            derived.zeroize();
            key
        };
        let keys = Self {
            signing: key16(labels[0]),
            client_to_server: derive_key(crypto, cipher_source, labels[1].0, labels[1].1, cipher_len),
            server_to_client: derive_key(crypto, cipher_source, labels[2].0, labels[2].1, cipher_len),
            application: key16(labels[3]),
        };
        short.zeroize();
        keys
    }
}
