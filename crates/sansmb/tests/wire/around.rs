//! Packets of the formats that stand around SMB2 messages: encryption, compression, SMB1 and NetBIOS.

use crate::packet::{hex, packet};
use sansmb::wire::{
    ChainedPayloads, CompressedMessage, CompressionAlgorithm, FramePrefix, NetbiosName, PatternV1,
    SessionPacket, SessionPacketType, SessionRefusal, Smb1Dialects, Smb1NegotiateRequest,
    Smb1NegotiateResponse, TRANSFORM_LEN, TransformHeader, Writer,
};

fn written(encode: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
    let mut out = Vec::new();
    encode(&mut Writer::new(&mut out));
    out
}

#[test]
fn transform_header_of_windows() {
    let frame = packet("transform/write_request_windows");
    let (header, sealed) = TransformHeader::split(&frame).unwrap();
    assert_eq!((header.original_message_size.get(), sealed.len()), (135, frame.len() - TRANSFORM_LEN));
    assert_eq!(header.flags.get(), TransformHeader::ENCRYPTED);
    assert_eq!(header.nonce[12..], [0; 4]);
    assert_eq!(header.aad(), &frame[20..52]);
    assert_eq!(written(|w| w.put(header)), frame[..TRANSFORM_LEN]);
}

#[test]
fn unchained_compression_of_windows() {
    let frame = packet("compression/unchained_lz77_windows");
    let message = CompressedMessage::decode(&frame).unwrap();
    let CompressedMessage::Unchained { original_size, algorithm, plain, compressed } = message else {
        panic!("{message:?}")
    };
    assert_eq!((original_size, algorithm), (0x0002_0000, CompressionAlgorithm::LZ77));
    assert_eq!((plain.len(), compressed.len()), (80, 15));
    assert_eq!(message.original_len(), 131_152);
    assert_eq!(hex(&written(|w| message.encode(w))), hex(&frame));
}

#[test]
fn chained_compression_of_windows() {
    let frame = packet("compression/chained_none_pattern_windows");
    let message = CompressedMessage::decode(&frame).unwrap();
    let CompressedMessage::Chained { original_size: 368, payloads } = message else { panic!("{message:?}") };
    assert_eq!(payloads.original_len(), 368);
    let list: Vec<_> = payloads.iter().collect();
    let lengths = list.iter().map(|payload| (payload.algorithm, payload.original_len(), payload.flags));
    // Later flags are whatever stood in the sender's memory.
    let expected = [
        (CompressionAlgorithm::NONE, 104, 1),
        (CompressionAlgorithm::NONE, 26, 0xB975),
        (CompressionAlgorithm::PATTERN_V1, 238, 0),
    ];
    assert!(lengths.eq(expected));
    let pattern = list[2].pattern().unwrap();
    assert_eq!(pattern.to_bytes(), list[2].data);
    assert_eq!(pattern, PatternV1 { pattern: list[2].data[0], repetitions: 238 });
    assert_eq!(hex(&written(|w| message.encode(w))), hex(&frame));
    let built = CompressedMessage::Chained { original_size: 368, payloads: ChainedPayloads::List(&list) };
    assert_eq!(built, message);
    assert_eq!(hex(&written(|w| built.encode(w))), hex(&frame));

    let frame = packet("compression/chained_none_lz4_pattern_windows");
    let message = CompressedMessage::decode(&frame).unwrap();
    let CompressedMessage::Chained { original_size: 4176, payloads } = message else { panic!("{message:?}") };
    let list: Vec<_> = payloads.iter().collect();
    assert_eq!((list[1].original_payload_size, list[1].data.len()), (Some(1992), 1267));
    assert_eq!(payloads.original_len(), 4176);
    let built = CompressedMessage::Chained { original_size: 4176, payloads: ChainedPayloads::List(&list) };
    assert_eq!(hex(&written(|w| built.encode(w))), hex(&frame));
}

#[test]
fn smb1_negotiate() {
    let frame = packet("smb1/negotiate_request_smbclient");
    let request = Smb1NegotiateRequest::decode(&frame).unwrap();
    let dialects: Vec<_> = request.dialects.iter().collect();
    assert_eq!(
        dialects,
        [b"NT LANMAN 1.0", Smb1Dialects::NT_LM_0_12, Smb1Dialects::SMB_2_002, Smb1Dialects::SMB_2_WILDCARD]
    );
    assert!(request.dialects.contains(Smb1Dialects::SMB_2_WILDCARD));
    assert_eq!(request.header.flags2, 0xC843);
    assert_eq!(hex(&written(|w| request.encode(w))), hex(&frame));
    let built = Smb1NegotiateRequest { dialects: Smb1Dialects::List(&dialects), ..request };
    assert_eq!(hex(&written(|w| built.encode(w))), hex(&frame));

    let list = [Smb1Dialects::NT_LM_0_12, Smb1Dialects::SMB_2_002, Smb1Dialects::SMB_2_WILDCARD];
    let request = Smb1NegotiateRequest::new(&list);
    let frame = written(|w| request.encode(w));
    assert_eq!(Smb1NegotiateRequest::decode(&frame).unwrap(), request);

    let response = Smb1NegotiateResponse::refuse(&request.header);
    let frame = packet("smb1/negotiate_response_none");
    assert_eq!(hex(&written(|w| response.encode(w))), hex(&frame));
    assert_eq!(Smb1NegotiateResponse::decode(&frame).unwrap(), response);
}

#[test]
fn frame_prefix() {
    assert_eq!(FramePrefix::message(0x0001_0203).unwrap().to_bytes(), [0, 1, 2, 3]);
    assert_eq!(FramePrefix::message(0x00FF_FFFF).unwrap().to_bytes(), [0, 0xFF, 0xFF, 0xFF]);
    assert_eq!(FramePrefix::message(0x0100_0000), None);
    let prefix = FramePrefix::from_bytes([0x85, 0, 0, 0]);
    assert_eq!((prefix.packet_type, prefix.length), (SessionPacketType::SESSION_KEEP_ALIVE, 0));
}

#[test]
fn session_packets() {
    let calling = NetbiosName::new("client", NetbiosName::WORKSTATION).unwrap();
    let cases = [
        ("netbios/session_request", SessionPacket::Request { called: NetbiosName::SMBSERVER, calling }),
        ("netbios/negative_response", SessionPacket::Negative(SessionRefusal::CALLED_NAME_NOT_PRESENT)),
        ("netbios/retarget_response", SessionPacket::Retarget { address: [192, 0, 2, 2], port: 445 }),
    ];
    for (name, expected) in cases {
        let bytes = packet(name);
        let (prefix, body) = bytes.split_first_chunk::<4>().unwrap();
        let prefix = FramePrefix::from_bytes(*prefix);
        assert_eq!(prefix.length as usize, body.len(), "{name}");
        assert_eq!(SessionPacket::decode(prefix.packet_type, body).unwrap(), expected, "{name}");
        assert_eq!(hex(&written(|w| expected.encode(w))), hex(&bytes), "{name}");
    }
    for packet in [SessionPacket::Positive, SessionPacket::KeepAlive] {
        let bytes = written(|w| packet.encode(w));
        assert_eq!(SessionPacket::decode(SessionPacketType(bytes[0]), &bytes[4..]).unwrap(), packet);
    }
    assert_eq!(format!("{calling:?}"), "CLIENT<00>");
    assert_eq!(NetbiosName::new("sixteen-letters!", 0), None);
    assert_eq!(NetbiosName::new("", 0), None);
}

/// [RFC1001] 14.1: a name may have a scope behind it.
#[test]
fn session_request_with_a_scope() {
    let mut body = packet("netbios/session_request")[4..].to_vec();
    body.splice(33..34, *b"\x07NETBIOS\x03COM\0");
    let packet = SessionPacket::decode(SessionPacketType::SESSION_REQUEST, &body).unwrap();
    let SessionPacket::Request { called, calling } = packet else { panic!("{packet:?}") };
    assert_eq!((called, calling.suffix()), (NetbiosName::SMBSERVER, NetbiosName::WORKSTATION));
}
