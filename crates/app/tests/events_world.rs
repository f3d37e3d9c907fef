//! Events as the world sends them: ids used twice, blanks, clocks that are wrong, people who share a phone.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has to stop")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use common::events::{key, source, taken};
use common::{House, TokioClock, merchant};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

use upsert_api::{EventResult, ProblemCode};
use upsert_app::{DeadLetterAction, Intake, Merchant, Ping, Refusal, Source};
use upsert_core::{Clock as _, Handling};
use upsert_store::{CustomerFilter, CustomerStore as _};
use upsert_testkit::MemoryStore;
use upsert_webhook::mapping::{Conditions, Pointer, Rule, Source as From, Target, Transform};
use upsert_webhook::{OrderKind, Received, sign};

fn at(text: &str) -> Pointer {
    Pointer::parse(text).unwrap()
}

fn target(name: &str) -> Target {
    Target::new(vec![name.to_owned()]).unwrap()
}

/// Events such as `{ "id", "at", "try", "who": { "ref", "first", "notes", "mail", "tel", "state" } }`, ordered by a time.
fn shop() -> Source {
    let mut shop = source("shop", None);
    shop.handling = Handling::Lenient;
    shop.mapping.is_lenient = true;
    shop.mapping.order_by = Some((at("/at"), OrderKind::default()));
    let more = [("phone", "/who/tel"), ("status", "/who/state")];
    let more = more.map(|(name, pointer)| (target(name), Rule::plain(at(pointer))));
    shop.mapping.rules.extend(more);
    shop
}

/// The same with a transform in each rule, as many sources have it: then the mapping itself cannot read what is no text.
fn trimming() -> Source {
    let mut shop = shop();
    for (_, rule) in &mut shop.mapping.rules {
        rule.transform = vec![Transform::Trim];
    }
    shop
}

/// One property a time: `{ "id", "at", "ref", "name": "phone" or "mobile" or "mail", "value" }`.
fn crm() -> Source {
    let when = |names: &[&str]| {
        let names: BTreeSet<String> = names.iter().map(ToString::to_string).collect();
        Conditions(vec![(at("/name"), names)])
    };
    let value = |names: &[&str]| Rule {
        clear: true,
        when: when(names),
        ..Rule::of(From::From(vec![at("/value")]))
    };
    let mut crm = source("crm", None);
    crm.mapping.rules = vec![
        (target("reference"), Rule::plain(at("/ref"))),
        (target("phone"), value(&["phone", "mobile"])),
        (target("email"), value(&["mail"])),
    ];
    crm
}

fn of(sources: Vec<Source>) -> Merchant {
    Merchant {
        sources: sources.into_iter().map(Arc::new).collect(),
        ..merchant(Vec::new())
    }
}

async fn house(sources: Vec<Source>) -> House {
    House::of(Arc::new(MemoryStore::new()), TokioClock::new(), of(sources)).await
}

async fn people(house: &House) -> Vec<Json> {
    let all = CustomerFilter::default();
    let found = house.store.customers("acme", &all, None, 100).await.unwrap().entries;
    found
        .iter()
        .map(|record| Json::Object(record.customer.to_json(false)))
        .collect()
}

async fn one(house: &House) -> Json {
    let mut all = people(house).await;
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

/// Sends these bytes, signed or not, with this media type.
async fn send(house: &House, body: &[u8], is_signed: bool, media_type: &str) -> Result<Intake, Refusal> {
    let now = house.clock.now();
    let signature = if is_signed {
        sign(&[key()], "msg_1", now, body)
    } else {
        "v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=".to_owned()
    };
    let headers = BTreeMap::from([
        ("webhook-id", "msg_1".to_owned()),
        ("webhook-timestamp", now.as_second().to_string()),
        ("webhook-signature", signature),
        ("content-type", media_type.to_owned()),
    ]);
    let received = Received {
        header: &|name: &str| headers.get(name).cloned(),
        method: "POST",
        body,
    };
    let merchant = house.gateway.directory().get("acme").unwrap().clone();
    let source = merchant.source("shop").unwrap().clone();
    let event = house.gateway.inbox.read_event(&merchant, &source, &received, None)?;
    house.gateway.inbox.take_event(event).await
}

#[tokio::test(start_paused = true)]
async fn an_event_is_its_id_and_what_is_taken_of_it() {
    let house = house(vec![shop()]).await;
    let event = |first: &str, at: &str, tries: u32| json!({ "id": "e1", "at": at, "try": tries, "who": { "ref": "r", "first": first } });
    let second = "2026-11-20T10:00:00Z";
    for (first, at, tries, told) in [
        ("Ann", second, 0, "accepted"),
        ("Ann", second, 1, "repeated"),
        // The same moment in other words.
        ("Ann", "2026-11-20 10:00:00", 2, "repeated"),
        // Other news under the same id, of the same second: the later arrival wins.
        ("Anna", second, 0, "accepted"),
        ("Anna", second, 1, "repeated"),
        // What was here before is still known, and takes nothing back.
        ("Ann", second, 3, "repeated"),
        // An id that is used again much later.
        ("Ann", "2026-11-20T10:00:09Z", 0, "accepted"),
        ("Old", "2026-11-20T09:59:59Z", 0, "outdated"),
        ("Old", "2026-11-20T09:59:59Z", 1, "repeated"),
    ] {
        assert_eq!(
            house.told("shop", &event(first, at, tries)).await,
            told,
            "{first} {at} {tries}"
        );
    }
    assert_eq!(one(&house).await["given_name"], "Ann");
}

#[tokio::test(start_paused = true)]
async fn each_content_of_an_id_is_a_dead_letter_of_its_own() {
    let mut strict = shop();
    strict.handling = Handling::Strict;
    strict.mapping.is_lenient = false;
    let house = house(vec![strict]).await;
    let event = |mail: &str, tries: u32| json!({ "id": "e1", "at": 1_795_000_000, "try": tries, "who": { "ref": "r", "mail": mail } });
    for (mail, tries, told) in [
        ("no address", 0, "refused"),
        ("a@x.example", 0, "accepted"),
        ("no address", 1, "refused"),
        ("nothing of that kind", 0, "refused"),
        ("a@x.example", 1, "repeated"),
    ] {
        assert_eq!(house.told("shop", &event(mail, tries)).await, told, "{mail} {tries}");
    }
    let letters = house.refused_events().await;
    let tries: Vec<u32> = letters.iter().map(|letter| letter.tries).collect();
    assert_eq!(tries, [1, 2]);
    assert!(letters.iter().all(|letter| letter.event_id == "e1"));
}

#[tokio::test(start_paused = true)]
async fn a_blank_clears_only_what_the_same_property_gave() {
    const P: &str = "+12025550123";
    const M: &str = "+12025550124";
    // Changes in the order of their arrival: when, which property, what; and the phone in the end.
    let s = |text: &str| json!(text);
    #[expect(clippy::type_complexity, reason = "it stands here alone")]
    let cases: Vec<(Vec<(u32, &str, Json)>, Json)> = vec![
        (vec![(1, "phone", s(P)), (2, "mobile", s(""))], s(P)),
        (vec![(1, "phone", s(P)), (2, "phone", s(""))], json!(null)),
        (vec![(1, "phone", s(P)), (2, "phone", s(" \u{a0}"))], json!(null)),
        (vec![(1, "phone", s(P)), (2, "mobile", json!(null))], json!(null)),
        (vec![(1, "phone", s(P)), (2, "mobile", s(M)), (3, "phone", s(""))], s(M)),
        (
            vec![(1, "phone", s(P)), (2, "mobile", s(M)), (3, "mobile", s(""))],
            json!(null),
        ),
        (vec![(1, "mobile", s("")), (2, "phone", s(P))], s(P)),
        // Late: the blank of another property stands in nobody's way, that of the same one does.
        (vec![(2, "mobile", s("")), (1, "phone", s(P))], s(P)),
        (vec![(2, "mobile", s("")), (1, "mobile", s(M))], json!(null)),
        (
            vec![(3, "phone", s(P)), (2, "mobile", s("")), (1, "mobile", s(M))],
            s(P),
        ),
        (vec![(2, "phone", s(P)), (1, "phone", s(""))], s(P)),
        (vec![(1, "phone", s(P)), (1, "mobile", s(""))], s(P)),
    ];
    for (changes, phone) in cases {
        let house = house(vec![crm()]).await;
        for (number, (at, name, value)) in changes.iter().enumerate() {
            let event = json!({ "id": format!("e{number}"), "at": at, "ref": "r", "name": name, "value": value });
            house.told("crm", &event).await;
        }
        assert_eq!(
            one(&house).await.get("phone").cloned().unwrap_or_default(),
            phone,
            "{changes:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_blank_does_not_clear_what_somebody_else_wrote_since() {
    let house = house(vec![crm()]).await;
    let change =
        |id: u32, name: &str, value: &str| json!({ "id": id, "at": id, "ref": "r", "name": name, "value": value });
    house.told("crm", &change(1, "phone", "+12025550123")).await;
    house
        .upsert(json!({ "reference": "r", "phone": "+12025550199" }))
        .await
        .unwrap();
    house.told("crm", &change(2, "phone", "")).await;
    assert_eq!(one(&house).await["phone"], "+12025550199");
    // Where one property alone feeds a member, a blank that clears clears.
    house.told("crm", &change(3, "mail", "a@x.example")).await;
    house
        .upsert(json!({ "reference": "r", "email": "b@x.example" }))
        .await
        .unwrap();
    house.told("crm", &change(4, "mail", "")).await;
    assert_eq!(one(&house).await.get("email"), None);
}

#[tokio::test(start_paused = true)]
async fn a_clock_far_ahead_silences_nobody() {
    let house = house(vec![shop()]).await;
    let event = |id: &str, at: Json, first: &str| json!({ "id": id, "at": at, "who": { "ref": "r", "first": first } });
    // The test's clock says 2026-11-21, 09:00.
    for (id, at, first, told, unbelieved) in [
        ("e1", json!("2026-11-20T10:00:00Z"), "One", "accepted", json!(null)),
        (
            "e2",
            json!("2062-01-01 00:00:00"),
            "Two",
            "accepted",
            json!("2062-01-01T00:00:00Z"),
        ),
        (
            "e2",
            json!("2062-01-01T00:00:00Z"),
            "Two",
            "repeated",
            json!("2062-01-01T00:00:00Z"),
        ),
        (
            "e3",
            json!(2_902_000_000_u64),
            "Three",
            "accepted",
            json!("2061-12-16T23:06:40Z"),
        ),
        ("e4", json!("2026-11-22T08:59:00Z"), "Four", "accepted", json!(null)),
        (
            "e5",
            json!("2026-11-22T09:01:00Z"),
            "Five",
            "outdated",
            json!("2026-11-22T09:01:00Z"),
        ),
        ("e6", json!("2026-11-20T23:00:00Z"), "Six", "outdated", json!(null)),
    ] {
        let intake = house.event("shop", &event(id, at, first)).await.unwrap();
        let taken = json!(intake.data[0]);
        assert_eq!(taken["result"], told, "{id}");
        assert_eq!(taken["unbelieved_time"], unbelieved, "{id}");
    }
    assert_eq!(one(&house).await["given_name"], "Four");
    // An order that cannot be read is no order that is not there.
    let intake = house.event("shop", &event("e7", json!("soon"), "Seven")).await.unwrap();
    assert_eq!(intake.data[0].result, EventResult::Refused);
    assert_eq!(intake.refusal.unwrap().errors[0].code, "invalid_order");
}

#[tokio::test(start_paused = true)]
async fn an_older_event_that_still_has_the_old_email_makes_no_new_person() {
    const P: &str = "+12025550123";
    let house = house(vec![shop()]).await;
    let event = |id: &str, at: u64, who: Json| json!({ "id": id, "at": at, "who": who });
    let told = async |id: &str, at: u64, who: Json| house.told("shop", &event(id, at, who)).await;
    assert_eq!(
        told(
            "e1",
            1_795_000_000,
            json!({ "ref": "r", "mail": "old@x.example", "tel": P })
        )
        .await,
        "accepted"
    );
    assert_eq!(
        told("e9", 1_795_000_009, json!({ "ref": "r", "mail": "new@x.example" })).await,
        "accepted"
    );
    assert_eq!(
        told(
            "e5",
            1_795_000_005,
            json!({ "mail": "old@x.example", "tel": P, "first": "Ann" })
        )
        .await,
        "outdated"
    );
    assert_eq!(one(&house).await["email"], "new@x.example");
    // Whoever has that address by now is not the one that it speaks of.
    house
        .upsert(json!({ "email": "old@x.example", "given_name": "Bob" }))
        .await
        .unwrap();
    assert_eq!(
        told(
            "e6",
            1_795_000_006,
            json!({ "mail": "old@x.example", "tel": P, "notes": "Ann's" })
        )
        .await,
        "outdated"
    );
    // A newer one may well be somebody else.
    assert_eq!(
        told("e10", 1_795_000_010, json!({ "mail": "third@x.example", "tel": P })).await,
        "accepted"
    );
    let all = people(&house).await;
    assert_eq!(all.len(), 3);
    assert!(all.iter().all(|person| person.get("notes").is_none()));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_costs_its_own_field_and_never_who_it_is() {
    let lenient = house(vec![shop()]).await;
    let event = |id: &str, who: Json| json!({ "id": id, "at": 1_795_000_000, "who": who });
    let intake = lenient
        .event(
            "shop",
            &event(
                "e1",
                json!({ "ref": 7.0, "first": "Ann", "mail": "garbage", "state": "odd", "notes": " " }),
            ),
        )
        .await
        .unwrap();
    assert_eq!(intake.data[0].result, EventResult::Accepted);
    let ignored = intake.data[0].ignored.iter();
    let ignored: BTreeMap<&str, &str> = ignored.map(|ignored| (&*ignored.pointer, &*ignored.code)).collect();
    assert_eq!(ignored.keys().copied().collect::<Vec<_>>(), ["/who/mail", "/who/state"]);
    let ann = one(&lenient).await;
    assert_eq!(ann["reference"], "7");
    assert!(ann.get("email").is_none() && ann.get("notes").is_none());
    // Nothing weaker decides in the place of an e-mail that cannot be read.
    let told = lenient
        .told(
            "shop",
            &event("e2", json!({ "mail": "garbage", "tel": "+12025550123" })),
        )
        .await;
    assert_eq!(told, "refused");
    let mut strict = shop();
    strict.handling = Handling::Strict;
    strict.mapping.is_lenient = false;
    let strict = house(vec![strict]).await;
    let told = strict
        .told("shop", &event("e1", json!({ "ref": 7, "state": "odd" })))
        .await;
    assert_eq!((told.as_str(), people(&strict).await.len()), ("refused", 0));
}

#[tokio::test(start_paused = true)]
async fn whatever_cannot_read_an_email_nobody_is_found_by_a_phone_in_its_place() {
    let told = |id: u32, reference: Json, mail: Json, name: &str| {
        json!({ "id": id, "at": 1_795_000_000, "who": {
            "ref": reference, "mail": mail, "tel": "(202) 555-0123", "first": name } })
    };
    // What the canonicaliser cannot read, and what the mapping cannot.
    for unreadable in [
        json!("garbage"),
        json!(["bob@x.example"]),
        json!({ "at": "bob@x.example" }),
    ] {
        for unread_is_first in [false, true] {
            let house = house(vec![trimming()]).await;
            let unread = told(1, json!("r-bob"), unreadable.clone(), "Bob");
            let other = told(2, json!(null), json!("ann@x.example"), "Ann");
            let events = if unread_is_first {
                [&unread, &other]
            } else {
                [&other, &unread]
            };
            for event in events {
                assert_eq!(house.told("shop", event).await, "accepted", "{event}");
            }
            let names: BTreeSet<(String, bool)> = people(&house)
                .await
                .iter()
                .map(|person| {
                    let name = person["given_name"].as_str().unwrap().to_owned();
                    (name, person["email"].is_string())
                })
                .collect();
            let expected = BTreeSet::from([("Ann".to_owned(), true), ("Bob".to_owned(), false)]);
            assert_eq!(names, expected, "{unreadable} {unread_is_first}");
            let nameless = told(3, json!(null), unreadable.clone(), "Cy");
            assert_eq!(house.told("shop", &nameless).await, "refused");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_dead_event_is_replayed_for_whom_it_means() {
    let house = house(vec![shop()]).await;
    for mail in ["a@x.example", "b@x.example"] {
        house
            .upsert(json!({ "email": mail, "given_name": mail }))
            .await
            .unwrap();
    }
    let bad = json!({ "id": "e1", "at": 1_795_000_000, "who": { "mail": "garbage", "tel": "+12025550123" } });
    let intake = house.event("shop", &bad).await.unwrap();
    let id = intake.data[0].id.unwrap();
    let all = house
        .store
        .customers("acme", &CustomerFilter::default(), None, 10)
        .await
        .unwrap();
    let whom = all
        .entries
        .iter()
        .find(|record| record.customer.to_json(false)["email"] == "a@x.example")
        .unwrap()
        .id;
    let replay = async |whom| {
        let replayed = house.by_hand(id, DeadLetterAction::ReplayFor(whom)).await;
        replayed
            .map(|replayed| taken(replayed).result)
            .map_err(|refusal| refusal.code)
    };
    let nobody = upsert_core::CustomerId::from_uuid(uuid::Uuid::from_u128(7));
    assert_eq!(replay(nobody).await, Err(ProblemCode::NotFound));
    assert_eq!(replay(whom).await, Ok(EventResult::Accepted));
    let ann = house.store.customer("acme", whom).await.unwrap().unwrap();
    let ann = ann.record.customer.to_json(false);
    assert_eq!(
        (&ann["phone"], &ann["email"]),
        (&json!("+12025550123"), &json!("a@x.example"))
    );
    assert_eq!(house.told("shop", &bad).await, "repeated");
}

#[tokio::test(start_paused = true)]
async fn a_test_call_is_answered_and_does_nothing() {
    let form = "application/x-www-form-urlencoded";
    let mut by_type = shop();
    by_type.ping = Some(Ping::ContentType(form.to_owned()));
    let woo = house(vec![by_type]).await;
    let event = json!({ "id": "e1", "at": 1_795_000_000, "who": { "ref": "r" } }).to_string();
    for kind in [
        form,
        "application/x-www-form-urlencoded; charset=UTF-8",
        "Application/X-WWW-Form-URLencoded",
    ] {
        for (body, is_signed) in [("webhook_id=2", false), ("webhook_id=2", true), (event.as_str(), false)] {
            let intake = send(&woo, body.as_bytes(), is_signed, kind).await.unwrap();
            assert!(!intake.is_new && intake.refusal.is_none());
            assert_eq!(intake.data[0].result, EventResult::Ping);
        }
    }
    assert!(people(&woo).await.is_empty() && woo.refused_events().await.is_empty());
    for (body, is_signed, kind, code) in [
        ("webhook_id=2", false, "application/json", ProblemCode::Unauthenticated),
        ("webhook_id=2", false, "text/plain", ProblemCode::Unauthenticated),
        ("webhook_id=2", true, "application/json", ProblemCode::MalformedJson),
        (event.as_str(), false, "application/json", ProblemCode::Unauthenticated),
    ] {
        assert_eq!(
            send(&woo, body.as_bytes(), is_signed, kind).await.unwrap_err().code,
            code,
            "{body} {kind}"
        );
    }
    // What is signed is an event, whatever its type says.
    assert_eq!(
        send(&woo, event.as_bytes(), true, form).await.unwrap().data[0].result,
        EventResult::Accepted
    );

    let mut by_content = shop();
    by_content.ping = Some(Ping::When(Conditions(vec![(
        at("/type"),
        BTreeSet::from(["ping".to_owned()]),
    )])));
    let other = house(vec![by_content]).await;
    let ping = json!({ "type": "ping" });
    assert_eq!(other.told("shop", &ping).await, "ping");
    let forged = send(&other, ping.to_string().as_bytes(), false, "application/json").await;
    assert_eq!(forged.unwrap_err().code, ProblemCode::Unauthenticated);
    assert!(people(&other).await.is_empty() && other.refused_events().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_event_that_is_too_long_is_kept_and_taken_once_it_may_be() {
    let mut small = shop();
    small.body_limit = 1_000;
    let house = house(vec![small]).await;
    let long = json!({ "id": "e1", "at": 1_795_000_000, "who": { "ref": "r", "notes": "x".repeat(1_000) } });
    let intake = house.event("shop", &long).await.unwrap();
    assert_eq!(intake.refusal.unwrap().errors[0].code, "body_too_large");
    let id = intake.data[0].id.unwrap();
    assert_eq!(house.told("shop", &long).await, "refused");
    assert_eq!(house.refused_events().await.len(), 1);
    house
        .gateway
        .operations
        .replace_directory(upsert_app::Directory::new([of(vec![shop()])]));
    assert_eq!(house.replayed(id).await.result, EventResult::Accepted);
    assert_eq!(house.told("shop", &long).await, "repeated");
    assert!(house.refused_events().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_byte_order_mark_is_taken_and_a_member_named_twice_refused() {
    let house = house(vec![shop()]).await;
    let event = r#"{"id":"e1","at":1795000000,"who":{"ref":"r","mail":"a@x.example"}}"#;
    let taken = send(&house, format!("\u{feff}{event}").as_bytes(), true, "application/json")
        .await
        .unwrap();
    assert_eq!(taken.data[0].result, EventResult::Accepted);
    let again = send(&house, event.as_bytes(), true, "application/json").await.unwrap();
    assert_eq!(again.data[0].result, EventResult::Repeated);
    let twice = event.replace(r#""ref":"r","#, r#""ref":"r","ref":"s","#);
    let refused = send(&house, twice.as_bytes(), true, "application/json").await;
    assert_eq!(refused.unwrap_err().code, ProblemCode::MalformedJson);
    assert_eq!(people(&house).await.len(), 1);
}

/// Somebody says something: who, in which version of the e-mail, and what else.
#[derive(Debug, Clone)]
struct Said {
    person: usize,
    version: u8,
    at: u32,
    has_reference: bool,
    oddity: u8,
}

fn said() -> impl Strategy<Value = Said> {
    (0..4_usize, 0..3_u8, 0..6_u32, any::<bool>(), 0..6_u8).prop_map(|(person, version, at, has_reference, oddity)| {
        Said {
            person,
            version,
            at,
            // Half of the people have a number of their own.
            has_reference: has_reference && person % 2 == 0,
            oddity,
        }
    })
}

impl Said {
    /// All of them share one phone.
    fn event(&self, number: usize) -> Json {
        let who = self.person;
        let mail = match self.oddity {
            0 => json!("garbage"),
            // No text at all: its mapping cannot read it.
            5 => json!([format!("p{who}v0@x.example")]),
            1 if self.has_reference => json!(""),
            _ => json!(format!("p{who}v{}@x.example", self.version)),
        };
        let phone = if self.oddity == 1 {
            json!(null)
        } else {
            json!("(202) 555-0123")
        };
        json!({ "id": number % 5, "at": self.at, "who": {
            "ref": self.has_reference.then(|| format!("r{who}")), "mail": mail, "tel": phone,
            "first": format!("p{who}"), "notes": if self.oddity == 2 { json!(" ") } else { json!(format!("p{who}")) },
        } })
    }
}

/// Whom of the people a text is about.
fn owner(text: &str) -> String {
    text.chars().skip(1).take_while(char::is_ascii_digit).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_event_in_any_order_and_repetition_gives_one_person_anothers_data(
        all in prop::collection::vec(said(), 1..14), repeats in prop::collection::vec(any::<prop::sample::Index>(), 0..10),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let house = house(vec![trimming()]).await;
            let events: Vec<Json> = all.iter().enumerate().map(|(number, said)| said.event(number)).collect();
            let again = repeats.iter().map(|index| index.get(&events));
            for event in events.iter().chain(again) {
                house.told("shop", event).await;
            }
            for person in people(&house).await {
                let names = ["reference", "email", "given_name", "notes"];
                let owners: BTreeSet<String> = names.iter().filter_map(|name| person[*name].as_str()).map(owner).collect();
                assert_eq!(owners.len(), 1, "{person} of {all:?}");
            }
        });
    }
}
