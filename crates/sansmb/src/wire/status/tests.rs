use alloc::format;

use super::NtStatus;

#[test]
fn severity_splits_the_numbers() {
    for (status, success, warning, error) in [
        (NtStatus::SUCCESS, true, false, false),
        (NtStatus::PENDING, true, false, false),
        (NtStatus(0x4000_0000), true, false, false),
        (NtStatus::NO_MORE_FILES, false, true, false),
        (NtStatus::ACCESS_DENIED, false, false, true),
    ] {
        assert_eq!((status.is_success(), status.is_warning(), status.is_error()), (success, warning, error));
    }
}

#[test]
fn names_and_numbers() {
    assert_eq!(format!("{}", NtStatus::BAD_NETWORK_NAME), "BAD_NETWORK_NAME");
    assert_eq!(format!("{:?}", NtStatus(0xC000_FFFF)), "0xc000ffff");
    assert_eq!(NtStatus::NETWORK_SESSION_EXPIRED, NtStatus(0xC000_035C));
    assert_eq!(NtStatus::USER_SESSION_DELETED, NtStatus(0xC000_0203));
    assert_eq!(NtStatus::PATH_NOT_COVERED, NtStatus(0xC000_0257));
}

#[test]
fn messages_are_sentences() {
    assert_eq!(NtStatus::OBJECT_NAME_NOT_FOUND.message(), "No such file or directory.");
    assert_eq!(NtStatus::NOT_LOCKED.message(), "The range was not locked.");
    for status in [NtStatus(0xDEAD_BEEF), NtStatus::SUCCESS, NtStatus::DISK_FULL, NtStatus::NO_LOG_SPACE] {
        assert!(status.message().ends_with('.'));
    }
}
