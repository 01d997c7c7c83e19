//! Decodes the body of any message and builds it again.

use sansmb::wire::{
    Body, BreakAcknowledgment, BreakNotification, ChangeNotifyRequest, ChangeNotifyResponse, CloseRequest,
    CloseResponse, Command, CreateRequest, CreateResponse, DecodeError, EmptyBody, ErrorResponse,
    FlushRequest, HEADER_LEN, Header, IoctlRequest, IoctlResponse, LockRequest, NegotiateRequest,
    NegotiateResponse, NtStatus, QueryDirectoryRequest, QueryDirectoryResponse, QueryInfoRequest,
    QueryInfoResponse, ReadRequest, ReadResponse, ServerToClientNotification, SessionSetupRequest,
    SessionSetupResponse, SetInfoRequest, SetInfoResponse, TreeConnectRequest, TreeConnectResponse,
    WriteRequest, WriteResponse, Writer,
};

/// The message that the decoded one is encoded to; it has been decoded again and means the same.
macro_rules! again {
    ($header:expr, $msg:expr, $body:ty) => {{
        let body = <$body as Body<'_>>::decode($msg)?;
        let mut out = Vec::new();
        let mut writer = Writer::new(&mut out);
        $header.encode(&mut writer);
        body.encode(&mut writer);
        assert_eq!(<$body as Body<'_>>::decode(&out).as_ref(), Ok(&body));
        out
    }};
}

/// One message of a compound, header included: decoded, encoded, and decoded to the same.
pub(crate) fn rebuilt(msg: &[u8]) -> Result<Vec<u8>, DecodeError> {
    let header = Header::decode(msg)?;
    if header.is_response() { response(&header, msg) } else { request(&header, msg) }
}

fn request(header: &Header, msg: &[u8]) -> Result<Vec<u8>, DecodeError> {
    Ok(match header.command {
        Command::NEGOTIATE => again!(header, msg, NegotiateRequest<'_>),
        Command::SESSION_SETUP => again!(header, msg, SessionSetupRequest<'_>),
        Command::TREE_CONNECT => again!(header, msg, TreeConnectRequest<'_>),
        Command::CREATE => again!(header, msg, CreateRequest<'_>),
        Command::CLOSE => again!(header, msg, CloseRequest),
        Command::FLUSH => again!(header, msg, FlushRequest),
        Command::READ => again!(header, msg, ReadRequest<'_>),
        Command::WRITE => again!(header, msg, WriteRequest<'_, &[u8]>),
        Command::LOCK => again!(header, msg, LockRequest<'_>),
        Command::IOCTL => again!(header, msg, IoctlRequest<'_>),
        Command::QUERY_DIRECTORY => again!(header, msg, QueryDirectoryRequest<'_>),
        Command::CHANGE_NOTIFY => again!(header, msg, ChangeNotifyRequest),
        Command::QUERY_INFO => again!(header, msg, QueryInfoRequest<'_>),
        Command::SET_INFO => again!(header, msg, SetInfoRequest<'_>),
        Command::OPLOCK_BREAK => return acknowledgment(header, msg),
        _ => again!(header, msg, EmptyBody),
    })
}

fn response(header: &Header, msg: &[u8]) -> Result<Vec<u8>, DecodeError> {
    if is_error(header, msg) {
        return Ok(again!(header, msg, ErrorResponse<'_>));
    }
    Ok(match header.command {
        Command::NEGOTIATE => again!(header, msg, NegotiateResponse<'_>),
        Command::SESSION_SETUP => again!(header, msg, SessionSetupResponse<'_>),
        Command::TREE_CONNECT => again!(header, msg, TreeConnectResponse),
        Command::CREATE => again!(header, msg, CreateResponse<'_>),
        Command::CLOSE => again!(header, msg, CloseResponse),
        Command::READ => again!(header, msg, ReadResponse<&[u8]>),
        Command::WRITE => again!(header, msg, WriteResponse),
        Command::IOCTL => again!(header, msg, IoctlResponse<'_>),
        Command::QUERY_DIRECTORY => again!(header, msg, QueryDirectoryResponse<'_>),
        Command::CHANGE_NOTIFY => again!(header, msg, ChangeNotifyResponse<'_>),
        Command::QUERY_INFO => again!(header, msg, QueryInfoResponse<'_>),
        Command::SET_INFO => again!(header, msg, SetInfoResponse),
        Command::OPLOCK_BREAK if header.message_id == u64::MAX => return notification(header, msg),
        Command::OPLOCK_BREAK => return acknowledgment(header, msg),
        Command::SERVER_TO_CLIENT_NOTIFICATION => again!(header, msg, ServerToClientNotification<'_>),
        _ => again!(header, msg, EmptyBody),
    })
}

/// Whether the response has the body of an error, [MS-SMB2] 3.3.4.4.
fn is_error(header: &Header, msg: &[u8]) -> bool {
    match header.command {
        _ if header.status == NtStatus::SUCCESS => false,
        Command::SESSION_SETUP => header.status != NtStatus::MORE_PROCESSING_REQUIRED,
        Command::QUERY_INFO | Command::READ => header.status != NtStatus::BUFFER_OVERFLOW,
        Command::CHANGE_NOTIFY => header.status != NtStatus::NOTIFY_ENUM_DIR,
        // FSCTL_SRV_COPYCHUNK tells its limits in a body of its own.
        Command::IOCTL => msg.get(HEADER_LEN) == Some(&9),
        _ => true,
    }
}

fn notification(header: &Header, msg: &[u8]) -> Result<Vec<u8>, DecodeError> {
    Ok(match BreakNotification::decode(msg)? {
        BreakNotification::Oplock(_) => again!(header, msg, sansmb::wire::OplockBreak),
        BreakNotification::Lease(_) => again!(header, msg, sansmb::wire::LeaseBreakNotification),
    })
}

fn acknowledgment(header: &Header, msg: &[u8]) -> Result<Vec<u8>, DecodeError> {
    Ok(match BreakAcknowledgment::decode(msg)? {
        BreakAcknowledgment::Oplock(_) => again!(header, msg, sansmb::wire::OplockBreak),
        BreakAcknowledgment::Lease(_) => again!(header, msg, sansmb::wire::LeaseBreak),
    })
}
