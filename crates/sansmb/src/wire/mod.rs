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

mod algorithms;
mod body;
mod close;
mod error;
mod filetime;
mod guid;
mod header;
mod read;
mod status;
mod transform;
mod utf16;
mod write;
mod writer;

pub use algorithms::{Cipher, CompressionAlgorithm, Dialect, HashAlgorithm, SigningAlgorithm};
pub use body::{Body, Bulk, EmptyBody, Payload};
pub(crate) use body::{fixed_at, span};
pub use close::{CloseFlags, CloseRequest, CloseResponse};
pub use error::{DecodeError, DecodeErrorKind};
pub use filetime::FileTime;
pub use guid::Guid;
pub use header::{Command, FileId, Flags, HEADER_LEN, Header, PROTOCOL_ID, SessionId, TreeId};
pub use read::{ReadFlags, ReadRequest, ReadResponse};
pub use status::NtStatus;
pub use transform::{TRANSFORM_LEN, TRANSFORM_PROTOCOL_ID, TransformHeader};
pub use utf16::{Utf16, Utf16Buf};
pub use write::{WriteFlags, WriteRequest, WriteResponse};
pub use writer::Writer;
