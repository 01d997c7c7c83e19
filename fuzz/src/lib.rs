//! What the fuzz targets do: one function a target. A panic is a finding.
//!
//! Parsers are given the bytes as they are. State machines are given either bytes (`*_bytes`) or a
//! sequence of steps (`*_ops`) that `arbitrary` makes of the bytes. All count what they allocate.

pub mod auth;
pub mod client;
mod compression;
mod conn;
pub mod files;
mod info;
mod memory;
mod rpc;
pub mod server;
mod smb1;
mod wire;

pub use auth::{ntlm_client, ntlm_server, spnego_client, spnego_server};
pub use client::{client_bytes, client_ops};
pub use compression::compression;
pub use conn::{compound, credits, frame, transform, verify};
pub use files::fileserver_ops;
pub use info::{fsctl, info, security};
pub use rpc::rpc;
pub use server::{server_bytes, server_ops};
pub use smb1::smb1;
pub use wire::{contexts, messages};
