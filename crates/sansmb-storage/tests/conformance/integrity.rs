//! What is kept about the protection of data.

use sansmb::wire::{FileAttributes, NtStatus, fsctl::ChecksumType};
use sansmb_fileserver::storage::{Done, Handle, Integrity, Job, Storage};
use sansmb_storage::run;

use crate::helpers::*;

fn get(s: &dyn Storage, handle: Handle) -> Result<Integrity, NtStatus> {
    match run(s, Job::Integrity { handle })? {
        Done::Integrity { integrity, chunk, cluster } => {
            assert!(chunk > 0 && cluster > 0);
            Ok(integrity)
        }
        other => panic!("{other:?}"),
    }
}

pub(crate) fn integrity_is_kept_and_inherited_or_refused(s: &dyn Storage) {
    let set = |handle, integrity| nothing(run(s, Job::SetIntegrity { handle, integrity }));
    let crc = Integrity { algorithm: ChecksumType::CRC32, unenforced: true };
    mkdir(s, "dir");
    let dir = open(s, "dir");
    if !s.traits().features.integrity {
        assert_eq!(
            (get(s, dir), set(dir, crc)),
            (Err(NtStatus::NOT_SUPPORTED), Err(NtStatus::NOT_SUPPORTED))
        );
        return;
    }
    let shown = |handle| stat(s, handle).attributes.contains(FileAttributes::INTEGRITY_STREAM);
    assert_eq!((get(s, dir), shown(dir)), (Ok(Integrity::default()), false));
    set(dir, crc).unwrap();
    assert_eq!((get(s, dir), shown(dir)), (Ok(crc), true));
    let inside = create(s, "dir/inside");
    assert_eq!((get(s, inside), shown(inside)), (Ok(crc), true));
    // What a file has stays when its directory changes.
    set(dir, Integrity::default()).unwrap();
    assert_eq!((get(s, dir), shown(dir)), (Ok(Integrity::default()), false));
    assert_eq!((get(s, inside), shown(inside)), (Ok(crc), true));
}
