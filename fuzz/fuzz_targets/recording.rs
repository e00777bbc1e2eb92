#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| vipwarden_fuzz::recording(data));
