#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| upsert_fuzz::target("signature").expect("a target")(data));
