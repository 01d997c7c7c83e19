//! LZ4's block format, by `lz4_flex`.

use alloc::vec::Vec;

use lz4_flex::block;

use super::{
    DecompressError,
    matches::{Budget, PROBE},
};

/// Every byte of input can stand for so many.
const MOST: usize = 255;

pub(super) fn decompress(input: &[u8], len: usize, out: &mut Vec<u8>) -> Result<(), DecompressError> {
    if len / MOST > input.len() {
        return Err(DecompressError::TooShort);
    }
    let start = out.len();
    out.resize(start + len, 0);
    let target = out.get_mut(start..).unwrap_or_default();
    match block::decompress_into(input, target) {
        Ok(given) if given == len => Ok(()),
        Ok(_) => Err(DecompressError::TooShort),
        Err(block::DecompressError::OutputTooSmall { .. }) => Err(DecompressError::TooLong),
        Err(block::DecompressError::OffsetOutOfBounds | block::DecompressError::OffsetZero) => {
            Err(DecompressError::Distance)
        }
        Err(_) => Err(DecompressError::Truncated),
    }
}

pub(super) fn compress(input: &[u8], budget: &Budget, out: &mut Vec<u8>) -> Option<()> {
    // It goes through to the end once it has begun.
    if let Some(sample) = input.get(..PROBE).filter(|_| input.len() >= 4 * PROBE) {
        let written = put_block(sample, out)?;
        out.truncate(out.len() - written);
        budget.check_sample(PROBE, written)?;
    }
    put_block(input, out)?;
    Some(())
}

/// Appends a block and says how long it is.
fn put_block(input: &[u8], out: &mut Vec<u8>) -> Option<usize> {
    let start = out.len();
    out.resize(start + block::get_maximum_output_size(input.len()), 0);
    let written = block::compress_into(input, out.get_mut(start..)?).ok()?;
    out.truncate(start + written);
    Some(written)
}
