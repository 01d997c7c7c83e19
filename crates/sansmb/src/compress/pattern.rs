//! Looking for one byte many times, [MS-SMB2] 3.1.4.4.1.

use super::matches::common;

/// How many bytes at the start of `data` are the same.
pub fn run_at_start(data: &[u8]) -> usize {
    match data {
        [] => 0,
        [_, rest @ ..] => 1 + common(data, rest),
    }
}

/// How many bytes at the end of `data` are the same.
pub fn run_at_end(data: &[u8]) -> usize {
    let Some(last) = data.last() else { return 0 };
    let eight = [*last; 8];
    let same = 8 * data.as_rchunks::<8>().1.iter().rev().take_while(|bytes| **bytes == eight).count();
    same + data.iter().rev().skip(same).take_while(|byte| *byte == last).count()
}
