//! AES-GCM and AES-CCM in place.

use alloc::boxed::Box;
use core::fmt;

use aes::{Aes128Enc, Aes256Enc};
use aes_gcm::AesGcm;
use aes_gcm::aead::{
    AeadInOut, KeyInit,
    consts::{U11, U12, U16},
};
use ccm::Ccm;
use sansmb::crypto::{BadTag, Sealer};
use sansmb::wire::Cipher;

/// A cipher for one key, or `None` if the cipher is unknown or the key has the wrong length.
pub(super) fn sealer(cipher: Cipher, key: &[u8]) -> Option<Box<dyn Sealer>> {
    Some(match cipher {
        Cipher::AES_128_CCM => Box::new(Aead(Ccm::<Aes128Enc, U16, U11>::new_from_slice(key).ok()?)),
        Cipher::AES_256_CCM => Box::new(Aead(Ccm::<Aes256Enc, U16, U11>::new_from_slice(key).ok()?)),
        Cipher::AES_128_GCM => Box::new(Aead(AesGcm::<Aes128Enc, U12>::new_from_slice(key).ok()?)),
        Cipher::AES_256_GCM => Box::new(Aead(AesGcm::<Aes256Enc, U12>::new_from_slice(key).ok()?)),
        _ => return None,
    })
}

struct Aead<A>(A);

impl<A> fmt::Debug for Aead<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Aead(..)")
    }
}

impl<A: AeadInOut<TagSize = U16> + Send + Sync> Sealer for Aead<A> {
    fn seal(&self, nonce: &[u8], aad: &[u8], text: &mut [u8]) -> [u8; 16] {
        let Ok(nonce) = nonce.try_into() else { unreachable!("nonce of the wrong length") };
        match self.0.encrypt_inout_detached(nonce, aad, text.into()) {
            Ok(tag) => tag.into(),
            Err(_) => unreachable!("messages are shorter than 4 GiB"),
        }
    }

    fn open(&self, nonce: &[u8], aad: &[u8], text: &mut [u8], tag: &[u8; 16]) -> Result<(), BadTag> {
        let nonce = nonce.try_into().map_err(|_| BadTag)?;
        self.0.decrypt_inout_detached(nonce, aad, text.into(), tag.into()).map_err(|_| BadTag)
    }
}
