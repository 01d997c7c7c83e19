//! Packets of the commands on open files: CLOSE, FLUSH, READ, WRITE, LOCK, IOCTL.

use crate::packet::{exact, hex, packet};
use sansmb::rpc::srvsvc::{INTERFACE, NetStatus, SHARE_ENUM, ShareEnumResponse, ShareKind, SrvsvcRequest};
use sansmb::rpc::{Pdu, PduBody, PduFlags, RpcClient, RpcReply, RpcServer};
use sansmb::wire::fsctl::{
    CompressionState, DfsReferralRequest, FileRange, FileRanges, InterfaceCapability, NetworkInterfaces,
    ObjectIdBuffer, SrvCopychunk, SrvCopychunkCopy, SrvCopychunkResponse, SrvRequestResumeKey,
    ValidateNegotiateRequest, ValidateNegotiateResponse,
};
use sansmb::wire::{
    Body, Capabilities, CloseRequest, CloseResponse, CtlCode, Dialect, EmptyBody, FileId, FlushRequest,
    IoctlFlags, IoctlRequest, IoctlResponse, LockElement, LockFlags, LockRequest, NtStatus, ReadRequest,
    ReadResponse, Structure, WriteRequest, WriteResponse,
};

/// What `bytes` says, if it is encoded to the same bytes.
#[track_caller]
pub(crate) fn structure<'m, T: Structure<'m>>(bytes: &'m [u8]) -> T {
    let value = T::decode(bytes).unwrap();
    assert_eq!(hex(&value.to_vec()), hex(bytes));
    value
}

#[test]
fn close_and_flush_of_samba() {
    let msg = packet("close/request");
    let (_, close) = exact::<CloseRequest>(&msg);
    assert!(close.flags.is_empty());
    let msg = packet("close/response");
    let (_, response) = exact::<CloseResponse>(&msg);
    assert_eq!(response, CloseResponse::default());
    let msg = packet("flush/request");
    let (_, flush) = exact::<FlushRequest>(&msg);
    assert_ne!(flush.file_id, FileId::default());
    exact::<EmptyBody>(&packet("flush/response"));
}

#[test]
fn read_and_write_of_samba() {
    let msg = packet("read/request");
    let (_, read) = exact::<ReadRequest<'_>>(&msg);
    assert!(read.length > 0 && read.channel_info.is_empty());
    let msg = packet("read/response");
    let (_, response) = exact::<ReadResponse<&[u8]>>(&msg);
    assert_eq!(response.data, &msg[80..]);
    let msg = packet("write/request");
    let (_, write) = exact::<WriteRequest<'_, &[u8]>>(&msg);
    assert_eq!((write.data, write.offset), (&msg[112..], 0));
    let written = write.data.len();
    let msg = packet("write/response");
    let (_, response) = exact::<WriteResponse>(&msg);
    assert_eq!(response.count as usize, written);
}

#[test]
fn locks_of_smbtorture() {
    let msg = packet("lock/request_one");
    let (_, lock) = exact::<LockRequest<'_>>(&msg);
    let element = LockElement { offset: 100, length: 50, flags: LockFlags::EXCLUSIVE };
    assert!(lock.locks.iter().eq([element]) && lock.lock_sequence == 0);
    let msg = packet("lock/request_many");
    let (_, lock) = exact::<LockRequest<'_>>(&msg);
    assert_eq!(lock.locks.len(), 2);
    assert!(lock.locks.iter().all(|element| element.flags.is_valid()));
    let msg = packet("lock/request_sequence");
    let (_, lock) = exact::<LockRequest<'_>>(&msg);
    assert_eq!((lock.sequence_number(), lock.sequence_index()), (1, 0x0001_23AB));
    assert_eq!(LockRequest::sequence(lock.sequence_number(), lock.sequence_index()), lock.lock_sequence);
    exact::<EmptyBody>(&packet("lock/response"));
}

fn request(name: &str, code: CtlCode) -> Vec<u8> {
    let mut msg = packet(name);
    // Offsets of empty buffers mean nothing: smbtorture writes zeros, Windows the offset of the body.
    for field in [88, 100] {
        msg[field..field + 4].copy_from_slice(&120_u32.to_le_bytes());
    }
    let (_, request) = exact::<IoctlRequest<'_>>(&msg);
    assert_eq!((request.ctl_code, request.flags), (code, IoctlFlags::IS_FSCTL));
    request.input.to_vec()
}

fn response(name: &str, code: CtlCode) -> (NtStatus, Vec<u8>) {
    let msg = packet(name);
    let (header, response) = exact::<IoctlResponse<'_>>(&msg);
    assert_eq!((response.ctl_code, response.flags), (code, 0));
    assert!(response.input.is_empty());
    (header.status, response.output.to_vec())
}

#[test]
fn dfs_referral_request_of_smbclient() {
    let input = request("ioctl/request_dfs_get_referrals", CtlCode::DFS_GET_REFERRALS);
    let referral: DfsReferralRequest<'_> = structure(&input);
    assert_eq!(referral.max_referral_level, 3);
    assert_eq!(referral.path.to_text().unwrap(), "\\127.0.0.1\\share");
}

#[test]
fn validate_negotiate_of_samba() {
    let input = request("ioctl/request_validate_negotiate", CtlCode::VALIDATE_NEGOTIATE_INFO);
    let validate: ValidateNegotiateRequest<'_> = structure(&input);
    assert!(!validate.dialects.is_empty());
    let (_, output) = response("ioctl/response_validate_negotiate", CtlCode::VALIDATE_NEGOTIATE_INFO);
    let validate: ValidateNegotiateResponse = structure(&output);
    assert_eq!(validate.dialect, Dialect::SMB2_1);
    assert!(validate.capabilities.contains(Capabilities::DFS));
}

#[test]
fn server_side_copy_of_samba() {
    assert!(request("ioctl/request_resume_key", CtlCode::SRV_REQUEST_RESUME_KEY).is_empty());
    let (_, output) = response("ioctl/response_resume_key", CtlCode::SRV_REQUEST_RESUME_KEY);
    let key: SrvRequestResumeKey<'_> = structure(&output);
    assert!(key.context.is_empty());
    let input = request("ioctl/request_copychunk", CtlCode::SRV_COPYCHUNK);
    let copy: SrvCopychunkCopy<'_> = structure(&input);
    let chunk = |offset| SrvCopychunk { source_offset: offset, target_offset: offset, length: 48 };
    assert!(copy.chunks.iter().eq([chunk(0), chunk(48)]));
    let (status, output) = response("ioctl/response_copychunk", CtlCode::SRV_COPYCHUNK);
    let done: SrvCopychunkResponse = structure(&output);
    assert_eq!((status, done.chunks_written, done.chunk_bytes_written), (NtStatus::SUCCESS, 1, 0));
    let (status, output) = response("ioctl/response_copychunk_limits", CtlCode::SRV_COPYCHUNK);
    let limits: SrvCopychunkResponse = structure(&output);
    let expected = SrvCopychunkResponse {
        chunks_written: 256,
        chunk_bytes_written: 1 << 20,
        total_bytes_written: 16 << 20,
    };
    assert_eq!((status, limits), (NtStatus::INVALID_PARAMETER, expected));
}

#[test]
fn network_interfaces_of_smbd() {
    assert!(request("ioctl/request_interfaces", CtlCode::QUERY_NETWORK_INTERFACE_INFO).is_empty());
    let (_, output) = response("ioctl/response_interfaces", CtlCode::QUERY_NETWORK_INTERFACE_INFO);
    let list: Vec<_> = NetworkInterfaces::new(&output).map(Result::unwrap).collect();
    let ips: Vec<_> = list.iter().map(|info| info.address.ip().unwrap().to_string()).collect();
    assert_eq!(ips, ["127.0.0.1", "::1"]);
    assert_eq!((list[0].link_speed, list[0].capability), (1_000_000_000, InterfaceCapability::empty()));
}

#[test]
fn other_codes_of_samba() {
    let input = request("ioctl/request_allocated_ranges", CtlCode::QUERY_ALLOCATED_RANGES);
    let range: FileRange = structure(&input);
    assert_eq!(range.offset, 0);
    let (_, output) = response("ioctl/response_allocated_ranges", CtlCode::QUERY_ALLOCATED_RANGES);
    let ranges: FileRanges<'_> = structure(&output);
    assert_eq!(ranges.0.len(), 1);
    let (_, output) = response("ioctl/response_allocated_ranges_none", CtlCode::QUERY_ALLOCATED_RANGES);
    assert!(output.is_empty());
    let (_, output) = response("ioctl/response_set_sparse", CtlCode::SET_SPARSE);
    assert!(output.is_empty());
    let (_, output) = response("ioctl/response_object_id", CtlCode::CREATE_OR_GET_OBJECT_ID);
    let id: ObjectIdBuffer = structure(&output);
    assert_eq!(id.object_id, id.birth_object_id);
    let (_, output) = response("ioctl/response_compression", CtlCode::GET_COMPRESSION);
    assert_eq!(structure::<CompressionState>(&output).format, 0);
    assert!(request("ioctl/request_snapshots", CtlCode::SRV_ENUMERATE_SNAPSHOTS).is_empty());
}

#[test]
fn shares_of_samba_are_listed() {
    let unit = |bytes: &[u8]| {
        let pdu = Pdu::decode(bytes).unwrap();
        let mut again = Vec::new();
        pdu.encode(&mut again);
        assert_eq!(hex(&again), hex(bytes));
        assert_eq!(pdu.flags, PduFlags::WHOLE);
    };
    let input = request("ioctl/request_pipe_transceive", CtlCode::PIPE_TRANSCEIVE);
    unit(&input);
    let (_, output) = response("ioctl/response_pipe_transceive", CtlCode::PIPE_TRANSCEIVE);
    unit(&output);
    let PduBody::Response(response) = Pdu::decode(&output).unwrap().body else { panic!("no response") };
    let list = ShareEnumResponse::decode(response.stub).unwrap();
    assert_eq!((list.status, list.level), (NetStatus::SUCCESS, 1));
    assert_eq!(list.total_entries as usize, list.shares.len());
    let pipes = list.shares.iter().find(|share| share.kind == ShareKind::SPECIAL_IPC).unwrap();
    assert_eq!(pipes.name.to_text().unwrap(), "IPC$");
    let request = packet("rpc/share_enum_request");
    let PduBody::Request(call) = Pdu::decode(&request).unwrap().body else { panic!("no request") };
    let decoded = SrvsvcRequest::decode(call.opnum, call.stub).unwrap().unwrap();
    let SrvsvcRequest::ShareEnum { level: 1, resume_handle: Some(0), .. } = decoded else {
        panic!("{decoded:?}")
    };
}

#[test]
fn rpcclient_is_answered() {
    let interfaces: &'static [_] = &[INTERFACE];
    let mut server = RpcServer::new("\\pipe\\srvsvc", interfaces);
    server.received(&packet("rpc/bind"));
    let ack = server.read(usize::MAX).unwrap();
    let PduBody::BindAck(ack) = Pdu::decode(&ack.data).unwrap().body else { panic!("no ack") };
    // As smbd answers.
    let theirs = packet("rpc/bind_ack");
    let PduBody::BindAck(theirs) = Pdu::decode(&theirs).unwrap().body else { panic!("no ack") };
    assert_eq!((ack.max_xmit_frag, ack.max_recv_frag), (theirs.max_xmit_frag, theirs.max_recv_frag));
    assert_eq!((ack.secondary_address, ack.results), (theirs.secondary_address, theirs.results));
    server.received(&packet("rpc/share_enum_request"));
    let call = server.poll_call().unwrap();
    let request = SrvsvcRequest::decode(call.opnum, &call.stub).unwrap();
    assert!(matches!(request, Some(SrvsvcRequest::ShareEnum { level: 1, .. })), "{request:?}");
    assert_eq!(server.error(), None);
}

#[test]
fn smbd_is_understood() {
    let mut client = RpcClient::new(INTERFACE, 1 << 20);
    assert_eq!(client.received(&packet("rpc/bind_ack")), Ok(Some(RpcReply::Bound)));
    let msg = packet("ioctl/response_pipe_transceive");
    let output = IoctlResponse::decode(&msg).unwrap().output;
    client.call(SHARE_ENUM, &[]).unwrap();
    assert!(matches!(client.received(output), Ok(Some(RpcReply::Results(_)))));
}
