//! What tests of several crates share: a clock that tests turn, ids and records to start from, and a store in
//! memory, and the contract suite of the stores ([`mod@store_suite`], with [`store_model`] for two stores side by side).
//!
//! It knows no driver and no vendor. Whoever runs a suite brings the thing to be tested.
#![expect(clippy::unwrap_used, reason = "a suite fails by panicking")]

pub mod around;
pub mod clock;
pub mod keys;
mod memory;
pub mod nginx;
pub mod postgres;
pub mod records;
pub mod store_model;
pub mod store_suite;

pub use clock::TestClock;
pub use memory::MemoryStore;
