//! Encryption, compression, SMB1 and NetBIOS.

use super::patched;
use crate::packet::packet;
use sansmb::wire::{
    CompressedMessage, DecodeErrorKind, SessionPacket, SessionPacketType, Smb1NegotiateRequest,
    TransformHeader,
};

#[test]
fn f6_transform_header() {
    let frame = packet("transform/write_request_windows");
    for len in 0..=52 {
        assert_eq!(TransformHeader::split(&frame[..len]).unwrap_err().kind, DecodeErrorKind::Truncated);
    }
    for size in [0_u32, 134, 136, 0x7FFF_FFFF, 0xFFFF_FFFF] {
        let frame = patched(&frame, 36, size.to_le_bytes());
        assert_eq!(TransformHeader::split(&frame).unwrap_err().kind, DecodeErrorKind::Value(size.into()));
    }
    for flags in [[0, 0], [2, 0], [3, 0], [0, 1]] {
        assert!(TransformHeader::split(&patched(&frame, 42, flags)).is_err(), "{flags:?}");
    }
    assert_eq!(
        TransformHeader::decode(&packet("echo/request")).unwrap_err().kind,
        DecodeErrorKind::ProtocolId
    );
}

#[test]
fn f11_compression_offset_overflow() {
    let frame = packet("compression/unchained_lz77_windows");
    let rest = frame.len() as u32 - 16;
    for offset in [rest + 1, 0x7FFF_FFFF, 0xFFFF_FF00, 0xFFFF_FFFF] {
        let frame = patched(&frame, 12, offset.to_le_bytes());
        let kind = CompressedMessage::decode(&frame).unwrap_err().kind;
        assert_eq!(kind, DecodeErrorKind::Range, "{offset:#x}");
    }
    // The sum of both lengths does not wrap either.
    let frame = patched(&frame, 4, [0xFF; 4]);
    assert_eq!(CompressedMessage::decode(&frame).unwrap().original_len(), 0xFFFF_FFFF + 80);
}

#[test]
fn f14_chained_payloads() {
    let frame = packet("compression/chained_none_pattern_windows");
    // Length of the first payload, larger than the rest.
    for length in [frame.len() as u32 - 15, 0x7FFF_FFFF, 0xFFFF_FFFF] {
        let frame = patched(&frame, 12, length.to_le_bytes());
        assert_eq!(CompressedMessage::decode(&frame).unwrap_err().kind, DecodeErrorKind::Range);
    }
    // Payloads of length zero come to an end, and those that need a size or a pattern must have it.
    let head = [0xFC, b'S', b'M', b'B', 0, 1, 0, 0];
    let empty = |algorithm: u8, count| {
        let payload = [algorithm, 0, 1, 0, 0, 0, 0, 0];
        [&head[..], &payload.repeat(count)].concat()
    };
    let many = empty(0, 1000);
    let CompressedMessage::Chained { payloads, .. } = CompressedMessage::decode(&many).unwrap() else {
        panic!()
    };
    assert_eq!((payloads.iter().count(), payloads.original_len()), (1000, 0));
    for algorithm in 1..=5 {
        assert_eq!(
            CompressedMessage::decode(&empty(algorithm, 1)).unwrap_err().kind,
            DecodeErrorKind::Truncated
        );
    }
    for len in 0..16 {
        assert!(CompressedMessage::decode(&frame[..len]).is_err());
    }
}

#[test]
fn smb1_negotiate_that_lies() {
    let frame = packet("smb1/negotiate_request_smbclient");
    for len in 0..frame.len() {
        assert!(Smb1NegotiateRequest::decode(&frame[..len]).is_err(), "{len}");
    }
    // WordCount, ByteCount, BufferFormat, and a dialect without an end.
    assert!(Smb1NegotiateRequest::decode(&patched(&frame, 32, [1])).is_err());
    assert!(Smb1NegotiateRequest::decode(&patched(&frame, 33, [0xFF, 0xFF])).is_err());
    assert!(Smb1NegotiateRequest::decode(&patched(&frame, 35, [1])).is_err());
    assert!(Smb1NegotiateRequest::decode(&patched(&frame, frame.len() - 1, [b'?'])).is_err());
}

#[test]
fn netbios_names_that_lie() {
    let body = packet("netbios/session_request")[4..].to_vec();
    let decode = |body: &[u8]| SessionPacket::decode(SessionPacketType::SESSION_REQUEST, body);
    for len in 0..body.len() {
        assert!(decode(&body[..len]).is_err(), "{len}");
    }
    // A length that is not 32, a letter out of range, a compression pointer, a scope without an end.
    assert!(decode(&patched(&body, 0, [0x21])).is_err());
    assert!(decode(&patched(&body, 1, [b'Q'])).is_err());
    assert!(decode(&patched(&body, 33, [0xC0, 0x0C])).is_err());
    let mut endless = body[..33].to_vec();
    endless.extend([1, b'x'].repeat(10_000));
    assert!(decode(&endless).is_err());
}
