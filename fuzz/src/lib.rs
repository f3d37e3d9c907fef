//! What the fuzzers run: a function for each way that something comes in from outside. Each takes bytes that anybody may have
//! sent, and panics where a law is broken; that nothing panics by itself is the first of them. `scripts/fuzz` runs them under
//! libFuzzer, and the tests of this crate with what was kept in `corpus/`.

// The tests that come with what is taken in of the program are run by the program.
#![cfg(not(test))]
#![expect(
    clippy::expect_used,
    reason = "a law that is broken, or a world that is not as it should be, has to stop the run"
)]

mod adapters;
mod configuration;
mod customer;
mod events;
mod imports;
mod sealed;

/// One of them.
pub type Target = fn(&[u8]);

/// All of them, by the names of their corpora.
pub const TARGETS: [(&str, Target); 12] = [
    ("configuration", configuration::files),
    ("merchant", configuration::merchant),
    ("import_map", configuration::import_map),
    ("body", customer::body),
    ("merge", customer::merge),
    ("value", customer::value),
    ("table", imports::table),
    ("mapping", events::mapping),
    ("signature", events::signature),
    ("adapter_answer", adapters::answer),
    ("adapter_read", adapters::read),
    ("sealed", sealed::opened),
];

/// The target of this name.
pub fn target(name: &str) -> Option<Target> {
    TARGETS
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, target)| *target)
}
