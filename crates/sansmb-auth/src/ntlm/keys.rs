//! The computations of NTLMv2, [MS-NLMP] 3.3.2 and 3.4.

use alloc::vec::Vec;
use core::fmt;

use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::flags::NegotiateFlags;
use crate::{
    hash::{hmac_md5, md5, rc4k},
    text::upcase_utf16le,
};

/// NTOWFv2: the key of a user's responses. Names are UTF-16LE; case matters in the domain alone.
pub(crate) fn response_key(nt_hash: &[u8; 16], user: &[u8], domain: &[u8]) -> [u8; 16] {
    hmac_md5(nt_hash, &[&upcase_utf16le(user), domain])
}

/// `temp` of [MS-NLMP] 3.3.2, an NTLMv2_CLIENT_CHALLENGE.
pub(crate) fn client_challenge(time: &[u8; 8], challenge: &[u8; 8], av_pairs: &[u8]) -> Vec<u8> {
    let parts: [&[u8]; 7] = [&[1, 1], &[0; 6], time, challenge, &[0; 4], av_pairs, &[0; 4]];
    parts.concat()
}

/// NTProofStr.
pub(crate) fn nt_proof(response_key: &[u8; 16], server_challenge: &[u8; 8], temp: &[u8]) -> [u8; 16] {
    hmac_md5(response_key, &[server_challenge, temp])
}

/// SessionBaseKey, which in NTLMv2 is the KeyExchangeKey too.
pub(crate) fn session_base_key(response_key: &[u8; 16], nt_proof: &[u8; 16]) -> [u8; 16] {
    hmac_md5(response_key, &[nt_proof])
}

/// LMv2_RESPONSE.
pub(crate) fn lm_response(
    response_key: &[u8; 16],
    server_challenge: &[u8; 8],
    client_challenge: &[u8; 8],
) -> [u8; 24] {
    let mut response = [0; 24];
    let (proof, tail) = response.split_at_mut(16);
    proof.copy_from_slice(&hmac_md5(response_key, &[server_challenge, client_challenge]));
    tail.copy_from_slice(client_challenge);
    response
}

/// The MIC of an AUTHENTICATE message whose MIC field reads as zero.
pub(crate) fn mic(
    exported: &[u8; 16],
    negotiate: &[u8],
    challenge: &[u8],
    authenticate: &[&[u8]],
) -> [u8; 16] {
    let mut parts: Vec<&[u8]> = Vec::with_capacity(2 + authenticate.len());
    parts.extend([negotiate, challenge]);
    parts.extend_from_slice(authenticate);
    hmac_md5(exported, &parts)
}

/// Who signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Client,
    Server,
}

/// The keys of a finished exchange. Erased when dropped, never printed.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub(crate) struct Security {
    exported: [u8; 16],
    #[zeroize(skip)]
    flags: NegotiateFlags,
}

impl fmt::Debug for Security {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Security(..)")
    }
}

impl Security {
    pub(crate) fn new(exported: [u8; 16], flags: NegotiateFlags) -> Self {
        Self { exported, flags }
    }

    /// ExportedSessionKey.
    pub(crate) fn exported(&self) -> &[u8; 16] {
        &self.exported
    }

    /// Whether [`Self::sign`] gives anything: there are no signatures worth the name without
    /// extended session security.
    pub(crate) fn can_sign(&self) -> bool {
        self.flags.contains(NegotiateFlags::EXTENDED_SESSION_SECURITY)
    }

    /// GSS_GetMIC of the first message of `side`, [MS-NLMP] 3.4.4.2. SPNEGO rewinds the cipher
    /// after it ([MS-SPNG] 3.2.5.1) and SMB2 signs by itself, so there is never a second.
    pub(crate) fn sign(&self, side: Side, message: &[u8]) -> Option<[u8; 16]> {
        if !self.can_sign() {
            return None;
        }
        const SEQUENCE: [u8; 4] = [0; 4];
        let mut key = self.signing_key(side);
        let mac = hmac_md5(&key, &[&SEQUENCE, message]);
        key.zeroize();
        let mut checksum = [0; 8];
        checksum.copy_from_slice(&mac[..8]);
        if self.flags.contains(NegotiateFlags::KEY_EXCH) {
            let mut key = self.sealing_key(side);
            rc4k(&key, &mut checksum);
            key.zeroize();
        }
        let mut signature = [0; 16];
        signature[0] = 1;
        signature[4..12].copy_from_slice(&checksum);
        signature[12..].copy_from_slice(&SEQUENCE);
        Some(signature)
    }

    /// Whether `signature` is what `side` makes of `message`, in constant time.
    pub(crate) fn verify(&self, side: Side, message: &[u8], signature: &[u8]) -> bool {
        self.sign(side, message).is_some_and(|expected| bool::from(expected.ct_eq(signature)))
    }

    /// SIGNKEY, [MS-NLMP] 3.4.5.2.
    pub(crate) fn signing_key(&self, side: Side) -> [u8; 16] {
        let magic: &[u8] = match side {
            Side::Client => b"session key to client-to-server signing key magic constant\0",
            Side::Server => b"session key to server-to-client signing key magic constant\0",
        };
        md5(&[&self.exported, magic])
    }

    /// SEALKEY with extended session security, [MS-NLMP] 3.4.5.3.
    pub(crate) fn sealing_key(&self, side: Side) -> [u8; 16] {
        let magic: &[u8] = match side {
            Side::Client => b"session key to client-to-server sealing key magic constant\0",
            Side::Server => b"session key to server-to-client sealing key magic constant\0",
        };
        let length = if self.flags.contains(NegotiateFlags::KEY_128) {
            16
        } else if self.flags.contains(NegotiateFlags::KEY_56) {
            7
        } else {
            5
        };
        md5(&[&self.exported[..length], magic])
    }
}
