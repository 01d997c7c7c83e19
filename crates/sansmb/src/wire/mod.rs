//! The layouts of SMB2: one file a command, no state, no I/O.
//!
//! Every fixed part is one `repr(C)` struct that serves decoding and encoding. A message type such
//! as [`ReadRequest`] holds the meaning and borrows its variable parts from the message; a bulk
//! payload is a type parameter, `&[u8]` when parsed and [`Bulk`] when built, so an encoder never
//! holds it.
//!
//! All offsets inside a message count from the first byte of its SMB2 header, as in
//! [MS-SMB2] 2.2; `msg` below is always exactly one message of a compound, never the whole frame.

#[macro_use]
mod macros;
#[macro_use]
mod structure;

mod access;
mod algorithms;
mod attributes;
mod body;
mod change_notify;
mod close;
mod compression;
mod create;
mod create_context;
mod ctl_code;
pub mod dtyp;
mod error;
mod error_response;
mod flush;
mod framing;
pub mod fscc;
pub mod fsctl;
mod guid;
mod head;
mod header;
mod ioctl;
mod list;
mod lock;
mod message;
mod negotiate;
mod negotiate_context;
mod notification;
mod oplock_break;
mod output_buffer;
pub(crate) mod parse;
mod query_directory;
mod query_info;
mod read;
mod session_setup;
mod set_info;
mod smb1;
mod status;
mod transform;
mod tree_connect;
mod typed_contexts;
mod u16_list;
mod utf16;
mod write;
mod writer;

pub use crate::time::FileTime;
pub use access::AccessMask;
pub use algorithms::{Cipher, CompressionAlgorithm, Dialect, HashAlgorithm, SigningAlgorithm};
pub use attributes::FileAttributes;
pub use body::{Body, Bulk, EmptyBody, Payload};
pub(crate) use body::{fixed_at, span, span_from};
pub use change_notify::{ChangeNotifyFlags, ChangeNotifyRequest, ChangeNotifyResponse, CompletionFilter};
pub use close::{CloseFlags, CloseRequest, CloseResponse};
pub use compression::{
    COMPRESSION_PROTOCOL_ID, ChainedPayload, ChainedPayloads, CompressedMessage, PatternV1,
};
pub use create::{
    CreateAction, CreateDisposition, CreateFlags, CreateOptions, CreateRequest, CreateResponse,
    ImpersonationLevel, OplockLevel, ShareAccess,
};
pub use create_context::{
    ContextIter, ContextList, CreateContext, CreateContextReplies, CreateContextReply, CreateContexts,
    DurableFlags, Lease, LeaseFlags, LeaseKey, LeaseState, LeaseV2, NamedContext, context_name,
};
pub use ctl_code::CtlCode;
pub use error::{DecodeError, DecodeErrorKind};
pub use error_response::{
    ErrorContext, ErrorId, ErrorResponse, MoveDstIpAddr, ShareRedirect, SymbolicLinkErrorResponse,
    SymlinkFlags,
};
pub use flush::FlushRequest;
pub use framing::{FramePrefix, NetbiosName, SessionPacket, SessionPacketType, SessionRefusal};
pub use guid::Guid;
pub(crate) use head::Head;
pub use header::{Command, FileId, Flags, HEADER_LEN, Header, PROTOCOL_ID, SessionId, TreeId};
pub use ioctl::{IoctlFlags, IoctlRequest, IoctlResponse};
pub use list::{Element, List};
pub use lock::{LockElement, LockFlags, LockRequest};
pub(crate) use macros::{layout, open_enum, wire_flags};
pub use message::Message;
pub use negotiate::{Capabilities, NegotiateRequest, NegotiateResponse, SecurityMode};
pub use negotiate_context::{
    CompressionFlags, NegotiateContext, NegotiateContexts, RdmaTransformId, TransportFlags,
};
pub use notification::{NotificationType, ServerToClientNotification};
pub use oplock_break::{
    BreakAcknowledgment, BreakNotification, LeaseBreak, LeaseBreakAcknowledgment, LeaseBreakFlags,
    LeaseBreakNotification, LeaseBreakResponse, OplockBreak, OplockBreakAcknowledgment,
    OplockBreakNotification, OplockBreakResponse,
};
pub use query_directory::{QueryDirectoryFlags, QueryDirectoryRequest, QueryDirectoryResponse};
pub use query_info::{InfoType, QueryInfoFlags, QueryInfoRequest, QueryInfoResponse, SecurityInformation};
pub use read::{ReadFlags, ReadRequest, ReadResponse};
pub use session_setup::{SessionFlags, SessionSetupFlags, SessionSetupRequest, SessionSetupResponse};
pub use set_info::{SetInfoRequest, SetInfoResponse};
pub use smb1::{SMB1_PROTOCOL_ID, Smb1Dialects, Smb1Header, Smb1NegotiateRequest, Smb1NegotiateResponse};
pub use status::NtStatus;
pub use structure::Structure;
pub use transform::{TRANSFORM_LEN, TRANSFORM_PROTOCOL_ID, TransformHeader};
pub use tree_connect::{
    ShareCapabilities, ShareFlags, ShareType, TreeConnectContext, TreeConnectContexts, TreeConnectFlags,
    TreeConnectRequest, TreeConnectResponse,
};
pub use typed_contexts::{TypedContext, TypedContextIter, TypedContexts};
pub use u16_list::U16List;
pub use utf16::{Utf16, Utf16Buf};
pub use write::{WriteFlags, WriteRequest, WriteResponse};
pub use writer::Writer;
