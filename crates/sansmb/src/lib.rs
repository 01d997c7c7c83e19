//! SMB2/3 as a sans-IO protocol core.
//!
//! Bytes and time go in; bytes, events and a deadline come out. The crate opens no socket and no
//! file, reads no clock and draws no randomness.
//!
//! Layers, each importing only from those above it: [`time`], [`wire`], [`crypto`], [`auth`] and [`compress`],
//! [`conn`], [`op`], then [`client`], [`server`] and [`rpc`].
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod auth;
pub mod client;
pub mod compress;
pub mod conn;
pub mod crypto;
pub mod op;
pub mod rpc;
pub mod server;
pub mod time;
pub mod wire;
