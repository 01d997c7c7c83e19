//! NTLM version 2, [MS-NLMP].

mod acceptor;
mod av;
mod client;
mod flags;
mod keys;
mod message;

pub(crate) use acceptor::{Accepted, NtlmServer};
pub use acceptor::{AcceptorConfig, MapToGuest, NtlmAcceptor};
pub use client::NtlmClient;
pub(crate) use keys::{Security, Side};
pub(crate) use message::SIGNATURE;
