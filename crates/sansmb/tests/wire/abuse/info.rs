//! Rows O11 to O16 and M2 to M14: commands on files, and what stands in their buffers.

use std::fmt::Debug;

use super::{patched, refused};
use crate::packet::packet;
use sansmb::rpc::Pdu;
use sansmb::rpc::srvsvc::ShareEnumResponse;
use sansmb::wire::dtyp::SecurityDescriptor;
use sansmb::wire::fscc::{
    DirEntries, EaEntries, FileAllInfo, FileInfoClass, FileNameInfo, FileRenameInfo, FsAttributeInfo,
    FsVolumeInfo, GetEaEntries, NotifyEntries, QueryQuotaInfo, QuotaEntries, StreamEntries,
};
use sansmb::wire::fsctl::{
    DfsReferralRequest, DfsReferralResponse, NetworkInterfaces, ReparseData, SnapshotArray, SrvCopychunkCopy,
    ValidateNegotiateRequest,
};
use sansmb::wire::{
    Body, ChangeNotifyResponse, DecodeErrorKind, IoctlRequest, IoctlResponse, LockFlags, LockRequest,
    QueryDirectoryRequest, QueryDirectoryResponse, QueryInfoRequest, QueryInfoResponse, ReadResponse,
    SetInfoRequest, Structure,
};

const BODY: usize = 64;

/// Everything that can stand in a buffer: nothing panics, whatever it claims to be.
pub(super) fn decode_buffer(bytes: &[u8]) {
    fn show<'m, T: Structure<'m>>(bytes: &'m [u8]) {
        // Encoding walks through all lists.
        if let Ok(value) = T::decode(bytes) {
            value.to_vec();
        }
    }
    show::<FileAllInfo<'_>>(bytes);
    show::<FileRenameInfo<'_>>(bytes);
    show::<FsVolumeInfo<'_>>(bytes);
    show::<QueryQuotaInfo<'_>>(bytes);
    show::<SecurityDescriptor<'_>>(bytes);
    show::<ReparseData<'_>>(bytes);
    show::<DfsReferralRequest<'_>>(bytes);
    show::<DfsReferralResponse<'_>>(bytes);
    show::<SrvCopychunkCopy<'_>>(bytes);
    show::<SnapshotArray<'_>>(bytes);
    show::<ValidateNegotiateRequest<'_>>(bytes);
    EaEntries::new(bytes).for_each(drop);
    GetEaEntries::new(bytes).for_each(drop);
    StreamEntries::new(bytes).for_each(drop);
    NotifyEntries::new(bytes).for_each(drop);
    QuotaEntries::new(bytes).for_each(drop);
    NetworkInterfaces::new(bytes).for_each(drop);
    for class in [2, 12, 37, 60, 79] {
        DirEntries::new(FileInfoClass(class), bytes).into_iter().flatten().for_each(drop);
    }
    let _ = Pdu::decode(bytes);
    if let Ok(response) = ShareEnumResponse::decode(bytes) {
        response.encode();
    }
}

#[test]
fn o11_lock_count_that_lies_is_refused() {
    let msg = packet("lock/request_many");
    for count in [3_u16, 0x0AAB, u16::MAX] {
        assert_eq!(
            refused::<LockRequest<'_>>(&patched(&msg, BODY + 2, count.to_le_bytes())),
            DecodeErrorKind::Truncated
        );
    }
}

#[test]
fn o11_no_locks_parse_so_that_the_server_can_answer() {
    let msg = patched(&packet("lock/request_one"), BODY + 2, [0, 0]);
    assert!(LockRequest::decode(&msg).unwrap().locks.is_empty());
}

#[test]
fn o11_odd_ranges_flags_and_sequences_survive_parsing() {
    let mut msg = packet("lock/request_one");
    msg[BODY + 4..BODY + 8].fill(0xFF);
    msg[BODY + 24..BODY + 44].fill(0xFF);
    let lock = LockRequest::decode(&msg).unwrap();
    assert_eq!((lock.sequence_index(), lock.sequence_number()), (0x0FFF_FFFF, 15));
    let element = lock.locks.get(0).unwrap();
    assert_eq!((element.offset, element.length), (u64::MAX, u64::MAX));
    assert!(!element.flags.is_valid());
    let both = LockFlags::SHARED | LockFlags::EXCLUSIVE;
    let unlock_now = LockFlags::UNLOCK | LockFlags::FAIL_IMMEDIATELY;
    assert!([both, unlock_now, LockFlags::empty()].iter().all(|flags| !flags.is_valid()));
}

#[test]
fn o12_pattern_outside_or_odd_is_refused() {
    let msg = packet("query_directory/request_id_both");
    let at = |offset: u16, length: u16| {
        let msg = patched(&msg, BODY + 24, offset.to_le_bytes());
        patched(&msg, BODY + 26, length.to_le_bytes())
    };
    let end = msg.len() as u16;
    for (offset, length) in
        [(0, 2), (BODY as u16, 2), (95, 2), (96, 4), (end, 2), (u16::MAX, 2), (96, u16::MAX)]
    {
        assert_eq!(refused::<QueryDirectoryRequest<'_>>(&at(offset, length)), DecodeErrorKind::Range);
    }
    assert_eq!(refused::<QueryDirectoryRequest<'_>>(&at(96, 1)), DecodeErrorKind::OddUtf16);
    let empty = at(u16::MAX, 0);
    assert!(QueryDirectoryRequest::decode(&empty).unwrap().pattern.is_empty());
}

/// A list of `entries`, the bytes of each behind its NextEntryOffset.
fn chain(entries: &[(u32, &[u8])]) -> Vec<u8> {
    entries.iter().flat_map(|(next, bytes)| [&next.to_le_bytes()[..], bytes].concat()).collect()
}

#[test]
fn o13_ea_list_that_loops_or_is_short_ends() {
    let entry: &[u8] = &[0, 1, 1, 0, b'n', 0, b'v', 0];
    let good = chain(&[(12, entry), (0, entry)]);
    assert_eq!(EaEntries::new(&good).map(Result::unwrap).count(), 2);
    for next in [1_u32, 4, 7, 0x8000_0000, 0xFFFF_FFF4, u32::MAX, 25] {
        let bad = chain(&[(next, entry), (0, entry)]);
        let list: Vec<_> = EaEntries::new(&bad).collect();
        assert!(list.len() == 1 && list[0].is_err(), "{next:#x}");
    }
    for short in 1..8 {
        assert!(EaEntries::new(&good[..short]).next().unwrap().is_err());
    }
}

#[test]
fn o13_wanted_ea_names_that_lie_are_refused() {
    let good = chain(&[(0, &[1, b'n', 0])]);
    assert_eq!(GetEaEntries::new(&good).next().unwrap().unwrap().name, b"n");
    for len in [2_u8, 3, 255] {
        assert!(GetEaEntries::new(&patched(&good, 4, [len])).next().unwrap().is_err());
    }
}

#[test]
fn o13_every_class_says_how_long_its_fixed_part_is() {
    assert_eq!((FileAllInfo::FIXED_LEN, FileNameInfo::FIXED_LEN), (100, 4));
    assert_eq!(FileInfoClass::ID_BOTH_DIRECTORY.dir_entry_len(), Some(104));
    assert_eq!(FileInfoClass::BASIC.dir_entry_len(), None);
}

#[test]
fn o14_rename_length_that_lies_is_refused() {
    let msg = packet("set_info/request_rename");
    let set = SetInfoRequest::decode(&msg).unwrap();
    let len = set.buffer.len() as u32;
    for name_len in [len - 18, len, 0x8000_0000, u32::MAX - 1] {
        assert!(FileRenameInfo::decode(&patched(set.buffer, 16, name_len.to_le_bytes())).is_err());
    }
    assert!(FileRenameInfo::decode(&patched(set.buffer, 16, [3, 0, 0, 0])).is_err());
    let rooted = patched(set.buffer, 8, [1]);
    assert_eq!(FileRenameInfo::decode(&rooted).unwrap().root_directory, 1);
}

#[test]
fn o14_ea_lengths_that_lie_are_refused() {
    let msg = packet("set_info/request_full_ea");
    let set = SetInfoRequest::decode(&msg).unwrap();
    // Lengths of the name: the byte behind it is no NUL, or it is longer than the buffer.
    for len in [3_u8, 5, 200, 255] {
        assert!(EaEntries::new(&patched(set.buffer, 5, [len])).next().unwrap().is_err());
    }
    for len in [8_u16, 0x7FFF, u16::MAX] {
        let bad = patched(set.buffer, 6, len.to_le_bytes());
        assert!(EaEntries::new(&bad).next().unwrap().is_err(), "{len}");
    }
}

#[test]
fn o14_set_info_buffer_outside_is_refused() {
    let msg = packet("set_info/request_basic");
    for (length, offset) in [(41_u32, 96_u16), (40, 97), (40, 95), (40, 0), (u32::MAX, 96), (1, u16::MAX)] {
        let bad = patched(&msg, BODY + 4, length.to_le_bytes());
        let bad = patched(&bad, BODY + 8, offset.to_le_bytes());
        assert_eq!(refused::<SetInfoRequest<'_>>(&bad), DecodeErrorKind::Range);
    }
}

#[test]
fn o16_ioctl_buffers_outside_or_over_the_header_are_refused() {
    let msg = packet("ioctl/request_copychunk");
    let input = |offset: u32, count: u32| {
        let msg = patched(&msg, BODY + 24, offset.to_le_bytes());
        patched(&msg, BODY + 28, count.to_le_bytes())
    };
    for (offset, count) in
        [(0, 80), (64, 80), (119, 80), (121, 80), (120, 81), (u32::MAX, 1), (120, u32::MAX)]
    {
        assert_eq!(refused::<IoctlRequest<'_>>(&input(offset, count)), DecodeErrorKind::Range);
    }
    let output = patched(&msg, BODY + 40, [1, 0, 0, 0]);
    let output = patched(&output, BODY + 36, 64_u32.to_le_bytes());
    assert_eq!(refused::<IoctlRequest<'_>>(&output), DecodeErrorKind::Range);
    let msg = packet("ioctl/response_copychunk");
    for (offset, count) in
        [(0_u32, 12_u32), (111, 12), (113, 12), (112, 13), (u32::MAX - 3, 4), (112, u32::MAX)]
    {
        let bad = patched(&msg, BODY + 32, offset.to_le_bytes());
        let bad = patched(&bad, BODY + 36, count.to_le_bytes());
        assert_eq!(refused::<IoctlResponse<'_>>(&bad), DecodeErrorKind::Range);
    }
}

#[test]
fn o16_chunk_count_that_lies_is_refused() {
    let msg = packet("ioctl/request_copychunk");
    let input = IoctlRequest::decode(&msg).unwrap().input;
    for count in [3_u32, 0x0AAA_AAAB, u32::MAX] {
        assert!(SrvCopychunkCopy::decode(&patched(input, 24, count.to_le_bytes())).is_err());
    }
}

#[test]
fn m2_read_data_outside_or_in_the_header_is_refused() {
    let msg = packet("read/response");
    let read = |offset: u8, length: u32| {
        let msg = patched(&msg, BODY + 2, [offset]);
        patched(&msg, BODY + 4, length.to_le_bytes())
    };
    let len = (msg.len() - 80) as u32;
    for (offset, length) in
        [(0, len), (64, len), (79, len), (81, len), (80, len + 1), (255, 1), (80, u32::MAX)]
    {
        let kind = refused::<ReadResponse<&[u8]>>(&read(offset, length));
        assert!(kind == DecodeErrorKind::Range || offset == 255, "{offset} {length}");
    }
}

/// A directory of two entries.
fn directory() -> Vec<u8> {
    let msg = packet("query_directory/response_names");
    QueryDirectoryResponse::decode(&msg).unwrap().buffer.to_vec()
}

#[test]
fn m3_directory_that_loops_or_is_short_ends() {
    let good = directory();
    let entries = |bytes: &[u8]| {
        DirEntries::new(FileInfoClass::NAMES, bytes).unwrap().map(|entry| entry.is_ok()).collect::<Vec<_>>()
    };
    assert_eq!(entries(&good), [true; 3]);
    for next in [1_u32, 4, 8, 11, 13, 0x8000_0000, 0xFFFF_FFF0, u32::MAX, good.len() as u32 + 1] {
        let list = entries(&patched(&good, 0, next.to_le_bytes()));
        assert_eq!(list, [false], "{next:#x}");
        let list = entries(&patched(&good, 16, next.to_le_bytes()));
        assert_eq!(list, [true, false], "{next:#x}");
    }
}

#[test]
fn m3_name_length_that_lies_is_refused() {
    let good = directory();
    for len in [5_u32, 6, 0x7FFF_FFFE, 0x8000_0000, u32::MAX, 1] {
        let bad = patched(&good, 8, len.to_le_bytes());
        assert!(DirEntries::new(FileInfoClass::NAMES, &bad).unwrap().next().unwrap().is_err());
    }
    // A short name that is longer than its 24 bytes.
    let msg = packet("query_directory/response_id_both");
    let good = QueryDirectoryResponse::decode(&msg).unwrap().buffer;
    for len in [25_u8, 26, 128, 255] {
        let bad = patched(good, 68, [len]);
        assert!(DirEntries::new(FileInfoClass::ID_BOTH_DIRECTORY, &bad).unwrap().next().unwrap().is_err());
    }
}

#[test]
fn m3_names_that_lead_elsewhere_are_not_plain() {
    let plain = |name: &str| {
        let name = sansmb::wire::Utf16Buf::new(name);
        sansmb::wire::fscc::DirEntry { name: name.as_utf16(), ..Default::default() }.has_plain_name()
    };
    for bad in ["", ".", "..", "a/b", "../x", "a\\b", "\\", "/", "x\0", "..\\..\\x"] {
        assert!(!plain(bad), "{bad:?}");
    }
    for good in ["...", ".x", "a", "a..b", "ä ö", "..."] {
        assert!(plain(good), "{good:?}");
    }
}

#[test]
fn m3_stream_list_that_lies_ends() {
    let msg = packet("query_info/response_streams");
    let good = QueryInfoResponse::decode(&msg).unwrap().buffer;
    for next in [8_u32, 23, 0x8000_0000, u32::MAX] {
        let bad = patched(good, 0, next.to_le_bytes());
        assert!(StreamEntries::new(&bad).collect::<Vec<_>>().iter().all(Result::is_err));
    }
    for len in [26_u32, 0x7FFF_FFFF, u32::MAX - 1] {
        let bad = patched(good, 4, len.to_le_bytes());
        assert!(StreamEntries::new(&bad).next().unwrap().is_err());
    }
}

#[test]
fn m4_variable_parts_longer_than_the_buffer_are_refused() {
    let buffer = |name: &str| {
        let msg = packet(name);
        QueryInfoResponse::decode(&msg).unwrap().buffer.to_vec()
    };
    let (all, volume) = (buffer("query_info/response_all"), buffer("query_info/response_fs_volume"));
    let attribute = buffer("query_info/response_fs_attribute");
    for extra in [2_u32, 0x7FFF_0000, 0xFFFF_0000] {
        let len = |bytes: &[u8], fixed: usize| (bytes.len() - fixed) as u32 + extra;
        assert!(FileAllInfo::decode(&patched(&all, 96, len(&all, 100).to_le_bytes())).is_err());
        assert!(FsVolumeInfo::decode(&patched(&volume, 12, len(&volume, 18).to_le_bytes())).is_err());
        assert!(FsAttributeInfo::decode(&patched(&attribute, 8, len(&attribute, 12).to_le_bytes())).is_err());
    }
}

#[test]
fn m6_interfaces_of_a_lying_server_end() {
    let msg = packet("ioctl/response_interfaces");
    let good = IoctlResponse::decode(&msg).unwrap().output;
    for next in [1_u32, 8, 151, 153, 0x8000_0000, u32::MAX - 151] {
        let bad = patched(good, 0, next.to_le_bytes());
        let list: Vec<_> = NetworkInterfaces::new(&bad).collect();
        assert!(list.len() <= 2 && list.last().unwrap().is_err(), "{next:#x}");
    }
}

#[test]
fn m14_output_buffers_beyond_the_frame_are_refused() {
    fn check<'m, B: Body<'m> + Debug>(messages: &'m [Vec<u8>]) {
        for msg in messages {
            assert_eq!(refused::<B>(msg), DecodeErrorKind::Range);
        }
    }
    let lies = |name: &str| {
        let msg = packet(name);
        let len = (msg.len() - 72) as u32;
        [(72_u16, len + 1), (73, len), (72, u32::MAX), (u16::MAX, 1), (0, len), (71, len)]
            .map(|(offset, length)| {
                let msg = patched(&msg, BODY + 2, offset.to_le_bytes());
                patched(&msg, BODY + 4, length.to_le_bytes())
            })
            .to_vec()
    };
    check::<QueryInfoResponse<'_>>(&lies("query_info/response_ea"));
    check::<QueryDirectoryResponse<'_>>(&lies("query_directory/response_names"));
    check::<ChangeNotifyResponse<'_>>(&lies("change_notify/response"));
    let msg = packet("query_info/request_all");
    for (offset, length) in [(64_u16, 1_u32), (104, 2), (u16::MAX, 1), (104, u32::MAX)] {
        let bad = patched(&msg, BODY + 8, offset.to_le_bytes());
        let bad = patched(&bad, BODY + 12, length.to_le_bytes());
        assert_eq!(refused::<QueryInfoRequest<'_>>(&bad), DecodeErrorKind::Range);
    }
}
