//! Crypto providers for [`sansmb`].
//!
//! | type | feature | what it is |
//! |---|---|---|
//! | [`RustCrypto`] | `rustcrypto` (default) | pure Rust, runs everywhere |
//! | [`AwsLc`] | `aws-lc` | the fastest; needs a C compiler to build |
//! | [`NullCrypto`] | `null` | **insecure**: does nothing, for tests and fuzzing |
//!
//! [`default_provider`] picks the fastest that is compiled in. Randomness comes from [`OsRandom`]
//! (feature `os-random`, default) or, in tests, from [`CounterRandom`] (feature `null`).
#![no_std]
#![deny(unsafe_code, reason = "allowed in awslc/gmac.rs alone")]

extern crate alloc;

#[cfg(feature = "aws-lc")]
mod awslc;
#[cfg(feature = "null")]
mod null;
#[cfg(feature = "os-random")]
mod random;
#[cfg(feature = "rustcrypto")]
mod rustcrypto;

#[cfg(feature = "aws-lc")]
pub use awslc::AwsLc;
#[cfg(feature = "null")]
pub use null::{CounterRandom, NullCrypto};
#[cfg(feature = "os-random")]
pub use random::OsRandom;
#[cfg(feature = "rustcrypto")]
pub use rustcrypto::RustCrypto;

/// The fastest provider that is compiled in: [`AwsLc`] before [`RustCrypto`].
#[cfg(feature = "rustcrypto")]
pub fn default_provider() -> alloc::sync::Arc<dyn sansmb::crypto::CryptoProvider> {
    #[cfg(feature = "aws-lc")]
    let provider = AwsLc;
    #[cfg(not(feature = "aws-lc"))]
    let provider = RustCrypto;
    alloc::sync::Arc::new(provider)
}
