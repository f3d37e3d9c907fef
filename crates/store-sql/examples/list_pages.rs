//! How long a page of each list takes in a file with 1,000,000 deliveries: the first page, and one from the middle.
//!
//! `cargo run --release -p upsert-store-sql --example list_pages [folder] [deliveries]`
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a tool that prints, and stops where it fails"
)]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use upsert_core::{DeliveryId, ErrorKind, StateAtVendor, UpsertId, WaitingFor, Word as _};
use upsert_store::{
    Applied, Changeset, DeliveryError, DeliveryFilter, DeliveryState, DeliveryStore as _, Progress, Store,
    UpsertFilter, UpsertState, UpsertStore as _, Write,
};
use upsert_store_sql::sqlite::{SqliteOptions, SqliteStore};
use upsert_testkit::records::{
    customer_id, delivery_id, delivery_of, delivery_record, seconds, upsert_id, upsert_in_state,
};

const CONNECTIONS: [&str; 3] = ["crm", "wallet", "payments"];
const LIMIT: usize = 50;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().map_or_else(std::env::temp_dir, PathBuf::from);
    let deliveries: u128 = arguments.next().map_or(1_000_000, |text| text.parse().unwrap());
    let folder = tempfile::tempdir_in(folder).unwrap();
    let path = folder.path().join("gateway.db");
    let store = SqliteStore::open(&path, SqliteOptions::default()).unwrap();
    fill(&store, deliveries / 3).await;
    println!(
        "{deliveries} deliveries in {} MiB",
        std::fs::metadata(&path).unwrap().len() >> 20
    );
    println!("{:<44} {:>12} {:>12} {:>8}", "", "first, ms", "middle, ms", "entries");
    for (what, filter) in lists() {
        let middle = Some(delivery_id(deliveries / 6));
        let (first, entries) = page(&store, &filter, None).await;
        let (then, _) = page(&store, &filter, middle).await;
        print_line(what, first, then, entries);
    }
    let failed = filter(|f| f.state = [DeliveryState::Failed].into());
    let started = Instant::now();
    let counted = store.count_deliveries(&failed, 10_000).await.unwrap();
    print_line(
        "count of failed, at most 10,000",
        started.elapsed(),
        Duration::ZERO,
        counted.count,
    );
    let started = Instant::now();
    let due = store.due_connections(seconds(1_000_000)).await.unwrap();
    print_line(
        "connections with something due",
        started.elapsed(),
        Duration::ZERO,
        due.len(),
    );
    let started = Instant::now();
    let counts = store.failed_deliveries().await.unwrap();
    let all: u64 = counts.iter().map(|count| count.count).sum();
    print_line(
        "dead letters of every connection",
        started.elapsed(),
        Duration::ZERO,
        usize::try_from(all).unwrap(),
    );
    for (what, filter) in upsert_lists() {
        let middle = Some(upsert_id(deliveries / 6));
        let (first, entries) = upsert_page(&store, &filter, None).await;
        let (then, _) = upsert_page(&store, &filter, middle).await;
        print_line(what, first, then, entries);
    }
}

fn print_line(what: &str, first: Duration, then: Duration, entries: usize) {
    let ms = |time: Duration| time.as_secs_f64() * 1_000.0;
    println!("{what:<44} {:>12.2} {:>12.2} {entries:>8}", ms(first), ms(then));
}

/// The slowest of three.
async fn page(store: &SqliteStore, filter: &DeliveryFilter, before: Option<DeliveryId>) -> (Duration, usize) {
    let mut slowest = (Duration::ZERO, 0);
    for _ in 0..3 {
        let started = Instant::now();
        let page = store.deliveries(filter, before, LIMIT).await.unwrap();
        slowest = slowest.max((started.elapsed(), page.entries.len()));
    }
    slowest
}

async fn upsert_page(store: &SqliteStore, filter: &UpsertFilter, before: Option<UpsertId>) -> (Duration, usize) {
    let mut slowest = (Duration::ZERO, 0);
    for _ in 0..3 {
        let started = Instant::now();
        let page = store.upserts(filter, before, LIMIT).await.unwrap();
        slowest = slowest.max((started.elapsed(), page.entries.len()));
    }
    slowest
}

fn filter(change: impl FnOnce(&mut DeliveryFilter)) -> DeliveryFilter {
    let mut filter = DeliveryFilter::default();
    change(&mut filter);
    filter
}

fn lists() -> Vec<(&'static str, DeliveryFilter)> {
    use DeliveryState::{Discarded, Failed, Succeeded, Waiting};
    let merchant = |name: &str| Some([name.to_owned()].into());
    vec![
        ("no filter", filter(|_| {})),
        ("state=failed", filter(|f| f.state = [Failed].into())),
        ("state=waiting", filter(|f| f.state = [Waiting].into())),
        ("state=succeeded", filter(|f| f.state = [Succeeded].into())),
        ("state=discarded: none", filter(|f| f.state = [Discarded].into())),
        (
            "state=failed,waiting of one merchant",
            filter(|f| {
                f.state = [Failed, Waiting].into();
                f.merchants = merchant("m7");
            }),
        ),
        ("connection", filter(|f| f.connection = Some("wallet".to_owned()))),
        ("connection with few", filter(|f| f.connection = Some("new".to_owned()))),
        (
            "connection, state=failed",
            filter(|f| {
                f.connection = Some("wallet".to_owned());
                f.state = [Failed].into();
            }),
        ),
        ("customer", filter(|f| f.customer_id = Some(customer_id(77)))),
        ("big merchant", filter(|f| f.merchants = merchant("m0"))),
        ("rare merchant", filter(|f| f.merchants = merchant("rare"))),
        (
            "rare merchant, state=succeeded",
            filter(|f| {
                f.merchants = merchant("rare");
                f.state = [Succeeded].into();
            }),
        ),
        (
            "state=failed, an error code of which there is none",
            filter(|f| {
                f.state = [Failed].into();
                f.error_code = Some("nowhere".to_owned());
            }),
        ),
        (
            "state=waiting for what nobody waits for",
            filter(|f| {
                f.state = [Waiting].into();
                f.waiting_for = Some(WaitingFor::Breaker);
            }),
        ),
    ]
}

fn upsert_lists() -> Vec<(&'static str, UpsertFilter)> {
    let of = |merchant: &str, change: &dyn Fn(&mut UpsertFilter)| {
        let mut filter = UpsertFilter {
            merchant: merchant.to_owned(),
            ..UpsertFilter::default()
        };
        change(&mut filter);
        filter
    };
    vec![
        ("upserts of the big merchant", of("m0", &|_| {})),
        ("upserts of the rare merchant", of("rare", &|_| {})),
        (
            "upserts, state=failed",
            of("m0", &|f| f.state = [UpsertState::Failed].into()),
        ),
        (
            "upserts, state=pending: none",
            of("m0", &|f| f.state = [UpsertState::Pending].into()),
        ),
        (
            "upserts of a customer",
            of("m0", &|f| f.customer_id = Some(customer_id(77))),
        ),
        (
            "upserts, connection with few",
            of("m0", &|f| f.connection = Some("new".to_owned())),
        ),
    ]
}

/// Of each hundred upserts 80 are the big merchant's, the others those of fifty; the rare one has five in the middle.
/// One delivery in ten has failed, two in ten wait.
async fn fill(store: &SqliteStore, upserts: u128) {
    let mut write: BTreeMap<String, Vec<Write>> = BTreeMap::new();
    for number in 1..=upserts {
        let merchant = match number {
            n if n > upserts / 2 && n <= upserts / 2 + 5 => "rare".to_owned(),
            n if n % 100 < 80 => "m0".to_owned(),
            n => format!("m{}", n % 50 + 1),
        };
        let customer = customer_id(number % 100_000 + 1);
        let state = UpsertState::ALL[1 + usize::try_from(number % 3).unwrap()];
        let mut upsert = upsert_in_state(&merchant, upsert_id(number), customer, state);
        upsert.created_at = seconds(i64::try_from(number / 300).unwrap());
        let made_at = upsert.created_at;
        let of_merchant = write.entry(merchant.clone()).or_default();
        of_merchant.push(Write::PutUpsert(upsert, None));
        for (part, connection) in (1..).zip(CONNECTIONS) {
            let state = match (number * 3 + u128::from(part)) % 10 {
                0 => DeliveryState::Failed,
                1 | 2 => DeliveryState::Waiting,
                _ => DeliveryState::Succeeded,
            };
            let connection = if number == 10 { "new" } else { connection };
            let mut record = delivery_record(&merchant, connection, delivery_of(number, part), state);
            (record.customer, record.created_at) = (customer, made_at);
            let record = match state {
                DeliveryState::Failed => record.with_progress(Progress::Failed {
                    error: Box::new(rejected()),
                    ended_at: made_at,
                }),
                DeliveryState::Waiting => record.with_progress(Progress::Waiting {
                    waiting_for: WaitingFor::Paused,
                    until: Some(seconds(i64::try_from(number).unwrap())),
                }),
                _ => record,
            };
            of_merchant.push(Write::PutDelivery(record, None));
        }
        if number % 1_000 == 0 || number == upserts {
            for (merchant, write) in std::mem::take(&mut write) {
                let changes = Changeset {
                    write,
                    ..Changeset::of(&merchant)
                };
                assert_eq!(store.apply(changes).await.unwrap(), Applied::Done);
            }
        }
    }
}

fn rejected() -> DeliveryError {
    DeliveryError {
        kind: ErrorKind::Rejected,
        state_at_vendor: StateAtVendor::Unchanged,
        code: Some("validation_failed".to_owned()),
        detail: "Validation failed: Invalid email format".to_owned(),
        vendor_status: Some(400),
        vendor_request_id: None,
        errors: Vec::new(),
        vendor_headers: BTreeMap::new(),
        vendor_body: None,
    }
}
