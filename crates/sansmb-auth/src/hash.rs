//! The hashes and the cipher that NTLM is made of, [MS-NLMP] section 6.

use hmac::{Hmac, KeyInit, Mac};
use md4::Md4;
use md5::{Digest, Md5};
use rc4::{Rc4, StreamCipher};
use zeroize::Zeroize;

use crate::text::utf16le;

/// NTOWFv1: the MD4 of the password in UTF-16LE, [MS-NLMP] 3.3.1. It is as good as the password
/// to whoever holds it.
pub fn nt_hash(password: &str) -> [u8; 16] {
    let mut encoded = utf16le(password);
    let hash = Md4::digest(&encoded).into();
    encoded.zeroize();
    hash
}

/// HMAC-MD5 over the concatenation of `parts`.
pub(crate) fn hmac_md5(key: &[u8; 16], parts: &[&[u8]]) -> [u8; 16] {
    let mut mac = <Hmac<Md5> as KeyInit>::new_from_slice(key).expect("HMAC takes keys of any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// MD5 over the concatenation of `parts`.
pub(crate) fn md5(parts: &[&[u8]]) -> [u8; 16] {
    let mut hash = Md5::new();
    for part in parts {
        hash.update(part);
    }
    hash.finalize().into()
}

/// RC4 with a key that is used for this one text.
pub(crate) fn rc4k(key: &[u8; 16], text: &mut [u8]) {
    Rc4::new_from_slice(key).expect("RC4 takes keys of 16 bytes").apply_keystream(text);
}
