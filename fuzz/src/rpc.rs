//! Remote procedure calls over a pipe, and the stubs of the services.

use std::fmt::Debug;

use sansmb::{
    rpc::{
        FaultStatus, NdrReader, Pdu, RpcCall, RpcClient, RpcReply, RpcServer, SyntaxId,
        lsarpc::{self, LsaRequest, PolicyClass},
        srvsvc::{self, INTERFACE, SHARE_ENUM, ShareEnumResponse, SrvsvcRequest, UsageKind},
        wkssvc::{self, WkssvcRequest},
    },
    wire::DecodeError,
};

use crate::{memory::Budget, wire::print};

static INTERFACES: [SyntaxId; 3] = [INTERFACE, wkssvc::INTERFACE, lsarpc::INTERFACE];

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
    let mut pipe = RpcServer::new("\\PIPE\\srvsvc", &INTERFACES);
    if times & 64 == 0 {
        // Calls are out of reach for most inputs without this.
        pipe.received(&RpcClient::new(INTERFACE, 1 << 16).bind());
    }
    let all = bytes.repeat(repeats(times));
    for (at, part) in all.chunks(if times.is_multiple_of(2) { 4096 } else { usize::MAX }).enumerate() {
        pipe.received(part);
        while let Some(call) = pipe.poll_call() {
            match echo(&call) {
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
        assert_eq!((pipe.available(), pipe.messages()), (0, 0));
    }
    if let Ok(pdu) = Pdu::decode(bytes) {
        print(&pdu);
        let mut again = Vec::new();
        pdu.encode(&mut again);
        assert_eq!(Pdu::decode(&again), Ok(pdu));
    }
}

/// Answers with the arguments, as far as they were understood.
fn echo(call: &RpcCall) -> Result<Vec<u8>, FaultStatus> {
    let RpcCall { interface, opnum, stub, .. } = call;
    let understood = match *interface {
        INTERFACE => SrvsvcRequest::decode(*opnum, stub).map(|request| request.map(|it| it.encode())),
        wkssvc::INTERFACE => WkssvcRequest::decode(*opnum, stub).map(|request| request.map(|it| it.encode())),
        _ => LsaRequest::decode(*opnum, stub).map(|request| request.map(|it| it.encode())),
    };
    understood.map_err(|_| FaultStatus::BAD_STUB_DATA)?.ok_or(FaultStatus::OP_RNG_ERROR)
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

/// Whatever can be read comes out the same when it was written and is read again.
fn twice<T: Debug + PartialEq>(
    bytes: &[u8],
    decode: impl Fn(&[u8]) -> Result<T, DecodeError>,
    encode: impl Fn(&T) -> Vec<u8>,
) {
    if let Ok(value) = decode(bytes) {
        print(&value);
        let again = encode(&value);
        assert_eq!(decode(&again), Ok(value));
    }
}

/// The stubs of the services. Those that borrow are held against what is written of them.
fn stubs(bytes: &[u8]) {
    for opnum in [8, 9, 11, 12, 15, 16, 21, 28, 36] {
        if let Ok(Some(request)) = SrvsvcRequest::decode(opnum, bytes) {
            print(&request);
            assert_eq!(request.opnum(), opnum);
            assert_eq!(SrvsvcRequest::decode(opnum, &request.encode()), Ok(Some(request)));
        }
    }
    for opnum in [0, 2, 20] {
        if let Ok(Some(request)) = WkssvcRequest::decode(opnum, bytes) {
            print(&request);
            assert_eq!(request.opnum(), opnum);
            assert_eq!(WkssvcRequest::decode(opnum, &request.encode()), Ok(Some(request)));
        }
    }
    for opnum in [0, 6, 7, 13, 14, 15, 44, 45, 46, 50, 57, 58, 68, 76, 77, 130] {
        if let Ok(Some(request)) = LsaRequest::decode(opnum, bytes) {
            print(&request);
            assert_eq!(request.opnum(), opnum);
            assert_eq!(LsaRequest::decode(opnum, &request.encode()), Ok(Some(request)));
        }
        if let Ok(response) = lsarpc::LookupSidsResponse::decode(opnum, bytes) {
            let again = response.encode(opnum);
            assert_eq!(lsarpc::LookupSidsResponse::decode(opnum, &again), Ok(response));
        }
        twice(bytes, |b| lsarpc::OpenPolicyResponse::decode(opnum, b), |it| it.encode(opnum));
        if let Ok(response) = lsarpc::LookupNamesResponse::decode(opnum, bytes) {
            let again = response.encode(opnum);
            assert_eq!(lsarpc::LookupNamesResponse::decode(opnum, &again), Ok(response));
        }
        let class = PolicyClass(opnum);
        if let Ok(response) = lsarpc::QueryPolicyResponse::decode(class, bytes) {
            assert_eq!(lsarpc::QueryPolicyResponse::decode(class, &response.encode()), Ok(response));
        }
    }
    if let Ok(response) = ShareEnumResponse::decode(bytes) {
        assert!(response.shares.len() <= bytes.len() / 4);
        assert_eq!(ShareEnumResponse::decode(&response.encode()), Ok(response));
    }
    if let Ok(response) = srvsvc::ShareGetInfoResponse::decode(bytes) {
        assert_eq!(srvsvc::ShareGetInfoResponse::decode(&response.encode()), Ok(response));
    }
    if let Ok(response) = srvsvc::ServerGetInfoResponse::decode(bytes) {
        assert_eq!(srvsvc::ServerGetInfoResponse::decode(&response.encode()), Ok(response));
    }
    if let Ok(response) = wkssvc::GetInfoResponse::decode(bytes) {
        assert_eq!(wkssvc::GetInfoResponse::decode(&response.encode()), Ok(response));
    }
    if let Ok(response) = wkssvc::UserEnumResponse::decode(bytes) {
        assert_eq!(wkssvc::UserEnumResponse::decode(&response.encode()), Ok(response));
    }
    if let Ok(response) = wkssvc::JoinInformationResponse::decode(bytes) {
        assert_eq!(wkssvc::JoinInformationResponse::decode(&response.encode()), Ok(response));
    }
    if let Ok(response) = lsarpc::GetUserNameResponse::decode(bytes) {
        assert_eq!(lsarpc::GetUserNameResponse::decode(&response.encode()), Ok(response));
    }
    for kind in [UsageKind::Connections, UsageKind::Files, UsageKind::Sessions] {
        if let Ok(response) = srvsvc::UsageResponse::decode(kind, bytes) {
            assert!(response.list.len() <= bytes.len() / 4);
            assert_eq!(srvsvc::UsageResponse::decode(kind, &response.encode()), Ok(response));
        }
    }
    twice(bytes, srvsvc::RemoteTodResponse::decode, srvsvc::RemoteTodResponse::encode);
    twice(bytes, lsarpc::EnumerateTrustedDomainsResponse::decode, |it| it.encode());
    let mut reader = NdrReader::new(bytes);
    while reader.remaining() > 0 && reader.unique_string().is_ok() {}
}
