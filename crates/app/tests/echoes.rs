//! Events that tell of what the gateway wrote itself change nothing and call nobody; real edits come through.
#![allow(clippy::disallowed_methods, reason = "a test has tasks of its own")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has to stop")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::events::source;
use common::{Act, House, TokioClock, Vendor, connection, merchant};
use serde_json::{Value as Json, json};

use upsert_api::Visibility;
use upsert_app::Caller;
use upsert_core::Repeat;
use upsert_store::{CustomerFilter, CustomerStore as _, DeliveryFilter, DeliveryState, DeliveryStore as _};
use upsert_testkit::MemoryStore;

/// Two vendors; the first one, `a`, sends events without a time. `named`: the source says whose they are.
struct Pair {
    a: Arc<Vendor>,
    b: Arc<Vendor>,
    house: House,
    next: std::sync::atomic::AtomicU32,
}

impl Pair {
    async fn new(named: bool) -> Self {
        let (a, b) = (Vendor::new(Repeat::Safe), Vendor::new(Repeat::Safe));
        let mut merchant = merchant(vec![connection("a", &a), connection("b", &b)]);
        merchant.sources = vec![Arc::new(source("crm", named.then_some("a")))];
        let house = House::of(Arc::new(MemoryStore::new()), TokioClock::new(), merchant).await;
        house.gateway.run_background();
        Self {
            a,
            b,
            house,
            next: 0.into(),
        }
    }

    async fn upsert(&self, body: Json) {
        assert!(self.house.upsert(body).await.unwrap().status < 202);
    }

    /// An event of `a` about its record, with an id of its own and no time.
    async fn event(&self, who: Json) -> String {
        let id = self.next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let told = self
            .house
            .told("crm", &json!({ "id": format!("e{id}"), "record": "rec-r", "who": who }))
            .await;
        tokio::time::sleep(Duration::from_secs(5)).await;
        told
    }

    fn calls(&self) -> (usize, usize) {
        (self.a.calls(), self.b.calls())
    }

    async fn shown(&self) -> Json {
        let all = CustomerFilter::default();
        let all = self.house.store.customers("acme", &all, None, 10).await.unwrap();
        assert_eq!(all.entries.len(), 1);
        Json::Object(all.entries[0].customer.to_json(false))
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_that_says_what_was_written_calls_nobody() {
    for named in [true, false] {
        let pair = Pair::new(named).await;
        pair.upsert(json!({ "reference": "r", "given_name": "Jon" })).await;
        assert_eq!(pair.event(json!({ "ref": "r", "first": "Jon" })).await, "echo");
        assert_eq!(pair.calls(), (1, 1));
        assert_eq!(pair.shown().await["given_name"], "Jon");
    }
}

#[tokio::test(start_paused = true)]
async fn the_vendors_form_of_our_value_counts_as_ours_however_late_and_often_it_comes() {
    for named in [true, false] {
        let pair = Pair::new(named).await;
        pair.a.shows(&[("first", json!("JON Q."))]);
        pair.upsert(json!({ "reference": "r", "given_name": "Jon", "notes": "n" }))
            .await;
        for _ in 0..3 {
            tokio::time::sleep(Duration::from_secs(86_400)).await;
            assert_eq!(pair.event(json!({ "ref": "r", "first": "JON Q." })).await, "echo");
        }
        assert_eq!(pair.calls(), (1, 1));
        // An edit of another field comes with the vendor's form of this one.
        assert_eq!(
            pair.event(json!({ "ref": "r", "first": "JON Q.", "notes": "edited" }))
                .await,
            "accepted"
        );
        let jon = pair.shown().await;
        assert_eq!((&jon["given_name"], &jon["notes"]), (&json!("Jon"), &json!("edited")));
        assert_eq!(pair.b.record("r")["notes"], "edited");
        assert_eq!(pair.b.record("r")["first"], "Jon");
    }
}

#[tokio::test(start_paused = true)]
async fn a_real_edit_at_the_vendor_reaches_the_others_once_and_is_not_sent_back() {
    let pair = Pair::new(true).await;
    pair.a.shows(&[]);
    pair.upsert(json!({ "reference": "r", "given_name": "Jon" })).await;
    assert_eq!(pair.event(json!({ "ref": "r", "first": "Jim" })).await, "accepted");
    assert_eq!(pair.calls(), (1, 2));
    assert_eq!(pair.b.last_body()["first"], "Jim");
    // Its own screen shows it again.
    assert_eq!(pair.event(json!({ "ref": "r", "first": "Jim" })).await, "echo");
    // And back.
    assert_eq!(pair.event(json!({ "ref": "r", "first": "Jon" })).await, "accepted");
    assert_eq!(pair.calls(), (1, 3));
    assert_eq!(pair.shown().await["given_name"], "Jon");
}

#[tokio::test(start_paused = true)]
async fn an_echo_of_an_older_write_that_comes_late_does_not_take_the_newer_one_back() {
    let pair = Pair::new(true).await;
    pair.a.shows(&[]);
    pair.upsert(json!({ "reference": "r", "given_name": "One", "notes": "n" }))
        .await;
    pair.upsert(json!({ "reference": "r", "given_name": "Two" })).await;
    assert_eq!(
        pair.event(json!({ "ref": "r", "first": "One", "notes": "n" })).await,
        "echo"
    );
    assert_eq!(pair.calls(), (2, 2));
    assert_eq!(pair.event(json!({ "ref": "r", "first": "Two" })).await, "echo");
    // The vendor knows of the newer one now: whoever says the older one again means it.
    assert_eq!(pair.event(json!({ "ref": "r", "first": "One" })).await, "accepted");
    assert_eq!(pair.shown().await["given_name"], "One");
}

#[tokio::test(start_paused = true)]
async fn an_edit_in_between_comes_through_beside_the_echo() {
    let pair = Pair::new(true).await;
    pair.upsert(json!({ "reference": "r", "given_name": "One", "notes": "n" }))
        .await;
    pair.upsert(json!({ "reference": "r", "given_name": "Two" })).await;
    // Told before the vendor knew of the second write, with an edit of its own.
    assert_eq!(
        pair.event(json!({ "ref": "r", "first": "One", "notes": "edited" }))
            .await,
        "accepted"
    );
    let one = pair.shown().await;
    assert_eq!((&one["given_name"], &one["notes"]), (&json!("Two"), &json!("edited")));
    assert_eq!(pair.b.record("r")["notes"], "edited");
}

#[tokio::test(start_paused = true)]
async fn a_value_that_was_rewritten_in_silence_is_known_again_by_its_letters() {
    let pair = Pair::new(true).await;
    pair.upsert(json!({ "reference": "r", "given_name": "Jon O'Neil" }))
        .await;
    assert_eq!(pair.event(json!({ "ref": "r", "first": "JON ONEIL" })).await, "echo");
    assert_eq!(pair.calls(), (1, 1));
    tokio::time::sleep(Duration::from_secs(86_400)).await;
    assert_eq!(pair.event(json!({ "ref": "r", "first": "JON ONEIL" })).await, "echo");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_repeats_what_was_sent_is_believed_less_than_the_first_event_about_it() {
    let pair = Pair::new(true).await;
    pair.a.shows(&[]);
    pair.upsert(json!({ "reference": "r", "given_name": "Jon", "notes": "n" }))
        .await;
    assert_eq!(
        pair.event(json!({ "ref": "r", "first": "JON", "notes": "n" })).await,
        "echo"
    );
    pair.upsert(json!({ "reference": "r", "given_name": "Ann" })).await;
    pair.upsert(json!({ "reference": "r", "given_name": "Zoe" })).await;
    // The former one's is late, and comes rewritten as well.
    for late in ["ANN", "ZOE", "ZOE"] {
        assert_eq!(pair.event(json!({ "ref": "r", "first": late })).await, "echo");
    }
    assert_eq!(pair.calls(), (3, 3));
    assert_eq!(pair.shown().await["given_name"], "Zoe");
    // Since it has told of its form, another one is somebody's.
    assert_eq!(
        pair.event(json!({ "ref": "r", "first": "ZoE", "notes": "N" })).await,
        "accepted"
    );
    let zoe = pair.shown().await;
    assert_eq!((&zoe["given_name"], &zoe["notes"]), (&json!("ZoE"), &json!("N")));
    assert_eq!(pair.calls(), (3, 4));
}

#[tokio::test(start_paused = true)]
async fn an_event_that_comes_before_the_receipt_waits_for_it() {
    let pair = Arc::new(Pair::new(true).await);
    pair.a.shows(&[("first", json!("quite another form"))]);
    pair.a.then([Act::Slow(Duration::from_secs(1))]);
    let writing = pair.clone();
    let write = async move { writing.upsert(json!({ "reference": "r", "given_name": "Jon" })).await };
    let tell = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        pair.event(json!({ "ref": "r", "first": "quite another form" })).await
    };
    let ((), told) = tokio::join!(write, tell);
    assert_eq!(told, "echo");
    assert_eq!(pair.calls(), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_form_that_an_event_has_told_of_before_the_receipt_came_is_still_known_after_it() {
    let pair = Arc::new(Pair::new(true).await);
    pair.a.shows(&[]);
    pair.a.then([Act::Slow(Duration::from_secs(10))]);
    let writing = pair.clone();
    let write = tokio::spawn(async move {
        let jon = json!({ "reference": "r", "given_name": "Jon", "notes": "n" });
        writing.house.upsert(jon).await.unwrap()
    });
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(
        pair.event(json!({ "ref": "r", "first": "JON", "notes": "n" })).await,
        "echo"
    );
    write.await.unwrap();
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(
        pair.event(json!({ "ref": "r", "first": "JON", "notes": "edited" }))
            .await,
        "accepted"
    );
    let jon = pair.shown().await;
    assert_eq!((&jon["given_name"], &jon["notes"]), (&json!("Jon"), &json!("edited")));
    // Sent once more beside something else, and repeated by the answer, it is what it was.
    pair.upsert(json!({ "reference": "r", "given_name": "Jon", "email": "jon@x.example" }))
        .await;
    tokio::time::sleep(Duration::from_secs(86_400)).await;
    assert_eq!(pair.event(json!({ "ref": "r", "first": "JON" })).await, "echo");
    assert_eq!(pair.shown().await["given_name"], "Jon");
}

#[tokio::test(start_paused = true)]
async fn a_receipt_of_what_has_changed_since_takes_nothing_back_when_events_of_then_come_late() {
    let pair = Arc::new(Pair::new(true).await);
    pair.a.shows(&[]);
    pair.upsert(json!({ "reference": "r", "given_name": "Zero", "notes": "n" }))
        .await;
    pair.a
        .then([Act::Slow(Duration::from_secs(10)), Act::Slow(Duration::from_secs(10))]);
    let writes = ["One", "Two"].map(|name| {
        let writing = pair.clone();
        async move {
            let changed = json!({ "reference": "r", "given_name": name });
            writing.house.upsert(changed).await.unwrap()
        }
    });
    let [one, two] = writes;
    let one = tokio::spawn(one);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let two = tokio::spawn(two);
    tokio::time::sleep(Duration::from_secs(11)).await;
    // The first call has been answered, and the second is on its way.
    assert_eq!(
        pair.event(json!({ "ref": "r", "first": "One", "notes": "n" })).await,
        "echo"
    );
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert!(one.is_finished() && two.is_finished());
    assert_eq!(
        pair.event(json!({ "ref": "r", "first": "One", "notes": "n" })).await,
        "echo"
    );
    assert_eq!(pair.shown().await["given_name"], "Two");
    assert_eq!((pair.calls(), &pair.a.record("r")["first"]), ((3, 3), &json!("Two")));
}

#[tokio::test(start_paused = true)]
async fn an_edit_that_comes_while_another_field_is_on_its_way_there_is_not_sent_back() {
    let pair = Arc::new(Pair::new(true).await);
    pair.a.shows(&[]);
    pair.upsert(json!({ "reference": "r", "given_name": "Jon", "notes": "n" }))
        .await;
    pair.a.then([Act::Slow(Duration::from_secs(1))]);
    let writing = pair.clone();
    let write = async move { writing.upsert(json!({ "reference": "r", "given_name": "Jim" })).await };
    let tell = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        pair.event(json!({ "ref": "r", "first": "Jon", "notes": "edited" }))
            .await
    };
    let ((), told) = tokio::join!(write, tell);
    assert_eq!(told, "accepted");
    assert_eq!(pair.calls(), (2, 3));
    let jim = pair.shown().await;
    assert_eq!((&jim["given_name"], &jim["notes"]), (&json!("Jim"), &json!("edited")));
    assert_eq!(
        (&pair.b.record("r")["first"], &pair.b.record("r")["notes"]),
        (&json!("Jim"), &json!("edited"))
    );
}

#[tokio::test(start_paused = true)]
async fn a_shop_that_changes_its_mind_is_never_taken_for_an_echo() {
    let pair = Pair::new(false).await;
    pair.a.shows(&[]);
    pair.upsert(json!({ "reference": "r", "given_name": "One" })).await;
    for name in ["Two", "One", "TWO", "two", "One"] {
        assert_eq!(pair.event(json!({ "ref": "r", "first": name })).await, "accepted");
        assert_eq!(pair.b.record("r")["first"], name);
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_finds_its_customer_by_the_vendors_record_alone() {
    let pair = Pair::new(true).await;
    pair.upsert(json!({ "reference": "r", "given_name": "Jon" })).await;
    assert_eq!(pair.event(json!({ "notes": "edited" })).await, "accepted");
    assert_eq!(pair.b.record("r")["notes"], "edited");
}

#[tokio::test(start_paused = true)]
async fn a_write_of_another_field_does_not_make_an_edit_look_late() {
    let pair = Pair::new(true).await;
    pair.a.shows(&[]);
    pair.upsert(json!({ "reference": "r", "given_name": "One" })).await;
    pair.upsert(json!({ "reference": "r", "given_name": "Two" })).await;
    tokio::time::sleep(Duration::from_secs(600)).await;
    pair.upsert(json!({ "reference": "r", "notes": "n" })).await;
    // The vendor has known of the second name for ten minutes: whoever says the first one means it.
    assert_eq!(pair.event(json!({ "ref": "r", "first": "One" })).await, "accepted");
    assert_eq!(pair.shown().await["given_name"], "One");
}

#[tokio::test(start_paused = true)]
async fn what_a_vendor_never_took_is_not_taken_back_by_what_it_has_instead() {
    let pair = Pair::new(true).await;
    pair.a.shows(&[]);
    pair.upsert(json!({ "reference": "r", "given_name": "One", "notes": "n" }))
        .await;
    pair.a.then([Act::Reject]);
    let refused = pair
        .house
        .upsert(json!({ "reference": "r", "given_name": "Two" }))
        .await;
    assert_eq!(refused.unwrap().status, 422);
    assert_eq!(pair.shown().await["given_name"], "Two", "the other one took it");
    tokio::time::sleep(Duration::from_secs(86_400)).await;
    let edited = json!({ "ref": "r", "first": "One", "notes": "edited" });
    assert_eq!(pair.event(edited).await, "accepted");
    let two = pair.shown().await;
    assert_eq!((&two["given_name"], &two["notes"]), (&json!("Two"), &json!("edited")));
    // Somebody changes the name there and, later, his mind.
    for name in ["Three", "One"] {
        tokio::time::sleep(Duration::from_secs(600)).await;
        assert_eq!(pair.event(json!({ "ref": "r", "first": name })).await, "accepted");
        assert_eq!(pair.shown().await["given_name"], name);
    }
}

#[tokio::test(start_paused = true)]
async fn the_form_of_a_value_that_was_edited_since_is_an_edit_though_something_waits_to_be_sent() {
    let pair = Pair::new(true).await;
    pair.a.shows(&[("first", json!("JON Q."))]);
    pair.upsert(json!({ "reference": "r", "given_name": "Jon" })).await;
    pair.house
        .gateway
        .operations
        .pause(&pair.house.merchant, "a", "ops")
        .await
        .unwrap();
    let waits = pair.house.upsert(json!({ "reference": "r", "notes": "n" })).await;
    assert_eq!(waits.unwrap().status, 202);
    tokio::time::sleep(Duration::from_secs(600)).await;
    for name in ["Bob", "JON Q."] {
        assert_eq!(pair.event(json!({ "ref": "r", "first": name })).await, "accepted");
        assert_eq!(pair.shown().await["given_name"], name);
    }
}

#[tokio::test(start_paused = true)]
async fn what_an_operator_does_not_want_at_a_vendor_is_not_taken_back_by_what_the_vendor_has() {
    let pair = Pair::new(true).await;
    pair.a.shows(&[]);
    pair.upsert(json!({ "reference": "r", "given_name": "One", "notes": "n" }))
        .await;
    pair.a.then([Act::Reject]);
    let refused = pair
        .house
        .upsert(json!({ "reference": "r", "given_name": "Two" }))
        .await;
    assert_eq!(refused.unwrap().status, 422);
    let failed = DeliveryFilter {
        state: [DeliveryState::Failed].into(),
        ..DeliveryFilter::default()
    };
    let failed = pair
        .house
        .store
        .deliveries(&failed, None, 1)
        .await
        .unwrap()
        .entries
        .remove(0);
    let ops = Caller { name: "ops".to_owned() };
    pair.house
        .gateway
        .operations
        .discard_delivery(&ops, None, failed.id, Visibility::Whole)
        .await
        .unwrap();
    pair.upsert(json!({ "reference": "r", "notes": "m" })).await;
    assert_eq!(pair.a.record("r"), json!({ "ref": "r", "first": "One", "notes": "m" }));
    tokio::time::sleep(Duration::from_secs(86_400)).await;
    let edited = json!({ "ref": "r", "first": "One", "notes": "edited" });
    assert_eq!(pair.event(edited).await, "accepted");
    let two = pair.shown().await;
    assert_eq!((&two["given_name"], &two["notes"]), (&json!("Two"), &json!("edited")));
}

#[tokio::test(start_paused = true)]
async fn of_a_record_that_was_unlinked_no_form_is_ours() {
    let pair = Pair::new(true).await;
    pair.a.shows(&[("first", json!("JON Q."))]);
    pair.upsert(json!({ "reference": "r", "given_name": "Jon" })).await;
    let all = CustomerFilter::default();
    let id = pair.house.store.customers("acme", &all, None, 1).await.unwrap().entries[0].id;
    pair.house
        .gateway
        .operations
        .unlink(&pair.house.merchant, id, "a", "ops", Visibility::Whole)
        .await
        .unwrap();
    assert_eq!(pair.event(json!({ "ref": "r", "first": "JON Q." })).await, "accepted");
    assert_eq!(pair.shown().await["given_name"], "JON Q.");
}

#[tokio::test(start_paused = true)]
async fn a_correction_of_letters_is_an_edit_though_something_else_waits_to_be_sent() {
    let pair = Pair::new(true).await;
    pair.upsert(json!({ "reference": "r", "given_name": "jon oneil" }))
        .await;
    tokio::time::sleep(Duration::from_secs(600)).await;
    pair.house
        .gateway
        .operations
        .pause(&pair.house.merchant, "a", "ops")
        .await
        .unwrap();
    let waits = pair.house.upsert(json!({ "reference": "r", "notes": "n" })).await;
    assert_eq!(waits.unwrap().status, 202);
    assert_eq!(
        pair.event(json!({ "ref": "r", "first": "Jon O'Neil" })).await,
        "accepted"
    );
    assert_eq!(pair.shown().await["given_name"], "Jon O'Neil");
}

#[tokio::test(start_paused = true)]
async fn a_value_that_was_rewritten_in_silence_is_known_again_though_its_receipt_was_lost() {
    let pair = Pair::new(true).await;
    pair.upsert(json!({ "reference": "r", "given_name": "One" })).await;
    tokio::time::sleep(Duration::from_secs(600)).await;
    pair.a
        .then([Act::AcceptUnseen, Act::Down, Act::Down, Act::Down, Act::Down]);
    let waits = pair
        .house
        .upsert(json!({ "reference": "r", "given_name": "Jon O'Neil" }));
    let told = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        pair.event(json!({ "ref": "r", "first": "JON ONEIL" })).await
    };
    let (_, told) = tokio::join!(waits, told);
    assert_eq!(told, "echo");
}
