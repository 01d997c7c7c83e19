//! Pure file-server semantics on top of the sansmb core

pub mod storage;
