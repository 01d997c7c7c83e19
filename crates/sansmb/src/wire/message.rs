//! Any message of SMB2, for those who look at conversations from outside.

use super::{
    Body, BreakAcknowledgment, BreakNotification, ChangeNotifyRequest, ChangeNotifyResponse, CloseRequest,
    CloseResponse, Command, CreateRequest, CreateResponse, DecodeError, EmptyBody, ErrorResponse,
    FlushRequest, HEADER_LEN, Header, IoctlRequest, IoctlResponse, LeaseBreak, LeaseBreakNotification,
    LockRequest, NegotiateRequest, NegotiateResponse, NtStatus, OplockBreak, QueryDirectoryRequest,
    QueryDirectoryResponse, QueryInfoRequest, QueryInfoResponse, ReadRequest, ReadResponse,
    ServerToClientNotification, SessionSetupRequest, SessionSetupResponse, SetInfoRequest, SetInfoResponse,
    TreeConnectRequest, TreeConnectResponse, WriteRequest, WriteResponse, Writer,
};

macro_rules! messages {
    ($($(#[$meta:meta])* $name:ident($body:ty),)*) => {
        /// The body of a message, of whatever command and direction.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Message<'m> {
            $($(#[$meta])* $name($body),)*
        }

        impl Message<'_> {
            /// Writes the body as [`Body::encode`] does; the writer stands right behind the header.
            pub fn encode(&self, w: &mut Writer<'_>) {
                match self {
                    $(Self::$name(body) => body.encode(w),)*
                }
            }
        }
    };
}

messages! {
    /// [MS-SMB2] 2.2.3
    NegotiateRequest(NegotiateRequest<'m>),
    /// [MS-SMB2] 2.2.4
    NegotiateResponse(NegotiateResponse<'m>),
    /// [MS-SMB2] 2.2.5
    SessionSetupRequest(SessionSetupRequest<'m>),
    /// [MS-SMB2] 2.2.6
    SessionSetupResponse(SessionSetupResponse<'m>),
    /// [MS-SMB2] 2.2.9
    TreeConnectRequest(TreeConnectRequest<'m>),
    /// [MS-SMB2] 2.2.10
    TreeConnectResponse(TreeConnectResponse),
    /// [MS-SMB2] 2.2.13
    CreateRequest(CreateRequest<'m>),
    /// [MS-SMB2] 2.2.14
    CreateResponse(CreateResponse<'m>),
    /// [MS-SMB2] 2.2.15
    CloseRequest(CloseRequest),
    /// [MS-SMB2] 2.2.16
    CloseResponse(CloseResponse),
    /// [MS-SMB2] 2.2.17
    FlushRequest(FlushRequest),
    /// [MS-SMB2] 2.2.19
    ReadRequest(ReadRequest<'m>),
    /// [MS-SMB2] 2.2.20
    ReadResponse(ReadResponse<&'m [u8]>),
    /// [MS-SMB2] 2.2.21
    WriteRequest(WriteRequest<'m, &'m [u8]>),
    /// [MS-SMB2] 2.2.22
    WriteResponse(WriteResponse),
    /// [MS-SMB2] 2.2.23.1, 2.2.24.1 and 2.2.25.1
    OplockBreak(OplockBreak),
    /// [MS-SMB2] 2.2.23.2
    LeaseBreakNotification(LeaseBreakNotification),
    /// [MS-SMB2] 2.2.24.2 and 2.2.25.2
    LeaseBreak(LeaseBreak),
    /// [MS-SMB2] 2.2.26
    LockRequest(LockRequest<'m>),
    /// [MS-SMB2] 2.2.31
    IoctlRequest(IoctlRequest<'m>),
    /// [MS-SMB2] 2.2.32
    IoctlResponse(IoctlResponse<'m>),
    /// [MS-SMB2] 2.2.33
    QueryDirectoryRequest(QueryDirectoryRequest<'m>),
    /// [MS-SMB2] 2.2.34
    QueryDirectoryResponse(QueryDirectoryResponse<'m>),
    /// [MS-SMB2] 2.2.35
    ChangeNotifyRequest(ChangeNotifyRequest),
    /// [MS-SMB2] 2.2.36
    ChangeNotifyResponse(ChangeNotifyResponse<'m>),
    /// [MS-SMB2] 2.2.37
    QueryInfoRequest(QueryInfoRequest<'m>),
    /// [MS-SMB2] 2.2.38
    QueryInfoResponse(QueryInfoResponse<'m>),
    /// [MS-SMB2] 2.2.39
    SetInfoRequest(SetInfoRequest<'m>),
    /// [MS-SMB2] 2.2.40
    SetInfoResponse(SetInfoResponse),
    /// [MS-SMB2] 2.2.44
    ServerToClientNotification(ServerToClientNotification<'m>),
    /// LOGOFF, TREE_DISCONNECT, ECHO, CANCEL; the responses to these, to FLUSH and to LOCK
    Empty(EmptyBody),
    /// [MS-SMB2] 2.2.2
    Error(ErrorResponse<'m>),
}

impl<'m> Message<'m> {
    /// Parses the body of `msg`, which is one message of a compound and starts with `header`. A
    /// command that SMB2 does not have is an error.
    pub fn decode(header: &Header, msg: &'m [u8]) -> Result<Self, DecodeError> {
        if header.is_response() { Self::response(header, msg) } else { Self::request(header, msg) }
    }

    fn request(header: &Header, msg: &'m [u8]) -> Result<Self, DecodeError> {
        Ok(match header.command {
            Command::NEGOTIATE => Self::NegotiateRequest(Body::decode(msg)?),
            Command::SESSION_SETUP => Self::SessionSetupRequest(Body::decode(msg)?),
            Command::TREE_CONNECT => Self::TreeConnectRequest(Body::decode(msg)?),
            Command::CREATE => Self::CreateRequest(Body::decode(msg)?),
            Command::CLOSE => Self::CloseRequest(Body::decode(msg)?),
            Command::FLUSH => Self::FlushRequest(Body::decode(msg)?),
            Command::READ => Self::ReadRequest(Body::decode(msg)?),
            Command::WRITE => Self::WriteRequest(Body::decode(msg)?),
            Command::LOCK => Self::LockRequest(Body::decode(msg)?),
            Command::IOCTL => Self::IoctlRequest(Body::decode(msg)?),
            Command::QUERY_DIRECTORY => Self::QueryDirectoryRequest(Body::decode(msg)?),
            Command::CHANGE_NOTIFY => Self::ChangeNotifyRequest(Body::decode(msg)?),
            Command::QUERY_INFO => Self::QueryInfoRequest(Body::decode(msg)?),
            Command::SET_INFO => Self::SetInfoRequest(Body::decode(msg)?),
            Command::OPLOCK_BREAK => Self::acknowledgment(msg)?,
            Command::LOGOFF | Command::TREE_DISCONNECT | Command::ECHO | Command::CANCEL => {
                Self::Empty(Body::decode(msg)?)
            }
            other => return Err(DecodeError::value("Command", 12, other.0.into())),
        })
    }

    fn response(header: &Header, msg: &'m [u8]) -> Result<Self, DecodeError> {
        if is_error(header, msg) {
            return Ok(Self::Error(Body::decode(msg)?));
        }
        Ok(match header.command {
            Command::NEGOTIATE => Self::NegotiateResponse(Body::decode(msg)?),
            Command::SESSION_SETUP => Self::SessionSetupResponse(Body::decode(msg)?),
            Command::TREE_CONNECT => Self::TreeConnectResponse(Body::decode(msg)?),
            Command::CREATE => Self::CreateResponse(Body::decode(msg)?),
            Command::CLOSE => Self::CloseResponse(Body::decode(msg)?),
            Command::READ => Self::ReadResponse(Body::decode(msg)?),
            Command::WRITE => Self::WriteResponse(Body::decode(msg)?),
            Command::IOCTL => Self::IoctlResponse(Body::decode(msg)?),
            Command::QUERY_DIRECTORY => Self::QueryDirectoryResponse(Body::decode(msg)?),
            Command::CHANGE_NOTIFY => Self::ChangeNotifyResponse(Body::decode(msg)?),
            Command::QUERY_INFO => Self::QueryInfoResponse(Body::decode(msg)?),
            Command::SET_INFO => Self::SetInfoResponse(Body::decode(msg)?),
            // A notification answers nothing, and so has no MessageId, [MS-SMB2] 2.2.23.
            Command::OPLOCK_BREAK if header.message_id == u64::MAX => Self::notification(msg)?,
            Command::OPLOCK_BREAK => Self::acknowledgment(msg)?,
            Command::SERVER_TO_CLIENT_NOTIFICATION => Self::ServerToClientNotification(Body::decode(msg)?),
            Command::LOGOFF
            | Command::TREE_DISCONNECT
            | Command::ECHO
            | Command::CANCEL
            | Command::FLUSH
            | Command::LOCK => Self::Empty(Body::decode(msg)?),
            other => return Err(DecodeError::value("Command", 12, other.0.into())),
        })
    }

    fn notification(msg: &'m [u8]) -> Result<Self, DecodeError> {
        Ok(match BreakNotification::decode(msg)? {
            BreakNotification::Oplock(body) => Self::OplockBreak(body),
            BreakNotification::Lease(body) => Self::LeaseBreakNotification(body),
        })
    }

    fn acknowledgment(msg: &'m [u8]) -> Result<Self, DecodeError> {
        Ok(match BreakAcknowledgment::decode(msg)? {
            BreakAcknowledgment::Oplock(body) => Self::OplockBreak(body),
            BreakAcknowledgment::Lease(body) => Self::LeaseBreak(body),
        })
    }
}

/// Whether the response has the body of an error, [MS-SMB2] 3.3.4.4.
fn is_error(header: &Header, msg: &[u8]) -> bool {
    match header.command {
        _ if header.status == NtStatus::SUCCESS => false,
        Command::SESSION_SETUP => header.status != NtStatus::MORE_PROCESSING_REQUIRED,
        Command::QUERY_INFO | Command::READ => header.status != NtStatus::BUFFER_OVERFLOW,
        Command::CHANGE_NOTIFY => header.status != NtStatus::NOTIFY_ENUM_DIR,
        // Some control codes answer in a body of their own: SRV_COPYCHUNK tells its limits.
        Command::IOCTL => msg.get(HEADER_LEN) == Some(&(ErrorResponse::STRUCTURE_SIZE as u8)),
        _ => true,
    }
}
