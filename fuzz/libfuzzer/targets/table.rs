#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| upsert_fuzz::target("table").expect("a target")(data));
