//! What to tell somebody who uses a file tool.

use super::NtStatus;

impl NtStatus {
    /// A sentence for the user, without the jargon of the protocol; the plain description where
    /// there is no better one, and "unknown" for a status without a name.
    pub const fn message(self) -> &'static str {
        match self {
            Self::SUCCESS => "It worked.",
            Self::PENDING => "The server is still working on it.",
            Self::TIMEOUT | Self::IO_TIMEOUT => "The server took too long.",
            Self::NOTIFY_ENUM_DIR => "Too much changed at once: list the directory again.",
            Self::BUFFER_OVERFLOW => "The answer is longer than there was room for.",
            Self::BUFFER_TOO_SMALL => "The answer did not fit.",
            Self::NO_MORE_FILES | Self::NO_SUCH_FILE => "No file matches.",
            Self::STOPPED_ON_SYMLINK => "The path leads through a symbolic link.",
            Self::UNSUCCESSFUL => "The server failed and does not say why.",
            Self::NOT_IMPLEMENTED => "The server has not implemented this.",
            Self::NOT_SUPPORTED => "The server does not support this.",
            Self::INVALID_DEVICE_REQUEST => "This cannot be done with this file on this server.",
            Self::INVALID_INFO_CLASS | Self::INVALID_LEVEL => {
                "The server does not know this kind of information."
            }
            Self::INVALID_PARAMETER => "The server calls the request invalid.",
            Self::INVALID_HANDLE | Self::FILE_CLOSED => "The file is no longer open.",
            Self::END_OF_FILE => "The file ends before this place.",
            Self::NO_MEMORY | Self::INSUFFICIENT_RESOURCES | Self::INSUFF_SERVER_RESOURCES => {
                "The server is out of memory or other resources."
            }
            Self::ACCESS_DENIED => "Permission denied.",
            Self::NETWORK_ACCESS_DENIED => "Access over the network is denied.",
            Self::PRIVILEGE_NOT_HELD => "The user lacks a privilege that this needs.",
            Self::OBJECT_NAME_NOT_FOUND | Self::NOT_FOUND => "No such file or directory.",
            Self::OBJECT_PATH_NOT_FOUND => "No such directory on the way to it.",
            Self::OBJECT_NAME_INVALID => "The server does not allow this name.",
            Self::OBJECT_PATH_SYNTAX_BAD | Self::OBJECT_PATH_INVALID => "This is not a valid path.",
            Self::NAME_TOO_LONG => "The name is too long.",
            Self::OBJECT_NAME_COLLISION | Self::OBJECT_NAME_EXISTS => "It exists already.",
            Self::SHARING_VIOLATION => "Somebody else has the file open.",
            Self::FILE_LOCK_CONFLICT | Self::LOCK_NOT_GRANTED => {
                "Somebody else has locked this part of the file."
            }
            Self::RANGE_NOT_LOCKED => "This part of the file was not locked.",
            Self::DELETE_PENDING => "The file is being deleted.",
            Self::FILE_DELETED => "The file was deleted.",
            Self::CANNOT_DELETE => "It cannot be deleted; it may be read-only.",
            Self::DIRECTORY_NOT_EMPTY => "The directory is not empty.",
            Self::FILE_IS_A_DIRECTORY => "It is a directory.",
            Self::NOT_A_DIRECTORY => "It is not a directory.",
            Self::NOT_SAME_DEVICE => "It cannot be moved to another file system.",
            Self::TOO_MANY_LINKS => "The file has too many hard links.",
            Self::TOO_MANY_OPENED_FILES => "Too many files are open on the server.",
            Self::FILE_TOO_LARGE => "The file is too large.",
            Self::DISK_FULL => "No space left on the server.",
            Self::QUOTA_EXCEEDED | Self::DISK_QUOTA_EXCEEDED => "The disk quota is used up.",
            Self::MEDIA_WRITE_PROTECTED => "The file system is read-only.",
            Self::FILE_CORRUPT_ERROR | Self::DISK_CORRUPT_ERROR | Self::CRC_ERROR | Self::DATA_ERROR => {
                "The data on the server is damaged."
            }
            Self::IO_DEVICE_ERROR | Self::UNEXPECTED_IO_ERROR => "The server's storage failed.",
            Self::FILE_IS_OFFLINE => "The file is in remote storage and not at hand.",
            Self::EAS_NOT_SUPPORTED => "The server does not keep extended attributes.",
            Self::NO_EAS_ON_FILE => "The file has no extended attributes.",
            Self::EA_TOO_LARGE => "The extended attributes are too large.",
            Self::NOT_A_REPARSE_POINT => "It is not a link.",
            Self::IO_REPARSE_TAG_NOT_HANDLED => "It is a special file that the server cannot open.",
            Self::LOGON_FAILURE | Self::WRONG_PASSWORD | Self::NO_SUCH_USER => {
                "The user name or the password is wrong."
            }
            Self::ACCOUNT_RESTRICTION => "The account must not log on this way (is the password empty?).",
            Self::INVALID_LOGON_HOURS | Self::LOGIN_TIME_RESTRICTION => {
                "The account must not log on at this hour."
            }
            Self::INVALID_WORKSTATION | Self::LOGIN_WKSTA_RESTRICTION => {
                "The account must not log on from this machine."
            }
            Self::PASSWORD_EXPIRED => "The password has expired.",
            Self::PASSWORD_MUST_CHANGE => "The password must be changed before the first use.",
            Self::ACCOUNT_DISABLED => "The account is disabled.",
            Self::ACCOUNT_EXPIRED => "The account has expired.",
            Self::ACCOUNT_LOCKED_OUT => "The account is locked after too many wrong passwords.",
            Self::LOGON_TYPE_NOT_GRANTED => "The account must not log on over the network.",
            Self::NTLM_BLOCKED => "The server does not accept NTLM.",
            Self::NO_LOGON_SERVERS => "No domain controller could check the password.",
            Self::TIME_DIFFERENCE_AT_DC => "The clocks of client and server differ too much.",
            Self::TRUSTED_RELATIONSHIP_FAILURE | Self::TRUSTED_DOMAIN_FAILURE => {
                "The server is not on good terms with its domain."
            }
            Self::BAD_NETWORK_NAME => "There is no such share.",
            Self::BAD_NETWORK_PATH => "The server or the path was not found.",
            Self::NETWORK_NAME_DELETED => "The share is gone, or the connection to it.",
            Self::BAD_DEVICE_TYPE => "The share is of another kind.",
            Self::PATH_NOT_COVERED => "The path continues on another server (DFS).",
            Self::USER_SESSION_DELETED => "The server ended the session.",
            Self::NETWORK_SESSION_EXPIRED => "The session has expired.",
            Self::REQUEST_NOT_ACCEPTED => "The server takes no more connections now.",
            Self::TOO_MANY_SESSIONS | Self::REMOTE_SESSION_LIMIT => "The server has too many sessions.",
            Self::SHARING_PAUSED => "The server is paused.",
            Self::SERVER_SHUTDOWN_IN_PROGRESS | Self::SYSTEM_SHUTDOWN => "The server is shutting down.",
            Self::SERVER_UNAVAILABLE | Self::SHARE_UNAVAILABLE => "The server is not available now.",
            Self::FILE_NOT_AVAILABLE => "The file is not available now.",
            Self::CONNECTION_REFUSED => "The server refused the connection.",
            Self::CONNECTION_RESET | Self::CONNECTION_DISCONNECTED | Self::CONNECTION_ABORTED => {
                "The connection was lost."
            }
            Self::HOST_UNREACHABLE | Self::NETWORK_UNREACHABLE | Self::HOST_DOWN => {
                "The server cannot be reached."
            }
            Self::PIPE_NOT_AVAILABLE | Self::INSTANCE_NOT_AVAILABLE | Self::PIPE_BUSY => {
                "The service on the server is busy."
            }
            Self::PIPE_BROKEN | Self::PIPE_DISCONNECTED | Self::PIPE_CLOSING => {
                "The service on the server closed the connection."
            }
            Self::CANCELLED => "It was cancelled.",
            Self::VIRUS_INFECTED | Self::VIRUS_DELETED => "The server found a virus in the file.",
            Self::OPLOCK_NOT_GRANTED => "The server does not let the file be cached.",
            Self::VOLUME_DISMOUNTED => "The file system on the server was taken away.",
            Self::DEVICE_NOT_READY | Self::NO_MEDIA_IN_DEVICE => "There is no disk in the server's drive.",
            Self::SMB_NO_PREAUTH_INTEGRITY_HASH_OVERLAP => "Client and server know no common hash algorithm.",
            _ => match self.description() {
                Some(text) => text,
                None => "The server gave a status that is not known.",
            },
        }
    }
}
