//! How long files may be. Functions are held to their length by `clippy::too_many_lines`; one that is longer says why in an
//! `expect`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use upsert_tests::lines_of_production;

use super::circles::crates;
use super::root;

/// Files that are longer than [`LONGEST_FILE`], each with why. A file that has become shorter has to leave the list.
const LONG_FILES: &[(&str, &str)] = &[
    (
        "crates/app/src/delivery/claim.rs",
        "one claim, from the look at the lane to the attempt that is durable",
    ),
    (
        "crates/app/src/delivery/record.rs",
        "one result, with everything that it teaches the lane",
    ),
    (
        "crates/app/src/planning/plan.rs",
        "one plan: what differs, what is refused, what is warned of",
    ),
    ("crates/app/src/upsert/draft.rs", "one changeset, drawn up row by row"),
    (
        "crates/core/src/canonicalise.rs",
        "the one reading of a body, from members to values",
    ),
    (
        "crates/store-sql/src/sqlite.rs",
        "the whole trait of the store, a call each",
    ),
];
const LONGEST_FILE: usize = 400;

fn relative(path: &Path) -> String {
    path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned()
}

#[test]
fn files_are_short_but_for_those_that_are_named() {
    let mut long = BTreeSet::new();
    for (_, sources) in crates() {
        for source in sources {
            let text = fs::read_to_string(&source.path).unwrap();
            let lines = lines_of_production(&text).len();
            if lines > LONGEST_FILE && !relative(&source.path).contains("testkit") {
                long.insert(relative(&source.path));
            }
        }
    }
    let named: BTreeSet<String> = LONG_FILES.iter().map(|(path, _)| (*path).to_owned()).collect();
    assert_eq!(long, named, "files of more than {LONGEST_FILE} lines");
}
