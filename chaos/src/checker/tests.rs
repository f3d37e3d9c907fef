//! The checker finds what is wrong: each kind of harm, done by hand to a world in which all is well.

use serde_json::{Value as Json, json};

use super::{Promise, check};
use crate::evidence::{Attempt, Call, Customer, Delivery, Evidence, Record, Upsert, VendorSide, Version};
use crate::load::{Exchange, Told};
use crate::receiver::ToldEvent;

/// Ann was created and changed once at one vendor; both times her client was told so.
fn all_is_well() -> Evidence {
    let mut evidence = Evidence {
        integrity: "ok".to_owned(),
        ..Evidence::default()
    };
    let whole = json!({
        "reference": "R-1", "email": "ann@example.com", "phone": "+12025550100", "given_name": "Ann",
        "family_name": "Load", "notes": "old",
    });
    let change = json!({"reference": "R-1", "given_name": "Anna", "notes": null});
    for (number, body) in [(1_u32, &whole), (2, &change)] {
        let (upsert, delivery) = (format!("ups_{number}"), format!("dlv_{number}"));
        let trace = format!("{number:032}");
        let span = format!("{trace}-{number:016}");
        evidence.exchanges.push(Exchange {
            trace: trace.clone(),
            merchant: "acme".to_owned(),
            key: Some(format!("key-{number}")),
            person: "ann@example.com".to_owned(),
            body: body.clone(),
            told: Told::Answer {
                status: if number == 1 { 201 } else { 200 },
                body: json!({"upsert_id": upsert, "state": "succeeded"}),
            },
        });
        evidence.upserts.insert(
            upsert.clone(),
            Upsert {
                customer: "cus_1".to_owned(),
                state: "succeeded".to_owned(),
                rolled_back: false,
                changed: true,
            },
        );
        let began = i64::from(number) * 1_000_000;
        evidence.deliveries.insert(
            delivery,
            Delivery {
                upsert: upsert.clone(),
                customer: "cus_1".to_owned(),
                connection: "april".to_owned(),
                state: "succeeded".to_owned(),
                version: u64::from(number),
                trace: Some(trace),
                attempts: vec![Attempt {
                    number: 1,
                    span: span.clone(),
                    started_at: began,
                    ended_at: Some(began + 900),
                    result: Some("updated".to_owned()),
                    vendor_status: None,
                }],
                ..Delivery::default()
            },
        );
        evidence.versions.push(Version {
            customer: "cus_1".to_owned(),
            version: u64::from(number),
            upsert,
            record: Json::Null,
        });
        let side = evidence.vendors.entry("april".to_owned()).or_default();
        side.calls.push(Call {
            received_at: began + 100,
            received_tick: u64::from(number) * 10,
            finished_tick: Some(u64::from(number) * 10 + 5),
            span: Some(span),
            person: Some("ann@example.com".to_owned()),
            wrote: Some("cust_1".to_owned()),
            created: number == 1,
            status: Some(200),
        });
    }
    evidence.customers.insert(
        "cus_1".to_owned(),
        Customer {
            merchant: "acme".to_owned(),
            version: 2,
            record: json!({
                "reference": "R-1", "email": "ann@example.com", "phone": "+12025550100", "given_name": "Anna",
                "family_name": "Load",
            }),
            links: [("april".to_owned(), "cust_1".to_owned())].into(),
            failed: Vec::new(),
        },
    );
    let april = april(&mut evidence);
    april.provider = "april".to_owned();
    let fields = json!({
        "emailAddress": "ann@example.com", "phoneNumber": "+12025550100", "givenName": "Anna", "familyName": "Load",
        "referenceCustomerId": "R-1",
    });
    april.records.push(Record {
        id: "cust_1".to_owned(),
        fields: fields.as_object().cloned().unwrap(),
    });
    evidence
}

fn april(evidence: &mut Evidence) -> &mut VendorSide {
    evidence.vendors.get_mut("april").unwrap()
}

fn delivery(evidence: &mut Evidence, number: u32) -> &mut Delivery {
    evidence.deliveries.get_mut(&format!("dlv_{number}")).unwrap()
}

/// Does harm, and expects the checker to name this promise and no other.
#[track_caller]
fn found(promise: Promise, words: &str, harm: impl FnOnce(&mut Evidence)) {
    let mut evidence = all_is_well();
    harm(&mut evidence);
    let findings = check(&evidence);
    assert!(
        findings
            .iter()
            .any(|finding| finding.promise == promise && finding.what.contains(words)),
        "nothing of {promise:?} says {words}: {findings:#?}"
    );
    assert!(
        findings.iter().all(|finding| finding.promise == promise),
        "{findings:#?}"
    );
}

#[test]
fn where_all_is_well_nothing_is_found() {
    assert_eq!(check(&all_is_well()), []);
}

#[test]
fn an_acknowledged_upsert_that_is_not_there_is_found() {
    found(Promise::Acknowledged, "is not in the store", |evidence| {
        if let Told::Answer { body, .. } = &mut evidence.exchanges[1].told {
            body["upsert_id"] = json!("ups_lost");
        }
    });
}

#[test]
fn an_upsert_that_failed_and_was_told_to_have_succeeded_is_found() {
    found(Promise::Acknowledged, "ups_2 is failed", |evidence| {
        evidence.upserts.get_mut("ups_2").unwrap().state = "failed".to_owned();
    });
}

#[test]
fn a_key_that_made_two_upserts_is_found() {
    found(Promise::Acknowledged, "made two upserts", |evidence| {
        evidence.exchanges[1].key = Some("key-1".to_owned());
    });
}

#[test]
fn an_answer_that_was_another_the_second_time_is_found() {
    found(Promise::Acknowledged, "was answered", |evidence| {
        let mut again = evidence.exchanges[0].clone();
        again.told = Told::Answer {
            status: 201,
            body: json!({"upsert_id": "ups_1", "state": "succeeded", "more": 1}),
        };
        evidence.exchanges.push(again);
    });
}

#[test]
fn an_internal_error_is_found() {
    found(Promise::Acknowledged, "nobody should get", |evidence| {
        let mut other = evidence.exchanges[0].clone();
        other.told = Told::Answer {
            status: 500,
            body: json!({"code": "internal"}),
        };
        evidence.exchanges.push(other);
    });
}

#[test]
fn what_is_still_open_after_the_drain_is_found_and_so_is_a_lane_that_holds_something() {
    found(Promise::Drained, "is waiting, waiting for nothing", |evidence| {
        // Its client gave up: nobody was told anything that is wrong now.
        evidence.exchanges[1].told = Told::Nothing;
        delivery(evidence, 2).state = "waiting".to_owned();
    });
    found(Promise::Drained, "ups_2 is pending", |evidence| {
        evidence.exchanges[1].told = Told::Nothing;
        evidence.upserts.get_mut("ups_2").unwrap().state = "pending".to_owned();
    });
    found(Promise::Drained, "a lane still holds", |evidence| {
        evidence.busy_lanes.push("in_flight dlv_1".to_owned());
    });
}

#[test]
fn calls_that_overlap_are_found_unless_nobody_could_know() {
    let overlap = |evidence: &mut Evidence| april(evidence).calls[0].finished_tick = Some(21);
    found(Promise::Serialised, "overlap", overlap);
    let mut unknown = all_is_well();
    overlap(&mut unknown);
    let attempt = &mut delivery(&mut unknown, 1).attempts[0];
    (attempt.result, attempt.ended_at) = (None, None);
    assert_eq!(check(&unknown), []);
    // Where no call is as long as a lease, not knowing is no excuse.
    unknown.calls_are_short = true;
    assert!(
        check(&unknown)
            .iter()
            .all(|finding| finding.promise == Promise::Serialised)
    );
    assert!(!check(&unknown).is_empty());
}

#[test]
fn calls_that_overlap_at_one_record_are_found_though_they_do_not_say_whom_they_are_about() {
    found(Promise::Serialised, "about cust_1 overlap", |evidence| {
        let calls = &mut april(evidence).calls;
        calls[0].finished_tick = Some(21);
        calls[1].person = None;
    });
}

#[test]
fn a_person_that_is_two_records_is_found() {
    found(Promise::WrittenOnce, "is 2 records", |evidence| {
        let mut twin = april(evidence).records[0].clone();
        twin.id = "cust_2".to_owned();
        april(evidence).records.push(twin);
    });
}

#[test]
fn a_write_that_was_accepted_and_is_made_again_is_found_and_after_an_unknown_one_it_is_not() {
    let again = |evidence: &mut Evidence| {
        let mut attempt = delivery(evidence, 2).attempts[0].clone();
        (attempt.number, attempt.started_at) = (2, 3_000_000);
        attempt.span.push('b');
        let mut call = april(evidence).calls[1].clone();
        call.span = Some(attempt.span.clone());
        delivery(evidence, 2).attempts.push(attempt);
        (call.received_at, call.received_tick, call.finished_tick) = (3_000_100, 30, Some(35));
        april(evidence).calls.push(call);
    };
    found(Promise::WrittenOnce, "after an attempt of known outcome", again);
    let mut unknown = all_is_well();
    again(&mut unknown);
    delivery(&mut unknown, 2).attempts[0].result = Some("transient".to_owned());
    assert_eq!(check(&unknown), []);
}

#[test]
fn a_wrong_final_field_is_found_at_the_vendor_and_in_the_store() {
    found(Promise::Fields, "givenName is Some(String(\"Ann\"))", |evidence| {
        april(evidence).records[0]
            .fields
            .insert("givenName".to_owned(), json!("Ann"));
    });
    found(Promise::Fields, "notes is \"old\"", |evidence| {
        evidence.customers.get_mut("cus_1").unwrap().record["notes"] = json!("old");
    });
    found(Promise::Fields, "no such record", |evidence| {
        april(evidence).records.clear();
    });
    found(Promise::Fields, "none that a client sent", |evidence| {
        evidence.exchanges.remove(1);
        // With it goes what it set and cleared.
        april(evidence).records[0]
            .fields
            .insert("givenName".to_owned(), json!("Ann"));
        let record = &mut evidence.customers.get_mut("cus_1").unwrap().record;
        (record["given_name"], record["notes"]) = (json!("Ann"), json!("old"));
    });
    found(Promise::Fields, "where 2 has to stand", |evidence| {
        evidence.versions[1].version = 3;
        evidence.customers.get_mut("cus_1").unwrap().version = 3;
    });
}

#[test]
fn a_call_without_an_attempt_and_an_answer_without_a_call_are_found() {
    found(Promise::Audit, "(span none) went out without an attempt", |evidence| {
        let mut stray = april(evidence).calls[1].clone();
        (stray.span, stray.received_tick, stray.finished_tick) = (None, 40, Some(41));
        april(evidence).calls.push(stray);
    });
    found(Promise::Audit, "went out without an attempt", |evidence| {
        delivery(evidence, 2).attempts.clear();
    });
    found(Promise::Audit, "shares attempt 1 of delivery dlv_2", |evidence| {
        let mut twin = april(evidence).calls[1].clone();
        (twin.received_tick, twin.finished_tick) = (40, Some(41));
        delivery(evidence, 2).attempts[0].result = Some("broken_contract".to_owned());
        april(evidence).calls.push(twin);
    });
    found(Promise::Audit, "the vendor has no such call", |evidence| {
        april(evidence).calls.remove(1);
    });
    found(Promise::Audit, "says that nothing was sent", |evidence| {
        delivery(evidence, 2).attempts[0].result = Some("not_sent".to_owned());
    });
}

/// As it was with seeds that failed now and then: what an operator had discarded of a customer, its e-mail address among
/// it, was left out of the call when another delivery of it was replayed.
#[test]
fn a_replayed_call_that_names_neither_a_request_nor_a_person_is_known_by_its_span() {
    let mut evidence = all_is_well();
    let mut replay = delivery(&mut evidence, 2).clone();
    replay.upsert = "ups_3".to_owned();
    replay.trace = None;
    replay.attempts[0].span = "the replay's".to_owned();
    replay.attempts[0].started_at = 3_000_000;
    evidence.deliveries.insert("dlv_3".to_owned(), replay);
    let mut upsert = evidence.upserts["ups_2"].clone();
    upsert.changed = false;
    evidence.upserts.insert("ups_3".to_owned(), upsert);
    let refused = delivery(&mut evidence, 2);
    refused.state = "superseded".to_owned();
    refused.superseded_by = Some("dlv_3".to_owned());
    refused.attempts[0].result = Some("rejected".to_owned());
    refused.attempts[0].vendor_status = Some(422);
    let calls = &mut april(&mut evidence).calls;
    let mut again = calls[1].clone();
    (calls[1].wrote, calls[1].status) = (None, Some(422));
    again.span = Some("the replay's".to_owned());
    again.person = None;
    (again.received_at, again.received_tick, again.finished_tick) = (3_000_100, 30, Some(35));
    calls.push(again);
    assert_eq!(check(&evidence), []);
}

#[test]
fn a_call_that_comes_late_is_that_of_the_attempt_that_made_it_and_not_of_the_next_one() {
    let mut evidence = all_is_well();
    let attempts = &mut delivery(&mut evidence, 2).attempts;
    let mut next = attempts[0].clone();
    (attempts[0].result, attempts[0].ended_at) = (None, None);
    (next.number, next.started_at) = (2, 2_500_000);
    next.span.push('b');
    let mut its_call = april(&mut evidence).calls[1].clone();
    its_call.span = Some(next.span.clone());
    (its_call.received_at, its_call.received_tick, its_call.finished_tick) = (2_500_050, 18, Some(19));
    delivery(&mut evidence, 2).attempts.push(next);
    april(&mut evidence).calls[1].received_at = 2_500_090;
    april(&mut evidence).calls.push(its_call);
    assert_eq!(check(&evidence), []);
}

#[test]
fn a_broken_file_is_found() {
    found(Promise::Integrity, "malformed", |evidence| {
        evidence.integrity = "database disk image is malformed".to_owned();
    });
}

#[test]
fn an_upsert_that_was_not_told_or_told_as_two_or_should_not_have_been_told_is_found() {
    let told = |events: &[(&str, &str)]| {
        let mut evidence = all_is_well();
        let event = |(id, upsert): &(&str, &str)| ToldEvent {
            id: (*id).to_owned(),
            upsert: (*upsert).to_owned(),
        };
        evidence.told = Some(events.iter().map(event).collect());
        evidence
    };
    let well = [("evt_1", "ups_1"), ("evt_2", "ups_2"), ("evt_1", "ups_1")];
    assert!(check(&told(&well)).is_empty(), "the same event may come again");
    let is_told = |evidence: &Evidence| {
        let found = check(evidence);
        found.iter().any(|finding| finding.promise == Promise::Told)
    };
    assert!(is_told(&told(&well[..1])), "one was not told");
    assert!(is_told(&told(&[well[0], well[1], ("evt_3", "ups_2")])), "two events");
    assert!(is_told(&told(&[well[0], well[1], ("evt_1", "ups_2")])), "one id twice");
    assert!(is_told(&told(&[well[0], well[1], ("evt_3", "ups_9")])), "never was");
    let mut quiet = told(&well[..1]);
    quiet.upserts.get_mut("ups_2").unwrap().changed = false;
    assert!(is_told(&quiet), "it called a vendor");
    let delivery = quiet.deliveries.get_mut("dlv_2").unwrap();
    delivery.attempts.clear();
    delivery.outcome = Some("unchanged".to_owned());
    assert!(!is_told(&quiet), "it changed nothing and called nobody");
    let mut failed = told(&well);
    failed.upserts.get_mut("ups_2").unwrap().state = "failed".to_owned();
    assert!(is_told(&failed), "it did not end well");
}
