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

/// A list of pairs that is known to be well-formed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pairs<'a>(&'a [u8]);

impl<'a> Pairs<'a> {
    /// The pairs up to MsvAvEOL or the end. `at` is where `bytes` begins in its message.
    pub(crate) fn parse(bytes: &'a [u8], at: usize) -> Result<Self, AuthError> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let bad = AuthError::Malformed("AV_PAIR", at + bytes.len() - rest.len());
            let (id, _, after) = split(rest).ok_or(bad)?;
            if id == EOL {
                break;
            }
            rest = after;
        }
        Ok(Self(bytes))
    }

    /// Each kind and value.
    pub(crate) fn iter(self) -> impl Iterator<Item = (u16, &'a [u8])> {
        let mut rest = self.0;
        core::iter::from_fn(move || {
            let (id, value, after) = split(rest)?;
            rest = after;
            (id != EOL).then_some((id, value))
        })
        .fuse()
    }

    /// The value of the first pair of that kind.
    pub(crate) fn find(self, id: u16) -> Option<&'a [u8]> {
        self.iter().find(|pair| pair.0 == id).map(|pair| pair.1)
    }

    /// The value of MsvAvFlags, zero where it is absent.
    pub(crate) fn flags(self) -> u32 {
        self.find(FLAGS).and_then(|value| value.try_into().ok()).map_or(0, u32::from_le_bytes)
    }
}

/// The kind and value of the first pair, and what follows it.
fn split(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let ([id_low, id_high, low, high], rest) = bytes.split_first_chunk()?;
    let (value, rest) = rest.split_at_checked(u16::from_le_bytes([*low, *high]).into())?;
    Some((u16::from_le_bytes([*id_low, *id_high]), value, rest))
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
