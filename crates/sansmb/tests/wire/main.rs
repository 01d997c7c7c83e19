//! The codec against packets of real peers, against random values, and against malformed input.

mod abuse;
mod around;
mod create;
mod handshake;
mod packet;
mod roundtrip;
mod values;
