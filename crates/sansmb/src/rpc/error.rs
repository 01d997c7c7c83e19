//! What can go wrong with a remote procedure call.

use super::FaultStatus;
use crate::wire::DecodeError;

/// A peer that does not keep to the protocol, or a call that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RpcError {
    /// Bytes that do not parse.
    #[error("malformed: {0}")]
    Malformed(#[from] DecodeError),
    /// A message that must not come now.
    #[error("unexpected message: {0}")]
    Unexpected(&'static str),
    /// The other side does not know the interface, or not its transfer syntax.
    #[error("the interface was refused: result {result}, reason {reason}")]
    Refused {
        /// Result of the negotiation.
        result: u16,
        /// Its reason.
        reason: u16,
    },
    /// The answer is longer than was allowed.
    #[error("the answer is too long")]
    TooLong,
    /// The call failed in the other side's run-time system.
    #[error("fault {0}")]
    Fault(FaultStatus),
}
