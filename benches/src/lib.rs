//! What the benchmarks share: the typical body, and the load generator with everything that it starts and measures.
//!
//! Two kinds of figures come out of this package: `benches/pipeline.rs` times the pure part of an upsert in one process,
//! and `upsert-bench` loads the running gateway beside a bare handler and what users would otherwise pick.
//! `benches/README.md` says what each means.
//!
//! Nothing here is part of the gateway, and the load goes to 127.0.0.1 alone.

pub mod backlog;
pub mod by_hand;
pub mod cases;
pub mod children;
pub mod client;
pub mod copies;
pub mod customers;
pub mod disk;
pub mod document;
pub mod drive;
pub mod fill;
pub mod flood;
pub mod folder;
pub mod goals;
pub mod hostile;
pub mod house;
pub mod isolation;
pub mod launch;
pub mod machine;
pub mod measure;
pub mod memory;
pub mod options;
pub mod others;
pub mod pinning;
pub mod process;
pub mod programs;
pub mod report;
pub mod sample;
pub mod samples;
pub mod scenes;
pub mod sheet;
pub mod stored;
pub mod text;
pub mod vendor;
pub mod viewers;
