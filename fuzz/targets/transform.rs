#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| sansmb_fuzz::transform(data));

#[cfg(not(fuzzing))]
fn main() {}
