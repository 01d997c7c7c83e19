//! Names of streams, whatever keeps them.

use sansmb::wire::NtStatus;

/// Longest name, in UTF-16 units, [MS-FSCC] 2.1.5.3.
const NAME_MAX: usize = 255;

/// Fails for what cannot be the name of a stream.
pub(crate) fn check_stream_name(name: &str) -> Result<(), NtStatus> {
    let bad =
        name.is_empty() || name.contains(['\\', '/', ':', '\0']) || name.encode_utf16().count() > NAME_MAX;
    if bad { Err(NtStatus::OBJECT_NAME_INVALID) } else { Ok(()) }
}
