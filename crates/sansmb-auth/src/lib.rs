//! SPNEGO and NTLMv2 for sansmb, both sides, no I/O
