//! Remote procedure calls over named pipes, as far as listing shares needs them.
//!
//! DCE/RPC version 5, connection-oriented (C706 chapter 12, [MS-RPCE]), with NDR32 in little-endian
//! order, and three methods of the server service ([MS-SRVS]). Both sides are state machines over the
//! bytes that are written to and read from a pipe: [`RpcClient`] and [`RpcServer`].

mod client;
mod error;
mod ndr;
mod pdu;
mod server;
pub mod srvsvc;
#[cfg(test)]
mod tests;

pub use client::{RpcClient, RpcReply};
pub use error::RpcError;
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
