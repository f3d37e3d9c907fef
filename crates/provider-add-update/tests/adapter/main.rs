//! The adapter against golden files, and its promises against random input.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in what it calls too")]

mod answers;
mod connection;
mod fixture;
mod properties;
mod reading;
mod refusals;
mod requests;
