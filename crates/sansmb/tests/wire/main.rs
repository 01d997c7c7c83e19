//! The codec against packets of real peers, against random values, and against malformed input.

mod abuse;
mod around;
mod commands;
mod create;
mod handshake;
mod info;
mod packet;
mod roundtrip;
mod roundtrip_data;
mod roundtrip_info;
mod values;
