//! SPNEGO and NTLMv2 for sansmb, both sides, no I/O.
//!
//! The crate holds two implementations of [`sansmb::auth::Mechanism`] for the client,
//! [`SpnegoClient`] (what SMB2 wants) and [`NtlmClient`] (bare NTLMSSP), and two of
//! [`sansmb::auth::Acceptor`] for the server, [`SpnegoAcceptor`] and [`NtlmAcceptor`]. Time and
//! randomness are arguments; accounts come through [`CredentialLookup`].
//!
//! Only NTLMv2 is spoken. LM and NTLMv1 responses never verify, and a message integrity code or a
//! `mechListMIC` that does not match ends the exchange.
//!
//! ```
//! use std::sync::Arc;
//! use sansmb::{auth::{Acceptor, Mechanism, Step}, wire::FileTime};
//! use sansmb_auth::{AcceptorConfig, ClientParams, Credentials, SpnegoAcceptor, SpnegoClient, UserTable};
//!
//! let mut users = UserTable::new();
//! users.add_password("alice", "secret");
//! let acceptor = SpnegoAcceptor::new(AcceptorConfig::new("SERVER", Arc::new(users)));
//! let mut server = acceptor.accept(FileTime(1), [1; 32]);
//! let mut client = SpnegoClient::new(
//!     Credentials::password("Alice", "", "secret"),
//!     ClientParams { now: FileTime(1), random: [2; 32], ..ClientParams::default() },
//! );
//!
//! let mut token = acceptor.hint();
//! let key = loop {
//!     token = match client.step(&token).unwrap() {
//!         Step::Send(token) => token,
//!         Step::Done { session_key, .. } => break session_key,
//!         _ => unreachable!(),
//!     };
//!     token = match server.step(&token).unwrap() {
//!         Step::Send(token) | Step::Done { token, .. } => token,
//!         _ => unreachable!(),
//!     };
//! };
//! assert_eq!(key.as_bytes().len(), 16);
//! ```

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod credentials;
mod der;
mod hash;
mod ntlm;
mod spnego;
mod text;
mod users;

pub use credentials::{ClientParams, Credentials, Secret};
pub use hash::nt_hash;
pub use ntlm::{AcceptorConfig, MapToGuest, NtlmAcceptor, NtlmClient};
pub use spnego::{SpnegoAcceptor, SpnegoClient};
pub use users::{Account, CredentialLookup, UserTable};
