//! Attribute-value pairs, [MS-NLMP] 2.2.2.1.

use alloc::vec::Vec;

use sansmb::auth::AuthError;

pub(crate) const NB_COMPUTER_NAME: u16 = 1;
pub(crate) const NB_DOMAIN_NAME: u16 = 2;
pub(crate) const DNS_COMPUTER_NAME: u16 = 3;
pub(crate) const DNS_DOMAIN_NAME: u16 = 4;
pub(crate) const FLAGS: u16 = 6;
pub(crate) const TIMESTAMP: u16 = 7;
pub(crate) const SINGLE_HOST: u16 = 8;
pub(crate) const TARGET_NAME: u16 = 9;
pub(crate) const CHANNEL_BINDINGS: u16 = 10;
const EOL: u16 = 0;

/// Bit of [`FLAGS`]: the AUTHENTICATE message carries a MIC.
pub(crate) const FLAG_MIC: u32 = 2;

/// The pairs up to MsvAvEOL or the end. `at` is where `bytes` begins in its message.
pub(crate) fn parse(mut bytes: &[u8], mut at: usize) -> Result<Vec<(u16, &[u8])>, AuthError> {
    // A pair takes four bytes or more, so this cannot outgrow the message by much.
    let mut pairs = Vec::new();
    while !bytes.is_empty() {
        let bad = AuthError::Malformed("AV_PAIR", at);
        let (head, rest) = bytes.split_first_chunk::<4>().ok_or(bad)?;
        let id = u16::from_le_bytes([head[0], head[1]]);
        let length = usize::from(u16::from_le_bytes([head[2], head[3]]));
        if id == EOL {
            break;
        }
        let (value, rest) = rest.split_at_checked(length).ok_or(bad)?;
        pairs.push((id, value));
        at += 4 + length;
        bytes = rest;
    }
    Ok(pairs)
}

/// The value of the first pair of that kind.
pub(crate) fn find<'a>(pairs: &[(u16, &'a [u8])], id: u16) -> Option<&'a [u8]> {
    pairs.iter().find(|pair| pair.0 == id).map(|pair| pair.1)
}

/// The value of MsvAvFlags, zero where it is absent.
pub(crate) fn flags(pairs: &[(u16, &[u8])]) -> u32 {
    find(pairs, FLAGS).and_then(|value| value.try_into().ok()).map_or(0, u32::from_le_bytes)
}

/// Appends one pair; fails when the value is longer than a pair can say.
pub(crate) fn push(out: &mut Vec<u8>, id: u16, value: &[u8]) -> Result<(), AuthError> {
    let length = u16::try_from(value.len()).map_err(|_| AuthError::Unexpected("name too long for NTLM"))?;
    out.extend_from_slice(&id.to_le_bytes());
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(value);
    Ok(())
}

/// Appends MsvAvEOL.
pub(crate) fn end(out: &mut Vec<u8>) {
    out.extend_from_slice(&[0; 4]);
}
