use alloc::vec;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, SocketAddr};

use proptest::prelude::*;

use super::super::fscc::EntryWriter;
use super::super::{
    Capabilities, DecodeErrorKind, Dialect, Guid, List, SecurityMode, Structure, SymlinkFlags, U16List,
    Utf16Buf,
};
use super::*;

fn round_trip<'m, T: Structure<'m> + PartialEq + core::fmt::Debug>(value: &T, bytes: &'m mut Vec<u8>) {
    *bytes = value.to_vec();
    let bytes = &*bytes;
    let decoded = T::decode(bytes).unwrap();
    assert_eq!(&decoded, value);
    assert_eq!(&decoded.to_vec(), bytes);
}

proptest! {
    #[test]
    fn structures_round_trip(
        text in "\\PC{0,20}",
        other in "\\PC{0,20}",
        data in prop::collection::vec(any::<u8>(), 0..40),
        key in any::<[u8; 24]>(),
        numbers in any::<[u32; 4]>(),
        ranges in prop::collection::vec((any::<u64>(), any::<u64>()), 0..5),
        guid in any::<[u8; 16]>(),
    ) {
        let (text, other) = (Utf16Buf::new(&text), Utf16Buf::new(&other));
        let (substitute_name, print_name) = (text.as_utf16(), other.as_utf16());
        let [a, b, c, d] = numbers;
        let flags = SymlinkFlags::from_bits_retain(a);
        let mut out = Vec::new();
        round_trip(&ReparseData::Symlink { substitute_name, print_name, flags }, &mut out);
        let mut out = Vec::new();
        round_trip(&ReparseData::MountPoint { substitute_name, print_name }, &mut out);
        let mut out = Vec::new();
        round_trip(&ReparseData::Nfs { file_type: NfsFileType::CHR, data: &data }, &mut out);
        let mut out = Vec::new();
        round_trip(&ReparseData::LxSymlink { target: &data }, &mut out);
        let mut out = Vec::new();
        round_trip(&ReparseData::Raw { tag: ReparseTag::AF_UNIX, data: &data }, &mut out);
        let mut out = Vec::new();
        let tag = ReparseTag(a & 0x7FFF_FFFF);
        round_trip(&ReparseData::Guid { tag, guid: Guid(guid), data: &data }, &mut out);
        let mut out = Vec::new();
        round_trip(&PipeWait { timeout: Some(a.into()), name: substitute_name }, &mut out);
        let mut out = Vec::new();
        round_trip(&PipePeek {
            named_pipe_state: a,
            read_data_available: b,
            number_of_messages: c,
            message_length: d,
            data: &data,
        }, &mut out);
        let chunks: Vec<_> = ranges.iter()
            .map(|&(source_offset, target_offset)| SrvCopychunk { source_offset, target_offset, length: b })
            .collect();
        let mut out = Vec::new();
        round_trip(&SrvCopychunkCopy { source_key: key, chunks: List::Values(&chunks) }, &mut out);
        let ranges: Vec<_> = ranges.iter().map(|&(offset, length)| FileRange { offset, length }).collect();
        let mut out = Vec::new();
        round_trip(&FileRanges(List::Values(&ranges)), &mut out);
        let mut out = Vec::new();
        round_trip(&FileLevelTrim { key: a, ranges: List::Values(&ranges) }, &mut out);
        let dialects = [Dialect::SMB2_1, Dialect::SMB3_0];
        let mut out = Vec::new();
        round_trip(&ValidateNegotiateRequest {
            capabilities: Capabilities::from_bits_retain(a),
            guid: Guid(guid),
            security_mode: SecurityMode::SIGNING_REQUIRED,
            dialects: U16List::from(&dialects),
        }, &mut out);
        let mut out = Vec::new();
        round_trip(&DuplicateExtentsEx::default(), &mut out);
        let regions: Vec<_> = ranges
            .iter()
            .map(|range| FileRegion { offset: range.offset, length: range.length, usage: RegionUsage::from_bits_retain(a) })
            .collect();
        let mut out = Vec::new();
        round_trip(&FileRegionOutput { total: b, regions: List::Values(&regions) }, &mut out);
        let mut out = Vec::new();
        round_trip(&NtfsVolumeData { total_clusters: b.into(), bytes_per_sector: a, ..Default::default() }, &mut out);
        let mut out = Vec::new();
        round_trip(&DfsReferralRequest { max_referral_level: 4, path: print_name }, &mut out);
        let mut out = Vec::new();
        let site_name = Some(substitute_name);
        round_trip(&DfsReferralRequestEx { max_referral_level: 4, path: print_name, site_name }, &mut out);
    }

    #[test]
    fn garbage_does_not_panic(tag in any::<u8>(), mut bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if tag < 200 && bytes.len() >= 4 {
            let tags = [0xA000_0003_u32, 0xA000_000C, 0x8000_0014, 0xA000_001D, 0x0000_0007];
            bytes[..4].copy_from_slice(&tags[usize::from(tag) % 5].to_le_bytes());
        }
        let _ = ReparseData::decode(&bytes);
        let _ = SrvCopychunkCopy::decode(&bytes);
        let _ = SrvRequestResumeKey::decode(&bytes);
        let _ = ValidateNegotiateRequest::decode(&bytes);
        let _ = DfsReferralRequest::decode(&bytes);
        let _ = DfsReferralRequestEx::decode(&bytes);
        let _ = FileLevelTrim::decode(&bytes);
        let _ = FileRegionInput::decode(&bytes);
        let _ = FileRegionOutput::decode(&bytes);
        let _ = PipeWait::decode(&bytes);
        if let Ok(snapshots) = SnapshotArray::decode(&bytes) {
            snapshots.iter().for_each(drop);
        }
        if let Ok(response) = DfsReferralResponse::decode(&bytes) {
            response.referrals.iter().for_each(drop);
        }
        NetworkInterfaces::new(&bytes).for_each(drop);
    }
}

fn interface(n: u32) -> NetworkInterfaceInfo {
    NetworkInterfaceInfo {
        if_index: n,
        capability: InterfaceCapability::RSS_CAPABLE,
        link_speed: 10_000_000_000,
        address: IpAddr::V4(Ipv4Addr::new(192, 0, 2, n as u8)).into(),
    }
}

fn interface_list() -> Vec<u8> {
    let mut w = EntryWriter::new(usize::MAX);
    assert!((1..=3).all(|n| w.push(&interface(n))));
    w.finish()
}

#[test]
fn interfaces_round_trip() {
    let bytes = interface_list();
    assert_eq!(bytes.len(), 3 * 152);
    let read: Vec<_> = NetworkInterfaces::new(&bytes).map(Result::unwrap).collect();
    assert_eq!(read, [interface(1), interface(2), interface(3)]);
    let v6: SocketAddr = "[2001:db8::1%7]:0".parse().unwrap();
    let v6 = NetworkInterfaceInfo { address: SocketAddress::Ip(v6), ..interface(1) };
    assert_eq!(NetworkInterfaceInfo::decode(&v6.to_vec()), Ok(v6));
    let other = NetworkInterfaceInfo { address: SocketAddress::Other(99, [7; 126]), ..interface(1) };
    assert_eq!(NetworkInterfaceInfo::decode(&other.to_vec()), Ok(other));
}

#[test]
fn m6_interface_list_that_loops_or_underflows_ends() {
    let good = interface_list();
    for next in [1_u32, 4, 8, 151, 0x8000_0000, 0xFFFF_FF68, u32::MAX, 153] {
        let mut bad = good.clone();
        bad[152..156].copy_from_slice(&next.to_le_bytes());
        let read: Vec<_> = NetworkInterfaces::new(&bad).collect();
        assert!(read.len() <= 3 && read.last().unwrap().is_err(), "{next:#x}");
    }
}

#[test]
fn m6_no_interfaces_is_an_empty_list() {
    assert_eq!(NetworkInterfaces::new(&[]).count(), 0);
    assert!(NetworkInterfaces::new(&[0; 4]).next().unwrap().is_err());
}

#[test]
fn m8_symlink_names_outside_are_refused() {
    let (target, flags) = (Utf16Buf::new("a\\b"), SymlinkFlags::RELATIVE);
    let name = target.as_utf16();
    let good = ReparseData::Symlink { substitute_name: name, print_name: name, flags }.to_vec();
    for field in [8, 10, 12, 14] {
        for value in [13_u16, 14, 0x7FFF, 0xFFFE, 0xFFFF] {
            let mut bad = good.clone();
            bad[field..field + 2].copy_from_slice(&value.to_le_bytes());
            assert!(ReparseData::decode(&bad).is_err(), "{field} {value}");
        }
    }
    for len in [0_u16, 11, 0xFFFF] {
        let mut bad = good.clone();
        bad[4..6].copy_from_slice(&len.to_le_bytes());
        assert!(ReparseData::decode(&bad).is_err(), "{len}");
    }
}

#[test]
fn m8_short_nfs_reparse_data_is_refused() {
    let good = ReparseData::Nfs { file_type: NfsFileType::FIFO, data: &[] }.to_vec();
    assert!(ReparseData::decode(&good).is_ok());
    for len in 0..8_u16 {
        let mut bad = good.clone();
        bad[4..6].copy_from_slice(&len.to_le_bytes());
        assert!(ReparseData::decode(&bad).is_err());
    }
}

fn referrals() -> Vec<u8> {
    let [path, short, target] = ["\\dom\\dfs\\link", "\\dom\\dfs\\lnk", "\\srv\\share"].map(Utf16Buf::new);
    let target = DfsReferralTarget::Path {
        path: path.as_utf16(),
        alternate_path: short.as_utf16(),
        network_address: target.as_utf16(),
        service_site: Guid::default(),
    };
    let names = Utf16Buf::new("dc1\0dc2");
    let names = DfsReferralTarget::Names {
        special_name: path.as_utf16(),
        expanded_names: names.as_utf16(),
        count: 2,
    };
    let referral = |version, flags, target| DfsReferral {
        version,
        server_type: 1,
        flags,
        proximity: 0,
        time_to_live: 300,
        target,
    };
    let list = [
        referral(2, DfsReferralFlags::empty(), target),
        referral(4, DfsReferralFlags::TARGET_SET_BOUNDARY, target),
        referral(3, DfsReferralFlags::NAME_LIST_REFERRAL, names),
        DfsReferral {
            time_to_live: 0,
            ..referral(1, DfsReferralFlags::empty(), DfsReferralTarget::Share(short.as_utf16()))
        },
    ];
    let flags = DfsResponseFlags::STORAGE_SERVERS;
    let response = DfsReferralResponse { path_consumed: 26, flags, referrals: DfsReferrals::Values(&list) };
    let bytes = response.to_vec();
    let decoded = DfsReferralResponse::decode(&bytes).unwrap();
    assert!(decoded.referrals.iter().map(Result::unwrap).eq(list));
    assert_eq!(decoded.to_vec(), bytes);
    bytes
}

#[test]
fn m7_referral_offsets_and_sizes_that_lie_are_refused() {
    let good = referrals();
    // Size of the first referral, then the offsets of its strings.
    for field in [10, 24, 26, 28] {
        for value in [0xFFFF_u16, good.len() as u16] {
            let mut bad = good.clone();
            bad[field..field + 2].copy_from_slice(&value.to_le_bytes());
            let response = DfsReferralResponse::decode(&bad).unwrap();
            let read: Vec<_> = response.referrals.iter().collect();
            assert!(read.len() < 4 || read.iter().any(Result::is_err), "{field} {value}");
        }
    }
    for size in [0_u16, 1, 21] {
        let mut bad = good.clone();
        bad[10..12].copy_from_slice(&size.to_le_bytes());
        let response = DfsReferralResponse::decode(&bad).unwrap();
        assert!(response.referrals.iter().next().unwrap().is_err());
        assert_eq!(response.referrals.iter().count(), 1);
    }
}

#[test]
fn m7_odd_path_consumed_is_refused() {
    let mut bytes = referrals();
    bytes[0] = 25;
    let error = DfsReferralResponse::decode(&bytes).unwrap_err();
    assert_eq!(error.kind, DecodeErrorKind::OddUtf16);
}

#[test]
fn m7_too_many_referrals_are_refused() {
    let mut bytes = referrals();
    bytes[2..4].copy_from_slice(&u16::MAX.to_le_bytes());
    assert!(DfsReferralResponse::decode(&bytes).is_err());
}

#[test]
fn o16_copychunk_count_that_lies_is_refused() {
    let chunks = [SrvCopychunk::default(); 2];
    let good = SrvCopychunkCopy { source_key: [1; 24], chunks: List::Values(&chunks) }.to_vec();
    for count in [3_u32, 0x0AAA_AAAB, u32::MAX] {
        let mut bad = good.clone();
        bad[24..28].copy_from_slice(&count.to_le_bytes());
        assert!(SrvCopychunkCopy::decode(&bad).is_err(), "{count}");
    }
}

#[test]
fn snapshots_are_listed() {
    let names = Utf16Buf::new("@GMT-2024.05.01-12.00.00\0@GMT-2024.05.02-12.00.00\0\0");
    let names = names.as_utf16();
    let array = SnapshotArray { number: 2, returned: 2, array_size: names.len() as u32, names };
    let bytes = array.to_vec();
    let decoded = SnapshotArray::decode(&bytes).unwrap();
    let read: Vec<_> = decoded.iter().map(|name| name.to_text().unwrap()).collect();
    assert_eq!(read, ["@GMT-2024.05.01-12.00.00", "@GMT-2024.05.02-12.00.00"]);
    let none = SnapshotArray { number: 2, returned: 0, array_size: 102, ..SnapshotArray::default() };
    assert_eq!(SnapshotArray::decode(&none.to_vec()), Ok(none));
}

#[test]
fn integrity_is_told_and_set() {
    let info = IntegrityInfo {
        checksum_algorithm: ChecksumType::CRC64,
        flags: IntegrityFlags::CHECKSUM_ENFORCEMENT_OFF,
        checksum_chunk_size: 4096,
        cluster_size: 65536,
        ..IntegrityInfo::default()
    };
    let bytes = [2, 0, 0, 0, 1, 0, 0, 0, 0, 16, 0, 0, 0, 0, 1, 0];
    assert_eq!((info.to_vec(), IntegrityInfo::decode(&bytes)), (bytes.to_vec(), Ok(info)));
    let set = SetIntegrity { checksum_algorithm: ChecksumType::UNCHANGED, ..SetIntegrity::default() };
    assert_eq!(set.to_vec(), [0xFF, 0xFF, 0, 0, 0, 0, 0, 0]);
    let ex = SetIntegrityEx { enable_integrity: true, version: 1, ..SetIntegrityEx::default() };
    assert_eq!(ex.to_vec(), [1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(SetIntegrityEx::decode(&ex.to_vec()), Ok(ex));
}

#[test]
fn offload_tokens_are_as_long_as_they_say() {
    let token = OffloadToken::new(OffloadTokenType(0x0102_0304), [7; 504]);
    let output = OffloadReadOutput { size: 528, transfer_length: 512, token, ..Default::default() };
    let mut bytes = Vec::new();
    round_trip(&output, &mut bytes);
    // The type and the length of the name are big-endian.
    assert_eq!(bytes[16..25], [1, 2, 3, 4, 0, 0, 1, 0xF8, 7]);
    let write = OffloadWrite { size: 544, copy_length: 512, token, ..Default::default() };
    let mut bytes = Vec::new();
    round_trip(&write, &mut bytes);
    assert!(OffloadWrite::decode(&bytes[..543]).is_err());
    assert_eq!(OffloadToken::ZERO.token_type.0, 0xFFFF_0001);
}

#[test]
fn set_sparse_without_a_buffer_means_yes() {
    assert!(SetSparse::decode(&[]).unwrap().set_sparse);
    assert!(!SetSparse::decode(&[0]).unwrap().set_sparse);
    assert_eq!(SetSparse { set_sparse: true }.to_vec(), vec![1]);
}
