//! CREATE, its contexts, and errors that carry data.

use super::{patched, refused};
use crate::packet::{encode, packet};
use sansmb::wire::{
    Body, CreateContext, CreateContexts, CreateRequest, CreateResponse, DecodeErrorKind, ErrorResponse,
    Header, Lease, LeaseV2, SymbolicLinkErrorResponse,
};

/// A CREATE request whose only variable part is this list of contexts, at 120.
fn create_with(list: &[u8]) -> Vec<u8> {
    let mut msg = encode(&Header::default(), &CreateRequest::default());
    msg.truncate(120);
    msg[64 + 48..64 + 52].copy_from_slice(&120_u32.to_le_bytes());
    msg[64 + 52..64 + 56].copy_from_slice(&(list.len() as u32).to_le_bytes());
    msg.extend(list);
    msg
}

/// One create context with these fields and this buffer.
fn context(next: u32, name: (u16, u16), data: (u16, u32), buffer: &[u8]) -> Vec<u8> {
    let mut bytes = next.to_le_bytes().to_vec();
    bytes.extend(name.0.to_le_bytes());
    bytes.extend(name.1.to_le_bytes());
    bytes.extend([0, 0]);
    bytes.extend(data.0.to_le_bytes());
    bytes.extend(data.1.to_le_bytes());
    bytes.extend(buffer);
    bytes
}

#[test]
fn o2_create_context_data() {
    let buffer = b"AlSi\0\0\0\0\x01\0\0\0\0\0\0\0";
    let good = create_with(&context(0, (16, 4), (24, 8), buffer));
    let request = CreateRequest::decode(&good).unwrap();
    assert_eq!(request.contexts, CreateContexts::List(&[CreateContext::AllocationSize(1)]));

    let ranges =
        [(0, 8), (8, 8), (15, 8), (25, 8), (24, 9), (24, 0xFFFF_FFFF), (0xFFFF, 8), (24, 0x8000_0000)];
    for (offset, length) in ranges {
        let msg = create_with(&context(0, (16, 4), (offset, length), buffer));
        assert_eq!(refused::<CreateRequest<'_>>(&msg), DecodeErrorKind::Range, "{offset} {length:#x}");
    }
}

#[test]
fn o2_create_context_next() {
    let buffer = b"AlSi\0\0\0\0\x01\0\0\0\0\0\0\0";
    for next in [8, 12, 20, 0xFFFF_FFFF, 0x8000_0001] {
        let msg = create_with(&context(next, (16, 4), (24, 8), buffer));
        assert_eq!(refused::<CreateRequest<'_>>(&msg), DecodeErrorKind::Chain(next.into()), "{next:#x}");
    }
    for next in [0xFFFF_FFF8, 40, 0x8000_0000] {
        let msg = create_with(&context(next, (16, 4), (24, 8), buffer));
        assert_eq!(refused::<CreateRequest<'_>>(&msg), DecodeErrorKind::Range, "{next:#x}");
    }
    // A chain that leads to its very end.
    let msg = create_with(&context(32, (16, 4), (24, 8), buffer));
    assert_eq!(refused::<CreateRequest<'_>>(&msg), DecodeErrorKind::Truncated);
}

#[test]
fn o2_create_context_name() {
    let buffer = b"AlSi\0\0\0\0\x01\0\0\0\0\0\0\0";
    for (offset, length) in [(0, 4), (12, 4), (16, 17), (16, 0xFFFF), (0xFFFF, 4), (29, 4)] {
        let msg = create_with(&context(0, (offset, length), (24, 8), buffer));
        assert_eq!(refused::<CreateRequest<'_>>(&msg), DecodeErrorKind::Range, "{offset} {length}");
    }
    for length in [0, 1, 3] {
        let msg = create_with(&context(0, (16, length), (24, 8), buffer));
        assert_eq!(refused::<CreateRequest<'_>>(&msg), DecodeErrorKind::Value(length.into()));
    }
}

#[test]
fn o2_create_contexts_beyond_the_packet() {
    let msg = packet("create/request_rqls_v2");
    for (offset, length) in
        [(0_u32, 76_u32), (64, 76), (0xFFFF_FFF8, 76), (128, 0xFFFF_FFFF), (128, 0x8000_0000)]
    {
        let msg = patched(&msg, 64 + 48, offset.to_le_bytes());
        let msg = patched(&msg, 64 + 52, length.to_le_bytes());
        assert_eq!(refused::<CreateRequest<'_>>(&msg), DecodeErrorKind::Range, "{offset:#x} {length:#x}");
    }
    let list = context(0, (16, 4), (0, 0), b"QFid");
    let mut unaligned = create_with(&[&[0; 4][..], &list].concat());
    unaligned[64 + 48] = 124;
    unaligned[64 + 52] = list.len() as u8;
    assert_eq!(refused::<CreateRequest<'_>>(&unaligned), DecodeErrorKind::Chain(124));
    let short = create_with(&list[..15]);
    assert_eq!(refused::<CreateRequest<'_>>(&short), DecodeErrorKind::Truncated);
}

/// Name and data must not reach into the following context, nor into the bytes behind the list.
#[test]
fn o2_create_context_reaches_into_its_neighbour() {
    let second = context(0, (16, 4), (0, 0), b"QFid");
    let first = context(24, (16, 4), (24, 8), b"AlSi\0\0\0\0");
    let msg = create_with(&[first, second].concat());
    assert_eq!(refused::<CreateRequest<'_>>(&msg), DecodeErrorKind::Range);

    let mut msg = create_with(&context(0, (16, 4), (24, 8), b"AlSi\0\0\0\0"));
    msg.extend([1, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(refused::<CreateRequest<'_>>(&msg), DecodeErrorKind::Range);
}

#[test]
fn o3_create_context_names_of_other_lengths() {
    for name in [&b"RqLsX"[..], b"RqLs\0\0\0\0", b"AAPLAAPLAAPLAAPL", b"DHnQDHnQDHnQDHnQDHnQ"] {
        let contexts = [CreateContext::Unknown { name, data: b"data" }];
        let request = CreateRequest { contexts: CreateContexts::List(&contexts), ..Default::default() };
        let msg = encode(&Header::default(), &request);
        assert_eq!(CreateRequest::decode(&msg).unwrap().contexts.iter().next(), Some(contexts[0]));
    }
}

/// [MS-SMB2] 3.3.5.9: a context whose size is not that of its structure fails the request.
#[test]
fn o4_create_contexts_of_the_wrong_size() {
    let id = 0x45BC_A66A_EFA7_F74A_9008_FA46_2E14_4D74_u128.to_be_bytes();
    let version = 0xB982_D0B7_3B56_074F_A07B_524A_8116_A010_u128.to_be_bytes();
    let sizes: [(&[u8], &[usize]); 11] = [
        (b"DHnQ", &[16]),
        (b"DHnC", &[16]),
        (b"AlSi", &[8]),
        (b"MxAc", &[0, 8]),
        (b"TWrp", &[8]),
        (b"QFid", &[0]),
        (b"RqLs", &[32, 52]),
        (b"DH2Q", &[32]),
        (b"DH2C", &[36]),
        (&id, &[20]),
        (&version, &[24]),
    ];
    for (name, right) in sizes {
        for len in 0..64 {
            // Also a StructureSize, for the two that have one.
            let mut data = [0; 64];
            data[0] = len as u8;
            let contexts = [CreateContext::Unknown { name, data: &data[..len] }];
            let request = CreateRequest { contexts: CreateContexts::List(&contexts), ..Default::default() };
            let msg = encode(&Header::default(), &request);
            let parsed = CreateRequest::decode(&msg).is_ok();
            assert_eq!(parsed, right.contains(&len), "{} of {len} bytes", name.escape_ascii());
        }
    }
}

#[test]
fn o4_lease_versions_are_told_apart_by_size() {
    let contexts =
        [CreateContext::RequestLease(Lease::default()), CreateContext::RequestLeaseV2(LeaseV2::default())];
    let request = CreateRequest { contexts: CreateContexts::List(&contexts), ..Default::default() };
    let msg = encode(&Header::default(), &request);
    assert!(CreateRequest::decode(&msg).unwrap().contexts.iter().eq(contexts));
}

/// A member of a compound is decoded from its own bytes, so an offset into the next member fails.
#[test]
fn c5_create_context_offset_into_the_next_message() {
    let mut frame = packet("create/request_root");
    frame.resize(frame.len().next_multiple_of(8), 0);
    let end = frame.len();
    frame[64 + 48..64 + 52].copy_from_slice(&(end as u32).to_le_bytes());
    frame[64 + 52..64 + 56].copy_from_slice(&20_u32.to_le_bytes());
    frame.extend(context(0, (16, 4), (0, 0), b"QFid"));
    assert!(CreateRequest::decode(&frame).is_ok());
    assert_eq!(refused::<CreateRequest<'_>>(&frame[..end]), DecodeErrorKind::Range);
}

#[test]
fn m5_create_response_contexts() {
    let msg = packet("create/response_rqls_v2");
    for (offset, length) in [(0_u32, 76_u32), (144, 76), (152, 77), (0xFFFF_FFF8, 76), (152, 0xFFFF_FFFF)] {
        let msg = patched(&msg, 64 + 80, offset.to_le_bytes());
        let msg = patched(&msg, 64 + 84, length.to_le_bytes());
        assert_eq!(refused::<CreateResponse<'_>>(&msg), DecodeErrorKind::Range, "{offset:#x} {length:#x}");
    }
    // Data that ends before its structure does.
    let msg = patched(&msg, 152 + 12, 31_u32.to_le_bytes());
    assert_eq!(refused::<CreateResponse<'_>>(&msg), DecodeErrorKind::Truncated);
}

#[test]
fn m8_symlink_error_lengths() {
    let msg = packet("error_response/symlink_300");
    let data = ErrorResponse::decode(&msg).unwrap().data.to_vec();
    assert!(SymbolicLinkErrorResponse::decode(&data).is_ok());
    // SymLinkLength, and offset and length of both names.
    assert!(SymbolicLinkErrorResponse::decode(&patched(&data, 0, [0xFF; 4])).is_err());
    assert!(SymbolicLinkErrorResponse::decode(&patched(&data, 0, [0; 4])).is_err());
    for at in [16, 18, 20, 22] {
        assert!(SymbolicLinkErrorResponse::decode(&patched(&data, at, [0xFE, 0xFF])).is_err(), "{at}");
    }
}
