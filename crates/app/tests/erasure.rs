//! Erasing a customer while others are at it, and by a process that dies over it.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::json;

use common::events::{Listener, event, source};
use common::slow_store::SlowStore;
use common::{Act, House, TokioClock, Vendor, body, connection, merchant};
use upsert_api::{EventResult, Left, ProblemCode};
use upsert_app::{Merchant, OnCollision, Refusal};
use upsert_core::{CustomerId, ErasureId, Identifier, IdentifierKind, Repeat, UpsertId};
use upsert_store::{
    Applied, Changeset, CustomerStore as _, ErasureStore as _, EventStore as _, IdentityQuery, IncomingFilter,
    OutgoingFilter, Store, StoreError, Through, TombstoneKey, UpsertStore as _, Write,
};
use upsert_testkit::MemoryStore;

/// A store whose process dies after so many writes.
#[derive(Debug)]
struct Dying {
    inner: Arc<MemoryStore>,
    left: AtomicI64,
}

impl Dying {
    #[expect(clippy::unused_async, reason = "the macro waits for it")]
    async fn inner(&self) -> &dyn Store {
        &*self.inner
    }

    async fn run<T>(&self, call: impl Future<Output = T>) -> T {
        call.await
    }
}

#[async_trait]
impl Store for Dying {
    async fn apply(&self, changes: Changeset) -> Result<Applied, StoreError> {
        if self.left.fetch_sub(1, Ordering::SeqCst) <= 0 {
            return Err(StoreError::Failed("the process is dead".to_owned()));
        }
        self.inner.apply(changes).await
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.inner.check().await
    }
}

upsert_testkit::questions_passed_on!(Dying);

fn with_source(vendor: &Arc<Vendor>) -> Merchant {
    let mut merchant = merchant(vec![connection("v", vendor)]);
    merchant.sources = vec![Arc::new(source("shop", None))];
    merchant
}

fn ann(notes: &str) -> serde_json::Value {
    json!({ "reference": "a", "email": "ann@x.example", "given_name": "Ann", "notes": notes })
}

fn by_mail() -> TombstoneKey {
    TombstoneKey::Identifier(Identifier {
        kind: IdentifierKind::Email,
        value: "ann@x.example".to_owned(),
    })
}

async fn events_in(store: &MemoryStore) -> usize {
    let all = IncomingFilter::default();
    store.incoming_events(&all, None, 100).await.unwrap().entries.len()
}

#[tokio::test(start_paused = true)]
async fn a_process_that_dies_over_an_erasure_has_done_nothing_or_has_all_of_it_done_by_the_next() {
    let (mut none, mut all) = (0, 0);
    for writes in 0.. {
        let (vendor, store, clock) = (
            Vendor::new(Repeat::Safe),
            Arc::new(MemoryStore::new()),
            TokioClock::new(),
        );
        let house = House::of(store.clone(), clock.clone(), with_source(&vendor)).await;
        let made = house
            .command(ann("1"), |command| command.idempotency_key = Some("k".to_owned()))
            .await;
        let id: CustomerId = body(&made.unwrap())["customer"]["id"]
            .as_str()
            .unwrap()
            .parse()
            .unwrap();
        for number in 2..=120 {
            house.upsert(ann(&number.to_string())).await.unwrap();
        }
        let told = event("e1", 1, &json!({ "ref": "a", "first": "Anna" }));
        assert_eq!(house.told("shop", &told).await, "accepted");
        tokio::time::sleep(Duration::from_secs(5)).await;
        house.kill().await;

        let dying = Arc::new(Dying {
            inner: store.clone(),
            left: AtomicI64::new(writes),
        });
        let dead = House::through(dying.clone(), store.clone(), clock.clone(), with_source(&vendor)).await;
        let erased = dead.gateway.operations.erase(&dead.merchant, id, "op").await;
        dead.kill().await;

        let next = House::of(store.clone(), clock, with_source(&vendor)).await;
        next.gateway.run_background();
        tokio::time::sleep(Duration::from_secs(70)).await;
        let erasure = store.erasure("acme", ErasureId::of(id)).await.unwrap();
        let upserts = store.upserts_of("acme", id, 1_000).await.unwrap().len();
        if store.customer("acme", id).await.unwrap().is_some() {
            assert_eq!((erasure, upserts, events_in(&store).await), (None, 121, 1));
            assert!(erased.is_err());
            none += 1;
        } else {
            assert!(erasure.unwrap().ended_at().is_some(), "after {writes} writes");
            assert_eq!((upserts, events_in(&store).await), (0, 0));
            assert_eq!(
                store.tombstones("acme", &[by_mail()]).await.unwrap(),
                [[ErasureId::of(id)]]
            );
            let retried = next
                .command(ann("1"), |command| command.idempotency_key = Some("k".to_owned()))
                .await;
            assert_eq!(retried.unwrap_err().code, ProblemCode::Erased);
            all += 1;
        }
        if erased.is_ok() {
            break;
        }
    }
    assert!(
        none == 1 && all >= 5,
        "{none} and {all}: it dies before the first commit once, and between all others"
    );
}

/// What one is refused by.
fn code_of<T>(result: Result<T, Refusal>) -> Option<ProblemCode> {
    result.err().map(|refusal| refusal.code)
}

#[tokio::test(start_paused = true)]
async fn who_changes_the_customer_at_the_same_moment_comes_before_the_erasure_or_after_it() {
    let (mut before, mut after) = (0, 0);
    for millis in 0..16 {
        let (vendor, memory) = (Vendor::new(Repeat::Safe), Arc::new(MemoryStore::new()));
        let store = SlowStore::new(memory.clone());
        let house = House::through(store, memory.clone(), TokioClock::new(), with_source(&vendor)).await;
        house.gateway.run_background();
        let made = house.upsert(ann("1")).await.unwrap();
        let id: CustomerId = body(&made)["customer"]["id"].as_str().unwrap().parse().unwrap();
        let line = async {
            tokio::time::sleep(Duration::from_millis(millis)).await;
            code_of(
                house
                    .command(ann("2"), |command| command.through = Through::Batch)
                    .await,
            )
        };
        let erase = async {
            tokio::time::sleep(Duration::from_millis(6)).await;
            house.gateway.operations.erase(&house.merchant, id, "op").await.unwrap()
        };
        let (line, erased) = tokio::join!(line, erase);
        match line {
            None => before += 1,
            Some(code) => {
                assert_eq!(code, ProblemCode::Erased);
                after += 1;
            }
        }
        tokio::time::sleep(Duration::from_secs(30)).await;
        assert_eq!(erased.vendors[0].left, Left::Record);
        assert!(
            memory.upserts_of("acme", id, 10).await.unwrap().is_empty(),
            "after {millis} ms"
        );
        let query = IdentityQuery {
            id: Some(id),
            identifiers: Vec::new(),
        };
        assert!(memory.identify("acme", &query).await.unwrap().by_id.is_none());
        // Nothing of hers keeps anybody from anything.
        let again = house.upsert(ann("3")).await.unwrap();
        assert_eq!(again.status, 201);
    }
    assert!(before > 0 && after > 0, "{before} before, {after} after");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_comes_back_after_the_erasure_is_noted_and_nothing_else_is_kept_of_it() {
    let (vendor, store) = (Vendor::new(Repeat::Safe), Arc::new(MemoryStore::new()));
    let house = House::of(store.clone(), TokioClock::new(), with_source(&vendor)).await;
    vendor.then([Act::Slow(Duration::from_secs(3))]);
    let made = house
        .command(ann("1"), |command| command.respond_async = true)
        .await
        .unwrap();
    let id: CustomerId = body(&made)["customer"]["id"].as_str().unwrap().parse().unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let erased = house.gateway.operations.erase(&house.merchant, id, "op").await.unwrap();
    assert_eq!(erased.vendors[0].left, Left::Record);
    assert_eq!(erased.vendors[0].provider_customer_id_hash, None);
    tokio::time::sleep(Duration::from_secs(5)).await;
    let erasure = store.erasure("acme", ErasureId::of(id)).await.unwrap().unwrap();
    assert_eq!(erasure.vendors.len(), 1);
    assert!(erasure.vendors[0].record.is_some(), "its id is known now, as a hash");
    assert!(store.upserts_of("acme", id, 10).await.unwrap().is_empty());
    assert!(store.customer("acme", id).await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_late_event_about_the_person_is_refused_and_nothing_of_it_is_kept() {
    let (vendor, store) = (Vendor::new(Repeat::Safe), Arc::new(MemoryStore::new()));
    let house = House::of(store.clone(), TokioClock::new(), with_source(&vendor)).await;
    let made = house.upsert(ann("1")).await.unwrap();
    let id: CustomerId = body(&made)["customer"]["id"].as_str().unwrap().parse().unwrap();
    house.gateway.operations.erase(&house.merchant, id, "op").await.unwrap();
    let late = event("e1", 1, &json!({ "mail": "ann@x.example", "first": "Ann" }));
    let intake = house.event("shop", &late).await.unwrap();
    assert_eq!(intake.data[0].result, EventResult::Refused);
    assert_eq!(intake.refusal.unwrap().code, ProblemCode::Erased);
    assert_eq!(events_in(&store).await, 0);
}

/// The customer of an upsert.
fn id_of(answer: &upsert_app::Answer) -> CustomerId {
    body(answer)["customer"]["id"].as_str().unwrap().parse().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_of_somebody_living_is_kept_though_the_erased_had_the_same_address_or_record() {
    let (vendor, store) = (Vendor::new(Repeat::Safe), Arc::new(MemoryStore::new()));
    vendor.take_all_for_one();
    let mut connection = connection("v", &vendor);
    connection.on_collision = OnCollision::Proceed;
    let mut merchant = merchant(vec![connection]);
    merchant.sources = vec![Arc::new(source("shop", None)), Arc::new(source("vendor", Some("v")))];
    let house = House::of(store.clone(), TokioClock::new(), merchant).await;
    let ann = house
        .upsert(json!({ "reference": "ann-000001", "email": "us@x.example" }))
        .await
        .unwrap();
    let bob = house
        .upsert(json!({ "reference": "bob-1", "email": "us@x.example" }))
        .await
        .unwrap();
    assert_ne!(id_of(&ann), id_of(&bob));
    // No mapping makes anything of these: one that came before, one that comes after.
    let unmapped = |id: &str| json!({ "id": id, "who": { "mail": "us@x.example", "first": { "is": "no text" } } });
    assert_eq!(house.told("shop", &unmapped("e1")).await, "refused");
    house
        .gateway
        .operations
        .erase(&house.merchant, id_of(&ann), "op")
        .await
        .unwrap();
    assert_eq!(house.told("shop", &unmapped("e2")).await, "refused");
    assert_eq!(house.refused_events().await.len(), 2, "they may be Bob's");
    // Refused for another reason, and it names nobody but the record that Bob has.
    let of_record = json!({ "id": "e3", "at": 1, "record": "rec-other", "who": { "ref": "cy-1" } });
    let intake = house.event("vendor", &of_record).await.unwrap();
    assert_ne!(intake.refusal.map(|refusal| refusal.code), Some(ProblemCode::Erased));
    // Her own reference is nobody else's.
    let hers =
        json!({ "id": "e4", "who": { "ref": "ann-000001", "mail": "us@x.example", "first": { "is": "no text" } } });
    let intake = house.event("shop", &hers).await.unwrap();
    assert_eq!(intake.refusal.unwrap().code, ProblemCode::Erased);
}

#[tokio::test(start_paused = true)]
async fn what_is_owed_about_somebody_else_goes_out_though_it_names_the_erased() {
    let (vendor, store, listener) = (Vendor::new(Repeat::Safe), Arc::new(MemoryStore::new()), Listener::new());
    let mut merchant = merchant(vec![connection("v", &vendor)]);
    merchant.endpoints = vec![Arc::new(listener.endpoint("hook"))];
    // Without a background pass: all that is told still waits.
    let house = House::of(store.clone(), TokioClock::new(), merchant).await;
    vendor.take_all_for_one();
    let ann = house.upsert(json!({ "reference": "ann-1" })).await.unwrap();
    let bob = house.upsert(json!({ "reference": "bob-1" })).await.unwrap();
    let waiting = async || {
        let all = OutgoingFilter::default();
        let events = store.outgoing_events(&all, None, 100).await.unwrap().entries;
        let mut told: Vec<(String, bool)> = events
            .iter()
            .map(|event| (event.kind.clone(), event.body().contains(&id_of(&ann).to_string())))
            .collect();
        told.sort();
        told
    };
    let of = |kind: &str, names_her| (kind.to_owned(), names_her);
    let bobs = of("customer.delivery_failed", true);
    assert_eq!(waiting().await, [bobs.clone(), of("customer.upserted", true)]);
    house
        .gateway
        .operations
        .erase(&house.merchant, id_of(&ann), "op")
        .await
        .unwrap();
    assert_eq!(waiting().await, [bobs, of("customer.erased", true)]);
    assert_ne!(id_of(&ann), id_of(&bob));
}

#[tokio::test(start_paused = true)]
async fn an_event_that_waits_for_its_turn_is_not_sent_once_its_customer_is_erased() {
    let (vendor, store, listener) = (Vendor::new(Repeat::Safe), Arc::new(MemoryStore::new()), Listener::new());
    listener.takes(Duration::from_secs(5));
    let mut merchant = merchant(vec![connection("v", &vendor)]);
    merchant.endpoints = vec![Arc::new(listener.endpoint("hook"))];
    let house = House::of(store, TokioClock::new(), merchant).await;
    let ann = house.upsert(ann("1")).await.unwrap();
    for number in 2..=60 {
        house.upsert(self::ann(&number.to_string())).await.unwrap();
    }
    house.gateway.run_background();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let under_way = listener.got().len();
    assert!(
        0 < under_way && under_way < 60,
        "{under_way} of 60 are under way, the others wait in memory"
    );
    house
        .gateway
        .operations
        .erase(&house.merchant, id_of(&ann), "op")
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
    let kinds = listener.kinds();
    assert_eq!(
        kinds.iter().filter(|kind| *kind == "customer.upserted").count(),
        under_way
    );
    assert!(kinds.contains(&"customer.erased".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn who_was_not_answered_is_told_the_vendors_ids_for_as_long_as_the_erasure_is_open() {
    let (vendor, store, clock) = (
        Vendor::new(Repeat::Safe),
        Arc::new(MemoryStore::new()),
        TokioClock::new(),
    );
    let house = House::of(store.clone(), clock.clone(), with_source(&vendor)).await;
    let id = id_of(&house.upsert(ann("1")).await.unwrap());
    house.kill().await;
    let dying = Arc::new(Dying {
        inner: store.clone(),
        left: AtomicI64::new(1),
    });
    let dead = House::through(dying, store.clone(), clock.clone(), with_source(&vendor)).await;
    dead.gateway
        .operations
        .erase(&dead.merchant, id, "op")
        .await
        .unwrap_err();
    dead.kill().await;

    let next = House::of(store.clone(), clock, with_source(&vendor)).await;
    let get = async || {
        next.gateway
            .queries
            .get_erasure(&next.merchant, ErasureId::of(id))
            .await
            .unwrap()
    };
    assert_eq!(
        get().await.vendors[0].provider_customer_id,
        None,
        "they are for whoever erases"
    );
    let erase = async || next.gateway.operations.erase(&next.merchant, id, "op").await.unwrap();
    assert_eq!(erase().await.vendors[0].provider_customer_id.as_deref(), Some("rec-a"));
    let kept = store.erasure("acme", ErasureId::of(id)).await.unwrap().unwrap();
    assert!(kept.ended_at().is_some() && !kept.has_ids());
    assert_eq!(erase().await.vendors[0].provider_customer_id, None);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_busy_for_a_moment_is_waited_for() {
    let (vendor, memory) = (Vendor::new(Repeat::Safe), Arc::new(MemoryStore::new()));
    let store = SlowStore::new(memory.clone());
    let house = House::through(store.clone(), memory.clone(), TokioClock::new(), with_source(&vendor)).await;
    let id = id_of(&house.upsert(ann("1")).await.unwrap());
    // The first page of the clearing up.
    store.loses_answer_in.store(1, Ordering::SeqCst);
    let erased = house.gateway.operations.erase(&house.merchant, id, "op").await.unwrap();
    assert_eq!(erased.vendors[0].provider_customer_id.as_deref(), Some("rec-a"));
    let kept = memory.erasure("acme", ErasureId::of(id)).await.unwrap().unwrap();
    assert!(kept.ended_at().is_some());
}

#[tokio::test(start_paused = true)]
async fn somebody_whom_every_vendor_has_refused_can_be_erased_too() {
    let (vendor, store) = (Vendor::new(Repeat::Safe), Arc::new(MemoryStore::new()));
    let house = House::of(store.clone(), TokioClock::new(), with_source(&vendor)).await;
    vendor.usually(Act::Reject);
    let refused = house
        .command(ann("1"), |command| command.idempotency_key = Some("k".to_owned()))
        .await
        .unwrap();
    let id = id_of(&refused);
    assert!(store.customer("acme", id).await.unwrap().is_none(), "it was taken back");
    assert_eq!(store.upserts_of("acme", id, 10).await.unwrap().len(), 1);
    let erased = house.gateway.operations.erase(&house.merchant, id, "op").await.unwrap();
    assert_eq!((erased.customer_id, erased.vendors[0].left), (id, Left::Nothing));
    assert!(store.upserts_of("acme", id, 10).await.unwrap().is_empty());
    vendor.usually(Act::Accept);
    let again = house
        .command(ann("1"), |command| command.through = Through::Batch)
        .await;
    assert_eq!(code_of(again), Some(ProblemCode::Erased));
    let nobody = upsert_testkit::records::customer_id(77);
    let unknown = house.gateway.operations.erase(&house.merchant, nobody, "op").await;
    assert_eq!(code_of(unknown), Some(ProblemCode::NotFound));
}

/// A store that cannot read one customer's upserts.
#[derive(Debug)]
struct Damaged {
    inner: Arc<MemoryStore>,
    customer: CustomerId,
}

impl Damaged {
    #[expect(clippy::unused_async, reason = "the macro waits for it")]
    async fn inner(&self) -> &dyn Store {
        &*self.inner
    }

    async fn run<T>(&self, call: impl Future<Output = T>) -> T {
        call.await
    }
}

#[async_trait]
impl Store for Damaged {
    async fn apply(&self, changes: Changeset) -> Result<Applied, StoreError> {
        let is_its_own = |write: &Write| matches!(write, Write::ForgetUpsert(id) if self.is_of(*id));
        if changes.write.iter().any(is_its_own) {
            return Err(StoreError::Failed("a row is damaged".to_owned()));
        }
        self.inner.apply(changes).await
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.inner.check().await
    }
}

impl Damaged {
    fn is_of(&self, upsert: UpsertId) -> bool {
        let found = futures_util::FutureExt::now_or_never(self.inner.upsert("acme", upsert));
        found.is_some_and(|found| {
            found
                .unwrap()
                .is_some_and(|(upsert, _)| upsert.customer == self.customer)
        })
    }
}

upsert_testkit::questions_passed_on!(Damaged);

#[tokio::test(start_paused = true)]
async fn an_erasure_that_cannot_go_on_keeps_no_other_from_it() {
    let (vendor, memory, clock) = (
        Vendor::new(Repeat::Safe),
        Arc::new(MemoryStore::new()),
        TokioClock::new(),
    );
    let house = House::of(memory.clone(), clock.clone(), with_source(&vendor)).await;
    let mut ids = Vec::new();
    for reference in ["a", "b"] {
        ids.push(id_of(&house.upsert(json!({ "reference": reference })).await.unwrap()));
    }
    house.kill().await;
    for id in &ids {
        let dying = Arc::new(Dying {
            inner: memory.clone(),
            left: AtomicI64::new(1),
        });
        let dead = House::through(dying, memory.clone(), clock.clone(), with_source(&vendor)).await;
        dead.gateway
            .operations
            .erase(&dead.merchant, *id, "op")
            .await
            .unwrap_err();
        dead.kill().await;
    }
    ids.sort();
    let damaged = Arc::new(Damaged {
        inner: memory.clone(),
        customer: ids[0],
    });
    let next = House::through(damaged, memory.clone(), clock, with_source(&vendor)).await;
    next.gateway.run_background();
    tokio::time::sleep(Duration::from_secs(5)).await;
    for (id, has_ended) in [(ids[0], false), (ids[1], true)] {
        let erasure = memory.erasure("acme", ErasureId::of(id)).await.unwrap().unwrap();
        assert_eq!(erasure.ended_at().is_some(), has_ended);
    }
}

/// Sends this event at every moment around an erasure of Ann, each time in a world of its own; answers how many events are kept
/// afterwards.
async fn around_an_erasure(told: &serde_json::Value) -> Vec<usize> {
    let mut kept = Vec::new();
    for millis in 0..30 {
        let (vendor, memory) = (Vendor::new(Repeat::Safe), Arc::new(MemoryStore::new()));
        let store = SlowStore::new(memory.clone());
        let house = House::through(store, memory.clone(), TokioClock::new(), with_source(&vendor)).await;
        let id = id_of(&house.upsert(ann("1")).await.unwrap());
        let tell = async {
            tokio::time::sleep(Duration::from_millis(millis)).await;
            drop(house.event("shop", told).await);
        };
        let erase = async {
            tokio::time::sleep(Duration::from_millis(15)).await;
            house.gateway.operations.erase(&house.merchant, id, "op").await.unwrap()
        };
        tokio::join!(tell, erase);
        tokio::time::sleep(Duration::from_secs(5)).await;
        kept.push(events_in(&memory).await);
    }
    kept
}

#[tokio::test(start_paused = true)]
async fn an_event_without_news_that_comes_at_the_same_moment_is_not_kept() {
    let nothing_new = event("e1", 1, &json!({ "ref": "a", "first": "Ann" }));
    assert_eq!(around_an_erasure(&nothing_new).await, [0; 30]);
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_that_is_written_at_the_same_moment_is_not_kept() {
    let unmapped = json!({ "id": "e1", "who": { "mail": "ann@x.example", "first": { "is": "no text" } } });
    assert_eq!(around_an_erasure(&unmapped).await, [0; 30]);
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_for_an_upsert_of_the_erased_is_told_so_at_once() {
    for is_on_its_way in [true, false] {
        let (vendor, store) = (Vendor::new(Repeat::Safe), Arc::new(MemoryStore::new()));
        let house = House::of(store, TokioClock::new(), with_source(&vendor)).await;
        let id = id_of(&house.upsert(ann("1")).await.unwrap());
        let started = tokio::time::Instant::now();
        let slow = Act::Slow(Duration::from_secs(3));
        vendor.then(if is_on_its_way {
            vec![slow]
        } else {
            vec![Act::Down, Act::Down, Act::Down, Act::Down, slow]
        });
        let upsert = house.upsert(ann("2"));
        let erase = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            house.gateway.operations.erase(&house.merchant, id, "op").await.unwrap()
        };
        let (answered, _) = tokio::join!(upsert, erase);
        assert_eq!(code_of(answered), Some(ProblemCode::Erased), "{is_on_its_way}");
        assert!(started.elapsed() < Duration::from_secs(5), "its deadline is 10 s");
    }
}
