//! NTLM version 2, [MS-NLMP].

mod acceptor;
mod av;
mod client;
mod flags;
mod keys;
mod message;
#[cfg(test)]
mod tests;

pub(crate) use acceptor::{Accepted, NtlmServer};
pub use acceptor::{AcceptorConfig, MapToGuest, NtlmAcceptor};
pub use client::NtlmClient;
#[cfg(test)]
pub(crate) use flags::NegotiateFlags;
pub(crate) use keys::{Security, Side};
pub(crate) use message::SIGNATURE;
