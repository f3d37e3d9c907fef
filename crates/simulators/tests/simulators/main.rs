//! Each rule of the simulators, one test, through real HTTP.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod add_update;
mod april;
mod control;
mod desk;
mod edits;
mod faults;
mod hooks;
mod journal;
mod process;
mod race;
mod receiver;
mod rewrites;
mod rotor;
mod rotor_reads;
