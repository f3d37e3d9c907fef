//! The drivers of `upsert-store`: [`sqlite`], the embedded one, and [`postgres`], which several processes share.
//!
//! A driver applies changesets and answers questions; nothing is decided here. Whether a driver is right, the contract
//! suite says (`upsert_testkit::store_suite`).

mod digest;
mod filling;
mod kept;
pub mod postgres;
pub mod sqlite;
