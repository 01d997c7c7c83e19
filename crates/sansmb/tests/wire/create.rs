//! Packets of CREATE and its contexts, of errors, breaks and notifications: decoded to what they say,
//! encoded to the same bytes.

use crate::packet::{encode, exact, packet};
use sansmb::wire::{
    AccessMask, BreakAcknowledgment, BreakNotification, CreateAction, CreateContext, CreateContextReplies,
    CreateContextReply, CreateContexts, CreateDisposition, CreateFlags, CreateOptions, CreateRequest,
    CreateResponse, DurableFlags, ErrorContext, ErrorId, ErrorResponse, FileAttributes, FileId, FileTime,
    Guid, Header, ImpersonationLevel, Lease, LeaseBreak, LeaseBreakFlags, LeaseBreakNotification, LeaseFlags,
    LeaseKey, LeaseState, LeaseV2, MoveDstIpAddr, NotificationType, NtStatus, OplockBreak, OplockLevel,
    ServerToClientNotification, ShareAccess, ShareRedirect, SymbolicLinkErrorResponse, SymlinkFlags, Utf16,
    Utf16Buf, Writer,
};

/// All that a lease may allow.
const RWH: LeaseState =
    LeaseState::READ_CACHING.union(LeaseState::WRITE_CACHING).union(LeaseState::HANDLE_CACHING);

/// Decodes a request, checks that it is encoded to the same bytes both from the view and from a slice of
/// its contexts, and hands the contexts to `check`.
fn request(name: &str, check: impl FnOnce(&CreateRequest<'_>, &[CreateContext<'_>])) {
    let msg = packet(name);
    let (header, request) = exact::<CreateRequest<'_>>(&msg);
    let contexts: Vec<_> = request.contexts.iter().collect();
    let built = CreateRequest { contexts: CreateContexts::List(&contexts), ..request };
    assert_eq!(crate::packet::hex(&encode(&header, &built)), crate::packet::hex(&msg), "{name}");
    check(&request, &contexts);
}

/// The same for a response.
fn response(name: &str, check: impl FnOnce(&CreateResponse<'_>, &[CreateContextReply<'_>])) {
    let msg = packet(name);
    let (header, response) = exact::<CreateResponse<'_>>(&msg);
    let contexts: Vec<_> = response.contexts.iter().collect();
    let built = CreateResponse { contexts: CreateContextReplies::List(&contexts), ..response };
    assert_eq!(crate::packet::hex(&encode(&header, &built)), crate::packet::hex(&msg), "{name}");
    check(&response, &contexts);
}

#[test]
fn create_of_the_root() {
    request("create/request_root", |request, contexts| {
        assert!(request.name.is_empty() && contexts.is_empty());
        assert_eq!(request.impersonation_level, ImpersonationLevel::IMPERSONATION);
    });
}

#[test]
fn create_of_windows() {
    let key = LeaseKey([
        0xE0, 0x33, 0x0E, 0x5A, 0x8A, 0x47, 0xA7, 0x9F, 0x42, 0x86, 0xB5, 0x23, 0x90, 0xB5, 0x85, 0x7B,
    ]);
    let parent_key = LeaseKey([
        0xAD, 0x4E, 0x4F, 0x5B, 0xE6, 0xB0, 0x97, 0xB9, 0x42, 0x22, 0x50, 0xFA, 0xDE, 0xC1, 0xFD, 0x86,
    ]);
    let lease = LeaseV2 {
        key,
        state: RWH,
        flags: LeaseFlags::PARENT_LEASE_KEY_SET,
        parent_key,
        ..LeaseV2::default()
    };
    request("create/request_replay_windows", |request, contexts| {
        assert_eq!(request.requested_oplock_level, OplockLevel::LEASE);
        assert_eq!(request.desired_access.bits(), 0x0012_019F);
        assert_eq!(request.file_attributes, FileAttributes::ARCHIVE);
        assert_eq!(request.share_access, ShareAccess::READ | ShareAccess::WRITE | ShareAccess::DELETE);
        assert_eq!(request.create_disposition, CreateDisposition::OPEN_IF);
        assert_eq!(request.create_options, CreateOptions::NON_DIRECTORY_FILE);
        assert_eq!(request.name.to_text().unwrap(), "Replay.txt");
        let [CreateContext::DurableHandleRequestV2 { timeout, flags, create_guid }, second] = contexts else {
            panic!("{contexts:?}")
        };
        assert_eq!((*timeout, *flags), (0, DurableFlags::empty()));
        assert_eq!(create_guid.to_string(), "33aa3970-ef1a-60a4-4bf1-11f5f9fbbfdb");
        assert_eq!(*second, CreateContext::RequestLeaseV2(lease));
    });
    response("create/response_replay_windows", |response, contexts| {
        assert_eq!(response.oplock_level, OplockLevel::LEASE);
        assert_eq!(response.create_action, CreateAction::OPENED);
        assert_eq!(
            response.file_id,
            FileId { persistent: 0x0100_0001_0000_001D, volatile: 0x0101_0000_0001 }
        );
        assert_eq!(
            contexts,
            [
                CreateContextReply::ResponseLeaseV2(LeaseV2 { epoch: 1, ..lease }),
                CreateContextReply::DurableHandleResponseV2 { timeout: 60_000, flags: DurableFlags::empty() },
            ]
        );
    });
}

#[test]
fn create_contexts_of_smbtorture() {
    request("create/request_alsi_dhnq", |_, contexts| {
        let [CreateContext::AllocationSize(size), CreateContext::DurableHandleRequest { reserved }] =
            contexts
        else {
            panic!("{contexts:?}")
        };
        assert_eq!((*size, *reserved), (1 << 20, [0; 16]));
    });
    request("create/request_dhnq_dhnc", |_, contexts| {
        let [CreateContext::DurableHandleRequest { .. }, CreateContext::DurableHandleReconnect(id)] =
            contexts
        else {
            panic!("{contexts:?}")
        };
        assert_ne!(*id, FileId::default());
    });
    request("create/request_dh2c", |_, contexts| {
        let [CreateContext::DurableHandleReconnectV2 { file_id, create_guid, flags }] = contexts else {
            panic!("{contexts:?}")
        };
        assert_ne!((*file_id, *create_guid), (FileId::default(), Guid::default()));
        assert_eq!(*flags, DurableFlags::empty());
    });
    request("create/request_dh2q_app_instance_id", |_, contexts| {
        assert!(matches!(
            contexts,
            [CreateContext::DurableHandleRequestV2 { .. }, CreateContext::AppInstanceId(_)]
        ));
    });
    request("create/request_dh2q_rqls", |_, contexts| {
        let [CreateContext::DurableHandleRequestV2 { .. }, CreateContext::RequestLease(lease)] = contexts
        else {
            panic!("{contexts:?}")
        };
        assert_eq!((lease.flags, lease.duration), (LeaseFlags::empty(), 0));
    });
    request("create/request_exta", |_, contexts| {
        assert!(matches!(contexts, [CreateContext::EaBuffer(data)] if data.len() == 48));
    });
    request("create/request_secd", |_, contexts| {
        assert!(matches!(contexts, [CreateContext::SdBuffer(data)] if data.len() == 76 && data[0] == 1));
    });
    request("create/request_rqls_v2", |request, contexts| {
        assert_eq!(request.requested_oplock_level, OplockLevel::LEASE);
        assert!(matches!(contexts, [CreateContext::RequestLeaseV2(_)]));
    });
}

/// smbtorture gives a context without data a DataOffset. We do not, and keep the one that we received.
#[test]
fn create_context_without_data() {
    let msg = packet("create/request_mxac_alsi_dhnq_twrp");
    let (_, request) = exact::<CreateRequest<'_>>(&msg);
    let contexts: Vec<_> = request.contexts.iter().collect();
    let [
        CreateContext::QueryMaximalAccess(None),
        CreateContext::AllocationSize(_),
        CreateContext::DurableHandleRequest { .. },
        CreateContext::TimewarpToken(time),
    ] = contexts[..]
    else {
        panic!("{contexts:?}")
    };
    assert_eq!(time, FileTime(10_000));
}

#[test]
fn rare_create_contexts() {
    let time = FileTime(129_812_017_859_437_500);
    request("create/request_rare_contexts", |request, contexts| {
        assert_eq!(request.name.to_text().unwrap(), r"dir\file");
        assert_eq!(
            contexts,
            [
                CreateContext::QueryOnDiskId,
                CreateContext::AppInstanceVersion { high: 3, low: 9 },
                CreateContext::SvhdxOpenDevice(&[1, 0, 0, 0, 0, 0, 0, 0]),
                CreateContext::Aapl(&[
                    1, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
                ]),
                CreateContext::QueryMaximalAccess(Some(time)),
                CreateContext::Unknown { name: b"Zzzz", data: b"?" },
            ]
        );
    });
    response("create/response_rare_contexts", |response, contexts| {
        assert_eq!(response.flags, CreateFlags::REPARSEPOINT);
        assert_eq!((response.allocation_size, response.end_of_file), (4096, 1));
        let [first, CreateContextReply::Aapl(aapl), CreateContextReply::SvhdxOpenDevice(_), last] = contexts
        else {
            panic!("{contexts:?}")
        };
        let id = CreateContextReply::QueryOnDiskId {
            disk_file_id: 0x1122_3344_5566_7788,
            volume_id: 0x99,
            reserved: [0; 16],
        };
        assert_eq!((*first, aapl.len()), (id, 32));
        let access = CreateContextReply::QueryMaximalAccess {
            query_status: NtStatus::SUCCESS,
            maximal_access: AccessMask::FILE_ALL_ACCESS,
        };
        assert_eq!(*last, access);
    });
}

#[test]
fn create_responses_of_smbd() {
    response("create/response", |response, contexts| {
        assert_eq!(response.oplock_level, OplockLevel::NONE);
        assert!(contexts.is_empty());
    });
    response("create/response_dh2q_rqls", |_, contexts| {
        let [
            CreateContextReply::DurableHandleResponseV2 { timeout, .. },
            CreateContextReply::ResponseLease(lease),
        ] = contexts
        else {
            panic!("{contexts:?}")
        };
        assert_eq!(*timeout, 60_000);
        assert_ne!(lease.key, LeaseKey::default());
    });
    response("create/response_dhnq", |_, contexts| {
        assert_eq!(contexts, [CreateContextReply::DurableHandleResponse { reserved: 0 }]);
    });
    response("create/response_mxac", |_, contexts| {
        assert!(matches!(contexts, [CreateContextReply::QueryMaximalAccess { .. }]));
    });
    response("create/response_rqls_v2", |_, contexts| {
        assert!(matches!(contexts, [CreateContextReply::ResponseLeaseV2(_)]));
    });
}

/// Offsets count from the message's own header, also for a later member of a compound.
#[test]
fn create_behind_another_message() {
    let name = Utf16Buf::new("a");
    let contexts = [CreateContext::RequestLease(Lease { state: RWH, ..Lease::default() })];
    let create = CreateRequest {
        name: name.as_utf16(),
        contexts: CreateContexts::List(&contexts),
        ..CreateRequest::default()
    };
    let alone = encode(&Header::default(), &create);
    let mut out = vec![0xEE; 72];
    let mut writer = Writer::new(&mut out);
    Header::default().encode(&mut writer);
    sansmb::wire::Body::encode(&create, &mut writer);
    assert_eq!(out[72..], alone);
}

#[test]
fn errors() {
    let msg = packet("error_response/not_found");
    let (header, error) = exact::<ErrorResponse<'_>>(&msg);
    assert_eq!(header.status, NtStatus(0xC000_0034));
    assert_eq!((error, error.required_length()), (ErrorResponse::EMPTY, None));

    // The byte that belongs to nothing may have any value.
    let msg = packet("error_response/interim_smbd");
    assert_eq!(msg.last(), Some(&0x21));
    let error: ErrorResponse<'_> = sansmb::wire::Body::decode(&msg).unwrap();
    assert_eq!(error, ErrorResponse::EMPTY);

    let msg = packet("error_response/buffer_too_small_311");
    assert_eq!(exact::<ErrorResponse<'_>>(&msg).1.required_length(), Some(116));
}

#[test]
fn symlink_error() {
    let (old, new) = (packet("error_response/symlink_300"), packet("error_response/symlink_311"));
    let (old, new) = (exact::<ErrorResponse<'_>>(&old).1, exact::<ErrorResponse<'_>>(&new).1);
    assert_eq!(old.error_data(), new.error_data());
    let link = SymbolicLinkErrorResponse::decode(old.error_data()).unwrap();
    assert_eq!((link.unparsed_path_length, link.flags), (0x2E, SymlinkFlags::empty()));
    assert_eq!(link.substitute_name.to_text().unwrap(), r"\??\D:\DonHall\MiscDocuments\PDocs");
    assert_eq!(link.print_name.to_text().unwrap(), r"D:\DonHall\MiscDocuments\PDocs");

    let mut data = Vec::new();
    link.encode(&mut Writer::new(&mut data));
    assert_eq!(data, old.error_data());
    let mut wrapped = Vec::new();
    ErrorContext { id: ErrorId::DEFAULT, data: &data }.encode(&mut Writer::new(&mut wrapped));
    assert_eq!(wrapped, new.data);
}

#[test]
fn share_redirect_error() {
    let msg = packet("error_response/share_redirect");
    let (_, error) = exact::<ErrorResponse<'_>>(&msg);
    assert_eq!(error.error_data(), b"");
    let contexts: Vec<_> = error.contexts().collect();
    let [ErrorContext { id: ErrorId::SHARE_REDIRECT, data }] = contexts[..] else { panic!("{contexts:?}") };
    let redirect = ShareRedirect::decode(data).unwrap();
    let addresses: Vec<_> = redirect.addresses.iter().filter_map(MoveDstIpAddr::address).collect();
    let expected = ["192.0.2.7".parse().unwrap(), "2001:db8::7".parse().unwrap()];
    assert_eq!(addresses, expected);
    assert_eq!(redirect.resource_name.to_text().unwrap(), r"\\node2\share");

    let addresses = expected.map(MoveDstIpAddr::new);
    let built = ShareRedirect { addresses: &addresses, ..redirect };
    let mut out = Vec::new();
    built.encode(&mut Writer::new(&mut out));
    assert_eq!(out, data);
}

#[test]
fn oplock_breaks() {
    let msg = packet("oplock_break/oplock_notification");
    let (header, notification) = exact::<OplockBreak>(&msg);
    assert_eq!(header.message_id, u64::MAX);
    assert_eq!(BreakNotification::decode(&msg).unwrap(), BreakNotification::Oplock(notification));
    let msg = packet("oplock_break/oplock_acknowledgment");
    let (_, acknowledgment) = exact::<OplockBreak>(&msg);
    assert_eq!(BreakAcknowledgment::decode(&msg).unwrap(), BreakAcknowledgment::Oplock(acknowledgment));
}

#[test]
fn lease_breaks() {
    let msg = packet("oplock_break/lease_notification");
    let (_, notification) = exact::<LeaseBreakNotification>(&msg);
    assert_eq!(notification.flags, LeaseBreakFlags::ACK_REQUIRED);
    assert!(notification.current_lease_state.contains(notification.new_lease_state));
    assert_eq!(BreakNotification::decode(&msg).unwrap(), BreakNotification::Lease(notification));
    for name in ["oplock_break/lease_acknowledgment", "oplock_break/lease_response"] {
        let msg = packet(name);
        let (_, acknowledgment) = exact::<LeaseBreak>(&msg);
        assert_eq!(BreakAcknowledgment::decode(&msg).unwrap(), BreakAcknowledgment::Lease(acknowledgment));
    }
}

#[test]
fn session_closed_notification() {
    let msg = packet("notification/session_closed");
    let (_, notification) = exact::<ServerToClientNotification<'_>>(&msg);
    assert_eq!(notification.notification_type, NotificationType::NOTIFY_SESSION_CLOSED);
    assert_eq!(notification, ServerToClientNotification::SESSION_CLOSED);
}

#[test]
fn generic_access_expands() {
    let read_write = AccessMask::GENERIC_READ | AccessMask::GENERIC_WRITE;
    assert_eq!(read_write.expand_generic(), AccessMask::FILE_GENERIC_READ | AccessMask::FILE_GENERIC_WRITE);
    let rest = AccessMask::MAXIMUM_ALLOWED | AccessMask::GENERIC_ALL;
    assert_eq!(rest.expand_generic(), AccessMask::MAXIMUM_ALLOWED | AccessMask::FILE_ALL_ACCESS);
    assert_eq!(Utf16::default().len(), 0);
}
