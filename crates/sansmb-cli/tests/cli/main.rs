//! The program from outside: what it prints, and how it ends.

mod common;
mod decode;
mod usage;

// Folders can be served on Linux only.
#[cfg(target_os = "linux")]
mod access;
#[cfg(target_os = "linux")]
mod bad_input;
#[cfg(target_os = "linux")]
mod bench;
#[cfg(target_os = "linux")]
mod copy;
#[cfg(target_os = "linux")]
mod files;
#[cfg(target_os = "linux")]
mod gate;
#[cfg(target_os = "linux")]
mod interrupt;
#[cfg(target_os = "linux")]
mod persistent;
#[cfg(target_os = "linux")]
mod serve;
#[cfg(target_os = "linux")]
mod server;
#[cfg(target_os = "linux")]
mod tshark;
