//! The model test: random sequences of what can happen to a gateway, over a paused clock, held against a reference model
//! after every step and against the vendors' ledgers in the end. `reference.rs` is the model, `actions.rs` what can
//! happen, `books.rs` and `invariants.rs` what has to hold.
//!
//! `MODEL_CASES` says how many sequences are run over the in-memory store (over SQLite a twentieth of that). Sequences
//! that failed once are kept in `crates/app/proptest-regressions/model.txt` and are run first; proptest prints the shortest
//! sequence that fails. Not in here yet: replay and discard, which would be two more actions.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::struct_excessive_bools,
    unreachable_pub,
    reason = "a test that cannot go on has to stop"
)]

mod actions;
mod books;
mod invariants;
mod reference;
#[path = "../common/untouched.rs"]
mod untouched;
mod vendor;
mod watched;
mod world;

use std::sync::Arc;

use proptest::prelude::*;
use proptest::test_runner::{FileFailurePersistence, RngSeed};

use upsert_store::Store;
use upsert_store_sql::sqlite::{SqliteOptions, SqliteStore};
use upsert_testkit::MemoryStore;

use crate::actions::{Action, actions};
use crate::invariants::{hold, hold_in_the_end};
use crate::world::World;

/// So many actions make the longest sequence.
const LONGEST: usize = 100;

/// How many sequences are run unless `MODEL_CASES` says so.
const CASES: u32 = 150;

/// Where the sequences come from unless `MODEL_CASES` says so: then they are new ones each time.
const SEED: u64 = 20_261_121;

fn asked() -> Option<u32> {
    #[expect(clippy::disallowed_methods, reason = "how much is tested is no setting")]
    std::env::var("MODEL_CASES").ok()?.parse().ok()
}

fn cases() -> u32 {
    asked().unwrap_or(CASES)
}

fn config(cases: u32, max_shrink_iters: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        max_shrink_iters,
        // A change is judged by the same sequences each time; new ones are looked for where they are asked for.
        rng_seed: asked().map_or(RngSeed::Fixed(SEED), |_| RngSeed::Random),
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(
            "proptest-regressions/model.txt",
        ))),
        ..ProptestConfig::default()
    }
}

/// One sequence, from an empty store to the end of everything.
fn run(sequence: &[Action], store: Arc<dyn Store>, has_threads: bool) -> Result<(), TestCaseError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut world = World::new(store, has_threads).await;
        for (index, action) in sequence.iter().enumerate() {
            world.step(action).await;
            hold(&world).map_err(|wrong| TestCaseError::fail(format!("after step {index}: {wrong}")))?;
        }
        for last in ["drained", "touched"] {
            if last == "touched" {
                world.touch_everybody().await;
            }
            world.drain().await;
            let held = hold_in_the_end(&world).await;
            held.map_err(|wrong| TestCaseError::fail(format!("once {last}: {wrong}")))?;
        }
        world.end().await;
        Ok(())
    })
}

#[test]
fn what_the_semantics_promise_holds_whatever_happens() {
    proptest!(config(cases(), 2_000), |(sequence in actions(LONGEST))| {
        run(&sequence, Arc::new(MemoryStore::new()), false)?;
    });
}

#[test]
fn it_holds_over_sqlite_too() {
    proptest!(config(cases() / 20, 40), |(sequence in actions(LONGEST))| {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(folder.path().join("gateway.db"), SqliteOptions::default()).unwrap();
        run(&sequence, Arc::new(store), true)?;
    });
}
