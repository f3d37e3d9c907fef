//! What fuzzers have found, and what they begin with, once more.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test that cannot go on has to stop, and says where it was"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use upsert_fuzz::TARGETS;

fn corpora() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let name = |entry: fs::DirEntry| entry.file_name().into_string().unwrap();
    entries.map(|entry| name(entry.unwrap())).collect()
}

#[test]
fn every_target_bears_what_is_in_its_corpus() {
    for (name, target) in TARGETS {
        let folder = corpora().join(name);
        let inputs = names(&folder);
        assert!(inputs.len() >= 3, "{name} has {} inputs", inputs.len());
        for input in inputs {
            // Named before it is run: a panic says by which one.
            println!("{name}/{input}");
            target(&fs::read(folder.join(input)).unwrap());
        }
        target(b"");
    }
}

#[test]
fn every_corpus_and_every_program_has_its_target() {
    let known: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(known.len(), TARGETS.len());
    assert_eq!(names(&corpora()), known);
    let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("libfuzzer/Cargo.toml");
    let programs = fs::read_to_string(programs).unwrap();
    let programs: BTreeSet<String> = programs
        .lines()
        .filter_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'))
        .filter(|name| *name != "upsert-libfuzzer")
        .map(str::to_owned)
        .collect();
    assert_eq!(programs, known);
}
