//! Remote procedure calls over a pipe, and the server service.

use sansmb::{
    rpc::{
        NdrReader, Pdu, RpcClient, RpcReply, RpcServer,
        srvsvc::{
            self, INTERFACE, SHARE_ENUM, ServerGetInfoResponse, ServerInfo, Share, ShareEnumResponse,
            ShareGetInfoResponse, ShareKind, SrvsvcRequest,
        },
    },
    wire::Utf16Buf,
};

use crate::{memory::Budget, wire::print};

/// The first byte says who listens, the second how often the rest comes: what costs too much for
/// each byte shows when there are many.
pub fn rpc(data: &[u8]) {
    let Some(([mode, times], bytes)) = data.split_first_chunk() else { return };
    let len = bytes.len() * repeats(*times);
    Budget { base: 1 << 20, factor: 32 }.check(len, || match mode % 4 {
        0 => server(bytes, *times),
        1 => client(bytes, *times, false),
        2 => client(bytes, *times, true),
        _ => stubs(bytes),
    });
}

fn repeats(times: u8) -> usize {
    if times < 240 { usize::from(times % 16).max(1) } else { usize::from(times - 239) * 64 }
}

/// A pipe server answers every call and keeps little.
fn server(bytes: &[u8], times: u8) {
    let name = Utf16Buf::new("share");
    let server = ServerInfo { platform_id: 500, name: name.as_utf16(), ..Default::default() };
    let share = Share { name: name.as_utf16(), kind: ShareKind(0), remark: name.as_utf16() };
    let shares = [share; 8];
    let mut pipe = RpcServer::new("\\PIPE\\srvsvc", &[INTERFACE]);
    if times & 64 == 0 {
        // Calls are out of reach for most inputs without this.
        pipe.received(&RpcClient::new(INTERFACE, 1 << 16).bind());
    }
    let all = bytes.repeat(repeats(times));
    for (at, part) in all.chunks(if times.is_multiple_of(2) { 4096 } else { usize::MAX }).enumerate() {
        pipe.received(part);
        while let Some(call) = pipe.poll_call() {
            match srvsvc::answer(&call, &server, &shares) {
                Ok(stub) => pipe.respond(&call, &stub),
                Err(status) => pipe.fault(&call, status),
            }
        }
        if at % 3 != 2 {
            continue;
        }
        while let Some(message) = pipe.read(100) {
            assert!(message.data.len() <= 100);
        }
        assert_eq!(pipe.available(), (0, 0));
    }
    if let Ok(pdu) = Pdu::decode(bytes) {
        print(&pdu);
        let mut again = Vec::new();
        pdu.encode(&mut again);
        assert_eq!(Pdu::decode(&again), Ok(pdu));
    }
}

/// A pipe client ends every call, however strange the answers.
fn client(bytes: &[u8], times: u8, bound: bool) {
    const MAX_RESULTS: usize = 64 << 10;
    let mut client = RpcClient::new(INTERFACE, MAX_RESULTS);
    if bound {
        let mut pipe = RpcServer::new("\\PIPE\\srvsvc", &[INTERFACE]);
        pipe.received(&client.bind());
        let ack = pipe.read(usize::MAX).expect("an answer to BIND").data;
        assert_eq!(client.received(&ack), Ok(Some(RpcReply::Bound)));
        let call = client.call(SHARE_ENUM, &[7; 5000]).expect("bound");
        assert!(call.iter().all(|part| part.len() <= sansmb::rpc::MAX_FRAGMENT.into()));
    }
    let all = bytes.repeat(repeats(times));
    for part in all.chunks(if times.is_multiple_of(2) { 4096 } else { usize::MAX }) {
        match client.received(part) {
            Ok(Some(RpcReply::Results(results))) => {
                assert!(results.len() <= MAX_RESULTS);
                print(&ShareEnumResponse::decode(&results));
                let _ = client.call(SHARE_ENUM, &[]);
            }
            Ok(_) => {}
            Err(_) => return,
        }
    }
}

/// The stubs of the server service.
fn stubs(bytes: &[u8]) {
    for opnum in [15, 16, 21] {
        if let Ok(Some(request)) = SrvsvcRequest::decode(opnum, bytes) {
            print(&request);
            assert_eq!(request.opnum(), opnum);
            assert_eq!(SrvsvcRequest::decode(opnum, &request.encode()), Ok(Some(request)));
        }
    }
    if let Ok(response) = ShareEnumResponse::decode(bytes) {
        assert!(response.shares.len() <= bytes.len() / 4);
        assert_eq!(ShareEnumResponse::decode(&response.encode()), Ok(response));
    }
    if let Ok(response) = ShareGetInfoResponse::decode(bytes) {
        assert_eq!(ShareGetInfoResponse::decode(&response.encode()), Ok(response));
    }
    if let Ok(response) = ServerGetInfoResponse::decode(bytes) {
        assert_eq!(ServerGetInfoResponse::decode(&response.encode()), Ok(response));
    }
    let mut reader = NdrReader::new(bytes);
    while reader.remaining() > 0 && reader.unique_string().is_ok() {}
}
