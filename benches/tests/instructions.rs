//! How many instructions an upsert takes, counted by callgrind: a figure that does not depend on the machine's mood. It may
//! not grow by more than a tenth over what is kept in `benches/instructions.json`; `scripts/instructions` renews that.
#![allow(clippy::expect_used, reason = "a test that cannot go on has to stop")]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

const KEPT: &str = "instructions.json";

/// In percent of what is kept.
const MOST_GROWTH: u64 = 10;

/// Set where what is counted is to be kept.
const RENEW: &str = "RENEW_INSTRUCTIONS";

/// Whatever is done once in a process (regular expressions for phone numbers, prepared statements) is in both counts, and
/// not in their difference.
fn per_upsert(kind: &str) -> u64 {
    let (few, many) = (20, 60);
    (counted(kind, many) - counted(kind, few)) / (many - few)
}

fn counted(kind: &str, upserts: u64) -> u64 {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .args([env!("CARGO_BIN_EXE_upsert-bench-instructions"), kind])
        .arg(upserts.to_string())
        .output()
        .expect("valgrind is installed: scripts/test sees to that");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let collected = said.lines().find_map(|line| line.split_once("Collected :"));
    let (_, count) = collected.expect("callgrind says what it collected");
    count.trim().parse().expect("a number")
}

fn kept() -> BTreeMap<String, u64> {
    let text = std::fs::read_to_string(path()).expect("the figures are kept");
    serde_json::from_str(&text).expect("a figure for each kind")
}

fn path() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(KEPT)
}

fn takes_no_more_than_it_did(kind: &str) {
    let count = per_upsert(kind);
    let mut kept = kept();
    if std::env::var_os(RENEW).is_some() {
        kept.insert(kind.to_owned(), count);
        let text = serde_json::to_string_pretty(&kept).expect("numbers are JSON");
        std::fs::write(path(), text + "\n").expect("the figures can be written");
        return;
    }
    let before = kept.get(kind).expect("each kind has a figure");
    let most = before + before * MOST_GROWTH / 100;
    assert!(
        count <= most,
        "{kind}: {count} instructions, and {before} before. If that is what it has to cost: scripts/instructions"
    );
}

#[test]
fn the_work_of_an_upsert_without_a_store_takes_no_more_instructions_than_it_did() {
    takes_no_more_than_it_did("pure");
}

#[test]
fn the_upsert_of_a_new_customer_takes_no_more_instructions_than_it_did() {
    takes_no_more_than_it_did("new");
}

#[test]
fn an_upsert_that_changes_nothing_takes_no_more_instructions_than_it_did() {
    takes_no_more_than_it_did("unchanged");
}
