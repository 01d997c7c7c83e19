//! Stubs of the services: known bytes, which Samba 4.17's smbd answered, and bytes that lie.

use alloc::vec;
use alloc::vec::Vec;
use core::fmt::Debug;

use proptest::prelude::*;

use super::super::{lsarpc, srvsvc, wkssvc};
use super::{NdrReader, NdrWriter};
use crate::wire::dtyp::Sid;
use crate::wire::{DecodeError, Guid, NtStatus, Utf16, Utf16Buf};
use lsarpc::{
    AccountKind, LookupLevel, LsaRequest, ObjectAttributes, PolicyAccess, PolicyClass, PolicyHandle,
    PolicyInformation, ReferencedDomain, TranslatedName, TranslatedSid,
};
use srvsvc::{
    ConnectionInfo, FileInfo, FilePermissions, NetStatus, SessionInfo, SessionUserFlags, ShareKind,
    SrvsvcRequest, UsageInfo, UsageKind, UsageResponse,
};
use wkssvc::WkssvcRequest;

/// Everything that can be read from a stub.
pub(super) fn decode_all(bytes: &[u8]) {
    for opnum in 0..140 {
        let _ = SrvsvcRequest::decode(opnum, bytes);
        let _ = WkssvcRequest::decode(opnum, bytes);
        let _ = LsaRequest::decode(opnum, bytes);
        let _ = lsarpc::LookupSidsResponse::decode(opnum, bytes);
        let _ = lsarpc::LookupNamesResponse::decode(opnum, bytes);
        let _ = lsarpc::QueryPolicyResponse::decode(PolicyClass(opnum), bytes);
    }
    let _ = srvsvc::ShareEnumResponse::decode(bytes);
    let _ = srvsvc::ShareGetInfoResponse::decode(bytes);
    let _ = srvsvc::ServerGetInfoResponse::decode(bytes);
    let _ = srvsvc::RemoteTodResponse::decode(bytes);
    let _ = wkssvc::GetInfoResponse::decode(bytes);
    let _ = wkssvc::UserEnumResponse::decode(bytes);
    let _ = wkssvc::JoinInformationResponse::decode(bytes);
    let _ = lsarpc::GetUserNameResponse::decode(bytes);
}

fn hex(text: &str) -> Vec<u8> {
    let digit = |c: u8| (c as char).to_digit(16).expect("a digit") as u8;
    text.as_bytes().chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

fn sid(text: &str) -> Sid {
    text.parse().unwrap()
}

/// A stub that is read and written again is the same.
#[track_caller]
fn known<'m, T: Debug + PartialEq>(
    bytes: &'m [u8],
    decode: impl Fn(&'m [u8]) -> Result<T, DecodeError>,
    expected: T,
    encode: impl Fn(&T) -> Vec<u8>,
) {
    assert_eq!(decode(bytes).as_ref(), Ok(&expected));
    assert_eq!(encode(&expected).len(), bytes.len());
}

#[test]
fn lists_of_usage_round_trip_in_all_levels() {
    let (client, user) = (Utf16Buf::new("machine"), Utf16Buf::new("alice"));
    let (client, user) = (client.as_utf16(), user.as_utf16());
    let connection = ConnectionInfo {
        id: 1,
        kind: ShareKind::DISK_TREE,
        opens: 2,
        users: 1,
        seconds: 3,
        user,
        net_name: client,
    };
    let file = FileInfo { id: 1, permissions: FilePermissions::READ, locks: 2, path: client, user };
    let session = SessionInfo {
        client,
        user,
        opens: 1,
        seconds: 2,
        idle: 3,
        flags: SessionUserFlags::GUEST,
        client_type: user,
        transport: client,
    };
    let all = [
        (1, UsageInfo::Connection(connection)),
        (0, UsageInfo::Connection(ConnectionInfo { id: 1, ..Default::default() })),
        (3, UsageInfo::File(file)),
        (2, UsageInfo::File(FileInfo { id: 1, ..Default::default() })),
        (502, UsageInfo::Session(session)),
        (2, UsageInfo::Session(SessionInfo { transport: Utf16::default(), ..session })),
        (0, UsageInfo::Session(SessionInfo { client, ..Default::default() })),
        (10, UsageInfo::Session(SessionInfo { client, user, seconds: 2, idle: 3, ..Default::default() })),
    ];
    for (level, info) in all {
        let kind = match info {
            UsageInfo::Connection(_) => UsageKind::Connections,
            UsageInfo::File(_) => UsageKind::Files,
            UsageInfo::Session(_) => UsageKind::Sessions,
        };
        let list = vec![info; 3];
        let status = NetStatus::MORE_DATA;
        let response = UsageResponse { kind, level, list, total_entries: 9, resume_handle: Some(3), status };
        assert_eq!(UsageResponse::decode(kind, &response.encode()), Ok(response));
        let refused = UsageResponse::refused(kind, level, NetStatus::ACCESS_DENIED);
        assert_eq!(UsageResponse::decode(kind, &refused.encode()), Ok(refused));
    }
    let unknown = UsageResponse::refused(UsageKind::Files, 7, NetStatus::INVALID_LEVEL);
    assert_eq!(UsageResponse::decode(UsageKind::Files, &unknown.encode()), Ok(unknown));
}

#[test]
fn requests_round_trip() {
    let text = Utf16Buf::new("\\\\server");
    let server = Some(text.as_utf16());
    let (resume_handle, preferred_length) = (Some(3), 7);
    let mut requests = vec![
        SrvsvcRequest::ShareEnum { server, level: 1, preferred_length, resume_handle },
        SrvsvcRequest::ShareEnum { server: None, level: 502, preferred_length, resume_handle: None },
        SrvsvcRequest::ShareEnumSticky { server, level: 2, preferred_length, resume_handle },
        SrvsvcRequest::ShareGetInfo { server, share: text.as_utf16(), level: 1 },
        SrvsvcRequest::ServerGetInfo { server, level: 101 },
        SrvsvcRequest::RemoteTod { server },
        SrvsvcRequest::FileClose { server, id: 7 },
    ];
    for kind in [UsageKind::Connections, UsageKind::Files, UsageKind::Sessions] {
        let user = server.filter(|_| kind != UsageKind::Connections);
        let (qualifier, level) = (server, 10);
        requests.push(SrvsvcRequest::Usage {
            kind,
            server,
            qualifier,
            user,
            level,
            preferred_length,
            resume_handle,
        });
    }
    for request in requests {
        assert_eq!(SrvsvcRequest::decode(request.opnum(), &request.encode()), Ok(Some(request)));
    }
    for request in [
        WkssvcRequest::GetInfo { server, level: 102 },
        WkssvcRequest::UserEnum { server, level: 1, preferred_length, resume_handle },
        WkssvcRequest::GetJoinInformation { server: None },
    ] {
        assert_eq!(WkssvcRequest::decode(request.opnum(), &request.encode()), Ok(Some(request)));
    }
    let handle = PolicyHandle { attributes: 0, uuid: Guid([7; 16]) };
    let mut requests = vec![
        LsaRequest::Close { handle },
        LsaRequest::QueryPolicy { opnum: lsarpc::QUERY_POLICY2, handle, class: PolicyClass::DNS_DOMAIN },
        LsaRequest::EnumerateTrustedDomains {
            opnum: lsarpc::ENUMERATE_TRUSTED_DOMAINS,
            handle,
            context: 1,
            preferred_length,
        },
        LsaRequest::GetUserName { system: server, domain: true },
        LsaRequest::GetUserName { system: None, domain: false },
    ];
    for (opnum, system, version) in [(6, None, 0), (44, server, 0), (130, server, 1), (130, server, 2)] {
        let (attributes, access) = (ObjectAttributes { root_directory: version == 2 }, PolicyAccess::EXECUTE);
        requests.push(LsaRequest::OpenPolicy { opnum, system, attributes, access, version });
    }
    let level = LookupLevel::WORKSTATION;
    for (opnum, newer) in [(15, 0), (57, 1), (76, 1)] {
        let handle = if opnum == 76 { PolicyHandle::default() } else { handle };
        let sids = vec![Some(Sid::EVERYONE), None, Some(sid("S-1-5-21-1-2-3-4"))];
        let (options, revision) = (newer, newer + 1);
        requests.push(LsaRequest::LookupSids { opnum, handle, sids, level, options, revision });
    }
    for (opnum, newer) in [(14, 0), (58, 1), (68, 1), (77, 1)] {
        let handle = if opnum == 77 { PolicyHandle::default() } else { handle };
        let names = vec![text.as_utf16(), Utf16::default()];
        let (options, revision) = (newer, newer + 1);
        requests.push(LsaRequest::LookupNames { opnum, handle, names, level, options, revision });
    }
    for request in requests {
        assert_eq!(LsaRequest::decode(request.opnum(), &request.encode()), Ok(Some(request)));
    }
}

#[test]
fn samba_describes_a_share() {
    use srvsvc::{Share, ShareGetInfoResponse};
    let share = Utf16Buf::new("share");
    let name = share.as_utf16();
    let bytes = hex(concat!(
        "f60100000000020004000200000000000800020000000000ffffffff010000000c0002001000020000000000000000",
        "0006000000000000000600000073006800610072006500000001000000000000000100000000000000200000000000",
        "00002000000043003a005c0074006d0070005c00730061006e0073006d0062002d0073006d00620064002e00510030",
        "0073006600740068005c007300680061007200650000000100000000000000010000000000000000000000"
    ));
    let (path, password) = (Utf16Buf::new(r"C:\tmp\sansmb-smbd.Q0sfth\share"), Some(Utf16::default()));
    let path = path.as_utf16();
    let expected = ShareGetInfoResponse {
        level: 502,
        share: Some(Share { name, max_uses: u32::MAX, current_uses: 1, path, password, ..Share::default() }),
        status: NetStatus::SUCCESS,
    };
    known(&bytes, ShareGetInfoResponse::decode, expected, ShareGetInfoResponse::encode);
    let bytes = hex(concat!(
        "f501000000000200040002000000000008000200000000000600000000000000060000007300680061007200650000",
        "000100000000000000010000000000000000000000"
    ));
    let share = Share { name, ..Share::default() };
    let expected = ShareGetInfoResponse { level: 501, share: Some(share), status: NetStatus::SUCCESS };
    known(&bytes, ShareGetInfoResponse::decode, expected, ShareGetInfoResponse::encode);
    // What the interface has no form for has no pointer.
    let expected = ShareGetInfoResponse { level: 77, share: None, status: NetStatus::INVALID_LEVEL };
    known(&hex("4d0000007c000000"), ShareGetInfoResponse::decode, expected, ShareGetInfoResponse::encode);
}

#[test]
fn samba_says_what_time_it_is() {
    use srvsvc::{RemoteTodResponse, TimeOfDay};
    let bytes = hex(concat!(
        "000002004459076b00000000150000003700000010000000000000000000000010270000190000000b000000ea0700",
        "000300000000000000"
    ));
    let time = TimeOfDay::new(crate::time::FileTime::from_unix(0x6b07_5944, 0));
    let time = TimeOfDay { milliseconds: 0, interval: 10_000, ..time };
    let expected = RemoteTodResponse { time: Some(time), status: NetStatus::SUCCESS };
    known(&bytes, RemoteTodResponse::decode, expected, RemoteTodResponse::encode);
}

#[test]
fn days_are_counted_as_calendars_do() {
    for (seconds, date) in [
        (0, (1970, 1, 1, 4)),
        (951_782_400, (2000, 2, 29, 2)),
        (951_868_800, (2000, 3, 1, 3)),
        (4_107_542_399, (2100, 2, 28, 0)),
        (4_107_542_400, (2100, 3, 1, 1)),
        (-1, (1969, 12, 31, 3)),
    ] {
        let time = srvsvc::TimeOfDay::new(crate::time::FileTime::from_unix(seconds, 0));
        assert_eq!((time.year, time.month, time.day, time.weekday), date);
    }
}

#[test]
fn samba_describes_a_workstation() {
    use wkssvc::{GetInfoResponse, WorkstationInfo};
    let bytes = hex(concat!(
        "6500000000000200f4010000040002000800020006000000010000000c000200050000000000000005000000500045",
        "004500520000000000070000000000000007000000530041004e0053004d0042000000000001000000000000000100",
        "00000000000000000000"
    ));
    let [name, domain] = ["PEER", "SANSMB"].map(Utf16Buf::new);
    let info = WorkstationInfo {
        platform_id: 500,
        name: name.as_utf16(),
        domain: domain.as_utf16(),
        version_major: 6,
        version_minor: 1,
        lan_root: Some(Utf16::default()),
        logged_on_users: 0,
    };
    let expected = GetInfoResponse { level: 101, info: Some(info), status: NetStatus::SUCCESS };
    known(&bytes, GetInfoResponse::decode, expected, GetInfoResponse::encode);
    let expected = GetInfoResponse { level: 102, info: None, status: NetStatus::ACCESS_DENIED };
    known(&hex("660000000000000005000000"), GetInfoResponse::decode, expected, GetInfoResponse::encode);
}

#[test]
fn samba_says_where_accounts_are() {
    use lsarpc::QueryPolicyResponse;
    let bytes = hex(concat!(
        "000002000500000008000a000400020008000200050000000000000004000000500045004500520004000000010400",
        "000000000515000000b43ced606d65133978e73d0600000000"
    ));
    let name = Utf16Buf::new("PEER");
    let machine = sid("S-1-5-21-1626160308-957572461-104720248");
    let information = PolicyInformation::Domain { name: name.as_utf16(), sid: Some(machine) };
    let class = PolicyClass::ACCOUNT_DOMAIN;
    let expected = QueryPolicyResponse { class, information: Some(information), status: NtStatus::SUCCESS };
    known(&bytes, |bytes| QueryPolicyResponse::decode(class, bytes), expected, QueryPolicyResponse::encode);
    let bytes = hex("00000200060000000300000000000000");
    let class = PolicyClass::SERVER_ROLE;
    let response = QueryPolicyResponse::decode(class, &bytes).unwrap();
    assert_eq!(response.information, Some(PolicyInformation::Role { role: 3 }));
    let user = Utf16Buf::new("tester");
    let bytes = hex(concat!(
        "040002000c000c00080002000600000000000000060000007400650073007400650072000c00020010000200080008",
        "00140002000400000000000000040000005000450045005200",
        "00000000"
    ));
    let (user, domain) = (Some(user.as_utf16()), Some(Some(name.as_utf16())));
    let expected = lsarpc::GetUserNameResponse { user, domain, status: NtStatus::SUCCESS };
    known(&bytes, lsarpc::GetUserNameResponse::decode, expected, lsarpc::GetUserNameResponse::encode);
}

#[test]
fn samba_translates() {
    use lsarpc::{LookupNamesResponse, LookupSidsResponse};
    let [builtin, administrators, empty] = ["BUILTIN", "Administrators", ""].map(Utf16Buf::new);
    let bytes = hex(concat!(
        "08000200010000000c00020020000000010000000e00100010000200140002000800000000000000070000004200",
        "550049004c00540049004e00000001000000010100000000000520000000010000001800020001000000040000001c",
        "001c001c000200000000000e000000000000000e000000410064006d0069006e006900730074007200610074006f00",
        "720073000100000000000000"
    ));
    let domain = ReferencedDomain { name: builtin.as_utf16(), sid: Some(sid("S-1-5-32")) };
    let name = administrators.as_utf16();
    let names = vec![TranslatedName { kind: AccountKind::ALIAS, name, domain: 0, flags: 0 }];
    let domains = Some(vec![domain]);
    let expected = LookupSidsResponse { domains, names, mapped: 1, status: NtStatus::SUCCESS };
    let decode = |bytes| LookupSidsResponse::decode(lsarpc::LOOKUP_SIDS, bytes);
    known(&bytes, decode, expected, |response| response.encode(lsarpc::LOOKUP_SIDS));

    let domain = ReferencedDomain { name: empty.as_utf16(), sid: Some(sid("S-1-1")) };
    let whole = TranslatedSid {
        kind: AccountKind::WELL_KNOWN_GROUP,
        rid: 0,
        sid: Some(Sid::EVERYONE),
        domain: 0,
        flags: 0,
    };
    for (opnum, sids) in [
        (lsarpc::LOOKUP_NAMES, vec![TranslatedSid { sid: None, ..whole }]),
        (lsarpc::LOOKUP_NAMES2, vec![TranslatedSid { sid: None, flags: 4, ..whole }]),
        (lsarpc::LOOKUP_NAMES3, vec![whole, TranslatedSid { sid: None, domain: -1, ..whole }]),
        (lsarpc::LOOKUP_NAMES4, vec![]),
    ] {
        let (domains, status) = (Some(vec![domain]), NtStatus::SOME_NOT_MAPPED);
        let response = LookupNamesResponse { domains, sids, mapped: 1, status };
        assert_eq!(LookupNamesResponse::decode(opnum, &response.encode(opnum)), Ok(response));
    }
}

/// Arguments of LsarLookupSids2 for one identifier.
fn lookup_sids() -> Vec<u8> {
    LsaRequest::LookupSids {
        opnum: lsarpc::LOOKUP_SIDS2,
        handle: PolicyHandle::default(),
        sids: vec![Some(Sid::BUILTIN_USERS)],
        level: LookupLevel::WORKSTATION,
        options: 0,
        revision: 2,
    }
    .encode()
}

#[test]
fn m12_o7_lookups_that_lie_are_refused() {
    let good = lookup_sids();
    let decode = |bytes: &[u8]| LsaRequest::decode(lsarpc::LOOKUP_SIDS2, bytes).is_ok();
    assert!(decode(&good));
    // The number of identifiers, of the array's elements, and of sub-authorities.
    for field in [20, 28, 36] {
        for value in [0_u32, 2, 1001, 0xFFFF, 0x4000_0001, u32::MAX] {
            let mut bad = good.clone();
            bad[field..field + 4].copy_from_slice(&value.to_le_bytes());
            // There are two sub-authorities.
            assert_eq!(decode(&bad), (field, value) == (36, 2), "{field} {value:#x}");
        }
    }
    for count in [0, 1, 3, 16, 255] {
        let mut bad = good.clone();
        bad[41] = count;
        assert!(!decode(&bad), "{count}");
    }
    // Both counts agree on more than a call may have.
    let many = vec![Some(Sid::EVERYONE); 1001];
    let (handle, level) = (PolicyHandle::default(), LookupLevel::WORKSTATION);
    let request = LsaRequest::LookupSids { opnum: 57, handle, sids: many, level, options: 0, revision: 2 };
    assert!(!decode(&request.encode()));
}

#[test]
fn m12_o7_names_that_lie_are_refused() {
    let name = Utf16Buf::new("alice");
    let good = {
        let mut w = NdrWriter::new();
        w.unicode_string(name.as_utf16());
        w.unicode_buffer(name.as_utf16());
        w.finish()
    };
    let decode = |bytes: &[u8]| {
        let mut r = NdrReader::new(bytes);
        let length = r.unicode_string()?;
        r.unicode_buffer(length).map(|name| name.to_text_lossy())
    };
    assert_eq!(decode(&good).as_deref(), Ok("alice"));
    // Length, the pointer, max_count, offset and actual_count.
    for (field, value) in [(0, 9_u32), (0, 12), (0, 0xFFFF), (4, 0), (8, 4), (12, 1), (16, 4), (16, u32::MAX)]
    {
        let mut bad = good.clone();
        bad[field..field + 4].copy_from_slice(&value.to_le_bytes());
        assert!(decode(&bad).is_err(), "{field} {value:#x}");
    }
}

#[test]
fn m12_containers_that_lie_are_refused() {
    // Users without a buffer; more of them than there are bytes.
    for stub in [
        "01000000010000000000020005000000000000000000000000000000",
        "0000000000000000000002000000ff0f040002000000ff0f00000000",
    ] {
        assert!(wkssvc::UserEnumResponse::decode(&hex(stub)).is_err());
    }
    // A descriptor that is longer than the answer.
    let share = srvsvc::Share { descriptor: &[1; 9], ..srvsvc::Share::default() };
    let response = srvsvc::ShareGetInfoResponse { level: 502, share: Some(share), ..Default::default() };
    let good = response.encode();
    assert_eq!(srvsvc::ShareGetInfoResponse::decode(&good), Ok(response));
    let mut bad = good.clone();
    bad[40..44].copy_from_slice(&0xFFFF_FFFF_u32.to_le_bytes());
    assert!(srvsvc::ShareGetInfoResponse::decode(&bad).is_err());
}

proptest! {
    #[test]
    fn mutilated_stubs_do_not_panic(at in 0..60_usize, value: u8, cut in 0..80_usize) {
        let mut bytes = lookup_sids();
        if let Some(byte) = bytes.get_mut(at) {
            *byte = value;
        }
        bytes.truncate(bytes.len().saturating_sub(cut % 20));
        decode_all(&bytes);
    }
}
