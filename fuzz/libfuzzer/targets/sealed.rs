#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| upsert_fuzz::target("sealed").expect("a target")(data));
