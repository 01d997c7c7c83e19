//! The file server behind the protocol's server, as clients see it.

mod basics;
mod common;
mod create;
mod directories;
mod durable;
mod dying;
mod eas;
mod extents;
mod info;
mod interfaces;
mod io;
mod ioctl;
mod leases;
mod locks;
mod notify;
mod oplocks;
mod persistent;
mod pipes;
mod races;
mod reparse;
mod replay;
mod security;
mod sessions;
mod storm;
mod streams;
mod times;
