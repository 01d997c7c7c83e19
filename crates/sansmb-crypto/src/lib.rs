//! Crypto providers for sansmb
