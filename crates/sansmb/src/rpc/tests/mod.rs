mod services;

use alloc::vec;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::srvsvc::*;
use super::*;
use crate::wire::Utf16Buf;

static INTERFACES: [SyntaxId; 1] = [INTERFACE];

fn server() -> RpcServer {
    RpcServer::new("\\PIPE\\srvsvc", &INTERFACES)
}

/// Moves one message of the client to the server and all answers back. The server answers every call
/// with `stub`.
fn exchange(
    client: &mut RpcClient,
    server: &mut RpcServer,
    messages: &[Vec<u8>],
    stub: &[u8],
) -> Vec<RpcReply> {
    messages.iter().for_each(|message| server.received(message));
    assert_eq!(server.error(), None);
    while let Some(call) = server.poll_call() {
        server.respond(&call, stub);
    }
    // A small buffer cuts messages into pieces, as a client's read does.
    core::iter::from_fn(|| server.read(100))
        .filter_map(|message| client.received(&message.data).unwrap())
        .collect()
}

fn bound() -> (RpcClient, RpcServer) {
    let (mut client, mut server) = (RpcClient::new(INTERFACE, 1 << 20), server());
    let bind = client.bind();
    assert_eq!(exchange(&mut client, &mut server, &[bind], &[]), [RpcReply::Bound]);
    (client, server)
}

#[test]
fn long_results_come_in_many_fragments() {
    let names: Vec<_> = (0..500).map(|n| Utf16Buf::new(&alloc::format!("share{n}"))).collect();
    let remark = Utf16Buf::new("a remark");
    let shares: Vec<_> = names
        .iter()
        .map(|name| Share { name: name.as_utf16(), remark: remark.as_utf16(), ..Share::default() })
        .collect();
    let (mut client, mut server) = bound();
    let response = ShareEnumResponse { level: 1, shares, total_entries: 500, ..ShareEnumResponse::default() };
    let messages = client.call(SHARE_ENUM, &[0; 9000]).unwrap();
    assert!(messages.len() > 2);
    let replies = exchange(&mut client, &mut server, &messages, &response.encode());
    let [RpcReply::Results(stub)] = replies.as_slice() else { panic!("{replies:?}") };
    assert_eq!(ShareEnumResponse::decode(stub), Ok(response));
}

#[test]
fn a_fault_ends_the_call_and_not_the_pipe() {
    let (mut client, mut server) = bound();
    for status in [FaultStatus::OP_RNG_ERROR, FaultStatus::BAD_STUB_DATA] {
        let messages = client.call(99, &[]).unwrap();
        messages.iter().for_each(|message| server.received(message));
        let call = server.poll_call().unwrap();
        server.fault(&call, status);
        let message = server.read(usize::MAX).unwrap();
        assert_eq!(client.received(&message.data), Err(RpcError::Fault(status)));
    }
}

#[test]
fn an_unknown_interface_is_refused() {
    let mut client = RpcClient::new(SyntaxId { major: 9, ..INTERFACE }, 1000);
    let mut server = server();
    server.received(&client.bind());
    let message = server.read(usize::MAX).unwrap();
    assert_eq!(client.received(&message.data), Err(RpcError::Refused { result: 2, reason: 1 }));
}

fn small_response() -> Vec<u8> {
    let name = Utf16Buf::new("abc");
    let share = Share { name: name.as_utf16(), remark: name.as_utf16(), ..Share::default() };
    let shares = vec![share, share];
    ShareEnumResponse { level: 1, shares, total_entries: 2, ..ShareEnumResponse::default() }.encode()
}

#[test]
fn m12_counts_that_lie_are_refused() {
    let good = small_response();
    assert!(ShareEnumResponse::decode(&good).is_ok());
    // EntriesRead, max_count, and the three counts of the first string.
    for field in [12, 20, 48, 52, 56] {
        for value in [0x1003_u32, 0xFFFF, 0x8000_0001, u32::MAX] {
            let mut bad = good.clone();
            bad[field..field + 4].copy_from_slice(&value.to_le_bytes());
            // A larger max_count of a string is no lie: it is room that is not used.
            if field != 48 {
                assert!(ShareEnumResponse::decode(&bad).is_err(), "{field} {value:#x}");
            }
        }
    }
    // Both counts agree on more than there is.
    let mut bad = good.clone();
    bad[12..16].copy_from_slice(&u32::MAX.to_le_bytes());
    bad[20..24].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(ShareEnumResponse::decode(&bad).is_err());
}

#[test]
fn m12_null_referents_are_empty_or_refused() {
    let good = small_response();
    // A null buffer with entries.
    let mut bad = good.clone();
    bad[16..20].fill(0);
    assert!(ShareEnumResponse::decode(&bad).is_err());
    // A null name is an empty one: its string is not there.
    let name = Utf16Buf::new("x");
    let mut w = NdrWriter::new();
    [1, 1, 1, 1, 1, 1, 0, 0, 1].into_iter().for_each(|number| w.u32(number));
    w.string(name.as_utf16());
    [1, 0, 0].into_iter().for_each(|number| w.u32(number));
    let stub = w.finish();
    let response = ShareEnumResponse::decode(&stub).unwrap();
    assert!(response.shares[0].name.is_empty());
    assert_eq!(response.shares[0].remark, name.as_utf16());
}

#[test]
fn m12_endless_results_are_refused() {
    let (_, mut server) = bound();
    let mut client = RpcClient::new(INTERFACE, 5000);
    let mut other = self::server();
    other.received(&client.bind());
    assert_eq!(client.received(&other.read(usize::MAX).unwrap().data), Ok(Some(RpcReply::Bound)));
    client.call(SHARE_ENUM, &[]).unwrap();
    let call = RpcCall { call_id: 2, context_id: 0, interface: INTERFACE, opnum: SHARE_ENUM, stub: vec![] };
    server.respond(&call, &[0; 6000]);
    assert_eq!(client.received(&server.read(usize::MAX).unwrap().data), Ok(None));
    assert_eq!(client.received(&server.read(usize::MAX).unwrap().data), Err(RpcError::TooLong));
}

#[test]
fn a_client_that_breaks_the_protocol_is_not_served() {
    let request = |flags, call_id| {
        let mut out = Vec::new();
        Pdu { flags, call_id, body: PduBody::Request(Request::default()) }.encode(&mut out);
        out
    };
    // A request first is a fault: no context is known.
    let mut server = server();
    server.received(&request(PduFlags::WHOLE, 1));
    assert_eq!(server.error(), None);
    assert!(server.read(100).is_some());
    // A fragment that does not begin.
    let (_, mut server) = bound();
    server.received(&request(PduFlags::LAST, 1));
    assert!(server.error().is_some());
    // A call inside another.
    let (_, mut server) = bound();
    server.received(&request(PduFlags::FIRST, 1));
    server.received(&request(PduFlags::FIRST, 2));
    assert!(server.error().is_some());
    // Big-endian, another version, a length below the header.
    for (at, value) in [(4, 0), (0, 4), (8, 15)] {
        let (client, mut server) = (RpcClient::new(INTERFACE, 100), self::server());
        let mut bind = client.bind();
        (bind[at], bind[9]) = (value, 0);
        server.received(&bind);
        assert!(server.error().is_some());
    }
}

#[test]
fn calls_that_nobody_reads_the_answers_of_are_bounded() {
    let (mut client, mut server) = bound();
    let message = client.call(99, &[]).unwrap().remove(0);
    (0..1000).for_each(|_| server.received(&message));
    assert_eq!(server.error(), Some(RpcError::TooLong));
}

#[test]
fn very_many_small_units_in_one_write_take_linear_time() {
    let (_, mut server) = bound();
    let mut cancel = Vec::new();
    let body = PduBody::Other(PduType(18), &[]);
    Pdu { flags: PduFlags::WHOLE, call_id: 9, body }.encode(&mut cancel);
    // Some 4 MiB: hours where every unit moves all that is behind it.
    server.received(&cancel.repeat(1 << 18));
    assert_eq!(server.error(), None);
}

proptest! {
    #[test]
    fn units_round_trip(
        call_id in any::<u32>(),
        frags in any::<[u16; 2]>(),
        uuids in prop::collection::vec(any::<([u8; 16], u16, u16)>(), 0..4),
        stub in prop::collection::vec(any::<u8>(), 0..50),
        kind in 0..7,
    ) {
        let syntax = |&(uuid, major, minor): &([u8; 16], u16, u16)| SyntaxId { uuid: crate::wire::Guid(uuid), major, minor };
        let syntaxes: Vec<_> = uuids.iter().map(syntax).collect();
        let contexts = syntaxes.iter()
            .map(|&abstract_syntax| PresentationContext { id: 3, abstract_syntax, transfer_syntaxes: syntaxes.clone() })
            .collect();
        let [max_xmit_frag, max_recv_frag] = frags;
        let bind = Bind { max_xmit_frag, max_recv_frag, assoc_group_id: call_id, contexts };
        let results = syntaxes.iter()
            .map(|&transfer_syntax| BindResult { result: 0, reason: 0, transfer_syntax })
            .collect();
        let ack = BindAck { max_xmit_frag, max_recv_frag, assoc_group_id: 1, secondary_address: b"\\PIPE\\x", results };
        let (context_id, stub) = (max_xmit_frag, stub.as_slice());
        let (body, flags) = match kind {
            0 => (PduBody::Bind(bind), PduFlags::WHOLE),
            1 => (PduBody::AlterContext(bind), PduFlags::WHOLE),
            2 => (PduBody::BindAck(ack), PduFlags::WHOLE),
            3 => (PduBody::BindNak(4), PduFlags::WHOLE),
            4 => {
                let request = Request { alloc_hint: 1, context_id, opnum: 9, object: None, stub };
                (PduBody::Request(request), PduFlags::FIRST)
            }
            5 => (PduBody::Response(Response { alloc_hint: 1, context_id, cancel_count: 0, stub }), PduFlags::LAST),
            _ => (PduBody::Fault(Fault { context_id, status: FaultStatus(7) }), PduFlags::WHOLE),
        };
        let pdu = Pdu { flags, call_id, body };
        let mut bytes = Vec::new();
        pdu.encode(&mut bytes);
        prop_assert_eq!(Pdu::frame_len(&bytes), Ok(Some(bytes.len())));
        prop_assert_eq!(Pdu::decode(&bytes), Ok(pdu));
    }

    #[test]
    fn garbage_does_not_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..300), ptype in 0..20_u8, valid: bool) {
        if valid && bytes.len() >= 16 {
            let len = bytes.len() as u16;
            bytes[..4].copy_from_slice(&[5, 0, ptype, 3]);
            bytes[4] = 0x10;
            bytes[8..10].copy_from_slice(&len.to_le_bytes());
            bytes[10..12].fill(0);
        }
        let _ = Pdu::decode(&bytes);
        let (mut client, mut server) = bound();
        server.received(&bytes);
        let _ = client.received(&bytes);
        services::decode_all(&bytes);
    }
}
