//! The file server behind the protocol's server, as clients see it.

mod basics;
mod common;
