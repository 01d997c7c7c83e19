//! What old clients send first: SMB1 NEGOTIATE, and the session packets of NetBIOS.

use sansmb::wire::{
    FramePrefix, SessionPacket, SessionPacketType, Smb1Header, Smb1NegotiateRequest, Smb1NegotiateResponse,
};

use crate::{
    memory::Budget,
    wire::{print, written},
};

/// SMB1 NEGOTIATE in both directions, and every session packet.
pub fn smb1(data: &[u8]) {
    Budget::PARSER.check(data.len(), || {
        if let Ok(header) = Smb1Header::decode(data) {
            let again = written(|w| header.encode(w));
            assert_eq!(Smb1Header::decode(&again), Ok(header));
        }
        if let Ok(request) = Smb1NegotiateRequest::decode(data) {
            print(&request);
            assert!(request.dialects.iter().count() <= data.len());
            let _ = request.dialects.contains(b"SMB 2.???");
            let again = written(|w| request.encode(w));
            assert_eq!(Smb1NegotiateRequest::decode(&again), Ok(request));
            print(&Smb1NegotiateResponse::refuse(&request.header));
        }
        if let Ok(response) = Smb1NegotiateResponse::decode(data) {
            let again = written(|w| response.encode(w));
            assert_eq!(Smb1NegotiateResponse::decode(&again), Ok(response));
        }
        session_packet(data);
    });
}

fn session_packet(data: &[u8]) {
    let Some((prefix, body)) = data.split_first_chunk::<4>() else { return };
    let prefix = FramePrefix::from_bytes(*prefix);
    assert_eq!(FramePrefix::from_bytes(prefix.to_bytes()), prefix);
    for packet_type in 0x80..0x88 {
        if let Ok(packet) = SessionPacket::decode(SessionPacketType(packet_type), body) {
            let again = written(|w| packet.encode(w));
            let Some((head, body)) = again.split_first_chunk::<4>() else { panic!("no prefix") };
            let head = FramePrefix::from_bytes(*head);
            assert_eq!(head.length as usize, body.len());
            assert_eq!(SessionPacket::decode(head.packet_type, body), Ok(packet));
        }
    }
}
