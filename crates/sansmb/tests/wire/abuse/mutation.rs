//! Every packet of `testdata`, cut and changed in every place.

use std::fmt::Debug;

use super::patched;
use crate::packet::{encode, packet};
use sansmb::wire::{
    Body, BreakAcknowledgment, BreakNotification, ChangeNotifyRequest, ChangeNotifyResponse, CloseRequest,
    CloseResponse, CompressedMessage, CreateRequest, CreateResponse, DecodeError, EmptyBody, ErrorResponse,
    FlushRequest, Header, IoctlRequest, IoctlResponse, LockRequest, NegotiateRequest, NegotiateResponse,
    QueryDirectoryRequest, QueryDirectoryResponse, QueryInfoRequest, QueryInfoResponse, ReadRequest,
    ReadResponse, ServerToClientNotification, SessionPacket, SessionPacketType, SessionSetupRequest,
    SessionSetupResponse, SetInfoRequest, SetInfoResponse, ShareRedirect, Smb1NegotiateRequest,
    Smb1NegotiateResponse, SymbolicLinkErrorResponse, TransformHeader, TreeConnectRequest,
    TreeConnectResponse, WriteRequest, WriteResponse,
};

/// Every decoder on the same bytes: none panics, whatever a message claims to be.
fn decode_all(msg: &[u8]) {
    fn show<'m, B: Body<'m> + Debug>(msg: &'m [u8]) {
        if let Ok(body) = B::decode(msg) {
            // Formatting walks through all lists.
            let _ = format!("{body:?}");
            encode(&Header::default(), &body);
        }
    }
    fn debug<T: Debug>(result: Result<T, DecodeError>) {
        let _ = format!("{result:?}");
    }
    debug(Header::decode(msg));
    show::<NegotiateRequest<'_>>(msg);
    show::<NegotiateResponse<'_>>(msg);
    show::<SessionSetupRequest<'_>>(msg);
    show::<SessionSetupResponse<'_>>(msg);
    show::<TreeConnectRequest<'_>>(msg);
    show::<TreeConnectResponse>(msg);
    show::<CreateRequest<'_>>(msg);
    show::<CreateResponse<'_>>(msg);
    show::<CloseRequest>(msg);
    show::<CloseResponse>(msg);
    show::<ReadRequest<'_>>(msg);
    show::<ReadResponse<&[u8]>>(msg);
    show::<WriteRequest<'_, &[u8]>>(msg);
    show::<WriteResponse>(msg);
    show::<EmptyBody>(msg);
    show::<ServerToClientNotification<'_>>(msg);
    show::<FlushRequest>(msg);
    show::<LockRequest<'_>>(msg);
    show::<IoctlRequest<'_>>(msg);
    show::<IoctlResponse<'_>>(msg);
    show::<QueryDirectoryRequest<'_>>(msg);
    show::<QueryDirectoryResponse<'_>>(msg);
    show::<ChangeNotifyRequest>(msg);
    show::<ChangeNotifyResponse<'_>>(msg);
    show::<QueryInfoRequest<'_>>(msg);
    show::<QueryInfoResponse<'_>>(msg);
    show::<SetInfoRequest<'_>>(msg);
    show::<SetInfoResponse>(msg);
    if let Ok(info) = QueryInfoResponse::decode(msg) {
        super::info::decode_buffer(info.buffer);
    }
    if let Ok(info) = SetInfoRequest::decode(msg) {
        super::info::decode_buffer(info.buffer);
    }
    if let Ok(ioctl) = IoctlRequest::decode(msg) {
        super::info::decode_buffer(ioctl.input);
    }
    if let Ok(ioctl) = IoctlResponse::decode(msg) {
        super::info::decode_buffer(ioctl.output);
    }
    if Header::decode(msg).is_err() {
        super::info::decode_buffer(msg);
    }
    debug(BreakNotification::decode(msg));
    debug(BreakAcknowledgment::decode(msg));
    debug(TransformHeader::split(msg));
    debug(CompressedMessage::decode(msg));
    debug(Smb1NegotiateRequest::decode(msg));
    debug(Smb1NegotiateResponse::decode(msg));
    if let Ok(error) = ErrorResponse::decode(msg) {
        for data in error.contexts().map(|context| context.data).chain([error.data, error.error_data()]) {
            debug(SymbolicLinkErrorResponse::decode(data));
            debug(ShareRedirect::decode(data));
        }
    }
    for packet_type in 0x80..0x87 {
        debug(SessionPacket::decode(SessionPacketType(packet_type), msg));
    }
}

#[test]
fn no_packet_panics_when_it_is_cut_or_changed() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/packets");
    let folders = std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path());
    let files = folders.filter(|path| path.is_dir()).flat_map(|path| std::fs::read_dir(path).unwrap());
    let mut seen = 0;
    for entry in files {
        let path = entry.unwrap().path();
        let name = path.strip_prefix(root).unwrap().with_extension("");
        let msg = packet(name.to_str().unwrap());
        seen += 1;
        // The first bytes are where the offsets stand; a long security token has nothing to be read.
        let interesting = msg.len().min(320);
        for len in 0..interesting {
            decode_all(&msg[..len]);
        }
        for at in 0..interesting {
            for value in [0, 1, 7, 0x7F, 0x80, 0xFF] {
                decode_all(&patched(&msg, at, [value]));
            }
        }
    }
    assert!(seen >= 120, "{seen} packets");
}
