//! The facts of an NTLM message inside a security token, [MS-NLMP] 2.2.1.

use sansmb::wire::Utf16;

use crate::output::printable;

/// Says in a few words what a token holds.
pub(super) fn token(token: &[u8]) -> String {
    const SIGNATURE: &[u8] = b"NTLMSSP\0";
    let found = token.windows(SIGNATURE.len()).position(|window| window == SIGNATURE);
    let words = found.and_then(|at| message(token.get(at..)?));
    match words {
        Some(words) => format!("token={words}"),
        None if token.is_empty() => String::new(),
        None => format!("token={} bytes", token.len()),
    }
}

fn message(bytes: &[u8]) -> Option<String> {
    let text = |at| Some(format!("\"{}\"", printable(&field(bytes, at)?)));
    Some(match number(bytes, 8)? {
        1 => "NTLM-NEGOTIATE".to_owned(),
        2 => format!("NTLM-CHALLENGE target={}", text(12)?),
        3 => format!("NTLM-AUTHENTICATE user={} domain={} workstation={}", text(36)?, text(28)?, text(44)?),
        _ => return None,
    })
}

/// The string that the length and offset at `at` point to.
fn field(bytes: &[u8], at: usize) -> Option<String> {
    let len = usize::from(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
    let offset = number(bytes, at + 4)? as usize;
    let text = bytes.get(offset..)?.get(..len)?;
    Utf16::new(text, "NTLM string", offset).ok().map(Utf16::to_text_lossy)
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}
