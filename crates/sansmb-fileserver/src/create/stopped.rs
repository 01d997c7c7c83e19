//! Opens that come upon a reparse point, [MS-SMB2] 2.2.2.2.1 and 3.3.5.9.

use sansmb::{
    server::Failure,
    wire::{NtStatus, Structure, SymbolicLinkErrorResponse, Writer, fsctl::ReparseData},
};

use crate::storage::SharePath;

/// The answer to an open of `path` that stopped with `unparsed` components left. Whoever comes upon a
/// symbolic link is told where it leads; other tags are for others to handle.
pub(super) fn failure(path: &SharePath, reparse: &[u8], unparsed: usize) -> Failure {
    let Ok(ReparseData::Symlink { substitute_name, print_name, flags }) = ReparseData::decode(reparse) else {
        return NtStatus::IO_REPARSE_TAG_NOT_HANDLED.into();
    };
    let left = path.0.get(path.0.len().saturating_sub(unparsed)..).unwrap_or_default();
    let length: usize = left.iter().map(|name| 2 * (1 + name.encode_utf16().count())).sum();
    let link = SymbolicLinkErrorResponse {
        unparsed_path_length: u16::try_from(length).unwrap_or(u16::MAX),
        flags,
        substitute_name,
        print_name,
    };
    let mut data = Vec::new();
    link.encode(&mut Writer::new(&mut data));
    Failure { status: NtStatus::STOPPED_ON_SYMLINK, data }
}
