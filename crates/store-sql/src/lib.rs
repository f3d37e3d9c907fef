//! The drivers of `upsert-store`: for now [`sqlite`], the embedded one.
//!
//! A driver applies changesets and answers questions; nothing is decided here. Whether a driver is right, the contract
//! suite says (`upsert_testkit::store_suite`). A new one is a module beside `sqlite` and one line of that suite.

pub mod sqlite;
