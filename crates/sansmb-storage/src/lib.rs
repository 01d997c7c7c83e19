//! Storage backends for the sansmb file server: local directory and memory
