//! NEGOTIATE, SESSION_SETUP, TREE_CONNECT and the header.

use super::{patched, refused};
use crate::packet::{encode, packet};
use sansmb::wire::{
    Body, CreateRequest, DecodeErrorKind, EmptyBody, Header, NegotiateContext, NegotiateContexts,
    NegotiateRequest, NegotiateResponse, SessionSetupRequest, SessionSetupResponse, TreeConnectRequest,
    U16List,
};

const OFFSET: usize = 64 + 28;
const COUNT: usize = 64 + 32;

#[test]
fn n1_negotiate_context_offset_beyond_the_packet() {
    let msg = packet("negotiate/request_311_windows");
    for offset in [msg.len() as u32 / 8 * 8, 0x7FFF_FFF8, 0x8000_0000, 0xFFFF_FFF8] {
        let msg = patched(&msg, OFFSET, offset.to_le_bytes());
        assert_eq!(refused::<NegotiateRequest<'_>>(&msg), DecodeErrorKind::Truncated, "{offset:#x}");
    }
}

#[test]
fn n1_negotiate_context_offset_into_the_header() {
    let msg = packet("negotiate/request_311_windows");
    for offset in [0_u32, 8, 64, 96, 104] {
        let msg = patched(&msg, OFFSET, offset.to_le_bytes());
        assert_eq!(refused::<NegotiateRequest<'_>>(&msg), DecodeErrorKind::Range, "{offset}");
    }
    let msg = packet("negotiate/response_311_smbd");
    let msg = patched(&msg, 64 + 60, [0, 0, 0, 0]);
    assert_eq!(refused::<NegotiateResponse<'_>>(&msg), DecodeErrorKind::Range);
}

#[test]
fn n1_negotiate_context_offset_unaligned() {
    let msg = packet("negotiate/request_311_windows");
    for offset in [0x71_u32, 0x74, 0x77] {
        let msg = patched(&msg, OFFSET, offset.to_le_bytes());
        assert_eq!(refused::<NegotiateRequest<'_>>(&msg), DecodeErrorKind::Chain(offset.into()));
    }
}

#[test]
fn n1_negotiate_context_count_of_65535() {
    let msg = packet("negotiate/request_311_windows");
    let msg = patched(&msg, COUNT, [0xFF, 0xFF]);
    assert_eq!(refused::<NegotiateRequest<'_>>(&msg), DecodeErrorKind::Truncated);
}

#[test]
fn n1_negotiate_context_data_beyond_the_packet() {
    let msg = packet("negotiate/request_311_windows");
    // DataLength of the first context, whose data would reach over its neighbour to the end and past it.
    let msg = patched(&msg, 0x70 + 2, [0xFF, 0xFF]);
    assert_eq!(refused::<NegotiateRequest<'_>>(&msg), DecodeErrorKind::Range);
}

/// A NEGOTIATE request with one context of this type and data.
fn negotiate_with(context_type: u16, data: &[u8]) -> Vec<u8> {
    let contexts = [NegotiateContext::Unknown { context_type, data }];
    let request = NegotiateRequest {
        dialects: U16List::List(&sansmb::wire::Dialect::ALL),
        contexts: NegotiateContexts::List(&contexts),
        ..NegotiateRequest::default()
    };
    encode(&Header::default(), &request)
}

#[test]
fn n2_preauth_context_that_promises_too_much() {
    // Counts: algorithms, salt. Then one algorithm and two bytes of salt.
    for (counts, kind) in [
        ([2, 0, 3, 0], Some(DecodeErrorKind::Range)),
        ([1, 0, 3, 0], Some(DecodeErrorKind::Range)),
        ([3, 0, 0, 0], Some(DecodeErrorKind::Range)),
        ([0xFF, 0xFF, 0, 0], Some(DecodeErrorKind::Range)),
        ([0, 0, 0xFF, 0xFF], Some(DecodeErrorKind::Range)),
        ([1, 0, 2, 0], None),
        // No algorithm at all is well-formed: the negotiation finds no overlap.
        ([0, 0, 4, 0], None),
    ] {
        let mut data = counts.to_vec();
        data.extend([1, 0, 0xAA, 0xBB]);
        let msg = negotiate_with(NegotiateContext::PREAUTH, &data);
        assert_eq!(NegotiateRequest::decode(&msg).err().map(|error| error.kind), kind, "{counts:?}");
    }
    let msg = negotiate_with(NegotiateContext::PREAUTH, &[1, 0, 0]);
    assert_eq!(refused::<NegotiateRequest<'_>>(&msg), DecodeErrorKind::Truncated);
}

#[test]
fn n2_duplicate_preauth_contexts_can_be_counted() {
    let data = &[1, 0, 0, 0, 1, 0];
    let context = NegotiateContext::Unknown { context_type: NegotiateContext::PREAUTH, data };
    let contexts = [context, context];
    let request = NegotiateRequest {
        dialects: U16List::List(&[sansmb::wire::Dialect::SMB3_1_1]),
        contexts: NegotiateContexts::List(&contexts),
        ..NegotiateRequest::default()
    };
    let msg = encode(&Header::default(), &request);
    let request = NegotiateRequest::decode(&msg).unwrap();
    assert_eq!(request.contexts.count_of(NegotiateContext::PREAUTH), 2);
}

#[test]
fn n2_every_context_that_is_shorter_than_its_structure() {
    let short = [
        (NegotiateContext::ENCRYPTION, 1),
        (NegotiateContext::COMPRESSION, 7),
        (NegotiateContext::TRANSPORT, 3),
        (NegotiateContext::RDMA_TRANSFORM, 7),
        (NegotiateContext::SIGNING, 1),
    ];
    for (context_type, len) in short {
        let msg = negotiate_with(context_type, &[0; 8][..len]);
        assert_eq!(refused::<NegotiateRequest<'_>>(&msg), DecodeErrorKind::Truncated, "{context_type}");
        // A count without elements.
        let msg = negotiate_with(context_type, &[1, 0, 0, 0, 0, 0, 0, 0][..len + 1]);
        let counted = context_type != NegotiateContext::TRANSPORT;
        assert_eq!(NegotiateRequest::decode(&msg).is_err(), counted, "{context_type}");
    }
    // The name is nothing but ignored, so it cannot be wrong.
    let msg = negotiate_with(NegotiateContext::NETNAME, b"odd");
    let request = NegotiateRequest::decode(&msg).unwrap();
    let context = NegotiateContext::Unknown { context_type: NegotiateContext::NETNAME, data: b"odd" };
    assert_eq!(request.contexts.iter().next(), Some(context));
}

#[test]
fn n4_dialect_count() {
    let msg = packet("negotiate/request_311_windows");
    let none = patched(&msg, 66, [0, 0]);
    assert_eq!(refused::<NegotiateRequest<'_>>(&none), DecodeErrorKind::Value(0));
    let many = patched(&msg, 66, [0xFF, 0xFF]);
    assert_eq!(refused::<NegotiateRequest<'_>>(&many), DecodeErrorKind::Range);
}

#[test]
fn n6_session_setup_security_buffer() {
    let msg = packet("session_setup/request_negotiate_windows");
    let ranges: [(u16, u16); 6] = [(0, 74), (64, 74), (87, 74), (88, 75), (0xFFFF, 74), (88, 0xFFFF)];
    for (offset, length) in ranges {
        let msg = patched(&msg, 64 + 12, offset.to_le_bytes());
        let msg = patched(&msg, 64 + 14, length.to_le_bytes());
        assert_eq!(refused::<SessionSetupRequest<'_>>(&msg), DecodeErrorKind::Range, "{offset} {length}");
    }
    // Without a length the offset does not count.
    for offset in [0_u16, 88, 0xFFFF] {
        let msg = patched(&msg, 64 + 12, offset.to_le_bytes());
        let msg = patched(&msg, 64 + 14, [0, 0]);
        assert_eq!(SessionSetupRequest::decode(&msg).unwrap().security_buffer, b"");
    }
}

#[test]
fn o1_tree_connect_path() {
    let msg = packet("tree_connect/request_smbclient");
    let length = msg.len() as u16 - 72;
    for (offset, length) in [(0, length), (64, length), (71, length), (73, length), (72, 0xFFFE), (0xFFFE, 2)]
    {
        let msg = patched(&msg, 68, u16::to_le_bytes(offset));
        let msg = patched(&msg, 70, u16::to_le_bytes(length));
        assert_eq!(refused::<TreeConnectRequest<'_>>(&msg), DecodeErrorKind::Range, "{offset} {length}");
    }
    let odd = patched(&msg, 70, (length - 1).to_le_bytes());
    assert_eq!(refused::<TreeConnectRequest<'_>>(&odd), DecodeErrorKind::OddUtf16);
}

#[test]
fn o1_tree_connect_extension_beyond_the_packet() {
    let msg = packet("tree_connect/request_extension");
    for offset in [0xFFFF_FFF8_u32, 0x7FFF_FFF8, 0xFFFF_FFC0] {
        let msg = patched(&msg, 72, offset.to_le_bytes());
        assert!(TreeConnectRequest::decode(&msg).is_err(), "{offset:#x}");
    }
    let cut = patched(&msg[..80], 68, [0, 0, 0, 0]);
    assert_eq!(refused::<TreeConnectRequest<'_>>(&cut), DecodeErrorKind::Truncated);
}

#[test]
fn m1_negotiate_response_offsets() {
    let msg = packet("negotiate/response_311_windows");
    for (offset, length) in [(0_u16, 0x140_u16), (127, 0x140), (128, 0xFFFF), (0xFFFF, 0xFFFF)] {
        let msg = patched(&msg, 64 + 56, offset.to_le_bytes());
        let msg = patched(&msg, 64 + 58, length.to_le_bytes());
        assert_eq!(refused::<NegotiateResponse<'_>>(&msg), DecodeErrorKind::Range, "{offset} {length}");
    }
    for offset in [0xFFFF_FFF8_u32, 0x8000_0000] {
        let msg = patched(&msg, 64 + 60, offset.to_le_bytes());
        assert_eq!(refused::<NegotiateResponse<'_>>(&msg), DecodeErrorKind::Truncated);
    }
}

#[test]
fn m1_session_setup_response_offsets() {
    let msg = packet("session_setup/response_challenge_windows");
    for (offset, length) in [(0_u16, 179_u16), (71, 179), (72, 180), (0xFFFF, 1)] {
        let msg = patched(&msg, 64 + 4, offset.to_le_bytes());
        let msg = patched(&msg, 64 + 6, length.to_le_bytes());
        assert_eq!(refused::<SessionSetupResponse<'_>>(&msg), DecodeErrorKind::Range, "{offset} {length}");
    }
}

#[test]
fn f5_message_shorter_than_its_header() {
    let msg = packet("echo/request");
    for len in 0..64 {
        assert_eq!(Header::decode(&msg[..len]).unwrap_err().kind, DecodeErrorKind::Truncated);
        assert_eq!(refused::<EmptyBody>(&msg[..len]), DecodeErrorKind::Truncated);
    }
}

#[test]
fn f5_body_shorter_than_its_structure_size() {
    for name in ["create/request_root", "negotiate/request_311_windows", "session_setup/request_smbclient"] {
        let msg = packet(name);
        for len in 66..64 + 24 {
            match name.split('/').next() {
                Some("create") => assert!(CreateRequest::decode(&msg[..len]).is_err()),
                Some("negotiate") => assert!(NegotiateRequest::decode(&msg[..len]).is_err()),
                _ => assert!(SessionSetupRequest::decode(&msg[..len]).is_err()),
            }
        }
    }
    let msg = patched(&packet("echo/request"), 64, [0xFF, 0xFF]);
    assert_eq!(refused::<EmptyBody>(&msg), DecodeErrorKind::StructureSize(0xFFFF));
}
