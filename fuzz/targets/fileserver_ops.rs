#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| sansmb_fuzz::fileserver_ops(data));

#[cfg(not(fuzzing))]
fn main() {}
