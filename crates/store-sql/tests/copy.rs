//! A whole store is copied into an empty one, from either driver to either.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::ops::ControlFlow;
use std::path::Path;

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use tokio::runtime::{Builder, Runtime};

use upsert_store::{Changeset, Encryption, SealedStore as _, Store, Write};
use upsert_store_sql::copy::{Copied, CopyError, CopyOrder, CopyStep, Location, copy};
use upsert_store_sql::postgres::{self, PostgresOptions, PostgresStore};
use upsert_store_sql::sqlite::{self, SqliteOptions, SqliteStore};
use upsert_testkit::MemoryStore;
use upsert_testkit::keys::ring;
use upsert_testkit::postgres::Database;
use upsert_testkit::records::{customer_id, customer_record, email, noon, seconds};
use upsert_testkit::store_model::{Observed, changesets, observe};

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn order(from: &Location, to: &Location, batch: usize) -> CopyOrder {
    CopyOrder {
        from: from.clone(),
        to: to.clone(),
        from_shown: "the old one".to_owned(),
        batch,
    }
}

async fn copy_all(from: &Location, to: &Location, batch: usize) -> Result<Copied, CopyError> {
    copy(&order(from, to, batch), &noon, &mut |_| ControlFlow::Continue(())).await
}

/// Lets it copy so many batches, and stops it then.
async fn copy_some(from: &Location, to: &Location, batches: usize) -> Result<Copied, CopyError> {
    let mut left = batches;
    let mut tell = |step| {
        if let CopyStep::Copied { .. } = step {
            left -= 1;
        }
        if left == 0 {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    };
    copy(&order(from, to, 1), &noon, &mut tell).await
}

fn file(folder: &Path, name: &str) -> Location {
    Location::Sqlite(folder.join(name))
}

fn database(database: &Database) -> Location {
    Location::Postgres(database.url().to_owned())
}

enum Opened {
    Sqlite(SqliteStore),
    Postgres(PostgresStore),
}

/// As a gateway does.
async fn open(location: &Location) -> Opened {
    match location {
        Location::Sqlite(path) => Opened::Sqlite(SqliteStore::open(path, SqliteOptions::default()).unwrap()),
        Location::Postgres(url) => {
            Opened::Postgres(PostgresStore::open(url, PostgresOptions::default()).await.unwrap())
        }
    }
}

impl Opened {
    fn store(&self) -> &dyn Store {
        match self {
            Self::Sqlite(store) => store,
            Self::Postgres(store) => store,
        }
    }

    async fn close(self) {
        match self {
            Self::Sqlite(store) => store.close(),
            Self::Postgres(store) => store.close().await,
        }
    }
}

async fn fill(location: &Location, changesets: &[Changeset]) {
    let opened = open(location).await;
    for changes in changesets {
        opened.store().apply(changes.clone()).await.unwrap();
    }
    opened.close().await;
}

/// All that can be asked, and until when ids were made.
async fn seen(location: &Location) -> (Observed, Option<jiff::Timestamp>) {
    let opened = open(location).await;
    let seen = (
        observe(opened.store()).await,
        opened.store().made_until().await.unwrap(),
    );
    opened.close().await;
    seen
}

async fn refuses_gateways(location: &Location) -> bool {
    match location {
        Location::Sqlite(path) => matches!(
            SqliteStore::open(path, SqliteOptions::default()),
            Err(sqlite::OpenError::Unfinished { .. })
        ),
        Location::Postgres(url) => matches!(
            PostgresStore::open(url, PostgresOptions::default()).await,
            Err(postgres::OpenError::Unfinished)
        ),
    }
}

/// A customer whom an e-mail address finds.
fn customer(number: u128) -> Changeset {
    Changeset {
        write: vec![
            Write::PutCustomer(customer_record("acme", customer_id(number))),
            Write::AddIdentifier {
                identifier: email("a@example.com"),
                customer: customer_id(number),
            },
        ],
        ..Changeset::of("acme")
    }
}

/// Each case has two databases of its own, which take longer than all that is done with them.
const CASES: u32 = 8;

proptest! {
    #![proptest_config(ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_copy_answers_as_the_store_that_it_was_made_of(changesets in changesets(24), later in changesets(8)) {
        let folder = tempfile::tempdir().unwrap();
        let (first, second) = (Database::new(), Database::new());
        let ways = [file(folder.path(), "1.db"), database(&first), database(&second), file(folder.path(), "2.db"),
            file(folder.path(), "3.db")];
        runtime().block_on(async {
            let memory = MemoryStore::new();
            fill(&ways[0], &changesets).await;
            for changes in changesets {
                memory.apply(changes).await.unwrap();
            }
            let expected = observe(&memory).await;
            let made_until = seen(&ways[0]).await.1;
            for way in ways.windows(2) {
                let copied = copy_all(&way[0], &way[1], 3).await.unwrap();
                assert!(copied.is_same());
                let (found, made) = seen(&way[1]).await;
                found.assert_same(&expected);
                assert_eq!(made, made_until);
            }
            // Whoever goes on with a copy finds by the same keys, and forgets them.
            for changes in &later {
                memory.apply(changes.clone()).await.unwrap();
            }
            let expected = observe(&memory).await;
            for copied in &ways[2..4] {
                fill(copied, &later).await;
                seen(copied).await.0.assert_same(&expected);
            }
        });
    }
}

#[tokio::test]
async fn what_is_sealed_is_copied_as_it_is_without_any_key_and_opens_where_it_came_to() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::new();
    let source = folder.path().join("1.db");
    let store = SqliteStore::open_sealed(&source, SqliteOptions::default(), ring()).unwrap();
    for changes in filling() {
        store.apply(changes).await.unwrap();
    }
    let expected = observe(&store).await;
    store.close();
    let (first, second) = (Location::Sqlite(source), self::database(&database));
    assert!(copy_all(&first, &second, 7).await.unwrap().is_same());
    let postgres = PostgresStore::open_sealed(database.url(), PostgresOptions::default(), ring())
        .await
        .unwrap();
    assert_eq!(postgres.encryption(), Encryption::On);
    observe(&postgres).await.assert_same(&expected);
    postgres.close().await;
    let back = folder.path().join("2.db");
    assert!(
        copy_all(&second, &Location::Sqlite(back.clone()), 7)
            .await
            .unwrap()
            .is_same()
    );
    let refused = SqliteStore::open(&back, SqliteOptions::default());
    assert!(matches!(refused, Err(sqlite::OpenError::Sealed { .. })));
    let sqlite = SqliteStore::open_sealed(&back, SqliteOptions::default(), ring()).unwrap();
    observe(&sqlite).await.assert_same(&expected);
    // Whoever goes on with a copy seals by the same keys.
    sqlite.apply(customer(77)).await.unwrap();
    sqlite.close();
}

/// Changesets of which few are refused, so that much is kept.
fn filling() -> Vec<Changeset> {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut all = Vec::new();
    for _ in 0..4 {
        all.extend(changesets(24).new_tree(&mut runner).unwrap().current());
    }
    all
}

#[tokio::test]
async fn a_copy_that_is_stopped_after_every_batch_goes_on_and_nobody_opens_its_target_meanwhile() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (Database::new(), Database::new());
    let source = file(folder.path(), "1.db");
    fill(&source, &filling()).await;
    let expected = seen(&source).await.0;
    for (from, to) in [
        (source.clone(), database(&first)),
        (database(&first), file(folder.path(), "2.db")),
        (file(folder.path(), "2.db"), database(&second)),
    ] {
        let mut runs = 0;
        let copied = loop {
            runs += 1;
            match copy_some(&from, &to, 1).await {
                Ok(copied) => break copied,
                Err(CopyError::Stopped) => assert!(refuses_gateways(&to).await),
                Err(error) => panic!("{error}"),
            }
        };
        assert!(copied.is_same() && copied.rows == 0);
        // A row of PostgreSQL's keys is one for each whom it finds.
        assert!(runs > 20 && copied.before >= runs - 1, "{runs} runs");
        seen(&to).await.0.assert_same(&expected);
    }
}

#[tokio::test]
async fn what_is_copied_is_counted_by_what_people_call_it() {
    let folder = tempfile::tempdir().unwrap();
    let target = Database::new();
    let source = file(folder.path(), "1.db");
    fill(&source, &[customer(1), customer(2)]).await;
    let copied = copy_all(&source, &database(&target), 10).await.unwrap();
    let counts = copied.compared.iter().map(|of| (of.thing, of.from, of.to));
    assert_eq!(counts.collect::<Vec<_>>(), [("customers", 2, 2), ("keys", 2, 2)]);
    assert!(copied.compared.iter().all(|of| of.is_same() && of.from_digest != 0));
}

#[tokio::test]
async fn a_target_is_empty_or_this_copys_own() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (Database::new(), Database::new());
    let source = file(folder.path(), "1.db");
    let other = file(folder.path(), "2.db");
    fill(&source, &[customer(1)]).await;
    fill(&other, &[customer(2)]).await;
    for (target, third) in [
        (file(folder.path(), "3.db"), file(folder.path(), "4.db")),
        (database(&first), database(&second)),
    ] {
        let stopped = copy_some(&source, &target, 1).await;
        assert!(matches!(stopped, Err(CopyError::Stopped)));
        let from_another = copy_all(&other, &target, 10).await;
        assert!(
            matches!(&from_another, Err(CopyError::BegunFromAnother { from }) if from == "the old one"),
            "{from_another:?}"
        );
        let unfinished = copy_all(&target, &third, 10).await;
        assert!(matches!(unfinished, Err(CopyError::SourceIsUnfinished { .. })));
        copy_all(&source, &target, 10).await.unwrap();
        let once_more = copy_all(&source, &target, 10).await;
        assert!(
            matches!(&once_more, Err(CopyError::Ended { from, at }) if from == "the old one" && *at == noon()),
            "{once_more:?}"
        );
        fill(&third, &[customer(3)]).await;
        let not_empty = copy_all(&source, &third, 10).await;
        assert!(matches!(not_empty, Err(CopyError::NotEmpty)), "{not_empty:?}");
    }
}

#[tokio::test]
async fn a_source_is_a_store_that_no_gateway_has_open() {
    let folder = tempfile::tempdir().unwrap();
    let (nothing, target) = (Database::new(), Database::new());
    for from in [file(folder.path(), "nothing.db"), database(&nothing)] {
        let copied = copy_all(&from, &database(&target), 10).await;
        assert!(matches!(copied, Err(CopyError::NoSource)), "{copied:?}");
    }
    assert!(!folder.path().join("nothing.db").exists());
    let source = file(folder.path(), "1.db");
    let gateway = open(&source).await;
    let copied = copy_all(&source, &database(&target), 10).await;
    assert!(
        matches!(&copied, Err(CopyError::Open { end: "source", why }) if why.contains("already open")),
        "{copied:?}"
    );
    gateway.close().await;
}

#[tokio::test]
async fn a_source_that_changed_meanwhile_is_noticed_and_nobody_opens_the_target() {
    let folder = tempfile::tempdir().unwrap();
    let (source, target) = (Database::new(), Database::new());
    fill(&database(&source), &[customer(2), customer(3)]).await;
    for to in [database(&target), file(folder.path(), "2.db")] {
        let stopped = copy_some(&database(&source), &to, 2).await;
        assert!(matches!(stopped, Err(CopyError::Stopped)));
        // Behind what was read: a customer that is new, and one that is another now.
        let mut changed = customer_record("acme", customer_id(2));
        changed.updated_at = seconds(9);
        let mut changes = customer(1);
        changes.write.push(Write::PutCustomer(changed));
        fill(&database(&source), &[changes]).await;
        let copied = copy_all(&database(&source), &to, 10).await.unwrap();
        let different: Vec<_> = copied.compared.iter().filter(|of| !of.is_same()).collect();
        assert_eq!(different.len(), 1);
        assert_eq!(
            (different[0].thing, different[0].from, different[0].to),
            ("customers", 3, 2)
        );
        assert!(refuses_gateways(&to).await);
        let forgotten = Changeset {
            write: vec![Write::DeleteCustomer(customer_id(1))],
            ..Changeset::of("acme")
        };
        fill(&database(&source), &[forgotten]).await;
    }
}
