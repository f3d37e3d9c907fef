//! Several stores over one PostgreSQL database, as several processes have them: writers that race, a server that crashes,
//! certificates.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::cast_precision_loss, reason = "counts are small")]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio_postgres::NoTls;

use upsert_core::CustomerId;
use upsert_store::{
    Applied, Changeset, ConnectionStore as _, CustomerStore as _, Expect, IdentityQuery, Pace, Store as _, StoreError,
    Write,
};
use upsert_store_sql::postgres::{OpenError, PostgresOptions, PostgresStore};
use upsert_testkit::postgres::{Database, Server};
use upsert_testkit::records::{customer_id, customer_record, email, email_key};

async fn open(url: &str) -> Arc<PostgresStore> {
    Arc::new(PostgresStore::open(url, PostgresOptions::default()).await.unwrap())
}

/// So many stores that were all opened at once.
async fn stores(url: &str, count: usize) -> Vec<Arc<PostgresStore>> {
    let mut opening = JoinSet::new();
    for _ in 0..count {
        let url = url.to_owned();
        opening.spawn(async move { open(&url).await });
    }
    opening.join_all().await
}

/// A new customer, if nobody has the address.
fn claim(customer: CustomerId, address: &str) -> Changeset {
    Changeset {
        expect: vec![Expect::Holders {
            identifier: email(address),
            customers: Vec::new(),
        }],
        write: vec![
            Write::PutCustomer(customer_record("acme", customer)),
            Write::AddIdentifier {
                identifier: email(address),
                customer,
            },
        ],
        ..Changeset::of("acme")
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_that_start_at_once_bring_the_schema_up_to_date_together() {
    let database = Database::new();
    for store in stores(database.url(), 6).await {
        store.check().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_several_processes_that_find_nobody_one_makes_the_customer() {
    const ADDRESSES: usize = 200;
    let database = Database::new();
    let stores = stores(database.url(), 3).await;
    let mut claims = JoinSet::new();
    for address in 0..ADDRESSES {
        for (number, store) in stores.iter().enumerate() {
            let store = Arc::clone(store);
            let customer = customer_id((address * 3 + number + 1) as u128);
            claims.spawn(async move {
                let applied = store
                    .apply(claim(customer, &format!("a{address}@example.com")))
                    .await
                    .unwrap();
                (address, customer, applied)
            });
        }
    }
    let mut made: BTreeMap<usize, Vec<CustomerId>> = BTreeMap::new();
    for (address, customer, applied) in claims.join_all().await {
        if applied == Applied::Done {
            made.entry(address).or_default().push(customer);
        }
    }
    for address in 0..ADDRESSES {
        let query = IdentityQuery {
            identifiers: vec![email(&format!("a{address}@example.com"))],
            ..IdentityQuery::default()
        };
        let view = stores[0].identify("acme", &query).await.unwrap();
        let found: Vec<_> = view.holders[0].iter().map(|known| known.record.id).collect();
        assert_eq!(found.len(), 1);
        assert_eq!(made.get(&address), Some(&found));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_change_of_a_customer_is_lost_between_processes() {
    const CHANGES: usize = 60;
    let database = Database::new();
    let stores = stores(database.url(), 3).await;
    let first = Changeset {
        write: vec![Write::PutCustomer(customer_record("acme", customer_id(1)))],
        ..Changeset::of("acme")
    };
    assert_eq!(stores[0].apply(first).await.unwrap(), Applied::Done);
    let mut writers = JoinSet::new();
    for store in stores.clone() {
        writers.spawn(async move {
            let mut done = 0;
            while done < CHANGES {
                let known = store.customer("acme", customer_id(1)).await.unwrap().unwrap();
                let mut record = known.record;
                let expect = vec![record.expected()];
                record.revision += 1;
                let changes = Changeset {
                    expect,
                    write: vec![Write::PutCustomer(record)],
                    ..Changeset::of("acme")
                };
                done += usize::from(store.apply(changes).await.unwrap() == Applied::Done);
            }
        });
    }
    writers.join_all().await;
    let known = stores[0].customer("acme", customer_id(1)).await.unwrap().unwrap();
    assert_eq!(known.record.revision, 1 + 3 * CHANGES as u64);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_relies_on_a_key_that_nobody_has_is_not_passed_by_whoever_takes_it() {
    let database = Database::new();
    let stores = stores(database.url(), 2).await;
    for round in 0..100_u128 {
        let address = format!("k{round}@example.com");
        let (one, other) = (customer_id(round * 2 + 1), customer_id(round * 2 + 2));
        // Each relies on the other's key to be free, and takes its own: not both can have come first.
        let takes = |mine: CustomerId, connection: &str, theirs: &str| Changeset {
            expect: vec![Expect::KeysFree {
                connection: theirs.to_owned(),
                keys: vec![email_key(&address)],
                customer: mine,
            }],
            write: vec![Write::Reserve {
                connection: connection.to_owned(),
                key: email_key(&address),
                customer: mine,
            }],
            ..Changeset::of("acme")
        };
        let (first, second) = tokio::join!(
            stores[0].apply(takes(one, "crm", "pay")),
            stores[1].apply(takes(other, "pay", "crm")),
        );
        let done = [first.unwrap(), second.unwrap()]
            .iter()
            .filter(|applied| **applied == Applied::Done)
            .count();
        assert_eq!(done, 1, "round {round}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_answered_survives_a_crash_of_the_server_and_all_goes_on_when_it_is_back() {
    let mut server = Server::new("listen_addresses=", |_| {});
    let store = open(&server.url()).await;
    let mut answered = Vec::new();
    let mut next = 1_u128;
    for _ in 0..3 {
        let mut claims = JoinSet::new();
        for _ in 0..200 {
            let (store, customer) = (Arc::clone(&store), customer_id(next));
            next += 1;
            claims.spawn(async move {
                let applied = store.apply(claim(customer, &format!("c{customer}@example.com"))).await;
                (customer, applied)
            });
        }
        while claims.len() > 150 {
            let (customer, applied) = claims.join_next().await.unwrap().unwrap();
            answered.extend(matches!(applied, Ok(Applied::Done)).then_some(customer));
        }
        server.crash();
        for (customer, applied) in claims.join_all().await {
            match applied {
                Ok(applied) => answered.extend((applied == Applied::Done).then_some(customer)),
                Err(StoreError::Unavailable(_)) => {}
                Err(other) => panic!("{other}"),
            }
        }
        assert!(matches!(store.check().await, Err(StoreError::Unavailable(_))));
        server.start();
        let back = Instant::now();
        while store.check().await.is_err() {
            assert!(back.elapsed() < Duration::from_secs(10));
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    assert!(answered.len() >= 150);
    for customer in answered {
        assert!(
            store.customer("acme", customer).await.unwrap().is_some(),
            "{customer} was answered and is gone"
        );
    }
}

/// Turns that were taken: when each comes.
async fn takes_turns(store: Arc<PostgresStore>, pace: Pace, until: Instant) -> Vec<Instant> {
    let mut all = Vec::new();
    while Instant::now() < until {
        let turns = store
            .take_turns("acme", "crm", pace, 3, Duration::from_millis(100))
            .await
            .unwrap()
            .unwrap();
        let now = Instant::now();
        let first_in = Duration::try_from(turns.first_in).unwrap_or_default();
        if turns.count == 0 {
            tokio::time::sleep(first_in).await;
            continue;
        }
        all.extend((0..turns.count).map(|number| {
            let micros = turns.first_in.as_micros() + (pace.every * number).as_micros().cast_signed();
            now + Duration::from_micros(u64::try_from(micros).unwrap_or_default())
        }));
        tokio::time::sleep_until(all.last().copied().unwrap().into()).await;
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn turns_under_a_rate_are_those_of_one_process_however_many_take_them() {
    const RATE: u32 = 50;
    const BURST: u32 = 20;
    let database = Database::new();
    let pace = Pace {
        every: Duration::from_secs(1) / RATE,
        burst: BURST,
    };
    let began = Instant::now();
    let mut takers = JoinSet::new();
    for store in stores(database.url(), 3).await {
        takers.spawn(takes_turns(store, pace, began + Duration::from_secs(4)));
    }
    let mut turns = takers.join_all().await.concat();
    turns.sort_unstable();
    for (at, first) in turns.iter().enumerate() {
        for millis in [20, 200, 1_000, 3_000] {
            let window = Duration::from_millis(millis);
            let within = turns[at..].iter().take_while(|turn| **turn - *first < window).count();
            let most = 1.05 * (f64::from(RATE) * window.as_secs_f64() + f64::from(BURST)) + 1.0;
            assert!(within as f64 <= most, "{within} within {window:?}, {most} at most");
        }
    }
    let length = (*turns.last().unwrap() - turns[0]).as_secs_f64();
    let fewest = 0.8 * f64::from(RATE) * length;
    assert!(turns.len() as f64 >= fewest, "{} in {length} s", turns.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_rest_a_burst_is_had_at_once_and_then_a_turn_at_a_time() {
    let database = Database::new();
    let store = open(database.url()).await;
    let pace = Pace {
        every: Duration::from_secs(3_600),
        burst: 4,
    };
    let take = async |most| {
        let turns = store
            .take_turns("acme", "crm", pace, most, Duration::from_millis(100))
            .await
            .unwrap()
            .unwrap();
        (turns.count, turns.first_in.as_secs() / 60)
    };
    assert_eq!(take(3).await, (3, -180));
    assert_eq!(take(9).await, (1, 0));
    assert_eq!(take(1).await, (0, 59));
    let other = store
        .take_turns("globex", "crm", pace, 9, Duration::ZERO)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(other.count, 4, "another merchant's connection of the same name");
}

/// An authority of our own making, and by it a certificate for this name.
fn certificate(folder: &Path, name: &str) {
    let make = |what: &str, arguments: &[&str]| {
        let mut openssl = Command::new("openssl");
        openssl.current_dir(folder).args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
        ]);
        openssl.args([
            "-nodes",
            "-days",
            "2",
            "-keyout",
            &format!("{what}.key"),
            "-out",
            &format!("{what}.crt"),
        ]);
        let made = openssl.args(arguments).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    };
    make("root", &["-subj", "/CN=an authority for tests"]);
    let name = format!("subjectAltName={name}");
    let by_root = [
        "-CA",
        "root.crt",
        "-CAkey",
        "root.key",
        "-addext",
        "basicConstraints=critical,CA:FALSE",
    ];
    make(
        "server",
        &[&by_root[..], &["-subj", "/CN=a server for tests", "-addext", &name]].concat(),
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn verify_full_takes_the_right_name_and_refuses_a_wrong_one_and_an_unknown_authority() {
    let other = tempfile::tempdir().unwrap();
    certificate(other.path(), "IP:127.0.0.1");
    for (name, fits) in [("IP:127.0.0.1", true), ("DNS:db.example.com", false)] {
        // Its files are named from where its data are.
        let settings = "listen_addresses=127.0.0.1\nssl=on\nssl_cert_file=../server.crt\nssl_key_file=../server.key";
        let server = Server::new(settings, |folder| certificate(folder, name));
        let (port, roots) = (server.port(), server.folder().join("root.crt").display().to_string());
        let open = async |mode: &str, roots: &str| {
            let url = format!("postgres://postgres@127.0.0.1:{port}/postgres?sslmode={mode}&sslrootcert={roots}");
            PostgresStore::open(&url, PostgresOptions::default()).await.map(drop)
        };
        let full = open("verify-full", &roots).await;
        assert_eq!(full.is_ok(), fits, "{name}: {full:?}");
        assert!(open("verify-ca", &roots).await.is_ok(), "{name}");
        assert!(open("require", &roots).await.is_ok(), "{name}");
        let strangers = other.path().join("root.crt").display().to_string();
        for mode in ["verify-full", "verify-ca"] {
            let refused = open(mode, &strangers).await;
            let Err(OpenError::Database(why)) = refused else {
                panic!("{name}: {refused:?}");
            };
            assert!(why.contains("certificate"), "{why}");
        }
    }
}

/// Plans are made when tables are empty, and a planner that takes them to stay so would read them whole for each commit.
#[tokio::test]
async fn commits_find_their_rows_by_key_though_the_database_knows_nothing_of_its_tables() {
    const COMMITS: u16 = 200;
    let database = Database::new();
    let store = open(database.url()).await;
    for number in 0..COMMITS {
        let customer = customer_id(number.into());
        let applied = store
            .apply(claim(customer, &format!("{number}@x.example")))
            .await
            .unwrap();
        assert_eq!(applied, Applied::Done);
        let mut record = customer_record("acme", customer);
        record.version += 1;
        let again = Changeset {
            write: vec![Write::PutCustomer(record)],
            ..Changeset::of("acme")
        };
        assert_eq!(store.apply(again).await.unwrap(), Applied::Done);
    }
    // What a connection has counted is known once it is closed.
    store.close().await;
    let (client, connection) = tokio_postgres::connect(database.url(), NoTls).await.unwrap();
    let mut driver = JoinSet::new();
    driver.spawn(async move { drop(connection.await) });
    let read = "SELECT relname::text, seq_tup_read FROM pg_stat_user_tables WHERE idx_scan >= 200 ORDER BY relname";
    let mut tables = Vec::new();
    let deadline = Instant::now() + Duration::from_secs(20);
    while tables.len() < 2 {
        assert!(
            Instant::now() < deadline,
            "the database has counted nothing: {tables:?}"
        );
        tables = client.query(read, &[]).await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    for row in &tables {
        let (table, read): (String, i64) = (row.get(0), row.get(1));
        assert!(
            read < i64::from(COMMITS),
            "{table}: {read} rows were read in {COMMITS} commits"
        );
    }
}
