#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| upsert_fuzz::target("body").expect("a target")(data));
