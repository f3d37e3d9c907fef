//! What the driver for PostgreSQL may not ask for, since engines that speak its language lack it or pay dearly for it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

/// Lower case, and why not.
const LACKED: [(&str, &str); 13] = [
    ("bigserial", "a sequence is one hot row of a distributed engine"),
    (
        "advisory",
        "CockroachDB has no advisory locks, and those of others are of one node",
    ),
    ("nextval", "a sequence is one hot row of a distributed engine"),
    (" serial ", "a sequence is one hot row of a distributed engine"),
    ("generated always", "a sequence is one hot row of a distributed engine"),
    ("create trigger", "Citus runs none across nodes"),
    (
        "create function",
        "what is in the database is versioned apart from the program",
    ),
    ("create extension", "managed databases allow few of them"),
    ("ctid", "a place in a file of PostgreSQL's own"),
    ("xmin", "a column of PostgreSQL's own"),
    ("foreign key", "Citus has them within one place alone"),
    ("references ", "Citus has them within one place alone"),
    ("lock table", "CockroachDB has no locks of tables"),
];

/// Not every engine or pool in front passes these on. They stand in the one file that a setting switches off.
const SWITCHED_OFF: [&str; 2] = ["listen ", "notify("];
const SWITCHED_OFF_IN: &str = "hints.rs";

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// The driver's SQL: whole migrations without their comments, and what stands between quotes in its source.
fn sql() -> Vec<(PathBuf, String)> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/postgres");
    let mut all = vec![source.with_extension("rs")];
    files(&source, &mut all);
    let text = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        let lines = text
            .lines()
            .map(str::trim)
            .filter(|line| !line.starts_with("//") && !line.starts_with("--"));
        let text = lines.collect::<Vec<_>>().join("\n").to_lowercase();
        (path, text)
    };
    all.into_iter().map(text).collect()
}

#[test]
fn the_driver_asks_for_nothing_that_compatible_engines_lack() {
    let all = sql();
    assert!(
        all.iter().any(|(_, text)| text.contains("for update")),
        "the driver's SQL is not seen"
    );
    for (path, text) in &all {
        for (word, why) in LACKED {
            assert!(!text.contains(word), "{}: `{word}`: {why}", path.display());
        }
    }
    for word in SWITCHED_OFF {
        let with: Vec<_> = all.iter().filter(|(_, text)| text.contains(word)).collect();
        assert!(
            with.len() == 1 && with[0].0.ends_with(SWITCHED_OFF_IN),
            "`{word}` stands in {:?}",
            with.iter().map(|(path, _)| path.display()).collect::<Vec<_>>()
        );
    }
}

#[test]
fn every_primary_key_begins_with_the_merchant_but_those_of_single_rows_sessions_and_the_audit_trail() {
    let (mut keys, mut others) = (0, 0);
    for (path, text) in sql() {
        for key in text.split("primary key (").skip(1) {
            let columns = key.split(')').next().unwrap();
            // They are no merchant's, and few.
            let is_nobodys = |(file, key): &(&str, &str)| path.to_string_lossy().ends_with(file) && columns == *key;
            if [("_sessions.sql", "session"), ("_audit.sql", "number")]
                .iter()
                .any(is_nobodys)
            {
                others += 1;
                continue;
            }
            assert!(columns.starts_with("merchant"), "{}: ({columns})", path.display());
            keys += 1;
        }
    }
    assert!(keys >= 10, "{keys} keys are seen");
    assert_eq!(others, 2);
}

/// A planner that knows nothing of a table yet takes a merchant for a handful of rows: it reads them all and throws away what
/// the list does not name, and the more of them there are the longer it takes.
#[test]
fn what_is_looked_up_by_a_list_is_looked_up_by_the_whole_of_its_key() {
    let mut looked_at = 0;
    for (path, text) in sql() {
        looked_at += text.matches("unnest(").count();
        let text = text.replace('\n', " ");
        let joins = text.split(" on ").skip(1).filter_map(|on| on.split_once('.'));
        let mut by_merchant = joins.filter(|(_, column)| column.starts_with("merchant = $"));
        assert!(
            by_merchant.next().is_none(),
            "{}: a join by a merchant alone",
            path.display()
        );
        assert!(!text.contains("customer = any($"), "{}", path.display());
    }
    assert!(looked_at > 10, "{looked_at}");
}
