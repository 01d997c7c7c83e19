//! Every message that is built is decoded to itself.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use crate::packet::encode;
use crate::values::*;
use sansmb::wire::{
    AccessMask, Body, Capabilities, CloseResponse, CreateAction, CreateContextReplies, CreateContexts,
    CreateDisposition, CreateFlags, CreateOptions, CreateRequest, CreateResponse, Dialect, EmptyBody,
    ErrorContext, ErrorId, ErrorResponse, FileAttributes, FileTime, Guid, Header, ImpersonationLevel,
    LeaseBreak, LeaseBreakFlags, LeaseBreakNotification, MoveDstIpAddr, NegotiateContexts, NegotiateRequest,
    NegotiateResponse, NotificationType, OplockBreak, OplockLevel, SecurityMode, ServerToClientNotification,
    SessionFlags, SessionId, SessionPacket, SessionPacketType, SessionSetupFlags, SessionSetupRequest,
    SessionSetupResponse, ShareAccess, ShareCapabilities, ShareFlags, ShareRedirect, ShareType, Smb1Header,
    Smb1NegotiateRequest, SymbolicLinkErrorResponse, SymlinkFlags, TreeConnectContexts, TreeConnectFlags,
    TreeConnectRequest, TreeConnectResponse, U16List, Writer,
};
use sansmb::wire::{CompressedMessage, Smb1Dialects};

/// `decode(encode(value)) == value`, and what was decoded is encoded to the same bytes.
macro_rules! check {
    ($body:ty, $value:expr) => {{
        let value = $value;
        let msg = encode(&Header::default(), &value);
        let decoded = <$body as Body<'_>>::decode(&msg).unwrap();
        prop_assert_eq!(&decoded, &value);
        prop_assert_eq!(encode(&Header::default(), &decoded), msg);
    }};
}

fn written(encode: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
    let mut out = Vec::new();
    encode(&mut Writer::new(&mut out));
    out
}

proptest! {
    #[test]
    fn negotiate_request(
        bits in any::<(u16, u32, [u8; 16], u64)>(),
        dialects in vec(any::<u16>().prop_map(Dialect), 1..6),
        contexts in vec(negotiate_context(), 0..6),
    ) {
        let with_contexts = dialects.contains(&Dialect::SMB3_1_1);
        let mut request = NegotiateRequest {
            security_mode: SecurityMode::from_bits_retain(bits.0),
            capabilities: Capabilities::from_bits_retain(bits.1),
            client_guid: Guid(bits.2),
            client_start_time: if with_contexts { 0 } else { bits.3 },
            dialects: U16List::List(&dialects),
            contexts: NegotiateContexts::List(if with_contexts { &contexts } else { &[] }),
        };
        check!(NegotiateRequest<'_>, request);
        let mut dialects = dialects.clone();
        dialects.push(Dialect::SMB3_1_1);
        request.dialects = U16List::List(&dialects);
        request.client_start_time = 0;
        request.contexts = NegotiateContexts::List(&contexts);
        check!(NegotiateRequest<'_>, request);
    }

    #[test]
    fn negotiate_response(
        bits in any::<(u16, [u8; 16], u32, u32, u32, u32)>(),
        times in any::<(u64, u64)>(),
        dialect in prop_oneof![Just(Dialect::SMB3_1_1), any::<u16>().prop_map(Dialect)],
        reserved2 in any::<u32>(),
        security_buffer in bytes(40),
        contexts in vec(negotiate_context(), 0..6),
    ) {
        let with_contexts = dialect == Dialect::SMB3_1_1;
        check!(NegotiateResponse<'_>, NegotiateResponse {
            security_mode: SecurityMode::from_bits_retain(bits.0),
            dialect,
            server_guid: Guid(bits.1),
            capabilities: Capabilities::from_bits_retain(bits.2),
            max_transact_size: bits.3,
            max_read_size: bits.4,
            max_write_size: bits.5,
            system_time: FileTime(times.0),
            server_start_time: FileTime(times.1),
            security_buffer,
            reserved2: if with_contexts { 0 } else { reserved2 },
            contexts: NegotiateContexts::List(if with_contexts { &contexts } else { &[] }),
        });
    }

    #[test]
    fn session_setup(bits in any::<(u8, u8, u32, u32, u64, u16)>(), security_buffer in bytes(40)) {
        check!(SessionSetupRequest<'_>, SessionSetupRequest {
            flags: SessionSetupFlags::from_bits_retain(bits.0),
            security_mode: SecurityMode::from_bits_retain(bits.1.into()),
            capabilities: Capabilities::from_bits_retain(bits.2),
            channel: bits.3,
            previous_session_id: SessionId(bits.4),
            security_buffer,
        });
        let session_flags = SessionFlags::from_bits_retain(bits.5);
        check!(SessionSetupResponse<'_>, SessionSetupResponse { session_flags, security_buffer });
    }

    #[test]
    fn tree_connect(
        flags in any::<u16>(),
        path in utf16(),
        contexts in option::of(vec(tree_connect_context(), 0..4)),
        bits in any::<(u8, u32, u32, u32)>(),
    ) {
        let mut flags = TreeConnectFlags::from_bits_retain(flags);
        flags.set(TreeConnectFlags::EXTENSION_PRESENT, contexts.is_some());
        let extension = contexts.as_deref().map(TreeConnectContexts::List);
        check!(TreeConnectRequest<'_>, TreeConnectRequest { flags, path, extension });
        check!(TreeConnectResponse, TreeConnectResponse {
            share_type: ShareType(bits.0),
            share_flags: ShareFlags::from_bits_retain(bits.1),
            capabilities: ShareCapabilities::from_bits_retain(bits.2),
            maximal_access: AccessMask::from_bits_retain(bits.3),
        });
    }

    #[test]
    fn create_request(
        bits in any::<(u8, u8, u32, u64, u64, u32)>(),
        more in any::<(u32, u32, u32, u32)>(),
        name in utf16(),
        contexts in vec(create_context(), 0..8),
    ) {
        check!(CreateRequest<'_>, CreateRequest {
            security_flags: bits.0,
            requested_oplock_level: OplockLevel(bits.1),
            impersonation_level: ImpersonationLevel(bits.2),
            smb_create_flags: bits.3,
            reserved: bits.4,
            desired_access: AccessMask::from_bits_retain(bits.5),
            file_attributes: FileAttributes::from_bits_retain(more.0),
            share_access: ShareAccess::from_bits_retain(more.1),
            create_disposition: CreateDisposition(more.2),
            create_options: CreateOptions::from_bits_retain(more.3),
            name,
            contexts: CreateContexts::List(&contexts),
        });
    }

    #[test]
    fn create_response(
        bits in any::<(u8, u8, u32, u32, u32)>(),
        times in any::<(u64, u64, u64, u64, u64, u64)>(),
        file_id in file_id(),
        contexts in vec(create_context_reply(), 0..8),
    ) {
        check!(CreateResponse<'_>, CreateResponse {
            oplock_level: OplockLevel(bits.0),
            flags: CreateFlags::from_bits_retain(bits.1),
            create_action: CreateAction(bits.2),
            creation_time: FileTime(times.0),
            last_access_time: FileTime(times.1),
            last_write_time: FileTime(times.2),
            change_time: FileTime(times.3),
            allocation_size: times.4,
            end_of_file: times.5,
            file_attributes: FileAttributes::from_bits_retain(bits.3),
            reserved2: bits.4,
            file_id,
            contexts: CreateContextReplies::List(&contexts),
        });
    }

    #[test]
    fn small_bodies(reserved in any::<u16>(), size in any::<u64>(), attributes in any::<u32>()) {
        check!(EmptyBody, EmptyBody { reserved });
        let file_attributes = FileAttributes::from_bits_retain(attributes);
        check!(CloseResponse, CloseResponse { end_of_file: size, file_attributes, ..Default::default() });
    }

    #[test]
    fn error_response(error_context_count in any::<u8>(), data in bytes(60)) {
        check!(ErrorResponse<'_>, ErrorResponse { error_context_count, data });
    }

    #[test]
    fn error_contexts(contexts in vec((any::<u32>(), bytes(20)), 0..5)) {
        let contexts: Vec<_> =
            contexts.into_iter().map(|(id, data)| ErrorContext { id: ErrorId(id), data }).collect();
        let data = written(|w| contexts.iter().for_each(|context| context.encode(w)));
        let error = ErrorResponse { error_context_count: contexts.len() as u8, data: &data };
        prop_assert_eq!(error.contexts().collect::<Vec<_>>(), contexts);
    }

    #[test]
    fn error_data(
        length in any::<u16>(),
        flags in any::<u32>(),
        names in (utf16(), utf16()),
        addresses in vec(any::<std::net::IpAddr>(), 0..4),
    ) {
        let link = SymbolicLinkErrorResponse {
            unparsed_path_length: length,
            flags: SymlinkFlags::from_bits_retain(flags),
            substitute_name: names.0,
            print_name: names.1,
        };
        let data = written(|w| link.encode(w));
        prop_assert_eq!(SymbolicLinkErrorResponse::decode(&data).unwrap(), link);
        let addresses: Vec<_> = addresses.into_iter().map(MoveDstIpAddr::new).collect();
        let redirect = ShareRedirect { addresses: &addresses, resource_name: names.0 };
        let data = written(|w| redirect.encode(w));
        prop_assert_eq!(ShareRedirect::decode(&data).unwrap(), redirect);
    }

    #[test]
    fn breaks_and_notifications(
        level in any::<u8>(),
        file_id in file_id(),
        lease_key in lease_key(),
        states in (lease_state(), lease_state()),
        bits in any::<(u16, u32, u32, u32, u32, u64)>(),
        notification in bytes(12),
    ) {
        check!(OplockBreak, OplockBreak { oplock_level: OplockLevel(level), file_id });
        check!(LeaseBreakNotification, LeaseBreakNotification {
            new_epoch: bits.0,
            flags: LeaseBreakFlags::from_bits_retain(bits.1),
            lease_key,
            current_lease_state: states.0,
            new_lease_state: states.1,
            break_reason: bits.2,
            access_mask_hint: bits.3,
            share_mask_hint: bits.4,
        });
        check!(LeaseBreak, LeaseBreak {
            flags: bits.1,
            lease_key,
            lease_state: states.0,
            lease_duration: bits.5,
        });
        let notification_type = NotificationType(bits.2);
        check!(
            ServerToClientNotification<'_>,
            ServerToClientNotification { notification_type, notification }
        );
    }

    #[test]
    fn compressed_messages(message in compressed_message()) {
        let frame = written(|w| message.encode(w));
        let decoded = CompressedMessage::decode(&frame).unwrap();
        prop_assert_eq!(decoded, message);
        prop_assert_eq!(written(|w| decoded.encode(w)), frame);
    }

    #[test]
    fn smb1_negotiate(
        bits in any::<(u32, u8, u16, u16, [u8; 8], u16, u16, u16, u16, u16)>(),
        dialects in vec("[ -~]{0,12}", 0..5),
    ) {
        let dialects: Vec<&[u8]> = dialects.iter().map(|dialect| dialect.as_bytes()).collect();
        let request = Smb1NegotiateRequest {
            header: Smb1Header {
                command: Smb1Header::NEGOTIATE,
                status: bits.0,
                flags: bits.1 & !Smb1Header::FLAG_REPLY,
                flags2: bits.2,
                pid_high: bits.3,
                security_features: bits.4,
                reserved: bits.5,
                tid: bits.6,
                pid_low: bits.7,
                uid: bits.8,
                mid: bits.9,
            },
            dialects: Smb1Dialects::List(&dialects),
        };
        let frame = written(|w| request.encode(w));
        let decoded = Smb1NegotiateRequest::decode(&frame).unwrap();
        prop_assert_eq!(decoded, request);
        prop_assert_eq!(written(|w| decoded.encode(w)), frame);
    }

    #[test]
    fn session_packets(packet in session_packet()) {
        let bytes = written(|w| packet.encode(w));
        let (head, body) = bytes.split_first_chunk::<4>().unwrap();
        prop_assert_eq!(usize::from(head[3]), body.len());
        prop_assert_eq!(SessionPacket::decode(SessionPacketType(head[0]), body).unwrap(), packet);
    }
}
