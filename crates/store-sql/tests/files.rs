//! Opening and closing: which files, by whom, with what left behind.

use std::error::Error as _;
use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use upsert_store::{Changeset, ConnectionStore as _, CustomerFilter, CustomerStore as _, Store, StoreError, Write};
use upsert_store_sql::sqlite::{OpenError, SqliteOptions, SqliteStore};
use upsert_testkit::records::{customer_id, customer_record};

fn open(path: &Path) -> Result<SqliteStore, OpenError> {
    SqliteStore::open(path, SqliteOptions::default())
}

fn one_customer() -> Changeset {
    Changeset {
        write: vec![Write::PutCustomer(customer_record("acme", customer_id(1)))],
        ..Changeset::of("acme")
    }
}

#[test]
fn the_folder_is_made_and_the_files_are_the_owners_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep").join("er").join("gateway.db");
    let store = open(&path).unwrap();
    assert!(path.is_file());
    #[cfg(unix)]
    for file in fs::read_dir(path.parent().unwrap()).unwrap() {
        use std::os::unix::fs::PermissionsExt;
        let file = file.unwrap();
        let mode = file.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", file.path().display());
    }
    drop(store);
}

#[cfg(unix)]
#[test]
fn a_file_that_others_could_read_is_the_owners_alone_once_it_is_opened() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gateway.db");
    let log = folder.path().join("gateway.db-wal");
    drop(open(&path).unwrap());
    fs::write(&log, "").unwrap();
    let open_to_all = || fs::Permissions::from_mode(0o644);
    for file in [&path, &log] {
        fs::set_permissions(file, open_to_all()).unwrap();
    }
    let store = open(&path).unwrap();
    for file in fs::read_dir(folder.path()).unwrap() {
        let file = file.unwrap();
        let mode = file.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", file.path().display());
    }
    drop(store);
}

#[test]
fn a_file_is_opened_once_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gateway.db");
    let store = open(&path).unwrap();
    let refused = open(&path).unwrap_err();
    assert!(matches!(refused, OpenError::InUse { .. }));
    assert!(refused.to_string().contains("gateway.db"), "{refused}");
    drop(store);
    open(&path).unwrap();
}

#[cfg(unix)]
#[test]
fn a_file_is_opened_once_at_a_time_under_any_of_its_names() {
    let folder = tempfile::tempdir().unwrap();
    let (path, link) = (folder.path().join("gateway.db"), folder.path().join("link.db"));
    std::os::unix::fs::symlink(&path, &link).unwrap();
    for (one, other) in [(&path, &link), (&link, &path)] {
        let store = open(one).unwrap();
        let refused = open(other).unwrap_err();
        assert!(matches!(refused, OpenError::InUse { .. }), "{refused}");
        drop(store);
    }
}

#[test]
fn what_is_no_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let paths = [
        PathBuf::from(":memory:"),
        PathBuf::from("file::memory:?cache=shared"),
        PathBuf::from("file:gateway.db"),
        PathBuf::new(),
        PathBuf::from("/"),
        folder.path().to_owned(),
    ];
    for path in paths {
        let refused = open(&path).unwrap_err();
        assert!(matches!(refused, OpenError::NotAFile { .. }), "{}", path.display());
    }
}

#[test]
fn a_newer_schema_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gateway.db");
    drop(open(&path).unwrap());
    let direct = Connection::open(&path).unwrap();
    direct.pragma_update(None, "user_version", 99).unwrap();
    let refused = open(&path).unwrap_err();
    assert!(matches!(refused, OpenError::Newer { found: 99, .. }));
    assert!(refused.to_string().contains("newer version"), "{refused}");
    let version: i64 = direct
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .unwrap();
    assert_eq!(version, 99);
}

#[test]
fn the_database_of_another_program_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gateway.db");
    let direct = Connection::open(&path).unwrap();
    direct.execute_batch("CREATE TABLE theirs (x)").unwrap();
    assert!(matches!(open(&path).unwrap_err(), OpenError::Foreign { .. }));
    let tables: i64 = direct
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .unwrap();
    assert_eq!(tables, 1);
    drop(direct);

    let text = folder.path().join("notes.txt");
    fs::write(
        &text,
        "no database at all, but long enough to look like one".repeat(100),
    )
    .unwrap();
    let refused = open(&text).unwrap_err();
    assert!(matches!(refused, OpenError::Database { .. }) && refused.source().is_some());
}

#[tokio::test]
async fn closing_finishes_what_is_queued_and_leaves_one_whole_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gateway.db");
    let store = open(&path).unwrap();
    let queued: Vec<_> = (1..=300)
        .map(|number| {
            let mut changes = one_customer();
            changes.write = vec![Write::PutCustomer(customer_record("acme", customer_id(number)))];
            changes
        })
        .collect();
    let mut answers: Vec<_> = queued.into_iter().map(|changes| store.apply(changes)).collect();
    // One poll hands each of them over.
    for answer in &mut answers {
        std::future::poll_fn(|context| {
            let _ = answer.as_mut().poll(context);
            std::task::Poll::Ready(())
        })
        .await;
    }
    drop(answers);
    store.close();
    assert!(matches!(store.apply(one_customer()).await, Err(StoreError::Busy)));
    assert!(matches!(store.connections().await, Err(StoreError::Busy)));
    assert!(!path.with_file_name("gateway.db-wal").exists());

    let direct = Connection::open(&path).unwrap();
    let count: i64 = direct
        .query_row("SELECT count(*) FROM customers", [], |row| row.get(0))
        .unwrap();
    assert_eq!(count, 300);
}

#[tokio::test]
async fn a_full_queue_is_answered_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gateway.db");
    let options = SqliteOptions {
        queue: 2,
        // It takes one at a time, so that the test knows how many it has in its hands.
        batch: 1,
        ..SqliteOptions::default()
    };
    let store = SqliteStore::open(&path, options).unwrap();
    let direct = Connection::open(&path).unwrap();
    direct.execute_batch("BEGIN IMMEDIATE").unwrap();

    // The writer waits for the lock with one in its hands; two more fit into the queue.
    let mut answers: Vec<_> = Vec::new();
    let mut refused = 0;
    for _ in 0..8 {
        let mut answer = store.apply(one_customer());
        let polled = std::future::poll_fn(|context| std::task::Poll::Ready(answer.as_mut().poll(context))).await;
        match polled {
            std::task::Poll::Ready(outcome) => {
                assert!(matches!(outcome, Err(StoreError::Busy)));
                refused += 1;
            }
            std::task::Poll::Pending => answers.push(answer),
        }
    }
    assert!((2..=3).contains(&answers.len()), "{} queued", answers.len());
    assert_eq!(refused, 8 - answers.len());
    direct.execute_batch("COMMIT").unwrap();
    for answer in answers {
        answer.await.unwrap();
    }
    assert!(!store.is_failed());
}

#[tokio::test]
async fn while_commits_go_on_the_log_is_moved_and_begins_anew() {
    const COMMITS: u128 = 2_000;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gateway.db");
    let options = SqliteOptions {
        checkpoint_pages: 100,
        ..SqliteOptions::default()
    };
    let store = SqliteStore::open(&path, options).unwrap();
    for number in 1..=COMMITS {
        let changes = Changeset {
            write: vec![Write::PutCustomer(customer_record("acme", customer_id(number)))],
            ..Changeset::of("acme")
        };
        store.apply(changes).await.unwrap();
    }
    // It never gets shorter while it is open: this is the longest that it was. All of them together are many times as much.
    let longest = fs::metadata(path.with_extension("db-wal")).unwrap().len();
    assert!(longest < 16 * 1_024 * 1_024, "{longest} bytes");
    drop(store);
    let store = open(&path).unwrap();
    let query = CustomerFilter::default();
    let mut after = None;
    let mut found = 0;
    loop {
        let page = store.customers("acme", &query, after, 500).await.unwrap();
        found += page.entries.len();
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(u128::try_from(found).unwrap(), COMMITS);
}

#[test]
fn sqlite_is_built_with_what_the_project_says() {
    let db = Connection::open_in_memory().unwrap();
    let mut statement = db.prepare("PRAGMA compile_options").unwrap();
    let options = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
    let options: Vec<String> = options.map(Result::unwrap).collect();
    // Of what stands in `.cargo/config.toml`: the other flags, HAVE_FDATASYNC above all, are not among what it tells.
    assert!(options.contains(&"DEFAULT_MEMSTATUS=0".to_owned()), "{options:?}");
    assert!(!options.contains(&"ENABLE_STAT4".to_owned()), "{options:?}");
    assert!(
        options.contains(&"ENABLE_DBPAGE_VTAB".to_owned()),
        "an erasure needs it: {options:?}"
    );
}
