//! Who a request is about where people share what recognises them, and links that callers bring.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has to stop")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{Act, House, TokioClock, Vendor, all_of_it, body, connection, merchant};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

use upsert_api::{CustomerFilter, Link, LinkState, PageQuery, ProblemCode, Visibility};
use upsert_app::Merchant;
use upsert_core::{Handling, IdentifierKind, NeverMatch, Repeat};
use upsert_testkit::MemoryStore;

/// Nobody at all to deliver to: who is who alone.
async fn alone(change: impl FnOnce(&mut Merchant)) -> House {
    on(&Arc::new(MemoryStore::new()), &TokioClock::new(), change).await
}

async fn on(store: &Arc<MemoryStore>, clock: &Arc<TokioClock>, change: impl FnOnce(&mut Merchant)) -> House {
    let mut of = merchant(Vec::new());
    change(&mut of);
    House::of(store.clone(), clock.clone(), of).await
}

/// The customer that a body is about: its first name says whom a caller means.
async fn about(house: &House, asked: Json) -> Result<String, ProblemCode> {
    let answer = house.upsert(asked).await.map_err(|refusal| refusal.code)?;
    Ok(body(&answer)["customer"]["id"].as_str().unwrap().to_owned())
}

#[tokio::test(start_paused = true)]
async fn who_is_meant_where_a_stronger_identifier_says_otherwise() {
    const P: &str = "+12025550123";
    const Q: &str = "+12025550124";
    const SAME: bool = true;
    const OTHER: bool = false;
    // What is known, what is asked, whether it is the same customer; `match_on` is e-mail, then phone.
    let cases = [
        (
            json!({ "email": "a@x.example", "phone": P }),
            json!({ "email": "b@x.example", "phone": P }),
            OTHER,
        ),
        (
            json!({ "email": "a@x.example", "phone": P }),
            json!({ "email": "A@x.example", "phone": Q }),
            SAME,
        ),
        (
            json!({ "email": "a@x.example", "phone": P }),
            json!({ "phone": P }),
            SAME,
        ),
        (
            json!({ "email": "a@x.example", "phone": P }),
            json!({ "email": null, "phone": P }),
            SAME,
        ),
        (
            json!({ "phone": P }),
            json!({ "email": "b@x.example", "phone": P }),
            SAME,
        ),
        (
            json!({ "email": "a@x.example", "phone": P }),
            json!({ "reference": "R", "email": "b@x.example", "phone": P }),
            OTHER,
        ),
        (
            json!({ "email": "a@x.example", "phone": P }),
            json!({ "reference": "R", "phone": P }),
            SAME,
        ),
        (
            json!({ "email": "a@x.example", "phone": P }),
            json!({ "reference": "R", "email": "a@x.example" }),
            SAME,
        ),
        (
            json!({ "reference": "S", "email": "a@x.example", "phone": P }),
            json!({ "reference": "R", "phone": P }),
            OTHER,
        ),
        (
            json!({ "reference": "S", "phone": P }),
            json!({ "email": "b@x.example", "phone": P }),
            SAME,
        ),
        (
            json!({ "email": "none@example.invalid", "phone": P }),
            json!({ "email": "b@x.example", "phone": P }),
            SAME,
        ),
        (
            json!({ "email": "a@x.example", "phone": P }),
            json!({ "email": "none@example.invalid", "phone": P }),
            SAME,
        ),
        (
            json!({ "email": "a@x.example", "phone": "9999999999" }),
            json!({ "email": "b@x.example", "phone": "9999999999" }),
            OTHER,
        ),
        (
            json!({ "email": "none@example.invalid", "phone": P }),
            json!({ "email": "none@example.invalid", "phone": Q }),
            OTHER,
        ),
        (
            json!({ "email": "a@x.example", "phone": "+1234567890" }),
            json!({ "reference": "R", "phone": "+1234567890" }),
            OTHER,
        ),
    ];
    for (known, asked, is_same) in cases {
        let house = alone(|of| {
            of.never_match = Arc::new(
                NeverMatch::new(
                    &["*@example.invalid".to_owned()],
                    &["repeated-digit".to_owned()],
                    Some("US"),
                )
                .unwrap(),
            );
        })
        .await;
        let first = about(&house, known.clone()).await.unwrap();
        let second = about(&house, asked.clone()).await.unwrap();
        assert_eq!(first == second, is_same, "{known} then {asked}");
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_gave_an_email_that_nobody_can_read_is_not_found_by_the_phone_of_somebody_with_another_one() {
    const P: &str = "+12025550123";
    let unread = json!({ "reference": "R", "email": "garbage", "phone": P });
    let other = json!({ "email": "b@x.example", "phone": P });
    for (first, second) in [(&unread, &other), (&other, &unread)] {
        let house = alone(|_| {}).await;
        let mut ids = Vec::new();
        for asked in [first, second, first, second] {
            let answer = house.command(asked.clone(), |command| command.handling = Handling::Lenient);
            ids.push(body(&answer.await.unwrap())["customer"]["id"].clone());
        }
        assert_ne!(ids[0], ids[1], "{first} then {second}");
        assert_eq!(ids[..2], ids[2..], "{first} then {second}");
        // Its own e-mail, once it can be read, is nobody else's.
        let mended = json!({ "reference": "R", "email": "r@x.example" });
        let mended = about(&house, mended).await.unwrap();
        let found = about(&house, json!({ "email": "r@x.example", "phone": P })).await;
        assert_eq!(found.unwrap(), mended);
    }
}

#[tokio::test(start_paused = true)]
async fn a_contradicted_match_makes_nothing_ambiguous() {
    const P: &str = "+12025550123";
    let house = alone(|_| {}).await;
    let ann = about(&house, json!({ "email": "a@x.example", "phone": P }))
        .await
        .unwrap();
    let bob = about(&house, json!({ "email": "b@x.example", "phone": P }))
        .await
        .unwrap();
    assert_ne!(ann, bob);
    assert_eq!(
        about(&house, json!({ "email": "a@x.example", "phone": P }))
            .await
            .unwrap(),
        ann
    );
    assert_eq!(
        about(&house, json!({ "phone": P })).await,
        Err(ProblemCode::IdentityConflict)
    );
    let reference = json!({ "reference": "R", "email": "b@x.example", "phone": P });
    assert_eq!(
        about(&house, reference).await.unwrap(),
        bob,
        "Ann is contradicted, so Bob alone is left"
    );
    // Where phones are the better name, a phone is not contradicted by an e-mail, and an e-mail is by a phone.
    let phones = alone(|of| of.match_on = vec![IdentifierKind::Phone, IdentifierKind::Email]).await;
    let ann = about(&phones, json!({ "email": "a@x.example", "phone": P }))
        .await
        .unwrap();
    assert_eq!(
        about(&phones, json!({ "email": "b@x.example", "phone": P }))
            .await
            .unwrap(),
        ann
    );
    let other = about(&phones, json!({ "email": "b@x.example", "phone": "+12025550124" })).await;
    assert_ne!(other.unwrap(), ann);
}

#[tokio::test(start_paused = true)]
async fn a_change_of_never_match_counts_at_once_in_both_directions() {
    let (store, clock) = (Arc::new(MemoryStore::new()), TokioClock::new());
    let listing = |phones: &[&str]| {
        let phones: Vec<String> = phones.iter().map(|phone| (*phone).to_owned()).collect();
        let list = Arc::new(NeverMatch::new(&[], &phones, Some("US")).unwrap());
        move |of: &mut Merchant| of.never_match = list
    };
    let phone = json!({ "phone": "2025550123" });
    let free = on(&store, &clock, listing(&[])).await;
    let known = about(&free, phone.clone()).await.unwrap();
    let listed = on(&store, &clock, listing(&["202-555-0123"])).await;
    assert_eq!(about(&listed, phone.clone()).await, Err(ProblemCode::ValidationFailed));
    let under_it = about(&listed, json!({ "reference": "R", "phone": "2025550123" }))
        .await
        .unwrap();
    assert_ne!(under_it, known);
    let free = on(&store, &clock, listing(&[])).await;
    assert_eq!(
        about(&free, phone).await,
        Err(ProblemCode::IdentityConflict),
        "both hold it, whoever came when"
    );
}

#[derive(Debug, Clone)]
struct Said {
    who: usize,
    with_email: bool,
    with_phone: bool,
    notes: u8,
}

fn said() -> impl Strategy<Value = Said> {
    (0_usize..3, prop::bool::weighted(0.8), any::<bool>(), any::<u8>()).prop_map(
        |(who, with_email, with_phone, notes)| Said {
            who,
            with_email,
            with_phone,
            notes,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn nobody_gets_anothers_data_whatever_is_said_in_whatever_order(all in prop::collection::vec(said(), 1..24)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let house = alone(|_| {}).await;
            for Said { who, with_email, with_phone, notes } in all {
                let mut asked = json!({ "given_name": format!("zz{who}"), "notes": format!("zz{who} {notes}") });
                if with_email {
                    asked["email"] = json!(format!("zz{who}@x.example"));
                }
                if with_phone {
                    asked["phone"] = json!("+12025550123");
                }
                // A phone alone says nothing for sure where people share it, so only those are asked who say more.
                if with_email {
                    assert!(house.upsert(asked).await.is_ok(), "whoever gives an e-mail is somebody");
                }
            }
            let (queries, all, whole) = (&house.gateway.queries, all_of_it(), Visibility::Whole);
            let any = CustomerFilter::default();
            let listed = queries.list_customers(&house.merchant, &any, &all, whole);
            for record in listed.await.unwrap().data {
                let name = record.customer.given_name.unwrap();
                assert_eq!(record.customer.email, Some(format!("{name}@x.example")));
                let history = queries.customer_history(&house.merchant, record.id, &all, whole);
                for version in history.await.unwrap().data {
                    for change in version.changes {
                        let to = change.to.as_str().unwrap_or_default();
                        assert!(!to.starts_with("zz") || to.starts_with(&name), "{name} was given {to}");
                    }
                }
            }
        });
    }
}

async fn linked(house: &House, reference: &str) -> Link {
    let (queries, whole) = (&house.gateway.queries, Visibility::Whole);
    let filter = CustomerFilter {
        reference: Some(reference.to_owned()),
        ..CustomerFilter::default()
    };
    let first = PageQuery { limit: 1, cursor: None };
    let listed = queries.list_customers(&house.merchant, &filter, &first, whole);
    let id = listed.await.unwrap().data[0].id;
    let shown = queries.get_customer(&house.merchant, id, whole);
    shown.await.unwrap().links.remove(0)
}

#[tokio::test(start_paused = true)]
async fn a_record_adopted_while_the_call_is_out_is_held_against_what_the_call_wrote_to() {
    for (claimed, state) in [("rec-R", LinkState::InSync), ("rec-other", LinkState::Failed)] {
        let vendor = Vendor::new(Repeat::Safe);
        vendor.then([Act::Slow(Duration::from_secs(5))]);
        let house = House::new(vec![connection("crm", &vendor)]).await;
        let first = house.command(json!({ "reference": "R", "given_name": "Ann" }), |command| {
            command.respond_async = true;
        });
        first.await.unwrap();
        let adopting = json!({ "reference": "R", "links": { "crm": claimed } });
        house
            .command(adopting, |command| command.respond_async = true)
            .await
            .unwrap();
        tokio::time::sleep(Duration::from_secs(60)).await;
        let link = linked(&house, "R").await;
        assert_eq!(
            (link.provider_customer_id.as_deref(), link.state),
            (Some(claimed), state)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn two_who_adopt_one_record_at_once_are_not_both_given_it() {
    let vendor = Vendor::new(Repeat::Safe);
    let house = House::new(vec![connection("crm", &vendor)]).await;
    let ask = |reference: &str| house.upsert(json!({ "reference": reference, "links": { "crm": "rec-A" } }));
    let (a, b) = tokio::join!(ask("A"), ask("B"));
    let codes: Vec<Option<ProblemCode>> = [a, b]
        .into_iter()
        .map(|one| one.err().map(|refused| refused.code))
        .collect();
    assert_eq!(
        codes
            .iter()
            .filter(|code| **code == Some(ProblemCode::LinkConflict))
            .count(),
        1,
        "{codes:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_link_that_every_vendor_refuses_goes_with_its_version() {
    let vendor = Vendor::new(Repeat::Safe);
    let house = House::new(vec![connection("crm", &vendor)]).await;
    vendor.then([Act::Reject]);
    let refused = house
        .upsert(json!({ "reference": "R", "links": { "crm": "rec-wrong" } }))
        .await
        .unwrap();
    assert_eq!(
        (refused.status, body(&refused)["rolled_back"].as_bool()),
        (422, Some(true))
    );
    let made = house
        .upsert(json!({ "reference": "R", "links": { "crm": "rec-R" } }))
        .await
        .unwrap();
    assert_eq!(made.status, 201, "{}", made.body);
    let link = linked(&house, "R").await;
    assert_eq!(link.provider_customer_id.as_deref(), Some("rec-R"));
    let history = body(&made)["customer"]["version"].clone();
    assert_eq!(history, 1);
}

#[tokio::test(start_paused = true)]
async fn a_field_that_a_route_asks_for_is_never_left_out() {
    let house = alone(|of| {
        of.routes = vec![upsert_app::Route {
            when: upsert_app::When {
                country: vec!["US".to_owned()],
                ..Default::default()
            },
            to: Vec::new(),
        }];
    })
    .await;
    let asked = json!({ "reference": "R", "phone": "privat", "addresses": { "billing": { "country": "Atlantis" } } });
    let refused = house
        .command(asked, |command| command.handling = Handling::Lenient)
        .await
        .unwrap_err();
    let pointers: Vec<&str> = refused.errors.iter().map(|error| error.pointer.as_str()).collect();
    assert_eq!(pointers, ["/addresses/billing/country"]);
}
