//! A smoke of `scripts/revocations`: a few keys, connections and endpoints are taken away from the real binary under load.

use std::path::Path;

use upsert_chaos::revocations::{Plan, run};

use crate::demo::on_a_runtime;

const PROGRAM: &str = env!("CARGO_BIN_EXE_upsert-gateway");

#[test]
fn nothing_goes_out_by_what_was_revoked_two_seconds_after_the_reload() {
    let folder = tempfile::tempdir().unwrap();
    let plan = Plan {
        revocations: 12,
        slots: 4,
        seed: 7,
    };
    let outcome = on_a_runtime(run(Path::new(PROGRAM), &folder.path().join("run"), plan)).unwrap();
    assert!(outcome.findings.is_empty(), "{}", outcome.text());
    assert!(outcome.revocations.len() > 3, "{}", outcome.text());
    assert!(
        outcome.lines > 100 && outcome.calls > 20 && outcome.events > 0,
        "{}",
        outcome.text()
    );
}
