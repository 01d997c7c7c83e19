//! SPNEGO around NTLM, RFC 4178 and [MS-SPNG].

mod acceptor;
mod client;
#[cfg(test)]
mod tests;
mod token;

pub use acceptor::SpnegoAcceptor;
pub use client::SpnegoClient;
