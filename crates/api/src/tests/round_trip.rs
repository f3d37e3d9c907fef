//! What the gateway writes is what a client reads: nothing is lost on the way, and no variant is taken for another one.

use serde_json::{Value as Json, json};

use super::filled;
use super::listed::{Trip, all, trip};
use crate::{
    Addresses, BatchAnswer, BatchLine, BatchProblem, Customer, Event, EventBody, EventReplayed, LogsChange,
    Notifications, ReplayOf, Service, UpsertRequest, WholeEvent,
};

#[test]
fn what_was_written_is_read_again_as_it_was() {
    for (of, Trip { whole, again, is_same }) in all() {
        assert!(is_same, "{of} is another value");
        assert_eq!(again, whole, "{of}");
    }
}

/// Without whatever may be missing.
fn bare(value: &Json) -> Json {
    match value {
        Json::Object(members) => {
            let kept = members.iter().filter(|(_, member)| !member.is_null());
            kept.map(|(name, member)| (name.clone(), bare(member))).collect()
        }
        other => other.clone(),
    }
}

#[test]
fn an_event_of_which_little_is_known_is_taken_for_none_of_the_other_direction() {
    let mut incoming = filled::incoming_event();
    (incoming.customer_id, incoming.upsert_id) = (None, None);
    (incoming.problem, incoming.unbelieved_time) = (None, None);
    incoming.ignored.clear();
    let mut outgoing = filled::outgoing_event();
    (outgoing.next_attempt_at, outgoing.last_attempt_at) = (None, None);
    (outgoing.last_status, outgoing.last_error, outgoing.last_answer) = (None, None, None);
    outgoing.ended_at = None;
    for (event, is_in) in [(Event::Incoming(incoming), true), (Event::Outgoing(outgoing), false)] {
        let written = json!(event);
        for written in [&written, &bare(&written)] {
            let read: Event = serde_json::from_value(written.clone()).unwrap();
            assert!(read == event, "{written}");
            let whole: WholeEvent = serde_json::from_value(written.clone()).unwrap();
            assert_eq!(matches!(whole, WholeEvent::Incoming(_)), is_in);
            let replayed: EventReplayed = serde_json::from_value(written.clone()).unwrap();
            assert!(replayed == EventReplayed::Event(event.clone()), "{written}");
        }
    }
}

#[test]
fn an_event_of_which_nothing_became_is_read_as_a_taken_one() {
    let mut taken = filled::taken_event();
    (taken.id, taken.event_id, taken.upsert_id) = (None, None, None);
    (taken.customer_id, taken.unbelieved_time) = (None, None);
    taken.ignored.clear();
    let read: EventReplayed = serde_json::from_value(json!(taken)).unwrap();
    assert!(read == EventReplayed::Taken(taken));
}

#[test]
fn conflicts_stand_only_where_there_are_any_to_tell() {
    let mut problem = filled::problem();
    assert!(json!(problem)["conflicts"].is_array());
    problem.conflicts = None;
    assert_eq!(json!(problem).get("conflicts"), None);
    assert!(trip(&problem).is_same);
    let mut refusal = filled::plan_refusal();
    refusal.customer_id = None;
    assert_eq!(json!(refusal).get("customer_id"), None);
    assert!(trip(&refusal).is_same);
    let mut done = filled::deliveries_done();
    done.counted_at = None;
    assert_eq!(json!(done).get("counted_at"), None);
    assert!(trip(&done).is_same);
}

#[test]
fn an_error_that_was_kept_before_there_were_bodies_and_headers_can_be_read() {
    let mut written = json!(filled::delivery_error());
    written.as_object_mut().unwrap().remove("vendor_body");
    written.as_object_mut().unwrap().remove("vendor_headers");
    let read: crate::DeliveryError = serde_json::from_value(written).unwrap();
    assert_eq!((read.vendor_headers.len(), read.vendor_body), (0, None));
}

#[test]
fn a_customer_has_every_member_whatever_is_known_of_it() {
    let empty = json!(Customer::default());
    let of_core = Json::Object(upsert_core::Customer::default().to_json(true));
    assert_eq!(empty, of_core);
    let read: Customer = serde_json::from_value(json!({ "email": "a@x.example", "unknown": 1 })).unwrap();
    assert_eq!(read.email.as_deref(), Some("a@x.example"));
    for (of, unknown) in [
        (
            "Addresses",
            serde_json::from_value::<Addresses>(json!({ "home": {} })).is_err(),
        ),
        (
            "Service",
            serde_json::from_value::<Service>(json!({ "kind": "x" })).is_err(),
        ),
        (
            "Notifications",
            serde_json::from_value::<Notifications>(json!({ "sms": true })).is_err(),
        ),
    ] {
        assert!(unknown, "{of} takes what it does not know");
    }
}

fn request() -> Json {
    let mut request = json!(filled::customer());
    let members = request.as_object_mut().unwrap();
    members.insert("id".to_owned(), json!(filled::customer_record().id));
    members.insert("tags_removed".to_owned(), json!(["old"]));
    members.insert("links".to_owned(), json!({ "crm": "7" }));
    members["metadata"]["gone"] = Json::Null;
    request
}

#[test]
fn a_request_may_have_every_member_of_a_customer_and_more() {
    let UpsertRequest {
        id: Some(_),
        reference: Some(_),
        kind: Some(_),
        given_name: Some(_),
        middle_name: Some(_),
        family_name: Some(_),
        organisation_name: Some(_),
        tax_id: Some(_),
        email: Some(_),
        phone: Some(_),
        status: Some(_),
        verified: Some(true),
        addresses: Some(addresses),
        billing_same_as_property: Some(true),
        service: Some(service),
        notifications: Some(notifications),
        notes: Some(_),
        source: Some(_),
        tags: Some(tags),
        tags_removed: Some(tags_removed),
        metadata: Some(metadata),
        links: Some(links),
        provider_fields: Some(provider_fields),
    } = serde_json::from_value(request()).unwrap()
    else {
        panic!("a member was not read")
    };
    let sent = filled::customer();
    assert!(addresses == sent.addresses && service == sent.service && notifications == sent.notifications);
    assert_eq!((tags, tags_removed), (sent.tags, vec!["old".to_owned()]));
    assert_eq!(metadata.get("gone"), Some(&None));
    assert_eq!(links, [("crm".to_owned(), "7".to_owned())].into());
    assert_eq!(provider_fields.len(), 1);
}

#[test]
fn a_request_with_a_misspelt_member_is_refused() {
    assert!(serde_json::from_value::<UpsertRequest>(json!({ "given_nmae": "Ann" })).is_err());
}

#[test]
fn a_line_of_a_batch_is_a_request_with_a_key() {
    let mut line = request();
    line["idempotency_key"] = json!("key-1");
    let read: BatchLine = serde_json::from_value(line).unwrap();
    assert_eq!(read.idempotency_key.as_deref(), Some("key-1"));
    assert!(read.upsert.reference.is_some() && read.upsert.links.is_some());
}

#[test]
fn a_line_of_a_batchs_answer_was_taken_or_refused() {
    let mut taken = json!(filled::upsert_answer());
    (taken["line"], taken["status"]) = (json!(3), json!(201));
    match serde_json::from_value(taken).unwrap() {
        BatchAnswer::Taken(taken) => {
            assert_eq!((taken.line, taken.status, taken.idempotent_replayed), (3, 201, false));
            assert!(taken.answer == filled::upsert_answer());
        }
        BatchAnswer::Refused(refused) => panic!("line {} was taken", refused.line),
    }
    let mut problem = json!(filled::problem());
    problem["retry_after"] = json!(5);
    match serde_json::from_value(json!({ "line": 4, "problem": problem })).unwrap() {
        BatchAnswer::Refused(refused) => {
            let BatchProblem { problem, retry_after } = refused.problem;
            assert_eq!((refused.line, problem, retry_after), (4, filled::problem(), Some(5)));
        }
        BatchAnswer::Taken(taken) => panic!("line {} was refused", taken.line),
    }
}

#[test]
fn an_event_that_goes_out_says_what_happened_and_when() {
    let delivery = filled::listed_delivery();
    let body = EventBody {
        r#type: "customer.delivery_failed",
        timestamp: filled::noon(),
        data: &delivery,
    };
    let expected = json!({ "type": "customer.delivery_failed", "timestamp": filled::noon(), "data": delivery });
    assert_eq!(json!(body), expected);
}

#[test]
fn misspelt_members_of_small_bodies_are_refused() {
    assert!(serde_json::from_value::<ReplayOf>(json!({ "custmer_id": null })).is_err());
    assert!(serde_json::from_value::<ReplayOf>(json!({})).unwrap() == ReplayOf::default());
    let change: LogsChange = serde_json::from_value(json!({ "filter": "debug" })).unwrap();
    assert_eq!(change.length, None);
}
