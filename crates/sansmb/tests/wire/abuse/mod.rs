//! Malformed input that other implementations fell to. The names start with the row of the list of
//! attacks.

mod around;
mod create;
mod handshake;
mod info;
mod mutation;

use std::fmt::Debug;

use sansmb::wire::{Body, DecodeErrorKind};

/// `msg` with `bytes` at `at`.
pub(crate) fn patched<const N: usize>(msg: &[u8], at: usize, bytes: [u8; N]) -> Vec<u8> {
    let mut msg = msg.to_vec();
    msg[at..at + N].copy_from_slice(&bytes);
    msg
}

/// Why a body does not parse.
#[track_caller]
pub(crate) fn refused<'m, B: Body<'m> + Debug>(msg: &'m [u8]) -> DecodeErrorKind {
    B::decode(msg).expect_err("must not parse").kind
}
