//! Names as NTLM hashes them: UTF-16LE, upper-cased unit by unit.

use alloc::vec::Vec;

/// `text` in UTF-16LE without a terminator.
pub(crate) fn utf16le(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// Upper-cases UTF-16LE bytes as Windows does: one unit becomes one unit, so neither a surrogate
/// nor a letter whose capital is longer (as in `ß`) changes. A last odd byte is dropped.
pub(crate) fn upcase_utf16le(bytes: &[u8]) -> Vec<u8> {
    bytes
        .chunks_exact(2)
        .flat_map(|pair| upcase_unit(u16::from_le_bytes([pair[0], pair[1]])).to_le_bytes())
        .collect()
}

fn upcase_unit(unit: u16) -> u16 {
    let Some(letter) = char::from_u32(unit.into()) else { return unit };
    let mut upper = letter.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(one), None) => u16::try_from(u32::from(one)).unwrap_or(unit),
        _ => unit,
    }
}
