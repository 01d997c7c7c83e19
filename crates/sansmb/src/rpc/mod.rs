//! Remote procedure calls over named pipes, as far as clients of a file server need them.
//!
//! DCE/RPC version 5, connection-oriented (C706 chapter 12, [MS-RPCE]), with NDR32 in little-endian
//! order, and methods of three services: the server service ([`srvsvc`]) lists shares, the
//! workstation service ([`wkssvc`]) says what a machine is, the local security authority ([`lsarpc`])
//! translates between names and security identifiers. Both sides are state machines over the bytes
//! that are written to and read from a pipe: [`RpcClient`] and [`RpcServer`].

mod client;
mod error;
mod lanman;
pub mod lsarpc;
mod ndr;
mod pdu;
mod server;
pub mod srvsvc;
#[cfg(test)]
mod tests;
pub mod wkssvc;

pub use client::{RpcClient, RpcReply};
pub use error::RpcError;
use lanman::NetStatus;
pub use ndr::{NdrReader, NdrWriter};
pub use pdu::{
    Bind, BindAck, BindResult, Fault, FaultStatus, HEADER_LEN, Pdu, PduBody, PduFlags, PduType,
    PresentationContext, Request, Response, SyntaxId,
};
pub use server::{PipeMessage, RpcCall, RpcServer};

/// Most bytes of a fragment that this implementation sends or asks for.
pub const MAX_FRAGMENT: u16 = 4280;

/// Fewest bytes of a fragment that every implementation must take, C706 12.6.3.1.
pub const MIN_FRAGMENT: u16 = 1432;
