//! The drivers of `upsert-store`: [`sqlite`], the embedded one, and [`postgres`], which several processes share.
//!
//! [`copy`] takes a whole store from one of them to another.
//!
//! A driver applies changesets and answers questions; nothing is decided here. Whether a driver is right, the contract
//! suite says (`upsert_testkit::store_suite`).

pub mod copy;
mod digest;
mod filling;
mod kept;
pub mod postgres;
mod sealed;
pub mod sqlite;
