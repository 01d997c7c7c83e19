//! What an errno means to a client.

use rustix::io::Errno;
use sansmb::wire::NtStatus;

/// The NTSTATUS for an errno, where the last component of a path is concerned or no path at all.
pub(super) fn status(errno: Errno) -> NtStatus {
    match errno {
        Errno::ACCESS | Errno::PERM => NtStatus::ACCESS_DENIED,
        // Descriptors are ours and valid; what they lack is the access mode.
        Errno::BADF => NtStatus::ACCESS_DENIED,
        Errno::NOENT => NtStatus::OBJECT_NAME_NOT_FOUND,
        Errno::NOTDIR => NtStatus::OBJECT_PATH_NOT_FOUND,
        Errno::ISDIR => NtStatus::FILE_IS_A_DIRECTORY,
        Errno::EXIST => NtStatus::OBJECT_NAME_COLLISION,
        Errno::NOTEMPTY => NtStatus::DIRECTORY_NOT_EMPTY,
        Errno::NAMETOOLONG | Errno::ILSEQ => NtStatus::OBJECT_NAME_INVALID,
        Errno::NOSPC | Errno::DQUOT | Errno::FBIG => NtStatus::DISK_FULL,
        Errno::ROFS => NtStatus::MEDIA_WRITE_PROTECTED,
        Errno::XDEV => NtStatus::NOT_SAME_DEVICE,
        Errno::LOOP => NtStatus::REPARSE_POINT_NOT_RESOLVED,
        Errno::MLINK => NtStatus::TOO_MANY_LINKS,
        Errno::MFILE | Errno::NFILE => NtStatus::TOO_MANY_OPENED_FILES,
        Errno::NOMEM => NtStatus::INSUFFICIENT_RESOURCES,
        Errno::INVAL | Errno::OVERFLOW => NtStatus::INVALID_PARAMETER,
        Errno::TXTBSY | Errno::BUSY | Errno::AGAIN => NtStatus::SHARING_VIOLATION,
        // Opening a socket, a device without a driver.
        Errno::NXIO | Errno::NODEV => NtStatus::ACCESS_DENIED,
        Errno::OPNOTSUPP | Errno::NOSYS | Errno::NOTTY => NtStatus::NOT_SUPPORTED,
        Errno::IO => NtStatus::IO_DEVICE_ERROR,
        Errno::STALE => NtStatus::FILE_CLOSED,
        _ => NtStatus::UNEXPECTED_IO_ERROR,
    }
}

/// The same for an error of the standard library's.
pub(super) fn io_status(error: &std::io::Error) -> NtStatus {
    Errno::from_io_error(error).map_or(NtStatus::UNEXPECTED_IO_ERROR, status)
}

/// The same while directories on the way to a name are opened.
pub(super) fn parent_status(errno: Errno) -> NtStatus {
    match errno {
        Errno::NOENT | Errno::NOTDIR => NtStatus::OBJECT_PATH_NOT_FOUND,
        other => resolve_status(other),
    }
}

/// The same while the kernel resolves a path beneath the root: EXDEV says that it leads out.
pub(super) fn resolve_status(errno: Errno) -> NtStatus {
    match errno {
        Errno::XDEV => NtStatus::ACCESS_DENIED,
        other => status(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table() {
        let rows = [
            (Errno::ACCESS, NtStatus::ACCESS_DENIED),
            (Errno::PERM, NtStatus::ACCESS_DENIED),
            (Errno::BADF, NtStatus::ACCESS_DENIED),
            (Errno::NOENT, NtStatus::OBJECT_NAME_NOT_FOUND),
            (Errno::NOTDIR, NtStatus::OBJECT_PATH_NOT_FOUND),
            (Errno::ISDIR, NtStatus::FILE_IS_A_DIRECTORY),
            (Errno::EXIST, NtStatus::OBJECT_NAME_COLLISION),
            (Errno::NOTEMPTY, NtStatus::DIRECTORY_NOT_EMPTY),
            (Errno::NAMETOOLONG, NtStatus::OBJECT_NAME_INVALID),
            (Errno::NOSPC, NtStatus::DISK_FULL),
            (Errno::DQUOT, NtStatus::DISK_FULL),
            (Errno::FBIG, NtStatus::DISK_FULL),
            (Errno::ROFS, NtStatus::MEDIA_WRITE_PROTECTED),
            (Errno::XDEV, NtStatus::NOT_SAME_DEVICE),
            (Errno::LOOP, NtStatus::REPARSE_POINT_NOT_RESOLVED),
            (Errno::MLINK, NtStatus::TOO_MANY_LINKS),
            (Errno::MFILE, NtStatus::TOO_MANY_OPENED_FILES),
            (Errno::NFILE, NtStatus::TOO_MANY_OPENED_FILES),
            (Errno::NOMEM, NtStatus::INSUFFICIENT_RESOURCES),
            (Errno::INVAL, NtStatus::INVALID_PARAMETER),
            (Errno::BUSY, NtStatus::SHARING_VIOLATION),
            (Errno::NXIO, NtStatus::ACCESS_DENIED),
            (Errno::OPNOTSUPP, NtStatus::NOT_SUPPORTED),
            (Errno::IO, NtStatus::IO_DEVICE_ERROR),
            (Errno::CONNRESET, NtStatus::UNEXPECTED_IO_ERROR),
        ];
        for (errno, expected) in rows {
            assert_eq!(status(errno), expected, "{errno:?}");
        }
        assert_eq!(parent_status(Errno::NOENT), NtStatus::OBJECT_PATH_NOT_FOUND);
        assert_eq!(parent_status(Errno::NOTDIR), NtStatus::OBJECT_PATH_NOT_FOUND);
        assert_eq!(parent_status(Errno::XDEV), NtStatus::ACCESS_DENIED);
        assert_eq!(resolve_status(Errno::NOENT), NtStatus::OBJECT_NAME_NOT_FOUND);
    }
}
