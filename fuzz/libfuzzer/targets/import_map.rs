#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| upsert_fuzz::target("import_map").expect("a target")(data));
