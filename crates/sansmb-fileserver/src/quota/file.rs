//! The quota file, which every volume with quotas has: [MS-FSA] 2.1.5.1 phase 7 and the notes of 2.1.5.21.

use sansmb::wire::{CreateDisposition, CreateOptions, CreateRequest, NtStatus};

use crate::{
    shares::Share,
    storage::{QUOTA_FILE, SharePath},
    text::same_name,
};

/// Its path, if that is what a client means by a name.
pub(crate) fn path_of(name: &str) -> Option<SharePath> {
    let (directory, file) = name.split_once('\\')?;
    let [known_directory, known_file] = QUOTA_FILE;
    (same_name(directory, known_directory) && same_name(file, known_file))
        .then(|| SharePath(QUOTA_FILE.iter().map(|&name| name.into()).collect()))
}

/// Whether a path is that of the quota file.
pub(crate) fn is_at(path: &SharePath) -> bool {
    path.0.iter().map(|name| &**name).eq(QUOTA_FILE)
}

/// Whether a CREATE can have it.
pub(crate) fn check(body: &CreateRequest<'_>, share: &Share) -> Result<(), NtStatus> {
    if !share.traits.features.quotas {
        // [MS-FSA] 2.1.5.1 phase 7: no other index has such a name.
        return Err(NtStatus::INVALID_PARAMETER);
    }
    if body.create_options.contains(CreateOptions::DIRECTORY_FILE) {
        return Err(NtStatus::NOT_A_DIRECTORY);
    }
    if body.create_options.contains(CreateOptions::DELETE_ON_CLOSE) {
        return Err(NtStatus::CANNOT_DELETE);
    }
    match body.create_disposition {
        CreateDisposition::OPEN | CreateDisposition::OPEN_IF => Ok(()),
        CreateDisposition::CREATE => Err(NtStatus::OBJECT_NAME_COLLISION),
        _ => Err(NtStatus::ACCESS_DENIED),
    }
}
