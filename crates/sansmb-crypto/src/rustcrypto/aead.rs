//! AES-GCM and AES-CCM in place.

use alloc::boxed::Box;
use core::fmt;

use aes::cipher::BlockCipherEncrypt;
use aes::{Aes128Enc, Aes256Enc};
use aes_gcm::AesGcm;
use aes_gcm::aead::{
    AeadInOut, KeyInit,
    consts::{U12, U16},
};
use sansmb::crypto::{BadTag, Sealer};
use sansmb::wire::Cipher;
use subtle::ConstantTimeEq;

use super::ccm;

/// A cipher for one key, or `None` if the cipher is unknown or the key has the wrong length.
pub(super) fn sealer(cipher: Cipher, key: &[u8]) -> Option<Box<dyn Sealer>> {
    Some(match cipher {
        Cipher::AES_128_CCM => Box::new(Ccm(Aes128Enc::new_from_slice(key).ok()?)),
        Cipher::AES_256_CCM => Box::new(Ccm(Aes256Enc::new_from_slice(key).ok()?)),
        Cipher::AES_128_GCM => Box::new(Gcm(AesGcm::<Aes128Enc, U12>::new_from_slice(key).ok()?)),
        Cipher::AES_256_GCM => Box::new(Gcm(AesGcm::<Aes256Enc, U12>::new_from_slice(key).ok()?)),
        _ => return None,
    })
}

struct Gcm<A>(A);

impl<A> fmt::Debug for Gcm<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Gcm(..)")
    }
}

impl<A: AeadInOut<TagSize = U16> + Send + Sync> Sealer for Gcm<A> {
    fn seal(&self, nonce: &[u8], aad: &[u8], text: &mut [u8]) -> [u8; 16] {
        let nonce = nonce.try_into().expect(NONCE_LEN);
        self.0.encrypt_inout_detached(nonce, aad, text.into()).expect("a message is no 64 GiB long").into()
    }

    fn open(&self, nonce: &[u8], aad: &[u8], text: &mut [u8], tag: &[u8; 16]) -> Result<(), BadTag> {
        let nonce = nonce.try_into().map_err(|_| BadTag)?;
        self.0.decrypt_inout_detached(nonce, aad, text.into(), tag.into()).map_err(|_| BadTag)
    }
}

struct Ccm<C>(C);

impl<C> fmt::Debug for Ccm<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ccm(..)")
    }
}

impl<C: BlockCipherEncrypt<BlockSize = U16> + Send + Sync> Sealer for Ccm<C> {
    fn seal(&self, nonce: &[u8], aad: &[u8], text: &mut [u8]) -> [u8; 16] {
        ccm::seal(&self.0, nonce.try_into().expect(NONCE_LEN), aad, text)
    }

    fn open(&self, nonce: &[u8], aad: &[u8], text: &mut [u8], tag: &[u8; 16]) -> Result<(), BadTag> {
        let expected = ccm::open(&self.0, nonce.try_into().map_err(|_| BadTag)?, aad, text);
        if bool::from(expected.ct_eq(tag)) { Ok(()) } else { Err(BadTag) }
    }
}

/// The caller's duty, see [`Sealer::seal`].
const NONCE_LEN: &str = "the nonce has the cipher's length";
